"""Reads Ollama's answers: the chunks of `/api/chat` and, behind a thought that was left, of `/api/generate`.

No IO, and not what is sent: that is `ollama.py`'s. What happens between two responses is `exchange.py`'s. Shapes are those
of api/types.go (ChatResponse, GenerateResponse, Metrics).

    python -c "from qwen_router.engines.ollama_exchange import OllamaExchange; print(OllamaExchange.feed.__doc__)"
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from qwen_router.engines.base import Call, Event, Usage
from qwen_router.engines.chatml import can_continue
from qwen_router.engines.exchange import Bodies, Exchange, Post, Ways, count, wants_format_later
from qwen_router.engines.wire import Peer
from qwen_router.errors import EngineRefused

_NO_THINKING = "does not support thinking"  # server/routes.go, ChatHandler: 400 when think is true and the model cannot
_log = logging.getLogger(__name__)


class OllamaExchange(Exchange):
    """`thinks` is what `think` is to be in the next chat: true until the model turns out not to know it."""

    def __init__(self, call: Call, peer: Peer, bodies: Bodies) -> None:
        self.thinks = thinks(call)
        ways = Ways(own_budget=False, raw=can_continue(call), holds_format=self.thinks and holds_format_back(call))
        super().__init__(call, peer, ways, bodies)
        self._begin()

    def _begin(self) -> None:
        self._last: Mapping[str, Any] | None = None
        self._started = False

    def post(self) -> Post | None:
        self._begin()
        return super().post()

    def refused(self, error: Exception) -> None:
        """A model without thinking is asked once more without; the reply will show that it did not think."""
        if self._phase == "chat" and self.thinks and isinstance(error, EngineRefused) and not self._started:
            if _NO_THINKING not in error.problem:
                raise error
            _log.warning("%s; asking without", error.problem)
            self.thinks = False
            self._assembler.stops_before_answer = False
            return
        super().refused(error)

    def feed(self, chunk: Mapping[str, Any]) -> Iterator[Event]:
        """One chunk, in the shape of the endpoint that was asked."""
        self._started = True
        message = {"content": chunk.get("response")} if self._phase == "raw" else chunk.get("message")
        if not isinstance(message, Mapping):
            raise self._peer.nonsense(f"a chunk without a message: {json.dumps(chunk)[:80]}")
        content, reasoning, calls = _text(message.get("content")), _text(message.get("thinking")), message.get("tool_calls")
        yield from self._assembler.feed(
            content=content,
            reasoning=reasoning,
            tool_calls=[c for c in calls if isinstance(c, Mapping)] if isinstance(calls, list) else (),
        )
        if chunk.get("done"):
            self._last = chunk
        else:
            yield from self._watch((reasoning or "") + (content or ""))

    def end(self) -> Iterator[Event]:
        """The response has ended, or was left. Yields the `Done` when the answer is whole."""
        last = self._last
        if last is None and not self.left:
            raise self._peer.failed("the stream ended before the answer did")
        usage, completion_tokens = Usage(prompt_tokens=count(last, "prompt_eval_count")), count(last, "eval_count")
        yield from self._after_thought(usage, completion_tokens)
        if self._goes_on() or last is None:
            return
        load_ns = count(last, "load_duration")
        yield from self._finished(
            usage,
            completion_tokens=completion_tokens,
            finish_reason=_text(last.get("done_reason")),
            load_s=None if load_ns is None else load_ns / 1e9,
        )


def holds_format_back(call: Call) -> bool:
    """Whether the format is sent behind the thought; older servers hold the thought to it, too."""
    return wants_format_later(call) and can_continue(call)


def thinks(call: Call) -> bool:
    """What `think` is: false for a model without a switch to nothing, because true would be refused."""
    return call.thinking.enabled and call.behaviour in ("toggle", "always")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
