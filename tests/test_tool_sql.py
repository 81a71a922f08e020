"""SQL over files and databases: what is answered, what a wrong query is told, and every way out that is tried and shut."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import warnings
from pathlib import Path
from typing import Any

import duckdb
import pytest
from langchain_core.tools import BaseTool

from qwen_router.errors import InvalidRequest, UnknownName
from qwen_router.tool_context import ToolContext, using
from qwen_router.tool_databases import database_schema, query_database, sql_database
from qwen_router.tool_tables import Table, TableLimits, describe_file, query_files, table_name
from qwen_router.tooling import load_tools, signature_of

FOLDER = Path(__file__).parent.parent / "tools"
SECRET = "the secret outside"
SHORT = TableLimits(time_s=0.3)


@pytest.fixture(scope="module")
def tools() -> dict[str, BaseTool]:
    return load_tools([FOLDER])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "data").mkdir(parents=True)
    (tmp_path / "secret.csv").write_text(f"a\n{SECRET}\n")
    (root / "other.csv").write_text(f"a\n{SECRET}\n")
    (root / "data" / "Sales.csv").write_text(
        "city,price,day\nParis,1.50,2026-01-01\nRoma,2,2026-01-02\nParis,3.25,2026-01-03\n"
    )
    (root / "cities.json").write_text('[{"city": "Paris", "people": 2}, {"city": "Roma", "people": 3}]')
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT range AS n, range * 2 AS twice FROM range(1000)) TO '{root / 'n.parquet'}'")
    with sqlite3.connect(root / "shop.db") as database:
        database.executescript(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, total REAL);"
            "INSERT INTO orders VALUES (1, 'Ana', 9.5), (2, 'Bo', 3), (3, 'Ana', 1);"
            "CREATE VIEW large AS SELECT * FROM orders WHERE total > 2;"
        )
    database.close()
    return root


@pytest.fixture
def shop(root: Path) -> dict[str, str]:
    return {"shop": f"sqlite:///{root / 'shop.db'}"}


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("paths", "sql", "rows"),
    [
        pytest.param(
            ("data/Sales.csv",),
            "select city, sum(price) from data group by 1 order by 1",
            [("Paris", 4.75), ("Roma", 2.0)],
            id="csv",
        ),
        pytest.param(("data/Sales.csv",), "SELECT count(*) FROM sales;", [(3,)], id="by-the-file-s-name-and-a-semicolon"),
        pytest.param(("data/Sales.csv",), "from data select max(day)", [("2026-01-03",)], id="dates-are-text"),
        pytest.param(("n.parquet",), "select sum(twice) from n", [(999_000,)], id="parquet"),
        pytest.param(("cities.json",), "select people from data where city = 'Roma'", [(3,)], id="json"),
        pytest.param(
            ("data/Sales.csv", "cities.json"),
            "select distinct people from sales join cities using (city) order by 1",
            [(2,), (3,)],
            id="a-join",
        ),
        pytest.param((), "select 1 + 1", [(2,)], id="no-file"),
        pytest.param(
            ("shop.db",),
            "select customer, sum(total) from orders group by 1 order by 1",
            [("Ana", 10.5), ("Bo", 3.0)],
            id="sqlite",
        ),
        pytest.param(
            ("shop.db",),
            "-- a remark\n/* and one */ with t as (select * from large) select count(*) from t",
            [(2,)],
            id="sqlite-with",
        ),
        pytest.param(("shop.db",), "select ':x', '%d', ';'", [(":x", "%d", ";")], id="signs-mean-nothing-in-a-text"),
    ],
)
def test_a_select_over_files_is_answered(root: Path, paths: tuple[str, ...], sql: str, rows: list[Any]) -> None:
    assert query_files(root, sql, paths).rows == tuple(rows)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.csv", b"\xef\xbb\xbfx;y\r\n1;2\r\n", id="a-mark-and-semicolons"),
        pytest.param("a.tsv", b"x\ty\n1\t2\n", id="tabs"),
        pytest.param("a.csv.gz", gzip.compress(b"x,y\n1,2\n"), id="compressed"),
        pytest.param("a.jsonl", b'{"x": 1, "y": 2}\n', id="json-lines"),
        pytest.param("a.csv", "x,y\n1,2\n".encode("utf-16"), id="utf-16"),
        pytest.param("it's (1).csv", b"x,y\n1,2\n", id="signs-in-the-name"),
    ],
)
def test_kinds_of_files_are_read(root: Path, name: str, content: bytes) -> None:
    (root / name).write_bytes(content)
    table = query_files(root, "select * from data", (name,))
    assert (table.columns, table.rows) == (("x", "y"), ((1, 2),))


@pytest.mark.parametrize(
    ("path", "name"),
    [("data/Sales.csv", "sales"), ("2024-Q1.parquet", "t_2024_q1"), ("a b.csv.gz", "a_b"), ("销售.csv", "销售")],
)
def test_a_file_has_a_table_name(path: str, name: str) -> None:
    assert table_name(path) == name


def test_values_become_json_and_stay_exact_where_they_can() -> None:
    sql = """select 1.10::decimal(9,2) a, 12345678901234567890::hugeint b, 'nan'::float c, [1, 2] d,
             {'k': date '2026-01-01'} e, 'ab'::blob f, null g, interval 1 day h,
             repeat('x', 600) i, true j, 0.1::decimal(38, 30) k"""
    row = json.loads(json.dumps(query_files(".", sql, ()).as_json()))["rows"][0]
    assert row[:8] == [1.1, 12345678901234567890, "nan", [1, 2], {"k": "2026-01-01"}, "(2 bytes)", None, "1 day, 0:00:00"]
    assert row[8].endswith("... (600 characters)")
    assert row[9:] == [True, 0.1]


def test_long_results_are_cut_and_say_how_many_rows_there_were(root: Path) -> None:
    table = query_files(root, "select n from n order by n desc", ("n.parquet",))
    assert len(table.rows) == 200
    assert table.rows[0] == (999,)
    assert table.note == "the first 200 of 1,000 rows"
    assert query_files(root, "select n from n limit 200", ("n.parquet",)).note is None


def test_a_result_without_end_is_cut_and_says_more_than(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qwen_router.tool_tables.COUNT_S", 0.05)
    endless = "with recursive r(n) as (select 1 union all select n + 1 from r) select n from r"
    for sql, paths in (("select a.n from n a, n b, n c, n d", ("n.parquet",)), (endless, ("shop.db",))):
        table = query_files(root, sql, paths)
        assert len(table.rows) == 200
        assert table.note is not None and table.note.startswith("the first 200 of more than ")


def test_rows_that_are_long_are_cut_to_what_a_model_reads() -> None:
    table = Table(("x",), (("a" * 100,), ("b" * 100,), ("c" * 100,)))
    assert table.as_json(most_chars=250) == {
        "columns": ["x"], "rows": [["a" * 100], ["b" * 100]], "note": "the first 2 of the rows, which are long",
    }  # fmt: skip


def test_a_file_is_described(root: Path) -> None:
    table = describe_file(root, "data/Sales.csv")
    assert table.columns[:4] == ("column", "type", "least", "greatest")
    assert table.rows[1][:4] == ("price", "DOUBLE", "1.5", "3.25")
    assert table.note == "the table 'sales', also called 'data', has 3 rows"
    assert ("orders", "customer", "TEXT") in describe_file(root, "shop.db").rows
    assert ("large", "total", "REAL") in describe_file(root, "shop.db").rows


def test_a_database_is_queried_by_its_name(shop: dict[str, str]) -> None:
    assert query_database(shop, "shop", "select max(total) as most from orders") == Table(("most",), ((9.5,),))


def test_langchain_s_sqldatabase_loads_and_shows_the_schema(shop: dict[str, str]) -> None:
    """One of the langchain-community components in use, under the LangChain that is installed, without its warning."""
    from sqlalchemy import create_engine

    schema = database_schema(shop, "shop")
    from langchain_community.utilities import SQLDatabase  # only now: importing it first would warn

    assert "CREATE TABLE orders" in schema
    assert "9.5" in schema and "Ana" in schema
    assert "-- view large (id, customer, total)" in schema
    engine = create_engine(shop["shop"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(sql_database(engine), SQLDatabase)
    engine.dispose()


# ── wrong queries ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "sql", "told"),
    [
        pytest.param("data/Sales.csv", "select pric from data", "did you mean price", id="a-column"),
        pytest.param("data/Sales.csv", "select price from sale", "did you mean sales", id="a-table"),
        pytest.param("data/Sales.csv", "selec price from data", "syntax error", id="syntax"),
        pytest.param("data/Sales.csv", "select cast(city as int) from data", "Could not convert", id="a-conversion"),
        pytest.param("data/Sales.csv", "", "0 characters", id="nothing"),
        pytest.param("data/Sales.csv", ";", "statements are: none", id="only-a-semicolon"),
        pytest.param("data/Sales.csv", "select 1" + " " * 20_000, "20,008 characters", id="too-long"),
        pytest.param("data/Sales.csv", "select 1\0", "NUL", id="nul"),
        pytest.param(
            "data/Sales.csv",
            "select * exclude (a0) from (select unnest(range(2)) a0), (select "
            + ", ".join(f"{n} c{n}" for n in range(250))
            + ")",
            "250 columns",
            id="too-wide",
        ),
        pytest.param("shop.db", "select custmer from orders", "did you mean customer", id="sqlite-column"),
        pytest.param("shop.db", "select * from order_s", "did you mean orders", id="sqlite-table"),
        pytest.param("shop.db", "select from", "syntax error", id="sqlite-syntax"),
        pytest.param("nope.csv", "select 1", "there is no 'nope.csv'", id="no-file"),
        pytest.param("notes.docx", "select 1", "no data file that SQL reads", id="another-kind"),
        pytest.param("broken.parquet", "select 1", "cannot be read as a table", id="a-broken-file"),
        pytest.param("broken.db", "select 1", "not a database", id="a-broken-database"),
        pytest.param("../secret.csv", "select 1", "outside", id="outside"),
    ],
)
def test_what_is_wrong_is_told(root: Path, path: str, sql: str, told: str) -> None:
    for name in ("broken.parquet", "broken.db"):
        (root / name).write_bytes(b"no such thing" * 100)
    with pytest.raises(InvalidRequest, match=told) as caught:
        query_files(root, sql, (path,))
    assert "/proc/self" not in str(caught.value)
    assert "LINE 1" not in str(caught.value)


def test_two_files_of_one_name_are_refused(root: Path) -> None:
    (root / "sales.json").write_text("[]")
    with pytest.raises(InvalidRequest, match="two files would be the table 'sales'"):
        query_files(root, "select 1", ("data/Sales.csv", "sales.json"))


@pytest.mark.parametrize(
    ("databases", "name", "error", "told"),
    [
        pytest.param({}, "shop", InvalidRequest, "no database is set up", id="none"),
        pytest.param({"shop": "sqlite:///x.db"}, "shpo", UnknownName, "did you mean 'shop'", id="a-typing-error"),
        pytest.param({"shop": "sqlite:///nope.db"}, "shop", InvalidRequest, "no database file 'nope.db'", id="no-file"),
        pytest.param({"shop": "sqlite://"}, "shop", InvalidRequest, "no database file", id="in-memory"),
        pytest.param({"shop": "mysql://me:pass@host/db"}, "shop", InvalidRequest, "of the kind 'mysql'", id="another-kind"),
        pytest.param(
            {"shop": "postgresql+nodriver://me:pass@host/db"}, "shop", InvalidRequest, "NoSuchModule", id="no-driver"
        ),
        pytest.param({"shop": "://pass"}, "shop", InvalidRequest, "no valid URL", id="no-url"),
    ],
)
def test_a_database_that_cannot_be_asked_is_named_without_its_password(
    databases: dict[str, str], name: str, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told) as caught:
        query_database(databases, name, "select 1")
    assert "pass" not in str(caught.value)


# ── attacks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH '{outside}' AS x",
        "COPY data TO '{root}/stolen.csv'",
        "COPY (SELECT 1) TO '/tmp/qwen-router-stolen.csv'",
        "EXPORT DATABASE '{root}/out'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "INSTALL './x.duckdb_extension'",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "RESET ALL",
        "CREATE TABLE t AS SELECT 1",
        "CREATE MACRO f(x) AS x",
        "CREATE SECRET s (TYPE s3)",
        "DROP VIEW data",
        "INSERT INTO data VALUES ('x', 1, NULL)",
        "UPDATE data SET price = 0",
        "DELETE FROM data",
        "PREPARE q AS SELECT 1",
        "EXECUTE q",
        "EXPLAIN ANALYZE COPY data TO '{root}/stolen.csv'",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY data TO '{root}/stolen.csv'",
        "SELECT * FROM query('COPY data TO ''{root}/stolen.csv''')",
        "SELECT * FROM read_csv('{outside}')",
        "SELECT * FROM read_csv('{root}/other.csv')",
        "SELECT * FROM read_csv('other.csv')",
        "SELECT * FROM read_csv('{root}/*.csv', union_by_name = true)",
        "SELECT * FROM read_csv(['{root}/data/Sales.csv', '{outside}'])",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "SELECT * FROM read_text('/proc/self/fd/0')",
        "SELECT * FROM read_parquet('{outside}')",
        "SELECT * FROM read_json('{outside}')",
        "SELECT * FROM parquet_metadata('{outside}')",
        "SELECT * FROM sniff_csv('{outside}')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM '{outside}'",
        "SELECT * FROM query_table('{outside}')",
        "SELECT * FROM 'https://example.org/x.csv'",
        "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
        "SELECT * FROM sqlite_scan('{root}/shop.db', 'orders')",
        "SELECT * FROM duckdb_secrets()",
        "SELECT getenv('HOME')",
        "SELECT * FROM stranger",
        "SELECT * FROM (SELECT * FROM read_text('{outside}'))",
        "WITH x AS (FROM read_text('{outside}')) SELECT * FROM x",
        "SELECT (SELECT content FROM read_text('{outside}'))",
    ],
)
def test_attack_by_duckdb_s_sql(root: Path, sql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    stranger = [{"a": SECRET}]  # a variable of ours, which duckdb's module would look up in the callers' frames
    before = sorted(os.walk(root))
    with pytest.raises(InvalidRequest) as caught:
        query_files(
            root,
            sql.format(outside=root.parent / "secret.csv", root=root),
            ("data/Sales.csv",),
            limits=TableLimits(time_s=5),
        )
    assert SECRET not in str(caught.value)
    assert sorted(os.walk(root)) == before
    assert stranger and not Path("/tmp/qwen-router-stolen.csv").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH '{root}/shop.db' AS x",
        "SELECT load_extension('x')",
        "PRAGMA writable_schema = 1",
        "PRAGMA journal_mode = delete",
        "SELECT * FROM pragma_compile_options",
        "INSERT INTO orders VALUES (9, 'x', 1)",
        "WITH x AS (SELECT 1) INSERT INTO orders SELECT 9, 'x', 1",
        "WITH x AS (SELECT 1) DELETE FROM orders",
        "UPDATE orders SET total = 0",
        "DELETE FROM orders",
        "DROP TABLE orders",
        "CREATE TABLE t (x)",
        "CREATE TEMP TABLE t (x)",
        "VACUUM INTO '{root}/stolen.db'",
        "REINDEX",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE orders",
        "SELECT writefile('{root}/x', 'y')",
        "SELECT readfile('{outside}')",
        "SELECT fts3_tokenizer('simple')",
        "SELECT zeroblob(1000000000)",
        "SELECT group_concat(hex(zeroblob(2000000))) FROM orders",
        "BEGIN IMMEDIATE",
        "SELECT * FROM dbstat",
    ],
)
def test_attack_by_sqlite_s_sql(root: Path, shop: dict[str, str], sql: str) -> None:
    before = (root / "shop.db").read_bytes()
    written = sql.format(outside=root.parent / "secret.csv", root=root)
    for ask in (lambda: query_files(root, written, ("shop.db",)), lambda: query_database(shop, "shop", written)):
        with pytest.raises(InvalidRequest):
            ask()
    assert (root / "shop.db").read_bytes() == before
    assert sorted(os.listdir(root)) == ["cities.json", "data", "n.parquet", "other.csv", "shop.db"]


@pytest.mark.parametrize(
    ("path", "sql"),
    [
        pytest.param(
            "n.parquet", "select count(*) from n a, n b, n c, n d where a.n + b.n + c.n + d.n = 7", id="a-cross-join"
        ),
        pytest.param(
            "n.parquet",
            "with recursive r(n) as (select 1 union all select n + 1 from r) select count(*) from r",
            id="recursion",
        ),
        pytest.param(
            "shop.db",
            "with recursive r(n) as (select 1 union all select n + 1 from r) select count(*) from r",
            id="sqlite-recursion",
        ),
    ],
)
def test_attack_a_query_without_end_is_stopped(root: Path, path: str, sql: str) -> None:
    with pytest.raises(InvalidRequest, match=r"stopped after 0\.3 s"):
        query_files(root, sql, (path,), limits=SHORT)


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("select list(a.n) from n a, n b, n c", id="a-list"),
        pytest.param("select string_agg(repeat('x', 1000000)) from n", id="a-text"),
    ],
)
def test_attack_a_query_of_much_memory_is_stopped(root: Path, sql: str) -> None:
    with pytest.raises(InvalidRequest, match="more than 64 MiB"):
        query_files(root, sql, ("n.parquet",), limits=TableLimits(memory_mib=64))


@pytest.mark.skipif(os.name == "nt", reason="links as on POSIX")
def test_attack_a_data_file_that_is_a_link_is_not_read(root: Path) -> None:
    (root / "link.csv").symlink_to(root.parent / "secret.csv")
    (root / "link.db").symlink_to(root / "shop.db")
    for path in ("link.csv", "link.db"):
        with pytest.raises(InvalidRequest, match="link"):
            query_files(root, "select * from data", (path,))


def test_attack_a_file_name_is_no_sql(root: Path) -> None:
    name = "x'); COPY (SELECT 1) TO 'stolen.csv'; --.csv"
    (root / name).write_text("x\n1\n")
    assert query_files(root, "select * from data", (name,)).rows == ((1,),)
    assert not (root / "stolen.csv").exists()


@pytest.mark.skipif(
    "QWEN_ROUTER_TEST_POSTGRES" not in os.environ, reason="no PostgreSQL here: set QWEN_ROUTER_TEST_POSTGRES"
)
def test_postgresql_is_read_and_not_written() -> None:
    """Run against a server by hand: a URL of a user who is no superuser and owns a table orders(id, customer)."""
    databases = {"shop": os.environ["QWEN_ROUTER_TEST_POSTGRES"]}
    before = query_database(databases, "shop", "select count(*) from orders").rows
    for sql in (
        "delete from orders",
        "with x as (delete from orders returning 1) select * from x",
        "select 1; delete from orders",
        "select * into stolen from orders",
        "select pg_read_file('/etc/passwd')",
        "select lo_create(0)",
        "select set_config('transaction_read_only', 'off', false)",
        "select pg_sleep(9)",
        "select count(*) from generate_series(1, 10000000000)",
        "select custmer from orders",
    ):
        with pytest.raises(InvalidRequest):
            query_database(databases, "shop", sql, limits=SHORT)
    assert query_database(databases, "shop", "select count(*) from orders where customer not like '%x:y%'").rows == before
    table = query_database(databases, "shop", "select * from generate_series(1, 1000)")
    assert table.note == "the first 200 of 1,000 rows"
    assert "CREATE TABLE orders" in database_schema(databases, "shop")


# ── the tools ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_tools_ask_what_the_context_gives(tools: dict[str, BaseTool], root: Path, shop: dict[str, str]) -> None:
    with using(ToolContext(root=root, databases=shop)):
        answer = tools["query_data"].invoke({"sql": "select count(*) as n from data", "path": "data/Sales.csv"})
        assert json.loads(answer) == {"columns": ["n"], "rows": [[3]]}
        described = json.loads(tools["describe_data"].invoke({"path": "data/Sales.csv"}))
        assert [row[0] for row in described["rows"]] == ["city", "price", "day"]
        answer = tools["query_database"].invoke({"sql": "select count(*) as n from orders", "database": "shop"})
        assert json.loads(answer)["rows"] == [[3]]
        assert "CREATE TABLE orders" in tools["list_tables"].invoke({"database": "shop"})


def test_a_tool_s_error_is_its_answer(tools: dict[str, BaseTool], root: Path) -> None:
    call = {
        "type": "tool_call",
        "id": "1",
        "name": "query_data",
        "args": {"sql": "select pric from data", "path": "data/Sales.csv"},
    }
    with using(ToolContext(root=root)):
        message = tools["query_data"].invoke(call)
        assert message.status == "error"
        assert "did you mean price" in message.content
        assert "no database is set up" in tools["query_database"].invoke({"sql": "select 1", "database": "shop"})
        for name in ("query_data", "describe_data", "query_database", "list_tables"):
            assert name in tools[name].invoke({})


def test_the_tools_declare_what_they_are(tools: dict[str, BaseTool]) -> None:
    for name in ("query_data", "describe_data", "query_database", "list_tables"):
        declared = signature_of(tools[name])
        assert declared.untrusted and not declared.dangerous


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("name,price\nAda,6\nSmith, John,5\n", "line 3 has 3 values where", id="a-comma-too-many"),
        pytest.param("a,b\n1,2\n3\n4,5,6\n", "line 3 has 1 values where the first has 2", id="one-short"),
        pytest.param("city,price\n" + "A,1\n" * 200 + "Total\n", "line 202 has 1 values", id="a-last-line"),
        pytest.param("a;b\n1;2\n3\n", "line 3 has 1 values", id="semicolons"),
    ],
)
def test_a_table_with_lines_that_do_not_fit_is_refused_not_read_in_part(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InvalidRequest, match=told):
        query_files(tmp_path, "SELECT * FROM data", ["a.csv"])
    with pytest.raises(InvalidRequest, match=told):
        describe_file(tmp_path, "a.csv")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param('"a, x",b\n"1,5",2\n', [("1,5", 2)], id="quoted"),
        pytest.param("# a comment\n\na,b\n1,2\n", [(1, 2)], id="comment-first"),
        pytest.param("name\nAda\nBob\n", [("Ada",), ("Bob",)], id="one-column"),
        pytest.param("1,2\n3,4\n", [(1, 2), (3, 4)], id="no-header"),
        pytest.param("a;b\n1,5;2\n", [("1,5", 2)], id="semicolons"),
    ],
)
def test_tables_that_do_fit_are_read_whole(tmp_path: Path, text: str, rows: list[Any]) -> None:
    (tmp_path / "a.csv").write_text(text)
    found = [tuple(row) for row in query_files(tmp_path, "SELECT * FROM data", ["a.csv"]).rows]
    assert [tuple(str(cell).replace(",", ".") for cell in row) for row in found] == [
        tuple(str(cell).replace(",", ".") for cell in row) for row in rows
    ]
