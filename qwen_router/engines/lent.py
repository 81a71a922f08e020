"""An `httpx` transport that lends each request a connection of its own from a stack of idle ones.

httpcore's pool looks at every connection, with a system call for each idle one, whenever a request comes or goes. Here the
last one given back is taken, whatever their number.
One transport belongs to one event loop; HTTP itself is httpx's.

    python -c "from qwen_router.engines.lent import LentConnections; print(LentConnections(kept=1).__class__)"
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx


class LentConnections(httpx.AsyncBaseTransport):
    """`kept` is how many idle connections stay open; `options` are those of `httpx.AsyncHTTPTransport`."""

    def __init__(self, *, kept: int, **options: Any) -> None:
        self._kept, self._options = kept, options
        self._idle: list[httpx.AsyncHTTPTransport] = []
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        lent = self._idle.pop() if self._idle else httpx.AsyncHTTPTransport(**self._options)
        try:
            response = await lent.handle_async_request(request)
        except BaseException:
            await lent.aclose()
            raise
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)  # what AsyncHTTPTransport gives
        response.stream = _Lent(stream, lent, self._take_back)
        return response

    def _take_back(self, lent: httpx.AsyncHTTPTransport) -> bool:
        """False when it is not wanted any more."""
        if self._closed or len(self._idle) >= self._kept:
            return False
        self._idle.append(lent)
        return True

    async def aclose(self) -> None:
        self._closed = True
        idle, self._idle = self._idle, []
        for lent in idle:
            await lent.aclose()


class _Lent(httpx.AsyncByteStream):
    """A body that gives its connection back when it is closed."""

    def __init__(
        self,
        stream: httpx.AsyncByteStream,
        lent: httpx.AsyncHTTPTransport,
        take_back: Callable[[httpx.AsyncHTTPTransport], bool],
    ) -> None:
        self._stream, self._lent, self._take_back = stream, lent, take_back
        self._open = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        if not self._open:
            return
        self._open = False
        returned = False
        try:
            await self._stream.aclose()
            returned = self._take_back(self._lent)
        finally:
            if not returned:
                await self._lent.aclose()
