"""What sets OpenAI-compatible servers apart: how each is recognised, and how thinking is switched and limited there.

A row of `DIALECTS` says for one kind of server what a model's own behaviour (none, never, toggle, always: the catalog's, per
exact build) is turned into. Servers are asked what they are, never told by their port. Nothing here sends anything.

    python -c "from qwen_router.engines.dialects import DIALECTS; print(*DIALECTS, sep='\\n')"
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

Switch = Literal["template", "body", "unknown"]
Sampler = Literal["top_k", "min_p"]
Get = Callable[[str], tuple[int, str]]
"""Asks the server for a path below its root: (status, text), status 0 where nothing came."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One kind of server.

    `switch`: where `enable_thinking` goes: into `chat_template_kwargs`, into the body itself, or (unknown) into the former
    until the server refuses it. `budget_field` limits thinking there, None where nothing does. `samplers` are what it takes
    beyond OpenAI's own. `raw`: its `/v1/completions` takes a rendered prompt with control tokens, so that a thought that was
    cut short can be gone on from. `formats`: whether it takes `response_format`, together with thinking or at all. `since`:
    the version from which this holds, as far as the source says.
    """

    name: str
    switch: Switch
    budget_field: str | None
    samplers: frozenset[Sampler]
    raw: bool
    formats: Literal["always", "not while thinking", "never"]
    keeps_loaded: bool
    since: str
    source: str


_BOTH: frozenset[Sampler] = frozenset(("top_k", "min_p"))
_NONE: frozenset[Sampler] = frozenset()
_TOP_K: frozenset[Sampler] = frozenset(("top_k",))
_ROWS = (
    Dialect(
        "llamacpp", "template", "thinking_budget_tokens", _BOTH, True,
        formats="always", keeps_loaded=True, since="b8000", source="run here (xllamacpp)",
    ),
    Dialect(
        "vllm", "template", "thinking_token_budget", _BOTH, True,
        formats="always", keeps_loaded=True, since="0.9", source="docs.vllm.ai, reasoning outputs",
    ),
    Dialect(
        "sglang", "template", None, _BOTH, True,
        formats="always", keeps_loaded=True, since="0.4.6", source="docs.sglang.io, thinking budget (needs flags at start)",
    ),
    Dialect(
        "transformers", "template", None, _NONE, True,
        formats="never", keeps_loaded=False, since="5.23", source="run here (transformers serve)",
    ),
    Dialect(
        "lmstudio", "template", None, _TOP_K, True,
        formats="not while thinking", keeps_loaded=False, since="0.3.6", source="lmstudio.ai/docs/developer",
    ),
    Dialect(
        "foundry", "unknown", None, _TOP_K, False,
        formats="never", keeps_loaded=False, since="0.8", source="learn.microsoft.com, Foundry Local REST",
    ),
    Dialect(
        "dashscope", "body", "thinking_budget", _TOP_K, False,
        formats="not while thinking", keeps_loaded=True, since="2025-05", source="help.aliyun.com, deep thinking",
    ),
    Dialect(
        "ollama", "unknown", None, _NONE, False,
        formats="never", keeps_loaded=False, since="", source="refused: its own protocol is spoken to it, not /v1",
    ),
    Dialect(
        "generic", "unknown", None, _NONE, False,
        formats="not while thinking", keeps_loaded=False, since="", source="OpenAI's own fields only",
    ),
)  # fmt: skip
DIALECTS: Mapping[str, Dialect] = {row.name: row for row in _ROWS}
GENERIC = DIALECTS["generic"]
_OWNERS = ("llamacpp", "vllm", "sglang")
"""`owned_by` of `/v1/models`, which these servers fill with their own name."""


def recognised(endpoint: str, models: Iterable[Mapping[str, Any]], get: Get) -> Dialect:
    """The dialect of a server by what its `/v1/models` lists, else by what it answers to questions that only it knows.

    Those are asked of plain HTTP servers only: a hosted one is told by its name.
    """
    owners = {str(model.get("owned_by", "")).lower() for model in models}
    for name in _OWNERS:
        if name in owners:
            return DIALECTS[name]
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    if host.startswith("dashscope") and host.endswith(".aliyuncs.com"):
        return DIALECTS["dashscope"]
    if parts.scheme == "http":
        for path, name, knows in _QUESTIONS:
            if knows(*get(path)):
                return DIALECTS[name]
    return GENERIC


def key_header(endpoint: str, api_key: str | None) -> Mapping[str, str]:
    """How the host wants its key: Azure in a header of its own, PAI-EAS without `Bearer`, all others (DashScope, Vertex,
    SageMaker, servers of one's own) with it.
    """
    if not api_key:
        return {}
    host = urlsplit(endpoint).hostname or ""
    if host.endswith((".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")):
        return {"api-key": api_key}
    if ".pai-eas.aliyuncs.com" in host:
        return {"Authorization": api_key}
    return {"Authorization": f"Bearer {api_key}"}


def _lists_lmstudio(status: int, text: str) -> bool:
    data = _json(text).get("data") if status == 200 else None
    return isinstance(data, list) and any(isinstance(row, Mapping) and "compatibility_type" in row for row in data)


def _is_foundry(status: int, text: str) -> bool:
    return status == 200 and any(key.lower() == "modeldirpath" for key in _json(text))


def _loads_models(status: int, _text: str) -> bool:
    return status == 405  # `transformers serve` has a POST route there, others nothing


def _is_ollama(status: int, text: str) -> bool:
    return status == 200 and text.strip() == "Ollama is running"


_QUESTIONS: tuple[tuple[str, str, Callable[[int, str], bool]], ...] = (
    ("/load_model", "transformers", _loads_models),
    ("/api/v0/models", "lmstudio", _lists_lmstudio),
    ("/openai/status", "foundry", _is_foundry),
    ("/", "ollama", _is_ollama),
)


def _json(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, Mapping) else {}
