"""What reading a stream costs: the thinking parser alone, and all that stands between a chunk and the events of a caller.

The issue on engines allows 5 microseconds a chunk. Beside them, in the same run, `json.loads` of the event that carried the
chunk, which every client pays. Rounds alternate, the best of each counts.

    python -m benchmarks.parser
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from qwen_router.catalog.types import Sampling
from qwen_router.engines.assemble import ReplyAssembler
from qwen_router.engines.base import Call, ThinkingPlan
from qwen_router.engines.thinking import ThinkingParser
from qwen_router.request import Message

CHUNKS = ["<think>", *["word "] * 10_000, "</think>", *["word ", "a < b ", "`x`\n", "1. "] * 2_500]
EVENT = json.dumps({"id": "x", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "word "}}]})
ROUNDS = 7


def parser() -> None:
    made = ThinkingParser()
    for chunk in CHUNKS:
        made.feed(chunk)
    made.finish()


def assembler() -> None:
    call = Call("m", (Message("user", "?"),), ThinkingPlan(True), "toggle", Sampling(), 64, 1024)
    made = ReplyAssembler(call)
    for chunk in CHUNKS:
        for _ in made.feed(content=chunk):
            pass
    for _ in made.finish():
        pass


def reading_json() -> None:
    for _ in CHUNKS:
        json.loads(EVENT)


def main() -> None:
    parts: dict[str, Callable[[], None]] = {
        "json.loads": reading_json,
        "ThinkingParser": parser,
        "ReplyAssembler": assembler,
    }
    best = dict.fromkeys(parts, float("inf"))
    for _ in range(ROUNDS):
        for name, part in parts.items():
            started = time.process_time()
            part()
            best[name] = min(best[name], (time.process_time() - started) / len(CHUNKS) * 1e6)
    print("| part | us a chunk | of json.loads |\n|---|---|---|")
    for name, took in best.items():
        print(f"| {name} | {took:.2f} | {took / best['json.loads']:.2f} |")


if __name__ == "__main__":
    main()
