"""Decides token by token what a model says: sampling, the thinking budget, stop strings, exact counts. Knows no model.

`TokenLoop.advance` takes the scores of the next token and says which ids the model is to read then, so that one generation
may run alone (`run`) or as a row of a batch (`batch_loop.py`). The budget is held to the token (at the limit the stop
sentence and `</think>` are read into the same cache and the answer goes on), and `<think>` cannot be opened when thinking
is off. Prompts are `local_prompt.py`'s, models the engines'.

    python -c "from qwen_router.engines.token_loop import StopStrings; print(StopStrings(('END',)).feed('a E'))"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qwen_router.catalog.types import Sampling
from qwen_router.engines.base import FinishReason

PREFILL_CHUNK_TOKENS = 512
"""Between two chunks a caller may leave. A choice, not a measured optimum."""

Scores = NDArray[np.float32]
"""One score for every token of the vocabulary, f32, shape (vocabulary,)."""


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

    plan: TokenPlan
    decode: Callable[[int], str | None]
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._used_tokens = len(self.plan.prompt_ids)
        self._inside = self.plan.starts_inside
        self._opened = self._inside
        self._stops = StopStrings(self.plan.stop)
        self._random = np.random.default_rng(None if self.plan.seed is None else self.plan.seed % 2**63)
        self._seen: set[int] = set()

    def run(self, step: Callable[[tuple[int, ...]], Scores]) -> Iterator[str]:
        """The text as it comes, control tags of thinking included, from a model that nothing else uses.

        `step(ids)` reads ids into the cache and gives the scores of the token behind them.
        """
        ids = self.plan.prompt_ids
        while ids:
            scores = step(ids[:PREFILL_CHUNK_TOKENS])
            ids, text = ids[PREFILL_CHUNK_TOKENS:], ""
            if not ids:
                text, ids = self.advance(scores)
            yield text  # a place to leave, with or without text

    def advance(self, scores: Scores) -> tuple[str, tuple[int, ...]]:
        """The text of the next token, and the ids to read before the next call; no ids: the generation is over.

        The first call wants the scores behind the prompt.
        """
        if not self._room():
            return self._rest(), ()
        token = self._pick(scores)
        if self._must_close(token):
            ids, text = self.plan.stop_thinking_ids, self._close_thinking()
        elif token in self.plan.end_ids:
            return self._rest(), ()
        else:
            ids, text = (token,), self._take(token)
            if self._stops.hit or not self._room():
                return text + self._rest(), ()
        self._used_tokens += len(ids)
        return text, ids

    def _rest(self) -> str:
        return "" if self._inside else self._stops.finish()

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

    def _close_thinking(self) -> str:
        self.tally.injected_tokens += len(self.plan.stop_thinking_ids)
        self._inside = False
        return "".join(self.decode(token) or "" for token in self.plan.stop_thinking_ids)

    def _take(self, token: int) -> str:
        """Count the token where it belongs and give its text, cut at a stop string of the answer."""
        self._seen.add(token)
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

    def _pick(self, scores: Scores) -> int:
        """Sample as the plan says. Penalty first, then temperature, top-k, top-p, min-p: the order of transformers."""
        sampling = self.plan.sampling
        forbidden = self.plan.think_open_id if not self.plan.thinking and not self._inside else None
        if forbidden is not None or (sampling.presence_penalty and self._seen):
            scores = scores.copy()
        if forbidden is not None:
            scores[forbidden] = -np.inf
        if sampling.presence_penalty and self._seen:
            scores[sorted(self._seen)] -= sampling.presence_penalty
        if not sampling.temperature:
            return int(scores.argmax())
        ids = _highest(scores, sampling.top_k or len(scores))
        shares = _softmax(scores[ids] / sampling.temperature)
        keep = np.ones(len(shares), dtype=bool)
        if sampling.top_p is not None:
            keep &= shares.cumsum() - shares < sampling.top_p
        if sampling.min_p:
            keep &= shares >= sampling.min_p * shares[0]
        ids, sums = ids[keep], shares[keep].cumsum()
        return int(ids[min(np.searchsorted(sums, self._random.random() * sums[-1], side="right"), len(ids) - 1)])


def _highest(scores: Scores, count: int) -> NDArray[Any]:
    """The ids of the `count` highest scores, the highest first, equals by id."""
    if count < len(scores):
        edge = np.partition(scores, len(scores) - count)[len(scores) - count]
        ids = np.flatnonzero(scores >= edge)
    else:
        ids = np.arange(len(scores))
    return ids[np.argsort(-scores[ids], kind="stable")][:count]


def _softmax(scores: NDArray[Any]) -> NDArray[np.float64]:
    shares = np.exp(scores.astype(np.float64) - float(scores[0]))  # the first is the highest
    return np.asarray(shares / shares.sum())
