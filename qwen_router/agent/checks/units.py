"""Checks an answer to a question that is one conversion: "Convert 42 km to miles.", "How many grams are 12 ounces?".

The converter is the tool's own (`tools/units.py`). Gallons, pints, tons and their kin have several sizes: an answer is right
with any of them. Chains, prices and stories are not checked.

    python -c "from qwen_router.agent.checks.units import units; print(units('Convert 42 km to miles.', '67.6 miles'))"
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache
from typing import Any

from qwen_router.agent.checks.figures import agreement, best_agreement, figures_in, is_about
from qwen_router.agent.checks.finding import Finding
from qwen_router.errors import RouterError

_N, _A, _B = r"(?P<n>-?\d[\d.,]*)\s?", r"(?P<a>[^\d\s?.,;:][^?.,;:=]{0,40}?)", r"(?P<b>[^\d\s?.,;:][^?.,;:=]{0,40}?)"
_ASKS = tuple(
    re.compile(pattern + r"\s*[?？.。!]*", re.IGNORECASE)
    for pattern in (
        rf"(?:please |can you |could you )?(?:convert|change|transform)\s+{_N}{_A}\s+(?:to|into|in)\s+{_B}",
        rf"(?:what is|what's|whats|express|how much is|how much are)?\s*{_N}{_A}\s+(?:in|to|into|as)\s+{_B}",
        rf"how (?:many|much) {_B} (?:is|are|in|are in|are there in|is in|make) {_N}{_A}",
        rf"(?:i have|there are|it is)\s+{_N}{_A}[.,;:]?\s+how (?:many|much) {_B} (?:is|are) (?:that|it|this|those)",
        rf"(?:请)?(?:把|将)?\s?{_N}{_A}\s?(?:换算成|转换成|转换为|换成|是多少|等于多少|有多少|合多少)\s?{_B}",
        rf"(?:rechne|wandle)\s+{_N}{_A}\s+in\s+{_B}\s+um",
        rf"wie ?viele? {_B} (?:sind|ist|hat|haben) {_N}{_A}",
        rf"(?:convertis|convertir|convertissez|convierte|convertir)\s+{_N}{_A}\s+(?:en|a)\s+{_B}",
        rf"(?:combien de|¿?\s*cuánt[oa]s) {_B} (?:font|y a-t-il dans|son|hay en) {_N}{_A}",
    )
)
_TAIL = re.compile(
    r"\s*(?:use (?:the|your) (?:calculator|converter|tool)s?|round(?:ed)? to [^.?]*|give [^.?]*decimals?)[.\s]*$",
    re.IGNORECASE,
)
_SIZES = {
    "gallon": "imperial_gallon", "pint": "imperial_pint", "quart": "imperial_quart", "cup": "metric_cup",
    "ton": "metric_ton", "fluid ounce": "imperial_fluid_ounce", "tablespoon": "imperial_tablespoon", "mile": "nautical_mile",
}  # fmt: skip
_UNSURE = re.compile(
    r"\b(?:[kmgt]i?b|(?:kilo|mega|giga|tera)?bytes?|calories?|cal|horsepower|hp|years?|months?|bushels?|barrels?)\b",
    re.IGNORECASE,
)


def units(question: str, answer: str) -> Finding | None:
    """The answer against the conversion that the question asks for; None where it asks for anything else."""
    answer, text = answer[-20_000:], _TAIL.sub("", " ".join(question[:1000].split()))
    match = next((found for pattern in _ASKS if (found := pattern.fullmatch(text))), None)
    if match is None:
        return None
    numerals = figures_in(match["n"])
    values = numerals[0].values if len(numerals) == 1 else ()
    source, target = match["a"].strip(), match["b"].strip()
    try:
        expected = [number for value in values for number in _converted(value, source, target)]
    except RouterError:  # pint or LangChain is not installed
        return None
    if not expected:
        return None
    first = f"{match['n']} {source} is {expected[0]:.10g} {target}"
    figures = [figure for figure in figures_in(answer) if figure.values != values]
    for figure in figures:
        other = _other_unit(answer[figure.start :], figure.text, target)
        if other and any(agreement(Fraction(number), figure) == "same" for number in expected):
            return Finding("units", False, f"{first}, but the answer says {other}")
    best = {best_agreement(Fraction(number), figures, rounded=is_about(answer)) for number in expected}
    if "same" in best:
        return Finding("units", True, first)
    lasting = _UNSURE.search(f"{source} {target}") is not None or len(values) > 1
    if "near" in best or not figures or lasting:
        return Finding("units", None, f"{first}; what the answer says could not be read for sure")
    said = " ".join(answer.split())
    return Finding("units", False, f"{first}, but the answer says {said[:80]!r}")


def _converted(value: Fraction, source: str, target: str) -> list[float]:
    """The value in the other unit, and in its sizes elsewhere; empty where there is no such conversion."""
    found: list[float] = []
    for here in _sizes(source):
        for there in _sizes(target):
            try:
                found.append(float(_convert()(float(value), here, there)))
            except Exception as error:  # the tool's own error class lives in its file
                if type(error).__name__ != "ConversionError":
                    raise
                if not found:
                    return []
    return found


def _other_unit(text: str, numeral: str, target: str) -> str:
    """The unit behind a numeral where it is plainly another one than asked for; short words are taken for prose."""
    behind = re.match(
        r"\s*((?:(?:square|cubic|nautical|light|degrees?)\s)?[A-Za-z]{4,})\b", text[text.index(numeral) + len(numeral) :]
    )
    if behind is None or behind[1].lower().startswith("degree"):
        return ""
    try:
        ratio = float(_convert()(1.0, behind[1], target))
    except Exception as error:  # unknown: prose; another dimension: another unit
        return behind[1] if type(error).__name__ == "ConversionError" and "measures" in str(error) else ""
    return behind[1] if abs(ratio - 1) > 0.25 else ""


def _sizes(unit: str) -> list[str]:
    plain = unit.lower().rstrip("s") if len(unit) > 3 else unit.lower()
    return [unit, _SIZES[plain]] if plain in _SIZES else [unit]


@cache
def _convert() -> Any:
    """The tool's function, as it ships."""
    from qwen_router.folders import asset_folders
    from qwen_router.tooling import load_tools

    return load_tools([asset_folders("tools")[-1]])["convert_units"].func  # type: ignore[attr-defined]
