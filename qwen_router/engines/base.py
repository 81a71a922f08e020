"""What an engine is: the call that it gets, the events that it yields, the protocol that every module here obeys.

An engine runs one model at a time for one call and reports what it has. It decides nothing: the model, the mode, the
budget and the sampling come in the `Call`. `tests/test_engines.py` holds every engine to this contract.

    python -c "from qwen_router.engines.fake import FakeEngine; print(FakeEngine(answers=['4']).installed())"
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from qwen_router.catalog.types import Sampling, ThinkingBehaviour
from qwen_router.hardware.machine import EngineName, ServedBuild
from qwen_router.request import Message, ToolCall, ToolSpec

FinishReason = Literal["stop", "length", "tool_calls", "error"]
ViolationKind = Literal[
    "thought_though_off",  # reasoning came although it was switched off
    "silent_though_on",  # no reasoning came although it was switched on
    "leaked_tag",  # a think or tool-call tag stood in the answer and was taken out
    "answer_in_reasoning",  # thinking off, and the answer came in the reasoning field: promoted
    "budget_exceeded",  # more thinking tokens than the budget
    "empty_answer",  # neither an answer nor a tool call
    "invalid_json",  # a response format was asked for and the answer does not parse
    "no_tool_call",  # a call was required and none came
    "invalid_tool_call",  # a tool call that names no known tool or whose arguments are no object
    "other_model",  # the server says that another model answered than was asked for
]


@dataclass(frozen=True, slots=True)
class ThinkingPlan:
    """Whether to think, and for how many tokens (None: no limit of its own). Off is sent explicitly, never left out.

    A budget of 0 is off: engines take it for no budget.
    """

    enabled: bool
    budget_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.budget_tokens == 0:
            object.__setattr__(self, "enabled", False)


@dataclass(frozen=True, slots=True)
class Call:
    """Everything an engine needs to answer once.

    `model` is the name that the engine itself uses. `behaviour` says what this build can do about thinking.
    `max_answer_tokens` limits the answer alone; thinking has its own budget. `context_tokens` is the window to open
    (Ollama's num_ctx). `prompt_tokens_estimate` is ours, to notice a prompt cut in silence. `timeout_s` bounds the
    wait for the next piece, `first_s` (None: the same) the wait for the first, `connect_s` that for a connection;
    `deadline_at`, on the clock of `time.monotonic`, is when the whole reply must have ended (None: never). `family` is
    the catalog's name for the model's kin, which says what its prompts look like.
    """

    model: str
    messages: tuple[Message, ...]
    thinking: ThinkingPlan
    behaviour: ThinkingBehaviour
    sampling: Sampling
    max_answer_tokens: int
    context_tokens: int
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str | None = None
    response_format: Mapping[str, Any] | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    timeout_s: float = 120.0
    prompt_tokens_estimate: int | None = None
    family: str | None = None
    connect_s: float = 5.0
    first_s: float | None = None
    deadline_at: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as the engine reports them; None where it does not say.

    Engines that count thinking and answer together are common: `split_estimated` says that the sum of the two is theirs
    and the split is ours.
    """

    prompt_tokens: int | None = None
    reasoning_tokens: int | None = None
    answer_tokens: int | None = None
    cached_tokens: int | None = None
    split_estimated: bool = False


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds from the start of the call; `load_s` only where the engine reports it."""

    total_s: float
    first_reasoning_s: float | None = None
    first_answer_s: float | None = None
    load_s: float | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """What the engine did against the decision, and what was done about it."""

    kind: ViolationKind
    detail: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of every stream that did not raise."""

    finish_reason: FinishReason
    usage: Usage
    timings: Timings
    violations: tuple[Violation, ...] = ()


Event = Reasoning | Text | ToolCall | Done


@runtime_checkable
class Engine(Protocol):
    """Runs models. Implementations live in `engines/`, one module each.

    Every method raises only `EngineError` and its kin (or `MissingExtra`). `stream` yields any number of `Reasoning`,
    `Text` and `ToolCall`, then exactly one `Done`; a stray tag never reaches a `Text`. Closing the iterator early
    stops the work. `close` may be called twice.
    """

    name: EngineName
    endpoint: str

    def installed(self) -> tuple[ServedBuild, ...]:
        """Every model that it could run now; resident ones marked."""
        ...

    def stream(self, call: Call) -> Iterator[Event]: ...

    def astream(self, call: Call) -> AsyncIterator[Event]: ...

    def close(self) -> None: ...
