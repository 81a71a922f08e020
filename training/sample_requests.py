"""Draw tests/data/requests_sample.jsonl: 1,000 permissively licensed requests, from a fixed seed.

Rows under share-alike licences are left out, so the sample may travel in the repository; what each row
comes from and its licence travel with it. The full set stays in the shared folder of the project.

    python -m training.sample_requests ../shared/data/requests.jsonl.gz
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from pathlib import Path
from typing import Any

PERMISSIVE_LICENCES = ("MIT", "Apache-2.0", "CC-BY-3.0", "CC-BY-4.0")
FIELDS = ("text", "domain", "language", "source", "licence")
SAMPLE = Path(__file__).parents[1] / "tests" / "data" / "requests_sample.jsonl"


def draw(rows: list[dict[str, Any]], *, count: int, seed: int) -> list[dict[str, str]]:
    """Pick `count` permissive rows; the id is the row's line number in the full set, from 0."""
    numbered = [(line, row) for line, row in enumerate(rows) if row["licence"] in PERMISSIVE_LICENCES]
    picked = sorted(random.Random(seed).sample(numbered, count), key=lambda pair: pair[0])
    return [{"id": f"r{line:05d}"} | {field: row[field] for field in FIELDS} for line, row in picked]


def main() -> None:
    """Read the full set, write the sample."""
    parser = argparse.ArgumentParser(description="Draw the request sample that the tests use.")
    parser.add_argument("requests", type=Path, help="requests.jsonl.gz")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--out", type=Path, default=SAMPLE)
    options = parser.parse_args()
    with gzip.open(options.requests, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    sample = draw(rows, count=options.count, seed=options.seed)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in sample)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text, encoding="utf-8")
    print(f"{len(sample)} requests -> {options.out}")


if __name__ == "__main__":
    main()
