"""A circuit breaker for each endpoint: one that failed several times in a row is left alone for a while.

Closed: everybody may ask. Open: nobody may, until it has cooled down. Half open: one request may, and its outcome closes or
opens it again. A server that says `Retry-After` rests for that long. All that is known comes from real calls and from the
lists of models that the router asks for anyway; nothing is sent to find out.

    python -c "from qwen_router.engines.breaker import Breakers; print(Breakers().resting())"
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from qwen_router.errors import ContextTruncated, EngineBusy, EngineError, EngineRefused, EngineUnreachable

FAILURES = 5
"""So many in a row open it: with one request in three failing by chance that is one run in 240."""
COOL_DOWN_S = 10.0
LONGEST_REST_S = 300.0
"""A `Retry-After` beyond this is taken for this long: a quota may be raised, a server restarted."""
Place = tuple[str, str]
"""An engine's name and its endpoint."""


@dataclass
class _State:
    failures: int = 0
    rests_until: float = 0.0
    probed: bool = False  # half open, and somebody is asking
    why: str = ""
    silent: bool = False  # the last failure was that nobody answered


class Breakers:
    """The breakers of all endpoints. Safe to share between threads; `clock` gives seconds."""

    def __init__(
        self, *, failures: int = FAILURES, cool_down_s: float = COOL_DOWN_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._cool_down_s, self._clock = failures, cool_down_s, clock
        self._lock = threading.Lock()
        self._ill: dict[Place, _State] = {}  # endpoints without a failure are not in it

    def resting(self, *, paused: bool = True) -> tuple[tuple[str, str, str], ...]:
        """Endpoints that may not be asked now: engine, endpoint, why. Without `paused`, only those that are open, not those
        that asked for a pause and are waited for where nobody else can answer."""
        if not self._ill:
            return ()
        with self._lock:
            rests = ((place, state) for place, state in sorted(self._ill.items()) if self._rests(state))
            return tuple((*place, state.why) for place, state in rests if paused or state.failures >= self._limit)

    def ready_in_s(self) -> float | None:
        """Seconds until the first of those that rest may be asked again; None where none rests."""
        with self._lock:
            left = [state.rests_until - self._clock() for state in self._ill.values() if self._rests(state)]
        return max(0.0, min(left)) if left else None

    def enter(self, place: Place) -> None:
        """Before asking. Raises `EngineUnreachable` when the endpoint rests; half open, the first to come is let through."""
        if place not in self._ill:
            return
        with self._lock:
            state = self._ill.get(place)
            if state is None:
                return
            if self._rests(state):
                left_s = max(0.0, state.rests_until - self._clock())
                raise EngineUnreachable(
                    f"{place[0]} at {place[1]} is left alone: {state.why}",
                    fix=f"try again in {math.ceil(left_s) or 1} s",
                    engine=place[0],
                    endpoint=place[1],
                    again=state.failures < self._limit,
                    retry_after_s=left_s,
                )
            state.probed = state.failures >= self._limit

    def succeeded(self, place: Place) -> None:
        """It answered to the end. A pause that it asked for meanwhile is kept."""
        if place in self._ill:
            with self._lock:
                state = self._ill.get(place)
                if state is None:
                    return
                if state.failures < self._limit and self._clock() < state.rests_until:
                    state.failures = 0
                else:
                    del self._ill[place]

    def failed(self, place: Place, error: EngineError) -> None:
        """It failed. What says nothing about its health (a refusal, a cut prompt) closes nothing and opens nothing."""
        if isinstance(error, EngineRefused | ContextTruncated):
            return self.left(place)
        with self._lock:
            state = self._ill.setdefault(place, _State())
            state.failures += 1
            state.probed = False
            state.silent = isinstance(error, EngineUnreachable) and not isinstance(error, EngineBusy)
            rest_s = min(error.retry_after_s or 0.0, LONGEST_REST_S)
            state.why = "it asked to be left alone for a while"
            if state.failures >= self._limit:
                rest_s = max(rest_s, self._cool_down_s)
                state.why = f"it failed {state.failures} times in a row, the last time with {type(error).__name__}"
            state.rests_until = max(state.rests_until, self._clock() + rest_s)

    def left(self, place: Place) -> None:
        """The caller went away before there was an outcome."""
        if place in self._ill:
            with self._lock:
                if (state := self._ill.get(place)) is not None:
                    state.probed = False

    def seen(self, place: Place) -> None:
        """It listed its models. One that had not answered at all may be tried at once."""
        if place in self._ill:
            with self._lock:
                state = self._ill.get(place)
                if state is not None and state.silent:
                    state.rests_until = self._clock()

    def _rests(self, state: _State) -> bool:
        return state.probed or self._clock() < state.rests_until
