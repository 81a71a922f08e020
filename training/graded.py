"""Graded requests: eighteen kinds with eight levels each, so that depth is learned within a kind and not from the kind.

The level is the number of operations, constraints, facts or steps that a request demands. Length is kept from telling it:
irrelevant details fill short ones up to a length drawn without regard to the level, and each kind has terse hard ones. The
texts are in graded_words.py; `benchmarks/graded_unseen.py` is the independent counterpart for tests.

    python -c "import random; from training.graded import graded; print(*graded(random.Random(3)), sep='\\n')"
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from training.graded_words import BANKS, LISTS, NAMES, OTHERS_SHARE

LEVELS = 8
DOMAIN_OF = {
    "word_problem": "math",
    "algebra": "math",
    "proof": "math",
    "chance": "math",
    "physics": "math",
    "coding": "code",
    "debugging": "code",
    "sql": "code",
    "trace": "code",
    "deduction": "reasoning",
    "knowledge": "knowledge",
    "analysis": "knowledge",
    "extraction": "extraction",
    "writing": "writing",
    "translation": "translation",
    "planning": "chat",
    "chat": "chat",
    "tools": "tools",
}
KINDS: tuple[str, ...] = tuple(DOMAIN_OF)


class Graded(NamedTuple):
    """One request; `level` runs from 1 to 8."""

    text: str
    domain: str
    language: str
    kind: str
    level: int


@dataclass
class _Theme:
    """A part of a bank: what it is made into, how many levels come before its first part, its lines by tag."""

    sort: str = "plain"
    offset: int = 0
    lines: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class _Draw:
    """What one request is drawn with; `slots` holds the values that come up again."""

    rng: random.Random
    language: str
    level: int
    shared: _Theme
    slots: dict[str, str] = field(default_factory=dict)


_SLOT = re.compile("⟪([^⟫]*)⟫")
_KEPT = re.compile(r"([a-z])=(.*)")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_BREAK = re.compile(r"(?<!\\)\\n")
_UNSPACED = ("zh", "ja")
_STOPS = {"zh": "。", "ja": "。", "hi": "।"}
_WEIGHT = {"parts": 1.0, "steps": 1.0, "story": 0.5, "relation": 1.2, "chain": 1.0, "records": 2.0, "formula": 3.0}
_WHOLE_SHARE = 0.35
"""How often a request is one of the whole ones of its level, where there are also themes to make one from."""
_SORTS = {
    "story": "story",
    "relation": "relation",
    "chain": "chain",
    "records": "records",
    "formula": "formula",
    "s": "steps",
}


def graded(rng: random.Random, kind: str | None = None, level: int | None = None) -> Graded:
    """One request of the kind and level given, else of any."""
    kind = kind or rng.choice(KINDS)
    level = rng.randint(1, LEVELS) if level is None else level
    if kind not in DOMAIN_OF or not 1 <= level <= LEVELS:
        raise ValueError(f"no kind {kind!r} with level {level!r}")
    able = {language: usable for language in _LANGUAGES[kind] if (usable := _usable(kind, language, level))}
    others = [language for language in able if language != "en"]
    language = rng.choice(others) if rng.random() < OTHERS_SHARE[min(len(others), 2)] else "en"
    themes = able[language]
    made = [theme for theme in themes if theme.sort != "plain"]
    if len(made) < len(themes) and (not made or rng.random() < _WHOLE_SHARE):
        theme = themes[0]
    else:
        (theme,) = rng.choices(made, [_WEIGHT[theme.sort] for theme in made])
    draw = _Draw(rng, language, level, _THEMES[kind, language][0])
    return Graded(_MAKERS[theme.sort](draw, theme).strip(), DOMAIN_OF[kind], language, kind, level)


def _themes(text: str) -> list[_Theme]:
    """The themes of a bank; the first holds what all of them share."""
    themes = [_Theme()]
    joined = re.sub(r"\n {4}(~?)", lambda at: "" if at[1] else " ", text.strip("\n"))
    for line in joined.split("\n"):
        tag, _, rest = line.partition(" ")
        if tag == "--":
            sort = _SORTS.get(rest, "parts")
            themes.append(_Theme(sort, int(rest) if rest.isdecimal() else 0))
        elif tag:
            themes[-1].lines.setdefault(tag, []).append(_BREAK.sub("\n", rest).replace("\\\\n", "\\n"))
    return themes


def _read() -> dict[tuple[str, str], list[_Theme]]:
    """The banks, each with the lines of every language (`*`) added to what its themes share."""
    banks = {(kind, language): _themes(text) for (kind, language), text in ((k.split(), v) for k, v in BANKS.items())}
    for (kind, language), themes in banks.items():
        everywhere = banks.get((kind, "*"))
        if everywhere and language != "*":
            for tag, lines in everywhere[0].lines.items():
                themes[0].lines.setdefault(tag, []).extend(lines)
    return {key: themes for key, themes in banks.items() if key[1] != "*"}


def _usable(kind: str, language: str, level: int) -> list[_Theme]:
    """The themes of a bank that can make a request of this level."""
    able = []
    for theme in _THEMES[kind, language]:
        if theme.sort == "plain":
            fits = str(level) in theme.lines
        elif theme.sort in ("parts", "steps"):
            fits = 0 <= level - theme.offset <= len(theme.lines["s" if theme.sort == "steps" else "p"])
        else:
            fits = True
        if fits:
            able.append(theme)
    return able


def _fill(draw: _Draw, text: str) -> str:
    """`text` with its slots filled."""
    return _SLOT.sub(lambda slot: _value(draw, slot[1]), text)


def _value(draw: _Draw, slot: str) -> str:
    if (kept := _KEPT.fullmatch(slot)) is not None:
        return draw.slots.setdefault(kept[1], _value(draw, kept[2]))
    if slot in draw.slots:
        return draw.slots[slot]
    if (span := _RANGE.fullmatch(slot)) is not None:
        return str(draw.rng.randint(int(span[1]), int(span[2])))
    if slot == "name":
        return draw.rng.choice(NAMES[draw.language])
    if slot in LISTS:
        return draw.rng.choice(LISTS[slot])
    return draw.rng.choice(slot.split("|"))


def _with(draw: _Draw, text: str, **slots: object) -> str:
    """`text` filled, with these values for this time only."""
    here = _Draw(draw.rng, draw.language, draw.level, draw.shared, {**draw.slots, **{k: str(v) for k, v in slots.items()}})
    return _fill(here, text)


def _stopped(draw: _Draw, text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text[-1] in ".?!。？！।:：`'" else text + _STOPS.get(draw.language, ".")


def _join(draw: _Draw, sentences: Sequence[str]) -> str:
    return ("" if draw.language in _UNSPACED else " ").join(_stopped(draw, one) for one in sentences)


def _details(draw: _Draw, length: int) -> list[str]:
    """Irrelevant details that bring a text of this length near one drawn without regard to the level."""
    if draw.rng.random() < 0.3:
        return []
    wide = 0.4 if draw.language in _UNSPACED else 1.0
    missing = draw.rng.lognormvariate(5.4, 0.7) * wide - length
    kept: list[str] = []
    for line in draw.rng.sample(lines := draw.shared.lines.get("f", []), len(lines)):
        if missing < 20 * wide or len(kept) == 7:
            break
        kept.append(_fill(draw, line))
        missing -= len(kept[-1])
    if not kept and lines and draw.rng.random() < 0.15:
        kept.append(_fill(draw, draw.rng.choice(lines)))
    return kept


def _around(draw: _Draw, text: str) -> str:
    """`text` with irrelevant details before it, after it, or both."""
    details = _details(draw, len(text))
    if not details:
        return text
    cut = draw.rng.choice((0, len(details), len(details), draw.rng.randint(0, len(details))))
    gap = "\n\n" if "\n" in text else draw.rng.choice(("\n", "" if draw.language in _UNSPACED else " "))
    if cut < len(details) and "\n" not in text + gap and text[-1].isalnum():
        text += _STOPS.get(draw.language, ".")
    return gap.join(part for part in (_join(draw, details[:cut]), text, _join(draw, details[cut:])) if part)


def _framed(draw: _Draw, text: str, tag: str = "w") -> str:
    frames = draw.shared.lines.get(tag)
    return _fill(draw, draw.rng.choice(frames)).replace("{}", text, 1) if frames else text


def _plain(draw: _Draw, theme: _Theme) -> str:
    """A whole request, perhaps with dead code above it, in a frame, with given tables."""
    lines, rng = theme.lines, draw.rng
    text = _fill(draw, rng.choice(lines[str(draw.level)]))
    if "k" in lines and rng.random() < 0.6:
        dead = rng.sample(lines["k"], rng.randint(1, 3))
        text = "\n".join(_fill(draw, line) for line in (*dead, text))
    if "w" in lines:
        text = _framed(draw, text)
    if "d" in lines and rng.random() < 0.55:
        parts = [rng.choice(lines["d"]), text]
        text = rng.choice(("\n", "\n\n")).join(parts if rng.random() < 0.6 else reversed(parts))
    return _around(draw, text)


def _parts(draw: _Draw, theme: _Theme) -> str:
    """An opening and as many parts as the level asks for, in one of several layouts."""
    rng = draw.rng
    opening = _fill(draw, rng.choice(theme.lines["o"]))
    parts = [_fill(draw, part) for part in rng.sample(theme.lines["p"], draw.level - theme.offset)]
    details = _details(draw, len(opening) + sum(map(len, parts)))
    roll = rng.random()
    if not parts or roll < 0.55:
        body = [*parts, *details]
        rng.shuffle(body)
        return _join(draw, [opening, *body] if rng.random() < 0.65 else [*body, opening])
    head = _join(draw, [*details, opening] if rng.random() < 0.5 else [opening, *details])
    if roll < 0.85:
        number = roll > 0.75
        return "\n".join([head, *(f"{f'{i}.' if number else '-'} {part}" for i, part in enumerate(parts, 1))])
    mark, gap = ("；", "") if draw.language in _UNSPACED else (";", " ")
    return head + ("" if draw.language in _UNSPACED else " ") + _stopped(draw, f"{mark}{gap}".join(parts))


def _steps(draw: _Draw, theme: _Theme) -> str:
    """The first steps of a chain in which each needs the one before."""
    rng, spaced = draw.rng, draw.language not in _UNSPACED
    steps = [_fill(draw, step) for step in theme.lines["s"][: draw.level]]
    roll = rng.random()
    if roll < 0.4 or not spaced:
        text = _join(draw, steps)
    elif roll < 0.6:
        text = "\n".join(f"{i}) {step}" for i, step in enumerate(steps, 1))
    else:
        link = rng.choice((", then ", "; ", ", and after that ", " and "))
        text = _stopped(draw, link.join([steps[0], *(step[:1].lower() + step[1:] for step in steps[1:])]))
    return _around(draw, text)


def _operation(rng: random.Random, theme: _Theme, value: int, last: str = "") -> tuple[str, int, int]:
    """What is done to a value, with which number, and what comes out: whole numbers only, and not the same twice running."""
    able: list[tuple[str, int, int]] = []
    for mark in (mark for mark in "+-*/%" if mark in theme.lines and mark != last):
        x = rng.randint(2, 40)
        if mark == "+":
            able.append((mark, x, value + x))
        elif mark == "-" and value > 3:
            able.append((mark, x := rng.randint(2, value - 1), value - x))
        elif mark == "*" and value < 400:
            able.append((mark, x := rng.randint(2, 4), value * x))
        elif mark == "/" and (divisors := [k for k in (2, 3, 4, 5, 6) if value % k == 0]):
            able.append((mark, x := rng.choice(divisors), value // x))
        elif mark == "%" and value > 9 and (shares := [p for p in (5, 10, 20, 25, 40, 50, 75) if value * p % 100 == 0]):
            able.append((mark, x := rng.choice(shares), value - value * x // 100))
    return rng.choice(able)


def _story(draw: _Draw, theme: _Theme) -> str:
    """A quantity to which as many things happen as the level says, told forwards or with its start unknown."""
    rng, value = draw.rng, draw.rng.choice((24, 36, 40, 48, 60, 80, 90, 120, 144, 180, 240, 300))
    backwards = draw.level > 1 and rng.random() < 0.25
    start = rng.choice(theme.lines["u" if backwards else "o"])
    if (item := re.search("⟪(i=[^⟫]*)⟫", start)) is not None:
        _value(draw, item[1])
    body = [_with(draw, start, x=value)]
    mark = ""
    for _ in range(draw.level):
        mark, x, value = _operation(rng, theme, value, mark)
        body.append(_with(draw, rng.choice(theme.lines[mark]), x=x))
    question = _with(draw, rng.choice(theme.lines["b" if backwards else "c"]), x=value)
    details = _details(draw, sum(map(len, body)) + len(question))
    for detail in details if body[0][0].isupper() or draw.language != "en" else ():
        body.insert(rng.randint(0, len(body)), detail)
    if body[0].startswith("start"):
        return rng.choice(("; ", ", ", "\n", " -> ")).join([*body, question])
    return _join(draw, [*body, question] if rng.random() < 0.85 else [question, *body])


def _relation(draw: _Draw, theme: _Theme) -> str:
    """Quantities of people, each told from the one before, in any order, with some that do not matter."""
    rng = draw.rng
    names = rng.sample(NAMES[draw.language], len(NAMES[draw.language]))
    value = rng.choice((24, 36, 48, 60, 72, 96, 120))
    said = [_with(draw, rng.choice(theme.lines["o"]), b=names[0], x=value)]
    for before, after in pairwise(names[: draw.level + 1]):
        mark, x, value = _operation(rng, theme, value)
        said.append(_with(draw, rng.choice(theme.lines[mark]), a=before, b=after, x=x))
    question = _with(draw, rng.choice(theme.lines["c"]), b=names[draw.level])
    if rng.random() < 0.5:
        rng.shuffle(said)
    details = _details(draw, sum(map(len, said)) + len(question))
    for name in names[draw.level + 1 :][: len(details)]:
        mark, x, _ = _operation(rng, theme, 60)
        aside = _with(draw, rng.choice(theme.lines[mark]), a=rng.choice(names[: draw.level + 1]), b=name, x=x)
        said.insert(rng.randint(0, len(said)), aside if rng.random() < 0.6 else details.pop())
    return _join(draw, [*said, question])


def _chain(draw: _Draw, theme: _Theme) -> str:
    """Premises that lead from one end to the other in as many links as the level says, among some that lead elsewhere."""
    rng = draw.rng
    (listed,) = theme.lines["n"]
    nodes = rng.sample(listed.split("|"), 16)
    used, spare = nodes[: draw.level + 1], nodes[draw.level + 1 :]
    pairs = list(pairwise(used))
    ends = {"first": used[0], "last": used[-1]}
    question = _with(draw, rng.choice(theme.lines["c"]), **ends)
    length = len(question) + 25 * len(pairs)
    details = _details(draw, length)
    for node in spare[: len(details)]:
        pairs.append((node, rng.choice(used)) if rng.random() < 0.5 else (rng.choice(used), node))
    said = [_with(draw, rng.choice(theme.lines["p"]), a=a, b=b) for a, b in pairs]
    if rng.random() < 0.75:
        rng.shuffle(said)
    for detail in details[::3]:
        said.insert(rng.randint(0, len(said)), detail)
    if rng.random() < 0.2:
        return "\n".join([*(f"- {one}" for one in said), question])
    return _join(draw, [*said, question] if rng.random() < 0.85 else [question, *said])


def _records(draw: _Draw, theme: _Theme) -> str:
    """A text of entries, people in charge and corrections, and a question that needs more of them the higher the level."""
    rng, lines = draw.rng, theme.lines
    things, places = (rng.sample(lines[tag][0].split("|"), lines[tag][0].count("|") + 1) for tag in "nl")
    places, things = places[:3], things[: rng.randint(max(3, draw.level // 2 + 1), 7)]
    unit, said, rows = lines["m"][0], [], []
    for thing in things:
        row = {"e": thing, "l": rng.choice(places), "d": rng.choice(LISTS["@day"]), "x": rng.randint(5, 95), "m": unit}
        rows.append(row)
        said.append(_with(draw, rng.choice(lines["p"]), **row))
    if draw.level > 4 or rng.random() < 0.7:
        people = rng.sample(NAMES[draw.language], 3)
        said += [_with(draw, rng.choice(lines["k"]), w=w, l=place) for w, place in zip(people, places, strict=True)]
    if draw.level > 5 or rng.random() < 0.7:
        for row in rng.sample(rows, 2 if draw.level > 6 else rng.randint(1, 2)):
            said.append(_with(draw, rng.choice(lines["z"]), e=row["e"], x=rng.randint(5, 95), m=unit))
    question = _with(draw, rng.choice(draw.shared.lines[f"q{draw.level}"]), **rng.choice(rows))
    gap = rng.choice((" ", " ", "\n"))
    for detail in _details(draw, sum(map(len, said))):
        said.insert(rng.randint(0, len(things)), detail)
    text = gap.join([_fill(draw, rng.choice(lines["i"])), *(_stopped(draw, one) for one in said)])
    return f"{text}\n\n{question}" if rng.random() < 0.7 else f"{question}\n\n{text}"


def _expression(rng: random.Random, steps: int) -> str:
    """An arithmetic expression with this many operations."""
    if not steps:
        return str(rng.randint(2, 60))
    left = rng.randint(0, steps - 1)
    inner = [f"({text})" if " " in text else text for text in (_expression(rng, left), _expression(rng, steps - 1 - left))]
    return rng.choice((" + ", " - ", " * ", " + ", " - ", " / ")).join(inner)


def _equation(rng: random.Random, steps: int) -> str:
    """An equation in which this many operations hide the unknown."""
    unknown = rng.choice("xyzntk")
    text = unknown
    for _ in range(steps):
        number = rng.randint(2, 15)
        inner = f"({text})" if " " in text else text
        text = rng.choice((f"{inner} + {number}", f"{inner} - {number}", f"{number} * {inner}", f"{inner} / {number}"))
    return f"{text} = {rng.randint(3, 90)}"


def _system(rng: random.Random, size: int) -> str:
    """A linear system with this many unknowns."""
    names = rng.choice(("xyzuv", "abcde", "pqrst"))[:size]
    rows = []
    for _ in names:
        terms = [f"{rng.choice('+-')} {rng.randint(2, 9)}{name}" for name in names if rng.random() < 0.85]
        left = re.sub("^- ", "-", " ".join(terms or [f"+ {names[0]}"]).removeprefix("+ "))
        rows.append(f"{left} = {rng.randint(-30, 60)}")
    return rng.choice(("; ", "\n", ", ")).join(rows)


def _formula(draw: _Draw, theme: _Theme) -> str:
    """Something to evaluate or to solve, of as many operations as the level says."""
    rng, level = draw.rng, draw.level
    makers: list[Callable[[], str]] = [lambda: _expression(rng, level), lambda: _equation(rng, level)]
    if level >= 4:
        makers.append(lambda: _system(rng, min(5, level - 2)))
    return _around(draw, _framed(draw, rng.choice(makers)(), "v"))


_THEMES = _read()
_LANGUAGES = {kind: [language for of, language in _THEMES if of == kind] for kind in KINDS}
_MAKERS: dict[str, Callable[[_Draw, _Theme], str]] = {
    "plain": _plain,
    "parts": _parts,
    "steps": _steps,
    "story": _story,
    "relation": _relation,
    "chain": _chain,
    "records": _records,
    "formula": _formula,
}
