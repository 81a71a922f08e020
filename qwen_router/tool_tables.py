"""SQL over data files, for tools: reading only, with limits of time, memory and rows. `tool_databases` does databases.

A query comes from a model. It is one SELECT by the parser of the engine that runs it; that engine has been shut off from
files, extensions and settings before it sees the query. Files are opened below a root (`tool_files`). What is tried and
refused is listed in docs/tools_data.md.

    python -c "from qwen_router.tool_tables import query_files; \\
        print(query_files('.', 'select 6 * 7 as answer', ()).as_json())"
"""

from __future__ import annotations

import csv
import io
import math
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from qwen_router.errors import InvalidRequest, MissingExtra
from qwen_router.tool_files import below, open_below

if TYPE_CHECKING:
    import duckdb

MOST_SQL_CHARS = 20_000
MOST_CELL_CHARS, MOST_COLUMNS = 500, 200
COUNT_S = 1.0
"""How long rows beyond the limit are counted before "more than" is said."""

_READERS = {
    ".csv": "read_csv({path}, compression={zip})",
    ".tsv": "read_csv({path}, delim='\t', compression={zip})",
    ".txt": "read_csv({path}, compression={zip})",
    ".parquet": "read_parquet({path})",
    ".json": "read_json({path}, compression={zip})",
    ".jsonl": "read_json({path}, format='newline_delimited', compression={zip})",
    ".ndjson": "read_json({path}, format='newline_delimited', compression={zip})",
}
_SQLITE_SUFFIXES = (".db", ".sqlite", ".sqlite3", ".db3")
WAYS_OUT = "write one SELECT over the tables given"


@dataclass(frozen=True, slots=True)
class TableLimits:
    """What one query may take."""

    time_s: float = 10.0
    memory_mib: int = 512
    rows: int = 200


@dataclass(frozen=True, slots=True)
class Table:
    """A result. `note` says how many rows there were when not all are here."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    note: str | None = None

    def as_json(self, *, most_chars: int | None = None) -> dict[str, Any]:
        """The value of the kind `table`; with `most_chars`, as many rows as about fit."""
        rows, note = [list(row) for row in self.rows], self.note
        if most_chars is not None:
            used = 0
            for number, row in enumerate(rows):
                used += sum(len(str(cell)) + 4 for cell in row)
                if used > most_chars and number:
                    note = f"the first {number} of the rows, which are long" + (f"; {note}" if note else "")
                    rows = rows[:number]
                    break
        table: dict[str, Any] = {"columns": list(self.columns), "rows": rows}
        return table if note is None else {**table, "note": note}


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def query_files(root: Path | str, sql: str, paths: Sequence[str], *, limits: TableLimits | None = None) -> Table:
    """Run one SELECT over data files. Each is a table of the name of its file; the first is also called `data`.

    Raises `InvalidRequest` for files that are none or not readable as a table, and for SQL that is wrong, not one SELECT, or
    takes too long or too much.
    """
    limits = limits or TableLimits()
    if any(_is_sqlite(path) for path in paths):
        from qwen_router.tool_databases import query_sqlite

        return query_sqlite(root, paths, sql, limits)
    with _duckdb(root, paths, limits) as connection:
        return _select_duckdb(connection, sql, limits)


def describe_file(root: Path | str, path: str, *, limits: TableLimits | None = None) -> Table:
    """The columns of a data file with their types, ranges and gaps; of a SQLite file, the columns of all its tables."""
    limits = limits or TableLimits()
    if _is_sqlite(path):
        from qwen_router.tool_databases import describe_sqlite

        return describe_sqlite(root, path, limits)
    with _duckdb(root, (path,), limits) as connection, _in_time(connection.interrupt, limits.time_s) as timer:
        try:
            rows = connection.execute("SUMMARIZE data").fetchall()
            count = connection.execute("SELECT count(*) FROM data").fetchall()[0][0]
        except Exception as error:
            raise told(error, (), limits, stopped=timer.fired) from None
    name = table_name(path)
    return Table(
        columns=("column", "type", "least", "greatest", "different (about)", "empty %"),
        rows=tuple((row[0], row[1], _cell(row[2]), _cell(row[3]), row[4], _cell(row[-1])) for row in rows),
        note=f"the table {name!r}, also called 'data', has {count:,} rows",
    )


def table_name(path: str) -> str:
    """The name that a file has in SQL: `sales` for data/Sales.csv, `t_2024_q1` for 2024-Q1.parquet."""
    stem = PurePosixPath(path).name.partition(".")[0].lower()
    name = re.sub(r"\W+", "_", stem).strip("_") or "data"
    return f"t_{name}" if name[0].isdigit() else name


def _suffix(path: str) -> tuple[str, str]:
    """The kind of file and its compression: `.csv`, `gzip`."""
    name = path.lower()
    for end, kind in ((".gz", "gzip"), (".zst", "zstd")):
        if name.endswith(end):
            return PurePosixPath(name.removesuffix(end)).suffix, kind
    return PurePosixPath(name).suffix, "none"


def _is_sqlite(path: str) -> bool:
    return _suffix(path)[0] in _SQLITE_SUFFIXES


@contextmanager
def _duckdb(root: Path | str, paths: Sequence[str], limits: TableLimits) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that sees these files and can open no other, nor change a setting."""
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise MissingExtra.of("duckdb", extra="agent") from error
    settings = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_unsigned_extensions": "false",
        "python_enable_replacements": "false",
        "temp_directory": "",
        "threads": "2",
        "memory_limit": f"{limits.memory_mib}MiB",
    }
    with ExitStack() as stack:
        connection = stack.enter_context(duckdb.connect(":memory:", config=settings))  # type: ignore[arg-type]
        views, places = [], []
        for path in paths:
            plain = below(root, path)
            kind, packed = _suffix(plain)
            if kind not in _READERS:
                known = ", ".join((*_READERS, *_SQLITE_SUFFIXES))
                raise InvalidRequest(f"{path!r} is no data file that SQL reads here", fix=f"a file of {known} (also .gz)")
            file = stack.enter_context(open_below(root, plain))
            on_linux = sys.platform.startswith("linux")
            place = f"/proc/self/fd/{file.fileno()}" if on_linux else str(Path(root).resolve() / plain)
            places.append(place)
            reader = _READERS[kind].format(path=_quoted(place), zip=_quoted(packed))
            head = file.read(_HEAD_BYTES) if "csv" in _READERS[kind] and packed == "none" else b""
            views.append((plain, reader[:-1] + _dialect(head, kind) + ")", head))
        connection.execute(f"SET allowed_paths = [{', '.join(map(_quoted, places))}]")
        names: set[str] = set()
        with _in_time(connection.interrupt, limits.time_s) as timer:
            for number, (plain, reader, head) in enumerate(views):
                name = table_name(plain)
                if name in names:
                    raise InvalidRequest(f"two files would be the table {name!r}", fix="give files of different names")
                names.add(name)
                try:
                    for view in dict.fromkeys((name, *(("data",) if number == 0 else ()))):
                        connection.execute(f'CREATE VIEW "{view}" AS SELECT * FROM {reader}')
                except Exception as error:
                    problem = _ragged(head) if "sniffing" in str(error) else None
                    problem = problem or told(error, (), limits, stopped=timer.fired).problem.replace(places[number], plain)
                    raise InvalidRequest(
                        f"{plain!r} cannot be read as a table: {problem}", fix="name another file"
                    ) from None
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


_HEAD_BYTES = 256 * 1024
"""So much of a text file is looked at for how its values are parted."""


def _dialect(head: bytes, kind: str) -> str:
    """What DuckDB is told of a text file. Left to itself it drops lines that do not fit until the rest is a table; told the
    separator, it says that they do not. A file that begins with comments or blank lines is left to it."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return ", encoding='utf-16'"
    separator = _separator(head)
    if separator is None:
        return ""
    return ", skip=0" if kind == ".tsv" else f", delim={_quoted(separator)}, skip=0"


def _separator(head: bytes) -> str | None:
    first = head.partition(b"\n")[0].decode("utf-8", "replace").strip("\ufeff\r")
    if not first.strip() or first.startswith("#"):
        return None
    best = max(",;\t|", key=first.count)
    return best if best in first else None


def _ragged(head: bytes) -> str | None:
    """The first line that has another number of values than the first, in words; None where none is seen."""
    separator = _separator(head)
    if separator is None:
        return None
    lines = csv.reader(io.StringIO(head.decode("utf-8", "replace"), newline=""), delimiter=separator)
    wanted = 0
    try:
        for row in lines:
            wanted = wanted or len(row)
            if row and len(row) != wanted:
                return f"line {lines.line_num} has {len(row)} values where the first has {wanted}"
    except csv.Error as error:
        return f"line {lines.line_num}: {error}"
    return None


def _select_duckdb(connection: duckdb.DuckDBPyConnection, sql: str, limits: TableLimits) -> Table:
    names = _columns_of(connection)
    check_length(sql)
    try:
        statements = connection.extract_statements(sql)
    except Exception as error:
        raise told(error, names, limits) from None
    kinds = [statement.type.name for statement in statements]
    if kinds != ["SELECT"]:
        found = " and ".join(kinds) if kinds else "none"
        raise InvalidRequest(f"data is only read here, by one SELECT, and the SQL's statements are: {found}", fix=WAYS_OUT)
    with _in_time(connection.interrupt, limits.time_s) as timer:
        try:
            result = connection.execute(statements[0])
            columns = tuple(column[0] for column in result.description or ())
            return drained(columns, result.fetchmany, limits)
        except Exception as error:
            raise told(error, names, limits, stopped=timer.fired) from None


def _columns_of(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Names that a query may mean: tables and their columns."""
    rows = connection.execute("SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal").fetchall()
    return tuple(dict.fromkeys(name for row in rows for name in row))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# ── results and errors ──────────────────────────────────────────────────────────────────────────────────────────────────


def check_length(sql: str) -> None:
    if not sql.strip() or len(sql) > MOST_SQL_CHARS or "\0" in sql:
        raise InvalidRequest(
            f"the SQL has {len(sql):,} characters, or holds a NUL", fix=f"1 to {MOST_SQL_CHARS:,} characters"
        )


class _Timer:
    fired = False


@contextmanager
def _in_time(interrupt: Callable[[], None], time_s: float) -> Iterator[_Timer]:
    """Interrupts what runs inside when its time is over."""
    state = _Timer()

    def fire() -> None:
        state.fired = True
        interrupt()

    timer = threading.Timer(time_s, fire)
    timer.daemon = True
    timer.start()
    try:
        yield state
    finally:
        timer.cancel()


def drained(columns: tuple[str, ...], fetch: Callable[[int], Sequence[Sequence[Any]]], limits: TableLimits) -> Table:
    """The first rows; the rest is counted for a moment and let go."""
    if len(columns) > MOST_COLUMNS:
        raise InvalidRequest(f"the result has {len(columns):,} columns", fix=f"select at most {MOST_COLUMNS} by name")
    rows = [tuple(_cell(value) for value in row) for row in fetch(limits.rows)]
    count, until = len(rows), time.monotonic() + COUNT_S
    while count >= limits.rows:
        try:
            more = len(fetch(2048)) if time.monotonic() < until else None
        except Exception:  # out of time, or of memory: what is here is right
            more = None
        if more is None:
            return Table(columns, tuple(rows), f"the first {len(rows)} of more than {count:,} rows")
        if not more:
            break
        count += more
    return Table(columns, tuple(rows), f"the first {len(rows)} of {count:,} rows" if count > len(rows) else None)


def _cell(value: Any) -> Any:
    """A value as JSON has it: exact where it can be, short where it is long."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        if value == value.to_integral_value():
            return int(value)
        return float(value) if Decimal(repr(float(value))) == value else str(value)
    if isinstance(value, str):
        return value if len(value) <= MOST_CELL_CHARS else f"{value[:MOST_CELL_CHARS]}... ({len(value):,} characters)"
    if isinstance(value, datetime | date | clock):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"({len(value):,} bytes)"
    if isinstance(value, list | tuple):
        cells = [_cell(item) for item in value[:50]]
        return cells if len(value) <= 50 else [*cells, f"... ({len(value):,} values)"]
    if isinstance(value, dict):
        return {str(key): _cell(item) for key, item in list(value.items())[:50]}
    return _cell(str(value))


def told(error: Exception, names: Sequence[str], limits: TableLimits, *, stopped: bool = False) -> InvalidRequest:
    """An engine's error in a line or two, with names that look like the one that is missing."""
    if isinstance(error, InvalidRequest):
        return error
    text = str(getattr(error, "orig", None) or error) or type(error).__name__
    if stopped or "interrupt" in text.lower():
        return InvalidRequest(
            f"the query was stopped after {limits.time_s:g} s", fix="join on keys, filter first, ask for less"
        )
    if "Out of Memory" in text or "too big" in text:
        return InvalidRequest(
            f"the query needs more than {limits.memory_mib} MiB of memory", fix="aggregate or filter first"
        )
    if "Permission Error" in text or "not authorized" in text or "prohibited" in text or "readonly" in text:
        return InvalidRequest(f"the SQL may only read the tables given: {_first(text)}", fix=WAYS_OUT)
    return InvalidRequest(_first(text), fix=_hint(text, names))


def _first(text: str) -> str:
    """An error's own words, without the picture of the place and the advice to install things."""
    lines = [
        line.strip()
        for line in text.partition("LINE 1:")[0].partition("Please try installing")[0].splitlines()
        if line.strip()
    ]
    words = " ".join(lines[:3])
    return words if len(words) <= 400 else words[:400] + "..."


def _hint(text: str, names: Sequence[str]) -> str:
    missing = re.search(
        r"no such (?:column|table): (?:\w+\.)?(\w+)|(?:column|name|table) \"?([^\s\"]+)\"? (?:not|does)", text
    )
    listed = f"tables and columns are {', '.join(names[:40])}" if names else WAYS_OUT
    if missing is None:
        return listed
    by_lower = {name.lower(): name for name in names}
    close = get_close_matches((missing[1] or missing[2]).lower(), by_lower, n=3, cutoff=0.6)
    return f"did you mean {', '.join(by_lower[name] for name in close)}? {listed}" if close else listed
