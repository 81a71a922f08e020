"""How good the classifier is on what it has not seen: everything that docs/classifier.md says, by one command.

Leave one source out; calibration and abstaining on those answers; recall per language and language identification on
requests that training never reads (`data/unseen_languages.txt`); robustness; depth within kinds and domains; difficulty on
held-out MMLU subjects. Writes the page between its markers, the plots beside it and `figures.json`. About 40 minutes.

    python benchmarks/classifier.py --requests requests.jsonl.gz --outcomes outcomes.jsonl.gz
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.classifier_page import write_page  # noqa: E402  (the script runs from anywhere)
from benchmarks.graded_unseen import KINDS, graded  # noqa: E402
from benchmarks.perturbations import WAYS  # noqa: E402
from qwen_router.profile import inspect_many  # noqa: E402
from qwen_router.profile.language import language_of  # noqa: E402
from training import corpus  # noqa: E402
from training.difficulty import apgr, fit, parts_of  # noqa: E402
from training.leave_out import Answers, answers_of, figures_of, four, shared_sources, softmax  # noqa: E402
from training.net import Examples, train  # noqa: E402
from training.rows import Row, all_rows, read_gz, source_of, with_copies  # noqa: E402

UNSEEN = ROOT / "benchmarks" / "data" / "unseen_languages.txt"
WEAK, STRONG = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"
SUBJECT_FOLDS = 4
RESAMPLES = 1_000
GRADED = 3_000
LANGUAGE_CHARS = 40


def unseen_requests(seed: int) -> list[corpus.Line]:
    """The held-out requests in 32 languages, with their slots filled."""
    rng = random.Random(seed)
    return [line._replace(text=corpus.fill(line.text, line.language, rng)) for line in corpus.read(UNSEEN)]


def by_language(lines: Sequence[corpus.Line]) -> dict[str, Any]:
    """Recall of math and code per language, of the shipped weights, over the four groups."""
    given = [four(profile.domain) for profile in inspect_many([line.text for line in lines])]
    right: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for line, got in zip(lines, given, strict=True):
        right[(four(line.domain), line.language)].append(four(line.domain) == got)
    languages = sorted({line.language for line in lines})
    recall = {
        group: {language: round(float(np.mean(right[(group, language)])), 3) for language in languages}
        for group in ("math", "code", "reasoning", "general")
    }
    overall = float(np.mean([four(line.domain) == got for line, got in zip(lines, given, strict=True)]))
    means = {group: round(float(np.mean(list(values.values()))), 3) for group, values in recall.items()}
    return {"requests": len(lines), "accuracy_of_4": round(overall, 3), "recall": recall, "mean_recall": means}


def languages(lines: Sequence[corpus.Line]) -> dict[str, Any]:
    """Language identification on the held-out requests of 40 characters and more, pasted code left out."""
    right: dict[str, list[bool]] = defaultdict(list)
    wrong: Counter[str] = Counter()
    for line in lines:
        if line.domain in ("code", "translation") or len(line.text) < LANGUAGE_CHARS:
            continue
        found = language_of(line.text)
        right[line.language].append(found == line.language)
        if found != line.language:
            wrong[f"{line.language} as {found}"] += 1
    each = {language: float(np.mean(values)) for language, values in right.items()}
    return {
        "languages": len(each),
        "sentences": sum(map(len, right.values())),
        "accuracy": round(float(np.mean([hit for values in right.values() for hit in values])), 4),
        "macro_accuracy": round(float(np.mean(list(each.values()))), 4),
        "wrong": dict(wrong.most_common(10)),
    }


def robustness(lines: Sequence[corpus.Line], seed: int) -> dict[str, dict[str, float]]:
    """How often the domain flips (of the four groups, and of the nine), and how far depth moves, by perturbation."""
    texts = [line.text for line in lines]
    before = inspect_many(texts)
    card = {}
    for name, way in WAYS.items():
        rng = random.Random(seed)
        after = inspect_many([way(text, rng) for text in texts])
        pairs = list(zip(before, after, strict=True))
        card[name] = {
            "flips_of_4": round(float(np.mean([four(a.domain) != four(b.domain) for a, b in pairs])), 4),
            "flips_of_9": round(float(np.mean([a.domain != b.domain for a, b in pairs])), 4),
            "depth_moves": round(float(np.mean([abs(a.depth - b.depth) for a, b in pairs])), 4),
        }
    return card


def depth(seed: int) -> dict[str, Any]:
    """Spearman of depth with the level of unseen graded tasks, within a kind and within a domain.

    A baseline that knows only the kind or the domain gives every task in it the same depth: 0 within it.
    """
    rng = random.Random(seed)
    tasks = list(dict.fromkeys(graded(rng) for _ in range(GRADED)))
    depths = np.array([profile.depth for profile in inspect_many([task.text for task in tasks])])
    levels = np.array([task.level for task in tasks])
    lengths = np.array([len(task.text) for task in tasks])
    domain_mean = {d: depths[[t.domain == d for t in tasks]].mean() for d in {task.domain for task in tasks}}
    baseline = np.array([domain_mean[task.domain] for task in tasks])

    def within(values: NDArray[Any], names: Sequence[str]) -> dict[str, float]:
        return {
            name: round(float(spearmanr(values[place], levels[place])[0]), 3)
            for name in sorted(set(names))
            if (place := np.array([n == name for n in names])).sum() > 20
        }

    kinds, domains = [task.kind for task in tasks], [task.domain for task in tasks]
    return {
        "tasks": len(tasks),
        "all": round(float(spearmanr(depths, levels)[0]), 3),
        "domain_baseline_all": round(float(spearmanr(baseline, levels)[0]), 3),
        "text_length_all": round(float(spearmanr(lengths, levels)[0]), 3),
        "within_kind": within(depths, kinds),
        "within_domain": within(depths, domains),
        "text_length_within_kind": within(lengths, kinds),
    }


def difficulty(rows: Sequence[Row], examples: Examples, outcomes: Path, temperature: float, seed: int) -> dict[str, Any]:
    """AUC and APGR on MMLU subjects that neither the network nor the difficulty saw, against two baselines."""
    items = read_gz(outcomes)
    weak, strong = (np.array([item["correct"][name] for item in items], dtype=np.float64) for name in (WEAK, STRONG))
    exam = [i for i, row in enumerate(rows) if source_of(row) == "mmlu" and not row.copy]
    subjects = [rows[i].group for i in exam]
    names = sorted(set(subjects))
    texts = [rows[i].text for i in exam]
    ours, tfidf = np.zeros(len(exam)), np.zeros(len(exam))
    for fold in range(SUBJECT_FOLDS):
        out = frozenset(names[fold::SUBJECT_FOLDS])
        kept = [i for i, row in enumerate(rows) if row.group not in out]
        net = train(rows, examples, seed=seed, chosen=kept)
        hard = fit(net, rows, examples, temperature=temperature, seed=seed, without=out)
        test = np.array([subject in out for subject in subjects])
        logits = parts_of(net, examples, [exam[i] for i in np.flatnonzero(test)], temperature).logits(hard)
        ours[test] = logits
        vectorizer = TfidfVectorizer(min_df=3, sublinear_tf=True, ngram_range=(1, 2))
        learned = vectorizer.fit_transform([texts[i] for i in np.flatnonzero(~test)])
        peer = LogisticRegression(max_iter=500).fit(learned, weak[~test] < 0.5)
        tfidf[test] = peer.decision_function(vectorizer.transform([texts[i] for i in np.flatnonzero(test)]))
        print(f"  difficulty, fold {fold + 1} of {SUBJECT_FOLDS}", file=sys.stderr, flush=True)
    lengths = np.array([len(text) for text in texts], dtype=np.float64)
    scores = {"ours": ours, "text length": lengths, "TF-IDF with logistic regression": tfidf}
    return {
        "questions": len(exam),
        "weak_right": round(float(weak.mean()), 3),
        "strong_right": round(float(strong.mean()), 3),
        "apgr": {name: round(apgr(score, weak, strong), 4) for name, score in scores.items()},
        "auc": {name: round(float(roc_auc_score(1 - weak, score)), 3) for name, score in scores.items()},
        "apgr_gain_95": {
            name: _interval(ours, score, weak, strong, seed) for name, score in scores.items() if name != "ours"
        },
    }


def _interval(
    ours: NDArray[np.float64],
    peer: NDArray[np.float64],
    weak: NDArray[np.float64],
    strong: NDArray[np.float64],
    seed: int,
) -> list[float]:
    """The 95 % bootstrap interval of how much more APGR we have than the peer, over questions."""
    rng = np.random.default_rng(seed)
    gains = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, len(ours), len(ours))
        pair = (apgr(score[drawn], weak[drawn], strong[drawn]) for score in (ours, peer))
        gains.append(next(pair) - next(pair))
    return [round(float(edge), 4) for edge in np.percentile(gains, (2.5, 97.5))]


def curves(answers: Answers, temperature: float) -> dict[str, list[list[float]]]:
    """Points of the reliability plot (confidence, share right, share of rows) and of accuracy against coverage."""
    confidence = softmax(answers.logits / temperature).max(axis=1)
    right = answers.logits.argmax(axis=1) == answers.labels
    places = np.minimum((confidence * 10).astype(int), 9)
    reliability = [
        [float(confidence[part].mean()), float(right[part].mean()), float(part.mean())]
        for place in range(10)
        if (part := places == place).any()
    ]
    order = np.argsort(-confidence)
    of_4 = answers.right()[order]
    shares = np.linspace(0.05, 1, 20)
    coverage = [[float(s), float(of_4[: max(1, round(s * len(order)))].mean())] for s in shares]
    return {"reliability": reliability, "coverage": coverage}


def main() -> None:
    """Measure, write the page, print the figures."""
    parser = argparse.ArgumentParser(description="Quality of the classifier on what it has not seen.")
    parser.add_argument("--requests", type=Path, required=True)
    parser.add_argument("--outcomes", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--folds", type=Path, help="keep the leave-one-source-out answers in this file, or take them")
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    options = parser.parse_args()
    started = time.perf_counter()
    rows = with_copies(all_rows(options.requests, options.outcomes, seed=options.seed), options.seed)
    examples = Examples.of(rows)
    answers = answers_of(rows, examples, seed=options.seed, kept=options.folds)
    left_out = figures_of(answers)
    lines = unseen_requests(options.seed)
    shared_test = [corpus.Line(row.text, str(row.domain), row.language, "shared") for row in _sample(rows, options.seed)]
    figures = {
        "left_out": left_out,
        "curves": curves(answers, left_out["temperature"]),
        "languages": by_language(lines),
        "language_identification": languages(lines),
        "robustness": robustness([*lines, *shared_test], options.seed),
        "depth": depth(options.seed),
        "difficulty": difficulty(rows, examples, options.outcomes, left_out["temperature"], options.seed),
        "kinds": len(KINDS),
    }
    write_page(figures, options.out)
    print(json.dumps({name: value for name, value in figures.items() if name != "curves"}, indent=1))
    print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr)


def _sample(rows: Sequence[Row], seed: int) -> list[Row]:
    """Twenty shared requests of every source: the robustness card looks at flips only, so rows of the training do."""
    shared = set(shared_sources(rows))
    kept = [row for row in rows if row.domain and not row.copy and source_of(row) in shared]
    random.Random(seed).shuffle(kept)
    seen: Counter[str] = Counter()
    sample = []
    for row in kept:
        seen[source_of(row)] += 1
        if seen[source_of(row)] <= 20:
            sample.append(row)
    return sample


if __name__ == "__main__":
    main()
