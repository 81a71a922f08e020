"""An engine that says what it was told to: for tests, docs and trying out policies without a model.

It obeys the same contract as the real ones and goes through the same assembler, so scripted tags and tool calls are parsed.

    python -c "from qwen_router.engines.fake import FakeEngine; print(FakeEngine(answers=['4']).installed())"
"""

from __future__ import annotations

import re
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from qwen_router.engines.assemble import ReplyAssembler, estimated_tokens
from qwen_router.engines.base import Call, Event, Usage
from qwen_router.engines.embedding import Scores, Vectors, unit_vectors
from qwen_router.errors import EngineError, EngineRefused
from qwen_router.hardware.machine import EngineName, ServedBuild
from qwen_router.request import ToolCall


class FakeEngine:
    """Gives the n-th answer to the n-th call, the last one for ever after.

    `answers` are texts as a model would write them (tags and all), `reasoning` what it thinks where thinking is on,
    `tool_calls` native calls per answer. `models` are names that it serves; None takes any name. `fail` is raised by
    every stream, after `fail_after` chunks. `calls` lists what it was asked. `embedding_models` and `reranker_models` are
    names of models for search: their vectors and scores count words that texts have in common, so what shares words is near.
    """

    name: EngineName = "fake"
    takes_task = True

    def __init__(
        self,
        answers: Sequence[str] = ("ok",),
        *,
        reasoning: Sequence[str] = (),
        tool_calls: Sequence[Sequence[ToolCall]] = (),
        models: Sequence[str | ServedBuild] | None = None,
        fail: EngineError | None = None,
        fail_after: int = 0,
        chunk_chars: int = 7,
        finish_reason: str = "stop",
        endpoint: str = "fake",
        embedding_models: Sequence[str] = (),
        reranker_models: Sequence[str] = (),
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.calls: list[Call] = []
        self._answers = tuple(answers) or ("",)
        self._reasoning, self._tool_calls = tuple(reasoning), tuple(tuple(calls) for calls in tool_calls)
        self._builds = None if models is None else tuple(self._build(model) for model in models)
        self._fail, self._fail_after, self._chunk_chars = fail, fail_after, max(1, chunk_chars)
        self._finish_reason, self._clock = finish_reason, clock
        self._search = tuple(replace(self._build(name), kind="embedding") for name in embedding_models)
        self._search += tuple(replace(self._build(name), kind="reranker") for name in reranker_models)
        self._lock = threading.Lock()

    def installed(self) -> tuple[ServedBuild, ...]:
        return ((self._build("fake"),) if self._builds is None else self._builds) + self._search

    def stream(self, call: Call) -> Iterator[Event]:
        with self._lock:
            turn = len(self.calls)
            self.calls.append(call)
        known = None if self._builds is None else [build.name for build in self._builds]
        if known is not None and call.model not in known:
            raise EngineRefused(
                f"the fake engine has no model {call.model!r}",
                fix=f"one of {', '.join(known) or 'none'}",
                engine=self.name,
                endpoint=self.endpoint,
            )
        answer = self._answers[min(turn, len(self._answers) - 1)]
        thought = self._reasoning[min(turn, len(self._reasoning) - 1)] if self._reasoning else ""
        thought = thought if call.thinking.enabled else ""
        assembler = ReplyAssembler(call) if self._clock is None else ReplyAssembler(call, clock=self._clock)
        deltas = [("reasoning", piece) for piece in self._chunks(thought)]
        deltas += [("content", piece) for piece in self._chunks(answer)]
        for position, (kind, piece) in enumerate(deltas):
            self._maybe_fail(position)
            if kind == "reasoning":
                yield from assembler.feed(reasoning=piece)
            else:
                yield from assembler.feed(content=piece)
        self._maybe_fail(len(deltas))
        if turn < len(self._tool_calls):
            yield from assembler.feed(tool_calls=self._tool_calls[turn])
        usage = Usage(
            prompt_tokens=sum(estimated_tokens(message.text) for message in call.messages),
            reasoning_tokens=estimated_tokens(assembler.reasoning),
            answer_tokens=estimated_tokens(assembler.answer),
        )
        yield from assembler.finish(finish_reason=self._finish_reason, usage=usage)

    async def astream(self, call: Call) -> AsyncIterator[Event]:
        for event in self.stream(call):
            yield event

    def embed(self, model: str, texts: Sequence[str], *, timeout_s: float) -> Vectors:
        """64 dimensions: each word, hashed, counts in one; the first counts a little for every text."""
        self._maybe_fail(self._fail_after)
        rows = np.zeros((len(texts), 64), dtype=np.float32)
        rows[:, 0] = 0.1
        for row, text in zip(rows, texts, strict=True):
            for word in _words(text):
                row[1 + zlib.crc32(word.encode()) % 63] += 1
        values = unit_vectors(rows, len(texts), who=repr(model), engine=self.name, endpoint=self.endpoint)
        return Vectors(values, sum(estimated_tokens(text) for text in texts))

    def rerank(
        self, model: str, query: str, documents: Sequence[str], *, task: str | None = None, timeout_s: float
    ) -> Scores:
        """The share of the query's words that a document has."""
        self._maybe_fail(self._fail_after)
        wanted = set(_words(query))
        shares = (len(wanted & set(_words(document))) / max(1, len(wanted)) for document in documents)
        return Scores(tuple(shares), sum(estimated_tokens(query + document) for document in documents))

    def close(self) -> None:
        """Nothing to free."""

    def _chunks(self, text: str) -> Iterator[str]:
        return (text[i : i + self._chunk_chars] for i in range(0, len(text), self._chunk_chars))

    def _maybe_fail(self, position: int) -> None:
        if self._fail is not None and position >= self._fail_after:
            raise self._fail

    def _build(self, model: str | ServedBuild) -> ServedBuild:
        if isinstance(model, ServedBuild):
            return model
        return ServedBuild("fake", self.endpoint, model, model_id=None, quant=None, resident=True)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
