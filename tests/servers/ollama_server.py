"""Speaks Ollama's protocol from a script, as its source does: each shape names the file that it is taken from
(github.com/ollama/ollama at fb3076099). Strict where Ollama is: unknown models, thinking that a model lacks. What either
side sends is held against `ollama_schema.py`; a breach is a fault that fails the test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.servers.loopback import RESET, Answer, Asked, LoopbackServer
from tests.servers.ollama_schema import faults_of
from tests.servers.script import Say, Turn, Turns

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
    system: str = ""
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


Mutation = Callable[[dict[str, Any]], dict[str, Any]]
_ENDPOINTS = {  # server/routes.go, GenerateRoutes
    "/api/tags": (None, "ListResponse"),
    "/api/ps": (None, "ProcessResponse"),
    "/api/show": ("ShowRequest", "ShowResponse"),
    "/api/chat": ("ChatRequest", "ChatResponse"),
    "/api/generate": ("GenerateRequest", "GenerateResponse"),
    "/api/embed": ("EmbedRequest", "EmbedResponse"),
}


class OllamaServer(LoopbackServer):
    """The n-th chat or raw prompt gets the n-th of `says`; `raw` replaces the body of every chat, `mutate` changes all that
    is sent.
    """

    def __init__(
        self,
        *says: Turn,
        models: tuple[Stored, ...] = (Stored(),),
        raw: list[Any] | None = None,
        mutate: Mutation | None = None,
        takes_raw_prompts: bool = True,
    ) -> None:
        super().__init__(self._answer)
        self._turns, self._models, self._raw, self._mutate = Turns(*says), models, raw, mutate
        self._takes_raw_prompts = takes_raw_prompts

    def _answer(self, asked: Asked) -> Answer:
        if asked.path not in _ENDPOINTS:
            return Answer(status=404, body=(b"404 page not found",), content_type="text/plain")
        request, response = _ENDPOINTS[asked.path]
        if request is not None:
            self.faults.extend(faults_of(request, asked.body))
        reply = self._reply(asked)
        if self._raw is not None and asked.path == "/api/chat" and reply.status == 200:
            return replace(reply, body=self._raw)
        return replace(reply, body=self._checked(reply.body, response if reply.status == 200 else "Error"))

    def _reply(self, asked: Asked) -> Answer:
        match asked.path:
            case "/api/tags":
                return Answer.of_json({"models": [_listed(model) for model in self._models]})
            case "/api/ps":
                return Answer.of_json({"models": [_running(m) for m in self._models if m.loaded_context is not None]})
            case "/api/show":
                return _show(asked.body, self._models)
            case "/api/embed":
                return _embed(asked.body, self._models)
        refusal = _refusal(asked.body, self._models)
        if refusal is None and asked.path == "/api/generate" and not self._takes_raw_prompts:
            refusal = Answer.of_json({"error": f'"{asked.body["model"]}" does not support generate'}, status=400)
        if refusal is not None:
            return refusal
        lines = _chat_lines if asked.path == "/api/chat" else _generate_lines
        return Answer(body=lines(asked.body, self._turns.next(asked.body)), content_type="application/x-ndjson")

    def _checked(self, body: Iterable[Any], kind: str) -> Iterator[Any]:
        for piece in body:
            if isinstance(piece, bytes):
                value = json.loads(piece)
                if self._mutate is not None:
                    value = self._mutate(value)
                    piece = json.dumps(value, ensure_ascii=False).encode() + b"\n"
                self.faults.extend(faults_of("Error" if "error" in value else kind, value))
            yield piece


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
            **({"system": found.system} if found.system else {}),
            "details": found.details,
            "model_info": info,
            "capabilities": list(found.capabilities),
            "modified_at": _CREATED,
        }
    )


def _embed(body: dict[str, Any], models: tuple[Stored, ...]) -> Answer:
    """server/routes.go, EmbedHandler: a word is a token here, and a text's vector is made of its characters."""
    found = next((m for m in models if m.name == body.get("model")), None)
    if found is None:
        return Answer.of_json({"error": f"model '{body.get('model')}' not found"}, status=404)
    window = min(body.get("options", {}).get("num_ctx", 4096), found.context_length)
    counts = [len(text.split()) for text in body["input"]]
    if body.get("truncate") is False and max(counts, default=0) > window:
        return Answer.of_json({"error": "the input length exceeds the context length"}, status=400)
    rows = [[1.0, *(sum(ord(c) % 7 == n for c in text) / len(text) for n in range(7))] for text in body["input"]]
    answer = {"model": body["model"], "embeddings": rows, "total_duration": 14_000_000, "load_duration": 1_000_000}
    return Answer.of_json(answer | ({"prompt_eval_count": sum(counts)} if sum(counts) else {}))


def _refusal(body: dict[str, Any], models: tuple[Stored, ...]) -> Answer | None:
    """server/routes.go, ChatHandler and GenerateHandler."""
    found = next((m for m in models if m.name == body.get("model")), None)
    if found is None:
        return Answer.of_json({"error": f"model '{body.get('model')}' not found"}, status=404)
    if body.get("think") and "thinking" not in found.capabilities:
        return Answer.of_json({"error": f'"{found.name}" does not support thinking'}, status=400)
    if body.get("tools") and "tools" not in found.capabilities:
        return Answer.of_json({"error": f"{found.name} does not support tools"}, status=400)
    return None


def _chat_lines(body: dict[str, Any], say: Say) -> Iterator[Any]:
    """api/types.go, ChatResponse: thinking in a field of its own when `think` is set, tool calls beside content ""."""

    def line(message: dict[str, Any], **rest: Any) -> bytes:
        return _line(body, {"message": {"role": "assistant", "content": "", **message}, **rest})

    for kind, text in say.deltas():
        yield line({"thinking": text} if kind == "reasoning" else {"content": text})
    if say.calls:
        calls = [
            {"id": f"call_{i:08x}", "function": {"index": i, "name": name, "arguments": arguments}}
            for i, (name, arguments) in enumerate(say.calls)
        ]
        yield line({"tool_calls": calls})
    yield from _broken(say)
    if say.broken not in ("error", "end"):
        yield line({}, **_end(say))


def _generate_lines(body: dict[str, Any], say: Say) -> Iterator[Any]:
    """api/types.go, GenerateResponse; server/routes.go, GenerateHandler: raw and think false, so nothing is parsed."""
    assert body.get("raw") is True and body.get("think") is False
    for _, text in replace(say, reasoning="").deltas():
        yield _line(body, {"response": text})
    yield from _broken(say)
    if say.broken not in ("error", "end"):
        yield _line(body, {"response": "", **_end(say)})


def _line(body: dict[str, Any], fields: dict[str, Any]) -> bytes:
    chunk = {"model": body["model"], "created_at": _CREATED, "done": False, **fields}
    return json.dumps(chunk, ensure_ascii=False).encode() + b"\n"


def _broken(say: Say) -> Iterator[Any]:
    if say.broken == "error":  # server/routes.go, streamResponse: an error after the first byte is a line of its own
        yield json.dumps({"error": "an error was encountered while running the model: CUDA error"}).encode() + b"\n"
    if say.broken == "stall":
        yield say.stall_s
    if say.broken == "reset":
        yield 0.05
        yield RESET


def _end(say: Say) -> dict[str, Any]:
    """api/types.go, Metrics."""
    return {
        "done": True,
        "done_reason": say.finish_reason,
        "total_duration": 1_000_000_000,
        "load_duration": 250_000_000,
        "prompt_eval_count": say.prompt_tokens,
        "prompt_eval_duration": 100_000_000,
        "eval_count": say.completion_tokens,
        "eval_duration": 500_000_000,
    }
