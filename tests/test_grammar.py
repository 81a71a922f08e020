"""Answers held to a JSON schema token by token: by a model that has never seen JSON, and by scores that would break it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from qwen_router.catalog.types import Sampling
from qwen_router.demo import demo_checkpoint
from qwen_router.engines.base import Call, Done, Engine, Reasoning, Text, ThinkingPlan
from qwen_router.engines.grammar import Grammar, Grammars
from qwen_router.engines.local_prompt import THINKING_SAMPLING, decoder
from qwen_router.engines.onnx import OnnxEngine
from qwen_router.engines.structured import json_problem
from qwen_router.engines.token_loop import Generation, TokenPlan
from qwen_router.engines.transformers import TransformersEngine
from qwen_router.request import Message, ToolSpec
from tests.nano_onnx import nano_onnx

SUM = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"], "additionalProperties": False}
COLOUR = {"enum": ["red", "green", "dark blue"]}
LIST = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 99}, "minItems": 2, "maxItems": 4}
NESTED = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "kind": {"$ref": "#/$defs/kind"},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1, "maxItems": 3},
        "at": {
            "type": "object",
            "properties": {"x": {"type": "number", "minimum": 0, "maximum": 9}, "in": {"type": "boolean"}},
            "required": ["x", "in"],
            "additionalProperties": False,
        },
    },
    "required": ["name", "kind", "tags", "at"],
    "additionalProperties": False,
    "$defs": {"kind": {"anyOf": [{"const": "sum"}, {"type": "null"}]}},
}
LOOK_AHEAD = {"type": "string", "pattern": "^(?=a)b"}
GREEDY = Sampling(temperature=0)
TOOL = ToolSpec("calculator", "Evaluates.", {"type": "object", "properties": {"expression": {"type": "string"}}})
TOKENIZER = Tokenizer.from_file(str(demo_checkpoint() / "tokenizer.json"))
VOCABULARY = TOKENIZER.get_vocab_size()
END, THINK, CLOSE = (TOKENIZER.token_to_id(token) for token in ("<|im_end|>", "<think>", "</think>"))
QUOTE = TOKENIZER.encode('"').ids[0]


@pytest.fixture(scope="module")
def transformers() -> Iterator[TransformersEngine]:
    engine = TransformersEngine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def onnx() -> Iterator[OnnxEngine]:
    engine = OnnxEngine((nano_onnx(),))
    yield engine
    engine.close()


@pytest.fixture(params=["transformers", "onnx"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.getfixturevalue(request.param)


def call(schema: dict[str, Any] | None, *, think: bool = False, **fields: Any) -> Call:
    made = Call(
        model="qwen3-nano",
        messages=(Message("user", "12 + 34 + 56?"),),
        thinking=ThinkingPlan(think, 100 if think else None),
        behaviour="toggle",
        sampling=THINKING_SAMPLING if think else GREEDY,
        max_answer_tokens=400,
        context_tokens=1024,
        response_format=schema,
        seed=7,
    )
    return replace(made, **fields)


def answer_to(engine: Engine, a_call: Call) -> tuple[str, str, Done]:
    events = list(engine.stream(a_call))
    done = events[-1]
    assert isinstance(done, Done)
    thought = "".join(e.text for e in events if isinstance(e, Reasoning))
    return thought, "".join(e.text for e in events if isinstance(e, Text)), done


def kinds(done: Done) -> set[str]:
    return {violation.kind for violation in done.violations}


# --- the engines -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("think", [False, True], ids=["thinking off", "thinking on"])
@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(SUM, id="object"),
        pytest.param(COLOUR, id="enum"),
        pytest.param(LIST, id="array"),
        pytest.param(NESTED, id="nested"),
    ],
)
def test_a_model_that_never_saw_json_answers_in_the_schema(engine, schema, think):
    thought, answer, done = answer_to(engine, call(schema, think=think))
    assert json_problem(answer, schema) == ""
    assert (done.finish_reason, done.violations) == ("stop", ())
    assert bool(thought) == think


def test_the_thought_stays_free_and_its_result_comes_in_the_format(engine):
    thought, answer, _ = answer_to(engine, call(SUM, think=True))
    assert thought == answer_to(engine, call(None, think=True))[0]
    assert json.loads(answer) == {"sum": 102}


def test_a_budget_that_cuts_the_thought_leads_to_the_format_too(engine):
    thought, answer, done = answer_to(engine, call(SUM, think=True, thinking=ThinkingPlan(True, 4)))
    assert "Considering the limited time" in thought
    assert json_problem(answer, SUM) == ""
    assert done.usage.reasoning_tokens == 4


@pytest.mark.parametrize("seed", [1, 2])
def test_a_sampled_answer_keeps_to_the_schema_and_its_seed_repeats(engine, seed):
    a_call = call(LIST, sampling=Sampling(temperature=1.0, top_p=0.95, presence_penalty=0.5), seed=seed)
    first, second = answer_to(engine, a_call), answer_to(engine, a_call)
    assert json_problem(first[1], LIST) == ""
    assert first[:2] == second[:2]


def test_rows_of_a_batch_with_formats_of_their_own_say_what_they_say_alone(transformers):
    calls = [call(s, think=t) for s in (SUM, NESTED, None, LIST) for t in (False, True)]
    alone = [answer_to(transformers, each)[:2] for each in calls]
    with ThreadPoolExecutor(len(calls)) as pool:
        together = list(pool.map(lambda each: answer_to(transformers, each)[:2], calls))
    assert together == alone


def test_an_answer_that_is_cut_is_named_as_cut_and_as_no_json(engine):
    _, answer, done = answer_to(engine, call(NESTED, max_answer_tokens=5))
    assert answer.startswith("{")
    assert (done.finish_reason, done.usage.answer_tokens) == ("length", 5)
    assert "invalid_json" in kinds(done)


def test_an_answer_that_is_complete_with_its_last_token_was_not_cut(engine):
    tokens = answer_to(engine, call(SUM))[2].usage.answer_tokens
    _, answer, done = answer_to(engine, call(SUM, max_answer_tokens=tokens))
    assert json_problem(answer, SUM) == ""
    assert done.finish_reason == "stop"


def test_a_stop_string_still_cuts(engine):
    _, answer, done = answer_to(engine, call(SUM, stop=("sum",)))
    assert answer == '{"'
    assert (done.finish_reason, kinds(done)) == ("stop", {"invalid_json"})


def test_a_schema_that_no_grammar_can_say_is_checked_only_with_one_line_in_the_log(engine, caplog):
    with caplog.at_level(logging.WARNING, logger="qwen_router"):
        _, answer, done = answer_to(engine, call(LOOK_AHEAD))
    assert answer == answer_to(engine, call(None))[1]
    assert "invalid_json" in kinds(done)
    assert len(caplog.messages) == 1
    assert "not enforced: regex parse error" in caplog.messages[0] and "look-around" in caplog.messages[0]


def test_with_tools_the_answer_is_a_call_or_in_the_format(engine):
    for text in ("Who are you?", "12 * 13? Use the calculator."):
        _, answer, done = answer_to(engine, call(SUM, tools=(TOOL,), messages=(Message("user", text),)))
        assert done.violations == ()
        assert (done.finish_reason == "tool_calls") != (json_problem(answer, SUM) == "")


def test_tools_that_may_not_be_called_leave_the_format_on(engine):
    _, answer, done = answer_to(engine, call(SUM, tools=(TOOL,), tool_choice="none"))
    assert json_problem(answer, SUM) == ""
    assert done.violations == ()


# --- the grammar, with scores that would break it ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def grammars() -> Grammars:
    return Grammars(TOKENIZER, {END})


def said(grammar: Grammar | None, scores: Iterator[np.ndarray], **changed: Any) -> tuple[str, Generation]:
    """What a generation says whose scores come from anywhere."""
    plan = TokenPlan(
        prompt_ids=(1,),
        starts_inside=False,
        thinking=False,
        thinking_budget_tokens=None,
        max_answer_tokens=400,
        context_tokens=1024,
        sampling=GREEDY,
        seed=1,
        stop=(),
        end_ids=frozenset({END}),
        think_open_id=THINK,
        think_close_id=CLOSE,
        stop_thinking_ids=(CLOSE,),
        step_timeout_s=1.0,
    )
    generation = Generation(replace(plan, **changed), decoder(TOKENIZER), grammar)
    text, ids = "", (1,)
    while ids:
        piece, ids = generation.advance(next(scores))
        text += piece
    return text, generation


def random_scores(seed: int, *, width: int = VOCABULARY, favoured: dict[int, float] | None = None) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    while True:
        scores = rng.normal(size=width).astype(np.float32)
        for token, score in (favoured or {}).items():
            scores[token] = score
        yield scores


@pytest.mark.parametrize("schema", [{}, SUM, COLOUR, LIST, NESTED], ids=["any object", "object", "enum", "array", "nested"])
@pytest.mark.parametrize("width", [VOCABULARY, VOCABULARY + 77], ids=["as wide", "padded"])
def test_random_scores_that_love_the_end_and_control_tokens_give_whole_json(grammars, schema, width):
    """The end scores highest always: it comes at the first place where the JSON is complete, and nowhere else."""
    favoured = {END: 99.0, THINK: 98.0, CLOSE: 97.0, width - 1: 96.0, QUOTE: 3.0}
    for seed in range(10):
        scores = random_scores(seed, width=width, favoured=favoured)
        text, generation = said(grammars.of(call(schema)), scores)
        assert generation.tally.finish == "stop", text
        assert json_problem(text, schema) == ""
        assert "think>" not in text


def test_scores_for_fewer_tokens_than_the_tokenizer_has_are_no_problem(grammars):
    text, _ = said(grammars.of(call(SUM)), random_scores(1, width=VOCABULARY - 20), think_open_id=None)
    assert json_problem(text, SUM) == ""


def test_a_thought_may_be_opened_before_the_answer_and_at_no_other_place(grammars):
    favoured = {THINK: 99.0, END: 98.0, CLOSE: 97.0, QUOTE: 3.0}
    scores = random_scores(2, favoured=favoured)
    text, generation = said(grammars.of(call({})), scores, thinking=True, thinking_budget_tokens=5)
    thought, _, answer = text.partition("</think>")
    assert thought.startswith("<think>") and generation.tally.reasoning_tokens == 5
    assert "think>" not in answer and json_problem(answer, {}) == ""


def test_one_blank_line_may_stand_before_the_json_and_indentation_in_it(grammars):
    grammar = grammars.of(call(SUM))
    assert grammar is not None
    for token in TOKENIZER.encode('\n\n{\n  "sum": 7\n}').ids:
        allowed = grammar.allowed(VOCABULARY)
        assert allowed is not None and allowed[token] and not allowed[END]
        grammar.take(token)
    assert grammar.complete


def test_no_control_token_may_stand_in_a_string(grammars):
    grammar = grammars.of(call({"type": "string"}))
    assert grammar is not None
    grammar.take(QUOTE)
    allowed = grammar.allowed(VOCABULARY)
    assert allowed is not None and allowed.sum() > VOCABULARY / 2
    assert not any(allowed[token] for token in TOKENIZER.get_added_tokens_decoder())


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        pytest.param({"type": "array", "uniqueItems": True, "items": COLOUR}, "uniqueItems", id="unique"),
        pytest.param({"type": "object", "properties": {"a": {"not": {"type": "null"}}}}, "not", id="not"),
        pytest.param({"type": "string", "format": "my-own"}, "my-own", id="format"),
    ],
)
def test_what_a_grammar_cannot_say_of_a_schema_is_logged_and_the_rest_is_enforced(grammars, caplog, schema, named):
    with caplog.at_level(logging.WARNING, logger="qwen_router"):
        grammar = grammars.of(call(schema))
    assert len(caplog.messages) == 1 and named in caplog.messages[0]
    text, _ = said(grammar, random_scores(3, favoured={END: 99.0, QUOTE: 3.0}))
    json.loads(text)


def _circular() -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    schema["properties"] = {"a": schema}
    return schema


def _deep() -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "null"}
    for _ in range(400):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"type": "nothing"}, id="unknown type"),
        pytest.param({"properties": "x"}, id="wrong shape"),
        pytest.param({"$ref": "https://example.com/schema"}, id="elsewhere"),
        pytest.param({"$ref": "#/$defs/none"}, id="dangling"),
        pytest.param({"enum": []}, id="nothing fits"),
        pytest.param({"type": "integer", "minimum": 3, "maximum": 1}, id="empty range"),
        pytest.param({"allOf": [{"$ref": "#"}, {"type": "object"}]}, id="refers to itself"),
        pytest.param({"const": float("nan")}, id="nan"),
        pytest.param({"const": "\ud800"}, id="lone surrogate"),
        pytest.param({"const": object()}, id="not JSON"),
        pytest.param(_circular(), id="circular"),
        pytest.param(_deep(), id="deep"),
    ],
)
def test_a_schema_that_cannot_be_enforced_is_one_short_line_in_the_log(grammars, caplog, schema):
    with caplog.at_level(logging.WARNING, logger="qwen_router"):
        assert grammars.of(call(schema)) is None
    assert len(caplog.messages) == 1
    assert (
        "checked but not enforced" in caplog.messages[0] and len(caplog.messages[0]) < 300 and "\n" not in caplog.messages[0]
    )


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"type": "object", "properties": {f"p{i}": {} for i in range(3000)}}])
def test_a_grammar_that_fails_on_the_way_lets_go_and_the_answer_goes_on(grammars, caplog, schema):
    with caplog.at_level(logging.WARNING, logger="qwen_router"):
        text, generation = said(grammars.of(call(schema)), random_scores(4, favoured={END: -99.0}), max_answer_tokens=20)
    assert generation.tally.answer_tokens == 20 and generation.tally.finish == "length"
    assert len(caplog.messages) == 1 and text not in caplog.messages[0]


def test_without_the_library_answers_are_checked_and_the_log_says_so_once(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "llguidance", None)
    bare = Grammars(TOKENIZER, {END})
    with caplog.at_level(logging.WARNING, logger="qwen_router"):
        assert [bare.of(call(SUM)), bare.of(call(LIST))] == [None, None]
    assert len(caplog.messages) == 1 and "pip install" in caplog.messages[0]


def test_a_tokenizer_that_the_library_cannot_read_is_said_once(caplog):
    class Odd:
        def to_str(self) -> str:
            return '{"model": {"type": "Odd"}}'

    odd = Grammars(Odd(), {END})
    with caplog.at_level(logging.WARNING, logger="qwen_router"):
        assert [odd.of(call(SUM)), odd.of(call(SUM))] == [None, None]
    assert len(caplog.messages) == 1 and "tokenizer" in caplog.messages[0]


def test_the_tokenizer_is_read_once_for_calls_of_many_threads(monkeypatch):
    reads = []

    class Watched:
        def to_str(self) -> str:
            reads.append(1)
            return TOKENIZER.to_str()

    watched = Grammars(Watched(), {END})
    assert watched.of(call(None)) is None and not reads
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: watched.of(call(SUM)), range(16)))
    assert all(made) and len(reads) == 1
