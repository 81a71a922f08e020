"""Requests from files of JSON lines: opened, counted, cut into batches, read one by one; a broken line is an answer, no end.

qwen-router classify --jsonl requests.jsonl.gz
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from qwen_router.errors import InvalidRequest, RouterError

if TYPE_CHECKING:
    from qwen_router.request import Request

BATCH_LINES = 256


@contextmanager
def open_lines(path: str) -> Iterator[IO[bytes]]:
    """The lines of a file, of a gzip file, or of standard input (`-`)."""
    if path == "-":
        yield sys.stdin.buffer
        return
    import gzip

    try:
        with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
            yield file  # type: ignore[misc]
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise InvalidRequest(f"cannot read {path!r}: {error.strerror}", fix="check the path") from error
    except (gzip.BadGzipFile, EOFError) as error:
        raise InvalidRequest(f"{path!r} is a damaged gzip file: {error}", fix="unpack it by hand and look") from error


def batches(lines: IO[bytes]) -> Iterator[list[tuple[int, bytes]]]:
    numbered = ((number, raw) for number, raw in enumerate(lines, 1) if raw.strip())
    while batch := list(islice(numbered, BATCH_LINES)):
        yield batch


def line_count(path: str) -> int | None:
    """Lines of a plain file, for the progress bar; unknown for pipes and gzip files."""
    if path == "-" or path.endswith(".gz") or not sys.stderr.isatty():
        return None
    with open_lines(path) as lines:
        return sum(1 for raw in lines if raw.strip())


OPTIONS = (
    "model think enable_thinking thinking_budget reasoning_effort max_tokens temperature top_p seed stop tool_choice "
    "response_format max_latency_s deadline_s session user groups"
).split()
"""What a line may ask for beside its text, by the names of chat bodies; other fields are a data set's own."""


def parse_line(raw: bytes, number: int) -> tuple[Any, Request | RouterError]:
    """(id, request or the error); a line without an id is known by its number."""
    from qwen_router.request import Request

    line_id: Any = None
    try:
        try:
            item = json.loads(raw.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise InvalidRequest(
                f"line {number} is not UTF-8 at byte {error.start}", fix="convert the file to UTF-8"
            ) from error
        except (json.JSONDecodeError, RecursionError) as error:
            raise InvalidRequest(f"line {number} is not JSON: {error}", fix="one JSON object a line") from error
        if not isinstance(item, dict):
            raise InvalidRequest(f"line {number} is no JSON object", fix='{"id": 1, "text": "..."}')
        line_id = item.get("id", number)
        if "text" not in item and "messages" not in item:
            raise InvalidRequest(f"line {number} has neither 'text' nor 'messages'", fix='{"id": 1, "text": "..."}')
        said = "messages" if "messages" in item else "text"
        body = {said: item[said], "tools": item.get("tools"), **{key: item[key] for key in OPTIONS if key in item}}
        return line_id, Request.of(_without_foreign_tools(body))
    except RouterError as error:
        return line_id, error


def _without_foreign_tools(body: dict[str, Any]) -> dict[str, Any]:
    """Data sets use `tools` for flags and names as well; only declarations are taken."""
    tools = body["tools"]
    if isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools):
        return body
    return {key: value for key, value in body.items() if key != "tools"}
