"""Tool calls that a model wrote as text: found, read and checked, streamed or not; none is ever made up.

Reads Qwen's two formats, JSON (`<tool_call>{"name": ..., "arguments": {...}}</tool_call>`) and the XML of Qwen3-Coder
(`<tool_call><function=f><parameter=x>1</parameter></function></tool_call>`, also without the outer tag), and the native
calls of the HTTP APIs. What is no sound call stays text and is named. Running a tool is somebody else's work.

    python -c "from qwen_router.engines.tool_calls import parse_body; print(parse_body('<function=f></function>'))"
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from qwen_router.engines.thinking import CALL_CLOSE, CALL_OPEN, OPAQUE, XML_OPEN, CodeTracker, partial_tag_length
from qwen_router.request import ToolCall, ToolSpec

XML_CLOSE = OPAQUE[XML_OPEN]
_FUNCTION = re.compile(r"\s*<function=([^>\n]+)>")
_FUNCTION_END = re.compile(r"\s*</function>\s*")
_PARAMETER = re.compile(r"\s*<parameter=([^>\n]+)>")
_MAX_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Found:
    """A call as the model wrote it: `arguments` as an object, or as the text of one."""

    name: str
    arguments: Any
    from_xml: bool = False


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of text where a call stood: the sound calls in it, and why something in it is none ("" if all is sound)."""

    text: str
    calls: tuple[ToolCall, ...]
    why: str = ""


Piece = str | Region


class CallChecker:
    """Turns what was found into `ToolCall`s that name a known tool with an object of arguments; lists the rest.

    Ids are made where the engine gives none: `call_<messages so far>_<n>`, so that they are the same in every run and
    differ between the turns of one conversation.
    """

    def __init__(self, tools: Iterable[ToolSpec], *, id_prefix: str = "call") -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._prefix = id_prefix
        self._count = 0
        self.invalid: list[str] = []

    @property
    def expects_calls(self) -> bool:
        return bool(self._tools)

    def check(self, found: Found, *, call_id: str = "") -> ToolCall | None:
        """The call, or None with the reason added to `invalid`."""
        name = found.name.strip() if isinstance(found.name, str) else ""
        why = ""
        arguments = found.arguments
        if name not in self._tools:
            known = ", ".join(self._tools) or "none was offered"
            why = f"no tool is called {_shown(found.name)} (known: {known})"
        elif isinstance(arguments, str):
            arguments, why = _object_of(arguments, name)
        if not why and not isinstance(arguments, Mapping):
            why = f"the arguments of {name!r} are no object: {_shown(arguments)}"
        if why:
            self.invalid.append(why)
            return None
        if found.from_xml:
            arguments = self._convert(arguments, self._tools[name])
        self._count += 1
        return ToolCall(id=call_id or f"{self._prefix}_{self._count}", name=name, arguments=arguments)

    def _convert(self, arguments: Mapping[str, Any], tool: ToolSpec) -> Mapping[str, Any]:
        """Give the texts of XML parameters the types that the tool's schema asks for."""
        properties = tool.parameters.get("properties")
        known: Mapping[str, Any] = properties if isinstance(properties, Mapping) else {}
        return {name: typed(value, known.get(name)) for name, value in arguments.items()}


def _object_of(text: str, name: str) -> tuple[Any, str]:
    try:
        value = json.loads(text or "{}", strict=False)
    except ValueError as error:
        return None, f"the arguments of {name!r} are not JSON: {_shown(text)} ({error})"
    if isinstance(value, str):  # encoded twice
        return _object_of(value, name) if value.lstrip().startswith("{") else (value, "")
    return value, ""


def typed(text: Any, schema: Any) -> Any:
    """An XML parameter's text as its schema's type; the text itself where it does not read as that type."""
    if not isinstance(text, str) or not isinstance(schema, Mapping):
        return text
    kinds = _kinds(schema)
    if text.strip().lower() == "null" and "null" in kinds:
        return None
    if "string" in kinds or not kinds:
        return text
    if "boolean" in kinds and text.strip().lower() in ("true", "false"):
        return text.strip().lower() == "true"
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if _is_a(value, kinds) else text


def _kinds(schema: Mapping[str, Any]) -> frozenset[str]:
    declared = schema.get("type")
    names = [declared] if isinstance(declared, str) else list(declared or ())
    for key in ("anyOf", "oneOf"):
        for option in schema.get(key) or ():
            if isinstance(option, Mapping):
                names.extend(_kinds(option))
    return frozenset(str(name) for name in names)


def _is_a(value: object, kinds: frozenset[str]) -> bool:
    if isinstance(value, bool):
        return "boolean" in kinds
    if isinstance(value, int | float):
        return "number" in kinds or ("integer" in kinds and float(value).is_integer())
    return (isinstance(value, Mapping) and "object" in kinds) or (isinstance(value, list) and "array" in kinds)


def parse_body(body: str) -> tuple[tuple[Found, ...], str]:
    """The calls between the tags, and why there is none. All of it must be calls: half a call is no call."""
    text = body.strip()
    if text.startswith(XML_OPEN):
        return _parse_xml(text)
    found: list[Found] = []
    decoder = json.JSONDecoder(strict=False)
    while text:
        try:
            value, end = decoder.raw_decode(text)
        except ValueError as error:
            return (), f"not JSON: {_shown(text)} ({error})"
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, dict) or not isinstance(item.get("name"), str):
                return (), f"no name in {_shown(text)}"
            found.append(Found(item["name"], item.get("arguments", item.get("parameters", {}))))
        text = text[end:].lstrip(" \t\r\n,;")
    return tuple(found), "" if found else "an empty tool call"


def _parse_xml(text: str) -> tuple[tuple[Found, ...], str]:
    found: list[Found] = []
    position = 0
    while position < len(text):
        head = _FUNCTION.match(text, position)
        if head is None:
            return (), f"text beside the function: {_shown(text[position:])}"
        parameters, position = _parse_parameters(text, head.end())
        end = _FUNCTION_END.match(text, position)
        if end is None:
            what = "text between parameters" if XML_CLOSE in text[position:] else "a function without its end"
            return (), f"{what}: {_shown(text[position:] or text)}"
        found.append(Found(head[1].strip().strip("\"'"), parameters, from_xml=True))
        position = end.end()
    return tuple(found), ""


def _parse_parameters(text: str, position: int) -> tuple[dict[str, str], int]:
    """The parameters from `position` on, and where they end. One without its end goes to the next, as Qwen3-Coder writes."""
    parameters: dict[str, str] = {}
    while head := _PARAMETER.match(text, position):
        end = text.find("</parameter>", head.end())
        following = text.find("<parameter=", head.end())
        if end < 0 or 0 <= following < end:
            stops = [at for at in (following, text.rfind(XML_CLOSE)) if at >= head.end()]
            if not stops:
                break
            parameters[head[1].strip()], position = _trimmed(text[head.end() : min(stops)]), min(stops)
        else:
            parameters[head[1].strip()] = _trimmed(text[head.end() : end])
            position = end + len("</parameter>")
    return parameters, position


def _trimmed(value: str) -> str:
    """Qwen3-Coder's template puts one line break on either side of a value; more of them belong to the value."""
    return value.removeprefix("\n").removesuffix("\n")


class ToolCallParser:
    """Finds calls in a stream of text. `feed` and `finish` give text and regions in their order, in any chunking.

    While no tool is offered, text passes as it is. A call in Markdown code is text: the model shows it, not makes it.
    A closing tag that closes nothing is taken out and listed in `leaked`.
    """

    def __init__(self, checker: CallChecker) -> None:
        self._checker = checker
        self._buffer = ""
        self._open = ""
        self._after_bare = False
        self._code = CodeTracker()
        self.leaked: list[str] = []

    @property
    def is_open(self) -> bool:
        """Whether a call was begun that has not ended."""
        return bool(self._open)

    def feed(self, text: str) -> list[Piece]:
        if not self._checker.expects_calls:
            return [text] if text else []
        self._buffer += text
        return self._drain(last=False)

    def finish(self) -> list[Piece]:
        return self._drain(last=True)

    def _drain(self, *, last: bool) -> list[Piece]:
        out: list[Piece] = []
        while self._buffer and (self._within(out, last) if self._open else self._outside(out, last)):
            pass
        return out

    def _outside(self, out: list[Piece], last: bool) -> bool:
        start = self._buffer.find("<")
        if start < 0:
            self._say(out, self._buffer)
            self._buffer = ""
            return False
        if start:
            self._say(out, self._buffer[:start])
            self._buffer = self._buffer[start:]
        tag = next((t for t in (*OPAQUE, CALL_CLOSE) if self._buffer.startswith(t)), "")
        if tag in OPAQUE and not self._code.in_code:
            self._open = tag
            return True
        if tag == CALL_CLOSE and not self._code.in_code:
            self._buffer = self._buffer[len(tag) :]
            if not self._after_bare:
                self.leaked.append(tag)
            out.append(Region(tag, ()))
            return True
        if not last and partial_tag_length(self._buffer, (*OPAQUE, CALL_CLOSE)) == len(self._buffer):
            return False
        self._say(out, "<")
        self._buffer = self._buffer[1:]
        return True

    def _within(self, out: list[Piece], last: bool) -> bool:
        first, end = self._ends()
        if end < 0 and not last:
            return False
        if end < 0:  # cut off, or the closing tag is missing: whole calls count all the same
            end = len(self._buffer)
        found, why = parse_body(self._body(end))
        if why and 0 <= first < end:  # a quote too many hid the true end
            end = first
            found, why = parse_body(self._body(end))
        whole, self._buffer = self._buffer[:end], self._buffer[end:]
        self._after_bare = self._open == XML_OPEN
        self._open = ""
        out.append(self._region(whole, found, why))
        return True

    def _body(self, end: int) -> str:
        text = self._buffer[:end]
        return text.removeprefix(CALL_OPEN).removesuffix(CALL_CLOSE) if self._open == CALL_OPEN else text

    def _ends(self) -> tuple[int, int]:
        """Where the first closing tag ends, and the first one that does not lie within a value; -1 while there is none."""
        close = OPAQUE[self._open]
        start = len(CALL_OPEN) if self._open == CALL_OPEN else 0
        at = self._buffer.find(close)
        first = at + len(close) if at >= 0 else -1
        while at >= 0 and _in_value(self._buffer[start:at]):
            at = self._buffer.find(close, at + 1)
        return first, (at + len(close) if at >= 0 else -1)

    def _region(self, whole: str, found: tuple[Found, ...], why: str) -> Region:
        if why:
            self._checker.invalid.append(why)
            return Region(whole, (), why)
        before = len(self._checker.invalid)
        calls = tuple(self._checker.check(f) for f in found)
        why = self._checker.invalid[-1] if len(self._checker.invalid) > before else ""
        return Region(whole, tuple(call for call in calls if call is not None), why)

    def _say(self, out: list[Piece], text: str) -> None:
        if text:
            self._after_bare = self._after_bare and not text.strip()
            self._code.advance(text)
            if out and isinstance(out[-1], str):
                out[-1] += text
            else:
                out.append(text)


def _in_value(body: str) -> bool:
    """True when `body` ends inside a JSON string or an XML parameter, so that a closing tag there is part of it."""
    text = body.lstrip()
    if text.startswith(XML_OPEN):
        return text.rfind("<parameter=") > text.rfind("</parameter>")
    inside = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = inside
        elif char == '"':
            inside = not inside
    return inside


class NativeCalls:
    """Puts together the calls that an API reports on its own: whole ones (Ollama) or fragments by index (OpenAI)."""

    def __init__(self, checker: CallChecker) -> None:
        self._checker = checker
        self._parts: dict[int, dict[str, str]] = {}

    @property
    def begun(self) -> bool:
        """Whether a call came in fragments that is not given out yet."""
        return bool(self._parts)

    def feed(self, deltas: Iterable[Mapping[str, Any] | ToolCall]) -> list[ToolCall]:
        """Take deltas; give the calls that came whole (their arguments as an object)."""
        out: list[ToolCall] = []
        for delta in deltas:
            call = self._whole(delta)
            if call is not None:
                out.append(call)
        return out

    def finish(self) -> list[ToolCall]:
        """The calls that came in fragments, in the order of their index."""
        calls = [
            self._checker.check(Found(part["name"], part["arguments"]), call_id=part["id"])
            for _, part in sorted(self._parts.items())
        ]
        self._parts.clear()
        return [call for call in calls if call is not None]

    def _whole(self, delta: Mapping[str, Any] | ToolCall) -> ToolCall | None:
        if isinstance(delta, ToolCall):
            return self._checker.check(Found(delta.name, delta.arguments), call_id=delta.id)
        function = delta.get("function")
        inner: Mapping[str, Any] = function if isinstance(function, Mapping) else delta
        arguments = inner.get("arguments")
        call_id, name = str(delta.get("id") or ""), str(inner.get("name") or "")
        if isinstance(arguments, Mapping):
            return self._checker.check(Found(name, arguments), call_id=call_id)
        index = delta.get("index")
        if not isinstance(index, int):
            index = len(self._parts) if name or not self._parts else max(self._parts)
        part = self._parts.setdefault(index, {"id": "", "name": "", "arguments": ""})
        part["id"] = part["id"] or call_id
        part["name"] = part["name"] or name
        part["arguments"] += "" if arguments is None else str(arguments)
        return None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."
