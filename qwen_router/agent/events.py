"""What happens while an agent works, as values: events one by one, and the report at the end. No LangChain here.

Every event turns into one line of JSON (`as_json`), which `qwen-router agent --json` prints; the trace on a terminal is made
from the same. Texts of tools are cut to what is shown; the checkpoints have them whole.

    python -c "from qwen_router.agent.events import Limits; print(Limits.read('2000 tokens, 0.05 usd, 60 s'))"
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from qwen_router.errors import InvalidRequest

Stop = Literal["done", "steps", "budget", "stalled", "empty", "approval", "verification", "error", "interrupted"]
STOPS: tuple[Stop, ...] = get_args(Stop)
"""Why a run ended."""
RESUMABLE: tuple[Stop, ...] = ("approval", "interrupted", "error")
"""Runs that can go on: once a person has spoken, at once, once the cause is gone."""

_AMOUNT = re.compile(r"([\d_.]+)\s*(k|tokens?|tok|t|usd|dollars?|s|sec|seconds?|m|min|minutes?|h|hours?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may spend: `max_steps` model calls, and tokens (read and written), dollars, seconds; None: no limit."""

    max_steps: int = 20
    tokens: int | None = None
    cost_usd: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        """Raises `InvalidRequest` for a limit that nothing can keep."""
        if not isinstance(self.max_steps, int) or self.max_steps < 1:
            raise InvalidRequest(f"max_steps is {self.max_steps!r}", fix="give a whole number from 1")
        for name in ("tokens", "cost_usd", "seconds"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and 0 < value < float("inf")):
                raise InvalidRequest(f"{name} is {value!r}", fix="give a number above 0, or leave it out")

    @classmethod
    def read(cls, text: str, *, max_steps: int = 20) -> Limits:
        """`5000 tokens`, `0.05 usd`, `90 s`, or several with commas. Raises `InvalidRequest` for anything else."""
        found: dict[str, float] = {}
        for part in text.split(","):
            part = part.strip()
            match = _AMOUNT.fullmatch(f"{part[1:]} usd" if part.startswith("$") else part)
            try:
                amount = float(match[1].replace("_", "")) if match else 0.0
            except ValueError:
                amount = 0.0
            if match is None or not 0 < amount < float("inf"):
                raise InvalidRequest(f"the budget holds {part!r}", fix="write 5000 tokens, 0.05 usd or 90 s")
            unit = match[2].lower()
            kind, factor = ("seconds", {"m": 60, "h": 3600}.get(unit[0], 1))
            if unit[0] in "tk":
                kind, factor = ("tokens", 1000 if unit == "k" else 1)
            elif unit[0] in "ud":
                kind, factor = ("cost_usd", 1)
            if kind in found:
                raise InvalidRequest(f"the budget names {kind} twice: {text!r}", fix="give each once")
            found[kind] = amount * factor
        tokens = max(1, int(found["tokens"])) if "tokens" in found else None
        return cls(max_steps, tokens, found.get("cost_usd"), found.get("seconds"))


@dataclass(frozen=True, slots=True)
class Spending:
    """What was spent so far, specialists that tools asked included. `cost_usd` and `energy_wh` are sums of what is known;
    `unpriced` counts the replies whose price is not."""

    model_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float = 0.0
    energy_wh: float = 0.0
    unpriced: int = 0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Approval:
    """A call that waits for a person: what a dangerous tool would be called with."""

    tool: str
    arguments: Mapping[str, Any]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    run: str
    task: str
    tools: tuple[str, ...]
    plan: tuple[str, ...] = ()
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class ModelCalled:
    """One model call: who answered, what it said or which tools it calls, and what it took."""

    step: int
    model: str
    quant: str
    engine: str
    thinking: bool
    seconds: float
    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    text: str = ""
    calls: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """One tool call that ended; `problem` names what went wrong."""

    tool: str
    arguments: Mapping[str, Any]
    output: str
    seconds: float
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The run waits for a person's word on these calls."""

    approvals: tuple[Approval, ...]


@dataclass(frozen=True, slots=True)
class Approved:
    """What a person said of a call."""

    tool: str
    approved: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that the agent did on its own account: a check that failed, an escalation, a reminder."""

    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """The end of a run. `answer` is None where there is none; `stop` says why it ended, `detail` in which way.

    `checked` are the findings of verification, `pending` the calls that wait for approval, `models` and `tools` count calls.
    `exit_code` is what a command ends with.
    """

    run: str
    task: str
    answer: str | None
    stop: Stop
    detail: str = ""
    steps: int = 0
    spending: Spending = field(default_factory=Spending)
    models: Mapping[str, int] = field(default_factory=dict)
    tools: Mapping[str, int] = field(default_factory=dict)
    checked: tuple[str, ...] = ()
    pending: tuple[Approval, ...] = ()
    exit_code: int = 0

    @property
    def done(self) -> bool:
        return self.stop == "done"


@dataclass(frozen=True, slots=True)
class Finished:
    report: Report


AgentEvent = Started | ModelCalled | ToolCalled | Waiting | Approved | Noted | Finished


def as_json(event: AgentEvent) -> dict[str, Any]:
    """`{"event": "tool_called", ...}`: plain JSON values; numbers that JSON has no sign for become their text."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    plain: dict[str, Any] = _plain({"event": name, **asdict(event)})
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
