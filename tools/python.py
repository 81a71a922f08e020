"""Runs Python that a model wrote, in the sandbox, and gives back what it printed and the value of its last expression.

The limits are those of `ToolContext` (`sandbox_s`, `sandbox_mib`). Where this system cannot contain code, the tool is marked
dangerous, so that a person is asked first, and every report says so. What the sandbox keeps out: docs/sandbox.md.

    python -c "from qwen_router.tooling import load_tools; \\
        print(load_tools()['run_python'].invoke({'code': 'sum(range(10))'}))"
"""

from __future__ import annotations

from langchain_core.tools import ToolException, tool
from pydantic import BaseModel, Field

from qwen_router.errors import InvalidRequest
from qwen_router.sandbox import Limits, Run, kernel_contains, protects, run_python
from qwen_router.tool_context import current


class CodeInput(BaseModel):
    """What the sandbox runs."""

    code: str = Field(description="A whole Python program. End it with an expression, or print, to see a result.")


class CodeError(ToolException):
    """The code failed or was stopped; the text is what a model needs to correct it."""


@tool("run_python", args_schema=CodeInput)
def run_python_tool(code: str) -> str:
    """Run a Python program (standard library and numpy, no network, no files of the user), for example sum(range(10))."""
    context = current()
    try:
        done = run_python(code, limits=Limits(wall_s=context.sandbox_s, memory_mib=context.sandbox_mib))
    except InvalidRequest as error:
        raise CodeError(str(error)) from None
    if not done.ok:
        raise CodeError(_told(done, context.output_chars))
    return _told(done, context.output_chars)


def _told(done: Run, most_chars: int) -> str:
    """The report: an error first, then the value, then what was printed."""
    parts = [done.error, done.stopped, f"value: {done.value}" if done.value is not None else None]
    for stream, name in ((done.stdout, "printed"), (done.stderr, "printed as errors")):
        text, room = stream.text.rstrip("\n"), most_chars // 2
        left_out = max(0, len(text) - room) + stream.more_bytes
        if text:
            parts.append(f"{name}:\n{text[:room]}" + (f"\n... ({left_out:,} more)" if left_out else ""))
    if not any(parts):
        parts.append("it ran, printed nothing and its last statement has no value: end with an expression or print")
    if not protects().contained:
        parts.append(f"note: {protects()}")
    return "\n".join(part for part in parts if part)


def _explain(error: object) -> str:
    """What a model reads that called with the wrong arguments."""
    return "run_python takes one argument: code, a Python program such as print(2 + 2)"


run_python_tool.handle_tool_error = True
run_python_tool.handle_validation_error = _explain
run_python_tool.metadata = {
    "inputs": {"code": "code"},
    "output": "report",
    "dangerous": not kernel_contains(),
    "cost_s": 0.3,
    "timeout_s": 60.0,
}
