"""What the agent reads out of a task before its first step, over the tools that ship."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.tools import BaseTool

from qwen_router.agent.plan import brought_by, plan_for, wanted_of
from qwen_router.tooling import load_tools


@pytest.fixture(scope="module")
def tools() -> list[BaseTool]:
    return list(load_tools().values())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("sales.csv", "scan.png", "notes.txt", "call.wav", "sub/old.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


@pytest.mark.parametrize(
    ("task", "first"),
    [
        pytest.param("Plot the sales by month in sales.csv", "query_data -> plot_table", id="plot"),
        pytest.param("What is the sum of the sales in sales.csv?", "query_data -> aggregate", id="number"),
        pytest.param("sales.csv 里一共有多少行？", "query_data -> aggregate", id="chinese"),
        pytest.param("Make a table of what is on scan.png", "ask_vision -> extract_table", id="image-to-table"),
        pytest.param("Draw a chart of scan.png", "ask_vision -> extract_table -> plot_table", id="image-to-plot"),
    ],
)
def test_a_task_with_a_file_gets_a_way_through_the_tools(task: str, first: str, tools: list[BaseTool], root: Path) -> None:
    plan = plan_for(task, tools, root=root)
    assert plan.lines[0] == first and plan.hint is not None and first in plan.hint


@pytest.mark.parametrize(
    "task",
    [
        pytest.param("How many grams are 3 kg?", id="nothing-brought"),
        pytest.param("Translate notes.txt into French", id="no-word-for-what-is-wanted"),
        pytest.param("How many rows has missing.csv?", id="no-such-file"),
        pytest.param("How many rows has ../../etc/passwd.csv?", id="outside"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_is_not_understood_gets_no_hint(task: str, tools: list[BaseTool], root: Path) -> None:
    assert plan_for(task, tools, root=root).hint is None


def test_one_step_needs_no_hint(tools: list[BaseTool], root: Path) -> None:
    plan = plan_for("Run the tests of ```python\nassert 1\n```", tools, root=root)
    assert plan.lines == ("run_python",) and plan.hint is None


def test_files_urls_and_code_are_what_a_task_brings(root: Path) -> None:
    have, files = brought_by("Compare sub/old.csv with sales.csv, sales.csv and https://a.example/x.csv ```1```", root=root)
    assert files == ("sub/old.csv", "sales.csv")
    assert [kind for kind in have if kind in ("data", "url", "code")] == ["data", "data", "url", "code"]


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        pytest.param("Zeichne ein Diagramm", "plot", id="german"),
        pytest.param("把结果画成图表", "plot", id="chinese"),
        pytest.param("Fasse als Tabelle zusammen", "table", id="table"),
        pytest.param("Combien de lignes ?", "number", id="french"),
        pytest.param("Fix the bug in this function", "report", id="code"),
        pytest.param("Say hello", None, id="none"),
    ],
)
def test_a_few_words_say_what_is_wanted(task: str, kind: str | None) -> None:
    assert wanted_of(task) == kind
