"""What the tests of the service share: a machine, engines from a script, a client without sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
from starlette.applications import Starlette

from qwen_router.engines.base import Call, Event, Reasoning, Text
from qwen_router.engines.fake import FakeEngine
from qwen_router.hardware import Device, Machine, ServedBuild
from qwen_router.request import ToolCall
from qwen_router.router import Router
from qwen_router.service import create_app
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
