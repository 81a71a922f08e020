"""Trees into sympy's objects, by looking every name up, and objects into text that the grammar reads back.

What would fill the memory before sympy notices (towers of powers, factorials) is refused here. Runs in the worker only.

    python -c "from qwen_router.symbolic.building import built; print(built(['pow', ['sym', 'x'], ['num', '2']]))"
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import sympy as sp
from sympy.printing.str import StrPrinter

MAX_POWER_BITS = 20_000
MAX_FACTORIAL = 2000
MAX_OUT_CHARS = 8000


class Refused(Exception):
    """No answer; `kind` is size, domain, unknown or undecided, the text says what and what to do."""

    def __init__(self, text: str, fix: str, kind: str = "domain") -> None:
        super().__init__(text)
        self.fix, self.kind = fix, kind


def _log(value: Any, base: Any = None) -> Any:
    return sp.log(value) if base is None else sp.log(value, base)


def _root(value: Any, degree: Any) -> Any:
    """The real root of a number, also of a negative one."""
    return sp.real_root(value, degree) if value.is_number else sp.root(value, degree)


def _factorial(value: Any) -> Any:
    if value.is_number and (not value.is_real or value > MAX_FACTORIAL):
        raise Refused(f"a factorial of {_short(value)} is not computed", f"at most {MAX_FACTORIAL}!", "size")
    return sp.factorial(value)


def _binomial(above: Any, below: Any) -> Any:
    if any(value.is_number and (not value.is_real or abs(value) > 5 * MAX_FACTORIAL) for value in (above, below)):
        raise Refused("the binomial is too large", f"numbers up to {5 * MAX_FACTORIAL:,}", "size")
    return sp.binomial(above, below)


def _power(base: Any, exponent: Any) -> Any:
    """A power, refused before sympy computes a number that fills the memory."""
    if base.is_Rational and exponent.is_Rational and base not in (0, 1, -1):
        bits = max(abs(base.p), base.q).bit_length()
        if bits * abs(exponent) > MAX_POWER_BITS:
            raise Refused(f"the power {_short(base)}^{_short(exponent)} has too many digits", "use smaller numbers", "size")
    if base.is_Add and exponent.is_Integer and abs(exponent) > 2000:
        raise Refused(f"the exponent {_short(exponent)} is too large for a sum", "at most 2,000", "size")
    if base == 0 and exponent.is_negative:
        raise Refused("division by zero has no result", "check the denominators")
    return sp.Pow(base, exponent)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sqrt": sp.sqrt, "cbrt": lambda x: _root(x, sp.Integer(3)), "root": _root, "exp": sp.exp, "ln": sp.log, "log": _log,
    "log2": lambda x: sp.log(x, 2), "log10": lambda x: sp.log(x, 10), "abs": sp.Abs, "sign": sp.sign, "floor": sp.floor,
    "ceil": sp.ceiling, "min": sp.Min, "max": sp.Max, "gcd": lambda *xs: _folded(sp.gcd, xs),
    "lcm": lambda *xs: _folded(sp.lcm, xs), "sin": sp.sin, "cos": sp.cos, "tan": sp.tan, "cot": sp.cot, "sec": sp.sec,
    "csc": sp.csc, "asin": sp.asin, "acos": sp.acos, "atan": sp.atan,
    "atan2": sp.atan2, "sinh": sp.sinh, "cosh": sp.cosh, "tanh": sp.tanh, "asinh": sp.asinh, "acosh": sp.acosh,
    "atanh": sp.atanh, "factorial": _factorial, "binomial": _binomial, "gamma": sp.gamma, "erf": sp.erf, "re": sp.re,
    "im": sp.im, "conjugate": sp.conjugate,
}  # fmt: skip
CONSTANTS = {"pi": sp.pi, "E": sp.E, "I": sp.I, "oo": sp.oo, "tau": 2 * sp.pi}


def _folded(function: Callable[..., Any], values: tuple[Any, ...]) -> Any:
    result = values[0]
    for value in values[1:]:
        result = function(result, value)
    return result


def built(tree: list[Any]) -> Any:
    """sympy's expression of a tree without lists, sets and relations."""
    kind, *parts = tree
    if kind == "num":
        return sp.Rational(parts[0])
    if kind == "sym":
        return sp.Symbol(parts[0])
    if kind == "const":
        return CONSTANTS[parts[0]]
    if kind == "call":
        return FUNCTIONS[parts[0]](*(built(part) for part in parts[1:]))
    if kind not in ("add", "mul", "neg", "inv", "pow", "mod"):
        what = {"rel": "a relation", "pm": "a ± sign"}.get(kind, f"a {kind}")
        raise Refused(f"{what} stands where one expression is needed", "give one expression, such as x^2 + 1")
    values = [built(part) for part in parts]
    if kind == "add":
        return sp.Add(*values)
    if kind == "mul":
        return sp.Mul(*values)
    if kind == "neg":
        return -values[0]
    if kind == "inv":
        return _power(values[0], sp.Integer(-1))
    return _power(*values) if kind == "pow" else sp.Mod(*values)


def finite(value: Any) -> Any:
    """The value itself, unless it is none."""
    if value.has(sp.nan, sp.zoo):
        raise Refused("the expression has no value (it divides by zero, or takes infinity from infinity)", "check it")
    return value


class _Printer(StrPrinter):  # type: ignore[misc]
    """sympy's own writing, with the names that the grammar knows."""

    def _print_Exp1(self, value: Any) -> str:
        return "e"

    def _print_ImaginaryUnit(self, value: Any) -> str:
        return "i"

    def _print_Abs(self, value: Any) -> str:
        return f"abs({self.stringify(value.args, ', ')})"

    def _print_ceiling(self, value: Any) -> str:
        return f"ceil({self.stringify(value.args, ', ')})"


def shown(value: Any) -> str:
    """What the grammar reads back, of bounded length."""
    text = str(_Printer().doprint(value))
    if len(text) > MAX_OUT_CHARS:
        raise Refused(f"the result has {len(text):,} characters", "ask for less at once", "size")
    return text


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 16 else f"{text[:8]}... ({len(text)} characters)"


def number(value: Any) -> float | None:
    """The nearest float of a real number, None for everything else."""
    if value.free_symbols or value.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        return None
    near = sp.N(value, 20, maxn=200)
    if not near.is_number or near.has(sp.I):
        real, imaginary = near.as_real_imag()
        if not (imaginary.is_number and real.is_number) or abs(imaginary) > 1e-15 * (1 + abs(real)):
            return None
        near = real
    found = float(near) if near.is_Float or near.is_Rational else math.inf
    return found if math.isfinite(found) else None


def described(value: Any) -> dict[str, Any]:
    return {
        "exact": shown(value),
        "number": number(value),
        "whole": int(value) if value.is_Integer and abs(value) < 10**4000 else None,
    }
