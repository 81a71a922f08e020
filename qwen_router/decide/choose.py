"""`decide()`: the pure choice. Everything that it needs is an argument; the same arguments give the same decision.

First every hard requirement refuses, each candidate by the first that it breaks; the rest is predicted and ordered by the
policy's objective. Ties break by higher quality, then less memory, then model id, quantisation and budget in alphabetical
and numerical order. That nothing fits is a decision too.

    python -c "from qwen_router import Router; print(Router().route('hi', policy='fast').chosen)"
"""

from __future__ import annotations

import numpy as np

from qwen_router.decide.candidates import Bools, CandidateTable, Floats, Ints
from qwen_router.decide.decision import CAUSES, Candidate, Cause, Decision, Scope, candidate_at
from qwen_router.decide.explain import reason_of
from qwen_router.decide.predict import Prediction, predict
from qwen_router.policy import Policy, Rule
from qwen_router.profile.types import Profile
from qwen_router.request import MODALITIES, Request, Wishes


def decide(
    request: Request, profile: Profile, table: CandidateTable, *, scope: Scope = "advice", decision_id: str = ""
) -> Decision:
    """Judge every candidate of `table` for the request and choose by the table's policy."""
    policy = table.policy
    rules = tuple((r, rule) for r, rule in enumerate(policy.rules) if applies(rule, request, profile))
    answer_tokens = request.wishes.max_output_tokens or policy.context.max_answer_tokens
    budgets = _budgets(table, request.wishes)
    prediction = predict(table, profile, budgets=budgets, max_answer_tokens=answer_tokens)
    causes = _causes(table, request, profile, prediction, rules)
    slack = _slack(policy, profile, rules)
    possible = causes == 0
    patience_s = _patience(policy, prediction, possible)
    soon = possible & (prediction.total_s <= patience_s)
    best = float(prediction.quality[soon].max()) if soon.any() else 0.0
    near = soon & (prediction.quality >= best - slack - 1e-12)
    order = _order(table, prediction, possible, tier=2 - soon.astype(np.int64) - near)
    candidates = _distinct(table, prediction, budgets, order, 1 + policy.fallback.attempts)
    overrides = _overrides(request.wishes, candidates[0] if candidates else None)
    decision = Decision(
        id=decision_id,
        chosen=candidates[0] if candidates else None,
        fallbacks=candidates[1:],
        reason="",
        scope=scope,
        profile=profile,
        table=table,
        prediction=prediction,
        budgets=budgets,
        causes=causes,
        order=order,
        best_quality=best,
        slack=slack,
        patience_s=patience_s,
        overrides=overrides,
    )
    object.__setattr__(decision, "reason", reason_of(decision, tuple(rule.name for _, rule in rules)))
    return decision


def applies(rule: Rule, request: Request, profile: Profile) -> bool:
    """Whether every condition of the rule holds for this request."""
    when = rule.when
    return (
        (not when.domains or profile.domain in when.domains)
        and (not when.languages or profile.language in when.languages)
        and (not when.modalities or any(m in profile.modalities for m in when.modalities))
        and (when.min_depth is None or profile.depth >= when.min_depth)
        and (when.max_depth is None or profile.depth <= when.max_depth)
        and (when.min_input_tokens is None or profile.input_tokens >= when.min_input_tokens)
        and (when.has_tools is None or bool(request.tools) == when.has_tools)
        and (when.abstained is None or profile.abstained == when.abstained)
    )


def _budgets(table: CandidateTable, wishes: Wishes) -> Ints:
    """The thinking budget of each candidate: the policy's, or the caller's where one is wished."""
    if wishes.thinking_budget_tokens is None:
        return table.budget_tokens
    return np.where(table.thinks, wishes.thinking_budget_tokens, 0)


def _slack(policy: Policy, profile: Profile, rules: tuple[tuple[int, Rule], ...]) -> float:
    for _, rule in reversed(rules):  # the last rule that says something wins
        if rule.then.quality_slack is not None:
            return rule.then.quality_slack
    return policy.objective.unsure_quality_slack if profile.abstained else policy.objective.quality_slack


def _causes(
    table: CandidateTable, request: Request, profile: Profile, prediction: Prediction, rules: tuple[tuple[int, Rule], ...]
) -> Ints:
    """For each candidate the index in `CAUSES` of the first requirement that it breaks; 0 is none."""
    policy, limits, of = table.policy, table.policy.limits, table.build_of
    wishes = request.wishes
    causes = np.zeros(len(table), dtype=np.int64)

    def refuse(cause: Cause, broken: Bools | np.bool_) -> None:
        causes[np.logical_and(causes == 0, broken)] = CAUSES.index(cause)

    refuse("privacy", table.kept_away[of])
    if wishes.model is not None:
        refuse("pin", np.array([not build.answers_to(wishes.model) for build in table.builds], dtype=np.bool_)[of])
    wanted = [MODALITIES.index(m) for m in profile.modalities if m != "file"]
    refuse("modality", ~np.all(table.takes[:, wanted], axis=1)[of])
    if request.tools and request.tool_choice != "none":
        refuse("tools", ~table.has_tools[of])
    for r, _ in rules:
        refuse("rule", table.rule_refuses[r][of])
    if limits.commercial_licence_only:
        refuse("licence", ~table.commercial[of])
    refuse("thinking", _unwanted_mode(table, wishes, rules))
    if wishes.thinking is None:
        refuse("depth", table.thinks & table.can_stay_off[of] & (profile.depth < policy.thinking.min_depth))
    unknown = ~table.known[of]
    if wishes.model is None:  # asked for by name it is served as named, with nothing predicted
        refuse("unknown", unknown)
    refuse("context", prediction.bucket < 0)
    refuse("memory", ~table.fits[of, prediction.bucket] & ~unknown)
    if limits.max_memory_mib is not None:
        refuse("memory_limit", prediction.memory_mib > limits.max_memory_mib)
    if limits.max_first_token_s is not None:
        refuse("first_token", ~(prediction.first_token_s <= limits.max_first_token_s) & ~unknown)
    latency_s = min(x for x in (limits.max_total_s, wishes.max_latency_s, float("inf")) if x is not None)
    refuse("latency", ~(prediction.total_s <= latency_s) & ~unknown)
    refuse("quality", prediction.quality < limits.min_quality)
    return causes


def _unwanted_mode(table: CandidateTable, wishes: Wishes, rules: tuple[tuple[int, Rule], ...]) -> Bools:
    """Candidates in the mode that caller, rule or policy forbid, in that order of precedence.

    With a wished budget all thinking candidates of a build are the same one: all but the first are refused.
    """
    mode: str = table.policy.thinking.mode
    for _, rule in rules:
        mode = rule.then.thinking or mode
    if wishes.thinking is not None:
        mode = "on" if wishes.thinking else "off"
    unwanted = np.zeros(len(table), dtype=np.bool_)
    if mode == "off":
        unwanted |= table.thinks
    elif mode == "on":
        unwanted |= ~table.thinks
    if wishes.thinking_budget_tokens is not None:
        twin = np.zeros(len(table), dtype=np.bool_)
        twin[1:] = table.thinks[1:] & table.thinks[:-1] & (table.build_of[1:] == table.build_of[:-1])
        unwanted |= twin
    return unwanted


def _patience(policy: Policy, prediction: Prediction, possible: Bools) -> float:
    """Seconds within which the best is looked for: the policy's, or twice what the fastest takes."""
    if policy.objective.patience_s is None or not possible.any():
        return float("inf")
    fastest_s = float(prediction.total_s[possible].min())  # not a number when nothing is known of what was asked for
    return max(policy.objective.patience_s, 2 * fastest_s)


def _order(table: CandidateTable, prediction: Prediction, possible: Bools, *, tier: Ints) -> Ints:
    """Possible candidates, best first: tier 0, near the best, by the objective; 1 (soon) by quality, 2 (late) by time."""
    index = np.flatnonzero(possible)
    quality, tiers = prediction.quality[index], tier[index]
    least = _measure(table, prediction)[index]
    keys = (
        table.tie_rank[index],
        prediction.memory_mib[index],
        -quality,
        np.where(tiers == 0, least, np.where(tiers == 1, -quality, prediction.total_s[index])),
        tiers,
    )
    return index[np.lexsort(keys)]


def _measure(table: CandidateTable, prediction: Prediction) -> Floats:
    match table.policy.objective.minimise:
        case "latency":
            return prediction.total_s
        case "memory":
            return prediction.memory_mib
        case "cost" | "energy":  # local endpoints have no price: the energy is the cost; without watts, device-seconds
            known = ~np.isnan(prediction.energy_wh)
            return prediction.energy_wh if known.all() else prediction.total_s


def _distinct(
    table: CandidateTable, prediction: Prediction, budgets: Ints, order: Ints, count: int
) -> tuple[Candidate, ...]:
    """The first `count` candidates of different models: a model that failed is not asked again in another mode."""
    taken: dict[str, int] = {}
    for index in order:
        model_id = table.builds[table.build_of[index]].model.id
        if model_id not in taken:
            taken[model_id] = int(index)
            if len(taken) == count:
                break
    return tuple(candidate_at(table, prediction, budgets, index) for index in taken.values())


def _overrides(wishes: Wishes, chosen: Candidate | None) -> tuple[str, ...]:
    """Wishes that the chosen candidate cannot keep, in words."""
    if chosen is None:
        return ()
    kept = []
    if wishes.temperature == 0 and chosen.thinking:
        kept.append("temperature 0 was raised to the recommended one: Qwen loops when it thinks greedily")
    return tuple(kept)
