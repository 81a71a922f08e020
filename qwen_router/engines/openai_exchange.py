"""Reads the answers of OpenAI-compatible servers: event streams and whole bodies, whatever field reasoning comes in.

No IO, and not what is sent: that is `openai.py`'s. What happens between two responses is `exchange.py`'s.

    python -c "from qwen_router.engines.openai_exchange import OpenAIExchange; print(OpenAIExchange.feed.__doc__)"
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from qwen_router.engines.base import Call, Event, Usage
from qwen_router.engines.chatml import can_continue
from qwen_router.engines.dialects import Dialect
from qwen_router.engines.exchange import Bodies, Exchange, Post, Ways, count, wants_format_later
from qwen_router.engines.wire import Lines, Peer, error_text, json_object, other_model


class OpenAIExchange(Exchange):
    """`lean`: the optional fields are left out."""

    def __init__(self, call: Call, peer: Peer, dialect: Dialect, bodies: Bodies, *, lean: bool) -> None:
        holds = holds_format_back(call, dialect)
        raw = dialect.raw and not holds and can_continue(call)
        super().__init__(call, peer, Ways(dialect.budget_field is not None, raw, holds), bodies)
        self.lean = lean
        self._begin()

    def _begin(self) -> None:
        """A response is about to come."""
        self._lines = Lines(self._peer)
        self._is_json = False
        self._body: list[bytes] = []
        self._finish_reason: str | None = None
        self._usage: Mapping[str, Any] = {}
        self._ended = False
        self._spoken = False  # at least one event came

    def post(self) -> Post | None:
        self._begin()
        return super().post()

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
        if not self.left and self._finish_reason is None and not self._ended:
            if not self._spoken:
                raise self._peer.nonsense("a stream without a single event")
            raise self._peer.failed("the stream ended before the answer did")
        usage, completion_tokens = self._counts()
        yield from self._after_thought(usage, completion_tokens)
        if not self._goes_on():
            yield from self._finished(usage, completion_tokens=completion_tokens, finish_reason=self._finish_reason)

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
        yield from self._watch((reasoning or "") + (content or ""))

    def _counts(self) -> tuple[Usage, int | None]:
        usage = Usage(
            prompt_tokens=count(self._usage, "prompt_tokens"),
            reasoning_tokens=count(self._usage.get("completion_tokens_details"), "reasoning_tokens"),
            cached_tokens=count(self._usage.get("prompt_tokens_details"), "cached_tokens"),
        )
        return usage, count(self._usage, "completion_tokens")


def holds_format_back(call: Call, dialect: Dialect) -> bool:
    """Whether this server is sent the format in a second request."""
    return wants_format_later(call) and dialect.formats == "not while thinking" and call.behaviour == "toggle"


def _text(value: Any) -> str | None:
    """A delta's text; some servers send a list of typed parts."""
    if isinstance(value, list):
        return "".join(str(part.get("text", "")) for part in value if isinstance(part, Mapping))
    return value if isinstance(value, str) else None
