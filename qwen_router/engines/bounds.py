"""Keeps one HTTP response within its bounds: the wait between two pieces, the end of the whole, the longest line.

Hooks of `httpx` clients, so that every engine over HTTP is bounded alike, whatever library reads the body. A blocking reader
cannot be told that its time is up, so its socket is shut at the deadline; asynchronous ones are cancelled by their caller
(`reply_stream.py`). What a line means, and which error it becomes, is the engines' and `wire.py`'s.

    python -c "from qwen_router.engines.bounds import watch; print(watch.__doc__)"
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import httpx

from qwen_router.engines.wire import BETWEEN, DEADLINE, MAX_LINE_BYTES


def watch(response: httpx.Response) -> None:
    """The hook of a blocking client, called when the headers are there."""
    _shorten(response)
    response.stream = _Watched(response)


async def awatch(response: httpx.Response) -> None:
    """The hook of an asynchronous client."""
    _shorten(response)
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)
    response.stream = _AsyncWatched(stream)


def _shorten(response: httpx.Response) -> None:
    """From the first byte on, the wait for the next one counts; the connection reads it when the body is begun."""
    extensions = response.request.extensions
    if (between_s := extensions.get(BETWEEN)) is not None:
        deadline_at = extensions.get(DEADLINE)
        left_s = between_s if deadline_at is None else max(0.001, deadline_at - time.monotonic())
        extensions["timeout"]["read"] = min(between_s, left_s)


class _Line:
    """Counts the bytes since the last line feed. Raises what `wire.py` makes `EngineNonsense` of."""

    def __init__(self) -> None:
        self._held = 0

    def grows(self, part: bytes) -> None:
        at = part.rfind(b"\n")
        self._held = self._held + len(part) if at < 0 else len(part) - at - 1
        if self._held > MAX_LINE_BYTES:
            raise httpx.DecodingError(f"a line of more than {MAX_LINE_BYTES // 1024**2} MiB")


class _Watched(httpx.SyncByteStream):
    """A body whose reader is woken at the deadline: its socket is shut, so that its read fails at once."""

    def __init__(self, response: httpx.Response) -> None:
        assert isinstance(response.stream, httpx.SyncByteStream)  # what a blocking client gives
        self._stream, self._network = response.stream, response.extensions.get("network_stream")
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        if (deadline_at := response.request.extensions.get(DEADLINE)) is not None:
            self._timer = threading.Timer(max(0.0, deadline_at - time.monotonic()), self._shut)
            self._timer.daemon = True
            self._timer.start()

    def __iter__(self) -> Iterator[bytes]:
        line = _Line()
        for part in self._stream:
            line.grows(part)
            yield part

    def close(self) -> None:
        with self._lock:  # afterwards the connection may be another request's
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self._stream.close()

    def _shut(self) -> None:
        with self._lock:
            raw = None if self._timer is None or self._network is None else self._network.get_extra_info("socket")
            if raw is not None:
                with suppress(OSError):
                    raw.shutdown(socket.SHUT_RDWR)


class _AsyncWatched(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        line = _Line()
        async for part in self._stream:
            line.grows(part)
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()
