"""The rows that the classifier learns from: shared requests, outcomes, our own corpus, templates, puzzles, graded tasks.

Nothing is trained here. Every row names the source it is left out with (`group`) and its licence.

    python -c "from training.rows import corpus_rows; print(len(corpus_rows(3)))"
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from training import corpus, gym
from training.asks import OTHER_TOOLS, generate
from training.causes import choice
from training.graded import graded
from training.puzzles import puzzle
from training.vary import varied

TEMPLATE_ASKS = 9_000
PUZZLES = 6_000
GRADED = 7_000
CHOICES = 1_800
GYM_TASKS = 48
FILLINGS = 3
VARIED_SHARE = 0.8
"""Share of rows that get a varied copy beside them (`vary.py`)."""
OURS = "Apache-2.0"
LABELS = Path(__file__).parent / "labels.json"
"""Domains of the shared rows that have none, by the first 16 hex digits of the text's SHA-256."""

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
# graded task fails more the deeper it is; the easiest of a domain fail half as often as its middle.
USUALLY_FAILS = {
    "chat": 0.03, "writing": 0.1, "translation": 0.12, "extraction": 0.12, "tools": 0.15, "knowledge": 0.2, "code": 0.35,
    "math": 0.3, "reasoning": 0.4,
}  # fmt: skip
MMLU_MATH = {
    "abstract_algebra", "college_mathematics", "elementary_mathematics", "high_school_mathematics", "high_school_statistics",
}  # fmt: skip
MMLU_UNCLEAR = {
    "college_physics", "high_school_physics", "conceptual_physics", "econometrics", "formal_logic", "logical_fallacies",
    "high_school_chemistry", "college_chemistry", "professional_accounting", "college_computer_science",
    "high_school_computer_science", "machine_learning", "computer_security", "electrical_engineering", "astronomy",
    "moral_scenarios",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One training example; what is None is unknown and teaches nothing. `group` is the source it is left out with.

    `depth_weight` says how far `depth` is to be believed: 1 for graded tasks, little for one constant a source.
    """

    text: str
    group: str
    language: str
    licence: str
    domain: str | None = None
    depth: float | None = None
    fails: float | None = None
    tools: tuple[str, ...] = ()
    depth_weight: float = 0.15
    copy: bool = False


def read_gz(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def shared_rows(path: Path, rng: random.Random) -> list[Row]:
    """The shared requests. A rewriting ask that is a translation ask is labelled as one.

    Rows without a label have one in `labels.json` where two readers agreed (95.1 % of 1,200; Cohen's kappa 0.93).
    """
    by_reader = json.loads(LABELS.read_text("utf-8"))
    rows = []
    for item in read_gz(path):
        source, domain = item["source"], item["domain"]
        group = source.partition(":")[0]
        if domain == "unlabelled":
            domain = by_reader.get(hashlib.sha256(item["text"].encode()).hexdigest()[:16])
            group = group.replace("belle-eval", "belle-eval-closed")
            if domain is None:
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
        rows.append(Row(item["text"], f"mmlu:{subject}", "en", OURS, domain, fails=fails))
    return rows


def template_rows(seed: int) -> list[Row]:
    """The templates of `asks.yaml`."""
    asks = {(ask.text, ask.tools): ask for ask in generate(seed=seed, count=TEMPLATE_ASKS)}
    return [
        Row(a.text, "templates", a.language, OURS, a.domain, a.depth, _prior_fails(a.domain, a.depth), tools=a.tools)
        for a in asks.values()
    ]


def corpus_rows(seed: int) -> list[Row]:
    """Our own corpus, a file a source; lines with slots are filled several times."""
    rng = random.Random(seed)
    rows = []
    for line in corpus.read_all():
        for text in corpus.fillings(line, rng, count=FILLINGS):
            tools = tuple(rng.sample(OTHER_TOOLS, rng.randint(1, 4))) if rng.random() < 0.05 else ()
            fails = USUALLY_FAILS[line.domain]
            rows.append(Row(text, f"corpus-{line.file}", line.language, OURS, line.domain, None, fails, tools))
    return rows


def puzzle_rows(seed: int) -> list[Row]:
    """Logic puzzles of one to eight steps, and choices between two causes or effects."""
    rng = random.Random(seed)
    made = dict.fromkeys(puzzle(rng) for _ in range(PUZZLES))
    choices = dict.fromkeys(choice(rng) for _ in range(CHOICES))
    fails = USUALLY_FAILS["reasoning"] / 2
    return [
        *(Row(text, "causes", language, OURS, "reasoning", 0.2, fails, (), 0.3) for text, language in choices),
    ] + [
        Row(
            text,
            "puzzles",
            language,
            OURS,
            "reasoning",
            depth := _depth_of(steps),
            _prior_fails("reasoning", depth),
            (),
            1.0,
        )
        for text, language, steps in made
    ]


def gym_rows(seed: int) -> list[Row]:
    """Generated mathematics and puzzles, a kind a source within the group."""
    return [
        Row(t.text, "gym", "en", OURS, t.domain, t.depth, _prior_fails(t.domain, t.depth), (), 0.7)
        for t in gym.tasks(seed=seed, count=GYM_TASKS)
    ]


def graded_rows(seed: int) -> list[Row]:
    """Requests of eight levels within each of many kinds: what depth is learned from."""
    rng = random.Random(seed)
    made = dict.fromkeys(graded(rng) for _ in range(GRADED))
    return [
        Row(
            g.text,
            "graded",
            g.language,
            OURS,
            g.domain,
            d := round((g.level - 1) / 7, 3),
            _prior_fails(g.domain, d),
            (),
            1.0,
        )
        for g in made
    ]


def _depth_of(steps: int) -> float:
    """One step 0.3, eight 0.95: the more steps in a row, the more thinking pays."""
    return 0.3 + 0.65 * (min(8, max(1, steps)) - 1) / 7


def _prior_fails(domain: str, depth: float | None) -> float:
    return min(0.9, USUALLY_FAILS[domain] * (1.0 if depth is None else 0.5 + 1.5 * depth))


def with_copies(rows: Sequence[Row], seed: int, *, share: float = VARIED_SHARE) -> list[Row]:
    """The rows, and varied copies of a share of them."""
    rng = random.Random(seed)
    copies = [
        replace(row, text=varied(row.text, row.language, rng, code=row.domain == "code"), copy=True)
        for row in rows
        if rng.random() < share and len(row.text) < 4000
    ]
    return [*rows, *copies]


def all_rows(requests: Path, outcomes: Path, *, seed: int) -> list[Row]:
    """Every row, without copies, in a fixed order."""
    return [
        *shared_rows(requests, random.Random(seed)),
        *outcome_rows(outcomes),
        *template_rows(seed),
        *corpus_rows(seed),
        *puzzle_rows(seed),
        *gym_rows(seed),
        *graded_rows(seed),
    ]


def source_of(row: Row) -> str:
    """The name of the source, with MMLU's subjects together."""
    return row.group.partition(":")[0]


def data_card(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows by source, licence and domain, copies not counted."""
    counts = Counter((source_of(row), row.licence, row.domain or "none") for row in rows if not row.copy)
    return [{"source": s, "licence": li, "domain": d, "rows": n} for (s, li, d), n in sorted(counts.items())]
