"""One call of one tool, from arguments to a value of its kind or a named error. It never raises; who waits, and how long,
is the caller's.

LangChain turns a tool's error into text when it is asked to, and a value into text when it answers a model. Here both are
wanted as they are, so a copy of the tool is called with that switched off.

    python -c "from qwen_router.agent.tool_call import StepError; print(StepError('ToolFailed', 'fetch', 'no such host'))"
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from qwen_router.agent.chains import Step
from qwen_router.errors import RouterError
from qwen_router.tool_kinds import WrongKind, as_kind, size_chars

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

MAX_ERROR_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class StepError:
    """Why a step has no value.

    - `ToolFailed`: the tool said why it cannot, or raised something
    - `WrongArguments`: the tool's schema does not allow them
    - `WrongType`: it gave something else than the kind that it declares
    - `TooLarge`: it gave more than may be handed on
    - `TimedOut`: its time, or that of the whole run, was up
    - `Refused`: it is dangerous, and nobody said yes
    """

    name: Literal["ToolFailed", "WrongArguments", "WrongType", "TooLarge", "TimedOut", "Refused"]
    tool: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.tool}: {self.text}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A value, or an error; `again` when another try may help."""

    value: Any = None
    error: StepError | None = None
    again: bool = False
    seconds: float = 0.0


def is_async(tool: BaseTool) -> bool:
    """Whether the tool has a coroutine of its own."""
    return getattr(tool, "coroutine", None) is not None


def only_async(tool: BaseTool) -> bool:
    """Whether it has a coroutine and no function beside it."""
    return is_async(tool) and getattr(tool, "func", None) is None


def invoked(tool: BaseTool, given: dict[str, Any]) -> Any:
    """What the tool gives for arguments or a tool call, in this thread. One that is only async gets a loop of its own."""
    return asyncio.run(tool.ainvoke(given)) if only_async(tool) else tool.invoke(given)


def call(step: Step, arguments: Mapping[str, Any], max_chars: int) -> Answer:
    """Call the tool in this thread."""
    began = time.monotonic()
    try:
        tool = _bare(step.runs)
        return _judged(step, invoked(tool, _fitted(tool, arguments)), max_chars, began)
    except (
        BaseException
    ) as error:  # whatever a tool raises, SystemExit too, is its own failure: this thread runs nothing else
        return _failed(step, error, began)


async def acall(step: Step, arguments: Mapping[str, Any], max_chars: int) -> Answer:
    """Call an async tool in this event loop."""
    began = time.monotonic()
    try:
        tool = _bare(step.runs)
        value = await tool.ainvoke(_fitted(tool, arguments))
        return _judged(step, value, max_chars, began)
    except (Exception, SystemExit) as error:
        return _failed(step, error, began)


def _bare(tool: BaseTool) -> BaseTool:
    return tool.model_copy(update={"handle_tool_error": False, "handle_validation_error": False})


def _fitted(tool: BaseTool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, a text or number as a list of one where the schema wants a list (of paths, say)."""
    schema = tool.args
    return {
        arg: [value] if isinstance(value, str | int | float) and wants_list(schema.get(arg, {})) else value
        for arg, value in arguments.items()
    }


def wants_list(schema: Mapping[str, Any]) -> bool:
    """Whether an argument's JSON Schema allows a list and no single text or number."""
    types = {part.get("type") for part in (schema, *schema.get("anyOf", ()))} - {None, "null"}
    return types == {"array"}


def _judged(step: Step, value: Any, max_chars: int, began: float) -> Answer:
    """The value, if it is what the tool declares and not too much."""
    from langchain_core.messages import ToolMessage

    if isinstance(value, ToolMessage):
        if value.status == "error":
            text = _short(str(value.content))
            return Answer(error=StepError("ToolFailed", step.tool, text), seconds=time.monotonic() - began)
        value = value.content
    kind, error = step.signature.output, None
    if size_chars(value, limit=max_chars) > max_chars:
        error = StepError("TooLarge", step.tool, f"it gave more than {max_chars:,} characters")
    else:
        try:
            value = as_kind(value, kind)
        except WrongKind as wrong:
            error = StepError("WrongType", step.tool, str(wrong))
    return Answer(None if error else value, error, seconds=time.monotonic() - began)


def _failed(step: Step, error: BaseException, began: float) -> Answer:
    from langchain_core.tools import ToolException
    from pydantic import ValidationError

    seconds = time.monotonic() - began
    if isinstance(error, ToolException):
        text = _handled(step.runs.handle_tool_error, error) or _said(error)
        return Answer(error=StepError("ToolFailed", step.tool, text), seconds=seconds)
    if isinstance(error, ValidationError):
        text = _handled(step.runs.handle_validation_error, error) or _invalid(error)
        return Answer(error=StepError("WrongArguments", step.tool, text), seconds=seconds)
    if isinstance(error, RouterError):
        text = _short(f"{error.problem} (try: {error.fix})")
        again = bool(getattr(error, "again", False))
        return Answer(error=StepError("ToolFailed", step.tool, text), again=again, seconds=seconds)
    text = f"{type(error).__name__}: {_said(error)}" if _said(error) else type(error).__name__
    return Answer(error=StepError("ToolFailed", step.tool, text), again=isinstance(error, Exception), seconds=seconds)


def _handled(handler: object, error: Exception) -> str:
    """What the tool's own handler makes of its error, if it has one: a text or a function."""
    if callable(handler):
        try:
            handler = handler(error)
        except Exception:  # a broken handler must not hide the error that it was to explain
            return ""
    return _short(handler) if isinstance(handler, str) else ""


def _invalid(error: Any) -> str:
    """`value: Input should be a valid number; unit: Field required`, without the values."""
    found = (f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}" for one in error.errors(include_input=False))
    return _short("; ".join(found))


def _said(error: BaseException) -> str:
    try:
        return _short(str(error))
    except Exception:  # an error may fail to say what it is
        return ""


def _short(text: str) -> str:
    flat = text[: 4 * MAX_ERROR_CHARS].strip()
    return flat if len(flat) <= MAX_ERROR_CHARS else flat[: MAX_ERROR_CHARS - 1] + "…"
