"""Many requests at once: profiled and routed first, then answered model by model, a bounded number at a time.

Requests are taken in windows. A window is decided as a whole, before anything of it is run: loading a model that many of
its requests want is charged to none of them. What was decided is grouped by model, so that each is loaded once a window,
what is loaded already first. One failing request is a result, never the end. Keeping results is the caller's business.

    python -c "from qwen_router import Router; print([r.answer for r in Router().batch(['12 + 30?', '1 + 2?'])])"
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from qwen_router.decide import Build, Candidate, Decision
from qwen_router.decide.choose import SERIAL
from qwen_router.errors import EngineError, InvalidRequest, RouterError
from qwen_router.faults import Check
from qwen_router.policy import Circumstances, Policy, effect_of
from qwen_router.profile import inspect_many
from qwen_router.profile.types import Profile
from qwen_router.reply import Reply
from qwen_router.reply_stream import ReplyStream
from qwen_router.request import Request, RequestLike

if TYPE_CHECKING:
    from qwen_router.router import Router

CONCURRENCY = 8
"""Requests that a server answers at once unless the caller says otherwise."""
WINDOW = 1024
"""Requests that are decided together. Each window may load each model once more, and is held in memory."""
WINDOW_CHARS = 64 * 1024 * 1024
"""Text and attachments of a window, in characters: it ends there though it has fewer requests."""
SHARED_FROM = 8
"""A model that is not loaded is charged its whole loading, as for a single request, when fewer of a window want it."""
LOADS_HERE = ("ollama", "llamacpp", "transformers", "onnx")
"""Engines that load a model when it is asked for. Those of this computer run one after the other."""
_THIS_COMPUTER = (None, "localhost", "127.0.0.1", "::1")

Outcome = Reply | RouterError
Place = tuple[str, str, str]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """One request, decided. `index` is its place in the input."""

    index: int
    request: Request
    decision: Decision

    @property
    def candidate(self) -> Candidate:
        assert self.decision.chosen is not None  # `_job` makes no other
        return self.decision.chosen

    @property
    def build(self) -> Build:
        return self.candidate.build


@dataclass(slots=True)
class Group:
    """The requests of a window that one model answers; those with the longest context first, so that a window that has to
    grow is opened once."""

    build: Build
    jobs: list[Job] = field(default_factory=list)

    @property
    def place(self) -> Place:
        return self.build.engine, self.build.endpoint, self.build.name

    @property
    def lane(self) -> str:
        """Groups of one lane run one after the other: they would load their models over each other."""
        build = self.build
        host = urlsplit(build.endpoint).hostname if "://" in build.endpoint else None
        if build.engine in LOADS_HERE and host in _THIS_COMPUTER:
            return "here"
        return f"{build.engine} {build.endpoint}"


OnGroup = Callable[[Group], None]
OnResult = Callable[[int, Outcome], None]


def answer_all(
    router: Router,
    requests: Iterable[RequestLike | RouterError],
    *,
    policy: Policy | str | None = None,
    concurrency: int = CONCURRENCY,
    check: Check | None = None,
    on_result: OnResult | None = None,
) -> list[Outcome]:
    """The outcomes in the order of the requests; see `Router.batch`."""

    async def collect() -> list[Outcome]:
        found: dict[int, Outcome] = {}
        async with aclosing(answers(router, requests, policy=policy, concurrency=concurrency, check=check)) as ended:
            async for index, outcome in ended:
                found[index] = outcome
                if on_result is not None:
                    on_result(index, outcome)
        return [found[index] for index in sorted(found)]

    return _finished(collect())


async def answers(
    router: Router,
    requests: Iterable[RequestLike | RouterError],
    *,
    policy: Policy | str | None = None,
    concurrency: int = CONCURRENCY,
    check: Check | None = None,
    window: int = WINDOW,
    on_group: OnGroup | None = None,
) -> AsyncGenerator[tuple[int, Outcome], None]:
    """(place in the input, reply or error) of each request as it ends; see `Router.abatch`.

    `on_group` hears of each group when its first request is sent. A `RouterError` in place of a request comes back as it is.
    """
    if concurrency < 1:
        raise InvalidRequest(f"the concurrency is {concurrency}", fix="1 or more")
    chosen_policy = router.policy if policy is None else Policy.load(policy) if isinstance(policy, str) else policy
    windows = _windows(requests, window)
    last: dict[str, Place] = {}
    while (taken := await asyncio.to_thread(next, windows, None)) is not None:
        groups, ended = await asyncio.to_thread(planned, router, taken, policy=chosen_policy, last=last)
        for failed in ended:
            yield failed
        run = _Run(router, groups, concurrency=concurrency, check=check, on_group=on_group)
        async with aclosing(run.results()) as results:
            async for index, outcome in results:
                yield index, outcome
        last |= {group.lane: group.place for group in groups}


# ── plan ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def planned(
    router: Router,
    taken: Iterable[tuple[int, RequestLike | RouterError]],
    *,
    policy: Policy,
    last: dict[str, Place] | None = None,
) -> tuple[list[Group], list[tuple[int, RouterError]]]:
    """Groups in the order in which they are to run, and what failed before anything was run.

    `last` says what each lane ran last: that comes first, then what is loaded, then the larger group.
    """
    ended: list[tuple[int, RouterError]] = []
    good: list[tuple[int, Request]] = []
    for index, item in taken:
        try:
            if isinstance(item, RouterError):
                raise item
            request = Request.of(item)
            if request.wishes.model is not None:
                router.check_name(request.wishes.model)
            good.append((index, request))
        except RouterError as error:
            ended.append((index, error))
    jobs: list[Job] = []
    for (index, request), profile in zip(good, _profiles([request for _, request in good]), strict=True):
        try:
            if isinstance(profile, RouterError):
                raise profile
            jobs.append(_job(router, index, request, profile, policy, loading_shared=True))
        except RouterError as error:
            ended.append((index, error))
    groups, refused = _grouped(router, jobs, policy)
    return _ordered(groups, last or {}), [*ended, *refused]


def _profiles(requests: list[Request]) -> list[Profile | RouterError]:
    """Read together; when one of them cannot be read, each on its own, so that only that one fails."""
    try:
        return [*inspect_many(requests)]
    except RouterError as error:
        return [error] if len(requests) == 1 else [_profiles([request])[0] for request in requests]


def _job(
    router: Router,
    index: int,
    request: Request,
    profile: Profile,
    policy: Policy,
    *,
    loading_shared: bool = False,
    circumstances: Circumstances | None = None,
) -> Job:
    """A decided request. Raises what `ask` would when nothing can answer it."""
    decision = router.decide(
        request, profile, policy=policy, answering=True, loading_shared=loading_shared, circumstances=circumstances
    )
    ReplyStream(router, request, decision)  # raises when nothing was chosen
    return Job(index, request, decision)


def _grouped(router: Router, jobs: list[Job], policy: Policy) -> tuple[list[Group], list[tuple[int, RouterError]]]:
    """By model. Where too few share the loading of one, each of them is decided again as if it were alone."""
    wanted = Counter(Group(job.build).place for job in jobs)
    groups: dict[Place, Group] = {}
    refused: list[tuple[int, RouterError]] = []
    for job in jobs:
        if not job.build.resident and wanted[Group(job.build).place] < SHARED_FROM:
            try:
                job = _job(router, job.index, job.request, job.decision.profile, policy)
            except RouterError as error:
                refused.append((job.index, error))
                continue
        groups.setdefault(Group(job.build).place, Group(job.build)).jobs.append(job)
    for group in groups.values():
        group.jobs.sort(key=lambda job: (-job.candidate.context_tokens, job.index))
    return list(groups.values()), refused


def _ordered(groups: list[Group], last: Mapping[str, Place]) -> list[Group]:
    def rank(group: Group) -> tuple[bool, bool, int, int]:
        first = min(job.index for job in group.jobs)
        return last.get(group.lane) != group.place, not group.build.resident, -len(group.jobs), first

    return sorted(groups, key=rank)


def _windows(requests: Iterable[T | RouterError], size: int) -> Iterator[list[tuple[int, T | RouterError]]]:
    """Numbered requests, `size` at most and not much more than `WINDOW_CHARS` of text together."""
    window: list[tuple[int, T | RouterError]] = []
    chars = 0
    for numbered in enumerate(requests):
        window.append(numbered)
        chars += _chars(numbered[1])
        if len(window) >= size or chars >= WINDOW_CHARS:
            yield window
            window, chars = [], 0
    if window:
        yield window


def _chars(item: object) -> int:
    if isinstance(item, str):
        return len(item)
    if isinstance(item, Request):
        return sum(len(m.text) + sum(len(a.source) for a in m.attachments) for m in item.messages)
    return 0  # not read yet: bodies with attachments are worth a window of fewer


# ── run ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Run:
    """Answers the groups of one window: lanes side by side, within a lane one group after the other."""

    def __init__(
        self, router: Router, groups: list[Group], *, concurrency: int, check: Check | None, on_group: OnGroup | None
    ) -> None:
        self._router, self._concurrency, self._check, self._on_group = router, concurrency, check, on_group
        self._lanes: dict[str, list[Group]] = defaultdict(list)
        for group in groups:
            self._lanes[group.lane].append(group)
        self._ended: asyncio.Queue[tuple[int, Outcome] | None] = asyncio.Queue()  # never more than the window

    async def results(self) -> AsyncGenerator[tuple[int, Outcome], None]:
        """Leaving early cancels what runs, which frees the engines."""
        running = asyncio.create_task(self._lanes_side_by_side())
        running.add_done_callback(lambda _: self._ended.put_nowait(None))
        try:
            while (ended := await self._ended.get()) is not None:
                yield ended
            await running
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def _lanes_side_by_side(self) -> None:
        async with asyncio.TaskGroup() as lanes:
            for groups in self._lanes.values():
                lanes.create_task(self._lane(groups))

    async def _lane(self, groups: list[Group]) -> None:
        for group in groups:
            if self._on_group is not None:
                self._on_group(group)
            jobs = iter(group.jobs)
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(limit_of(self._router, group.build, self._concurrency), len(group.jobs))):
                    workers.create_task(self._work(jobs))

    async def _work(self, jobs: Iterator[Job]) -> None:
        for job in jobs:
            self._ended.put_nowait((job.index, await self._outcome(job)))

    async def _outcome(self, job: Job) -> Outcome:
        try:
            job = self._still(job)
            decision = self._router.logged(job.request, job.decision)
            return await self._router.aanswered(ReplyStream(self._router, job.request, decision), self._check)
        except RouterError as error:
            return error
        except Exception as error:  # a defect of ours must not take the other thousands with it; it is told as one
            found = f"internal error: {type(error).__name__}: {error}"
            return EngineError(found, fix="report it, with the request if you may", engine=job.build.engine)

    def _still(self, job: Job) -> Job:
        """The job, decided anew if a budget of the day has less left than when it was decided."""
        decision = job.decision
        now = replace(self._router.circumstances(job.request), waiting=())  # who waits there are its own companions
        policy = decision.table.policy
        effect = effect_of(policy, job.request, decision.profile, now)
        if (effect.exhausted, effect.left) == (decision.effect.exhausted, decision.effect.left):
            return job
        return _job(self._router, job.index, job.request, decision.profile, policy, loading_shared=True, circumstances=now)


def limit_of(router: Router, build: Build, concurrency: int) -> int:
    """How many requests its engine gets at once: what it answers side by side, and never more than `concurrency`."""
    engine = router.engine_of(build)
    if build.engine == "ollama":
        own = router.settings.ollama_parallel
    else:
        own = getattr(engine, "parallel", 1 if build.engine in SERIAL else concurrency)
    return max(1, min(own, concurrency))


# ── from blocking code ──────────────────────────────────────────────────────────────────────────────────────────────────


def _finished(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end, in a thread of its own where this one runs an event loop already (a notebook).

    An interrupt cancels it, waits until the engines are free, and is raised then.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    task: asyncio.Task[T] | None = None
    loop: asyncio.AbstractEventLoop | None = None

    async def outer() -> T:
        nonlocal task, loop
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
        return await task

    with ThreadPoolExecutor(1, thread_name_prefix="qwen-router-batch") as pool:
        running = pool.submit(asyncio.run, outer())
        try:
            return running.result()
        except BaseException:
            if loop is not None and task is not None and not loop.is_closed():
                loop.call_soon_threadsafe(task.cancel)
            raise
