"""Single fields of a chat body: numbers within bounds, a label on one line, and how a wrong value is shown.

What the fields mean is `request.py`'s. Every error names the field and the value.

    python -c "from qwen_router.body_fields import number; print(number({'top_p': 0.5}, 'top_p'))"
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from qwen_router.errors import InvalidRequest

MAX_NAME_CHARS, MAX_NAMES = 256, 64
"""Longer names of users, groups and tags are cut, more of them left out: they are labels, not content."""


def shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def label(value: object, *, key: str) -> str | None:
    """A few words on one line; longer ones are cut. Raises `InvalidRequest` for what is no text."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidRequest(f"{key} is {shown(value)}, not text", fix=f"send {key} as a few words, or leave it out")
    return " ".join(value.split())[:MAX_NAME_CHARS] or None


def number(body: Mapping[str, Any], *keys: str) -> float | None:
    for key in keys:
        value = body.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InvalidRequest(f"{key} is {shown(value)}, not a number", fix=f"send {key} as a number, or leave it out")
        return float(value)
    return None


def within(value: float | None, least: float, most: float, *, key: str) -> float | None:
    if value is not None and not least <= value <= most:
        raise InvalidRequest(f"{key} is {value:g}", fix=f"send {key} from {least:g} to {most:g}")
    return value


def count(body: Mapping[str, Any], *keys: str) -> int | None:
    value = number(body, *keys)
    if value is not None and value < 1:
        raise InvalidRequest(f"{keys[0]} is {value:g}", fix=f"send {keys[0]} as 1 or more")
    return None if value is None else int(value)
