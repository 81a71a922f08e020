"""The walk: request -> profile -> candidates -> decision -> engine -> reply, and every door leads in here.

`route` decides, `ask` answers, `stream` answers piece by piece, `embed` and `rerank` search (embedding/ chooses and asks);
each has an async twin. What the engines have installed is asked at most every few seconds; tables are kept per policy. An
engine that fails before its first byte hands over to the decision's fallbacks; after it, the error is the caller's, because
nothing may be said twice (docs/resilience.md).

    python -c "from qwen_router import Router; print(Router().route('Prove that sqrt(2) is irrational').reason)"
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from qwen_router.batch import CONCURRENCY, answer_all, answers
from qwen_router.catalog import Catalog
from qwen_router.catalog.types import ModelKind
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
from qwen_router.decide.candidates import kind_of
from qwen_router.decision_log import DecisionLog
from qwen_router.embedding import Searching
from qwen_router.engines.base import Done, Engine
from qwen_router.engines.breaker import Breakers
from qwen_router.engines.fallback import Retry
from qwen_router.engines.holders import Holders
from qwen_router.engines.in_flight import InFlight
from qwen_router.engines.timing import predicted_of, ratios
from qwen_router.errors import EngineError, InvalidRequest, RouterError, UnknownName
from qwen_router.faults import Check, fault_of
from qwen_router.hardware import Calibration, Machine, ServedBuild, detect
from qwen_router.hardware.presets import machine as machine_named
from qwen_router.hardware.speed import LOCAL_ENGINES
from qwen_router.ledger import Ledger
from qwen_router.policy import Circumstances, Policy, Previous, effect_of, follow
from qwen_router.policy.schema import WEEKDAYS
from qwen_router.profile import inspect
from qwen_router.profile.types import Profile
from qwen_router.reply import Reply
from qwen_router.reply_stream import ReplyStream
from qwen_router.request import Request, RequestLike
from qwen_router.settings import Settings

FRESH_S = 5.0
"""How long a list of installed models is believed."""
MAX_SESSIONS = 10_000
"""Sessions whose last model is remembered; of more, the oldest are forgotten."""
STALE_S = 60.0
"""How old a list may be that is still used while a new one is fetched; after that a request waits for the new one."""


class Router(Searching):
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
        self.in_flight = InFlight(self.settings.in_flight, self.settings.queue)
        self.breakers = Breakers()
        self.holders = Holders()
        self.retry = Retry(self.settings.retries)
        self.violations: Counter[tuple[str, str, str]] = Counter()
        self.kept: dict[ModelKind, str] = {}
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
            self.check_name(request.wishes.model)
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
        loading_shared: bool = False,
    ) -> Decision:
        """The second half of `route`, for a profile that is known already (batches), in these circumstances or now.

        With `loading_shared` no candidate is charged for loading its model: many requests will share that.
        """
        scope = self.scope(answering=answering, pin=request.wishes.model)
        now = circumstances or self.circumstances(request)
        policy = follow(policy, request, profile, now, load=self._policy)[-1]
        table, name = self.table(policy, scope=scope), uuid.uuid4().hex
        table = table.without_loading() if loading_shared else table
        decision = decide(request, profile, table, scope=scope, decision_id=name, circumstances=now)
        if decision.chosen is None and now.resting and circumstances is None:  # who asked for a pause is waited for
            now = replace(now, resting=self.breakers.resting(paused=False))
            decision = decide(request, profile, table, scope=scope, decision_id=name, circumstances=now)
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
            waiting=self.in_flight.counts(),
            resting=self.breakers.resting(),
            holder=self.holders.of(request),
        )

    async def aroute(self, request: RequestLike, *, policy: Policy | str | None = None, answering: bool = False) -> Decision:
        """`route` without blocking the event loop while engines are asked what they have."""
        if time.monotonic() - self._served_at > STALE_S:
            import asyncio

            await asyncio.to_thread(self.served)
        return self.route(request, policy=policy, answering=answering)

    # ── answer ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def ask(self, request: RequestLike, *, policy: Policy | str | None = None, check: Check | None = None) -> Reply:
        """Answer `request`. Raises `NoModelFits` when nothing can, or the last `EngineError` when every attempt failed.

        Where the policy says `fallback.escalate`, or a `check` is given, a reply that is empty, broken, cut, refused, in
        another language or failing the check is asked for again from the next better model, within the attempts and budgets
        of the policy; `Reply.failed_attempts` says what was wrong with the earlier ones, `Reply.fault` what is with this.
        """
        stream: ReplyStream | None = self.stream(request, policy=policy)
        while True:
            assert stream is not None
            for _ in stream:
                pass
            reply, stream = self._judged(stream, check)
            if stream is None:
                return reply

    def stream(self, request: RequestLike, *, policy: Policy | str | None = None) -> ReplyStream:
        """Answer piece by piece: iterate for events; `.decision` is there at once, `.reply` at the end."""
        parsed = Request.of(request)
        return ReplyStream(self, parsed, self.logged(parsed, self.route(parsed, policy=policy, answering=True)))

    async def aask(self, request: RequestLike, *, policy: Policy | str | None = None, check: Check | None = None) -> Reply:
        """`ask`, asynchronous."""
        return await self.aanswered(await self.astream(request, policy=policy), check)

    async def aanswered(self, stream: ReplyStream, check: Check | None = None) -> Reply:
        """The reply at the end of a stream, or of the stronger model's where the first is not good enough."""
        while True:
            async for _ in stream:
                pass
            reply, stronger = self._judged(stream, check)
            if stronger is None:
                return reply
            stream = stronger

    def batch(
        self,
        requests: Iterable[RequestLike | RouterError],
        *,
        policy: Policy | str | None = None,
        concurrency: int = CONCURRENCY,
        check: Check | None = None,
        on_result: Callable[[int, Reply | RouterError], None] | None = None,
    ) -> list[Reply | RouterError]:
        """Answer many requests: the outcome of each in the order of `requests`, an error in place of a reply that failed.

        They are routed first and answered model by model. An engine gets at most `concurrency` at once, and no more than
        it answers side by side. `on_result(place, outcome)` hears of each as it ends. An interrupt stops the engines.
        """
        return answer_all(self, requests, policy=policy, concurrency=concurrency, check=check, on_result=on_result)

    def abatch(
        self,
        requests: Iterable[RequestLike | RouterError],
        *,
        policy: Policy | str | None = None,
        concurrency: int = CONCURRENCY,
        check: Check | None = None,
    ) -> AsyncGenerator[tuple[int, Reply | RouterError], None]:
        """`batch`, asynchronous: (place in `requests`, outcome) of each as it ends, nothing kept here.

        Close the iterator (`contextlib.aclosing`) when you leave it early: that frees the engines at once.
        """
        return answers(self, requests, policy=policy, concurrency=concurrency, check=check)

    def _judged(self, stream: ReplyStream, check: Check | None) -> tuple[Reply, ReplyStream | None]:
        """The reply at the end of a stream, and where it is not good enough the stream of the next better model, if another
        attempt is allowed; else the reply says what is wrong with it."""
        reply, decision = stream.reply, stream.decision
        if check is None and not decision.table.policy.fallback.escalate:
            return reply, None
        fault = fault_of(reply, decision, check)
        if fault is None:
            return reply, None
        stronger = None
        now = effect_of(decision.table.policy, stream.request, decision.profile, self.circumstances(stream.request))
        if stream.moves < decision.effect.fallback_attempts and now.exhausted is None:
            stronger = stream.escalated(fault)
        return (reply if stronger else replace(reply, fault=fault)), stronger

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
            # a list that lacks nobody is good enough for this request; the next one gets the new list
            if age_s <= STALE_S and self._served and not self.unreachable:
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
                self.breakers.seen((engine.name, engine.endpoint))
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
        chats = (s for s in self.served() if s.model_id is not None and kind_of(self.catalog, s) == "chat")
        real = any(not self.catalog.get(str(s.model_id)).demo for s in chats)
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
                self.check_name(name)
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

    def recall(self, session: str, before: Previous) -> None:
        """Who answered a session last, from a caller that kept it: only what this router does not know better is taken."""
        with self._lock:
            if session not in self._sessions:
                self._sessions[session] = before
                while len(self._sessions) > MAX_SESSIONS:
                    self._sessions.popitem(last=False)

    def hold(self, request: Request, decision: Decision, candidate: Candidate) -> None:
        """Note which of several endpoints of one model now has this conversation in its cache."""
        if decision.twins or decision.placed is not None:
            self.holders.note(request, (candidate.build.engine, candidate.build.endpoint, candidate.build.name))

    def charge(
        self, user: str | None, decision: Decision, candidate: Candidate, done: Done
    ) -> tuple[float | None, float | None]:
        """Put a reply's tokens, price and energy on the day's account. Returns dollars and watt-hours, None if unknown."""
        table, usage = decision.table, done.usage
        at = next((b for b, build in enumerate(table.builds) if build == candidate.build), None)
        written = (usage.reasoning_tokens or 0) + (usage.answer_tokens or 0)
        cost, energy = float("nan"), float("nan")
        if at is not None:
            cost = float(table.input_usd[at] * (usage.prompt_tokens or 0) + table.output_usd[at] * written)
            energy = float(table.power_w[at]) * done.timings.total_s / 3600
        per_kwh = table.policy.energy_usd_per_kwh
        if cost == 0 and per_kwh is not None:
            cost = energy / 1000 * per_kwh
        known = tuple(None if value != value else value for value in (cost, energy))
        self.ledger.add(user, cost_usd=known[0] or 0.0, energy_wh=known[1] or 0.0, tokens=written)
        return known[0], known[1]

    def learn(self, candidate: Candidate, done: Done) -> None:
        """Count what a reply did against its decision, and hold its timings against what was predicted for it.

        `violations` has the counts, by kind, engine and model.

        The demonstration model is left out: it is so small that waiting, not reading, makes its speed.
        """
        build = candidate.build
        if done.violations:
            with self._lock:
                self.violations.update((v.kind, build.engine, build.model.id) for v in done.violations)
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
        if model is not None and not model.hosted and not model.demo:
            return f"ollama pull {model.ollama_tags[0]}" if model.ollama_tags else f"qwen-router pull {model.short_name}"
        return "`qwen-router doctor` shows what is served here, `qwen-router route` which model would suit"

    def close(self) -> None:
        """Free the engines. May be called twice."""
        for engine in self._engines or ():
            engine.close()

    def _policy(self, policy: Policy | str | None) -> Policy:
        if policy is None:
            return self.policy
        return Policy.load(policy) if isinstance(policy, str) else policy

    def check_name(self, name: str) -> None:
        """Refuse a model name that neither an engine nor the catalog knows (`UnknownName`), or that is no chat model's
        (`InvalidRequest`)."""
        served = [s.name for s in self.served()]
        known = self.catalog.resolve(name)
        kinds = [kind_of(self.catalog, s) for s in self.served() if s.name.lower() == name.lower()]
        kind = known.kind if known is not None else kinds[0] if kinds else None
        if kind is not None and kind != "chat":
            verb = "embed" if kind == "embedding" else "rerank"
            raise InvalidRequest(f"{name!r} does not chat", fix=f"a chat model, or Router.{verb} for this one")
        if kind is not None:
            return
        names = [*served, *(name for m in self.catalog.models for name in (m.short_name, *m.ollama_tags))]
        raise UnknownName.among(name, names, kind="model", listing="`qwen-router models` lists them")


def shared_router(settings: Settings | None = None) -> Router:
    """One router a process and settings (None: those of the environment): models that it loads stay loaded for every chat
    model and tool."""
    return _router_of(settings or Settings.from_environment())


@lru_cache(maxsize=8)
def _router_of(settings: Settings) -> Router:
    return Router(settings=settings)


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
