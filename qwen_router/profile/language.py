"""The language of a text, and the languages that its answer is asked in.

Scripts that one language owns (kana, Hangul, Thai, ...) decide by themselves; the rest is left to CLD2 (`pycld2`), the
fastest and, but for one, the most accurate of the five libraries measured (see docs/profile.md). Code points that say
nothing about a language (code, LaTeX) are not removed: a text that is mostly those comes out as the language around them.

    python -c "from qwen_router.profile.language import language_of; print(language_of('Wie viel Uhr ist es?'))"
"""

from __future__ import annotations

import json
import re
from functools import cache

import numpy as np
from numpy.typing import NDArray

from qwen_router.profile import chars

UNKNOWN, MIXED = "und", "mul"
READ_CHARS = 400
"""CLD2 reads this much: its accuracy on the shared requests does not rise beyond."""
MIXED_SHARE_PERCENT = 30
"""A second language from this share of the text on makes it mixed."""
MIXED_LETTERS = 40
"""Below this many letters a second language is more likely a name or a term than a mixture."""
SHORT_LETTERS = 20
"""Below this, an answer that CLD2 itself calls unreliable is not passed on."""

_OWNED = {
    "greek": "el", "armenian": "hy", "gurmukhi": "pa", "gujarati": "gu", "oriya": "or", "tamil": "ta", "telugu": "te",
    "kannada": "kn",
    "malayalam": "ml", "sinhala": "si", "thai": "th", "lao": "lo", "tibetan": "bo", "myanmar": "my", "georgian": "ka",
    "khmer": "km",
    "hangul": "ko", "hiragana": "ja", "katakana": "ja",
}  # fmt: skip
_COMMONEST = {"cyrillic": "ru", "arabic": "ar", "hebrew": "he", "devanagari": "hi", "bengali": "bn", "ethiopic": "am"}
"""What a script that several languages share is taken for when CLD2 finds no language."""
_OWNER = {chars.SCRIPT_CLASS[script]: language for script, language in _OWNED.items()}
_LIKELY = {chars.SCRIPT_CLASS[script]: language for script, language in _COMMONEST.items()}
_HAN, _HIRAGANA = chars.SCRIPT_CLASS["han"], chars.SCRIPT_CLASS["hiragana"]
_ALIASES = {
    "iw": "he",
    "jw": "jv",
    "in": "id",
    "mo": "ro",
    "sh": "sr",
    "tl": "tl",
    "zh-hant": "zh",
    "ji": "yi",
    "nb": "no",
    "nn": "no",
}

_ASKS = (
    "translat", "traduc", "tradui", "traduz", "übersetz", "перевед", "перевод", "翻译", "翻譯", "译成", "译为",
    "訳し", "翻訳", "번역", "ترجم", "अनुवाद",
    "dịch", "çevir", "terjemah", "przetłumacz", "vertaal", "แปล", "respond in", "reply in", "answer in", "write in",
    "responde en", "réponds en",
    "antworte auf", "ответь на", "文回答", "语回答", "文写", "语写",
    "語で答", "어로 답", "how do you say", "怎么说", "comment dit",
    "wie sagt", "cómo se dice",
    "come si dice", "как сказать",
)  # fmt: skip
"""What announces that a language named nearby is one to answer in; searched in lower case."""


@cache
def _language_names() -> re.Pattern[str]:
    """The names of languages in many languages, a group each, read when the first ask names one."""
    names: dict[str, list[str]] = json.loads((chars.DATA / "languages.json").read_text("utf-8"))
    return re.compile("|".join(f"(?P<{code}>{'|'.join(known)})" for code, known in names.items()))


_SOURCE_BEFORE = re.compile(
    r"(?:\bfrom|\bdel?|\bdu|\baus dem|\bvom|\bс|\bdal|从|把(?:这)?|từ|\bdari)\s*(?:the\s|l')?$", re.IGNORECASE
)
_SOURCE_AFTER = re.compile(r"\s?(?:から|에서|text|sentence|paragraph|句子|文本|段落)", re.IGNORECASE)


def language_of(text: str, by_class: NDArray[np.intp] | None = None) -> str:
    """ISO 639-1 code of `text`; `und` when there is nothing to tell it from, `mul` when it is mixed.

    `by_class` may hold the text's character counts by class, when the caller has them already.
    """
    if by_class is None:
        by_class = np.bincount(chars.classes_of(chars.points_of(text)), minlength=chars.CLASS_COUNT)
    counts: list[int] = by_class.tolist()
    letters = sum(counts[chars.LATIN_LOWER : chars.FIRST_MARK])
    han, kana = counts[_HAN], counts[_HIRAGANA] + counts[_HIRAGANA + 1]
    if letters < 2 and not han:
        return UNKNOWN
    scripts = counts[chars.FIRST_SCRIPT : chars.LETTER_OTHER]
    biggest = chars.FIRST_SCRIPT + scripts.index(max(scripts))
    if kana and kana * 8 >= han:
        biggest = _HIRAGANA
    own = counts[biggest] + (han if biggest in (_HIRAGANA, _HAN) else 0)  # a Han character says as much as two letters
    share = own / (letters + han)
    owner = "zh" if biggest == _HAN else _OWNER.get(biggest)
    if share > 0.7 and owner is not None:
        return owner
    if share <= 0.3:
        biggest, owner = 0, None
    return _detected(text, letters, owner, owner or _LIKELY.get(biggest, UNKNOWN))


def _detected(text: str, letters: int, owner: str | None, likely: str) -> str:
    """Ask CLD2; `owner` has a script that makes up a part of the text, `likely` is what to say if CLD2 knows nothing."""
    import pycld2

    payload = text[:READ_CHARS].translate(_NOT_FOR_CLD2).encode("utf-8", "ignore")
    try:
        reliable, _, found = pycld2.detect(payload, bestEffort=True, returnVectors=False)
    except pycld2.error:
        return likely
    codes = [(_ALIASES.get(code.lower(), code.split("-")[0]), percent) for _, code, percent, _ in found if code != "un"]
    if not codes:
        return "en" if likely == UNKNOWN and letters >= 12 and text.isascii() else likely
    if not reliable and letters < SHORT_LETTERS:
        return likely  # "hi" is Tsonga to CLD2, and it says itself that it is guessing
    second_percent = codes[1][1] if len(codes) > 1 else 0
    if letters >= MIXED_LETTERS and (owner not in (None, codes[0][0]) or second_percent >= MIXED_SHARE_PERCENT):
        return MIXED
    return str(codes[0][0])


_NOT_FOR_CLD2 = dict.fromkeys(
    (*range(9), *range(11, 32), 127, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0xD800, 0xE000)), " "
)
"""CLD2 refuses control characters and surrogates; zero-width and direction marks split its words."""


def output_languages(text: str, language: str) -> tuple[str, ...]:
    """The languages that the answer is asked in: those that a translation ask names as its targets, else the text's own."""
    edges = (text if len(text) <= 600 else f"{text[:300]}\n{text[-300:]}").lower()
    ask = next((ask for ask in _ASKS if ask in edges), None)
    if ask is None:
        return (language,)
    found = edges.index(ask)
    targets: list[str] = []
    for name in _language_names().finditer(edges, max(0, found - 60), found + len(ask) + 80):
        code = name.lastgroup
        before, after = edges[max(0, name.start() - 12) : name.start()], edges[name.end() : name.end() + 10]
        named_inside_a_word = before[-1:].isascii() and before[-1:].isalpha()
        if (
            code is None
            or code in targets
            or named_inside_a_word
            or _SOURCE_BEFORE.search(before)
            or _SOURCE_AFTER.match(after)
        ):
            continue
        targets.append(code)
    return tuple(targets) or (language,)
