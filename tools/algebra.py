"""Symbolic mathematics: equations are solved, expressions brought into another form, derivatives, integrals, limits.

sympy works in a process of its own, under limits of time and memory, on a tree that our own grammar made: no text of a
model is ever evaluated (`qwen_router.symbolic`). Results are texts that these tools and, where they are numbers, the
calculator read again. Matrices and differential equations are not covered.

    python -c "from qwen_router.tooling import load_tools as t; print(t()['solve_equation'].invoke({'equation': 'x^2 = 2'}))"
"""

from __future__ import annotations

from typing import Literal

from langchain_core.tools import ToolException, tool
from pydantic import BaseModel, Field

from qwen_router.errors import MissingExtra, RouterError
from qwen_router.symbolic import Operation, calculus, simplified, solve


class AlgebraError(ToolException):
    """There is no result; the text says why and what to try, for the model to read."""


class EquationInput(BaseModel):
    """What the solver takes."""

    equation: str = Field(
        description="Equation, inequality, or several with ; between them, for example x^2 = 2 or x + y = 3; x - y = 1."
    )
    variable: str = Field(
        default="", description="What to solve for, for example x. Needed when there are several unknowns."
    )


class FormInput(BaseModel):
    """What the simplifier takes."""

    expression: str = Field(description="Expression, for example (x + 1)^2 - 1 or sqrt(8).")
    form: Literal["simplify", "expand", "factor", "together", "apart"] = Field(
        default="simplify", description="The form wanted: simplify, expand, factor, together (one fraction), apart."
    )


class CalculusInput(BaseModel):
    """What calculus takes. Every part but the first two may be left out."""

    operation: Literal["derivative", "integral", "limit", "series"] = Field(description="What to find.")
    expression: str = Field(description="Expression, for example x^2 * sin(x).")
    variable: str = Field(default="x", description="The variable, for example x.")
    lower: str = Field(default="", description="Lower bound of an integral, for example 0.")
    upper: str = Field(default="", description="Upper bound of an integral, for example pi or infinity.")
    point: str = Field(default="", description="Where a limit goes to, or where a derivative or series is taken.")
    order: int | None = Field(default=None, description="Of a derivative (1), or of the terms that a series leaves out (6).")


def _refused(error: RouterError) -> AlgebraError:
    return AlgebraError(f"{error.problem}: {error.fix}")


@tool("solve_equation", args_schema=EquationInput)
def solve_equation(equation: str, variable: str = "") -> str:
    """Solve an equation, a system or an inequality, for example x^2 - 5x + 6 = 0, or x + y = 3; x - y = 1."""
    variables = [name for name in variable.replace(",", " ").split() if name]
    try:
        return str(solve(equation, variables))
    except MissingExtra:
        raise
    except RouterError as error:
        raise _refused(error) from None


@tool("simplify_expression", args_schema=FormInput)
def simplify_expression(
    expression: str, form: Literal["simplify", "expand", "factor", "together", "apart"] = "simplify"
) -> str:
    """Simplify, expand or factor an expression, for example (x^2 - 1)/(x - 1)."""
    try:
        return simplified(expression, form).exact
    except MissingExtra:
        raise
    except RouterError as error:
        raise _refused(error) from None


@tool("calculus", args_schema=CalculusInput)
def find_calculus(
    operation: Operation,
    expression: str,
    variable: str = "x",
    lower: str = "",
    upper: str = "",
    point: str = "",
    order: int | None = None,
) -> str:
    """Find a derivative, integral, limit or series, for example the integral of x^2 from 0 to 3."""
    order = order if order is not None else 6 if operation == "series" else 1
    try:
        return calculus(operation, expression, variable, lower=lower, upper=upper, point=point, order=order).exact
    except MissingExtra:
        raise
    except RouterError as error:
        raise _refused(error) from None


def _explain_equation(error: object) -> str:
    """What a model reads that called with the wrong arguments."""
    return "solve_equation takes equation, a text such as x^2 = 2, and variable, a name such as x"


def _explain_form(error: object) -> str:
    return "simplify_expression takes expression, a text, and form: simplify, expand, factor, together or apart"


def _explain_calculus(error: object) -> str:
    return (
        "calculus takes operation (derivative, integral, limit or series), expression (a text such as x^2), variable (x), "
        "lower and upper (bounds of an integral, as texts), point (a text), order (a whole number)"
    )


_COMMON = {"cost_s": 0.3, "timeout_s": 30.0}
solve_equation.handle_tool_error = simplify_expression.handle_tool_error = find_calculus.handle_tool_error = True
solve_equation.handle_validation_error = _explain_equation
simplify_expression.handle_validation_error = _explain_form
find_calculus.handle_validation_error = _explain_calculus
solve_equation.metadata = {"inputs": {"equation": "expression", "variable": "text"}, "output": "text", **_COMMON}
simplify_expression.metadata = {"inputs": {"expression": "expression", "form": "choice"}, "output": "expression", **_COMMON}
find_calculus.metadata = {
    "inputs": {
        "operation": "choice", "expression": "expression", "variable": "text", "lower": "expression",
        "upper": "expression", "point": "expression", "order": "number",
    },
    "output": "expression",
    **_COMMON,
}  # fmt: skip
