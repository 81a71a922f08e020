"""Replays requests under a policy, and under another beside it: who would have answered, how well, how fast, at what price.

Predictions, not outcomes: the same numbers that the decision uses. Clock and load are those of the log, where it has them,
else unknown; nothing is spent and no session begun. What nothing can serve counts as quality 0 and has no time or cost.

    qwen-router policy simulate --jsonl requests.jsonl --policy fast --against balanced --machine rtx-4090
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from qwen_router.decide.decision import Candidate
from qwen_router.decide.intervals import Interval, mean_of
from qwen_router.decide.planner import Planner
from qwen_router.policy import Circumstances, Policy
from qwen_router.profile.types import Profile
from qwen_router.request import Request

MEASURES = ("quality", "seconds", "energy_wh", "cost_usd")
SHOWN_CHARS = 80
MOST_CHANGED = 10
NOBODY = "(nothing fits)"


@dataclass(frozen=True, slots=True)
class Change:
    """One request that the two policies treat differently."""

    id: Any
    text: str
    old: str
    new: str
    quality: float
    seconds: float | None


@dataclass(slots=True)
class Side:
    """What one policy did, as columns over the requests."""

    policy: str
    models: Counter[str] = field(default_factory=Counter)
    thinking: array[float] = field(default_factory=lambda: array("d"))
    swaps: array[float] = field(default_factory=lambda: array("d"))
    columns: dict[str, array[float]] = field(default_factory=lambda: {name: array("d") for name in MEASURES})
    loaded: str | None = None

    def add(self, chosen: Candidate | None) -> None:
        self.models[NOBODY if chosen is None else f"{chosen.build.model.short_name} {chosen.build.quant}"] += 1
        nan = float("nan")
        values = (
            (0.0, nan, nan, nan) if chosen is None else (chosen.quality, chosen.total_s, chosen.energy_wh, chosen.cost_usd)
        )
        for name, value in zip(MEASURES, values, strict=True):
            self.columns[name].append(nan if value is None else value)
        self.thinking.append(nan if chosen is None else float(chosen.thinking))
        if chosen is not None:
            build = f"{chosen.build.model.id} {chosen.build.quant} {chosen.build.endpoint}"
            if self.loaded is not None:
                self.swaps.append(float(build != self.loaded))
            self.loaded = build

    def __len__(self) -> int:
        return len(self.thinking)

    def column(self, name: str) -> npt.NDArray[np.float64]:
        return np.array(self.columns[name], dtype=np.float64)


@dataclass(slots=True)
class Simulation:
    """Fed a request at a time; `report` may be asked at any time."""

    planner: Planner
    new_policy: Policy
    old_policy: Policy | None = None
    new: Side = field(init=False)
    old: Side | None = field(init=False)
    switched: array[float] = field(default_factory=lambda: array("d"))
    most: list[tuple[float, float, int, Change]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.new = Side(self.new_policy.name)
        self.old = None if self.old_policy is None else Side(self.old_policy.name)

    def add(
        self, line_id: Any, request: Request, profile: Profile, *, circumstances: Circumstances | None = None
    ) -> Change | None:
        """Decide about one request; the change is None where both policies do the same, or there is only one."""
        after = self.planner.plan(request, profile, self.new_policy, circumstances=circumstances).decision.chosen
        self.new.add(after)
        if self.old is None or self.old_policy is None:
            return None
        before = self.planner.plan(request, profile, self.old_policy, circumstances=circumstances).decision.chosen
        self.old.add(before)
        self.switched.append(float(_model(before) != _model(after)))
        if _label(before) == _label(after):
            return None
        quality = (after.quality if after else 0.0) - (before.quality if before else 0.0)
        seconds = None
        if after is not None and before is not None and None not in (after.total_s, before.total_s):
            seconds = after.total_s - before.total_s  # type: ignore[operator]
        text = " ".join(request.last_user_text[: 4 * SHOWN_CHARS].split())[:SHOWN_CHARS]
        text = "".join(char if char.isprintable() else "?" for char in text)  # a log must not steer the terminal
        change = Change(line_id, text, _label(before), _label(after), quality, seconds)
        self.most.append((abs(quality), abs(seconds or 0.0), -len(self.new), change))
        if len(self.most) > 50 * MOST_CHANGED:
            self.most = self._most()
        return change

    def _most(self) -> list[tuple[float, float, int, Change]]:
        return sorted(self.most, key=lambda item: item[:3], reverse=True)[:MOST_CHANGED]

    def report(self) -> Report:
        return Report(
            requests=len(self.new),
            machine=self.planner.machine.name,
            new=_summary(self.new),
            old=None if self.old is None else _summary(self.old),
            switch_rate=mean_of(self.switched),
            differences={} if self.old is None else _differences(self.old, self.new),
            changed=tuple(item[3] for item in self._most()),
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """`unserved` requests have no candidate; shares are of all requests, swaps of all but the first served one."""

    policy: str
    models: tuple[tuple[str, float], ...]
    unserved: int
    thinking: Interval | None
    swaps: Interval | None
    measures: dict[str, Interval | None]


@dataclass(frozen=True, slots=True)
class Report:
    """`differences` are new less old, request by request, over those that have a number in both."""

    requests: int
    machine: str
    new: Summary
    old: Summary | None
    switch_rate: Interval | None
    differences: dict[str, Interval | None]
    changed: tuple[Change, ...]

    def quality_drop(self) -> Interval | None:
        """How much the mean predicted quality falls from old to new."""
        gain = self.differences.get("quality")
        return None if gain is None else Interval(-gain.mean, -gain.high, -gain.low, gain.count)

    def latency_rise(self) -> Interval | None:
        """How much the mean predicted time rises from old to new, as a share of the old one's mean."""
        rise = self.differences.get("seconds")
        before = None if self.old is None else self.old.measures["seconds"]
        if rise is None or before is None or not before.mean:
            return None
        return Interval(rise.mean / before.mean, rise.low / before.mean, rise.high / before.mean, rise.count)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _summary(side: Side) -> Summary:
    count = max(1, len(side))
    return Summary(
        policy=side.policy,
        models=tuple((name, n / count) for name, n in sorted(side.models.items(), key=lambda kv: (-kv[1], kv[0]))),
        unserved=side.models[NOBODY],
        thinking=mean_of(side.thinking),
        swaps=mean_of(side.swaps),
        measures={name: mean_of(side.column(name)) for name in MEASURES},
    )


def _differences(old: Side, new: Side) -> dict[str, Interval | None]:
    pairs: Iterable[tuple[str, npt.NDArray[np.float64]]] = ((n, new.column(n) - old.column(n)) for n in MEASURES)
    return {name: mean_of(difference) for name, difference in pairs}


def _label(chosen: Candidate | None) -> str:
    return NOBODY if chosen is None else chosen.label


def _model(chosen: Candidate | None) -> str | None:
    return None if chosen is None else chosen.build.model.id
