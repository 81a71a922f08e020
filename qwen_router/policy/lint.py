"""Reads a policy for its author: what never applies, what contradicts itself, what names nothing, what has no place there.

Looks at the file, the catalog and other policies; what needs a machine is `decide/policy_check.py`. An `error` leaves some
request without an answer or does not do what it says; a `warning` says nothing false but has no effect.

    qwen-router policy lint policies/balanced.yaml
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import yaml

from qwen_router.catalog import Catalog
from qwen_router.catalog.quants import QUANTS, quant
from qwen_router.errors import RouterError, UnknownName
from qwen_router.policy.builds import Names, names_of
from qwen_router.policy.load import KeyPath, Policy, lines_of, policy_names, source_of
from qwen_router.policy.overlap import implies, impossible, overlap
from qwen_router.policy.schema import PolicyFields, Rule
from qwen_router.policy.secrets import secrets_in

Severity = Literal["error", "warning"]
ADDS_UP = ("require", "forbid", "pin", "prefer", "avoid", "limits", "local_only")
"""What several rules ask for together; of everything else the last rule's counts."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`key` is the path of keys in the file; `line` is None where the policy it `extends` says it."""

    severity: Severity
    kind: str
    key: str
    line: int | None
    problem: str
    fix: str


@dataclass(frozen=True, slots=True)
class Linted:
    """A policy with its file's name and text, and where its own rules begin behind the inherited ones."""

    policy: Policy
    name: str
    text: str
    lines: dict[KeyPath, int]
    inherited_rules: int

    @classmethod
    def read(cls, name_or_path: str | Path) -> Linted:
        """Raises `InvalidPolicy` or `UnknownName`."""
        name, text = source_of(name_or_path)
        return cls.of(text, name=name)

    @classmethod
    def of(cls, text: str, *, name: str = "policy") -> Linted:
        policy = Policy.from_yaml(text, name=name)
        own = PolicyFields.model_validate(yaml.safe_load(text))
        return cls(policy, name, text, lines_of(text), len(policy.rules) - len(own.rules))

    def finding(self, severity: Severity, kind: str, path: KeyPath, problem: str, fix: str) -> Finding:
        """With the line of the longest part of `path` that the file holds."""
        if path[:1] == ("rules",) and len(path) > 1:
            own = int(path[1]) - self.inherited_rules
            shown, known = ("rules", own, *path[2:]), ("rules", own, *path[2:]) if own >= 0 else ()
            if own < 0:
                shown = ("extends", f"rule {self.policy.rules[int(path[1])].name!r}", *path[2:])
        else:
            shown = known = path
        while known and known not in self.lines:
            known = known[:-1]
        line = self.lines.get(known) if known else None
        return Finding(severity, kind, ".".join(str(part) for part in shown), line, problem, fix)


def lint(linted: Linted, catalog: Catalog) -> tuple[Finding, ...]:
    """Every finding that needs no machine, in the order of the file."""
    from qwen_router.policy.lint_rules import contradictions, thinking_that_cannot_be

    found = [
        *_secrets(linted),
        *_doubled_keys(linted),
        *_unreachable(linted),
        *_without_effect(linted),
        *_unknown_names(linted, catalog),
        *_other_policies(linted),
        *contradictions(linted, catalog),
        *thinking_that_cannot_be(linted, catalog),
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda f: (f.line or 0, f.key)))


def _secrets(linted: Linted) -> Iterator[Finding]:
    for secret in secrets_in(linted.text):
        problem = f"{secret.what} stands in the file: {secret.masked}"
        fix = "take it out, revoke it, and put the new one into the environment (QWEN_ROUTER_API_KEY)"
        yield Finding("error", "secret", "", secret.line, problem, fix)


def _doubled_keys(linted: Linted) -> Iterator[Finding]:
    """YAML lets a later key silently replace the same one before it."""

    def walk(node: yaml.Node, path: KeyPath) -> Iterator[Finding]:
        if isinstance(node, yaml.MappingNode):
            seen: dict[str, int] = {}
            for key, value in node.value:
                name, line = str(key.value), key.start_mark.line + 1
                if name in seen:
                    where = ".".join(str(part) for part in (*path, name))
                    problem = f"the key {name!r} stands here again; what line {seen[name]} says is lost"
                    yield Finding("error", "doubled-key", where, line, problem, "keep one of the two")
                seen[name] = line
                yield from walk(value, (*path, name))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                yield from walk(value, (*path, index))

    node = yaml.compose(linted.text, Loader=yaml.SafeLoader)
    return iter(()) if node is None else walk(node, ())


def _unreachable(linted: Linted) -> Iterator[Finding]:
    rules = linted.policy.rules
    names: dict[str, int] = {}
    for r, rule in enumerate(rules):
        why = impossible(rule.when)
        if why is not None:
            yield linted.finding("error", "unreachable-rule", ("rules", r, "when"), f"{rule.name!r} never applies: {why}",
                                 "correct the condition or take the rule out")  # fmt: skip
            continue
        overriding = _overriding(rules, r)
        if overriding is None:
            yield from _overridden_parts(linted, r)
        else:
            problem = f"{rule.name!r} has no effect: {overriding.name!r} applies whenever it does and counts instead"
            fix = "put it behind that rule, or narrow the conditions of that rule"
            yield linted.finding("error", "unreachable-rule", ("rules", r), problem, fix)
        if rule.name in names:
            problem = f"two rules are called {rule.name!r}: a reason that names it is ambiguous"
            yield linted.finding("warning", "doubled-name", ("rules", r, "name"), problem, "rename one of them")
        names[rule.name] = r


def _overriding(rules: tuple[Rule, ...], r: int) -> Rule | None:
    """A rule that applies whenever rule `r` does and leaves nothing of what it asks for."""
    rule = rules[r]
    asks = {name for name in rule.then.model_fields_set if getattr(rule.then, name) not in (None, False)}
    for other_place, other in enumerate(rules):
        if other_place == r or not implies(rule.when, other.when):
            continue
        later = other_place > r
        if other.then.policy is not None and (later or rule.then.policy is None):
            return other  # the request goes to another policy, whose own rules count
        if later and not asks & set(ADDS_UP) and asks <= other.then.model_fields_set - {"local_only"}:
            if all(getattr(other.then, name) is not None for name in asks):
                return other
    return None


def _overridden_parts(linted: Linted, r: int) -> Iterator[Finding]:
    """Single values of a rule that a later rule replaces whenever this one applies."""
    rule = linted.policy.rules[r]
    for key in sorted(rule.then.model_fields_set - set(ADDS_UP)):
        for other in linted.policy.rules[r + 1 :]:
            if None not in (getattr(rule.then, key), getattr(other.then, key)) and implies(rule.when, other.when):
                problem = f"{rule.name!r} has no say in {key}: {other.name!r} applies whenever it does and counts instead"
                fix = "put it behind that rule, or narrow the conditions of that rule"
                yield linted.finding("warning", "no-effect", ("rules", r, "then", key), problem, fix)
                break


def _without_effect(linted: Linted) -> Iterator[Finding]:
    """Values that stand there and change nothing."""
    policy = linted.policy
    objective = policy.objective

    def warn(path: KeyPath, problem: str, fix: str) -> Finding:
        return linted.finding("warning", "no-effect", path, problem, fix)

    weights = (objective.utility.per_second, objective.utility.per_usd, objective.utility.per_wh, objective.utility.per_gib)
    if objective.minimise != "utility" and any(weights):
        yield warn(("objective", "utility"), f"weights count with minimise: utility only, not with {objective.minimise}",
                   "set minimise: utility or drop them")  # fmt: skip
    if objective.minimise == "utility" and not any(weights):
        yield warn(("objective", "utility"), "no weight is given, so only quality counts", "give per_second or another one")
    slack = ("objective", "quality_slack")
    if objective.floor is not None and slack in linted.lines:  # an inherited one is nobody's mistake
        yield warn(slack, "with a floor the slack is not looked at", "drop one of the two")
    if objective.unsure_quality_slack > objective.quality_slack:
        yield warn(("objective", "unsure_quality_slack"), "a doubt would lead to a smaller model, not to a better one",
                   f"at most {objective.quality_slack:g}")  # fmt: skip
    if policy.thinking.mode == "off" and "budgets_tokens" in policy.thinking.model_fields_set:
        if not any(rule.then.thinking == "on" for rule in policy.rules):
            yield warn(("thinking", "budgets_tokens"), "thinking is off, and no rule switches it on", "drop the budgets")
    yield from _idle_money(linted)
    for r, rule in enumerate(policy.rules):
        yield from _idle_parts(linted, r, rule)


def _idle_money(linted: Linted) -> Iterator[Finding]:
    """Prices, budgets and limits that bound nothing."""
    policy = linted.policy

    def warn(path: KeyPath, problem: str, fix: str) -> Finding:
        return linted.finding("warning", "no-effect", path, problem, fix)

    priced = bool(policy.prices) or policy.energy_usd_per_kwh is not None
    if policy.objective.minimise == "cost" and not priced:
        yield warn(
            ("objective", "minimise"),
            "nothing has a price, so the least energy is taken",
            "give prices or energy_usd_per_kwh",
        )
    for whose in ("per_day", "user_per_day"):
        if getattr(policy.budgets, whose).cost_usd is not None and not priced:
            yield warn(("budgets", whose, "cost_usd"), "nothing has a price, so nothing is ever charged",
                       "give prices or energy_usd_per_kwh")  # fmt: skip
    if policy.prices and not policy.privacy.remote_endpoints and all("://" in p.endpoint for p in policy.prices):
        yield warn(("prices",), "privacy.remote_endpoints is false, so no endpoint elsewhere is ever asked",
                   "set it to true or drop the prices")  # fmt: skip
    limits = policy.limits
    if limits.max_total_s is not None and (limits.max_first_token_s or 0) >= limits.max_total_s:
        yield warn(("limits", "max_first_token_s"), "the whole answer may not take that long", "set it below max_total_s")


def _idle_parts(linted: Linted, r: int, rule: Rule) -> Iterator[Finding]:
    then, asked = rule.then, rule.then.model_fields_set
    if then.policy is not None and len(asked) > 1:
        rest = ", ".join(sorted(asked - {"policy"}))
        yield linted.finding("warning", "no-effect", ("rules", r, "then"), f"{rule.name!r} sends the request to the policy "
                             f"{then.policy!r}, so {rest} is not looked at", "say it in that policy")  # fmt: skip
    if not any(getattr(then, name) not in (None, False) for name in asked):
        yield linted.finding("warning", "no-effect", ("rules", r, "then"), f"{rule.name!r} asks for nothing",
                             "take the rule out")  # fmt: skip
    if then.thinking == "off" and then.thinking_budget_tokens is not None:
        yield linted.finding("warning", "no-effect", ("rules", r, "then", "thinking_budget_tokens"),
                             "thinking is off, so its budget is not looked at", "drop one of the two")  # fmt: skip
    for language in rule.when.languages:
        if not (2 <= len(language) <= 3 and language.isalpha() and language.islower()):
            yield linted.finding("error", "unknown-name", ("rules", r, "when", "languages"),
                                 f"no request is ever in {language!r}: languages are ISO 639-1 codes",
                                 "en, zh, de, sw, ...")  # fmt: skip


def _unknown_names(linted: Linted, catalog: Catalog) -> Iterator[Finding]:
    """Models, families, quantisations and machines that nothing is called, each with a close match."""
    from qwen_router.hardware.presets import machine

    known, policy = names_of(catalog), linted.policy
    for place, name in enumerate(policy.quants):
        try:
            quant(name)
        except UnknownName as error:
            yield linted.finding("error", "unknown-name", ("quants", place), error.problem, error.fix)
    for r, rule in enumerate(policy.rules):
        yield from _unknown_in_rule(linted, r, rule, known)
    for p, price in enumerate(policy.prices):
        if not known.matches("model", price.model):
            yield _unknown(linted, ("prices", p, "model"), "model", price.model, known.models, severity="warning")
    rules = [rule.name for rule in policy.rules]
    for t, case in enumerate(policy.tests):
        expect = case.expect
        for field, kind in (("model", "model"), ("not_model", "model"), ("family", "family")):
            pattern = getattr(expect, field)
            if pattern is not None and not known.matches(kind, pattern):
                yield _unknown(linted, ("tests", t, "expect", field), kind, pattern, known.of(kind))
        if expect.rule is not None and expect.rule not in rules and all(rule.then.policy is None for rule in policy.rules):
            yield _unknown(linted, ("tests", t, "expect", "rule"), "rule", expect.rule, rules)
        if case.machine is not None:
            try:
                machine(case.machine)
            except RouterError as error:
                yield linted.finding("error", "unknown-name", ("tests", t, "machine"), error.problem, error.fix)


def _unknown_in_rule(linted: Linted, r: int, rule: Rule, known: Names) -> Iterator[Finding]:
    then = rule.then
    if then.pin is not None and not known.matches("model", then.pin):
        yield _unknown(linted, ("rules", r, "then", "pin"), "model", then.pin, known.models)
    for field in ("require", "forbid", "prefer", "avoid"):
        wanted = getattr(then, field)
        if wanted is None:
            continue
        for key, kind in (("models", "model"), ("families", "family"), ("quants", "quantisation")):
            for place, pattern in enumerate(getattr(wanted, key)):
                if not known.matches(kind, pattern):
                    yield _unknown(linted, ("rules", r, "then", field, key, place), kind, pattern, known.of(kind))


def _unknown(
    linted: Linted, path: KeyPath, kind: str, name: str, known: Iterable[str], *, severity: Severity = "error"
) -> Finding:
    by_lower: dict[str, str] = {}
    for each in known:
        by_lower.setdefault(each.lower(), each)
    close = [by_lower[hit] for hit in get_close_matches(name.lower().strip("*"), by_lower, n=2, cutoff=0.5)]
    if kind == "quantisation" and name in _SPELLINGS:  # an engine's or a hub's word for one of ours
        close = [quant(name).name]
    if close:
        fix = "did you mean " + " or ".join(repr(each) for each in close) + "?"
    elif kind == "model":
        fix = "`qwen-router models` lists them"
    else:
        fix = "one of " + ", ".join(sorted(by_lower.values())[:40])
    problem = f"{name!r} matches no {kind}" if any(s in name for s in "*?[") else f"no {kind} is called {name!r}"
    return linted.finding(severity, "unknown-name", path, problem, fix)


_SPELLINGS = frozenset(spelling for each in QUANTS for spelling in each.aliases)


def _other_policies(linted: Linted) -> Iterator[Finding]:
    """Policies that rules send requests to: unknown ones, broken ones, and circles."""
    for r, rule in enumerate(linted.policy.rules):
        if rule.then.policy is None:
            continue
        path: KeyPath = ("rules", r, "then", "policy")
        unknown = rule.then.policy not in (*policy_names(), linted.policy.name)
        if unknown and not rule.then.policy.endswith((".yaml", ".yml")):
            yield _unknown(linted, path, "policy", rule.then.policy, policy_names())
            continue
        try:
            circle = _circle((linted.policy.name,), (rule,), rule.then.policy)
        except RouterError as error:
            yield linted.finding("error", "unknown-name", path, error.problem, error.fix)
            continue
        if circle:
            problem = f"the policies send one another on: {' -> '.join(circle)}"
            yield linted.finding("error", "switch-circle", path, problem, "let one of them decide itself")


def _circle(names: tuple[str, ...], rules: tuple[Rule, ...], target: str) -> tuple[str, ...]:
    """The names along a circle of switches whose conditions can all hold for one request; empty when there is none."""
    if target in names:
        return (*names, target)
    if len(names) > 16:
        return ()
    for rule in Policy.load(target).rules:
        if rule.then.policy is not None and all(overlap(rule.when, before.when) for before in rules):
            found = _circle((*names, target), (*rules, rule), rule.then.policy)
            if found:
                return found
    return ()


def as_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    from dataclasses import asdict

    return [asdict(finding) for finding in findings]
