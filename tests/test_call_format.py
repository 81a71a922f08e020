"""A call that must come comes: by the engines that hold an answer to a schema, from a model that never saw the tool."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from qwen_router.engines.assemble import ReplyAssembler
from qwen_router.engines.base import Call, Done, Engine, Event, Reasoning, Text, ThinkingPlan
from qwen_router.engines.call_format import answer_format, moved, must_call
from qwen_router.engines.llamacpp import LlamaCppEngine
from qwen_router.engines.onnx import OnnxEngine
from qwen_router.engines.openai import OpenAIEngine
from qwen_router.engines.structured import json_problem
from qwen_router.engines.transformers import TransformersEngine
from qwen_router.request import ToolCall, ToolSpec
from tests.nano_onnx import nano_onnx
from tests.servers.engine_servers import llama_cpp_server
from tests.test_engines import ADD, call_of

LAMP = ToolSpec(
    "set_lamp",
    "Switches a lamp.",
    {
        "type": "object",
        "properties": {
            "room": {"$ref": "#/$defs/room"},
            "level": {"type": "integer", "minimum": 0, "maximum": 9},
            "colours": {"type": "array", "items": {"enum": ["warm", "cold"]}, "minItems": 1, "maxItems": 2},
        },
        "required": ["room", "level", "colours"],
        "$defs": {"room": {"enum": ["hall", "attic"]}},
    },
)
BELL = ToolSpec("ring_bell", "Rings.", {"type": "object", "properties": {}})
ANSWER = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"], "additionalProperties": False}


@pytest.fixture(scope="module")
def llamacpp() -> Iterator[Engine]:
    engine = LlamaCppEngine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def transformers() -> Iterator[Engine]:
    engine = TransformersEngine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def onnx() -> Iterator[Engine]:
    engine = OnnxEngine((nano_onnx(),))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def llamacpp_server() -> Iterator[Engine]:
    with llama_cpp_server() as url:
        engine = OpenAIEngine(f"{url}/v1")
        yield engine
        engine.close()


@pytest.fixture(params=["llamacpp", "transformers", "onnx", pytest.param("llamacpp_server", marks=pytest.mark.loopback)])
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.getfixturevalue(request.param)
    return found


def asked(engine: Engine, *, think: bool = False, **changes: Any) -> Call:
    call = call_of(engine.installed()[0].name, think=think, max_answer_tokens=200, tools=(LAMP, BELL), seed=7)
    return replace(call, **changes)


def calls_in(events: list[Event]) -> list[ToolCall]:
    return [event for event in events if isinstance(event, ToolCall)]


def said_in(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


# ── engines ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("think", [False, True], ids=["thinking-off", "thinking-on"])
@pytest.mark.parametrize("choice", ["required", "set_lamp", "ring_bell"])
def test_a_tool_that_the_model_never_saw_is_called_by_its_schema(engine: Engine, choice: str, think: bool) -> None:
    events = list(engine.stream(asked(engine, think=think, tool_choice=choice)))
    (call,) = calls_in(events)
    tool = {tool.name: tool for tool in (LAMP, BELL)}[call.name]
    assert choice in ("required", call.name) and said_in(events) == ""
    jsonschema.validate(dict(call.arguments), {**tool.parameters, "additionalProperties": False})
    done = events[-1]
    assert isinstance(done, Done) and (done.finish_reason, done.violations) == ("tool_calls", ())
    assert any(isinstance(event, Reasoning) for event in events) == think


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_with_a_format_the_answer_is_a_call_or_the_json_that_was_asked_for(engine: Engine, seed: int) -> None:
    events = list(engine.stream(asked(engine, response_format=ANSWER, seed=seed)))
    calls, said = calls_in(events), said_in(events)
    assert len(calls) == 1 if not said else json_problem(said, ANSWER) == ""
    assert isinstance(events[-1], Done) and events[-1].violations == ()


def test_a_call_that_the_token_limit_cuts_is_none_and_is_named(engine: Engine) -> None:
    events = list(engine.stream(asked(engine, tool_choice="set_lamp", max_answer_tokens=6)))
    assert calls_in(events) == [] and said_in(events)
    done = events[-1]
    assert isinstance(done, Done) and done.finish_reason == "length"
    assert "no_tool_call" in {violation.kind for violation in done.violations}


# ── the format ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "accepted", "refused"),
    [
        pytest.param({"tool_choice": None}, None, None, id="free"),
        pytest.param(
            {"tool_choice": "none", "response_format": ANSWER}, {"sum": 1}, {"name": "add", "arguments": {}}, id="none"
        ),
        pytest.param(
            {"tool_choice": "ring_bell"},
            {"name": "ring_bell", "arguments": {}},
            {"name": "set_lamp", "arguments": {}},
            id="named",
        ),
        pytest.param(
            {"tool_choice": "required"},
            {"name": "set_lamp", "arguments": {"room": "attic", "level": 3, "colours": ["warm"]}},
            {"name": "set_lamp", "arguments": {"room": "moon", "level": 3, "colours": ["warm"]}},
            id="references-go-along",
        ),
        pytest.param({"response_format": ANSWER}, {"name": "ring_bell", "arguments": {}}, {"sum": "1"}, id="either"),
        pytest.param({"response_format": {}}, {"anything": 1}, [1], id="any-object"),
    ],
)
def test_what_the_answer_is_held_to(changes: dict[str, Any], accepted: Any, refused: Any) -> None:
    schema = answer_format(call_of(tools=(LAMP, BELL), **changes))
    if accepted is None:
        assert schema is None
        return
    assert schema is not None
    jsonschema.validate(accepted, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(refused, schema)


def test_references_to_the_root_move_with_their_schema() -> None:
    tree = {"properties": {"next": {"$ref": "#"}, "at": [{"$ref": "#/$defs/x"}], "far": {"$ref": "http://x/y"}}}
    assert moved(tree, "#/$defs/t") == {
        "properties": {"next": {"$ref": "#/$defs/t"}, "at": [{"$ref": "#/$defs/t/$defs/x"}], "far": {"$ref": "http://x/y"}}
    }
    assert must_call(call_of(tools=(ADD,), tool_choice="add")) and not must_call(call_of(tool_choice="add"))


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

BARE = '{ "name": "add", "arguments": {"a": 1, "b": [2]} }'
STRANGE = BARE.replace("add", "sub")


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    ("text", "changes", "called", "said"),
    [
        pytest.param(BARE, {"tool_choice": "required"}, True, "", id="forced"),
        pytest.param(f"\n\n{BARE}\n", {"tool_choice": "add"}, True, "", id="with-blanks"),
        pytest.param(BARE, {"response_format": ANSWER}, True, "", id="instead-of-the-format"),
        pytest.param('{"sum": 3}', {"response_format": ANSWER}, False, '{"sum": 3}', id="the-format"),
        pytest.param(BARE, {}, False, BARE, id="talk-about-a-call"),
        pytest.param(f"Like this: {BARE}", {"tool_choice": "required"}, False, f"Like this: {BARE}", id="prose-first"),
        pytest.param(BARE[:-3], {"tool_choice": "required"}, False, BARE[:-3], id="cut"),
        pytest.param(
            BARE.replace("add", "sub"), {"tool_choice": "required"}, False, BARE.replace("add", "sub"), id="stranger"
        ),
        pytest.param(
            BARE,
            {"response_format": {"type": "object", "required": ["name", "arguments"]}},
            False,
            BARE,
            id="json-that-happens-to-look-like-a-call",
        ),
    ],
)
def test_a_bare_object_is_a_call_only_where_one_was_asked_for(
    text: str, changes: dict[str, Any], called: bool, said: str, size: int
) -> None:
    assembler = ReplyAssembler(call_of(think=False, tools=(ADD,), **changes))
    events = [e for i in range(0, len(text), size) for e in assembler.feed(content=text[i : i + size])]
    events += assembler.finish()
    assert [dict(call.arguments) for call in calls_in(events)] == ([json.loads(BARE)["arguments"]] if called else [])
    assert said_in(events) == said


def test_what_is_no_call_is_said_as_soon_as_that_is_clear() -> None:
    assembler = ReplyAssembler(call_of(think=False, tools=(ADD,), response_format=ANSWER))
    assert said_in(list(assembler.feed(content='{"na'))) == ""
    assert said_in(list(assembler.feed(content='sum": '))) == '{"nasum": '


def test_a_thought_before_a_forced_call_stays_a_thought() -> None:
    assembler = ReplyAssembler(call_of(think=True, thinking=ThinkingPlan(True, None), tools=(ADD,), tool_choice="add"))
    events = [*assembler.feed(content=f"<think>\n{BARE}?</think>\n\n{BARE}"), *assembler.finish()]
    assert len(calls_in(events)) == 1 and said_in(events) == ""
