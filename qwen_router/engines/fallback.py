"""Who is asked next when an attempt failed, and after how long: retries with jitter, other endpoints, other models.

The order is a plan, no IO: `reply_stream.py` asks, waits and gives up. Only what had no answer yet is asked again at the
same endpoint, and only after errors that say so themselves (`EngineError.again`): a connection refused or reset, 429, 502,
503. Never after a refusal, nonsense or a timeout, because a server that is slow would do the work twice.

    python -c "from qwen_router.engines.fallback import Retry; print(Retry(random=lambda: 0.5).delay_s(2, None))"
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from qwen_router.decide import Candidate
from qwen_router.engines.breaker import Place
from qwen_router.errors import EngineError


@dataclass(frozen=True)
class Retry:
    """How often one request may ask again (`retries`, over all endpoints), and how long it waits before.

    Full jitter: anything between 0 and `base_s` doubled with every retry, at most `cap_s`, on top of what the server asked
    for. `random` gives 0..1, `clock` seconds; with `sleep` and `asleep` they stand in for the real ones in tests.
    """

    retries: int = 2
    base_s: float = 0.25
    cap_s: float = 8.0
    random: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    asleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def delay_s(self, tries: int, retry_after_s: float | None) -> float:
        """Seconds before the next try, after `tries` retries so far."""
        longest_s = min(self.cap_s, self.base_s * 2.0**tries)
        return self.random() * longest_s + (retry_after_s or 0.0)


def place_of(candidate: Candidate) -> Place:
    return candidate.build.engine, candidate.build.endpoint


@dataclass(frozen=True, slots=True)
class _Next:
    candidate: Candidate
    not_before: float = 0.0


class Walk:
    """Through the chain of one request: `candidate` is asked now, `after` says how long to wait for the next.

    After an error of the endpoint, candidates at other endpoints come first, then the same candidate again, then what else
    there is at that endpoint. After any other error comes the next of the chain. What could begin only after `deadline_at`
    is left out. `retries` None are those of `retry`. `moves` counts how often another model stepped in.
    """

    def __init__(self, chain: Sequence[Candidate], *, retry: Retry, deadline_at: float, retries: int | None = None) -> None:
        self.candidate = chain[0]
        self.moves = 0
        self._rest = [_Next(candidate) for candidate in chain[1:]]
        self._retry, self._deadline_at = retry, deadline_at
        self._tries, self._retries = 0, retry.retries if retries is None else retries

    def after(self, error: EngineError) -> float:
        """Go to the next candidate and return the seconds to wait before it. Raises `error` when there is none."""
        now = self._retry.clock()
        if error.again:
            here = place_of(self.candidate)
            elsewhere = [n for n in self._rest if place_of(n.candidate) != here]
            others = [n for n in self._rest if place_of(n.candidate) == here]
            again = []
            if self._tries < self._retries:
                again = [_Next(self.candidate, now + self._retry.delay_s(self._tries, error.retry_after_s))]
            self._rest = [*elsewhere, *again, *others]
        while self._rest:
            step = self._rest.pop(0)
            if max(now, step.not_before) >= self._deadline_at:
                continue
            self._tries += step.not_before > 0
            self.moves += step.candidate.build.model.id != self.candidate.build.model.id
            self.candidate = step.candidate
            return max(0.0, step.not_before - now)
        raise error
