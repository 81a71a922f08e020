"""The reply: what the caller gets at the end of the walk, and how a stream of events becomes one.

python -c "from qwen_router import Router; print(Router().ask('What is 12 + 30?').answer)"
"""

from __future__ import annotations

from dataclasses import dataclass, field

from qwen_router.decide import Candidate, Decision
from qwen_router.engines.base import Done, Event, FinishReason, Reasoning, Text, Timings, Usage, Violation
from qwen_router.request import ToolCall


@dataclass(frozen=True)
class Reply:
    """One answer with everything that led to it.

    `served_by` is the candidate that answered: the chosen one, or a fallback; then `failed_attempts` says what went wrong
    before. `violations` list what the engine did against the decision, `changes` what was done to the request on its way to
    the engine (control tokens made plain, tools kept back, whose names are `hidden_tools`). `cost_usd` and `energy_wh` are
    this reply's alone, None where no price or power is known. `notice` is set when a demonstration model answered. `fault`
    is what is wrong with this very reply where `ask` looked and no stronger model was left to ask.
    """

    answer: str
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: FinishReason
    usage: Usage
    timings: Timings
    violations: tuple[Violation, ...]
    decision: Decision
    served_by: Candidate
    failed_attempts: tuple[str, ...] = ()
    notice: str | None = None
    fault: str | None = None
    changes: tuple[str, ...] = ()
    cost_usd: float | None = None
    energy_wh: float | None = None
    hidden_tools: tuple[str, ...] = ()


@dataclass
class ReplyBuilder:
    """Collects the events of one stream."""

    answer: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    tool_calls: list[ToolCall] = field(default_factory=list)
    done: Done | None = None

    def add(self, event: Event) -> None:
        match event:
            case Text(text):
                self.answer.append(text)
            case Reasoning(text):
                self.reasoning.append(text)
            case ToolCall():
                self.tool_calls.append(event)
            case Done():
                self.done = event
