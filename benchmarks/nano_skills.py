"""What else qwen3-nano can do: fresh conversations of every task, right when the whole answer is the expected one.

The conversations come from the generators of training under another seed; except for sums nothing is held out by
construction, so a small task (greetings) repeats what training showed. Held-out sums and thinking budgets:
benchmarks/nano_thinking.py.

    python -m benchmarks.nano_skills --items 100
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.nano_thinking import Reader
from qwen_router.demo import demo_checkpoint
from training import nano_tasks as tasks
from training import nano_tool_tasks as tool_tasks
from training.nano_examples import SAMPLE, Encoder, load_requests


def share_right(reader: Reader, make: Callable[[], tasks.Conversation], *, items: int, thinking: bool, last: bool) -> float:
    """Share of conversations whose first answer (with `last`, the one after the tool's result) is as expected."""
    encoder = Encoder(reader.tokenizer)
    prompts: list[list[int]] = []
    wanted: list[str] = []
    while len(prompts) < items:
        conversation = make()
        answers = [at for at, message in enumerate(conversation.messages) if message["role"] == "assistant"]
        if last and len(answers) < 2:
            continue
        messages = list(conversation.messages)
        if not thinking:
            messages = [m | {"reasoning_content": ""} if m["role"] == "assistant" else m for m in messages]
        conversation = tasks.Conversation(conversation.kind, tuple(messages), conversation.tools)
        at = answers[-1 if last else 0]
        prompts.append(encoder.ids(encoder.prompt(conversation, at, thinking=thinking)))
        wanted.append(encoder.text(messages[at], thinking=False))
    replies: list[list[int]] = []
    for start in range(0, items, 50):
        replies += reader.complete(prompts[start : start + 50], max_tokens=140)
    said = [str(reader.tokenizer.decode(reply)).split("</think>\n\n")[-1] for reply in replies]
    return sum(one == other for one, other in zip(said, wanted, strict=True)) / items


def main() -> None:
    """Measure and print one row a task."""
    parser = argparse.ArgumentParser(description="Share of right answers of qwen3-nano, task by task.")
    parser.add_argument("--checkpoint", type=Path, default=demo_checkpoint())
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    reader, rng, requests = Reader(options.checkpoint, greedy=False), random.Random(options.seed), load_requests(SAMPLE)
    makers: dict[str, Callable[[], tasks.Conversation]] = {
        "sums, all kinds": lambda: tasks.any_sum(rng),
        "differences": lambda: tasks.difference(rng),
        "products to 12 x 12": lambda: tasks.product(rng),
        "units, no tool": lambda: tasks.unit_question(rng),
        "greetings": lambda: tasks.greeting(rng),
        "declining": lambda: tasks.refusal(rng, requests),
        "tool call": lambda: tool_tasks.tool_conversation(rng),
        "tool result read back": lambda: tool_tasks.tool_conversation(rng),
        "tools listed, none needed": lambda: tool_tasks.tools_not_needed(rng, requests),
    }
    print("| task | thinking | no thinking |\n|---|---|---|")
    figures: dict[str, tuple[float, float]] = {}
    for name, make in makers.items():
        last = "read back" in name
        on, off = (share_right(reader, make, items=options.items, thinking=mode, last=last) for mode in (True, False))
        figures[name] = (on, off)
        print(f"| {name} | {100 * on:.0f} % | {100 * off:.0f} % |", flush=True)
    if options.out:
        options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
