"""Answers as JSON: checked against the whole schema, dug out of the prose around it, asked for in words as a last resort.

The grammar is the engine's (`response_format`, `format`, guided decoding), or `grammar.py`; this is what is left to do.

    python -c "from qwen_router.engines.structured import json_problem; print(json_problem('{}', {'required': ['a']}))"
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from qwen_router.engines.base import Call

_FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n?```", re.DOTALL)
_SHOWN_CHARS = 120
_BRACKET = re.compile(r"[{\[]")
_MOST_BRACKETS = 500


def formats_answer(call: Call) -> bool:
    """Whether the answer is to be held to a format. Not with tools: a format would leave the model no way to call one."""
    calls_tools = bool(call.tools) and call.tool_choice != "none"
    return call.response_format is not None and not calls_tools


def json_problem(answer: str, schema: Mapping[str, Any]) -> str:
    """Why the answer is not the JSON that was asked for, or an empty string. An empty schema asks for any object.

    A schema that is none itself, or that no validator knows, is held against the outermost type only.
    """
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError) as error:
        return f"the answer is not JSON: {error}"
    if not schema:
        return "" if isinstance(value, dict) else f"the answer is a JSON {type(value).__name__}, not an object"
    return _first_fault(value, schema)


def _first_fault(value: Any, asked: Mapping[str, Any]) -> str:
    import jsonschema
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    schema = dict(asked)
    try:
        validator = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        validator.check_schema(schema)
        fault = best_match(validator(schema).iter_errors(value))
    except (jsonschema.SchemaError, Unresolvable, re.error, RecursionError):
        return ""  # the schema is the caller's fault, not the answer's
    if fault is None:
        return ""
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault.absolute_path).lstrip(".")
    said = " ".join(fault.message.split())
    return f"{f'{where}: ' if where else ''}{said if len(said) <= _SHOWN_CHARS else said[: _SHOWN_CHARS - 3] + '...'}"


def begins_json(text: str) -> bool:
    """Whether an answer's first piece may be JSON: an object or a list; other values count as prose."""
    return text.lstrip()[:1] in ("{", "[")


def json_in(text: str, schema: Mapping[str, Any]) -> str | None:
    """The JSON value in a text that holds other words too, fenced or not: the first that fits the schema, or the longest."""
    if _parses(text):
        return text
    found = [fenced.strip() for fenced in _FENCE.findall(text) if _parses(fenced)] + list(_values_in(text))
    fitting = (value for value in found if not json_problem(value, schema))
    return next(fitting, max(found, key=len, default=None))


def _values_in(text: str) -> Iterator[str]:
    """Objects and lists, one behind the other; a text of nothing but brackets is left after some."""
    decoder, end = json.JSONDecoder(), 0
    for match in islice(_BRACKET.finditer(text), _MOST_BRACKETS):
        if match.start() < end:
            continue
        try:
            _, end = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        yield text[match.start() : end]


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def asking_for_format(call: Call) -> Call:
    """The call with its format asked for in the last message, for servers that take none."""
    if call.response_format is None or not call.messages:
        return call
    schema = json.dumps(dict(call.response_format), ensure_ascii=False)
    asked = (
        "Answer with JSON only." if not call.response_format else f"Answer with JSON only, by this JSON Schema:\n{schema}"
    )
    *before, last = call.messages
    return replace(call, messages=(*before, replace(last, text=f"{last.text}\n\n{asked}".lstrip())))
