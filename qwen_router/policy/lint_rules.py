"""Lint of rules against one another and against what models can do: contradictions, and thinking that cannot be.

qwen-router policy lint mine.yaml
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

from qwen_router.catalog import Catalog, Model
from qwen_router.catalog.quants import QUANTS
from qwen_router.policy.builds import Meant, meant
from qwen_router.policy.lint import Finding, Linted, Severity
from qwen_router.policy.load import KeyPath
from qwen_router.policy.overlap import implies, only_in_both, overlap
from qwen_router.policy.schema import Builds, Rule

ALL_QUANTS = tuple(q.name for q in QUANTS)
CAN_THINK, CAN_STAY_OFF = ("toggle", "always"), ("toggle", "never", "none")
SAME_SIZE = 0.4
"""Models are of one size when the logarithms of their parameters differ by less: 30B and 32B, 7B and 8B, not 4B and 8B."""


def contradictions(linted: Linted, catalog: Catalog) -> Iterator[Finding]:
    """Rules that can hold for one request and leave no build between them."""
    rules, models = linted.policy.rules, _chat(linted, catalog)
    meanings = [_meanings(rule, models) for rule in rules]
    for r, rule in enumerate(rules):
        yield from _against(linted, (r, rule, meanings[r]), (r, rule, meanings[r]))
        engines = linted.policy.privacy.engines
        for key, wanted in meanings[r]:
            if key != "forbid" and engines and not wanted.engines & set(engines):
                yield linted.finding("error", "contradiction", ("rules", r, "then", key),
                                     f"{rule.name!r} wants {_listed(wanted.engines)}, and privacy.engines allows only "
                                     f"{_listed(engines)}", "allow the engine or ask for another")  # fmt: skip
    for (a, one), (b, other) in combinations(enumerate(rules), 2):
        if overlap(one.when, other.when):
            yield from _against(linted, (a, one, meanings[a]), (b, other, meanings[b]))


Placed = tuple[int, Rule, list[tuple[str, Meant]]]


def _against(linted: Linted, first: Placed, second: Placed) -> Iterator[Finding]:
    """What two rules (or one and itself) want that cannot be had together; told at the later one."""
    (a, one, left), (b, other, right) = first, second
    for here, wanted in left:
        for there, asked in right:
            if (a == b and here >= there) or not (wanted and asked):  # what matches nothing is told elsewhere
                continue
            if "forbid" not in (here, there):
                clash = not (wanted & asked)
            elif here == there:
                clash = False
            else:
                kept, lost = (wanted, asked) if there == "forbid" else (asked, wanted)
                clash = kept.within(lost)
            if clash:
                yield _clash(linted, (a, one, here), (b, other, there))


def _clash(linted: Linted, first: tuple[int, Rule, str], second: tuple[int, Rule, str]) -> Finding:
    (a, one, here), (b, other, there) = first, second
    path: KeyPath = ("rules", b, "then", there)
    severity: Severity = "error"
    fix = "narrow the `when` of one of them, or change what it asks for"
    if a == b:
        told = f"{one.name!r} leaves no build: its {here} and its {there} contradict each other"
        return linted.finding(severity, "contradiction", path, told, "drop one of the two")
    told = f"{one.name!r} ({here}) and {other.name!r} ({there}) leave no build between them"
    if implies(one.when, other.when) or implies(other.when, one.when):
        told += ", whenever the narrower applies"
    elif only_in_both(one.when, other.when):
        told, severity = told + " for a request that is in the groups, tags or languages of both", "warning"
    else:
        told += ", where both apply"
    return linted.finding(severity, "contradiction", path, told, fix)


def thinking_that_cannot_be(linted: Linted, catalog: Catalog) -> Iterator[Finding]:
    """Thinking switched on for builds that cannot think, or off for builds that cannot stop."""
    policy, models = linted.policy, _chat(linted, catalog)
    meanings = [[m for key, m in _meanings(rule, models) if key != "forbid"] for rule in policy.rules]
    for r, rule in enumerate(policy.rules):
        if not meanings[r] or rule.then.policy is not None:
            continue
        mode, place = policy.thinking.mode, None
        for other_place, other in enumerate(policy.rules):  # of the rules that may apply as well the last one counts
            if other.then.thinking is not None and (other_place == r or implies(rule.when, other.when)):
                mode, place = other.then.thinking, other_place
        allowed = frozenset.intersection(*(m.models for m in meanings[r]))
        yield from _impossible_mode(linted, r, mode, place, [m for m in models if m.id in allowed], models)
    for r, rule in enumerate(policy.rules):  # a rule that switches, and another that may apply with it and requires
        for other_place, other in enumerate(policy.rules):
            if (
                rule.then.thinking is None
                or rule.then.policy is not None
                or not meanings[other_place]
                or implies(other.when, rule.when)
            ):
                continue
            if other_place != r and other.then.thinking is None and overlap(rule.when, other.when):
                allowed = frozenset.intersection(*(m.models for m in meanings[other_place]))
                here = [m for m in models if m.id in allowed]
                yield from _impossible_mode(linted, other_place, rule.then.thinking, r, here, models)


def _impossible_mode(
    linted: Linted, r: int, mode: str, switched_by: int | None, wanted: Sequence[Model], models: Sequence[Model]
) -> Iterator[Finding]:
    rule = linted.policy.rules[r]
    can = {"on": CAN_THINK, "off": CAN_STAY_OFF}.get(mode)
    budget = rule.then.thinking_budget_tokens
    if wanted and budget is not None and all(m.thinking.behaviour not in CAN_THINK for m in wanted):
        yield linted.finding("warning", "thinking", ("rules", r, "then", "thinking_budget_tokens"),
                             f"{_shown(wanted)} cannot think, so the budget is not looked at", "drop it")  # fmt: skip
    if can is None or not wanted or any(m.thinking.behaviour in can for m in wanted):
        return
    path: tuple[str | int, ...] = ("thinking", "mode")
    by = "the policy's thinking.mode"
    if switched_by is not None:
        path, by = ("rules", switched_by, "then", "thinking"), f"the rule {linted.policy.rules[switched_by].name!r}"
    what = "always answer without thinking" if mode == "on" else "always think"
    twin = next((twin for m in wanted if (twin := twin_of(m, can, models)) is not None), None)
    fix = f"{twin.id} can" if twin is not None else f"take thinking: {mode} away"
    yield linted.finding("error", "thinking", path,
                         f"{by} switches thinking {mode}, and the models that {rule.name!r} leaves {what}: {_shown(wanted)}",
                         fix)  # fmt: skip


def twin_of(model: Model, can: Sequence[str], models: Sequence[Model]) -> Model | None:
    """The model most like this one that behaves so: of its family and size, else of its size, with the same senses."""
    size = model.total_params
    if size is None:
        return None

    def distance(other: Model) -> float:
        return abs(math.log(other.total_params / size)) if other.total_params else math.inf

    near = [
        m
        for m in models
        if m.thinking.behaviour in can and set(model.modalities) <= set(m.modalities) and distance(m) < SAME_SIZE
    ]
    newest_first = sorted(near, key=lambda m: m.release_date, reverse=True)
    return min(newest_first, key=lambda m: (m.family != model.family, round(distance(m), 1)), default=None)


def _meanings(rule: Rule, models: Sequence[Model]) -> list[tuple[str, Meant]]:
    """(key, the builds that it means) for what a rule requires, pins and forbids."""
    then = rule.then
    asked = (
        ("require", then.require),
        ("pin", None if then.pin is None else Builds(models=(then.pin,))),
        ("forbid", then.forbid),
    )
    return [(key, meant(wanted, models, ALL_QUANTS)) for key, wanted in asked if wanted is not None]


def _chat(linted: Linted, catalog: Catalog) -> tuple[Model, ...]:
    """The models that may be chosen: hosted ones only where requests may leave this computer."""
    hosted = linted.policy.privacy.remote_endpoints
    return tuple(m for m in catalog.models if m.kind == "chat" and not m.demo and (hosted or not m.hosted))


def _shown(models: Sequence[Model]) -> str:
    names = [m.short_name for m in models[:3]]
    return ", ".join(names) + (f" and {len(models) - 3} more" if len(models) > 3 else "")


def _listed(names: object) -> str:
    return ", ".join(sorted(names))  # type: ignore[call-overload]
