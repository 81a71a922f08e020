"""Keeps one HTTP response within its bounds: the wait for the next piece, the end of the whole, the longest line.

Hooks of `httpx` clients, so that every engine over HTTP is bounded alike, whatever library reads the body. `httpx` itself
bounds the wait for the headers; it knows no deadline, and no difference between the first piece and later ones. A blocking
reader cannot be told that its time is up: its socket is shut. What a line means is the engines' business.

    python -c "from qwen_router.engines.bounds import watch; print(watch.__doc__)"
"""

from __future__ import annotations

import asyncio
import math
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import httpx

from qwen_router.engines.wire import BOUNDS, MAX_LINE_BYTES, Bounds


def watch(response: httpx.Response) -> None:
    """The hook of a blocking client, called when the headers are there."""
    if (bounds := _bounds_of(response)) is not None:
        assert isinstance(response.stream, httpx.SyncByteStream)  # what a blocking client gives
        response.stream = _Watched(response.stream, bounds, response.extensions.get("network_stream"))


async def awatch(response: httpx.Response) -> None:
    """The hook of an asynchronous client."""
    if (bounds := _bounds_of(response)) is not None:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _AsyncWatched(response.stream, bounds)


def _bounds_of(response: httpx.Response) -> Bounds | None:
    """The call's; None for questions about models. The connection gets the longer wait: it takes one for the whole body."""
    extensions = response.request.extensions
    bounds = extensions.get(BOUNDS)
    if not isinstance(bounds, Bounds):
        return None
    extensions["timeout"]["read"] = max(bounds.first_s, bounds.between_s)
    return bounds


class _Progress:
    """What came so far: when the next piece is due, and how long the line is that has not ended."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds, self.wait_s = bounds, bounds.first_s
        self._due_at = math.inf
        self._line_bytes = 0

    def asks(self) -> None:
        """The reader wants the next piece. How long it takes itself over one is not counted."""
        self._due_at = time.monotonic() + self.wait_s

    def left_s(self) -> float:
        """Seconds until the next piece is due, or the whole."""
        return min(self._due_at, self._bounds.deadline_at) - time.monotonic()

    def came(self, part: bytes) -> None:
        """Raises what `wire.py` makes `EngineNonsense` of."""
        self._due_at, self.wait_s = math.inf, self._bounds.between_s
        at = part.rfind(b"\n")
        self._line_bytes = self._line_bytes + len(part) if at < 0 else len(part) - at - 1
        if self._line_bytes > MAX_LINE_BYTES:
            raise httpx.DecodingError(f"a line of more than {MAX_LINE_BYTES // 1024**2} MiB")

    def late(self) -> httpx.ReadTimeout:
        return httpx.ReadTimeout("the next piece did not come in time")


class _Watched(httpx.SyncByteStream):
    """A body whose reader is woken when a piece is late: its socket is shut, so that its read fails at once."""

    def __init__(self, stream: httpx.SyncByteStream, bounds: Bounds, network: object) -> None:
        self._stream, self._network = stream, network
        self._progress = _Progress(bounds)
        self._late = False
        self._closed = threading.Event()
        self._lock = threading.Lock()
        threading.Thread(target=self._guard, name="qwen-router-bounds", daemon=True).start()

    def __iter__(self) -> Iterator[bytes]:
        parts = iter(self._stream)
        try:
            while True:
                self._progress.asks()
                if (part := next(parts, None)) is None:
                    break
                self._progress.came(part)
                yield part
        except httpx.TransportError as error:
            if self._late:
                raise self._progress.late() from error
            raise
        if self._late:
            raise self._progress.late()

    def close(self) -> None:
        with self._lock:  # afterwards the connection may be another request's
            self._closed.set()
        self._stream.close()

    def _guard(self) -> None:
        while (left_s := self._progress.left_s()) > 0:
            if self._closed.wait(min(left_s, self._progress.wait_s)):  # what is asked for meanwhile is not due before
                return
        with self._lock:
            raw = None if self._closed.is_set() else getattr(self._network, "get_extra_info", lambda _: None)("socket")
            if raw is not None:
                self._late = True
                with suppress(OSError):
                    raw.shutdown(socket.SHUT_RDWR)


class _AsyncWatched(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, bounds: Bounds) -> None:
        self._stream, self._progress = stream, _Progress(bounds)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parts = aiter(self._stream)
        while True:
            self._progress.asks()
            try:
                async with asyncio.timeout(self._progress.left_s()):
                    part = await anext(parts, None)
            except TimeoutError as error:
                raise self._progress.late() from error
            if part is None:
                return
            self._progress.came(part)
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()
