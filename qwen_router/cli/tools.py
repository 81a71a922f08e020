"""`tools`: list the tools that can be found, show one, check tool files and the graph, find and draw chains.

qwen-router tools graph --from number,unit --to number
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwen_router.cli import tools_mcp
from qwen_router.cli.common import JsonOption, console, give, print_json, printable, say
from qwen_router.errors import InvalidRequest, UnknownName

if TYPE_CHECKING:
    from qwen_router.agent.chains import Chain
    from qwen_router.agent.graph import ToolGraph
    from qwen_router.agent.graph_problems import Problem
    from qwen_router.tooling import FoundTool, ToolSignature

FORMATS = ("text", "mermaid", "svg")

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="List, show and check tools; find and draw chains of them."
)


def add_to(parent: typer.Typer) -> None:
    tools_mcp.add_to(app)
    parent.add_typer(app, name="tools")


@app.command("list")
def list_tools(as_json: JsonOption = False) -> None:
    """List every tool that can be found: those of the working folder, the user's and the shipped ones."""
    from qwen_router.tooling import find_tools

    found = find_tools()
    if as_json:
        for one in found:
            print_json(_row(one))
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for header in ("tool", "takes", "gives", "rights", "about", "from"):
        table.add_column(header, no_wrap=header == "tool", overflow="fold", justify="right" if header == "about" else "left")
    for one in found:
        if one.signature is not None:
            s = one.signature
            table.add_row(
                printable(one.name),
                printable(_takes(s)),
                printable(s.output),
                _rights(s),
                f"{s.cost_s:g} s",
                _origin(one.file),
            )
    console().print(table)
    for one in found:
        if one.error is not None:  # a broken file must not hide the others
            say(printable(f"BROKEN: {one.name}: {one.error.problem} (try: {one.error.fix})"), hang=8)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A tool by name.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Show one tool: what it does, takes and gives, what it may do, and which tools it joins with."""
    from qwen_router.agent.graph import ToolGraph
    from qwen_router.tool_kinds import lineage
    from qwen_router.tooling import find_tools

    found = find_tools()
    one = next((one for one in found if one.name == name), None)
    if one is None:
        raise UnknownName.among(name, [one.name for one in found], kind="tool", listing="qwen-router tools list")
    if one.error is not None:
        raise one.error
    assert one.tool is not None and one.signature is not None
    graph = ToolGraph.of([other.tool for other in found if other.tool is not None], strict=False)
    takes = set(one.signature.inputs.values())
    before = [n for n, s in graph.signatures.items() if takes & set(lineage(s.output))]
    after = [n for n, s in graph.signatures.items() if set(lineage(one.signature.output)) & set(s.inputs.values())]
    problems = [str(problem) for problem in graph.problems if problem.tool == name]
    if as_json:
        print_json(_row(one) | {"description": one.tool.description, "before": before, "after": after, "problems": problems})
        return
    s = one.signature
    say(printable(f"{name}: {one.tool.description}"), hang=2)
    schema = one.tool.args
    for arg, kind in s.inputs.items():
        said = schema.get(arg, {}).get("description", "")
        optional = " (optional)" if arg in s.optional else ""
        say(printable(f"  takes {arg}: {kind}{optional}{', ' if said else ''}{said}"), hang=8)
    typer.echo(printable(f"  gives {s.output}"))
    rights = _rights(s)
    typer.echo(
        f"  rights: {rights or 'none that need asking'}; about {s.cost_s:g} s a call, given up after {s.timeout_s:g} s"
    )
    for word, names in (("after", before), ("before", after)):
        say(printable(f"  can stand {word}: {', '.join(names) or 'no tool'}"), hang=4)
    for problem in problems:
        say(printable(f"  {problem}"), hang=4)
    typer.echo(printable(f"  from {one.file}"))


@app.command()
def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Tool files; none: all that can be found.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say everything that is wrong with tool files and with how their tools join: types, names, cycles, dead ends.

    Exit code 1 when there is an error, 0 when there are only warnings, 2 when a file cannot be read.
    """
    from qwen_router.agent.graph import ToolGraph
    from qwen_router.tooling import find_tools

    mine = _named(files or [])
    paths = {one.file.resolve() for one in mine}
    names = {one.name for one in mine}
    others = [o for o in find_tools() if o.file.resolve() not in paths and o.name not in names]  # a file's own tool wins
    looked_at = mine if files else others
    graph = ToolGraph.of([one.tool for one in (*mine, *others) if one.tool is not None], strict=False)
    checked = {one.name for one in looked_at if one.tool is not None}
    findings = [
        _finding(one.name, "broken", "error", one.error.problem, str(one.file), one.error.fix)
        for one in looked_at
        if one.error
    ]
    files_of = {one.name: str(one.file) for one in looked_at}
    findings += [_of_problem(problem, files_of) for problem in graph.problems if problem.tool in checked]
    findings += [
        _finding(one.name, "schema", "warning", text, str(one.file), "let kind and schema agree")
        for one in looked_at
        if one.tool is not None and one.signature is not None
        for text in _schema_slips(one)
    ]
    if as_json:
        print_json({"tools": sorted(checked), "findings": findings})
    else:
        for finding in findings:
            fix = f"\n  try: {finding['fix']}" if finding["fix"] else ""
            typer.echo(printable(f"{finding['severity']}: {finding['tool']}: {finding['problem']}{fix}"))
        typer.echo(
            f"{len(checked)} tools, {len(findings) or 'nothing'} found"
            if not findings
            else f"{len(checked)} tools, {len(findings)} findings"
        )
    if any(finding["severity"] == "error" for finding in findings):
        raise typer.Exit(1)


@app.command()
def graph(
    have: Annotated[
        str | None, typer.Option("--from", help="Kinds that the request has: image,question. Repeat one for two.")
    ] = None,
    want: Annotated[str | None, typer.Option("--to", help="The kind that it wants.")] = None,
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "text",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write it to this file instead.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="How many chains, the best first; pictures show the best.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Show how tools join on kinds; with --from and --to, the best chains from what a request has to what it wants.

    Exit code 3 when no chain leads there.
    """
    from qwen_router.agent.graph import ToolGraph
    from qwen_router.tooling import find_tools

    if form not in FORMATS:
        raise UnknownName.among(form, FORMATS, kind="format")
    if out is not None and form == "text" and out.suffix.lower() in (".svg", ".mmd", ".mermaid"):
        form = "svg" if out.suffix.lower() == ".svg" else "mermaid"
    if (have is None) != (want is None):
        raise InvalidRequest(
            "one of --from and --to is missing", fix="--from image --to plot, or neither for the whole graph"
        )
    found = find_tools()
    tools = ToolGraph.of([one.tool for one in found if one.tool is not None], strict=False)
    broken = [one.name for one in found if one.error is not None]
    if broken:
        typer.echo(printable(f"left out: {', '.join(broken)} (see qwen-router tools check)"), err=True)
    chains: tuple[Chain, ...] = ()
    if have is not None and want is not None:
        kinds = [kind.strip() for kind in have.split(",") if kind.strip()]
        chains = tools.chains(kinds, want.strip(), limit=limit)
        if not chains:
            if as_json:
                print_json({"chains": []})
            typer.echo(printable(_why_none(tools, kinds, want.strip())), err=True)
            raise typer.Exit(3)
    if as_json:
        text = _json_line({"chains": [_chain(chain) for chain in chains]} if chains else _whole(tools))
    elif form == "text":
        text = "\n".join(_told(chains) if chains else _kinds(tools))
    else:
        text = (tools.svg if form == "svg" else tools.mermaid)(chains[0] if chains else None).rstrip("\n")
    give(text, out)


def _json_line(value: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


# ── one tool ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _row(one: FoundTool) -> dict[str, Any]:
    row: dict[str, Any] = {"name": one.name, "file": str(one.file), "from": _origin(one.file)}
    if one.error is not None:
        return row | {"error": one.error.problem, "fix": one.error.fix}
    assert one.signature is not None
    s = one.signature
    return row | {
        "takes": dict(s.inputs),
        "optional": sorted(s.optional),
        "gives": s.output,
        "dangerous": s.dangerous,
        "untrusted": s.untrusted,
        "cost_s": s.cost_s,
        "timeout_s": s.timeout_s,
    }


def _takes(signature: ToolSignature) -> str:
    """`number, unit, unit, language?`: kinds, those that may be left out with a question mark."""
    return (
        ", ".join(f"{kind}{'?' if arg in signature.optional else ''}" for arg, kind in signature.inputs.items()) or "nothing"
    )


def _rights(signature: ToolSignature) -> str:
    return ", ".join(word for word in ("dangerous", "untrusted") if getattr(signature, word))


def _origin(file: Path) -> str:
    """Whose tool it is: `shipped`, `user`, `here` (the working folder), or the folder's path."""
    from qwen_router.folders import shipped_folder, user_config_folder

    folder = file.resolve().parent
    whose = {shipped_folder("tools").resolve(): "shipped", (user_config_folder() / "tools").resolve(): "user"}
    return whose.get(folder) or ("here" if folder == (Path.cwd() / "tools").resolve() else str(folder))


# ── check ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _named(files: Sequence[Path]) -> list[FoundTool]:
    """What is in the files that were named. Raises `InvalidRequest` for one that is not there or is no tool file."""
    from qwen_router.tooling import find_tools_in

    found: list[FoundTool] = []
    for file in files:
        if not file.is_file():
            raise InvalidRequest(f"there is no file {str(file)!r}", fix="name a Python file, or none to check all tools")
        here = find_tools_in(file)
        if not here:
            raise InvalidRequest(f"{str(file)!r} imports nothing of LangChain", fix="from langchain_core.tools import tool")
        found += here
    return found


def _finding(tool: str, kind: str, severity: str, problem: str, file: str, fix: str = "") -> dict[str, str]:
    return {"tool": tool, "kind": kind, "severity": severity, "problem": problem, "file": file, "fix": fix}


def _of_problem(problem: Problem, files: dict[str, str]) -> dict[str, str]:
    return _finding(problem.tool, problem.kind, problem.severity, problem.text, files[problem.tool])


_SCHEMA_TYPES = {"number": {"number", "integer"}, "table": {"object"}}


def _schema_slips(one: FoundTool) -> list[str]:
    """Arguments whose schema cannot hold a value of the kind that they declare."""
    from qwen_router.agent.tool_call import wants_list
    from qwen_router.tool_kinds import is_a

    assert one.tool is not None and one.signature is not None
    schema = one.tool.args
    slips = []
    for arg, kind in one.signature.inputs.items():
        text = is_a(kind, "text") or is_a(kind, "path")
        fitting = _SCHEMA_TYPES.get(kind) or ({"string"} if text else None)
        declared = schema.get(arg, {}).get("type")
        if fitting and isinstance(declared, str) and declared not in fitting and not wants_list(schema[arg]):
            slips.append(f"it declares {kind} for {arg!r}, but its schema wants {declared}")
    return slips


# ── graph ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _chain(chain: Chain) -> dict[str, Any]:
    from qwen_router.agent.chains import Given

    return {
        "needs": [one.name for one in chain.needs],
        "want": chain.want,
        "cost_s": round(chain.cost_s, 6),
        "time_s": round(chain.time_s, 6),
        "work_s": round(chain.work_s, 6),
        "steps": [
            {
                "tool": step.tool,
                "inputs": {a: {"given": s.name} if isinstance(s, Given) else {"step": s} for a, s in step.inputs.items()},
                "gives": step.signature.output,
                "dangerous": step.signature.dangerous,
                "untrusted": step.signature.untrusted,
            }
            for step in chain.steps
        ],
    }


def _told(chains: Sequence[Chain]) -> list[str]:
    """Each chain with its seconds and one line a step: `3. compare(a=step 1, b=step 2): report`."""
    from qwen_router.agent.chains import Given

    lines = []
    for n, chain in enumerate(chains, 1):
        side_by_side = f", {chain.work_s:.3g} s of work" if chain.work_s > chain.time_s + 1e-9 else ""
        lines.append(f"{n}  about {chain.time_s:.3g} s{side_by_side}{'; a loose fit' if chain.loose else ''}")
        for at, step in enumerate(chain.steps, 1):
            sources = [
                f"{arg}={source.name if isinstance(source, Given) else f'step {source + 1}'}"
                for arg, source in step.inputs.items()
            ]
            rights = f"  [{_rights(step.signature)}]" if _rights(step.signature) else ""
            lines.append(printable(f"     {at}. {step.tool}({', '.join(sources)}): {step.signature.output}{rights}"))
    return lines


def _kinds(tools: ToolGraph) -> list[str]:
    """One line a kind that is used: `table: from extract_table; to column_sum, plot_table`."""
    from qwen_router.tool_kinds import lineage

    lines = []
    for kind in tools.kinds:
        givers = [name for name, s in tools.signatures.items() if s.output == kind]
        takers = [name for name, s in tools.signatures.items() if set(lineage(kind)) & set(s.inputs.values())]
        if givers or any(kind in s.inputs.values() for s in tools.signatures.values()):
            lines.append(
                printable(f"{kind}: from {', '.join(givers) or 'the request'}; to {', '.join(takers) or 'the answer'}")
            )
    return lines or ["no tools"]


def _whole(tools: ToolGraph) -> dict[str, Any]:
    return {
        "tools": {name: {"takes": dict(s.inputs), "gives": s.output} for name, s in tools.signatures.items()},
        "problems": [str(problem) for problem in tools.problems],
    }


def _why_none(tools: ToolGraph, have: Sequence[str], want: str) -> str:
    """What stands in the way: no tool gives it, or what those that do lack."""
    from qwen_router.agent.graph_problems import required_kinds
    from qwen_router.tool_kinds import is_a

    there = tools.reachable(have)
    start = f"no chain leads from {', '.join(have) or 'nothing'} to {want}"
    lacking = {n: sorted(required_kinds(s) - there) for n, s in tools.signatures.items() if is_a(s.output, want)}
    if not lacking:
        return f"{start}: no tool gives {want}\n  try: qwen-router tools graph"
    name, missing = min(lacking.items(), key=lambda item: (len(item[1]), item[0]))
    if missing:
        return f"{start}: {name} gives {want} but needs {' and '.join(missing)}\n  try: --from {','.join([*have, *missing])}"
    return f"{start}: {name} needs more values of one kind than there are\n  try: repeat a kind, --from image,image"
