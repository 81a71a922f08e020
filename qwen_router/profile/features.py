"""What the classifier sees of a text: hashed n-grams, static word vectors, and features of form that hold in every language.

Two texts with the same features get the same profile. No weights here: `classifier.py` has them, `training/classifier.py`
uses these very functions, so that training and serving cannot drift apart. Texts are read in batches: everything that
goes character by character is done once over all of them, then each text takes its slices.

    python -c "from qwen_router.profile.features import features_of; print(features_of('Is 7 prime?').form[:5])"
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qwen_router.profile import chars

BUCKET_BITS = 17
CHAR_NGRAMS = (2, 3, 4)
SHAPE_NGRAMS = (1, 2, 3, 4, 5)
END_WORDS = 14
"""Word vectors are averaged over the whole text, over this many words of its beginning, and of its end."""
_PRIME, _SPREAD = np.uint32(0x01000193), np.uint32(0x9E3779B1)
_FOLD, _SHIFT = np.uint32(15), np.uint32(32 - BUCKET_BITS)
_WORD_SALT, _PAIR_SALT, _SHAPE_SALT = np.uint32(0x51ED270B), np.uint32(0x2545F491), np.uint32(0x6C62272E)

_WORD_LIKE = chars.IS_LETTER | chars.IS_MARK
_WORD_LIKE[chars.DIGIT] = True
_UNSPACED = np.zeros(256, dtype=np.bool_)
_UNSPACED[[chars.SCRIPT_CLASS[name] for name in ("han", "hiragana", "katakana")]] = True
_NAME_PART = re.compile(r"[^a-z0-9]+")
_HUMP = re.compile(r"([a-z])([A-Z])")

_LETTER, _NUMBER, _GAP, _WIDE, _STRANGE = 1, 3, 32, 4, 5
_SAME_MARK = {
    "?？؟՞፧⁇": "?", "。।۔｡…": ".", "，、،": ",", "！": "!", "：": ":", "；": ";", "（": "(", "）": ")", "“”„«»「」『』": '"',
    "×": "*", "÷": "/",
    "−–—": "-",
}  # fmt: skip

COUNTED: tuple[str, ...] = (
    "```", "//", "->", "=>", "==", "()", "::", "__", "$$", "/*", "#include", "</", "\nA", "\nB", "A)", "B)", "C)",
    "(B)", "'B", "A.", "B.", "C.",
    "B、", "B．", "\n\n", "\n- ", "\n1", "\n2", "1.", "2.", "@@", "://", "\n    ", "\n\t", ";\n", "{\n", ":\n", ");",
)  # fmt: skip
"""Substrings whose counts are features."""
_ASCII = tuple(i for i in range(33, 127) if not chr(i).isalnum())
_PLAIN = (
    "bias", "chars", "lines", "words", "words_per_char", "numbers", "numbers_1", "numbers_2", "numbers_3", "numbers_5",
    "numbers_8", "numbers_per_word", "ends_in_question", "ends_in_colon", "ends_in_stop", "ends_open", "under_80",
    "under_300", "over_900", "over_3000", "asks_with_numbers", "tools_declared", "tool_overlap", "turns", "digits", "spaces",
    "punctuation", "wide", "emoji", "unspaced", "ascii_letters", "known_words", "word_length", "sentences",
)  # fmt: skip
FORM: tuple[str, ...] = (*_PLAIN, *(f"count {chr(i)}" for i in _ASCII), *(f"count {text!r}" for text in COUNTED))
_DECLARED = _PLAIN.index("tools_declared")


class Features(NamedTuple):
    """`buckets` and `weights` address the n-gram table, shapes from `shapes_at` on; `words` are rows of the word vectors
    in reading order (words without a vector are left out); `form` is dense, as `FORM` says."""

    buckets: NDArray[np.uint32]
    weights: NDArray[np.float32]
    shapes_at: int
    words: NDArray[np.intp]
    form: NDArray[np.float32]


class Text(NamedTuple):
    """What is read of one request: an excerpt of `total_chars` characters, the tools declared, the turns so far."""

    excerpt: str
    total_chars: int
    tool_names: tuple[str, ...] = ()
    turns: int = 1


@cache
def word_index() -> NDArray[np.uint32]:
    """The hashes of the words that have a vector, ascending; the i-th belongs to row i of the vectors."""
    with np.load(chars.DATA / "words.npz") as shipped:
        hashes: NDArray[np.uint32] = shipped["hashes"]
    return hashes


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
    return features_of_many([Text(excerpt, len(excerpt) if total_chars is None else total_chars, tool_names, turns)])[0]


def features_of_many(texts: Sequence[Text]) -> list[Features]:
    """The features of each text, in order; the same as one by one."""
    read = read_texts(texts)
    return [read.features(i, text) for i, text in enumerate(texts)]


def read_texts(texts: Sequence[Text]) -> Reading:
    """The texts as one array, of which `Reading.features` takes slices."""
    return Reading([text.excerpt for text in texts])


class Reading:
    """Several texts as one array of characters, hashed in one pass; `features` takes one text's slices of it.

    `by_class` counts the characters of each class: (texts, CLASS_COUNT).
    """

    def __init__(self, excerpts: Sequence[str]) -> None:
        sizes = np.array([len(excerpt) for excerpt in excerpts], dtype=np.intp)
        points = chars.points_of("\n".join(excerpts))
        self.classes = chars.classes_of(points)
        self.shapes = _shape_table().take(points, mode="clip")
        folded = chars.fold_table().take(points, mode="clip")
        ends = np.cumsum(sizes + 1) - 1
        self.starts, self.ends = (ends - sizes).tolist(), ends.tolist()
        self.char_grams = _rolled(folded * _SPREAD, folded, CHAR_NGRAMS)
        owner = chars.owners(sizes.tolist())
        self.marks = chars.counted(owner, self.shapes, 128, sizes.size + 1)
        self.by_class = chars.counted(owner, self.classes, chars.CLASS_COUNT, sizes.size + 1)
        self._read_words(folded, ends)
        self._read_shapes(ends)

    shape_starts: list[int]
    shape_ends: list[int]

    def _read_words(self, folded: chars.Points, ends: NDArray[np.intp]) -> None:
        hashes, at, lengths = chars.word_hashes(folded, _WORD_LIKE[self.classes])
        bounds = chars.bounds(at, ends)
        self.word_bounds: list[int] = bounds.tolist()
        letters = np.concatenate(([0], np.cumsum(lengths)))
        self.word_letters: list[int] = np.diff(letters[bounds]).tolist()
        self.words = hashes ^ _WORD_SALT
        self.pairs = (hashes[:-1] * _PRIME) ^ (hashes[1:] ^ _PAIR_SALT)
        at, hashes = _with_pairs_of_unspaced(at, hashes, folded, self.classes)
        index = word_index()
        rows = index.searchsorted(hashes)
        np.minimum(rows, index.size - 1, out=rows)
        known = index[rows] == hashes
        self.rows = rows[known]
        self.row_bounds: list[int] = chars.bounds(at[known], ends).tolist()

    def _read_shapes(self, ends: NDArray[np.intp]) -> None:
        """The shapes without gaps inside a line and without repeats: `a0a?` is a question with a number in any language."""
        shapes = self.shapes
        kept = shapes != _GAP
        kept[1:] |= shapes[:-1] == 10
        if ends.size > 1:
            first = np.array([start for start in self.starts[1:] if start < shapes.size], dtype=np.intp)
            kept[first] = shapes[first] != _GAP  # the break before it is not its own
        at = kept.nonzero()[0]
        rest = shapes[at]
        new = np.ones(rest.size, dtype=np.bool_)
        np.not_equal(rest[1:], rest[:-1], out=new[1:])
        starts = at.searchsorted(ends[:-1] + 1)
        new[starts[starts < new.size]] = True
        self.collapsed = rest[new].astype(np.uint32)
        if ends.size == 1:
            self.shape_starts, self.shape_ends = [0], [self.collapsed.size]
        else:
            place = np.concatenate(([0], np.cumsum(new)))
            self.shape_starts, self.shape_ends = [0, *place[starts].tolist()], place[at.searchsorted(ends)].tolist()
        self.shape_grams = _rolled((self.collapsed * _SPREAD) ^ _SHAPE_SALT, self.collapsed, SHAPE_NGRAMS)

    def features(self, i: int, text: Text) -> Features:
        start, end = self.starts[i], self.ends[i]
        first, last = self.word_bounds[i], self.word_bounds[i + 1]
        shape_start, shape_end = self.shape_starts[i], self.shape_ends[i]
        grams = _slices(self.char_grams, start, end, CHAR_NGRAMS)
        parts = [*grams, self.words[first:last], self.pairs[first : max(first, last - 1)]]
        parts += _slices(self.shape_grams, shape_start, shape_end, SHAPE_NGRAMS)
        families = (len(grams), 1, 1, len(SHAPE_NGRAMS))
        sizes, at = [], 0
        for count in families:
            sizes.append(sum(part.size for part in parts[at : at + count]))
            at += count
        buckets = np.concatenate(parts)
        buckets *= _SPREAD
        buckets ^= buckets >> _FOLD
        buckets *= _PRIME
        buckets >>= _SHIFT
        weights = np.repeat(np.array([max(1, size) ** -0.5 for size in sizes], dtype=np.float32), sizes)
        words = self.rows[self.row_bounds[i] : self.row_bounds[i + 1]]
        form = self._form(i, text, words.size)
        return Features(buckets, weights, sum(sizes[:3]), words, form)

    def _form(self, i: int, text: Text, known_words: int) -> NDArray[np.float32]:
        excerpt, total_chars = text.excerpt, text.total_chars
        size = max(1, len(excerpt))
        marks, by_class = self.marks[i], self.by_class[i].tolist()
        collapsed = self.collapsed[self.shape_starts[i] : self.shape_ends[i]]
        numbers = int(np.count_nonzero(collapsed == _NUMBER))
        words = self.word_bounds[i + 1] - self.word_bounds[i]
        last = chr(int(collapsed[-1])) if collapsed.size else " "
        unspaced = sum(by_class[chars.SCRIPT_CLASS["hiragana"] : chars.LETTER_OTHER]) + by_class[chars.SCRIPT_CLASS["thai"]]
        form = np.empty(len(FORM), dtype=np.float32)
        form[:_HEAD] = (
            1.0, 0.25 * math.log1p(total_chars), math.log1p(by_class[chars.NEWLINE]), 0.33 * math.log1p(words),
            3 * words / size, math.log1p(numbers), numbers >= 1, numbers >= 2, numbers >= 3, numbers >= 5, numbers >= 8,
            min(2.0, 5 * numbers / max(1, words)), last == "?", last == ":", last == ".", last in "({[=,;>",
            total_chars < 80, total_chars < 300, total_chars > 900, total_chars > 3000,
            numbers >= 2 and marks[63] > 0 and total_chars < 900,
            bool(text.tool_names), _tool_overlap(excerpt, text.tool_names), min(1.0, (text.turns - 1) / 4),
            8 * by_class[chars.DIGIT] / size, 3 * by_class[chars.SPACE] / size, 5 * by_class[chars.PUNCT] / size,
            8 * by_class[chars.PUNCT_WIDE] / size, min(1, by_class[chars.EMOJI]), unspaced / size,
            (by_class[chars.LATIN_LOWER] + by_class[chars.LATIN_UPPER]) / size,
            min(1.0, known_words / max(1, words)), 0.1 * self.word_letters[i] / max(1, words),
            math.log1p(int(marks[_STOPS].sum())),
        )  # fmt: skip
        form[_HEAD : _HEAD + len(_ASCII)] = marks[_ASCII_PLACES]
        counted = form[_HEAD + len(_ASCII) :]
        counted[:] = 0
        for place in marks[_RAREST].nonzero()[0].tolist():
            counted[place] = excerpt.count(COUNTED[place])
        np.log1p(form[_HEAD:], out=form[_HEAD:])
        return form


def _with_pairs_of_unspaced(
    at: NDArray[np.intp], hashes: NDArray[np.uint32], points: chars.Points, classes: chars.Classes
) -> tuple[NDArray[np.intp], NDArray[np.uint32]]:
    """Chinese and Japanese write no spaces: there every pair of neighbours is looked up as a word, in its place."""
    inside = _UNSPACED[classes]
    if not inside.any():
        return at, hashes
    left = (inside[1:] & inside[:-1]).nonzero()[0]
    flat = np.zeros(left.size * 3, dtype=np.uint32)
    flat[::3], flat[1::3] = points[left], points[left + 1]
    both = np.concatenate((at, left))
    order = np.argsort(both, kind="stable")
    return both[order], np.concatenate((hashes, chars.word_hashes(flat, flat > 0)[0]))[order]


def _rolled(first: NDArray[np.uint32], points: NDArray[np.uint32], lengths: tuple[int, ...]) -> list[NDArray[np.uint32]]:
    """The hashes of the n-grams of each of `lengths` (consecutive, from 1 or 2), each an array over their first places."""
    grams = [first] if lengths[0] == 1 else []
    rolling = first
    for n in range(2, lengths[-1] + 1):
        rolling = rolling[:-1] * _PRIME
        rolling ^= points[n - 1 :]
        grams.append(rolling)
    return grams


def _slices(grams: Sequence[NDArray[np.uint32]], start: int, end: int, lengths: tuple[int, ...]) -> list[NDArray[np.uint32]]:
    return [grams[i][start : max(start, end - n + 1)] for i, n in enumerate(lengths)]


_HEAD = len(_PLAIN)
_ASCII_PLACES = np.array(_ASCII)
_STOPS = np.array([ord("."), ord("?"), ord("!")])
_SHAPE_OF = {mark: ord(name) for marks, name in _SAME_MARK.items() for mark in marks}
_RAREST = np.array(
    [
        next((_SHAPE_OF.get(c, ord(c) if c.isascii() else _WIDE) for c in text if not c.isalnum() and not c.isspace()), 10)
        for text in COUNTED
    ]
)
"""A mark of each counted substring: without the mark there is nothing to count."""


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
