"""A thinking budget on every engine: real thoughts are cut while they run, and the answer goes on behind them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwen_router.demo import demo_checkpoint
from qwen_router.engines.base import Call, Engine, Event, ThinkingPlan
from qwen_router.engines.chatml import thought_prompt
from qwen_router.engines.dialects import DIALECTS
from qwen_router.engines.llamacpp import LlamaCppEngine
from qwen_router.engines.ollama import OllamaEngine
from qwen_router.engines.onnx import OnnxEngine
from qwen_router.engines.openai import OpenAIEngine
from qwen_router.engines.thinking import STOP_SENTENCE
from qwen_router.engines.transformers import TransformersEngine
from qwen_router.media import Attachment
from qwen_router.request import Message, ToolCall
from tests.nano_onnx import nano_onnx
from tests.servers.engine_servers import llama_cpp_server, transformers_server
from tests.servers.ollama_server import OllamaServer, Stored
from tests.servers.openai_server import openai_server
from tests.servers.script import Say
from tests.test_engines import ADD, answer_of, call_of, done_of, kinds, reasoning_of

IN_FLIGHT_TOKENS = 8
LONG = "wait, " * 40
SCHEMA = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"], "additionalProperties": False}


# ── what is sent when a thought is left ─────────────────────────────────────────────────────────────────────────────────


def budgeted(model: str, tokens: int, **changes: Any) -> Call:
    return call_of(model, thinking=ThinkingPlan(True, tokens), family="qwen3", **changes)


@contextmanager
def ollama(*says: Any, **options: Any) -> Iterator[tuple[OllamaEngine, OllamaServer]]:
    with OllamaServer(*says, **options) as server:
        with closing(OllamaEngine(server.url)) as engine:
            yield engine, server


async def _both(engine: Engine, call: Call) -> list[list[Event]]:
    return [list(engine.stream(call)), [event async for event in engine.astream(call)]]


@pytest.mark.loopback
async def test_ollama_is_left_at_the_budget_and_goes_on_behind_the_thought() -> None:
    call = budgeted("qwen3:8b", 16, max_answer_tokens=7, stop=("END",))
    said = Say(content="It is 42.", prompt_tokens=80, completion_tokens=5)
    with ollama(Say(reasoning=LONG), said, Say(reasoning=LONG), said) as (engine, server):
        for events in await _both(engine, call):
            thought, *rest = reasoning_of(events).split(STOP_SENTENCE.strip())
            assert (thought.strip(), rest) == (LONG[:48].strip(), [""])
            assert (answer_of(events), kinds(events), done_of(events).finish_reason) == ("It is 42.", [], "stop")
            usage = done_of(events).usage
            assert (usage.reasoning_tokens, usage.answer_tokens, usage.split_estimated) == (16, 5, True)
            chat, raw = server.bodies[-2:]
            assert (chat["think"], raw["think"], raw["raw"], raw["truncate"]) == (True, False, True, False)
            assert raw["prompt"] == thought_prompt(call, reasoning_of(events))
            assert raw["options"]["num_predict"] == 7 and raw["options"]["num_ctx"] == call.context_tokens
            assert raw["options"]["stop"] == ["END", "<|im_end|>"]
            assert raw["options"]["temperature"] == 0.6


@pytest.mark.loopback
def test_what_is_in_flight_is_not_computed_on() -> None:
    with ollama(Say(reasoning="wait, " * 200_000), Say(content="42")) as (engine, server):
        assert answer_of(list(engine.stream(budgeted("qwen3:8b", 4)))) == "42"
        assert server.left_early.wait(10)


@pytest.mark.loopback
def test_a_server_that_takes_no_raw_prompt_is_asked_for_the_answer_alone() -> None:
    with ollama(Say(reasoning=LONG), Say(content="42"), takes_raw_prompts=False) as (engine, server):
        events = list(engine.stream(budgeted("qwen3:8b", 4)))
        assert (answer_of(events), kinds(events)) == ("42", [])
        last = server.bodies[-1]
    assert last["think"] is False and [m["role"] for m in last["messages"]] == ["user", "assistant", "user"]


@pytest.mark.loopback
@pytest.mark.parametrize("thought", [Say(reasoning="hm, " * 9, finish_reason="length"), Say(content="<think>\nhm, so")])
def test_a_thought_that_ends_without_an_answer_is_asked_for_one_once(thought: Say) -> None:
    with ollama(thought, Say(content="It is 42.")) as (engine, server):
        events = list(engine.stream(budgeted("qwen3:8b", 500)))
        assert (answer_of(events), kinds(events), len(server.bodies)) == ("It is 42.", [], 2)
        assert server.bodies[1]["prompt"].endswith(f"{STOP_SENTENCE.strip()}\n</think>\n\n")
    with ollama(thought) as (engine, server):  # a second time there is none, and that is said
        done_of(list(engine.stream(budgeted("qwen3:8b", 500))))
        assert len(server.bodies) == 2


@pytest.mark.loopback
def test_the_system_prompt_of_a_modelfile_is_in_the_raw_prompt_too() -> None:
    says = (Say(reasoning=LONG), Say(content="42")) * 2
    with ollama(*says, models=(Stored(system="Be a pirate."),)) as (engine, server):
        engine.installed()
        list(engine.stream(budgeted("qwen3:8b", 4)))
        assert server.bodies[-1]["prompt"].startswith("<|im_start|>system\nBe a pirate.<|im_end|>\n<|im_start|>user\n")
        own = budgeted("qwen3:8b", 4, messages=(Message("system", "Be brief."), Message("user", "?")))
        list(engine.stream(own))
        assert "pirate" not in server.bodies[-1]["prompt"]


@pytest.mark.loopback
@pytest.mark.parametrize("owner", ["ollama", "lmstudio", "generic"])
def test_a_model_that_skips_its_thought_gives_its_answer_once(owner: str) -> None:
    """What is kept back because it may be a thought is neither cut at the budget nor doubled under a format."""
    long = "The sum is forty-two, since twelve and thirty make that. " * 4
    for format_, said, answer in [(None, long, long), (SCHEMA, '{"sum": 42}', '{"sum": 42}')]:
        call = budgeted("qwen3:8b", 16, response_format=format_)
        if owner == "ollama":
            with ollama(Say(content=said)) as (engine, server):
                events, posts = list(engine.stream(call)), len(server.bodies)
        else:
            with openai_server(Say(content=said), models=("qwen3:8b",), owned_by="me") as server:
                with closing(OpenAIEngine(server.url)) as remote:
                    remote._dialect = DIALECTS[owner]
                    events, posts = list(remote.stream(call)), len(server.bodies)
        assert answer_of(events).strip() == answer.strip() and reasoning_of(events) == ""
        assert kinds(events) == ["silent_though_on"] and posts == (1 if format_ is None else 2)


@pytest.mark.loopback
def test_what_was_thought_is_counted_when_the_format_comes_later() -> None:
    draft = Say(reasoning="hm, " * 60, content="It is 42.", prompt_tokens=30, completion_tokens=99)
    last = Say(content='{"sum": 42}', prompt_tokens=130, completion_tokens=7)
    with ollama(draft, last) as (engine, _):
        usage = done_of(
            list(engine.stream(call_of("qwen3:8b", thinking=ThinkingPlan(True, 500), response_format=SCHEMA)))
        ).usage
    assert (usage.reasoning_tokens, usage.answer_tokens, usage.prompt_tokens) == (80, 7, 50)


@pytest.mark.loopback
def test_a_thought_that_ended_by_itself_is_counted_by_the_engine() -> None:
    with ollama(Say(reasoning="hm", finish_reason="length", completion_tokens=77), Say(content="42")) as (engine, _):
        usage = done_of(list(engine.stream(budgeted("qwen3:8b", 500)))).usage
    assert (usage.reasoning_tokens, usage.prompt_tokens) == (77, 20)


@pytest.mark.loopback
def test_a_call_that_is_cut_off_is_recovered_and_not_asked_for_again() -> None:
    cut = '<think>\nhm\n</think>\n\n<tool_call>\n{"name": "add", "arguments": {"a": 12}}'
    with ollama(Say(content=cut)) as (engine, server):
        events = list(engine.stream(budgeted("qwen3:8b", 64, tools=(ADD,))))
        assert len(server.bodies) == 1
    assert [e.arguments for e in events if isinstance(e, ToolCall)] == [{"a": 12}]


@pytest.mark.loopback
def test_an_image_request_keeps_its_budget_by_being_asked_again() -> None:
    image = Message("user", "?", attachments=(Attachment(kind="image", source="data:image/png;base64,AAAA"),))
    with ollama(Say(reasoning=LONG), Say(content="A cat.")) as (engine, server):
        events = list(engine.stream(budgeted("qwen3:8b", 8, messages=(image,))))
        assert server.bodies[-1]["messages"][0]["images"] == ["AAAA"] and server.bodies[-1]["think"] is False
    assert (answer_of(events), kinds(events)) == ("A cat.", [])


@pytest.mark.loopback
def test_a_thought_within_its_budget_is_not_touched() -> None:
    with ollama(Say(reasoning="12 + 30", content="42")) as (engine, server):
        events = list(engine.stream(budgeted("qwen3:8b", 64)))
        assert (reasoning_of(events), answer_of(events), len(server.bodies)) == ("12 + 30", "42", 1)


@pytest.mark.loopback
def test_a_tool_call_behind_a_cut_thought_is_a_tool_call() -> None:
    text = '<tool_call>\n{"name": "add", "arguments": {"a": 12, "b": 30}}\n</tool_call>'
    with ollama(Say(reasoning=LONG), Say(content=text)) as (engine, server):
        events = list(engine.stream(budgeted("qwen3:8b", 4, tools=(ADD,))))
        assert '"name": "add"' in server.bodies[-1]["prompt"]
    assert [e for e in events if isinstance(e, ToolCall)] == [ToolCall("call_1_1", "add", {"a": 12, "b": 30})]
    assert kinds(events) == []


@pytest.mark.loopback
@pytest.mark.parametrize("owner", ["ollama", "lmstudio", "dashscope"])
def test_think_free_then_format(owner: str) -> None:
    """Engines that mix the two up: the thought comes without the format, the answer with it."""
    draft = Say(reasoning="12 + 30 = 42", content="It is forty-two.")
    call = call_of("qwen3:8b", response_format=SCHEMA, family="qwen3")
    if owner == "ollama":
        with ollama(draft, Say(content='{"sum": 42}')) as (engine, server):
            events = list(engine.stream(call))
            bodies = server.bodies
        assert "format" not in bodies[0] and bodies[1]["format"] == SCHEMA
    else:
        with openai_server(draft, Say(content='{"sum": 42}'), models=("qwen3:8b",), owned_by="me") as server:
            remote = OpenAIEngine(server.url)
            remote._dialect = DIALECTS[owner]
            events = list(remote.stream(call))
            bodies = server.bodies
            remote.close()
        assert "response_format" not in bodies[0] and bodies[1]["response_format"]["json_schema"]["schema"] == SCHEMA
    assert (reasoning_of(events), answer_of(events), kinds(events)) == ("12 + 30 = 42", '{"sum": 42}', [])


def test_a_budget_of_nothing_is_thinking_off() -> None:
    assert ThinkingPlan(True, 0) == ThinkingPlan(False, 0)


# ── the protocol is held to on both sides ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.loopback
@pytest.mark.parametrize(
    "mutate",
    [
        lambda chunk: {("content_" if k == "message" else k): v for k, v in chunk.items()},
        lambda chunk: {k: v for k, v in chunk.items() if k != "done_reason"},
        lambda chunk: {**chunk, "done": str(chunk.get("done"))},
        lambda chunk: {**chunk, "eval_count": 1.5} if chunk.get("done") else chunk,
        lambda chunk: {**chunk, "created_at": "yesterday"},
        lambda chunk: {**chunk, "reasoning": ""},
    ],
    ids=["wrong-name", "no-done-reason", "wrong-type", "no-integer", "no-time", "unknown-field"],
)
def test_a_mutated_field_makes_the_protocol_server_fail(mutate: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    server = OllamaServer(Say(content="42"), mutate=mutate)
    with pytest.raises(AssertionError, match="ChatResponse"), server:
        httpx.post(f"{server.url}/api/chat", json={"model": "qwen3:8b", "messages": []})


@pytest.mark.loopback
def test_a_field_that_ollama_does_not_know_makes_the_protocol_server_fail() -> None:
    body = {"model": "qwen3:8b", "messages": [{"role": "user", "content": "hi"}], "options": {"num_ctx": 4096.0 + 0.5}}
    server = OllamaServer(Say(content="42"))
    with pytest.raises(AssertionError, match="num_ctx"), server:
        httpx.post(f"{server.url}/api/chat", json=body)
    server = OllamaServer(Say(content="42"))
    with pytest.raises(AssertionError, match="max_tokens"), server:
        httpx.post(f"{server.url}/api/chat", json={**body, "options": {}, "max_tokens": 5})


@pytest.mark.loopback
def test_the_official_client_works_against_the_protocol_server_unmodified() -> None:
    import ollama as official

    says = Say(content="It is 42.", reasoning="12 + 30"), Say(content=" plain"), Say(calls=(("add", {"a": 1}),))
    with OllamaServer(*says, models=(Stored(loaded_context=8192),)) as server:
        client = official.Client(server.url)
        messages = [{"role": "user", "content": "12 + 30?"}]
        chunks = list(client.chat("qwen3:8b", messages, think=True, stream=True, options={"num_ctx": 8192}))
        assert "".join(c.message.thinking or "" for c in chunks) == "12 + 30"
        assert "".join(c.message.content or "" for c in chunks) == "It is 42."
        assert (chunks[-1].done_reason, chunks[-1].eval_count) == ("stop", 10)
        raw = list(client.generate("qwen3:8b", "x", raw=True, think=False, stream=True))
        assert "".join(c.response for c in raw) == " plain"
        called, last = client.chat("qwen3:8b", messages, think=False, stream=True)
        assert called.message.tool_calls is not None and called.message.tool_calls[0].function.arguments == {"a": 1}
        assert last.done
        assert [m.model for m in client.list().models] == ["qwen3:8b"]
        assert client.ps().models[0].context_length == 8192
        assert client.show("qwen3:8b").modelinfo is not None
        client._client.close()


# ── real thoughts, cut while they run ───────────────────────────────────────────────────────────────────────────────────


def sums(count: int, seed: int) -> list[tuple[str, int]]:
    """Sums of two, three and four terms with their answers, drawn anew: one term takes about nine tokens of thought."""
    draw = random.Random(seed)
    numbers = [[draw.randint(11, 99) for _ in range(2 + n % 3)] for n in range(count)]
    return [(f"What is {' + '.join(map(str, row))}?", sum(row)) for row in numbers]


def is_right(answer: str, expected: int) -> bool:
    return re.findall(r"\d+", answer)[-1:] == [str(expected)]


@contextmanager
def _in_process(engine: Engine, model: str) -> Iterator[tuple[Engine, str]]:
    with closing(engine):
        yield engine, model


@contextmanager
def _behind_llama_cpp(*, own_budget: bool) -> Iterator[tuple[Engine, str]]:
    """`own_budget` False: the server is taken for one that has no budget, so the thought is left."""
    with llama_cpp_server() as address:
        with closing(OpenAIEngine(address)) as engine:
            (build,) = engine.installed()
            if not own_budget:
                engine._dialect = replace(DIALECTS["llamacpp"], budget_field=None)
            yield engine, build.name


@contextmanager
def _behind_ollamas_protocol() -> Iterator[tuple[Engine, str]]:
    """Ollama's protocol before a real llama.cpp, which is what Ollama runs: chats and raw prompts are generated."""
    with llama_cpp_server() as address, httpx.Client(base_url=address, timeout=60) as llama:

        def say(body: dict[str, Any]) -> Say:
            options = {"temperature": body["options"]["temperature"], "seed": body["options"].get("seed", 1)}
            options["max_tokens"] = body["options"]["num_predict"]
            if "prompt" in body:
                stop = body["options"]["stop"]
                made = llama.post("/v1/completions", json={**options, "prompt": body["prompt"], "stop": stop}).json()
                return Say(content=made["choices"][0]["text"])
            thinks = {"chat_template_kwargs": {"enable_thinking": body["think"]}}
            made = llama.post("/v1/chat/completions", json={**options, **thinks, "messages": body["messages"]}).json()
            message = made["choices"][0]["message"]
            return Say(content=message["content"], reasoning=message.get("reasoning_content") or "", chunk_chars=1)

        with ollama(say) as (engine, _):
            yield engine, "qwen3:8b"


RUNNING: dict[str, Callable[[], Any]] = {
    "transformers": lambda: _in_process(TransformersEngine(), "qwen3-nano"),
    "onnx": lambda: _in_process(OnnxEngine((nano_onnx(),)), "qwen3-nano"),
    "llamacpp": lambda: _in_process(LlamaCppEngine(), "qwen3-nano-q8_0"),
    "llama.cpp's server, its own budget": lambda: _behind_llama_cpp(own_budget=True),
    "llama.cpp's server, left": lambda: _behind_llama_cpp(own_budget=False),
    "Ollama's protocol": _behind_ollamas_protocol,
}


@pytest.mark.loopback
@pytest.mark.parametrize("name", RUNNING)
def test_a_running_thought_is_cut_and_accuracy_rises_with_the_budget(name: str) -> None:
    asked = sums(24, seed=20261125)
    with RUNNING[name]() as (engine, model):
        right = {budget: 0 for budget in (2, 14, 64)}
        for budget in right:
            for number, (question, expected) in enumerate(asked):
                call = budgeted(model, budget, text=question, seed=number, timeout_s=60)
                events = list(engine.stream(call))
                _check_cut(events, budget, exact=name in ("transformers", "llamacpp", "onnx"))
                right[budget] += is_right(answer_of(events), expected)
    assert right[2] < right[14] < right[64], right
    assert right[64] >= 14, right


def _check_cut(events: list[Event], budget: int, *, exact: bool) -> None:
    assert answer_of(events).strip()
    assert not {"budget_exceeded", "empty_answer", "leaked_tag"} & set(kinds(events))
    thought = reasoning_of(events).removesuffix(STOP_SENTENCE.rstrip())
    # the nano's tokenizer makes at most one token of a character, so this bounds what was thought
    spent = done_of(events).usage.reasoning_tokens if exact else None
    if spent is not None:
        assert spent <= budget + IN_FLIGHT_TOKENS
    assert "</think>" not in thought


@pytest.mark.loopback
@pytest.mark.timeout(300)
def test_transformers_serve_is_recognised_and_its_thought_is_cut(tmp_path: Path) -> None:
    with transformers_server(tmp_path) as address:
        engine = OpenAIEngine(address, timeout_s=60)
        model = str(demo_checkpoint())
        try:
            assert engine._known_dialect().name == "transformers"
            asked = sums(12, seed=3)
            right = {budget: 0 for budget in (2, 64)}
            for budget in right:
                for number, (question, expected) in enumerate(asked):
                    call = budgeted(model, budget, text=question, seed=number, timeout_s=120)
                    events = list(engine.stream(call))
                    _check_cut(events, budget, exact=False)
                    right[budget] += is_right(answer_of(events), expected)
            assert right[2] < right[64], right
            off = list(engine.stream(call_of(model, "What is 12 + 30?", think=False, timeout_s=120)))
            assert (reasoning_of(off), kinds(off)) == ("", [])
            worded = call_of(model, "What is 12 + 30?", think=False, timeout_s=120, response_format=SCHEMA)
            assert answer_of(list(engine.stream(worded)))  # it takes no format: asked for in words
        finally:
            engine.close()
