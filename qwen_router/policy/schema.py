"""The shape of a policy file: objective, thinking control, limits, budgets, prices, rules, fallback, privacy, tests.

Types only; `load.py` reads files into them, `effect.py` says what the rules make of a policy for one request, `decide/`
obeys them. Every default is what `policies/balanced.yaml` states.

    python -c "from qwen_router.policy import Policy; print(Policy.load('balanced').objective)"
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from qwen_router.catalog.types import Frozen, Sampling, SizeClass
from qwen_router.hardware.machine import EngineName
from qwen_router.profile.types import Domain
from qwen_router.request import Modality

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
# YAML reads a bare `on` and `off` as booleans.
_FromYaml = BeforeValidator(lambda value: ("on" if value else "off") if isinstance(value, bool) else value)
OnOff = Annotated[Literal["on", "off"], _FromYaml]
Mode = Annotated[Literal["auto", "off", "on"], _FromYaml]
Measure = Literal["latency", "memory", "cost", "energy", "utility"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HoursOfDay = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]


class Utility(Frozen):
    """What `minimise: utility` weighs against quality: how much quality one unit more is worth giving up for."""

    per_second: float = Field(default=0.0, ge=0)
    per_usd: float = Field(default=0.0, ge=0)
    per_wh: float = Field(default=0.0, ge=0)
    per_gib: float = Field(default=0.0, ge=0)


class Objective(Frozen):
    """Among candidates that are good enough, take the one with the least `minimise`.

    Good enough is a quality within `quality_slack` of the best, or of at least `floor` where that is given (then the best
    where nothing reaches it). The best is looked for among those that answer within `patience_s`, or, where nothing is that
    fast, within twice the time of the fastest: a soft limit that refuses nobody (`limits.max_total_s` does).
    `unsure_quality_slack` replaces the slack when the classifier abstains: a doubt leads to a better model, not to a smaller
    one. `cautious` judges by quality less so many standard deviations. With `minimise: utility` every candidate in time is
    good enough, and quality less the weighted rest is what is compared.
    """

    minimise: Measure = "latency"
    patience_s: float | None = Field(default=60, gt=0)
    quality_slack: Share = 0.05
    unsure_quality_slack: Share = 0.02
    floor: Share | None = None
    cautious: float = Field(default=0.0, ge=0, le=3)
    utility: Utility = Utility()


class ThinkingControl(Frozen):
    """`auto` lets the prediction choose, `off` and `on` forbid the other; below `min_depth` it stays off."""

    mode: Mode = "auto"
    min_depth: Share = 0.15
    budgets_tokens: tuple[Annotated[int, Field(gt=0)], ...] = Field(default=(1024, 4096, 16384), min_length=1)


class Limits(Frozen):
    """Hard limits; a candidate that breaks one is refused. None means no limit.

    A device whose watts nobody knows breaks no limit of energy; an endpoint elsewhere that nobody priced breaks any of cost.
    """

    max_total_s: float | None = Field(default=None, gt=0)
    max_first_token_s: float | None = Field(default=None, gt=0)
    max_memory_mib: float | None = Field(default=None, gt=0)
    max_cost_usd: float | None = Field(default=None, gt=0)
    max_energy_wh: float | None = Field(default=None, gt=0)
    min_quality: Share = 0.0
    commercial_licence_only: bool = False


class Budget(Frozen):
    """What may be spent in a day; None means no bound. What a candidate is predicted to take must still be left."""

    cost_usd: float | None = Field(default=None, gt=0)
    energy_wh: float | None = Field(default=None, gt=0)
    tokens: int | None = Field(default=None, gt=0)


class Budgets(Frozen):
    """Budgets over many requests; one request's are in `limits`. `user_per_day` counts only requests that name a user."""

    user_per_day: Budget = Budget()
    per_day: Budget = Budget()


class Price(Frozen):
    """What a hosted endpoint takes, in US dollars a million tokens. Patterns; the first that matches counts."""

    endpoint: str = "*"
    model: str = "*"
    input_usd_per_mtok: Positive
    output_usd_per_mtok: Positive


class ContextControl(Frozen):
    """Windows are opened in a few sizes, so that a resident model is not reloaded for a slightly longer prompt.

    `tools`: a model is shown as many tools as suit its size (those in use first, the reply says so), or all of them.
    """

    buckets_tokens: tuple[Annotated[int, Field(gt=0)], ...] = Field(
        default=(4096, 8192, 16384, 32768, 65536, 131072, 262144), min_length=1
    )
    max_answer_tokens: int = Field(default=2048, gt=0)
    tools: Literal["by_size", "all"] = "by_size"

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if list(self.buckets_tokens) != sorted(set(self.buckets_tokens)):
            raise ValueError("must rise from the smallest to the largest")
        return self


class When(Frozen):
    """Conditions of a rule; all that are given must hold.

    `users`, `groups` and `tags` are patterns, and one that matches is enough. `hours` is local time and may pass midnight;
    `min_load` and `max_load` are the share of the cores that were busy in the last minute.
    """

    domains: tuple[Domain, ...] = ()
    languages: tuple[str, ...] = ()
    modalities: tuple[Modality, ...] = ()
    min_depth: Share | None = None
    max_depth: Share | None = None
    min_difficulty: Share | None = None
    max_difficulty: Share | None = None
    min_input_tokens: int | None = Field(default=None, ge=0)
    max_input_tokens: int | None = Field(default=None, ge=0)
    has_tools: bool | None = None
    abstained: bool | None = None
    commercial_use: bool | None = None
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    hours: HoursOfDay | None = None
    days: tuple[Weekday, ...] = ()
    min_load: Share | None = None
    max_load: Share | None = None

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        for name in ("depth", "difficulty", "input_tokens", "load"):
            low, high = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if low is not None and high is not None and low > high:
                raise ValueError(f"min_{name} {low:g} is above max_{name} {high:g}")
        return self


class Builds(Frozen):
    """Builds by what they are; of each list that is given one entry must fit. Models are ids, short names or patterns."""

    models: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    sizes: tuple[SizeClass, ...] = ()
    engines: tuple[EngineName, ...] = ()
    quants: tuple[str, ...] = ()
    commercial_use: bool | None = None


class Preference(Builds):
    """Builds that a rule likes or dislikes: `by` so much quality, which moves the choice and no prediction."""

    by: float = Field(default=0.05, gt=0, le=1)


class Then(Frozen):
    """What a rule asks for. Of several rules that apply, requirements add up; of single values the last rule's counts. A
    `quality_slack` counts before that of an `objective`, whichever rule it stands in."""

    require: Builds | None = None
    forbid: Builds | None = None
    pin: str | None = None
    prefer: Preference | None = None
    avoid: Preference | None = None
    thinking: OnOff | None = None
    thinking_budget_tokens: int | None = Field(default=None, gt=0)
    quality_slack: Share | None = None
    objective: Objective | None = None
    limits: Limits | None = None
    max_answer_tokens: int | None = Field(default=None, gt=0)
    sampling: Sampling | None = None
    local_only: bool = False
    fallback_attempts: int | None = Field(default=None, ge=0, le=8)
    policy: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("asks for nothing")
        return self


class Rule(Frozen):
    """`name` appears in the reason of every candidate that the rule refuses."""

    name: str = Field(min_length=1)
    when: When = When()
    then: Then


class Fallback(Frozen):
    """How many other models may be tried, before the first byte, when the engine of the chosen one fails; and after the
    reply, when it is empty, broken, refused, cut or fails the caller's check (`escalate`), the next better one."""

    attempts: int = Field(default=2, ge=0, le=8)
    escalate: bool = False


class Privacy(Frozen):
    """Which engines may see a request. `control_tokens`: whether an engine that would parse them out of a message gets them
    rewritten (the reply says so), or is not asked at all."""

    engines: tuple[EngineName, ...] = ()
    remote_endpoints: bool = False
    control_tokens: Literal["rewrite", "refuse"] = "rewrite"


class Expected(Frozen):
    """What a case expects of the decision; patterns for the model, exact values else."""

    model: str | None = None
    not_model: str | None = None
    family: str | None = None
    size: SizeClass | None = None
    thinking: OnOff | None = None
    rule: str | None = None
    nothing_fits: bool | None = None
    min_quality: Share | None = None
    max_total_s: float | None = Field(default=None, gt=0)


class Case(Frozen):
    """One request with what the policy must decide about it, on a machine by name (`qwen-router policy test`).

    `tools` are names that the request offers, `attachments` kinds of what comes with it; `at` (local time), `day` and `load`
    are what hours, days and load rules ask for, and unknown where they are not given.
    """

    name: str = Field(min_length=1)
    text: str = Field(min_length=1)
    machine: str | None = None
    user: str | None = None
    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    attachments: tuple[Modality, ...] = ()
    at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] | None = None
    day: Weekday | None = None
    load: Share | None = None
    expect: Expected


class PolicyFields(Frozen):
    """The keys of a policy file. `extends` names the policy whose values count where this one says nothing."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    description: str = ""
    extends: str | None = None
    objective: Objective = Objective()
    thinking: ThinkingControl = ThinkingControl()
    limits: Limits = Limits()
    budgets: Budgets = Budgets()
    context: ContextControl = ContextControl()
    quants: tuple[str, ...] = ("q4_K_M", "q8_0", "bf16")
    prices: tuple[Price, ...] = ()
    energy_usd_per_kwh: float | None = Field(default=None, gt=0)
    rules: tuple[Rule, ...] = ()
    fallback: Fallback = Fallback()
    privacy: Privacy = Privacy()
    tests: tuple[Case, ...] = ()


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a policy file, for editors."""
    schema = PolicyFields.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "qwen-router policy"}
