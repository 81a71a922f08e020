"""What several commands share: reading text from arguments, files and standard input, and making a router from options.

qwen-router route --machine rtx-4090 "Write a haiku"
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwen_router.errors import InvalidRequest

if TYPE_CHECKING:
    from rich.console import Console

    from qwen_router.policy import Policy
    from qwen_router.request import Request
    from qwen_router.router import Router

MAX_PARALLEL = 8
"""Contexts that `--concurrency` opens for a model in this process: each takes memory, and more of them gain little."""

PolicyOption = Annotated[str | None, typer.Option("--policy", "-p", help="Policy by name or YAML file (default: balanced).")]
ObjectiveOption = Annotated[
    str | None, typer.Option("--objective", help="Objective of that policy: quality, balanced, fast, cheap.")
]
MachineOption = Annotated[
    str | None, typer.Option("--machine", "-m", help="Plan for another machine: rtx-4090, 4xh100-80, FILE.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
FilesOption = Annotated[list[Path] | None, typer.Option("--attach", "-a", help="Attach an image, audio or other file.")]


def read_text(words: list[str] | None, *, example: str = 'qwen-router route "your question"') -> str:
    """The request's text from the arguments, or from standard input when there are none (or `-`)."""
    if words and words != ["-"]:
        text = " ".join(words)
        if any("\ud800" <= char <= "\udfff" for char in text):  # bytes that are not UTF-8 come in as surrogates
            raise InvalidRequest("the text is not UTF-8", fix="save it to a UTF-8 file and pass it on standard input")
        return text
    if sys.stdin.isatty():
        raise InvalidRequest("there is no text", fix=f"{example}, or pipe a file in")
    raw = sys.stdin.buffer.read()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"standard input is not UTF-8: byte {raw[error.start]:#04x} at {error.start}",
            fix="convert it: iconv -f LATIN1 -t UTF-8",
        ) from error


def read_request(words: list[str] | None, attachments: list[Path] | None) -> Request:
    """One user turn from arguments. Raises `InvalidRequest` when there is neither text nor attachment."""
    from qwen_router.media import Attachment
    from qwen_router.request import Message, Request

    files = tuple(Attachment.from_file(path) for path in attachments or ())
    text = "" if files and not words else read_text(words)
    if not text.strip() and not files:
        raise InvalidRequest("the text is empty", fix='qwen-router route "your question"')
    return Request(messages=(Message(role="user", text=text, attachments=files),))


def router_from(
    *,
    policy: str | None = None,
    objective: str | None = None,
    machine: str | None = None,
    candidates: str | None = None,
    engine: str | None = None,
    parallel: int | None = None,
) -> Router:
    """A router as the options ask for it. `parallel` requests may run side by side in process (`MAX_PARALLEL` at most)."""
    from dataclasses import replace

    from qwen_router.router import Router
    from qwen_router.settings import Settings

    settings = Settings.from_environment()
    if parallel is not None:
        settings = replace(settings, parallel=max(settings.parallel, min(parallel, MAX_PARALLEL)))
    chosen = _policy(policy or settings.policy, objective)
    names = tuple(name for name in (candidates or "").split(",") if name.strip())
    if candidates is not None and not names:
        raise InvalidRequest("--candidates names no model", fix="--candidates Qwen3-8B,Qwen3-4B, or leave it out")
    engines = None
    if engine is not None:
        from qwen_router.engines.configured import configured_engines, not_offered

        offered = configured_engines(settings)
        engines = tuple(e for e in offered if e.name == engine)
        if not engines:
            raise not_offered(engine, [e.name for e in offered])
    return Router(policy=chosen, machine=machine, candidates=names, settings=settings, engines=engines)


def _policy(name: str, objective: str | None) -> Policy:
    from qwen_router.policy import Policy

    policy = Policy.load(name)
    return policy if objective is None else policy.with_objective(objective)


def tell_unreachable(router: Router) -> None:
    """Say which configured engines did not answer. Ollama is looked for unasked, so its absence is told only by `doctor`."""
    for error in router.unreachable:
        if getattr(error, "engine", "") != "ollama" or os.environ.get("OLLAMA_HOST"):
            dimmed(f"left out: {printable(error.problem)}")


def say(line: str, *, hang: int) -> None:
    """A line of prose, folded at 80 columns; `hang` indents what follows the first."""
    typer.echo(fill(line, 80, subsequent_indent=" " * hang, break_long_words=False, break_on_hyphens=False))


_VISIBLE = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"},
    0x7F: "\u2421",
    **{code: f"\\x{code:02x}" for code in range(0x80, 0xA0)},
}
"""Control characters as a terminal may show them: Unicode's control pictures, and escapes for those of Latin-1."""
_JSON_ESCAPES = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


def printable(text: str) -> str:
    """Text of a model, a server or a file as a terminal may get it: no character of it moves the cursor, sets the title or
    a colour. Each is replaced on its own, so a sequence that is split over two pieces does no harm either."""
    return text.replace("\r\n", "\n").translate(_VISIBLE)


def dims() -> bool:
    """Whether `dimmed` may dim: standard error is a terminal, and NO_COLOR (no-color.org) is not set."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def dimmed(text: str, *, nl: bool = True) -> None:
    """A remark on standard error, dimmed where that is wanted. The text must be `printable`."""
    typer.secho(text, nl=nl, err=True, dim=True if dims() else None)


def print_json(value: object) -> None:
    import json

    typer.echo(json.dumps(value, ensure_ascii=False).translate(_JSON_ESCAPES))  # the rest of them JSON escapes itself


def give(text: str, out: Path | None) -> None:
    """Text for standard output, or for the file that somebody named. Raises `InvalidRequest` where it cannot be written."""
    if out is None:
        typer.echo(text)
        return
    try:
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"cannot write {str(out)!r}: {error.strerror}", fix="check the path") from error


def console() -> Console:
    """Where tables go: standard output, plain when it is no terminal."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120)


@contextmanager
def progress(total: int | None, what: str) -> Iterator[Any]:
    """A progress bar on stderr when that is a terminal; otherwise nothing. Yields `advance(count)`."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)
