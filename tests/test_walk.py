"""The whole walk over real engines and protocols: one question, four ways to be answered, thinking on and off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import xllamacpp

from qwen_router.demo import demo_gguf
from qwen_router.engines.base import Engine
from qwen_router.engines.llamacpp import LlamaCppEngine
from qwen_router.engines.ollama import OllamaEngine
from qwen_router.engines.openai import OpenAIEngine
from qwen_router.engines.thinking import STRAY_TAGS
from qwen_router.engines.transformers import TransformersEngine
from qwen_router.router import Router
from qwen_router.settings import Settings
from tests.servers.ollama_server import OllamaServer
from tests.servers.script import Say
from tests.worlds import machine

QUESTION = "What is 34 + 27 + 58?"


@contextmanager
def closing(engine: Engine) -> Iterator[Engine]:
    yield engine
    engine.close()


@contextmanager
def llamacpp_server() -> Iterator[Engine]:
    """llama.cpp's own OpenAI-compatible server, on a port of its choice."""
    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias = str(demo_gguf()), {"qwen3-nano"}
    params.n_ctx, params.n_parallel, params.verbosity, params.warmup = 2048, 1, -1, False
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)
    with closing(OpenAIEngine(server.listening_address)) as engine:
        yield engine


@contextmanager
def ollama_protocol() -> Iterator[Engine]:
    """A server that speaks Ollama's protocol; there is no Ollama to install here."""

    def says(body: dict[str, Any]) -> Say:
        return Say(content="The answer is 119.", reasoning="34+27=61\n61+58=119" if body["think"] else "")

    with OllamaServer(says) as server, closing(OllamaEngine(server.url)) as engine:
        yield engine


WAYS = {
    "llamacpp": lambda: closing(LlamaCppEngine()),
    "transformers": lambda: closing(TransformersEngine()),
    "llamacpp-server": llamacpp_server,
    "ollama-protocol": ollama_protocol,
}


@pytest.mark.loopback
@pytest.mark.parametrize("think", [True, False], ids=["thinking", "not-thinking"])
@pytest.mark.parametrize("way", WAYS)
def test_the_same_question_is_answered_every_way(way: str, think: bool) -> None:
    with WAYS[way]() as engine:
        router = Router(engines=[engine], machine=machine(), settings=Settings())
        reply = router.ask({"messages": [{"role": "user", "content": QUESTION}], "think": think, "seed": 3})
    assert reply.served_by.thinking is think and bool(reply.reasoning) is think
    assert reply.answer.strip() and not any(tag in reply.answer for tag in STRAY_TAGS)
    assert reply.violations == ()
    if think:
        assert "119" in reply.answer
