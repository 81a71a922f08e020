"""A decision in at most fifteen lines that a person likes to read: what was understood and ruled out, what was weighed, what
decided, and what would change it.

Reads the decision's columns and computes nothing anew; `explain.py` has the words of single verdicts.

    qwen-router route --explain "Prove that there are infinitely many primes"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qwen_router.decide.explain import IN_WORDS, duration, gib

if TYPE_CHECKING:
    from qwen_router.decide.decision import Candidate, Decision

MOST_LINES = 15
BEST_SHOWN = 3


def summary(decision: Decision) -> list[str]:
    """The lines, the first words of each saying what it is about."""
    lines = [_understood(decision), *_policy(decision), *_ruled_out(decision)]
    if decision.chosen is None:
        return [
            *lines,
            f"decided     nothing: {decision.reason.partition(': nothing can serve it; ')[2] or decision.reason}",
        ]
    lines += _best(decision)
    lines += [_decided(decision), *_changes(decision)]
    lines += [f"but         {text}" for text in decision.overrides]
    return lines[:MOST_LINES]


def summary_data(decision: Decision) -> dict[str, Any]:
    """The same for programs: lines by their first word."""
    told: dict[str, Any] = {}
    for line in summary(decision):
        word, text = line[:12].strip(), line[12:]
        told.setdefault(word or next(reversed(told)), []).append(text)
    return told


def _understood(decision: Decision) -> str:
    profile = decision.profile
    best = sorted(profile.domains.items(), key=lambda pair: -pair[1])[:2]
    domains = " or ".join(f"{name} {share:.2f}" for name, share in best if share >= 0.1) or profile.domain
    doubt = " (unsure: it abstains)" if profile.abstained else ""
    kinds = "" if profile.modalities == ("text",) else f", with {'+'.join(m for m in profile.modalities if m != 'text')}"
    return (
        f"understood  {domains}{doubt}; depth {profile.depth:.2f}, difficulty {profile.difficulty:.2f}, "
        f"{profile.language}{kinds}, {profile.input_tokens} tokens in, about {profile.output_tokens} out"
    )


def _policy(decision: Decision) -> list[str]:
    effect, policy = decision.effect, decision.table.policy
    objective = effect.objective
    enough = (
        f"quality of {objective.floor:g}"
        if objective.floor is not None
        else f"quality within {effect.quality_slack:g} of the best"
    )
    what = "weighted utility" if objective.minimise == "utility" else f"least {objective.minimise} at a {enough}"
    lines = [
        f"policy      {policy.name}: {what}" + (f", found in {duration(decision.patience_s)}" if _patient(decision) else "")
    ]
    rules = [policy.rules[r].name for r in effect.rules]
    if rules:
        lines.append(f"rules       {'; '.join(rules)}")
    return lines


def _patient(decision: Decision) -> bool:
    return bool(np.isfinite(decision.patience_s))


def _ruled_out(decision: Decision) -> list[str]:
    """Refused candidates by reason, the commonest first, with how many models each one took out entirely."""
    from qwen_router.decide.decision import CAUSES

    counts = np.bincount(decision.causes, minlength=len(CAUSES))
    order = [int(c) for c in np.argsort(-counts, kind="stable") if c and counts[c]]
    if not order:
        return [f"ruled out   none of {len(decision)} candidates"]
    parts = [f"{counts[c]} {IN_WORDS[CAUSES[c]]}" for c in order[:5]]
    rest = int(counts[order[5:]].sum()) if len(order) > 5 else 0
    if rest:
        parts.append(f"{rest} for other reasons")
    return [f"ruled out   {', '.join(parts)}; {int(counts[0])} of {len(decision)} candidates are possible"]


def _best(decision: Decision) -> list[str]:
    chosen = decision.chosen
    assert chosen is not None
    lines: list[str] = []
    seen: set[str] = set()
    for index in decision.order:
        candidate = chosen if not lines else decision.candidate(int(index))
        if candidate.build.model.id in seen:
            continue
        seen.add(candidate.build.model.id)
        lines.append(f"{'best' if not lines else '':<12}{_numbers(candidate, decision.profile.domain)}")
        if len(lines) == BEST_SHOWN:
            break
    return lines


def _numbers(c: Candidate, domain: str) -> str:
    prior = "" if c.scored else f" (no published score in {domain})"
    load = f", {duration(c.load_s)} of it loading" if c.load_s else ""
    return f"{c.label} on {c.build.engine}: quality {c.quality:.2f}{prior}, {duration(c.total_s)}{load}, {gib(c.memory_mib)}"


def _decided(decision: Decision) -> str:
    chosen, objective = decision.chosen, decision.effect.objective
    assert chosen is not None
    if decision.kept is not None:
        return f"decided     {decision.kept}"
    if not len(decision.order) > 1:
        return "decided     it is the only one that is possible"
    near = f"the best that is found in time has {decision.best_quality:.2f}"
    return f"decided     least {objective.minimise} among those good enough: {near}"


def _changes(decision: Decision) -> list[str]:
    """Up to three things that would lead to another candidate: wanting quality, wanting speed, more memory."""
    from qwen_router.decide.decision import CAUSES

    chosen, prediction = decision.chosen, decision.prediction
    assert chosen is not None
    found: list[str] = []
    index = decision.order
    quality, time = prediction.quality[index], prediction.total_s[index]

    def tell(words: str, at: int) -> None:
        other = decision.candidate(at)
        if other.label != chosen.label:
            found.append(f"{words}: {other.label}, quality {other.quality:.2f}, {duration(other.total_s)}")

    if len(index) > 1 and np.isfinite(time).any():
        tell("if only quality counted", int(index[int(np.nanargmax(quality))]))
        tell("if only speed counted", int(index[int(np.nanargmin(time))]))
    out = np.flatnonzero(decision.causes == CAUSES.index("memory"))
    best = float(quality.max()) if len(quality) else 1.0
    better = out[prediction.quality[out] > best + 0.005] if len(out) else out
    if len(better):
        nearest = int(better[int(np.argmin(prediction.memory_mib[better]))])
        other = decision.candidate(nearest)
        found.append(f"with {gib(other.memory_mib)} free: {other.label}, quality {other.quality:.2f}")
    return [f"{'else' if not n else '':<12}{text}" for n, text in enumerate(found)]
