"""One loaded model, many users: loads what is asked for, and swaps only when nobody uses what is there.

The local engines each keep one model in memory. Any number of streams may share it; a stream that wants another model waits
for the others to end. What a model is and how it loads is the engine's.

    python -c "from qwen_router.engines.residence import Residence; print(Residence(str, lambda m: None, engine='x').held)"
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Condition
from typing import Generic, TypeVar

from qwen_router.errors import EngineError, EngineRefused, EngineTimeout, RouterError, UnknownName

_MIB_PER_THREAD = 32
"""Weights that make one more thread worth its waiting at every layer. A choice between what was measured: at 4 MiB
two threads gain nothing, at 1,137 MiB a token takes 88 ms instead of 146 (docs/local_engines.md)."""


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_for(weights_mib: float, *, cores: int) -> int:
    """Threads for a model of this size: a small one spends more on waiting for its threads than on computing."""
    return max(1, min(cores, round(weights_mib / _MIB_PER_THREAD)))


def path_of(model: str, known: Mapping[str, Path], *, kind: str, engine: str) -> Path:
    """Where a model lies that is called by its name or by its path. Raises `EngineRefused` with close matches."""
    path = known.get(model) or next((each for each in known.values() if str(each) == model), None)
    if path is None:
        unknown = UnknownName.among(model, known, kind=kind)
        raise EngineRefused(unknown.problem, fix=unknown.fix, engine=engine, endpoint="in process")
    return path


@contextmanager
def errors_as(ours: Callable[[Exception], EngineError]) -> Iterator[None]:
    """The border to foreign libraries: whatever they raise leaves as `ours` makes it, and our own errors as they are."""
    try:
        yield
    except RouterError:
        raise
    except Exception as error:  # tensors, tokenizers and any template may raise anything
        raise ours(error) from error


K = TypeVar("K")
T = TypeVar("T")


class Residence(Generic[K, T]):
    """Holds at most one `T`, made by `load(key)` and given up by `unload`."""

    def __init__(self, load: Callable[[K], T], unload: Callable[[T], None], *, engine: str) -> None:
        self._load, self._unload, self._engine = load, unload, engine
        self._free = Condition()
        self._held: tuple[K, T] | None = None
        self._users = 0

    @property
    def held(self) -> K | None:
        """The key of what is loaded now."""
        held = self._held
        return held[0] if held else None

    @contextmanager
    def borrow(self, key: K, *, serves: Callable[[K], bool], timeout_s: float) -> Iterator[tuple[T, float]]:
        """What `key` loads, or what is held if `serves(its key)`; and the seconds that loading took (0.0: it was there).

        Raises `EngineTimeout` when others use another model for longer than `timeout_s`.
        """
        with self._free:
            deadline = time.monotonic() + timeout_s
            while self._held is not None and not serves(self._held[0]) and self._users:
                if not self._free.wait(deadline - time.monotonic()):
                    raise EngineTimeout(
                        f"{self._held[0]} was in use for {timeout_s:g} s, so {key} could not be loaded",
                        fix="wait for the other request, or use the loaded model",
                        engine=self._engine,
                    )
            load_s = 0.0
            if self._held is None or not serves(self._held[0]):
                self._drop()
                started = time.perf_counter()
                self._held = (key, self._load(key))
                load_s = time.perf_counter() - started
            thing = self._held[1]
            self._users += 1
        try:
            yield thing, load_s
        finally:
            with self._free:
                self._users -= 1
                self._free.notify_all()

    def close(self) -> None:
        """Give up what is held, at once; streams that still run keep their own hold on it until they end."""
        with self._free:
            self._drop()

    def _drop(self) -> None:
        if self._held is not None:
            held, self._held = self._held[1], None
            self._unload(held)
