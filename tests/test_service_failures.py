"""What callers of the service see when an engine fails, and what it does when a caller leaves."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from qwen_router.engines.base import Call, Event
from qwen_router.engines.fake import FakeEngine
from qwen_router.errors import EngineError, EngineRefused, EngineTimeout, EngineUnreachable
from tests.service_world import (
    LARGE,
    SECRET,
    SMALL,
    SUM,
    Endless,
    app_on,
    ask,
    delta_text,
    events_of,
    fake,
    lines_of,
)


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
