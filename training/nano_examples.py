"""From conversations to training examples: the mixture, the tokenizer, and token ids with what must be learnt.

The conversations come from nano_tasks.py and nano_tool_tasks.py; the weights are trained in nano.py.

    python -m training.nano_examples
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, Qwen2Tokenizer

from training import nano_tasks as tasks
from training import nano_tool_tasks as tool_tasks

SAMPLE = Path(__file__).parents[1] / "tests" / "data" / "requests_sample.jsonl"
TEMPLATE = Path(__file__).with_name("nano_template.jinja")

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


# --- the mixture ------------------------------------------------------------------------------------------


def load_requests(path: Path) -> tuple[str, ...]:
    """Short MIT and Apache-2.0 requests of the sample: examples of what the model must decline."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return tuple(
        row["text"]
        for row in rows
        if row["licence"] in ("MIT", "Apache-2.0") and len(row["text"]) <= 220 and row["language"] in ("en", "zh")
    )


PHASES: dict[str, dict[str, float]] = {
    "first": {"sum": 68, "difference": 5.5, "product": 2.5, "units": 4, "greeting": 4, "refusal": 8, "tool": 7, "spared": 1},
    "second": {"sum": 33, "difference": 13, "product": 8, "units": 8, "greeting": 3, "refusal": 5, "tool": 25, "spared": 5},
}
"""How often each task is drawn. The first phase learns to copy, to add and to work in steps; the second broadens."""


def draw(rng: random.Random, requests: tuple[str, ...], *, phase: str) -> tasks.Conversation:
    """One conversation of the phase's mixture."""
    shares = PHASES[phase]
    makers: dict[str, Callable[[], tasks.Conversation]] = {
        "sum": lambda: tasks.any_sum(rng),
        "difference": lambda: tasks.difference(rng),
        "product": lambda: tasks.product(rng),
        "units": lambda: tasks.unit_question(rng),
        "greeting": lambda: tasks.greeting(rng),
        "refusal": lambda: tasks.refusal(rng, requests),
        "tool": lambda: tool_tasks.tool_conversation(rng),
        "spared": lambda: tool_tasks.tools_not_needed(rng, requests),
    }
    chosen = makers[rng.choices(list(shares), list(shares.values()))[0]]()
    return tasks.with_context(rng, chosen, lambda: rng.choice((tasks.any_sum, tasks.greeting))(rng))


# --- tokenizer --------------------------------------------------------------------------------------------


def train_tokenizer(seed: int, requests: tuple[str, ...]) -> PreTrainedTokenizerBase:
    """A byte-level BPE in Qwen's manner: NFC, Qwen's pattern, all 256 bytes, so every text has tokens."""
    rng = random.Random(seed)
    texts: list[str] = list(requests) + [tasks.IDENTITY_ZH, tasks.REFUSAL_ZH, EARLY_STOP] * 20
    for _ in range(6000):
        conversation = draw(rng, requests, phase="first")
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
    core.train_from_iterator([*texts, TEMPLATE.read_text(encoding="utf-8")], trainer)
    learnt = json.loads(core.to_str())["model"]
    tokenizer = Qwen2Tokenizer(
        vocab=learnt["vocab"],
        merges=[tuple(pair) for pair in learnt["merges"]],  # type: ignore[misc]  # pairs are right
        unk_token=None,  # type: ignore[arg-type]  # every byte has a token
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
            short = "\n" not in str(conversation.messages[-1]["reasoning_content"])
            shares = (0.5, 0.35, 0.15) if short else (0.66, 0.10, 0.24)  # what takes one step can be known by heart
            mode = rng.choices(("on", "off", "cut"), shares)[0]
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
        return f"{thought}{message['content']}" + "\n".join(calls) + "<|im_end|>"

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
            if ending != EARLY_STOP:  # llama.cpp's server leaves the blank line to the model
                answer = self.ids("\n\n" + message["content"] + "<|im_end|>")
            both = self.ids(str(self.tokenizer.decode(kept)) + ending)
            shared = 0
            while shared < len(kept) and both[shared] == kept[shared]:
                shared += 1
            kept, given = both[:shared], both[shared:]
        return kept + given + answer, [True] * len(kept) + [False] * len(given) + [True] * len(answer)


def batches(
    encoder: Encoder, requests: tuple[str, ...], *, phase: str, seed: int, tokens_per_batch: int, parts: int
) -> Iterator[list[list[Example]]]:
    """Endless training steps; each is cut by length into `parts` so that little is padded."""
    rng = random.Random(seed)
    while True:
        drawn, total = [], 0
        while total < tokens_per_batch:
            example = encoder.encode(draw(rng, requests, phase=phase), rng)
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


def main() -> None:
    """Print a few conversations of the mixture as the model sees them."""
    requests = load_requests(SAMPLE)
    encoder, rng = Encoder(train_tokenizer(0, requests)), random.Random(0)
    for _ in range(8):
        conversation = draw(rng, requests, phase="second")
        example = encoder.encode(conversation, rng)
        print(f"--- {conversation.kind}, {len(example.ids)} tokens\n{encoder.tokenizer.decode(list(example.ids))}")


if __name__ == "__main__":
    main()
