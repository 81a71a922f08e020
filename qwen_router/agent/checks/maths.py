r"""Checks what an answer says about mathematics: against what the question asks, and its own equalities.

A check says False only where the answer, however it is read, is not what was asked for; None wherever form, wording or
rounding leave a doubt. Stories, proofs, inequalities, systems and units that are not named are not checked.

    python -c "from qwen_router.agent.checks.maths import maths; print(maths('What is 98.5 / 4?', 'Each pays 26.4.'))"
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from qwen_router.agent.checks.asked import DECIMAL_COMMA, Asked, asked
from qwen_router.agent.checks.figures import best_agreement, figures_in, is_about
from qwen_router.agent.checks.finding import Finding
from qwen_router.agent.checks.mathtext import (
    NotMathematics,
    NoValue,
    Number,
    Tree,
    names,
    operations,
    read,
    same_function,
    tidy,
    value,
)

MAX_ANSWER_CHARS = 20_000
MOST_BOXES, MOST_BOXED_CHARS = 20, 1000
"""So many of the last boxes are looked at, for one that is closed within so many characters."""
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_STATED = re.compile(
    r"(?:####|(?:^|(?<=[\s*（(]))(?:(?:the |my |final |correct )*(?:answer|result|solution)|A|答案|结果|最终答案|答"
    r"|Antwort|Ergebnis|Lösung"
    r"|réponse|résultat|respuesta|resultado|solución|risposta|risultato|ответ|результат|cevap|sonuç)\s*\**\s*"
    r"(?::|：|=|\bis\b|\bare\b|是|为|为：|ist\b|lautet\b|est\b|es\b|è\b|—)\s*\**\s*:?)\s*(?P<rest>[^\n]+)",
    re.IGNORECASE | re.MULTILINE,
)  # fmt: skip
_NO_SOLUTION = re.compile(
    r"no (?:real )?(?:solution|root|answer)|undefined|does not exist|not defined|impossible|无解|不存在"
    r"|keine (?:reelle )?lösung|prime"
    r"|cannot be|can't be|identity|all real|infinitely",
    re.IGNORECASE,
)


class Stated(NamedTuple):
    """The words that say the final answer; `explicit` when they are marked as such (boxed, "the answer is ...")."""

    text: str
    explicit: bool


def maths(question: str, answer: str, *, language: str = "") -> tuple[Finding, ...]:
    """What can be said of the answer: at most one finding about the question, and one about equalities in the answer."""
    answer = answer[-MAX_ANSWER_CHARS:]
    found = [f for f in (of_question(question, answer, language=language), of_equalities(answer, language=language)) if f]
    return tuple(found)


def of_question(question: str, answer: str, *, language: str = "") -> Finding | None:
    """The answer against what the question asks for. None where the question is not of a kind that can be worked out."""
    what = asked(question, language=language)
    if what is None:
        return None
    stated = final_answer(answer)
    try:
        if what.kind == "value":
            return _value(what, stated, answer, language)
        if what.kind == "equation":
            return _solution(what, stated, answer, language)
        return _form(what, stated) if what.kind != "integral" else _definite(what, stated, answer, language)
    except (NotMathematics, NoValue):
        return Finding(what.kind, None, "the answer could not be read as mathematics")


# ── what the answer says in the end ─────────────────────────────────────────────────────────────────────────────────────


def final_answer(answer: str) -> Stated:
    """The last box; else the last "the answer is ..."; else the last line."""
    box = _last_box(answer)
    if box is not None:
        return Stated(box, True)
    stated = [match["rest"] for match in _STATED.finditer(answer)]
    if stated:
        return Stated(_first_sentence(stated[-1]), True)
    lines = [line for line in answer.splitlines() if line.strip(" *#-`$\\[]()")]
    return Stated(lines[-1].strip() if lines else "", False)


def _last_box(text: str) -> str | None:
    """What stands in the last box that is closed."""
    for match in [*_BOXED.finditer(text)][: -MOST_BOXES - 1 : -1]:
        depth, place = 1, match.end()
        while place < min(len(text), match.end() + MOST_BOXED_CHARS) and depth:
            depth += {"{": 1, "}": -1}.get(text[place], 0) if text[place - 1] != "\\" else 0
            place += 1
        if not depth:
            return text[match.end() : place - 1]
    return None


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[^\d\s])\.\s|(?<=\d)\.\s+(?=[A-Z])|。|；", text)[0].strip().strip("*")


def _cleaned(text: str) -> str:
    """Without the marks around a formula, units in `\\text{}`, and what stands behind a comma as a condition."""
    text = re.sub(r"\\(?:text|mathrm|textbf|mbox)\s*\{[^{}]*\}", " ", text)
    text = re.sub(r"\\[()\[\]]|\\[,;:!]|\*\*|`|\$", " ", text).strip()
    return re.sub(r"[\s.。,]+$", "", text)


def _sides(text: str) -> list[str]:
    """The parts between signs of equality, the last one first; none behind a sign that says "about"."""
    return [part.strip() for part in reversed(re.split(r"=", text))]


# ── values ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


_TWO_READINGS = re.compile(r"[-+−]\s*[\d.,]+\s*%")
"""`200 + 10%`: ten hundredths more, or a tenth more."""
_MAYBE_NO_SUM = re.compile(r"\d{1,2}\s*/\s*\d{1,2}")
"""`9/11` alone: a fraction, a day, a score."""


def _value(what: Asked, stated: Stated, answer: str, language: str) -> Finding:
    found = _worked_value(what, stated, answer, language)
    unsure = _TWO_READINGS.search(what.text) or (_MAYBE_NO_SUM.fullmatch(what.text.strip()) and len(answer.split()) > 3)
    if found.ok is False and unsure:
        return Finding(what.kind, None, f"{what.text!r} can be read in two ways")
    return found


def _worked_value(what: Asked, stated: Stated, answer: str, language: str) -> Finding:
    return _number(value(what.tree, what.at), what, stated, answer, language)


def _number(expected: Number, what: Asked, stated: Stated, answer: str, language: str) -> Finding:
    """Whether the answer says this number: as a formula, as a numeral, rounded, in percent."""
    if _NO_SOLUTION.search(answer):
        return Finding(what.kind, None, "the answer says that there is none")
    last = _sides(_cleaned(stated.text))[0]
    try:
        tree = read(last, decimal_comma=language in DECIMAL_COMMA)
        if _close(value(tree), expected):
            return Finding(what.kind, True, f"{what.text} is {_shown(expected)}")
    except (NotMathematics, NoValue):
        pass
    if isinstance(expected, complex):
        return Finding(what.kind, None, "the answer could not be read as a complex number")
    shown = _shown(expected)
    rounded = is_about(answer) or what.decimals is not None
    figures = figures_in(stated.text)
    wanted = expected if what.decimals is None else _rounded(expected, what.decimals)
    best = best_agreement(expected, figures, rounded=rounded)
    if best == "same" or best_agreement(wanted, figures) == "same":
        return Finding(what.kind, True, f"{what.text} is {shown}")
    anywhere = best_agreement(expected, figures_in(answer, parts=True), rounded=rounded)
    if not figures or best == "near" or anywhere != "off" or (expected != 0 and _far_apart(stated.text)):
        return Finding(what.kind, None, f"{what.text} is {shown}; what the answer says could not be read for sure")
    return Finding(what.kind, False, f"{what.text} is {shown}, but the answer says {_short(stated.text)}")


def _far_apart(text: str) -> bool:
    """Letters or roots in what is said in the end: a formula that was not read."""
    return re.search(r"\\(?:sqrt|pi|ln|log|sin|cos|tan|binom)|√|π|\be\b|\^", text) is not None


def _rounded(number: Number, decimals: int) -> Fraction:
    assert not isinstance(number, complex)
    scale = Fraction(10) ** decimals
    scaled = abs(Fraction(number)) * scale
    whole = int(scaled + Fraction(1, 2))
    return Fraction(whole if number >= 0 else -whole) / scale


def _close(one: Number, other: Number) -> bool:
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return one == other
    return abs(complex(one) - complex(other)) <= 1e-9 * (1 + abs(complex(other)))


def _shown(number: Number) -> str:
    if isinstance(number, complex):
        return f"{number:.6g}"
    if isinstance(number, Fraction):
        if number.denominator == 1:
            return str(number.numerator) if number.numerator.bit_length() < 200 else f"{float(number):.6g}"
        return f"{float(number):.10g}" if number.denominator > 1000 else f"{number} (about {float(number):.6g})"
    return f"{number:.10g}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 80 else text[:77] + "...")


# ── equations ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _solution(what: Asked, stated: Stated, answer: str, language: str) -> Finding:
    """Each value that the answer gives, put into the equation."""
    if _NO_SOLUTION.search(stated.text):
        return Finding(what.kind, None, "the answer says that there is no such value")
    given = _values_of(what.variable, stated, answer, language)
    if not given:
        return Finding(what.kind, None, "no value was found in the answer")
    for text, number, place in given:
        if not _solves(what.tree, what.variable, number, place):
            return Finding(what.kind, False, f"{what.variable} = {text} does not satisfy {what.text}")
    missing = _missing(what, [number for _, number, _ in given])
    if missing:
        return Finding(what.kind, False, f"{what.text} has another solution that the answer leaves out: {missing}")
    return Finding(what.kind, True, f"{what.text} holds for what the answer gives")


def _values_of(variable: str, stated: Stated, answer: str, language: str) -> list[tuple[str, Number, Fraction]]:
    """(text, value, place of the last digit): from the box or the last sentence that gives the variable; empty in doubt."""
    text = stated.text
    if not stated.explicit:
        lines = [line for line in answer.splitlines() if re.search(rf"\b{variable}(?:_\{{?\d\}}?)?\s*=", line)]
        text = lines[-1] if lines else text
    text = re.sub(r"\\q?quad|\\text\s*\{\s*(?:and|or|oder|ou|y|o|和|或)\s*\}", " , ", text)
    text = re.sub(r"\\(?:left|right)(?![a-z])|\\[{}]", " ", _cleaned(text))
    begins = re.search(rf"(?<![a-z\\]){variable}", text)
    text = text[begins.start() :] if begins else text
    comma = language in DECIMAL_COMMA
    if not comma and re.search(r"\d,\d{3}(?!\d)", text):
        return []  # thousands, or a list
    found: list[tuple[str, Number, Fraction]] = []
    words = "or|and|oder|und|ou|et" + ("|y|o" if variable not in "yo" else "")
    separator = (r",(?=\s)" if comma else ",") + rf"|\b(?:{words})\b|[或和;；、]"
    for part in re.split(separator, text):
        part = re.sub(rf"^\s*{variable}(?:_\{{?\d\}}?)?\s*(?:=|\\in)\s*", "", part.strip()).strip(" .:。")
        if not part:
            continue
        if re.search(r"\\approx|≈", part):
            part = re.split(r"\\approx|≈", part)[0].strip()
        for one in _plus_minus(_sides(part)[0]):
            tree = read(one, decimal_comma=comma)
            if names(tree):
                return []
            decimal = re.search(r"\d[.,](\d+)", one)
            place = Fraction(1, 10 ** len(decimal[1])) if decimal else Fraction(0)
            found.append((one, value(tree), place))
    return found


def _plus_minus(text: str) -> list[str]:
    parts = re.split(r"\\pm|±", text)
    if len(parts) != 2:
        return [text]
    return [f"{parts[0]}{sign}{parts[1]}" for sign in ("+", "-")]


def _solves(tree: Tree, variable: str, number: Number, place: Fraction) -> bool:
    """Whether the equation holds there, or, for a decimal, within its last digit."""
    if _residual(tree, variable, number) <= 1e-7:
        return True
    if not place or isinstance(number, complex):
        return False
    low, high = (value(tree, {variable: float(number) + side * float(place)}) for side in (-1, 1))
    if isinstance(low, complex) or isinstance(high, complex):
        return True  # at the edge of where it is real: not for us to say
    return low * high <= 0 or _residual(tree, variable, number) <= 1e-4


def _residual(tree: Tree, variable: str, number: Number) -> float:
    """How far left and right are apart, relative to their size."""
    left, right = (value(side, {variable: number}) for side in (tree[1], tree[2][1]))
    return float(abs(complex(left) - complex(right)) / (1e-9 + max(abs(complex(left)), abs(complex(right)), 1e-3)))


def _missing(what: Asked, given: list[Number]) -> str:
    """A real solution that is none of the given ones, or nothing; only where sympy has them all."""
    from qwen_router.errors import RouterError
    from qwen_router.symbolic import solve

    try:
        found = solve(what.text, [what.variable], timeout_s=4)
    except RouterError:
        return ""
    if not found.complete or found.note:
        return ""
    for solution in found.each:
        one = solution[what.variable]
        if one.number is not None and not any(
            abs(complex(g) - one.number) <= 1e-2 * (1e-2 + abs(one.number)) for g in given
        ):
            return one.exact
    return ""


# ── forms and calculus ──────────────────────────────────────────────────────────────────────────────────────────────────


def _form(what: Asked, stated: Stated) -> Finding:
    """Another form of an expression, a derivative, an antiderivative: the same function or not."""
    from qwen_router.errors import RouterError
    from qwen_router.symbolic import calculus
    from qwen_router.symbolic.grammar import parse

    text = _cleaned(stated.text)
    text = re.split(r",|\bwhere\b|\bwith\b|\bfor\b|\\approx|≈|\\quad|;", text)[0]
    said_text = _sides(text)[0]
    tree, said = what.tree, read(said_text)
    try:
        if what.kind == "derivative":
            tree = parse(calculus("derivative", what.text, what.variable, timeout_s=4).exact)
        elif what.kind == "antiderivative":
            said = parse(calculus("derivative", tidy(_without_bars(said_text)), what.variable, timeout_s=4).exact)
    except RouterError:
        return Finding(what.kind, None, "sympy could not do that")
    if names(said) - names(tree):
        return Finding(what.kind, None, "the answer has variables of its own")
    same = same_function(tree, said)
    if same is False and not names(said) and names(tree) and not stated.explicit:
        return Finding(what.kind, None, "no formula was found in the answer")
    relation = {"form": "equal to", "derivative": "the derivative of", "antiderivative": "an antiderivative of"}[what.kind]
    return Finding(
        what.kind,
        same,
        f"{_short(said_text)} is {'' if same else 'not ' if same is False else 'perhaps '}{relation} {what.text}",
    )


def _without_bars(text: str) -> str:
    """`ln |x|` as `ln (x)`: the same derivative, which sympy writes without cases."""
    return re.sub(r"(\\?ln)\s*(?:\\left)?\s*\|([^|]*?)(?:\\right)?\s*\|", r"\1(\2)", text)


def _definite(what: Asked, stated: Stated, answer: str, language: str) -> Finding:
    from qwen_router.errors import RouterError
    from qwen_router.symbolic import calculus

    try:
        worked = calculus("integral", what.text, what.variable, lower=what.low, upper=what.high, timeout_s=6)
    except RouterError:
        return Finding(what.kind, None, "sympy could not do that")
    if worked.number is None:
        return Finding(what.kind, None, "the integral is no number")
    expected = Fraction(worked.number) if isinstance(worked.number, int) else worked.number
    return _number(expected, what, stated, answer, language)


# ── equalities that the answer claims ───────────────────────────────────────────────────────────────────────────────────

_OPERAND = r"[-−(]{0,4}(?:[$€£][ ]?)?(?:\d[\d,.]{0,20}|\.\d+)(?:[ ]?%)?[)!]{0,4}(?:[ ]?\^[ ]?\d+[)]{0,4}|[²³][)]{0,4})?"
_CLAIM = re.compile(
    r"(?:^|[\n:;,(（\[=：，。]|[.](?=\s)|(?<![\\\w])[^\W\d_]{2,}|[一-鿿])[ \t]*"  # nothing of the left side
    r"(?P<left>" + _OPERAND + r"(?:[ ]?(?:[-+*/×÷−–·⋅x]|\\times|\\cdot|\\div)[ ]?" + _OPERAND + r"){1,40})"
    r"[ ]?=[ ]?(?P<right>[-−]?(?:[$€£][ ]?)?(?:\d[\d,.]{0,20}|\.\d+)(?:/\d+)?%?)"
    r"(?![\w^(]|\s[a-zA-Z]\b|\s?(?:[/*+×÷!]|\\(?:times|cdot|div|[dt]?frac|sqrt|pi))|\s?[-−–]\s?\d|[.,]\d|\s\d)",
)  # fmt: skip
_BULLET = re.compile(r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+", re.MULTILINE)
_ELSEWHERE = re.compile(r"\bmod\b|\\p?mod|≡|\\equiv|_\{?(?:2|8|10|16)\}?|base\b|进制")


def of_equalities(answer: str, *, language: str = "") -> Finding | None:
    """Equalities between numbers that the answer states: False with the first one that does not hold."""
    if _ELSEWHERE.search(answer):
        return None
    checked, comma = 0, language in DECIMAL_COMMA
    for match in _CLAIM.finditer(_BULLET.sub("", answer)):
        verdict = _holds(match["left"], match["right"], comma)
        checked += verdict is not None
        if verdict is False:
            said, worked = f"{_plain(match['left'])} = {_plain(match['right'])}", _worked(match["left"], comma)
            return Finding("equality", False, f"{said} is wrong: the left side is {worked}")
    return Finding("equality", True, f"{checked} equalities hold") if checked else None


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[$€£]", "", text).split())


def _tree(text: str, comma: bool) -> Tree:
    text = re.sub(r"(?<=[\d)%])\s?x\s?(?=[\d(])", "*", _plain(text).rstrip(".,"))
    return read(text, decimal_comma=comma)


def _worked(text: str, comma: bool) -> str:
    return _shown(value(_tree(text, comma)))


def _holds(left: str, right: str, comma: bool) -> bool | None:
    """Whether an equality holds; where `1.200` or `1,5` stands in it, in either way of writing decimals."""
    verdict = _holds_as(left, right, comma)
    if verdict is False and re.search(r"\d[.,]\d", left) and _holds_as(left, right, not comma) is not False:
        return None
    return verdict


def _holds_as(left: str, right: str, comma: bool) -> bool | None:
    try:
        tree = _tree(left, comma)
        if not operations(tree):
            return None
        worked = value(tree)
    except (NotMathematics, NoValue):
        return None
    if isinstance(worked, complex):
        return None
    figures = figures_in(right.rstrip(".,"))
    best = best_agreement(worked, figures, rounded=True)  # exactness here blames more right answers than it finds wrong ones
    if best == "off" and "%" in left:
        best = best_agreement(worked * 100, figures, rounded=True)
    return best == "same" or (None if best == "near" else False)
