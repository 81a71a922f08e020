"""The answering half of the walk: a decision becomes a call to an engine, and its events a reply.

`ReplyStream` tries the chosen candidate, its twins at other endpoints and its fallbacks, as long as nothing was said and the
deadline has not passed; what the reply teaches (speed, cost, session, the endpoint's health) goes to the router that made
it. Which candidates those are was decided before; who is next after an error is `engines/fallback.py`'s.

    python -c "from qwen_router import Router; print(Router().stream('What is 12 + 30?').decision.reason)"
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Sequence
from contextlib import aclosing, closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from qwen_router.decide import Candidate, Decision
from qwen_router.demo import DEMO_NOTICE
from qwen_router.engines.base import Call, Done, Engine, Event, ThinkingPlan
from qwen_router.engines.breaker import Place
from qwen_router.engines.fallback import Walk, place_of
from qwen_router.engines.handing_over import handed_over
from qwen_router.errors import EngineError, EngineTimeout, EngineUnreachable, NoModelFits, Partial
from qwen_router.reply import Reply, ReplyBuilder
from qwen_router.request import Request
from qwen_router.settings import Settings

if TYPE_CHECKING:
    from qwen_router.router import Router


def call_for(
    request: Request, decision: Decision, candidate: Candidate, *, settings: Settings, deadline_at: float | None = None
) -> Call:
    """What the engine gets: the candidate's mode, budget, window and sampling, with the caller's wishes on top."""
    wishes = request.wishes
    sampling = candidate.sampling
    changes: dict[str, float] = {}
    if wishes.temperature is not None and not (candidate.thinking and wishes.temperature == 0):
        changes["temperature"] = wishes.temperature
    if wishes.top_p is not None:
        changes["top_p"] = wishes.top_p
    return Call(
        model=candidate.build.name,
        messages=request.messages,
        thinking=ThinkingPlan(candidate.thinking, candidate.budget_tokens if candidate.thinking else None),
        behaviour=candidate.build.model.thinking.behaviour,
        sampling=sampling.model_copy(update=changes) if changes else sampling,
        max_answer_tokens=candidate.answer_tokens,
        context_tokens=candidate.context_tokens,
        tools=request.tools,
        tool_choice=request.tool_choice,
        response_format=request.response_format,
        stop=wishes.stop,
        seed=wishes.seed,
        timeout_s=settings.timeout_s,
        prompt_tokens_estimate=decision.profile.input_tokens,
        connect_s=settings.connect_s,
        first_s=settings.first_s,
        deadline_at=deadline_at,
        family=candidate.build.model.family,
    )


class ReplyStream:
    """Events of one answer, to iterate once, with `for` or `async for`; `reply` is complete afterwards.

    Closing the iterator early stops the engine. An error after the first event is raised, never repeated: its `partial`
    has what came before. `failed` says who was asked before and what went wrong there, `moves` how often another model than
    the one before was asked.
    """

    def __init__(
        self,
        router: Router,
        request: Request,
        decision: Decision,
        *,
        failed: Sequence[str] = (),
        moves: int = 0,
        deadline_at: float | None = None,
    ) -> None:
        if decision.chosen is None:
            if router.unreachable and not router.served():  # nothing answers: say where it was looked for
                raise router.unreachable[0]
            if decision.resting:
                raise EngineUnreachable(
                    decision.reason,
                    fix="wait some seconds and try again",
                    retry_after_s=router.breakers.ready_in_s(),
                )
            raise NoModelFits(decision.reason, fix=router.way_out(request.wishes.model))
        self.decision = decision
        self._router = router
        self.request = request
        self.failed: list[str] = list(failed)
        self._asked: set[str] = set()
        self._builder = ReplyBuilder()
        wished_s, longest_s = request.wishes.deadline_s, router.settings.deadline_s
        self._allowed_s = longest_s if wished_s is None else min(wished_s, longest_s)
        self._deadline_at = router.retry.clock() + self._allowed_s if deadline_at is None else deadline_at
        chain = (decision.chosen, *decision.twins, *decision.fallbacks)
        self._walk = Walk(chain, retry=router.retry, deadline_at=self._deadline_at, retries=request.wishes.retries)
        self._moves = moves

    def __iter__(self) -> Iterator[Event]:
        while True:
            try:
                with self._router.in_flight.slot(self._place, self._longest_wait_s), self._attempt() as engine:
                    stream = cast(Generator[Event, None, None], engine.stream(self._call()))
                    with closing(stream) as events:
                        for event in events:
                            self._note(event)
                            yield event
                return
            except EngineError as error:
                wait_s = self._go_on(error)
            if wait_s > 0:
                self._router.retry.sleep(wait_s)

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            try:
                async with self._router.in_flight.aslot(self._place, self._longest_wait_s):
                    with self._attempt() as engine:
                        stream = cast(AsyncGenerator[Event, None], engine.astream(self._call()))
                        async with aclosing(stream) as events:
                            while (event := await self._in_time(events)) is not None:
                                self._note(event)
                                yield event
                return
            except EngineError as error:
                wait_s = self._go_on(error)
            if wait_s > 0:
                await self._router.retry.asleep(wait_s)

    @property
    def served_by(self) -> Candidate:
        """Who is answering, or did."""
        return self._walk.candidate

    @property
    def moves(self) -> int:
        return self._moves + self._walk.moves

    @property
    def partial(self) -> Partial:
        """What came so far."""
        return Partial("".join(self._builder.answer), "".join(self._builder.reasoning))

    @property
    def reply(self) -> Reply:
        """The whole reply. Raises `EngineError` while the stream has not ended."""
        built = self._builder
        if built.done is None:
            raise EngineError("the reply has not ended", fix="iterate the stream to its end first")
        return Reply(
            answer="".join(built.answer),
            reasoning="".join(built.reasoning),
            tool_calls=tuple(built.tool_calls),
            finish_reason=built.done.finish_reason,
            usage=built.done.usage,
            timings=built.done.timings,
            violations=built.done.violations,
            decision=self.decision,
            served_by=self.served_by,
            failed_attempts=tuple(self.failed),
            notice=DEMO_NOTICE if self.served_by.build.model.demo else None,
            changes=self._changes,
            cost_usd=self._spent[0],
            energy_wh=self._spent[1],
            hidden_tools=self._hidden_tools,
        )

    def escalated(self, fault: str) -> ReplyStream | None:
        """A stream from the next better model that was not asked yet, this one's fault noted; None where there is none."""
        served = self.served_by
        asked = frozenset(self._asked | {served.build.model.id})
        better = self.decision.next_better(served, not_of=asked)
        if better is None or self._left_s <= 0:
            return None
        failed = (*self.failed, f"{served.label} on {served.build.engine}: {fault}")
        fresh = ReplyStream(
            self._router,
            self.request,
            replace(self.decision, chosen=better, twins=(), fallbacks=()),
            failed=failed,
            moves=self.moves + 1,
            deadline_at=self._deadline_at,
        )
        fresh._asked = set(asked)
        return fresh

    @contextmanager
    def _attempt(self) -> Iterator[Engine]:
        """One attempt at the walk's candidate; its outcome is told to the endpoint's breaker."""
        breakers, place = self._router.breakers, self._place
        engine = self._router.engine_of(self.served_by.build)
        breakers.enter(place)
        try:
            yield engine
        except EngineError as error:
            if self._left_s <= 0:  # our caller's patience, not the engine's fault
                breakers.left(place)
            else:
                breakers.failed(place, error)
            raise
        except BaseException:
            breakers.left(place)
            raise
        breakers.succeeded(place)

    def _call(self) -> Call:
        settings, build = self._router.settings, self.served_by.build
        bounded = replace(settings, timeout_s=max(0.001, min(settings.timeout_s, self._left_s)))
        call = call_for(self.request, self.decision, self.served_by, settings=bounded, deadline_at=self._deadline_at)
        all_tools = self.decision.table.policy.context.tools == "all"
        handed, self._changes = handed_over(
            call,
            engine=build.engine,
            total_params=build.model.total_params,
            all_tools=all_tools,
            hideable=self.request.hideable_tools,
        )
        shown = {tool.name for tool in handed.tools}
        self._hidden_tools = tuple(tool.name for tool in call.tools if tool.name not in shown)
        return handed

    @property
    def _place(self) -> Place:
        return place_of(self.served_by)

    @property
    def _left_s(self) -> float:
        """Seconds until the deadline."""
        return self._deadline_at - self._router.retry.clock()

    @property
    def _longest_wait_s(self) -> float:
        """So long a full endpoint is waited for: as long as for a first token."""
        settings = self._router.settings
        return max(0.0, min(settings.timeout_s if settings.first_s is None else settings.first_s, self._left_s))

    async def _in_time(self, events: AsyncGenerator[Event, None]) -> Event | None:
        """The next event, None at the end. Raises `EngineTimeout` when the deadline comes first."""
        try:
            async with asyncio.timeout(self._left_s) as limit:
                return await anext(events, None)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise self._too_late() from error

    def _note(self, event: Event) -> None:
        if not isinstance(event, Done) and self._left_s <= 0:
            raise self._too_late()
        self._builder.add(event)
        self._started = True
        if isinstance(event, Done):
            self._router.learn(self.served_by, event)
            self._spent = self._router.charge(self.request.user, self.decision, self.served_by, event)
            self._router.hold(self.request, self.decision, self.served_by)
            if self.request.session is not None:
                self._router.remember(self.request.session, self.served_by, event)

    _started = False
    _spent: tuple[float | None, float | None] = (None, None)
    _changes: tuple[str, ...] = ()
    _hidden_tools: tuple[str, ...] = ()

    def _go_on(self, error: EngineError) -> float:
        """Seconds to wait before the next attempt. Raises when there is none: because nobody is left, because time is up, or
        because something was said already and would be said twice."""
        if self._started:
            error.partial = self.partial
        if self._left_s <= 0 and not isinstance(error, _TooLate):
            late = self._too_late()
            late.partial = error.partial
            raise late from error
        if self._started or isinstance(error, _TooLate):
            raise error
        candidate = self.served_by
        wait_s = self._walk.after(error)
        self.failed.append(f"{candidate.label} on {candidate.build.engine}: {error.problem}")
        return wait_s

    def _too_late(self) -> EngineTimeout:
        build = self.served_by.build
        return _TooLate(
            f"the reply was not there within {self._allowed_s:g} s",
            fix="allow more time (`deadline_s`, QWEN_ROUTER_DEADLINE_S), or ask for a faster model",
            engine=build.engine,
            endpoint=build.endpoint,
        )


class _TooLate(EngineTimeout):
    """The deadline of the whole, as opposed to an engine's silence."""
