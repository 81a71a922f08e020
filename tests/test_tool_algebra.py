"""Symbolic mathematics: what is read, what is equal, what is solved, and that no text is ever evaluated or runs for ever."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import ToolMessage

from qwen_router import symbolic
from qwen_router.errors import MissingExtra, RouterError
from qwen_router.symbolic import (
    CannotSolve,
    NotMathematics,
    SymbolicTimeout,
    calculus,
    process,
    same_value,
    simplified,
    solve,
    value_of,
)
from qwen_router.symbolic.grammar import FUNCTIONS, parse
from qwen_router.tooling import load_tools, signature_of

TOOLS = load_tools([Path(__file__).parent.parent / "tools"])


@pytest.fixture(scope="module", autouse=True)
def _no_worker_is_left() -> Iterator[None]:
    yield
    symbolic.close()


def call(name: str, **arguments: Any) -> ToolMessage:
    message = TOOLS[name].invoke({"type": "tool_call", "id": "1", "name": name, "args": arguments})
    assert isinstance(message, ToolMessage)
    return message


# ── equal or not ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        pytest.param("1/2", "0.5", True, id="a-decimal"),
        pytest.param("0.1 + 0.2", "0.3", True, id="decimals-are-exact"),
        pytest.param("0.333", "1/3", False, id="a-rounded-decimal-is-another-number"),
        pytest.param("75%", "3/4", True, id="percent"),
        pytest.param("1,234.5", "1234.5", True, id="thousands"),
        pytest.param("$18", "18", True, id="a-price"),
        pytest.param("1e3", "1000", True, id="an-exponent"),
        pytest.param("sqrt(8)", "2√2", True, id="roots"),
        pytest.param("2√3", "sqrt(12)", True, id="a-root-sign"),
        pytest.param("1/sqrt(2)", "sqrt(2)/2", True, id="a-root-below"),
        pytest.param("pi", "3.14159265358979", False, id="fifteen-digits-are-not-pi"),
        pytest.param("e^(pi*sqrt(163))", "262537412640768744", False, id="thirty-digits-in-common"),
        pytest.param("e^(i*pi)", "-1", True, id="euler"),
        pytest.param("3 + 2i", "2i + 3", True, id="complex"),
        pytest.param("5!", "120", True, id="factorial"),
        pytest.param("-3^2", "-9", True, id="the-power-before-the-sign"),
        pytest.param("2^3^2", "512", True, id="towers-from-the-right"),
        pytest.param("sin 30°", "1/2", True, id="degrees"),
        pytest.param("log_2 8", "3", True, id="a-base"),
        pytest.param("7 mod 3", "1", True, id="remainder"),
        pytest.param("(x+1)^2", "x^2 + 2x + 1", True, id="expanded"),
        pytest.param("2xy", "2*x*y", True, id="letters-are-multiplied"),
        pytest.param("sin^2 x + cos^2 x", "1", True, id="an-identity"),
        pytest.param("sqrt(x^2)", "x", False, id="not-below-zero"),
        pytest.param("sqrt(x^2)", "|x|", True, id="bars"),
        pytest.param("ln(x^2)", "2 ln x", True, id="where-both-are-real"),
        pytest.param("x^2", "x^2 + 0.000001", False, id="nearly"),
        pytest.param("x", "y", False, id="another-name"),
        pytest.param("x = 3", "3", True, id="an-equation-of-a-value"),
        pytest.param("x = 3", "x = 4", False, id="another-value"),
        pytest.param("x = 2 or x = 3", "3, 2", True, id="solutions-in-any-order"),
        pytest.param("x = 2 or x = 3", "x = 2", False, id="one-is-missing"),
        pytest.param("±2", "2, -2", True, id="plus-and-minus"),
        pytest.param("(1, 2)", "(2, 1)", False, id="points-have-an-order"),
        pytest.param("{1, 2}", "{2, 1}", True, id="sets-have-none"),
        pytest.param("x = 1, y = 2", "y = 2, x = 1", True, id="a-system"),
        pytest.param("y = 2x + 1", "2x - y + 1 = 0", True, id="one-line"),
        pytest.param("y = 2x + 1", "y = 2x", False, id="another-line"),
        pytest.param("x < 2", "2 > x", True, id="an-inequality-turned"),
        pytest.param("x < 2", "-x < -2", False, id="its-sign-turned"),
        pytest.param("x < 2", "x <= 2", False, id="with-and-without-the-end"),
        pytest.param("\\boxed{\\frac{3}{4}}", "0.75", True, id="latex-in-a-box"),
        pytest.param("$\\dfrac{\\sqrt{2}}{2}$", "1/\\sqrt2", True, id="latex-in-dollars"),
        pytest.param("\\frac12", "0.5", True, id="latex-without-braces"),
        pytest.param("2^{10}", "1024", True, id="braces-without-a-backslash"),
        pytest.param("\\left(x+1\\right)\\cdot 2", "2x+2", True, id="latex-brackets"),
        pytest.param("x=\\pm\\sqrt{2}", "-\\sqrt{2}, \\sqrt{2}", True, id="latex-plus-and-minus"),
        pytest.param("oo", "\\infty", True, id="infinity"),
        pytest.param("A", "B", False, id="choices"),
        pytest.param("Paris", "London", None, id="words"),
        pytest.param("5 cm", "5", None, id="units"),
        pytest.param("12 apples", "12", None, id="things"),
        pytest.param("3 1/2", "3.5", None, id="a-mixed-number"),
        pytest.param("2024-01-01", "2022", None, id="a-date-is-no-difference"),
        pytest.param("3,5", "3.5", None, id="two-numbers-or-a-decimal"),
        pytest.param("50%", "50", None, id="percent-left-away"),
        pytest.param("50%", "60", False, id="another-percentage"),
        pytest.param("10:30", "10.5", None, id="a-time"),
        pytest.param("1/0", "1/0", None, id="no-number"),
        pytest.param("x^2 = 4", "x = 2", None, id="an-equation-and-one-solution"),
        pytest.param("", "1", None, id="nothing"),
        pytest.param("9^9^9^9", "1", None, id="too-large"),
        pytest.param("(" * 300, "1", None, id="brackets"),
    ],
)  # fmt: skip
def test_two_answers_are_one_or_not_or_it_cannot_be_told(a: str, b: str, same: bool | None) -> None:
    assert same_value(a, b) is same
    assert same_value(b, a) is same


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [("3.14", "pi", True), ("3.15", "pi", False), ("33.33", "100/3", True), ("0.5", "0.51", False), ("3", "pi", False)],
)
def test_rounded_answers_count_where_they_are_asked_for(a: str, b: str, same: bool) -> None:
    assert same_value(a, b, rounded=True) is same


@given(st.fractions(max_denominator=50), st.fractions(max_denominator=50))
@settings(max_examples=30)
def test_fractions_are_equal_as_python_says(a: Any, b: Any) -> None:
    assert same_value(f"({a.numerator})/{a.denominator}", f"({b.numerator})/{b.denominator}") is (a == b)


# ── solving ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("equation", "variables", "text"),
    [
        pytest.param("2x + 3 = 7", (), "x = 2", id="linear"),
        pytest.param("x^2 - 5x + 6", (), "x = 2 or x = 3", id="an-expression-is-to-be-zero"),
        pytest.param("x^2 = 2", (), "x = -sqrt(2) (about -1.41421356237) or x = sqrt(2) (about 1.41421356237)", id="roots"),
        pytest.param("x^2 + 1 = 0", (), "x = -i or x = i", id="complex"),
        pytest.param("x + y = 3; x - y = 1", (), "x = 2, y = 1", id="a-system"),
        pytest.param("x^2 + y^2 = 25; x + y = 7", (), "x = 3, y = 4; or x = 4, y = 3", id="two-solutions"),
        pytest.param("x + y = 2, 2x + 2y = 4", (), "x = 2 - y (y may be anything)", id="one-equation-too-few"),
        pytest.param("age + 3 = 10", ("age",), "age = 7", id="a-word"),
        pytest.param("F = m*a", ("a",), "a = F/m", id="a-formula"),
        pytest.param("E = m c^2", ("m",), "m = E/c**2", id="capitals-are-names"),
        pytest.param("e = 3x", ("e",), "e = 3*x", id="a-constant-as-a-variable"),
        pytest.param("|x - 1| = 3", (), "x = -2 or x = 4", id="bars"),
        pytest.param("e^x = 5", (), "x = log(5) (about 1.60943791243)", id="exponential"),
        pytest.param("sin x = 1/2", (), "x = 2*pi*n + pi/6 or x = 2*pi*n + 5*pi/6 (for every whole n)", id="angles"),
        pytest.param("sin x = 2", (), "no real solution", id="no-angle"),
        pytest.param("cos x = x", (), "x = 0.739085133215 (found numerically: there may be others)", id="numerically"),
        pytest.param("x = x + 1", (), "no solution", id="never"),
        pytest.param("2(x+1) = 2x + 2", (), "true for every x", id="always"),
        pytest.param("sqrt(x) = -1", (), "no solution", id="a-root-is-not-negative"),
        pytest.param("x^2 < 4", (), "-2 < x < 2", id="an-inequality"),
        pytest.param("x^2 >= 9 and x < 10", (), "x <= -3 or 3 <= x < 10", id="two-inequalities"),
        pytest.param("x^2 = 4; x > 0", (), "x = 2", id="with-a-condition"),
        pytest.param("0.1x = 0.3", (), "x = 3", id="decimals"),
    ],
)  # fmt: skip
def test_equations_are_solved(equation: str, variables: tuple[str, ...], text: str) -> None:
    assert str(solve(equation, variables)) == text


def test_a_quintic_has_its_five_roots() -> None:
    found = solve("x^5 - x + 1 = 0")
    assert len(found.each) == 5 and found.complete
    reals = [solution["x"].number for solution in found.each if solution["x"].number is not None]
    assert reals == [pytest.approx(-1.16730397826142)]
    assert [value["x"].exact for value in solve("x^8 = 1").each][:2] == ["-1", "1"]


def test_numbers_come_as_numbers() -> None:
    (solution,) = solve("2x = 5").each
    assert (solution["x"].exact, solution["x"].number) == ("5/2", 2.5)
    assert value_of("2^70").number == 2**70
    assert value_of("x + x").number is None and value_of("e^(10^10)").number is None


@pytest.mark.parametrize(
    ("equation", "variables", "words"),
    [
        pytest.param("x*y = 1", (), "2 unknowns (x, y) and 1 equation", id="too-many-unknowns"),
        pytest.param("x = 3", ("y",), "'y' is not in the equation", id="another-variable"),
        pytest.param("1 = 2", (), "no variable in it", id="no-variable"),
        pytest.param("1/0 = x", (), "division by zero", id="by-zero"),
        pytest.param("x^1000 + x = 1", (), "degree 1000 is too large", id="degree"),
        pytest.param("x < y", (), "2 unknowns", id="an-inequality-in-two"),
    ],
)
def test_what_cannot_be_solved_is_said(equation: str, variables: tuple[str, ...], words: str) -> None:
    with pytest.raises(CannotSolve) as caught:
        solve(equation, variables)
    assert words in caught.value.problem


# ── forms and calculus ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "exact"),
    [
        (("(x^2 - 1)/(x - 1)",), "x + 1"),
        (("(x + 1)^3", "expand"), "x**3 + 3*x**2 + 3*x + 1"),
        (("x^2 - 1", "factor"), "(x - 1)*(x + 1)"),
        (("1/x + 1/y", "together"), "(x + y)/(x*y)"),
        (("1/(x^2 - 1)", "apart"), "-1/(2*(x + 1)) + 1/(2*(x - 1))"),
        (("sqrt(8)",), "2*sqrt(2)"),
    ],
    ids=["simplify", "expand", "factor", "together", "apart", "a-number"],
)
def test_expressions_take_other_forms(arguments: tuple[Any, ...], exact: str) -> None:
    assert simplified(*arguments).exact == exact


@pytest.mark.parametrize(
    ("operation", "expression", "options", "exact"),
    [
        pytest.param("derivative", "x^3", {}, "3*x**2", id="derivative"),
        pytest.param("derivative", "x^3", {"order": 2}, "6*x", id="second-derivative"),
        pytest.param("derivative", "x^3", {"point": "2"}, "12", id="at-a-point"),
        pytest.param("derivative", "a t^2", {"variable": "t"}, "2*a*t", id="another-variable"),
        pytest.param("integral", "2x", {}, "x**2", id="antiderivative"),
        pytest.param("integral", "x^2", {"lower": "0", "upper": "3"}, "9", id="between-bounds"),
        pytest.param("integral", "e^(-x^2)", {"lower": "-oo", "upper": "oo"}, "sqrt(pi)", id="to-infinity"),
        pytest.param("integral", "x^x", {"lower": "0", "upper": "1"}, "0.7834305107", id="numerically"),
        pytest.param("limit", "sin(x)/x", {"point": "0"}, "1", id="limit"),
        pytest.param("limit", "(1 + 1/n)^n", {"variable": "n", "point": "infinity"}, "e", id="to-e"),
        pytest.param("limit", "1/x", {"point": "0", "side": "right"}, "oo", id="from-one-side"),
        pytest.param("series", "e^x", {"order": 4}, "x**3/6 + x**2/2 + x + 1", id="series"),
    ],
)
def test_calculus(operation: Any, expression: str, options: dict[str, Any], exact: str) -> None:
    assert calculus(operation, expression, **options).exact == exact


@pytest.mark.parametrize(
    ("operation", "options", "words"),
    [
        pytest.param("limit", {"point": "0"}, "from the left it is -oo, from the right oo", id="two-sides"),
        pytest.param("limit", {}, "needs the point", id="no-point"),
        pytest.param("integral", {"lower": "-1", "upper": "1"}, "diverges", id="through-the-pole"),
        pytest.param("integral", {"lower": "1"}, "only one bound", id="one-bound"),
        pytest.param("integral", {"lower": "x", "upper": "1"}, "hold the variable x", id="the-variable-as-a-bound"),
        pytest.param("derivative", {"order": 1000}, "the order is 1000", id="order"),
        pytest.param("derivative", {"variable": "x; y"}, "no name of a variable", id="no-name"),
    ],
)
def test_calculus_says_what_is_wrong(operation: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises((CannotSolve, NotMathematics)) as caught:
        calculus(operation, "1/x", **options)
    assert words in caught.value.problem


def test_results_are_read_again() -> None:
    for text in ("sqrt(2)*i/3", "e**x*abs(x)", "log(5)", "2*pi*n + pi/6", "oo", "x1 + speed", "ceil(x/2)", "a**(1/3)"):
        once = simplified(text).exact
        assert same_value(once, text) is True and simplified(once).exact == once


# ── attacks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        '__import__("os").system("touch /tmp/owned")', "().__class__.__bases__[0].__subclasses__()", "x.__class__",
        "lambda: 0",
        "[x for x in range(3)]", "exec('1')", "open('/etc/passwd')", "globals()", "Symbol('x')", "S('x')", "sympify('1')",
        "x if x else y", "f'{x}'", "x; import os", "x\nimport os", "`id`", "$(id)", "x := 3", "x @ y", "x & y", "a[0]", "#",
        "'",
        '"', "\\input{/etc/passwd}", "\\write18{id}", "ｅｖａｌ('1')", "\x00", "x\u202ey\"", "lambda(x)", "breakpoint()",
    ],
)  # fmt: skip
def test_code_is_no_mathematics(text: str) -> None:
    try:
        tree = parse(text)
    except NotMathematics:
        return
    assert set(json.dumps(tree)) <= set('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_[]", .<>=!|')
    assert only_known(tree)


def only_known(tree: Any) -> bool:
    """A tree of known operators, names without __ and known functions: all that the worker can be made to do."""
    kind, *parts = tree
    if kind == "sym":
        return bool(parts[0].isidentifier()) and not parts[0].startswith("_") and "__" not in parts[0]
    if kind in ("num", "const"):
        return isinstance(parts[0], str)
    if kind == "call":
        return parts[0] in FUNCTIONS and all(only_known(part) for part in parts[1:])
    if kind == "rel":
        return parts[0] in ("=", "!=", "<", ">", "<=", ">=") and all(only_known(part) for part in parts[1:])
    return kind in ("add", "mul", "neg", "inv", "pow", "mod", "list", "tuple", "set", "pm") and all(map(only_known, parts))


@given(st.text(max_size=60) | st.text(alphabet="xyz123+-*/^()[]{}|=<>,;.!%eip \\sqrtfac_", max_size=60))
@settings(max_examples=300)
def test_any_text_is_a_known_tree_or_refused(text: str) -> None:
    try:
        tree = parse(text)
    except NotMathematics:
        return
    assert only_known(tree)


@pytest.mark.parametrize(
    "text",
    ["(" * 5000, "-" * 1900, "^".join("2" * 900), "sin " * 500, "|" * 500, "√" * 1000, "{" * 500, "\\frac" * 300, "±" * 900,
     "\\sqrt{" * 300, "1" * 1900, "1e999999", "x" * 1999, "2^" * 800 + "2", "((((x))))" * 200, "a=" * 600 + "b", "x,"*900],
)  # fmt: skip
def test_long_and_deep_texts_are_refused_or_read_without_exhausting_anything(text: str) -> None:
    try:
        json.dumps(parse(text))
    except NotMathematics as error:
        assert len(str(error)) < 500


@pytest.mark.parametrize(
    "text", ["9^9^9", "10^10^10", "factorial(10^9)", "binomial(10^9, 5*10^8)", "((2^9000)^2)^2", "2^(10^9)", "(x+1)^(10^9)"]
)
def test_numbers_that_would_fill_the_memory_are_refused(text: str) -> None:
    with pytest.raises(CannotSolve):
        value_of(text)


def test_what_runs_for_ever_is_killed_and_the_next_question_is_answered() -> None:
    with pytest.raises(SymbolicTimeout, match=r"no end within 0\.2 s"):
        simplified("(x+y+z)^2000", "expand", timeout_s=0.2)
    assert same_value("(x+y+z+w)^1900", "x", timeout_s=8) in (False, None)
    assert value_of("1 + 1").number == 2


def test_a_worker_that_takes_too_much_memory_ends_and_this_process_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    symbolic.close()
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import qwen_router.symbolic.worker as worker; worker.MAX_MIB = 400; "
        "worker.OPERATIONS['value'] = lambda request: 'x' * 10**9; worker.main()"
    )
    monkeypatch.setattr(process, "_PROGRAM", program)
    with pytest.raises(RouterError, match="memory"):
        value_of("1")
    symbolic.close()


def test_a_worker_that_was_killed_is_replaced() -> None:
    assert value_of("1").number == 1
    process._idle[-1].process.kill()
    process._idle[-1].process.wait()
    assert value_of("2").number == 2


def test_threads_share_the_workers() -> None:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda n=n: found.append(value_of(f"{n}^2").number)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [n * n for n in range(8)]
    assert len(process._idle) <= process.MOST_WORKERS


def test_a_worker_without_sympy_is_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    symbolic.close()
    monkeypatch.setattr(process, "_PROGRAM", "raise SystemExit(1)")
    with pytest.raises(RouterError, match="did not start"):
        value_of("1")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="sympy"):
        value_of("1")


def test_nothing_here_evaluates_text() -> None:
    for module in ("grammar", "plain", "process", "worker", "building", "comparing", "solving"):
        path = Path(inspect.getfile(symbolic)).with_name(f"{module}.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = getattr(node, "func", None)
            name = getattr(called, "id", "")
            assert name not in ("eval", "exec", "compile", "__import__"), f"{module}: {name}"
            method = getattr(called, "attr", "")
            assert method not in ("sympify", "S", "parse_expr", "parse_latex"), f"{module}: {method}"


def test_this_process_never_imports_sympy() -> None:
    program = "import sys; from qwen_router.symbolic import value_of; print(value_of('1/2').number, 'sympy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr) == ("0.5 False", "")


# ── the tools ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_tools_give_texts() -> None:
    assert call("solve_equation", equation="x^2 = 9").content == "x = -3 or x = 3"
    assert call("solve_equation", equation="ax = b", variable="x").content == "x = b/a"
    assert call("simplify_expression", expression="x^2 - 1", form="factor").content == "(x - 1)*(x + 1)"
    assert call("calculus", operation="integral", expression="x^2", lower="0", upper="3").content == "9"
    assert call("calculus", operation="series", expression="sin(x)").content == "x**5/120 - x**3/6 + x"


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("solve_equation", {"equation": "x + y = 1"}, "say which variable"),
        ("solve_equation", {"equation": "sinn(x) = 1"}, "did you mean sin"),
        ("solve_equation", {"expression": "x"}, "takes equation"),
        ("simplify_expression", {"expression": "2 +"}, "missing before the end"),
        ("simplify_expression", {"expression": "x", "form": "nicer"}, "simplify, expand, factor"),
        ("calculus", {"operation": "gradient", "expression": "x"}, "derivative, integral, limit or series"),
        ("calculus", {"operation": "limit", "expression": "1/x", "point": "0"}, "there is no limit"),
    ],
)
def test_an_error_is_a_text_that_a_model_can_act_on(name: str, arguments: dict[str, Any], words: str) -> None:
    message = call(name, **arguments)
    assert message.status == "error" and words in str(message.content) and "Traceback" not in str(message.content)


def test_their_kinds() -> None:
    assert signature_of(TOOLS["solve_equation"]).output == "text"
    assert signature_of(TOOLS["calculus"]).inputs["operation"] == "choice"
    assert signature_of(TOOLS["simplify_expression"]).optional == {"form"}
