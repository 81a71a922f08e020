"""Does qwen3-nano's thinking help? Accuracy on held-out sums: thinking off, cut at budgets, and unlimited.

The sums are those that training/nano_tasks.py keeps out of training by checksum. A budget counts the tokens after
`<think>`; a thought that is longer is cut there, the early-stop text is appended, and the model answers. Replies
are sampled as generation_config.json says. What other models would do here is not measured.

    python -m benchmarks.nano_thinking --items 250 --out nano_thinking.json
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from qwen_router.demo import demo_checkpoint
from training.nano_examples import EARLY_STOP
from training.nano_tasks import draw_terms, phrase_sum

TERMS = (2, 3, 4, 6)
BUDGETS = (16, 32, 64)
THOUGHT_TOKENS = 160  # "unlimited": more than twice what six terms need
ANSWER_TOKENS = 24


@dataclass(frozen=True)
class Item:
    """One held-out sum."""

    question: str
    answer: int


@dataclass(frozen=True)
class Cell:
    """One figure of the table; `half_width` is that of the 95 % interval (normal approximation)."""

    terms: int
    thinking: str
    items: int
    accuracy: float
    half_width: float
    mean_thinking_tokens: float


class Reader:
    """Generates in batches; every prompt of a batch is padded on the left."""

    def __init__(self, checkpoint: Path, *, greedy: bool) -> None:
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(checkpoint)
        self.model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
        self.greedy = greedy
        self.close = self.tokenizer.convert_tokens_to_ids("</think>")
        self.end = self.tokenizer.convert_tokens_to_ids("<|im_end|>")

    def prompt(self, question: str, *, thinking: bool) -> list[int]:
        """Ids of one rendered prompt."""
        text = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True, enable_thinking=thinking
        )
        return list(self.tokenizer.encode(str(text), add_special_tokens=False))

    @torch.no_grad()
    def complete(self, prompts: list[list[int]], *, max_tokens: int) -> list[list[int]]:
        """New ids for each prompt, to the end of the turn."""
        pad, longest = self.tokenizer.pad_token_id, max(map(len, prompts))
        ids = torch.tensor([[pad] * (longest - len(p)) + p for p in prompts])
        mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
        sampling = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None} if self.greedy else {}
        generate: Callable[..., torch.Tensor] = self.model.generate  # type: ignore[assignment]
        made = generate(input_ids=ids, attention_mask=mask, max_new_tokens=max_tokens, **sampling)
        replies: list[list[int]] = made[:, longest:].tolist()
        return [reply[: reply.index(self.end) + 1] if self.end in reply else reply for reply in replies]

    def is_right(self, reply: list[int], item: Item) -> bool:
        """Whether the turn ended and the last number of its answer is the sum."""
        if not reply or reply[-1] != self.end:
            return False
        text = str(self.tokenizer.decode(reply, skip_special_tokens=True))
        found = [] if "<think>" in text and "</think>" not in text else re.findall(r"\d+", text.split("</think>")[-1])
        return bool(found) and int(found[-1]) == item.answer


def draw_items(terms: int, *, count: int, seed: int) -> list[Item]:
    """Different held-out sums of two-digit numbers, phrased in the ways of training."""
    rng = random.Random(seed * 100 + terms)
    items: dict[tuple[int, ...], Item] = {}
    while len(items) < count:
        drawn = draw_terms(rng, terms, held_out=True)
        items.setdefault(tuple(sorted(drawn)), Item(phrase_sum(rng, drawn), sum(drawn)))
    return list(items.values())


def cell(terms: int, thinking: str, rights: list[bool], thinking_tokens: list[int]) -> Cell:
    """Sum up one column of one row."""
    share = sum(rights) / len(rights)
    half_width = 1.96 * (share * (1 - share) / len(rights)) ** 0.5
    tokens = sum(thinking_tokens) / len(thinking_tokens)
    return Cell(terms, thinking, len(rights), round(share, 4), round(half_width, 4), round(tokens, 1))


def measure(reader: Reader, terms: int, *, count: int, seed: int) -> list[Cell]:
    """One row of the table. Budgets cut the very thoughts that the unlimited column finished."""
    items = draw_items(terms, count=count, seed=seed)
    off = reader.complete([reader.prompt(item.question, thinking=False) for item in items], max_tokens=ANSWER_TOKENS)
    cells = [cell(terms, "off", [reader.is_right(*pair) for pair in zip(off, items, strict=True)], [0])]
    prompts = [reader.prompt(item.question, thinking=True) for item in items]
    full = reader.complete(prompts, max_tokens=THOUGHT_TOKENS)
    lengths = [(reply.index(reader.close) if reader.close in reply else len(reply)) - 1 for reply in full]
    stop = list(reader.tokenizer.encode(EARLY_STOP, add_special_tokens=False))
    for budget in BUDGETS:
        replies = dict(enumerate(full))
        cut = [at for at, length in enumerate(lengths) if length > budget]
        if cut:
            cut_prompts = [prompts[at] + full[at][: 1 + budget] + stop for at in cut]
            replies |= zip(cut, reader.complete(cut_prompts, max_tokens=ANSWER_TOKENS), strict=True)
        rights = [reader.is_right(replies[at], item) for at, item in enumerate(items)]
        cells.append(cell(terms, str(budget), rights, [min(length, budget) for length in lengths]))
    rights = [reader.is_right(*pair) for pair in zip(full, items, strict=True)]
    return [*cells, cell(terms, "unlimited", rights, lengths)]


def show(rows: list[list[Cell]]) -> str:
    """The table in Markdown."""
    lines = ["| terms | off | budget 16 | budget 32 | budget 64 | unlimited | mean thinking tokens |", "|" + "---|" * 7]
    for row in rows:
        shares = " | ".join(f"{100 * one.accuracy:.1f} %" for one in row)
        lines.append(f"| {row[0].terms} | {shares} | {row[-1].mean_thinking_tokens:.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description="Accuracy of qwen3-nano on held-out sums, by thinking budget.")
    parser.add_argument("--checkpoint", type=Path, default=demo_checkpoint())
    parser.add_argument("--items", type=int, default=250, help="held-out sums per row")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--greedy", action="store_true", help="no sampling (not how it is meant to be run)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    started = time.monotonic()
    reader = Reader(options.checkpoint, greedy=options.greedy)
    rows = [measure(reader, terms, count=options.items, seed=options.seed) for terms in TERMS]
    print(show(rows))
    print(f"{options.items} held-out sums a row, seed {options.seed}, {time.monotonic() - started:.0f} s")
    if options.out:
        figures = {
            "measured_on": datetime.now(UTC).date().isoformat(),
            "seed": options.seed,
            "sampling": "greedy" if options.greedy else "generation_config.json",
            "cells": [asdict(one) for row in rows for one in row],
        }
        options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
