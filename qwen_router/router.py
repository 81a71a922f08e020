"""The walk: request -> profile -> candidates -> decision -> engine -> reply, and every door leads in here.

`route` decides, `ask` answers, `stream` answers piece by piece; each has an async twin. What the engines have installed is
asked at most every few seconds; tables are kept per policy. An engine that fails before its first byte hands over to the
decision's fallbacks; after it, the error is the caller's, because nothing may be said twice.

    python -c "from qwen_router import Router; print(Router().route('Prove that sqrt(2) is irrational').reason)"
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace

from qwen_router.catalog import Catalog
from qwen_router.decide import (
    Build,
    Candidate,
    CandidateTable,
    Decision,
    Scope,
    advised_builds,
    candidate_table,
    decide,
    served_builds,
)
from qwen_router.decision_log import DecisionLog
from qwen_router.demo import DEMO_NOTICE
from qwen_router.engines.base import Call, Done, Engine, Event, ThinkingPlan
from qwen_router.engines.timing import predicted_of, ratios
from qwen_router.errors import EngineError, InvalidPolicy, NoModelFits, RouterError, UnknownName
from qwen_router.hardware import Calibration, Machine, ServedBuild, detect
from qwen_router.hardware.presets import machine as machine_named
from qwen_router.hardware.speed import LOCAL_ENGINES
from qwen_router.ledger import Ledger
from qwen_router.policy import Circumstances, Policy, Previous, effect_of
from qwen_router.policy.schema import WEEKDAYS
from qwen_router.profile import inspect
from qwen_router.profile.types import Profile
from qwen_router.reply import Reply, ReplyBuilder
from qwen_router.request import Request, RequestLike
from qwen_router.settings import Settings

FRESH_S = 5.0
"""How long a list of installed models is believed."""
MAX_SESSIONS = 10_000
"""Sessions whose last model is remembered; of more, the oldest are forgotten."""
STALE_S = 60.0
"""How old a list may be that is still used while a new one is fetched; after that a request waits for the new one."""


class Router:
    """Decides and answers. Safe to share between threads; `close()` frees the engines.

    `engines` None means every engine that is configured or importable here. `machine` may be a preset's name; then, and
    whenever no real model is served, `route` gives advice over the whole catalog.
    """

    def __init__(
        self,
        *,
        policy: Policy | str | None = None,
        machine: Machine | str | None = None,
        engines: Sequence[Engine] | None = None,
        catalog: Catalog | None = None,
        settings: Settings | None = None,
        candidates: Sequence[str] = (),
    ) -> None:
        self.settings = settings or Settings.from_environment()
        self.policy = self._policy(policy or self.settings.policy)
        self.catalog = catalog or Catalog.load()
        self.machine = machine_named(machine) if isinstance(machine, str) else machine or _this_machine()
        self.candidates = tuple(candidates)
        self.unreachable: tuple[RouterError, ...] = ()
        self._engines = None if engines is None else tuple(engines)
        self._lock = threading.RLock()
        self._served: tuple[ServedBuild, ...] = ()
        self._served_at = float("-inf")
        self._refresh: threading.Thread | None = None
        self._tables: dict[tuple[Scope, Policy], CandidateTable] = {}
        self.ledger = Ledger()
        self.log = DecisionLog(self.settings.decision_log) if self.settings.decision_log else None
        self._sessions: OrderedDict[str, Previous] = OrderedDict()
        self._calibration: Calibration | None = None
        self._calibrated = 0

    # ── decide ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def route(self, request: RequestLike, *, policy: Policy | str | None = None, answering: bool = False) -> Decision:
        """Decide who should answer `request` and how. Nothing is run.

        With `answering`, only what an engine serves now is considered, the demonstration model included when nothing else
        is. Raises `InvalidRequest`, `InvalidPolicy` or `UnknownName`; that nothing fits is a decision without `chosen`.
        """
        started = time.perf_counter()
        request = Request.of(request)
        chosen_policy = self._policy(policy)
        if request.wishes.model is not None:
            self._check_name(request.wishes.model)
        profile = inspect(request)
        return self.decide(request, profile, policy=chosen_policy, answering=answering, started=started)

    def decide(
        self,
        request: Request,
        profile: Profile,
        *,
        policy: Policy,
        answering: bool = False,
        started: float | None = None,
        circumstances: Circumstances | None = None,
    ) -> Decision:
        """The second half of `route`, for a profile that is known already (batches), in these circumstances or now."""
        scope = self.scope(answering=answering, pin=request.wishes.model)
        now = circumstances or self.circumstances(request)
        asked = [policy.name]
        while (other := effect_of(policy, request, profile, now).policy) is not None:
            if other in asked:
                raise InvalidPolicy(
                    f"the policies send one another on: {' -> '.join((*asked, other))}", fix="break the circle"
                )
            policy = self._policy(other)
            asked.append(other)
        decision = decide(
            request,
            profile,
            self.table(policy, scope=scope),
            scope=scope,
            decision_id=uuid.uuid4().hex,
            circumstances=now,
        )
        if started is not None:
            decision = replace(decision, elapsed_us=(time.perf_counter() - started) * 1e6)
        return decision

    def logged(self, request: Request, decision: Decision) -> Decision:
        """The decision, after a line about it was put into the log, where there is one."""
        if self.log is not None:
            self.log.add(request, decision, self.circumstances(request))
        return decision

    def circumstances(self, request: Request) -> Circumstances:
        """What rules and budgets ask beside the request: time of day, the machine's load, what was spent today."""
        now = time.localtime()
        by_user, spent = self.ledger.spent(request.user)
        return Circumstances(
            minute_of_day=now.tm_hour * 60 + now.tm_min,
            weekday=WEEKDAYS[now.tm_wday],
            load=_load(self.machine.cores),
            spent_by_user=by_user,
            spent=spent,
            previous=self._sessions.get(request.session) if request.session is not None else None,
        )

    async def aroute(self, request: RequestLike, *, policy: Policy | str | None = None, answering: bool = False) -> Decision:
        """`route` without blocking the event loop while engines are asked what they have."""
        if time.monotonic() - self._served_at > STALE_S:
            import asyncio

            await asyncio.to_thread(self.served)
        return self.route(request, policy=policy, answering=answering)

    # ── answer ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def ask(self, request: RequestLike, *, policy: Policy | str | None = None) -> Reply:
        """Answer `request`. Raises `NoModelFits` when nothing can, or the last `EngineError` when every attempt failed."""
        stream = self.stream(request, policy=policy)
        for _ in stream:
            pass
        return stream.reply

    def stream(self, request: RequestLike, *, policy: Policy | str | None = None) -> ReplyStream:
        """Answer piece by piece: iterate for events; `.decision` is there at once, `.reply` at the end."""
        parsed = Request.of(request)
        return ReplyStream(self, parsed, self.logged(parsed, self.route(parsed, policy=policy, answering=True)))

    async def aask(self, request: RequestLike, *, policy: Policy | str | None = None) -> Reply:
        """`ask`, asynchronous."""
        stream = await self.astream(request, policy=policy)
        async for _ in stream:
            pass
        return stream.reply

    async def astream(self, request: RequestLike, *, policy: Policy | str | None = None) -> ReplyStream:
        """`stream`, asynchronous: await it, then iterate with `async for`."""
        parsed = Request.of(request)
        return ReplyStream(self, parsed, self.logged(parsed, await self.aroute(parsed, policy=policy, answering=True)))

    # ── what there is ───────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def engines(self) -> tuple[Engine, ...]:
        """The engines of this router, made when first asked for."""
        with self._lock:
            if self._engines is None:
                from qwen_router.engines.configured import configured_engines

                self._engines = configured_engines(self.settings)
            return self._engines

    def served(self) -> tuple[ServedBuild, ...]:
        """Everything that the engines can run now, unknown models included; asked anew every few seconds."""
        with self._lock:
            if self.machine.hypothetical:
                return ()
            age_s = time.monotonic() - self._served_at
            if age_s <= FRESH_S:
                return self._served
            if age_s <= STALE_S:  # good enough for this request; the next one gets the new list
                if self._refresh is None or not self._refresh.is_alive():
                    self._refresh = threading.Thread(target=self._ask_engines, name="qwen-router-served", daemon=True)
                    self._refresh.start()
                return self._served
        self._ask_engines()
        return self._served

    def _ask_engines(self) -> None:
        """Ask every engine what it has; slow engines hold up nobody who can do with the old list."""
        served: list[ServedBuild] = []
        unreachable: list[RouterError] = []
        for engine in self.engines:
            try:
                served += engine.installed()
            except RouterError as error:
                unreachable.append(error)
        with self._lock:
            if tuple(served) != self._served:
                self._tables = {key: table for key, table in self._tables.items() if key[0] == "advice"}
            self._served, self.unreachable = tuple(served), tuple(unreachable)
            self._served_at = time.monotonic()

    def scope(self, *, answering: bool = False, pin: str | None = None) -> Scope:
        """`serving` when an engine has a real model, else `advice`, or `demo` when an answer is wanted all the same.

        A model that is wished for by name is served as named: the demonstration model too, and a stranger to the catalog.
        """
        if pin is not None:
            for build in served_builds(self.catalog, self.served()):
                if build.answers_to(pin):
                    return "demo" if build.model.demo else "serving"
        real = any(s.model_id is not None and not self.catalog.get(s.model_id).demo for s in self.served())
        return "serving" if real else "demo" if answering else "advice"

    def builds(self, scope: Scope) -> tuple[Build, ...]:
        """The builds of that scope, restricted to the router's candidates."""
        if scope == "advice":
            builds = advised_builds(self.catalog, self.policy)
        else:
            served = served_builds(self.catalog, self.served())
            builds = tuple(b for b in served if b.model.demo == (scope == "demo"))
        if not self.candidates:
            return builds
        wanted = {name.strip() for name in self.candidates}
        for name in sorted(wanted):
            if not any(b.answers_to(name) for b in builds):
                self._check_name(name)
        return tuple(b for b in builds if any(b.answers_to(name) for name in wanted))

    def table(self, policy: Policy | str | None = None, *, scope: Scope | None = None) -> CandidateTable:
        """The candidates for a policy, from the cache when nothing changed."""
        policy = self._policy(policy)
        scope = scope or self.scope()
        with self._lock:
            if self.calibration.version != self._calibrated:  # replies showed that something is faster or slower
                self._tables.clear()
                self._calibrated = self.calibration.version
            key = (scope, policy)
            if key not in self._tables:
                self._tables[key] = candidate_table(self.builds(scope), self.machine, policy, calibration=self.calibration)
            return self._tables[key]

    @property
    def calibration(self) -> Calibration:
        """What replies taught about speed on this machine."""
        with self._lock:
            if self._calibration is None:
                self._calibration = Calibration.of(self.machine)
            return self._calibration

    def remember(self, session: str, candidate: Candidate, done: Done) -> None:
        """What answered this session last; the oldest sessions are forgotten first."""
        build, usage = candidate.build, done.usage
        tokens = (usage.prompt_tokens or 0) + (usage.reasoning_tokens or 0) + (usage.answer_tokens or 0)
        previous = Previous((build.engine, build.endpoint, build.name), candidate.thinking, candidate.budget_tokens, tokens)
        with self._lock:
            self._sessions[session] = previous
            self._sessions.move_to_end(session)
            while len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)

    def charge(self, user: str | None, decision: Decision, candidate: Candidate, done: Done) -> None:
        """Put a reply's tokens, their price and the energy of its time on the day's account."""
        table, usage = decision.table, done.usage
        at = next((b for b, build in enumerate(table.builds) if build == candidate.build), None)
        written = (usage.reasoning_tokens or 0) + (usage.answer_tokens or 0)
        cost = 0.0 if at is None else table.input_usd[at] * (usage.prompt_tokens or 0) + table.output_usd[at] * written
        watts = None if at is None else table.power_w[at]
        energy = 0.0 if watts is None or watts != watts else float(watts) * done.timings.total_s / 3600  # NaN: unknown
        per_kwh = table.policy.energy_usd_per_kwh
        if cost == 0 and per_kwh is not None:
            cost = energy / 1000 * per_kwh
        self.ledger.add(user, cost_usd=float(cost) if cost == cost else 0.0, energy_wh=energy, tokens=written)

    def learn(self, candidate: Candidate, done: Done) -> None:
        """Hold one reply's timings against what was predicted for it without calibration.

        The demonstration model is left out: it is so small that waiting, not reading, makes its speed.
        """
        build = candidate.build
        if build.engine not in LOCAL_ENGINES or build.model.demo:
            return
        speed = predicted_of(build, self.machine, done.usage)
        if speed is None:
            return
        decode_ratio, prefill_ratio = ratios(speed, done.usage, done.timings)
        if decode_ratio is not None or prefill_ratio is not None:
            self.calibration.observe(
                engine=build.engine,
                model_id=build.model.id,
                quant=build.quant,
                decode_ratio=decode_ratio,
                prefill_ratio=prefill_ratio,
            )

    def engine_of(self, build: Build) -> Engine:
        for engine in self.engines:
            if engine.name == build.engine and engine.endpoint == build.endpoint:
                return engine
        raise EngineError(f"the engine {build.engine!r} is gone", fix="start it and try again", engine=build.engine)

    def way_out(self, wished: str | None) -> str:
        """What to try when nothing here can answer."""
        model = None if wished is None else self.catalog.resolve(wished)
        if model is not None and model.ollama_tags:
            return f"ollama pull {model.ollama_tags[0]}"
        return "`qwen-router doctor` shows what is served here, `qwen-router route` which model would suit"

    def close(self) -> None:
        """Free the engines. May be called twice."""
        for engine in self._engines or ():
            engine.close()

    def _policy(self, policy: Policy | str | None) -> Policy:
        if policy is None:
            return self.policy
        return Policy.load(policy) if isinstance(policy, str) else policy

    def _check_name(self, name: str) -> None:
        """Refuse a model name that neither an engine nor the catalog knows."""
        served = [s.name for s in self.served()]
        if name.lower() in (s.lower() for s in served) or self.catalog.resolve(name) is not None:
            return
        known = [*served, *(name for m in self.catalog.models for name in (m.short_name, *m.ollama_tags))]
        raise UnknownName.among(name, known, kind="model", listing="`qwen-router models` lists them")


def _load(cores: int) -> float | None:
    """The share of the cores that was busy in the last minute; None where the system does not say."""
    try:
        return min(1.0, os.getloadavg()[0] / max(1, cores))
    except (OSError, AttributeError):
        return None


def _this_machine() -> Machine:
    """This computer, with what was measured of it."""
    found = detect()
    return Calibration.of(found).applied(found)


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
    )


class ReplyStream:
    """Events of one answer, to iterate once, with `for` or `async for`; `reply` is complete afterwards."""

    def __init__(self, router: Router, request: Request, decision: Decision) -> None:
        if decision.chosen is None:
            if router.unreachable and not router.served():  # nothing answers: say where it was looked for
                raise router.unreachable[0]
            raise NoModelFits(decision.reason, fix=router.way_out(request.wishes.model))
        self.decision = decision
        self.served_by: Candidate = decision.chosen
        self._router = router
        self._request = request
        self._failed: list[str] = []
        self._builder = ReplyBuilder()

    def __iter__(self) -> Iterator[Event]:
        for candidate, last in self._attempts():
            engine = self._router.engine_of(candidate.build)
            try:
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

    def _attempts(self) -> Iterator[tuple[Candidate, bool]]:
        chain = (self.served_by, *self.decision.fallbacks)
        for position, candidate in enumerate(chain):
            self.served_by = candidate
            yield candidate, position == len(chain) - 1

    def _call(self, candidate: Candidate) -> Call:
        return call_for(self._request, self.decision, candidate, timeout_s=self._router.settings.timeout_s)

    def _note(self, event: Event) -> None:
        self._builder.add(event)
        self._started = True
        if isinstance(event, Done):
            self._router.learn(self.served_by, event)
            self._router.charge(self._request.user, self.decision, self.served_by, event)
            if self._request.session is not None:
                self._router.remember(self._request.session, self.served_by, event)

    _started = False

    def _give_up_or_go_on(self, error: EngineError, candidate: Candidate, *, last: bool) -> None:
        """Only before the first event may somebody else answer: afterwards text would be said twice."""
        if self._started or last:
            raise error
        self._failed.append(f"{candidate.label} on {candidate.build.engine}: {error.problem}")
