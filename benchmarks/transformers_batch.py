"""Measures what the transformers engine's batch gives: calls at once against the same calls one after the other.

Both are timed in one run, on one engine, in turns, the best round of each counts: other work on the machine only ever slows
a run down. Tokens/s are of whole calls, prompts included. Besides, for the choice of defaults: attention, threads, a static
cache and `torch.compile`, each as the time of one step of decoding and of one prompt.

    python benchmarks/transformers_batch.py                      # qwen3-nano
    python benchmarks/transformers_batch.py FOLDER --answers 16 --rounds 1 --no-compile
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwen_router.catalog.types import Sampling
from qwen_router.demo import demo_checkpoint
from qwen_router.engines.base import Call, Done, Text, ThinkingPlan
from qwen_router.engines.batch_cache import new_cache
from qwen_router.engines.checkpoint_folder import Checkpoint
from qwen_router.engines.residence import threads_for, usable_cores
from qwen_router.engines.torch_load import LoadOptions, load
from qwen_router.engines.transformers import TransformersEngine
from qwen_router.request import Message


def _calls(model: str, count: int, answer_tokens: int) -> list[Call]:
    """Prompts of different lengths, greedy, thinking off."""
    topics = ("the sea", "an old clock", "rain on a roof", "a fox", "the moon", "bread", "a long train", "winter")
    return [
        Call(
            model=model,
            messages=(Message("user", f"Write poem {i} about {topics[i % 8]}. " * (1 + i % 3)),),
            thinking=ThinkingPlan(False),
            behaviour="toggle",
            sampling=Sampling(temperature=0),
            max_answer_tokens=answer_tokens,
            context_tokens=1024,
            timeout_s=600.0,
            seed=1,
        )
        for i in range(count)
    ]


def batched_against_sequential(folder: Path, dtype: str, *, at_once: int, answer_tokens: int, rounds: int) -> None:
    """Print tokens/s of both ways, their ratio, and how many answers are the same token for token."""
    engine = TransformersEngine((folder,), options=LoadOptions(dtype=dtype), max_batch=at_once)
    calls = _calls(folder.name, at_once, answer_tokens)

    def said(call: Call) -> tuple[str, int]:
        *events, done = engine.stream(call)
        assert isinstance(done, Done) and done.usage.answer_tokens
        return "".join(e.text for e in events if isinstance(e, Text)), done.usage.answer_tokens

    def in_turn() -> list[tuple[str, int]]:
        return [said(call) for call in calls]

    def together() -> list[tuple[str, int]]:
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(said, calls))

    said(calls[0])  # loads
    speeds: dict[str, list[float]] = {"in turn": [], "together": []}
    same = 0
    for _ in range(rounds):
        answers = {}
        for name, way in (("in turn", in_turn), ("together", together)):
            started = time.perf_counter()
            answers[name] = way()
            speeds[name].append(sum(n for _, n in answers[name]) / (time.perf_counter() - started))
        same = sum(a == b for a, b in zip(answers["in turn"], answers["together"], strict=True))
    best = {name: max(values) for name, values in speeds.items()}
    ratios = [b / a for a, b in zip(speeds["in turn"], speeds["together"], strict=True)]
    print(
        f"{folder.name} {dtype}: {at_once} calls in turn {best['in turn']:.1f} tokens/s, together {best['together']:.1f}: "
        f"{best['together'] / best['in turn']:.2f} x (rounds {min(ratios):.2f} to {max(ratios):.2f}); "
        f"{same} of {at_once} answers the same",
        flush=True,
    )
    engine.close()


@dataclass(frozen=True)
class _Bench:
    """One loaded model, timed pass by pass."""

    model: Any
    steps: int

    def times_ms(self, cache: Any, *, rows: int, prompt_tokens: int) -> tuple[float, float]:
        """Reading a prompt in chunks of 512, and the best step behind it."""
        prompt_ms = sum(self._pass_ms(cache, rows, n) for n in _chunks(prompt_tokens))
        return prompt_ms, min(self._pass_ms(cache, rows, 1) for _ in range(self.steps))

    def _pass_ms(self, cache: Any, rows: int, tokens: int) -> float:
        import torch

        ids = torch.zeros(rows, tokens, dtype=torch.long)
        started = time.perf_counter()
        with torch.inference_mode():
            self.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return (time.perf_counter() - started) * 1000


def _chunks(tokens: int) -> Iterator[int]:
    for start in range(0, tokens, 512):
        yield min(512, tokens - start)


def defaults(folder: Path, dtype: str, *, steps: int, repeats: int, compiled: bool) -> None:
    """Print step and prompt times by attention, threads and cache, and with `torch.compile`."""
    import torch
    from transformers import StaticCache

    checkpoint = Checkpoint.at(folder)
    assert checkpoint is not None
    model, _ = load(checkpoint, LoadOptions(dtype=dtype))
    weights_mib = sum(p.numel() * p.element_size() for p in model.parameters()) / 1024**2
    print(f"{folder.name} {dtype}: {weights_mib:.0f} MiB, threads chosen {threads_for(weights_mib, cores=usable_cores())}")

    def growing() -> Any:
        return new_cache(model)

    def static() -> Any:
        return StaticCache(config=model.config, max_cache_len=1024)

    def measure(name: str, make: Callable[[], Any]) -> None:
        for rows, prompt in ((1, 64), (1, 768), (8, 64)):
            bench = _Bench(model, steps)
            found = [bench.times_ms(make(), rows=rows, prompt_tokens=prompt) for _ in range(repeats)]
            prompt_ms, step_ms = (min(values) for values in zip(*found, strict=True))
            median_ms = statistics.median(step for _, step in found)
            print(
                f"  {name:34} {rows} x {prompt:4}: prompt {prompt_ms:8.1f} ms, step {step_ms:7.2f} ms ({median_ms:.2f})",
                flush=True,
            )

    for threads in sorted({1, usable_cores()}):
        torch.set_num_threads(threads)
        for attention in ("sdpa", "eager"):
            model.set_attn_implementation(attention)
            measure(f"{attention}, threads {threads}", growing)
    model.set_attn_implementation("sdpa")
    torch.set_num_threads(threads_for(weights_mib, cores=usable_cores()))
    measure("sdpa, chosen threads, static cache", static)
    if compiled:
        model.forward = torch.compile(model.forward)
        for rows in (1, 8):
            started = time.perf_counter()
            _Bench(model, 3).times_ms(static(), rows=rows, prompt_tokens=64)
            first_s = time.perf_counter() - started
            _, step_ms = _Bench(model, steps).times_ms(static(), rows=rows, prompt_tokens=64)
            print(
                f"  compiled, static cache, {rows} rows: step {step_ms:.2f} ms after {first_s:.0f} s of compiling",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path, default=demo_checkpoint())
    parser.add_argument("--dtype", nargs="+", default=["bfloat16", "float32"])
    parser.add_argument("--at-once", nargs="+", type=int, default=[2, 4, 8, 16])
    parser.add_argument("--answers", type=int, default=48, help="tokens of each answer at most")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--no-defaults", action="store_true", help="only the batch")
    parser.add_argument("--no-compile", action="store_true")
    asked = parser.parse_args()
    for dtype in asked.dtype:
        for at_once in asked.at_once:
            batched_against_sequential(
                asked.folder, dtype, at_once=at_once, answer_tokens=asked.answers, rounds=asked.rounds
            )
        if not asked.no_defaults:
            defaults(asked.folder, dtype, steps=asked.steps, repeats=asked.rounds, compiled=not asked.no_compile)


if __name__ == "__main__":
    main()
