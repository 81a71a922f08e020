"""Running chains: whatever tools do, the run ends with a value or a named error, and what was there by then is kept."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, ToolException
from pydantic import BaseModel

from qwen_router.agent.chain_run import ChainRun, arun_chain, run_chain
from qwen_router.agent.chains import Chain, Step
from qwen_router.agent.graph import ToolGraph
from qwen_router.errors import EngineUnreachable, InvalidRequest, MissingExtra
from qwen_router.tool_context import ToolContext, current, using
from tests.tool_worlds import made_up

Run = Callable[..., ChainRun]


def run_async(chain: Chain, values: Mapping[str, Any], **options: Any) -> ChainRun:
    return asyncio.run(arun_chain(chain, values, **options))


@pytest.fixture(params=[run_chain, run_async], ids=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Every promise holds for both."""
    found: Run = request.param
    return found


def chain_of(*tools: BaseTool, have: list[str], want: str) -> Chain:
    return ToolGraph.of(tools, own_kinds=("own",)).chains(have, want)[0]


def one(work: Callable[..., Any] | None = None, output: str = "text", **more: Any) -> Chain:
    """A chain of one tool called `work` that takes a text."""
    return chain_of(made_up("work", {"text": "text"}, output, work, **more), have=["text"], want=output)


def two_branches(read: Callable[..., Any], hear: Callable[..., Any], **more: Any) -> Chain:
    return chain_of(
        made_up("read", {"path": "image"}, "text", read, **more),
        made_up("hear", {"path": "audio"}, "text", hear),
        made_up("compare", {"one": "text", "other": "text"}, "report", lambda one, other: f"{one} / {other}"),
        have=["image", "audio"],
        want="report",
    )


BOTH = {"image": "a.png", "audio": "b.wav"}


def statuses(done: ChainRun) -> dict[str, str]:
    return {outcome.step.tool: outcome.status for outcome in done.outcomes}


# ── values ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_values_go_from_step_to_step(run: Run) -> None:
    chain = chain_of(
        made_up("count", {"text": "text"}, "number", lambda text: len(text)),
        made_up("double", {"value": "number"}, "own", lambda value: [value] * 2),
        have=["text"],
        want="own",
    )
    done = run(chain, {"text": "four", "unused": object()})
    assert (done.ok, done.value, done.error) == (True, [4, 4], None)
    assert [(o.status, o.value, o.tries) for o in done.outcomes] == [("done", 4, 1), ("done", [4, 4], 1)]


def test_branches_run_side_by_side(run: Run) -> None:
    meet = threading.Barrier(2, timeout=20)  # breaks unless both are there at once
    done = run(two_branches(lambda path: f"{meet.wait() >= 0} {path}", lambda path: f"{meet.wait() >= 0} {path}"), BOTH)
    assert str(done.error or done.value) in ("True b.wav / True a.png", "True a.png / True b.wav")


def test_no_more_run_at_once_than_asked_for(run: Run) -> None:
    at_once, most = [0], [0]

    def work(path: str) -> str:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        threading.Event().wait(0.01)
        at_once[0] -= 1
        return path

    assert run(two_branches(work, work), BOTH, parallel=1).ok
    assert most == [1]


def test_a_number_becomes_text_where_text_is_wanted(run: Run) -> None:
    chain = chain_of(
        made_up("count", {"table": "table"}, "number", lambda table: len(table["rows"])),
        made_up("say", {"text": "text"}, "page", lambda text: text + "!"),
        have=["table"],
        want="page",
    )
    assert run(chain, {"table": {"columns": ["a"], "rows": [[1], [2]]}}).value == "2!"
    counted = chain_of(made_up("count", {"table": "table"}, "number", lambda table: 2), have=["table"], want="text")
    assert run(counted, {"table": '{"columns": [], "rows": []}'}).value == "2"


def test_one_tool_reads_two_images(run: Run) -> None:
    chain = chain_of(
        made_up("read", {"path": "image"}, "text", lambda path: path.upper()),
        made_up("compare", {"one": "text", "other": "text"}, "report", lambda one, other: f"{one} / {other}"),
        have=["image", "image"],
        want="report",
    )
    assert run(chain, {"image": "a", "image 2": "b"}).value == "A / B"


def test_a_list_of_paths_may_be_one_path(run: Run) -> None:
    types = {"paths": list[str] | None, "more": list[str]}
    tool = made_up("join", {"paths": "data", "more": "data"}, "text", lambda paths, more: f"{paths} {more}", schema=types)
    assert run(chain_of(tool, have=["data", "data"], want="text"), {"data": "a", "data 2": "b"}).value == "['a'] ['b']"


def test_what_strangers_wrote_stays_marked(run: Run) -> None:
    tools = [
        made_up("fetch", {"url": "url"}, "page", lambda url: "page", untrusted=True),
        made_up("sum_up", {"text": "text"}, "report", lambda text: "short"),
    ]
    done = run(chain_of(*tools, have=["url"], want="report"), {"url": "https://a"})
    assert done.untrusted and [o.untrusted for o in done.outcomes] == [True, True]
    assert not run(chain_of(*tools, have=["text"], want="report"), {"text": "mine"}).untrusted


def test_tools_see_the_context_of_who_runs_them(run: Run, tmp_path: Path) -> None:
    with using(ToolContext(root=tmp_path)):
        assert run(one(lambda text: str(current().root)), {"text": ""}).value == str(tmp_path)


def test_blocks_and_messages_that_a_tool_gives_become_their_text(run: Run) -> None:
    blocks = [{"type": "text", "text": "said"}]
    assert run(one(lambda text: blocks), {"text": ""}).value == "said"
    assert run(one(lambda text: ToolMessage("said", tool_call_id="1")), {"text": ""}).value == "said"
    failed = run(one(lambda text: ToolMessage("no", tool_call_id="1", status="error")), {"text": ""})
    assert str(failed.error) == "ToolFailed: work: no"


# ── what tools do wrong ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "output", "told"),
    [
        pytest.param("12", "number", "wanted a finite number, got str of 2 characters", id="text-for-a-number"),
        pytest.param(None, "text", "wanted text, got nothing", id="nothing"),
        pytest.param({"rows": []}, "table", "got dict of 1", id="half-a-table"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_and_not_passed_on(run: Run, value: Any, output: str, told: str) -> None:
    seen: list[Any] = []
    chain = chain_of(
        made_up("work", {"path": "image"}, output, lambda path: value),
        made_up("after", {"value": output}, "own", lambda value: seen.append(value)),
        have=["image"],
        want="own",
    )
    done = run(chain, {"image": "a.png"})
    assert done.error is not None and done.error.name == "WrongType" and told in done.error.text
    assert (done.value, seen, statuses(done)) == (None, [], {"work": "failed", "after": "skipped"})
    assert done.outcomes[0].tries == 1  # it would say the same again


def test_a_hundred_megabytes_are_refused(run: Run) -> None:
    done = run(one(lambda text: text * 100_000_000), {"text": "x"})
    assert str(done.error) == "TooLarge: work: it gave more than 10,000,000 characters"
    nested = run(one(lambda text: {"a": ["x" * 60] * 10}, "own"), {"text": ""}, max_chars=500)
    assert nested.error is not None and nested.error.name == "TooLarge"


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


def _raises(error: BaseException) -> Callable[..., Any]:
    def work(text: str) -> str:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "told", "tries"),
    [
        pytest.param(OSError("disk full"), "OSError: disk full", 2, id="an-error"),
        pytest.param(
            EngineUnreachable("nobody there", fix="start it"), "nobody there (try: start it)", 2, id="worth-a-retry"
        ),
        pytest.param(MissingExtra.of("pint", extra="tools"), "'pint' is not installed", 1, id="ours-and-lasting"),
        pytest.param(ToolException("no unit is called 'x'"), "no unit is called 'x'", 1, id="the-arguments-fault"),
        pytest.param(RecursionError(), "RecursionError", 2, id="recursion"),
        pytest.param(Unspeakable(), "Unspeakable", 2, id="an-error-that-cannot-be-told"),
        pytest.param(ValueError("x" * 100_000), "ValueError: xxx", 2, id="an-endless-error"),
        pytest.param(SystemExit(3), "SystemExit: 3", 1, id="exit"),
    ],
)
def test_whatever_a_tool_raises_is_a_named_error(run: Run, error: BaseException, told: str, tries: int) -> None:
    done = run(one(_raises(error)), {"text": ""})
    assert done.error is not None
    assert (done.error.name, done.error.tool, done.outcomes[0].tries) == ("ToolFailed", "work", tries)
    assert told in done.error.text and len(done.error.text) < 1100


def test_an_error_that_passes_is_tried_again(run: Run) -> None:
    errors = [OSError("once"), OSError("twice")]

    def work(text: str) -> str:
        if errors:
            raise errors.pop()
        return "there"

    assert run(one(work), {"text": ""}, retries=0).outcomes[0].tries == 1
    done = run(one(work), {"text": ""})
    assert (done.value, done.outcomes[0].tries) == ("there", 2)


def test_tools_explain_their_errors_in_their_own_words(run: Run) -> None:
    class Arguments(BaseModel):
        text: int

    tool = made_up("work", {"text": "text"}, "text", _raises(ToolException("raw")))
    tool.handle_tool_error = lambda error: f"explained: {error}"
    assert str(run(chain_of(tool, have=["text"], want="text"), {"text": ""}).error) == "ToolFailed: work: explained: raw"
    tool.args_schema = Arguments
    done = run(chain_of(tool, have=["text"], want="text"), {"text": "secret"})
    assert done.error is not None and done.error.name == "WrongArguments"
    assert "text: Input should be a valid integer" in done.error.text and "secret" not in done.error.text
    tool.handle_validation_error = "give a number"
    assert str(run(chain_of(tool, have=["text"], want="text"), {"text": "x"}).error) == "WrongArguments: work: give a number"


def test_a_tool_that_hangs_is_given_up_and_its_late_answer_is_nobodys(run: Run) -> None:
    free = threading.Event()
    done = run(two_branches(lambda path: str(free.wait(20)), lambda path: "heard", timeout_s=0.05), BOTH)
    free.set()
    assert done.error is not None and done.error.name == "TimedOut" and "it has 0.05 s" in done.error.text
    assert statuses(done) == {"read": "failed", "hear": "done", "compare": "skipped"}
    assert next(o.value for o in done.outcomes if o.step.tool == "hear") == "heard"  # partial results are kept
    assert next(o.tries for o in done.outcomes if o.step.tool == "read") == 1


def test_the_whole_run_has_a_time_too(run: Run) -> None:
    free = threading.Event()
    done = run(one(lambda text: str(free.wait(20))), {"text": ""}, timeout_s=0.05)
    free.set()
    assert done.error is not None and "the whole run has 0.05 s" in done.error.text


def test_a_hung_tool_keeps_no_process_from_ending(repository: Path) -> None:
    program = """
import threading
from qwen_router.agent.chain_run import run_chain
from qwen_router.agent.graph import ToolGraph
from tests.tool_worlds import made_up
async def forever(text):
    threading.Event().wait()
tools = [made_up("work", {"text": "text"}, "text", lambda text: threading.Event().wait(), timeout_s=0.05),
         made_up("more", {"text": "text"}, "page", coroutine=forever, timeout_s=0.05)]
graph = ToolGraph.of(tools)
for want in ("text", "page"):
    print(run_chain(graph.chains(["text"], want)[0], {"text": ""}).error.name)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("TimedOut\nTimedOut\n", "", 0)


def test_after_a_failure_nothing_new_is_started(run: Run) -> None:
    calls: list[str] = []
    chain = chain_of(
        made_up("read", {"path": "image"}, "own", _raises(ToolException("blurred"))),
        made_up("hear", {"path": "audio"}, "text", lambda path: calls.append(path) or "heard"),
        made_up("join", {"a": "own", "b": "text"}, "report", lambda a, b: calls.append("join")),
        have=["image", "audio"],
        want="report",
    )
    done = run(chain, BOTH, parallel=1)
    failed = next(o for o in done.outcomes if o.step.tool == "read")
    assert failed.status == "failed" and "join" not in calls
    assert all(o.error == done.error for o in done.outcomes if o.status == "skipped")


# ── dangerous tools ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_dangerous_tool_runs_only_when_somebody_says_yes(run: Run) -> None:
    calls: list[str] = []
    chain = one(lambda text: calls.append(text) or "done", dangerous=True)
    refused = run(chain, {"text": "rm"})
    assert str(refused.error) == "Refused: work: the tool is dangerous and nobody was there to approve it"
    denied = run(chain, {"text": "rm"}, approve=lambda step, arguments: False)
    assert str(denied.error) == "Refused: work: the tool is dangerous and it was not approved"
    assert calls == []
    asked: list[tuple[str, Mapping[str, Any]]] = []

    def approve(step: Step, arguments: Mapping[str, Any]) -> bool:
        asked.append((step.tool, arguments))
        return True

    assert run(chain, {"text": "rm"}, approve=approve).value == "done"
    assert (asked, calls) == ([("work", {"text": "rm"})], ["rm"])


def test_a_dangerous_tool_is_never_tried_again(run: Run) -> None:
    done = run(one(_raises(OSError()), dangerous=True), {"text": ""}, approve=lambda step, arguments: True, retries=5)
    assert done.outcomes[0].tries == 1


def test_what_the_asking_raises_ends_the_run(run: Run) -> None:
    def approve(step: Step, arguments: Mapping[str, Any]) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(one(lambda text: "", dangerous=True), {"text": ""}, approve=approve)


async def test_the_asking_may_be_async() -> None:
    async def approve(step: Step, arguments: Mapping[str, Any]) -> bool:
        await asyncio.sleep(0)
        return True

    assert (await arun_chain(one(lambda text: "done", dangerous=True), {"text": ""}, approve=approve)).value == "done"


# ── async tools ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_async_tools_run_in_both(run: Run) -> None:
    async def work(text: str) -> str:
        await asyncio.sleep(0)
        return text * 2

    assert run(one(coroutine=work), {"text": "a"}).value == "aa"

    async def fail(text: str) -> str:
        raise OSError("gone")

    assert run(one(coroutine=fail), {"text": "a"}).outcomes[0].tries == 2

    async def hang(text: str) -> str:
        await asyncio.sleep(30)
        return text

    done = run(one(coroutine=hang, timeout_s=0.05), {"text": "a"})
    assert done.error is not None and done.error.name == "TimedOut"


async def test_async_tools_run_in_the_callers_loop() -> None:
    here = asyncio.get_running_loop()

    async def work(text: str) -> str:
        return str(asyncio.get_running_loop() is here)

    assert (await arun_chain(one(coroutine=work), {"text": ""})).value == "True"


async def test_a_run_can_be_cancelled() -> None:
    ended = asyncio.Event()

    async def work(text: str) -> str:
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()
        return text

    task = asyncio.create_task(arun_chain(one(coroutine=work), {"text": ""}))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(ended.wait(), 5)


# ── what callers do wrong ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("values", "options", "told"),
    [
        pytest.param({}, {}, "needs 'text', and the values hold nothing", id="nothing"),
        pytest.param({"txt": ""}, {}, "needs 'text', and the values hold 'txt'", id="misspelt"),
        pytest.param({"text": {}}, {}, "'text' is not of its kind: wanted text, got dict of 0", id="wrong-kind"),
        pytest.param({"text": "x" * 11}, {"max_chars": 10}, "more than 10 characters", id="too-long"),
        pytest.param({"text": ""}, {"retries": -1}, "cannot be kept", id="retries"),
        pytest.param({"text": ""}, {"parallel": 0}, "cannot be kept", id="parallel"),
        pytest.param({"text": ""}, {"timeout_s": 0}, "cannot be kept", id="timeout"),
    ],
)
def test_values_and_limits_that_cannot_be_are_refused_before_anything_runs(
    run: Run, values: dict[str, Any], options: dict[str, Any], told: str
) -> None:
    calls: list[str] = []
    with pytest.raises(InvalidRequest, match=told):
        run(one(calls.append), values, **options)
    assert calls == []
