"""Runs Python that a model wrote in a process of its own, with limits, behind as many walls as the system has.

The code may use the standard library and numpy, and files in a folder that is made for it and removed with it. What it
cannot do, by which wall, and what none of them prevents: docs/sandbox.md. `protects()` says what holds on this machine.

    python -c "from qwen_router.sandbox import run_python; print(run_python('print(1)\\n2 + 2'))"
"""

from qwen_router.sandbox.api import Failure, Protection, TestOutcome, kernel_contains, protects, run_python, run_tests
from qwen_router.sandbox.host import Limits, Run, Stream

__all__ = [
    "Failure",
    "Limits",
    "Protection",
    "Run",
    "Stream",
    "TestOutcome",
    "kernel_contains",
    "protects",
    "run_python",
    "run_tests",
]
