"""SQL over databases and SQLite files, for tools, through SQLAlchemy and LangChain's SQLDatabase: reading only.

SQLite is opened to read and asks before every deed; PostgreSQL is given a transaction that only reads and a limit of time,
and should be reached as a user who may only read. No other kind of server is spoken to.

    python -c "from qwen_router.tool_databases import database_schema; \\
        print(database_schema({'shop': 'sqlite:///shop.db'}, 'shop'))"
"""

from __future__ import annotations

import os
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from qwen_router.errors import InvalidRequest, MissingExtra, UnknownName
from qwen_router.tool_files import MIB, copied_below
from qwen_router.tool_tables import WAYS_OUT, Table, TableLimits, check_length, drained, told

if TYPE_CHECKING:
    import sqlite3

    from langchain_community.utilities import SQLDatabase
    from sqlalchemy.engine import Engine

MOST_SQLITE_FILE_BYTES = 256 * MIB
_ACTS = re.compile(
    r"\b(set_config|lo_\w+|dblink\w*|pg_(?:terminate|cancel)_backend|pg_advisory\w+|pg_notify)\s*\(", re.IGNORECASE
)
"""What a transaction that only reads lets through in PostgreSQL though it acts. The user's rights are the wall, not this."""


def query_sqlite(root: Path | str, paths: Sequence[str], sql: str, limits: TableLimits) -> Table:
    """One SELECT in a SQLite file below the root. Raises `InvalidRequest` as `tool_tables.query_files` does."""
    with _sqlite_of(root, paths, limits) as engine:
        return _select(engine, sql, limits)


def describe_sqlite(root: Path | str, path: str, limits: TableLimits) -> Table:
    """The columns of every table of a SQLite file below the root."""
    with _sqlite_of(root, (path,), limits) as engine:
        return _described(engine)


def query_database(databases: Mapping[str, str], name: str, sql: str, *, limits: TableLimits | None = None) -> Table:
    """Run one SELECT in a database, by its name in `databases` (SQLAlchemy URLs: SQLite, PostgreSQL).

    Raises `UnknownName` for a name that nobody gave, `InvalidRequest` for a database that cannot be reached or SQL that is
    wrong, writes, or takes too long.
    """
    limits = limits or TableLimits()
    with _opened(databases, name, limits) as engine:
        return _select(engine, sql, limits)


def database_schema(databases: Mapping[str, str], name: str, *, limits: TableLimits | None = None) -> str:
    """The tables of a database as CREATE TABLE statements, each with three rows, as LangChain's SQLDatabase puts it.

    Raises what `query_database` raises.
    """
    limits = limits or TableLimits()
    with _opened(databases, name, limits) as engine:
        try:
            return f"{sql_database(engine).get_table_info().strip()}\n{_views(engine)}".strip()
        except Exception as error:
            raise told(error, (), limits) from None


def sql_database(engine: Engine) -> SQLDatabase:
    """LangChain's view of a database. Raises `MissingExtra` without langchain-community."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the whole package says that it is no longer grown
            from langchain_community.utilities import SQLDatabase
    except ModuleNotFoundError as error:
        raise MissingExtra.of("langchain-community", extra="agent") from error
    return SQLDatabase(
        engine, max_string_length=200, view_support=engine.dialect.name == "postgresql"
    )  # SQLite's dialect cannot


def _views(engine: Engine) -> str:
    """`-- view large (id, customer)` for each that LangChain's does not show."""
    from sqlalchemy import inspect

    if engine.dialect.name != "sqlite":
        return ""
    inspector = inspect(engine)
    lines = []
    for view in inspector.get_view_names():
        columns = ", ".join(str(column["name"]) for column in inspector.get_columns(view))
        lines.append(f"-- view {view} ({columns})")
    return "\n".join(lines)


@contextmanager
def _opened(databases: Mapping[str, str], name: str, limits: TableLimits) -> Iterator[Engine]:
    """The database of that name, reading only."""
    if name not in databases:
        if not databases:
            raise InvalidRequest("no database is set up here", fix="QWEN_ROUTER_DATABASES=shop=sqlite:///shop.db")
        raise UnknownName.among(name, databases, kind="database")
    _, make_url, _ = _sqlalchemy()
    try:
        url = make_url(databases[name])
    except Exception as error:  # SQLAlchemy's own, whose text may hold the URL and so a password
        raise InvalidRequest(
            f"the database {name!r} has no valid URL ({type(error).__name__})", fix="sqlite:///shop.db"
        ) from None
    kind = url.get_backend_name()
    if kind == "sqlite":
        with _sqlite_engine(Path(url.database or ""), limits) as engine:
            yield engine
    elif kind == "postgresql":
        with _postgres_engine(name, url, limits) as engine:
            yield engine
    else:
        raise InvalidRequest(f"the database {name!r} is of the kind {kind!r}", fix="SQLite or PostgreSQL")


@contextmanager
def _postgres_engine(name: str, url: Any, limits: TableLimits) -> Iterator[Engine]:
    """Transactions that only read, with a limit of time; refused as a superuser, who may read the server's files."""
    create_engine, _, pool = _sqlalchemy()
    options = f"-c statement_timeout={int(limits.time_s * 1000)} -c default_transaction_read_only=on"
    try:
        engine = create_engine(
            url,
            poolclass=pool,
            connect_args={"options": options, "connect_timeout": 5},
            execution_options={"postgresql_readonly": True, "no_parameters": True},
        )
    except ModuleNotFoundError as error:
        told_fix = f"pip install {error.name}"
        raise InvalidRequest(f"the driver {error.name!r} of the database {name!r} is missing", fix=told_fix) from None
    except Exception as error:  # a driver that SQLAlchemy does not know; its text may hold the URL
        raise InvalidRequest(
            f"the database {name!r} has no valid URL ({type(error).__name__})", fix="postgresql://..."
        ) from None
    try:
        try:
            with engine.connect() as connection:
                asked = "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user"
                superuser = connection.exec_driver_sql(asked).scalar()
        except Exception as error:
            problem = told(error, (), limits).problem
            raise InvalidRequest(
                f"the database {name!r} cannot be reached: {problem}", fix="check its server and URL"
            ) from None
        if superuser:
            raise InvalidRequest(f"the database {name!r} is reached as a superuser", fix="give a user who may only read")
        yield engine
    finally:
        engine.dispose()


def _sqlalchemy() -> tuple[Callable[..., Any], Callable[..., Any], Any]:
    try:
        from sqlalchemy import create_engine
        from sqlalchemy.engine import make_url
        from sqlalchemy.pool import NullPool
    except ModuleNotFoundError as error:
        raise MissingExtra.of("sqlalchemy", extra="agent") from error
    return create_engine, make_url, NullPool


@contextmanager
def _sqlite_of(root: Path | str, paths: Sequence[str], limits: TableLimits) -> Iterator[Engine]:
    """A SQLite file below the root, as a private copy: SQLite opens by name, and looks for journals beside it."""
    if len(paths) != 1:
        raise InvalidRequest("a SQLite file is queried alone: it holds its tables itself", fix="give that one file")
    with copied_below(root, paths[0], most_bytes=MOST_SQLITE_FILE_BYTES) as copy, _sqlite_engine(copy, limits) as engine:
        yield engine


@contextmanager
def _sqlite_engine(path: Path, limits: TableLimits) -> Iterator[Engine]:
    create_engine, _, pool = _sqlalchemy()
    if not path.is_file():
        raise InvalidRequest(f"there is no database file {path.name!r}", fix="correct its path in QWEN_ROUTER_DATABASES")
    engine = create_engine("sqlite://", creator=lambda: _sqlite_connection(path, limits), poolclass=pool)
    try:
        yield engine
    finally:
        engine.dispose()


def _sqlite_connection(path: Path, limits: TableLimits) -> sqlite3.Connection:
    """Opened to read, asked before every deed, stopped in time, with short values: no writing, attaching or extensions."""
    import sqlite3

    uri = f"file:{quote(str(path.resolve()).replace(os.sep, '/'))}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=limits.time_s, check_same_thread=False)
    reading = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
    pragmas = {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list",
               "database_list", "read_uncommitted"}  # fmt: skip
    functions = {"load_extension", "writefile", "readfile", "edit", "fts3_tokenizer"}

    def may(deed: int, first: str | None, second: str | None, *_: object) -> int:
        allowed = (
            deed in reading
            or (deed == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in functions)
            or (
                deed == sqlite3.SQLITE_PRAGMA
                and (first or "").lower() in pragmas
                and (second is None or first != "read_uncommitted")
            )
            or deed == sqlite3.SQLITE_TRANSACTION
        )
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    until = time.monotonic() + limits.time_s
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 8 * MIB)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.set_progress_handler(lambda: int(time.monotonic() > until), 10_000)
    connection.set_authorizer(may)
    return connection


def _select(engine: Engine, sql: str, limits: TableLimits) -> Table:
    """One SELECT in a database; the engine has been set up to read only."""
    check_length(sql)
    bare = re.sub(r"\A(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", "", sql, flags=re.DOTALL).rstrip().removesuffix(";").rstrip()
    word = re.match(r"\w*", bare)
    if word is None or word[0].lower() not in ("select", "with", "values"):
        raise InvalidRequest(f"data is only read here, by one SELECT, and the SQL begins with {bare[:20]!r}", fix=WAYS_OUT)
    if ";" in bare and engine.dialect.name != "sqlite":  # SQLite's driver refuses a second statement itself
        raise InvalidRequest("a ; within the SQL may begin a second statement", fix="leave it out; in a text, write chr(59)")
    acts = _ACTS.search(bare) if engine.dialect.name == "postgresql" else None
    if acts is not None:
        raise InvalidRequest(f"the function {acts[1]!r} does more than read", fix=WAYS_OUT)
    names: tuple[str, ...] = ()
    stopped, started = False, time.monotonic()
    try:
        with engine.connect() as connection:
            names = _names_in(engine, sql)
            if engine.dialect.name == "postgresql":  # row by row from a cursor of the server, which takes one SELECT only
                connection = connection.execution_options(stream_results=True, max_row_buffer=limits.rows)
            result = connection.exec_driver_sql(bare)
            return drained(tuple(result.keys()), lambda count: [tuple(row) for row in result.fetchmany(count)], limits)
    except Exception as error:
        stopped = time.monotonic() - started > limits.time_s
        raise told(error, names, limits, stopped=stopped) from None


def _names_in(engine: Engine, sql: str) -> tuple[str, ...]:
    """Tables, and the columns of those that the SQL mentions: for the hint in an error."""
    from sqlalchemy import inspect

    inspector = inspect(engine)
    tables = [*inspector.get_table_names(), *inspector.get_view_names()][:500]
    meant = [table for table in tables if table.lower() in sql.lower()] or tables[:5]
    return tuple(dict.fromkeys((*tables, *(str(c["name"]) for table in meant[:20] for c in inspector.get_columns(table)))))


def _described(engine: Engine) -> Table:
    from sqlalchemy import inspect

    rows = []
    try:
        inspector = inspect(engine)
        for table in (*inspector.get_table_names(), *inspector.get_view_names()):
            rows += [(table, str(column["name"]), str(column["type"])) for column in inspector.get_columns(table)]
    except Exception as error:
        raise told(error, (), TableLimits()) from None
    return Table(
        ("table", "column", "type"), tuple(rows[:1000]), f"the first 1,000 of {len(rows):,}" if len(rows) > 1000 else None
    )
