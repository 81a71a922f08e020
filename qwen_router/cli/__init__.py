"""The command line: thin commands over the router, one file a group.

Everything heavy is imported by the command that needs it.

Errors become one line on stderr and an exit code here and nowhere else: 0 done, 1 failed, 2 wrong usage, 3 nothing fits,
4 engine unreachable, 130 interrupted.

    qwen-router --help
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from qwen_router.errors import RouterError

app = typer.Typer(
    name="qwen-router",
    help="Picks, for every request, the Qwen model that should answer it on the hardware at hand, and runs it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from qwen_router import __version__

        typer.echo(f"qwen-router {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


def register() -> None:
    """Add every command to `app`."""
    from qwen_router.cli import (
        agent,
        ask,
        chat,
        decisions,
        demo,
        doctor,
        evaluate,
        machine,
        models,
        policy,
        prompts,
        pull,
        route,
        serve,
        tools,
        train,
    )

    rooms = (
        route,
        ask,
        chat,
        models,
        pull,
        machine,
        policy,
        prompts,
        decisions,
        doctor,
        serve,
        tools,
        train,
        evaluate,
        demo,
        agent,
    )
    for module in rooms:
        module.add_to(app)


def main() -> None:
    """The entry point: runs a command and turns what it raises into a line and an exit code."""
    for stream in (sys.stdout, sys.stderr):  # text in any script must not break on a terminal of another encoding
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        register()
        app()
    except RouterError as error:
        from qwen_router.cli.common import printable  # a server may have written part of it

        typer.echo(printable(f"error: {error.problem}\n  try: {error.fix}"), err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:  # `qwen-router models | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:  # a full disk, a closed terminal
        typer.echo(f"error: cannot write the output: {error.strerror}\n  try: free some room or write elsewhere", err=True)
        sys.exit(1)
    except Exception as error:
        # The last line of defence: a defect of ours is told as one, and its traceback is kept for the report.
        if os.environ.get("QWEN_ROUTER_DEBUG"):
            raise
        typer.echo(
            f"internal error: {type(error).__name__}: {error}\n  try: QWEN_ROUTER_DEBUG=1 and report what it prints",
            err=True,
        )
        sys.exit(1)
