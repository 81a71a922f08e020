"""Clients live as long as their engine: one for all threads, one for every event loop, none left open at the end."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from qwen_router.catalog.types import Sampling
from qwen_router.engines.base import Call, Engine, Text, ThinkingPlan
from qwen_router.engines.clients import PerLoop, Shared
from qwen_router.engines.ollama import OllamaEngine
from qwen_router.engines.openai import OpenAIEngine
from qwen_router.request import Message
from tests.servers.loopback import LoopbackServer
from tests.servers.ollama_server import OllamaServer
from tests.servers.openai_server import openai_server
from tests.servers.script import Say


@dataclass(eq=False)
class Thing:
    """Notes whether, and in which loop, it was closed."""

    closed_in: list[object] = field(default_factory=list)

    def close(self) -> None:
        self.closed_in.append(None)

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closed_in.append(asyncio.get_running_loop())


def per_loop() -> tuple[PerLoop[Thing], list[Thing]]:
    made: list[Thing] = []

    def make() -> Thing:
        made.append(Thing())
        return made[-1]

    return PerLoop(make, lambda thing: thing.aclose()), made


def test_threads_share_one_client_until_it_is_closed() -> None:
    made: list[Thing] = []

    def make() -> Thing:
        made.append(Thing())
        return made[-1]

    shared = Shared(make, Thing.close)
    with ThreadPoolExecutor(8) as pool:
        assert len({id(shared.get()) for _ in pool.map(lambda _: shared.get(), range(64))}) == 1
    shared.close()
    shared.close()
    assert [thing.closed_in for thing in made] == [[None]]
    assert shared.get() is not made[0]


def test_a_loop_has_one_client_and_closes_it_at_its_end() -> None:
    clients, made = per_loop()

    async def asked() -> asyncio.AbstractEventLoop:
        got = await asyncio.gather(*(clients.get() for _ in range(16)))
        assert len(set(got)) == 1
        assert not got[0].closed_in
        return asyncio.get_running_loop()

    loops = [asyncio.run(asked()) for _ in range(3)]
    assert [thing.closed_in for thing in made] == [[loop] for loop in loops]
    assert not clients._held
    clients.close()


def test_close_reaches_a_loop_that_stands_still_at_once() -> None:
    clients, (loop, made) = per_loop()[0], (asyncio.new_event_loop(), None)
    thing = loop.run_until_complete(clients.get())
    clients.close()
    assert (made, thing.closed_in) == (None, [loop])
    clients.close()
    loop.close()


async def test_close_within_a_loop_is_done_by_that_loop_soon() -> None:
    clients, made = per_loop()
    await clients.get()
    clients.close()
    again = await clients.get()
    for _ in range(5):
        await asyncio.sleep(0)
    assert made[0].closed_in == [asyncio.get_running_loop()]
    assert again is made[1] and not again.closed_in
    clients.close()
    for _ in range(5):
        await asyncio.sleep(0)
    assert again.closed_in


def test_close_from_another_thread_is_done_by_the_loop_that_runs() -> None:
    clients, made = per_loop()
    ready, over = threading.Event(), threading.Event()

    async def work() -> None:
        await clients.get()
        ready.set()
        while not made[0].closed_in:
            await asyncio.sleep(0.001)
        over.set()

    thread = threading.Thread(target=asyncio.run, args=(work(),))
    thread.start()
    assert ready.wait(10)
    clients.close()
    thread.join(10)
    assert over.is_set() and len(made[0].closed_in) == 1


def test_a_loop_that_was_closed_bare_is_forgotten() -> None:
    clients, made = per_loop()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(clients.get())
    loop.close()
    asyncio.run(_get(clients))
    assert len(made) == 2 and not clients._held
    clients.close()


async def _get(clients: PerLoop[Thing]) -> None:
    await clients.get()


# ── the engines ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def call_of(model: str) -> Call:
    return Call(
        model=model,
        messages=(Message("user", "2 + 2?"),),
        thinking=ThinkingPlan(False),
        behaviour="toggle",
        sampling=Sampling(temperature=0.6),
        max_answer_tokens=64,
        context_tokens=1024,
        timeout_s=30.0,
    )


def serving(protocol: str) -> tuple[LoopbackServer, str]:
    if protocol == "ollama":
        return OllamaServer(Say(content="It is 4.")), "qwen3:8b"
    return openai_server(Say(content="It is 4.")), "Qwen3-8B-Q4_K_M.gguf"


def engine_at(protocol: str, url: str) -> Engine:
    return OllamaEngine(url) if protocol == "ollama" else OpenAIEngine(url)


def said(engine: Engine, model: str) -> str:
    return "".join(event.text for event in engine.stream(call_of(model)) if isinstance(event, Text))


async def asaid(engine: Engine, model: str) -> str:
    return "".join([event.text async for event in engine.astream(call_of(model)) if isinstance(event, Text)])


async def many(engine: Engine, model: str, count: int) -> set[str]:
    return set(await asyncio.gather(*(asaid(engine, model) for _ in range(count))))


def in_a_loop(engine: Engine, model: str, count: int) -> set[str]:
    return asyncio.run(many(engine, model, count))


@pytest.mark.loopback
@pytest.mark.parametrize("protocol", ["ollama", "openai"])
def test_one_engine_answers_in_many_threads_and_loops_and_leaves_nothing_open(protocol: str) -> None:
    server, model = serving(protocol)
    with server:
        engine = engine_at(protocol, server.url)
        with ThreadPoolExecutor(8) as pool:
            blocking = [pool.submit(said, engine, model) for _ in range(8)]
            loops = [pool.submit(in_a_loop, engine, model, 6) for _ in range(4)]
            assert {future.result(60) for future in blocking} == {"It is 4."}
            assert all(future.result(60) == {"It is 4."} for future in loops)
        assert asyncio.run(asaid(engine, model)) == "It is 4."
        engine.close()
        assert said(engine, model) == "It is 4."  # a closed engine opens again when it is asked
        engine.close()
        del engine
        gc.collect()  # an unclosed connection would warn here, and warnings are errors


@pytest.mark.loopback
@pytest.mark.parametrize("protocol", ["ollama", "openai"])
async def test_closing_an_engine_within_a_loop_leaves_nothing_open(protocol: str) -> None:
    server, model = serving(protocol)
    with server:
        engine = engine_at(protocol, server.url)
        assert await many(engine, model, 4) == {"It is 4."}
        engine.close()
        await asyncio.sleep(0.05)
        del engine
        gc.collect()


@pytest.mark.loopback
@pytest.mark.parametrize("protocol", ["ollama", "openai"])
def test_an_engine_that_is_closed_after_its_loop_left_nothing_open_there(protocol: str) -> None:
    server, model = serving(protocol)
    with server:
        engine = engine_at(protocol, server.url)
        asyncio.run(many(engine, model, 3))
        engine.close()  # reaches the blocking client only: that loop is closed
        del engine
        gc.collect()
