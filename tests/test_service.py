"""The service, spoken to through ASGI without sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest

from qwen_router.engines.fake import FakeEngine
from qwen_router.errors import EngineUnreachable, InvalidRequest
from qwen_router.hardware import ServedBuild
from qwen_router.service import create_app
from qwen_router.service.body import encode
from qwen_router.service.run import check_exposure, is_loopback
from tests.service_world import (
    LARGE,
    SMALL,
    SUM,
    WEATHER,
    WEATHER_TOOL,
    app_on,
    ask,
    delta_text,
    events_of,
    fake,
    lines_of,
    router_on,
)

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
    assert body["engines"] == [
        {"name": "fake", "endpoint": "fake", "models": 2},
        {"name": "fake", "endpoint": "down", "models": 0},
    ]
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
