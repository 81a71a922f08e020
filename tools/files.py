"""The user's files, in one folder that cannot be left: list, read, search, write.

The folder is `ToolContext.root`; `qwen_router.tool_files` walks paths so that neither `..` nor a link leads out.
What is read was written by somebody else and is marked as such; writing is marked dangerous, so that a person is asked.

    python -c "from qwen_router.tooling import load_tools; print(load_tools()['list_files'].invoke({'path': 'docs'}))"
"""

from __future__ import annotations

import codecs
import json
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase

from langchain_core.tools import ToolException, tool
from pydantic import BaseModel, Field

from qwen_router.errors import InvalidRequest
from qwen_router.tool_context import current
from qwen_router.tool_files import MIB, Entry, below, list_below, open_below, write_below

MOST_ROWS = 200
MOST_WRITE_BYTES = 4 * MIB
MOST_SEARCHED_FILES, MOST_SEARCHED_BYTES, MOST_SEARCHED_S, MOST_HITS = 2000, 4 * MIB, 10.0, 100
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
          (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip


class FileError(ToolException):
    """There is no such file, or it is not for this; the text says why, for the model to read."""


class ListInput(BaseModel):
    path: str = Field(default=".", description="A folder, relative to the tools' folder; . is that folder.")
    pattern: str = Field(default="*", description="Names to show, such as *.csv; with ** in front, in all folders below.")


class ReadInput(BaseModel):
    path: str = Field(description="A text file, relative to the tools' folder, such as notes/plan.txt.")
    from_line: int = Field(default=1, ge=1, description="The first line to read; 1 is the file's first.")
    lines: int = Field(default=500, ge=1, le=10_000, description="How many lines to read.")


class SearchInput(BaseModel):
    text: str = Field(
        min_length=1, max_length=200, description="What to look for, as it is; upper and lower case are the same."
    )
    pattern: str = Field(default="*", description="Files to look into, by name, such as *.md.")


class WriteInput(BaseModel):
    path: str = Field(description="The file, relative to the tools' folder, such as out/result.txt. Folders are made.")
    text: str = Field(max_length=MOST_WRITE_BYTES, description="All that the file shall hold.")
    overwrite: bool = Field(default=False, description="Whether a file of that name may be replaced.")


@tool("list_files", args_schema=ListInput)
def list_files(path: str = ".", pattern: str = "*") -> str:
    """List the files in a folder with their sizes, for example path data, pattern *.csv."""
    deep = pattern.startswith("**")
    wanted = pattern.removeprefix("**").lstrip("/") or "*"
    try:
        entries, more = list_below(current().root, path, deep=deep)
    except InvalidRequest as error:
        raise FileError(str(error)) from None
    found = [entry for entry in entries if fnmatchcase(entry.path.rpartition("/")[2].lower(), wanted.lower())]
    table: dict[str, object] = {
        "columns": ["path", "kind", "bytes", "changed"],
        "rows": [[e.path, e.kind, e.size_bytes, e.changed.strftime("%Y-%m-%d %H:%M")] for e in found[:MOST_ROWS]],
    }
    if len(found) > MOST_ROWS or more:
        table["note"] = (
            f"the first {min(MOST_ROWS, len(found))} of {'at least ' if more else ''}{len(found)}: narrow the pattern"
        )
    return json.dumps(table, ensure_ascii=False)


@tool("read_file", args_schema=ReadInput)
def read_file(path: str, from_line: int = 1, lines: int = 500) -> str:
    """Read a text file, or some lines of it, for example notes/plan.txt from line 1, 100 lines."""
    root, most_chars = current().root, current().output_chars
    try:
        with open_below(root, path) as file:
            kept, chars, number, cut = [], 0, 0, False
            for number, line in enumerate(_lines(file, path), 1):
                if number < from_line:
                    continue
                if number >= from_line + lines or chars >= most_chars:
                    cut = True
                    break
                kept.append(line if chars + len(line) <= most_chars else line[: most_chars - chars] + "...")
                chars += len(line)
    except (InvalidRequest, OSError) as error:
        raise FileError(str(error)) from None
    if not kept:
        raise FileError(
            f"{path!r} has {number} lines: none is left from line {from_line}" if number else f"{path!r} is empty"
        )
    end = f"\n[more from line {from_line + len(kept)}]" if cut else ""
    return "\n".join(kept) + end


def _lines(file: object, path: str) -> Iterator[str]:
    """A file's lines as text, decoded piece by piece. Raises `FileError` for what is no text."""
    start: bytes = file.read(64 * 1024)  # type: ignore[attr-defined]
    decoder = codecs.getincrementaldecoder(_encoding(start, path))(errors="strict")
    rest, piece = "", start
    while True:
        try:
            rest += decoder.decode(piece, final=not piece)
        except UnicodeDecodeError:
            raise FileError(f"{path!r} is no text that can be read: it changes its encoding on the way") from None
        *whole, rest = rest.split("\n")
        for line in whole:
            yield line.removesuffix("\r")
        if not piece:
            break
        while len(rest) > MIB:  # a line without an end comes in parts
            yield rest[:MIB]
            rest = rest[MIB:]
        piece = file.read(64 * 1024)  # type: ignore[attr-defined]
    if rest:
        yield rest


def _encoding(start: bytes, path: str) -> str:
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    if b"\0" in start:
        raise FileError(
            f"{path!r} is no text file: it holds binary data; another tool may read it (tables, documents, images)"
        )
    for name in ("utf-8", "gb18030"):
        try:
            codecs.getincrementaldecoder(name)().decode(start)
            return name
        except UnicodeDecodeError:
            continue
    return "cp1252" if not any(byte in start for byte in b"\x81\x8d\x8f\x90\x9d") else "latin-1"


@tool("search_files", args_schema=SearchInput)
def search_files(text: str, pattern: str = "*") -> str:
    """Find a text in the text files of all folders, for example text invoice, pattern *.txt."""
    root = current().root
    try:
        entries, more = list_below(root, deep=True)
    except InvalidRequest as error:
        raise FileError(str(error)) from None
    wanted = [entry for entry in entries if entry.kind == "file" and _fits(entry, pattern)]
    rows, looked, until = [], 0, time.monotonic() + MOST_SEARCHED_S
    for entry in wanted[:MOST_SEARCHED_FILES]:
        if time.monotonic() > until:
            more = True
            break
        try:
            with open_below(root, entry.path) as file:
                for number, line in enumerate(_lines(file, entry.path), 1):
                    if text.casefold() in line.casefold():
                        rows.append([entry.path, number, line.strip()[:200]])
                        if len(rows) >= MOST_HITS:
                            break
        except (FileError, InvalidRequest, OSError):
            continue  # no text, or gone
        looked += 1
        if len(rows) >= MOST_HITS:
            break
    table: dict[str, object] = {"columns": ["path", "line", "text"], "rows": rows}
    if len(rows) >= MOST_HITS:
        table["note"] = f"the first {MOST_HITS}: narrow the pattern"
    elif not rows or more or len(wanted) > MOST_SEARCHED_FILES:
        table["note"] = f"{looked} of {len(wanted)} files looked into"
    return json.dumps(table, ensure_ascii=False)


def _fits(entry: Entry, pattern: str) -> bool:
    return entry.size_bytes <= MOST_SEARCHED_BYTES and fnmatchcase(entry.path.rpartition("/")[2].lower(), pattern.lower())


@tool("write_file", args_schema=WriteInput)
def write_file(path: str, text: str, overwrite: bool = False) -> str:
    """Write a text file, whole or not at all, for example path out/result.txt, text 42. Gives back its path."""
    data = text.encode()  # whole characters: pydantic lets no half ones through
    if len(data) > MOST_WRITE_BYTES:
        raise FileError(f"the text has {len(data):,} bytes, and one file may have {MOST_WRITE_BYTES:,}: write several")
    try:
        return write_below(current().root, below(current().root, path), data, overwrite=overwrite)
    except InvalidRequest as error:
        raise FileError(str(error)) from None


def _explain_list(error: object) -> str:
    return "list_files takes path (a folder, . for the first) and pattern (such as *.csv), both optional"


def _explain_read(error: object) -> str:
    return "read_file takes path (a text file), and from_line (1 or more) and lines (1 to 10000), which are optional"


def _explain_search(error: object) -> str:
    return "search_files takes text (1 to 200 characters) and pattern (such as *.md), which is optional"


def _explain_write(error: object) -> str:
    return (
        f"write_file takes path, text (at most {MOST_WRITE_BYTES:,} bytes) and overwrite (true or false), which is optional"
    )


list_files.handle_validation_error = _explain_list
read_file.handle_validation_error = _explain_read
search_files.handle_validation_error = _explain_search
write_file.handle_validation_error = _explain_write
list_files.handle_tool_error = read_file.handle_tool_error = True
search_files.handle_tool_error = write_file.handle_tool_error = True
list_files.metadata = {"inputs": {"path": "path", "pattern": "name"}, "output": "listing", "untrusted": True}
read_file.metadata = {
    "inputs": {"path": "path", "from_line": "number", "lines": "number"},
    "output": "text",
    "untrusted": True,
}
search_files.metadata = {
    "inputs": {"text": "name", "pattern": "name"},
    "output": "listing",
    "untrusted": True,
    "cost_s": 0.5,
}
write_file.metadata = {
    "inputs": {"path": "path", "text": "text", "overwrite": "boolean"},
    "output": "path",
    "dangerous": True,
}
