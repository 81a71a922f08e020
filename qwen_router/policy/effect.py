"""What the rules of a policy make of it for one request: which apply, and what then counts.

Pure: the time, the machine's load and what was spent today come in `Circumstances`. Which builds a rule allows is worked out
once a table (`decide/candidates.py`); here are the single values.

    python -c "from qwen_router.policy.effect import Circumstances; print(Circumstances())"
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from qwen_router.catalog.types import Sampling
from qwen_router.errors import InvalidPolicy
from qwen_router.policy.load import Policy
from qwen_router.policy.schema import Budget, Limits, Mode, Objective, Rule, Weekday
from qwen_router.profile.types import Profile
from qwen_router.request import Request


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent today: US dollars, watt-hours, generated tokens."""

    cost_usd: float = 0.0
    energy_wh: float = 0.0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Previous:
    """What answered this session last, and how many tokens of the conversation its engine may still hold. `build` is the
    engine's name, its endpoint, and the name of the model there."""

    build: tuple[str, str, str]
    thinks: bool
    budget_tokens: int
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a decision depends on besides request and machine. None is unknown: a condition on it does not hold.

    `waiting` says how many replies an engine is busy with: its name, its endpoint, their number. `resting` are endpoints
    that must not be asked now: name, endpoint, why. `holder` is who answered this conversation last where several endpoints
    serve one model: name, endpoint, the model's name there.
    """

    minute_of_day: int | None = None
    weekday: Weekday | None = None
    load: float | None = None
    spent_by_user: Spent = field(default_factory=Spent)
    spent: Spent = field(default_factory=Spent)
    previous: Previous | None = None
    waiting: tuple[tuple[str, str, int], ...] = ()
    resting: tuple[tuple[str, str, str], ...] = ()
    holder: tuple[str, str, str] | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """The policy as it counts for one request. `rules` are the places of those that apply; `policy` names another one that
    the last of them asks for instead. `left` is what the budgets leave for this request."""

    rules: tuple[int, ...]
    objective: Objective
    quality_slack: float
    limits: Limits
    mode: Mode
    budget_cap_tokens: int | None
    max_answer_tokens: int
    fallback_attempts: int
    sampling: Sampling | None
    local_only: bool
    left: Budget
    exhausted: str | None
    policy: str | None


def follow(
    policy: Policy, request: Request, profile: Profile, now: Circumstances, *, load: Callable[[str], Policy]
) -> tuple[Policy, ...]:
    """The policies that a request goes through, the one that counts last: rules may hand it to another.

    Raises `InvalidPolicy` when they go in a circle, and what `load` raises for a name that is none.
    """
    walked = [policy]
    while (name := effect_of(walked[-1], request, profile, now).policy) is not None:
        names = [each.name for each in walked]
        if name in names:
            raise InvalidPolicy(f"the policies send one another on: {' -> '.join((*names, name))}", fix="break the circle")
        walked.append(load(name))
    return tuple(walked)


def applies(rule: Rule, request: Request, profile: Profile, circumstances: Circumstances) -> bool:
    """Whether every condition of the rule holds for this request."""
    when, now = rule.when, circumstances
    return (
        (not when.domains or profile.domain in when.domains)
        and (
            not when.languages
            or any(language in when.languages for language in (profile.language, *profile.output_languages))
        )
        and (not when.modalities or any(m in profile.modalities for m in when.modalities))
        and _within(profile.depth, when.min_depth, when.max_depth)
        and _within(profile.difficulty, when.min_difficulty, when.max_difficulty)
        and _within(profile.input_tokens, when.min_input_tokens, when.max_input_tokens)
        and (when.has_tools is None or bool(request.tools) == when.has_tools)
        and (when.abstained is None or profile.abstained == when.abstained)
        and (when.commercial_use is None or request.commercial_use == when.commercial_use)
        and (not when.users or _any_match((request.user,), when.users))
        and (not when.groups or _any_match(request.groups, when.groups))
        and (not when.tags or _any_match(request.tags, when.tags))
        and (when.hours is None or _in_hours(now.minute_of_day, when.hours))
        and (not when.days or now.weekday in when.days)
        and (when.min_load is None or (now.load is not None and now.load >= when.min_load))
        and (when.max_load is None or (now.load is not None and now.load <= when.max_load))
    )


def effect_of(policy: Policy, request: Request, profile: Profile, circumstances: Circumstances) -> Effect:
    """What counts for this request: the policy's values, then those of every rule that applies, in order."""
    chosen = tuple(r for r, rule in enumerate(policy.rules) if applies(rule, request, profile, circumstances))
    thens = [policy.rules[r].then for r in chosen]

    def last(name: str, default: object) -> object:
        return next((value for then in reversed(thens) if (value := getattr(then, name)) is not None), default)

    objective = last("objective", policy.objective)
    assert isinstance(objective, Objective)
    slack = objective.unsure_quality_slack if profile.abstained else objective.quality_slack
    left, exhausted = _left(policy, request, circumstances)
    return Effect(
        rules=chosen,
        objective=objective,
        quality_slack=float(last("quality_slack", slack)),  # type: ignore[arg-type]
        limits=_tightest([policy.limits, *(then.limits for then in thens if then.limits is not None)]),
        mode=last("thinking", policy.thinking.mode),  # type: ignore[arg-type]
        budget_cap_tokens=last("thinking_budget_tokens", None),  # type: ignore[arg-type]
        max_answer_tokens=int(last("max_answer_tokens", policy.context.max_answer_tokens)),  # type: ignore[call-overload]
        fallback_attempts=int(last("fallback_attempts", policy.fallback.attempts)),  # type: ignore[call-overload]
        sampling=last("sampling", None),  # type: ignore[arg-type]
        local_only=any(then.local_only for then in thens),
        left=left,
        exhausted=exhausted,
        policy=last("policy", None),  # type: ignore[arg-type]
    )


def _tightest(limits: Sequence[Limits]) -> Limits:
    """Every limit that any of them sets, the tightest where several do."""
    least = {
        name: min((value for each in limits if (value := getattr(each, name)) is not None), default=None)
        for name in ("max_total_s", "max_first_token_s", "max_memory_mib", "max_cost_usd", "max_energy_wh")
    }
    return Limits(
        **least,
        min_quality=max(each.min_quality for each in limits),
        commercial_licence_only=any(each.commercial_licence_only for each in limits),
    )


def _left(policy: Policy, request: Request, now: Circumstances) -> tuple[Budget, str | None]:
    """What the day's budgets leave, the tighter of all and the user's; and which one is used up, if one is."""
    pairs = [("the day's", policy.budgets.per_day, now.spent)]
    if request.user is not None:
        pairs.append((f"{request.user}'s", policy.budgets.user_per_day, now.spent_by_user))
    left: dict[str, float] = {}
    for whose, budget, spent in pairs:
        for name in ("cost_usd", "energy_wh", "tokens"):
            bound = getattr(budget, name)
            if bound is None:
                continue
            rest = bound - getattr(spent, name)
            if rest <= 0:
                return Budget(), f"{whose} budget of {bound:g} {name.replace('_', ' ')} is used up"
            left[name] = min(rest, left.get(name, rest))
    return Budget.model_construct(
        cost_usd=left.get("cost_usd"),
        energy_wh=left.get("energy_wh"),
        tokens=int(left["tokens"]) if "tokens" in left else None,
    ), None


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _any_match(names: Sequence[str | None], patterns: Sequence[str]) -> bool:
    return any(name is not None and fnmatchcase(name.lower(), p.lower()) for p in patterns for name in names)


def _in_hours(minute: int | None, hours: str) -> bool:
    if minute is None:
        return False
    start, end = (int(part[:2]) * 60 + int(part[3:]) for part in hours.split("-"))
    return start <= minute < end if start <= end else minute >= start or minute < end
