"""HTTP clients that live as long as their engine: one for all threads, one asynchronous for every event loop.

An asynchronous client belongs to the loop that it was made in. Each is held by an asynchronous generator: `asyncio.run` and
every other runner closes these before it closes its loop, so connections end in good order without being told. Who closes a
loop bare, without `shutdown_asyncgens`, leaves its connections to the garbage collector. What is sent is the engines'.

    python -c "from qwen_router.engines.clients import PerLoop; print(PerLoop.get.__doc__)"
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

ClientT = TypeVar("ClientT")


class Shared(Generic[ClientT]):
    """One client for all threads, made when first asked for and again after `close`."""

    def __init__(self, make: Callable[[], ClientT], close: Callable[[ClientT], None]) -> None:
        self._make, self._close = make, close
        self._lock = threading.Lock()
        self._client: ClientT | None = None

    def get(self) -> ClientT:
        with self._lock:
            if self._client is None:
                self._client = self._make()
            return self._client

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            self._close(client)


class PerLoop(Generic[ClientT]):
    """One asynchronous client for every event loop."""

    def __init__(self, make: Callable[[], ClientT], aclose: Callable[[ClientT], Awaitable[None]]) -> None:
        self._make, self._aclose = make, aclose
        self._lock = threading.Lock()
        self._held: dict[asyncio.AbstractEventLoop, tuple[ClientT, AsyncGenerator[ClientT, None]]] = {}

    async def get(self) -> ClientT:
        """The running loop's client. Those of loops that were closed meanwhile are forgotten."""
        loop = asyncio.get_running_loop()
        if held := self._held.get(loop):
            return held[0]
        with self._lock:
            for other in [other for other in self._held if other.is_closed()]:
                del self._held[other]
        holder = self._hold(loop)
        client = await anext(holder)  # does not wait: nobody else in this loop can come between
        with self._lock:
            self._held[loop] = client, holder
        return client

    async def _hold(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[ClientT, None]:
        client = self._make()
        try:
            yield client
        finally:
            with self._lock:
                if loop in self._held and self._held[loop][0] is client:
                    del self._held[loop]
            await self._aclose(client)

    def close(self) -> None:
        """Close every client: at once where its loop stands still, else in its loop as soon as that gets to it."""
        with self._lock:
            held, self._held = self._held, {}
        for loop, (_, holder) in held.items():
            with suppress(RuntimeError):  # the loop was closed, or started, in between
                if loop.is_closed():
                    continue
                if loop.is_running() or _inside_a_loop():
                    loop.call_soon_threadsafe(loop.create_task, holder.aclose())
                else:
                    loop.run_until_complete(holder.aclose())


def _inside_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
