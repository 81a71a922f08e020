"""The process that takes PDF, Word and HTML files apart, so that a file which lies about itself takes down nothing else.

It runs alone (`python -I child.py`), with bounded memory and no environment: langchain-community's parsers of bytes
(`PyPDFParser`, `BS4HTMLParser`), which unlike its loaders fetch nothing and open no path, and docx2txt. Jobs come on
standard input, one line of JSON with the size of what follows, then the bytes; each is answered with one line of JSON.
`documents.py` starts it, waits so long and no longer, and ends it.

    python qwen_router/retrieval/child.py < /dev/null
"""

from __future__ import annotations

import io
import json
import os
import sys
import warnings
import zipfile
from contextlib import suppress
from typing import Any

MEMORY_BYTES = 2 * 1024**3
"""Of addresses, which is more than what is used: numpy alone maps hundreds of MiB."""
UNPACKED_BYTES = 100 * 1024**2
"""What the text of a Word file may unpack to."""
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How old .doc files begin, and new ones that are locked with a password."""


class Trouble(Exception):
    """Why a file cannot be read: the text goes to the user."""


def pdf(data: bytes, most_pages: int, most_chars: int) -> dict[str, Any]:
    from langchain_community.document_loaders.parsers.pdf import PyPDFParser
    from langchain_core.documents.base import Blob
    from pypdf.errors import DependencyError, FileNotDecryptedError

    parts: list[tuple[int, str]] = []
    pages = chars = 0
    try:
        for document in PyPDFParser(mode="page").lazy_parse(Blob.from_data(data, mime_type="application/pdf")):
            pages = document.metadata["total_pages"]
            if len(parts) >= most_pages or chars >= most_chars:
                break
            text = document.page_content[: most_chars - chars]
            chars += len(text)
            parts.append((len(parts) + 1, text))
    except FileNotDecryptedError:
        raise Trouble("is encrypted: save it without its password") from None
    except DependencyError as error:
        raise Trouble(f"is encrypted in a way that needs another package ({error}): save it without encryption") from None
    except Exception:
        if not parts:
            raise
        pages = max(pages, len(parts) + 1)  # what was read before the broken page is kept
    return {"parts": parts, "pages": pages}


def docx(data: bytes, most_pages: int, most_chars: int) -> dict[str, Any]:
    import docx2txt

    if data.startswith(OLE):
        raise Trouble("is an old .doc file or locked with a password: save it as .docx without one")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(each.file_size for each in archive.infolist() if each.filename.endswith(".xml"))
            if size > UNPACKED_BYTES:
                raise Trouble(f"unpacks to {size:,} bytes of text, more than {UNPACKED_BYTES:,}")
        text: str = docx2txt.process(io.BytesIO(data))
    except (zipfile.BadZipFile, KeyError) as error:
        raise Trouble(f"is no Word file that can be read: {error}") from None
    return {"parts": [(None, text[:most_chars])], "pages": None, "cut": len(text) > most_chars}


def html(data: bytes, most_pages: int, most_chars: int) -> dict[str, Any]:
    from bs4 import XMLParsedAsHTMLWarning
    from langchain_community.document_loaders.parsers.html.bs4 import BS4HTMLParser
    from langchain_core.documents.base import Blob

    warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
    (document,) = BS4HTMLParser(get_text_separator="\n").lazy_parse(Blob.from_data(data, mime_type="text/html"))
    lines = (line.strip() for line in document.page_content.splitlines())
    text = "\n".join(line for line in lines if line)
    return {"parts": [(None, text[:most_chars])], "pages": None, "cut": len(text) > most_chars}


def answer(job: dict[str, Any], data: bytes) -> dict[str, Any]:
    """What is in the file, or what is wrong with it. Foreign code raises whatever it meets on a broken file."""
    try:
        return {"pdf": pdf, "docx": docx, "html": html}[job["kind"]](data, job["pages"], job["chars"])
    except Trouble as trouble:
        return {"trouble": str(trouble)}
    except ModuleNotFoundError as error:
        return {"missing": error.name}
    except ImportError as error:  # langchain-community says it in its own words
        return {"missing": str(error).partition(" ")[0].strip("`'\"")}
    except MemoryError:
        return {"trouble": "needs more memory than a document may"}
    except RecursionError:
        return {"trouble": "is nested too deeply"}
    except Exception as error:
        return {"trouble": f"is broken: {type(error).__name__}: {' '.join(str(error).split())[:200]}"}


def _limit_memory() -> None:
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    with suppress(ValueError, OSError):  # macOS knows the limit and does not set it
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def main() -> None:
    _limit_memory()
    warnings.simplefilter("ignore")  # a file's oddities, and langchain-community's notice that it is no longer developed
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    while header := sys.stdin.buffer.readline():
        job = json.loads(header)
        reply = answer(job, sys.stdin.buffer.read(job["bytes"]))
        out.write(json.dumps(reply).encode() + b"\n")
        out.flush()


if __name__ == "__main__":
    main()
