"""Train the classifier that ships, from a seed: `classifier.npz`, `classifier.json` and its figures.

With `--evaluate` one model a source is trained without that source and judged on it: that sets the temperature and the
abstain threshold, which are data in `classifier.json`; without it those of the last run are kept. `words.py` comes first.

    python training/classifier.py --requests requests.jsonl.gz --outcomes outcomes.jsonl.gz --evaluate
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from qwen_router.profile.chars import DATA  # noqa: E402  (the script runs from anywhere)
from qwen_router.profile.features import BUCKET_BITS, FORM  # noqa: E402
from qwen_router.profile.types import DOMAINS  # noqa: E402
from training.difficulty import fit  # noqa: E402
from training.leave_out import answers_of, figures_of  # noqa: E402
from training.net import Examples, save, train  # noqa: E402
from training.rows import all_rows, data_card, with_copies  # noqa: E402

VERSION = 2


def main() -> None:
    """Read, evaluate if asked to, train on everything, write."""
    parser = argparse.ArgumentParser(description="Train the classifier that ships.")
    parser.add_argument("--requests", type=Path, required=True)
    parser.add_argument("--outcomes", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--evaluate", action="store_true", help="leave one source out, every source in turn")
    parser.add_argument("--folds", type=Path, help="keep those answers in this file, or take them from it")
    parser.add_argument("--out", type=Path, default=DATA)
    options = parser.parse_args()
    started = time.perf_counter()
    rows = with_copies(all_rows(options.requests, options.outcomes, seed=options.seed), options.seed)
    examples = Examples.of(rows)
    print(f"{len(rows)} rows read after {time.perf_counter() - started:.0f} s", file=sys.stderr)
    meta_file = options.out / "classifier.json"
    if options.evaluate or not meta_file.exists():
        figures: dict[str, Any] = figures_of(answers_of(rows, examples, seed=options.seed, kept=options.folds))
    else:
        last = json.loads(meta_file.read_text("utf-8"))
        figures = {name: last[name] for name in ("temperature", "abstain_below", "figures")}
    torch.set_num_threads(2)
    net = train(rows, examples, seed=options.seed)
    hard = fit(net, rows, examples, temperature=figures["temperature"], seed=options.seed)
    head = {"version": f"{VERSION}-seed{options.seed}", "bucket_bits": BUCKET_BITS, "domains": DOMAINS, "form": FORM}
    save(net, examples, hard, options.out, head | figures | {"data": data_card(rows)})
    print(f"wrote {options.out} after {time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
