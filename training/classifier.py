"""Train the profile classifier: domain, depth and difficulty, from the shared requests, outcomes and generated asks.

Writes `qwen_router/profile/data/classifier.npz` and `classifier.json` (thresholds and figures as data), and the figures
into docs/profile.md between its markers. Everything is drawn from one seed. Features come from the code that serves them.
`--evaluate` trains once per source without it (leave one source out): that sets the
temperature and the abstain threshold; without it those of the last run are kept.

    python training/classifier.py --requests requests.jsonl.gz --outcomes outcomes.jsonl.gz --evaluate
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import nn

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from qwen_router.profile.chars import DATA  # noqa: E402  (the script runs from anywhere)
from qwen_router.profile.features import BUCKET_BITS, FORM, Features, features_of  # noqa: E402
from qwen_router.profile.reading import excerpt_of  # noqa: E402
from qwen_router.profile.types import DOMAINS  # noqa: E402
from training.asks import OTHER_TOOLS, generate  # noqa: E402
from training.report import difficulty_level, evaluation, write_figures  # noqa: E402

_NAMES: list[str] = [*DOMAINS]
GENERATED = 12_000
OUTPUTS = len(DOMAINS) + 2
HIDDEN = 32
EPOCHS = 6
BATCH = 256
LEARNING_RATE = 0.02
TABLE_DECAY = 0.05
DROP_NGRAMS = 0.25
"""Share of rows that are shown without their n-grams, so that the features of form learn to stand alone."""
DROP_WORDS = 0.2
ABSTAIN_PRECISION = 0.90
"""The threshold is the lowest confidence from which on this share is right on sources unseen in training, over the four
groups of domains (math, code, reasoning, the rest) that a choice of model turns on."""

# Mixtral 8x7B's published scores (Mixtral of Experts, arXiv 2401.04088, table 2): the share that a mid-size model fails
# on sources of that kind. They anchor the level between domains; the outcomes teach what makes one question harder.
FAILS = {
    "gsm8k-train": 1 - 0.744,
    "cmath": 1 - 0.744,
    "mbxp": 1 - 0.607,
    "humaneval-xl": 1 - 0.402,
    "college-math": 1 - 0.284,
    "olympiadbench": 1 - 0.284,
}
# Where nobody has published such a share: stated priors about everyday asks, so that a greeting is not taken for an exam. A
# generated ask fails more the deeper it is; the easiest of a domain fail half as often as its middle.
USUALLY_FAILS = {
    "chat": 0.03,
    "writing": 0.1,
    "translation": 0.12,
    "extraction": 0.12,
    "tools": 0.15,
    "knowledge": 0.2,
    "code": 0.35,
    "math": 0.3,
    "reasoning": 0.4,
}
MMLU_MATH = {
    "abstract_algebra",
    "college_mathematics",
    "elementary_mathematics",
    "high_school_mathematics",
    "high_school_statistics",
}
MMLU_UNCLEAR = {
    "college_physics", "high_school_physics", "conceptual_physics", "econometrics", "formal_logic", "logical_fallacies",
    "high_school_chemistry",
    "college_chemistry", "professional_accounting", "college_computer_science", "high_school_computer_science",
    "machine_learning",
    "computer_security", "electrical_engineering", "astronomy", "moral_scenarios",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One training example; what is None is unknown and teaches nothing. `group` is the source it is left out with."""

    text: str
    group: str
    language: str
    licence: str
    domain: str | None = None
    depth: float | None = None
    fails: float | None = None
    weight: float = 1.0
    tools: tuple[str, ...] = ()


def read_gz(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def shared_rows(path: Path, rng: random.Random) -> list[Row]:
    """The labelled shared requests. A rewriting ask that is a translation ask is labelled as one."""
    rows = []
    for item in read_gz(path):
        source, domain = item["source"], item["domain"]
        group = source.partition(":")[0]
        if domain == "unlabelled":
            continue
        if domain == "writing" and ("翻译" in item["text"] or "译成" in item["text"]):
            domain = "translation"
        tools = tuple(item.get("tools") or ())
        if not tools and rng.random() < 0.05:
            tools = tuple(rng.sample(OTHER_TOOLS, rng.randint(1, 4)))
        fails = FAILS.get(group)
        if fails is None and domain in ("chat", "writing", "translation", "extraction", "tools"):
            fails = USUALLY_FAILS[domain]
        rows.append(Row(item["text"], group, item["language"], item["licence"], domain, item["depth"], fails, tools=tools))
    return rows


def outcome_rows(path: Path) -> list[Row]:
    """MMLU questions with whether Mixtral failed; subjects that may need calculation or deduction teach no domain."""
    rows = []
    for item in read_gz(path):
        subject = item["task"].removeprefix("mmlu_")
        domain = "math" if subject in MMLU_MATH else None if subject in MMLU_UNCLEAR else "knowledge"
        fails = float(not item["correct"]["mistralai/Mixtral-8x7B-Instruct-v0.1"])
        rows.append(Row(item["text"], f"mmlu:{subject}", "en", "Apache-2.0", domain, fails=fails))
    return rows


def generated_rows(seed: int) -> list[Row]:
    asks = {(ask.text, ask.tools): ask for ask in generate(seed=seed, count=GENERATED)}
    return [
        Row(a.text, "generated", a.language, "Apache-2.0", a.domain, a.depth, _prior_fails(a.domain, a.depth), tools=a.tools)
        for a in asks.values()
    ]


def _prior_fails(domain: str, depth: float | None) -> float:
    return min(0.9, USUALLY_FAILS[domain] * (1.0 if depth is None else 0.5 + 1.5 * depth))


def weighted(rows: Sequence[Row]) -> NDArray[np.float32]:
    """Every group weighs the square root of its size, every domain the same in sum."""
    group_size = Counter((row.group.partition("mmlu:")[1] or row.group, row.domain) for row in rows)
    weights = np.array([group_size[(row.group.partition("mmlu:")[1] or row.group, row.domain)] ** -0.5 for row in rows])
    for domain in DOMAINS:
        chosen = np.array([row.domain == domain for row in rows])
        if chosen.any():
            weights[chosen] /= weights[chosen].sum()
    unknown = np.array([row.domain is None for row in rows])
    weights[unknown] = weights[~unknown].mean()
    return np.asarray(weights / weights.mean(), dtype=np.float32)


class Net:
    """A table of hashed n-grams (numpy, as a sparse product) plus a small network over the features of form (torch)."""

    def __init__(self) -> None:
        self.table: NDArray[np.float32] = np.zeros((1 << BUCKET_BITS, OUTPUTS), dtype=np.float32)
        self.hidden = nn.Linear(len(FORM), HIDDEN)
        self.out = nn.Linear(HIDDEN, OUTPUTS)
        self.direct = nn.Linear(len(FORM), OUTPUTS, bias=False)
        nn.init.zeros_(self.direct.weight)

    def dense(self) -> list[nn.Parameter]:
        return [p for layer in (self.hidden, self.out, self.direct) for p in layer.parameters()]

    def form_part(self, form: torch.Tensor) -> torch.Tensor:
        joined: torch.Tensor = self.out(torch.tanh(self.hidden(form))) + self.direct(form)
        return joined


class Examples:
    """Features of many texts as one sparse matrix and one dense one; `is_shape` marks the entries that shapes gave."""

    def __init__(self, features: Sequence[Features]) -> None:
        sizes = np.array([f.buckets.size for f in features])
        self.starts = np.concatenate(([0], np.cumsum(sizes)))
        self.buckets = np.concatenate([f.buckets for f in features]).astype(np.int32)
        self.weights = np.concatenate([f.weights for f in features])
        self.is_shape = np.concatenate([np.arange(f.buckets.size) >= f.shapes_at for f in features])
        self.form = np.stack([f.form for f in features])

    def batch(self, chosen: NDArray[np.intp], rng: np.random.Generator | None) -> csr_matrix:
        """The n-grams of some texts; with `rng`, some of them, and for some texts all but the shapes, are left out."""
        parts = [np.arange(self.starts[i], self.starts[i + 1]) for i in chosen]
        sizes = [part.size for part in parts]
        at = np.concatenate(parts)
        weights = self.weights[at]
        if rng is not None:
            dropped = np.repeat(rng.random(chosen.size) < DROP_NGRAMS, sizes)
            weights = (
                weights * (rng.random(at.size) > DROP_WORDS) / np.float32(1 - DROP_WORDS) * (self.is_shape[at] | ~dropped)
            )
        return csr_matrix(
            (weights.astype(np.float32), self.buckets[at], np.concatenate(([0], np.cumsum(sizes)))),
            shape=(chosen.size, 1 << BUCKET_BITS),
        )


def loss_of(raw: torch.Tensor, targets: Targets, chosen: NDArray[np.intp]) -> torch.Tensor:
    """Cross-entropy of the domain, and of depth and difficulty where they are known."""
    labels = torch.from_numpy(targets.labels[chosen])
    total = raw.new_zeros(())
    known = labels >= 0
    if known.any():
        each = nn.functional.cross_entropy(raw[known, : len(DOMAINS)], labels[known], reduction="none", label_smoothing=0.02)
        total = total + (each * torch.from_numpy(targets.weights[chosen])[known]).mean()
    for column, values in ((-2, targets.depth[chosen]), (-1, targets.fails[chosen])):
        have = torch.from_numpy(~np.isnan(values))
        if have.any():
            total = total + 0.5 * nn.functional.binary_cross_entropy_with_logits(
                raw[have, column], torch.from_numpy(values)[have]
            )
    return total


@dataclass(frozen=True, slots=True)
class Targets:
    """What is to be learned, a column each; an unknown label is -1, an unknown number not a number."""

    labels: NDArray[np.int64]
    depth: NDArray[np.float32]
    fails: NDArray[np.float32]
    weights: NDArray[np.float32]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Targets:
        labels = np.array([-1 if row.domain is None else _NAMES.index(row.domain) for row in rows], dtype=np.int64)
        numbers = np.array([[np.nan if v is None else v for v in (row.depth, row.fails)] for row in rows], dtype=np.float32)
        return cls(labels, numbers[:, 0], numbers[:, 1], weighted(rows))


def train(rows: Sequence[Row], features: Sequence[Features], *, seed: int, epochs: int = EPOCHS) -> Net:
    """Fit one network by Adam. The table decays towards zero, so rare n-grams stay out of the way."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net, examples, targets = Net(), Examples(features), Targets.of(rows)
    optimizer = torch.optim.AdamW(net.dense(), lr=LEARNING_RATE / 3, weight_decay=0.01)
    first, second = np.zeros_like(net.table), np.zeros_like(net.table)
    steps, step = epochs * (len(rows) // BATCH + 1), 0
    for _ in range(epochs):
        order = rng.permutation(len(rows))
        for start in range(0, len(rows), BATCH):
            chosen = order[start : start + BATCH]
            ngrams = examples.batch(chosen, rng)
            leaf = torch.from_numpy(ngrams @ net.table).requires_grad_()
            optimizer.zero_grad()
            loss = loss_of(leaf + net.form_part(torch.from_numpy(examples.form[chosen])), targets, chosen)
            torch.autograd.backward(loss)
            step += 1
            fade = 1 - step / (steps + 1)
            optimizer.param_groups[0]["lr"] = LEARNING_RATE / 3 * fade
            optimizer.step()
            assert leaf.grad is not None
            _adam(net.table, ngrams.T @ leaf.grad.numpy(), first, second, step, LEARNING_RATE * fade)
    return net


def _adam(
    table: NDArray[np.float32],
    gradient: NDArray[np.float32],
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    step: int,
    rate: float,
) -> None:
    """One step of AdamW (arXiv 1711.05101) on the rows that this batch touched; the others rest."""
    at = np.flatnonzero(gradient.any(axis=1))
    part = gradient[at]
    first[at] = 0.9 * first[at] + 0.1 * part
    second[at] = 0.99 * second[at] + 0.01 * part * part
    mean, spread = first[at] / (1 - 0.9**step), second[at] / (1 - 0.99**step)
    table[at] -= np.float32(rate) * (mean / (np.sqrt(spread) + 1e-8) + np.float32(TABLE_DECAY) * table[at])


@torch.no_grad()
def predict(net: Net, features: Sequence[Features]) -> NDArray[np.float32]:
    examples = Examples(features)
    form = net.form_part(torch.from_numpy(examples.form)).numpy()
    result: NDArray[np.float32] = examples.batch(np.arange(len(features)), None) @ net.table + form
    return result


def save(net: Net, folder: Path, meta: dict[str, Any]) -> None:
    """Write the weights (the table as 8-bit integers with one scale a column) and what belongs to them."""
    table = net.table
    scale = np.maximum(np.abs(table).max(axis=0), 1e-6) / 127
    arrays = {
        "table": np.round(table / scale).astype(np.int8), "table_scale": scale.astype(np.float32),
        "hidden": net.hidden.weight.detach().numpy().T.copy(), "hidden_bias": net.hidden.bias.detach().numpy(),
        "out": net.out.weight.detach().numpy().T.copy(), "direct": net.direct.weight.detach().numpy().T.copy(),
        "out_bias": net.out.bias.detach().numpy(),
    }  # fmt: skip
    np.savez(folder / "classifier.npz", **arrays)
    (folder / "classifier.json").write_text(json.dumps(meta, indent=1, ensure_ascii=False) + "\n", "utf-8")


def data_card(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows by source, licence and domain."""
    groups = Counter(
        (row.group.partition(":")[0] if row.group.startswith("mmlu") else row.group, row.licence, row.domain or "none")
        for row in rows
    )
    return [{"source": s, "licence": li, "domain": d, "rows": n} for (s, li, d), n in sorted(groups.items())]


def main() -> None:
    """Read, evaluate if asked to, train on everything, write."""
    parser = argparse.ArgumentParser(description="Train the classifier that ships.")
    parser.add_argument("--requests", type=Path, required=True)
    parser.add_argument("--outcomes", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--evaluate", action="store_true", help="leave one source out, every source in turn")
    parser.add_argument("--out", type=Path, default=DATA)
    options = parser.parse_args()
    torch.set_num_threads(1)  # small matrices: more threads only wait for each other
    started = time.perf_counter()
    rng = random.Random(options.seed)
    rows = shared_rows(options.requests, rng) + outcome_rows(options.outcomes) + generated_rows(options.seed)
    features = [features_of(excerpt_of(row.text), total_chars=len(row.text), tool_names=row.tools) for row in rows]
    print(f"{len(rows)} rows, features after {time.perf_counter() - started:.0f} s", file=sys.stderr)
    meta_file = options.out / "classifier.json"
    figures: dict[str, Any]
    if options.evaluate:
        figures = evaluation(rows, features, seed=options.seed, precision=ABSTAIN_PRECISION)
    elif meta_file.exists():
        kept = json.loads(meta_file.read_text("utf-8"))
        figures = {key: kept[key] for key in ("temperature", "abstain_below", "figures")}
    else:
        figures = {
            "temperature": 1.0,
            "abstain_below": 0.5,
            "figures": {},
        }
    figures |= difficulty_level(rows, features, seed=options.seed)
    net = train(rows, features, seed=options.seed)
    head = {"version": f"1-seed{options.seed}", "bucket_bits": BUCKET_BITS, "domains": DOMAINS, "form": FORM}
    save(net, options.out, head | figures | {"data": data_card(rows)})
    write_figures(ROOT / "docs" / "profile.md", figures, data_card(rows))
    print(f"wrote {options.out} after {time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
