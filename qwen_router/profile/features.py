"""What the classifier sees of a text: hashed n-grams, and features of form that hold in every language.

Two texts with the same features get the same profile. No weights here: `classifier.py` has them, `training/classifier.py`
uses these very functions, so that training and serving cannot drift apart.

    python -c "from qwen_router.profile.features import features_of; print(features_of('Is 7 prime?').form[:5])"
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qwen_router.profile import chars

BUCKET_BITS = 17
CHAR_NGRAMS = (2, 3, 4)
SHAPE_NGRAMS = (1, 2, 3, 4, 5)
_PRIME, _SPREAD = np.uint32(0x01000193), np.uint32(0x9E3779B1)
_FOLD, _SHIFT = np.uint32(15), np.uint32(32 - BUCKET_BITS)
_WORD_SALT, _PAIR_SALT, _SHAPE_SALT = np.uint32(0x51ED270B), np.uint32(0x2545F491), np.uint32(0x6C62272E)

_WORD_LIKE = chars.IS_LETTER | chars.IS_MARK
_WORD_LIKE[chars.DIGIT] = True
_NAME_PART = re.compile(r"[^a-z0-9]+")
_HUMP = re.compile(r"([a-z])([A-Z])")

_LETTER, _UPPER, _NUMBER, _GAP, _WIDE, _STRANGE = 1, 2, 3, 32, 4, 5
_SAME_MARK = {
    "?？؟՞፧⁇": "?", "。।۔｡…": ".", "，、،": ",", "！": "!", "：": ":", "；": ";", "（": "(", "）": ")", "“”„«»「」『』": '"',
    "×": "*", "÷": "/",
    "−–—": "-",
}  # fmt: skip

COUNTED: tuple[str, ...] = (
    "```", "//", "->", "=>", "==", "()", "::", "__", "$$", "/*", "#include", "</", "\nA", "\nB", "A)", "B)", "C)",
    "(B)", "'B", "A.", "B.", "C.",
    "B、", "B．", "\n\n", "\n- ", "\n1", "\n2", "1.", "2.", "@@", "://",
)  # fmt: skip
"""Substrings whose counts are features."""
_ASCII = tuple(i for i in range(33, 127) if not chr(i).isalnum())
FORM: tuple[str, ...] = (
    "bias", "chars", "lines", "words", "words_per_char", "numbers", "numbers_1", "numbers_2", "numbers_3", "numbers_5",
    "numbers_8",
    "numbers_per_word", "ends_in_question", "ends_in_colon", "ends_in_stop", "ends_open", "under_80", "under_300",
    "over_900", "over_3000",
    "asks_with_numbers", "tools_declared", "tool_overlap", "turns", "upper", "digits", "spaces", "punctuation", "wide",
    "emoji", "unspaced",
    "ascii_letters", *(f"count {chr(i)}" for i in _ASCII), *(f"count {text!r}" for text in COUNTED),
)  # fmt: skip


class Features(NamedTuple):
    """`buckets` and `weights` address the n-gram table, shapes from `shapes_at` on; `form` is dense, as `FORM` says."""

    buckets: NDArray[np.uint32]
    weights: NDArray[np.float32]
    shapes_at: int
    form: NDArray[np.float32]


@cache
def _shape_table() -> NDArray[np.uint8]:
    """Every code point as its shape: one for letters, one for digits; ASCII marks keep their name, wide ones take it."""
    by_class = np.full(256, _STRANGE, dtype=np.uint8)
    by_class[_WORD_LIKE] = _LETTER
    by_class[chars.DIGIT], by_class[chars.SPACE], by_class[chars.NEWLINE] = _NUMBER, _GAP, 10
    by_class[chars.PUNCT_WIDE] = _WIDE
    table: NDArray[np.uint8] = by_class[chars.class_table()]
    table[list(_ASCII)] = _ASCII
    for marks, name in _SAME_MARK.items():
        table[[ord(mark) for mark in marks]] = ord(name)
    return table


def features_of(
    excerpt: str, *, total_chars: int | None = None, tool_names: tuple[str, ...] = (), turns: int = 1
) -> Features:
    """The features of an excerpt of a text that has `total_chars` characters in all."""
    points = chars.points_of(excerpt.lower())
    classes = chars.classes_of(points)
    shapes = _shape_table().take(points, mode="clip")
    collapsed = _collapsed(shapes)
    buckets, weights, shapes_at, words = _ngrams(np.where(classes == chars.DIGIT, np.uint32(48), points), classes, collapsed)
    form = _form(excerpt, classes, shapes, collapsed, words, len(excerpt) if total_chars is None else total_chars)
    form[21:24] = (bool(tool_names), _tool_overlap(excerpt, tool_names), min(1.0, (turns - 1) / 4))
    return Features(buckets, weights, shapes_at, form)


def _collapsed(shapes: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """The shapes without gaps inside a line and without repeats: `a0a?` for a question with one number, in any language."""
    kept = shapes != _GAP
    kept[1:] |= shapes[:-1] == 10
    rest = shapes[kept]
    if rest.size == 0:
        return np.empty(0, dtype=np.uint32)
    new = np.empty(rest.size, dtype=np.bool_)
    new[0] = True
    np.not_equal(rest[1:], rest[:-1], out=new[1:])
    collapsed: NDArray[np.uint32] = rest[new].astype(np.uint32)
    return collapsed


def _ngrams(
    points: chars.Points, classes: chars.Classes, collapsed: NDArray[np.uint32]
) -> tuple[NDArray[np.uint32], NDArray[np.float32], int, int]:
    """(buckets, weights, where shapes begin, words); a family of n-grams weighs the same whatever the length of the text."""
    words = chars.word_hashes(points, _WORD_LIKE[classes])[0]
    sizes = (
        _grams_in(points.size, CHAR_NGRAMS),
        words.size,
        max(0, words.size - 1),
        _grams_in(collapsed.size, SHAPE_NGRAMS),
    )
    buckets = np.empty(sum(sizes), dtype=np.uint32)
    _roll(points * _SPREAD, points, buckets[: sizes[0]], CHAR_NGRAMS)
    at = sizes[0] + sizes[1]
    np.bitwise_xor(words, _WORD_SALT, out=buckets[sizes[0] : at])
    shapes_at = at + sizes[2]
    if sizes[2]:
        pairs = buckets[at:shapes_at]
        np.multiply(words[:-1], _PRIME, out=pairs)
        pairs ^= words[1:] ^ _PAIR_SALT
    _roll((collapsed * _SPREAD) ^ _SHAPE_SALT, collapsed, buckets[shapes_at:], SHAPE_NGRAMS)
    buckets *= _SPREAD
    buckets ^= buckets >> _FOLD
    buckets *= _PRIME
    buckets >>= _SHIFT
    weights = np.repeat(np.array([max(1, size) ** -0.5 for size in sizes], dtype=np.float32), sizes)
    return buckets, weights, shapes_at, words.size


def _grams_in(size: int, lengths: tuple[int, ...]) -> int:
    return sum(max(0, size - n + 1) for n in lengths)


def _roll(
    rolling: NDArray[np.uint32], points: NDArray[np.uint32], out: NDArray[np.uint32], lengths: tuple[int, ...]
) -> None:
    """Write the hashes of the n-grams of each of `lengths` (consecutive, from 1 or 2) behind one another into `out`."""
    at = 0
    if lengths[0] == 1:
        out[: rolling.size] = rolling
        at = rolling.size
    for n in range(2, lengths[-1] + 1):
        size = points.size - n + 1
        if size <= 0:
            return
        part = out[at : at + size]
        np.multiply(rolling[:-1], _PRIME, out=part)
        part ^= points[n - 1 :]
        rolling = part
        at += size


def _form(
    excerpt: str,
    classes: chars.Classes,
    shapes: NDArray[np.uint8],
    collapsed: NDArray[np.uint32],
    words: int,
    total_chars: int,
) -> NDArray[np.float32]:
    size = max(1, len(excerpt))
    marks = np.bincount(shapes, minlength=128)
    by_class = np.bincount(classes, minlength=chars.CLASS_COUNT).tolist()
    numbers = int(np.count_nonzero(collapsed == _NUMBER))
    last = chr(int(collapsed[-1])) if collapsed.size else " "
    unspaced = sum(by_class[chars.SCRIPT_CLASS["hiragana"] : chars.LETTER_OTHER]) + by_class[chars.SCRIPT_CLASS["thai"]]
    values = (
        1.0, 0.0, 0.0, 0.0, 3 * words / size, 0.0, numbers >= 1, numbers >= 2, numbers >= 3, numbers >= 5, numbers >= 8,
        min(2.0, 5 * numbers / max(1, words)), last == "?", last == ":", last == ".", last in "({[=,;>",
        total_chars < 80, total_chars < 300,
        total_chars > 900, total_chars > 3000, numbers >= 2 and marks[63] > 0 and total_chars < 900, 0.0, 0.0, 0.0, 0.0,
        8 * by_class[chars.DIGIT] / size, 3 * by_class[chars.SPACE] / size, 5 * by_class[chars.PUNCT] / size,
        8 * by_class[chars.PUNCT_WIDE] / size, min(1, by_class[chars.EMOJI]), unspaced / size,
        (by_class[chars.LATIN_LOWER] + by_class[chars.LATIN_UPPER]) / size,
    )  # fmt: skip
    form = np.empty(len(FORM), dtype=np.float32)
    head = len(values)
    form[:head] = values
    form[head : head + len(_ASCII)] = marks[_ASCII_PLACES]
    counted = form[head + len(_ASCII) :]
    counted[:] = 0
    for place in np.flatnonzero(marks[_RAREST]).tolist():
        counted[place] = excerpt.count(COUNTED[place])
    form[[1, 2, 3, 5]] = (total_chars, by_class[chars.NEWLINE], words, numbers)
    np.log1p(form[head:], out=form[head:])
    form[[1, 2, 3, 5]] = np.log1p(form[[1, 2, 3, 5]]) * _LOG_SCALES
    return form


_ASCII_PLACES = np.array(_ASCII)
_SHAPE_OF = {mark: ord(name) for marks, name in _SAME_MARK.items() for mark in marks}
_RAREST = np.array(
    [next(_SHAPE_OF.get(c, ord(c) if c.isascii() else _WIDE) for c in text if not c.isalnum()) for text in COUNTED]
)
"""A mark of each counted substring: without the mark there is nothing to count."""
_LOG_SCALES = np.array([0.25, 1.0, 0.33, 1.0], dtype=np.float32)


def _tool_overlap(excerpt: str, tool_names: tuple[str, ...]) -> float:
    """The largest share of a declared tool's name that the ask mentions: 0 without tools."""
    if not tool_names:
        return 0.0
    text = excerpt.lower()
    best = 0.0
    for name in tool_names[:64]:
        parts = [part for part in _NAME_PART.split(_HUMP.sub(r"\1_\2", name[:80]).lower()) if len(part) > 2]
        if parts:
            best = max(best, sum(part[:5] in text for part in parts) / len(parts))
    return best
