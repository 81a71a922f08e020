"""Equations, systems and inequalities: every solution that sympy finds by rules, else real ones found numerically.

Runs in the worker only.

    python -c "from qwen_router.symbolic import solve; print(solve('x^2 = 2'))"
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from qwen_router.symbolic.building import Refused, built, described, finite, number, shown

MAX_DEGREE = 60
RELATIONS: dict[str, Callable[..., Any]] = {"=": sp.Eq, "!=": sp.Ne, "<": sp.Lt, ">": sp.Gt, "<=": sp.Le, ">=": sp.Ge}


def solved(tree: list[Any], variables: list[str]) -> dict[str, Any]:
    """`solutions` (a value for each variable), `note` and `complete`. Raises `Refused`."""
    relations = _relations(tree)
    names = sorted({name for relation in relations for name in relation.free_symbols}, key=str)
    wanted = [sp.Symbol(name) for name in variables]
    for name in wanted:
        if name not in names:
            held = ", ".join(str(other) for other in names) or "none"
            raise Refused(f"the variable {str(name)!r} is not in the equation", f"it holds {held}")
    if not names:
        raise Refused("there is nothing to solve for: no variable in it", "write x for what is looked for")
    if not wanted and len(names) > len(relations):
        held = ", ".join(map(str, names))
        raise Refused(
            f"there are {len(names)} unknowns ({held}) and {len(relations)} equation(s)", "say which variable to solve for"
        )
    wanted = wanted or names
    if any(not isinstance(relation, sp.Eq) for relation in relations):
        return _inequalities(relations, wanted)
    return _equations([relation.lhs - relation.rhs for relation in relations], wanted)


def _relations(tree: list[Any]) -> list[Any]:
    parts = tree[1:] if tree[0] in ("list", "set") else [tree]
    found = []
    for part in parts:
        sides = (built(part[2]), built(part[3])) if part[0] == "rel" else (built(part), sp.Integer(0))
        sign = part[1] if part[0] == "rel" else "="
        found.append(RELATIONS[sign](finite(sides[0]), finite(sides[1]), evaluate=False))
    return found


def _equations(zeros: list[Any], wanted: list[Any]) -> dict[str, Any]:
    if len(wanted) == 1 and len(zeros) == 1:
        periodic = _periodic(zeros[0], wanted[0])
        if periodic is not None:
            return periodic
        if sp.simplify(zeros[0]) == 0:
            return {"solutions": [], "note": f"true for every {wanted[0]}", "complete": True}
    if any(zero.has(sp.Abs, sp.sign, sp.floor, sp.ceiling, sp.Min, sp.Max) for zero in zeros):
        real = {name: sp.Symbol(str(name), real=True) for zero in zeros for name in zero.free_symbols}
        zeros, wanted = [zero.subs(real) for zero in zeros], [real[name] for name in wanted]
    single = len(zeros) == len(wanted) == 1
    try:
        found = _roots(zeros[0], wanted[0]) if single else None
        if found is None:
            found = sp.solve(zeros[0] if single else zeros, wanted[0] if single else wanted, dict=True)
    except NotImplementedError:
        return _numerically(zeros, wanted)
    if not found and single and sp.solveset(zeros[0], wanted[0]) is not sp.S.EmptySet:
        return _numerically(zeros, wanted)
    found.sort(key=lambda solution: [_order(solution.get(name)) for name in wanted])
    each = [{str(name): described(value) for name, value in solution.items()} for solution in found]
    free = sorted({str(s) for solution in found for value in solution.values() for s in value.free_symbols if s in wanted})
    note = f"{', '.join(free)} may be anything" if free else "" if each else "no solution"
    return {"solutions": each, "note": note, "complete": True}


def _roots(zero: Any, name: Any) -> list[dict[Any, Any]] | None:
    """All roots of a polynomial of a degree above four: exact where radicals give every one, else in 15 digits."""
    if zero.free_symbols != {name} or not zero.is_polynomial(name):
        return None
    if sp.degree(zero, name) > MAX_DEGREE:
        raise Refused(f"the degree {sp.degree(zero, name)} is too large", f"at most {MAX_DEGREE}", "size")
    polynomial = sp.Poly(zero, name)
    if polynomial.degree() <= 4:
        return None
    exact = sp.roots(polynomial)
    if sum(exact.values()) == polynomial.degree() and sum(sp.count_ops(value) for value in exact) <= 400:
        return [{name: value} for value in exact]
    return [{name: value} for value in dict.fromkeys(polynomial.nroots(n=15, maxsteps=200))]


def _order(value: Any) -> tuple[bool, float, str]:
    """Real ones first, by size."""
    near = None if value is None else number(value)
    return (near is None, near or 0.0, str(value))


def _periodic(zero: Any, name: Any) -> dict[str, Any] | None:
    """All solutions of an equation with angles, over the real numbers, or None where `solve` is as good."""
    angles = (sp.sin, sp.cos, sp.tan, sp.cot, sp.sec, sp.csc)
    if not any(name in angle.free_symbols for angle in zero.atoms(*angles)) or zero.free_symbols != {name}:
        return None
    found = sp.solveset(zero, name, sp.S.Reals)
    families = found.args if isinstance(found, sp.Union) else (found,)
    if found is sp.S.EmptySet:
        return {"solutions": [], "note": "no real solution", "complete": True}
    if not all(
        isinstance(f, sp.ImageSet) and f.base_set == sp.S.Integers and f.lamda.expr.is_polynomial() for f in families
    ):
        return None
    whole = sp.Symbol("n")
    each = [{str(name): described(sp.expand(f.lamda(whole)))} for f in families]
    return {"solutions": each, "note": "for every whole n", "complete": True}


def _numerically(zeros: list[Any], wanted: list[Any]) -> dict[str, Any]:
    """Real solutions near a few starting points, each checked; there may be others."""
    if any(zero.free_symbols - set(wanted) for zero in zeros) or len(zeros) != len(wanted):
        raise Refused("no way to solve it is known", "give numbers for the other names", "unknown")
    found: list[list[Any]] = []
    for start in (0, 1, -1, 2, -2, 0.5, 5, -5, 10, -10, 50):
        try:
            root = sp.nsolve(zeros, wanted, [start] * len(wanted), prec=20)
        except (ValueError, ZeroDivisionError, TypeError, KeyError, OverflowError):
            continue
        values = [sp.Float(value, 12) for value in root] if all(value.is_real for value in root) else []
        if values and not any(
            all(abs(a - b) < 1e-9 * (1 + abs(a)) for a, b in zip(values, other, strict=True)) for other in found
        ):
            found.append(values)
    if not found:
        raise Refused("no solution was found, by rules or by numbers", "check the equation", "unknown")
    found.sort()
    each = [{str(name): described(value) for name, value in zip(wanted, values, strict=True)} for values in found]
    return {"solutions": each, "note": "found numerically: there may be others", "complete": False}


def _inequalities(relations: list[Any], wanted: list[Any]) -> dict[str, Any]:
    if len(wanted) != 1 or any(relation.free_symbols != {wanted[0]} for relation in relations):
        raise Refused("inequalities are solved in one variable", "give numbers for the others")
    name = sp.Symbol(str(wanted[0]), real=True)
    allowed: Any = sp.S.Reals
    for relation in relations:
        real = relation.subs({wanted[0]: name})
        if real in (sp.true, sp.false):
            allowed = allowed.intersect(sp.S.Reals if real == sp.true else sp.S.EmptySet)
            continue
        if isinstance(real, sp.Eq | sp.Ne):
            zeros = sp.solveset(real.lhs - real.rhs, name, sp.S.Reals)
            part = zeros if isinstance(real, sp.Eq) else sp.S.Reals - zeros
        else:
            part = sp.solve_univariate_inequality(real, name, relational=False)
        allowed = allowed.intersect(part)
    if allowed is sp.S.EmptySet:
        return {"solutions": [], "note": "no solution", "complete": True}
    if allowed == sp.S.Reals:
        return {"solutions": [], "note": f"true for every real {name}", "complete": True}
    return {"solutions": [], "note": _ranges(allowed, str(name)), "complete": True}


def _ranges(allowed: Any, name: str) -> str:
    texts = []
    for part in allowed.args if isinstance(allowed, sp.Union) else (allowed,):
        if isinstance(part, sp.FiniteSet):
            texts += [f"{name} = {shown(value)}" for value in part.args]
        elif isinstance(part, sp.Interval):
            low = "" if part.start == -sp.oo else f"{shown(part.start)} {'<' if part.left_open else '<='} "
            high = "" if part.end == sp.oo else f" {'<' if part.right_open else '<='} {shown(part.end)}"
            if high or not low:
                texts.append(f"{low}{name}{high}")
            else:
                texts.append(f"{name} {'>' if part.left_open else '>='} {shown(part.start)}")
        else:
            raise Refused("the solutions have no simple form", "ask for a smaller range", "unknown")
    return " or ".join(texts)
