"""A table out of a text, by the model that the router picks for it, held to a JSON Schema while it writes and checked after.

The values come from a model: the form is certain, the content is not. What the text says is material and never followed.

    python -c "from qwen_router.tooling import load_tools; t = load_tools()['extract_table']; \\
        print(t.invoke({'text': 'Anna is 31, Ben is 40.', 'columns': 'name, age'}))"
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.tools import ToolException, tool
from pydantic import BaseModel, Field

from qwen_router import prompts
from qwen_router.errors import RouterError
from qwen_router.specialists import consult

if TYPE_CHECKING:
    from qwen_router.reply import Reply

MOST_COLUMNS = 50


class TableInput(BaseModel):
    """What the extraction takes."""

    text: str = Field(description="The text to take the table from.")
    columns: str = Field(
        default="", description="Names of the columns with commas between them; left out, the model chooses them."
    )


class TableError(ToolException):
    """There is no table; the text says why, for the model to read."""


@tool(args_schema=TableInput, response_format="content_and_artifact")
def extract_table(text: str, columns: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """Make a table of what a text says. Example: text='Anna is 31, Ben is 40.', columns='name, age'."""
    wanted = [name.strip() for name in columns.split(",")] if columns.strip() else []
    if len(set(wanted)) < len(wanted) or not all(wanted) or len(wanted) > MOST_COLUMNS:
        raise TableError(f"the columns {columns[:200]!r} are not up to {MOST_COLUMNS} names that differ")

    def wrong(reply: Reply) -> str | None:
        return _read(reply.answer, wanted)[1]

    try:
        consulted = consult(
            "extraction",
            lambda **target: prompts.extraction(text, columns=wanted, **target),
            response_format=_schema(wanted),
            check=wrong,
            whole=True,
        )
    except RouterError as error:
        raise TableError(str(error)) from error
    table, fault = _read(consulted.answer, wanted)
    if table is None:
        raise TableError(f"{consulted.record['model']} gave no table: {fault}. Name the columns, or give a shorter text")
    return table, consulted.record


def _schema(columns: Sequence[str]) -> dict[str, Any]:
    """Names and rows; with known columns the width is fixed too."""
    width = {"minItems": len(columns), "maxItems": len(columns)} if columns else {"maxItems": MOST_COLUMNS}
    names: dict[str, Any] = {"type": "string", "enum": list(columns)} if columns else {"type": "string"}
    cell = {"type": ["string", "number", "boolean", "null"]}
    return {
        "type": "object",
        "properties": {
            "columns": {"type": "array", "items": names, "minItems": 1, **width},
            "rows": {"type": "array", "items": {"type": "array", "items": cell, **width}},
        },
        "required": ["columns", "rows"],
        "additionalProperties": False,
    }


def _read(answer: str, columns: Sequence[str]) -> tuple[dict[str, Any] | None, str | None]:
    """The table, or what is wrong with it."""
    from qwen_router.engines.structured import json_problem

    if fault := json_problem(answer, _schema(columns)):
        return None, fault
    table: dict[str, Any] = json.loads(answer)
    if columns and table["columns"] != list(columns):
        return None, f"the columns are {table['columns']}, not {list(columns)}"
    if len(set(table["columns"])) < len(table["columns"]):
        return None, f"two columns have one name: {table['columns']}"
    for number, row in enumerate(table["rows"], start=1):
        if len(row) != len(table["columns"]):
            return None, f"row {number} has {len(row)} values for {len(table['columns'])} columns"
    return table, None


extract_table.metadata = {
    "inputs": {"text": "text", "columns": "text"},
    "output": "table",
    "untrusted": True,  # as the text is that it comes from
    "cost_s": 10,
    "timeout_s": 150,
}
extract_table.handle_tool_error = True
