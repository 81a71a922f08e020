"""What is done with a chat model beyond asking it: profiles, media, events, caches, limits, retries, fallbacks, sessions."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.exceptions import OutputParserException
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.runnables import ConfigurableField
from pydantic import BaseModel

from qwen_router.engines.fake import FakeEngine
from qwen_router.errors import EngineError, EngineUnreachable, InvalidRequest, NoModelFits
from qwen_router.hardware.machine import ServedBuild
from qwen_router.langchain import ChatQwenRouter
from qwen_router.policy import Previous
from qwen_router.request import ToolCall
from tests.test_langchain import DOWN, LARGE, SMALL, chat_on, fake, router_on
from tests.test_langchain_middleware import FAST

VISION = ServedBuild(
    "fake", "fake", "qwen3-vl:8b", "Qwen/Qwen3-VL-8B-Instruct", "q4_K_M", resident=True, context_tokens=16384
)
OMNI = ServedBuild("fake", "fake", "omni", "Qwen/Qwen2.5-Omni-7B", "q4_K_M", resident=True, context_tokens=16384)
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
DATA_URL = f"data:image/png;base64,{PIXEL}"
WAV = base64.b64encode(b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0\x80>\0\0\2\0\x10\0data\0\0\0\0").decode()
MP4 = base64.b64encode(b"\0\0\0\x18ftypmp42" + b"\0" * 32).decode()


# ── profile ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_profile_says_what_can_be_done_with_what_is_served() -> None:
    profile = chat_on(fake(models=(SMALL, LARGE))).profile
    assert profile is not None
    assert (profile["text_inputs"], profile["image_inputs"], profile["audio_inputs"]) == (True, False, False)
    assert profile["tool_calling"] and profile["tool_choice"] and profile["structured_output"]
    assert profile["reasoning_output"] and profile["max_input_tokens"] == 32768
    seeing = chat_on(fake(models=(SMALL, VISION))).profile
    assert seeing is not None and seeing["image_inputs"] and not seeing["image_url_inputs"]


def test_the_profile_of_a_pin_is_that_models_own() -> None:
    engine = fake(models=(SMALL, VISION))
    profiles = [chat_on(engine, model=name).profile for name in ("qwen3:1.7b", "qwen3-vl:8b")]
    assert [p and (p["image_inputs"], p["reasoning_output"], p["max_input_tokens"]) for p in profiles] == [
        (False, True, 32768),
        (True, False, 262144),
    ]


def test_of_a_model_that_nobody_knows_only_what_is_known_is_said() -> None:
    engine = fake(models=("mystery",))
    pinned = chat_on(engine, model="mystery").profile
    assert pinned is not None and pinned["text_inputs"] and "image_inputs" not in pinned and "max_input_tokens" not in pinned


def test_nobody_is_asked_before_somebody_wants_to_know() -> None:
    class Watched(FakeEngine):
        asked = 0

        def installed(self) -> tuple[ServedBuild, ...]:
            self.asked += 1
            return super().installed()

    engine = Watched(["ok"], models=(LARGE,))
    chat = chat_on(engine)
    assert engine.asked == 0 and chat.profile and engine.asked == 1
    assert chat_on(engine, profile={"max_input_tokens": 7}).profile == {"max_input_tokens": 7}
    with pytest.raises(AttributeError, match="nothing"):
        chat.nothing  # type: ignore[attr-defined]  # noqa: B018


# ── media ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("block", "kind", "media_type"),
    [
        pytest.param({"type": "image", "base64": PIXEL, "mime_type": "image/png"}, "image", "image/png", id="image"),
        pytest.param({"type": "image", "url": DATA_URL}, "image", "image/png", id="data-url"),
        pytest.param({"type": "image", "url": "https://example.org/a.png"}, "image", None, id="url"),
        pytest.param(
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}, "image", "image/png", id="v0"
        ),
        pytest.param({"type": "audio", "base64": WAV, "mime_type": "audio/wav"}, "audio", "audio/wav", id="audio"),
        pytest.param({"type": "video", "base64": MP4, "mime_type": "video/mp4"}, "video", "video/mp4", id="video"),
    ],
)
def test_standard_blocks_reach_a_model_that_takes_them(block: dict[str, Any], kind: str, media_type: str | None) -> None:
    engine = fake(models=(SMALL, OMNI))
    chat_on(engine, thinking=False).invoke([HumanMessage(content_blocks=[{"type": "text", "text": "What is it?"}, block])])  # type: ignore[list-item]
    call = engine.calls[0]
    (attachment,) = call.messages[0].attachments
    assert (call.model, attachment.kind, attachment.media_type) == ("omni", kind, media_type)
    assert call.messages[0].text == "What is it?"


def test_a_text_document_is_text() -> None:
    engine = fake()
    held = base64.b64encode("größer".encode()).decode()
    blocks = [{"type": "text-plain", "text": "klein"}, {"type": "text-plain", "base64": held, "mime_type": "text/plain"}]
    chat_on(engine).invoke([HumanMessage(content=blocks)])
    assert engine.calls[0].messages[0].text == "klein\ngrößer"


@pytest.mark.parametrize(
    ("block", "error", "said"),
    [
        ({"type": "image", "file_id": "file-1"}, InvalidRequest, "file id, 'file-1'"),
        ({"type": "file", "base64": "JVBERi0xLjQ=", "mime_type": "application/pdf"}, NoModelFits, "file"),
        ({"type": "image", "base64": PIXEL, "mime_type": "image/png"}, NoModelFits, "image"),
        ({"type": "text-plain", "url": "https://example.org/a.txt"}, InvalidRequest, "holds no text"),
        ({"type": "non_standard", "value": {"a": 1}}, InvalidRequest, "non_standard"),
    ],
    ids=["file-id", "pdf", "nobody-sees", "text-elsewhere", "stranger"],
)
def test_what_nobody_here_reads_is_refused_with_a_name(block: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        chat_on(fake()).invoke([HumanMessage(content=["What is it?", block])])


# ── events and callbacks ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_events_tell_reasoning_text_and_usage() -> None:
    chat = chat_on(fake(reasoning=["12 + 30 = 42"]), thinking=True)
    chain = ChatPromptTemplate.from_messages([("human", "{question}")]) | chat
    events = [event async for event in chain.astream_events({"question": "12 + 30?"}, version="v2")]
    ours = [event for event in events if event["event"].startswith("on_chat_model")]
    assert (ours[0]["event"], ours[-1]["event"], ours[0]["name"]) == (
        "on_chat_model_start",
        "on_chat_model_end",
        "ChatQwenRouter",
    )
    chunks = [event["data"]["chunk"] for event in ours if event["event"] == "on_chat_model_stream"]
    assert "".join(chunk.text for chunk in chunks) == "It is 42."
    assert "".join(chunk.additional_kwargs.get("reasoning_content", "") for chunk in chunks) == "12 + 30 = 42"
    output = ours[-1]["data"]["output"]
    assert output.usage_metadata["output_tokens"] > 0 and output.response_metadata["model_name"] == "Qwen/Qwen3-8B"
    assert ours[0]["metadata"]["ls_model_name"] == "auto"


@pytest.mark.parametrize("streamed", [False, True])
def test_callbacks_hear_the_reasoning_too(streamed: bool) -> None:
    class Ears(BaseCallbackHandler):
        def __init__(self) -> None:
            self.thought, self.usage = "", None

        def on_llm_new_token(self, token: Any, *, chunk: Any = None, **kwargs: Any) -> None:
            self.thought += chunk.message.additional_kwargs.get("reasoning_content", "")
            self.usage = chunk.message.usage_metadata or self.usage

    ears = Ears()
    chat = chat_on(fake(reasoning=["12 + 30 = 42"]), thinking=True, streaming=True)
    if streamed:
        list(chat.stream("12 + 30?", config={"callbacks": [ears]}))
    else:
        chat.invoke("12 + 30?", config={"callbacks": [ears]})
    assert ears.thought == "12 + 30 = 42" and ears.usage is not None


def test_usage_comes_once_in_a_stream() -> None:
    chunks = list(chat_on(fake(reasoning=["hm"]), thinking=True).stream("12 + 30?"))
    counted = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
    assert len(counted) == 1 and counted[0]["output_token_details"]["reasoning"] > 0


def test_langsmith_gets_the_names_and_the_wishes() -> None:
    params = chat_on(fake(), model="qwen3:8b", temperature=0.5, max_tokens=9)._get_ls_params(stop=["END"])
    assert params == {
        "ls_provider": "qwen-router",
        "ls_model_name": "qwen3:8b",
        "ls_model_type": "chat",
        "ls_temperature": 0.5,
        "ls_max_tokens": 9,
        "ls_stop": ["END"],
    }


# ── many at once, limits, caches ────────────────────────────────────────────────────────────────────────────────────────


def test_a_batch_comes_as_it_is_done() -> None:
    done = dict(chat_on(fake("same")).batch_as_completed(["one", "two", "three"]))
    assert sorted(done) == [0, 1, 2] and {message.text for message in done.values()} == {"same"}


async def test_a_batch_comes_as_it_is_done_asynchronously() -> None:
    done = {place: message.text async for place, message in chat_on(fake("same")).abatch_as_completed(["one", "two"])}
    assert done == {0: "same", 1: "same"}


def test_one_that_fails_in_a_batch_leaves_the_others() -> None:
    found = chat_on(fake("ok")).batch(["one", [HumanMessage([{"type": "odd"}])], "two"], return_exceptions=True)
    assert isinstance(found[1], InvalidRequest) and [found[0].text, found[2].text] == ["ok", "ok"]


def test_a_rate_limiter_is_asked_before_every_call() -> None:
    class Gate(BaseRateLimiter):
        asked = 0

        def acquire(self, *, blocking: bool = True) -> bool:
            self.asked += 1
            return True

        async def aacquire(self, *, blocking: bool = True) -> bool:
            return self.acquire()

    gate = Gate()
    chat = chat_on(fake(), rate_limiter=gate)
    chat.invoke("one")
    list(chat.stream("two"))
    assert gate.asked == 2


def test_a_cache_answers_the_same_question_only_with_the_same_wishes() -> None:
    engine, cache = fake(), InMemoryCache()
    chat = chat_on(engine, cache=cache)
    assert chat.invoke("hello").text == chat.invoke("hello").text and len(engine.calls) == 1
    chat.invoke("hello", session="a run")
    assert len(engine.calls) == 1
    chat.invoke("hello", thinking=False)
    chat_on(engine, cache=cache, policy="fast").invoke("hello")
    chat_on(engine, cache=cache, policy=FAST).invoke("hello")
    chat_on(engine, cache=cache, policy=FAST.model_copy(update={"name": "other"})).invoke("hello")
    assert len(engine.calls) == 5


# ── when it fails ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Shaky(FakeEngine):
    """Fails at its first call."""

    def stream(self, call: Any) -> Iterator[Any]:
        if not self.calls:
            self.calls.append(call)
            raise DOWN
        yield from super().stream(call)


def test_a_retry_of_langchains_own_goes_on() -> None:
    chat = chat_on(Shaky(["ok"], models=(LARGE,)), max_retries=0)
    retried = chat.with_retry(
        retry_if_exception_type=(EngineUnreachable,), wait_exponential_jitter=False, stop_after_attempt=2
    )
    assert retried.invoke("hello").text == "ok"


def test_a_fallback_of_langchains_own_takes_over() -> None:
    chat = chat_on(fake(fail=DOWN), max_retries=0)
    assert (
        chat.with_fallbacks([FakeListChatModel(responses=["mine"])], exceptions_to_handle=(EngineError,)).invoke("hi").text
        == "mine"
    )


# ── configurable ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("field", "value", "key", "found"),
    [("policy", "fast", "policy", "fast"), ("model", "qwen3:1.7b", "model", "Qwen/Qwen3-1.7B")],
)
def test_policy_and_pin_are_set_by_a_runs_configuration(field: str, value: str, key: str, found: str) -> None:
    chat = chat_on(fake(models=(SMALL, LARGE))).configurable_fields(**{field: ConfigurableField(id="it")})
    message = chat.invoke("hello", config={"configurable": {"it": value}})
    assert message.response_metadata["router"][key] == found


def test_the_objective_is_set_by_a_runs_configuration() -> None:
    engine = fake(models=(SMALL, LARGE))
    chat = chat_on(engine, thinking=False).configurable_fields(objective=ConfigurableField(id="objective"))
    for objective in ("fast", "quality"):
        chat.invoke("Prove that sqrt(2) is irrational.", config={"configurable": {"objective": objective}})
    assert [call.model for call in engine.calls] == ["qwen3:1.7b", "qwen3:8b"]


def test_another_model_may_be_an_alternative() -> None:
    other = FakeListChatModel(responses=["mine"])
    chat = chat_on(fake("ours")).configurable_alternatives(ConfigurableField(id="which"), default_key="router", other=other)
    assert chat.invoke("hi").text == "ours"
    assert chat.with_config(configurable={"which": "other"}).invoke("hi").text == "mine"


# ── structure ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Sums(BaseModel):
    totals: list[int]
    note: str = ""


@pytest.mark.parametrize("schema", [Sums, Sums.model_json_schema() | {"title": "sums"}], ids=["pydantic", "schema"])
def test_json_that_was_cut_is_an_error_and_not_a_shorter_answer(schema: Any) -> None:
    cut = '{"totals": [1, 2], "note": "and the next is'
    structured = chat_on(fake(cut, finish_reason="length")).with_structured_output(schema)
    with pytest.raises(OutputParserException, match="cut off by the token limit: allow more with max_tokens"):
        structured.invoke("Sums?")
    raw = chat_on(fake(cut, finish_reason="length")).with_structured_output(schema, include_raw=True).invoke("Sums?")
    assert isinstance(raw, dict) and raw["parsed"] is None and "cut off" in str(raw["parsing_error"])
    whole = chat_on(fake(f'{cut}"}}')).with_structured_output(schema).invoke("Sums?")
    assert (whole if isinstance(whole, dict) else whole.model_dump())["totals"] == [1, 2]


def test_pieces_of_structure_come_while_they_are_written() -> None:
    structured = chat_on(fake('{"totals": [1, 2, 3]}')).with_structured_output(Sums.model_json_schema() | {"title": "sums"})
    found = list(structured.stream("Sums?"))
    assert len(found) > 1 and found[-1] == {"totals": [1, 2, 3]}


# ── sessions ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_escalation_moves_the_session_to_the_best_other_model() -> None:
    engine = fake(models=(SMALL, LARGE))
    chat = chat_on(engine, policy=FAST)
    chat.invoke("Hi.", session="s")
    message = chat.invoke("Hi.", session="s", escalation="  too\nweak ")
    assert [call.model for call in engine.calls] == ["qwen3:1.7b", "qwen3:8b"]
    about = message.response_metadata["router"]
    assert about["escalation"] == "too weak" and "too weak" in about["reason"]
    with pytest.raises(InvalidRequest, match="escalation is 3"):
        chat.invoke("Hi.", escalation=3)


def test_a_router_that_was_started_anew_learns_from_the_messages_who_was_in_the_loop() -> None:
    calls = [[ToolCall("c", "add", {"left": 1})]]
    engine = fake("", models=(SMALL, LARGE), tool_calls=calls)
    pinned = chat_on(engine, policy=FAST, model="qwen3:8b", thinking=True, thinking_budget_tokens=333)
    first = pinned.invoke("Hi.", session="s")
    history = [HumanMessage("Hi."), AIMessage.model_validate(first.model_dump()), ToolMessage("1", tool_call_id="c")]
    anew = fake(models=(SMALL, LARGE))
    router = router_on(anew)
    chat = ChatQwenRouter(router=router, policy=FAST, thinking=True)
    message = chat.invoke(history, session="s")
    assert (anew.calls[0].model, anew.calls[0].thinking.enabled) == ("qwen3:8b", True)
    assert "within a tool loop model and mode do not change" in message.response_metadata["router"]["reason"]
    router.recall("s", Previous(("fake", "fake", "qwen3:1.7b"), False, 0, 0))  # it knows better by now
    chat.invoke(history, session="s")
    assert anew.calls[1].model == "qwen3:8b"
    broken = {**history[1].response_metadata, "router": {"served_by": 3}}
    chat.invoke([history[0], history[1].model_copy(update={"response_metadata": broken}), history[2]], session="third")
    assert anew.calls[2].model == "qwen3:1.7b"
