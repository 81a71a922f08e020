"""The shape of a policy file: objective, thinking control, limits, rules, fallback, privacy.

Types only; `load.py` reads files into them and `decide/` obeys them. Every default is what `policies/balanced.yaml` states.

    python -c "from qwen_router.policy import Policy; print(Policy.load('balanced').objective)"
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from qwen_router.catalog.types import Frozen
from qwen_router.hardware.machine import EngineName
from qwen_router.profile.types import Domain
from qwen_router.request import Modality

Share = Annotated[float, Field(ge=0, le=1)]
# YAML reads a bare `on` and `off` as booleans.
_FromYaml = BeforeValidator(lambda value: ("on" if value else "off") if isinstance(value, bool) else value)
OnOff = Annotated[Literal["on", "off"], _FromYaml]
Mode = Annotated[Literal["auto", "off", "on"], _FromYaml]
Measure = Literal["latency", "memory", "cost", "energy"]


class Objective(Frozen):
    """Among candidates whose quality lies within `quality_slack` of the best, take the one with the least `minimise`.

    The best is looked for among those that answer within `patience_s`, or, where nothing is that fast, within twice the
    time of the fastest: a soft limit that refuses nobody (`limits.max_total_s` does). `unsure_quality_slack` replaces the
    slack when the classifier abstains: a doubt leads to a better model, not to a smaller one.
    """

    minimise: Measure = "latency"
    patience_s: float | None = Field(default=60, gt=0)
    quality_slack: Share = 0.05
    unsure_quality_slack: Share = 0.02


class ThinkingControl(Frozen):
    """`auto` lets the prediction choose, `off` and `on` forbid the other; below `min_depth` it stays off."""

    mode: Mode = "auto"
    min_depth: Share = 0.15
    budgets_tokens: tuple[Annotated[int, Field(gt=0)], ...] = Field(default=(1024, 4096, 16384), min_length=1)


class Limits(Frozen):
    """Hard limits; a candidate that breaks one is refused. None means no limit."""

    max_total_s: float | None = Field(default=None, gt=0)
    max_first_token_s: float | None = Field(default=None, gt=0)
    max_memory_mib: float | None = Field(default=None, gt=0)
    min_quality: Share = 0.0
    commercial_licence_only: bool = False


class ContextControl(Frozen):
    """Windows are opened in a few sizes, so that a resident model is not reloaded for a slightly longer prompt."""

    buckets_tokens: tuple[Annotated[int, Field(gt=0)], ...] = Field(
        default=(4096, 8192, 16384, 32768, 65536, 131072, 262144), min_length=1
    )
    max_answer_tokens: int = Field(default=2048, gt=0)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if list(self.buckets_tokens) != sorted(set(self.buckets_tokens)):
            raise ValueError("must rise from the smallest to the largest")
        return self


class When(Frozen):
    """Conditions of a rule; all that are given must hold."""

    domains: tuple[Domain, ...] = ()
    languages: tuple[str, ...] = ()
    modalities: tuple[Modality, ...] = ()
    min_depth: Share | None = None
    max_depth: Share | None = None
    min_input_tokens: int | None = Field(default=None, ge=0)
    has_tools: bool | None = None
    abstained: bool | None = None


class Then(Frozen):
    """What a rule asks for. Names are model ids, short names or patterns such as `Qwen2.5-Coder-*`."""

    only_models: tuple[str, ...] = ()
    never_models: tuple[str, ...] = ()
    thinking: OnOff | None = None
    quality_slack: Share | None = None


class Rule(Frozen):
    """`name` appears in the reason of every candidate that the rule refuses."""

    name: str = Field(min_length=1)
    when: When = When()
    then: Then


class Fallback(Frozen):
    """How many other models may be tried, before the first byte, when the engine of the chosen one fails."""

    attempts: int = Field(default=2, ge=0, le=8)


class Privacy(Frozen):
    """Which engines may see a request."""

    engines: tuple[EngineName, ...] = ()
    remote_endpoints: bool = False


class PolicyFields(Frozen):
    """The keys of a policy file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    description: str = ""
    objective: Objective = Objective()
    thinking: ThinkingControl = ThinkingControl()
    limits: Limits = Limits()
    context: ContextControl = ContextControl()
    quants: tuple[str, ...] = ("q4_K_M", "q8_0", "bf16")
    rules: tuple[Rule, ...] = ()
    fallback: Fallback = Fallback()
    privacy: Privacy = Privacy()
