"""The answering half of the walk: a decision becomes a call to an engine, and its events a reply.

`ReplyStream` tries the chosen candidate and, before the first event only, its fallbacks; what the reply teaches (speed,
cost, session) goes to the router that made it. Which candidate that is was decided before.

    python -c "from qwen_router import Router; print(Router().stream('What is 12 + 30?').decision.reason)"
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from qwen_router.decide import Candidate, Decision
from qwen_router.demo import DEMO_NOTICE
from qwen_router.engines.base import Call, Done, Event, ThinkingPlan
from qwen_router.errors import EngineError, NoModelFits
from qwen_router.reply import Reply, ReplyBuilder
from qwen_router.request import Request

if TYPE_CHECKING:
    from qwen_router.router import Router


def call_for(request: Request, decision: Decision, candidate: Candidate, *, timeout_s: float) -> Call:
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
        timeout_s=timeout_s,
        prompt_tokens_estimate=decision.profile.input_tokens,
        family=candidate.build.model.family,
    )


class ReplyStream:
    """Events of one answer, to iterate once, with `for` or `async for`; `reply` is complete afterwards."""

    def __init__(self, router: Router, request: Request, decision: Decision, *, failed: Sequence[str] = ()) -> None:
        if decision.chosen is None:
            if router.unreachable and not router.served():  # nothing answers: say where it was looked for
                raise router.unreachable[0]
            raise NoModelFits(decision.reason, fix=router.way_out(request.wishes.model))
        self.decision = decision
        self.served_by: Candidate = decision.chosen
        self._router = router
        self.request = request
        self._failed: list[str] = list(failed)
        self._asked: set[str] = set()
        self._builder = ReplyBuilder()

    def __iter__(self) -> Iterator[Event]:
        for candidate, last in self._attempts():
            engine = self._router.engine_of(candidate.build)
            try:
                with self._router.busy(candidate.build):
                    for event in engine.stream(self._call(candidate)):
                        self._note(event)
                        yield event
                return
            except EngineError as error:
                self._give_up_or_go_on(error, candidate, last=last)

    async def __aiter__(self) -> AsyncIterator[Event]:
        for candidate, last in self._attempts():
            engine = self._router.engine_of(candidate.build)
            try:
                with self._router.busy(candidate.build):
                    async with aclosing(engine.astream(self._call(candidate))) as events:  # type: ignore[type-var]
                        async for event in events:
                            self._note(event)
                            yield event
                return
            except EngineError as error:
                self._give_up_or_go_on(error, candidate, last=last)

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
            failed_attempts=tuple(self._failed),
            notice=DEMO_NOTICE if self.served_by.build.model.demo else None,
        )

    def escalated(self, fault: str) -> ReplyStream | None:
        """A stream from the next better model that was not asked yet, this one's fault noted; None where there is none."""
        served = self.served_by
        asked = frozenset(self._asked | {served.build.model.id})
        better = self.decision.next_better(served, not_of=asked)
        if better is None:
            return None
        failed = (*self._failed, f"{served.label} on {served.build.engine}: {fault}")
        fresh = ReplyStream(self._router, self.request, replace(self.decision, chosen=better, fallbacks=()), failed=failed)
        fresh._asked = set(asked)
        return fresh

    def _attempts(self) -> Iterator[tuple[Candidate, bool]]:
        chain = (self.served_by, *self.decision.fallbacks)
        for position, candidate in enumerate(chain):
            self.served_by = candidate
            yield candidate, position == len(chain) - 1

    def _call(self, candidate: Candidate) -> Call:
        return call_for(self.request, self.decision, candidate, timeout_s=self._router.settings.timeout_s)

    def _note(self, event: Event) -> None:
        self._builder.add(event)
        self._started = True
        if isinstance(event, Done):
            self._router.learn(self.served_by, event)
            self._router.charge(self.request.user, self.decision, self.served_by, event)
            if self.request.session is not None:
                self._router.remember(self.request.session, self.served_by, event)

    _started = False

    def _give_up_or_go_on(self, error: EngineError, candidate: Candidate, *, last: bool) -> None:
        """Only before the first event may somebody else answer: afterwards text would be said twice."""
        if self._started or last:
            raise error
        self._failed.append(f"{candidate.label} on {candidate.build.engine}: {error.problem}")
