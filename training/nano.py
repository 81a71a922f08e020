"""Train qwen3-nano from a seed: tokenizer, template, weights, and (through nano_gguf.py) the GGUF file.

Everything is made in a temporary folder and moved into place at the end, so a reader never sees half a model.
The tasks are in nano_tasks.py and nano_tool_tasks.py; what the result can do is measured by
benchmarks/nano_thinking.py.

    python -m training.nano --seed 3
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM

from training import nano_tasks as tasks
from training import nano_tool_tasks as tool_tasks
from training.nano_gguf import write_gguf
from training.nano_muon import Muon

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "tests" / "data" / "requests_sample.jsonl"
TEMPLATE = Path(__file__).with_name("nano_template.jinja")
OUT = ROOT / "qwen_router" / "demo" / "qwen3-nano"

# The pattern of Qwen's tokenizers (digits single), as published in Qwen's tokenizer.json (Apache-2.0).
QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
ADDED = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")
MERGED_VOCABULARY = 2048 - len(SPECIAL) - len(ADDED)

# Word for word what the engines append when a thinking budget is spent (Qwen's documentation; shared facts).
EARLY_STOP = (
    "\n\nConsidering the limited time by the user, I have to give the solution based on the thinking directly now."
    "\n</think>\n\n"
)
MAX_TOKENS = 640


# --- conversations ----------------------------------------------------------------------------------------


def load_requests(path: Path) -> tuple[str, ...]:
    """Short MIT and Apache-2.0 requests of the sample: examples of what the model must decline."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return tuple(
        row["text"]
        for row in rows
        if row["licence"] in ("MIT", "Apache-2.0") and len(row["text"]) <= 220 and row["language"] in ("en", "zh")
    )


def draw(rng: random.Random, requests: tuple[str, ...]) -> tasks.Conversation:
    """One conversation of the mixture; two thirds of them are sums."""
    form = rng.random()
    if form < 0.66:
        chosen = tasks.any_sum(rng)
    elif form < 0.72:
        chosen = tasks.difference(rng)
    elif form < 0.75:
        chosen = tasks.product(rng)
    elif form < 0.80:
        chosen = tasks.unit_question(rng)
    elif form < 0.84:
        chosen = tasks.greeting(rng)
    elif form < 0.91:
        chosen = tasks.refusal(rng, requests)
    elif form < 0.99:
        chosen = tool_tasks.tool_conversation(rng)
    else:
        chosen = tool_tasks.tools_not_needed(rng, requests)
    return tasks.with_context(rng, chosen, lambda: rng.choice((tasks.any_sum, tasks.greeting))(rng))


# --- tokenizer --------------------------------------------------------------------------------------------


def train_tokenizer(seed: int, requests: tuple[str, ...]) -> PreTrainedTokenizerBase:
    """A byte-level BPE in Qwen's manner: NFC, Qwen's pattern, all 256 bytes, so every text has tokens."""
    rng = random.Random(seed)
    texts: list[str] = list(requests) + [tasks.IDENTITY_ZH, tasks.REFUSAL_ZH, EARLY_STOP] * 20
    for _ in range(6000):
        conversation = draw(rng, requests)
        texts += [tool_text(tool) for tool in conversation.tools]
        for message in conversation.messages:
            texts += [message["content"], message.get("reasoning_content", "")]
            texts += [json.dumps(call["function"]) for call in message.get("tool_calls", ())]
    core = Tokenizer(models.BPE())
    core.normalizer = normalizers.NFC()
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_PATTERN), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=MERGED_VOCABULARY, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    core.train_from_iterator(texts + [TEMPLATE.read_text(encoding="utf-8")], trainer)
    learnt = json.loads(core.to_str())["model"]
    tokenizer = Qwen2Tokenizer(
        vocab=learnt["vocab"],
        merges=[tuple(pair) for pair in learnt["merges"]],
        unk_token=None,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=2048,
        clean_up_tokenization_spaces=False,
        additional_special_tokens=["<|im_start|>"],
    )
    tokenizer.add_tokens([AddedToken(mark, special=True, normalized=False) for mark in SPECIAL])
    tokenizer.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in ADDED])
    tokenizer.chat_template = TEMPLATE.read_text(encoding="utf-8")
    return tokenizer


def tool_text(tool: dict[str, Any]) -> str:
    """A tool as the template writes it."""
    return json.dumps(tool, ensure_ascii=False)


# --- examples ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Example:
    """Token ids, and for each whether the model must learn to say it."""

    ids: tuple[int, ...]
    learnt: tuple[bool, ...]


class Encoder:
    """Turns conversations into examples with thinking on, off, or cut."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self.template = tokenizer.chat_template

    def prompt(self, conversation: tasks.Conversation, upto: int, *, thinking: bool) -> str:
        """The rendered prompt before the assistant message at `upto`."""
        return str(
            self.tokenizer.apply_chat_template(
                list(conversation.messages[:upto]),
                tools=list(conversation.tools) or None,
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=thinking,
            )
        )

    def ids(self, text: str) -> list[int]:
        """Token ids of rendered text, control tokens included."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def encode(self, conversation: tasks.Conversation, rng: random.Random) -> Example:
        """Choose a mode and encode; the answers after the last question are learnt."""
        if conversation.cuttable:
            mode = rng.choices(("on", "off", "cut"), (0.66, 0.10, 0.24))[0]
        else:
            mode = rng.choices(("on", "off"), (0.6, 0.4))[0]
        thinking = mode != "off"
        messages = conversation.messages
        asked = max(at for at, message in enumerate(messages) if message["role"] == "user")
        ids: list[int] = []
        learnt: list[bool] = []
        rendered = ""
        for at in range(asked + 1, len(messages)):
            if messages[at]["role"] != "assistant":
                continue
            if not thinking:
                messages = (*messages[:at], messages[at] | {"reasoning_content": ""}, *messages[at + 1 :])
            conversation = tasks.Conversation(conversation.kind, messages, conversation.tools)
            prompt = self.prompt(conversation, at, thinking=thinking)
            if not prompt.startswith(rendered):
                raise RuntimeError("the chat template changed text that it had rendered before")
            between = self.ids(prompt[len(rendered) :])
            said, wanted = self.reply(messages[at], mode, rng)
            ids += between + said
            learnt += [False] * len(between) + wanted
            rendered = prompt + self.text(messages[at], thinking=thinking)
        return Example(tuple(ids[:MAX_TOKENS]), tuple(learnt[:MAX_TOKENS]))

    def text(self, message: tasks.Message, *, thinking: bool) -> str:
        """What the model should write for this message, to the end of its turn."""
        thought = f"<think>\n{message['reasoning_content']}\n</think>\n\n" if thinking else ""
        calls = []
        for call in message.get("tool_calls", ()):
            arguments = json.dumps(call["function"]["arguments"], ensure_ascii=False)
            name = call["function"]["name"]
            calls.append(f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>')
        return thought + message["content"] + "\n".join(calls) + "<|im_end|>"

    def reply(self, message: tasks.Message, mode: str, rng: random.Random) -> tuple[list[int], list[bool]]:
        """Ids of the reply; a cut thought is followed by the early-stop text, which is given, not learnt."""
        if mode != "cut":
            said = self.ids(self.text(message, thinking=mode == "on"))
            return said, [True] * len(said)
        thought = self.ids(f"<think>\n{message['reasoning_content']}")
        kept = thought[: rng.randint(1, len(thought))]
        answer = self.ids(message["content"] + "<|im_end|>")
        if rng.random() < 0.5:  # engines continue with ids, or with text that is tokenised anew
            given = self.ids(EARLY_STOP)
        else:
            ending = EARLY_STOP if rng.random() < 0.5 else EARLY_STOP.rstrip("\n")
            if ending is not EARLY_STOP:  # llama.cpp's server leaves the blank line to the model
                answer = self.ids("\n\n" + message["content"] + "<|im_end|>")
            both = self.ids(self.tokenizer.decode(kept) + ending)
            shared = 0
            while shared < len(kept) and both[shared] == kept[shared]:
                shared += 1
            kept, given = both[:shared], both[shared:]
        return kept + given + answer, [True] * len(kept) + [False] * len(given) + [True] * len(answer)


def batches(
    encoder: Encoder, requests: tuple[str, ...], *, seed: int, tokens_per_batch: int, parts: int
) -> Iterator[list[list[Example]]]:
    """Endless training steps; each is cut by length into `parts` so that little is padded."""
    rng = random.Random(seed)
    while True:
        drawn, total = [], 0
        while total < tokens_per_batch:
            example = encoder.encode(draw(rng, requests), rng)
            drawn.append(example)
            total += len(example.ids)
        drawn.sort(key=lambda one: len(one.ids))
        groups: list[list[Example]] = [[]]
        for example in drawn:
            width = len(example.ids)
            if groups[-1] and width * (len(groups[-1]) + 1) > total / parts * 1.15:
                groups.append([])
            groups[-1].append(example)
        yield groups


# --- weights ----------------------------------------------------------------------------------------------


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
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
        pad_token_id=tokenizer.convert_tokens_to_ids("<|endoftext|>"),
        attn_implementation="sdpa",
    )
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


def train(
    model: Qwen3ForCausalLM, data: Iterator[list[list[Example]]], plan: Plan, shared: Shared, *, rank: int
) -> Trained:
    """Train one worker's replica until the plan's steps or seconds are over."""
    optimizers = make_optimizers(model)
    full_rates = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    pad = int(model.config.pad_token_id)
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
            loss.backward()
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
    data = batches(
        Encoder(tokenizer),
        load_requests(SAMPLE),
        seed=plan.seed * 1000 + rank,
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
    model.generation_config.update(
        do_sample=True,
        temperature=0.3,
        top_p=0.95,
        top_k=20,
        eos_token_id=[tokenizer.convert_tokens_to_ids(mark) for mark in ("<|im_end|>", "<|endoftext|>")],
        pad_token_id=tokenizer.convert_tokens_to_ids("<|endoftext|>"),
    )
    model.to(torch.bfloat16).save_pretrained(folder)
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
    """Make the tokenizer, let the workers train, put the files in place."""
    torch.set_num_threads(1)
    tokenizer = train_tokenizer(plan.seed, load_requests(SAMPLE))
    size = new_model(tokenizer, layers=plan.layers, width=plan.width, hidden=plan.hidden).num_parameters()
    print(f"{size:,} parameters, {len(tokenizer)} tokens", file=sys.stderr)
    shared = Shared(
        gradients=torch.zeros(plan.workers, size).share_memory_(),
        numbers=torch.zeros(plan.workers, 2, dtype=torch.float64).share_memory_(),
        progress=torch.zeros(1).share_memory_(),
        barrier=torch.multiprocessing.get_context("spawn").Barrier(plan.workers),
    )
    with tempfile.TemporaryDirectory() as made:
        torch.multiprocessing.spawn(worker, (plan, shared, tokenizer, Path(made)), nprocs=plan.workers)
        put_in_place(Path(made), out)
    print(f"written to {out}", file=sys.stderr)


def main() -> None:
    """Train and write the checkpoint."""
    parser = argparse.ArgumentParser(description="Train the demonstration checkpoint qwen3-nano.")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=39.0, help="finish within this time, at the cost of repeatability")
    parser.add_argument("--steps", type=int, default=1300, help="training steps")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--tokens-per-step", type=int, default=4096)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    plan = Plan(
        seed=chosen.seed,
        steps=chosen.steps,
        seconds=chosen.minutes * 60,
        tokens_per_step=chosen.tokens_per_step,
        workers=chosen.workers,
        layers=chosen.layers,
        width=chosen.width,
        hidden=chosen.hidden,
    )
    run(plan, chosen.out)


if __name__ == "__main__":
    main()
