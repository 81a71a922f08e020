r"""A strict reading of mathematics for whoever checks answers, and exact values at given points.

`symbolic/grammar.py` reads what people type as generously as it can; a check must not guess. So what can be read in two ways
(`1/2x`, `log x`, `7 % 3`, `2,5`) or may be words (`am`, `cups`) is refused here before it is parsed. Values are worked
out in process, exact as long as they can be, with limits on their size; solving and calculus are sympy's business.

    python -c "from qwen_router.agent.checks.mathtext import read, value; print(value(read(r'\\frac{3}{4} + 0.5')))"
"""

from __future__ import annotations

import cmath
import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction

from qwen_router.symbolic import NotMathematics
from qwen_router.symbolic.grammar import FUNCTIONS, Tree, parse

__all__ = ["NoValue", "NotMathematics", "Number", "Tree", "names", "operations", "read", "same_function", "tidy", "value"]

Number = Fraction | float | complex

MAX_CHARS = 600
MAX_BITS = 4000
"""Of any exact number on the way, about 1,200 digits."""
_FIX = "write it so that it can be read in one way only"
_WORDS = frozenset(FUNCTIONS) | frozenset(
    "pi arcsin arccos arctan lg mod frac dfrac tfrac cfrac cdot times div left right sqrt theta alpha beta displaystyle pm "
    "ln exp boxed big Big limits quad mathrm text operatorname".split()
)  # fmt: skip
_NO_PRODUCT = frozenset(
    "an as at be by do go he if in is it me my no of on or so to up us we cm mm km kg mg ms hr am pm ft yd dx dy dt du dv"
    .split()
)  # fmt: skip
_UNCLEAR = re.compile(
    r"/\s*(?:\d[\d.]*|[a-zA-Z])(?:\^\d)?\s*(?:[a-zA-Z(]|\\(?!cdot|times|div|right|quad|[,;:! )\]]))"  # 1/2x
    r"|\\[dt]?frac\s*\{\s*d[^}]*\}\s*\{\s*d\s*[a-z]"  # d/dx
    r"|/\s*\([^()]*\)\s*[\w(]|\blog(?![\d_])|\\log(?!_)|÷\s*\d+\s*\("
    r"|(?:÷|\\div)\s*(?:\([^()]*\)|[\w.^]+)\s*/|\)\s*/\s*\([^()]*\)\s*/"  # a ÷ b/c: the bar of a fraction was lost
)
_POINTS = tuple(Fraction(n, 97) for n in (53, 131, 214, 307, 19, 71, 163, 283, 37, 89, 8, 419))


class NoValue(ArithmeticError):
    """The expression has no (bearable) value there."""


def tidy(text: str, *, decimal_comma: bool = False) -> str:
    """The same mathematics in the spelling that the grammar reads. Raises `NotMathematics` where that would be guessing."""
    text = re.sub(r"%\s*of\b", "% *", text.strip().replace("\\%", "%"), flags=re.IGNORECASE)
    if not text or len(text) > MAX_CHARS:
        raise NotMathematics("empty, or too long", fix=_FIX)
    if decimal_comma:
        text = re.sub(r"(?<=\d)\.(?=\d{3}(?:\D|$))", "", text)
        text = re.sub(r"(?<=\d)(?:,|\{,\})(?=\d)", ".", text)
    text = re.sub(r"(?<=\d)(?:\{,\}|\\,)(?=\d{3}(?:\D|$))", ",", text)
    text = re.sub(r"\^\s*\{([^{}]*)\}", r"^(\1)", text)
    if "[" in text and not re.search(r"sqrt\s*\[|,", text):
        text = text.replace("[", "(").replace("]", ")")
    if (unclear := _UNCLEAR.search(text)) is not None:
        raise NotMathematics(f"{unclear[0]!r} can be read in two ways", fix=_FIX)
    for word in re.findall(r"[A-Za-z]{2,}", text):
        if word not in _WORDS and (len(word) > 2 or word in _NO_PRODUCT or not word.islower()):
            raise NotMathematics(f"{word!r} is a word", fix=_FIX)
    return text


def read(text: str, *, decimal_comma: bool = False) -> Tree:
    """The tree of one expression. Raises `NotMathematics` for anything that is not plainly one expression."""
    tree = parse(tidy(text, decimal_comma=decimal_comma))
    if tree[0] in ("rel", "list", "tuple", "set", "pm") or _has_remainder(tree):
        raise NotMathematics("not one expression", fix=_FIX)
    return tree


def _has_remainder(tree: Tree) -> bool:
    return tree[0] == "mod" or any(isinstance(part, list) and _has_remainder(part) for part in tree[1:])


def names(tree: Tree) -> frozenset[str]:
    """The variables in it."""
    if tree[0] == "sym":
        return frozenset((tree[1],))
    return frozenset().union(*(names(part) for part in tree[1:] if isinstance(part, list)))


def operations(tree: Tree) -> int:
    """How many operations it holds; a sign before a number is none."""
    if tree[0] in ("num", "sym", "const"):
        return 0
    own = 0 if tree[0] in ("neg", "inv") else 1
    return own + sum(operations(part) for part in tree[1:] if isinstance(part, list))


# ── values ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

_CALLS: dict[str, Callable[[complex], complex]] = {
    "sqrt": cmath.sqrt, "sin": cmath.sin, "cos": cmath.cos, "tan": cmath.tan, "ln": cmath.log, "exp": cmath.exp,
    "asin": cmath.asin, "acos": cmath.acos, "atan": cmath.atan, "sinh": cmath.sinh, "cosh": cmath.cosh, "tanh": cmath.tanh,
    "sec": lambda z: 1 / cmath.cos(z), "csc": lambda z: 1 / cmath.sin(z), "cot": lambda z: 1 / cmath.tan(z),
    "log": cmath.log, "log10": lambda z: cmath.log(z) / math.log(10), "log2": lambda z: cmath.log(z) / math.log(2),
    "abs": lambda z: complex(abs(z)),
}  # fmt: skip
_CONSTANTS: dict[str, Number] = {"pi": math.pi, "E": math.e, "I": 1j, "tau": math.tau}


def value(tree: Tree, at: Mapping[str, Number] | None = None) -> Number:
    """The value, exact as long as it can be, with the variables as in `at`. Raises `NoValue` where there is none."""
    try:
        found = _value(tree, at or {})
        if isinstance(found, complex):
            if not cmath.isfinite(found):
                raise NoValue("not finite")
            found = found.real if abs(found.imag) <= 1e-12 * max(1.0, abs(found)) else found
        if isinstance(found, float) and not math.isfinite(found):
            raise NoValue("not finite")
        return found
    except (ZeroDivisionError, OverflowError, ValueError, RecursionError) as error:
        raise NoValue(str(error)) from error


def _value(tree: Tree, at: Mapping[str, Number]) -> Number:
    head = tree[0]
    if head == "num":
        return _bounded(Fraction(tree[1]))
    if head == "const":
        if tree[1] not in _CONSTANTS:
            raise NoValue(f"{tree[1]} is no number")
        return _CONSTANTS[tree[1]]
    if head == "sym":
        if tree[1] not in at:
            raise NoValue(f"{tree[1]} is open")
        return at[tree[1]]
    parts = [_value(part, at) for part in tree[1:] if isinstance(part, list)]
    if head == "call":
        return _call(tree[1], parts)
    if head == "neg":
        return -parts[0]
    if head == "inv":
        return _bounded(1 / parts[0] if isinstance(parts[0], Fraction) else 1 / complex(parts[0]))
    if head == "pow":
        return _power(parts[0], parts[1])
    if head not in ("add", "mul"):
        raise NoValue(f"a {head} has no value")
    total = parts[0]
    for part in parts[1:]:
        exact = isinstance(total, Fraction) and isinstance(part, Fraction)
        left, right = (total, part) if exact else (complex(total), complex(part))
        total = _bounded(left + right if head == "add" else left * right)
    return total


def _call(name: str, parts: list[Number]) -> Number:
    first = parts[0]
    if name == "factorial":
        if not isinstance(first, Fraction) or first.denominator != 1 or not 0 <= first <= 170:
            raise NoValue("no factorial")
        return Fraction(math.factorial(int(first)))
    if name == "log" and len(parts) == 2:
        return cmath.log(complex(first)) / cmath.log(complex(parts[1]))
    if name == "root" and len(parts) == 2 and isinstance(parts[1], Fraction) and parts[1]:
        return _power(first, 1 / parts[1])
    if name == "cbrt":
        return _power(first, Fraction(1, 3))
    if len(parts) != 1 or name not in _CALLS:
        raise NoValue(f"{name} is not worked out here")
    if isinstance(first, Fraction):
        if name == "abs":
            return abs(first)
        if name == "sqrt" and (exact := _exact_root(first, 2)) is not None:
            return exact
    return _CALLS[name](complex(first))


def _bounded(number: Number) -> Number:
    if isinstance(number, Fraction) and max(number.numerator.bit_length(), number.denominator.bit_length()) > MAX_BITS:
        raise NoValue("too long")
    return number


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction):
        if exponent.denominator == 1:
            bits = max(base.numerator.bit_length(), base.denominator.bit_length(), 1)
            if abs(exponent.numerator) * bits > MAX_BITS:
                raise NoValue("too long")
            return base**exponent.numerator
        if exponent.denominator < 20 and abs(exponent.numerator) < 50:
            root = _exact_root(abs(base), exponent.denominator)
            if base < 0 and exponent.denominator % 2:  # the real root, as schools write it
                size = root if root is not None else abs(float(base)) ** (1 / exponent.denominator)
                return _bounded((-size) ** exponent.numerator)
            if root is not None and base >= 0:
                return _bounded(root**exponent.numerator)
    return complex(base) ** complex(exponent)


def _exact_root(base: Fraction, degree: int) -> Fraction | None:
    if base < 0:
        return None
    top, bottom = _whole_root(base.numerator, degree), _whole_root(base.denominator, degree)
    return None if top is None or bottom is None else Fraction(top, bottom)


def _whole_root(number: int, degree: int) -> int | None:
    if degree == 2:
        root = math.isqrt(number)
    elif number.bit_length() > 900:
        return None
    else:
        root = round(number ** (1 / degree))
    return root if root**degree == number else None


def same_function(one: Tree, other: Tree) -> bool | None:
    """Whether two expressions agree wherever both are real, at points above zero that nobody chose.

    True where they agree at every point, False where they differ at every point; None in between (`sqrt(x^2)` and `x` do
    not differ here), and where too few points tell.
    """
    variables = sorted(names(one) | names(other))
    agreed = differed = 0
    for shift in range(len(_POINTS)):
        at: dict[str, Number] = {name: _POINTS[(shift + 3 * k) % len(_POINTS)] + k for k, name in enumerate(variables)}
        try:
            a, b = value(one, at), value(other, at)
        except NoValue:
            continue
        if isinstance(a, complex) or isinstance(b, complex):
            continue
        near = abs(float(a) - float(b)) <= 1e-9 * (1 + abs(float(a)) + abs(float(b)))
        agreed, differed = agreed + near, differed + (not near)
    if agreed >= 3 and not differed:
        return True
    return False if differed >= 3 and not agreed else None
