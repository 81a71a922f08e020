"""Decisions in words: the reason in a line, each candidate's verdict, and the line that programs read.

Renders what `decide()` computed and computes nothing anew, so that the command line, the service and the notebook agree.

    qwen-router route --explain "Prove that there are infinitely many primes"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from qwen_router.decide.decision import Cause, Decision, Verdict


def reason_of(decision: Decision, rules: tuple[str, ...] = ()) -> str:
    """One line: what the request is, what was chosen, and against what."""
    from qwen_router.decide.decision import CAUSES

    profile = decision.profile
    doubt = "unsure, perhaps " if profile.abstained else ""
    what = f"{doubt}{profile.domain} {profile.confidence:.2f}, depth {profile.depth:.2f}"
    if profile.modalities != ("text",):
        what += f", {'+'.join(m for m in profile.modalities if m != 'text')}"
    applied = f"; rules {', '.join(rules)}" if rules else ""
    chosen = decision.chosen
    if chosen is None:
        return f"{what}{applied}: nothing can serve it; {_help(decision)}"
    near = f"best {decision.best_quality:.2f}"
    if decision.patience_s < float("inf"):
        near += f" within {duration(decision.patience_s)}"
    prior = "" if chosen.scored else ", a prior"
    left = int(decision.possible.sum())
    refused = {CAUSES[c]: int(n) for c, n in zip(*np.unique(decision.causes, return_counts=True), strict=True) if c}
    out = ", ".join(f"{n} {cause.replace('_', ' ')}" for cause, n in sorted(refused.items(), key=lambda kv: -kv[1])[:3])
    least = decision.table.policy.objective.minimise
    return (
        f"{what}{applied}: quality {chosen.quality:.2f} ({near}{prior}), about {duration(chosen.total_s)}; "
        f"least {least} of {left} possible" + (f" (refused: {out})" if out else "")
    )


def duration(seconds: float) -> str:
    """Seconds for people: 0.4 s, 12 s, 5 min, 2.5 h."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _help(decision: Decision) -> str:
    """What would help when nothing is left: about the requirement that refused most of what got furthest."""
    from qwen_router.decide.decision import CAUSES

    if not len(decision):
        return "no engine serves a model here; `qwen-router doctor` says what was looked for"
    furthest = CAUSES[int(decision.causes.max())]
    index = np.flatnonzero(decision.causes == CAUSES.index(furthest))
    table, prediction = decision.table, decision.prediction
    match furthest:
        case "memory":
            smallest = int(index[np.argmin(prediction.memory_mib[index])])
            build = table.build_of[smallest]
            return (
                f"the smallest left, {decision.candidate(smallest).label}, needs {prediction.memory_mib[smallest] / 1024:.1f} GiB "
                f"and {table.free_mib[build] / 1024:.1f} GiB are free: free memory, shorten the prompt, or allow smaller quants"
            )
        case "context":
            longest = int(table.context_tokens.max())
            return f"it needs {int(prediction.needed_tokens[index].min())} tokens and the longest window is {longest}: shorten it"
        case "latency" | "first_token":
            return f"the fastest takes {duration(prediction.total_s[index].min())}: raise the limit"
        case "pin":
            return "the wished model is not served here: drop the wish or install it"
        case "modality":
            wanted = "+".join(decision.profile.modalities)
            return f"no model served here takes {wanted}: install a Qwen-VL, -Audio or -Omni"
        case _:
            return f"the last {len(index)} were refused by {furthest.replace('_', ' ')}: loosen that in the policy"


def verdict_at(decision: Decision, index: int) -> Verdict:
    """The verdict on one candidate, in words."""
    from qwen_router.decide.decision import CAUSES, Verdict

    cause = CAUSES[int(decision.causes[index])]
    candidate = decision.candidate(index)
    chosen = decision.chosen
    if cause != "possible":
        return Verdict(candidate, "refused", cause, _refusal(decision, index, cause))
    if chosen is not None and decision.order[0] == index:
        return Verdict(candidate, "chosen", cause, decision.reason)
    if candidate.total_s > decision.patience_s:
        slow = f"{duration(candidate.total_s)} is past the patience of {duration(decision.patience_s)}"
        return Verdict(candidate, "possible", cause, slow)
    if candidate.quality < decision.best_quality - decision.slack:
        gap = decision.best_quality - candidate.quality
        return Verdict(candidate, "possible", cause, f"quality {candidate.quality:.2f}, {gap:.2f} below the best")
    measure = decision.table.policy.objective.minimise
    return Verdict(candidate, "possible", cause, f"good enough, but more {measure} ({duration(candidate.total_s)})")


def _refusal(decision: Decision, index: int, cause: Cause) -> str:
    table, prediction, profile = decision.table, decision.prediction, decision.profile
    build = int(table.build_of[index])
    model = table.builds[build].model
    limits = table.policy.limits
    match cause:
        case "privacy":
            return f"the policy keeps requests from {table.builds[build].engine} at {table.builds[build].endpoint or 'this computer'}"
        case "pin":
            return "another model was asked for"
        case "modality":
            return f"takes {'+'.join(model.modalities)}, not {'+'.join(m for m in profile.modalities if m not in model.modalities)}"
        case "tools":
            return "has no tool template"
        case "rule":
            names = [rule.name for r, rule in enumerate(table.policy.rules) if table.rule_refuses[r, build]]
            return f"refused by the rule {', '.join(repr(name) for name in names)}"
        case "licence":
            return f"licence {model.licence} is not known to allow commercial use"
        case "thinking":
            return f"{'thinking' if table.thinks[index] else 'answering without thinking'} is not wanted here"
        case "depth":
            return f"depth {profile.depth:.2f} is below the {table.policy.thinking.min_depth:g} from which thinking pays"
        case "unknown":
            return "the catalog has no architecture for it, so nothing can be predicted"
        case "context":
            return f"needs {int(prediction.needed_tokens[index])} tokens, was trained for {model.context.native_tokens}"
        case "memory":
            return f"needs {prediction.memory_mib[index] / 1024:.1f} GiB, {table.free_mib[build] / 1024:.1f} GiB free"
        case "memory_limit":
            return f"needs {prediction.memory_mib[index]:.0f} MiB, the policy allows {limits.max_memory_mib:g}"
        case "first_token" | "latency":
            return f"would take {duration(prediction.total_s[index])} ({duration(prediction.first_token_s[index])} to the first token)"
        case "quality":
            return f"quality {prediction.quality[index]:.2f} is below {limits.min_quality:g}"
        case _:
            return cause


def decision_line(decision: Decision) -> dict[str, Any]:
    """The `route` line that programs read: keys as DESIGN fixes them, null where nothing was chosen or is unknown."""
    chosen = decision.chosen
    if chosen is None:
        return {"model": None, "reason": decision.reason, "fallbacks": [], "scope": decision.scope, "decision_id": decision.id}
    return {
        "model": chosen.build.model.id,
        "quant": chosen.build.quant,
        "engine": chosen.build.engine,
        "thinking": {"enabled": chosen.thinking, "budget_tokens": chosen.budget_tokens if chosen.thinking else 0},
        "context_tokens": chosen.context_tokens,
        "sampling": chosen.sampling.model_dump(exclude_none=True),
        "predicted": {
            "quality": round(chosen.quality, 4),
            "quality_sd": round(chosen.quality_sd, 4),
            "ttft_s": round(chosen.first_token_s, 3),
            "total_s": round(chosen.total_s, 3),
            "memory_mib": round(chosen.memory_mib, 1),
            "cost_usd": chosen.cost_usd,
            "energy_wh": None if chosen.energy_wh is None else round(chosen.energy_wh, 4),
        },
        "fallbacks": [f"{c.build.model.id}:{c.build.quant}" for c in decision.fallbacks],
        "reason": decision.reason,
        "scope": decision.scope,
        "how_to_get": chosen.build.how_to_get,
        "overrides": list(decision.overrides),
        "policy": decision.table.policy.name,
        "decision_id": decision.id,
    }
