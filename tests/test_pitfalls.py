"""Symptoms of docs/pitfalls.md that no other file tests, and the check that every test named there exists."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path

import pytest

from qwen_router.engines.fake import FakeEngine
from qwen_router.engines.openai import OpenAIEngine
from qwen_router.request import Message, Request, ToolCall, ToolSpec, Wishes
from tests.servers.openai_server import openai_server
from tests.servers.script import Say
from tests.test_engines import ADD, _serving, answer_of, call_of, kinds, reasoning_of
from tests.test_router import router, served


def test_every_test_that_the_page_names_exists(repository: Path) -> None:
    page = (repository / "docs" / "pitfalls.md").read_text("utf-8")
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", page)
    assert len(named) > 30
    missing = [
        f"{file}::{name}" for file, name in named if f"def {name}(" not in (repository / "tests" / file).read_text("utf-8")
    ]
    assert not missing
    rows = [line for line in page.splitlines() if line.startswith("| ") and "---" not in line and "| test |" not in line]
    assert len(rows) == 29 and all("::" in row for row in rows)


@pytest.mark.parametrize(
    ("thinks", "twin"),
    [
        ("Qwen/Qwen3-4B-Thinking-2507", "Qwen/Qwen3-4B-Instruct-2507"),
        ("Qwen/Qwen3-VL-4B-Thinking", "Qwen/Qwen3-VL-4B-Instruct"),
    ],
)
def test_thinking_off_goes_to_the_instruct_twin(thinks: str, twin: str) -> None:
    engine = FakeEngine(["ok"], models=[served(thinks), served(twin)])
    hard = "Prove that the square root of 2 is irrational, step by step."
    off = router(engine).ask(Request((Message("user", hard),), wishes=Wishes(thinking=False)))
    assert off.served_by.build.model.id == twin and engine.calls[-1].thinking.enabled is False
    on = router(engine).ask(Request((Message("user", hard),), wishes=Wishes(thinking=True)))
    assert on.served_by.build.model.id == thinks and engine.calls[-1].thinking.enabled is True


@pytest.mark.loopback
@pytest.mark.parametrize("protocol", ["ollama", "openai"])
@pytest.mark.parametrize("think", [True, False])
def test_the_switch_is_never_written_into_a_message(protocol: str, think: bool) -> None:
    with _serving(protocol, Say(content="ok", reasoning="hm" if think else "")) as (engine, model, server):
        list(engine.stream(call_of(model, "Hello", think=think)))
        assert [m["content"] for m in server.bodies[-1]["messages"]] == ["Hello"]


@pytest.mark.loopback
def test_reasoning_that_leaks_behind_a_budget_is_named_and_its_tag_taken_out() -> None:
    with openai_server(Say(reasoning="12 +", content=" 30\n</think>\n\n42"), owned_by="vllm", models=("m",)) as server:
        with closing(OpenAIEngine(server.url)) as engine:
            events = list(engine.stream(call_of("m")))
    assert "</think>" not in answer_of(events) and answer_of(events).endswith("42")
    assert kinds(events) == ["leaked_tag"] and reasoning_of(events) == "12 +"


def _loop(turns: int) -> tuple[Message, ...]:
    messages = [Message("system", "Be brief."), Message("user", "1 + 2 + 3?")]
    for n in range(turns):
        messages.append(Message("assistant", "", tool_calls=(ToolCall(f"c{n}", "add", {"a": n}),), reasoning=f"step {n}"))
        messages.append(Message("tool", str(n), tool_call_id=f"c{n}"))
    return tuple(messages)


@pytest.mark.loopback
@pytest.mark.parametrize("protocol", ["ollama", "openai"])
def test_what_was_sent_before_is_sent_again_byte_for_byte(protocol: str) -> None:
    with _serving(protocol, Say(content="ok")) as (engine, model, server):
        for turns in (1, 2, 3):
            list(engine.stream(call_of(model, think=False, messages=_loop(turns), tools=(ADD,))))
        sent = [[json.dumps(m) for m in body["messages"]] for body in server.bodies[-3:]]
        tools = {json.dumps(body["tools"]) for body in server.bodies[-3:]}
    assert sent[1][: len(sent[0])] == sent[0] and sent[2][: len(sent[1])] == sent[1] and len(tools) == 1


@pytest.mark.loopback
@pytest.mark.parametrize(("family", "told"), [("qwen3", False), ("qwen3.5", False), ("qwen3.6", True), ("qwen3.8", True)])
def test_newer_models_are_told_to_keep_their_plan_in_a_tool_loop(family: str, told: bool) -> None:
    with _serving("openai", Say(content="ok", reasoning="hm")) as (engine, model, server):
        list(engine.stream(call_of(model, messages=_loop(1), tools=(ADD,), family=family)))
        kwargs = server.bodies[-1]["chat_template_kwargs"]
        reasoning = [m.get("reasoning_content") for m in server.bodies[-1]["messages"] if m["role"] == "assistant"]
    assert kwargs.get("preserve_thinking", False) is told and reasoning == ["step 0"]


@pytest.mark.parametrize("choice", ["auto", "required", "add"])
def test_a_tool_choice_leaves_thinking_as_it_was_wished(choice: str) -> None:
    engine = FakeEngine(["ok"], models=[served("Qwen/Qwen3-8B")])
    tools = (ToolSpec("add", "Adds.", {"type": "object"}),)
    asked = Request((Message("user", "1 + 2?"),), tools=tools, tool_choice=choice, wishes=Wishes(thinking=True))
    reply = router(engine).ask(asked)
    assert engine.calls[-1].thinking.enabled and engine.calls[-1].tool_choice == choice
    assert not any("thinking" in note for note in reply.decision.overrides)
