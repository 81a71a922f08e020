"""Ollama's `/api/chat`: how a reply reads there, whole and as lines of JSON.

Reasoning goes into `message.thinking`, tool arguments are objects, the last record holds counts and durations in ns: those
that the engine did not give are absent. The split into prompt and answer durations is ours, at the first piece that came.

    curl localhost:8000/api/chat -d '{"model": "auto", "messages": [{"role": "user", "content": "2 + 2?"}]}'
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from qwen_router.engines.base import Reasoning, Text, Timings
from qwen_router.errors import RouterError
from qwen_router.reply import Reply
from qwen_router.reply_stream import ReplyStream
from qwen_router.request import ToolCall
from qwen_router.service.body import encode
from qwen_router.service.problems import error_body
from qwen_router.service.turn import Piece, router_block

PATH = "/api/chat"


class OllamaWire:
    """Writes one reply. `done_reason` is `stop` for tool calls too, as Ollama has it."""

    media_type = "application/x-ndjson"

    def __init__(self, stream: ReplyStream) -> None:
        self._model = stream.served_by.build.model.id

    def opening(self) -> bytes:
        return b""

    def piece(self, piece: Piece) -> bytes:
        match piece:
            case Text(text):
                return self._line({"content": text})
            case Reasoning(text):
                return self._line({"content": "", "thinking": text})
            case ToolCall():
                return self._line({"content": "", "tool_calls": [_tool_call(piece)]})

    def closing(self, reply: Reply) -> bytes:
        return encode(self._record({"content": ""}) | _end_of(reply)) + b"\n"

    def broken(self, error: RouterError) -> bytes:
        return encode(error_body(error, path=PATH)) + b"\n"

    def whole(self, reply: Reply) -> dict[str, Any]:
        message: dict[str, Any] = {"content": reply.answer}
        if reply.reasoning:
            message["thinking"] = reply.reasoning
        if reply.tool_calls:
            message["tool_calls"] = [_tool_call(call) for call in reply.tool_calls]
        return self._record(message) | _end_of(reply)

    def _line(self, message: dict[str, Any]) -> bytes:
        return encode(self._record(message)) + b"\n"

    def _record(self, message: dict[str, Any]) -> dict[str, Any]:
        return {"model": self._model, "created_at": timestamp(), "message": {"role": "assistant", **message}, "done": False}


def timestamp() -> str:
    """Now, as Ollama writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _tool_call(call: ToolCall) -> dict[str, Any]:
    named = {"id": call.id} if call.id else {}
    return {**named, "function": {"name": call.name, "arguments": call.arguments}}


def _end_of(reply: Reply) -> dict[str, Any]:
    usage = reply.usage
    end: dict[str, Any] = {
        "done": True,
        "done_reason": "stop" if reply.finish_reason == "tool_calls" else reply.finish_reason,
        **_durations(reply.timings),
    }
    if usage.prompt_tokens is not None:
        end["prompt_eval_count"] = usage.prompt_tokens
    if usage.answer_tokens is not None:
        end["eval_count"] = usage.answer_tokens + (usage.reasoning_tokens or 0)
    end["router"] = router_block(reply)
    return end


def _durations(timings: Timings) -> dict[str, int]:
    """In ns: the prompt's time ends with the first piece, whichever it was."""
    firsts = [at for at in (timings.first_reasoning_s, timings.first_answer_s) if at is not None]
    load_s = timings.load_s or 0.0
    seconds = {"total_duration": timings.total_s}
    if timings.load_s is not None:
        seconds["load_duration"] = timings.load_s
    if firsts:
        first_s = min(firsts)
        seconds["prompt_eval_duration"] = max(0.0, first_s - load_s)
        seconds["eval_duration"] = max(0.0, timings.total_s - first_s)
    return {name: round(value * 1e9) for name, value in seconds.items()}
