"""The sixty tool tasks with models that fail in known ways: every run ends right or with a named stop, and none hangs.

Each way to fail meets a part of the tasks here, another part each; `benchmarks/agent_faults.py` lets all meet all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import BaseTool

import qwen_router.sandbox as sandbox
from qwen_router.tool_context import ToolContext, using
from qwen_router.tooling import load_tools
from tests.agent_faults import MAX_STEPS, NOT_CHECKED, RELEASED, REPOSITORY, WAYS, WIPED, World, fine, no_tool, obeys, right
from tests.agent_tasks import Task, load_tasks

TASKS = load_tasks()
PARTS = 10
LOST = [name for name, way in WAYS.items() if way.lost]
_outcomes: dict[tuple[str, str], Any] = {}
_run_tests = sandbox.run_tests


def remembered(code: str, tests: str, **options: Any) -> Any:
    """The same code and tests come again and again here; the sandbox has tests of its own."""
    if (code, tests) not in _outcomes:
        _outcomes[code, tests] = _run_tests(code, tests, **options)
    return _outcomes[code, tests]


@pytest.fixture(autouse=True)
def _tests_are_run_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sandbox, "run_tests", remembered)
    yield
    RELEASED.set()
    RELEASED.clear()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("tasks"))


@pytest.fixture(scope="module")
def shipped() -> dict[str, BaseTool]:
    return load_tools([REPOSITORY / "tools"])


def part_of(way: str, *, parts: int = PARTS) -> tuple[Task, ...]:
    """Some of the tasks of every kind, others for every way."""
    return TASKS[list(WAYS).index(way) % parts :: parts]


# ── the tasks themselves ────────────────────────────────────────────────────────────────────────────────────────────────


def test_there_are_sixty_tasks_of_four_kinds_in_some_languages() -> None:
    assert len(TASKS) == 60 and len({task.id for task in TASKS}) == 60
    counts = {kind: sum(t.kind == kind for t in TASKS) for kind in ("arithmetic", "units", "sql", "code")}
    assert counts == {"arithmetic": 16, "units": 16, "sql": 14, "code": 14}
    assert sum(task.nano for task in TASKS) == 17 and {"de", "es", "fr", "ja", "zh"} <= {task.language for task in TASKS}


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_the_way_that_a_task_names_leads_to_what_is_right_and_a_guess_does_not(
    task: Task, shipped: dict[str, BaseTool], tmp_path: Path
) -> None:
    task.prepare(tmp_path)
    with using(ToolContext(root=tmp_path)):
        outputs = [shipped[name].invoke(arguments) for name, arguments in task.steps]
    if task.kind == "code":
        assert json.loads(outputs[-1])["ok"]
    elif task.kind == "sql":
        assert task.is_right(json.dumps(json.loads(outputs[-1])["rows"], ensure_ascii=False))
    else:
        assert task.is_right(str(outputs[-1]))
    assert task.is_right(task.answer) and not task.is_right(task.wrong) and not task.is_right("")


# ── models that fail ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", LOST)
def test_where_the_first_model_is_lost_the_stronger_one_ends_it_rightly(name: str, world: World) -> None:
    for task in part_of(name):
        if WAYS[name].says is no_tool and task.id in NOT_CHECKED:
            continue  # see the last test
        report = world.run(task, WAYS[name].says(task), right(task))
        assert report.stop == "done" and task.is_right(report.answer), (task.id, report)
        assert world.engine.asked[0] > 0 < world.engine.asked[1] and report.steps <= MAX_STEPS, (task.id, report)


@pytest.mark.parametrize("name", LOST)
def test_where_nobody_recovers_the_run_ends_with_a_named_stop(name: str, world: World) -> None:
    for task in part_of(name):
        if WAYS[name].says is no_tool and task.id in NOT_CHECKED:
            continue
        report = world.run(task, WAYS[name].says(task), WAYS[name].says(task))
        assert report.stop in WAYS[name].stops and report.detail and report.exit_code, (task.id, report)
        assert report.steps <= MAX_STEPS


@pytest.mark.parametrize("name", [name for name, way in WAYS.items() if not way.lost])
def test_a_model_that_meets_a_fault_and_goes_on_ends_rightly(name: str, world: World) -> None:
    way = WAYS[name]
    for task in part_of(name):
        report = world.run(task, way.says(task), way.says(task), strange=way.tools)
        assert report.stop == "done" and task.is_right(report.answer), (task.id, report)


def test_a_model_that_obeys_what_strangers_wrote_is_held_at_the_dangerous_tool(world: World) -> None:
    WIPED.clear()
    for task in TASKS[::PARTS]:
        report = world.run(task, obeys(task), obeys(task), strange=("look_up", "wipe_disk"))
        assert report.stop == "approval" and [call.tool for call in report.pending] == ["wipe_disk"] and not WIPED, task.id


def test_a_person_who_says_no_lets_the_run_go_on_without_the_dangerous_call(world: World) -> None:
    WIPED.clear()
    for task in TASKS[1::PARTS]:
        report = world.run(
            task, obeys(task), obeys(task), strange=("look_up", "wipe_disk"), approve=lambda approval: "never"
        )
        assert report.stop == "done" and task.is_right(report.answer) and not WIPED, (task.id, report)


def test_what_no_check_can_work_out_is_the_only_wrong_answer_that_ends_as_done(world: World) -> None:
    """Six chains of units answered by heart: told here, so that nobody takes `done` for right."""
    some = {*TASKS[::4], *(task for task in TASKS if task.kind == "units")}
    reports = {task.id: (task, world.run(task, no_tool(task), no_tool(task))) for task in some}
    assert {name for name, (task, report) in reports.items() if not fine(task, report)} == NOT_CHECKED
    assert len(NOT_CHECKED) == 6
