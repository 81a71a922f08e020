"""OpenAI-compatible servers are told by asking them; hosted ones get their key the way that they want it."""

from __future__ import annotations

import asyncio
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from qwen_router.engines.configured import configured_engines
from qwen_router.engines.dialects import key_header, recognised
from qwen_router.engines.openai import OpenAIEngine
from qwen_router.errors import EngineRefused, InvalidRequest
from qwen_router.settings import Endpoint, Settings
from tests.servers.loopback import Answer, Asked, LoopbackServer
from tests.servers.openai_server import openai_server
from tests.servers.script import Say
from tests.test_engines import answer_of, call_of


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("https://me.openai.azure.com/openai/v1", {"api-key": "k"}),
        ("https://me.services.ai.azure.com/openai/v1", {"api-key": "k"}),
        ("https://1234.cn-hangzhou.pai-eas.aliyuncs.com/api/predict/qwen/v1", {"Authorization": "k"}),
        ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", {"Authorization": "Bearer k"}),
        ("https://eu-aiplatform.googleapis.com/v1/projects/p/locations/l/endpoints/e", {"Authorization": "Bearer k"}),
        ("https://runtime.sagemaker.eu-west-1.amazonaws.com/endpoints/e/openai/v1", {"Authorization": "Bearer k"}),
        ("http://127.0.0.1:8000", {"Authorization": "Bearer k"}),
    ],
)
def test_each_host_gets_its_key_its_way(url: str, header: dict[str, str]) -> None:
    assert key_header(url, "k") == header
    assert key_header(url, None) == {}


def _answers(answers: dict[str, tuple[int, str]]) -> Any:
    return lambda path: answers.get(path, (404, ""))


@pytest.mark.parametrize(
    ("url", "owner", "answers", "name"),
    [
        ("http://127.0.0.1:1", "vllm", {}, "vllm"),
        ("http://127.0.0.1:1", "sglang", {}, "sglang"),
        ("http://127.0.0.1:1", "llamacpp", {}, "llamacpp"),
        ("http://127.0.0.1:1", "", {"/load_model": (405, "")}, "transformers"),
        ("http://127.0.0.1:1", "", {"/api/v0/models": (200, '{"data": [{"compatibility_type": "gguf"}]}')}, "lmstudio"),
        ("http://127.0.0.1:1", "", {"/api/v0/models": (200, "<html>")}, "generic"),
        ("http://127.0.0.1:1", "", {"/openai/status": (200, '{"modelDirPath": "x", "endpoints": []}')}, "foundry"),
        ("http://127.0.0.1:1", "library", {"/": (200, "Ollama is running")}, "ollama"),
        ("https://dashscope.aliyuncs.com/compatible-mode/v1", "", {}, "dashscope"),
        ("https://1.cn.pai-eas.aliyuncs.com/v1", "vllm", {}, "vllm"),
        ("https://example.org/v1", "", {"/openai/status": (200, '{"modelDirPath": "x"}')}, "generic"),
    ],
)
def test_servers_are_told_by_what_they_say(url: str, owner: str, answers: dict[str, tuple[int, str]], name: str) -> None:
    assert recognised(url, [{"id": "m", "owned_by": owner}], _answers(answers)).name == name


@pytest.mark.loopback
def test_ollamas_v1_is_refused_with_the_way_to_its_own_protocol() -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/v1/models":
            return Answer.of_json({"object": "list", "data": [{"id": "qwen3:8b", "object": "model", "owned_by": "library"}]})
        found = asked.path == "/"
        return Answer(200 if found else 404, (b"Ollama is running" if found else b"404",), "text/plain")

    with LoopbackServer(answer) as server, closing(OpenAIEngine(server.url + "/v1")) as engine:
        for ask in (engine.installed, lambda: list(engine.stream(call_of("qwen3:8b")))):
            with pytest.raises(EngineRefused, match="cannot set the context") as caught:
                ask()
            assert caught.value.fix.startswith(f"set OLLAMA_HOST={server.url} ")


@pytest.mark.loopback
def test_a_query_goes_with_every_request_and_unlisted_models_are_served() -> None:
    with openai_server(Say(content="42"), models=("qwen3-8b",), models_status=404, owned_by="x") as server:
        url = f"{server.url}/v1?api-version=2026-01-01"
        with closing(OpenAIEngine(url, models=["qwen3-8b"])) as engine:
            assert [(b.name, b.model_id) for b in engine.installed()] == [("qwen3-8b", "Qwen/Qwen3-8B")]
            assert "api-version" not in engine.endpoint
            assert answer_of(list(engine.stream(call_of("qwen3-8b", think=False)))) == "42"
        chats = [asked.path for asked in server.asked if "chat" in asked.path]
    assert chats and all(path.endswith("?api-version=2026-01-01") for path in chats)


def test_every_endpoint_may_have_a_key_of_its_own() -> None:
    env = {
        "QWEN_ROUTER_ENDPOINTS": "http://a/v1,https://me.openai.azure.com/openai/v1#key=AZURE&model=qwen3-8b&model=qwq",
        "QWEN_ROUTER_API_KEY": "shared",
        "AZURE": "own",
    }
    first, second = Settings.from_environment(env).endpoints
    assert first == Endpoint("http://a/v1", "shared")
    assert second == Endpoint("https://me.openai.azure.com/openai/v1", "own", ("qwen3-8b", "qwq"))
    assert "own" not in repr(second)


@pytest.mark.parametrize(
    ("rest", "said"),
    [("key=MISSING", "MISSING"), ("key=", "no variable"), ("kye=A", "kye"), ("what", "nothing|what")],
)
def test_a_wrong_word_behind_the_address_is_named(rest: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        Settings.from_environment({"QWEN_ROUTER_ENDPOINTS": f"http://a/v1#{rest}"})


def test_a_running_foundry_local_is_found_by_its_own_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "foundry"
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for said, found in [
        ("🟢 Model management service is running on http://127.0.0.1:5273/openai/status", "http://127.0.0.1:5273"),
        ("🔴 Model management service is not running!", None),
    ]:
        command.write_text(f"#!/bin/sh\n[ \"$1 $2\" = 'service status' ] && echo '{said}'\n", "utf-8")
        command.chmod(command.stat().st_mode | stat.S_IXUSR)
        engines = configured_engines(Settings())
        assert [e.endpoint for e in engines if e.name == "openai"] == ([found] if found else [])
        for engine in engines:
            engine.close()


@pytest.mark.loopback
def test_one_refusal_of_something_else_does_not_take_the_switch_from_everybody() -> None:
    refusal = b'{"error": {"message": "The JSON schema contains features not supported by xgrammar"}}'
    with openai_server(raw=[refusal], status=400, models=("m",), owned_by="vllm") as server:
        with closing(OpenAIEngine(server.url)) as engine:
            with pytest.raises(EngineRefused, match="xgrammar"):
                list(engine.stream(call_of("m", think=False)))
            with pytest.raises(EngineRefused):
                list(engine.stream(call_of("m", think=False)))
            assert server.bodies[2]["chat_template_kwargs"] == {"enable_thinking": False}


@pytest.mark.loopback
def test_all_first_requests_to_a_strict_server_are_answered() -> None:
    with openai_server(Say(content="42"), refuses=("chat_template_kwargs",), models=("m",), owned_by="x") as server:
        with closing(OpenAIEngine(server.url)) as engine:

            async def ask() -> str:
                return answer_of([event async for event in engine.astream(call_of("m", think=False))])

            async def ask_all() -> list[str]:
                return await asyncio.gather(*(ask() for _ in range(8)))

            assert asyncio.run(ask_all()) == ["42"] * 8
            before = len(server.bodies)
            assert asyncio.run(ask()) == "42" and len(server.bodies) == before + 1  # it is remembered


@pytest.mark.loopback
def test_a_key_is_in_no_error() -> None:
    env = {"QWEN_ROUTER_ENDPOINTS": "http://127.0.0.1:9/v1", "QWEN_ROUTER_API_KEY": "sk-secret\r\n"}
    assert Settings.from_environment(env).endpoints[0].api_key == "sk-secret"
    with pytest.raises(InvalidRequest) as caught:
        Settings.from_environment({"QWEN_ROUTER_ENDPOINTS": "http://me:hunter2@127.0.0.1:9/v1"})
    assert "hunter2" not in str(caught.value) and "http://127.0.0.1:9/v1#key=VARIABLE" in caught.value.fix
    with openai_server(Say(content="42")) as server, closing(OpenAIEngine(server.url, api_key="sk-se\ncret")) as engine:
        with pytest.raises(EngineRefused, match="a header is not allowed") as refused:
            engine.installed()
    assert "cret" not in str(refused.value)
