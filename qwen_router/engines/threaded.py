"""Gives a blocking engine its asynchronous twin: a thread, a bounded queue, and an end when the reader leaves.

What the engine does in its thread is the engine's.

    python -c "from qwen_router.engines.threaded import astream_in_thread; print(astream_in_thread.__doc__)"
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from qwen_router.engines.base import Call, Event

_POLL_S = 0.05
"""How long the thread waits before it looks again whether the reader of a full queue has left."""


class Streams(Protocol):
    """The part of an engine that is needed here."""

    def stream(self, call: Call) -> Iterator[Event]: ...


async def astream_in_thread(engine: Streams, call: Call, *, buffered_events: int = 64) -> AsyncIterator[Event]:
    """Run `engine.stream(call)` in a thread of its own and hand its events over, at most `buffered_events` ahead.

    Leaving early (break, cancellation, `aclose`) closes the iterator in its thread, at its next event at the latest.
    """
    pump = _Pump(engine, call, buffered_events)
    pump.start()
    try:
        while True:
            piece = await pump.get()
            if piece is None:
                return
            if isinstance(piece, BaseException):
                raise piece
            yield piece
    finally:
        pump.stop()


class _Pump:
    """Moves events from the thread to the loop; None is the end, an exception is passed on as it is."""

    def __init__(self, engine: Streams, call: Call, buffered_events: int) -> None:
        self._engine, self._call = engine, call
        self._pieces: queue.Queue[Event | BaseException | None] = queue.Queue(maxsize=buffered_events)
        self._stopped = threading.Event()
        self._ready = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        name = f"qwen-router-{type(self._engine).__name__}"
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    async def get(self) -> Event | BaseException | None:
        while True:
            self._ready.clear()
            try:
                return self._pieces.get_nowait()
            except queue.Empty:
                await self._ready.wait()

    def _work(self) -> None:
        events = self._engine.stream(self._call)
        try:
            for event in events:
                if not self._put(event):
                    break
        except BaseException as error:  # the caller's, whatever it is
            self._put(error)
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()
        self._put(None)

    def _put(self, piece: Event | BaseException | None) -> bool:
        """True when the piece was taken, False when the reader has left."""
        while not self._stopped.is_set():
            try:
                self._pieces.put(piece, timeout=_POLL_S)
            except queue.Full:
                continue
            if not self._stopped.is_set() and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._ready.set)
            return True
        return False
