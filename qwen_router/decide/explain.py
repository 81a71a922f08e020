"""Decisions in words: the reason in a line, each candidate's verdict, and the line that programs read.

Renders what `decide()` computed and computes nothing anew, so that the command line, the service and the notebook agree.

    qwen-router route --explain "Prove that there are infinitely many primes"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from qwen_router.decide.decision import Cause, Decision, Verdict


NO_OPINION = 0.2
"""Below this confidence no domain stands out among nine, so none is named."""
IN_WORDS: dict[Cause, str] = {
    "privacy": "kept away by privacy",
    "pin": "not asked for",
    "modality": "cannot take the attachment",
    "tools": "without tools",
    "control_tokens": "that would parse control tokens",
    "rule": "by a rule",
    "licence": "by licence",
    "thinking": "in another thinking mode",
    "depth": "would think needlessly",
    "unknown": "unknown",
    "context": "with too small a window",
    "memory": "without room",
    "memory_limit": "over the memory limit",
    "first_token": "too slow to start",
    "latency": "too slow",
    "cost": "too dear",
    "energy": "over the energy limit",
    "budget": "over the budget",
    "quality": "not good enough",
    "endpoint": "at an endpoint that rests",
}


def reason_of(decision: Decision) -> str:
    """One line: what the request is, what was chosen, and against what."""
    from qwen_router.decide.decision import CAUSES

    profile = decision.profile
    doubt = "unsure, perhaps " if profile.abstained else ""
    what = f"{doubt}{profile.domain} {profile.confidence:.2f}, depth {profile.depth:.2f}"
    if profile.abstained and profile.confidence < NO_OPINION:
        what = "no text to judge by"
    if profile.modalities != ("text",):
        what += f", {'+'.join(m for m in profile.modalities if m != 'text')}"
    rules = [decision.table.policy.rules[r].name for r in decision.effect.rules]
    applied = f"; rules {', '.join(rules)}" if rules else ""
    chosen = decision.chosen
    if chosen is None:
        return f"{what}{applied}: nothing can serve it; {_help(decision)}"
    near = f"best {decision.best_quality:.2f}"
    if decision.patience_s < float("inf"):
        near += f" within {duration(decision.patience_s)}"
    prior = "" if chosen.scored else f"; no published score in {profile.domain}"
    left = int(decision.possible.sum())
    refused = {CAUSES[c]: n for c, n in enumerate(np.bincount(decision.causes).tolist()) if c and n}
    out = ", ".join(f"{n} {IN_WORDS[cause]}" for cause, n in sorted(refused.items(), key=lambda kv: -kv[1])[:3])
    least = decision.effect.objective.minimise
    if decision.kept is not None:
        applied += f"; {decision.kept}"
    if decision.placed is not None:
        applied += f"; {decision.placed}"
    return (
        f"{what}{applied}: quality {chosen.quality:.2f} ({near}{prior}), about {duration(chosen.total_s)}; "
        f"least {least} of {left} possible" + (f" (refused: {out})" if out else "")
    )


def duration(seconds: float | None) -> str:
    """Seconds for people: 0.4 s, 12 s, 5 min, 2.5 h."""
    if seconds is None:
        return "unknown"
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
            needs_gib = prediction.memory_mib[smallest] / 1024
            free_gib = table.free_mib[table.build_of[smallest]] / 1024
            return (
                f"the smallest left, {decision.candidate(smallest).label}, needs {needs_gib:.1f} GiB and {free_gib:.1f} GiB "
                "are free: free memory, shorten the prompt, or allow smaller quants"
            )
        case "context":
            needed, longest = int(prediction.needed_tokens[index].min()), int(table.context_tokens.max())
            return f"it needs {needed} tokens and the longest window is {longest}: shorten it"
        case "latency" | "first_token":
            return f"the fastest takes {duration(prediction.total_s[index].min())}: raise the limit"
        case "pin":
            return "the wished model is not served here: drop the wish or install it"
        case "budget" if decision.effect.exhausted is not None:
            return f"{decision.effect.exhausted}: wait until tomorrow or raise it"
        case "endpoint":
            whys = dict.fromkeys(f"{engine} at {endpoint}: {why}" for engine, endpoint, why in decision.resting)
            return f"what could is left alone for a while ({'; '.join(whys)}): try again soon"
        case "modality":
            if "file" in decision.profile.modalities:
                return "no model reads files: send the text of the file in the message"
            wanted = "+".join(decision.profile.modalities)
            return f"no model served here takes {wanted}: install a Qwen-VL, -Audio or -Omni"
        case _:
            if furthest == "control_tokens":
                return "control tokens in a message: allow rewriting (privacy.control_tokens), or serve it with transformers"
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
    if any(candidate.build == twin.build and candidate.thinking == twin.thinking for twin in decision.twins):
        return Verdict(candidate, "possible", cause, "the same at another endpoint, asked first when that one fails")
    if candidate.total_s is None or candidate.total_s > decision.patience_s:
        slow = f"{duration(candidate.total_s)} is past the patience of {duration(decision.patience_s)}"
        return Verdict(candidate, "possible", cause, slow)
    if candidate.quality < decision.best_quality - decision.slack:
        gap = decision.best_quality - candidate.quality
        return Verdict(candidate, "possible", cause, f"quality {candidate.quality:.2f}, {gap:.2f} below the best")
    measure = decision.effect.objective.minimise
    return Verdict(candidate, "possible", cause, f"good enough, but more {measure} ({duration(candidate.total_s)})")


def _refusal(decision: Decision, index: int, cause: Cause) -> str:
    build = decision.table.builds[int(decision.table.build_of[index])]
    model, needs = build.model, decision.profile.modalities
    match cause:
        case "privacy":
            return f"the policy keeps requests from {build.engine} at {build.endpoint or 'this computer'}"
        case "pin":
            return "another model was asked for"
        case "modality":
            missing = "+".join(m for m in needs if m not in model.modalities)
            return f"takes {'+'.join(model.modalities)}, not {missing}"
        case "tools":
            return "has no tool template"
        case "control_tokens":
            return f"{build.engine} parses control tokens in messages, and the policy refuses to rewrite them"
        case "rule":
            refusing = decision.table.rule_refuses[:, decision.table.build_of[index]]
            rules = decision.table.policy.rules
            return f"refused by the rule {', '.join(repr(rules[r].name) for r in decision.effect.rules if refusing[r])}"
        case "licence":
            return f"licence {model.licence} is not known to allow commercial use"
        case "thinking":
            mode = "thinking" if decision.table.thinks[index] else "answering without thinking"
            return f"{mode} is not wanted here"
        case "endpoint":
            return next(why for e, at, why in decision.resting if (e, at) == (build.engine, build.endpoint))
        case "unknown":
            return "the catalog does not have its whole architecture, so nothing can be predicted"
        case _:
            return _refusing_number(decision, index, cause)


def _refusing_number(decision: Decision, index: int, cause: Cause) -> str:
    """The refusals in which one predicted number breaks a limit."""
    table, prediction, limits = decision.table, decision.prediction, decision.effect.limits
    build = int(table.build_of[index])
    match cause:
        case "depth":
            least = table.policy.thinking.min_depth
            return f"depth {decision.profile.depth:.2f} is below the {least:g} from which thinking pays"
        case "context":
            trained = table.builds[build].model.context.native_tokens
            return f"needs {int(prediction.needed_tokens[index])} tokens, was trained for {trained}"
        case "memory":
            return f"needs {prediction.memory_mib[index] / 1024:.1f} GiB, {table.free_mib[build] / 1024:.1f} GiB free"
        case "memory_limit":
            return f"needs {prediction.memory_mib[index]:.0f} MiB, the policy allows {limits.max_memory_mib:g}"
        case "first_token":
            return f"the first token would take {duration(prediction.first_token_s[index])}"
        case "latency":
            return f"would take {duration(prediction.total_s[index])}"
        case "cost":
            cost = prediction.cost_usd[index]
            return "nobody said what this endpoint costs" if np.isnan(cost) else f"would cost {cost:.4f} US dollars"
        case "energy":
            return f"would take {prediction.energy_wh[index]:.2f} Wh"
        case "budget":
            return decision.effect.exhausted or "would take more than is left of the day's budget"
        case "quality":
            return f"quality {prediction.quality[index]:.2f} is below {limits.min_quality:g}"
        case _:
            raise AssertionError(cause)


def gib(mib: float | None) -> str:
    """MiB as GiB for people."""
    return "unknown" if mib is None else f"{mib / 1024:.1f} GiB"


def _rounded(value: float | None, places: int) -> float | None:
    return None if value is None else round(value, places)


def decision_line(decision: Decision) -> dict[str, Any]:
    """The `route` line that programs read: keys as DESIGN fixes them, null where nothing was chosen or is unknown."""
    chosen = decision.chosen
    if chosen is None:
        return {
            "model": None,
            "reason": decision.reason,
            "fallbacks": [],
            "scope": decision.scope,
            "decision_id": decision.id,
        }
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
            "ttft_s": _rounded(chosen.first_token_s, 3),
            "total_s": _rounded(chosen.total_s, 3),
            "memory_mib": _rounded(chosen.memory_mib, 1),
            "cost_usd": chosen.cost_usd,
            "energy_wh": _rounded(chosen.energy_wh, 4),
        },
        "fallbacks": [f"{c.build.model.id}:{c.build.quant}" for c in decision.fallbacks],
        "reason": decision.reason,
        "scope": decision.scope,
        "how_to_get": chosen.build.how_to_get,
        "overrides": list(decision.overrides),
        "policy": decision.table.policy.name,
        "decision_id": decision.id,
    }
