"""Generates token by token, whatever computes the scores: the thinking budget, stop strings, exact counts.

A loop of our own instead of an engine's `generate()`: the budget is held to the token (at the limit the stop sentence and
`</think>` are put into the same cache and the answer goes on), `<think>` cannot be opened when thinking is off, a grammar
holds the answer and leaves the thought free (`grammar.py`), and leaving the iterator stops the work at the next token.
`Generation` decides, and may be a row of a batch (`batch_loop.py`); `TokenLoop` runs one alone. What computes the scores is
the engine's, what is drawn from them `sampler.py`'s, the plan `token_plan.py`'s.

    python -c "from qwen_router.engines.token_loop import StopStrings; print(StopStrings(('END',)).feed('a E'))"
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from qwen_router.catalog.types import Sampling
from qwen_router.engines.base import FinishReason
from qwen_router.engines.grammar import Grammar
from qwen_router.engines.sampler import Sampler, Scores
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
    least_chunk_tokens: int = 0  # so many of the prompt are read at once, where more than usual must go in together


@dataclass
class Tally:
    """What was generated. The tags themselves, the end token and the stop sentence are counted nowhere."""

    reasoning_tokens: int = 0
    answer_tokens: int = 0
    injected_tokens: int = 0
    finish: FinishReason = "stop"


@dataclass
class Generation:
    """One generation, without what computes the scores. `decode(id)` gives the next piece of text, or None while a
    character is incomplete. `grammar` is what the answer is held to."""

    plan: TokenPlan
    decode: Callable[[int], str | None]
    grammar: Grammar | None = None
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._used_tokens = len(self.plan.prompt_ids)
        self._inside = self.plan.starts_inside
        self._opened = self._inside
        self._stops = StopStrings(self.plan.stop)
        self._sampler = Sampler(self.plan.sampling, self.plan.seed)
        self._seen: set[int] = set()

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
            if self._stops.hit or self._complete() or not self._room():
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
        """True when the model thinks and does not close the block by itself now, though its budget is spent or it would end
        the reply, which has no answer yet.
        """
        if not self._inside or token == self.plan.think_close_id:
            return False
        budget = self.plan.thinking_budget_tokens
        return token in self.plan.end_ids or (budget is not None and self.tally.reasoning_tokens >= budget)

    def _close_thinking(self) -> str:
        self.tally.injected_tokens += len(self.plan.stop_thinking_ids)
        self._inside = False
        return "".join(self.decode(token) or "" for token in self.plan.stop_thinking_ids)

    def _take(self, token: int) -> str:
        """Count the token where it belongs and give its text, cut at a stop string of the answer."""
        self._seen.add(token)
        text = self.decode(token) or ""
        if token == self.plan.think_open_id and self._may_begin_thinking():
            self._inside = self._opened = True
        elif token == self.plan.think_close_id and self._inside:
            self._inside = False
        elif self._inside:
            self.tally.reasoning_tokens += 1
        else:
            self.tally.answer_tokens += 1
            if self.grammar is not None:
                self.grammar.take(token)
            return self._stops.feed(text)
        return text

    def _may_begin_thinking(self) -> bool:
        return not self._opened and not self.tally.answer_tokens

    def _pick(self, scores: Scores) -> int:
        opening = self.plan.think_open_id
        may_open = self.plan.thinking or self._inside
        allowed = self.grammar.allowed(len(scores)) if self.grammar is not None and not self._inside else None
        if allowed is not None and opening is not None and may_open and self._may_begin_thinking():
            allowed[opening] = True
        return self._sampler.pick(scores, seen=self._seen, banned=None if may_open else opening, allowed=allowed)

    def _complete(self) -> bool:
        return self.grammar is not None and self.grammar.complete


@dataclass
class TokenLoop:
    """One generation with a model of its own. `step(ids)` puts ids behind what the model has read and gives the scores of
    the next token, one f32 for each token of the vocabulary.
    """

    step: Callable[[tuple[int, ...]], Scores]
    generation: Generation
    engine: str = "transformers"

    def run(self) -> Generator[str, None, None]:
        """The text as it comes, control tags of thinking included; now and then an empty piece, as a place to leave."""
        plan = self.generation.plan
        ids, chunk_tokens = plan.prompt_ids, max(PREFILL_CHUNK_TOKENS, plan.least_chunk_tokens)
        while ids:
            scores = self._forward(ids[:chunk_tokens])
            ids, text = ids[chunk_tokens:], ""
            if not ids:
                text, ids = self.generation.advance(scores)
            yield text

    def _forward(self, ids: tuple[int, ...]) -> Scores:
        started, limit_s = time.monotonic(), self.generation.plan.step_timeout_s
        scores = self.step(ids)
        if time.monotonic() - started > limit_s:
            raise EngineTimeout(
                f"one step of {len(ids)} tokens took longer than {limit_s:g} s",
                fix="use a smaller model, or a longer timeout",
                engine=self.engine,
            )
        return scores
