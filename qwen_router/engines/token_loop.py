"""Generates token by token with a loaded transformers model: sampling, the thinking budget, stop strings, exact counts.

A loop of our own instead of `generate()`: the budget is held to the token (at the limit the stop sentence and `</think>`
are put into the same cache and the answer goes on), `<think>` cannot be opened when thinking is off, and leaving the
iterator stops the work at the next token. Prompts are `local_prompt.py`'s, models `transformers.py`'s.

    python -c "from qwen_router.engines.token_loop import StopStrings; print(StopStrings(('END',)).feed('a E'))"
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from qwen_router.catalog.types import Sampling
from qwen_router.engines.base import FinishReason
from qwen_router.errors import EngineTimeout

PREFILL_CHUNK_TOKENS = 512
"""Between two chunks a caller may leave. A choice, not a measured optimum."""


class StopStrings:
    """Cuts a stream of text at the first stop string, which is not given out; keeps back what may become one."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = tuple(s for s in stops if s)
        self._kept = ""
        self.hit = False

    def feed(self, text: str) -> str:
        """The text that may be shown; after a hit nothing more."""
        if not self._stops:
            return text
        if self.hit:
            return ""
        text = self._kept + text
        # The one that is complete first, so that the chunking makes no difference.
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.hit, self._kept = True, ""
            return text[: min(found)[1]]
        keep = max(
            (n for stop in self._stops for n in range(1, min(len(stop), len(text) + 1)) if text.endswith(stop[:n])),
            default=0,
        )
        self._kept = text[len(text) - keep :]
        return text[: len(text) - keep]

    def finish(self) -> str:
        """What was kept back and did not become a stop string."""
        kept, self._kept = self._kept, ""
        return kept


@dataclass(frozen=True, slots=True)
class TokenPlan:
    """Everything one generation needs, in ids. `stop_thinking_ids` is the stop sentence with its closing tag."""

    prompt_ids: tuple[int, ...]
    starts_inside: bool
    thinking: bool
    thinking_budget_tokens: int | None
    max_answer_tokens: int
    context_tokens: int
    sampling: Sampling
    seed: int | None
    stop: tuple[str, ...]
    end_ids: frozenset[int]
    think_open_id: int | None
    think_close_id: int | None
    stop_thinking_ids: tuple[int, ...]
    step_timeout_s: float
    cpu_threads: int | None
    first_tokens: int = 0  # the first forward pass takes so many at least: what is shown goes in with it, whole
    media: tuple[Any, ...] = ()  # `media_input.Medium`s whose runs stand in the prompt; such a plan is run alone


@dataclass
class Tally:
    """What was generated. The tags themselves, the end token and the stop sentence are counted nowhere."""

    reasoning_tokens: int = 0
    answer_tokens: int = 0
    injected_tokens: int = 0
    finish: FinishReason = "stop"


@dataclass
class TokenLoop:
    """One generation. `decode(id)` gives the next piece of text, or None while a character is incomplete."""

    model: Any
    plan: TokenPlan
    decode: Callable[[int], str | None]
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        import torch
        from transformers import DynamicCache

        self._torch = torch
        self._cache = DynamicCache(config=self.model.config)
        self._used_tokens = 0
        self._inside = self.plan.starts_inside
        self._opened = self._inside
        self._stops = StopStrings(self.plan.stop)
        self._generator = torch.Generator(device=self.model.device)
        if self.plan.seed is not None:
            self._generator.manual_seed(self.plan.seed % 2**63)
        else:
            self._generator.seed()
        self._seen: list[int] = []

    def run(self) -> Iterator[str]:
        """The text as it comes, control tags of thinking included."""
        logits, start = None, 0
        while start < len(self.plan.prompt_ids):
            ids = self.plan.prompt_ids[start : start + max(PREFILL_CHUNK_TOKENS, self.plan.first_tokens - start)]
            logits, start = self._forward(ids), start + len(ids)
            yield ""  # a place to leave
        while self._room():
            token = self._pick(logits)
            if self._must_close(token):
                yield from self._close_thinking()
                logits = self._forward(self.plan.stop_thinking_ids)
                continue
            if token in self.plan.end_ids:
                break
            text = self._take(token)
            if text:
                yield text
            if self._stops.hit:
                break
            if not self._room():
                break
            logits = self._forward((token,))
        if not self._inside and (rest := self._stops.finish()):
            yield rest

    def _room(self) -> bool:
        """Whether another token may come: the answer's own budget, and the context."""
        full = self._used_tokens + 1 >= self.plan.context_tokens
        spent = not self._inside and self.tally.answer_tokens >= self.plan.max_answer_tokens
        if full or spent:
            self.tally.finish = "length"
        return not (full or spent)

    def _must_close(self, token: int) -> bool:
        """True when the thinking budget is spent and the model does not close the block by itself now."""
        budget = self.plan.thinking_budget_tokens
        return (
            self._inside
            and budget is not None
            and self.tally.reasoning_tokens >= budget
            and token != self.plan.think_close_id
        )

    def _close_thinking(self) -> Iterator[str]:
        for token in self.plan.stop_thinking_ids:
            if text := self.decode(token):
                yield text
        self.tally.injected_tokens += len(self.plan.stop_thinking_ids)
        self._inside = False

    def _take(self, token: int) -> str:
        """Count the token where it belongs and give its text, cut at a stop string of the answer."""
        self._seen.append(token)
        text = self.decode(token) or ""
        if token == self.plan.think_open_id and not self._opened and not self.tally.answer_tokens:
            self._inside = self._opened = True
        elif token == self.plan.think_close_id and self._inside:
            self._inside = False
        elif self._inside:
            self.tally.reasoning_tokens += 1
        else:
            self.tally.answer_tokens += 1
            return self._stops.feed(text)
        return text

    def _forward(self, ids: tuple[int, ...]) -> Any:
        """Put ids into the cache and give the scores of the next token, in f32."""
        torch = self._torch
        started = time.monotonic()
        with torch.inference_mode(), self._threads():
            tokens = torch.tensor([ids], device=self.model.device)
            out = self.model(input_ids=tokens, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        self._used_tokens += len(ids)
        if time.monotonic() - started > self.plan.step_timeout_s:
            raise EngineTimeout(
                f"one step of {len(ids)} tokens took longer than {self.plan.step_timeout_s:g} s",
                fix="use a smaller model, or a longer timeout",
                engine="transformers",
            )
        return out.logits[0, -1].float()

    @contextmanager
    def _threads(self) -> Iterator[None]:
        """torch's thread count belongs to the whole process, so it is set for the one step only."""
        before = self._torch.get_num_threads()
        if self.plan.cpu_threads in (None, before):
            yield
            return
        self._torch.set_num_threads(self.plan.cpu_threads)
        try:
            yield
        finally:
            self._torch.set_num_threads(before)

    def _pick(self, logits: Any) -> int:
        """Sample as the plan says. Penalty first, then temperature, top-k, top-p, min-p: the order of transformers."""
        torch, sampling = self._torch, self.plan.sampling
        with torch.inference_mode():
            scores = logits
            if not self.plan.thinking and self.plan.think_open_id is not None and not self._inside:
                scores = scores.clone()
                scores[self.plan.think_open_id] = -torch.inf
            if sampling.presence_penalty and self._seen:
                scores = scores.clone()
                scores[torch.tensor(sorted(set(self._seen)), device=scores.device)] -= sampling.presence_penalty
            if not sampling.temperature:
                return int(scores.argmax())
            scores, order = (scores / sampling.temperature).topk(min(sampling.top_k or len(scores), len(scores)))
            shares = scores.softmax(-1)
            keep = torch.ones_like(shares, dtype=torch.bool)
            if sampling.top_p is not None:
                keep &= shares.cumsum(-1) - shares < sampling.top_p
            if sampling.min_p:
                keep &= shares >= sampling.min_p * shares[0]
            return int(order[torch.multinomial(shares * keep, 1, generator=self._generator)])
