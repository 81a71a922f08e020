"""The text of documents: PDF, Word, HTML, notebooks, and whatever is plain text; nothing is run, fetched or followed.

What is hard to read safely (PDF, Word, HTML) goes to a process of its own (`child.py`), which gets bytes and not a path, a
limit of memory and `PARSE_S` seconds; one that is stuck is ended and the next file gets a new one. Pictures of text stay
pictures: reading those is a vision model's work (`read_image`). Old encodings are not guessed: text is UTF-8, or UTF-16
with its mark. Spreadsheets and databases are for SQL.

    python -c "from qwen_router.retrieval.documents import read_document; print(read_document(b'Hello', 'a.txt').text)"
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from qwen_router.errors import InvalidRequest, MissingExtra

MOST_BYTES = 32 * 1024**2
MOST_PAGES = 2_000
MOST_CHARS = 5_000_000
PARSE_S = 30.0
_MOST_ANSWER_BYTES = 12 * MOST_CHARS + 1024**2  # \ud83d\ude00 is what JSON makes of one character
_PARSED = {".pdf": "pdf", ".docx": "docx", ".doc": "docx", ".html": "html", ".htm": "html", ".xhtml": "html"}
SUFFIXES = frozenset(_PARSED) | frozenset(
    (
        ".txt .md .markdown .rst .tex .org .adoc .log .csv .tsv .json .jsonl .yaml .yml .toml .ini .cfg .xml .srt .ipynb "
        ".py .js .ts .java .c .h .cpp .hpp .cs .rs .go .rb .php .swift .kt .scala .sh .sql .r .jl .lua"
    ).split()
)
"""What a folder is searched for; any other file is read when it is named and holds text."""
_PACKAGES = {"langchain_community": "langchain-community", "bs4": "beautifulsoup4", "langchain_core": "langchain-core"}


@dataclass(frozen=True, slots=True)
class Part:
    """A page of a document, or all of one that has no pages."""

    text: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class DocumentText:
    """`parts` in order; `left_out` says what the limits cut off, None where nothing was."""

    parts: tuple[Part, ...]
    left_out: str | None = None

    @property
    def text(self) -> str:
        """All of it; a page begins with a line of its own, `[page 3]`."""
        return "\n\n".join(part.text if part.page is None else f"[page {part.page}]\n{part.text}" for part in self.parts)


def read_document(data: bytes, name: str, *, reader: Reader | None = None) -> DocumentText:
    """The text of a file with these bytes and this name. `reader` is the process to use, where many files are read.

    Raises `InvalidRequest`, naming the file, for one that is empty, too large, encrypted, broken or no text, and for one
    that takes too long or too much memory; `MissingExtra` where the library for its format is not installed.
    """
    if not data.strip():
        raise InvalidRequest(f"{name!r} is empty", fix="name a file that has content")
    if len(data) > MOST_BYTES:
        raise InvalidRequest(f"{name!r} has {len(data):,} bytes, more than {MOST_BYTES:,}", fix="split it")
    kind = _kind(data, name)
    if kind is None:
        text = _plain(data, name)
        if PurePosixPath(name).suffix.lower() == ".ipynb":
            text = _notebook(text, name)
        return DocumentText((Part(text[:MOST_CHARS]),), _cut(len(text) > MOST_CHARS))
    if reader is not None:
        return reader.read(kind, data, name)
    with Reader() as own:
        return own.read(kind, data, name)


def _kind(data: bytes, name: str) -> str | None:
    """Which parser: by how the file begins where that is plain, else by its name."""
    if data[:1024].lstrip().startswith(b"%PDF-"):
        return "pdf"
    return _PARSED.get(PurePosixPath(name).suffix.lower())


def _cut(was_cut: bool) -> str | None:
    return f"what lies behind the first {MOST_CHARS:,} characters" if was_cut else None


def _plain(data: bytes, name: str) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if b"\0" in data[:4096]:
            raise InvalidRequest(f"{name!r} is no text: it begins with {data[:8]!r}", fix="name a document") from None
        byte = data[error.start] if error.start < len(data) else 0
        raise InvalidRequest(f"{name!r} is not UTF-8: byte {byte:#04x} at {error.start:,}", fix="save it as UTF-8") from None
    if "\0" in text:
        raise InvalidRequest(f"{name!r} is no text: it begins with {data[:8]!r}", fix="name a document")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _notebook(text: str, name: str) -> str:
    """The cells of a notebook and what they printed, never run; pictures are left out."""
    broken = InvalidRequest(f"{name!r} is no notebook that can be read", fix="save it anew in Jupyter")
    try:
        cells = json.loads(text)["cells"]
        written = [_cell(cell) for cell in cells if cell["cell_type"] in ("markdown", "code", "raw")]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise broken from None
    return "\n\n".join(part for part in written if part.strip())


def _cell(cell: dict[str, Any]) -> str:
    source = _joined(cell["source"])
    if cell["cell_type"] != "code":
        return source
    said = [_joined(out.get("text") or out.get("data", {}).get("text/plain") or "") for out in cell.get("outputs", ())]
    printed = "\n".join(text for text in said if text)
    return f"```python\n{source}\n```" + (f"\nprinted:\n{printed}" if printed else "")


def _joined(lines: Any) -> str:
    return lines if isinstance(lines, str) else "".join(str(line) for line in lines)


class Reader:
    """One process that parses file after file. Use it in a `with` block, from one thread."""

    def __init__(self, *, parse_s: float = PARSE_S, program: Path | None = None) -> None:
        self._parse_s = parse_s
        self._program = program or Path(__file__).with_name("child.py")
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, kind: str, data: bytes, name: str) -> DocumentText:
        """The text of one file. Raises as `read_document` does; the reader goes on working."""
        child = self._child = self._child or self._started()
        job = {"kind": kind, "bytes": len(data), "pages": MOST_PAGES, "chars": MOST_CHARS}
        late = threading.Event()
        timer = threading.Timer(self._parse_s, _ended(child, late))
        timer.daemon = True
        timer.start()
        line = b""
        try:
            assert child.stdin is not None and child.stdout is not None
            child.stdin.write(json.dumps(job).encode() + b"\n" + data)
            child.stdin.flush()
            line = child.stdout.readline(_MOST_ANSWER_BYTES)
        except OSError:  # it died while it was written to
            pass
        finally:
            timer.cancel()
        if not line.endswith(b"\n"):
            self.close()
            why = f"takes longer than {self._parse_s:g} s" if late.is_set() else "ended the process that read it"
            raise InvalidRequest(f"{name!r} cannot be read: it {why}", fix="save a simpler or smaller file")
        return _understood(json.loads(line), name)

    def close(self) -> None:
        """End the process. May be called twice."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for pipe in (child.stdin, child.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:  # what it never read
                pass
        child.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", str(self._program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"OPENBLAS_NUM_THREADS": "1"} | {key: os.environ[key] for key in ("SYSTEMROOT",) if key in os.environ},
        )


def _ended(child: subprocess.Popen[bytes], late: threading.Event) -> Callable[[], None]:
    def end() -> None:
        late.set()
        child.kill()

    return end


def _understood(reply: dict[str, Any], name: str) -> DocumentText:
    if "missing" in reply:
        raise MissingExtra.of(_PACKAGES.get(reply["missing"], reply["missing"]), extra="agent")
    if "trouble" in reply:
        raise InvalidRequest(f"{name!r} {reply['trouble']}", fix="name another file, or save this one anew")
    parts = tuple(Part(text, page) for page, text in reply["parts"])
    if not any(part.text.strip() for part in parts):
        if reply["pages"]:
            fix = "save its pages as pictures, which read_image reads"
            raise InvalidRequest(f"{name!r} holds no text; its pages may be pictures", fix=fix)
        raise InvalidRequest(f"{name!r} holds no text", fix="name a document that does")
    pages = reply["pages"]
    if pages is not None and len(parts) < pages:
        return DocumentText(parts, f"pages {len(parts) + 1} to {pages}")
    return DocumentText(parts, _cut(bool(reply.get("cut"))))
