"""Symbolic mathematics on texts: whether two answers are one, values, solutions, forms, calculus.

`grammar.py` reads a text into a tree without evaluating anything, `process.py` keeps a worker process, and `worker.py`
in it builds sympy's objects and works under limits of time and memory. Decimals are exact. Matrices, differential
equations, proofs and units are not covered.

    python -c "from qwen_router.symbolic import same_value; print(same_value('sqrt(8)', '2\\\\sqrt{2}'))"
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from qwen_router.errors import InvalidRequest, RouterError
from qwen_router.symbolic.grammar import Tree, parse
from qwen_router.symbolic.plain import NotMathematics
from qwen_router.symbolic.process import SymbolicTimeout, ask, close

__all__ = [
    "CannotSolve",
    "Form",
    "NotMathematics",
    "Operation",
    "Side",
    "Solutions",
    "SymbolicTimeout",
    "Value",
    "calculus",
    "close",
    "same_value",
    "simplified",
    "solve",
    "value_of",
]

TIMEOUT_S = 8.0
Form = Literal["simplify", "expand", "factor", "together", "apart"]
Operation = Literal["derivative", "integral", "limit", "series"]
Side = Literal["both", "left", "right"]


class CannotSolve(InvalidRequest):
    """Read and understood, but there is no answer, or sympy knows no way; `problem` says which."""


@dataclass(frozen=True, slots=True)
class Value:
    """`exact` as the grammar reads it; `number` the nearest float, or the int, of a real number, else None."""

    exact: str
    number: int | float | None

    def __str__(self) -> str:
        """`sqrt(2) (about 1.41421356237)`: the decimal only where it says more."""
        plain = self.exact.lstrip("-").replace(".", "", 1)
        if self.number is None or plain.isdecimal():
            return self.exact
        return f"{self.exact} (about {self.number:.12g})"


@dataclass(frozen=True, slots=True)
class Solutions:
    """`each` maps the variables to their values. `note` says what values cannot: `no solution`, `x < 2`, `for every whole
    n`. `complete` is False when they were found numerically and there may be others.
    """

    each: tuple[Mapping[str, Value], ...]
    note: str
    complete: bool = True

    def __str__(self) -> str:
        texts = [", ".join(f"{name} = {value}" for name, value in solution.items()) for solution in self.each]
        joined = (" or " if all(len(solution) == 1 for solution in self.each) else "; or ").join(texts)
        return f"{joined} ({self.note})" if joined and self.note else joined or self.note


def same_value(answer_a: str, answer_b: str, *, rounded: bool = False, timeout_s: float = TIMEOUT_S) -> bool | None:
    """Whether two answers say the same: `1/2` and `0.5`, `x = 2 or x = 3` and `3, 2`, `(x+1)^2` and `x^2+2x+1`.

    None where that cannot be told: one is not mathematics that is read here (words, units), or sympy finds no end. Two
    expressions with variables are the same when they agree, in 40 digits, at every one of twelve fixed points where both are
    real. `rounded` also takes a decimal of three significant digits or more for the value that rounds to it (3.14 for pi).
    """
    if _comma_decimal(answer_a) != _comma_decimal(answer_b):
        return None  # 3,5 may be two numbers or three and a half
    found = _same(answer_a, answer_b, rounded, timeout_s)
    if found is False and ("%" in answer_a) != ("%" in answer_b):
        bare_a, bare_b = (answer.replace("\\%", "").replace("%", "") for answer in (answer_a, answer_b))
        return None if _same(bare_a, bare_b, rounded, timeout_s) else False  # 50 % for 50: whether that is meant, the question says
    return found


def _comma_decimal(answer: str) -> bool:
    return re.fullmatch(r"\s*-?\d+,\d+\s*", answer) is not None and re.fullmatch(r"\s*-?\d{1,3}(,\d{3})+\s*", answer) is None


def _same(answer_a: str, answer_b: str, rounded: bool, timeout_s: float) -> bool | None:
    try:
        a, b = parse(answer_a), parse(answer_b)
        if any(len(name) > 3 for name in _names(a) ^ _names(b)):
            return None  # words, not variables
        reply = ask({"do": "same", "a": a, "b": b, "rounded": rounded}, timeout_s=timeout_s)
    except (NotMathematics, SymbolicTimeout):
        return None
    result = reply.get("result")
    return result if isinstance(result, bool) else None


def value_of(expression: str, *, timeout_s: float = TIMEOUT_S) -> Value:
    """The value of an expression, simplified when it holds no variables. Raises as `simplified`."""
    return _value(_result({"do": "value", "tree": parse(expression)}, timeout_s))


def simplified(expression: str, form: Form = "simplify", *, timeout_s: float = TIMEOUT_S) -> Value:
    """Raises `NotMathematics`, `CannotSolve`, `SymbolicTimeout`, `MissingExtra`."""
    return _value(_result({"do": "simplify", "tree": parse(expression), "form": form}, timeout_s))


def solve(equations: str, variables: Sequence[str] = (), *, timeout_s: float = TIMEOUT_S) -> Solutions:
    """Solve equations or inequalities, with `;`, `,` or `and` between several. Without `=` the expression is to be zero.

    `variables` may be left out when there are no more unknowns than equations. Raises as `simplified`.
    """
    names = tuple(_name(variable) for variable in variables)
    reply = _result({"do": "solve", "tree": parse(equations, variables=names), "variables": names}, timeout_s)
    each = tuple({name: _value(value) for name, value in solution.items()} for solution in reply["solutions"])
    return Solutions(each=each, note=reply["note"], complete=reply["complete"])


def calculus(
    operation: Operation,
    expression: str,
    variable: str = "x",
    *,
    order: int = 1,
    lower: str = "",
    upper: str = "",
    point: str = "",
    side: Side = "both",
    timeout_s: float = TIMEOUT_S,
) -> Value:
    """The derivative (of that order, at `point` if given), integral (between `lower` and `upper` if given), limit at `point`
    or Taylor series (terms below that order, around `point` or 0) of an expression. Raises as `simplified`.
    """
    name = _name(variable)
    if not 1 <= order <= 20:
        raise NotMathematics(f"the order is {order}", fix="a whole number from 1 to 20")
    if bool(lower) != bool(upper):
        raise NotMathematics("only one bound of the integral is given", fix="give both, or none")
    if operation == "limit" and not point:
        raise NotMathematics("a limit needs the point that the variable goes to", fix="give point, such as 0 or infinity")
    bounds: dict[str, Tree] = {
        key: parse(text) for key, text in (("lower", lower), ("upper", upper), ("point", point)) if text
    }
    question = {"do": "calculus", "operation": operation, "variable": name, "order": order, "side": side, **bounds}
    return _value(_result({**question, "tree": parse(expression, variables=(name,))}, timeout_s))


def _names(tree: Tree) -> frozenset[str]:
    if tree[0] == "sym":
        return frozenset((tree[1],))
    return frozenset().union(*(_names(part) for part in tree[1:] if isinstance(part, list)))


def _name(variable: str) -> str:
    name = variable.strip()
    if not name.isascii() or not name.isidentifier() or name.startswith("_") or len(name) > 20:
        raise NotMathematics(f"{variable[:30]!r} is no name of a variable", fix="a letter such as x, or a short word")
    return name


def _result(question: Mapping[str, Any], timeout_s: float) -> Any:
    reply = ask(question, timeout_s=timeout_s)
    if "result" in reply:
        return reply["result"]
    if "refused" not in reply:
        raise RouterError("the process for symbolic mathematics answered nonsense", fix="report it with the expression")
    raise CannotSolve(reply["refused"], fix=reply["fix"])


def _value(raw: Mapping[str, Any]) -> Value:
    return Value(exact=raw["exact"], number=raw["whole"] if raw["whole"] is not None else raw["number"])
