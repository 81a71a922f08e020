"""How an answer is shown while it is written: the answer on standard output, thinking and remarks dimmed on standard error.

What a model writes is shown with its control characters made visible (`common.printable`). Nothing is asked or decided here.

    qwen-router ask "What is 12 + 30 + 58?" --think
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from textwrap import fill
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Self, TextIO

import typer

from qwen_router.cli.common import dimmed, dims, printable

if TYPE_CHECKING:
    from qwen_router.engines.base import Event
    from qwen_router.reply import Reply


class AnswerPrinter:
    """Prints the events of one answer as they come; at the end of `with` the last line is ended, whatever happened.

    `answer` is the text so far, as the model wrote it. A silent one only collects it.
    """

    def __init__(self, *, reasoning: bool = True, silent: bool = False) -> None:
        self._reasoning, self._silent = reasoning and not silent, silent
        self._thought = self._said = False
        self._pieces: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._said:
            typer.echo()
        elif self._thought:
            typer.echo(err=True)

    @property
    def answer(self) -> str:
        return "".join(self._pieces)

    @property
    def begun(self) -> bool:
        """Whether anything was printed yet."""
        return self._thought or self._said

    def take(self, event: Event) -> None:
        from qwen_router.engines.base import Reasoning, Text
        from qwen_router.request import ToolCall

        match event:
            case Reasoning(text) if self._reasoning:
                if not self._thought and sys.stderr.isatty() and not dims():
                    text = f"thinking: {text.lstrip()}"  # nothing else tells it from the answer
                dimmed(printable(text), nl=False)
                self._thought = True
            case Text(text):
                self._pieces.append(text)
                self._say(text)
            case ToolCall(name=name, arguments=arguments):
                self._say(f"[calls {name} with {dict(arguments)}]")

    def _say(self, text: str) -> None:
        if self._silent:
            return
        if self._thought and not self._said:
            typer.echo(err=True)  # the thinking ends its own line
        self._said = True
        typer.echo(printable(text), nl=False)


def aftermath(reply: Reply, *, to_try: Mapping[str, str] = MappingProxyType({})) -> Iterator[str]:
    """What is to be said after an answer: who failed before, what the engine did against the decision and what `to_try` has
    for such a violation, the notice."""
    yield from (f"before: {attempt}" for attempt in reply.failed_attempts)
    yield from reply.changes
    if reply.finish_reason == "length":
        yield "the answer was cut at its limit"
    for violation in reply.violations:
        fix = f"; try: {to_try[violation.kind]}" if violation.kind in to_try else ""
        yield f"violation: {violation.kind}: {violation.detail}{fix}"
    if reply.notice:
        yield reply.notice


def aside(line: str) -> None:
    """A remark to the person, dimmed where standard error is a terminal."""
    dimmed(folded(f"— {line}", hang=2, to=sys.stderr))


def folded(line: str, *, to: TextIO, hang: int = 0) -> str:
    """A printable line, folded between words where `to` is a terminal that would cut them; `hang` indents what follows the
    first."""
    line = printable(line)
    if not to.isatty():
        return line
    columns = max(20, shutil.get_terminal_size().columns)
    return fill(line, columns, subsequent_indent=" " * hang, break_long_words=False, break_on_hyphens=False)
