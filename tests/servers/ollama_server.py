"""Speaks Ollama's protocol from a script, as its source does: each shape names the file that it is taken from
(github.com/ollama/ollama at fb3076099). Strict where Ollama is: unknown models, thinking that a model lacks, option types.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.servers.loopback import RESET, Answer, Asked, LoopbackServer
from tests.servers.script import Say, Turn, Turns

# api/types.go, Options and Runner, with the kinds that FromMap accepts for each.
_INT_OPTIONS = {"num_keep", "seed", "num_predict", "top_k", "repeat_last_n", "num_ctx", "num_batch", "num_gpu", "num_thread"}
_FLOAT_OPTIONS = {
    "top_p", "min_p", "typical_p", "temperature", "repeat_penalty", "presence_penalty", "frequency_penalty",
}  # fmt: skip
# api/types.go, ChatRequest and Message.
_CHAT_FIELDS = {"model", "messages", "stream", "format", "keep_alive", "tools", "options", "think", "truncate", "shift"}
_MESSAGE_FIELDS = {"role", "content", "thinking", "images", "tool_calls", "tool_name", "tool_call_id"}
_CREATED = "2026-01-01T00:00:00.000000Z"


@dataclass(frozen=True)
class Stored:
    """A model in the store. `capabilities` as in types/model/capability.go."""

    name: str = "qwen3:8b"
    capabilities: tuple[str, ...] = ("completion", "tools", "thinking")
    quantization: str = "Q4_K_M"
    architecture: str = "qwen3"
    context_length: int = 40960
    size: int = 5225388164
    loaded_context: int | None = None
    basename: str | None = "Qwen3"
    size_label: str | None = "8B"

    @property
    def details(self) -> dict[str, Any]:
        """api/types.go, ModelDetails."""
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.architecture,
            "families": [self.architecture],
            "parameter_size": "8.2B",
            "quantization_level": self.quantization,
        }

    @property
    def digest(self) -> str:
        return f"{abs(hash(self.name)):064x}"[:64]


def ollama_server(*says: Turn, models: tuple[Stored, ...] = (Stored(),), raw: list[Any] | None = None) -> LoopbackServer:
    """A server that answers the n-th chat with the n-th of `says`; `raw` replaces the body of every chat."""
    turns = Turns(*says)

    def answer(asked: Asked) -> Answer:
        match asked.path:
            case "/api/tags":
                return Answer.of_json({"models": [_listed(model) for model in models]})
            case "/api/ps":
                return Answer.of_json({"models": [_running(m) for m in models if m.loaded_context is not None]})
            case "/api/show":
                return _show(asked.body, models)
            case "/api/chat":
                refusal = _refusal(asked.body, models)
                if refusal is not None:
                    return refusal
                if raw is not None:
                    return Answer(body=raw, content_type="application/x-ndjson")
                return Answer(body=_lines(asked.body, turns.next(asked.body)), content_type="application/x-ndjson")
        return Answer(status=404, body=(b"404 page not found",), content_type="text/plain")

    return LoopbackServer(answer)


def _listed(model: Stored) -> dict[str, Any]:
    """api/types.go, ListModelResponse."""
    return {
        "name": model.name,
        "model": model.name,
        "modified_at": _CREATED,
        "size": model.size,
        "digest": model.digest,
        "details": model.details,
    }


def _running(model: Stored) -> dict[str, Any]:
    """api/types.go, ProcessModelResponse; server/routes.go, PsHandler."""
    return {
        "name": model.name,
        "model": model.name,
        "size": model.size + 2 * 1024**3,
        "digest": model.digest,
        "details": model.details,
        "expires_at": _CREATED,
        "size_vram": model.size,
        "context_length": model.loaded_context,
    }


def _show(body: dict[str, Any], models: tuple[Stored, ...]) -> Answer:
    """api/types.go, ShowResponse; server/routes.go, ShowHandler."""
    found = next((m for m in models if m.name == body.get("model")), None)
    if found is None:
        return Answer.of_json({"error": f"model '{body.get('model')}' not found"}, status=404)
    info: dict[str, Any] = {
        "general.architecture": found.architecture,
        f"{found.architecture}.context_length": found.context_length,
    }
    if found.basename:
        info |= {"general.basename": found.basename, "general.size_label": found.size_label}
    return Answer.of_json(
        {
            "modelfile": "",
            "template": "",
            "details": found.details,
            "model_info": info,
            "capabilities": list(found.capabilities),
            "modified_at": _CREATED,
        }
    )


def _refusal(body: dict[str, Any], models: tuple[Stored, ...]) -> Answer | None:
    """server/routes.go, ChatHandler; api/types.go, Options.FromMap and ThinkValue."""
    found = next((m for m in models if m.name == body.get("model")), None)
    if found is None:
        return Answer.of_json({"error": f"model '{body.get('model')}' not found"}, status=404)
    unknown = set(body) - _CHAT_FIELDS | {k for m in body["messages"] for k in set(m) - _MESSAGE_FIELDS}
    if unknown:  # Ollama ignores them in silence: here they are a mistake of ours
        return Answer.of_json({"error": f"test server: fields that Ollama does not have: {sorted(unknown)}"}, status=400)
    if body.get("think") and "thinking" not in found.capabilities:
        return Answer.of_json({"error": f'"{found.name}" does not support thinking'}, status=400)
    if body.get("tools") and "tools" not in found.capabilities:
        return Answer.of_json({"error": f"{found.name} does not support tools"}, status=400)
    for key, value in (body.get("options") or {}).items():
        if key in _INT_OPTIONS and (isinstance(value, bool) or not isinstance(value, int)):
            return Answer.of_json({"error": f'option "{key}" must be of type integer'}, status=500)
        if key in _FLOAT_OPTIONS and (isinstance(value, bool) or not isinstance(value, int | float)):
            return Answer.of_json({"error": f'option "{key}" must be of type float32'}, status=500)
    return None


def _lines(body: dict[str, Any], say: Say) -> Iterator[Any]:
    """api/types.go, ChatResponse: thinking in a field of its own when `think` is set, tool calls beside content ""."""

    def line(message: dict[str, Any], **rest: Any) -> bytes:
        chunk = {"model": body["model"], "created_at": _CREATED, "message": {"role": "assistant", "content": "", **message}}
        return json.dumps({**chunk, "done": False, **rest}, ensure_ascii=False).encode() + b"\n"

    for kind, text in say.deltas():
        yield line({"thinking": text} if kind == "reasoning" else {"content": text})
    if say.calls:
        calls = [
            {"id": f"call_{i:08x}", "function": {"index": i, "name": name, "arguments": arguments}}
            for i, (name, arguments) in enumerate(say.calls)
        ]
        yield line({"tool_calls": calls})
    if say.broken == "error":  # server/routes.go, streamResponse: an error after the first byte is a line of its own
        yield json.dumps({"error": "an error was encountered while running the model: CUDA error"}).encode() + b"\n"
        return
    if say.broken == "stall":
        yield say.stall_s
    if say.broken == "reset":
        yield 0.05
        yield RESET
    if say.broken == "end":
        return
    yield line(
        {},
        done=True,
        done_reason=say.finish_reason,
        total_duration=1_000_000_000,
        load_duration=250_000_000,
        prompt_eval_count=say.prompt_tokens,
        prompt_eval_duration=100_000_000,
        eval_count=say.completion_tokens,
        eval_duration=500_000_000,
    )
