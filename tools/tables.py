"""Numbers out of tables: the sum, mean, least or most of a column, or how many rows there are.

For tables that other tools made (`extract_table`, `query_data`); SQL on files is for `query_data`. Cells that hold numbers
as people write them (1,234.50, 15 %, $ 3) are read, empty ones and n/a left out; any other is an error, not left out.

    python -c "from qwen_router.tooling import load_tools; t = load_tools()['aggregate']; \\
        print(t.invoke({'table': {'columns': ['a'], 'rows': [[1], ['2.5']]}, 'column': 'a', 'how': 'sum'}))"
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from fractions import Fraction
from typing import Any, Literal, get_args

from langchain_core.tools import ToolException, tool
from pydantic import BaseModel, Field

How = Literal["sum", "mean", "median", "min", "max", "count"]
MAX_CELLS = 1_000_000

_NUMBER = re.compile(r"[^\d.,+-]{0,3}\s*([+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|[+-]?\d+(?:\.\d+)?|[+-]?\.\d+)\s*[^\d.,]{0,12}")
_NOTHING = frozenset({"", "-", "–", "—", "n/a", "na", "nan", "none", "null", "?"})
_WORKED: dict[str, Callable[[Sequence[Fraction]], Fraction]] = {
    "sum": lambda numbers: sum(numbers, Fraction()),
    "mean": lambda numbers: sum(numbers, Fraction()) / len(numbers),
    "median": lambda numbers: Fraction(statistics.median(numbers)),
    "min": min,
    "max": max,
}


class TableError(ToolException):
    """The table has no such number; the text says why, for the model to read."""


class AggregateInput(BaseModel):
    """What `aggregate` takes."""

    table: dict[str, Any] = Field(description='A table: {"columns": ["a", ...], "rows": [[1, ...], ...]}.')
    column: str = Field(
        default="", description="The column's name; not needed for count, or where only one column holds numbers."
    )
    how: How = Field(default="sum", description="sum, mean, median, min, max, or count (of rows).")


@tool("aggregate", args_schema=AggregateInput)
def aggregate(table: dict[str, Any], column: str = "", how: How = "sum") -> int | float:
    """Work out one number from a table's column, for example the sum of price."""
    from qwen_router.tool_kinds import WrongKind, as_kind

    try:
        columns, rows = (as_kind(table, "table")[part] for part in ("columns", "rows"))
    except WrongKind as error:
        raise TableError(str(error)) from None
    if len(columns) * len(rows) > MAX_CELLS:
        raise TableError(
            f"the table has {len(columns) * len(rows):,} cells, more than {MAX_CELLS:,}: use query_data on its file"
        )
    if how == "count":
        return len(rows)
    place = _place(column, columns, rows)
    cells = [row[place] for row in rows if str(row[place]).strip().lower() not in _NOTHING]
    numbers = [number for cell in cells if (number := _number(cell)) is not None]
    if numbers and len(numbers) < len(cells):
        odd = next(cell for cell in cells if _number(cell) is None)
        raise TableError(
            f"{len(cells) - len(numbers)} of the cells of {columns[place]!r} are no numbers, such as {odd!r:.60}"
        )
    if not numbers:
        raise TableError(f"none of the {len(rows)} cells of {columns[place]!r} holds a number")
    found = _WORKED[how](numbers)
    try:
        return int(found) if found.denominator == 1 else float(found)
    except OverflowError:
        raise TableError(f"the {how} of {columns[place]!r} is too large a number") from None


def _place(column: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
    """Where the column stands; without a name, the only one that holds numbers. Raises `TableError`, with names like it."""
    by_name = {name.strip().lower(): place for place, name in reversed(list(enumerate(columns)))}
    wanted = column.strip().lower()
    if wanted in by_name:
        return by_name[wanted]
    if not wanted:
        numeric = [place for place in range(len(columns)) if any(_number(row[place]) is not None for row in rows)]
        if len(numeric) == 1 or len(columns) == 1:
            return numeric[0] if numeric else 0
        names = ", ".join(repr(columns[place]) for place in numeric[:20] or range(len(columns)))
        raise TableError(f"name a column: numbers stand in {names}" if numeric else f"no column holds a number: {names}")
    close = get_close_matches(wanted, by_name, n=1, cutoff=0.6)
    hint = f"did you mean {columns[by_name[close[0]]]!r}?" if close else f"it has {', '.join(map(repr, columns[:20]))}"
    raise TableError(f"the table has no column {column!r}: {hint}")


def _number(cell: object) -> Fraction | None:
    """The number in a cell, None where there is none."""
    if isinstance(cell, bool) or cell is None:
        return None
    if isinstance(cell, int | float):
        try:
            return Fraction(str(cell))
        except ValueError:  # infinity, or no number
            return None
    match = _NUMBER.fullmatch(str(cell)[:60].strip())
    return Fraction(match[1].replace(",", "")) if match else None


def _explain(error: object) -> str:
    return f"aggregate takes table (columns and rows), column (a text) and how ({', '.join(get_args(How))})"


aggregate.handle_tool_error = True
aggregate.handle_validation_error = _explain
aggregate.metadata = {"inputs": {"table": "table", "column": "name", "how": "choice"}, "output": "number"}
