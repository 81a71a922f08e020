"""One user turn, whatever shape it came in: text, chat messages, an OpenAI, Ollama or Anthropic body, LangChain messages.

Reads every shape into one frozen `Request`. Attachments are counted and measured from their headers (`media.py`), never
decoded. Nothing here classifies, counts tokens or touches a model; user text is kept exactly as it came.

    python -c "from qwen_router import Request; print(Request.of('What is 2 + 2?').last_user_text)"
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from qwen_router.body_fields import MAX_NAME_CHARS, MAX_NAMES, count, label, number, shown, within
from qwen_router.control_tokens import control_tokens_in
from qwen_router.errors import InvalidRequest
from qwen_router.media import Attachment, attachment_of

Role = Literal["system", "user", "assistant", "tool"]
Modality = Literal["text", "image", "audio", "video", "file"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)

# Names that other shapes use for our four roles.
_ROLES: dict[str, Role] = {
    **{role: role for role in get_args(Role)},
    "developer": "system",
    "human": "user",
    "ai": "assistant",
    "function": "tool",
}
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")
MAX_TEXT_CHARS = 64 * 1024 * 1024
"""Above this a request is refused: no Qwen context holds it, and nothing should spend a minute to find that out."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model asked for. `arguments` is the JSON object it gave."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that the model may call: `parameters` is a JSON Schema object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `reasoning` is what an assistant turn thought, kept apart from what it said. `ask` is the person's own
    part of `text` where a template wrote the rest (None: all of it is): only that is classified."""

    role: Role
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    reasoning: str | None = None
    ask: str | None = None


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller asked for beyond the messages; None leaves the choice to the policy.

    `max_latency_s` refuses candidates that are predicted to be slower; `deadline_s` ends a reply that is not there by then,
    `retries` is how often an endpoint that could not take it is asked again.
    """

    model: str | None = None
    thinking: bool | None = None
    thinking_budget_tokens: int | None = None
    max_output_tokens: int | None = None
    max_latency_s: float | None = None
    deadline_s: float | None = None
    retries: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()

    def under(self, other: Wishes) -> Wishes:
        """These wishes, with what `other` says on top."""
        said = {name: value for name in self.__slots__ if (value := getattr(other, name)) not in (None, ())}
        return replace(self, **said)


@dataclass(frozen=True, slots=True)
class Request:
    """One user turn: the messages so far, tools, response format, session and wishes.

    `user`, `groups`, `tags` and `commercial_use` are what the caller says of itself; policies may ask for them.
    `escalation` says in a few words why another model should go on than the one that answered the session before: it is
    shown with the decision and logged, so it is a label, not content. `hideable_tools` are the names of tools that may be
    kept back where there are more than suit a model; None: any.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str | None = None
    response_format: Mapping[str, Any] | None = None
    session: str | None = None
    user: str | None = None
    groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    commercial_use: bool | None = None
    escalation: str | None = None
    hideable_tools: tuple[str, ...] | None = None
    wishes: Wishes = field(default_factory=Wishes)

    @classmethod
    def of(cls, value: RequestLike) -> Request:
        """Read any supported shape: text, a `Request`, a list of messages, or a chat body.

        Raises `InvalidRequest`, naming the message and the value that is wrong.
        """
        if isinstance(value, Request):
            return value
        if isinstance(value, str):
            return cls.from_text(value)
        if isinstance(value, bytes):
            raise InvalidRequest("the request is bytes, not text", fix="decode it as UTF-8 first")
        if isinstance(value, Mapping):
            return cls.from_body(value)
        if isinstance(value, Sequence):
            return cls(messages=_messages(value))
        if hasattr(value, "to_messages"):  # a LangChain prompt value
            return cls(messages=_messages(value.to_messages()))
        raise InvalidRequest(
            f"cannot read a request from {type(value).__name__}",
            fix="pass text, a list of messages, or a chat body with 'messages'",
        )

    @classmethod
    def from_text(cls, text: str) -> Request:
        """One user message."""
        return cls(messages=(Message(role="user", text=_checked_text(text, where="the request")),))

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Request:
        """Read an OpenAI, Ollama or Anthropic chat body; `model: auto` means no pin."""
        if "messages" in body:
            messages = _messages(body["messages"])
        elif "prompt" in body or "text" in body:
            prompt = body.get("prompt", body.get("text"))
            if not isinstance(prompt, str):
                raise InvalidRequest(f"the prompt is {shown(prompt)}, not text", fix="send a string")
            pictures = tuple(_ollama_image(image) for image in _list(body.get("images"), where="images"))
            messages = (Message(role="user", text=_checked_text(prompt, where="prompt"), attachments=pictures),)
        else:
            raise InvalidRequest("the body has no 'messages'", fix='send {"messages": [{"role": "user", "content": "..."}]}')
        if isinstance(body.get("system"), str | list):  # Anthropic and /api/generate keep it outside the messages
            messages = (_message({"role": "system", "content": body["system"]}, index=-1), *messages)
        tools = tuple(_tool(tool, index=i) for i, tool in enumerate(_list(body.get("tools"), where="tools")))
        return cls(
            messages=messages,
            tools=tools,
            tool_choice=_tool_choice(body.get("tool_choice"), tools),
            response_format=_response_format(body),
            session=_said(body, "session"),
            user=_said(body, "user"),
            groups=_said_list(body, "groups"),
            tags=_said_list(body, "tags"),
            commercial_use=commercial if isinstance(commercial := _metadata(body).get("commercial_use"), bool) else None,
            escalation=label(body.get("escalation"), key="escalation"),
            hideable_tools=None
            if (names := body.get("hideable_tools")) is None
            else tuple(str(name) for name in _list(names, where="hideable_tools")),
            wishes=_wishes(body),
        )

    @property
    def last_user_text(self) -> str:
        """The text of the last message that a person wrote, or an empty string."""
        return next((m.text for m in reversed(self.messages) if m.role == "user"), "")

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        return tuple(a for message in self.messages for a in message.attachments)

    @property
    def in_tool_loop(self) -> bool:
        """True while the last message is a tool's answer: the model and its mode should not change now."""
        return bool(self.messages) and self.messages[-1].role == "tool"

    @property
    def holds_control_tokens(self) -> bool:
        """Whether any message holds a token that would steer a model, were it parsed."""
        return any(
            control_tokens_in(message.text) or control_tokens_in(message.reasoning or "") for message in self.messages
        )

    @property
    def repeats_a_call(self) -> bool:
        """True when, in a tool loop, the last call came three times among the last six: whoever makes it is stuck.

        Another model, asked to lead out of the loop, is not stuck yet: neither when it does something else, nor when its own
        first call is the same once more. So the fourth and the fifth do not count, the sixth does.
        """
        if not self.in_tool_loop:
            return False
        turns = [[(c.name, repr(sorted(c.arguments.items()))) for c in m.tool_calls] for m in self.messages if m.tool_calls]
        calls = [call for turn in turns for call in turn]
        return bool(turns) and any(calls[-6:].count(call) >= 3 and calls.count(call) % 3 == 0 for call in turns[-1])

    @property
    def escalates(self) -> str | None:
        """Why another model should go on than the one that answered before: the caller's reason, or a stalled tool loop."""
        if self.escalation is not None:
            return self.escalation
        return "the same tool call came three times of the last six" if self.repeats_a_call else None

    def with_wishes(self, wishes: Wishes) -> Request:
        return replace(self, wishes=wishes)


def pin_of(model: str) -> str | None:
    """The model that a name pins; None for `auto` and `auto:fast`, which leave the choice to a policy."""
    return None if model.partition(":")[0] == "auto" else model


RequestLike = str | Request | Mapping[str, Any] | Sequence[Any] | Any


def _checked_text(text: str, *, where: str) -> str:
    if len(text) > MAX_TEXT_CHARS:
        raise InvalidRequest(
            f"{where} has {len(text):,} characters, more than {MAX_TEXT_CHARS:,}",
            fix="send an excerpt or split the document",
        )
    return text


def _list(value: object, *, where: str) -> Sequence[Any]:
    if value is None:
        return ()
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return value
    raise InvalidRequest(f"{where} is {shown(value)}, not a list", fix=f"send {where} as a list, or leave it out")


def _messages(items: object) -> tuple[Message, ...]:
    messages = tuple(_message(item, index=i) for i, item in enumerate(_list(items, where="messages")))
    if not messages:
        raise InvalidRequest("there are no messages", fix="send at least one user message")
    return messages


def _message(item: Any, *, index: int) -> Message:
    """Read one message: ours, a mapping, a (role, text) pair, a plain string, or a LangChain message."""
    where = f"message {index + 1}"
    if isinstance(item, Message):
        return item
    if isinstance(item, str):
        return Message(role="user", text=_checked_text(item, where=where))
    if isinstance(item, tuple) and len(item) == 2:
        item = {"role": item[0], "content": item[1]}
    if hasattr(item, "content") and hasattr(item, "type"):
        item = _from_langchain(item)
    if not isinstance(item, Mapping):
        raise InvalidRequest(f"{where} is {shown(item)}", fix='send {"role": "user", "content": "..."}')
    role = _ROLES.get(str(item.get("role", "")).lower())
    if role is None:
        raise InvalidRequest(f"{where} has the unknown role {item.get('role')!r}", fix=f"one of {', '.join(get_args(Role))}")
    text, attachments, extra_calls, tool_call_id = _content(item.get("content"), where=where)
    attachments += tuple(_ollama_image(image) for image in _list(item.get("images"), where=f"{where}: images"))
    calls = tuple(_tool_call(call, where=where) for call in _list(item.get("tool_calls"), where=f"{where}: tool_calls"))
    reasoning = item.get("reasoning_content") or item.get("reasoning") or item.get("thinking")
    if tool_call_id is not None and role == "user":  # Anthropic sends tool results as user messages
        role = "tool"
    return Message(
        role=role,
        text=_checked_text(text, where=where),
        attachments=attachments,
        tool_calls=calls + extra_calls,
        tool_call_id=item.get("tool_call_id") or tool_call_id,
        name=item.get("name") or item.get("tool_name"),
        reasoning=reasoning if isinstance(reasoning, str) else None,
    )


def _content(content: object, *, where: str) -> tuple[str, tuple[Attachment, ...], tuple[ToolCall, ...], str | None]:
    """Split content into text, attachments, Anthropic tool uses, and the id of an Anthropic tool result."""
    if content is None:
        return "", (), (), None
    if isinstance(content, str):
        return content, (), (), None
    texts: list[str] = []
    attachments: list[Attachment] = []
    calls: list[ToolCall] = []
    result_id: str | None = None
    for block in _list(content, where=f"{where}: content"):
        if isinstance(block, str):
            texts.append(block)
            continue
        if not isinstance(block, Mapping):
            raise InvalidRequest(f"{where} holds {shown(block)}", fix='blocks look like {"type": "text", "text": "..."}')
        kind = str(block.get("type", ""))
        if kind in ("text", "input_text", "output_text"):
            texts.append(str(block.get("text", "")))
        elif kind == "tool_use":
            calls.append(
                ToolCall(id=str(block.get("id", "")), name=str(block.get("name", "")), arguments=block.get("input") or {})
            )
        elif kind == "tool_result":
            result_id = str(block.get("tool_use_id", ""))
            texts.append(_content(block.get("content"), where=where)[0])
        elif kind not in ("reasoning", "thinking", "redacted_thinking"):
            attachments.append(attachment_of(block, where=where))
    return "\n".join(texts), tuple(attachments), tuple(calls), result_id


def _ollama_image(image: object) -> Attachment:
    return attachment_of({"type": "image", "base64": image}, where="images")


def _tool_call(call: Any, *, where: str) -> ToolCall:
    if not isinstance(call, Mapping):
        raise InvalidRequest(f"{where} has the tool call {shown(call)}", fix="send tool calls as objects")
    inner = call.get("function", call)
    arguments = inner.get("arguments", inner.get("args", {})) if isinstance(inner, Mapping) else {}
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except json.JSONDecodeError as error:
            raise InvalidRequest(f"{where}: tool arguments are not JSON: {shown(arguments)}", fix=str(error)) from error
    if not isinstance(arguments, Mapping) or not isinstance(inner, Mapping) or not inner.get("name"):
        raise InvalidRequest(f"{where} has the tool call {shown(call)}", fix="give a name and an object of arguments")
    return ToolCall(id=str(call.get("id") or ""), name=str(inner["name"]), arguments=arguments)


def _tool(tool: Any, *, index: int) -> ToolSpec:
    """Read OpenAI ({type, function}), Ollama (same) and Anthropic ({name, input_schema}) tool declarations."""
    inner = tool.get("function", tool) if isinstance(tool, Mapping) else None
    if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
        raise InvalidRequest(
            f"tool {index + 1} has no name: {shown(tool)}", fix='send {"type": "function", "function": {"name": ...}}'
        )
    parameters = inner.get("parameters") or inner.get("input_schema") or {"type": "object", "properties": {}}
    if not isinstance(parameters, Mapping):
        raise InvalidRequest(f"tool {inner['name']!r} has parameters {shown(parameters)}", fix="send a JSON Schema object")
    return ToolSpec(name=inner["name"], description=str(inner.get("description") or ""), parameters=parameters)


def _tool_choice(choice: object, tools: Sequence[ToolSpec]) -> str | None:
    """`auto`, `none`, `required`, or the name of the one tool that must be called. Raises `InvalidRequest` for another."""
    named = _named_choice(choice)
    if named in (None, "auto", "none", "required") or not tools or any(tool.name == named for tool in tools):
        return named
    offered = ", ".join(tool.name for tool in tools[:8])
    raise InvalidRequest(f"tool_choice names {shown(named)}, which is not offered", fix=f"auto, none, required or {offered}")


def _named_choice(choice: object) -> str | None:
    if choice is None or isinstance(choice, str):
        return {"any": "required"}.get(choice, choice) if choice else None
    if isinstance(choice, Mapping):
        inner = choice.get("function")
        name = inner.get("name") if isinstance(inner, Mapping) else choice.get("name")
        if isinstance(name, str):
            return name
        return _named_choice(choice.get("type"))
    raise InvalidRequest(f"tool_choice is {shown(choice)}", fix="auto, none, required or a tool's name")


_JSON_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")


def _response_format(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """One JSON Schema, whichever API asked for it; {} asks for any JSON object."""
    asked = body.get("response_format") or body.get("format")
    if asked is None or asked == "":
        return None
    if asked == "json":
        return {}
    if not isinstance(asked, Mapping):
        raise InvalidRequest(f"the response format is {shown(asked)}", fix="'json' or a JSON Schema object")
    if asked.get("type") == "text":
        return None
    kind = asked.get("type")
    if isinstance(kind, str) and kind not in (*_JSON_TYPES, "json_object", "json_schema"):
        raise InvalidRequest(f"the response format has the type {shown(kind)}", fix="json_object, json_schema or text")
    if asked.get("type") == "json_object":
        return {}
    if asked.get("type") == "json_schema":
        inner = asked.get("json_schema")
        schema = inner.get("schema") if isinstance(inner, Mapping) else asked.get("schema")
        if not isinstance(schema, Mapping):
            raise InvalidRequest("the response format has no schema", fix="put a JSON Schema under json_schema.schema")
        return schema
    return asked


def _metadata(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """OpenAI's `metadata`, whose values it keeps as strings, and what Anthropic puts there (`user_id`)."""
    metadata = body.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _said(body: Mapping[str, Any], key: str) -> str | None:
    metadata = _metadata(body)
    value = body.get(key) or metadata.get(key) or metadata.get(f"{key}_id")
    return str(value)[:MAX_NAME_CHARS] if isinstance(value, str | int) and value != "" else None


def _said_list(body: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A list of names, or one string with commas between them."""
    value = _metadata(body).get(key)
    names = value.split(",") if isinstance(value, str) else value if isinstance(value, list | tuple) else ()
    return tuple(str(name).strip()[:MAX_NAME_CHARS] for name in names if str(name).strip())[:MAX_NAMES]


def _wishes(body: Mapping[str, Any]) -> Wishes:
    options = body.get("options")
    merged = {**body, **options} if isinstance(options, Mapping) else body
    if isinstance(options, Mapping) and options.get("num_predict") in (-1, -2):  # Ollama's "no limit"
        merged = {key: value for key, value in merged.items() if key != "num_predict"}
    thinking, budget = _thinking_wish(merged)
    model = body.get("model")
    stop = merged.get("stop") or merged.get("stop_sequences")
    seed = number(merged, "seed")
    return Wishes(
        model=None if model is None else pin_of(str(model)),
        thinking=thinking,
        thinking_budget_tokens=budget,
        max_output_tokens=count(merged, "max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict"),
        max_latency_s=number(merged, "max_latency_s"),
        deadline_s=_deadline(merged),
        temperature=within(number(merged, "temperature"), 0, 2, key="temperature"),
        top_p=within(number(merged, "top_p"), 0, 1, key="top_p"),
        seed=None if seed is None else int(seed),
        stop=(stop,) if isinstance(stop, str) else tuple(str(s) for s in _list(stop, where="stop")),
    )


def _deadline(body: Mapping[str, Any]) -> float | None:
    seconds = number(body, "deadline_s")
    if seconds is not None and seconds <= 0:
        raise InvalidRequest(f"deadline_s is {shown(seconds)}", fix="a number of seconds above 0")
    return seconds


def _thinking_wish(body: Mapping[str, Any]) -> tuple[bool | None, int | None]:
    """(on or off, budget) from any API's field: Ollama, OpenAI, Anthropic, or a template's arguments."""
    kwargs = body.get("chat_template_kwargs")
    flag = body.get("think", body.get("enable_thinking"))
    if flag is None and isinstance(kwargs, Mapping):
        flag = kwargs.get("enable_thinking")
    budget = number(body, "thinking_budget", "thinking_budget_tokens", "thinking_token_budget")
    anthropic = body.get("thinking")
    if isinstance(anthropic, Mapping):
        flag = anthropic.get("type") == "enabled"
        budget = number(anthropic, "budget_tokens") if flag else budget
    effort = body.get("reasoning_effort")
    if effort is not None and effort not in EFFORTS:
        raise InvalidRequest(f"reasoning_effort is {shown(effort)}", fix=f"one of {', '.join(EFFORTS)}")
    if flag is None and effort is not None:
        flag = effort not in ("none", "minimal")
    if budget is not None and budget <= 0:
        return False, None
    if isinstance(flag, str):  # Ollama's levels
        flag = flag.lower() not in ("false", "none", "off")
    return (None if flag is None else bool(flag)), (None if budget is None else int(budget))


def _from_langchain(message: Any) -> dict[str, Any]:
    """A LangChain message as a mapping: `type` is its role, reasoning lies in `additional_kwargs`."""
    extra = getattr(message, "additional_kwargs", {}) or {}
    role = getattr(message, "role", message.type.removesuffix("MessageChunk"))  # a streamed message is an "AIMessageChunk"
    return {
        "role": role,
        "content": message.content,
        "tool_calls": getattr(message, "tool_calls", None),
        "tool_call_id": getattr(message, "tool_call_id", None),
        "name": message.name if isinstance(getattr(message, "name", None), str) else None,
        "reasoning_content": extra.get("reasoning_content"),
    }
