"""The whole walk over scripted engines: who is asked, what they are asked, what happens when they fail."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qwen_router.catalog import Catalog
from qwen_router.decide import decision_line
from qwen_router.engines.base import Call, Done, Event, Reasoning, Text
from qwen_router.engines.fake import FakeEngine
from qwen_router.errors import EngineUnreachable, InvalidRequest, NoModelFits, UnknownName
from qwen_router.hardware.machine import ServedBuild
from qwen_router.media import Attachment
from qwen_router.policy import Policy
from qwen_router.request import Message, Request, ToolSpec, Wishes
from qwen_router.router import FRESH_S, Router
from qwen_router.settings import Endpoint, Settings
from tests.worlds import machine

BEST = Policy.from_yaml("name: best\nobjective: {quality_slack: 0}")
DOWN = EngineUnreachable("nobody answers", fix="start it", engine="fake", endpoint="a")


def served(model_id: str, *, endpoint: str = "fake", resident: bool = True) -> ServedBuild:
    return ServedBuild(
        "fake", endpoint, model_id.rpartition("/")[2].lower(), model_id, "q8_0", resident=resident, context_tokens=32768
    )


def router(*engines: FakeEngine, **options: Any) -> Router:
    return Router(
        engines=engines or (FakeEngine(models=[served("Qwen/Qwen3-8B")]),), machine=machine(), settings=Settings(), **options
    )


def test_route_without_a_served_model_is_advice_over_the_whole_catalog() -> None:
    decision = router(FakeEngine(models=[])).route("Prove that there are infinitely many primes.")
    assert decision.scope == "advice" and decision.chosen is not None
    assert not decision.chosen.build.installed and decision.chosen.build.how_to_get
    assert {v.candidate.build.model.id for v in decision.verdicts()} > {"Qwen/Qwen3-8B", "Qwen/Qwen2.5-Coder-7B-Instruct"}
    assert not any(v.candidate.build.model.demo for v in decision.verdicts())


def test_a_served_model_turns_advice_into_serving() -> None:
    decision = router().route("hello")
    assert decision.scope == "serving"
    assert {v.candidate.build.model.id for v in decision.verdicts()} == {"Qwen/Qwen3-8B"}


def test_another_machine_means_advice_and_no_engine_is_asked() -> None:
    class Untouchable(FakeEngine):
        def installed(self) -> tuple[ServedBuild, ...]:
            raise AssertionError("asked")

    decision = Router(engines=(Untouchable(),), machine=replace(machine(), hypothetical=True), settings=Settings()).route(
        "hi"
    )
    assert decision.scope == "advice"


def test_the_answer_comes_with_its_reasoning_decision_and_usage() -> None:
    engine = FakeEngine(["It is 4."], reasoning=["2 and 2"], models=[served("Qwen/Qwen3-8B")])
    reply = router(engine).ask({"messages": ["2 + 2?"], "think": True})
    assert (reply.answer, reply.reasoning) == ("It is 4.", "2 and 2")
    assert reply.decision.chosen == reply.served_by and reply.served_by.thinking
    assert reply.usage.answer_tokens and reply.notice is None and reply.violations == ()


def test_the_engine_is_told_mode_budget_sampling_and_window_explicitly() -> None:
    engine = FakeEngine(["4"], models=[served("Qwen/Qwen3-8B")])
    route = router(engine)
    route.ask({"messages": ["2 + 2?"], "think": True, "thinking_budget": 300, "seed": 5, "max_tokens": 50, "stop": ["END"]})
    route.ask({"messages": ["2 + 2?"], "think": False, "temperature": 0})
    on, off = engine.calls
    assert (on.thinking.enabled, on.thinking.budget_tokens, on.seed, on.max_answer_tokens, on.stop) == (
        True,
        300,
        5,
        50,
        ("END",),
    )
    assert (off.thinking.enabled, off.sampling.temperature) == (False, 0)
    card = Catalog.load().get("Qwen/Qwen3-8B").sampling
    assert card.thinking is not None and on.sampling == card.thinking
    assert off.sampling.top_p == card.non_thinking.top_p  # type: ignore[union-attr]
    assert on.context_tokens >= 300 and on.model == "qwen3-8b"


def test_thinking_is_never_greedy_and_the_raised_temperature_is_reported() -> None:
    engine = FakeEngine(["4"], models=[served("Qwen/Qwen3-8B")])
    reply = router(engine).ask({"messages": ["2 + 2?"], "think": True, "temperature": 0})
    assert engine.calls[0].sampling.temperature == pytest.approx(0.6)
    assert any("temperature" in note for note in reply.decision.overrides)


def test_a_failing_engine_hands_over_to_the_fallback_before_the_first_byte() -> None:
    down = FakeEngine(models=[served("Qwen/Qwen3-8B", endpoint="a")], fail=DOWN, endpoint="a")
    up = FakeEngine(["from the other"], models=[served("Qwen/Qwen3-4B", endpoint="b")], endpoint="b")
    reply = router(down, up).ask({"messages": ["Prove Fermat's little theorem."]}, policy=BEST)
    assert reply.decision.chosen is not None and reply.decision.chosen.build.endpoint == "a"
    assert (reply.answer, reply.served_by.build.endpoint) == ("from the other", "b")
    assert len(reply.failed_attempts) == 1 and "nobody answers" in reply.failed_attempts[0]


def test_after_the_first_byte_an_error_is_the_callers_and_nothing_is_said_twice() -> None:
    breaking = FakeEngine(
        ["a long enough answer"],
        models=[served("Qwen/Qwen3-8B", endpoint="a")],
        fail=DOWN,
        fail_after=2,
        endpoint="a",
        chunk_chars=4,
    )
    up = FakeEngine(["never said"], models=[served("Qwen/Qwen3-4B", endpoint="b")], endpoint="b")
    stream = router(breaking, up).stream({"messages": ["Prove it."], "think": False}, policy=BEST)
    heard: list[Event] = []
    with pytest.raises(EngineUnreachable):
        for event in stream:
            heard.append(event)
    assert heard and not any("never said" in e.text for e in heard if isinstance(e, Text))
    assert up.calls == []


def test_when_every_attempt_fails_the_last_error_is_raised() -> None:
    engines = [
        FakeEngine(models=[served(f"Qwen/{m}", endpoint=e)], fail=DOWN, endpoint=e)
        for m, e in (("Qwen3-8B", "a"), ("Qwen3-4B", "b"))
    ]
    with pytest.raises(EngineUnreachable, match="nobody answers"):
        router(*engines).ask("hi")


def test_an_engine_that_is_down_is_noted_and_the_others_are_used() -> None:
    class Down(FakeEngine):
        def installed(self) -> tuple[ServedBuild, ...]:
            raise DOWN

    route = router(Down(endpoint="a"), FakeEngine(["ok"], models=[served("Qwen/Qwen3-8B", endpoint="b")], endpoint="b"))
    assert route.ask("hi").answer == "ok"
    assert route.unreachable == (DOWN,)


def test_when_no_engine_answers_at_all_the_error_says_where_it_was_looked_for() -> None:
    class Down(FakeEngine):
        def installed(self) -> tuple[ServedBuild, ...]:
            raise DOWN

    with pytest.raises(EngineUnreachable, match="nobody answers"):
        router(Down()).ask("hi")


def test_without_any_real_model_the_demonstration_model_answers_and_says_so() -> None:
    engine = FakeEngine(["Hello!"], models=[served("qwen-router/qwen3-nano")])
    reply = router(engine).ask("hi")
    assert reply.decision.scope == "demo" and reply.notice and "demonstration" in reply.notice


def test_nothing_at_all_is_an_error_that_names_the_way_out() -> None:
    with pytest.raises(NoModelFits, match="doctor"):
        router(FakeEngine(models=[])).ask("hi")


def test_a_wished_model_is_served_and_a_misspelt_one_names_the_close_one() -> None:
    engine = FakeEngine(["ok"], models=[served("Qwen/Qwen3-8B"), served("Qwen/Qwen3-0.6B")])
    route = router(engine)
    for name in ("qwen3-0.6b", "Qwen/Qwen3-0.6B", "Qwen3-0.6B"):
        assert route.ask({"messages": ["hi"], "model": name}).served_by.build.model.id == "Qwen/Qwen3-0.6B"
    with pytest.raises(UnknownName, match="Qwen3"):
        route.ask({"messages": ["hi"], "model": "Qwen3-0.7B"})
    with pytest.raises(NoModelFits, match="not served"):
        route.ask({"messages": ["hi"], "model": "Qwen/Qwen3-32B"})


def test_a_model_that_the_catalog_does_not_know_is_listed_as_unknown_and_served_only_by_name() -> None:
    stranger = ServedBuild("fake", "fake", "llama3:8b", None, None)
    engine = FakeEngine(["from llama"], models=[served("Qwen/Qwen3-8B"), stranger])
    route = router(engine)
    verdicts = {v.candidate.build.name: v for v in route.route("hi").verdicts()}
    assert verdicts["llama3:8b"].cause == "unknown"
    reply = route.ask({"messages": ["hi"], "model": "llama3:8b"})
    assert (reply.answer, reply.served_by.build.name) == ("from llama", "llama3:8b")
    predicted = decision_line(reply.decision)["predicted"]
    assert predicted["total_s"] is None and predicted["memory_mib"] is None
    assert json.loads(json.dumps(decision_line(reply.decision), allow_nan=False))


def test_the_demonstration_model_can_be_asked_for_beside_a_real_one() -> None:
    engine = FakeEngine(["hello"], models=[served("Qwen/Qwen3-8B"), served("qwen-router/qwen3-nano")])
    reply = router(engine).ask({"messages": ["hi"], "model": "qwen3-nano"})
    assert reply.served_by.build.model.demo and reply.notice


def test_a_slow_engine_holds_up_only_the_first_request() -> None:
    class Slow(FakeEngine):
        asked = 0

        def installed(self) -> tuple[ServedBuild, ...]:
            self.asked += 1
            if self.asked > 1:
                gate.wait(10)
            return super().installed()

    gate = threading.Event()
    engine = Slow(models=[served("Qwen/Qwen3-8B")])
    route = router(engine)
    route.served()
    route._served_at -= FRESH_S + 1
    assert route.served() and route.served()  # at once, from the old list, with one question under way
    gate.set()
    assert route._refresh is not None
    route._refresh.join(10)
    assert engine.asked == 2


def test_candidates_restrict_advice_and_a_misspelt_one_is_named() -> None:
    restricted = router(FakeEngine(models=[]), candidates=("Qwen3-4B", "Qwen/Qwen2.5-7B-Instruct"))
    assert {b.model.id for b in restricted.builds("advice")} == {"Qwen/Qwen3-4B", "Qwen/Qwen2.5-7B-Instruct"}
    with pytest.raises(UnknownName, match="Qwen3-4B"):
        router(FakeEngine(models=[]), candidates=("Qwen3-4C",)).route("hi")


def test_async_and_sync_give_the_same_events_and_reply() -> None:
    def engine() -> FakeEngine:
        return FakeEngine(["It is 4."], reasoning=["2 and 2"], models=[served("Qwen/Qwen3-8B")])

    async def collect() -> tuple[list[Event], str]:
        stream = await router(engine()).astream({"messages": ["2 + 2?"], "think": True})
        return [event async for event in stream], stream.reply.answer

    stream = router(engine()).stream({"messages": ["2 + 2?"], "think": True})
    sync_events = list(stream)
    async_events, answer = asyncio.run(collect())
    assert [e for e in sync_events if not isinstance(e, Done)] == [e for e in async_events if not isinstance(e, Done)]
    assert answer == stream.reply.answer == "It is 4."
    assert isinstance(sync_events[0], Reasoning)


def test_a_reply_is_complete_only_at_the_end_of_its_stream() -> None:
    stream = router().stream("hi")
    with pytest.raises(Exception, match="not ended"):
        _ = stream.reply


@pytest.mark.parametrize(
    ("environment", "host"),
    [
        ({}, "http://127.0.0.1:11434"),
        ({"OLLAMA_HOST": "0.0.0.0"}, "http://127.0.0.1:11434"),
        ({"OLLAMA_HOST": "box"}, "http://box:11434"),
        ({"OLLAMA_HOST": "box:9000"}, "http://box:9000"),
        ({"OLLAMA_HOST": "https://box"}, "https://box:443"),
        ({"OLLAMA_HOST": "http://[::1]:7000/"}, "http://[::1]:7000"),
        ({"OLLAMA_HOST": ":11500"}, "http://127.0.0.1:11500"),
        ({"OLLAMA_HOST": "::1"}, "http://[::1]:11434"),
    ],
)
def test_ollamas_host_is_read_as_ollama_reads_it(environment: dict[str, str], host: str) -> None:
    assert Settings.from_environment(environment).ollama_host == host


def test_settings_read_lists_and_refuse_a_bad_timeout(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {"QWEN_ROUTER_ENDPOINTS": "http://a/v1/, http://b/v1", "QWEN_ROUTER_API_KEY": "secret"}
    )
    assert settings.endpoints == (Endpoint("http://a/v1", "secret"), Endpoint("http://b/v1", "secret"))
    assert "secret" not in repr(settings)
    with pytest.raises(InvalidRequest, match="'notaurl'"):
        Settings.from_environment({"QWEN_ROUTER_ENDPOINTS": "notaurl"})
    with pytest.raises(InvalidRequest, match="'soon'"):
        Settings.from_environment({"QWEN_ROUTER_TIMEOUT_S": "soon"})


@pytest.mark.parametrize("variable", ["OLLAMA_HOST", "QWEN_ROUTER_ENDPOINTS"])
@pytest.mark.parametrize("value", ["http://box:xx", "http://a:1 http://b:2", "http://:99999"])
def test_an_address_that_is_none_is_named_with_its_variable(variable: str, value: str) -> None:
    with pytest.raises(InvalidRequest, match=variable):
        Settings.from_environment({variable: value})


def test_a_server_that_comes_back_is_found_by_the_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine(["ok"], models=[])
    route = router(engine)
    with pytest.raises(NoModelFits):
        route.ask("hi")
    engine._builds = (served("Qwen/Qwen3-8B"),)
    monkeypatch.setattr(route, "_served_at", route._served_at - FRESH_S - 1)
    assert route.ask("hi").answer == "ok"


def test_files_are_refused_before_an_engine_is_asked() -> None:
    engine = FakeEngine(["ok"], models=[served("Qwen/Qwen3-8B")])
    note = Attachment(kind="file", source="YQ==", media_type="text/plain")
    with pytest.raises(NoModelFits, match="send the text of the file"):
        router(engine).ask(Request((Message("user", "what?", attachments=(note,)),)))
    assert engine.calls == []


def test_a_call_that_was_required_and_did_not_come_is_named() -> None:
    tools = (ToolSpec("add", "Adds.", {"type": "object"}),)
    engine = FakeEngine(["ok"], models=[served("Qwen/Qwen3-8B")])
    for choice, named in [("required", ["no_tool_call"]), ("add", ["no_tool_call"]), ("auto", []), (None, [])]:
        reply = router(engine).ask(Request((Message("user", "hi"),), tools=tools, tool_choice=choice))
        assert [v.kind for v in reply.violations] == named


def test_violations_are_counted_by_kind_engine_and_model() -> None:
    route = router(FakeEngine(["4"], models=[served("Qwen/Qwen3-8B")]))
    for _ in range(2):
        reply = route.ask({"messages": ["2 + 2?"], "think": True})
        assert [v.kind for v in reply.violations] == ["silent_though_on"]
    assert route.violations == {("silent_though_on", "fake", "Qwen/Qwen3-8B"): 2}


def test_wishes_are_kept_when_a_request_is_passed_on() -> None:
    request = Request.of("hi").with_wishes(Wishes(thinking=False))
    assert Request.of(request) is request


def test_a_call_carries_our_own_token_count_so_that_a_cut_prompt_is_noticed() -> None:
    engine = FakeEngine(["ok"], models=[served("Qwen/Qwen3-8B")])
    router(engine).ask("word " * 500)
    call: Call = engine.calls[0]
    assert call.prompt_tokens_estimate is not None and 400 <= call.prompt_tokens_estimate <= 700
