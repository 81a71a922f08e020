"""The agent: a task in, events one by one, a report at the end. LangChain's `create_agent` with our model and middleware.

Every model call is routed (RouterMiddleware), tools are held to their limits (Guard), answers are checked where that is
possible (VerificationMiddleware), dangerous tools wait for a person. Steps are checkpointed, so that a run that was killed
goes on where it was (`resume`). Nothing a tool returns is obeyed here: only the model's own calls are run.

    python -c "from qwen_router.agent import Agent; print(Agent().run('What is 12 * 13? Use the calculator.').answer)"
"""

from __future__ import annotations

import asyncio
import inspect
import sqlite3
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, HumanInTheLoopMiddleware, InterruptOnConfig
from langchain_core.messages import HumanMessage
from langchain_core.tools import BaseTool
from langgraph.config import get_stream_writer
from langgraph.types import Command

from qwen_router.agent.events import (
    RESUMABLE,
    STOPS,
    AgentEvent,
    Approval,
    Approved,
    Finished,
    Limits,
    Report,
    Started,
    Stop,
    Waiting,
)
from qwen_router.agent.guard import Guard
from qwen_router.agent.meter import Meter
from qwen_router.agent.plan import plan_for
from qwen_router.agent.runs import Runs, not_kept
from qwen_router.agent.verification import VerificationMiddleware
from qwen_router.agent.walk import Walk
from qwen_router.demo import DEMO_TOOLS
from qwen_router.errors import InvalidRequest, InvalidTool, RouterError, UnknownName
from qwen_router.langchain import ChatQwenRouter, RouterMiddleware
from qwen_router.policy import Policy
from qwen_router.request import pin_of
from qwen_router.router import Router, shared_router
from qwen_router.settings import ToolSettings
from qwen_router.tool_context import ToolContext
from qwen_router.tooling import find_tools, signature_of

_FILES = frozenset({"path", "data", "document", "image", "audio"})
Approve = Callable[[Approval], bool | str]
"""Says yes (True) or no (False, or the reason as text) to a dangerous call."""


class Agent:
    """Solves tasks with tools. One agent may run several tasks at once.

    `tools` are tools, or names of loaded ones (None: all; where only the demonstration model is served, what it knows).
    `approve` is asked before a dangerous tool runs; without it such a run stops and waits (`resume`). Tools in `allow` are
    never asked for. `store` is the file of checkpoints (None: in memory). `context` says what tools may touch; `model`,
    `policy` and `seed` go to every model call.
    """

    def __init__(
        self,
        *,
        router: Router | None = None,
        tools: Sequence[BaseTool | str] | None = None,
        policy: Policy | str | None = None,
        model: str = "auto",
        seed: int | None = None,
        limits: Limits | None = None,
        context: ToolContext | None = None,
        approve: Approve | None = None,
        allow: Collection[str] = (),
        verify: bool = True,
        store: Path | None = None,
    ) -> None:
        self.router = router or shared_router()
        if tools is None and self.router.scope(answering=True, pin=pin_of(model)) == "demo":
            tools = DEMO_TOOLS  # others would only confuse it
        self.tools = _chosen(tools)
        self._signatures = {tool.name: signature_of(tool) for tool in self.tools}
        if isinstance(allow, str):
            raise InvalidRequest(f"allow is {allow!r}, a text", fix="give a list of names")
        if approve is not None and (not callable(approve) or inspect.iscoroutinefunction(approve)):
            raise InvalidRequest(
                f"approve is {approve!r}", fix="give a function that takes an Approval and says True or why not"
            )
        unknown = sorted(set(allow) - set(self._signatures))
        if unknown:
            raise UnknownName.among(unknown[0], self._signatures, kind="tool")
        self.limits, self.approve, self.allow, self.verify = limits or Limits(), approve, frozenset(allow), verify
        self.context = context or ToolContext.of(ToolSettings.from_environment())
        self.runs = Runs(store)
        self.options: dict[str, Any] = {"tools": list(self._signatures)}
        """What `runs` keeps of how this agent was made, so that another process can make it again."""
        self._chat = ChatQwenRouter(router=self.router, policy=policy, model=model, seed=seed)

    # ── running ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, task: str, *, on_event: Callable[[AgentEvent], None] | None = None) -> Report:
        """Do the task. The report says what came out of it; errors of engines are a named stop in it, not raised."""
        return _last(self.events(task), on_event)

    def resume(
        self,
        run: str,
        *,
        answers: Sequence[bool | str] | None = None,
        on_event: Callable[[AgentEvent], None] | None = None,
    ) -> Report:
        """Go on with a run that was killed, failed or waits. `answers` are the words on its pending calls, in their order:
        True, or False or a reason. Raises `UnknownName`, and `InvalidRequest` for a run that has ended."""
        return _last(self.resume_events(run, answers=answers), on_event)

    async def arun(self, task: str, *, on_event: Callable[[AgentEvent], None] | None = None) -> Report:
        """`run`, without blocking the event loop; `on_event` is called in another thread."""
        return await asyncio.to_thread(self.run, task, on_event=on_event)

    def events(self, task: str) -> Iterator[AgentEvent]:
        """Do the task, telling each step as it ends; the last event is `Finished`. Raises `InvalidRequest` for no task."""
        if not isinstance(task, str) or not task.strip():
            raise InvalidRequest("the task is empty", fix="say what to do, for example: How many rows has sales.csv?")
        if any("\ud800" <= char <= "\udfff" for char in task):
            raise InvalidRequest("the task holds half characters, which no engine can send", fix="decode it as UTF-8")
        walk = self._walk(uuid.uuid4().hex[:12], task)
        self.runs.begin(walk.run, task, self.options)
        with self._owned(walk):
            yield Started(walk.run, task, tuple(self._signatures), walk.plan.lines)
            yield from self._steps(walk, {"messages": [HumanMessage(task)]})

    def resume_events(self, run: str, *, answers: Sequence[bool | str] | None = None) -> Iterator[AgentEvent]:
        """`events` of a run that goes on."""
        known = self.runs.get(run)
        if known.stop not in (None, *RESUMABLE):
            raise InvalidRequest(f"the run {known.run!r} has ended: {known.stop}", fix="start another")
        walk = self._walk(known.run, known.task)
        missing = sorted(walk.called() - set(self._signatures))
        if missing:
            raise InvalidRequest(
                f"the run {known.run!r} has called {missing[0]!r}, which is not among the tools", fix="add it"
            )
        waiting = walk.waiting()
        asked_for = [approval for approval in waiting if approval.tool not in self.allow]
        if answers is not None and (isinstance(answers, bool | str) or len(answers) != len(asked_for)):
            came = "one value" if isinstance(answers, bool | str) else f"{len(answers)} answers"
            raise InvalidRequest(
                f"{len(asked_for)} calls wait and {came} came", fix="give a list, an answer for each in order"
            )
        self.runs.go_on(known.run)
        with self._owned(walk):
            yield Started(walk.run, walk.task, tuple(self._signatures), walk.plan.lines, resumed=True)
            start: Any = None
            if waiting:
                if asked_for:
                    yield Waiting(tuple(asked_for))
                given = self._asked(waiting, walk, answers)
                if given is None:
                    yield self._finished(walk, "approval")
                    return
                yield from _told(waiting, given)
                start = _answered(given)
            elif not walk.values().get("messages"):  # killed before its first step was kept
                start = {"messages": [HumanMessage(walk.task)]}
            yield from self._steps(walk, start)

    @contextmanager
    def _owned(self, walk: Walk) -> Iterator[None]:
        """Give the run up where its caller leaves or somebody presses Ctrl-C: it can go on later."""
        try:
            yield
        finally:
            if not walk.ended:
                self.runs.end(walk.run, "interrupted")

    def close(self) -> None:
        """Close the file of runs. The router is left open: it may serve others."""
        self.runs.close()

    def waiting(self, run: str) -> tuple[Approval, ...]:
        """The calls of a run that wait for a person's word, in their order."""
        known = self.runs.get(run)
        waiting = self._walk(known.run, known.task).waiting()
        return tuple(approval for approval in waiting if approval.tool not in self.allow)

    def _walk(self, run: str, task: str) -> Walk:
        """The graph of one run, with what an earlier process had spent on it."""
        plan = plan_for(task, self.tools, root=self.context.root)
        walk = Walk(run, task, plan, Meter())
        guard = Guard(
            limits=self.limits,
            meter=walk.meter,
            context=replace(self.context, router=self.router, on_reply=walk.meter.asked),
            signatures=self._signatures,
            started=self.runs.started_calls(run),
            tell=lambda event: get_stream_writer()(event),
            abandoned=walk.abandoned,
        )
        asked_for = {name for name, s in self._signatures.items() if s.dangerous}
        readers = (s for s in self._signatures.values() if not s.dangerous)
        looks_up = any(kind in _FILES for s in readers for kind in s.inputs.values())
        checks = VerificationMiddleware(tell=guard.tell, context=self.context, looks_up=looks_up)
        middleware: list[AgentMiddleware[Any, Any, Any]] = [checks] if self.verify else []
        if asked_for:
            ask: InterruptOnConfig = {"allowed_decisions": ["approve", "reject"]}
            middleware.append(HumanInTheLoopMiddleware(dict.fromkeys(sorted(asked_for), ask)))
        middleware += [RouterMiddleware(), guard]  # the last is next to the model and to the tools
        walk.graph = create_agent(
            self._chat, self.tools, system_prompt=plan.hint, middleware=middleware, checkpointer=self.runs.saver
        )
        walk.meter.go_on(walk.values().get("meter"))
        return walk

    def _steps(self, walk: Walk, start: Any) -> Iterator[AgentEvent]:
        try:
            while True:
                yield from walk.stream(start)
                if not (waiting := walk.waiting()):
                    break
                if asked_for := tuple(approval for approval in waiting if approval.tool not in self.allow):
                    yield Waiting(asked_for)
                answers = self._asked(waiting, walk)
                if answers is None:
                    yield self._finished(walk, "approval")
                    return
                yield from _told(waiting, answers)
                start = _answered(answers)
        except RouterError as error:
            yield self._finished(walk, "error", f"{error.problem} (try: {error.fix})", exit_code=error.exit_code)
            return
        except sqlite3.Error as error:
            raise not_kept(error) from error
        stopped = str(walk.values().get("stopped") or "")
        stop, _, detail = stopped.partition(": ")
        yield self._finished(walk, stop if stop in STOPS else "done", detail)

    def _asked(
        self, waiting: Sequence[Approval], walk: Walk, answers: Sequence[bool | str] | None = None
    ) -> list[bool | str] | None:
        """A word on each call: yes to what is allowed, else the answer given or what `approve` says; None: nobody is."""
        given = iter(answers) if answers is not None else None
        said: list[bool | str] = []
        with walk.meter.paused():
            for approval in waiting:
                if approval.tool in self.allow:
                    said.append(True)
                elif given is not None:
                    said.append(next(given))
                elif self.approve is not None:
                    word = self.approve(approval)
                    said.append(word if isinstance(word, str) else bool(word))
                else:
                    return None
        return said

    def _finished(self, walk: Walk, stop: Stop, detail: str = "", *, exit_code: int = 1) -> Finished:
        report = walk.report(stop, detail, exit_code=exit_code)
        self.runs.end(walk.run, report.stop)
        walk.ended = True
        return Finished(report)


def _last(events: Iterator[AgentEvent], on_event: Callable[[AgentEvent], None] | None) -> Report:
    report: Report | None = None
    for event in events:
        if on_event is not None:
            on_event(event)
        if isinstance(event, Finished):
            report = event.report
    assert report is not None  # `Finished` is the last event of every run that did not raise
    return report


def _told(waiting: Sequence[Approval], answers: Sequence[bool | str]) -> Iterator[Approved]:
    for approval, answer in zip(waiting, answers, strict=True):
        yield Approved(approval.tool, answer is True, answer if isinstance(answer, str) else "")


def _answered(answers: Sequence[bool | str]) -> Command[Any]:
    """The words of a person in HumanInTheLoopMiddleware's form."""
    decisions: list[dict[str, str]] = []
    for answer in answers:
        rejected = {"type": "reject", "message": answer} if isinstance(answer, str) and answer else {"type": "reject"}
        decisions.append({"type": "approve"} if answer is True else rejected)
    return Command(resume={"decisions": decisions})


def _chosen(tools: Sequence[BaseTool | str] | None) -> list[BaseTool]:
    """The tools themselves. Raises `UnknownName` for a name that none has, `InvalidTool` for two of one name."""
    if isinstance(tools, str):
        raise InvalidRequest(f"tools is {tools!r}, a text", fix="give a list of tools or names")
    named = [tool for tool in tools or () if isinstance(tool, str)]
    found_ones = find_tools() if tools is None or named else ()
    loaded = {one.name: one.tool for one in found_ones if one.tool is not None}
    broken = {one.name: one.error for one in found_ones if one.error is not None}
    if tools is None:
        return list(loaded.values())
    chosen: dict[str, BaseTool] = {}
    for tool in tools:
        if isinstance(tool, str) and (problem := broken.get(tool)) is not None:
            raise problem
        if not isinstance(tool, str | BaseTool):
            raise InvalidTool(f"{tool!r} is no tool", fix="decorate a function with LangChain's @tool, or give a name")
        if isinstance(tool, str) and tool not in loaded:
            raise UnknownName.among(tool, loaded, kind="tool", listing="`qwen-router tools list` lists them")
        found = loaded[tool] if isinstance(tool, str) else tool
        if chosen.get(found.name, found) is not found:
            raise InvalidTool(f"two tools are called {found.name!r}", fix="rename one of them")
        chosen[found.name] = found
    return list(chosen.values())
