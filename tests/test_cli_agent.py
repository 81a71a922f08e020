"""`qwen-router agent`: what a person sees, what a program reads, and what wrong usage is told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from qwen_router.agent.events import Approval
from qwen_router.cli import agent_trace, app, register
from qwen_router.errors import RouterError
from qwen_router.router import Router
from qwen_router.settings import Settings
from tests.agent_scripts import Say, ScriptedEngine, called, in_order
from tests.worlds import machine

register()
TOOL = '''
from langchain_core.tools import tool

@tool
def erase(what: str) -> str:
    """Erase something."""
    return f"erased {what}"

erase.metadata = {"inputs": {"what": "text"}, "output": "text", "dangerous": True}
'''


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs a command line with a scripted model in a folder that has a dangerous tool of its own."""
    engine = ScriptedEngine()
    router = Router(engines=[engine], machine=machine(), settings=Settings(), policy="fast")
    monkeypatch.setattr("qwen_router.cli.agent.router_from", lambda **options: router)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "erase.py").write_text(TOOL)

    def call(*words: str, says: list[Say] | None = None, stdin: str | None = None) -> Any:
        if says is not None:
            engine.begin(in_order(says), in_order(says))
        return CliRunner().invoke(app, ["agent", "--store", str(tmp_path / "runs.sqlite"), *words], input=stdin)

    return call


def test_the_answer_goes_out_and_the_trace_aside(run: Any) -> None:
    done = run("Add 2 and 3.", "--tools", "calculator", says=[called("calculator", expression="2 + 3"), Say("It is 5.")])
    assert done.exit_code == 0 and done.stdout == "It is 5.\n"
    lines = done.stderr.splitlines()
    assert re.match(r"run [0-9a-f]{12}: 1 tool$", lines[0])
    assert re.match(r" 1  Qwen3-1\.7B q4_K_M \(fake\) · \d+ ms · 50 -> \d+ tokens$", lines[1])
    assert re.match(r'    calculator\(expression="2 \+ 3"\) = 5 · \d+ ms$', lines[2])
    assert lines[-2] == "— done" and re.match(r"— 2 steps, \d\.\d s, \d+ tokens, \$0; Qwen3-1\.7B ×2$", lines[-1])


def test_json_is_an_event_a_line_and_nothing_else(run: Any) -> None:
    done = run("Add.", "--json", "--tools", "calculator", says=[called("calculator", expression="2 + 3"), Say("5")])
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["started", "model_called", "tool_called", "model_called", "finished"]
    assert events[-1]["report"]["answer"] == "5" and events[-1]["report"]["stop"] == "done"


def test_a_run_that_waits_is_listed_and_goes_on_with_what_it_was_made_with(run: Any) -> None:
    says = [called("erase", what="logs"), Say("gone")]
    waiting = run("Erase the logs.", "--tools", "erase", "--max-steps", "4", says=says)
    assert (
        waiting.exit_code == 1 and waiting.stdout == "" and "stopped: approval (erase waits for approval)" in waiting.stderr
    )
    name = re.search(r"--resume ([0-9a-f]{12})", waiting.stderr)[1]  # type: ignore[index]
    listed = run("--runs")
    assert name in listed.stdout and "approval" in listed.stdout and "Erase the logs." in listed.stdout
    refused = run("--resume", name[:6], "--reject", "they are needed", says=[Say("left alone")])
    assert (refused.exit_code, refused.stdout) == (0, "left alone\n") and "erase: refused, they are needed" in refused.stderr
    (kept,) = [json.loads(line) for line in run("--runs", "--json").stdout.splitlines()]
    assert (kept["stop"], kept["options"]["tools"], kept["options"]["max_steps"]) == ("done", ["erase"], 4)
    assert run("--forget", name).stdout == f"forgot {name}\n" and run("--runs", "--json").stdout == ""


def test_an_approval_by_option_runs_the_call(run: Any) -> None:
    waiting = run("Erase the logs.", "--tools", "erase", says=[called("erase", what="logs"), Say("gone")])
    name = re.search(r"--resume ([0-9a-f]{12})", waiting.stderr)[1]  # type: ignore[index]
    done = run("--resume", name, "--approve")
    assert done.stdout == "gone\n" and 'erase(what="logs") = erased logs' in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(["--approve"], "answer a run that waits", id="approve-alone"),
        pytest.param(["--resume", "abc", "--approve", "--reject", "no"], "contradict", id="both-words"),
        pytest.param(["--resume", "abc", "more"], "own task", id="resume-with-words"),
        pytest.param(["--resume", "abc"], "no run is called 'abc'", id="no-such-run"),
        pytest.param(["x", "--budget", "much"], "the budget holds 'much'", id="budget"),
        pytest.param(["x", "--tools", "calculater"], "no tool is called 'calculater'", id="tool"),
        pytest.param(["x", "--allow", "calculater"], "no tool is called 'calculater'", id="allowed-tool"),
        pytest.param(["x", "--root", "nowhere"], "which is no folder", id="root"),
        pytest.param([" "], "the task is empty", id="no-task"),
        pytest.param(["x", "--mcp", "nowhere.json"], "nowhere.json", id="mcp"),
    ],
)
def test_wrong_usage_is_told_with_the_value_and_a_fix(run: Any, words: list[str], told: str) -> None:
    done = run(*words, says=[Say("x")])
    assert isinstance(done.exception, RouterError) and done.exception.exit_code == 2
    assert told in done.exception.problem and done.exception.fix


def test_a_file_of_the_runs_that_is_a_folder_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["agent", "--store", str(tmp_path), "--runs"])
    assert isinstance(done.exception, RouterError) and str(tmp_path) in done.exception.problem


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        pytest.param("y\n", True, id="yes"),
        pytest.param("YES\n", True, id="shouted"),
        pytest.param("n\n", "", id="no"),
        pytest.param("\n", "", id="enter"),
        pytest.param("", "", id="end-of-input"),
        pytest.param("not these\n", "not these", id="reason"),
    ],
)
def test_a_person_sees_the_call_whole_and_says_yes_or_no(
    typed: str, answer: bool | str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    approval = Approval("write_file", {"path": "a.txt", "text": "\x1b[31mred\n" + "x\n" * 200 + "the last\u202e line"})
    assert agent_trace.ask_person(approval) == answer
    shown = capsys.readouterr().err
    assert "write_file wants to run" in shown and "  path: a.txt\n" in shown
    assert "  text, 202 lines:\n" in shown and "  | the last\\u202e line\n" in shown
    assert "\x1b[31m" not in shown and "[31mred" in shown
