"""JSON Schemas of Ollama's protocol, made by reading its api/types.go (github.com/ollama/ollama at fb3076099).

Only what the engine uses. Strict in both directions: Go ignores unknown fields, here one is a mistake of ours. What Go
leaves out when empty (`omitempty`) is optional.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

_TEXT, _BOOL, _INT, _NUMBER = {"type": "string"}, {"type": "boolean"}, {"type": "integer"}, {"type": "number"}
_TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}


def _struct(required: Mapping[str, Any], optional: Mapping[str, Any] = {}) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def _list(of: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": dict(of)}


# type Options, type Runner; FromMap refuses other kinds of values, and ignores unknown names with a warning.
_OPTIONS = _struct(
    {},
    {
        **dict.fromkeys(("num_keep", "seed", "num_predict", "top_k", "repeat_last_n"), _INT),
        **dict.fromkeys(("num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread"), _INT),
        **dict.fromkeys(("top_p", "min_p", "typical_p", "temperature"), _NUMBER),
        **dict.fromkeys(("repeat_penalty", "presence_penalty", "frequency_penalty"), _NUMBER),
        "use_mmap": _BOOL,
        "stop": _list(_TEXT),
    },
)
# type ToolCall, ToolCallFunction: an index left out is 0
_CALL = _struct({"function": _struct({"name": _TEXT, "arguments": {"type": "object"}}, {"index": _INT})}, {"id": _TEXT})
# type Message
_MESSAGE = _struct(
    {"role": {"enum": ["system", "user", "assistant", "tool"]}, "content": _TEXT},
    {
        "thinking": _TEXT,
        "images": _list(_TEXT),
        "tool_calls": _list(_CALL),
        "tool_name": _TEXT,
        "tool_call_id": _TEXT,
    },
)
# type Tool, ToolFunction
_TOOL = _struct(
    {
        "type": {"const": "function"},
        "function": _struct({"name": _TEXT, "parameters": {"type": "object"}}, {"description": _TEXT}),
    },
    {"items": {}},
)
_FORMAT = {"anyOf": [{"const": "json"}, {"type": "object"}]}
_ASKED = {
    "stream": _BOOL,
    "format": _FORMAT,
    "keep_alive": {"type": ["string", "number"]},
    "options": _OPTIONS,
    "think": {"anyOf": [_BOOL, {"enum": ["low", "medium", "high", "max"]}]},
    "truncate": _BOOL,
    "shift": _BOOL,
    "logprobs": _BOOL,
    "top_logprobs": _INT,
}
# type Metrics
_METRICS = dict.fromkeys(
    ("total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration"), _INT
)
_DETAILS = _struct(
    {"parent_model": _TEXT, "format": _TEXT, "family": _TEXT, "families": _list(_TEXT), "parameter_size": _TEXT},
    {"quantization_level": _TEXT, "context_length": _INT, "embedding_length": _INT},
)


def _answer(required: Mapping[str, Any], optional: Mapping[str, Any] = {}) -> dict[str, Any]:
    """A chunk of a stream: the last one, and only that, has a reason (server/routes.go: `if cr.Done`) and durations."""
    said = _struct(
        {"model": _TEXT, "created_at": _TIME, "done": _BOOL, **required},
        {"remote_model": _TEXT, "remote_host": _TEXT, "done_reason": _TEXT, **_METRICS, **optional},
    )
    reasons = {"enum": ["stop", "length", "load", "unload"]}
    last = {"required": ["done_reason", "total_duration"], "properties": {"done_reason": reasons}}
    return {
        **said,
        "if": {"properties": {"done": {"const": True}}},
        "then": last,
        "else": {"not": {"required": ["done_reason"]}},
    }


SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "ChatRequest": _struct({"model": _TEXT, "messages": _list(_MESSAGE)}, {**_ASKED, "tools": _list(_TOOL)}),
    "ChatResponse": _answer({"message": _MESSAGE}),
    "GenerateRequest": _struct(
        {"model": _TEXT, "prompt": _TEXT},
        {**_ASKED, "raw": _BOOL, "suffix": _TEXT, "system": _TEXT, "template": _TEXT, "context": _list(_INT)},
    ),
    "GenerateResponse": _answer(
        {"response": _TEXT}, {"thinking": _TEXT, "context": _list(_INT), "tool_calls": _list(_CALL)}
    ),
    "ListResponse": _struct(
        {
            "models": _list(
                _struct(
                    {
                        "name": _TEXT,
                        "model": _TEXT,
                        "modified_at": _TIME,
                        "size": _INT,
                        "digest": _TEXT,
                        "details": _DETAILS,
                    },
                    {"remote_model": _TEXT, "remote_host": _TEXT, "capabilities": _list(_TEXT)},
                )
            )
        }
    ),
    "ProcessResponse": _struct(
        {
            "models": _list(
                _struct(
                    {
                        "name": _TEXT,
                        "model": _TEXT,
                        "size": _INT,
                        "digest": _TEXT,
                        "details": _DETAILS,
                        "expires_at": _TIME,
                        "size_vram": _INT,
                        "context_length": _INT,
                    }
                )
            )
        }
    ),
    "ShowRequest": _struct({"model": _TEXT}, {"verbose": _BOOL, "system": _TEXT, "template": _TEXT, "options": _OPTIONS}),
    "ShowResponse": _struct(
        {"details": _DETAILS, "model_info": {"type": "object"}},
        {
            "license": _TEXT,
            "modelfile": _TEXT,
            "parameters": _TEXT,
            "template": _TEXT,
            "system": _TEXT,
            "renderer": _TEXT,
            "parser": _TEXT,
            "capabilities": _list(_TEXT),
            "modified_at": _TIME,
        },
    ),
    "EmbedRequest": _struct(
        {"model": _TEXT, "input": _list(_TEXT)},
        {"keep_alive": {"type": ["string", "number"]}, "truncate": _BOOL, "dimensions": _INT, "options": _OPTIONS},
    ),
    "EmbedResponse": _struct(
        {"model": _TEXT, "embeddings": _list(_list(_NUMBER))},
        {"total_duration": _INT, "load_duration": _INT, "prompt_eval_count": _INT},
    ),
    "PullRequest": _struct({"model": _TEXT}, {"stream": _BOOL, "insecure": _BOOL}),
    "ProgressResponse": _struct({"status": _TEXT}, {"digest": _TEXT, "total": _INT, "completed": _INT}),
    # errors: server/routes.go writes gin.H{"error": ...}, streamResponse adds the status
    "Error": _struct({"error": _TEXT}, {"status": _INT}),
}
_VALIDATORS = {name: Draft202012Validator(schema) for name, schema in SCHEMAS.items()}


def faults_of(kind: str, value: Any) -> list[str]:
    """What is wrong with a message of the protocol, one line each."""
    return [f"{kind}{error.json_path[1:]}: {error.message}" for error in _VALIDATORS[kind].iter_errors(value)]
