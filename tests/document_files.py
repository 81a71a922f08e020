"""Makes small documents for tests: PDF pages with text, Word files, notebooks, and files that lie about themselves."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from xml.sax.saxutils import escape

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def pdf(*pages: str, password: str | None = None, algorithm: str = "AES-256") -> bytes:
    """One page for each text, a line for each of its lines."""
    from pypdf import PdfReader, PdfWriter

    streams = [_page(text).encode("latin-1") for text in pages]
    plain = _objects(streams)
    if password is None:
        return plain
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(plain)))
    writer.encrypt(password, algorithm=algorithm)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _page(text: str) -> str:
    lines = [line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") for line in text.split("\n")]
    return "BT /F1 12 Tf 14 TL 50 750 Td " + " T* ".join(f"({line}) Tj" for line in lines) + " ET"


def _objects(streams: Sequence[bytes], *, filters: str = "") -> bytes:
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(streams)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(streams)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for n, stream in enumerate(streams):
        fonts = "<< /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R /Resources {fonts} /Contents {5 + 2 * n} 0 R >>".encode())
        objects.append(f"<< /Length {len(stream)} {filters} >>\nstream\n".encode() + stream + b"\nendstream")
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\n"
    return out + end.encode() + f"startxref\n{len(out)}\n%%EOF\n".encode()


def pdf_bomb(mib: int = 300) -> bytes:
    """A page whose content unpacks to that many MiB of drawing."""
    return _objects([zlib.compress(b"0 0 m " * (mib * 1024**2 // 6), 9)], filters="/Filter /FlateDecode")


def pdf_with_a_bomb_on_page_2() -> bytes:
    bomb = zlib.compress(b"0 0 m " * (300 * 1024**2 // 6), 9)
    return _objects([zlib.compress(_page("the first page").encode()), bomb], filters="/Filter /FlateDecode")


def docx(*paragraphs: str) -> bytes:
    body = "".join(f"<w:p><w:r><w:t>{escape(text)}</w:t></w:r></w:p>" for text in paragraphs)
    return zipped({"word/document.xml": f'<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>'.encode()})


def docx_of(xml: str) -> bytes:
    return zipped({"word/document.xml": xml.encode()})


def docx_bomb() -> bytes:
    """A text that unpacks to 200 MiB."""
    return zipped({"word/document.xml": b" " * (200 * 1024**2)})


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def notebook(*cells: tuple[str, str, str]) -> bytes:
    """Cells as (kind, source, what it printed)."""
    made = [
        {"cell_type": kind, "source": source.splitlines(keepends=True), "metadata": {}}
        | ({"outputs": [{"output_type": "stream", "text": [out]}] if out else []} if kind == "code" else {})
        for kind, source, out in cells
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()
