"""Text as an array of code points, each with a character class: what the token estimate and the classifier both read.

Makes arrays only; counting tokens is `tokens.py`, features are `features.py`. The class table is shipped as runs in
`data/chars.npz`, which `training/tokens.py` writes from Python's own Unicode tables.

    python -c "from qwen_router.profile.chars import classes_of, points_of; print(classes_of(points_of('a 1 你')))"
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.uint32]
Classes = NDArray[np.uint8]
Mask = NDArray[np.bool_]

DATA = Path(__file__).parent / "data"

OTHER, SPACE, NEWLINE, DIGIT, PUNCT, PUNCT_WIDE, EMOJI, INVISIBLE, MARK, SURROGATE = range(10)
LATIN_LOWER, LATIN_UPPER, LATIN_EXT = 10, 11, 12
SCRIPTS: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = (
    ("greek", ((0x370, 0x3FF), (0x1F00, 0x1FFF))),
    ("cyrillic", ((0x400, 0x52F), (0x1C80, 0x1C8F), (0x2DE0, 0x2DFF), (0xA640, 0xA69F))),
    ("armenian", ((0x530, 0x58F),)),
    ("hebrew", ((0x590, 0x5FF), (0xFB1D, 0xFB4F))),
    ("arabic", ((0x600, 0x6FF), (0x750, 0x77F), (0x8A0, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFF))),
    ("devanagari", ((0x900, 0x97F), (0xA8E0, 0xA8FF))),
    ("bengali", ((0x980, 0x9FF),)),
    ("gurmukhi", ((0xA00, 0xA7F),)),
    ("gujarati", ((0xA80, 0xAFF),)),
    ("oriya", ((0xB00, 0xB7F),)),
    ("tamil", ((0xB80, 0xBFF),)),
    ("telugu", ((0xC00, 0xC7F),)),
    ("kannada", ((0xC80, 0xCFF),)),
    ("malayalam", ((0xD00, 0xD7F),)),
    ("sinhala", ((0xD80, 0xDFF),)),
    ("thai", ((0xE00, 0xE7F),)),
    ("lao", ((0xE80, 0xEFF),)),
    ("tibetan", ((0xF00, 0xFFF),)),
    ("myanmar", ((0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F))),
    ("georgian", ((0x10A0, 0x10FF), (0x1C90, 0x1CBF), (0x2D00, 0x2D2F))),
    ("ethiopic", ((0x1200, 0x139F), (0x2D80, 0x2DDF), (0xAB00, 0xAB2F))),
    ("khmer", ((0x1780, 0x17FF),)),
    ("hangul", ((0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF))),
    ("hiragana", ((0x3040, 0x309F),)),
    ("katakana", ((0x30A0, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F))),
    ("han", ((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2FFFF))),
)
"""Scripts with a class of their own: letters of the i-th are `FIRST_SCRIPT + i`, its combining marks `FIRST_MARK + i`."""
FIRST_SCRIPT = 13
LETTER_OTHER = FIRST_SCRIPT + len(SCRIPTS)
FIRST_MARK = LETTER_OTHER + 1
CLASS_COUNT = FIRST_MARK + len(SCRIPTS)
SCRIPT_CLASS: dict[str, int] = {name: FIRST_SCRIPT + i for i, (name, _) in enumerate(SCRIPTS)}

IS_LETTER: Mask = np.zeros(256, dtype=np.bool_)
IS_LETTER[LATIN_LOWER:FIRST_MARK] = True
IS_MARK: Mask = np.zeros(256, dtype=np.bool_)
IS_MARK[FIRST_MARK:CLASS_COUNT] = True
IS_MARK[MARK] = True

TABLE_POINTS = 0x30000
"""The table ends after plane 2; everything above (tags, private planes) shares the class of the last entry."""


@cache
def class_table() -> Classes:
    """The class of every code point below `TABLE_POINTS`."""
    with np.load(DATA / "chars.npz") as runs:
        table: Classes = np.repeat(runs["classes"], runs["lengths"])
    return table


@cache
def fold_table() -> Points:
    """Every code point below `TABLE_POINTS` without case, Latin accents, width and presentation form; any digit as `0`."""
    table = np.arange(TABLE_POINTS, dtype=np.uint32)
    with np.load(DATA / "chars.npz") as shipped:
        table[shipped["folded"]] = shipped["folds"]
    table[class_table() == DIGIT] = ord("0")
    return table


def points_of(text: str) -> Points:
    """The code points of `text`; an unpaired surrogate stays what it is."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def classes_of(points: Points) -> Classes:
    return class_table().take(points, mode="clip")


def word_hashes(points: Points, inside: Mask) -> tuple[NDArray[np.uint32], NDArray[np.intp], NDArray[np.intp]]:
    """(hash, start, length) of every run of points where `inside` holds.

    The hash is the sum of a mix of every three neighbours, with zero outside the run: it needs no place within the run, so
    all runs are hashed by one pass of numpy, and two words that differ almost never share their bag of triples.
    """
    size = points.size
    framed = np.zeros(size + 3, dtype=np.uint32)
    np.multiply(points, inside, out=framed[1 : size + 1])
    mask = np.zeros(size + 2, dtype=np.bool_)
    mask[1:-1] = inside
    edges = (mask[1:] != mask[:-1]).nonzero()[0]
    if edges.size == 0:
        none = np.empty(0, dtype=np.intp)
        return np.empty(0, dtype=np.uint32), none, none
    mixed = framed * np.uint32(0x9E3779B1)
    mixed[1:] += framed[:-1] * np.uint32(0x85EBCA6B)
    mixed[:-1] ^= framed[1:] * np.uint32(0xC2B2AE35)
    mixed ^= mixed >> np.uint32(15)
    mixed *= np.uint32(0x2C1B3C6D)
    hashes: NDArray[np.uint32] = np.add.reduceat(mixed[1:], edges, dtype=np.uint32)[::2]
    hashes = hashes ^ (hashes >> np.uint32(15))
    starts = edges[::2]
    return hashes, starts, edges[1::2] - starts


Owners = NDArray[np.intp] | None
"""Which of several texts each character belongs to; None when there is only one, which saves the arithmetic."""


def owners(sizes: list[int]) -> Owners:
    """The owners of texts of these sizes, joined by one break each; the breaks get the number of texts."""
    if len(sizes) == 1:
        return None
    owner = np.repeat(np.arange(len(sizes)), np.array(sizes) + 1)[:-1]
    owner[np.cumsum(np.array(sizes) + 1)[:-1] - 1] = len(sizes)
    return owner


def counted(
    owner: Owners, values: NDArray[Any], width: int, rows: int, weights: NDArray[np.intp] | None = None
) -> NDArray[Any]:
    """How often (or with what weight) each value below `width` occurs in each row: (rows, width)."""
    places = values if owner is None else owner * width + values
    return np.bincount(places, weights=weights, minlength=rows * width).reshape(rows, width)


def owned(owner: Owners, at: NDArray[np.intp], rows: int) -> NDArray[np.intp]:
    """How many of the places `at` each row owns."""
    if owner is None:
        return np.array([at.size] + [0] * (rows - 1))
    return np.bincount(owner[at], minlength=rows)


def bounds(at: NDArray[np.intp], ends: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where each text's share of the ascending places `at` begins, and where the last one's ends: (texts + 1,)."""
    if ends.size == 1:
        return np.array((0, at.size))
    return np.concatenate(([0], at.searchsorted(ends)))
