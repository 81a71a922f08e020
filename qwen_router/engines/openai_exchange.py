"""One answer of an OpenAI-compatible server on its way in: what to send, bytes to events, and when to leave and go on.

No IO: `openai.py` posts what `post` names and feeds what comes. A thought that is over its budget, or that ends where a
response format was held back, is left; the answer is then asked for behind it (`chatml.py`), or, where the server takes no
raw prompts, once more without thinking.

    python -c "from qwen_router.engines.openai_exchange import Exchange; print(Exchange.post.__doc__)"
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from qwen_router.engines.assemble import ReplyAssembler
from qwen_router.engines.base import Call, Event, Usage
from qwen_router.engines.chatml import STOP_SENTENCE
from qwen_router.engines.dialects import Dialect
from qwen_router.engines.thought_budget import ThoughtBudget
from qwen_router.engines.wire import Lines, Peer, error_text, json_object, other_model, truncation

Phase = Literal["chat", "raw", "formatted", "done"]


@dataclass(frozen=True, slots=True)
class Post:
    """What to send next, and where to."""

    path: str
    body: Mapping[str, Any]


class Bodies:
    """The bodies of one call, made when they are needed; `openai.py` fills them in."""

    def __init__(
        self,
        chat: Callable[[], dict[str, Any]],
        raw: Callable[[str], dict[str, Any]],
        formatted: Callable[[str], dict[str, Any]],
    ) -> None:
        self.chat, self.raw, self.formatted = chat, raw, formatted


class Exchange:
    """`left` says that the current response is not to be read on."""

    def __init__(self, call: Call, peer: Peer, dialect: Dialect, bodies: Bodies) -> None:
        self._call, self._peer, self._dialect, self._bodies = call, peer, dialect, bodies
        self._budget = ThoughtBudget.of(call, own=dialect.budget_field is not None, can_leave=dialect.raw or _toggles(call))
        self._holds_format = holds_format_back(call, dialect)
        self._assembler = ReplyAssembler(call, stops_before_answer=self._holds_format)
        self._phase: Phase = "chat"
        self._begin()
        self.left = False
        self._thought_tokens: int | None = None

    def _begin(self) -> None:
        """A response is about to come."""
        self._lines = Lines(self._peer)
        self._is_json = False
        self._body: list[bytes] = []
        self._finish_reason: str | None = None
        self._usage: Mapping[str, Any] = {}
        self._ended = False
        self._spoken = False  # at least one event came
        self.left = False

    def post(self) -> Post | None:
        """What to send next; None when the answer is whole."""
        self._begin()
        if self._phase == "chat":
            return Post("/chat/completions", self._bodies.chat())
        if self._phase == "raw":
            return Post("/completions", self._bodies.raw(self._assembler.reasoning))
        if self._phase == "formatted":
            return Post("/chat/completions", self._bodies.formatted(self._assembler.reasoning))
        return None

    def refused(self, error: Exception) -> None:
        """The last post was refused. A raw prompt that is not taken is replaced by a chat; else the error is raised."""
        if self._phase != "raw" or not _toggles(self._call):
            raise error
        self._phase = "formatted"

    def starts(self, content_type: str) -> None:
        kind = content_type.partition(";")[0].strip().lower()
        if kind in ("text/html", "application/xhtml+xml"):
            raise self._peer.nonsense("a web page")
        self._is_json = kind == "application/json"

    def feed(self, data: bytes) -> Iterator[Event]:
        if self._is_json:
            self._body.append(data)
            return
        for line in self._lines.feed(data):
            if self.left:
                return
            yield from self._line(line)

    def end(self) -> Iterator[Event]:
        """The response has ended, or was left. Yields the `Done` when the answer is whole."""
        if not self.left:
            if self._is_json:
                yield from self._chunk(json_object(b"".join(self._body), self._peer))
            else:
                for line in self._lines.feed(b"", last=True):
                    yield from self._line(line)
        if self.left:
            self._go_on()
            return
        if self._finish_reason is None and not self._ended:
            if not self._spoken:
                raise self._peer.nonsense("a stream without a single event")
            raise self._peer.failed("the stream ended before the answer did")
        if self._holds_format and self._phase == "chat" and self._assembler.is_empty:
            self._go_on()  # it thought and said nothing
            return
        self._phase = "done"
        yield from self._finished()

    def _go_on(self) -> None:
        """The answer is asked for behind the thought, or in a chat of its own where that is how it gets its format."""
        self._phase = "raw" if self._dialect.raw and not self._holds_format else "formatted"
        self._assembler.stops_before_answer = False

    def _line(self, line: str) -> Iterator[Event]:
        field, _, value = line.partition(":")
        if field == "error":  # llama.cpp's servers write it without `data:`
            value = value.strip()
            raise self._peer.failed(error_text(value) if value else "an error without a reason")
        if field != "data" or self._ended:
            if field.lstrip().startswith(("{", "<")):
                raise self._peer.nonsense(f"no event stream: {line[:80]!r}")
            return
        value = value.strip()
        if value == "[DONE]":
            self._ended = True
        elif value:
            yield from self._chunk(json_object(value, self._peer))

    def _chunk(self, chunk: Mapping[str, Any]) -> Iterator[Event]:
        if not self._spoken and isinstance(said := chunk.get("model"), str) and (other := other_model(self._call, said)):
            self._assembler.violate(other)
        self._spoken = True
        if chunk.get("error"):
            raise self._peer.failed(error_text(json.dumps({"error": chunk["error"]})))
        if isinstance(chunk.get("usage"), Mapping):
            self._usage = chunk["usage"]
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            if "usage" in chunk or "object" in chunk:
                return
            raise self._peer.nonsense(f"a chunk without choices: {json.dumps(chunk)[:80]}")
        for choice in choices:
            if isinstance(choice, Mapping) and choice.get("index", 0) in (0, None) and not self.left:
                yield from self._choice(choice)

    def _choice(self, choice: Mapping[str, Any]) -> Iterator[Event]:
        delta = choice.get("delta") or choice.get("message") or {"content": choice.get("text")}
        if not isinstance(delta, Mapping):
            raise self._peer.nonsense(f"a delta that is no object: {str(delta)[:80]}")
        reasoning = _text(next((delta[k] for k in ("reasoning_content", "reasoning", "thinking") if delta.get(k)), None))
        content, calls = _text(delta.get("content")), delta.get("tool_calls") or ()
        yield from self._assembler.feed(
            content=content,
            reasoning=reasoning,
            tool_calls=[call for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else (),
        )
        if choice.get("finish_reason"):
            self._finish_reason = str(choice["finish_reason"])
        if self._phase == "chat":
            yield from self._watch((reasoning or "") + (content or ""))

    def _watch(self, piece: str) -> Iterator[Event]:
        """Leave a thought that is over its budget, and an answer that was to come in a format that was held back."""
        if self._assembler.answer_began:
            self.left = True
        elif piece and self._assembler.in_thought:
            self._budget.count(piece)
            if self._budget.is_spent:
                self._thought_tokens = self._budget.spent_tokens
                yield from self._assembler.cut_thought(STOP_SENTENCE)
                self.left = True

    def _finished(self) -> Iterator[Event]:
        prompt_tokens = _count(self._usage, "prompt_tokens")
        completion_tokens = _count(self._usage, "completion_tokens")
        usage = Usage(
            prompt_tokens=prompt_tokens,
            reasoning_tokens=_count(self._usage.get("completion_tokens_details"), "reasoning_tokens"),
            cached_tokens=_count(self._usage.get("prompt_tokens_details"), "cached_tokens"),
        )
        if self._thought_tokens is not None:  # what was thought is in the second prompt
            before = None if prompt_tokens is None else max(0, prompt_tokens - self._thought_tokens)
            usage = Usage(before, self._thought_tokens, completion_tokens, usage.cached_tokens, split_estimated=True)
        elif cut := truncation(self._call, prompt_tokens):
            self._assembler.violate(cut)
        yield from self._assembler.finish(
            finish_reason=self._finish_reason, usage=usage, completion_tokens=completion_tokens
        )


def holds_format_back(call: Call, dialect: Dialect) -> bool:
    """Whether the thought is left to come free before the format is asked for."""
    asked = call.response_format is not None and call.thinking.enabled
    return asked and dialect.formats == "not while thinking" and _toggles(call)


def _toggles(call: Call) -> bool:
    return call.behaviour == "toggle"


def _count(usage: Any, key: str) -> int | None:
    value = usage.get(key) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    """A delta's text; some servers send a list of typed parts."""
    if isinstance(value, list):
        return "".join(str(part.get("text", "")) for part in value if isinstance(part, Mapping))
    return value if isinstance(value, str) else None
