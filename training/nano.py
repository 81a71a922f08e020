"""Train qwen3-nano from a seed: tokenizer, template, weights, and (through nano_gguf.py) the GGUF file.

Everything is made in a temporary folder and moved into place at the end, so a reader never sees half a model.
The tasks are in nano_tasks.py and nano_tool_tasks.py, tokens and examples in nano_examples.py; what the result can do
is measured by benchmarks/nano_thinking.py.

    python -m training.nano --seed 3
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import multiprocessing
from transformers import AutoTokenizer, PreTrainedTokenizerBase, Qwen3Config, Qwen3ForCausalLM

from training.nano_examples import PHASES, SAMPLE, Encoder, Example, batches, load_requests, train_tokenizer
from training.nano_gguf import write_gguf
from training.nano_muon import Muon

OUT = Path(__file__).parents[1] / "qwen_router" / "demo" / "qwen3-nano"

# --- weights ----------------------------------------------------------------------------------------------


def token_id(tokenizer: PreTrainedTokenizerBase, mark: str) -> int:
    """The id of one control token."""
    found = tokenizer.convert_tokens_to_ids(mark)
    assert isinstance(found, int)
    return found


def new_model(tokenizer: PreTrainedTokenizerBase, *, layers: int, width: int, hidden: int) -> Qwen3ForCausalLM:
    """A small Qwen3; every width is a multiple of 32, as q8_0 needs."""
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        bos_token_id=None,
        eos_token_id=token_id(tokenizer, "<|im_end|>"),
        pad_token_id=token_id(tokenizer, "<|endoftext|>"),
    )
    config._attn_implementation = "sdpa"
    model = Qwen3ForCausalLM(config)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            spread = 0.05 if "embed" in name else 1 / math.sqrt(parameter.shape[1])
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                spread /= math.sqrt(2 * layers)
            torch.nn.init.normal_(parameter, std=spread)
    return model


def loss_sum(model: Qwen3ForCausalLM, group: list[Example], pad: int) -> tuple[torch.Tensor, int]:
    """Summed cross-entropy over the learnt tokens, with logits only where they are needed."""
    longest = max(len(one.ids) for one in group)
    ids = torch.full((len(group), longest), pad)
    wanted = torch.zeros((len(group), longest), dtype=torch.bool)
    for row, one in enumerate(group):
        ids[row, : len(one.ids)] = torch.tensor(one.ids)
        wanted[row, : len(one.learnt)] = torch.tensor(one.learnt)
    states = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    mask = wanted[:, 1:]
    logits = model.lm_head(states[mask])
    return torch.nn.functional.cross_entropy(logits, ids[:, 1:][mask], reduction="sum"), int(mask.sum())


def make_optimizers(model: Qwen3ForCausalLM) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embeddings and norms."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    return [
        Muon(matrices, lr=0.02, momentum=0.95, decay=0.01),
        torch.optim.AdamW(others, lr=3e-3, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def schedule(progress: float) -> float:
    """Share of the full learning rate: warm up, hold, fall to zero over the last half."""
    if progress < 0.02:
        return max(progress / 0.02, 0.05)
    return 1.0 if progress < 0.5 else max(0.0, (1.0 - progress) / 0.5) ** 1.0


@dataclass(frozen=True)
class Trained:
    """How a run went."""

    steps: int
    seen_tokens: int
    seconds: float
    loss: float


@dataclass(frozen=True)
class Plan:
    """What every worker needs to know. A run that ends by `steps`, not by `seconds`, repeats exactly."""

    phase: str
    start: Path | None
    seed: int
    steps: int
    seconds: float
    tokens_per_step: int
    workers: int
    layers: int
    width: int
    hidden: int


@dataclass(frozen=True)
class Shared:
    """Memory that the workers share: a row of gradients each, counts, losses, and the progress to go by."""

    gradients: torch.Tensor
    numbers: torch.Tensor
    progress: torch.Tensor
    barrier: Any


def exchange(model: Qwen3ForCausalLM, shared: Shared, rank: int, count: int, total: float) -> tuple[int, float]:
    """Add up the workers' gradients, in the order of their ranks, so all keep identical weights."""
    parameters = list(model.parameters())
    at = 0
    for parameter in parameters:
        assert parameter.grad is not None
        shared.gradients[rank, at : at + parameter.numel()] = parameter.grad.view(-1)
        at += parameter.numel()
    shared.numbers[rank, 0], shared.numbers[rank, 1] = count, total
    shared.barrier.wait()
    counts, totals = shared.numbers.sum(0).tolist()
    mean = shared.gradients.sum(0) / counts
    at = 0
    for parameter in parameters:
        parameter.grad = mean[at : at + parameter.numel()].view_as(parameter).clone()
        at += parameter.numel()
    shared.barrier.wait()
    return int(counts), totals


def train(model: Qwen3ForCausalLM, data: Iterator[list[list[Example]]], plan: Plan, shared: Shared, *, rank: int) -> Trained:
    """Train one worker's replica until the plan's steps or seconds are over."""
    optimizers = make_optimizers(model)
    gentler = 1.0 if plan.start is None else 0.6
    full_rates = [gentler * optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    pad = model.config.pad_token_id or 0
    started, seen, step, recent = time.monotonic(), 0, 0, math.nan
    model.train()
    while True:
        spent = time.monotonic() - started
        if rank == 0:
            shared.progress[0] = max(step / plan.steps, spent / plan.seconds)
        shared.barrier.wait()
        progress = shared.progress.item()
        if progress >= 1:
            return Trained(step, seen, spent, recent)
        for optimizer, rate in zip(optimizers, full_rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * schedule(progress)
            optimizer.zero_grad(set_to_none=True)
        count, total = 0, 0.0
        for group in next(data):
            loss, learnt = loss_sum(model, group, pad)
            loss.backward()  # type: ignore[no-untyped-call]  # nor is torch
            count, total = count + learnt, total + loss.item()
            seen += sum(len(one.ids) for one in group)
        counts, totals = exchange(model, shared, rank, count, total)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        recent = totals / counts if math.isnan(recent) else 0.95 * recent + 0.05 * totals / counts
        step += 1
        if rank == 0 and step % 50 == 0:
            print(f"step {step} loss {recent:.4f} {progress:.0%} {spent:.0f} s", file=sys.stderr, flush=True)


def worker(rank: int, plan: Plan, shared: Shared, tokenizer: PreTrainedTokenizerBase, made: Path) -> None:
    """One process, one thread: on shared cores this loses far less time than two threads in one process."""
    torch.set_num_threads(1)
    torch.manual_seed(plan.seed)
    model = new_model(tokenizer, layers=plan.layers, width=plan.width, hidden=plan.hidden)
    if plan.start is not None:
        model.load_state_dict(Qwen3ForCausalLM.from_pretrained(plan.start, dtype=torch.float32).state_dict())
    data = batches(
        Encoder(tokenizer),
        load_requests(SAMPLE),
        phase=plan.phase,
        seed=plan.seed * 1000 + 100 * list(PHASES).index(plan.phase) + rank,
        tokens_per_batch=plan.tokens_per_step // plan.workers,
        parts=3,
    )
    trained = train(model, data, plan, shared, rank=rank)
    if rank == 0:
        print(f"{trained} on each of {plan.workers} workers", file=sys.stderr)
        save(model, tokenizer, made)


# --- files ------------------------------------------------------------------------------------------------


def save(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write the checkpoint in transformers' layout, then its GGUF twin."""
    model.config.dtype = torch.bfloat16
    model.generation_config.update(  # type: ignore[no-untyped-call]  # transformers is not fully typed
        do_sample=True,
        temperature=0.3,
        top_p=0.95,
        top_k=20,
        eos_token_id=[token_id(tokenizer, mark) for mark in ("<|im_end|>", "<|endoftext|>")],
        pad_token_id=token_id(tokenizer, "<|endoftext|>"),
    )
    model.generation_config._from_model_config = False
    model.bfloat16().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_gguf(folder, folder / "qwen3-nano-q8_0.gguf")


def put_in_place(made: Path, out: Path) -> None:
    """Move each file over its predecessor in one step; a model card that is there stays."""
    out.mkdir(parents=True, exist_ok=True)
    for file in sorted(made.iterdir()):
        beside = out / f".{file.name}.new"
        shutil.copyfile(file, beside)
        os.replace(beside, out / file.name)


def run(plan: Plan, out: Path) -> None:
    """Make or load the tokenizer, let the workers train, put the files in place."""
    torch.set_num_threads(1)
    if plan.start is None:
        tokenizer = train_tokenizer(plan.seed, load_requests(SAMPLE))
    else:
        tokenizer = AutoTokenizer.from_pretrained(plan.start)
    size = new_model(tokenizer, layers=plan.layers, width=plan.width, hidden=plan.hidden).num_parameters()
    print(f"{size:,} parameters, {len(tokenizer)} tokens", file=sys.stderr)
    shared = Shared(
        gradients=torch.zeros(plan.workers, size).share_memory_(),  # type: ignore[no-untyped-call]
        numbers=torch.zeros(plan.workers, 2, dtype=torch.float64).share_memory_(),  # type: ignore[no-untyped-call]
        progress=torch.zeros(1).share_memory_(),  # type: ignore[no-untyped-call]
        barrier=multiprocessing.get_context("spawn").Barrier(plan.workers),
    )
    with tempfile.TemporaryDirectory() as made:
        multiprocessing.spawn(worker, (plan, shared, tokenizer, Path(made)), nprocs=plan.workers)  # type: ignore[attr-defined, no-untyped-call]
        put_in_place(Path(made), out)
    print(f"written to {out}", file=sys.stderr)


def main() -> None:
    """Train and write the checkpoint."""
    parser = argparse.ArgumentParser(description="Train the demonstration checkpoint qwen3-nano.")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--phase", choices=("both", *PHASES), default="both", help="second: go on from what --out holds")
    parser.add_argument("--steps", type=int, nargs=2, default=(700, 800), metavar=("FIRST", "SECOND"), help="of each phase")
    parser.add_argument(
        "--minutes", type=float, nargs=2, default=(30.0, 30.0), help="cut a phase short, and repeatability too"
    )
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--tokens-per-step", type=int, default=4096)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    for phase, steps, minutes in zip(PHASES, chosen.steps, chosen.minutes, strict=True):
        if chosen.phase in ("both", phase):
            plan = Plan(
                phase=phase,
                start=None if phase == "first" else chosen.out,
                seed=chosen.seed,
                steps=steps,
                seconds=minutes * 60,
                tokens_per_step=chosen.tokens_per_step,
                workers=chosen.workers,
                layers=chosen.layers,
                width=chosen.width,
                hidden=chosen.hidden,
            )
            run(plan, chosen.out)


if __name__ == "__main__":
    main()
