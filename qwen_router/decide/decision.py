"""The decision: what was chosen, what became of every other candidate and why, what to try next.

Verdicts are kept as columns and turned into words only when somebody reads them; `explain.py` renders them.

    python -c "from qwen_router import Router; print(Router().route('What is 12 * 13?').reason)"
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from qwen_router.catalog.types import Sampling
from qwen_router.decide.candidates import Bools, Build, CandidateTable, Ints
from qwen_router.decide.predict import Prediction
from qwen_router.policy import Effect
from qwen_router.profile.types import Profile

Scope = Literal["serving", "advice", "demo"]
Fate = Literal["chosen", "possible", "refused"]
Cause = Literal[
    "possible",
    "privacy",
    "pin",
    "modality",
    "tools",
    "control_tokens",
    "rule",
    "licence",
    "thinking",
    "depth",
    "unknown",
    "context",
    "memory",
    "memory_limit",
    "first_token",
    "latency",
    "cost",
    "energy",
    "budget",
    "quality",
    "endpoint",
]
CAUSES: tuple[Cause, ...] = Cause.__args__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to answer, with what was predicted for it. Seconds, MiB, tokens; None is unknown."""

    build: Build
    thinking: bool
    budget_tokens: int
    answer_tokens: int
    context_tokens: int
    quality: float
    quality_sd: float
    first_token_s: float | None
    total_s: float | None
    load_s: float | None
    memory_mib: float | None
    energy_wh: float | None
    cost_usd: float | None
    thinking_tokens: float
    scored: bool
    rule_sampling: Sampling | None = None

    @property
    def label(self) -> str:
        """`Qwen3-8B q4_K_M, thinking 4096` and the like."""
        mode = f", thinking {self.budget_tokens}" if self.thinking else ""
        return f"{self.build.model.short_name} {self.build.quant}{mode}"

    @property
    def sampling(self) -> Sampling:
        """The recommended set of the mode that was chosen (empty where the card names none), and on top of it what a rule
        asks for."""
        sets = self.build.model.sampling
        own = (sets.thinking if self.thinking else sets.non_thinking) or Sampling()
        rule = self.rule_sampling
        return own if rule is None else own.model_copy(update=rule.model_dump(exclude_unset=True))


@dataclass(frozen=True, slots=True)
class Verdict:
    """A candidate's fate and the reason in words."""

    candidate: Candidate
    fate: Fate
    cause: Cause
    reason: str


@dataclass(frozen=True)
class Decision:
    """The outcome for one request.

    `chosen` is None when nothing can serve it; `reason` then says what would help. `fallbacks` are tried in order when the
    engine of the chosen one fails before its first byte.
    `best_quality` is the best within `patience_s`, and `slack` what was allowed below it. `overrides` lists every wish that
    could not be kept; `kept` says why the session's model stays or goes, where there is a session, and
    `escalation` why another than that was looked for. Where several endpoints serve what was chosen, `placed` says why it is
    asked at this one, and `twins` are the others, tried before `fallbacks`.
    """

    id: str
    chosen: Candidate | None
    fallbacks: tuple[Candidate, ...]
    reason: str
    scope: Scope
    profile: Profile
    table: CandidateTable = field(repr=False)
    prediction: Prediction = field(repr=False)
    budgets: Ints = field(repr=False)
    causes: Ints = field(repr=False)
    order: Ints = field(repr=False)
    best_quality: float
    slack: float
    patience_s: float
    effect: Effect = field(repr=False)
    overrides: tuple[str, ...] = ()
    kept: str | None = None
    escalation: str | None = None
    placed: str | None = None
    twins: tuple[Candidate, ...] = ()
    resting: tuple[tuple[str, str, str], ...] = ()
    elapsed_us: float = 0.0

    def __len__(self) -> int:
        return len(self.causes)

    def candidate(self, index: int) -> Candidate:
        return candidate_at(self.table, self.prediction, self.budgets, index, sampling=self.effect.sampling)

    def next_better(self, than: Candidate, *, not_of: frozenset[str] = frozenset()) -> Candidate | None:
        """The candidate to ask after one that failed: of those that are noticeably better and of no model in `not_of`, the
        first by the order of the decision's objective; None where nobody is better."""
        better = [
            int(i)
            for i in self.order
            if self.prediction.quality[i] > than.quality + 0.01
            and self.table.builds[self.table.build_of[i]].model.id not in not_of | {than.build.model.id}
        ]
        return self.candidate(better[0]) if better else None

    def verdicts(self) -> Iterator[Verdict]:
        """Every candidate's verdict, best first: the chosen one, the possible ones, then the refused ones."""
        from qwen_router.decide.explain import verdict_at

        refused = np.flatnonzero(self.causes != 0)
        for index in (*self.order, *refused[np.argsort(self.table.tie_rank[refused], kind="stable")]):
            yield verdict_at(self, int(index))

    @property
    def possible(self) -> Bools:
        return np.equal(self.causes, 0)


def _known(value: np.float64) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def candidate_at(
    table: CandidateTable, prediction: Prediction, budgets: Ints, index: int, *, sampling: Sampling | None = None
) -> Candidate:
    """Read one row of the columns as a value."""
    build = int(table.build_of[index])
    return Candidate(
        build=table.builds[build],
        thinking=bool(table.thinks[index]),
        budget_tokens=int(budgets[index]),
        answer_tokens=int(prediction.answer_tokens[index]),
        context_tokens=int(prediction.context_tokens[index]),
        quality=float(prediction.quality[index]),
        quality_sd=float(prediction.quality_sd[index]),
        first_token_s=_known(prediction.first_token_s[index]),
        total_s=_known(prediction.total_s[index]),
        load_s=_known(prediction.load_s[index]),
        memory_mib=_known(prediction.memory_mib[index]),
        energy_wh=_known(prediction.energy_wh[index]),
        cost_usd=_known(prediction.cost_usd[index]),
        thinking_tokens=float(prediction.thinking_tokens[index]),
        scored=bool(prediction.scored[index]),
        rule_sampling=sampling,
    )
