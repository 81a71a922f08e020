"""Documents as text: formats, files that are broken or lie about themselves, limits, the process that parses."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwen_router.errors import InvalidRequest
from qwen_router.retrieval import documents, read_document
from qwen_router.retrieval.documents import Reader
from tests.document_files import docx, docx_bomb, docx_of, notebook, pdf, pdf_bomb, pdf_with_a_bomb_on_page_2, zipped


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader() as made:
        yield made


# ── formats ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        pytest.param(
            "a.pdf", pdf("first page", "second (page)"), "[page 1]\nfirst page\n\n[page 2]\nsecond (page)", id="pdf"
        ),
        pytest.param(
            "pdf.txt", pdf("a PDF by its first bytes"), "[page 1]\na PDF by its first bytes", id="pdf-under-a-name"
        ),
        pytest.param("a.docx", docx("Ein Brief", "mit Größe & <Zeichen>"), "Ein Brief\n\nmit Größe & <Zeichen>", id="word"),
        pytest.param(
            "a.html",
            b"<html><head><title>T</title><style>p {}</style></head><body><p>Hi <b>you</b><script>alert(1)</script></body>",
            "T\nHi\nyou",
            id="html-without-its-code",
        ),
        pytest.param("a.htm", "<meta charset=gbk><p>中文".encode("gbk"), "中文", id="html-says-its-own-encoding"),
        pytest.param("a.md", b"\xef\xbb\xbf# Title\r\ntext", "# Title\ntext", id="a-mark-and-line-ends"),
        pytest.param("a.txt", "Ünï".encode("utf-16"), "Ünï", id="utf-16"),
        pytest.param("a.csv", b"a,b\n1,2\n", "a,b\n1,2\n", id="a-table-as-it-stands"),
        pytest.param("LICENSE", b"Free as in speech.", "Free as in speech.", id="no-suffix"),
        pytest.param(
            "a.ipynb",
            notebook(("markdown", "# Study", ""), ("code", "print(6 * 7)", "42\n")),
            "# Study\n\n```python\nprint(6 * 7)\n```\nprinted:\n42\n",
            id="notebook",
        ),
    ],
)
def test_a_document_becomes_text(reader: Reader, name: str, data: bytes, text: str) -> None:
    assert read_document(data, name, reader=reader).text == text


def test_code_in_a_notebook_is_not_run_and_a_page_does_not_fetch(reader: Reader, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    made = notebook(("code", f"open({str(trace)!r}, 'w')", ""))
    assert "open(" in read_document(made, "a.ipynb", reader=reader).text
    page = f"<img src='file://{trace}'><link rel=stylesheet href='http://127.0.0.1:9/x'><p>plain".encode()
    assert read_document(page, "a.html", reader=reader).text == "plain"
    assert not trace.exists()


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        pytest.param("a.pdf", b"", "is empty", id="empty"),
        pytest.param("a.pdf", b"%PDF-1.7 nothing more", "is broken", id="cut-pdf"),
        pytest.param("a.pdf", b"plain words", "is broken", id="no-pdf"),
        pytest.param("a.pdf", pdf("secret", password="x"), "is encrypted", id="encrypted-pdf"),
        pytest.param("a.pdf", pdf(""), "holds no text; its pages may be pictures", id="a-scan"),
        pytest.param("a.docx", b"PK\3\4 no archive", "no Word file", id="broken-word"),
        pytest.param("a.docx", zipped({"xl/workbook.xml": b"<a/>"}), "no Word file", id="another-archive"),
        pytest.param("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1...", "old .doc file or locked", id="old-or-locked-word"),
        pytest.param("a.docx", docx_of("<w:p>"), "is broken: ParseError", id="broken-xml"),
        pytest.param("a.txt", b"\x89PNG\r\n\x1a\n\0\0", "is no text", id="a-picture"),
        pytest.param("a.txt", "Größe".encode("latin-1"), "not UTF-8: byte 0xf6 at 2", id="an-old-encoding"),
        pytest.param("a.ipynb", b"{}", "no notebook", id="broken-notebook"),
        pytest.param("a.ipynb", b'{"cells": [' + b"[" * 100_000, "no notebook", id="nested-notebook"),
        pytest.param("a.html", b"<script>1</script>", "holds no text", id="no-text"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_by_name(reader: Reader, name: str, data: bytes, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        read_document(data, name, reader=reader)
    assert repr(name) in caught.value.problem and caught.value.fix
    assert "Traceback" not in str(caught.value)


LAUGHS = (
    "<!DOCTYPE x [" + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(12)) + "]><x>&l11;</x>"
)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("bomb.pdf", pdf_bomb(), id="a-page-that-unpacks-to-300-MiB"),
        pytest.param("bomb.docx", docx_bomb(), id="a-text-that-unpacks-to-200-MiB"),
        pytest.param("laughs.docx", docx_of(LAUGHS), id="a-billion-laughs"),
        pytest.param(
            "outside.docx",
            docx_of('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'),
            id="an-entity-outside",
        ),
    ],
)
def test_a_bomb_is_an_error_and_the_reader_goes_on(reader: Reader, name: str, data: bytes) -> None:
    with pytest.raises(InvalidRequest, match=name):
        read_document(data, name, reader=reader)
    assert read_document(docx("still here"), "a.docx", reader=reader).text == "still here"


def test_tags_nested_50_000_deep_end_the_reading_and_nothing_else(reader: Reader) -> None:
    try:
        assert read_document(b"<b>" * 50_000 + b"x", "deep.html", reader=reader).text == "x"
    except InvalidRequest as error:  # as lxml's limits have it
        assert "deep.html" in error.problem
    assert read_document(docx("still here"), "a.docx", reader=reader).text == "still here"


def test_three_hundred_damaged_files_are_read_or_named_and_the_reader_lives(reader: Reader) -> None:
    draw = random.Random(5)
    whole = {
        "a.pdf": pdf("one", "two"),
        "locked.pdf": pdf("x", password="p", algorithm="RC4-128"),
        "a.docx": docx("a", "b & c"),
        "a.html": b"<html><head><meta charset=utf-8><title>T</title></head><table><tr><td>x</table><p>Hi",
        "a.ipynb": notebook(("markdown", "# x", ""), ("code", "1", "2")),
    }
    outcomes = set()
    for _ in range(300):
        name, data = draw.choice(list(whole.items()))
        damaged = bytearray(data)
        for _ in range(draw.randint(1, 10)):
            at = draw.randrange(len(damaged))
            if draw.random() < 0.5:
                damaged[at] = draw.randrange(256)
            else:
                damaged[at : at + draw.randint(0, 30)] = draw.choice((b"", b"<<", b"[[", b"/Length 99999999", b"\xff\xfe"))
        try:
            outcomes.add(bool(read_document(bytes(damaged), name, reader=reader).text))
        except InvalidRequest as error:
            assert repr(name) in error.problem and "\n" not in error.problem
            outcomes.add(False)
    assert outcomes == {True, False}


def test_a_parser_that_never_ends_is_ended_and_replaced(tmp_path: Path) -> None:
    program = tmp_path / "stuck.py"
    program.write_text(
        "import json, sys\n"
        "job = json.loads(sys.stdin.buffer.readline())\n"
        "data = sys.stdin.buffer.read(job['bytes'])\n"
        "while data == b'stuck': pass\n"
        "if data == b'dies': raise SystemExit\n"
        "print(json.dumps({'parts': [[None, 'fine']], 'pages': None}))\n"
    )
    with Reader(parse_s=0.15, program=program) as slow:
        with pytest.raises(InvalidRequest, match=r"'a.pdf' cannot be read: it takes longer than 0.15 s"):
            slow.read("pdf", b"stuck", "a.pdf")
    with Reader(program=program) as quick:
        with pytest.raises(InvalidRequest, match="ended the process"):
            quick.read("pdf", b"dies", "a.pdf")
        assert quick.read("pdf", b"good", "b.pdf").text == "fine"


def test_a_file_that_wants_more_memory_than_it_may_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    program = tmp_path / "child.py"
    source = Path(documents.__file__).with_name("child.py").read_text()
    program.write_text(source.replace("    import docx2txt\n", "    bytearray(4 * 1024**3)\n"))
    with Reader(program=program) as reader, pytest.raises(InvalidRequest, match="needs more memory"):
        reader.read("docx", b"x", "a.docx")


def test_the_process_that_parses_sees_neither_keys_nor_this_package(reader: Reader, tmp_path: Path) -> None:
    program = tmp_path / "child.py"
    program.write_text(
        "import json, os, sys\nsys.stdin.buffer.readline()\n"
        "print(json.dumps({'parts': [[None, json.dumps([sorted(os.environ), sys.flags.isolated])]], 'pages': None}))\n"
    )
    with Reader(program=program) as nosy:
        seen, isolated = json.loads(nosy.read("pdf", b"x", "a.pdf").text)
    assert isolated == 1 and set(seen) <= {"OPENBLAS_NUM_THREADS", "SYSTEMROOT", "LC_CTYPE"}


def test_what_the_limits_cut_off_is_said(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST_PAGES", 2)
    read = read_document(pdf("one", "two", "three"), "a.pdf", reader=reader)
    assert [part.text for part in read.parts] == ["one", "two"] and read.left_out == "pages 3 to 3"
    monkeypatch.setattr(documents, "MOST_CHARS", 4)
    assert read_document(b"123456", "a.txt").text == "1234"
    for name, data in (("a.txt", b"123456"), ("a.docx", docx("123456")), ("a.html", b"<p>123456")):
        assert read_document(data, name, reader=reader).left_out == "what lies behind the first 4 characters"
    with pytest.raises(InvalidRequest, match="more than"):
        read_document(b"x" * (documents.MOST_BYTES + 1), "a.txt")


def test_pages_before_one_that_cannot_be_read_are_kept_and_the_rest_is_told(reader: Reader) -> None:
    read = read_document(pdf_with_a_bomb_on_page_2(), "a.pdf", reader=reader)
    assert [part.text for part in read.parts] == ["the first page"] and read.left_out == "pages 2 to 2"


def test_the_encryption_that_lets_everybody_read_is_no_obstacle(reader: Reader) -> None:
    assert "public" in read_document(pdf("public", password=""), "a.pdf", reader=reader).text
