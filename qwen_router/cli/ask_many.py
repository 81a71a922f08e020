"""`ask --jsonl`: a file of requests answered, one JSON object a line out, resumable after a kill.

Without --out the lines go to standard output in the order of the input. With --out they are appended to a journal
(`journal.py`) in the order in which they end, each with its `index`, and what is answered there already is left out.

    qwen-router ask --jsonl requests.jsonl --out answers.jsonl --concurrency 16
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from qwen_router.cli.common import tell_unreachable
from qwen_router.cli.journal import Journal, fingerprint, key_of, opened
from qwen_router.cli.lines import open_lines, parse_line
from qwen_router.errors import InvalidRequest, RouterError

if TYPE_CHECKING:
    from qwen_router.batch import Group, Outcome
    from qwen_router.request import Request, Wishes
    from qwen_router.router import Router

SHOWN_IDS = 3
"""Ids that a message about many names."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A line of the input: its id, the place where it stands (from 0), the hash of its request."""

    id: Any
    index: int
    request: str


@dataclass
class Survey:
    """What the input holds, from a first reading: how much is to do, and what is odd about it."""

    total: int = 0
    done: int = 0
    changed: list[Any] = field(default_factory=list)
    twice: dict[str, tuple[int, int]] = field(default_factory=dict)  # id: the lines on which it stands first and again


def ask_many(
    path: str,
    router: Router,
    wishes: Wishes,
    *,
    out: Path | None,
    concurrency: int | None,
    fresh: bool,
    with_reasoning: bool,
) -> None:
    """Answer every line of `path`. Ends with exit code 1 when a line failed, 4 when no engine answered any."""
    with ExitStack() as held:
        held.callback(router.close)
        path = held.enter_context(_readable(path))
        with open_lines(path):  # before a file is made for answers to nothing
            pass
        if fresh and out is None:
            raise InvalidRequest("--fresh needs --out", fix="name the file that is to begin anew")
        if out is not None and out.exists() and Path(path).exists() and out.samefile(path):
            raise InvalidRequest(f"--out is the input itself: {str(out)!r}", fix="name another file for --out")
        journal = None if out is None else held.enter_context(opened(out, fresh=fresh))
        survey = _survey(path, wishes, journal)
        _tell(survey, journal)
        if survey.total > survey.done:
            if not router.served() and router.unreachable:
                raise router.unreachable[0]
            if wishes.model is not None:
                router.check_name(wishes.model)
            tell_unreachable(router)
        sink = _Ordered() if journal is None else _Appended(journal)
        count = held.enter_context(_counting(survey))
        lines = _Lines(path, wishes, journal)
        held.callback(count.tell, out)  # an interrupted run is told of too
        asyncio.run(_answer(router, lines, sink, count, concurrency=concurrency, with_reasoning=with_reasoning))
    if count.failed:
        raise typer.Exit(4 if count.unreachable == count.failed and not count.answered else 1)


async def _answer(
    router: Router,
    lines: _Lines,
    sink: _Ordered | _Appended,
    count: _Count,
    *,
    concurrency: int | None,
    with_reasoning: bool,
) -> None:
    from qwen_router.batch import CONCURRENCY, answers

    outcomes = answers(router, lines.requests(), concurrency=concurrency or CONCURRENCY, on_group=count.group)
    async with aclosing(outcomes) as ended:
        async for place, outcome in ended:
            asked = lines.asked.pop(place)
            sink.put(place, _line(asked, outcome, with_reasoning=with_reasoning))
            count.ended(outcome)


def _line(asked: Asked, outcome: Outcome, *, with_reasoning: bool) -> dict[str, Any]:
    from qwen_router.cli.ask import reply_line

    head = {"id": asked.id, "index": asked.index, "request": asked.request}
    if isinstance(outcome, RouterError):
        return {**head, "error": str(outcome), "error_type": type(outcome).__name__}
    line = reply_line(outcome)
    del line["notice"]  # told once, at the end
    if not with_reasoning:
        del line["reasoning"]
    return {**head, **line}


# ── the input ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _readable(path: str) -> Iterator[str]:
    """A path that can be read twice: standard input is put into a file first."""
    if path != "-":
        yield path
        return
    import shutil
    import tempfile

    with tempfile.NamedTemporaryFile(prefix="qwen-router-", suffix=".jsonl") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        yield copy.name


def _parsed(path: str, wishes: Wishes) -> Iterator[tuple[Asked, int, Request | RouterError]]:
    """Every line that is not blank, with its number in the file."""
    with open_lines(path) as lines:
        index = 0
        for number, raw in enumerate(lines, 1):
            if not raw.strip():
                continue
            line_id, request = parse_line(raw, number)
            told = ""
            if not isinstance(request, RouterError):
                line_id = number if line_id is None else line_id
                request = request.with_wishes(request.wishes.under(wishes))
                told = fingerprint(request)
            yield Asked(line_id, index, told), number, request
            index += 1


def _survey(path: str, wishes: Wishes, journal: Journal | None) -> Survey:
    """Read the input once, before anything is answered."""
    survey, seen = Survey(), dict[str, int]()
    for asked, number, _ in _parsed(path, wishes):
        survey.total += 1
        key = key_of(asked.id)
        if asked.id is not None and key in seen:
            survey.twice.setdefault(key, (seen[key], number))
        elif journal is not None and key in journal.answered:
            survey.done += 1
            if journal.answered[key] != asked.request:
                survey.changed.append(asked.id)
        seen.setdefault(key, number)
    return survey


def _tell(survey: Survey, journal: Journal | None) -> None:
    """Say what is odd about the input. Raises `InvalidRequest` when the answers so far belong to other requests."""
    if survey.twice:
        listed = ", ".join(f"{key} on lines {a} and {b}" for key, (a, b) in [*survey.twice.items()][:SHOWN_IDS])
        what = "each is answered" if journal is None else "only the first is answered"
        typer.secho(f"{_many(len(survey.twice), 'id')} more than once in the input ({listed}): {what}", err=True)
    if journal is None:
        return
    if survey.changed:
        listed = ", ".join(json.dumps(line_id) for line_id in survey.changed[:SHOWN_IDS])
        raise InvalidRequest(
            f"{len(survey.changed)} of {len(journal.answered)} answers in {str(journal.path)!r} are to other requests or "
            f"options of the same id ({listed}{', ...' if len(survey.changed) > SHOWN_IDS else ''})",
            fix="name another --out, give changed lines new ids, or --fresh to begin anew",
        )
    if journal.torn:
        typer.secho("the last line was torn by a kill and has been mended", err=True)
    if journal.answered or journal.retried:
        again = f", {journal.retried} that failed are tried again" if journal.retried else ""
        typer.secho(f"{survey.done} of {survey.total} requests are answered already{again}", err=True)


def _many(count: int, what: str) -> str:
    return f"1 {what} stands" if count == 1 else f"{count} {what}s stand"


class _Lines:
    """The requests that are still to be answered; `asked` says of each that is under way which line it was."""

    def __init__(self, path: str, wishes: Wishes, journal: Journal | None) -> None:
        self._path, self._wishes, self._journal = path, wishes, journal
        self.asked: dict[int, Asked] = {}

    def requests(self) -> Iterator[Request | RouterError]:
        place, seen = 0, dict[str, int]()
        for asked, number, request in _parsed(self._path, self._wishes):
            key = key_of(asked.id)
            if self._journal is not None and asked.id is not None:
                if key in seen:
                    request = InvalidRequest(
                        f"the id {key} of line {number} stands on line {seen[key]} already", fix="give every line its own id"
                    )
                    asked = replace(asked, request="")
                elif key in self._journal.answered:
                    seen[key] = number
                    continue
                seen[key] = number
            self.asked[place] = asked
            yield request
            place += 1


# ── the output ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Ordered:
    """Standard output in the order of the input: what ends early waits for those before it, a window of them at most."""

    def __init__(self) -> None:
        self._waiting: dict[int, dict[str, Any]] = {}
        self._next = 0

    def put(self, place: int, line: dict[str, Any]) -> None:
        self._waiting[place] = line
        while self._next in self._waiting:
            typer.echo(json.dumps(self._waiting.pop(self._next)))
            self._next += 1


class _Appended:
    """The journal, in the order in which requests end."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def put(self, _place: int, line: dict[str, Any]) -> None:
        self._journal.add(line)


class _Count:
    """What has ended, and how fast; `show` draws it."""

    def __init__(
        self, survey: Survey, show: Callable[[_Count], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.total, self.before = survey.total, survey.done
        self.answered = self.failed = self.unreachable = self.tokens = 0
        self.model = ""
        self.notice: str | None = None
        self._show, self._clock, self._started = show, clock, clock()

    def group(self, group: Group) -> None:
        self.model = f"{group.build.model.short_name} on {group.build.engine}"
        self._show(self)

    def ended(self, outcome: Outcome) -> None:
        if isinstance(outcome, RouterError):
            self.failed += 1
            self.unreachable += outcome.exit_code == 4
        else:
            self.answered += 1
            self.notice = outcome.notice or self.notice
            self.tokens += (outcome.usage.reasoning_tokens or 0) + (outcome.usage.answer_tokens or 0)
        self._show(self)

    @property
    def done(self) -> int:
        return self.before + self.answered + self.failed

    @property
    def elapsed_s(self) -> float:
        return max(1e-9, self._clock() - self._started)

    @property
    def left_s(self) -> float | None:
        """At the pace of this run so far; None before the first one has ended."""
        ended = self.answered + self.failed
        return self.elapsed_s / ended * (self.total - self.done) if ended else None

    def tell(self, out: Path | None) -> None:
        """One line at the end, on stderr."""
        before = f", {self.before} were before" if self.before else ""
        failed = f", {self.failed} failed (each carries its error)" if self.failed else ""
        pace = f"; {self.tokens:,} tokens in {self.elapsed_s:.1f} s ({self.tokens / self.elapsed_s:,.0f} a second)"
        where = f", in {out}" if out is not None else ""
        again = " (the same command goes on there)" if out is not None else ""
        left = f", {self.total - self.done} left{again}" if self.total > self.done else ""
        typer.secho(
            f"{self.answered} answered{failed}{before}{left}{pace if self.tokens else ''}{where}",
            err=True,
            dim=not self.failed,
        )
        if self.notice:
            typer.secho(self.notice, err=True, dim=True)


@contextmanager
def _counting(survey: Survey) -> Iterator[_Count]:
    """A progress bar on stderr when that is a terminal; the count goes on without."""
    if not sys.stderr.isatty():
        yield _Count(survey, lambda _: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    from qwen_router.decide.explain import duration

    columns = (SpinnerColumn(), BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("routing", total=survey.total, completed=survey.done)

        def show(count: _Count) -> None:
            left = "" if count.left_s is None else f", {duration(count.left_s)} left"
            failed = f", {count.failed} failed" if count.failed else ""
            told = f"{count.tokens / count.elapsed_s:,.0f} tokens/s{left}{failed}  {count.model}"
            bar.update(task, completed=count.done, description=told)

        yield _Count(survey, show)
