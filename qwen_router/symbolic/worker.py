"""The process that holds sympy: one JSON line with trees in, one JSON line with a result out, until its input ends.

It never sees a text that somebody typed: objects are built from trees whose names are looked up. It bounds its own memory
and, where the system has alarms, its own time; the parent (`process.py`) kills it at the limit in any case. What sympy
raises comes back as a reason, not as a traceback.

    echo '{"do": "value", "tree": ["pow", ["num", "2"], ["num", "0.5"]]}' | python -m qwen_router.symbolic.worker
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from typing import Any

import mpmath
import sympy as sp

from qwen_router.symbolic.building import Refused, built, described, finite, shown
from qwen_router.symbolic.comparing import same
from qwen_router.symbolic.solving import solved

MAX_MIB = 1024


def do_value(request: dict[str, Any]) -> Any:
    value = finite(built(request["tree"]))
    return described(sp.nsimplify(value) if value.is_Float else sp.simplify(value) if value.is_number else value)


def do_simplify(request: dict[str, Any]) -> Any:
    forms = {"simplify": sp.simplify, "expand": sp.expand, "factor": sp.factor, "together": sp.together, "apart": sp.apart}
    value = finite(built(request["tree"]))
    if request["form"] == "apart" and len(value.free_symbols) > 1:
        raise Refused("partial fractions need one variable", "ask for factor or together instead")
    return described(finite(forms[request["form"]](value)))


def do_calculus(request: dict[str, Any]) -> Any:
    value, name = finite(built(request["tree"])), sp.Symbol(request["variable"])
    what, order = request["operation"], request["order"]
    bounds = {key: built(request[key]) for key in ("lower", "upper", "point") if request.get(key)}
    if any(name in bound.free_symbols for bound in bounds.values()):
        raise Refused(f"the bounds hold the variable {name} itself", "use another name in the bounds")
    if what == "derivative":
        found = sp.diff(value, name, order)
        return described(finite(found.subs({name: bounds["point"]}) if "point" in bounds else sp.simplify(found)))
    if what == "integral":
        return described(_integral(value, name, bounds))
    if what == "limit":
        return described(_limit(value, name, bounds["point"], request["side"]))
    series = sp.series(value, name, bounds.get("point", sp.Integer(0)), order)
    return described(series.removeO() if hasattr(series, "removeO") else series)


def _integral(value: Any, name: Any, bounds: dict[str, Any]) -> Any:
    if "lower" not in bounds:
        found = sp.integrate(value, name)
        if found.has(sp.Integral):
            raise Refused(
                "no antiderivative of it in known functions was found", "ask for one between two numbers", "unknown"
            )
        return found
    found = sp.integrate(value, (name, bounds["lower"], bounds["upper"]))
    if found.has(sp.Integral):
        if found.free_symbols:
            raise Refused("the integral was not found in known functions", "give numbers for the other names", "unknown")
        found = _by_numbers(value, name, bounds)
    if found.has(sp.oo, -sp.oo, sp.nan, sp.zoo):
        raise Refused(f"the integral diverges: {shown(found)}", "check the bounds")
    return found.rewrite(sp.Piecewise) if found.has(sp.Piecewise) else found


def _by_numbers(value: Any, name: Any, bounds: dict[str, Any]) -> Any:
    """The integral in ten digits, refused where the estimate of its error is larger."""
    ends = [mpmath.mpf(str(sp.N(bounds[key], 30))) if bounds[key].is_finite else bounds[key] for key in ("lower", "upper")]
    ends = [mpmath.inf if end == sp.oo else -mpmath.inf if end == -sp.oo else end for end in ends]
    with mpmath.workdps(25):
        found, error = mpmath.quad(sp.lambdify(name, value, "mpmath"), ends, error=True)
        if not abs(found) < 1e30 or error > 1e-12 * (1 + abs(found)):
            raise Refused("the integral was not found, by rules or by numbers", "check the bounds", "unknown")
    return sp.Float(found, 10)


def _limit(value: Any, name: Any, point: Any, side: str) -> Any:
    if side in ("left", "right") or point in (sp.oo, -sp.oo):
        found = sp.limit(value, name, point, "-" if side == "left" else "+")
    else:
        left, right = (sp.limit(value, name, point, sign) for sign in "-+")
        if left != right and sp.simplify(left - right) != 0:
            fix = "ask for one side"
            raise Refused(f"there is no limit: from the left it is {shown(left)}, from the right {shown(right)}", fix)
        found = right
    if found.has(sp.AccumBounds) or found.has(sp.Limit) or found.has(sp.nan):
        raise Refused("there is no limit, or it was not found", "check the point")
    return found


def do_same(request: dict[str, Any]) -> Any:
    return same(request["a"], request["b"], rounded=request["rounded"])


def do_solve(request: dict[str, Any]) -> Any:
    return solved(request["tree"], request["variables"])


OPERATIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "value": do_value, "simplify": do_simplify, "calculus": do_calculus, "solve": do_solve, "same": do_same,
}  # fmt: skip


def answered(line: str) -> dict[str, Any]:
    """{"result": ...} or {"refused": text, "fix": text, "kind": ...}."""
    request = json.loads(line)
    try:
        return {"result": OPERATIONS[request["do"]](request)}
    except Refused as error:
        return {"refused": str(error), "fix": error.fix, "kind": error.kind}
    except (MemoryError, RecursionError):
        return {"refused": "the expression takes too much memory or goes too deep", "fix": "ask for less", "kind": "size"}
    except ZeroDivisionError:
        return {"refused": "division by zero has no result", "fix": "check the denominators", "kind": "domain"}
    except Exception as error:  # sympy raises a great many types; the caller needs one reason, and the process goes on
        text = " ".join(str(error).split())[:160]
        return {
            "refused": f"sympy cannot do that ({type(error).__name__}: {text})",
            "fix": "write it simpler",
            "kind": "unknown",
        }


def _limit_memory() -> None:
    try:
        import resource
    except ModuleNotFoundError:  # Windows: the parent's time limit has to do
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = MAX_MIB * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Serve requests until the input ends; `seconds` in a request is when the process ends itself, should nobody else."""
    _limit_memory()
    sys.set_int_max_str_digits(100_000)
    out = sys.stdout
    sys.stdout = sys.stderr  # whatever sympy prints is no answer
    print('{"ready": true}', file=out, flush=True)
    for line in sys.stdin:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, float(json.loads(line).get("seconds", 60)) + 1)
        reply = json.dumps(answered(line))
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        print(reply, file=out, flush=True)


if __name__ == "__main__":
    main()
