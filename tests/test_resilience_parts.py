"""The parts that resilience is made of, each alone and with a clock of its own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate

import pytest

from qwen_router import Request, Router
from qwen_router.cli.ask import ask
from qwen_router.decide import Candidate, Decision
from qwen_router.engines.breaker import LONGEST_REST_S, Breakers
from qwen_router.engines.fake import FakeEngine
from qwen_router.engines.fallback import Retry, Walk
from qwen_router.engines.holders import Holders
from qwen_router.engines.in_flight import InFlight
from qwen_router.engines.wire import retry_after_s
from qwen_router.errors import (
    EngineBusy,
    EngineError,
    EngineRefused,
    EngineTimeout,
    EngineUnreachable,
    InvalidRequest,
)
from qwen_router.policy import Circumstances
from qwen_router.profile import inspect
from qwen_router.settings import Settings
from tests.service_world import LARGE, MACHINE, SMALL

HERE = ("openai", "http://a")
BROKEN = EngineError("it failed", fix="see its log")
SILENT = EngineUnreachable("nobody answers", fix="start it")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


# ── circuit breaker ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_breaker_opens_lets_one_probe_through_and_closes_when_that_succeeds() -> None:
    clock = Clock()
    breakers = Breakers(failures=3, cool_down_s=10, clock=clock)
    for _ in range(3):
        breakers.enter(HERE)
        breakers.failed(HERE, BROKEN)
    with pytest.raises(EngineUnreachable, match=r"left alone: it failed 3 times in a row.*try again in 10 s"):
        breakers.enter(HERE)
    assert breakers.ready_in_s() == 10
    clock.now += 10
    assert breakers.resting() == ()
    breakers.enter(HERE)
    with pytest.raises(EngineUnreachable):  # one at a time
        breakers.enter(HERE)
    breakers.failed(HERE, BROKEN)
    assert [why for *_, why in breakers.resting()] == ["it failed 4 times in a row, the last time with EngineError"]
    clock.now += 10
    breakers.enter(HERE)
    breakers.left(HERE)  # the probe's caller hung up: the next one may try
    breakers.enter(HERE)
    breakers.succeeded(HERE)
    assert breakers.resting() == () and breakers.ready_in_s() is None


def test_successes_in_between_keep_it_closed_and_refusals_say_nothing() -> None:
    breakers = Breakers(failures=2, clock=Clock())
    for _ in range(5):
        breakers.failed(HERE, BROKEN)
        breakers.succeeded(HERE)
        breakers.failed(HERE, EngineRefused("no such model", fix="another"))
    assert breakers.resting() == ()


def test_a_pause_lasts_as_long_as_asked_even_when_others_succeed_and_is_bounded() -> None:
    clock = Clock()
    breakers = Breakers(clock=clock)
    breakers.failed(HERE, EngineBusy("busy", fix="wait", retry_after_s=7))
    breakers.succeeded(HERE)  # one that was under way
    assert len(breakers.resting()) == 1 and breakers.resting(paused=False) == ()
    clock.now += 7
    assert breakers.resting() == ()
    breakers.failed(HERE, EngineBusy("busy", fix="wait", retry_after_s=1e9))
    assert breakers.ready_in_s() == LONGEST_REST_S


def test_a_list_of_models_reopens_an_endpoint_that_was_silent_but_not_one_that_failed() -> None:
    for error, rests in ((SILENT, 0), (BROKEN, 1)):
        breakers = Breakers(failures=1, clock=Clock())
        breakers.failed(HERE, error)
        breakers.seen(HERE)
        assert len(breakers.resting()) == rests


# ── backpressure ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_full_endpoint_makes_wait_and_a_full_queue_turns_away() -> None:
    bounded = InFlight(1, 1)
    entered = threading.Event()

    def second() -> None:
        with bounded.slot(HERE, 10):
            entered.set()

    waiting = threading.Thread(target=second)
    with bounded.slot(HERE, 1):
        waiting.start()
        while bounded.counts() != ((*HERE, 2),):
            pass
        with (
            pytest.raises(EngineBusy, match="takes no more now: 1 requests run and 1 wait") as raised,
            bounded.slot(HERE, 1),
        ):
            pass
        assert raised.value.retry_after_s == 1 and raised.value.http_status == 503 and not raised.value.again
        with bounded.slot(("openai", "http://b"), 0):
            assert not entered.is_set()
    waiting.join(5)
    assert entered.is_set() and bounded.counts() == ()


async def test_waiting_ends_after_its_time_and_leaves_no_trace() -> None:
    bounded = InFlight(1, 5)
    async with bounded.aslot(HERE, 1):
        with pytest.raises(EngineBusy, match=r"no place was free for 0\.01 s"):
            async with bounded.aslot(HERE, 0.01):
                pass
        with pytest.raises(EngineBusy), bounded.slot(HERE, 0.01):
            pass
        assert bounded.counts() == ((*HERE, 1),)
    assert bounded.counts() == ()


async def test_first_come_first_served_and_who_leaves_the_queue_is_skipped() -> None:
    bounded, order = InFlight(1, 10), list[int]()

    async def one(number: int) -> None:
        async with bounded.aslot(HERE, 5):
            order.append(number)
            await asyncio.sleep(0)

    async with bounded.aslot(HERE, 1):
        tasks = [asyncio.create_task(one(number)) for number in range(4)]
        await asyncio.sleep(0.01)
        tasks[1].cancel()
        await asyncio.sleep(0)
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 2, 3] and isinstance(done[1], asyncio.CancelledError) and bounded.counts() == ()


async def test_threads_and_tasks_share_one_bound() -> None:
    bounded, most, running = InFlight(3, 1000), 0, 0
    lock = threading.Lock()

    def count(step: int) -> None:
        nonlocal most, running
        with lock:
            running += step
            most = max(most, running)

    def blocking() -> None:
        with bounded.slot(HERE, 10):
            count(1)
            count(-1)

    async def waiting() -> None:
        async with bounded.aslot(HERE, 10):
            count(1)
            await asyncio.sleep(0.001)
            count(-1)

    threads = [asyncio.to_thread(blocking) for _ in range(40)]
    await asyncio.gather(*threads, *(waiting() for _ in range(40)))
    assert 1 <= most <= 3 and bounded.counts() == ()


# ── who is next ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def decision() -> Iterator[Decision]:
    builds = [replace(build, endpoint=endpoint) for endpoint in ("a", "b") for build in (LARGE, SMALL)]
    engines = [FakeEngine(models=[b for b in builds if b.endpoint == at], endpoint=at) for at in ("a", "b")]
    router = Router(engines=engines, machine=MACHINE, settings=Settings(policy="quality"))
    yield router.route("Prove that the square root of 2 is irrational.", answering=True)
    router.close()


def chain_of(decision: Decision) -> tuple[Candidate, ...]:
    assert decision.chosen is not None
    return (decision.chosen, *decision.twins, *decision.fallbacks)


def names(candidates: tuple[Candidate, ...]) -> list[str]:
    return [f"{candidate.build.name} at {candidate.build.endpoint}" for candidate in candidates]


def test_other_endpoints_of_the_same_model_come_before_other_models(decision: Decision) -> None:
    assert names(chain_of(decision))[:2] == ["qwen3:8b at a", "qwen3:8b at b"]
    assert decision.placed is not None and "at a of 2 endpoints" in decision.reason


def test_a_busy_endpoint_is_asked_again_after_the_others_and_a_refusal_never(decision: Decision) -> None:
    clock = Clock()
    retry = Retry(1, random=lambda: 1.0, clock=clock)
    chain = chain_of(decision)
    walk = Walk(chain, retry=retry, deadline_at=200)
    assert walk.after(EngineBusy("busy", fix="wait", retry_after_s=5)) == 0 and walk.candidate.build.endpoint == "b"
    assert walk.after(BROKEN) == pytest.approx(5.25) and walk.candidate is chain[0]
    assert walk.moves == 0
    alone = Walk(chain[:1], retry=retry, deadline_at=200)
    with pytest.raises(EngineTimeout):
        alone.after(EngineTimeout("slow", fix="wait"))
    short = Walk(chain[:1], retry=retry, deadline_at=104)
    with pytest.raises(EngineBusy):
        short.after(EngineBusy("busy", fix="wait", retry_after_s=5))


def test_jitter_is_anything_up_to_a_bound_that_doubles() -> None:
    retry = Retry(random=lambda: 1.0)
    assert [retry.delay_s(tries, None) for tries in range(7)] == [0.25, 0.5, 1, 2, 4, 8, 8]
    assert Retry(random=lambda: 0.0).delay_s(3, 2.5) == 2.5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("-4", 0.0),
        (formatdate(1_000_060, usegmt=True), 60.0),
        (formatdate(999_000, usegmt=True), 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, now=lambda: 1_000_000.0) == seconds


# ── which endpoint holds the cache ──────────────────────────────────────────────────────────────────────────────────────


def chat(*texts: str, user: str | None = None) -> Request:
    roles = ("user", "assistant")
    messages = [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]
    return replace(Request.of({"messages": messages}), user=user)


def test_the_longest_known_beginning_of_a_conversation_finds_its_holder_for_its_user_only() -> None:
    holders, a, b = Holders(limit=3), (*HERE, "x"), ("openai", "http://b", "x")
    holders.note(chat("hello"), a)
    holders.note(chat("hello", "hi", "what is 2 + 2?"), b)
    assert holders.of(chat("hello", "hi", "what is 3 + 3?")) == a
    assert holders.of(chat("hello", "hi", "what is 2 + 2?", "4", "and 3 + 3?")) == b
    assert holders.of(chat("hello", user="eve")) is None and holders.of(chat("hell", "o")) is None
    for number in range(3):
        holders.note(chat(f"other {number}"), a)
    assert len(holders) == 3 and holders.of(chat("hello")) is None
    assert all(len(key) == 16 for key in holders._held), "digests, no text"


def test_a_holder_that_runs_too_much_more_than_the_idlest_is_passed_over() -> None:
    builds = [replace(LARGE, endpoint=endpoint) for endpoint in ("a", "b")]
    engines = [FakeEngine(models=[build], endpoint=build.endpoint) for build in builds]
    router = Router(engines=engines, machine=MACHINE, settings=Settings())
    request = chat("hello", "hi", "more")
    held = Circumstances(holder=("fake", "b", LARGE.name))

    def placed(now: Circumstances) -> str:
        decision = router.decide(request, inspect(request), policy=router.policy, answering=True, circumstances=now)
        assert decision.chosen is not None
        return decision.chosen.build.endpoint

    assert placed(Circumstances()) == "a" and placed(held) == "b"
    assert placed(replace(held, waiting=(("fake", "b", 2),))) == "b"
    assert placed(replace(held, waiting=(("fake", "b", 3),))) == "a"
    router.close()


# ── what a person sets and sees ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_bounds_are_settings_and_wrong_ones_are_named() -> None:
    environment = {
        "QWEN_ROUTER_CONNECT_S": "2",
        "QWEN_ROUTER_FIRST_S": "30",
        "QWEN_ROUTER_DEADLINE_S": "60",
        "QWEN_ROUTER_RETRIES": "0",
        "QWEN_ROUTER_IN_FLIGHT": "8",
        "QWEN_ROUTER_QUEUE": "0",
    }
    settings = Settings.from_environment(environment)
    assert (settings.connect_s, settings.first_s, settings.deadline_s) == (2, 30, 60)
    assert (settings.retries, settings.in_flight, settings.queue) == (0, 8, 0)
    for name, value in (("CONNECT_S", "0"), ("FIRST_S", "x"), ("RETRIES", "-1"), ("IN_FLIGHT", "0"), ("QUEUE", "1.5")):
        with pytest.raises(InvalidRequest, match=f"QWEN_ROUTER_{name} is '{value}'"):
            Settings.from_environment({f"QWEN_ROUTER_{name}": value})


def test_a_deadline_is_a_wish_of_the_request() -> None:
    assert Request.of({"messages": [{"role": "user", "content": "hi"}], "deadline_s": 2.5}).wishes.deadline_s == 2.5
    with pytest.raises(InvalidRequest, match="deadline_s is 0"):
        Request.of({"messages": [{"role": "user", "content": "hi"}], "deadline_s": 0})


def test_ask_shows_what_came_before_an_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    engine = FakeEngine(("It is four, I think",), models=(SMALL,), fail=EngineError("it broke", fix="again"), fail_after=2)
    router = Router(engines=[engine], machine=MACHINE, settings=Settings())
    monkeypatch.setattr("qwen_router.cli.ask.router_from", lambda **_: router)
    with pytest.raises(EngineError, match="it broke"):
        ask(["What is 2 + 2?"], think=False, as_json=True)
    line = json.loads(capsys.readouterr().out)
    assert line["error"] == "it broke" and line["answer"].startswith("It is") and line["failed_attempts"] == []
