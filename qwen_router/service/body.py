"""JSON in and out: a request's body within its limit, values as bytes.

orjson, not the standard library's json: see docs/service.md for what that saves. What a body means is `Request.of`'s to say.

    python -c "from qwen_router.service.body import encode; print(encode({'a': 1}))"
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request as HttpRequest

from qwen_router.errors import InvalidRequest

MAX_BODY_BYTES = 32 * 1024 * 1024
"""A long conversation with a few pictures in base64; the largest Qwen context is about 4 MiB of text."""


class BodyTooLarge(InvalidRequest):
    http_status = 413


def encode(value: object) -> bytes:
    """Compact UTF-8 JSON. What orjson refuses (lone surrogates, huge integers) the standard library writes."""
    try:
        return orjson.dumps(value, default=_plain)
    except orjson.JSONEncodeError:
        return json.dumps(value, default=_plain, ensure_ascii=True).encode("ascii")


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


async def read_object(request: HttpRequest, *, max_body_bytes: int) -> dict[str, Any]:
    """The JSON object in the body, whatever content type it claims.

    Raises `BodyTooLarge`, before reading where the length is announced, or `InvalidRequest` with the position.
    """
    raw = await _read(request, max_body_bytes)
    if not raw.strip():
        raise InvalidRequest("the body is empty", fix='send a JSON object, such as {"messages": [...]}')
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno} (character {error.pos})"
        raise InvalidRequest(
            f"the body is not JSON: {error.msg.partition(': line')[0]}, {where}", fix="send UTF-8 JSON"
        ) from None
    if not isinstance(value, dict):
        raise InvalidRequest(f"the body is a JSON {_json_type(value)}, not an object", fix='send {"messages": [...]}')
    return value


async def _read(request: HttpRequest, max_body_bytes: int) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > max_body_bytes:
        raise _too_large(max_body_bytes)
    parts: list[bytes] = []
    read_bytes = 0
    async for part in request.stream():
        read_bytes += len(part)
        if read_bytes > max_body_bytes:
            raise _too_large(max_body_bytes)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(max_body_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"the body is larger than {max_body_bytes / 1024 / 1024:g} MiB", fix="send smaller attachments, or fewer"
    )


def _json_type(value: object) -> str:
    return {list: "array", str: "string", bool: "boolean", type(None): "null"}.get(type(value), "number")


def flag(body: Mapping[str, Any], key: str, *, default: bool) -> bool:
    """A boolean field. Raises `InvalidRequest` for anything else than true, false or null."""
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise InvalidRequest(f"{key} is no boolean", fix=f"send {key} as true or false, or leave it out")
    return value
