"""The shipped tools and their loader: exact arithmetic under attack, unit conversions, files that are wrong."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from fractions import Fraction
from itertools import permutations
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from qwen_router.errors import InvalidTool, MissingExtra
from qwen_router.tooling import ToolSignature, load_tools, signature_of

FOLDER = Path(__file__).parent.parent / "tools"
TOOLS = load_tools([FOLDER])


def module_of(tool: BaseTool) -> ModuleType:
    return sys.modules[tool.func.__module__]  # type: ignore[attr-defined]


CALCULATOR, UNITS = module_of(TOOLS["calculator"]), module_of(TOOLS["convert_units"])
calculate, CalculationError = CALCULATOR.calculate, CALCULATOR.CalculationError
convert, ConversionError = UNITS.convert, UNITS.ConversionError


# ── the calculator ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        pytest.param("12 * 13", 156, id="a-product"),
        pytest.param("2 + 3 * 4", 14, id="products-before-sums"),
        pytest.param("0.1 + 0.2", 0.3, id="decimals-are-exact"),
        pytest.param("1/3*3", 1, id="fractions-are-exact"),
        pytest.param("1 / 3", 1 / 3, id="the-nearest-float-leaves"),
        pytest.param("99999999999999999999 * 99999999999999999999", 99999999999999999999**2, id="long-wholes-are-exact"),
        pytest.param("1e400 / 1e399", 10, id="beyond-floats"),
        pytest.param("12345678901234567890.5 * 2", 24691357802469135781, id="long-decimals-are-read-whole"),
        pytest.param("2^10", 1024, id="a-caret-is-a-power"),
        pytest.param("-2^2", -4, id="the-power-before-the-sign"),
        pytest.param("2^3^2", 512, id="towers-from-the-right"),
        pytest.param("2**-2", 0.25, id="negative-exponents"),
        pytest.param("0^0", 1, id="as-usual-one"),
        pytest.param("8^(2/3)", 4, id="rational-exponents-of-perfect-powers"),
        pytest.param("(-8)^(1/3)", -2, id="the-real-root"),
        pytest.param("2**0.5", 1.4142135623731, id="fifteen-digits-of-a-root"),
        pytest.param("sqrt(16)", 4, id="exact-root"),
        pytest.param("√16 + √(9)", 7, id="root-sign"),
        pytest.param("cbrt(-27)", -3, id="cube-root"),
        pytest.param("3 × 4 ÷ 2 − 1", 5, id="printed-signs"),
        pytest.param("１２＋３＝？", 15, id="full-width"),
        pytest.param("3²+2⁻¹", 9.5, id="superscripts"),
        pytest.param("3x4", 12, id="x-for-times"),
        pytest.param("3 x (4)", 12, id="x-before-a-bracket"),
        pytest.param("2(3+4)(1)", 14, id="products-without-a-sign"),
        pytest.param("2π", 6.28318530717959, id="pi-as-a-letter"),
        pytest.param("15% of 80", 12, id="percent-of"),
        pytest.param("15 percent of 80", 12, id="percent-in-words"),
        pytest.param("200 + 15%", 200.15, id="a-percent-is-a-hundredth"),
        pytest.param("7 % 3", 1, id="remainder"),
        pytest.param("10 mod 3", 1, id="remainder-in-words"),
        pytest.param("-7 // 2", -4, id="floor-division"),
        pytest.param("1,234,567.5 * 2", 2469135, id="thousands"),
        pytest.param("max(1,234)", 234, id="commas-between-arguments"),
        pytest.param("5! / 3!", 20, id="factorials"),
        pytest.param("12*3 =", 36, id="as-typed-into-a-calculator"),
        pytest.param("0x10", 16, id="hexadecimal"),
        pytest.param("sin(pi)", 0, id="what-pi-lacks-is-no-result"),
        pytest.param("sin(pi/6)", 0.5, id="angles-are-radians"),
        pytest.param("log(100, 10)", 2, id="log-of-a-base"),
        pytest.param("ln(e)", 1, id="natural-logarithm"),
        pytest.param("round(2.5)", 3, id="half-away-from-zero"),
        pytest.param("round(-2.345, 2)", -2.35, id="half-away-from-zero-below-it"),
        pytest.param("hypot(3, 4)", 5, id="hypotenuse"),
        pytest.param("mean(1, 2, 4)", 7 / 3, id="mean"),
        pytest.param("gcd(12, 18) + lcm(4, 6)", 18, id="gcd-and-lcm"),
    ],
)
def test_the_calculator_reads_what_people_write_and_stays_exact(expression: str, value: float) -> None:
    result = calculate(expression)
    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        pytest.param("1/0", "division by zero", id="division"),
        pytest.param("7 % 0", "division by zero", id="remainder"),
        pytest.param("0**-1", "division by zero", id="power"),
        pytest.param("", "empty", id="nothing"),
        pytest.param(" = ", "empty", id="nothing-but-a-sign"),
        pytest.param("2 +", "complete", id="cut-short"),
        pytest.param("(1", "complete", id="open-bracket"),
        pytest.param("1 2", "no sign between 1 and 2", id="two-numbers"),
        pytest.param("3,5 + 1", "decimals take a point", id="decimal-comma"),
        pytest.param("x + 1", "'x' is unknown", id="a-variable"),
        pytest.param("foo(3)", "'foo' is unknown", id="a-made-up-function"),
        pytest.param("sqrt", "in brackets", id="a-bare-function"),
        pytest.param("sqrt()", "wrong number", id="no-argument"),
        pytest.param("min()", "no real value", id="minimum-of-nothing"),
        pytest.param("sqrt(-1)", "no real root", id="imaginary-root"),
        pytest.param("(-8)^0.5", "no real", id="imaginary-power"),
        pytest.param("log(0)", "no real value", id="logarithm-of-zero"),
        pytest.param("asin(2)", "no real value", id="no-such-angle"),
        pytest.param("exp(1000)", "too large", id="overflow"),
        pytest.param("1/10^700", "too small", id="underflow"),
        pytest.param("factorial(2.5)", "whole numbers", id="broken-factorial"),
        pytest.param("12 € * 3", "'€' does not belong", id="a-strange-sign"),
        pytest.param("1 == 1", "'=' does not belong", id="an-equation"),
    ],
)
def test_an_expression_without_a_value_is_told_why(expression: str, says: str) -> None:
    with pytest.raises(CalculationError, match=says):
        calculate(expression)


ATTACKS = {
    "power-tower": "9**9**9",
    "caret-tower": "9^9^9^9",
    "long-tower": "2**" * 1300 + "2",
    "repeated-squares": "(" * 40 + "9" + "**9)" * 40,
    "huge-base": "(10**3000)**3000",
    "huge-fraction": "(1/3)**100000",
    "huge-product": "*".join(["(10**3000)"] * 20),
    "huge-exponent-literal": "1e999999999",
    "huge-negative-exponent-literal": "1e-999999999",
    "huge-factorial": "factorial(100000)",
    "factorial-of-factorial": "factorial(factorial(20))",
    "huge-choice": "comb(10**9, 5*10**8)",
    "huge-arrangements": "perm(10000, 9999)",
    "huge-rounding": "round(1/3, 10**9)",
    "huge-root": "root(2, 10**9)",
    "ten-thousand-characters": "1+" * 5000 + "1",
    "four-thousand-digits": "9" * 4000,
    "deep-brackets": "(" * 1900 + "1" + ")" * 1900,
    "deep-signs": "-" * 3900 + "1",
    "deep-calls": "abs(" * 900 + "1" + ")" * 900,
    "digits-and-spaces": "1 " * 2000,
    "dunder-import": "__import__('os').system('true')",
    "attribute": "(1).__class__.__bases__",
    "attribute-of-a-name": "pi.__class__",
    "subscript": "[1][0]",
    "text": "'a' * 10**9",
    "lambda": "(lambda: 1)()",
    "comprehension": "[x for x in (1,2)]",
    "keyword-argument": "round(number=1)",
    "star-arguments": "max(*(1,2))",
    "walrus": "(a := 1)",
    "conditional": "1 if 1 else 2",
    "true": "True",
    "formatted-text": "f'{1}'",
    "several-statements": "1; 2",
    "newline": "1\nimport os",
    "comment": "1 # 2",
    "builtin": "open(1)",
    "eval": "eval(1)",
    "null": "1\0",
    "combining-marks": "1\u0301 + 2",
    "right-to-left": "\u202e1+2",
    "other-digits": "٣+٤",
    "lone-surrogate": "1 + \ud800",
}


@pytest.mark.parametrize("expression", [pytest.param(text, id=name) for name, text in ATTACKS.items()])
def test_an_attack_is_refused_before_it_computes(expression: str) -> None:
    started = time.process_time()
    try:
        result = calculate(expression)
    except CalculationError as error:
        assert len(str(error)) < 700
    else:
        assert expression == ATTACKS["other-digits"] and result == 7  # Unicode's compatibility forms are digits
    assert time.process_time() - started < 5  # a tower that is computed takes minutes


def test_a_sum_of_two_thousand_terms_is_no_attack() -> None:
    assert calculate("+".join(["1"] * 2000)) == 2000


NUMBERS = st.integers(-(10**6), 10**6).map(lambda n: f"({n})") | st.decimals(-1000, 1000, places=3).map(lambda d: f"({d:f})")
EXPRESSIONS = st.recursive(
    NUMBERS,
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    max_leaves=12,
)


@given(EXPRESSIONS)
@settings(max_examples=200, deadline=None)
def test_every_expression_has_the_value_that_fractions_give(expression: str) -> None:
    import re

    exact = re.sub(r"-?\d+(\.\d+)?", lambda m: f"Fraction('{m[0]}')", expression)
    try:
        expected = eval(exact, {"Fraction": Fraction})  # our own text, not a model's
    except ZeroDivisionError:
        with pytest.raises(CalculationError, match="division by zero"):
            calculate(expression)
        return
    result = calculate(expression)
    assert result == expected if expected.denominator == 1 else result == float(expected)


@given(st.text(max_size=60) | st.text(alphabet="0123456789.+-*/^%()eExX!, √π", max_size=60))
@settings(max_examples=400, deadline=None)
def test_any_text_gives_a_finite_number_or_a_calculation_error(text: str) -> None:
    try:
        assert math.isfinite(float(calculate(text))) or isinstance(calculate(text), int)
    except CalculationError:
        pass
    except OverflowError:
        assert isinstance(calculate(text), int)  # only float() above, of a long whole number


# ── units ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "from_unit", "to_unit", "result"),
    [
        pytest.param(5, "km", "m", 5000, id="prefix"),
        pytest.param(5, "km", "miles", 3.10685596119, id="plural"),
        pytest.param(100, "degC", "degF", 212, id="offset"),
        pytest.param(20, "celsius", "fahrenheit", 68, id="temperature-in-words"),
        pytest.param(20, "C", "F", 68, id="letters-beside-each-other-are-temperatures"),
        pytest.param(0, "kelvin", "C", -273.15, id="a-letter-beside-a-temperature"),
        pytest.param(1, "C", "mAh", 0.277777777778, id="a-letter-beside-a-charge-is-a-coulomb"),
        pytest.param(20, "°C", "℉", 68, id="degree-signs"),
        pytest.param(60, "miles per hour", "km/h", 96.56064, id="per-in-words"),
        pytest.param(1, "square feet", "m²", 0.09290304, id="square"),
        pytest.param(10, "sq ft", "m2", 0.9290304, id="digits-as-powers"),
        pytest.param(1, "cubic meters", "liters", 1000, id="cubic"),
        pytest.param(1, "公里", "米", 1000, id="chinese"),
        pytest.param(2, "KG", "lbs", 4.4092452437, id="capitals"),
        pytest.param(1, "fluid ounce", "mL", 29.5735295625, id="two-words"),
        pytest.param(1, "GB", "MB", 1000, id="bytes"),
        pytest.param(500, "mb", "KB", 500000, id="bytes-not-barns"),
        pytest.param(1, "kWh", "MJ", 3.6, id="energy"),
        pytest.param(1, "inch", "cm", 2.54, id="inch"),
        pytest.param(0.1, "km", "m", 100, id="no-rounding-dust"),
    ],
)
def test_units_are_converted_as_people_write_them(value: float, from_unit: str, to_unit: str, result: float) -> None:
    assert convert(value, from_unit, to_unit) == result


def test_every_unit_that_the_demo_model_was_taught_converts() -> None:
    sys.path.insert(0, str(FOLDER.parent / "training"))
    try:
        from nano_tool_tasks import UNIT_KINDS
    finally:
        sys.path.pop(0)
    for source, target in (pair for kind in UNIT_KINDS for pair in permutations(kind, 2)):
        assert convert(500, source, target) > 0, (source, target)


@pytest.mark.parametrize(
    ("value", "from_unit", "to_unit", "says"),
    [
        pytest.param(5, "km", "kg", "'km' measures length and 'kg' measures mass", id="different-dimensions"),
        pytest.param(5, "lightyers", "m", "did you mean lightyear", id="a-misspelt-unit"),
        pytest.param(5, "bananas", "kg", "no unit is called 'bananas'", id="no-unit"),
        pytest.param(5, "USD", "EUR", "currency", id="a-currency"),
        pytest.param(-300, "C", "F", "below absolute zero", id="too-cold"),
        pytest.param(1e308, "km", "nm", "too large", id="overflow"),
        pytest.param(1, "", "m", "short text", id="empty"),
        pytest.param(1, "m" * 100, "m", "short text", id="long"),
        pytest.param(1, "9**9**9**9", "m", "no unit", id="power-tower"),
        pytest.param(1, "m^9^9^9", "m", "no unit", id="tower-on-a-unit"),
        pytest.param(1, "m**99999999", "m", "no unit", id="huge-power"),
        pytest.param(1, "(m)^(9^9)", "m", "no unit", id="power-in-brackets"),
        pytest.param(1, "m.__class__", "m", "no unit", id="attribute"),
        pytest.param(1, "__class__", "m", "no unit", id="dunder"),
        pytest.param(1, "m; import os", "m", "no unit", id="statement"),
    ],
)
def test_a_conversion_that_does_not_exist_is_told_why(value: float, from_unit: str, to_unit: str, says: str) -> None:
    started = time.process_time()
    with pytest.raises(ConversionError, match=says):
        convert(value, from_unit, to_unit)
    assert time.process_time() - started < 5  # the first one reads pint's definitions


@given(st.floats(-1e6, 1e6), st.sampled_from([("km", "miles"), ("degC", "degF"), ("kg", "pounds"), ("acre", "hectare")]))
@settings(max_examples=50, deadline=None)
def test_there_and_back_is_where_it_started(value: float, pair: tuple[str, str]) -> None:
    if pair[0] == "degC":
        value = abs(value)
    assert convert(convert(value, *pair), *reversed(pair)) == pytest.approx(value, rel=1e-9, abs=1e-6)


@given(st.text(max_size=30))
@settings(max_examples=150, deadline=None)
def test_any_text_as_a_unit_converts_or_is_a_conversion_error(text: str) -> None:
    try:
        convert(1.0, text, "m")
    except ConversionError:
        pass


# ── as tools ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_calculator_and_units_declare_what_they_take_and_give() -> None:
    assert [signature_of(TOOLS[name]) for name in ("calculator", "convert_units")] == [
        ToolSignature("calculator", {"expression": "expression"}, "number"),
        ToolSignature("convert_units", {"value": "number", "from_unit": "unit", "to_unit": "unit"}, "number"),
    ]


TAUGHT = ("calculator", "convert_units")


def test_a_model_sees_the_names_and_arguments_that_the_demo_model_was_taught() -> None:
    declared = {
        name: convert_to_openai_tool(tool)["function"]["parameters"] for name, tool in TOOLS.items() if name in TAUGHT
    }
    kinds = {name: {k: v["type"] for k, v in parameters["properties"].items()} for name, parameters in declared.items()}
    assert kinds == {
        "calculator": {"expression": "string"},
        "convert_units": {"value": "number", "from_unit": "string", "to_unit": "string"},
    }


@pytest.mark.parametrize(
    ("name", "arguments", "content", "status"),
    [
        pytest.param("calculator", {"expression": "12 * 13"}, "156", "success", id="a-number"),
        pytest.param("calculator", {"expression": "1/0"}, "division by zero has no result", "error", id="an-error-is-text"),
        pytest.param("calculator", {"question": "1+1"}, None, "error", id="wrong-argument"),
        pytest.param(
            "convert_units", {"value": "5", "from_unit": "km", "to_unit": "m"}, "5000", "success", id="a-number-as-text"
        ),
        pytest.param("convert_units", {"value": "five", "from_unit": "km", "to_unit": "m"}, None, "error", id="no-number"),
        pytest.param("convert_units", {"value": math.inf, "from_unit": "km", "to_unit": "m"}, None, "error", id="infinity"),
    ],
)
def test_a_tool_call_becomes_a_tool_message(name: str, arguments: dict[str, Any], content: str | None, status: str) -> None:
    message = TOOLS[name].invoke({"type": "tool_call", "name": name, "id": "1", "args": arguments})
    assert isinstance(message, ToolMessage)
    assert message.status == status
    assert content == message.content if content else "argument" in str(message.content)


async def test_a_tool_runs_asynchronously_too() -> None:
    assert await TOOLS["calculator"].ainvoke({"expression": "0.1 + 0.2"}) == 0.3


# ── the loader ──────────────────────────────────────────────────────────────────────────────────────────────────────────

GOOD = """
from langchain_core.tools import tool
@tool
def {name}(text: str) -> str:
    "{docs}"
    return text
{name}.metadata = {{"inputs": {{"text": "text"}}, "output": "text"}}
"""


def write(folder: Path, file: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / file).write_text(text, encoding="utf-8")
    return folder


def test_the_folder_that_comes_first_wins(tmp_path: Path) -> None:
    first = write(tmp_path / "a", "mine.py", GOOD.format(name="calculator", docs="mine"))
    tools = load_tools([first, FOLDER])
    assert sorted(tools) == sorted(TOOLS)
    assert tools["calculator"].description == "mine"


def test_the_working_folder_adds_to_the_shipped_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "tools", "echo.py", GOOD.format(name="echo", docs="says it again"))
    monkeypatch.chdir(tmp_path)
    assert sorted(load_tools()) == sorted([*TOOLS, "echo"])


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", "echo.py", GOOD.format(name="echo", docs="before"))
    assert load_tools([folder])["echo"] is load_tools([folder])["echo"]
    time.sleep(0.01)
    write(folder, "echo.py", GOOD.format(name="echo", docs="afterwards"))
    assert load_tools([folder])["echo"].description == "afterwards"


def test_scripts_in_a_folder_called_tools_are_not_run(tmp_path: Path) -> None:
    folder = write(tmp_path / "tools", "release.py", "raise SystemExit('a build script was run')")
    write(folder, "_shared.py", "raise SystemExit('a private file was run')  # import langchain")
    assert load_tools([folder]) == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("import langchain_core\nx = 1/0", r"bad\.py failed: ZeroDivisionError.*\(line 2\)", id="raises"),
        pytest.param("import langchain_core\ndef (", r"bad\.py failed: SyntaxError.*\(line 2\)", id="syntax"),
        pytest.param(
            "import langchain_core, no_such_package_here",
            r"bad\.py needs the package 'no_such_package_here'",
            id="needs-a-package",
        ),
        pytest.param("import langchain_core", r"bad\.py defines no tool", id="no-tool"),
        pytest.param(
            GOOD.format(name="echo", docs="x").rpartition("\necho")[0],
            r"bad\.py: the tool 'echo' does not say",
            id="no-types",
        ),
        pytest.param(
            GOOD.format(name="echo", docs="x").replace('"text": "t', '"txt": "t'),
            r"takes \['text'\] but declares \['txt'\]",
            id="wrong-types",
        ),
        pytest.param("import langchain_core\nraise SystemExit", r"bad\.py failed: SystemExit", id="exits"),
    ],
)
def test_a_wrong_tool_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InvalidTool, match=says) as caught:
        load_tools([write(tmp_path, "bad.py", text)])
    assert caught.value.fix


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_bytes(b"\xff\xfe langchain")
    with pytest.raises(InvalidTool, match=r"bad\.py"):
        load_tools([tmp_path])


def test_two_tools_of_one_name_in_one_folder_are_both_named(tmp_path: Path) -> None:
    write(tmp_path, "a.py", GOOD.format(name="echo", docs="x"))
    write(tmp_path, "b.py", GOOD.format(name="echo", docs="y"))
    with pytest.raises(InvalidTool, match=r"a\.py and .*b\.py both define the tool 'echo'"):
        load_tools([tmp_path])


def test_a_missing_extra_names_its_command() -> None:
    program = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] == sys.argv[1]:
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
sys.meta_path.insert(0, Refuse())
from qwen_router.tooling import load_tools
from qwen_router.errors import MissingExtra
try:
    load_tools()
except MissingExtra as error:
    print(error)
"""
    for package in ("langchain_core", "simpleeval"):
        done = subprocess.run(
            [sys.executable, "-c", program, package], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.stderr == ""
        assert 'pip install "qwen-router[tools]"' in done.stdout


def test_importing_the_loader_imports_no_langchain() -> None:
    program = "import sys, qwen_router.tooling; print(json.dumps([m for m in sys.modules if m.startswith('langchain')]))"
    done = subprocess.run(
        [sys.executable, "-c", "import json\n" + program], capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(done.stdout) == []


def test_missing_extra_is_one_of_our_errors() -> None:
    assert MissingExtra.of("pint", extra="tools").fix == 'pip install "qwen-router[tools]"'
