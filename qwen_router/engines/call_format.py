"""The format that an answer is held to: the caller's, a call where one must come, either where both are possible.

A model that is told to call a tool may answer in prose all the same. So an engine that can hold an answer to a schema is
given one of `{"name": ..., "arguments": ...}` for the tools that may be called, and the object that comes back is read as
the call it is (`CallText`, for `assemble.py`). The prompt stays as it is, tools included. The schema makes arguments
well-formed, not sensible, and a call that the token limit cuts is none.

    python -c "from qwen_router.engines.call_format import moved; print(moved({'$ref': '#/x'}, '#/$defs/t'))"
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from qwen_router.engines.base import Call
from qwen_router.engines.structured import json_problem
from qwen_router.engines.tool_calls import Found
from qwen_router.request import ToolSpec

_HEAD = '{"name":"'


def must_call(call: Call) -> bool:
    """Whether the reply has to be a tool call."""
    return bool(call.tools) and call.tool_choice not in (None, "auto", "none")


def answer_format(call: Call) -> Mapping[str, Any] | None:
    """The JSON Schema that the answer is held to; {} for any object, None for a free answer."""
    asked = call.response_format
    if not call.tools or call.tool_choice == "none" or (asked is None and not must_call(call)):
        return asked
    tools = [tool for tool in call.tools if tool.name == call.tool_choice] or list(call.tools)
    options, definitions = [], {}
    for n, tool in enumerate(tools):
        arguments, definition = _placed(_strict(tool), f"tool_{n}")
        options.append(_call_schema(tool.name, arguments))
        definitions.update(definition)
    if not must_call(call) and asked is not None:
        answer, definition = _placed(asked or {"type": "object"}, "answer")
        options.append(answer)
        definitions.update(definition)
    schema = options[0] if len(options) == 1 else {"anyOf": options}
    return {**schema, "$defs": definitions} if definitions else schema


def _call_schema(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"name": {"const": name}, "arguments": arguments},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _strict(tool: ToolSpec) -> Mapping[str, Any]:
    """The schema of the arguments, closed where it does not say: a model invents more of them else."""
    return {"type": "object", "properties": {}, "additionalProperties": False, **tool.parameters}


def _placed(schema: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """The schema as a part of another one: its references to itself go to a definition there, where it has any."""
    place = f"#/$defs/{name}"
    there = moved(schema, place)
    return (schema, {}) if there == schema else ({"$ref": place}, {name: there})


def moved(schema: Any, place: str) -> Any:
    """A copy in which references to the schema's own root point to `place`."""
    if isinstance(schema, Mapping):
        return {
            key: place + value[1:]
            if key == "$ref" and isinstance(value, str) and value.startswith("#")
            else moved(value, place)
            for key, value in schema.items()
        }
    return [moved(item, place) for item in schema] if isinstance(schema, list | tuple) else schema


class CallText:
    """Collects the start of an answer while it may be a call written as a bare JSON object, and says what it was."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._expects = bool(call.tools) and call.tool_choice != "none" and answer_format(call) is not None
        self._text = ""

    def __bool__(self) -> bool:
        """Whether something is kept back."""
        return bool(self._text)

    def take(self, text: str, *, begins: bool) -> str | None:
        """None where the text is kept; else what is to be said, with what was kept. `begins`: nothing was said yet."""
        if not self._expects or (not self._text and not begins):
            return text
        self._text += text
        head = "".join(self._text[:200].split())
        if head.startswith(_HEAD) or _HEAD.startswith(head):
            return None
        return self.finish()

    def finish(self) -> str:
        """What was kept and is no call."""
        text, self._text = self._text, ""
        return text

    def found(self, names: Sequence[str]) -> Found | None:
        """The call that was kept, which is kept no longer then; None where it is none, or is the JSON that was asked for."""
        try:
            value = json.loads(self._text)
        except (ValueError, RecursionError):
            return None
        if not (isinstance(value, dict) and value.get("name") in names and isinstance(value.get("arguments"), dict)):
            return None
        asked = self._call.response_format
        if asked and not must_call(self._call) and not json_problem(self._text, asked):
            return None
        self._text = ""
        return Found(value["name"], value["arguments"])
