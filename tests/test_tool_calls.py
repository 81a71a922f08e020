"""Tool calls found in text in both of Qwen's formats, checked before anybody runs them, and none made up."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_router.engines.tool_calls import CallChecker, Found, NativeCalls, Region, ToolCallParser, parse_body, typed
from qwen_router.request import ToolCall, ToolSpec

WEATHER = ToolSpec(
    "weather",
    "",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "metric": {"type": "boolean"},
            "where": {"type": "object"},
            "hours": {"type": "array"},
            "limit": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        },
    },
)
ADD = ToolSpec("add", "", {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}})

JSON_CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": 2}}\n</tool_call>'
XML_CALL = (
    "<tool_call>\n<function=add>\n<parameter=a>\n1\n</parameter>\n<parameter=b>\n2\n</parameter>\n</function>\n</tool_call>"
)
SUM = ("add", {"a": 1, "b": 2})


def run(chunks: list[str], tools: tuple[ToolSpec, ...] = (ADD, WEATHER)) -> tuple[str, list[tuple[str, Any]], list[str]]:
    """(text that is left, calls, what was wrong)"""
    checker = CallChecker(tools)
    parser = ToolCallParser(checker)
    pieces = [piece for chunk in chunks for piece in parser.feed(chunk)] + parser.finish()
    calls = [(c.name, c.arguments) for p in pieces if isinstance(p, Region) for c in p.calls]
    return "".join(p for p in pieces if isinstance(p, str)), calls, checker.invalid


@pytest.mark.parametrize(
    ("text", "left", "calls"),
    [
        pytest.param(JSON_CALL, "", [SUM], id="json"),
        pytest.param(XML_CALL, "", [SUM], id="xml"),
        pytest.param(XML_CALL.removeprefix("<tool_call>\n"), "\n", [SUM], id="xml-without-its-opening-tag"),
        pytest.param(f"Let me see.\n{JSON_CALL}\nSo.", "Let me see.\n\nSo.", [SUM], id="text-around"),
        pytest.param(f"{JSON_CALL}\n{XML_CALL}", "\n", [SUM, SUM], id="two-in-two-formats"),
        pytest.param(JSON_CALL.replace("</", '{"name": "add", "arguments": {}}</'), "", [SUM, ("add", {})], id="two-in-one"),
        pytest.param(JSON_CALL.removesuffix("\n</tool_call>"), "", [SUM], id="closing-tag-missing-at-the-end"),
        pytest.param(
            JSON_CALL.replace('{"a": 1, "b": 2}', json.dumps('{"a": 1, "b": 2}')), "", [SUM], id="arguments-as-text"
        ),
        pytest.param(JSON_CALL.replace("arguments", "parameters"), "", [SUM], id="called-parameters"),
        pytest.param(
            '<tool_call>{"name": "weather", "arguments": {"city": "a</tool_call>b"}}</tool_call>', "",
            [("weather", {"city": "a</tool_call>b"})], id="closing-tag-within-a-string",
        ),
        pytest.param(
            "<function=weather><parameter=city>\n</function></tool_call>\n</parameter></function></tool_call>", "",
            [("weather", {"city": "</function></tool_call>"})], id="closing-tags-within-a-value",
        ),
        pytest.param("<function=add></function>", "", [("add", {})], id="no-parameters"),
        pytest.param("a < b, <tool", "a < b, <tool", [], id="no-call-at-all"),
        pytest.param("Write `<tool_call>` first", "Write `<tool_call>` first", [], id="shown-in-code"),
        pytest.param(f"```\n{JSON_CALL}\n```", f"```\n{JSON_CALL}\n```", [], id="shown-in-a-fence"),
    ],
)  # fmt: skip
def test_calls_are_found_in_text(text: str, left: str, calls: list[tuple[str, Any]]) -> None:
    assert run([text]) == (left, calls, [])
    assert run(list(text)) == (left, calls, [])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param('<tool_call>{"name": "rm", "arguments": {}}</tool_call>', "no tool is called 'rm'", id="unknown-tool"),
        pytest.param('<tool_call>{"name": "add", "arguments": [1]}</tool_call>', "no object", id="arguments-are-a-list"),
        pytest.param('<tool_call>{"name": "add", "arguments": "one"}</tool_call>', "not JSON", id="arguments-are-prose"),
        pytest.param('<tool_call>{"name": "add", "arguments": {"a": 1</tool_call>', "not JSON", id="cut-off"),
        pytest.param('<tool_call>{"arguments": {}}</tool_call>', "no name", id="nameless"),
        pytest.param("<tool_call>add(1, 2)</tool_call>", "not JSON", id="python"),
        pytest.param("<tool_call></tool_call>", "empty", id="empty"),
        pytest.param(
            "<tool_call><function=add><parameter=a>1</parameter></tool_call>", "without its end", id="function-without-end"
        ),
        pytest.param("<function=add>a=1</function>", "between parameters", id="xml-without-parameters"),
    ],
)
def test_what_is_no_sound_call_is_named_and_not_repaired(text: str, why: str) -> None:
    _, calls, invalid = run([text])
    assert calls == []
    assert len(invalid) == 1 and why in invalid[0]


def test_a_broken_call_does_not_swallow_the_sound_one_after_it() -> None:
    broken = '<tool_call>{"name": "add", "arguments": {"a": "1}}</tool_call>'
    assert run([f"{broken}\n{JSON_CALL}"])[1] == [SUM]


def test_without_tools_nothing_is_a_call() -> None:
    assert run([JSON_CALL], tools=()) == (JSON_CALL, [], [])


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("city", "42", "42"),
        ("city", "true", "true"),
        ("days", "3", 3),
        ("days", "three", "three"),
        ("days", "3.5", "3.5"),
        ("metric", "True", True),
        ("metric", "maybe", "maybe"),
        ("where", '{"x": 1}', {"x": 1}),
        ("where", "[1]", "[1]"),
        ("hours", "[1, 2]", [1, 2]),
        ("limit", "null", None),
        ("limit", "2.5", 2.5),
        ("unheard-of", "7", "7"),
    ],
)
def test_xml_values_become_what_the_schema_says_or_stay_text(name: str, text: str, value: Any) -> None:
    call = f"<tool_call><function=weather><parameter={name}>\n{text}\n</parameter></function></tool_call>"
    assert run([call])[1] == [("weather", {name: value})]
    assert typed(text, WEATHER.parameters["properties"].get(name)) == value


def test_line_breaks_within_an_xml_value_stay() -> None:
    call = "<function=weather><parameter=city>\n\na\nb\n\n</parameter></function>"
    assert run([call])[1] == [("weather", {"city": "\na\nb\n"})]


def test_ids_are_made_where_there_are_none_and_differ() -> None:
    checker = CallChecker((ADD,), id_prefix="call_3")
    ids = [call.id for call in (checker.check(Found("add", {})), checker.check(Found("add", {}), call_id="theirs")) if call]
    assert ids == ["call_3_1", "theirs"]


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.sampled_from([JSON_CALL, XML_CALL, "text ", "`", "\n", '"', "</tool_call>", "<tool_call>", "<function=", "<"]),
        max_size=8,
    ),
    st.integers(1, 40),
)
def test_any_chunking_finds_the_same_calls(parts: list[str], size: int) -> None:
    text = "".join(parts)
    assert run([text[i : i + size] for i in range(0, len(text), size)]) == run([text])


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80), st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3))
def test_a_call_in_any_text_comes_out_as_it_went_in(before: str, arguments: dict[str, str]) -> None:
    """Whatever the arguments hold, closing tags included."""
    tool = ToolSpec("t", "", {"type": "object"})
    call = json.dumps({"name": "t", "arguments": arguments})
    text = f"{before.replace('`', '').replace('<', '')}\n<tool_call>{call}</tool_call>"
    assert run([text], tools=(tool,))[1] == [("t", arguments)]


def native(deltas: list[dict[str, Any]]) -> tuple[list[ToolCall], list[str]]:
    checker = CallChecker((ADD,))
    calls = NativeCalls(checker)
    return [*calls.feed(deltas), *calls.finish()], checker.invalid


def test_fragments_are_put_together_by_index() -> None:
    deltas: list[dict[str, Any]] = [
        {"index": 0, "id": "x", "function": {"name": "add", "arguments": ""}},
        {"index": 1, "id": "y", "function": {"name": "add", "arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": '{"a": 1, '}},
        {"index": 1, "function": {"arguments": ": 5}"}},
        {"index": 0, "function": {"arguments": '"b": 2}'}},
    ]
    assert native(deltas) == ([ToolCall("x", "add", {"a": 1, "b": 2}), ToolCall("y", "add", {"a": 5})], [])


def test_fragments_without_an_index_start_anew_with_each_name() -> None:
    deltas = [{"function": {"name": "add", "arguments": '{"a": 1}'}}, {"function": {"name": "add", "arguments": "{}"}}]
    assert [call.arguments for call in native(deltas)[0]] == [{"a": 1}, {}]


def test_a_whole_call_with_an_object_is_taken_as_it_is() -> None:
    assert native([{"function": {"name": "add", "arguments": {"a": 1}}}])[0] == [ToolCall("call_1", "add", {"a": 1})]


def test_native_arguments_that_are_no_json_are_named() -> None:
    calls, invalid = native([{"index": 0, "function": {"name": "add", "arguments": '{"a": '}}])
    assert calls == [] and "not JSON" in invalid[0]


def test_half_a_call_is_no_call() -> None:
    assert parse_body('{"name": "add", "arguments": {}} and more')[0] == ()
