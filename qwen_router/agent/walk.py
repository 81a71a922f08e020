"""One run while it goes on: its graph, its place in the checkpoints, and what can be read from there.

python -c "from qwen_router.agent.walk import Walk; help(Walk)"
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import RunnableConfig

from qwen_router.agent.events import AgentEvent, Approval, Report, Stop
from qwen_router.agent.guard import CUT
from qwen_router.agent.meter import Meter
from qwen_router.agent.plan import Plan

GOODBYE_S = 5.0
"""How long a run that is left may take to write what it has."""


@dataclass(frozen=True, slots=True)
class _End:
    """The last thing that a run's thread tells."""

    error: BaseException | None = None


@dataclass
class Walk:
    """`graph` is the compiled agent; everything else that lasts is in its checkpoints."""

    run: str
    task: str
    plan: Plan
    meter: Meter
    graph: Any = field(default=None, repr=False)
    abandoned: threading.Event = field(default_factory=threading.Event, repr=False)
    ended: bool = False

    @property
    def config(self) -> RunnableConfig:
        return {"configurable": {"thread_id": self.run}}

    def stream(self, start: Any) -> Iterator[AgentEvent]:
        """Run from `start` (None: from the last checkpoint) and yield what is told. Raises what the run raises.

        The graph runs in a thread of its own, because LangGraph waits for its tasks before it lets an interrupt through:
        here Ctrl-C, or closing the iterator, ends a run at once and leaves behind what it was waiting for.
        """
        told: queue.SimpleQueue[AgentEvent | _End] = queue.SimpleQueue()

        def run() -> None:
            try:
                for event in self.graph.stream(start, self.config, stream_mode="custom", durability="sync"):
                    told.put(event)
                told.put(_End())
            except BaseException as error:  # handed over to whoever iterates
                told.put(_End(error))

        thread = threading.Thread(target=copy_context().run, args=(run,), name=f"qwen-router run {self.run}", daemon=True)
        thread.start()
        try:
            while not isinstance(event := told.get(), _End):
                yield event
        except BaseException:
            self.abandoned.set()
            raise
        finally:
            thread.join(GOODBYE_S)
        if event.error is not None:
            raise event.error

    def values(self) -> dict[str, Any]:
        """The state as it was kept last; empty for a run that has none."""
        values: dict[str, Any] = self.graph.get_state(self.config).values
        return values

    def called(self) -> set[str]:
        """The tools of the last reply's calls, which may not have been answered yet."""
        last = next((m for m in reversed(self.values().get("messages", ())) if isinstance(m, AIMessage)), None)
        return {call["name"] for call in last.tool_calls} if last is not None else set()

    def waiting(self) -> tuple[Approval, ...]:
        """The calls that wait for a person's word."""
        requests = (interrupt.value["action_requests"] for interrupt in self.graph.get_state(self.config).interrupts)
        return tuple(Approval(a["name"], a["args"], a.get("description", "")) for actions in requests for a in actions)

    def report(self, stop: Stop, detail: str, *, exit_code: int) -> Report:
        """What came of the run so far."""
        values = self.values()
        last = next((m for m in reversed(values.get("messages", ())) if isinstance(m, AIMessage | ToolMessage)), None)
        answer = ""
        if isinstance(last, AIMessage) and not last.tool_calls and stop != "empty":
            answer = last.text.strip()
            if last.response_metadata.get("finish_reason") == "length":
                detail = detail or CUT
        elif isinstance(last, ToolMessage) and stop == "done":  # a tool whose answer is the run's
            answer = last.text.strip()
        pending = self.waiting() if stop == "approval" else ()
        if stop == "done" and not answer:
            stop, detail = "empty", "the model gave no answer"
        spending = self.meter.spending
        return Report(
            run=self.run,
            task=self.task,
            answer=answer or None,
            stop=stop,
            detail=detail or ", ".join(f"{approval.tool} waits for approval" for approval in pending),
            steps=spending.model_calls,
            spending=spending,
            models=dict(self.meter.models),
            tools=dict(self.meter.tools),
            checked=tuple(values.get("verified") or ()),
            pending=pending,
            exit_code=0 if stop == "done" else exit_code,
        )
