"""Exact arithmetic for models that cannot count: one expression in, one number out.

Whole numbers and decimals stay exact (0.1 + 0.2 is 0.3, 1/3 * 3 is 1); only roots, logarithms and angles go through
floating point. The text is cut into numbers, names and signs first and everything else is refused, so that what people
type (3 × 4, 2^10, 15% of 80, 1,234.5) reads as they meant it; simpleeval then walks a tree of five node types. Limits
stop what would take long. Equations and symbols are not solved here.

    python -c "from qwen_router.tooling import load_tools as t; print(t()['calculator'].invoke({'expression': '0.1 + 0.2'}))"
"""

from __future__ import annotations

import ast
import math
import operator
import re
import unicodedata
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import reduce
from typing import Any

from langchain_core.tools import ToolException, tool
from pydantic import BaseModel, Field
from simpleeval import InvalidExpression, SimpleEval  # type: ignore[import-untyped]

Number = int | Fraction | float

MAX_CHARS = 4000
MAX_DEPTH = 60
MAX_BITS = 13_000
"""Of any exact value on the way: about 3,900 digits, below the 4,300 that Python prints."""
MAX_FACTORIAL = 1400
MAX_EXPONENT_DIGITS = 400

_CONSTANTS: dict[str, float] = {"pi": math.pi, "e": math.e, "tau": math.tau}
_SIGNS = str.maketrans(
    {**dict.fromkeys("×✕✖∙·⋅∗", "*"), **dict.fromkeys("÷⁄∕", "/"), **dict.fromkeys("−–—", "-"), "π": " pi ", "τ": " tau "}
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>0[xX][0-9a-fA-F]+\b|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[xX]|[A-Za-z][A-Za-z0-9]*)|(?P<sign>\*\*|//|[-+*/%^!(),√]))"
)
_THOUSANDS = re.compile(r"(?<![\d.])\d{1,3}(?:,\d{3})+(?![\d,])")
_PERCENT_OF = re.compile(r"%\s*of\b", re.IGNORECASE)
_PERCENT = re.compile(r"(?<=[\d.)])%(?!\s*[\w(.√])")  # 7 % 3 and 7%3 stay a remainder
_FACTORIAL_OF = re.compile(r"(?<!\d)(\d+)\s*!")


class CalculatorInput(BaseModel):
    """What the calculator takes."""

    expression: str = Field(description="Arithmetic expression, for example 12 * (3 + 4).")


class CalculationError(ToolException):
    """The expression has no value here; the text says why, for the model to read."""


# ── from what was typed to an expression of numbers, names and signs ────────────────────────────────────────────────────


def _normalised(text: str) -> str:
    """The expression in ASCII, with `**`, explicit products and `/100`. Raises `CalculationError` at a strange sign."""
    if len(text) > MAX_CHARS:
        raise CalculationError(f"the expression has {len(text):,} characters, more than {MAX_CHARS:,}: split it")
    text = re.sub(r"[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: f"**({m[0].translate(_SUPERSCRIPTS)})", text.translate(_SIGNS))
    text = re.sub(r"[=?\s]+$", "", unicodedata.normalize("NFKC", text))
    text = re.sub(r"\s*percent\b", "%", text, flags=re.IGNORECASE)
    text = _PERCENT.sub("/100", _PERCENT_OF.sub("/100*", text))
    text = _FACTORIAL_OF.sub(r"factorial(\1)", text)
    if not re.search(r"[A-Za-z]\s*\(", text):  # between arguments a comma separates
        text = _THOUSANDS.sub(lambda m: m[0].replace(",", ""), text)
    tokens = _tokens(text)
    _check_depth(tokens)
    return " ".join(_joined(tokens))


def _tokens(text: str) -> list[tuple[str, str]]:
    """(kind, text) of each token."""
    tokens: list[tuple[str, str]] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            rest = text[place:].strip()
            if not rest:
                break
            raise CalculationError(f"{rest[0]!r} does not belong in an arithmetic expression: {rest[:30]!r}")
        tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
        place = match.end()
    if not tokens:
        raise CalculationError("the expression is empty: give numbers and signs, for example 12 * (3 + 4)")
    return tokens


def _check_depth(tokens: list[tuple[str, str]]) -> None:
    """Refuse nesting that would exhaust the parser: open brackets, and signs one after the other."""
    depth = run = 0
    for kind, text in tokens:
        depth += (text == "(") - (text == ")")
        run = run + 1 if kind == "sign" and text not in "()" else 0
        if max(depth, run) > MAX_DEPTH:
            raise CalculationError(f"the expression is nested more than {MAX_DEPTH} deep: split it")


def _joined(tokens: list[tuple[str, str]]) -> list[str]:
    """The tokens as Python writes them: `^` is a power, `3 x 4` and `2(3 + 4)` and `2 pi` are products."""
    written: list[str] = []
    before = ("", "")
    for position, (kind, text) in enumerate(tokens):
        if kind == "sign":
            text = {"^": "**", "√": "sqrt"}.get(text, text)
            kind = "name" if text == "sqrt" else kind
        ends_value = before[0] == "number" or before[1] == ")" or before[1] in _CONSTANTS
        if ends_value and kind == "name" and text in ("x", "X"):
            kind, text = "sign", "*"
        elif ends_value and text == "mod":
            kind, text = "sign", "%"
        elif kind == "name" and text not in _FUNCTIONS and text not in _CONSTANTS:
            raise CalculationError(f"{text!r} is unknown here: {_known()}")
        elif ends_value and (kind in ("number", "name") or text == "("):
            if kind == "number" and before[0] == "number":
                raise CalculationError(f"there is no sign between {before[1]} and {text}")
            written.append("*")
        written.append(text)
        if text == "sqrt" and position + 1 < len(tokens) and tokens[position + 1][0] == "number":
            written[-1] = "sqrt("
            tokens[position + 1] = ("number", tokens[position + 1][1] + ")")
        before = (kind, text)
    return written


# ── exact where possible ────────────────────────────────────────────────────────────────────────────────────────────────


def _checked(value: Any) -> Number:
    """A real number of bearable size, whole numbers as int."""
    if callable(value):
        raise CalculationError("a function needs its argument in brackets, for example sqrt(2)")
    if isinstance(value, complex):
        raise CalculationError("the result is not a real number")
    if isinstance(value, Fraction):
        if value.denominator == 1:
            value = value.numerator
        elif value.denominator.bit_length() > MAX_BITS:
            raise CalculationError("the numbers on the way get too long")
    if isinstance(value, int | Fraction) and value.numerator.bit_length() > MAX_BITS:
        raise CalculationError("the numbers on the way get too long: more than about 3,900 digits")
    if isinstance(value, float) and not math.isfinite(value):
        raise CalculationError("the result is too large or not a number")
    return value  # type: ignore[no-any-return]


def _divide(left: Number, right: Number) -> Number:
    if isinstance(left, float) or isinstance(right, float):
        return float(left) / float(right)
    return Fraction(left) / Fraction(right)


def _root(value: Number, degree: Number) -> Number:
    """The real root of that degree, exact when it is rational."""
    if not isinstance(degree, int) or not 1 <= degree <= 1000:
        raise CalculationError("the degree of a root must be a whole number from 1 to 1000")
    if value < 0 and degree % 2 == 0:
        raise CalculationError(f"a negative number has no real root of degree {degree}")
    if isinstance(value, float):
        return math.copysign(abs(value) ** (1 / degree), value)
    exact = Fraction(value)
    over, under = _whole_root(abs(exact.numerator), degree), _whole_root(exact.denominator, degree)
    sign = -1 if value < 0 else 1
    if over is not None and under is not None:
        return sign * Fraction(over, under)
    return sign * float(abs(exact)) ** (1 / degree) if degree != 2 else math.sqrt(exact)


def _whole_root(value: int, degree: int) -> int | None:
    """The whole number whose power is `value`, or None; by bisection, since floats are too short."""
    low, high = 0, 1 << (value.bit_length() // degree + 1)
    while low < high:
        middle = (low + high) // 2
        if middle**degree < value:
            low = middle + 1
        else:
            high = middle
    return low if low**degree == value else None


def _power(base: Number, exponent: Number) -> Number:
    """A power, refused before it is computed when it would be huge."""
    if base == 0 and exponent < 0:
        raise ZeroDivisionError
    if isinstance(base, float) or isinstance(exponent, float):
        return _real_power(float(base), float(exponent))
    if isinstance(exponent, int):
        bits = max(abs(base.numerator), base.denominator).bit_length()
        if bits > 1 and bits * abs(exponent) > MAX_BITS + abs(exponent):
            raise CalculationError(f"a power with the exponent {_short(exponent)} has too many digits")
        return Fraction(base) ** exponent
    if exponent.denominator <= 12 and abs(exponent.numerator) <= 1000 and (base >= 0 or exponent.denominator % 2):
        return _power(_root(base, exponent.denominator), exponent.numerator)
    return _real_power(float(base), float(exponent))


def _real_power(base: float, exponent: float) -> float:
    if base < 0 and not exponent.is_integer():
        raise CalculationError("a negative number has no real power with a broken exponent")
    return math.pow(base, exponent)


def _short(value: int) -> str:
    text = str(value)
    return text if len(text) <= 12 else f"{text[:6]}... of {len(text)} digits"


def _whole(value: Number, what: str) -> int:
    if isinstance(value, int):
        return value
    raise CalculationError(f"{what} takes whole numbers")


def _wholes(function: Callable[..., int], name: str, most: int) -> Callable[..., int]:
    """A function of whole numbers from 0 to `most`."""

    def limited(*values: Number) -> int:
        whole = [_whole(value, name) for value in values]
        if any(not 0 <= value <= most for value in whole):
            raise CalculationError(f"{name} takes whole numbers from 0 to {most:,}")
        return function(*whole)

    return limited


def _angle(function: Callable[[float], float]) -> Callable[[Number], Number]:
    """sin, cos, tan of radians; what pi's rounding leaves beside a whole value is taken away."""

    def rounded(angle: Number) -> Number:
        value = function(float(angle))
        return round(value, 15) if abs(float(angle)) > 1e-6 and abs(value) <= 1 else value

    return rounded


def _log(value: Number, base: Number | None = None) -> Number:
    return math.log(value) if base is None else math.log(value) / math.log(base)


def _rounded(value: Number, places: Number = 0) -> Number:
    """Half away from zero, as at school, not to even."""
    places = _whole(places, "round's second argument")
    if abs(places) > 100:
        raise CalculationError("round takes at most 100 places")
    scaled = Fraction(value) * Fraction(10) ** places
    away = math.floor(abs(scaled) + Fraction(1, 2))
    return Fraction(-away if scaled < 0 else away) / Fraction(10) ** places


def _sum(*values: Number) -> Number:
    return reduce(operator.add, values, 0)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": abs, "round": _rounded, "floor": math.floor, "ceil": math.ceil, "trunc": math.trunc,
    "sqrt": lambda x: _root(x, 2), "cbrt": lambda x: _root(x, 3), "root": _root, "pow": _power,
    "exp": math.exp, "ln": math.log, "log": _log, "log2": math.log2, "log10": math.log10,
    "sin": _angle(math.sin), "cos": _angle(math.cos), "tan": _angle(math.tan),
    "asin": math.asin, "acos": math.acos, "atan": math.atan, "atan2": math.atan2,
    "sinh": math.sinh, "cosh": math.cosh, "tanh": math.tanh, "degrees": math.degrees, "radians": math.radians,
    "hypot": lambda *xs: _root(_sum(*(x * x for x in xs)), 2), "min": lambda *xs: min(xs), "max": lambda *xs: max(xs),
    "sum": _sum, "mean": lambda *xs: _divide(_sum(*xs), len(xs)), "avg": lambda *xs: _divide(_sum(*xs), len(xs)),
    "gcd": lambda *xs: math.gcd(*(_whole(x, "gcd") for x in xs)),
    "lcm": lambda *xs: math.lcm(*(_whole(x, "lcm") for x in xs)),
    "factorial": _wholes(math.factorial, "factorial", MAX_FACTORIAL),
    "comb": _wholes(math.comb, "comb", 10_000), "perm": _wholes(math.perm, "perm", 10_000),
}  # fmt: skip

_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: _divide, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod, ast.Pow: _power, ast.UAdd: operator.pos, ast.USub: operator.neg,
}  # fmt: skip


class _Exact(SimpleEval):  # type: ignore[misc]
    """simpleeval with our operators, our functions and no node beside numbers, names, signs and calls."""

    def __init__(self, source: str) -> None:
        super().__init__(operators=dict(_OPERATORS), functions=dict(_FUNCTIONS), names=dict(_CONSTANTS))
        self.source = source
        self.nodes = {
            ast.Expr: self._eval_expr,
            ast.Constant: self._literal,
            ast.UnaryOp: self._eval_unaryop,
            ast.BinOp: self._chain,
            ast.Call: self._eval_call,
            ast.Name: self._eval_name,
        }

    def _eval(self, node: ast.AST) -> Number:
        return _checked(super()._eval(node))

    def _literal(self, node: ast.Constant) -> Number:
        """The number as it was written: a float literal would round it."""
        text = self.source[node.col_offset : node.end_col_offset]
        if text[:2] in ("0x", "0X"):
            return int(text, 16)
        _, _, exponent = text.lower().partition("e")
        if exponent and abs(int(exponent)) > MAX_EXPONENT_DIGITS:
            raise CalculationError(f"{text!r} is too large or too small: exponents go to {MAX_EXPONENT_DIGITS}")
        return Fraction(text)

    def _chain(self, node: ast.BinOp) -> Number:
        """A row of signs of one rank, without one Python frame a term: sums may have a thousand."""
        row: list[ast.BinOp] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp):
            row.append(left)
            left = left.left
        value = self._eval(left)
        for step in reversed(row):
            value = _checked(self.operators[type(step.op)](value, self._eval(step.right)))
        return value


def _as_number(value: Number) -> int | float:
    """What leaves the tool: an int where it is whole, else the nearest float; 15 digits of what was never exact."""
    if isinstance(value, int):
        return value
    if isinstance(value, Fraction):
        near = float(value)
        if near == 0:
            raise CalculationError("the result is not zero but too small to write as a decimal")
        return near
    near = float(f"{value:.15g}")
    return int(near) if near.is_integer() and abs(near) < 1e15 else near


def calculate(expression: str) -> int | float:
    """The value of an expression. Raises `CalculationError`, quickly, for everything that has none."""
    source = _normalised(expression)
    try:
        return _as_number(_Exact(source).eval(source))
    except CalculationError:
        raise
    except ZeroDivisionError:
        raise CalculationError("division by zero has no result") from None
    except OverflowError:
        raise CalculationError("the result is too large for a decimal number") from None
    except SyntaxError:
        raise CalculationError(f"{_start(expression)} is not a complete expression: check brackets and signs") from None
    except (RecursionError, MemoryError):
        raise CalculationError("the expression is nested too deep: split it") from None
    except InvalidExpression:
        hint = "decimals take a point, arguments take brackets"
        raise CalculationError(f"{_start(expression)} is not one expression: {hint}") from None
    except TypeError:
        raise CalculationError(f"a function in {_start(expression)} got the wrong number or kind of arguments") from None
    except ValueError as error:
        raise CalculationError(f"{_start(expression)} has no real value: {error}") from None


def _start(expression: str) -> str:
    text = expression.strip()
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _known() -> str:
    return f"functions are {', '.join(sorted(_FUNCTIONS))}; constants are {', '.join(_CONSTANTS)}"


@tool("calculator", args_schema=CalculatorInput)
def calculator(expression: str) -> int | float:
    """Work out an arithmetic expression exactly, for example 12 * (3 + 4) or sqrt(2) / 3."""
    return calculate(expression)


def _explain(error: object) -> str:
    """What a model reads that called with the wrong arguments."""
    return "calculator takes one argument: expression, a text such as 12 * (3 + 4)"


calculator.handle_tool_error = True
calculator.handle_validation_error = _explain
calculator.metadata = {"inputs": {"expression": "expression"}, "output": "number"}
