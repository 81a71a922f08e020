"""Holds a policy against a machine: its own cases, and whether every kind of request has a candidate.

Cases run through the real classifier. Kinds are made up: every domain, as text or with an image, short or long, with tools
or without; and for each rule whose conditions say more, a request that meets them.

    qwen-router policy test policies/balanced.yaml
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from qwen_router.decide.candidates import any_match
from qwen_router.decide.decision import CAUSES, Candidate, Cause, Decision
from qwen_router.decide.explain import IN_WORDS
from qwen_router.decide.planner import Planned, Planner
from qwen_router.media import Attachment
from qwen_router.policy import Circumstances, Policy
from qwen_router.policy.lint import Finding, Linted, Severity
from qwen_router.policy.load import KeyPath
from qwen_router.policy.schema import Case, Expected, Rule, When
from qwen_router.profile import inspect
from qwen_router.profile.types import DOMAINS, Domain, Profile
from qwen_router.request import Message, Request, ToolSpec

SHORT_TOKENS, LONG_TOKENS, IMAGE_TOKENS = 200, 24_000, 1_000
SOFT: tuple[Cause, ...] = ("memory_limit", "first_token", "latency", "cost", "energy", "budget", "quality")
"""Refusals by a number that the author chose: a kind of request may be meant to break it."""


# ── cases ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Tested:
    """One case with what was decided; `failures` say what was expected instead, empty when it passed."""

    case: Case
    machine: str
    planned: Planned
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.failures


def run_case(case: Case, policy: Policy, planner: Planner) -> Tested:
    """Decide about the case's text as its user, and hold the decision against what it expects."""
    attached = tuple(Attachment(kind, source="made-up") for kind in case.attachments if kind != "text")
    message = Message(role="user", text=case.text, attachments=attached)
    tools = tuple(ToolSpec(name, "", {"type": "object"}) for name in case.tools)
    request = Request((message,), tools=tools, user=case.user, groups=case.groups, tags=case.tags)
    now = Circumstances(
        minute_of_day=None if case.at is None else int(case.at[:2]) * 60 + int(case.at[3:]), weekday=case.day, load=case.load
    )
    planned = planner.plan(request, inspect(request), policy, circumstances=now)
    return Tested(case, planner.machine.name, planned, tuple(_failures(case.expect, planned)))


def _failures(expect: Expected, planned: Planned) -> Iterator[str]:
    chosen = planned.decision.chosen
    if expect.rule is not None and expect.rule not in planned.rules:
        applied = ", ".join(repr(name) for name in planned.rules) or "none"
        yield f"the rule {expect.rule!r} did not apply (applied: {applied})"
    if expect.nothing_fits is not None and expect.nothing_fits != (chosen is None):
        yield "something fits" if expect.nothing_fits else f"nothing fits: {planned.decision.reason}"
    wanted = expect.model_fields_set - {"rule", "nothing_fits"}
    if chosen is None:
        if wanted and not expect.nothing_fits and expect.nothing_fits is None:
            yield f"nothing fits: {planned.decision.reason}"
        return
    yield from _failures_of(expect, chosen)


def _failures_of(expect: Expected, chosen: Candidate) -> Iterator[str]:
    build = chosen.build
    names = (build.model.id, build.model.short_name, build.name)
    if expect.model is not None and not any_match(names, (expect.model,)):
        yield f"the model is {build.model.short_name}, not {expect.model}"
    if expect.not_model is not None and any_match(names, (expect.not_model,)):
        yield f"the model is {build.model.short_name}, which {expect.not_model} means"
    if expect.family is not None and build.model.family != expect.family:
        yield f"the family is {build.model.family}, not {expect.family}"
    if expect.size is not None and build.model.size_class != expect.size:
        yield f"the size is {build.model.size_class or 'unknown'}, not {expect.size}"
    if expect.thinking is not None and chosen.thinking != (expect.thinking == "on"):
        yield f"thinking is {'on' if chosen.thinking else 'off'}, not {expect.thinking}"
    if expect.min_quality is not None and chosen.quality < expect.min_quality:
        yield f"quality is {chosen.quality:.2f}, below {expect.min_quality:g}"
    if expect.max_total_s is not None and not (chosen.total_s or float("inf")) <= expect.max_total_s:
        yield f"it takes {chosen.total_s or float('inf'):.1f} s, more than {expect.max_total_s:g}"


# ── coverage ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Kind:
    """A made-up request. `rule` is the place of the rule whose conditions it was made to meet, or None."""

    domain: Domain
    image: bool
    long: bool
    tools: bool
    rule: int | None
    request: Request
    profile: Profile
    now: Circumstances

    @property
    def label(self) -> str:
        return f"{'long' if self.long else 'short'} {'image' if self.image else 'text'}{' with tools' if self.tools else ''}"


def uncovered(linted: Linted, planner: Planner) -> tuple[Finding, ...]:
    """Kinds of requests that nothing can serve by this policy here, though something could by a policy without any say."""
    policy = linted.policy
    quants = tuple(dict.fromkeys((*policy.quants, *Policy.model_fields["quants"].default)))
    anything = Policy.model_validate({"name": "anything", "quants": quants, "thinking": {"min_depth": 0}})
    lost: dict[tuple[Cause, tuple[str, ...]], dict[str, list[Domain]]] = {}
    kinds, unserved = 0, 0
    for kind in kinds_of(policy):
        kinds += 1
        planned = planner.plan(kind.request, kind.profile, policy, circumstances=kind.now)
        if planned.decision.chosen is not None:
            continue
        free = planner.plan(kind.request, kind.profile, anything).decision
        if free.chosen is None:
            continue  # the machine's doing, not the policy's
        unserved += 1
        domains = lost.setdefault((_furthest(planned.decision, free), planned.rules), {}).setdefault(kind.label, [])
        if kind.domain not in domains:
            domains.append(kind.domain)
    return tuple(_findings(linted, planner, lost, every=unserved == kinds))


def _furthest(decision: Decision, free: Decision) -> Cause:
    """The last requirement broken by a candidate that would be possible without the policy."""
    could = {(free.table.builds[free.table.build_of[n]], bool(free.table.thinks[n])) for n in np.flatnonzero(free.possible)}
    table = decision.table
    met = [c for n, c in enumerate(decision.causes) if (table.builds[table.build_of[n]], bool(table.thinks[n])) in could]
    return CAUSES[int(max(met))] if met else "memory"  # none is left: the policy's quants are too large


def _findings(
    linted: Linted, planner: Planner, lost: dict[tuple[Cause, tuple[str, ...]], dict[str, list[Domain]]], *, every: bool
) -> Iterator[Finding]:
    """One finding for each cause and set of rules, with all the kinds that it leaves without a candidate."""
    for (cause, rules), by_label in lost.items():
        severity: Severity = "warning" if cause in SOFT and not every else "error"
        by = f" where {', '.join(repr(r) for r in rules)} applies" if rules else ""
        here = f"on {planner.machine.name}{by}"
        told = [n if len(d) == len(DOMAINS) else f"{n} ({', '.join(d)})" for n, d in by_label.items()]
        shown = "; ".join(told[:4]) + (f"; and {len(told) - 4} more kinds" if len(told) > 4 else "")
        why = "refused by a rule" if cause == "rule" else IN_WORDS[cause]
        problem = f"no candidate {here} for {shown}: what could serve them is {why}"
        if every and len(lost) == 1:
            problem = f"no request at all has a candidate {here}: what could serve it is {why}"
        fix = _FIXES.get(cause, "loosen it, or narrow the rule that sets it")
        yield linted.finding(severity, "no-candidate", _key_of(linted.policy, cause, rules), problem, fix)


_FIXES: dict[Cause, str] = {
    "rule": "narrow the rule's `when`, or allow a model that can serve them",
    "thinking": "allow the other mode, or models that can think",
    "depth": "set thinking.min_depth to 0 or thinking to auto",
    "privacy": "allow an engine that serves them",
    "memory": "add smaller quants",
    "context": "add longer context.buckets_tokens, or lower thinking.budgets_tokens",
    "budget": "raise the budget above what one request takes",
}
_KEYS: dict[Cause, KeyPath] = {
    "privacy": ("privacy",),
    "licence": ("limits", "commercial_licence_only"),
    "thinking": ("thinking", "mode"),
    "depth": ("thinking", "min_depth"),
    "context": ("context", "buckets_tokens"),
    "memory": ("quants",),
    "memory_limit": ("limits", "max_memory_mib"),
    "first_token": ("limits", "max_first_token_s"),
    "latency": ("limits", "max_total_s"),
    "cost": ("limits", "max_cost_usd"),
    "energy": ("limits", "max_energy_wh"),
    "budget": ("budgets",),
    "quality": ("limits", "min_quality"),
}


def _key_of(policy: Policy, cause: Cause, rules: Sequence[str]) -> KeyPath:
    """Where the policy says what refused: in the last rule that applied and says it, else at its own key."""
    path = _KEYS.get(cause, ())
    for r in range(len(policy.rules) - 1, -1, -1):
        then = policy.rules[r].then
        if policy.rules[r].name not in rules:
            continue
        if cause == "rule" and (then.require or then.forbid or then.pin or then.local_only):
            return ("rules", r, "then")
        if path[:1] == ("limits",) and then.limits is not None and path[1] in then.limits.model_fields_set:
            return ("rules", r, "then", *path)
        if cause in ("thinking", "depth") and then.thinking is not None:
            return ("rules", r, "then", "thinking")
    return path


def kinds_of(policy: Policy) -> Iterator[Kind]:
    """Every made-up request: plain ones, shallow and deep, and for each rule with further conditions some that meet it."""
    for depth in (0.05, 0.7):
        when = When(min_depth=depth, max_depth=depth)
        yield from _kinds(when, None)
    for r, rule in enumerate(policy.rules):
        if _says_more(rule):
            yield from _kinds(rule.when, r)


def _says_more(rule: Rule) -> bool:
    return bool(rule.when.model_fields_set - {"domains", "modalities", "has_tools"})


def _kinds(when: When, rule: int | None) -> Iterator[Kind]:
    base = Request.from_text("made up")
    request = replace(
        base,
        user=None if not when.users else _sample(when.users[0]),
        groups=tuple(_sample(p) for p in when.groups[:1]),
        tags=tuple(_sample(p) for p in when.tags[:1]),
        commercial_use=when.commercial_use,
    )
    hour = None if when.hours is None else int(when.hours[:2]) * 60 + int(when.hours[3:5])
    load = when.min_load if when.min_load is not None else when.max_load
    now = Circumstances(minute_of_day=hour, weekday=when.days[0] if when.days else None, load=load)
    for domain, image, long, tools in product(when.domains or DOMAINS, (False, True), (False, True), (False, True)):
        tokens = (LONG_TOKENS if long else SHORT_TOKENS) + IMAGE_TOKENS * image
        fitted = _clamped(tokens, when.min_input_tokens, when.max_input_tokens)
        if (when.modalities and not image and "text" not in when.modalities) or (when.has_tools not in (None, tools)):
            continue
        if when.modalities and not {"image", "text"} & set(when.modalities):
            continue
        language = when.languages[0] if when.languages else "en"
        profile = Profile(
            domain=domain,
            domains={each: float(each == domain) for each in DOMAINS},
            depth=_clamped(0.4, when.min_depth, when.max_depth),
            difficulty=_clamped(0.4, when.min_difficulty, when.max_difficulty),
            language=language,
            output_languages=(language,),
            modalities=("text", "image") if image else ("text",),
            confidence=0.2 if when.abstained else 0.9,
            abstained=bool(when.abstained),
            reason=None,
            input_tokens=int(fitted),
            output_tokens=300,
            elapsed_us=0.0,
        )
        spec = (ToolSpec("made_up", "", {}),) if tools else ()
        yield Kind(domain, image, long, tools, rule, replace(request, tools=spec), profile, now)


def _clamped(value: float, low: float | None, high: float | None) -> float:
    value = value if low is None else max(value, low)
    return value if high is None else min(value, high)


def _sample(pattern: str) -> str:
    """A name that the pattern matches."""
    return pattern.replace("*", "x").replace("?", "x")
