"""`agent`: a task that takes several steps and tools; `agent_trace.py` shows what happens.

qwen-router agent "How many grams are 3 kg and 250 g together?"
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwen_router.cli.common import JsonOption, PolicyOption, print_json, read_text, router_from
from qwen_router.errors import InvalidRequest, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.tools import BaseTool

    from qwen_router.agent.agent import Agent
    from qwen_router.agent.events import AgentEvent, Report

WEB_TOOL = "fetch_page"


def add_to(app: typer.Typer) -> None:
    app.command("agent")(agent)


def agent(
    words: Annotated[
        list[str] | None, typer.Argument(help="The task; standard input when left out.", show_default=False)
    ] = None,
    tools: Annotated[
        str | None,
        typer.Option(
            help="Tools that it may use, with commas (default: all; the demonstration model gets the two that it knows)."
        ),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="Folder that its file tools see, and nothing outside it (default: this one).")
    ] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Most model calls (default: 20).", show_default=False)] = None,
    budget: Annotated[
        str | None, typer.Option(help="What it may spend: '5000 tokens', '0.05 usd', '90 s', several with commas.")
    ] = None,
    policy: PolicyOption = None,
    model: Annotated[str | None, typer.Option(help="Use this model in every step.")] = None,
    engine: Annotated[
        str | None, typer.Option(help="Use only this engine: ollama, openai, llamacpp, transformers, onnx.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the sampling.")] = None,
    allow: Annotated[
        str | None, typer.Option(help="Dangerous tools that may run without being asked for, with commas.")
    ] = None,
    web: Annotated[
        str | None, typer.Option(help="Hosts that it may fetch pages from, with commas; .example.org: all below it.")
    ] = None,
    mcp: Annotated[
        Path | None, typer.Option(help='Use the tools of these MCP servers, too: a file with "mcpServers".')
    ] = None,
    verify: Annotated[
        bool | None,
        typer.Option("--verify/--no-verify", help="Check answers where possible (the default).", show_default=False),
    ] = None,
    resume: Annotated[str | None, typer.Option(help="Go on with this run: its name, or how it begins.")] = None,
    approve: Annotated[bool, typer.Option("--approve", help="With --resume: allow the calls that wait.")] = False,
    reject: Annotated[str | None, typer.Option(help="With --resume: refuse the calls that wait, for this reason.")] = None,
    runs: Annotated[bool, typer.Option("--runs", help="List the runs that are kept.")] = False,
    forget: Annotated[str | None, typer.Option(help="Remove everything about this run.")] = None,
    store: Annotated[
        Path | None, typer.Option(help="File that runs are kept in (default: in the user's state folder).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Do a task with tools, step by step: each step on the model that suits it, dangerous tools only when you say yes."""
    _need_langchain()
    kept = store or _default_store()
    if (resume is not None and (runs or forget is not None)) or (forget is not None and (runs or words)):
        raise InvalidRequest("--runs, --forget and --resume are each for themselves", fix="drop the others")
    if runs or forget is not None:
        _tidy(kept, forget, as_json=as_json)
        return
    if resume is None and (approve or reject is not None):
        raise InvalidRequest("--approve and --reject answer a run that waits", fix="name it: --resume RUN")
    if approve and reject is not None:
        raise InvalidRequest("--approve and --reject contradict each other", fix="drop one of them")
    if resume is not None and words:
        raise InvalidRequest("--resume goes on with its own task", fix="leave the words out, or --resume")
    asked: dict[str, Any] = {
        "tools": None if tools is None else _names(tools),
        "root": None if root is None else str(root.absolute()),
        "max_steps": max_steps,
        "budget": budget,
        "policy": policy,
        "model": model,
        "engine": engine,
        "seed": seed,
        "allow": None if allow is None else _names(allow),
        "web": None if web is None else _names(web),
        "mcp": None if mcp is None else str(mcp.resolve()),
        "verify": verify,
    }
    with ExitStack() as stack:
        if resume is not None:
            from qwen_router.agent.runs import Runs

            with closing(Runs(kept)) as found:
                known = found.get(resume)
            asked = {**known.options, **{name: value for name, value in asked.items() if value is not None}}
            made = _made(asked, kept, stack, interactive=not as_json)
            said = approve or reject is not None
            answers = [approve or reject or False] * len(made.waiting(known.run)) if said else None
            report = _told(made.resume_events(known.run, answers=answers), as_json=as_json)
        else:
            task = read_text(words, example='qwen-router agent "your task"')
            report = _told(_made(asked, kept, stack, interactive=not as_json).events(task), as_json=as_json)
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def _made(asked: dict[str, Any], store: Path, stack: ExitStack, *, interactive: bool) -> Agent:
    """The agent as the options ask for it; MCP servers run until `stack` is left."""
    from qwen_router.agent import Agent, Limits
    from qwen_router.cli.agent_trace import ask_person
    from qwen_router.settings import ToolSettings
    from qwen_router.tool_context import ToolContext

    steps = asked["max_steps"] or Limits().max_steps
    limits = Limits(max_steps=steps) if asked["budget"] is None else Limits.read(asked["budget"], max_steps=steps)
    context, allowed = ToolContext.of(ToolSettings.from_environment()), set(asked["allow"] or ())
    if asked["root"] is not None:
        if not Path(asked["root"]).is_dir():
            raise InvalidRequest(f"--root is {asked['root']!r}, which is no folder", fix="make it, or name another")
        context = replace(context, root=Path(asked["root"]))
    if asked["web"] is not None:
        context = replace(context, web_hosts=tuple(asked["web"]))
        if asked["tools"] is None or WEB_TOOL in asked["tools"]:
            allowed.add(WEB_TOOL)  # who names hosts has said yes to them
    made = Agent(
        router=router_from(policy=asked["policy"], engine=asked["engine"]),
        tools=_tools(asked["tools"], asked["mcp"], stack),
        model=asked["model"] or "auto",
        seed=asked["seed"],
        limits=limits,
        context=context,
        allow=allowed,
        approve=ask_person if interactive and sys.stdin.isatty() else None,
        verify=asked["verify"] is not False,
        store=store,
    )
    made.options = {**asked, "root": str(context.root)}  # a run that goes on elsewhere stays in its folder
    stack.callback(made.close)
    return made


def _tools(names: list[str] | None, mcp: str | None, stack: ExitStack) -> list[BaseTool | str] | None:
    """What `--tools` and `--mcp` name; None: every tool of ours."""
    if mcp is None:
        return None if names is None else list(names)
    from qwen_router.agent.mcp import mcp_tools
    from qwen_router.cli.common import dimmed, printable
    from qwen_router.tooling import find_tools

    ours = {one.name: one.tool for one in find_tools() if one.tool is not None}
    found = stack.enter_context(mcp_tools(mcp, taken=set(ours)))
    for server, problem in found.problems.items():
        dimmed(printable(f"left out: {server}: {problem.problem}"))
    if names is None:
        return [*ours.values(), *found.tools.values()]
    return [found.tools.get(name, name) for name in names]


def _told(events: Iterator[AgentEvent], *, as_json: bool) -> Report:
    """Show each event as it comes; the report is in the last."""
    from qwen_router.agent.events import Finished, Started
    from qwen_router.agent.events import as_json as line_of
    from qwen_router.cli.agent_trace import show
    from qwen_router.cli.shown import aside

    report: Report | None = None
    run = ""
    try:
        for event in events:
            if as_json:
                print_json(line_of(event))
            else:
                show(event)
            if isinstance(event, Started):
                run = event.run
            elif isinstance(event, Finished):
                report = event.report
    except KeyboardInterrupt:
        if run and as_json:
            print_json({"event": "interrupted", "run": run})
        if run:
            aside(f"interrupted; go on with: qwen-router agent --resume {run}")
        raise
    assert report is not None  # `Finished` is the last event
    return report


def _tidy(store: Path, forget: str | None, *, as_json: bool) -> None:
    """List what is kept, or remove one run."""
    from qwen_router.agent.runs import Runs
    from qwen_router.cli.common import console, printable

    with closing(Runs(store)) as kept:
        if forget is not None:
            name = kept.get(forget).run
            kept.forget(name)
            typer.echo(f"forgot {name}")
            return
        listed = kept.listed()
    if as_json:
        for run in listed:
            print_json(asdict(run))
        return
    from datetime import datetime

    from rich.table import Table

    table = Table("run", "begun", "ended", "task", box=None, pad_edge=False)
    for run in listed:
        task = " ".join(printable(run.task).split())
        table.add_row(run.run, f"{datetime.fromtimestamp(run.begun):%Y-%m-%d %H:%M}", run.stop or "not yet", task[:60])
    console().print(table)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _default_store() -> Path:
    from qwen_router.folders import user_state_folder

    return user_state_folder() / "agent.sqlite"


def _need_langchain() -> None:
    try:
        import_module("langchain.agents")
        import_module("langgraph.checkpoint.sqlite")
    except ModuleNotFoundError as error:
        raise MissingExtra.of((error.name or "langchain").partition(".")[0], extra="agent") from error
