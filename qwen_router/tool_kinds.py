"""Kinds: what passes between tools, which kind is a kind of which, and whether a value is of its kind.

Tools say in `metadata` which kinds they take and give. A kind of text may stand where text is wanted (a number becomes its
text), a plot where an image is wanted. Users' own kinds are allowed: they stand alone, under no other. What tools do with
their values is theirs.

    python -c "from qwen_router.tool_kinds import lineage; print(lineage('plot'))"
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import PurePath
from typing import Any

KINDS: Mapping[str, str | None] = {
    "text": None,
    **dict.fromkeys(("number", "unit", "expression", "code", "tests", "report", "sql", "json"), "text"),
    **dict.fromkeys(("date", "language", "question", "url", "page", "name", "choice"), "text"),
    "table": None,
    "path": None,
    **dict.fromkeys(("image", "audio", "document", "data"), "path"),
    "plot": "image",
}
"""Every built-in kind and the kind that it is a kind of, if any. A `name` is a name, a pattern or what to
search for; a `choice` is one of a few words that a tool lists."""

_RARELY_MEANT = {
    "text": frozenset({"number", "unit", "expression", "date", "language", "url", "question", "name", "choice"}),
    "path": frozenset({"image", "audio", "plot"}),
}
"""What is usable as a text but rarely the text that a tool is for: a few characters, or what is to be done with a text. And
files that hold no text, for tools that take any file."""

MAX_VALUE_CHARS = 10_000_000
"""What one value may hold, in characters of text or JSON; about what a chain of tools can hand on without harm."""


class WrongKind(ValueError):
    """A value is not of the kind that was declared; the text says what it is instead."""


@cache
def lineage(kind: str) -> tuple[str, ...]:
    """The kind itself, then what it is a kind of, nearest first: `("plot", "image", "path")`."""
    found: list[str] = []
    at: str | None = kind
    while at is not None:
        found.append(at)
        at = KINDS.get(at)
    return tuple(found)


def is_a(kind: str, wanted: str) -> bool:
    """Whether a value of `kind` may stand where `wanted` is wanted."""
    return wanted in lineage(kind)


@cache
def rarely_meant(kind: str, wanted: str) -> bool:
    """Whether `kind` may stand for `wanted` but seldom should: a number where a text is to be summarised."""
    return kind in _RARELY_MEANT.get(wanted, ())


def specific(kind: str) -> bool:
    """Whether a value of the kind is likely meant wherever that very kind is taken. A text or a number may be anything."""
    return kind not in ("text", "number")


def countless(kind: str) -> bool:
    """Whether a request that has one may well have more: words do, files are counted."""
    return is_a(kind, "text")


def as_kind(value: object, kind: str) -> Any:
    """The value in the form that tools of `kind` take. Raises `WrongKind` where it is something else.

    A number becomes text where text is wanted, JSON values become JSON, the JSON of a table becomes the table, and the text
    blocks of a message become their text. Nothing else is converted.
    """
    if value is None:
        raise WrongKind(f"wanted {kind}, got nothing")
    if kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise WrongKind(f"wanted a finite number, got {_told(value)}")
        return value
    if kind == "table":
        return _table(value)
    if is_a(kind, "path"):
        return _path(value, kind)
    if is_a(kind, "text"):
        return _text(value, kind)
    return value


def size_chars(value: object, *, limit: int = MAX_VALUE_CHARS) -> int:
    """About how many characters the value holds; counting ends beyond `limit`."""
    total, todo = 0, [value]
    while todo and total <= limit:
        item = todo.pop()
        if isinstance(item, str | bytes | bytearray):
            total += len(item)
        elif isinstance(item, Mapping):
            todo.extend(item.keys())
            todo.extend(item.values())
        elif isinstance(item, list | tuple | set | frozenset):
            total += len(item)
            todo.extend(item)
        elif isinstance(item, int) and not isinstance(item, bool):
            total += item.bit_length() // 3 + 1
        else:
            total += 8
    return total


def _text(value: object, kind: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _digits(value)
    if isinstance(value, list) and value and all(_is_text_block(block) for block in value):
        return "\n".join(block["text"] for block in value)
    if kind == "json":
        try:
            return json.dumps(value, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise WrongKind(f"wanted json, got {_told(value)} that JSON cannot hold") from None
    raise WrongKind(f"wanted {kind}, got {_told(value)}")


def _digits(value: int | float) -> str:
    try:
        return str(value)
    except ValueError:  # Python writes no integer of more than some thousand digits
        raise WrongKind("wanted text, got a number with too many digits to write") from None


def _is_text_block(block: object) -> bool:
    return isinstance(block, Mapping) and block.get("type") == "text" and isinstance(block.get("text"), str)


def _path(value: object, kind: str) -> str:
    if isinstance(value, PurePath):
        value = str(value)
    if not isinstance(value, str) or not value.strip() or "\0" in value or "\n" in value:
        raise WrongKind(f"wanted the path of {kind}, got {_told(value)}")
    return value


def _table(value: object) -> Any:
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise WrongKind("wanted a table, got a text that is no JSON") from None
    shape = 'wanted a table {"columns": [...], "rows": [[...], ...]}'
    if not isinstance(value, Mapping) or not {"columns", "rows"} <= set(value):
        raise WrongKind(f"{shape}, got {_told(value)}")
    columns, rows = value["columns"], value["rows"]
    if not isinstance(columns, list | tuple) or not all(isinstance(name, str) for name in columns):
        raise WrongKind(f"{shape}, got columns that are not names")
    if not isinstance(rows, list | tuple):
        raise WrongKind(f"{shape}, got rows that are no list")
    for r, row in enumerate(rows):
        if not isinstance(row, list | tuple) or len(row) != len(columns):
            raise WrongKind(f"{shape}, got row {r + 1} that has not one value for each of {len(columns)} columns")
    return value


def _told(value: object) -> str:
    """What a value is, without what it says: `str of 12 characters`, `list of 3`, `nan`."""
    name = type(value).__name__
    if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
        return repr(value)
    if isinstance(value, str | bytes):
        return f"{name} of {len(value)} characters" if value else f"an empty {name}"
    if isinstance(value, list | tuple | dict | set):
        return f"{name} of {len(value)}"
    return name
