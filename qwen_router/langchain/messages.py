"""Between LangChain's messages and ours: a message as a chat body's, a stream's events as message chunks.

Reasoning stays apart from the answer both ways, attachments go along untouched, and the last chunk tells of the decision.
What a chat model is beyond that is `chat.py`'s.

    python -c "from qwen_router.langchain import messages as m; print(m.body_message(m.AIMessage('hi')))"
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from qwen_router.decide.explain import decision_line
from qwen_router.decide.summary import summary_data
from qwen_router.engines.base import Done, Event, Reasoning, Text
from qwen_router.engines.base import Usage as EngineUsage
from qwen_router.errors import InvalidRequest, MissingExtra
from qwen_router.policy import Previous
from qwen_router.reply import Reply
from qwen_router.request import ToolCall

try:
    from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
    from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
    from langchain_core.messages.tool import tool_call_chunk
    from langchain_core.outputs import ChatGenerationChunk
except ModuleNotFoundError as error:
    raise MissingExtra.of("langchain-core", extra="langchain") from error

PROVIDER = "qwen-router"
_SAID_ELSEWHERE = frozenset({"tool_call", "tool_call_chunk", "invalid_tool_call", "server_tool_call", "server_tool_result"})


def body_message(message: BaseMessage) -> dict[str, Any]:
    """A LangChain message as a chat body's: tool calls once, reasoning apart, wherever the message keeps them."""
    role = str(getattr(message, "role", message.type.removesuffix("MessageChunk")))  # the sum of a stream is replayed, too
    calls = [{"id": c["id"], "name": c["name"], "args": c["args"]} for c in getattr(message, "tool_calls", ())]
    reasoning: list[str] = []
    content: Any = message.content
    if isinstance(content, list):
        content = [kept for block in content if (kept := _block(block, calls, reasoning)) is not None]
    said = message.additional_kwargs.get("reasoning_content")
    return {
        "role": role,
        "content": content,
        "tool_calls": calls or None,
        "tool_call_id": getattr(message, "tool_call_id", None),
        "name": message.name,
        "reasoning_content": said if isinstance(said, str) else "".join(reasoning) or None,
    }


def _block(block: str | dict[str, Any], calls: list[dict[str, Any]], reasoning: list[str]) -> str | dict[str, Any] | None:
    """A content block for `Request`, or None for one that is kept elsewhere: reasoning, and calls in `tool_calls`."""
    if isinstance(block, str):
        return block
    kind = block.get("type")
    if kind in ("reasoning", "thinking"):
        reasoning.append(str(block.get("reasoning") or block.get("thinking") or ""))
        return None
    if kind in _SAID_ELSEWHERE or (kind == "tool_use" and any(call["id"] == block.get("id") for call in calls)):
        return None
    if kind == "text-plain":
        return {"type": "text", "text": _plain(block)}
    if (
        kind in ("image", "audio", "video", "file")
        and block.get("file_id")
        and not (block.get("base64") or block.get("url"))
    ):
        raise InvalidRequest(
            f"the {kind} is a file id, {str(block['file_id'])[:60]!r}: local models keep no files",
            fix="send the data itself: {'base64': ..., 'mime_type': ...}",
        )
    return block


def _plain(block: dict[str, Any]) -> str:
    """The text of a plain-text document. Raises `InvalidRequest` for one that has to be fetched, or is no text."""
    if block.get("text") is not None:
        return str(block["text"])
    try:
        return base64.b64decode(str(block["base64"]), validate=True).decode()
    except (KeyError, binascii.Error, UnicodeDecodeError) as error:
        raise InvalidRequest("a text-plain block holds no text", fix="put the text itself under 'text'") from error


def answered_before(messages: list[BaseMessage]) -> Previous | None:
    """Who made the last answer, as its metadata tell: what a router that was started anew does not remember."""
    last = next((message for message in reversed(messages) if isinstance(message, AIMessage)), None)
    about = last.response_metadata.get("router") if last is not None else None
    served = about.get("served_by") if isinstance(about, dict) else None
    if not isinstance(served, dict):
        return None
    budget = served.get("budget_tokens")
    return Previous(
        (str(served.get("engine")), str(served.get("endpoint")), str(served.get("name"))),
        served.get("thinking") is True,
        budget if isinstance(budget, int) else 0,
        0,
    )


class Pieces:
    """Turns one stream's events into chunks."""

    def __init__(self) -> None:
        self._calls = 0

    def of(self, event: Event) -> Iterator[ChatGenerationChunk]:
        match event:
            case Text(text) if text:
                yield ChatGenerationChunk(message=AIMessageChunk(content=text))
            case Reasoning(text) if text:
                yield ChatGenerationChunk(message=AIMessageChunk(content="", additional_kwargs={"reasoning_content": text}))
            case ToolCall(id, name, arguments):
                piece = tool_call_chunk(
                    name=name,
                    args=json.dumps(dict(arguments), ensure_ascii=False),
                    id=id or f"call_{uuid.uuid4().hex[:24]}",
                    index=self._calls,
                )
                self._calls += 1
                yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[piece]))
            case Done():
                return


def last_chunk(reply: Reply) -> ChatGenerationChunk:
    """What is known only at the end: usage, who answered, the decision and the violations."""
    metadata = {
        "model_name": reply.served_by.build.model.id,
        "model_provider": PROVIDER,
        "finish_reason": reply.finish_reason,
        "router": _about(reply),
    }
    return ChatGenerationChunk(
        message=AIMessageChunk(
            content="", usage_metadata=_usage(reply.usage), response_metadata=metadata, chunk_position="last"
        )
    )


def _about(reply: Reply) -> dict[str, Any]:
    """The decision line, who really answered, and what the engine did against the decision; plain JSON."""
    served = reply.served_by
    return {
        **decision_line(reply.decision),
        "explanation": summary_data(reply.decision),
        "served_by": {
            "model": served.build.model.id,
            "quant": served.build.quant,
            "engine": served.build.engine,
            "name": served.build.name,
            "endpoint": served.build.endpoint,
            "thinking": served.thinking,
            "budget_tokens": served.budget_tokens if served.thinking else 0,
        },
        "violations": [asdict(violation) for violation in reply.violations],
        "failed_attempts": list(reply.failed_attempts),
        "timings": asdict(reply.timings),
        "cost_usd": reply.cost_usd,
        "energy_wh": reply.energy_wh,
        "notice": reply.notice,
        "changes": list(reply.changes),
        "hidden_tools": list(reply.hidden_tools),
        "escalation": reply.decision.escalation,
    }


def _usage(usage: EngineUsage) -> UsageMetadata | None:
    """LangChain's counts, None where the engine counted neither side: output holds thinking and answer."""
    if usage.prompt_tokens is None and usage.answer_tokens is None:
        return None
    output = (usage.reasoning_tokens or 0) + (usage.answer_tokens or 0)
    read = usage.prompt_tokens or 0
    counted = UsageMetadata(input_tokens=read, output_tokens=output, total_tokens=read + output)
    if usage.cached_tokens is not None:
        counted["input_token_details"] = InputTokenDetails(cache_read=usage.cached_tokens)
    if usage.reasoning_tokens is not None:
        counted["output_token_details"] = OutputTokenDetails(reasoning=usage.reasoning_tokens)
    return counted
