"""Runs a chain: branches side by side, values handed over by kind, each tool with its time, errors named, nothing lost.

A tool may raise anything, hang, or give something else than it said: the run ends with the named reason and with every
value that was there by then. A tool that hangs is left behind in a thread that keeps no process from ending; it cannot be
stopped, so what it does late is its own affair (code that is run for a model belongs into the sandbox). Finding chains is
`chain_search`; asking a person is the caller's (`approve`).

    python -c "from qwen_router.agent.graph import ToolGraph; from qwen_router.agent.chain_run import run_chain; \\
        print(run_chain(ToolGraph.load().chains(['expression'], 'number')[0], {'expression': '6 * 7'}).value)"
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, replace
from inspect import isawaitable
from typing import Any, Literal

from qwen_router.agent.chains import Chain, Given, Step
from qwen_router.agent.tool_call import Answer, StepError, acall, call, is_async
from qwen_router.errors import InvalidRequest
from qwen_router.tool_kinds import MAX_VALUE_CHARS, WrongKind, as_kind, size_chars

Approve = Callable[[Step, Mapping[str, Any]], bool]
AsyncApprove = Callable[[Step, Mapping[str, Any]], bool | Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What became of one step. `untrusted`: strangers wrote the value, or something that it was made of."""

    step: Step
    status: Literal["done", "failed", "skipped"]
    value: Any = None
    error: StepError | None = None
    seconds: float = 0.0
    tries: int = 0
    untrusted: bool = False


@dataclass(frozen=True, slots=True)
class ChainRun:
    """`outcomes` are in the order of the chain's steps; `value` is what was wanted, or `error` says why it is not there."""

    chain: Chain
    outcomes: tuple[StepOutcome, ...]
    value: Any
    error: StepError | None
    seconds: float

    @property
    def ok(self) -> bool:
        return self.error is None

    @property
    def untrusted(self) -> bool:
        return self.outcomes[-1].untrusted


@dataclass(frozen=True, slots=True)
class _Limits:
    retries: int
    parallel: int
    timeout_s: float | None
    max_chars: int


def run_chain(
    chain: Chain,
    values: Mapping[str, Any],
    *,
    approve: Approve | None = None,
    retries: int = 1,
    parallel: int = 4,
    timeout_s: float | None = None,
    max_chars: int = MAX_VALUE_CHARS,
) -> ChainRun:
    """Run `chain` on `values`, by the names of `chain.needs` (`image`, `image 2`); others are ignored.

    Tools marked dangerous run only where `approve(step, arguments)` says yes, which is called in the caller's thread; what
    it raises ends the run. Each tool has its own `timeout_s` a try; `timeout_s` here is for the whole run. After an error
    that is not the arguments' fault a tool is tried again up to `retries` times, never a dangerous one and never after its
    time was up. When a step fails, those that run are waited for and nothing new is started. A value of more than
    `max_chars` characters is refused.

    Raises `InvalidRequest` when a value is missing or is not of its kind, or a limit makes no sense; for nothing that a tool
    does.
    """
    run = _Run(chain, values, _Limits(retries, parallel, timeout_s, max_chars))
    answers: queue.SimpleQueue[tuple[int, int, Answer]] = queue.SimpleQueue()
    while True:
        for n in run.startable():
            step, arguments = chain.steps[n], run.arguments(n)
            if step.signature.dangerous and not (approve and approve(step, arguments)):
                run.refuse(n, asked=approve is not None)
                break  # nothing new is started
            tries = run.start(n)
            _in_thread(lambda answer, n=n, tries=tries: answers.put((n, tries, answer)), step, arguments, max_chars)  # type: ignore[misc]
        if not run.running:
            return run.result()
        try:
            n, tries, answer = answers.get(timeout=run.patience_s())
        except queue.Empty:
            run.expire()
        else:
            run.finish(n, tries, answer)


async def arun_chain(
    chain: Chain,
    values: Mapping[str, Any],
    *,
    approve: AsyncApprove | None = None,
    retries: int = 1,
    parallel: int = 4,
    timeout_s: float | None = None,
    max_chars: int = MAX_VALUE_CHARS,
) -> ChainRun:
    """`run_chain` for an event loop. Async tools run in it and must not block it; others run in threads. `approve` may be
    async. Cancelling it cancels the async tools and leaves threads behind."""
    run = _Run(chain, values, _Limits(retries, parallel, timeout_s, max_chars))
    running: dict[asyncio.Future[Answer], tuple[int, int]] = {}
    try:
        while True:
            for n in run.startable():
                step, arguments = chain.steps[n], run.arguments(n)
                if step.signature.dangerous:
                    said = approve(step, arguments) if approve else False
                    if not (await said if isawaitable(said) else said):
                        run.refuse(n, asked=approve is not None)
                        break
                running[_started(step, arguments, max_chars)] = (n, run.start(n))
            if not run.running:
                return run.result()
            timeout = run.patience_s()
            done, _ = await asyncio.wait(running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            for future in done:
                run.finish(*running.pop(future), future.result())
            if not done:
                run.expire()
                for future in [f for f, (n, _) in running.items() if n not in run.running]:
                    del running[future]
                    future.cancel()
    finally:
        for future in running:
            future.cancel()


def _in_thread(give: Callable[[Answer], object], step: Step, arguments: Mapping[str, Any], max_chars: int) -> None:
    """Call the tool in a thread of its own that no exit waits for; it sees the caller's context variables."""
    context = copy_context()
    work = threading.Thread(
        target=lambda: give(context.run(call, step, arguments, max_chars)), name=f"tool {step.tool}", daemon=True
    )
    work.start()


def _started(step: Step, arguments: Mapping[str, Any], max_chars: int) -> asyncio.Future[Answer]:
    loop = asyncio.get_running_loop()
    if is_async(step.runs):
        return loop.create_task(acall(step, arguments, max_chars))
    future: asyncio.Future[Answer] = loop.create_future()

    def take(answer: Answer) -> None:
        if not future.done():
            future.set_result(answer)

    def give(answer: Answer) -> None:
        try:
            loop.call_soon_threadsafe(take, answer)
        except RuntimeError:  # the loop is closed: nobody waits any more
            pass

    _in_thread(give, step, arguments, max_chars)
    return future


class _Run:
    """Where a run stands. It starts nothing itself: the two loops above ask what may start and tell what came."""

    def __init__(self, chain: Chain, values: Mapping[str, Any], limits: _Limits) -> None:
        if limits.retries < 0 or limits.parallel < 1 or (limits.timeout_s is not None and limits.timeout_s <= 0):
            raise InvalidRequest(
                f"retries {limits.retries}, parallel {limits.parallel}, timeout_s {limits.timeout_s} cannot be kept",
                fix="retries from 0, parallel from 1, timeout_s above 0 or None",
            )
        self.chain, self.limits = chain, limits
        self.given = _checked(chain, values, limits.max_chars)
        self.outcomes: dict[int, StepOutcome] = {}
        self.tries = [0] * len(chain.steps)
        self.spent_s = [0.0] * len(chain.steps)
        self.running: dict[int, float] = {}
        self.began = time.monotonic()

    def startable(self) -> list[int]:
        """The steps that may start now, after each failure none."""
        if any(outcome.status == "failed" for outcome in self.outcomes.values()):
            return []
        free = self.limits.parallel - len(self.running)
        waiting = (n for n in range(len(self.chain.steps)) if n not in self.outcomes and n not in self.running)
        ready = [n for n in waiting if all(before in self.outcomes for before in self.chain.steps[n].after)]
        return ready[:free]

    def arguments(self, n: int) -> dict[str, Any]:
        """What step `n` is called with: every value in the form of the kind that the argument has."""
        step = self.chain.steps[n]
        return {
            arg: as_kind(
                self.given[source.name] if isinstance(source, Given) else self.outcomes[source].value,
                step.signature.inputs[arg],
            )
            for arg, source in step.inputs.items()
        }

    def start(self, n: int) -> int:
        """Note that step `n` runs from now on; the number of the try."""
        self.tries[n] += 1
        self.running[n] = time.monotonic()
        return self.tries[n]

    def refuse(self, n: int, *, asked: bool) -> None:
        why = "it was not approved" if asked else "nobody was there to approve it"
        self._end(n, StepError("Refused", self.chain.steps[n].tool, f"the tool is dangerous and {why}"))

    def finish(self, n: int, tries: int, answer: Answer) -> None:
        """Take what came; of a try that was given up before, nothing."""
        if n not in self.running or tries != self.tries[n]:
            return
        del self.running[n]
        step = self.chain.steps[n]
        self.spent_s[n] += answer.seconds
        if answer.error is None:
            untrusted = step.signature.untrusted or any(self.outcomes[before].untrusted for before in step.after)
            self.outcomes[n] = StepOutcome(
                step, "done", answer.value, seconds=self.spent_s[n], tries=tries, untrusted=untrusted
            )
        elif not (answer.again and tries <= self.limits.retries and not step.signature.dangerous):
            self._end(n, answer.error)

    def _left_s(self, n: int, now: float) -> float:
        """How long step `n` may still run: its own time, and what is left of the whole run's."""
        own = self.running[n] + self.chain.steps[n].signature.timeout_s - now
        return own if self.limits.timeout_s is None else min(own, self.began + self.limits.timeout_s - now)

    def patience_s(self) -> float:
        """How long to wait for an answer before `expire` is called."""
        now = time.monotonic()
        return min(max(0.0, min(self._left_s(n, now) for n in self.running)), threading.TIMEOUT_MAX)

    def expire(self) -> None:
        """Give up the steps whose time is up."""
        now = time.monotonic()
        for n in [n for n in self.running if self._left_s(n, now) <= 0]:
            step, ran_s = self.chain.steps[n], now - self.running.pop(n)
            self.spent_s[n] += ran_s
            whole = ran_s < step.signature.timeout_s
            limit = f"the whole run has {self.limits.timeout_s:g} s" if whole else f"it has {step.signature.timeout_s:g} s"
            self._end(n, StepError("TimedOut", step.tool, f"no answer after {ran_s:.3g} s: {limit}"))

    def _end(self, n: int, error: StepError) -> None:
        self.outcomes[n] = StepOutcome(
            self.chain.steps[n], "failed", error=error, seconds=self.spent_s[n], tries=self.tries[n]
        )

    def result(self) -> ChainRun:
        failed = [self.outcomes[n].error for n in sorted(self.outcomes) if self.outcomes[n].status == "failed"]
        skipped = StepOutcome(self.chain.steps[0], "skipped", error=failed[0] if failed else None)
        outcomes = tuple(self.outcomes.get(n) or replace(skipped, step=step) for n, step in enumerate(self.chain.steps))
        value = None if failed else as_kind(outcomes[-1].value, self.chain.want)
        return ChainRun(self.chain, outcomes, value, failed[0] if failed else None, time.monotonic() - self.began)


def _checked(chain: Chain, values: Mapping[str, Any], max_chars: int) -> dict[str, Any]:
    """What the chain needs, each of its kind. Raises `InvalidRequest`."""
    checked = {}
    for need in chain.needs:
        if need.name not in values:
            raise InvalidRequest(
                f"the chain needs {need.name!r}, and the values hold {', '.join(map(repr, values)) or 'nothing'}",
                fix=f"give a value called {need.name!r}",
            )
        if size_chars(values[need.name], limit=max_chars) > max_chars:
            raise InvalidRequest(f"{need.name!r} has more than {max_chars} characters", fix="give less of it")
        try:
            checked[need.name] = as_kind(values[need.name], need.kind)
        except WrongKind as error:
            raise InvalidRequest(f"{need.name!r} is not of its kind: {error}", fix=f"give a {need.kind}") from error
    return checked
