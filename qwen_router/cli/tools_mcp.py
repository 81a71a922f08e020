"""`tools serve` and `tools mcp`: our tools as an MCP server, and what the servers of an MCP file offer.

qwen-router tools serve --allow fetch_page
"""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated

import typer

from qwen_router.cli.common import JsonOption, console, print_json, printable

if TYPE_CHECKING:
    from qwen_router.agent.mcp import McpTools

AllowOption = Annotated[
    list[str] | None, typer.Option("--allow", help="Offer this dangerous tool too (repeat it for more).", metavar="NAME")
]
OnlyOption = Annotated[
    list[str] | None, typer.Option("--only", help="Offer this tool and no other (repeat it for more).", metavar="NAME")
]


def add_to(tools_app: typer.Typer) -> None:
    tools_app.command("serve")(serve)
    tools_app.command("mcp")(listing)


def serve(
    allow: AllowOption = None,
    only: OnlyOption = None,
    http: Annotated[bool, typer.Option("--http", help="Listen on 127.0.0.1 instead of standard input and output.")] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port for --http.")] = 8765,
) -> None:
    """Offer the tools as an MCP server, for programs that speak the Model Context Protocol."""
    from qwen_router.agent.mcp_server import offered, serve_http, serve_stdio

    tools = offered(only=only or (), allow=allow or ())
    typer.echo(f"offered: {', '.join(tools) or 'nothing'}", err=True)
    if not http:
        serve_stdio(tools)
        return
    typer.echo(f"http://127.0.0.1:{port}/mcp (Ctrl-C ends it)", err=True)
    serve_http(tools, port=port)


def listing(
    file: Annotated[Path, typer.Argument(help='JSON file with {"mcpServers": {...}}.')],
    as_json: JsonOption = False,
    timeout_s: Annotated[float, typer.Option("--timeout", min=0.1, help="Longest wait for a server, in seconds.")] = 20.0,
) -> None:
    """List the tools that the servers of an MCP file offer; starts the servers to ask them."""
    from qwen_router.agent.mcp import mcp_tools

    with mcp_tools(file, connect_s=timeout_s) as found:
        if as_json:
            print_json(_as_json(found))
        else:
            _print(found)
    if found.problems and not found.tools:
        raise typer.Exit(1)


def _as_json(found: McpTools) -> dict[str, object]:
    rows = [{"name": name, "description": tool.description, **(tool.metadata or {})} for name, tool in found.tools.items()]
    problems = {server: {"problem": error.problem, "fix": error.fix} for server, error in found.problems.items()}
    return {"tools": rows, "problems": problems}


def _print(found: McpTools) -> None:
    """What strangers wrote is shown without what moves a terminal's cursor."""
    from rich.markup import escape
    from rich.table import Table

    if found.tools:
        table = Table(box=None, pad_edge=False)
        for title in ("tool", "server", "takes", "gives", "asks first", "what for"):
            table.add_column(title, no_wrap=title == "tool", overflow="fold")
        for name, tool in found.tools.items():
            about = tool.metadata or {}
            takes = ", ".join(f"{argument}: {kind}" for argument, kind in about["inputs"].items())
            what = shorten(tool.description, 80, placeholder=" ...")
            asks = "yes" if about["dangerous"] else "no"
            cells = (name, about["server"], takes, about["output"], asks, what)
            table.add_row(*(escape(printable(cell)) for cell in cells))
        console().print(table)
    for server, error in found.problems.items():
        typer.echo(printable(f"{server}: {error.problem} (try: {error.fix})"), err=True)
