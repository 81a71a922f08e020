"""The agent's own middleware: limits, tools that misbehave, replies that hold nothing, loops, and an event for each step.

One is made for each run. Which model answers is RouterMiddleware's business, whether the answer is right verification's, who
may run a dangerous tool is asked by LangChain's HumanInTheLoopMiddleware.

    python -c "from qwen_router.agent import Agent, Limits; print(Agent(limits=Limits(max_steps=1)).run('Hello'))"
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, NotRequired

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse, ToolCallRequest, hook_config
from langchain.agents.middleware.types import OmitFromInput, PrivateStateAttr
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage
from langgraph.errors import GraphBubbleUp
from langgraph.runtime import Runtime
from langgraph.types import Command

from qwen_router.agent.events import AgentEvent, Limits, ModelCalled, Noted, ToolCalled
from qwen_router.agent.meter import Meter
from qwen_router.agent.runs import StartedCalls
from qwen_router.agent.tool_call import invoked, only_async
from qwen_router.agent.tool_result import ToolTimeout, as_data, as_text, cut, in_envelope, within, wrong_kind
from qwen_router.langchain.middleware import RouterState
from qwen_router.tool_context import ToolContext, using
from qwen_router.tooling import ToolSignature

SAME_CALLS, OF_THE_LAST = 5, 10
"""So many equal calls of the last ten end a run; RouterMiddleware tries a stronger model from three of six on."""
REMINDERS = 2
"""So often a reply that holds nothing is asked for again, the second time from a stronger model."""
CUT = "the answer was cut at its limit"
_EVENT_CHARS = 2000


class GuardState(RouterState):
    """`stopped` is the named stop, `reminders` how often a reply held nothing, `meter` what was spent (`Meter.kept`)."""

    stopped: NotRequired[Annotated[str, OmitFromInput]]
    reminders: NotRequired[Annotated[int, PrivateStateAttr]]
    meter: NotRequired[Annotated[dict[str, Any], PrivateStateAttr]]


class Guard(AgentMiddleware[GuardState, Any, Any]):
    """Holds a run to `limits`, its tools to their signatures, and tells what happens through `tell`."""

    state_schema = GuardState

    def __init__(
        self,
        *,
        limits: Limits,
        meter: Meter,
        context: ToolContext,
        signatures: Mapping[str, ToolSignature],
        started: StartedCalls,
        tell: Callable[[AgentEvent], None],
        abandoned: threading.Event,
    ) -> None:
        super().__init__()
        self._limits, self._meter, self._context = limits, meter, context
        self._signatures, self._started, self.tell = signatures, started, tell
        self._abandoned = abandoned

    # ── around the model ────────────────────────────────────────────────────────────────────────────────────────────

    @hook_config(can_jump_to=["end"])
    def before_model(self, state: GuardState, runtime: Runtime[Any]) -> dict[str, Any] | None:
        """End the run where a limit is reached, or where it goes round in circles."""
        if state.get("stopped"):
            return {"jump_to": "end"}
        over = self._meter.over(self._limits)
        if over is not None:
            return {"stopped": f"budget: {over} are spent", "jump_to": "end"}
        if self._meter.spending.model_calls >= self._limits.max_steps:
            return {"stopped": f"steps: the limit of {self._limits.max_steps} model calls is reached", "jump_to": "end"}
        stalled = stalled_call(state["messages"])
        if stalled is not None:
            return {"stopped": f"stalled: {stalled}", "jump_to": "end"}
        return {"meter": self._meter.kept()}

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Count and tell the call; the last one that is allowed gets no tools, so that it ends in an answer."""
        step = self._meter.spending.model_calls + 1
        if step >= self._limits.max_steps and step > 1:
            request = request.override(tools=[], tool_choice=None, messages=[*request.messages, _LAST_STEP])
        began = time.perf_counter()
        response = within(None, lambda: handler(request), name="model call", abandoned=self._abandoned)
        response = replace(response, result=[_storable(message) for message in response.result])
        message = next((m for m in reversed(response.result) if isinstance(m, AIMessage)), None)
        if message is not None:
            self._meter.model_called(message)
            self.tell(_model_called(step, message, time.perf_counter() - began))
        return response

    @hook_config(can_jump_to=["model", "end"])
    def after_model(self, state: GuardState, runtime: Runtime[Any]) -> dict[str, Any] | None:
        """Ask again for a reply that holds neither an answer nor a call, the second time from a stronger model."""
        update: dict[str, Any] = {"meter": self._meter.kept()}
        message = next((m for m in reversed(state["messages"]) if isinstance(m, AIMessage)), None)
        fault, why = (None, "") if message is None else _fault(message)
        if fault is None:
            return update
        reminders = state.get("reminders", 0)
        if reminders >= REMINDERS:
            return {**update, "stopped": f"empty: {fault}, {reminders + 1} times", "jump_to": "end"}
        update |= {
            "reminders": reminders + 1,
            "jump_to": "model",
            "messages": [_reminder(f"Your last reply held {fault}{why}.")],
        }
        if reminders == REMINDERS - 1:
            update["router_escalation"] = f"two replies with {fault}"
        self.tell(Noted(f"the reply held {fault}{why}: asked again"))
        return update

    # ── around a tool ───────────────────────────────────────────────────────────────────────────────────────────────

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        """Run the tool within its time and rights; its result is cut, of its kind, and marked where strangers wrote it."""
        call, began = request.tool_call, time.perf_counter()
        signature = self._signatures.get(call["name"])
        untrusted = signature is not None and signature.untrusted
        dangerous = signature is not None and signature.dangerous
        if dangerous and not self._started.start(_place(request.state["messages"], call)):
            text = "it was begun before this run was interrupted: whether it was done is unknown, so it is not done again"
            return self._ended(call, text, began, problem=text)
        try:
            result = within(
                signature.timeout_s if signature is not None else 30.0,
                lambda: self._run(request, handler),
                name=call["name"],
                abandoned=self._abandoned,
            )
        except GraphBubbleUp:
            raise
        except ToolTimeout as error:
            return self._ended(call, str(error), began, problem=str(error))
        except (Exception, SystemExit) as error:  # a tool may raise anything; the model gets to read it
            problem = cut(as_text(f"{type(error).__name__}: {error}"), 600)
            return self._ended(call, f"{call['name']} failed: {problem}", began, problem=problem, untrusted=untrusted)
        if isinstance(result, ToolMessage):
            return self._read(result, request, began, untrusted=untrusted)
        if isinstance(result.update, dict) and "messages" in result.update:
            messages = [
                self._read(m, request, began, untrusted=untrusted) if isinstance(m, ToolMessage) else m
                for m in result.update["messages"]
            ]
            return replace(result, update={**result.update, "messages": messages})
        return result

    def _read(self, message: ToolMessage, request: ToolCallRequest, began: float, *, untrusted: bool) -> ToolMessage:
        """What a tool answered, as the model gets it: of its kind, cut, and marked."""
        call, text = request.tool_call, as_text(message.content)
        signature = self._signatures.get(call["name"])
        wrong = None
        if message.status != "error" and signature is not None:
            wrong = wrong_kind(signature.output, text)
        text = cut(text, self._context.output_chars)
        if message.status == "error":
            return self._ended(call, text, began, problem=text, untrusted=untrusted)
        if wrong is not None:
            return self._ended(call, f"{call['name']} returned the wrong kind: {wrong}", began, problem=wrong)
        return self._ended(call, text, began, state=request.state, untrusted=untrusted)

    def _run(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        with using(self._context):
            tool = request.tool
            if tool is not None and only_async(tool):  # which LangGraph's own way cannot run here
                answered: ToolMessage = invoked(tool, {**request.tool_call, "type": "tool_call"})
                return answered
            return handler(request)

    def _ended(
        self,
        call: Mapping[str, Any],
        text: str,
        began: float,
        *,
        problem: str | None = None,
        state: Any = None,
        untrusted: bool = False,
    ) -> ToolMessage:
        self._meter.tools[call["name"]] += 1
        self.tell(
            ToolCalled(
                call["name"], dict(call["args"]), cut(text, _EVENT_CHARS), time.perf_counter() - began, problem=problem
            )
        )
        content = as_data(text, source=call["name"]) if untrusted else text
        if state is not None and _called_before(state["messages"], call):
            content += "\n(The same call as before: its result will not change. Use it, or try something else.)"
        status = "success" if problem is None else "error"
        return ToolMessage(content, name=call["name"], tool_call_id=call["id"], status=status)


# ── reading messages ────────────────────────────────────────────────────────────────────────────────────────────────────


def _signature(call: Mapping[str, Any]) -> tuple[str, str]:
    return call["name"], json.dumps(call["args"], sort_keys=True, default=str)


def _calls(messages: list[AnyMessage]) -> list[tuple[str, str]]:
    return [_signature(call) for message in messages if isinstance(message, AIMessage) for call in message.tool_calls]


def stalled_call(messages: list[AnyMessage]) -> str | None:
    """The call that was made five times of the last ten, in words."""
    last = _calls(messages)[-OF_THE_LAST:]
    for name, arguments in last:
        if last.count((name, arguments)) >= SAME_CALLS:
            return f"{name}({arguments}) was called {last.count((name, arguments))} times of the last {len(last)}"
    return None


def _called_before(messages: list[AnyMessage], call: Mapping[str, Any]) -> bool:
    return _calls(messages).count(_signature(call)) > 1


def _fault(message: AIMessage) -> tuple[str | None, str]:
    """What is wrong with a message that holds nothing that counts (None: nothing), and a word on why, for the model."""
    if message.tool_calls:
        return None, ""
    for violation in message.response_metadata.get("router", {}).get("violations", ()):
        if violation["kind"] == "invalid_tool_call":
            return "no valid tool call", f" ({violation['detail']})"
    if message.invalid_tool_calls:
        return "no valid tool call", ""
    if message.text.strip():
        return None, ""
    return "no answer", " before it was cut" if message.response_metadata.get("finish_reason") == "length" else ""


def _place(messages: list[AnyMessage], call: Mapping[str, Any]) -> str:
    """What names a call for good: some engines number the calls of each reply anew."""
    ids = (m.id for m in reversed(messages) if isinstance(m, AIMessage) and any(c["id"] == call["id"] for c in m.tool_calls))
    return f"{next(ids, None)} {call['id']}"


def _storable(message: BaseMessage) -> BaseMessage:
    """The message, its calls' arguments such that a checkpoint can hold them: whole numbers of 64 bits, others as floats."""
    if not isinstance(message, AIMessage) or not message.tool_calls:
        return message
    calls = [{**call, "args": _within_64_bits(call["args"])} for call in message.tool_calls]
    return message.model_copy(update={"tool_calls": calls})


def _within_64_bits(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _within_64_bits(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_within_64_bits(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value) if abs(value) < 2**1023 else str(value)[:400]
    return value


def _reminder(text: str) -> HumanMessage:
    return HumanMessage(in_envelope(f"{text} Answer the task, or call a tool with valid arguments."))


_LAST_STEP = HumanMessage(
    in_envelope("This is the last step and there are no more tools. Answer the task from what is known; say what is not.")
)


def _model_called(step: int, message: AIMessage, seconds: float) -> ModelCalled:
    about = message.response_metadata.get("router", {})
    served, usage = about.get("served_by", {}), message.usage_metadata
    thought = None if usage is None else usage.get("output_token_details", {}).get("reasoning")
    notes = [f"{violation['kind']}: {violation['detail']}" for violation in about.get("violations", ())]
    notes += [*about.get("failed_attempts", ()), *about.get("changes", ())]
    if message.response_metadata.get("finish_reason") == "length":
        notes.append(CUT)
    if step == 1 and about.get("notice"):
        notes.append(about["notice"])
    if about.get("escalation"):
        notes.append(f"escalated: {about['escalation']}")
    return ModelCalled(
        step=step,
        model=served.get("model", "unknown"),
        quant=served.get("quant", ""),
        engine=served.get("engine", ""),
        thinking=bool(served.get("thinking")),
        seconds=seconds,
        input_tokens=usage and usage["input_tokens"],
        output_tokens=usage and usage["output_tokens"],
        reasoning_tokens=thought,
        cost_usd=about.get("cost_usd"),
        text=cut(message.text, _EVENT_CHARS),
        calls=tuple(call["name"] for call in message.tool_calls),
        notes=tuple(notes),
    )
