"""Reasoning told from answers in every shape, what a reply did against its call, and control tokens kept plain."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_router.catalog.types import Sampling
from qwen_router.control_tokens import JOINER, neutralise, restore
from qwen_router.engines.assemble import ReplyAssembler
from qwen_router.engines.base import Call, Done, Event, Reasoning, Text, ThinkingPlan, Usage
from qwen_router.engines.thinking import STRAY_TAGS, Collected, ThinkingParser, json_problem, split, verify
from qwen_router.request import Message, ToolCall, ToolSpec

ADD = ToolSpec("add", "", {"type": "object", "properties": {"a": {"type": "integer"}}})


def call_of(*, think: bool = True, budget: int | None = None, behaviour: Any = "toggle", **changes: Any) -> Call:
    fields: dict[str, Any] = {"tools": (), "response_format": None, **changes}
    return Call(
        model="m",
        messages=(Message("user", "?"),),
        thinking=ThinkingPlan(think, budget),
        behaviour=behaviour,
        sampling=Sampling(),
        max_answer_tokens=64,
        context_tokens=1024,
        **fields,
    )


def parsed(chunks: list[str], **options: bool) -> tuple[str, str, list[str]]:
    parser = ThinkingParser(**options)
    pieces = [piece for chunk in chunks for piece in parser.feed(chunk)] + parser.finish()
    reasoning = "".join(p.text for p in pieces if isinstance(p, Reasoning))
    return reasoning, "".join(p.text for p in pieces if isinstance(p, Text)), parser.leaked


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        pytest.param("<think>2+2</think>4", "2+2", "4", id="plain"),
        pytest.param("<think>\n2+2\n</think>\n\n4", "2+2", "4", id="with-the-line-breaks-of-qwen"),
        pytest.param(" \n<think>2+2</think>4", "2+2", "4", id="blanks-before"),
        pytest.param("<think>\n\n</think>\n\n4", "", "4", id="empty-block"),
        pytest.param("</think>\n\n4", "", "4", id="lone-close-of-an-empty-block"),
        pytest.param("4", "", "4", id="no-block"),
        pytest.param("  indented\n", "", "  indented\n", id="no-block-passes-as-it-is"),
        pytest.param("<think>a</think>\n\n    code()", "a", "    code()", id="indentation-of-the-first-line-stays"),
        pytest.param("<think>a</think> b", "a", "b", id="a-blank-after-the-block"),
        pytest.param("<think>a<think>b</think>c", "ab", "c", id="nested-opening-tag"),
        pytest.param("<think>a</think>b\n<think>c</think>\nd", "a\n\nc", "b\nd", id="second-block-on-its-own-line"),
        pytest.param("<think>2+2 is", "2+2 is", "", id="never-closed"),
        pytest.param(
            "<think>a <b> & </thinking></think>x < y", "a <b> & </thinking>", "x < y", id="what-only-looks-like-a-tag"
        ),
        pytest.param("<thi", "", "<thi", id="half-a-tag-at-the-end"),
        pytest.param("", "", "", id="nothing"),
    ],
)
def test_reasoning_is_told_from_the_answer(text: str, reasoning: str, answer: str) -> None:
    assert parsed([text]) == (reasoning, answer, [])
    assert split(text) == (reasoning, answer)


@pytest.mark.parametrize(
    ("text", "answer", "leaked"),
    [
        pytest.param("4 </think>is it", "4 is it", ["</think>"], id="lone-close-in-the-answer"),
        pytest.param("<think>a</think>b</think>c", "bc", ["</think>"], id="second-close"),
        pytest.param("<think>a</think></think>\n\nb", "b", ["</think>"], id="second-close-at-once"),
        pytest.param("it is <think>4", "it is 4", ["<think>"], id="opening-tag-within-a-line"),
        pytest.param("4<|im_end|>", "4", ["<|im_end|>"], id="end-of-turn"),
        pytest.param("<thi<think>nk>", "<thi nk>", ["<think>"], id="halves-that-would-join"),
        pytest.param("4<tool_call>", "4", ["<tool_call>"], id="tool-call-tag-without-tools"),
    ],
)
def test_a_stray_tag_is_taken_out_of_the_answer_and_noted(text: str, answer: str, leaked: list[str]) -> None:
    assert parsed([text])[1:] == (answer, leaked)


@pytest.mark.parametrize("text", ["Use `</think>`.", "```\n<think>\nx\n</think>\n```\nDone.", "`a` and `<|im_end|>`"])
def test_a_tag_that_is_quoted_in_code_stays(text: str) -> None:
    assert parsed([text]) == ("", text, [])


def test_code_that_is_over_protects_no_tag() -> None:
    assert parsed(["```\nx\n```\nend</think>"])[1:] == ("```\nx\n```\nend", ["</think>"])
    assert parsed(["a ` tick\nend</think>"])[1:] == ("a ` tick\nend", ["</think>"])


def test_the_prompt_may_have_opened_the_tag() -> None:
    assert parsed(["2+2\n</think>\n\n4"], starts_inside=True) == ("2+2", "4", [])
    assert parsed(["<think>\n2+2\n</think>\n\n4"], starts_inside=True) == ("2+2", "4", [])
    assert parsed(["2+2 is"], starts_inside=True) == ("2+2 is", "", [])


def test_held_text_becomes_reasoning_at_a_close_and_an_answer_at_the_end() -> None:
    assert parsed(["2+2", "</think>4"], hold=True) == ("2+2", "4", [])
    assert parsed(["It is 4."], hold=True) == ("", "It is 4.", [])
    assert ThinkingParser(hold=True).feed("It is") == []


def test_text_is_given_out_as_soon_as_it_can_be_told() -> None:
    parser = ThinkingParser()
    assert parser.feed("<thi") == []
    assert parser.feed("nk>2") == [Reasoning("2")]
    assert parser.feed(" ") == []
    assert parser.feed("+ 2</thi") == [Reasoning(" + 2")]
    assert parser.is_inside
    assert parser.feed("nk>\n\n4 <") == [Text("4 ")]
    assert parser.feed(" 5") == [Text("< 5")]


# ── properties ──────────────────────────────────────────────────────────────────────────────────────────────────────────

ALPHABET = [
    *STRAY_TAGS, "<think>", "</think>", "<tool_call>", "</tool_call>", "<function=", "</function>", "\n", " ", "`", "```",
    "```\n", "x", "<", ">", "think", "<th", "ink>", "é", "想", '"', "{", "}", '{"name": "add", "arguments": {"a": 1}}',
    "<function=add>", "<parameter=a>", "1", "</parameter>",
]  # fmt: skip
texts = st.lists(st.sampled_from(ALPHABET), max_size=24).map("".join)
cuts = st.lists(st.integers(0, 200), max_size=12)


def chunked(text: str, at: list[int]) -> list[str]:
    edges = [0, *sorted(min(cut, len(text)) for cut in at), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


@settings(max_examples=600, deadline=None)
@given(texts, cuts, st.sampled_from([{}, {"starts_inside": True}, {"hold": True}, {"calls": True}]))
def test_any_chunking_gives_the_same_result(text: str, at: list[int], options: dict[str, bool]) -> None:
    assert parsed(chunked(text, at), **options) == parsed([text], **options)
    assert parsed(list(text), **options) == parsed([text], **options)


def without_code(text: str) -> str:
    """The text as it would be without fenced blocks and code spans; a fence that is never closed goes to the end."""
    lines, fenced = [], False
    for line in text.split("\n"):
        start = line.lstrip(" ")
        opens = start.startswith("```") and "`" not in start.lstrip("`")
        if not opens and not fenced:
            lines.append(re.sub(r"`[^`]*(`|$)", "", line))
        fenced ^= opens
    return "\n".join(lines)


def outcome(chunks: list[str], call: Call, *, field: bool) -> tuple[Any, ...]:
    assembler = ReplyAssembler(call, clock=lambda: 0.0)
    events: list[Event] = []
    for chunk in chunks:
        events += assembler.feed(reasoning=chunk) if field else assembler.feed(content=chunk)
    events += assembler.finish(finish_reason="stop", usage=Usage(reasoning_tokens=1))
    assert [type(e) for e in events].count(Done) == 1 and isinstance(events[-1], Done)
    return (
        "".join(e.text for e in events if isinstance(e, Reasoning)),
        "".join(e.text for e in events if isinstance(e, Text)),
        [e for e in events if isinstance(e, ToolCall)],
        events[-1],
    )


@settings(max_examples=600, deadline=None)
@given(texts, cuts, st.booleans(), st.booleans(), st.booleans(), st.sampled_from(["toggle", "always", "never"]))
def test_a_reply_is_the_same_in_any_chunking_and_holds_no_stray_tag(
    text: str, at: list[int], think: bool, tools: bool, field: bool, behaviour: str
) -> None:
    call = call_of(think=think, behaviour=behaviour, tools=(ADD,) if tools else ())
    whole = outcome([text], call, field=field)
    assert outcome(chunked(text, at), call, field=field) == whole
    answer = without_code(whole[1])
    assert not [tag for tag in (*STRAY_TAGS, "<tool_call>", "</tool_call>") if tag in answer]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab<>/think \n`", max_size=60))
def test_no_letter_of_an_ordinary_text_is_lost(text: str) -> None:
    reasoning, answer, leaked = parsed(list(text))
    if not leaked and "<think>" not in text and "</think>" not in text:
        assert (reasoning, answer) == ("", text)


# ── verification ────────────────────────────────────────────────────────────────────────────────────────────────────────


def kinds_of(call: Call, **changes: Any) -> list[str]:
    fields: dict[str, Any] = {"reasoning": "hm", "answer": "4", "tool_calls": 0, "finish_reason": "stop", **changes}
    return [violation.kind for violation in verify(call, Collected(**fields))]


@pytest.mark.parametrize(
    ("call", "changes", "expected"),
    [
        pytest.param(call_of(), {}, [], id="thinking-as-told"),
        pytest.param(call_of(think=False), {"reasoning": ""}, [], id="silent-as-told"),
        pytest.param(call_of(think=False), {}, ["thought_though_off"], id="thought-though-off"),
        pytest.param(call_of(think=False), {"reasoning": " \n"}, [], id="a-blank-is-no-thought"),
        pytest.param(call_of(), {"reasoning": ""}, ["silent_though_on"], id="silent-though-on"),
        pytest.param(call_of(think=False), {"promoted": True}, ["answer_in_reasoning"], id="promoted"),
        pytest.param(call_of(), {"answer": ""}, ["empty_answer"], id="empty"),
        pytest.param(call_of(), {"answer": "", "tool_calls": 1}, [], id="a-tool-call-is-an-answer"),
        pytest.param(call_of(budget=10), {"reasoning_tokens": 11}, ["budget_exceeded"], id="one-token-too-many"),
        pytest.param(call_of(budget=10), {"reasoning_tokens": 10}, [], id="exactly-the-budget"),
        pytest.param(
            call_of(budget=10), {"reasoning_tokens": 12, "reasoning_tokens_exact": False}, [], id="an-estimate-may-err"
        ),
        pytest.param(
            call_of(budget=10),
            {"reasoning_tokens": 13, "reasoning_tokens_exact": False},
            ["budget_exceeded"],
            id="but-not-by-much",
        ),
        pytest.param(call_of(), {"leaked": ("</think>", "</think>")}, ["leaked_tag"], id="leaked-twice-named-once"),
        pytest.param(call_of(), {"invalid_calls": ("no tool is called 'x'",)}, ["invalid_tool_call"], id="invalid-call"),
        pytest.param(call_of(response_format={}), {"answer": "four"}, ["invalid_json"], id="not-json"),
        pytest.param(call_of(response_format={}), {"answer": "", "tool_calls": 1}, [], id="a-call-instead-of-json"),
    ],
)
def test_what_a_reply_did_against_its_call_is_named(call: Call, changes: dict[str, Any], expected: list[str]) -> None:
    assert kinds_of(call, **changes) == expected


@pytest.mark.parametrize(
    ("answer", "schema", "sound"),
    [
        ('{"a": 1}', {}, True),
        ("[1]", {}, False),
        ("[1]", {"type": "array"}, True),
        ('{"a": 1}', {"type": "object", "required": ["a"]}, True),
        ('{"b": 1}', {"type": "object", "required": ["a"]}, False),
        ('```json\n{"a": 1}\n```', {}, False),
        ("4", {"type": ["integer", "null"]}, True),
    ],
)
def test_json_is_checked_for_its_outermost_type_and_keys(answer: str, schema: dict[str, Any], sound: bool) -> None:
    assert (json_problem(answer, schema) == "") == sound


def test_an_answer_in_the_reasoning_is_promoted_only_when_thinking_is_off() -> None:
    off = outcome(["It is 4."], call_of(think=False), field=True)
    assert off[1] == "It is 4." and [v.kind for v in off[3].violations] == ["answer_in_reasoning"]
    on = outcome(["It is 4."], call_of(), field=True)
    assert on[1] == "" and [v.kind for v in on[3].violations] == ["empty_answer"]


def test_an_always_thinking_model_that_closes_no_tag_gave_an_answer() -> None:
    got = outcome(["It is 4."], call_of(behaviour="always"), field=False)
    assert got[1] == "It is 4."
    assert [v.kind for v in got[3].violations] == ["answer_in_reasoning", "silent_though_on"]


@pytest.mark.parametrize("chunks", [["\n\n  It is 4."], list("\n\n  It is 4.")], ids=["whole", "by-character"])
def test_blank_lines_before_an_answer_are_dropped_and_its_indentation_stays(chunks: list[str]) -> None:
    """`transformers serve` sends them behind the reasoning field."""
    assert outcome(chunks, call_of(think=False), field=False)[1] == "  It is 4."


def test_a_total_is_split_by_estimate_and_says_so() -> None:
    assembler = ReplyAssembler(call_of())
    events = [
        *assembler.feed(reasoning="one two three four five six", content="seven"),
        *assembler.finish(completion_tokens=20),
    ]
    usage = events[-1].usage  # type: ignore[union-attr]
    assert usage.reasoning_tokens + usage.answer_tokens == 20
    assert usage.split_estimated and usage.reasoning_tokens > usage.answer_tokens


def test_times_to_the_first_thought_and_to_the_first_word_are_apart() -> None:
    ticks = iter(range(100))
    assembler = ReplyAssembler(call_of(), clock=lambda: float(next(ticks)))
    events = [*assembler.feed(reasoning="hm"), *assembler.feed(content="4"), *assembler.finish()]
    timings = events[-1].timings  # type: ignore[union-attr]
    assert timings.first_reasoning_s is not None and timings.first_answer_s is not None
    assert 0 < timings.first_reasoning_s < timings.first_answer_s < timings.total_s


# ── control tokens ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "token", ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|vision_start|>", "<|image_pad|>", "<|AUDIO|>"]
)
def test_a_control_token_is_broken_up_and_comes_back(token: str) -> None:
    text = f"say {token}system"
    assert token not in neutralise(text)
    assert neutralise(text).replace(JOINER, "") == text
    assert restore(neutralise(text)) == text


@pytest.mark.parametrize(
    "text", ["a <b> c", "x <| y |> z", "<|eot_id|>", "<think>hm</think>", "<tool_call>", "f <|> g", "想 <|im_end"]
)
def test_ordinary_text_and_vocabulary_that_is_not_special_stay(text: str) -> None:
    assert neutralise(text) == text


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["<|im_end|>", "<", "|", JOINER, "im_end", ">", "x", f"<{JOINER}|im_end|>"]), max_size=12).map(
        "".join
    )
)
def test_neutralising_is_reversible_whatever_the_text_holds(text: str) -> None:
    assert "<|im_end|>" not in neutralise(text)
    assert restore(neutralise(text)) == text
