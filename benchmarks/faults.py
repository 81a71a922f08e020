"""2,000 requests, three in ten of them hit by a fault of the first endpoint, a healthy second one beside it.

Counts what callers get (an answer or one named error, within the deadline) and what the servers were made to do: no request
may be answered twice, and none asked again once its caller has heard text. Both servers and the router share one process, so
the figures say nothing about speed. One run is without the circuit breaker: every request goes to the faulty endpoint first.
The other is with it.

    python benchmarks/faults.py --out faults.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from qwen_router import Router  # noqa: E402  (the script runs from anywhere)
from qwen_router.engines.base import Text  # noqa: E402
from qwen_router.engines.breaker import Breakers, Place  # noqa: E402
from qwen_router.engines.openai import OpenAIEngine  # noqa: E402
from qwen_router.errors import EngineError  # noqa: E402
from qwen_router.hardware import Device, Machine  # noqa: E402
from qwen_router.settings import Settings  # noqa: E402
from tests.servers.faulty import ENDS, NO_ANSWER, STATUSES, fault, make_faulty  # noqa: E402
from tests.servers.loopback import Answer, Asked  # noqa: E402
from tests.servers.openai_server import openai_server  # noqa: E402
from tests.servers.script import Say  # noqa: E402

REQUESTS, AT_ONCE, SHARE_HIT = 2000, 32, 0.3
DEADLINE_S, SILENCE_S = 10.0, 1.0
SLACK_S = 0.25
"""A busy loop may notice a deadline so much later."""
MACHINE = Machine("roomy", (Device("cpu", "cpu", "a CPU", 262144, 250000, 200.0, 4.0),), 32, "test")
BIG, SMALL = "Qwen3-8B-Q4_K_M.gguf", "Qwen3-1.7B-Q4_K_M.gguf"


class Never(Breakers):
    """No endpoint is ever left alone."""

    def resting(self, *, paused: bool = True) -> tuple[tuple[str, str, str], ...]:
        return ()

    def enter(self, place: Place) -> None:
        """Everybody may."""


@dataclass
class Seen:
    """What the servers did for each request, in order: the fault's name, `said` when text went out first, or `whole`."""

    rng: random.Random
    kinds: dict[int, str] = field(default_factory=dict)
    did: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))

    def inject(self, asked: Asked) -> Answer | None:
        number = number_of(asked.body)
        kind = self.kinds.get(number)
        if kind is None or self.did[number]:  # only the first time that it is asked
            return None
        if kind == "429 with Retry-After":
            self.did[number].append(kind)
            return Answer(status=429, body=(b"slow down",), headers={"retry-after": "1"})
        kind, _, text = kind.partition(" after ")
        self.did[number].append("said" if text else kind)
        return fault(kind, asked, after=text)

    def whole(self, body: dict[str, Any]) -> Say:
        number = number_of(body)
        self.did[number].append("whole")
        return Say(content=answer_to(number), chunk_chars=8)


def number_of(body: dict[str, Any]) -> int:
    return int(re.findall(r"number (\d+)", body["messages"][-1]["content"])[0])


def answer_to(number: int) -> str:
    return f"This is the answer to {number}."


def hits(rng: random.Random, count: int) -> dict[int, str]:
    """Which requests are hit by what: every kind alike often, those that can come after text both before and after it."""
    kinds = [*NO_ANSWER, *ENDS, *STATUSES, "429 with Retry-After", *(f"{kind} after This is" for kind in ENDS)]
    chosen = rng.sample(range(count), round(count * SHARE_HIT))
    return {number: kinds[position % len(kinds)] for position, number in enumerate(chosen)}


async def run(count: int, breakers: Breakers) -> dict[str, Any]:
    seen = Seen(random.Random(7))
    seen.kinds = hits(seen.rng, count)
    settings = Settings(policy="quality", timeout_s=SILENCE_S, first_s=SILENCE_S, deadline_s=DEADLINE_S, decision_log=None)
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    longest_s = 0.0
    with openai_server(seen.whole, models=(BIG,)) as first, openai_server(seen.whole, models=(SMALL,)) as second:
        make_faulty(first, seen.inject)
        router = Router(engines=[OpenAIEngine(first.url), OpenAIEngine(second.url)], machine=MACHINE, settings=settings)
        router.breakers = breakers
        places = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            nonlocal longest_s
            async with places:
                started, heard = time.monotonic(), ""
                question = {"messages": [{"role": "user", "content": f"Say number {number}."}], "think": False}
                try:
                    stream = await router.astream(question)
                    async for event in stream:
                        heard += event.text if isinstance(event, Text) else ""
                    outcome = "answer after a fallback" if stream.failed else "answer"
                    if heard != answer_to(number):
                        wrong.append(f"{number}: heard {heard!r}")
                except EngineError as error:
                    outcome = f"{type(error).__name__.lstrip('_')} {'after text' if error.partial else 'before text'}"
                    if error.partial is not None and error.partial.answer != heard:
                        wrong.append(f"{number}: partial differs from what was heard")
                took_s = time.monotonic() - started
                longest_s = max(longest_s, took_s)
                outcomes[outcome] += 1
                if took_s > DEADLINE_S + SLACK_S:
                    wrong.append(f"{number}: took {took_s:.1f} s")

        await asyncio.gather(*(one(number) for number in range(count)))
        await asyncio.to_thread(router.close)
    twice = [number for number, did in seen.did.items() if did.count("whole") > 1 or "said" in did[:-1]]
    hit = sum(did[0] != "whole" for did in seen.did.values())
    return {
        "requests": count,
        "hit": hit,
        "outcomes": dict(outcomes.most_common()),
        "ended": sum(outcomes.values()),
        "twice": len(twice),
        "wrong": wrong[:20],
        "longest_s": round(longest_s, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--out", type=Path, help="write the figures here, as JSON")
    options = parser.parse_args()
    results = {}
    for name, breakers in (("without breaker", Never()), ("with breaker", Breakers())):
        results[name] = asyncio.run(run(options.requests, breakers))
        print(name, json.dumps(results[name], indent=1))
    if options.out:
        options.out.write_text(json.dumps(results, indent=1) + "\n")
    bad = any(r["ended"] != r["requests"] or r["twice"] or r["wrong"] for r in results.values())
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
