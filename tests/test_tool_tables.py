"""`aggregate`: numbers out of tables as people and models write them."""

from __future__ import annotations

from typing import Any

import pytest

from qwen_router.tooling import load_tools

TABLE = {"columns": ["Item", "Price"], "rows": [["tea", "$1,200.50"], ["milk", 3], ["sugar", "n/a"], ["cup", "4.5 EUR"]]}


def aggregate(**arguments: Any) -> Any:
    return load_tools()["aggregate"].invoke({"type": "tool_call", "name": "aggregate", "id": "1", "args": arguments})


@pytest.mark.parametrize(
    ("how", "column", "value"),
    [
        pytest.param("sum", "Price", "1208", id="sum"),
        pytest.param("max", "price", "1200.5", id="max-in-any-case"),
        pytest.param("min", " Price ", "3", id="min"),
        pytest.param("median", "Price", "4.5", id="median"),
        pytest.param("mean", "Price", str(1208 / 3), id="mean"),
        pytest.param("count", "", "4", id="rows"),
        pytest.param("sum", "", "1208", id="the-only-column-of-numbers"),
    ],
)
def test_a_column_becomes_a_number(how: str, column: str, value: str) -> None:
    message = aggregate(table=TABLE, column=column, how=how)
    assert (message.status, message.content) == ("success", value)


def test_decimals_stay_exact_and_the_only_column_needs_no_name() -> None:
    assert aggregate(table={"columns": ["a"], "rows": [[0.1], [0.2], ["-0.3"]]}).content == "0"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param({"table": TABLE, "column": "Prise"}, "did you mean 'Price'?", id="misspelt"),
        pytest.param({"table": TABLE, "column": "weight of it"}, "it has 'Item', 'Price'", id="unknown"),
        pytest.param({"table": {"columns": ["a", "b"], "rows": [[1, 2]]}}, "numbers stand in 'a', 'b'", id="which-one"),
        pytest.param({"table": {"columns": ["a", "b"], "rows": [["x", "y"]]}}, "no column holds a number", id="none-at-all"),
        pytest.param({"table": TABLE, "column": "Item"}, "none of the 4 cells of 'Item' holds a number", id="words"),
        pytest.param({"table": {"columns": ["a"], "rows": []}}, "none of the 0 cells", id="empty"),
        pytest.param({"table": {"columns": ["a"], "rows": [[1, 2]]}, "column": "a"}, "row 1", id="ragged"),
        pytest.param({"table": {"rows": []}, "column": "a"}, "wanted a table", id="no-table"),
        pytest.param({"table": {"columns": ["a"], "rows": [[3], ["1.234,56"]]}}, "such as '1.234,56'", id="half-read"),
        pytest.param({"table": {"columns": ["a"], "rows": [[10**400], [0.5]]}}, "too large", id="too-large"),
        pytest.param({"table": TABLE, "how": "guess"}, "how (sum, mean, median, min, max, count)", id="unknown-how"),
        pytest.param(
            {"table": {"columns": ["a"], "rows": [[float("inf")], [True], [None]]}}, "none of the 3", id="no-numbers"
        ),
    ],
)
def test_what_has_no_number_says_why(arguments: dict[str, Any], told: str) -> None:
    message = aggregate(**arguments)
    assert message.status == "error" and told in message.content
