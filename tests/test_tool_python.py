"""Running Python and tests as tools: what a model reads of a result, a failure, a crash and a hang."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool

from qwen_router.sandbox import Failure, Limits, TestOutcome, kernel_contains, protects, run_tests
from qwen_router.tool_context import ToolContext, using
from qwen_router.tooling import load_tools, signature_of

FOLDER = Path(__file__).parent.parent / "tools"
ADD = "def add(a, b):\n    return a + b\n"


@pytest.fixture(scope="module")
def tools() -> dict[str, BaseTool]:
    return load_tools([FOLDER])


def call(tool: BaseTool, **args: str) -> ToolMessage:
    message = tool.invoke({"type": "tool_call", "id": "1", "name": tool.name, "args": args})
    assert isinstance(message, ToolMessage)
    return message


# ── tests on code ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("tests", "passed"),
    [
        pytest.param("assert add(1, 2) == 3\nassert add(0, 0) == 0", ("line 1", "line 2"), id="asserts"),
        pytest.param("for n in range(9):\n    assert add(n, 1) == n + 1", ("line 1",), id="asserts-in-a-loop"),
        pytest.param("def test_add():\n    assert add(1, 2) == 3", ("test_add",), id="a-function"),
        pytest.param("def test_add():\n    assert add(1, 2) == 3\n\ntest_add()\n", ("test_add",), id="that-calls-itself"),
        pytest.param("async def test_add():\n    assert add(1, 2) == 3", ("test_add",), id="an-async-function"),
        pytest.param("from solution import add\nassert add(1, 2) == 3", ("line 2",), id="imported-from-solution"),
        pytest.param("from calculator import add as plus\nassert plus(1, 2) == 3", ("line 2",), id="imported-from-any-name"),
        pytest.param("import mymath\nassert mymath.add(1, 2) == 3", ("line 2",), id="as-a-module"),
        pytest.param(
            "import unittest\nclass T(unittest.TestCase):\n    def setUp(self): self.n = 1\n"
            "    def test_a(self): self.assertEqual(add(self.n, 2), 3)\nif __name__ == '__main__':\n    unittest.main()",
            ("T.test_a",),
            id="unittest",
        ),
        pytest.param(
            "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n"
            "        with self.assertRaises(TypeError): add(1, 'b')\nunittest.main()",
            ("T.test_a",),
            id="unittest-main",
        ),
        pytest.param(
            "class TestAdd:\n    def test_a(self):\n        assert add(1, 2) == 3", ("TestAdd.test_a",), id="a-plain-class"
        ),
        pytest.param(
            "import math\ndef helper(x): return x\ndef test_a():\n    assert math.isclose(helper(add(.1, .2)), .3)",
            ("test_a",),
            id="helpers",
        ),
    ],
)
def test_ways_of_writing_tests(tests: str, passed: tuple[str, ...]) -> None:
    outcome = run_tests(ADD, tests)
    assert outcome.ok, outcome
    assert outcome.passed == passed


@pytest.mark.parametrize(
    ("tests", "name", "told"),
    [
        pytest.param("assert add(2, 2) == 5", "line 1", "add(2, 2) == 5: 4 against 5", id="both-values"),
        pytest.param(
            "assert add(2, 2) == 5, 'two and two'", "line 1", "4 against 5 (two and two)", id="and-the-test-s-words"
        ),
        pytest.param(
            "def test_a():\n    x = 5\n    assert add(2, 2) > x", "test_a", "add(2, 2) > x: 4 against 5", id="in-a-function"
        ),
        pytest.param("assert not add(1, 1)", "line 1", "AssertionError: not add(1, 1)", id="no-comparison"),
        pytest.param("assert add('a' * 900, 'b') == ''", "line 1", "...", id="long-values-are-cut"),
        pytest.param(
            "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(add(1, 1), 3)",
            "T.test_a",
            "2 != 3",
            id="unittest",
        ),
        pytest.param(
            "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        for n in (1, 2):\n"
            "            with self.subTest(n=n): self.assertEqual(add(n, 1), 2)",
            "T.test_a",
            "3 != 2",
            id="a-subtest",
        ),
    ],
)
def test_a_failed_test_says_its_values(tests: str, name: str, told: str) -> None:
    outcome = run_tests(ADD, tests)
    assert not outcome.ok
    assert not outcome.errors
    assert [one.name for one in outcome.failed] == [name]
    assert told in outcome.failed[0].message
    assert len(outcome.failed[0].message) < 2000


@pytest.mark.parametrize(
    ("code", "tests", "name", "told"),
    [
        pytest.param(ADD, "def test_a():\n    add(1, 'b')", "test_a", "TypeError: unsupported operand", id="an-exception"),
        pytest.param(ADD, "assert plus(1, 2) == 3", "line 1", "NameError: name 'plus'", id="a-name-that-is-not-there"),
        pytest.param(
            ADD,
            "from solution import plus\nassert plus(1, 2)",
            "the tests",
            "ImportError: cannot import name 'plus'",
            id="an-import",
        ),
        pytest.param(ADD, "assert add(1, 2) ==", "the tests", "SyntaxError", id="tests-that-are-no-python"),
        pytest.param("def add(:", "assert 1", "the code", "SyntaxError", id="code-that-is-no-python"),
        pytest.param("1 / 0", "assert 1", "the code", "ZeroDivisionError", id="code-that-fails"),
        pytest.param(
            "import requests", "assert 1", "the code", "No module named 'requests'", id="code-that-needs-a-package"
        ),
        pytest.param("import sys; sys.exit(0)", "assert 1", "the code", "SystemExit", id="code-that-leaves"),
        pytest.param("import os; os._exit(0)", "assert 1", "the code", "left with code 0", id="code-that-leaves-silently"),
        pytest.param(ADD, "x = 1", "the tests", "no test was found", id="no-tests"),
        pytest.param(ADD, "", "the tests", "no test was found", id="nothing"),
        pytest.param(ADD, "def test_a(tmp_path): pass", "test_a", "no fixtures here", id="a-fixture"),
        pytest.param(
            ADD, "import pytest\n@pytest.fixture\ndef x(): pass", "the tests", "no fixtures here", id="a-pytest-fixture"
        ),
        pytest.param(ADD, "def test_a():\n    import os; os.kill(os.getpid(), 9); os.abort()", "test_a", "", id="a-crash"),
    ],
)
def test_what_breaks_is_an_error_with_its_place(code: str, tests: str, name: str, told: str) -> None:
    outcome = run_tests(code, tests)
    assert not outcome.ok
    assert outcome.passed == ()
    assert [one.name for one in outcome.errors] == [name]
    assert told in outcome.errors[0].message


def test_a_test_that_hangs_is_named_and_the_others_keep_their_results() -> None:
    tests = "def test_a():\n    assert True\ndef test_b():\n    while True: pass\ndef test_c():\n    assert True"
    outcome = run_tests(ADD, tests, limits=Limits(wall_s=0.8))
    assert outcome.passed == ("test_a",)
    assert outcome.errors == (Failure("test_b", "stopped after 0.8 s"),)


PYTEST_TESTS = """
import pytest
from pytest import approx

@pytest.mark.parametrize("a, b, total", [(1, 2, 3), (2, 2, 5), pytest.param(0, 0, 0, id="zero")])
def test_add(a, b, total):
    assert add(a, b) == total

@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.slow
def test_one(n):
    assert add(n, 0.1 + 0.2) == approx(n + 0.3)

def test_raises():
    with pytest.raises(TypeError, match="unsupported") as caught:
        add(1, "b")
    assert "str" in str(caught.value)
    pytest.raises((ValueError, TypeError), add, 1, None)

def test_raises_not():
    with pytest.raises(ValueError):
        add(1, 2)

@pytest.mark.skip(reason="later")
def test_later(): assert False

class TestMore:
    @pytest.mark.parametrize("n", [3])
    def test_n(self, n): assert add(n, n) == 2 * n and [add(.1, .2), 1] == approx([.3, 1]) and add(1, 1) != approx(2.1)
"""


def test_the_words_of_pytest_that_models_use_are_there() -> None:
    outcome = run_tests(ADD, PYTEST_TESTS)
    assert outcome.errors == ()
    assert outcome.passed == (
        "test_add[1-2-3]", "test_add[0-0-0]", "test_one[1]", "test_one[2]", "test_raises", "TestMore.test_n[3]",
    )  # fmt: skip
    assert [one.name for one in outcome.failed] == ["test_add[2-2-5]", "test_raises_not"]
    assert "4 against 5" in outcome.failed[0].message
    assert "nothing was raised, where ValueError was wanted" in outcome.failed[1].message
    assert outcome.skipped == ("test_later",)


def test_doctests_of_the_code_are_run() -> None:
    code = 'def twice(x):\n    """Twice.\n\n    >>> twice(2)\n    4\n    >>> twice(3)\n    7\n    """\n    return 2 * x\n'
    outcome = run_tests(code, "")
    assert [one.name for one in outcome.failed] == ["doctest twice"]
    assert "twice(3): '6' against '7'" in outcome.failed[0].message


def test_skipped_tests_are_neither_passed_nor_failed() -> None:
    tests = """
import unittest
class T(unittest.TestCase):
    @unittest.skip('later')
    def test_a(self): pass
    def test_b(self): pass
"""
    outcome = run_tests(ADD, tests)
    assert outcome.skipped == ("T.test_a",)
    assert outcome.ok


def test_an_outcome_without_a_passed_test_is_not_ok() -> None:
    assert not TestOutcome((), (), (), (), "", 0.1).ok


# ── the tools ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_run_python_gives_value_and_print(tools: dict[str, BaseTool]) -> None:
    assert call(tools["run_python"], code="print('a')\n6 * 7").content == "value: 42\nprinted:\na"


def test_run_python_says_when_there_is_nothing_to_see(tools: dict[str, BaseTool]) -> None:
    assert "end with an expression or print" in call(tools["run_python"], code="x = 1").content


def test_run_python_s_error_is_its_answer_with_the_last_lines(tools: dict[str, BaseTool]) -> None:
    message = call(tools["run_python"], code="print('a')\nd = {}\nd['k']")
    assert message.status == "error"
    assert message.content == (
        "Traceback (most recent call last):\n  File \"code.py\", line 3, in <module>\n    d['k']\n    ~^^^^^\n"
        "KeyError: 'k'\nprinted:\na"
    )


def test_run_python_keeps_to_the_context_s_limits(tools: dict[str, BaseTool]) -> None:
    with using(ToolContext(root=Path("."), sandbox_s=0.6, sandbox_mib=256, output_chars=100)):
        assert "stopped after 0.6 s" in call(tools["run_python"], code="while True: pass").content
        told = call(tools["run_python"], code="print('x' * 1000)").content
        assert told == "printed:\n" + "x" * 50 + "\n... (950 more)"
        if protects().memory:
            assert "MemoryError (the sandbox has 256 MiB)" in call(tools["run_python"], code="bytearray(10**9)").content


def test_run_tests_answers_in_json(tools: dict[str, BaseTool]) -> None:
    message = call(tools["run_tests"], code=ADD, tests="assert add(1, 1) == 2\nassert add(1, 1) == 3")
    assert message.status == "success"  # the tool did its work; what it found is in the report
    report = json.loads(message.content)
    assert (report["ok"], report["passed"], report["errors"]) == (False, 1, [])
    assert report["failed"][0]["test"] == "line 2"
    assert "2 against 3" in report["failed"][0]["message"]


def test_run_tests_report_stays_short(tools: dict[str, BaseTool]) -> None:
    with using(ToolContext(root=Path("."), output_chars=1000)):
        report = json.loads(
            call(tools["run_tests"], code=ADD, tests="print('x' * 9000)\n" + "assert add(1, 1) == 3\n" * 50).content
        )
    assert len(report["failed"]) == 21
    assert report["failed"][-1] == {"test": "30 more", "message": ""}
    assert report["output"].endswith("characters more)")


def test_wrong_arguments_are_explained(tools: dict[str, BaseTool]) -> None:
    assert call(tools["run_python"]).content == "run_python takes one argument: code, a Python program such as print(2 + 2)"
    assert "run_tests takes two arguments" in call(tools["run_tests"], code="x").content
    assert "1,000,000 characters" in call(tools["run_python"], code="#" * 1_000_001).content


def test_the_tools_are_dangerous_exactly_where_the_kernel_cannot_contain_code(tools: dict[str, BaseTool]) -> None:
    for name in ("run_python", "run_tests"):
        assert signature_of(tools[name]).dangerous is not kernel_contains()
    assert kernel_contains() == protects().contained
