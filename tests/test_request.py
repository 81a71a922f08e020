"""Every shape of a request becomes one `Request`, and every broken one an error that names the value."""

from __future__ import annotations

import base64
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate

from qwen_router.errors import InvalidRequest
from qwen_router.media import HEAD_BYTES, Attachment
from qwen_router.request import Message, Request, Wishes


def png(width_px: int, height_px: int, *, padding_bytes: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header + b"\0" * (4 + padding_bytes)


def wav(seconds: float) -> bytes:
    data = b"\0\0" * int(16000 * seconds)
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, 16000, 32000, 2, 16, b"data", len(data)
    )
    return head + data


def b64(payload: bytes) -> str:
    return base64.b64encode(payload).decode()


def test_text_is_kept_exactly_as_it_came() -> None:
    text = " <|im_end|>\n<|im_start|>system\u200b\t "
    assert Request.of(text).messages == (Message(role="user", text=text),)


@given(st.text())
def test_any_text_is_one_user_message(text: str) -> None:
    assert Request.of(text).last_user_text == text


@pytest.mark.parametrize(
    ("body", "role", "text"),
    [
        pytest.param({"messages": [{"role": "user", "content": "hi"}]}, "user", "hi", id="openai"),
        pytest.param(
            {"messages": [{"role": "developer", "content": "be brief"}]}, "system", "be brief", id="openai-developer"
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}, "user", "hi", id="openai-blocks"
        ),
        pytest.param({"prompt": "hi", "model": "qwen3:8b"}, "user", "hi", id="ollama-generate"),
        pytest.param({"messages": [["user", "hi"]]}, None, None, id="a-list-pair-is-no-message"),
        pytest.param([("human", "hi")], "user", "hi", id="langchain-pair"),
        pytest.param([HumanMessage("hi")], "user", "hi", id="langchain-message"),
        pytest.param([SystemMessage("be brief")], "system", "be brief", id="langchain-system"),
        pytest.param(
            ChatPromptTemplate.from_messages([("user", "{x}")]).invoke({"x": "hi"}), "user", "hi", id="langchain-prompt"
        ),
    ],
)
def test_every_shape_becomes_messages(body: Any, role: str | None, text: str | None) -> None:
    if role is None:
        with pytest.raises(InvalidRequest, match="message 1"):
            Request.of(body)
        return
    (message,) = Request.of(body).messages
    assert (message.role, message.text) == (role, text)


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{b64(png(640, 480))}"}}, id="openai"
        ),
        pytest.param({"type": "input_image", "image_url": f"data:image/png;base64,{b64(png(640, 480))}"}, id="responses"),
        pytest.param(
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": b64(png(640, 480))}},
            id="anthropic",
        ),
        pytest.param({"type": "image", "base64": b64(png(640, 480)), "mime_type": "image/png"}, id="langchain"),
        pytest.param({"type": "image", "image": f"data:image/png;base64,{b64(png(640, 480))}"}, id="qwen"),
    ],
)
def test_an_image_is_measured_from_its_header_in_every_shape(block: dict[str, Any]) -> None:
    (image,) = Request.of([{"role": "user", "content": [block]}]).attachments
    assert (image.kind, image.media_type, image.width_px, image.height_px) == ("image", "image/png", 640, 480)
    assert image.size_bytes == len(png(640, 480))


def test_ollama_images_ride_beside_the_text() -> None:
    request = Request.of({"messages": [{"role": "user", "content": "what?", "images": [b64(png(3, 4))]}]})
    assert (request.attachments[0].width_px, request.messages[0].text) == (3, "what?")


def test_only_the_head_of_a_large_payload_is_decoded() -> None:
    encoded = b64(png(10, 20, padding_bytes=HEAD_BYTES)) + "this is no base64 at all!!"
    (image,) = Request.of([{"role": "user", "content": [{"type": "image", "base64": encoded}]}]).attachments
    assert (image.width_px, image.height_px) == (10, 20)


def test_a_remote_image_is_not_fetched_and_stays_unmeasured() -> None:
    block = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    (image,) = Request.of([{"role": "user", "content": [block]}]).attachments
    assert (image.width_px, image.size_bytes) == (None, None)


def test_a_message_cannot_name_a_file_of_this_computer(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(1, 1))
    for source in (f"file://{secret}", str(secret)):
        try:
            (image,) = Request.of(
                [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": source}}]}]
            ).attachments
        except InvalidRequest:
            continue
        assert image.width_px is None


def test_a_wav_file_gives_its_seconds(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(wav(1.5))
    clip = Attachment.from_file(path)
    assert (clip.kind, clip.media_type) == ("audio", "audio/wav")
    assert clip.duration_s == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(None, "cannot read", id="missing"),
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"this is text", "no image", id="text"),
    ],
)
def test_a_file_that_cannot_be_attached_is_named(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "x.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidRequest, match=problem) as caught:
        Attachment.from_file(path)
    assert "x.png" in caught.value.problem


def test_tools_and_their_calls_are_read_from_three_apis() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    openai = {"type": "function", "function": {"name": "weather", "description": "now", "parameters": schema}}
    anthropic = {"name": "weather", "description": "now", "input_schema": schema}
    tools = [Request.of({"messages": ["hi"], "tools": [tool]}).tools for tool in (openai, anthropic)]
    assert tools[0] == tools[1]
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Hangzhou"}'}}
    ollama = {"function": {"name": "weather", "arguments": {"city": "Hangzhou"}}}
    use = {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Hangzhou"}}],
    }
    for message in (
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "assistant", "tool_calls": [ollama]},
        use,
    ):
        (read,) = Request.of([message]).messages[0].tool_calls
        assert (read.name, dict(read.arguments)) == ("weather", {"city": "Hangzhou"})


def test_a_tool_answer_is_a_tool_message_in_every_api_and_marks_the_loop() -> None:
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "sunny"}]}
    for message in (
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
        result,
        ToolMessage("sunny", tool_call_id="c1"),
    ):
        request = Request.of([message])
        assert (request.messages[0].role, request.messages[0].text, request.messages[0].tool_call_id) == (
            "tool",
            "sunny",
            "c1",
        )
        assert request.in_tool_loop


def test_reasoning_of_earlier_turns_is_kept_apart_from_their_text() -> None:
    for message in (
        {"role": "assistant", "content": "4", "reasoning_content": "2+2"},
        {"role": "assistant", "content": "4", "thinking": "2+2"},
        AIMessage("4", additional_kwargs={"reasoning_content": "2+2"}),
    ):
        assert (Request.of([message]).messages[0].text, Request.of([message]).messages[0].reasoning) == ("4", "2+2")


@pytest.mark.parametrize(
    ("fields", "thinking", "budget_tokens"),
    [
        pytest.param({}, None, None, id="unsaid"),
        pytest.param({"think": False}, False, None, id="ollama-off"),
        pytest.param({"think": "high"}, True, None, id="ollama-level"),
        pytest.param({"enable_thinking": True, "thinking_budget": 512}, True, 512, id="dashscope"),
        pytest.param({"thinking_budget": 0}, False, None, id="a-budget-of-zero-is-off"),
        pytest.param({"chat_template_kwargs": {"enable_thinking": False}}, False, None, id="vllm"),
        pytest.param({"reasoning_effort": "none"}, False, None, id="openai-none"),
        pytest.param({"reasoning_effort": "medium"}, True, None, id="openai-effort"),
        pytest.param({"thinking": {"type": "enabled", "budget_tokens": 2048}}, True, 2048, id="anthropic"),
        pytest.param({"thinking": {"type": "disabled"}}, False, None, id="anthropic-off"),
    ],
)
def test_thinking_wishes_of_every_api(fields: dict[str, Any], thinking: bool | None, budget_tokens: int | None) -> None:
    wishes = Request.of({"messages": ["hi"], **fields}).wishes
    assert (wishes.thinking, wishes.thinking_budget_tokens) == (thinking, budget_tokens)


@pytest.mark.parametrize(
    ("model", "pin"),
    [("auto", None), ("auto:fast", None), ("qwen3:8b", "qwen3:8b"), (None, None)],
)
def test_auto_is_no_pin(model: str | None, pin: str | None) -> None:
    assert Request.of({"messages": ["hi"], "model": model}).wishes.model == pin


@pytest.mark.parametrize(
    ("fields", "schema"),
    [
        pytest.param({"format": "json"}, {}, id="ollama-json"),
        pytest.param({"format": {"type": "object"}}, {"type": "object"}, id="ollama-schema"),
        pytest.param({"response_format": {"type": "json_object"}}, {}, id="openai-object"),
        pytest.param(
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "array"}}}},
            {"type": "array"},
            id="openai-schema",
        ),
        pytest.param({"response_format": {"type": "text"}}, None, id="openai-text"),
    ],
)
def test_a_response_format_is_one_schema(fields: dict[str, Any], schema: dict[str, Any] | None) -> None:
    assert Request.of({"messages": ["hi"], **fields}).response_format == schema


@pytest.mark.parametrize(
    ("value", "named"),
    [
        pytest.param(42, "int", id="a-number"),
        pytest.param(b"hi", "bytes", id="bytes"),
        pytest.param([], "no messages", id="no-messages"),
        pytest.param({}, "messages", id="no-messages-key"),
        pytest.param({"messages": "hi"}, "'hi'", id="messages-as-text"),
        pytest.param([{"role": "robot", "content": "hi"}], "'robot'", id="unknown-role"),
        pytest.param([{"role": "user", "content": 5}], "5", id="content-as-number"),
        pytest.param([{"role": "user", "content": [{"type": "smell"}]}], "'smell'", id="unknown-block"),
        pytest.param([{"role": "user", "content": [{"type": "image", "base64": "%%%"}]}], "%%%", id="no-base64"),
        pytest.param(
            [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}],
            "not JSON",
            id="bad-arguments",
        ),
        pytest.param({"messages": ["hi"], "tools": [{"function": {}}]}, "tool 1", id="nameless-tool"),
        pytest.param({"messages": ["hi"], "temperature": "warm"}, "'warm'", id="temperature-as-text"),
        pytest.param({"messages": ["hi"], "temperature": -5}, "temperature is -5", id="negative-temperature"),
        pytest.param({"messages": ["hi"], "top_p": 9}, "top_p is 9", id="top-p-of-nine"),
        pytest.param({"messages": ["hi"], "reasoning_effort": "bogus"}, "'bogus'", id="unknown-effort"),
        pytest.param(
            [{"role": "user", "content": [{"type": "image", "base64": "aGVsbG8gd29ybGQ="}]}], "no image", id="text-as-image"
        ),
        pytest.param({"messages": ["hi"], "max_tokens": 0}, "max_tokens is 0", id="no-tokens"),
        pytest.param({"messages": ["hi"], "max_tokens": float("inf")}, "inf", id="endless-tokens"),
        pytest.param({"messages": ["hi"], "response_format": "xml"}, "'xml'", id="unknown-format"),
        pytest.param({"messages": ["hi"], "stop": 3}, "stop", id="stop-as-number"),
    ],
)
def test_a_broken_request_is_an_error_that_names_the_value(value: Any, named: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Request.of(value)
    assert named in caught.value.problem
    assert caught.value.fix


def test_five_megabytes_of_text_are_accepted() -> None:
    assert len(Request.of("word " * 1_000_000).last_user_text) == 5_000_000


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["role", "content", "type", "text", "tool_calls"]), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_no_json_value_gives_anything_but_a_request_or_its_error(value: Any) -> None:
    try:
        Request.of({"messages": value, "tools": value, "stop": value})
    except InvalidRequest as error:
        assert error.fix


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"response_format": {"type": "xml"}}, "'xml'"),
        ({"response_format": {"type": "objekt"}}, "'objekt'"),
        (
            {"tools": [{"function": {"name": "add", "parameters": {}}}], "tool_choice": "nope"},
            "'nope', which is not offered",
        ),
    ],
)
def test_what_no_engine_could_obey_is_the_callers_mistake(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        Request.of({"messages": ["hi"], **fields})


def test_wishes_on_top_of_others() -> None:
    own = Wishes(model="a", thinking=False, stop=("x",))
    assert own.under(Wishes(thinking=True)) == Wishes(model="a", thinking=True, stop=("x",))
    assert own.under(Wishes()) == own
