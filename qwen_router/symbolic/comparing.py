"""Whether two trees say the same: by value at fixed points, member by member for lists, up to a factor for equations.

None where that cannot be told. Runs in the worker only.

    python -c "from qwen_router.symbolic.comparing import same; print(same(['num', '0.5'], ['inv', ['num', '2']]))"
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import sympy as sp

from qwen_router.symbolic.building import built

DIGITS = 50
"""Of the decimals that two values are compared in."""
POINTS = 12
"""At which two expressions are compared; fewer than three usable ones decide nothing."""


def same(a: list[Any], b: list[Any], *, rounded: bool = False) -> bool | None:
    """`rounded` also takes a decimal for the value that rounds to it. Raises `Refused` for what cannot be built."""
    found = _same(a, b)
    if found is False and rounded:
        a, b = _bare(a, b)
        return _rounds_to(a, b) or _rounds_to(b, a)
    return found


def _rounds_to(decimal: list[Any], other: list[Any]) -> bool:
    """Whether `decimal` is a number of three digits or more that the other, a real number, rounds to."""
    negative = decimal[0] == "neg"
    kind, text = (decimal[1] if negative else decimal)[:2]
    if kind != "num" or "e" in text.lower() or len(text.replace(".", "").lstrip("0")) < 3 or "." not in text:
        return False
    if other[0] in ("list", "set", "tuple", "pm", "rel"):
        return False
    exact = built(other)
    if exact.free_symbols or exact.has(sp.oo, -sp.oo, sp.nan, sp.zoo) or sp.N(exact, DIGITS).has(sp.I):
        return False
    half = sp.Rational(1, 2) / 10 ** len(text.partition(".")[2])
    return bool(abs(sp.N(exact - built(decimal), DIGITS)) <= half)


def _same(a: list[Any], b: list[Any]) -> bool | None:
    a, b = _bare(a, b)
    if a[0] in ("list", "set", "tuple", "pm") or b[0] in ("list", "set", "tuple", "pm"):
        return _same_many(a, b)
    if a[0] == "rel" and b[0] == "rel":
        return _same_relation(a, b)
    if a[0] == "rel" or b[0] == "rel":
        return None
    return _same_expression(built(a), built(b))


def _bare(a: list[Any], b: list[Any]) -> tuple[list[Any], list[Any]]:
    """`x = 3` beside `3` is 3."""

    def right(tree: list[Any]) -> list[Any]:
        return tree[3] if tree[0] == "rel" and tree[1] == "=" and tree[2][0] == "sym" else tree

    def each(tree: list[Any]) -> list[Any]:
        return ["list", *(right(part) for part in tree[1:])] if tree[0] == "list" else right(tree)

    relations = [any(part[0] == "rel" for part in (tree[1:] if tree[0] == "list" else [tree])) for tree in (a, b)]
    names = {tuple(part[2]) for tree in (a, b) if tree[0] == "list" for part in tree[1:] if part[0] == "rel"}
    return (each(a), each(b)) if relations[0] != relations[1] and len(names) <= 1 else (a, b)


def _members(tree: list[Any]) -> list[list[Any]]:
    """The parts of a list or set, ± counted as two, each once."""
    if tree[0] == "pm":
        return [["add", tree[1], tree[2]], ["add", tree[1], ["neg", tree[2]]]]
    if tree[0] == "rel" and tree[3][0] == "pm":
        return [["rel", tree[1], tree[2], part] for part in _members(tree[3])]
    return [part for inner in tree[1:] for part in _members(inner)] if tree[0] in ("list", "set") else [tree]


def _same_many(a: list[Any], b: list[Any]) -> bool | None:
    if a[0] == "tuple" or b[0] == "tuple":
        if {a[0], b[0]} == {"list", "tuple"}:
            a, b = ["tuple", *a[1:]], ["tuple", *b[1:]]
        if a[0] != b[0]:
            return None
        return _all(len(a) == len(b), [_same(x, y) for x, y in zip(a[1:], b[1:], strict=False)])
    left, right = _members(a), _members(b)
    unsure = False
    for here, there in ((left, right), (right, left)):
        for part in here:
            found = [_same(part, other) for other in there]
            if not any(found):
                if None not in found:
                    return False
                unsure = True
    return None if unsure else True


def _all(right_length: bool, found: list[bool | None]) -> bool | None:
    if not right_length or False in found:
        return False
    return None if None in found else True


def _same_relation(a: list[Any], b: list[Any]) -> bool | None:
    """Two equations or inequalities are one when one is the other times a constant (above zero, for inequalities)."""
    turned = {">": "<", ">=": "<=", "<": "<", "<=": "<=", "=": "=", "!=": "!="}
    if turned[a[1]] != turned[b[1]]:
        return False
    sides = [built(t[2]) - built(t[3]) if t[1] not in (">", ">=") else built(t[3]) - built(t[2]) for t in (a, b)]
    if _same_expression(sides[0], sides[1]):
        return True
    if _same_expression(sides[0], sp.Integer(0)) or _same_expression(sides[1], sp.Integer(0)):
        return False
    ratio = sp.simplify(sides[0] / sides[1])
    if ratio.is_number and ratio.is_real:
        return bool(ratio != 0 and (a[1] in ("=", "!=") or ratio > 0))
    return False if all(_is_linear(side) for side in sides) else None


def _is_linear(side: Any) -> bool:
    names = side.free_symbols
    return bool(names) and side.is_polynomial(*names) and sp.Poly(side, *names).total_degree() == 1


def _same_expression(a: Any, b: Any) -> bool | None:
    """By value at points that nobody chose: equal wherever both are real and finite. `None` where that cannot be told."""
    if a == b:
        return None if a.has(sp.nan, sp.zoo) else True
    if a.has(sp.oo, -sp.oo, sp.nan, sp.zoo) or b.has(sp.oo, -sp.oo, sp.nan, sp.zoo):
        return (
            False
            if not (a.free_symbols | b.free_symbols) and not a.has(sp.nan, sp.zoo) and not b.has(sp.nan, sp.zoo)
            else None
        )
    names = sorted(a.free_symbols | b.free_symbols, key=str)
    if not names:
        return _near(a, b, constants=True)
    agreed = 0
    for point in _points(names):
        verdict = _near(a.subs(point), b.subs(point), constants=False)
        if verdict is False:
            return False
        agreed += verdict is True
    if agreed >= 3:
        return True
    return True if sp.simplify(a - b) == 0 else None


def _points(names: list[Any]) -> Iterator[dict[Any, Any]]:
    """The same points every time: fractions between -7 and 7, half of them with every name above zero."""
    chance = random.Random(20240607)
    for index in range(POINTS):
        low = 1 if index % 2 else -7 * 97
        yield {name: sp.Rational(chance.randint(low, 7 * 97), 97) for name in names}


def _near(a: Any, b: Any, *, constants: bool) -> bool | None:
    """Whether two numbers agree in 40 digits. Points where one is not real say nothing about functions of real numbers."""
    x, y = (sp.N(value, DIGITS, maxn=400) for value in (a, b))
    if any(not value.is_number or value.has(sp.nan, sp.zoo, sp.oo, -sp.oo) for value in (x, y)):
        return None
    if not constants and any(abs(sp.im(value)) > sp.Float("1e-40") for value in (x, y)):
        return None
    return bool(abs(x - y) <= sp.Float("1e-40") * (1 + abs(x) + abs(y)))
