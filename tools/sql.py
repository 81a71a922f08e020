"""Questions to tables in SQL: data files (CSV, Parquet, JSON, SQLite) and databases that were named before. Reading only.

The files lie below `ToolContext.root`, the databases are `ToolContext.databases`; `qwen_router.tool_tables`
and `qwen_router.tool_databases` run the SQL.
What comes back was written by others and is marked as such.

    python -c "from qwen_router.tooling import load_tools; \\
        print(load_tools()['describe_data'].invoke({'path': 'sales.csv'}))"
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from langchain_core.tools import ToolException, tool
from pydantic import BaseModel, Field

from qwen_router.errors import MissingExtra, RouterError
from qwen_router.tool_context import ToolContext, current
from qwen_router.tool_databases import database_schema
from qwen_router.tool_databases import query_database as _query_database
from qwen_router.tool_tables import Table, TableLimits, describe_file, query_files

Answer = TypeVar("Answer")


class QueryError(ToolException):
    """The query cannot be run; the text says why, for the model to read."""


class DataQueryInput(BaseModel):
    sql: str = Field(description="One SELECT (DuckDB's SQL; SQLite's for a SQLite file). The file is the table data.")
    path: str = Field(description="The file, such as sales.csv (also .parquet, .json, .sqlite, .csv.gz).")
    other_paths: list[str] = Field(
        default_factory=list, max_length=10, description="More files to join; each is a table of the name of its file."
    )


class DatabaseQueryInput(BaseModel):
    sql: str = Field(description="One SELECT in the database's own SQL.")
    database: str = Field(description="The database, by its name.")


class DataInput(BaseModel):
    path: str = Field(description="The file, such as sales.csv.")


class DatabaseInput(BaseModel):
    database: str = Field(description="The database, by its name.")


def _limits(context: ToolContext) -> TableLimits:
    return TableLimits(time_s=context.sandbox_s, memory_mib=context.sandbox_mib)


def _table(ask: Callable[[], Table], context: ToolContext) -> str:
    return json.dumps(_asked(ask).as_json(most_chars=context.output_chars), ensure_ascii=False)


def _asked(ask: Callable[[], Answer]) -> Answer:
    """What the question gives; its errors as text for the model. What is not installed is for the person, not the model."""
    try:
        return ask()
    except MissingExtra:
        raise
    except RouterError as error:
        raise QueryError(str(error)) from None


@tool("query_data", args_schema=DataQueryInput)
def query_data(sql: str, path: str, other_paths: Sequence[str] = ()) -> str:
    """Ask a data file in SQL, for example select city, sum(price) from data group by city, path sales.csv."""
    context = current()
    return _table(lambda: query_files(context.root, sql, (path, *other_paths), limits=_limits(context)), context)


@tool("describe_data", args_schema=DataInput)
def describe_data(path: str) -> str:
    """Show the columns of a data file, their types and ranges, for example path sales.csv. Ask this before query_data."""
    context = current()
    return _table(lambda: describe_file(context.root, path, limits=_limits(context)), context)


@tool("query_database", args_schema=DatabaseQueryInput)
def query_database(sql: str, database: str) -> str:
    """Ask a database in SQL, for example select count(*) from orders, database shop."""
    context = current()
    return _table(lambda: _query_database(context.databases, database, sql, limits=_limits(context)), context)


@tool("list_tables", args_schema=DatabaseInput)
def list_tables(database: str) -> str:
    """Show the tables of a database, their columns and first rows, for example database shop. Ask before query_database."""
    context = current()
    text = _asked(lambda: database_schema(context.databases, database, limits=_limits(context)))
    return text if len(text) <= context.output_chars else text[: context.output_chars] + "..."


def _explain_query(error: object) -> str:
    return "query_data takes sql (one SELECT), path (a file) and other_paths (a list of files to join), which is optional"


def _explain_describe(error: object) -> str:
    return "describe_data takes one argument: path, a file such as sales.csv"


def _explain_database(error: object) -> str:
    return "query_database takes two arguments: sql (one SELECT) and database (its name)"


def _explain_tables(error: object) -> str:
    return "list_tables takes one argument: database, the name of one"


query_data.handle_tool_error = describe_data.handle_tool_error = True
query_database.handle_tool_error = list_tables.handle_tool_error = True
query_data.handle_validation_error = _explain_query
describe_data.handle_validation_error = _explain_describe
query_database.handle_validation_error = _explain_database
list_tables.handle_validation_error = _explain_tables
query_data.metadata = {
    "inputs": {"sql": "sql", "path": "data", "other_paths": "data"},
    "output": "table",
    "untrusted": True,
    "cost_s": 0.3,
}
describe_data.metadata = {"inputs": {"path": "data"}, "output": "table", "untrusted": True, "cost_s": 0.3}
query_database.metadata = {
    "inputs": {"sql": "sql", "database": "text"},
    "output": "table",
    "untrusted": True,
    "cost_s": 0.5,
}
list_tables.metadata = {"inputs": {"database": "text"}, "output": "text", "untrusted": True, "cost_s": 0.5}
