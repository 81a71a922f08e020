"""`decide()`: the pure choice. Everything that it needs is an argument; the same arguments give the same decision.

First every hard requirement refuses, each candidate by the first that it breaks; the rest is predicted and ordered by the
policy's objective. Ties break by higher quality, then less memory, then model id, quantisation and budget in alphabetical
and numerical order. That nothing fits is a decision too.

    python -c "from qwen_router import Router; print(Router().route('hi', policy='fast').chosen)"
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from qwen_router.control_tokens import REWRITING
from qwen_router.decide.candidates import Bools, CandidateTable, Floats, Ints
from qwen_router.decide.decision import CAUSES, Candidate, Cause, Decision, Scope, candidate_at
from qwen_router.decide.explain import reason_of
from qwen_router.decide.predict import Prediction, predict
from qwen_router.decide.twins import placed_among_twins
from qwen_router.policy import Circumstances, Effect, Previous, effect_of
from qwen_router.policy.schema import Objective
from qwen_router.profile.types import Profile
from qwen_router.request import MODALITIES, Request, Wishes


def decide(
    request: Request,
    profile: Profile,
    table: CandidateTable,
    *,
    scope: Scope = "advice",
    decision_id: str = "",
    circumstances: Circumstances | None = None,
) -> Decision:
    """Judge every candidate of `table` for the request and choose by the table's policy in these circumstances."""
    circumstances = circumstances or Circumstances()
    effect = effect_of(table.policy, request, profile, circumstances)
    answer_tokens = request.wishes.max_output_tokens or effect.max_answer_tokens
    budgets = _budgets(table, request.wishes, effect)
    prediction = predict(table, profile, budgets=budgets, max_answer_tokens=answer_tokens)
    if circumstances.waiting:
        prediction = _queued(prediction, table, circumstances.waiting)
    before = _place_of(circumstances.previous, table, budgets)
    if before is not None and circumstances.previous is not None:
        prediction = _credited(prediction, table, before, circumstances.previous.cached_tokens)
    causes = _causes(table, request, profile, prediction, budgets, effect)
    if circumstances.resting:
        _leave_alone(causes, table, circumstances.resting)
    possible = causes == 0
    judged = _judged(table, prediction, effect)
    patience_s = _patience(effect.objective, prediction, possible)
    soon = possible & (prediction.total_s <= patience_s)
    best = float(judged[soon].max()) if soon.any() else 0.0
    near = soon & (judged >= _good_enough(effect, best) - 1e-12)
    least = _measure(table, prediction, judged, effect)
    order = _order(table, prediction, judged, least, possible, tier=2 - soon.astype(np.int64) - near)
    kept = None
    escalation = request.escalates
    if escalation is not None:
        order, kept = (
            _escalated(order, before, judged, table),
            f"the best there is beside what answered before: {escalation}",
        )
    elif before is not None:
        order, kept = _session(order, before, request, decision_of=lambda index: _label(table, budgets, index))
    order, placed, twins = placed_among_twins(order, table, prediction, budgets, circumstances)
    candidates = _distinct(table, prediction, budgets, order, 1 + effect.fallback_attempts, effect)
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
        slack=effect.quality_slack,
        patience_s=patience_s,
        effect=effect,
        overrides=overrides,
        kept=kept,
        escalation=escalation,
        placed=placed,
        twins=tuple(candidate_at(table, prediction, budgets, index, sampling=effect.sampling) for index in twins),
        resting=circumstances.resting,
    )
    object.__setattr__(decision, "reason", reason_of(decision))
    return decision


def _leave_alone(causes: Ints, table: CandidateTable, resting: Sequence[tuple[str, str, str]]) -> None:
    """Refuse what is behind an endpoint that must not be asked now, unless it is refused already."""
    places = {(engine, endpoint) for engine, endpoint, _ in resting}
    rests = np.array([(build.engine, build.endpoint) in places for build in table.builds], dtype=np.bool_)[table.build_of]
    causes[(causes == 0) & rests] = CAUSES.index("endpoint")


def _place_of(previous: Previous | None, table: CandidateTable, budgets: Ints) -> int | None:
    """Where the candidate stands that answered this session last: its build and mode, at the nearest budget."""
    if previous is None:
        return None
    builds = [b for b, build in enumerate(table.builds) if (build.engine, build.endpoint, build.name) == previous.build]
    same = np.flatnonzero(np.isin(table.build_of, builds) & (table.thinks == previous.thinks))
    if not len(same):
        return None
    return int(same[np.lexsort((table.tie_rank[same], np.abs(budgets[same] - previous.budget_tokens)))[0]])


SERIAL = ("ollama", "llamacpp", "transformers", "onnx")
"""Engines that answer one request after the other unless told otherwise; servers such as vLLM answer many at once."""


def _queued(prediction: Prediction, table: CandidateTable, waiting: Sequence[tuple[str, str, int]]) -> Prediction:
    """The prediction in which a request waits for those that its engine is busy with, each as long as this one would take
    there: what they really take is not known."""
    busy = {(engine, endpoint): count for engine, endpoint, count in waiting if engine in SERIAL}
    ahead = np.array([busy.get((build.engine, build.endpoint), 0) for build in table.builds])[table.build_of]
    if not ahead.any():
        return prediction
    wait = ahead * (prediction.total_s - prediction.load_s)
    return replace(prediction, first_token_s=prediction.first_token_s + wait, total_s=prediction.total_s + wait)


def _credited(prediction: Prediction, table: CandidateTable, before: int, cached_tokens: int) -> Prediction:
    """The prediction in which the session's own candidate does not read again what its engine still holds: that is what
    every other one is charged for a switch, beside its loading."""
    b = int(table.build_of[before])
    prefill_tps = table.prefill_tps[b, max(0, int(prediction.bucket[before]))]
    if not prefill_tps > 0:
        return prediction
    credit = min(cached_tokens / prefill_tps, float(prediction.first_token_s[before]))
    first, total = prediction.first_token_s.copy(), prediction.total_s.copy()
    first[before] -= credit
    total[before] -= credit
    return replace(prediction, first_token_s=first, total_s=total)


def _session(order: Ints, before: int, request: Request, *, decision_of: Callable[[int], str]) -> tuple[Ints, str]:
    """The order with the session's own candidate first where it must stay, and why it stays or goes.

    Within a tool loop model and mode stay: a second model would not know what the first one meant. Between turns the
    candidate competes with the credit of `_credited`, so it goes only for a gain that is worth more than the switch.
    """
    if before not in order:
        return order, f"{decision_of(before)} answered before and is not possible now"
    if request.in_tool_loop:
        rest = order[order != before]
        return np.concatenate(
            ([before], rest)
        ), f"{decision_of(before)} stays: within a tool loop model and mode do not change"
    if int(order[0]) == before:
        return order, f"{decision_of(before)} stays: nothing gains more than a switch would cost"
    return order, f"moved from {decision_of(before)}: the gain is worth reading the conversation again"


def _escalated(order: Ints, before: int | None, judged: Floats, table: CandidateTable) -> Ints:
    """The best first: being busy or near is not what matters then. Last come the model that answered before, unless it would
    do better in another mode, and behind all what answered: its build, its mode, its budget."""
    better = order[np.argsort(-judged[order], kind="stable")]
    if before is None:
        return better
    same = np.array(
        [table.builds[b].model.id == table.builds[table.build_of[before]].model.id for b in table.build_of[better]]
    )
    last = same & (judged[better] <= judged[before] + 1e-12)
    return better[np.lexsort((better == before, last))]


def _label(table: CandidateTable, budgets: Ints, index: int) -> str:
    build = table.builds[int(table.build_of[index])]
    mode = f", thinking {int(budgets[index])}" if table.thinks[index] else ""
    return f"{build.model.short_name} {build.quant}{mode}"


def _budgets(table: CandidateTable, wishes: Wishes, effect: Effect) -> Ints:
    """The thinking budget of each candidate: the policy's, at most the rules', or the caller's where one is wished."""
    if wishes.thinking_budget_tokens is not None:
        return np.where(table.thinks, wishes.thinking_budget_tokens, 0)
    if effect.budget_cap_tokens is not None:
        return np.minimum(table.budget_tokens, effect.budget_cap_tokens)
    return table.budget_tokens


def _judged(table: CandidateTable, prediction: Prediction, effect: Effect) -> Floats:
    """Quality as the choice sees it: less the caution that the objective asks for, and what the rules like or dislike."""
    judged = prediction.quality
    if effect.objective.cautious:
        judged = judged - effect.objective.cautious * prediction.quality_sd
    for r in effect.rules:
        bonus = table.rule_bonus[r]
        if bonus.any():
            judged = judged + bonus[table.build_of]
    return judged


def _good_enough(effect: Effect, best: float) -> float:
    """The least judged quality among which the objective's measure decides."""
    if effect.objective.minimise == "utility":
        return -np.inf
    if effect.objective.floor is not None:
        return min(effect.objective.floor, best)
    return best - effect.quality_slack


def _causes(
    table: CandidateTable, request: Request, profile: Profile, prediction: Prediction, budgets: Ints, effect: Effect
) -> Ints:
    """For each candidate the index in `CAUSES` of the first requirement that it breaks; 0 is none."""
    policy, limits, of = table.policy, effect.limits, table.build_of
    wishes = request.wishes
    causes = np.zeros(len(table), dtype=np.int64)

    def refuse(cause: Cause, broken: Bools | np.bool_ | bool) -> None:
        causes[np.logical_and(causes == 0, broken)] = CAUSES.index(cause)

    refuse("privacy", table.kept_away[of])
    if wishes.model is not None:
        refuse("pin", np.array([not build.answers_to(wishes.model) for build in table.builds], dtype=np.bool_)[of])
    wanted = [MODALITIES.index(m) for m in profile.modalities if m != "file"]
    refuse("modality", ~np.all(table.takes[:, wanted], axis=1)[of])
    if "file" in profile.modalities:
        refuse("modality", True)
    if request.tools and request.tool_choice != "none":
        refuse("tools", ~table.has_tools[of])
    if policy.privacy.control_tokens == "refuse" and request.holds_control_tokens:
        refuse("control_tokens", np.array([build.engine in REWRITING for build in table.builds], dtype=np.bool_)[of])
    for r in effect.rules:
        refuse("rule", table.rule_refuses[r][of])
    if limits.commercial_licence_only or request.commercial_use:
        refuse("licence", ~table.commercial[of])
    refuse("thinking", _unwanted_mode(table, wishes, budgets, effect))
    if wishes.thinking is None and effect.mode == "auto":
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
    _refuse_the_dear(refuse, table, prediction, effect)
    refuse("quality", prediction.quality < limits.min_quality)
    return causes


def _refuse_the_dear(
    refuse: Callable[[Cause, Bools | np.bool_ | bool], None], table: CandidateTable, prediction: Prediction, effect: Effect
) -> None:
    """The limits and what is left of the budgets. What an endpoint elsewhere takes and nobody priced is over any limit; what
    runs here and nobody priced costs nothing."""
    limits, left = effect.limits, effect.left
    unpriced = np.isnan(prediction.cost_usd) & table.remote[table.build_of]
    if limits.max_cost_usd is not None:
        refuse("cost", unpriced | (prediction.cost_usd > limits.max_cost_usd))
    if limits.max_energy_wh is not None:
        refuse("energy", prediction.energy_wh > limits.max_energy_wh)
    if effect.exhausted is not None:
        refuse("budget", True)
    if left.cost_usd is not None:
        refuse("budget", unpriced | (prediction.cost_usd > left.cost_usd))
    if left.energy_wh is not None:
        refuse("budget", prediction.energy_wh > left.energy_wh)
    if left.tokens is not None:
        refuse("budget", prediction.thinking_tokens + prediction.expected_answer > left.tokens)


def _unwanted_mode(table: CandidateTable, wishes: Wishes, budgets: Ints, effect: Effect) -> Bools:
    """Candidates in the mode that caller, rule or policy forbid, in that order of precedence.

    Where a wish or a rule makes budgets of one build equal, they are the same candidate: all but the first are refused.
    """
    mode: str = effect.mode
    if wishes.thinking is not None:
        mode = "on" if wishes.thinking else "off"
    unwanted = np.zeros(len(table), dtype=np.bool_)
    if mode == "off":
        unwanted |= table.thinks
    elif mode == "on":
        unwanted |= ~table.thinks
    if budgets is not table.budget_tokens:
        same = table.thinks[1:] & table.thinks[:-1] & (table.build_of[1:] == table.build_of[:-1])
        unwanted[1:] |= same & (budgets[1:] == budgets[:-1])
    return unwanted


def _patience(objective: Objective, prediction: Prediction, possible: Bools) -> float:
    """Seconds within which the best is looked for: the policy's, or twice what the fastest takes."""
    if objective.patience_s is None or not possible.any():
        return float("inf")
    fastest_s = float(prediction.total_s[possible].min())  # not a number when nothing is known of what was asked for
    return max(objective.patience_s, 2 * fastest_s)


def _order(
    table: CandidateTable, prediction: Prediction, judged: Floats, least: Floats, possible: Bools, *, tier: Ints
) -> Ints:
    """Possible candidates, best first: tier 0, good enough, by the objective; 1 (soon) by quality, 2 (late) by time."""
    index = np.flatnonzero(possible)
    quality, tiers, time = judged[index], tier[index], prediction.total_s[index]
    keys = (
        table.tie_rank[index],
        prediction.memory_mib[index],
        -quality,
        np.where(tiers == 1, time, 0.0),  # a hundredth of quality is not worth minutes
        np.where(tiers == 0, least[index], np.where(tiers == 1, -np.round(quality, 2), time)),
        tiers,
    )
    return index[np.lexsort(keys)]


def _measure(table: CandidateTable, prediction: Prediction, judged: Floats, effect: Effect) -> Floats:
    """What the objective makes least. Where a cost is not known of every candidate the energy stands in, and for that the
    device's time. In a utility, an endpoint elsewhere that nobody priced is too dear for any quality."""
    match effect.objective.minimise:
        case "latency":
            return prediction.total_s
        case "memory":
            return prediction.memory_mib
        case "utility":
            weights = effect.objective.utility
            remote_unpriced = np.isnan(prediction.cost_usd) & table.remote[table.build_of]
            parts = (
                (weights.per_second, prediction.total_s),
                (weights.per_usd, np.where(remote_unpriced, np.inf, prediction.cost_usd)),
                (weights.per_wh, prediction.energy_wh),
                (weights.per_gib, prediction.memory_mib / 1024),
            )
            return sum((weight * np.nan_to_num(column, posinf=np.inf) for weight, column in parts if weight), -judged)
        case "cost" if not np.isnan(prediction.cost_usd).any():
            return prediction.cost_usd
        case _:
            return prediction.total_s if np.isnan(prediction.energy_wh).any() else prediction.energy_wh


def _distinct(
    table: CandidateTable, prediction: Prediction, budgets: Ints, order: Ints, count: int, effect: Effect
) -> tuple[Candidate, ...]:
    """The first `count` candidates of different models: a model that failed is not asked again in another mode."""
    taken: dict[str, int] = {}
    for index in order:
        model_id = table.builds[table.build_of[index]].model.id
        if model_id not in taken:
            taken[model_id] = int(index)
            if len(taken) == count:
                break
    return tuple(candidate_at(table, prediction, budgets, index, sampling=effect.sampling) for index in taken.values())


def _overrides(wishes: Wishes, chosen: Candidate | None) -> tuple[str, ...]:
    """Wishes that the chosen candidate cannot keep, in words."""
    if chosen is None:
        return ()
    kept = []
    if wishes.temperature == 0 and chosen.thinking:
        kept.append("temperature 0 was raised to the recommended one: Qwen loops when it thinks greedily")
    return tuple(kept)
