"""Many requests at once: in order, model by model, so many side by side, and none lost to another's failure."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import pytest

from qwen_router.batch import SHARED_FROM, WINDOW, Group, answers, planned
from qwen_router.catalog import Sampling
from qwen_router.engines.base import Call, Event, ThinkingPlan
from qwen_router.engines.fake import FakeEngine
from qwen_router.engines.llamacpp import LlamaCppEngine
from qwen_router.errors import EngineUnreachable, InvalidRequest, NoModelFits, RouterError, UnknownName
from qwen_router.hardware.machine import ServedBuild
from qwen_router.policy import Policy
from qwen_router.reply import Reply
from qwen_router.request import Message, Request
from qwen_router.router import Router
from qwen_router.settings import Settings
from tests.worlds import machine

SMALL, MIDDLE, LARGE = "Qwen/Qwen3-0.6B", "Qwen/Qwen3-4B", "Qwen/Qwen3-8B"
BEST_WITHIN_18_S = Policy.from_yaml("name: best\nobjective: {quality_slack: 0, patience_s: 18}")


def served(model_id: str, *, resident: bool = False, endpoint: str = "fake", engine: Any = "fake") -> ServedBuild:
    name, quant = model_id.rpartition("/")[2].lower(), "bf16" if engine == "transformers" else "q8_0"
    return ServedBuild(engine, endpoint, name, model_id, quant, resident=resident, context_tokens=32768)


THREE = (served(LARGE), served(SMALL, resident=True), served(MIDDLE))


class Echo(FakeEngine):
    """Says what it was asked, after giving way to the others; counts who is there at the same time."""

    def __init__(
        self, *, fail_on: str = "", says: str = "", parallel: int | None = None, name: Any = "fake", **options: Any
    ) -> None:
        super().__init__(**options)
        self.name = name
        self.fail_on, self.says = fail_on, says
        self.at_once = self.most = self.left = 0
        if parallel is not None:
            self.parallel = parallel

    def stream(self, call: Call) -> Iterator[Event]:
        raise AssertionError("a batch streams asynchronously")

    async def astream(self, call: Call) -> AsyncIterator[Event]:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            for _ in range(3):
                await asyncio.sleep(0)
            text = call.messages[-1].text
            if self.fail_on and self.fail_on in text:
                raise EngineUnreachable(f"no answer to {text!r}", fix="start it", engine=self.name)
            inner = FakeEngine([self.says or text], models=[call.model])
            self.calls.append(call)
            for event in inner.stream(call):
                yield event
        except GeneratorExit:
            self.left += 1
            raise
        finally:
            self.at_once -= 1

    @property
    def switches(self) -> int:
        """How often the model changed from one call to the next, the first one counted."""
        names = [call.model for call in self.calls]
        return 1 + sum(a != b for a, b in pairwise(names))


def router(*engines: FakeEngine, **options: Any) -> Router:
    return Router(engines=engines, machine=machine(), settings=Settings(), **options)


def pinned(count: int, *models: str) -> list[dict[str, Any]]:
    """Requests that name the models in turn, as a naive loop would have to swap them."""
    return [{"messages": [f"number {i}"], "model": models[i % len(models)]} for i in range(count)]


def said(outcomes: list[Reply | RouterError]) -> list[str]:
    return [o.answer if isinstance(o, Reply) else type(o).__name__ for o in outcomes]


# ── what comes back ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_outcomes_come_in_the_order_of_the_requests_whatever_ran_first() -> None:
    engine = Echo(models=THREE)
    outcomes = router(engine).batch(pinned(60, LARGE, SMALL, MIDDLE))
    assert said(outcomes) == [f"number {i}" for i in range(60)]
    assert [call.messages[-1].text for call in engine.calls] != said(outcomes)
    assert [o.served_by.build.model.id for o in outcomes[:3] if isinstance(o, Reply)] == [LARGE, SMALL, MIDDLE]


def test_a_request_that_fails_is_an_error_in_its_place_and_the_rest_is_answered() -> None:
    engine = Echo(models=[served(SMALL, resident=True)], fail_on="bad")
    requests = [
        "one",
        {"messages": []},
        "a bad one",
        {"messages": ["three"], "model": "no-such-model"},
        InvalidRequest("line 5 is not JSON", fix="mend it"),
        {"messages": [{"role": "user", "content": [{"type": "audio", "audio": "https://example.org/a.wav"}]}]},
        "six",
    ]
    outcomes = router(engine).batch(requests)
    assert said(outcomes) == [
        "one",
        "InvalidRequest",
        "EngineUnreachable",
        "UnknownName",
        "InvalidRequest",
        "NoModelFits",
        "six",
    ]
    assert isinstance(outcomes[3], UnknownName) and isinstance(outcomes[5], NoModelFits)


def test_a_defect_in_one_request_is_told_as_one_and_does_not_take_the_others_with_it() -> None:
    class Broken(Echo):
        def astream(self, call: Call) -> AsyncIterator[Event]:
            if "7" in call.messages[-1].text:
                raise ZeroDivisionError("of ours")
            return super().astream(call)

    outcomes = router(Broken(models=[served(SMALL, resident=True)])).batch([str(i) for i in range(10)])
    assert [i for i, o in enumerate(outcomes) if isinstance(o, RouterError)] == [7]
    assert "internal error: ZeroDivisionError: of ours" in str(outcomes[7])


def test_on_result_hears_of_each_as_it_ends_with_its_place() -> None:
    heard: dict[int, str] = {}

    def hear(place: int, outcome: Reply | RouterError) -> None:
        assert place not in heard
        heard[place] = outcome.answer if isinstance(outcome, Reply) else ""

    router(Echo(models=THREE)).batch(pinned(9, LARGE, SMALL), on_result=hear)
    assert heard == {i: f"number {i}" for i in range(9)}


def test_nothing_to_do_is_done_at_once_and_a_concurrency_of_nothing_is_refused() -> None:
    assert router(Echo(models=THREE)).batch([]) == []
    with pytest.raises(InvalidRequest, match="concurrency is 0"):
        router(Echo(models=THREE)).batch(["hello"], concurrency=0)


async def test_it_can_be_called_from_within_a_running_loop_as_in_a_notebook() -> None:
    assert said(router(Echo(models=THREE)).batch(pinned(6, SMALL, LARGE))) == [f"number {i}" for i in range(6)]


def test_a_reply_that_fails_the_check_is_asked_for_again_from_a_better_model() -> None:
    engine = FakeEngine(["weak", "strong"], models=[served(SMALL, resident=True), served(LARGE, resident=True)])
    fast = Policy.from_yaml("name: fast\nobjective: {quality_slack: 1}")
    (outcome,) = router(engine, policy=fast).batch(["hello"], check=lambda reply: reply.answer == "strong")
    assert isinstance(outcome, Reply) and outcome.answer == "strong" and len(outcome.failed_attempts) == 1


# ── grouped by model ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_model_is_loaded_once_where_a_loop_would_swap_at_every_request() -> None:
    requests = pinned(300, LARGE, SMALL, MIDDLE)
    looped, batched = FakeEngine(models=THREE), Echo(models=THREE)
    one_by_one = router(looped)
    for request in requests:
        one_by_one.ask(request)
    router(batched).batch(requests)
    assert sum(a.model != b.model for a, b in pairwise(looped.calls)) == 299
    assert batched.switches == 3


def test_what_is_loaded_comes_first_and_a_new_window_begins_with_what_the_last_one_ended_with() -> None:
    async def models_of(window: int) -> list[str]:
        engine = Echo(models=THREE)
        async with aclosing(answers(router(engine), pinned(120, LARGE, SMALL, MIDDLE), window=window)) as ended:
            assert len([place async for place, _ in ended]) == 120
        return [call.model for i, call in enumerate(engine.calls) if i == 0 or call.model != engine.calls[i - 1].model]

    assert asyncio.run(models_of(120)) == ["qwen3-0.6b", "qwen3-8b", "qwen3-4b"]
    assert len(asyncio.run(models_of(60))) == 5  # three, and the second window finds one of them loaded


def test_the_longest_context_of_a_model_comes_first_so_that_its_window_is_opened_once() -> None:
    requests = [{"messages": [("user", "word " * length)], "model": MIDDLE} for length in (10, 9000, 50, 3000)]
    groups, ended = planned(router(Echo(models=THREE)), enumerate(requests), policy=Policy.load("balanced"))
    assert not ended and len(groups) == 1
    windows = [job.candidate.context_tokens for job in groups[0].jobs]
    assert windows == sorted(windows, reverse=True) and len(set(windows)) > 1
    assert [job.index for job in groups[0].jobs][:2] == [1, 3]


def test_many_requests_share_the_loading_of_a_better_model_and_few_do_not() -> None:
    walk = router(Echo(models=[served(SMALL, resident=True), served(MIDDLE)]), policy=BEST_WITHIN_18_S)
    alone = walk.route("hello")
    assert alone.chosen is not None and alone.chosen.build.model.id == SMALL

    def models(count: int) -> set[str]:
        return {o.served_by.build.model.id for o in walk.batch(["hello"] * count) if isinstance(o, Reply)}

    assert models(SHARED_FROM - 1) == {SMALL}
    assert models(SHARED_FROM) == {MIDDLE}


def test_engines_that_load_on_this_computer_take_turns_and_servers_run_beside_them() -> None:
    def lane(engine: Any, endpoint: str) -> str:
        (build,) = router(FakeEngine(models=[served(SMALL, engine=engine, endpoint=endpoint)])).builds("serving")
        return Group(build).lane

    here = lane("llamacpp", "in process")
    assert lane("transformers", "in process") == lane("ollama", "http://127.0.0.1:11434") == here
    assert len({here, lane("ollama", "http://10.0.0.7:11434"), lane("openai", "http://127.0.0.1:8000/v1")}) == 3


# ── so many at once ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("engine", "concurrency", "most"),
    [
        pytest.param({}, 5, 5, id="a-server-gets-as-many-as-asked-for"),
        pytest.param({"parallel": 3}, 8, 3, id="an-engine-that-says-how-many-it-takes"),
        pytest.param({"parallel": 3}, 2, 2, id="never-more-than-asked-for"),
        pytest.param({"name": "transformers"}, 8, 1, id="one-by-one-in-process"),
        pytest.param({"name": "ollama"}, 8, 1, id="one-by-one-in-ollama"),
    ],
)
def test_an_engine_gets_no_more_requests_at_once_than_it_answers_side_by_side(
    engine: dict[str, Any], concurrency: int, most: int
) -> None:
    name = engine.get("name", "fake")
    echo = Echo(models=[served(SMALL, resident=True, engine=name)], **engine)
    outcomes = router(echo).batch([str(i) for i in range(40)], concurrency=concurrency)
    assert said(outcomes) == [str(i) for i in range(40)]
    assert echo.most == most


def test_ollama_gets_as_many_as_its_own_variable_says() -> None:
    settings = Settings.from_environment({"OLLAMA_NUM_PARALLEL": "4"})
    echo = Echo(models=[served(SMALL, resident=True, engine="ollama")], name="ollama")
    Router(engines=[echo], machine=machine(), settings=settings).batch([str(i) for i in range(20)])
    assert echo.most == 4
    for nothing_said in ("0", "", "many"):
        assert Settings.from_environment({"OLLAMA_NUM_PARALLEL": nothing_said}).ollama_parallel == 1
    with pytest.raises(InvalidRequest, match="QWEN_ROUTER_PARALLEL is '0'"):
        Settings.from_environment({"QWEN_ROUTER_PARALLEL": "0"})


def test_thousands_are_read_a_window_at_a_time() -> None:
    read = ended = 0
    ahead = []

    def requests() -> Iterator[str]:
        nonlocal read
        for number in range(3000):
            read += 1
            yield str(number)

    def count(_place: int, _outcome: Reply | RouterError) -> None:
        nonlocal ended
        ended += 1
        ahead.append(read - ended)

    outcomes = router(Echo(models=[served(SMALL, resident=True)])).batch(requests(), on_result=count)
    assert said(outcomes) == [str(i) for i in range(3000)]
    assert max(ahead) < WINDOW


# ── stopped ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_leaving_early_stops_what_runs_and_asks_nothing_more() -> None:
    engine = Echo(models=[served(SMALL, resident=True)])
    async with aclosing(router(engine).abatch([str(i) for i in range(500)], concurrency=4)) as ended:
        async for _ in ended:
            break
    asked = len(engine.calls)
    assert engine.at_once == 0 and asked <= 8
    await asyncio.sleep(0.02)
    assert len(engine.calls) == asked


async def test_an_error_of_the_caller_s_own_goes_through_and_the_engine_is_free() -> None:
    engine = Echo(models=[served(SMALL, resident=True)])

    def full(_place: int, _outcome: Reply | RouterError) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        router(engine).batch([str(i) for i in range(100)], on_result=full)
    assert engine.at_once == 0 and len(engine.calls) < 100


def test_a_budget_of_the_day_that_runs_out_in_the_middle_refuses_the_rest_as_a_loop_would() -> None:
    capped = Policy.from_yaml("name: capped\nbudgets: {per_day: {tokens: 2500}}")
    requests = [{"messages": ["say " + "very " * 150 + str(i)], "think": False} for i in range(30)]

    def loop(walk: Router) -> Iterator[bool]:
        for request in requests:
            try:
                walk.ask(request)
                yield True
            except NoModelFits:
                yield False

    one_by_one = list(loop(router(FakeEngine(["word " * 200], models=[served(SMALL, resident=True)]), policy=capped)))
    echo = Echo(models=[served(SMALL, resident=True)], says="word " * 200)
    outcomes = router(echo, policy=capped).batch(requests, concurrency=1)
    assert [isinstance(o, Reply) for o in outcomes] == one_by_one
    assert 0 < sum(one_by_one) < 30 and one_by_one[0] and isinstance(outcomes[-1], NoModelFits)


# ── a real engine ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_llama_cpp_in_process_answers_side_by_side_with_one_loading() -> None:
    engine = LlamaCppEngine(parallel=3)
    at_once = most = 0
    lock = threading.Lock()
    plain = engine.stream

    def counted(call: Call) -> Iterator[Event]:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        try:
            yield from plain(call)
        finally:
            with lock:
                at_once -= 1

    engine.stream = counted  # type: ignore[method-assign]
    sums = [(a, a + 13) for a in range(20, 44)]
    greedy = [{"messages": [f"{a} + {b}?"], "temperature": 0, "think": False} for a, b in sums]
    walk = Router(engines=[engine], settings=Settings(), machine=machine())
    outcomes = walk.batch(greedy)
    walk.close()
    replies = [o for o in outcomes if isinstance(o, Reply)]
    assert len(replies) == len(sums) and most == 3
    assert sum(bool(r.timings.load_s and r.timings.load_s > 0.001) for r in replies) >= 1
    right = sum(str(a + b) in r.answer for (a, b), r in zip(sums, replies, strict=True))
    assert right >= 20, [r.answer for r in replies]


def test_a_loaded_model_is_known_by_the_window_that_is_open_so_that_it_is_not_loaded_again_with_its_longest() -> None:
    engine = LlamaCppEngine(parallel=2)
    first = Call(
        model=engine.installed()[0].name,
        messages=(Message("user", "12 + 30?"),),
        thinking=ThinkingPlan(enabled=False),
        behaviour="toggle",
        sampling=Sampling(temperature=0),
        max_answer_tokens=20,
        context_tokens=1024,
    )
    assert list(engine.stream(first))
    (seen,) = engine.installed()
    assert seen.resident and (seen.open_tokens, seen.context_tokens) == (1024, 2048)
    walk = Router(engines=[engine], settings=Settings(), machine=machine())
    (again,) = walk.batch([{"messages": ["12 + 31?"], "think": False, "max_tokens": 50}])
    walk.close()
    assert isinstance(again, Reply) and again.served_by.context_tokens == 1024 and again.timings.load_s == 0.0


def test_every_slot_of_llama_cpp_has_the_whole_window_of_its_call() -> None:
    long = "word " * 900  # most of a window of 1,024, and more than a third of it
    engine = LlamaCppEngine(parallel=3)
    walk = Router(engines=[engine], settings=Settings(), machine=machine())
    outcomes = walk.batch([Request.from_text(f"{long} {i}") for i in range(3)])
    walk.close()
    assert [type(o) for o in outcomes] == [Reply] * 3
    assert all(o.usage.prompt_tokens and o.usage.prompt_tokens > 900 for o in outcomes if isinstance(o, Reply))
