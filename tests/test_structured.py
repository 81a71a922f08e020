"""Answers in a requested format: held against the whole schema, taken out of the prose around them, asked for in words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from qwen_router.engines.assemble import ReplyAssembler
from qwen_router.engines.base import Done, Text
from qwen_router.engines.structured import asking_for_format, json_in, json_problem
from qwen_router.request import Message
from tests.test_thinking import call_of

SCHEMA = {
    "type": "object",
    "properties": {"sum": {"type": "integer"}, "terms": {"type": "array", "items": {"type": "integer"}, "minItems": 2}},
    "required": ["sum"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ('{"sum": 42}', ""),
        ('{"sum": 42, "terms": [1, 2]}', ""),
        ("It is 42.", "not JSON"),
        ('{"sum": "42"}', "sum: '42' is not of type 'integer'"),
        ("{}", "'sum' is a required property"),
        ('{"sum": 1, "terms": [1, "b"]}', "terms[1]: 'b' is not of type 'integer'"),
        ('{"sum": 1, "terms": [1]}', "terms: [1] is too short"),
        ('{"sum": 1, "more": 2}', "('more' was unexpected)"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_the_whole_schema_is_checked(answer: str, said: str) -> None:
    found = json_problem(answer, SCHEMA)
    assert said in found and bool(found) == bool(said)


def test_references_within_a_schema_are_followed_and_none_out_of_it() -> None:
    inner = {"$defs": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/n"}}}
    assert json_problem('{"a": "x"}', inner) == "a: 'x' is not of type 'integer'"
    assert json_problem('{"a": "x"}', {"$ref": "http://127.0.0.1:1/schema.json"}) == ""


@pytest.mark.parametrize("schema", [{"type": "what"}, {"pattern": "("}, {"$ref": "#/nowhere"}])
def test_a_schema_that_is_none_does_not_blame_the_answer(schema: dict[str, Any]) -> None:
    assert json_problem('{"a": 1}', schema) == ""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('Here you are:\n```json\n{"a": 1}\n```\nAnything else?', '{"a": 1}'),
        ('Sure! {"a": {"b": [1, 2]}} is the answer.', '{"a": {"b": [1, 2]}}'),
        ("The set {x, y} is {}", "{}"),
        ('"a text with {} in it"', '"a text with {} in it"'),
        ("42", "42"),
        ("no JSON at all", None),
        ('{"a": 1', None),
    ],
)
def test_json_is_taken_out_of_the_prose_around_it(text: str, found: str | None) -> None:
    assert json_in(text, {}) == found


def test_of_several_values_the_one_that_fits_is_taken() -> None:
    assert json_in('As the table in [1] shows, {"a": 1} or {"sum": 42}.', SCHEMA) == '{"sum": 42}'
    assert json_in("[" * 200_000, SCHEMA) is None


@pytest.mark.parametrize("chunk", [1, 3, 1000])
@pytest.mark.parametrize(
    ("text", "answer", "kinds"),
    [
        ('{"sum": 42}', '{"sum": 42}', []),
        ('\n\n```json\n{"sum": 42}\n```\n', '{"sum": 42}', []),
        ('<think>\n12 + 30\n</think>\n\nThe answer: {"sum": 42}!', '{"sum": 42}', []),
        ("It is 42.", "It is 42.", ["invalid_json"]),
        ('Well: {"sum": "42"}', '{"sum": "42"}', ["invalid_json"]),
    ],
)
def test_what_the_caller_gets_under_a_format(chunk: int, text: str, answer: str, kinds: list[str]) -> None:
    assembler = ReplyAssembler(call_of(think="<think>" in text, response_format=SCHEMA))
    events = [e for start in range(0, len(text), chunk) for e in assembler.feed(content=text[start : start + chunk])]
    events += assembler.finish()
    assert "".join(e.text for e in events if isinstance(e, Text)) == answer
    assert isinstance(events[-1], Done) and [v.kind for v in events[-1].violations] == kinds


def test_json_is_streamed_as_it_comes() -> None:
    assembler = ReplyAssembler(call_of(think=False, response_format=SCHEMA))
    assert [e.text for e in assembler.feed(content='{"su') if isinstance(e, Text)] == ['{"su']


def test_a_server_without_formats_is_asked_in_words() -> None:
    call = replace(call_of(think=False, response_format=SCHEMA), messages=(Message("user", "12 + 30?"),))
    asked = asking_for_format(call).messages[-1].text
    assert asked.startswith("12 + 30?\n\n") and json.dumps(SCHEMA) in asked
