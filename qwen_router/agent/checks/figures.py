r"""Numbers as people and models write them in prose: `1,234.5`, `1.234,5`, `1 234`, `3/4`, `\frac{3}{4}`, `12 %`, `3.5 万`.

A numeral may have two readings (`1.200` is 1.2 or 1200): all are kept, and a comparison takes the one that fits, because
what is checked must not be blamed for how it is written. Each reading knows the place of its last digit, so that a rounded
number is told from a wrong one. Numbers in words are not read.

    python -c "from qwen_router.agent.checks.figures import figures_in; print(figures_in('about 1.234,50 EUR')[0].readings)"
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Agreement = Literal["same", "near", "off"]

_SPACES = "\u00a0\u202f\u2009"
_NUMERAL = re.compile(
    r"(?<![\w.,])(?P<sign>[-−–]?)\s?"
    r"(?P<digits>\d(?:[\d]|[.,'’" + _SPACES + r"](?=\d)|\{,\}(?=\d)|\\,(?=\d)| (?=\d{3}(?!\d)))*|\.\d+)"
    r"(?P<power>[eE][+-]?\d{1,3}(?!\w)|\s*(?:×|\*|x|\\times|\\cdot)\s*10\s*(?:\^|\*\*)\s*\{?[-−]?\d{1,3}\}?|\s*(?:×|\\times)\s*10[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)?"
    r"(?P<percent>\s*(?:\\?%|％|percent\b|per cent\b|Prozent\b|por ciento\b|pour cent\b))?"
    r"(?P<scale>\s*(?:thousand|million|billion|tausend|Millionen|Mio\.?|万|亿|千|百万|億|萬))?",
)  # fmt: skip
_SCALES = {
    "thousand": 10**3, "million": 10**6, "billion": 10**9, "tausend": 10**3, "millionen": 10**6, "mio": 10**6, "万": 10**4,
    "萬": 10**4, "亿": 10**8, "億": 10**8, "千": 10**3, "百万": 10**6,
}  # fmt: skip
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_FRACTION = re.compile(
    r"(?<![\w./])(?P<sign>[-−]?)\s?(?:(?P<whole>\d{1,6})\s*)?(?:\\[dt]?frac\s*\{(?P<a>\d{1,9})\}\s*\{(?P<b>\d{1,9})\}|\\[dt]?frac\s*(?P<c>\d)(?P<d>\d))"
    r"|(?<![\w./])(?P<sign2>[-−]?)\s?(?:(?P<whole2>\d{1,6})\s)?(?P<e>\d{1,9})\s?[/⁄]\s?(?P<f>\d{1,9})(?![\w/]|\.\d)"
)
_ABOUT = re.compile(
    r"≈|~|\\approx|\b(?:about|approx\w*|around|roughly|nearly|almost|circa|ca\.|rund|etwa|ungefähr|fast|environ|presque|casi|"
    r"aproximadamente|alrededor|около|примерно|приблизительно|aproximativ|yaklaşık)\b|约|大约|左右|近似|おおよそ|約",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One numeral. `readings` are (value, place of the last digit); a place of 0 is an exact number (a fraction)."""

    text: str
    start: int
    readings: tuple[tuple[Fraction, Fraction], ...]

    @property
    def values(self) -> tuple[Fraction, ...]:
        return tuple(value for value, _ in self.readings)


def figures_in(text: str, *, parts: bool = False) -> tuple[Figure, ...]:
    """Every numeral in the order of the text. Of a fraction the whole, and with `parts` what it is made of as well."""
    fractions = [(match.span(), figure) for match in _FRACTION.finditer(text) if (figure := _fraction(match)) is not None]
    found = [figure for _, figure in fractions]
    for match in _NUMERAL.finditer(text):
        inside = any(low <= match.start("digits") < high for (low, high), _ in fractions)
        if (parts or not inside) and (figure := _numeral(match)) is not None:
            found.append(figure)
    return tuple(sorted(found, key=lambda figure: figure.start))


def is_about(text: str) -> bool:
    """Whether it says that its numbers are rounded."""
    return _ABOUT.search(text) is not None


def agreement(expected: Fraction | float, figure: Figure, *, rounded: bool = False) -> Agreement:
    """Whether the numeral says `expected`: `same` also when it is that number rounded to the digits shown, `near` when only
    the last digit differs, or, with `rounded`, when it would be right with fewer digits."""
    exact = Fraction(expected)
    best: Agreement = "off"
    for value, place in figure.readings:
        off_by = abs(value - exact)
        slack = abs(exact) / 10**9 + (0 if isinstance(expected, Fraction) else Fraction(1, 10**12))
        if off_by <= slack:
            return "same"
        whole = isinstance(expected, Fraction) and exact.denominator == 1
        if not whole and off_by <= place / 2 + slack and off_by <= abs(exact) / 200:
            return "same"
        allowed = max(place, _coarse(value)) if rounded else Fraction(0) if whole and place else place
        if off_by <= allowed + slack:
            best = "near"
    return best


def best_agreement(expected: Fraction | float, figures: Iterable[Figure], *, rounded: bool = False) -> Agreement:
    """The best of several."""
    found = {agreement(expected, figure, rounded=rounded) for figure in figures}
    return "same" if "same" in found else "near" if "near" in found else "off"


def _coarse(value: Fraction) -> Fraction:
    """The place of the last digit that is not 0: 26,000 was perhaps rounded to thousands."""
    if value.denominator != 1 or value == 0:
        return Fraction(0)
    digits = str(abs(value.numerator))
    return Fraction(10 ** (len(digits) - len(digits.rstrip("0"))))


def _numeral(match: re.Match[str]) -> Figure | None:
    digits = re.sub(r"\{,\}|\\,", ",", match["digits"])
    plain = re.sub(r"['’ " + _SPACES + "]", "", digits)
    if len(plain) > 60:
        return None
    readings = _readings(plain)
    if match["power"]:
        exponent = re.sub(r".*10|[eE^*{}\s]", "", match["power"]).translate(_SUPERSCRIPTS).replace("−", "-")
        if exponent.lstrip("+-").isdigit():
            readings = [(v * Fraction(10) ** int(exponent), u * Fraction(10) ** int(exponent)) for v, u in readings]
    if match["sign"]:
        readings += [(-v, u) for v, u in readings]  # `3 - 5`: a minus before a numeral may be a sign or a dash
    if match["percent"]:
        readings += [(v / 100, u / 100) for v, u in readings]
    if match["scale"]:
        scale = _SCALES[match["scale"].strip().rstrip(".").lower()]
        readings += [(v * scale, u * scale) for v, u in readings]
    return Figure(match[0].strip(), match.start(), tuple(dict.fromkeys(readings)))


def _readings(digits: str) -> list[tuple[Fraction, Fraction]]:
    """What `1,234.5`, `1.234,5`, `1,234` and `12,5` may mean."""
    marks = [c for c in digits if c in ".,"]
    if not marks:
        return [(Fraction(digits), Fraction(1))]
    last = marks[-1]
    whole, _, decimals = digits.rpartition(last)
    grouped = all(len(group) == 3 for group in re.split(r"[.,]", digits)[1:])
    readings: list[tuple[Fraction, Fraction]] = []
    if marks.count(last) == 1 and (set(marks) == {last} or not whole.endswith(last)):
        number = re.sub(r"[.,]", "", whole) + "." + decimals
        readings.append((Fraction(number), Fraction(1, 10 ** len(decimals))))
    if grouped and len(set(marks)) == 1:
        readings.append((Fraction(re.sub(r"[.,]", "", digits)), Fraction(1)))
    return readings or [(Fraction(re.sub(r"[.,]", "", digits)), Fraction(1))]


def _fraction(match: re.Match[str]) -> Figure | None:
    top = match["a"] or match["c"] or match["e"]
    bottom = match["b"] or match["d"] or match["f"]
    if int(bottom) == 0:
        return None
    value = Fraction(int(top), int(bottom))
    whole = match["whole"] or match["whole2"]
    values = [value] if whole is None else [int(whole) + value, value]
    if match["sign"] or match["sign2"]:
        values += [-v for v in values]
    return Figure(match[0].strip(), match.start(), tuple((v, Fraction(0)) for v in values))
