"""What real replies taught about speed on this machine: how much faster or slower than predicted, by build and engine.

`speed.py` predicts, an engine answers, and the ratio of the two is kept here: per machine, engine, model and quantisation,
the newest replies weighing most. A build with a few replies is known by itself; others of the same engine and quantisation
borrow what their siblings showed. What `hardware --measure` measured is kept beside it. One small JSON file a user; a file
that cannot be read or written is no reason to stop.

    python -c "from qwen_router.hardware import detect; from qwen_router.hardware.calibration import Calibration as C; \\
        print(C.of(detect()).factors(engine='llamacpp', model_id='Qwen/Qwen3-8B', quant='q4_K_M'))"
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qwen_router.folders import user_cache_folder
from qwen_router.hardware.machine import Machine

HALF_LIFE_REPLIES = 8.0
"""After so many newer replies, one counts half."""
KNOWN_AFTER_REPLIES = 3
"""Replies after which a build's own speed counts as measured: one alone may have met a busy machine."""
LEAST_TOKENS = 16
"""Shorter answers and prompts say more about latency than about speed."""
_BOUND = math.log(50)
_MOVED = math.log(1.1)


@dataclass(frozen=True, slots=True)
class Factors:
    """Measured over predicted. `exact`: of this very build; else of others on the same engine."""

    decode: float
    prefill: float
    replies: int
    exact: bool


@dataclass(slots=True)
class _Mean:
    """A mean of logarithms in which older values fade."""

    total: float = 0.0
    weight: float = 0.0
    count: int = 0

    def add(self, ratio: float) -> None:
        fade = 0.5 ** (1 / HALF_LIFE_REPLIES)
        self.total = self.total * fade + max(-_BOUND, min(_BOUND, math.log(ratio)))
        self.weight = self.weight * fade + 1
        self.count += 1

    @property
    def log(self) -> float:
        return self.total / self.weight if self.weight else 0.0


Key = tuple[str, str, str]


class Calibration:
    """Ratios of one machine; safe to share between threads. `version` moves when a prediction changes by a tenth or more."""

    def __init__(self, path: Path | None = None, *, machine: str = "") -> None:
        self._path, self._machine = path, machine
        self._lock = threading.Lock()
        self._decode: dict[Key, _Mean] = {}
        self._prefill: dict[Key, _Mean] = {}
        self._told: dict[Key, float] = {}
        self._devices: dict[str, tuple[float, float]] = {}
        self.version = 0
        self._read()

    @classmethod
    def of(cls, machine: Machine, folder: Path | None = None) -> Calibration:
        """What is known of this machine; a hypothetical one has nothing to know and keeps nothing."""
        if machine.hypothetical:
            return cls()
        return cls((folder or user_cache_folder()) / "speeds.json", machine=fingerprint(machine))

    def remember(self, machine: Machine) -> None:
        """Keep what was measured of this machine's devices: memory bandwidth and arithmetic."""
        with self._lock:
            for d in machine.devices:
                if d.measured and d.bandwidth_gib_s and d.compute_tflops:
                    self._devices[d.id] = (d.bandwidth_gib_s, d.compute_tflops)
            self._write()

    def applied(self, machine: Machine) -> Machine:
        """The same machine with the figures that were measured of it."""
        known = self._devices
        devices = tuple(
            replace(d, bandwidth_gib_s=known[d.id][0], compute_tflops=known[d.id][1], measured=True) if d.id in known else d
            for d in machine.devices
        )
        return replace(machine, devices=devices)

    def observe(
        self,
        *,
        engine: str,
        model_id: str,
        quant: str,
        decode_ratio: float | None = None,
        prefill_ratio: float | None = None,
    ) -> None:
        """One reply's measured over predicted speed; what could not be measured is None. Figures that make no sense are
        passed over."""
        key = (engine, model_id, quant)
        with self._lock:
            for ratio, means in ((decode_ratio, self._decode), (prefill_ratio, self._prefill)):
                if ratio is not None and math.isfinite(ratio) and ratio > 0:
                    means.setdefault(key, _Mean()).add(ratio)
            mean = self._decode.get(key)
            if mean is None:
                return
            first = mean.count == KNOWN_AFTER_REPLIES and decode_ratio is not None
            if first or abs(mean.log - self._told.get(key, 0.0)) > _MOVED:
                self._told[key] = mean.log
                self.version += 1
            self._write()

    def factors(self, *, engine: str, model_id: str, quant: str) -> Factors | None:
        """The factors for a build, or None while nothing of its engine is known."""
        with self._lock:
            own = self._decode.get((engine, model_id, quant))
            if own is not None and own.count >= KNOWN_AFTER_REPLIES:
                prefill = self._prefill.get((engine, model_id, quant), _Mean())
                return Factors(math.exp(own.log), math.exp(prefill.log), own.count, exact=True)
            for same in ((engine, quant), (engine, None)):
                decode, count = _pooled(self._decode, *same)
                if count >= KNOWN_AFTER_REPLIES:
                    return Factors(math.exp(decode), math.exp(_pooled(self._prefill, *same)[0]), count, exact=False)
        return None

    def _read(self) -> None:
        if self._path is None:
            return
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            kept = json.loads(self._path.read_text("utf-8"))[self._machine]
            self._devices = {str(name): (float(a), float(b)) for name, (a, b) in kept["devices"].items()}
            for row in kept["builds"]:
                key = (str(row["engine"]), str(row["model"]), str(row["quant"]))
                for name, means in (("decode", self._decode), ("prefill", self._prefill)):
                    if name in row:
                        total, weight, count = row[name]
                        means[key] = _Mean(float(total), float(weight), int(count))

    def _write(self) -> None:
        """Put this machine's rows beside those of others, by replacing the file whole."""
        if self._path is None:
            return
        rows = []
        for engine, model, quant in sorted({*self._decode, *self._prefill}):
            row: dict[str, Any] = {"engine": engine, "model": model, "quant": quant}
            for name, means in (("decode", self._decode), ("prefill", self._prefill)):
                if (mean := means.get((engine, model, quant))) is not None:
                    row[name] = [round(mean.total, 5), round(mean.weight, 5), mean.count]
            rows.append(row)
        everything: dict[str, Any] = {}
        with suppress(OSError, ValueError):
            kept = json.loads(self._path.read_text("utf-8"))
            everything = kept if isinstance(kept, dict) else {}
        everything[self._machine] = {"devices": self._devices, "builds": rows}
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_suffix(f".{os.getpid()}.tmp")
            fresh.write_text(json.dumps(everything, indent=1) + "\n", "utf-8")
            fresh.replace(self._path)


def _pooled(means: dict[Key, _Mean], engine: str, quant: str | None) -> tuple[float, int]:
    """The mean logarithm over builds of an engine, each weighing as its replies do, and how many replies there were."""
    chosen = [mean for (e, _, q), mean in means.items() if e == engine and quant in (None, q)]
    weight = sum(mean.weight for mean in chosen)
    return (sum(mean.total for mean in chosen) / weight if weight else 0.0), sum(mean.count for mean in chosen)


def fingerprint(machine: Machine) -> str:
    """A name for this machine that changes with what makes it fast: devices, their memory to the GiB, and cores."""
    parts = [f"{d.kind}:{d.name}:{round(d.memory_total_mib / 1024)}" for d in machine.devices]
    return hashlib.sha256(f"{machine.cores}|{'|'.join(parts)}".encode()).hexdigest()[:16]
