"""Runs tests on code in the sandbox and says which passed, which failed and with which values, as JSON.

Tests are asserts, functions `test_*`, `unittest` classes and the doctests of the code; of pytest there are a few words,
and no fixtures. They see the
code's names, and may import them from `solution`. A failed test is a result, not an error of the tool.

    python -c "from qwen_router.tooling import load_tools; print(load_tools()['run_tests'].invoke( \\
        {'code': 'def f(x): return x', 'tests': 'assert f(2) == 3'}))"
"""

from __future__ import annotations

import json

from langchain_core.tools import ToolException, tool
from pydantic import BaseModel, Field

from qwen_router.errors import InvalidRequest
from qwen_router.sandbox import Limits, kernel_contains, protects, run_tests
from qwen_router.tool_context import current


class TestInput(BaseModel):
    """What is tested, and by what."""

    code: str = Field(description="The Python code under test.")
    tests: str = Field(description="Tests of it: assert statements, functions test_*, or unittest classes.")


class TestingError(ToolException):
    """The tests could not be run at all."""


@tool("run_tests", args_schema=TestInput)
def run_tests_tool(code: str, tests: str) -> str:
    """Run tests on Python code, for example the code def f(x): return 2 * x with the tests assert f(2) == 4."""
    context = current()
    try:
        limits = Limits(wall_s=context.sandbox_s, memory_mib=context.sandbox_mib)
        outcome = run_tests(code, tests, limits=limits)
    except InvalidRequest as error:
        raise TestingError(str(error)) from None
    report = outcome.as_json()
    room = max(200, context.output_chars // 4)
    if len(report["output"]) > room:
        report["output"] = f"{report['output'][:room]}... ({len(report['output']) - room:,} characters more)"
    for kind in ("failed", "errors"):
        if len(report[kind]) > 20:
            report[kind] = [*report[kind][:20], {"test": f"{len(report[kind]) - 20} more", "message": ""}]
    if not protects().contained:
        report["note"] = str(protects())
    return json.dumps(report, ensure_ascii=False)


def _explain(error: object) -> str:
    """What a model reads that called with the wrong arguments."""
    return "run_tests takes two arguments: code (Python) and tests (Python, such as assert f(2) == 4)"


run_tests_tool.handle_tool_error = True
run_tests_tool.handle_validation_error = _explain
run_tests_tool.metadata = {
    "inputs": {"code": "code", "tests": "tests"},
    "output": "report",
    "dangerous": not kernel_contains(),
    "cost_s": 0.4,
    "timeout_s": 60.0,
}
