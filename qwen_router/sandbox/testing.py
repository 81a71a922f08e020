"""Runs tests on code inside the sandbox: asserts, `test_*` functions, `unittest` classes and doctests, without pytest.

Each test tells one line when it starts and one when it ends, so that a test that hangs or crashes is known by its name.
A failed `assert` of a comparison tells both values. Used by `child` only.

    python -c "from qwen_router.sandbox import run_tests; print(run_tests('def f(x): return x', 'assert f(2) == 3'))"
"""

from __future__ import annotations

import ast
import asyncio
import doctest
import inspect
import sys
import types
import unittest
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

if __package__:
    from qwen_router.sandbox import pytest_words
else:  # the child runs this file on its own
    import pytest_words  # type: ignore[import-not-found,no-redef]

MOST_TESTS, MOST_REPR_CHARS = 1000, 200
Tell = Callable[..., None]
_EXPLAIN = "_qwen_router_explain"


def run(
    job: Mapping[str, Any],
    tell: Tell,
    module_of: Callable[..., types.ModuleType],
    trace: Callable[[BaseException], str],
) -> None:
    """Run the code as the module `solution`, then the tests with its names at hand, and tell every outcome.

    Tests import the code from `solution`, or from any module that does not exist.
    """
    code, tests = job["code"], job["tests"]
    bench = _Bench(tell, trace)
    sys.modules["pytest"] = pytest_words
    solution = module_of("solution", code, file="solution.py")
    if not bench.try_one(
        "the code", lambda: exec(compile(code, "solution.py", "exec"), solution.__dict__), only_errors=True
    ):
        return
    module = module_of("tests", tests, file="tests.py")
    module.__dict__.update({name: value for name, value in vars(solution).items() if not name.startswith("__")})
    module.__dict__[_EXPLAIN] = explain
    try:
        tree = ast.parse(tests, "tests.py")
    except SyntaxError as error:
        tell(test="the tests", outcome="error", message=trace(error))
        return
    for name in _unknown_modules(tree):
        sys.modules[name] = solution
    unittest.main = lambda *args, **kwargs: None  # type: ignore[assignment]  # a last line of many test files
    if not _top_level(tree, module, bench):
        return
    for name, value in list(vars(module).items()):
        if name.startswith("test") and inspect.isfunction(value) and value is not getattr(solution, name, None):
            _functions(name, value, bench)
        elif inspect.isclass(value) and value.__module__ == "tests":
            _class(name, value, bench)
    _doctests(solution, bench)


class _Bench:
    def __init__(self, tell: Tell, trace: Callable[[BaseException], str]) -> None:
        self.tell, self.trace, self.count = tell, trace, 0

    def try_one(self, name: str, test: Callable[[], object], *, only_errors: bool = False) -> bool:
        """Run one test and tell how it ended; whether it passed."""
        self.count += 1
        if self.count > MOST_TESTS:
            return False
        self.tell(begins=name)
        try:
            test()
        except unittest.SkipTest as error:
            self.tell(test=name, outcome="skipped", message=str(error)[:MOST_REPR_CHARS])
            return True
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            failed = isinstance(error, AssertionError) and not only_errors
            self.tell(test=name, outcome="failed" if failed else "error", message=self.trace(error))
            return False
        if not only_errors:
            self.tell(test=name, outcome="passed", message="")
        return True


def _top_level(tree: ast.Module, module: types.ModuleType, bench: _Bench) -> bool:
    """Run the tests' own statements one by one; each assert among them is a test. Whether the others all worked."""
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in tree.body:
        holds_asserts = not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and any(
            isinstance(inner, ast.Assert) for inner in ast.walk(node)
        )
        whole = ast.fix_missing_locations(ast.Module([_Told().visit(node)], []))
        program = compile(whole, "tests.py", "exec")
        calls = ast.unparse(node) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) else ""
        if holds_asserts:
            bench.try_one(f"line {node.lineno}", lambda program=program: exec(program, module.__dict__))  # type: ignore[misc]
        elif calls.partition("(")[0] in functions:
            continue  # a test calls itself at the end of the file: it is run as a test anyhow
        elif not bench.try_one("the tests", lambda program=program: exec(program, module.__dict__), only_errors=True):  # type: ignore[misc]
            return False
    return True


class _Told(ast.NodeTransformer):
    """Gives every assert a message: its text, and for a comparison the values of both sides."""

    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        text = ast.unparse(node.test)
        given = node.msg or ast.Constant(None)
        values: list[ast.expr] = []
        test = node.test
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            sides = (test.left, test.comparators[0])
            names = ("_qwen_router_left", "_qwen_router_right")
            left, right = (ast.NamedExpr(ast.Name(n, ast.Store()), side) for n, side in zip(names, sides, strict=True))
            test = ast.Compare(left, test.ops, [right])
            values = [ast.Name(name, ast.Load()) for name in names]
        message = ast.Call(ast.Name(_EXPLAIN, ast.Load()), [ast.Constant(text), given, *values], [])
        return ast.copy_location(ast.Assert(test, message), node)


def explain(text: str, given: object, *values: object) -> str:
    """`add(2, 2) == 5: 4 against 5`, and the test's own words behind it."""
    told = text if len(text) <= MOST_REPR_CHARS else text[:MOST_REPR_CHARS] + "..."
    if values:
        told += ": " + " against ".join(_short(value) for value in values)
    return told if given is None else f"{told} ({given})"


def _short(value: object) -> str:
    try:
        text = repr(value)
    except Exception as error:  # its repr is the code's own
        return f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
    return text if len(text) <= MOST_REPR_CHARS else text[:MOST_REPR_CHARS] + "..."


def _functions(name: str, function: Callable[..., Any], bench: _Bench, made: Callable[[], Any] | None = None) -> None:
    """A test function, once for each set of arguments that `parametrize` gives; `made` makes the object of a method."""
    several = hasattr(function, pytest_words.CASES)
    for arguments in pytest_words.cases_of(function):
        told = "-".join(_short(value)[:30] for value in arguments.values())
        bench.try_one(f"{name}[{told}]" if several else name, lambda given=arguments: _called(function, made, given))  # type: ignore[misc]


def _called(function: Callable[..., Any], made: Callable[[], Any] | None, arguments: Mapping[str, Any]) -> None:
    if hasattr(function, pytest_words.SKIPPED):
        raise unittest.SkipTest(getattr(function, pytest_words.SKIPPED))
    test = function if made is None else function.__get__(made())
    wanted = [
        p.name
        for p in inspect.signature(test).parameters.values()
        if p.default is p.empty and p.kind < 2 and p.name not in arguments
    ]
    if wanted:
        raise TypeError(f"the test takes {', '.join(wanted)}, and there are no fixtures here: make it inside the test")
    if inspect.iscoroutinefunction(test):
        asyncio.run(test(**arguments))
    else:
        test(**arguments)


def _class(name: str, kind: type, bench: _Bench) -> None:
    """The tests of a `unittest.TestCase`, or the `test*` methods of a plain `Test*` class."""
    if issubclass(kind, unittest.TestCase):
        for method in unittest.defaultTestLoader.getTestCaseNames(kind):
            bench.try_one(f"{name}.{method}", lambda method=method: _case(kind(method)))  # type: ignore[misc]
    elif name.startswith("Test"):
        for key, value in [(key, value) for key, value in vars(kind).items() if key.startswith("test")]:
            if inspect.isfunction(value):
                _functions(f"{name}.{key}", value, bench, kind)


def _case(case: unittest.TestCase) -> None:
    result = _Raises()
    case.run(result)
    if result.skipped:
        raise unittest.SkipTest(result.skipped[0][1])
    if result.unexpectedSuccesses:
        raise AssertionError("it was expected to fail and passed")
    if result.first is not None:
        raise result.first


class _Raises(unittest.TestResult):
    """Keeps the first exception itself, not only its text."""

    first: BaseException | None = None

    def addFailure(self, test: object, err: Any) -> None:
        self.first = self.first or err[1]

    addError = addFailure

    def addSubTest(self, test: object, subtest: object, err: Any) -> None:
        if err is not None:
            self.first = self.first or err[1]


def _doctests(solution: types.ModuleType, bench: _Bench) -> None:
    for found in doctest.DocTestFinder(exclude_empty=True).find(solution, "solution"):
        if found.examples:
            found.globs.update(vars(solution))
            bench.try_one(f"doctest {found.name.removeprefix('solution.')}", lambda found=found: _doctest(found))  # type: ignore[misc]


def _doctest(found: doctest.DocTest) -> None:
    try:
        doctest.DebugRunner(verbose=False).run(found, clear_globs=False)
    except doctest.DocTestFailure as error:
        text = f"{error.example.source.strip()}: {_short(error.got.strip())} against {_short(error.example.want.strip())}"
        raise AssertionError(text) from None
    except doctest.UnexpectedException as error:
        raise error.exc_info[1] from None


def _unknown_modules(tree: ast.Module) -> set[str]:
    """Names that the tests import and nothing has: they mean the code."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name for name in names if "." not in name and name != "numpy" and not _exists(name)}


def _exists(name: str) -> bool:
    try:
        return name in sys.modules or find_spec(name) is not None
    except (ImportError, ValueError):
        return True
