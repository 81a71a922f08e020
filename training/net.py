"""The classifier as a torch network: training, prediction, and writing the weights that numpy serves.

Knows rows and features, not where they come from. `qwen_router/profile/classifier.py` computes the same in numpy; a test
compares the two.

    python -c "from training.net import Net; print(sum(p.numel() for p in Net().parameters()))"
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from qwen_router.profile.features import BUCKET_BITS, END_WORDS, FORM, Features, Text, features_of_many
from qwen_router.profile.reading import excerpt_of
from qwen_router.profile.types import DOMAINS
from training.rows import Row, source_of
from training.words import DIMENSIONS, TEACHER, meanings

if TYPE_CHECKING:
    from training.difficulty import Hardness

NAMES: list[str] = [*DOMAINS]
OUTPUTS = len(DOMAINS) + 1
TABLE_WIDTH = 16
HIDDEN = 96
WORD_HIDDEN, WORD_WIDTH = 128, 64
EPOCHS = 6
BATCH = 256
RATE = 0.004
TABLE_RATE = 0.01
DROP_NGRAMS = 0.5
"""Share of rows that are shown without their words, so that shapes, word vectors and form learn to stand alone."""
DROP_VECTORS = 0.1
DROP_WORDS = 0.4


class Net(nn.Module):
    """Two sums of one table of hashed n-grams (words, shapes), pooled word vectors and form, one hidden layer."""

    def __init__(self, teacher_inputs: int = DIMENSIONS + 1) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(1 << BUCKET_BITS, TABLE_WIDTH, mode="sum", include_last_offset=True)
        nn.init.normal_(self.table.weight, std=0.05)
        self.word = nn.Sequential(nn.Linear(teacher_inputs, WORD_HIDDEN), nn.GELU(), nn.Linear(WORD_HIDDEN, WORD_WIDTH))
        self.hidden = nn.Linear(2 * TABLE_WIDTH + 3 * WORD_WIDTH + len(FORM), HIDDEN)
        self.out = nn.Linear(HIDDEN, OUTPUTS)

    def pooled(self, batch: Batch) -> torch.Tensor:
        """What `qwen_router.profile.classifier.pooled` computes, from the words' values under `self.word`."""
        values = self.word(batch.teacher)
        sums = [
            nn.functional.embedding_bag(bag.buckets, values, bag.offsets, mode="sum", include_last_offset=True)
            for bag in batch.meanings
        ]
        return torch.cat([part / (part.norm(dim=1, keepdim=True) + 1e-6) for part in sums], dim=1)

    def forward(self, batch: Batch) -> torch.Tensor:
        words = self.table(batch.words.buckets, batch.words.offsets, per_sample_weights=batch.words.weights)
        shapes = self.table(batch.shapes.buckets, batch.shapes.offsets, per_sample_weights=batch.shapes.weights)
        inner = torch.tanh(self.hidden(torch.cat((words, shapes, self.pooled(batch) * batch.seen, batch.form), dim=1)))
        result: torch.Tensor = self.out(inner)
        return result


@dataclass(frozen=True, slots=True)
class Bags:
    """N-grams of several texts behind one another; text i has those from `offsets[i]` to `offsets[i + 1]`."""

    buckets: torch.Tensor
    weights: torch.Tensor
    offsets: torch.Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    words: Bags
    shapes: Bags
    meanings: tuple[Bags, ...]
    teacher: torch.Tensor
    seen: torch.Tensor
    form: torch.Tensor


class Examples:
    """Features of many texts, packed."""

    def __init__(self, features: Sequence[Features]) -> None:
        with np.load(TEACHER) as made:
            self.teacher: NDArray[np.float16] = made["vectors"]
        self.buckets = [f.buckets.astype(np.int32) for f in features]
        self.weights = [f.weights.astype(np.float16) for f in features]
        self.shapes_at = np.array([f.shapes_at for f in features])
        self.form = np.stack([f.form for f in features])
        self.words = [f.words.astype(np.int32) for f in features]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Examples:
        """Read the texts with the functions that serve."""
        return cls(features_of_many_rows(rows))

    def batch(self, chosen: NDArray[np.intp], rng: np.random.Generator | None) -> Batch:
        """Some texts; with `rng`, parts of what is seen of them are left out."""
        heads = [slice(0, int(self.shapes_at[i])) for i in chosen]
        tails = [slice(int(self.shapes_at[i]), None) for i in chosen]
        keep: NDArray[np.float32] | None = None
        seen = np.ones((chosen.size, 1), dtype=np.float32)
        words = [self.words[i] for i in chosen]
        if rng is not None:
            keep = (rng.random(chosen.size) > DROP_NGRAMS).astype(np.float32)
            seen = (rng.random((chosen.size, 1)) > DROP_VECTORS).astype(np.float32)
            words = [part[rng.random(part.size) > DROP_WORDS] for part in words]
        known, places = np.unique(np.concatenate(words), return_inverse=True)
        ends = np.cumsum([part.size for part in words])
        split = np.split(places, ends[:-1])
        return Batch(
            self._bags(chosen, heads, rng, keep),
            self._bags(chosen, tails, rng, None),
            (_bag(split), _bag([part[:END_WORDS] for part in split]), _bag([part[-END_WORDS:] for part in split])),
            torch.from_numpy(self.teacher[known].astype(np.float32)),
            torch.from_numpy(seen),
            torch.from_numpy(self.form[chosen]),
        )

    def _bags(
        self, chosen: NDArray[np.intp], parts: list[slice], rng: np.random.Generator | None, keep: NDArray[np.float32] | None
    ) -> Bags:
        buckets = [self.buckets[i][part] for i, part in zip(chosen, parts, strict=True)]
        sizes = [b.size for b in buckets]
        weights = np.concatenate([self.weights[i][part] for i, part in zip(chosen, parts, strict=True)]).astype(np.float32)
        if rng is not None:
            weights *= (rng.random(weights.size, dtype=np.float32) > DROP_WORDS) / np.float32(1 - DROP_WORDS)
        if keep is not None:
            weights *= np.repeat(keep, sizes)
        offsets = np.concatenate(([0], np.cumsum(sizes)))
        return Bags(*map(torch.from_numpy, (np.concatenate(buckets).astype(np.int64), weights, offsets)))


def _bag(parts: Sequence[NDArray[np.intp]]) -> Bags:
    offsets = np.concatenate(([0], np.cumsum([part.size for part in parts])))
    return Bags(torch.from_numpy(np.concatenate(parts)), torch.empty(0), torch.from_numpy(offsets))


def features_of_many_rows(rows: Sequence[Row], *, size: int = 64) -> list[Features]:
    """The features of the rows' texts, read in batches."""
    texts = [Text(excerpt_of(row.text), len(row.text), row.tools) for row in rows]
    return [f for at in range(0, len(texts), size) for f in features_of_many(texts[at : at + size])]


@dataclass(frozen=True, slots=True)
class Targets:
    """What is to be learned, a column each; an unknown label is -1, an unknown number not a number."""

    labels: NDArray[np.int64]
    depth: NDArray[np.float32]
    depth_weight: NDArray[np.float32]
    weights: NDArray[np.float32]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Targets:
        labels = np.array([-1 if row.domain is None else NAMES.index(row.domain) for row in rows], dtype=np.int64)
        numbers = np.array(
            [[np.nan if row.depth is None else row.depth, row.depth_weight] for row in rows], dtype=np.float32
        )
        return cls(labels, numbers[:, 0], numbers[:, 1], weighted(rows))


def weighted(rows: Sequence[Row]) -> NDArray[np.float32]:
    """Every source weighs the square root of its size within a domain, every domain the same in sum."""
    sizes = Counter((source_of(row), row.domain) for row in rows)
    weights = np.array([sizes[(source_of(row), row.domain)] ** -0.5 for row in rows])
    for domain in DOMAINS:
        chosen = np.array([row.domain == domain for row in rows])
        if chosen.any():
            weights[chosen] /= weights[chosen].sum()
    unknown = np.array([row.domain is None for row in rows])
    weights[unknown] = weights[~unknown].mean()
    return np.asarray(weights / weights.mean(), dtype=np.float32)


def loss_of(raw: torch.Tensor, targets: Targets, chosen: NDArray[np.intp]) -> torch.Tensor:
    """Cross-entropy of the domain and of the depth, where they are known. Difficulty is fitted afterwards."""
    labels = torch.from_numpy(targets.labels[chosen])
    total = raw.new_zeros(())
    known = labels >= 0
    if known.any():
        each = nn.functional.cross_entropy(raw[known, : len(DOMAINS)], labels[known], reduction="none", label_smoothing=0.02)
        total = total + (each * torch.from_numpy(targets.weights[chosen])[known]).mean()
    depth = targets.depth[chosen]
    have = torch.from_numpy(~np.isnan(depth))
    if have.any():
        each = nn.functional.binary_cross_entropy_with_logits(raw[have, -1], torch.from_numpy(depth)[have], reduction="none")
        total = total + 0.5 * (each * torch.from_numpy(targets.depth_weight[chosen])[have]).mean()
    return total


def train(
    rows: Sequence[Row], examples: Examples, *, seed: int, chosen: Sequence[int] | None = None, epochs: int = EPOCHS
) -> Net:
    """Fit a network to the rows at `chosen` (all by default) by AdamW."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    places: NDArray[np.intp] = np.arange(len(rows)) if chosen is None else np.asarray(chosen, dtype=np.intp)
    net, targets = Net(), Targets.of([rows[i] for i in places.tolist()])
    dense = [*net.word.parameters(), *net.hidden.parameters(), *net.out.parameters()]
    groups = [
        {"params": dense, "lr": RATE, "weight_decay": 0.02},
        {"params": net.table.parameters(), "lr": TABLE_RATE, "weight_decay": 0.02},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99))
    steps = epochs * (len(places) // BATCH + 1)
    fade = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.02, 1 - step / steps))
    for _ in range(epochs):
        order = rng.permutation(len(places))
        for start in range(0, len(places), BATCH):
            part = order[start : start + BATCH]
            optimizer.zero_grad()
            torch.autograd.backward(loss_of(net(examples.batch(places[part], rng)), targets, part))
            optimizer.step()
            fade.step()
    return net.eval()


@torch.no_grad()
def predict(net: Net, examples: Examples, chosen: Sequence[int] | NDArray[np.intp] | None = None) -> NDArray[np.float32]:
    """Raw outputs, (texts, OUTPUTS)."""
    places = np.arange(len(examples.form)) if chosen is None else np.asarray(chosen)
    parts = [net(examples.batch(places[at : at + 1024], None)).numpy() for at in range(0, len(places), 1024)]
    return np.concatenate(parts)


def save(net: Net, examples: Examples, hard: Hardness, folder: Path, meta: dict[str, Any]) -> None:
    """Write the weights, the table as 8-bit integers whose scales go into the hidden layer, and what belongs to them."""
    table = net.table.weight.detach().numpy()
    scale = np.maximum(np.abs(table).max(axis=0), 1e-6) / 127
    hidden = net.hidden.weight.detach().numpy().T.copy()
    hidden[: 2 * TABLE_WIDTH] *= np.concatenate((scale, scale))[:, None]
    arrays = {
        "table": np.round(table / scale).astype(np.int8),
        "hidden": hidden,
        "hidden_bias": net.hidden.bias.detach().numpy(),
        "out": net.out.weight.detach().numpy().T.copy(),
        "out_bias": net.out.bias.detach().numpy(),
        "form_mean": examples.form.mean(axis=0),
        "hard": hard.inputs.astype(np.float32),
        "hard_bias": np.float32(hard.bias),
        "level": hard.level.astype(np.float32),
    }
    np.savez(folder / "classifier.npz", **arrays)
    (folder / "classifier.json").write_text(json.dumps(meta, indent=1, ensure_ascii=False) + "\n", "utf-8")
    _save_words(net, hard, folder / "words.npz")


@torch.no_grad()
def _save_words(net: Net, hard: Hardness, path: Path) -> None:
    """The value of every word under the learned function, as 8-bit integers of one scale (pooling makes it cancel), and how
    hard each word is, as 8-bit integers with their scale."""
    with np.load(TEACHER) as made:
        hashes, vectors = made["hashes"], made["vectors"].astype(np.float32)
    values = net.word(torch.from_numpy(vectors)).numpy()
    words = meanings(vectors) @ hard.words
    scale = np.abs(words).max() / 127
    np.savez(
        path,
        hashes=hashes,
        vectors=np.round(values / (np.abs(values).max() / 127)).astype(np.int8),
        hardness=np.round(words / scale).astype(np.int8),
        hardness_scale=np.float32(scale),
    )
