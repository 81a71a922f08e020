"""How many requests run at each endpoint: a bound, a bounded queue behind it, and a named error when that is full.

Counts what this process sends, for all callers alike, blocking and asynchronous; first come, first served. The counts also
tell `decide` how loaded an endpoint is. Nothing is asked of a server.

    python -c "from qwen_router.engines.in_flight import InFlight; print(InFlight(1, 0).counts())"
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from qwen_router.engines.breaker import Place
from qwen_router.errors import EngineBusy

BUSY_S = 1.0
"""When to come again after a full queue: nobody knows how long the replies before will be."""


@dataclass
class _Door:
    running: int = 0
    waiting: deque[Future[None]] = field(default_factory=deque)


class InFlight:
    """At most `limit` requests run at one endpoint and at most `queue` wait for it. Safe to share between threads."""

    def __init__(self, limit: int, queue: int) -> None:
        self._limit, self._queue = limit, queue
        self._lock = threading.Lock()
        self._doors: dict[Place, _Door] = {}  # those where nothing runs are not in it

    def counts(self) -> tuple[tuple[str, str, int], ...]:
        """Engine, endpoint, and how many run or wait there; endpoints that are idle are left out."""
        if not self._doors:
            return ()
        with self._lock:
            return tuple((*place, door.running + len(door.waiting)) for place, door in sorted(self._doors.items()))

    @contextmanager
    def slot(self, place: Place, longest_s: float) -> Iterator[None]:
        """While entered, one request runs there. Raises `EngineBusy` when too many wait already, or after `longest_s`."""
        turn = self._come(place)
        if turn is not None:
            try:
                turn.result(longest_s)
            except BaseException as error:
                self._give_up(place, turn)
                if isinstance(error, TimeoutError):
                    raise self._busy(place, f"no place was free for {longest_s:.3g} s") from error
                raise
        try:
            yield
        finally:
            self._go(place)

    @asynccontextmanager
    async def aslot(self, place: Place, longest_s: float) -> AsyncIterator[None]:
        """`slot`, asynchronous."""
        turn = self._come(place)
        if turn is not None:
            try:
                async with asyncio.timeout(longest_s):
                    await asyncio.wrap_future(turn)
            except BaseException as error:
                self._give_up(place, turn)
                if isinstance(error, TimeoutError):
                    raise self._busy(place, f"no place was free for {longest_s:.3g} s") from error
                raise
        try:
            yield
        finally:
            self._go(place)

    def _come(self, place: Place) -> Future[None] | None:
        """None: run at once. Else a future that is done when the turn has come."""
        with self._lock:
            door = self._doors.setdefault(place, _Door())
            if door.running < self._limit:
                door.running += 1
                return None
            if len(door.waiting) >= self._queue:
                raise self._busy(place, f"{door.running} requests run and {len(door.waiting)} wait")
            turn: Future[None] = Future()
            door.waiting.append(turn)
            return turn

    def _go(self, place: Place) -> None:
        """Hand the slot to the next that still waits."""
        with self._lock:
            door = self._doors[place]
            while door.waiting:
                turn = door.waiting.popleft()
                if turn.set_running_or_notify_cancel():
                    turn.set_result(None)
                    return
            door.running -= 1
            if not door.running:
                del self._doors[place]

    def _give_up(self, place: Place, turn: Future[None]) -> None:
        with self._lock:
            if turn.cancel():
                if turn in (waiting := self._doors[place].waiting):
                    waiting.remove(turn)
                return
        self._go(place)  # the turn came in the same moment

    def _busy(self, place: Place, why: str) -> EngineBusy:
        return EngineBusy(
            f"{place[0]} at {place[1]} takes no more now: {why}",
            fix="try again soon, send less at once, or raise QWEN_ROUTER_IN_FLIGHT or QWEN_ROUTER_QUEUE",
            engine=place[0],
            endpoint=place[1],
            again=False,
            retry_after_s=BUSY_S,
        )
