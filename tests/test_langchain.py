"""ChatQwenRouter: LangChain's own standard suites, and what a routing model must do beyond them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumpd
from langchain_core.load import load as revive
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import LLMResult
from langchain_core.runnables import ConfigurableField
from langchain_core.tools import tool
from langchain_tests.unit_tests import ChatModelUnitTests
from pydantic import BaseModel, ValidationError

from qwen_router.engines.fake import FakeEngine
from qwen_router.engines.fallback import Retry
from qwen_router.errors import (
    EngineError,
    EngineRefused,
    EngineTimeout,
    EngineUnreachable,
    InvalidRequest,
    NoModelFits,
    UnknownName,
)
from qwen_router.hardware.machine import ServedBuild
from qwen_router.langchain import ChatQwenRouter
from qwen_router.request import Request, ToolCall
from qwen_router.router import Router
from qwen_router.settings import Settings
from tests.worlds import machine

SMALL = ServedBuild("fake", "fake", "qwen3:1.7b", "Qwen/Qwen3-1.7B", "q4_K_M", resident=True, context_tokens=32768)
LARGE = ServedBuild("fake", "fake", "qwen3:8b", "Qwen/Qwen3-8B", "q4_K_M", resident=True, context_tokens=32768)
DOWN = EngineUnreachable("nobody answers", fix="start it", engine="fake", endpoint="fake")


@tool
def weather(city: str) -> str:
    """Get the weather of a city."""
    return f"It rains in {city}."


class Sum(BaseModel):
    """A sum."""

    left: int
    right: int


def router_on(*engines: FakeEngine) -> Router:
    return Router(engines=engines, machine=machine(), settings=Settings())


def fake(*answers: str, **options: Any) -> FakeEngine:
    return FakeEngine(answers or ("It is 42.",), **{"models": (LARGE,), **options})


def chat_on(engine: FakeEngine, **options: Any) -> ChatQwenRouter:
    return ChatQwenRouter(router=router_on(engine), **options)


@pytest.fixture
def engine() -> FakeEngine:
    return fake(reasoning=["12 + 30 = 42"])


@pytest.fixture
def chat(engine: FakeEngine) -> ChatQwenRouter:
    return chat_on(engine, thinking=True)


# ── LangChain's standard suite ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
class TestStandardUnits(ChatModelUnitTests):
    """The real suite; what it asks of a constructor needs no engine and no network."""

    @property
    def chat_model_class(self) -> type[ChatQwenRouter]:
        return ChatQwenRouter

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"QWEN_ROUTER_API_KEY": "from-the-environment"}, {}, {"api_key": "from-the-environment"}

    @pytest.fixture(autouse=True)
    def _admitted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`load` revives only classes of LangChain's own list, whoever asks: for the suite's test_serdes we are on it."""
        reviving = import_module("langchain_core.load.load")
        ours = tuple(ChatQwenRouter.lc_id())
        monkeypatch.setitem(reviving.ALL_SERIALIZABLE_MAPPINGS, ours, ours)
        monkeypatch.setattr(reviving, "_default_class_paths_cache", {})


# ── invoke, stream, batch, async ────────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_keeps_text_and_reasoning_apart_as_standard_blocks(chat: ChatQwenRouter) -> None:
    message = chat.invoke("What is 12 + 30?")
    assert message.text == "It is 42."
    assert message.content_blocks == [
        {"type": "reasoning", "reasoning": "12 + 30 = 42"},
        {"type": "text", "text": "It is 42."},
    ]


def test_the_decision_travels_with_the_answer_as_plain_json(chat: ChatQwenRouter) -> None:
    metadata = chat.invoke("What is 12 + 30?").response_metadata
    assert (metadata["model_name"], metadata["model_provider"], metadata["finish_reason"]) == (
        "Qwen/Qwen3-8B",
        "qwen-router",
        "stop",
    )
    about = json.loads(json.dumps(metadata["router"]))
    assert about["model"] == "Qwen/Qwen3-8B" and about["thinking"]["enabled"] is True and about["policy"] == "balanced"
    assert about["served_by"]["name"] == "qwen3:8b" and about["reason"]
    assert about["violations"] == [] and about["failed_attempts"] == [] and about["notice"] is None


def test_what_the_engine_did_against_the_decision_is_listed() -> None:
    message = chat_on(fake("<think>a secret</think>It is 42."), thinking=False).invoke("What is 12 + 30?")
    assert message.text == "It is 42."
    assert "thought_though_off" in [violation["kind"] for violation in message.response_metadata["router"]["violations"]]


def test_usage_tells_thinking_from_answering(chat: ChatQwenRouter) -> None:
    usage = chat.invoke("What is 12 + 30?").usage_metadata
    assert usage is not None
    reasoning = usage["output_token_details"]["reasoning"]
    assert 0 < reasoning < usage["output_tokens"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_a_stream_adds_up_to_what_invoke_says(engine: FakeEngine, chat: ChatQwenRouter) -> None:
    chunks = list(chat.stream("What is 12 + 30?"))
    assert len(chunks) > 4
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    said = chat.invoke("What is 12 + 30?")
    assert (whole.content, whole.content_blocks, whole.usage_metadata) == (
        said.content,
        said.content_blocks,
        said.usage_metadata,
    )
    assert whole.response_metadata["router"]["model"] == "Qwen/Qwen3-8B"
    assert [bool(chunk.additional_kwargs.get("reasoning_content")) for chunk in chunks[:2]] == [True, True]  # no dead air


async def test_async_twins_say_the_same(chat: ChatQwenRouter) -> None:
    said = await chat.ainvoke("What is 12 + 30?")
    streamed = [chunk async for chunk in chat.astream("What is 12 + 30?")]
    assert said.text == "".join(chunk.text for chunk in streamed) == "It is 42."
    assert streamed[-1].chunk_position == "last"


def test_a_batch_answers_every_input_in_order() -> None:
    chat = chat_on(fake("same"))
    assert [message.text for message in chat.batch(["one", "two", "three"])] == ["same"] * 3


def test_v1_output_holds_the_blocks_themselves(engine: FakeEngine) -> None:
    chat = chat_on(engine, thinking=True, output_version="v1")
    said = chat.invoke("What is 12 + 30?")
    assert [block["type"] for block in said.content] == ["reasoning", "text"]  # type: ignore[index]
    whole: Any = None
    for chunk in chat.stream("What is 12 + 30?"):
        whole = chunk if whole is None else whole + chunk
    assert [block["type"] for block in whole.content if block["type"] in ("reasoning", "text")] == ["reasoning", "text"]
    chat.invoke([HumanMessage("12 + 30?"), said, HumanMessage("Sure?")])  # and may be said again
    replayed = engine.calls[-1].messages[1]
    assert (replayed.text, replayed.reasoning) == ("It is 42.", "12 + 30 = 42")


def test_callbacks_hear_tokens_and_usage(chat: ChatQwenRouter) -> None:
    class Ears(BaseCallbackHandler):
        def __init__(self) -> None:
            self.tokens: list[str] = []
            self.models: list[str] = []

        def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
            self.tokens.append(str(token))

        def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
            self.models.append(response.generations[0][0].message.response_metadata["model_name"])  # type: ignore[attr-defined]

    ears = Ears()
    list(chat.stream("What is 12 + 30?", config={"callbacks": [ears]}))
    chat.invoke("What is 12 + 30?", config={"callbacks": [ears]})
    assert "".join(ears.tokens) == "It is 42."
    assert ears.models == ["Qwen/Qwen3-8B"] * 2


def test_a_stream_that_is_left_early_stops_the_engine() -> None:
    stopped: list[bool] = []

    class Watched(FakeEngine):
        def stream(self, call: Any) -> Iterator[Any]:
            try:
                yield from super().stream(call)
            finally:
                stopped.append(True)

    stream = chat_on(Watched(["a long answer that nobody reads"], models=(LARGE,)), thinking=False).stream("hello")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert stopped == [True]


# ── options ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_fields_of_the_model_reach_the_engine(engine: FakeEngine) -> None:
    chat_on(engine, thinking=False, temperature=0.25, top_p=0.5, max_tokens=77, seed=7, stop=["END"]).invoke("hello")
    call = engine.calls[0]
    assert (call.thinking.enabled, call.max_answer_tokens, call.seed, call.stop) == (False, 77, 7, ("END",))
    assert (call.sampling.temperature, call.sampling.top_p) == (0.25, 0.5)


def test_options_of_a_call_win_over_the_model(engine: FakeEngine) -> None:
    chat = chat_on(engine, thinking=False, max_tokens=77, stop=["END"])
    chat.invoke("hello", thinking=True, thinking_budget_tokens=256, max_tokens=99, stop=["NOW"])
    call = engine.calls[0]
    assert (call.thinking.enabled, call.thinking.budget_tokens, call.max_answer_tokens, call.stop) == (
        True,
        256,
        99,
        ("NOW",),
    )


def test_a_pin_is_kept_and_auto_is_none() -> None:
    engine = fake(models=(SMALL, LARGE))
    chat = chat_on(engine, model="Qwen3-1.7B")
    assert chat.invoke("hello").response_metadata["model_name"] == "Qwen/Qwen3-1.7B"
    assert chat.invoke("hello", model="Qwen3-8B").response_metadata["model_name"] == "Qwen/Qwen3-8B"
    assert chat.bind(model="Qwen3-8B").invoke("hello").response_metadata["model_name"] == "Qwen/Qwen3-8B"
    with pytest.raises(UnknownName, match="Qwen3-9B"):
        chat_on(engine, model="Qwen3-9B").invoke("hello")


@pytest.mark.parametrize(
    ("fields", "policy"),
    [
        pytest.param({}, "balanced", id="the-routers-own"),
        pytest.param({"policy": "fast"}, "fast", id="by-name"),
        pytest.param({"model": "auto:quality"}, "quality", id="by-model-name"),
        pytest.param({"policy": "cheap", "objective": "quality"}, "cheap", id="objective-of-another"),
    ],
)
def test_a_policy_is_named_as_field_or_in_the_model(engine: FakeEngine, fields: dict[str, Any], policy: str) -> None:
    assert chat_on(engine, **fields).invoke("hello").response_metadata["router"]["policy"] == policy


def test_configurable_fields_change_the_policy_at_run_time(chat: ChatQwenRouter) -> None:
    configurable = chat.configurable_fields(policy=ConfigurableField(id="policy"))
    message = configurable.invoke("hello", config={"configurable": {"policy": "fast"}})
    assert message.response_metadata["router"]["policy"] == "fast"


def test_a_misspelt_field_or_option_is_named(chat: ChatQwenRouter) -> None:
    with pytest.raises(ValidationError, match="thinkng"):
        ChatQwenRouter(thinkng=True)  # type: ignore[call-arg]
    with pytest.raises(InvalidRequest, match="thinkng") as caught:
        chat.invoke("hello", thinkng=True)
    assert "'thinking'" in caught.value.fix
    with pytest.raises(UnknownName, match="quick"):
        chat.invoke("hello", objective="quick")


# ── tools and structure ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_tools_reach_the_engine_in_every_shape(engine: FakeEngine) -> None:
    def add(left: int, right: int) -> int:
        """Add two numbers."""
        return left + right

    schema = {"title": "subtract", "description": "Subtract.", "type": "object", "properties": {"a": {"type": "number"}}}
    chat_on(engine).bind_tools([weather, add, Sum, schema]).invoke("hello")
    assert [spec.name for spec in engine.calls[0].tools] == ["weather", "add", "Sum", "subtract"]
    assert engine.calls[0].tools[0].parameters["properties"]["city"]["type"] == "string"


@pytest.mark.parametrize(
    ("choice", "passed"),
    [(None, None), ("auto", "auto"), ("any", "required"), (True, "required"), ("weather", "weather"), ("none", "none")],
)
def test_the_tool_choice_is_passed_through(engine: FakeEngine, choice: Any, passed: str | None) -> None:
    chat_on(engine).bind_tools([weather], tool_choice=choice).invoke("hello")
    assert engine.calls[0].tool_choice == passed


def test_a_tool_choice_that_is_no_tool_names_the_close_one(chat: ChatQwenRouter) -> None:
    with pytest.raises(UnknownName, match="wether") as caught:
        chat.bind_tools([weather], tool_choice="wether")
    assert caught.value.close == ("weather",)


def test_tool_calls_come_whole_invoked_and_streamed() -> None:
    calls = [[ToolCall("call_1", "weather", {"city": "Köln"}), ToolCall("", "weather", {"city": "北京"})]]
    for streamed in (False, True):
        chat = chat_on(fake("", tool_calls=calls), thinking=False).bind_tools([weather])
        message: Any = None
        if streamed:
            for chunk in chat.stream("Weather?"):
                message = chunk if message is None else message + chunk
        else:
            message = chat.invoke("Weather?")
        assert [(call["name"], call["args"]) for call in message.tool_calls] == [
            ("weather", {"city": "Köln"}),
            ("weather", {"city": "北京"}),
        ]
        assert message.tool_calls[0]["id"] == "call_1" and message.tool_calls[1]["id"].startswith("call_")
        assert message.response_metadata["finish_reason"] == "tool_calls"
        assert message.invalid_tool_calls == []


def test_a_tool_call_written_as_text_is_a_tool_call() -> None:
    text = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>'
    message = chat_on(fake(text), thinking=False).bind_tools([weather]).invoke("Weather?")
    assert [call["args"] for call in message.tool_calls] == [{"city": "Rome"}]
    assert message.text == ""


def test_a_tool_loop_is_replayed_with_calls_results_and_reasoning(engine: FakeEngine) -> None:
    asked = AIMessage(
        content=[
            {"type": "text", "text": "Let me look."},
            {"type": "tool_use", "id": "1", "name": "weather", "input": {"city": "Rome"}},
        ],
        tool_calls=[{"id": "1", "name": "weather", "args": {"city": "Rome"}}],
        additional_kwargs={"reasoning_content": "I need the weather."},
    )
    result = ToolMessage([{"type": "text", "text": "It rains."}], tool_call_id="1", name="weather")
    chat_on(engine).bind_tools([weather]).invoke([SystemMessage("Be brief."), HumanMessage("Weather?"), asked, result])
    system, user, assistant, answered = engine.calls[0].messages
    assert (system.role, user.text, assistant.text, assistant.reasoning) == (
        "system",
        "Weather?",
        "Let me look.",
        "I need the weather.",
    )
    assert [(call.id, call.name, dict(call.arguments)) for call in assistant.tool_calls] == [
        ("1", "weather", {"city": "Rome"})
    ]
    assert (answered.role, answered.text, answered.tool_call_id) == ("tool", "It rains.", "1")


def test_the_sum_of_a_stream_may_be_said_again(engine: FakeEngine, chat: ChatQwenRouter) -> None:
    whole: Any = None
    for chunk in chat.stream("What is 12 + 30?"):
        whole = chunk if whole is None else whole + chunk
    chat.invoke([HumanMessage("What is 12 + 30?"), whole, HumanMessage("Sure?")])
    replayed = engine.calls[-1].messages[1]
    assert (replayed.role, replayed.text, replayed.reasoning) == ("assistant", "It is 42.", "12 + 30 = 42")
    assert Request.of([HumanMessage("hi"), whole]).messages[1] == replayed  # the router reads LangChain's messages by itself


def test_an_image_is_passed_on_and_refused_by_a_model_without_eyes(chat: ChatQwenRouter) -> None:
    picture = {"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"}
    with pytest.raises(NoModelFits, match="image"):
        chat.invoke([HumanMessage([{"type": "text", "text": "What is this?"}, picture])])


@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
def test_structured_output_asks_for_json_and_parses_it(method: Any) -> None:
    engine = fake('{"left": 12, "right": 30}')
    assert chat_on(engine, thinking=False).with_structured_output(Sum, method=method).invoke("12 + 30") == Sum(
        left=12, right=30
    )
    asked = engine.calls[0].response_format
    assert asked is not None
    assert asked == {} if method == "json_mode" else set(asked["properties"]) == {"left", "right"}


def test_structured_output_by_a_tool_call() -> None:
    engine = fake("", tool_calls=[[ToolCall("1", "Sum", {"left": 12, "right": 30})]])
    structured = chat_on(engine, thinking=False).with_structured_output(Sum, method="function_calling")
    assert structured.invoke("12 + 30") == Sum(left=12, right=30)
    assert engine.calls[0].tool_choice == "required"


def test_structured_output_may_keep_what_did_not_parse() -> None:
    structured = chat_on(fake("not JSON"), thinking=False).with_structured_output(Sum, include_raw=True)
    result: Any = structured.invoke("12 + 30")
    assert result["raw"].text == "not JSON" and result["parsed"] is None and result["parsing_error"] is not None


def test_a_schema_as_a_dict_gives_a_dict() -> None:
    schema = {"title": "Sum", "type": "object", "properties": {"left": {"type": "integer"}}, "required": ["left"]}
    assert chat_on(fake('{"left": 1}'), thinking=False).with_structured_output(schema).invoke("1") == {"left": 1}


# ── when things fail ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("error", [DOWN, EngineTimeout("too slow", fix="wait"), EngineRefused("no", fix="ask another")])
def test_an_engines_error_stays_our_error(error: EngineError) -> None:
    with pytest.raises(type(error), match=error.problem):
        chat_on(fake(fail=error)).invoke("hello")


async def test_an_engines_error_stays_our_error_asynchronously() -> None:
    with pytest.raises(EngineUnreachable):
        await chat_on(fake(fail=DOWN)).ainvoke("hello")


class Shaky(FakeEngine):
    """Unreachable the first `times` times."""

    def __init__(self, times: int) -> None:
        super().__init__(["here"], models=(LARGE,))
        self.left = times

    def stream(self, call: Any) -> Iterator[Any]:
        if self.left:
            self.left -= 1
            raise DOWN
        yield from super().stream(call)


async def test_an_unreachable_engine_is_tried_again_as_often_as_wished() -> None:
    def chat(times: int, max_retries: int | None) -> ChatQwenRouter:
        chat = chat_on(Shaky(times), max_retries=max_retries)
        assert chat.router is not None
        chat.router.retry = Retry(random=lambda: 0.0)
        return chat

    assert chat(2, 2).invoke("hello").text == "here"
    assert (await chat(3, 3).ainvoke("hello")).text == "here"
    assert chat(2, None).invoke("hello").text == "here"
    for times, allowed in ((2, 1), (1, 0), (3, None)):
        with pytest.raises(EngineUnreachable):
            chat(times, allowed).invoke("hello")


def test_nothing_is_said_twice_after_a_break() -> None:
    engine = fake("one two three four", fail=DOWN, fail_after=1)
    heard: list[str] = []
    with pytest.raises(EngineUnreachable):
        for chunk in chat_on(engine, thinking=False, max_retries=3).stream("hello"):
            heard.append(chunk.text)
    assert "".join(heard) == "one two"[: len("".join(heard))] and len(engine.calls) == 1


@pytest.mark.parametrize("messages", [pytest.param([], id="none"), pytest.param([("poet", "hi")], id="unknown-role")])
def test_messages_that_nobody_can_read_are_refused(chat: ChatQwenRouter, messages: list[Any]) -> None:
    with pytest.raises((InvalidRequest, ValueError)):
        chat.invoke(messages)


# ── what LangChain keeps ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_a_model_survives_serialisation_without_its_key_or_router() -> None:
    chat = ChatQwenRouter(policy="fast", thinking=True, stop=["END"], api_key="hush-hush", router=router_on(fake()))  # type: ignore[arg-type]
    stored = dumpd(chat)
    assert "hush" not in json.dumps(stored) and "router" not in stored["kwargs"]
    again = revive(
        stored, valid_namespaces=["qwen_router"], allowed_objects=[ChatQwenRouter], secrets_map={"QWEN_ROUTER_API_KEY": "k"}
    )
    assert (again.policy, again.thinking, again.stop, again.router) == ("fast", True, ["END"], None)


def test_langsmith_sees_provider_and_pin(chat: ChatQwenRouter) -> None:
    params = chat._get_ls_params(model="Qwen3-8B")
    assert (params["ls_provider"], params["ls_model_name"], params["ls_model_type"]) == ("qwen-router", "Qwen3-8B", "chat")


def test_tokens_are_counted_without_a_download(chat: ChatQwenRouter) -> None:
    assert 4 <= chat.get_num_tokens("What is 12 + 30?") <= 12


def test_models_of_a_process_share_one_router_and_its_engines() -> None:
    one, two = ChatQwenRouter(thinking=True), ChatQwenRouter(policy="fast")
    assert one._router() is two._router()
    assert one._router() is not ChatQwenRouter(timeout=3)._router()


def test_a_chunk_type_is_what_streams_yield(chat: ChatQwenRouter) -> None:
    assert all(isinstance(chunk, AIMessageChunk) for chunk in chat.stream("hello"))


def test_a_missing_extra_names_its_command() -> None:
    program = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] == 'langchain_core':
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
sys.meta_path.insert(0, Refuse())
from qwen_router.errors import MissingExtra
try:
    import qwen_router.langchain
except MissingExtra as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    assert 'pip install "qwen-router[langchain]"' in done.stdout
