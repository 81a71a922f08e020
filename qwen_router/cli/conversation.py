"""A conversation that goes on: its messages, what is wished for all of its turns, and the file that keeps it.

The file is a chat body in OpenAI's shape, so that other programs can read and send it too. Nothing is asked or shown here.

    python -c "from qwen_router.cli.conversation import Conversation; print(Conversation().body())"
"""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Self

from qwen_router.errors import InvalidRequest
from qwen_router.media import Attachment
from qwen_router.request import Message, Request, ToolCall, Wishes


def _new_session() -> str:
    return f"chat-{uuid.uuid4().hex}"


@dataclass(frozen=True, slots=True)
class Conversation:
    """Whole turns only: a question is added together with its answer. `session` names it to the router."""

    messages: tuple[Message, ...] = ()
    wishes: Wishes = field(default_factory=Wishes)
    session: str = field(default_factory=_new_session)

    def asking(self, message: Message) -> Request:
        """The request for the next turn; the conversation stays as it is until there is an answer."""
        return Request(messages=(*self.messages, message), session=self.session, wishes=self.wishes)

    def told(self, question: Message, answer: str, *, reasoning: str = "") -> Self:
        said = Message(role="assistant", text=answer, reasoning=reasoning or None)
        return replace(self, messages=(*self.messages, question, said))

    def afresh(self) -> Self:
        """A new conversation under the same system message and wishes."""
        kept = tuple(message for message in self.messages[:1] if message.role == "system")
        return replace(self, messages=kept, session=_new_session())

    def with_system(self, text: str) -> Self:
        """The same under this system message; the earlier one at its beginning is replaced."""
        rest = self.messages[1:] if self.messages[:1] and self.messages[0].role == "system" else self.messages
        return replace(self, messages=(Message(role="system", text=text), *rest))

    # ── the file ────────────────────────────────────────────────────────────────────────────────────────────────────

    def body(self) -> dict[str, Any]:
        """The chat body; `Request.of` reads it back."""
        wishes = self.wishes
        fields = {
            "think": wishes.thinking,
            "thinking_budget": wishes.thinking_budget_tokens,
            "max_tokens": wishes.max_output_tokens,
            "seed": wishes.seed,
        }
        return {
            "model": wishes.model or "auto",
            **{key: value for key, value in fields.items() if value is not None},
            "messages": [_message_body(message) for message in self.messages],
        }

    def save(self, path: Path) -> None:
        """Write the body, for this user alone to read. Raises `InvalidRequest` when that fails; an earlier file stays."""
        text = json.dumps(self.body(), ensure_ascii=False, indent=1)
        unfinished: Path | None = None
        try:
            with NamedTemporaryFile(
                "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8", errors="backslashreplace"
            ) as file:
                unfinished = Path(file.name)
                file.write(text + "\n")
            os.replace(unfinished, path)
        except OSError as error:
            if unfinished is not None:
                unfinished.unlink(missing_ok=True)
            raise InvalidRequest(
                f"cannot write {str(path)!r}: {error.strerror}", fix="name a file in a folder that you may write to"
            ) from error

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote, or any chat body. Raises `InvalidRequest` that says what is wrong with the file."""
        fix = "name a file that /save wrote"
        try:
            body = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InvalidRequest(f"cannot read {str(path)!r}: {error.strerror}", fix="check the path") from error
        except (ValueError, RecursionError) as error:  # not UTF-8, not JSON
            raise InvalidRequest(f"{str(path)!r} is no JSON: {error}", fix=fix) from error
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            raise InvalidRequest(f"{str(path)!r} holds no conversation", fix=fix)
        request = Request.of(body)
        return cls(messages=request.messages, wishes=request.wishes)


def _message_body(message: Message) -> dict[str, Any]:
    content: str | list[dict[str, Any]] = message.text
    if message.attachments:
        blocks: list[dict[str, Any]] = [{"type": "text", "text": message.text}] if message.text else []
        content = [*blocks, *(_block(attachment) for attachment in message.attachments)]
    fields = {
        "reasoning_content": message.reasoning,
        "tool_calls": [_call_body(call) for call in message.tool_calls] or None,
        "tool_call_id": message.tool_call_id,
        "name": message.name,
    }
    return {"role": message.role, "content": content, **{key: value for key, value in fields.items() if value is not None}}


def _block(attachment: Attachment) -> dict[str, Any]:
    if attachment.kind == "file":
        return {"type": "file", "file": {"file_data": attachment.source}}
    kind = f"{attachment.kind}_url"
    return {"type": kind, kind: {"url": attachment.source}}


def _call_body(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": json.dumps(dict(call.arguments), ensure_ascii=False)}
    return {"id": call.id, "type": "function", "function": function}
