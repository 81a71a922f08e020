"""The service on a real port, spoken to by the official clients."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from qwen_router.errors import InvalidRequest
from qwen_router.service.run import CannotListen, listening_socket, serve, url_of
from tests.service_world import (
    SUM,
    WEATHER,
    WEATHER_TOOL,
    Endless,
    app_on,
    fake,
    router_on,
)


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
