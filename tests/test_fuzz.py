"""Ten thousand streams of everything that models have been seen to send, cut anywhere: nothing raised, lost or leaked."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from qwen_router.engines.assemble import ReplyAssembler
from qwen_router.engines.base import Call, Done, Reasoning, Text
from qwen_router.request import ToolCall
from tests.test_engines import ADD, call_of

STREAMS = 10_000
TAGS = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<|im_end|>", "<|im_start|>", "<|endoftext|>")
NEAR_TAGS = (
    "<thin",
    "</think",
    "<|im_",
    "< think>",
    "<tool_call",
    "a < b",
    "`",
    "```\n",
    "\n",
    "\n\n",
    " ",
    "é",
    "漢",
    "🙂",
    "<",
)


def pieces(draw: random.Random) -> Iterator[str]:
    """Words that each occur once, with tags, halves of tags and tool calls among them."""
    for number in range(draw.randint(1, 14)):
        kind = draw.random()
        word = f"w{number}q"
        if kind < 0.45:
            yield f"{word} "
        elif kind < 0.65:
            yield draw.choice(TAGS)
        elif kind < 0.85:
            yield draw.choice(NEAR_TAGS)
        elif kind < 0.92:
            body = json.dumps({"name": "add", "arguments": {"a": word}})
            yield f"<tool_call>\n{body}\n</tool_call>"
        elif kind < 0.96:
            yield f"<tool_call>\n<function=add>\n<parameter=a>\n{word}\n</parameter>\n</function>\n</tool_call>"
        else:
            yield f'<tool_call>\n{{"name": "add", "arguments": {{"a": "{word}"'  # cut off


def chunks(text: str, draw: random.Random) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = start + draw.choice((1, 1, 2, 3, 5, 8, 40))
        yield text[start:end]
        start = end


def outcome(text: str, call: Call, draw: random.Random) -> tuple[str, str, list[ToolCall], Done]:
    assembler = ReplyAssembler(call)
    in_field = draw.random() < 0.3
    events: list[Any] = []
    for chunk in chunks(text, draw):
        events += assembler.feed(reasoning=chunk) if in_field else assembler.feed(content=chunk)
    events += assembler.finish(finish_reason=draw.choice(("stop", "length", None)))
    done = events[-1]
    assert isinstance(done, Done) and sum(isinstance(e, Done) for e in events) == 1
    said = ("".join(e.text for e in events if isinstance(e, kind)) for kind in (Reasoning, Text))
    return *said, [e for e in events if isinstance(e, ToolCall)], done  # type: ignore[return-value]  # two texts


def outside_code(text: str) -> str:
    """Without Markdown's code, which may show tags: fenced blocks, and what stands behind an odd backtick of a line."""
    out, fenced = [], False
    for line in text.split("\n"):
        start = line.lstrip(" ")
        if start.startswith("```") and "`" not in start.lstrip("`"):
            fenced = not fenced
        elif not fenced:
            out.append("|".join(line.split("`")[::2]))
    return "\n".join(out)


def test_ten_thousand_streams_lose_nothing_and_leak_nothing() -> None:
    draw = random.Random(20261125)
    for number in range(STREAMS):
        text = "".join(pieces(draw))
        behaviour: Any = draw.choice(("toggle", "always", "never"))
        tools = (ADD,) if draw.random() < 0.5 else ()
        call = call_of(think=draw.random() < 0.5, behaviour=behaviour, tools=tools)
        reasoning, answer, calls, done = outcome(text, call, draw)
        kinds = {v.kind for v in done.violations}
        where = f"stream {number}: {text!r} -> {reasoning!r}, {answer!r}, {calls}"
        arguments = " ".join(json.dumps(dict(c.arguments)) for c in calls)
        seen = (answer, arguments) if "answer_in_reasoning" in kinds else (reasoning, answer, arguments)
        found = Counter(re.findall(r"w\d+q", " ".join(seen)))
        missing = set(re.findall(r"w\d+q", text)) - set(found)
        assert not missing, f"{missing} lost in {where}"
        assert not [word for word, times in found.items() if times > 1], f"twice in {where}"
        prose = outside_code(answer)
        assert not [tag for tag in ("<think>", "</think>", "<|im_end|>") if tag in prose], f"leaked in {where}"
