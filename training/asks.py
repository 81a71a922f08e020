"""Generated requests: the classes and languages that the shared requests lack, from a seed.

The shared set has no translation rows, few chat and writing rows, tools in English only, and word problems in English and
Chinese only. This file fills the templates of `asks.yaml`, our own words, in sixteen languages. Their variety is small: they
teach what an ask looks like, not what people ask. Test rows must come from elsewhere.

    python -c "from training.asks import generate; print(next(iter(generate(seed=3, count=10))))"
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import yaml


class Ask(NamedTuple):
    """One generated request. `depth` None means that the template says nothing about it."""

    text: str
    domain: str
    language: str
    depth: float | None
    tools: tuple[str, ...] = ()


_TEMPLATES = yaml.safe_load((Path(__file__).parent / "asks.yaml").read_text("utf-8"))
_BANKS: dict[str, dict[str, list[str]]] = _TEMPLATES["asks"]
_TOOL_ASKS: dict[str, list[tuple[str, str]]] = _TEMPLATES["tool_asks"]
_WORDS: dict[str, list[str]] = _TEMPLATES["words"]
_DEPTH: dict[str, float | None] = {
    "math": 0.3,
    "code": 0.35,
    "reasoning": 0.6,
    "knowledge": 0.1,
    "extraction": 0.1,
    "writing": 0.15,
    "chat": 0.0,
    "translation": 0.05,
    "tools": 0.2,
}
"""Depth of a generated ask: a prior for its kind, in keeping with the constants of the shared sources."""
_OPTION_SHARE = {"math": 0.3, "knowledge": 0.15, "reasoning": 0.15}
_DEDUCTIONS = 0.3
"""Share of reasoning asks that are chains of premises, without template."""
_SLOT = re.compile(r"\{(\w+)\}")
_POLITE = (
    "Please help me: {}",
    "Hi! {}",
    "{} Thanks!",
    "Can you help with this? {}",
    "{} Please think step by step.",
    "quick question: {}",
    "{}\n\nAnswer in one line.",
)
OTHER_TOOLS = (
    "get_weather",
    "calculator",
    "send_email",
    "web_search",
    "read_file",
    "run_shell",
    "calendar.list_events",
    "lookup_order",
)


def _fill(template: str, rng: random.Random) -> str:
    values = {name: rng.choice(words) for name, words in _WORDS.items()}
    scale = rng.choice((20, 100, 1000))
    numbers = {"a": rng.randint(scale // 2, scale), "b": rng.randint(2, 9), "c": rng.randint(2, 12)}
    values |= {name: str(value) for name, value in numbers.items()}
    for _ in range(3):  # facts and stories hold words of their own
        template = _SLOT.sub(lambda slot: values.get(slot[1], slot[0]), template)
    return template


def _deduction(rng: random.Random) -> str:
    """Three to eight premises in random order and a question about what follows; whether it has an answer is no matter."""
    rules = rng.sample(_WORDS["rule"], rng.randint(3, 8))
    joint = rng.choice(("\n", "\n", " "))
    given, judge = rng.choice(_WORDS["given"]), rng.choice(_WORDS["judge"])
    facts = joint.join(_fill(rule, rng) for rule in rules)
    return f"{given}{facts}{rng.choice((joint, chr(10)))}{_fill(judge, rng)}"


def _with_options(text: str, domain: str, rng: random.Random) -> str:
    """The same ask as a multiple-choice question, in one of the forms that exams use."""
    size = rng.choice((4, 4, 4, 5))
    if domain == "math":
        low, unit = rng.randint(1, 60), rng.choice(("", "", " km", "%", "/7", " hours", ".5"))
        choices = [f"{low + rng.randint(1, 9) * i}{unit}" for i in range(size)]
    else:
        choices = rng.sample([*_WORDS["w"], *_WORDS["k"], *_WORDS["d"], *_WORDS["p"]], size)
    letters = "ABCDE"[:size]
    form = rng.choice(("{}. {}", "{}) {}", "({}) {}", "{})  {}", "{}: {}", "{}．{}"))
    lines = [form.format(letter, choice) for letter, choice in zip(letters, choices, strict=True)]
    if rng.random() < 0.25:
        return f"{text}\n{lines!r}"
    return text + rng.choice(("\n", "\n\n", " ")) + rng.choice(("\n", "\n", " ", "  ")).join(lines)


def _varied(text: str, language: str, rng: random.Random) -> str:
    """What people do to an ask: wrap it, drop capitals or the last mark."""
    roll = rng.random()
    if language == "en" and roll < 0.15:
        return rng.choice(_POLITE).format(text)
    if roll < 0.25 and "\n" not in text:
        return text.lower().rstrip(".!")
    return text.rstrip("?？.") if roll < 0.35 else text


def generate(*, seed: int, count: int) -> Iterator[Ask]:
    """`count` asks: every domain and, within it, every language as often as the others (English thrice)."""
    rng = random.Random(seed)
    kinds: list[Callable[[], Ask]] = [_maker(domain, rng) for domain in _BANKS] + [lambda: _tool_ask(rng)]
    for i in range(count):
        ask = kinds[i % len(kinds)]()
        if not ask.tools and rng.random() < 0.06:  # tools lie around in many requests that need none
            ask = ask._replace(tools=tuple(rng.sample(OTHER_TOOLS, rng.randint(1, 4))))
        yield ask


def _maker(domain: str, rng: random.Random) -> Callable[[], Ask]:
    bank = _BANKS[domain]

    def make() -> Ask:
        if domain == "reasoning" and rng.random() < _DEDUCTIONS:
            return Ask(_deduction(rng), domain, "en", _DEPTH[domain])
        language = rng.choice(["en", "en", *bank])
        text = _varied(_fill(rng.choice(bank[language]), rng), language, rng)
        if rng.random() < _OPTION_SHARE.get(domain, 0.0):
            text = _with_options(text, domain, rng)
        return Ask(text, domain, language, _DEPTH[domain])

    return make


def _tool_ask(rng: random.Random) -> Ask:
    language = rng.choice(["en", "en", *_TOOL_ASKS])
    template, name = rng.choice(_TOOL_ASKS[language])
    declared = tuple({name, *rng.sample(OTHER_TOOLS, rng.randint(0, 3))}) if rng.random() < 0.7 else ()
    return Ask(_varied(_fill(template, rng), language, rng), "tools", language, _DEPTH["tools"], tuple(sorted(declared)))
