"""OpenAI's `/v1/chat/completions`: how a reply reads there, whole and as server-sent events.

Reasoning goes into `reasoning_content`, what only we know into a field `router` of the last chunk (or of the body). A count
that no engine gave is left out, except the prompt's: there our own estimate stands in and `router.usage_estimated` says so.

    curl localhost:8000/v1/chat/completions -d '{"model": "auto", "messages": [{"role": "user", "content": "2 + 2?"}]}'
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from qwen_router.engines.base import Reasoning, Text
from qwen_router.errors import InvalidRequest, RouterError
from qwen_router.reply import Reply
from qwen_router.reply_stream import ReplyStream
from qwen_router.request import ToolCall
from qwen_router.service.body import encode, flag
from qwen_router.service.problems import error_body
from qwen_router.service.turn import Piece, router_block

PATH = "/v1/chat/completions"


class OpenAIWire:
    """Writes one reply. Finish reasons are ours: `stop`, `length`, `tool_calls`, and `error` when an engine says so."""

    media_type = "text/event-stream"

    def __init__(self, stream: ReplyStream, body: Mapping[str, Any]) -> None:
        self._head: dict[str, Any] = {
            "id": f"chatcmpl-{stream.decision.id}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": stream.served_by.build.model.id,
        }
        self._with_usage = wants_usage(body)
        self._calls = 0

    def opening(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def piece(self, piece: Piece) -> bytes:
        match piece:
            case Text(text):
                return self._chunk({"content": text})
            case Reasoning(text):
                return self._chunk({"reasoning_content": text})
            case ToolCall():
                self._calls += 1
                index = self._calls - 1
                return self._chunk({"tool_calls": [{"index": index, **_tool_call(piece, index=index)}]})

    def closing(self, reply: Reply) -> bytes:
        router = router_block(reply)
        if not self._with_usage:
            return self._chunk({}, finish_reason=reply.finish_reason, router=router) + _DONE
        last = _event({**self._head, "choices": [], "usage": usage_of(reply), "router": router})
        return self._chunk({}, finish_reason=reply.finish_reason) + last + _DONE

    def broken(self, error: RouterError) -> bytes:
        """An error event and no `[DONE]`: a reader that overlooks the error must not take the reply for a finished one."""
        return _event(error_body(error, path=PATH))

    def whole(self, reply: Reply) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": reply.answer or (None if reply.tool_calls else "")}
        if reply.reasoning:
            message["reasoning_content"] = reply.reasoning
        if reply.tool_calls:
            message["tool_calls"] = [_tool_call(call, index=i) for i, call in enumerate(reply.tool_calls)]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [choice],
            "usage": usage_of(reply),
            "router": router_block(reply),
        }

    def _chunk(
        self, delta: dict[str, Any], *, finish_reason: str | None = None, router: dict[str, Any] | None = None
    ) -> bytes:
        chunk = {**self._head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}
        if self._with_usage:
            chunk["usage"] = None
        if router is not None:
            chunk["router"] = router
        return _event(chunk)


_DONE = b"data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + encode(value) + b"\n\n"


def _tool_call(call: ToolCall, *, index: int) -> dict[str, Any]:
    arguments = encode(call.arguments).decode("utf-8")
    return {"id": call.id or f"call_{index}", "type": "function", "function": {"name": call.name, "arguments": arguments}}


def usage_of(reply: Reply) -> dict[str, Any] | None:
    """Token counts in OpenAI's words; None when the engine did not count what it wrote."""
    usage = reply.usage
    if usage.answer_tokens is None:
        return None
    prompt = reply.decision.profile.input_tokens if usage.prompt_tokens is None else usage.prompt_tokens
    reasoning = usage.reasoning_tokens or 0
    completion = usage.answer_tokens + reasoning
    counts: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
    if usage.cached_tokens is not None:
        counts["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    return counts


def wants_usage(body: Mapping[str, Any]) -> bool:
    """Whether `stream_options.include_usage` asks for a last chunk with the usage."""
    options = body.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, Mapping):
        raise InvalidRequest("stream_options is no object", fix='send {"include_usage": true}, or leave it out')
    return flag(options, "include_usage", default=False)


def check_supported(body: Mapping[str, Any]) -> None:
    """Refuse what would change the shape of the reply and is not done here; other unknown fields are ignored."""
    choices = body.get("n")
    if choices not in (None, 1):
        raise InvalidRequest("n is not 1", fix="ask once for each reply that you want")
    if body.get("logprobs") not in (None, False):
        raise InvalidRequest("logprobs are not given by this service", fix="leave logprobs out")
    wants_usage(body)
