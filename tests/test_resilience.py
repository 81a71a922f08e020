"""What a caller gets when a server fails: another's answer that says so, or one named error, in time and never twice."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from qwen_router import Policy, Router
from qwen_router.engines.base import Done, Engine, Event, Text
from qwen_router.engines.breaker import Breakers
from qwen_router.engines.fallback import Retry
from qwen_router.engines.ollama import OllamaEngine
from qwen_router.engines.openai import OpenAIEngine
from qwen_router.errors import EngineBusy, EngineError, EngineNonsense, EngineTimeout, EngineUnreachable
from qwen_router.reply import Reply
from qwen_router.service import create_app
from qwen_router.settings import Settings
from tests.servers.faulty import fault, make_faulty, said
from tests.servers.loopback import Answer, Asked, LoopbackServer
from tests.servers.ollama_server import OllamaServer
from tests.servers.openai_server import openai_server
from tests.servers.script import Say
from tests.service_world import MACHINE, SUM
from tests.service_world import ask as ask_service

pytestmark = pytest.mark.loopback
PLAIN = Policy.from_yaml("name: plain\nthinking: {mode: off}\nfallback: {attempts: 2}")
PROTOCOLS = ("openai", "ollama")


@dataclass
class World:
    """A router on two servers of the same model, of which the first is asked first. `waits` are the pauses it made."""

    router: Router
    servers: list[LoopbackServer]
    waits: list[float] = field(default_factory=list)

    def chats(self, server: int) -> int:
        return sum("messages" in body for body in self.servers[server].bodies)

    def ask(self, *, deadline_s: float | None = None) -> Reply:
        return self.router.ask(new_question(deadline_s))

    async def aask(self, *, deadline_s: float | None = None) -> Reply:
        return await self.router.aask(new_question(deadline_s))


_questions = itertools.count(1)


def new_question(deadline_s: float | None = None) -> dict[str, Any]:
    """A conversation that nobody has seen yet."""
    asked = {"messages": [{"role": "user", "content": f"What is 2 + {next(_questions)}?"}]}
    return asked if deadline_s is None else {**asked, "deadline_s": deadline_s}


@contextmanager
def world(
    *faults: Callable[[Asked], Answer | None], protocol: str = "openai", healthy: bool = True, **settings: Any
) -> Iterator[World]:
    """`faults` are those of the first server, one a chat, the last for ever after; the second is healthy or not there."""
    make: Callable[..., LoopbackServer] = openai_server if protocol == "openai" else OllamaServer
    engine_of: Callable[[str], Engine] = OpenAIEngine if protocol == "openai" else OllamaEngine
    with ExitStack() as stack:
        found = [stack.enter_context(make(Say(content="four"))) for _ in range(2)]
        servers = sorted(found, key=lambda server: server.url)[: 2 if healthy else 1]
        left = list(faults)
        make_faulty(servers[0], lambda asked: (left.pop(0) if len(left) > 1 else left[0])(asked) if left else None)
        bounds = Settings(**{"timeout_s": 5.0, "connect_s": 1.0, "deadline_s": 20.0, "decision_log": None, **settings})
        router = Router(engines=[engine_of(s.url) for s in servers], machine=MACHINE, policy=PLAIN, settings=bounds)
        here = World(router, servers)

        async def asleep(wait_s: float) -> None:
            here.waits.append(wait_s)

        def clock() -> float:  # nobody sleeps, and yet it is later afterwards
            return time.monotonic() + sum(here.waits)

        router.retry = Retry(bounds.retries, random=lambda: 0.5, clock=clock, sleep=here.waits.append, asleep=asleep)
        router.breakers = Breakers(clock=clock)
        try:
            yield here
        finally:
            router.close()


def always(kind: str, *, after: str = "") -> Callable[[Asked], Answer | None]:
    return lambda asked: fault(kind, asked, after=after)


def fine(asked: Asked) -> None:
    return None


def bound_s(kind: str) -> float:
    """Short where a test waits for it to pass, long where a busy machine must not reach it."""
    return 0.2 if kind in ("hangs", "is silent") else 10.0


BEFORE = [
    ("is silent", "is too slow"),
    ("hangs", "is too slow"),
    ("cuts at once", "the connection broke"),
    ("resets", "the connection broke"),
    ("ends", ""),
    ("half a character", "not UTF-8"),
    ("invalid JSON", "not JSON"),
    ("a line of 100 MB", "a line of more than 4 MiB"),
    ("429", "HTTP 429: slow down"),
    ("503", "HTTP 503: loading model"),
    ("500", "CUDA out of memory"),
    ("wrong model", "HTTP 404" ),
]  # fmt: skip


# ── before the first byte ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("kind", "words"), BEFORE, ids=[kind for kind, _ in BEFORE])
async def test_before_the_first_byte_another_endpoint_answers_and_the_reply_says_why(
    kind: str, words: str, protocol: str
) -> None:
    with world(always(kind), protocol=protocol, timeout_s=bound_s(kind)) as here:
        for reply in (here.ask(), await here.aask()):
            assert reply.answer == "four" and reply.served_by.build.endpoint == here.servers[1].url
            (why,) = reply.failed_attempts
            assert here.servers[0].url in why and (words in why or protocol == "ollama")
        assert here.chats(0) == 2 and here.chats(1) == 2 and here.waits == []


async def test_a_server_that_refuses_connections_is_passed_over() -> None:
    with world(fine) as here:
        here.router.served()
        here.router.close()  # of the connections that are kept
        here.servers[0].__exit__(None)
        for reply in (here.ask(), await here.aask()):
            assert reply.answer == "four" and "does not answer" in reply.failed_attempts[0]


def test_another_model_steps_in_where_no_other_endpoint_has_this_one() -> None:
    small, large = "Qwen3-1.7B-Q4_K_M.gguf", "Qwen3-8B-Q4_K_M.gguf"
    with openai_server(Say(content="four"), models=(small, large)) as server:
        make_faulty(server, lambda asked: fault("500", asked) if asked.body["model"] == large else None)
        router = Router(engines=[OpenAIEngine(server.url)], machine=MACHINE, settings=Settings(policy="quality"))
        reply = router.ask({**new_question(), "think": False})
        assert reply.answer == "four" and reply.served_by.build.name == small
        assert reply.decision.chosen is not None and reply.decision.chosen.build.name == large
        assert "CUDA out of memory" in reply.failed_attempts[0]
        router.close()


# ── after the first byte ────────────────────────────────────────────────────────────────────────────────────────────────

AFTER = [
    ("hangs", EngineTimeout),
    ("resets", EngineError),
    ("ends", EngineError),
    ("half a character", EngineNonsense),
    ("invalid JSON", EngineNonsense),
    ("a line of 100 MB", EngineNonsense),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("kind", "error"), AFTER, ids=[kind for kind, _ in AFTER])
async def test_after_the_first_byte_nobody_starts_over_and_the_error_has_what_came(
    kind: str, error: type[EngineError], protocol: str
) -> None:
    with world(always(kind, after="It is"), protocol=protocol, timeout_s=bound_s(kind)) as here:
        with pytest.raises(error) as blocking:
            here.ask()
        with pytest.raises(error) as waiting:
            await here.aask()
        for raised in (blocking, waiting):
            assert raised.value.partial is not None and raised.value.partial.answer == "Itis"
            assert raised.value.endpoint == here.servers[0].url
        assert here.chats(0) == 2 and here.chats(1) == 0


# ── retries ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def saying(status: int, retry_after: str) -> Callable[[Asked], Answer | None]:
    return lambda asked: Answer(status=status, body=(b"busy",), headers={"retry-after": retry_after})


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_honoured_with_jitter_on_top(status: int, protocol: str) -> None:
    with world(saying(status, "3"), fine, protocol=protocol, healthy=False) as here:
        assert here.ask().answer == "four"
        assert here.chats(0) == 2 and len(here.waits) == 1 and here.waits[0] == pytest.approx(3 + 0.125, abs=0.01)
    with world(saying(status, "3"), fine, protocol=protocol, healthy=False) as here:
        assert (await here.aask()).answer == "four" and here.waits[0] == pytest.approx(3 + 0.125, abs=0.01)


def test_a_pause_beyond_the_deadline_is_not_waited_for() -> None:
    with world(saying(429, "60"), healthy=False) as here:
        with pytest.raises(EngineBusy) as raised:
            here.ask(deadline_s=5)
        assert raised.value.retry_after_s == 60 and here.waits == [] and here.chats(0) == 1


def test_a_server_that_is_busy_is_asked_again_as_often_as_allowed_with_growing_waits() -> None:
    with world(always("503"), healthy=False, retries=3) as here:
        with pytest.raises(EngineBusy):
            here.ask()
        assert here.chats(0) == 4 and here.waits == pytest.approx([0.125, 0.25, 0.5], abs=0.01)


@pytest.mark.parametrize("kind", ["hangs", "half a character", "invalid JSON", "500", "wrong model"])
def test_what_a_second_try_would_only_do_twice_is_not_tried_again(kind: str) -> None:
    with world(always(kind), healthy=False, timeout_s=bound_s(kind)) as here:
        with pytest.raises(EngineError):
            here.ask()
        assert here.chats(0) == 1 and here.waits == []


# ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def dripping(asked: Asked) -> Answer:
    pieces = [part for _ in range(60) for part in (said(asked.path, asked.body["model"], "x"), 0.05)]
    return Answer(body=pieces, content_type="text/event-stream" if asked.path != "/api/chat" else "application/x-ndjson")


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_whole_reply_has_a_deadline_and_the_server_is_let_go(protocol: str) -> None:
    for asynchronous in (False, True):
        with world(dripping, protocol=protocol) as here:
            started = time.monotonic()
            with pytest.raises(EngineTimeout, match=r"not there within 0\.2 s") as raised:
                await here.aask(deadline_s=0.2) if asynchronous else here.ask(deadline_s=0.2)
            assert time.monotonic() - started < 2.5, "three seconds is what the server would have taken"
            assert raised.value.partial is not None and "x" in raised.value.partial.answer
            assert here.servers[0].left_early.wait(2) and here.chats(1) == 0
            assert here.router.breakers.resting() == (), "our own patience is nobody's fault"


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_silent_server_is_left_at_the_deadline_even_by_a_blocking_reader(protocol: str) -> None:
    for asynchronous in (False, True):
        with world(always("hangs", after="It is"), protocol=protocol, timeout_s=30.0) as here:
            with pytest.raises(EngineTimeout, match="not there within"):
                await here.aask(deadline_s=0.2) if asynchronous else here.ask(deadline_s=0.2)


def test_the_first_token_has_a_bound_of_its_own() -> None:
    slow_to_begin = Answer(body=[0.3, b"data: [DONE]\n\n"], content_type="text/event-stream")
    with world(lambda asked: slow_to_begin, timeout_s=30.0, first_s=0.1) as here:
        assert "is too slow" in here.ask().failed_attempts[0]

    def slow_between(asked: Asked) -> Answer:
        word = said(asked.path, asked.body["model"], "x")
        return Answer(body=[word, 0.2, word, b"data: [DONE]\n\n"], content_type="text/event-stream")

    with world(slow_between, timeout_s=30.0, first_s=0.1) as here:
        assert here.ask().answer == "xx"


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_caller_who_takes_his_time_over_a_piece_is_not_taken_for_a_slow_server(protocol: str) -> None:
    with world(fine, protocol=protocol, timeout_s=0.1) as here:
        stream = here.router.stream(new_question())
        for position, _ in enumerate(stream):
            time.sleep(0.2 if not position else 0)
        assert stream.reply.answer == "four"
        waiting = await here.router.astream(new_question())
        position = 0
        async for _ in waiting:
            await asyncio.sleep(0.2 if not position else 0)
            position += 1
        assert waiting.reply.answer == "four"


# ── cancellation ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_leaving_early_closes_the_connection_and_frees_the_place(protocol: str) -> None:
    with world(dripping, protocol=protocol) as here:
        events = iter(here.router.stream(new_question()))
        assert isinstance(next(events), Text) and here.router.in_flight.counts()
        events.close()  # type: ignore[attr-defined]
        assert here.servers[0].left_early.wait(2) and here.router.in_flight.counts() == ()
    with world(dripping, protocol=protocol) as here:
        task = asyncio.create_task(here.aask())
        while not here.router.in_flight.counts() or not here.chats(0):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(here.servers[0].left_early.wait, 2) and here.router.in_flight.counts() == ()


# ── circuit, backpressure, choice of endpoint ───────────────────────────────────────────────────────────────────────────


def test_an_endpoint_that_keeps_failing_is_left_alone_until_a_probe_succeeds() -> None:
    with world(*[always("500")] * 5, fine) as here:
        for _ in range(8):
            assert here.ask().answer == "four"
        assert here.chats(0) == 5
        decision = here.router.route(new_question(), answering=True)
        rests = [verdict for verdict in decision.verdicts() if verdict.cause == "endpoint"]
        assert rests and "it failed 5 times in a row" in rests[0].reason
        here.waits.append(11.0)  # time goes by
        assert here.ask().failed_attempts == () and here.chats(0) == 6
        assert here.router.breakers.resting() == ()


def test_when_all_rest_the_error_says_so_and_when_to_come_again() -> None:
    with world(always("500"), healthy=False) as here:
        for _ in range(5):
            with pytest.raises(EngineError, match="CUDA"):
                here.ask()
        with pytest.raises(EngineUnreachable, match="left alone") as raised:
            here.ask()
        assert here.chats(0) == 5 and 0 < (raised.value.retry_after_s or 0) <= 10


def test_a_pause_that_was_asked_for_sends_the_next_caller_elsewhere_at_once() -> None:
    with world(saying(429, "60"), fine) as here:
        assert len(here.ask().failed_attempts) == 1
        assert here.ask().failed_attempts == () and here.chats(0) == 1 and here.chats(1) == 2


async def test_requests_spread_over_endpoints_by_load() -> None:
    with world(fine) as here:
        streams = []
        held: list[Iterator[Event]] = []
        for _ in range(4):
            stream = here.router.stream(new_question())
            events = iter(stream)
            next(events)
            held.append(events)
            streams.append(stream)
        assert (here.chats(0), here.chats(1)) == (2, 2)
        whys = [stream.decision.placed for stream in streams]
        assert whys[0] is not None and whys[0].endswith("none is less busy")
        assert whys[1] is not None and whys[1].endswith("0 of our requests run there, 1 at the next")
        for events in held:
            assert isinstance(list(events)[-1], Done)


def test_a_conversation_returns_to_the_endpoint_that_holds_its_cache() -> None:
    with world(fine) as here:
        first = iter(here.router.stream(new_question()))
        next(first)  # the first server is busy now
        other = {"messages": [{"role": "user", "content": "Name a prime above 90, please."}]}
        reply = here.router.ask(other)
        assert reply.served_by.build.endpoint == here.servers[1].url
        list(first)
        turns = [*other["messages"], {"role": "assistant", "content": reply.answer}, {"role": "user", "content": "Another?"}]
        again = here.router.ask({"messages": turns})
        assert again.served_by.build.endpoint == here.servers[1].url
        assert "it answered this conversation before" in again.decision.reason


def test_health_is_known_without_a_request_of_its_own() -> None:
    with world(fine) as here:
        here.ask()
        before = len(here.servers[0].asked)
        for _ in range(10):
            here.ask()
        paths = [asked.path for asked in here.servers[0].asked[before:]]
        assert paths == ["/v1/chat/completions"] * 10


def test_a_server_that_answers_with_another_model_is_named() -> None:
    def another(asked: Asked) -> Answer:
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        body = [said(asked.path, "Qwen3-0.6B", "four"), b"data: " + json.dumps(end).encode() + b"\n\n", b"data: [DONE]\n\n"]
        return Answer(body=body, content_type="text/event-stream")

    with world(another) as here:
        (violation,) = here.ask().violations
        assert violation.kind == "other_model" and "answered by Qwen3-0.6B" in violation.detail


# ── the service ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_service_marks_a_fallback_in_headers_and_body() -> None:
    with world(always("500")) as here:
        app = create_app(here.router)
        response = await ask_service(app, "/v1/chat/completions", {**SUM, **new_question()})
        assert response.status_code == 200 and response.headers["x-qwen-router-failed-attempts"] == "1"
        assert "CUDA out of memory" in response.json()["router"]["failed_attempts"][0]
        streamed = await ask_service(app, "/api/chat", {**SUM, **new_question()})
        assert streamed.headers["x-qwen-router-failed-attempts"] == "1"
        assert "CUDA" in json.loads(streamed.text.splitlines()[-1])["router"]["failed_attempts"][0]
    with world(fine) as here:
        response = await ask_service(create_app(here.router), "/v1/chat/completions", {**SUM, **new_question()})
        assert "x-qwen-router-failed-attempts" not in response.headers


async def test_the_service_says_when_to_come_again() -> None:
    with world(saying(429, "7"), healthy=False, deadline_s=5.0) as here:
        response = await ask_service(create_app(here.router), "/v1/chat/completions", {**SUM, **new_question()})
        assert (response.status_code, response.headers["retry-after"]) == (503, "7")
        assert response.json()["error"]["code"] == "engine_busy"
    with world(dripping, healthy=False, in_flight=1, queue=0) as here:
        events = iter(here.router.stream(new_question()))
        next(events)
        response = await ask_service(create_app(here.router), "/api/chat", {**SUM, **new_question()})
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert "takes no more now: 1 requests run and 0 wait" in response.json()["error"]
        events.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("kind", "status"), [("hangs", 504), ("invalid JSON", 502), ("500", 502), ("503", 503)])
async def test_each_failure_has_its_status_in_the_service(kind: str, status: int) -> None:
    with world(always(kind), healthy=False, timeout_s=bound_s(kind)) as here:
        assert (await ask_service(create_app(here.router), "/v1/chat/completions", SUM)).status_code == status
