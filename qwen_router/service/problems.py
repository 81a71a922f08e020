"""What goes wrong at the door, and how each API says it: OpenAI's `{"error": {...}}`, Ollama's `{"error": "..."}`.

A problem's words come from `RouterError`; a traceback or another exception's message (either may quote a prompt) reaches
neither a caller nor a log.

    python -c "from qwen_router.service.problems import *; print(error_body(Unexpected(), path='/api/chat'))"
"""

from __future__ import annotations

import logging
import math
import re
import traceback
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from qwen_router.errors import EngineError, InvalidRequest, RouterError, UnknownName
from qwen_router.service.body import encode

logger = logging.getLogger("qwen_router.service")


class WrongKey(RouterError):
    http_status = 401


class WrongMethod(InvalidRequest):
    http_status = 405


class Unexpected(RouterError):
    """Stands for any exception that nobody raised on purpose."""

    def __init__(self) -> None:
        super().__init__("the router failed on this request", fix="report it with the decision id and the server's log line")


_OPENAI_TYPES = {401: "authentication_error", 404: "not_found_error"}
_OPENAI_CODES = {
    "UnknownName": "model_not_found",
    "UnknownPolicy": "policy_not_found",
    "UnknownPath": "path_not_found",
    "WrongKey": "invalid_api_key",
}


def error_body(error: RouterError, *, path: str) -> dict[str, Any]:
    """The body in the words of the API that `path` belongs to."""
    if path.startswith("/api/"):
        return {"error": str(error)}
    status = error.http_status
    kind = _OPENAI_TYPES.get(status) or ("invalid_request_error" if status < 500 else "server_error")
    name = type(error).__name__
    code = _OPENAI_CODES.get(name) or re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    return {"error": {"message": str(error), "type": kind, "param": None, "code": code}}


def error_response(error: RouterError, *, path: str, headers: Mapping[str, str] | None = None) -> Response:
    """The whole answer to a request that failed before its first byte. `Retry-After` where the error knows when."""
    wait_s = error.retry_after_s if isinstance(error, EngineError) else None
    if wait_s is not None:
        headers = {**(headers or {}), "retry-after": str(max(1, math.ceil(wait_s)))}
    return Response(
        encode(error_body(error, path=path)), status_code=error.http_status, headers=headers, media_type="application/json"
    )


def unknown_path(path: str, known: tuple[str, ...]) -> UnknownName:
    """404 for a path, with the paths that look like it; long ones are not compared."""
    return UnknownPath.among(path[:200], known, kind="path", listing="docs/service.md lists them")


class UnknownPath(UnknownName):
    pass


def expected_only(error: Exception) -> RouterError:
    """`error` if it was raised on purpose; anything else becomes `Unexpected`, and only its type and place are logged."""
    if isinstance(error, RouterError):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "qwen_router" in frame.filename] or frames
    place = f"{ours[-1].filename}:{ours[-1].lineno}" if ours else "an unknown place"
    logger.error("unexpected %s at %s", type(error).__name__, place)
    return Unexpected()
