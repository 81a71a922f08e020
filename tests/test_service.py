"""The service, spoken to through ASGI without sockets, and once through real ones by the official clients."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from qwen_router.engines.base import Call, Event, Reasoning, Text
from qwen_router.engines.fake import FakeEngine
from qwen_router.errors import EngineError, EngineRefused, EngineTimeout, EngineUnreachable, InvalidRequest
from qwen_router.hardware import Device, Machine, ServedBuild
from qwen_router.request import ToolCall
from qwen_router.router import Router
from qwen_router.service import create_app
from qwen_router.service.body import encode
from qwen_router.service.run import CannotListen, check_exposure, is_loopback, listening_socket, serve, url_of
from qwen_router.settings import Settings

MACHINE = Machine("test", (Device("cpu", "cpu", "cpu", 262144, 250000, 200.0, 4.0),), cores=32, system="Linux")
SMALL = ServedBuild("fake", "fake", "qwen3:1.7b", "Qwen/Qwen3-1.7B", "q4_K_M", resident=True)
LARGE = ServedBuild("fake", "fake", "qwen3:8b", "Qwen/Qwen3-8B", "q4_K_M", resident=True)
SUM: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "What is 2 + 2?"}]}
SECRET = "the-orchid-blooms-at-noon"
WEATHER = ToolCall("call_7", "weather", {"city": "Köln", "days": 2})
WEATHER_TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def router_on(*engines: FakeEngine) -> Router:
    return Router(engines=engines, machine=MACHINE, settings=Settings())


def fake(*answers: str, **options: Any) -> FakeEngine:
    return FakeEngine(answers or ("4",), **{"models": (SMALL, LARGE), **options})


def app_on(*engines: FakeEngine, **options: Any) -> Starlette:
    return create_app(router_on(*engines or (fake(),)), **options)


async def ask(app: Starlette, path: str, body: Any = None, *, method: str = "POST", **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://router") as client:
        if isinstance(body, bytes):
            return await client.request(method, path, content=body, **options)
        return await client.request(method, path, json=body, **options)


def events_of(response: httpx.Response) -> list[dict[str, Any]]:
    """The server-sent events, `[DONE]` left out."""
    blocks = [block.removeprefix("data: ") for block in response.text.split("\n\n") if block]
    return [json.loads(block) for block in blocks if block != "[DONE]"]


def lines_of(response: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in response.text.splitlines()]


def delta_text(events: list[dict[str, Any]], key: str) -> str:
    return "".join(event["choices"][0]["delta"].get(key) or "" for event in events if event["choices"])


# ── OpenAI ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_chat_completion_has_answer_reasoning_usage_and_who_answered() -> None:
    response = await ask(
        app_on(fake("It is 4.", reasoning=("two and two",))), "/v1/chat/completions", {**SUM, "think": True}
    )
    assert response.status_code == 200
    body = response.json()
    message = body["choices"][0]["message"]
    assert (message["role"], message["content"], message["reasoning_content"]) == ("assistant", "It is 4.", "two and two")
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["finish_reason"] == "stop"
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert 0 < usage["completion_tokens_details"]["reasoning_tokens"] < usage["completion_tokens"]
    assert body["router"]["violations"] == []
    assert body["router"]["thinking"]["enabled"] is True


async def test_every_routed_reply_carries_the_five_headers() -> None:
    for path in ("/v1/chat/completions", "/api/chat"):
        for stream in (True, False):
            response = await ask(app_on(), path, {**SUM, "stream": stream, "think": False})
            headers = response.headers
            assert headers["x-qwen-router-model"] in ("Qwen/Qwen3-1.7B", "Qwen/Qwen3-8B")
            assert headers["x-qwen-router-policy"] == "balanced"
            assert headers["x-qwen-router-thinking"] == "off"
            assert len(headers["x-qwen-router-decision-id"]) == 32
            assert 0 < float(headers["x-qwen-router-overhead-ms"]) < 10_000


async def test_a_stream_ends_with_finish_reason_router_block_and_done() -> None:
    response = await ask(
        app_on(fake("It is 4.", reasoning=("two and two",))), "/v1/chat/completions", {**SUM, "stream": True, "think": True}
    )
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.endswith("data: [DONE]\n\n")
    events = events_of(response)
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert delta_text(events, "content") == "It is 4."
    assert delta_text(events, "reasoning_content") == "two and two"
    assert [event["choices"][0]["finish_reason"] for event in events] == [None] * (len(events) - 1) + ["stop"]
    assert events[-1]["router"]["decision_id"] == response.headers["x-qwen-router-decision-id"]
    assert len({event["id"] for event in events}) == 1
    assert all("usage" not in event for event in events)


async def test_usage_comes_in_a_last_chunk_when_asked_for() -> None:
    body = {**SUM, "stream": True, "stream_options": {"include_usage": True}}
    events = events_of(await ask(app_on(fake("Two and two make four.")), "/v1/chat/completions", {**body, "think": False}))
    assert events[-1]["choices"] == []
    assert events[-1]["usage"]["completion_tokens"] > 0
    assert "router" in events[-1]
    assert all(event["usage"] is None for event in events[:-1])
    assert events[-2]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("think", [False, True], ids=["silent", "thinking"])
@pytest.mark.parametrize("tools", [False, True], ids=["no-tools", "tools"])
@pytest.mark.parametrize("formatted", [False, True], ids=["free", "schema"])
async def test_stream_tools_format_and_thinking_work_in_every_combination(
    stream: bool, think: bool, tools: bool, formatted: bool
) -> None:
    """ollama/ollama-python/issues/529: each worked alone, the combination did not."""
    answer = "" if tools else '{"sum": 4}'
    schema = {"type": "object", "properties": {"sum": {"type": "integer"}}}
    for path in ("/v1/chat/completions", "/api/chat"):
        engine = fake(answer, reasoning=("hm",), tool_calls=((WEATHER,),) if tools else ())
        body: dict[str, Any] = {**SUM, "stream": stream, "think": think}
        if tools:
            body["tools"] = [WEATHER_TOOL]
        if formatted and path == "/api/chat":
            body["format"] = schema
        elif formatted:
            body["response_format"] = {"type": "json_schema", "json_schema": {"name": "sum", "schema": schema}}
        response = await ask(app_on(engine), path, body)
        assert response.status_code == 200, response.text
        message = message_of(response, path=path, stream=stream)
        assert (message["content"] or "") == answer
        assert message["thinking"] == ("hm" if think else "")
        assert [call["function"]["name"] for call in message["tool_calls"]] == (["weather"] if tools else [])
        assert engine.calls[0].thinking.enabled is think
        assert engine.calls[0].response_format == (schema if formatted else None)
        assert "<think>" not in response.text


def message_of(response: httpx.Response, *, path: str, stream: bool) -> dict[str, Any]:
    """The whole message, whichever way it came: content, thinking, tool_calls."""
    if path == "/api/chat":
        parts = [line["message"] for line in (lines_of(response) if stream else [response.json()])]
    elif stream:
        parts = [event["choices"][0]["delta"] for event in events_of(response) if event["choices"]]
    else:
        parts = [response.json()["choices"][0]["message"]]
    return {
        "content": "".join(part.get("content") or "" for part in parts),
        "thinking": "".join(part.get("thinking") or part.get("reasoning_content") or "" for part in parts),
        "tool_calls": [call for part in parts for call in part.get("tool_calls", [])],
    }


async def test_tool_calls_have_text_arguments_for_openai_and_objects_for_ollama() -> None:
    for stream in (False, True):
        body = {**SUM, "stream": stream, "tools": [WEATHER_TOOL]}
        response = await ask(app_on(fake("", tool_calls=((WEATHER,),))), "/v1/chat/completions", body)
        call = message_of(response, path="/v1/chat/completions", stream=stream)["tool_calls"][0]
        assert json.loads(call["function"]["arguments"]) == {"city": "Köln", "days": 2}
        assert (call["id"], call["type"]) == ("call_7", "function")
        last = events_of(response)[-1] if stream else response.json()
        assert last["choices"][0]["finish_reason"] == "tool_calls"
        response = await ask(app_on(fake("", tool_calls=((WEATHER,),))), "/api/chat", body)
        call = message_of(response, path="/api/chat", stream=stream)["tool_calls"][0]
        assert call["function"] == {"name": "weather", "arguments": {"city": "Köln", "days": 2}}
        assert (lines_of(response)[-1] if stream else response.json())["done_reason"] == "stop"


async def test_a_reply_cut_at_its_limit_says_length() -> None:
    body = {**SUM, "max_tokens": 5}
    engine = fake("It is", finish_reason="length")
    response = await ask(app_on(engine), "/v1/chat/completions", body)
    assert response.json()["choices"][0]["finish_reason"] == "length"
    assert engine.calls[0].max_answer_tokens == 5


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_auto_with_a_policy_routes_by_it() -> None:
    for model in ("auto:fast", "auto:quality"):
        response = await ask(app_on(), "/v1/chat/completions", {**SUM, "model": model})
        assert response.headers["x-qwen-router-policy"] == model.partition(":")[2]
    response = await ask(app_on(), "/api/chat", {**SUM, "model": "auto:latest", "stream": False})
    assert response.headers["x-qwen-router-policy"] == "balanced"


@pytest.mark.parametrize("model", ["auto:fats", "auto:../policies/fast", "auto:/etc/passwd", "auto:fast.yaml"])
async def test_an_unknown_policy_is_404_and_no_path_is_ever_read(model: str) -> None:
    response = await ask(app_on(), "/v1/chat/completions", {**SUM, "model": model})
    assert response.status_code == 404
    error = response.json()["error"]
    assert error["code"] == "policy_not_found"
    if model == "auto:fats":
        assert "did you mean 'fast'" in error["message"]


async def test_any_other_name_is_served_as_named() -> None:
    for build in (SMALL, LARGE):
        engine = fake()
        response = await ask(app_on(engine), "/v1/chat/completions", {**SUM, "model": build.name})
        assert response.headers["x-qwen-router-model"] == build.model_id
        assert engine.calls[0].model == build.name


async def test_an_unknown_model_is_404_with_close_matches() -> None:
    response = await ask(app_on(), "/v1/chat/completions", {**SUM, "model": "qwen3:8"})
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
    assert "qwen3:8b" in response.json()["error"]["message"]


async def test_models_lists_auto_then_policies_then_what_is_served() -> None:
    names = [row["id"] for row in (await ask(app_on(), "/v1/models", method="GET")).json()["data"]]
    assert names[0] == "auto"
    assert {"auto:balanced", "auto:fast", "auto:quality"} <= set(names[1:-2])
    assert set(names[-2:]) == {SMALL.name, LARGE.name}
    tags = [row["name"] for row in (await ask(app_on(), "/api/tags", method="GET")).json()["models"]]
    assert tags == names
    assert (await ask(app_on(), f"/v1/models/{LARGE.name}", method="GET")).json()["id"] == LARGE.name
    assert (await ask(app_on(), "/v1/models/Qwen/nonesuch", method="GET")).status_code == 404


async def test_tags_describe_a_served_model_by_what_the_catalog_knows() -> None:
    rows = (await ask(app_on(), "/api/tags", method="GET")).json()["models"]
    details = next(row["details"] for row in rows if row["name"] == LARGE.name)
    assert details["quantization_level"] == "q4_K_M"
    assert details["parameter_size"] == "8.2B"


async def test_version_is_a_release_that_clients_can_compare() -> None:
    body = (await ask(app_on(), "/api/version", method="GET")).json()
    assert [int(part) for part in body["version"].split(".")] >= [0, 9, 0]


async def test_health_says_which_engines_answer_but_not_past_a_key() -> None:
    class Down(FakeEngine):
        def installed(self) -> tuple[ServedBuild, ...]:
            raise EngineUnreachable("nobody listens there", fix="start it")

    body = (await ask(app_on(fake(), Down(endpoint="down")), "/health", method="GET")).json()
    assert body["status"] == "ok"
    assert body["engines"] == [{"name": "fake", "models": 2}, {"name": "fake", "models": 0}]
    assert body["problems"] == ["nobody listens there"]
    guarded = (await ask(app_on(api_key="k"), "/health", method="GET")).json()
    assert set(guarded) == {"status", "version"}


# ── Ollama ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_ollama_streams_lines_by_default_and_ends_with_counts_and_durations() -> None:
    response = await ask(app_on(fake("It is 4.", reasoning=("two and two",))), "/api/chat", {**SUM, "think": True})
    assert response.headers["content-type"] == "application/x-ndjson"
    *pieces, last = lines_of(response)
    assert "".join(line["message"]["content"] for line in pieces) == "It is 4."
    assert "".join(line["message"].get("thinking", "") for line in pieces) == "two and two"
    assert not any(line["done"] for line in pieces)
    assert (last["done"], last["done_reason"]) == (True, "stop")
    assert last["eval_count"] > 0
    assert last["prompt_eval_count"] > 0
    assert last["total_duration"] >= last["eval_duration"] >= 0
    assert isinstance(last["total_duration"], int)
    assert last["router"]["decision_id"] == response.headers["x-qwen-router-decision-id"]


async def test_ollama_options_are_honoured() -> None:
    engine = fake()
    options = {"temperature": 0.3, "num_predict": 7, "seed": 11, "top_p": 0.5, "stop": ["X"]}
    await ask(app_on(engine), "/api/chat", {**SUM, "stream": False, "think": False, "options": options})
    call = engine.calls[0]
    assert (call.sampling.temperature, call.max_answer_tokens, call.seed, call.sampling.top_p, call.stop) == (
        0.3,
        7,
        11,
        0.5,
        ("X",),
    )


async def test_ollama_errors_are_one_string() -> None:
    response = await ask(app_on(), "/api/chat", {**SUM, "model": "qwen3:8"})
    assert response.status_code == 404
    assert isinstance(response.json()["error"], str)


# ── ours ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        "Hello!",
        "Prove that there are infinitely many primes.",
        "把这句话翻译成英文：今天天气很好",
        "Write a quicksort in Rust.",
    ],
    ids=["greeting", "proof", "chinese", "code"],
)
async def test_the_route_endpoint_and_the_library_give_the_same_line(text: str) -> None:
    """vllm-project/semantic-router/issues/640: the advice and the data path disagreed."""
    from qwen_router.decide import decision_line
    from qwen_router.profile import profile_line

    router = router_on(fake())
    app = create_app(router)
    body = {"messages": [{"role": "user", "content": text}]}
    for policy in (None, "fast", "quality"):
        served = (await ask(app, "/v1/route", {**body, "policy": policy} if policy else body)).json()
        decision = router.route(body, policy=policy)
        here = json.loads(encode({**decision_line(decision), "profile": profile_line(decision.profile)}))
        for line in (served, here):
            line.pop("decision_id")
            line["profile"].pop("elapsed_us")
        assert served == here
        model = f"auto:{policy}" if policy else "auto"
        chat = await ask(app, "/v1/chat/completions", {**body, "model": model})
        assert chat.headers["x-qwen-router-model"] == served["model"]
        block = chat.json()["router"]
        assert block["thinking"] == served["thinking"]


async def test_route_explains_every_candidate_when_asked() -> None:
    body = {**SUM, "explain": True, "id": "q7", "answering": True}
    line = (await ask(app_on(), "/v1/route", body)).json()
    assert line["id"] == "q7"
    assert {verdict["fate"] for verdict in line["verdicts"]} >= {"chosen"}
    assert all(verdict["reason"] for verdict in line["verdicts"])


async def test_classify_gives_the_profile() -> None:
    line = (await ask(app_on(), "/v1/classify", {"id": 3, "text": "What is the derivative of x^3?"})).json()
    assert line["id"] == 3
    assert sum(line["domains"].values()) == pytest.approx(1, abs=1e-3)
    assert 0 <= line["depth"] <= 1


# ── bad input ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"", "empty", id="empty-body"),
        pytest.param(b"   ", "empty", id="blank-body"),
        pytest.param(b'{"messages": [}', "column 15", id="broken-json-with-position"),
        pytest.param(b'{"messages": "\xff"}', "not JSON", id="broken-utf8"),
        pytest.param(b'{"a": NaN}', "not JSON", id="nan"),
        pytest.param(b"[" * 100_000, "not JSON", id="deep-nesting"),
        pytest.param(b"[1]", "array", id="array"),
        pytest.param(b'"hi"', "string", id="string"),
        pytest.param({}, "messages", id="no-messages"),
        pytest.param({"messages": []}, "no messages", id="no-message"),
        pytest.param({"messages": "hi"}, "not a list", id="messages-as-text"),
        pytest.param({"messages": [{"role": "wizard", "content": "hi"}]}, "wizard", id="unknown-role"),
        pytest.param({"messages": [{"role": "user", "content": 5}]}, "content", id="content-as-number"),
        pytest.param({**SUM, "model": 5}, "model", id="model-as-number"),
        pytest.param({**SUM, "model": ""}, "model is empty", id="empty-model"),
        pytest.param({**SUM, "stream": "yes"}, "stream", id="stream-as-text"),
        pytest.param({**SUM, "max_tokens": 0}, "max_tokens", id="no-tokens"),
        pytest.param({**SUM, "temperature": "hot"}, "temperature", id="hot"),
        pytest.param({**SUM, "tools": [{}]}, "tool 1", id="nameless-tool"),
        pytest.param({**SUM, "policy": 7}, "policy", id="policy-as-number"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/chat", "/v1/route"])
async def test_bad_bodies_get_400_and_a_reason(path: str, body: Any, said: str) -> None:
    response = await ask(app_on(), path, body)
    if path == "/v1/route" and "stream" in said:  # nothing is streamed there
        assert response.status_code == 200
        return
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    message = error if path == "/api/chat" else error["message"]
    assert said in message
    assert "try:" in message


@pytest.mark.parametrize(
    "extra", [{"n": 2}, {"logprobs": True}, {"stream_options": 1}, {"stream_options": {"include_usage": 1}}]
)
async def test_what_would_change_the_shape_of_the_reply_is_refused(extra: Mapping[str, Any]) -> None:
    assert (await ask(app_on(), "/v1/chat/completions", {**SUM, **extra})).status_code == 400


async def test_a_body_over_the_limit_is_413_announced_or_not() -> None:
    app = app_on(max_body_bytes=1000)
    large = json.dumps({"messages": [{"role": "user", "content": "x" * 2000}]}).encode()
    assert (await ask(app, "/api/chat", large)).status_code == 413

    async def unannounced() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 300):
            yield large[start : start + 300]

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://router") as client:
        response = await client.post("/v1/chat/completions", content=unannounced())
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "body_too_large"


async def test_five_megabytes_of_text_are_answered_or_refused_but_never_a_failure() -> None:
    body = {"messages": [{"role": "user", "content": "lorem ipsum dolor " * 280_000}]}
    response = await ask(app_on(), "/v1/chat/completions", body)
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "no_model_fits"


async def test_a_wrong_content_type_is_tolerated() -> None:
    raw = json.dumps(SUM).encode()
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "nonsense"):
        response = await ask(app_on(), "/v1/chat/completions", raw, headers={"content-type": content_type})
        assert response.status_code == 200


async def test_unknown_paths_and_methods_are_json_too() -> None:
    response = await ask(app_on(), "/v1/chat/completion", SUM)
    assert response.status_code == 404
    assert "/v1/chat/completions" in response.json()["error"]["message"]
    response = await ask(app_on(), "/api/chta", SUM)
    assert "/api/chat" in response.json()["error"]
    response = await ask(app_on(), "/v1/chat/completions", method="GET")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.json()["error"]["code"] == "wrong_method"


async def test_lone_surrogates_and_huge_integers_can_be_written() -> None:
    assert json.loads(encode({"a": "\ud800", "b": 2**70})) == {"a": "\ud800", "b": 2**70}


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("header", "status"),
    [(None, 401), ("Bearer wrong", 401), ("Basic s3cret", 401), ("Bearer s3cret", 200), ("bearer s3cret", 200)],
)
async def test_a_key_is_asked_for(header: str | None, status: int) -> None:
    headers = {} if header is None else {"authorization": header}
    for path in ("/v1/chat/completions", "/api/chat"):
        response = await ask(app_on(api_key="s3cret"), path, {**SUM, "stream": False}, headers=headers)
        assert response.status_code == status
        if status == 401:
            assert response.headers["www-authenticate"] == "Bearer"
            assert "s3cret" not in response.text


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("a.example", False),
    ],
)
def test_other_computers_are_let_in_only_with_a_key(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
    check_exposure(host, "key")
    if not loopback:
        with pytest.raises(InvalidRequest, match="no API key"):
            check_exposure(host, None)
    with pytest.raises(InvalidRequest, match="empty"):
        check_exposure(host, " ")


# ── engines that fail ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (EngineRefused("it said no", fix="ask again"), 502, "engine_refused"),
        (EngineUnreachable("nobody there", fix="start it"), 503, "engine_unreachable"),
        (EngineTimeout("too slow", fix="wait"), 504, "engine_timeout"),
    ],
    ids=["refused", "unreachable", "timeout"],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_failure_before_the_first_byte_has_its_own_status(
    error: EngineError, status: int, code: str, stream: bool
) -> None:
    response = await ask(app_on(fake(fail=error)), "/v1/chat/completions", {**SUM, "stream": stream})
    assert response.status_code == status
    assert response.json()["error"]["code"] == code
    assert response.json()["error"]["type"] == "server_error"
    response = await ask(app_on(fake(fail=error)), "/api/chat", {**SUM, "stream": stream})
    assert response.status_code == status
    assert error.problem in response.json()["error"]


async def test_a_failure_after_the_first_byte_is_an_event_and_the_end() -> None:
    def failing() -> FakeEngine:
        return fake("It is four, I think", fail=EngineTimeout("too slow", fix="wait"), fail_after=2)

    body = {**SUM, "stream": True, "think": False}
    response = await ask(app_on(failing()), "/v1/chat/completions", body)
    assert response.status_code == 200
    events = events_of(response)
    assert events[-1]["error"]["code"] == "engine_timeout"
    assert delta_text(events[:-1], "content").startswith("It is")
    assert "[DONE]" not in response.text
    response = await ask(app_on(failing()), "/api/chat", body)
    assert "too slow" in lines_of(response)[-1]["error"]
    assert not any(line.get("done") for line in lines_of(response))


async def test_another_model_steps_in_before_the_first_byte_and_the_headers_name_it() -> None:
    class OnlySmall(FakeEngine):
        async def astream(self, call: Call) -> AsyncIterator[Event]:
            if call.model != SMALL.name:
                raise EngineUnreachable("gone", fix="start it")
            async for event in super().astream(call):
                yield event

    app = app_on(OnlySmall(("4",), models=(SMALL, LARGE)))
    response = await ask(app, "/v1/chat/completions", {**SUM, "model": "auto:quality"})
    assert response.headers["x-qwen-router-model"] == SMALL.model_id
    block = response.json()["router"]
    assert block["model"] == SMALL.model_id
    assert len(block["failed_attempts"]) >= 1


class Endless(FakeEngine):
    """Says `x` for ever and notes when it is stopped."""

    def __init__(self, *, breaks: Exception | None = None, silent: bool = False, unfinished: bool = False) -> None:
        super().__init__(models=(SMALL, LARGE))
        self.closed = 0
        self._breaks, self._silent, self._unfinished = breaks, silent, unfinished

    async def astream(self, call: Call) -> AsyncIterator[Event]:
        try:
            if self._unfinished:
                yield Text("x")
                return
            yield Reasoning("hm")
            if self._breaks is not None:
                raise self._breaks
            while True:
                await asyncio.sleep(30 if self._silent else 0.001)
                yield Text("x")
        finally:
            self.closed += 1


async def test_what_nobody_raised_on_purpose_shows_neither_prompt_nor_traceback(caplog: pytest.LogCaptureFixture) -> None:
    prompt = {"model": "auto", "messages": [{"role": "user", "content": SECRET}]}
    with caplog.at_level(logging.DEBUG):
        for stream in (False, True):
            app = app_on(Endless(breaks=ValueError(f"cannot tokenise {SECRET}")))
            response = await ask(app, "/v1/chat/completions", {**prompt, "stream": stream})
            assert response.status_code == (200 if stream else 500)
            assert SECRET not in response.text
            assert "Traceback" not in response.text
            assert '"code":"unexpected"' in response.text
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text


async def test_an_engine_that_never_says_done_is_an_error_not_an_answer() -> None:
    response = await ask(app_on(Endless(unfinished=True)), "/v1/chat/completions", SUM)
    assert (response.status_code, response.json()["error"]["code"]) == (502, "engine_nonsense")
    response = await ask(app_on(Endless(unfinished=True)), "/api/chat", SUM)
    assert "without saying so" in lines_of(response)[-1]["error"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("silent", [False, True], ids=["talking", "silent"])
async def test_the_generation_stops_when_the_caller_hangs_up(stream: bool, silent: bool) -> None:
    engine = Endless(silent=silent)
    app = app_on(engine)
    gone = asyncio.Event()
    raw = json.dumps({**SUM, "stream": stream}).encode()
    received = iter([{"type": "http.request", "body": raw, "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in received:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        pass

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/v1/chat/completions", "raw_path": b"", "query_string": b"", "root_path": "", "headers": [],
    }  # fmt: skip
    talking = asyncio.create_task(app(scope, receive, send))
    await asyncio.sleep(0.3)
    assert engine.closed == 0
    gone.set()
    await asyncio.wait_for(talking, timeout=5)
    assert engine.closed == 1


# ── real sockets ────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def listening(app: Starlette) -> Iterator[str]:
    """The application on a free loopback port."""
    listener = listening_socket("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield url_of(listener)
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()


@pytest.mark.loopback
def test_the_openai_client_talks_to_it() -> None:
    import openai

    engine = fake("It is 4.", reasoning=("two and two",))
    with (
        listening(app_on(engine, api_key="k")) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as client,
    ):
        whole = client.chat.completions.create(model="auto:quality", messages=SUM["messages"], extra_body={"think": True})
        assert whole.choices[0].message.content == "It is 4."
        assert whole.usage is not None and whole.usage.completion_tokens_details is not None
        assert whole.usage.completion_tokens_details.reasoning_tokens
        chunks = list(
            client.chat.completions.create(
                model="auto", messages=SUM["messages"], stream=True, stream_options={"include_usage": True}
            )
        )
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "It is 4."
        assert chunks[-1].usage is not None
        assert "auto" in [model.id for model in client.models.list()]
        with pytest.raises(openai.NotFoundError, match="did you mean"):
            client.chat.completions.create(model="auto:fats", messages=SUM["messages"])
        with pytest.raises(openai.AuthenticationError):
            client.with_options(api_key="wrong").models.list()


@pytest.mark.loopback
def test_the_openai_client_reads_a_tool_call_stream() -> None:
    import openai

    with (
        listening(app_on(fake("", tool_calls=((WEATHER,),)))) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="-", max_retries=0) as client,
    ):
        tools: Any = [WEATHER_TOOL]
        with client.chat.completions.stream(model="auto", messages=SUM["messages"], tools=tools) as stream:
            final = stream.get_final_completion()
        calls = final.choices[0].message.tool_calls
        assert calls is not None and json.loads(calls[0].function.arguments) == {"city": "Köln", "days": 2}


@pytest.mark.loopback
def test_the_ollama_client_talks_to_it() -> None:
    import ollama

    engine = fake("It is 4.", reasoning=("two and two",))
    with listening(app_on(engine)) as url:
        client = ollama.Client(url)
        try:
            whole = client.chat("auto", messages=SUM["messages"], think=True)
            assert (whole.message.content, whole.message.thinking) == ("It is 4.", "two and two")
            assert whole.done and whole.eval_count
            parts = list(client.chat("auto:quality", messages=SUM["messages"], stream=True, think=False))
            assert "".join(part.message.content or "" for part in parts) == "It is 4."
            assert parts[-1].done_reason == "stop"
            assert "auto" in [model.model for model in client.list().models]
            with pytest.raises(ollama.ResponseError, match="did you mean") as caught:
                client.chat("auto:fats", messages=SUM["messages"])
            assert caught.value.status_code == 404
        finally:
            client._client.close()


@pytest.mark.loopback
def test_hanging_up_on_a_real_connection_stops_the_generation() -> None:
    engine = Endless()
    with listening(app_on(engine)) as url:
        with httpx.Client() as client, client.stream("POST", f"{url}/api/chat", json=SUM) as response:
            next(response.iter_lines())
        for _ in range(100):
            if engine.closed:
                break
            time.sleep(0.05)
    assert engine.closed == 1


@pytest.mark.loopback
def test_a_taken_port_is_one_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(CannotListen, match="cannot listen on"):
            serve(router_on(fake()), port=taken.getsockname()[1])
    with pytest.raises(InvalidRequest, match="port is 70000"):
        serve(router_on(fake()), port=70000)
    with pytest.raises(InvalidRequest, match="no API key"):
        serve(router_on(fake()), host="0.0.0.0")
