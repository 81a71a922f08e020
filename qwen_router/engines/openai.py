"""Speaks to any OpenAI-compatible server: llama.cpp's, vLLM, SGLang, `transformers serve`, LM Studio, hosted ones.

Asks the server what it is (`/v1/models`), sends thinking on or off explicitly, sends what only some servers know to those
only, and reads the stream whatever field reasoning comes in. Ollama is `ollama.py`'s: its `/v1` cannot set the context.

    python -c "from qwen_router.engines.openai import OpenAIEngine; print(OpenAIEngine('http://127.0.0.1:8000').endpoint)"
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal

from qwen_router.engines.assemble import ReplyAssembler
from qwen_router.engines.base import Call, Event, Usage
from qwen_router.engines.clients import PerLoop, Shared
from qwen_router.engines.local_prompt import effective_sampling, neutralised, tool_specs
from qwen_router.engines.thinking import neutralise
from qwen_router.engines.wire import (
    PROBE_TIMEOUT_S,
    Lines,
    Peer,
    async_client_options,
    base64_text,
    client_options,
    data_url,
    error_text,
    json_object,
    loop_start,
    output_limit_tokens,
    plain,
    refused_at_once,
    truncation,
    waits,
)
from qwen_router.errors import EngineError, EngineTimeout, EngineUnreachable
from qwen_router.hardware.machine import EngineName, ServedBuild
from qwen_router.media import Attachment
from qwen_router.request import Message

if TYPE_CHECKING:
    import httpx

Dialect = Literal["llamacpp", "vllm", "sglang", "generic"]
_DIALECTS: Mapping[str, Dialect] = {"llamacpp": "llamacpp", "vllm": "vllm", "sglang": "sglang"}
"""`owned_by` of `/v1/models`, which these servers fill with their own name."""

_BUDGET_FIELD: Mapping[Dialect, str] = {"llamacpp": "thinking_budget_tokens", "vllm": "thinking_token_budget"}
_OPTIONAL = ("chat_template_kwargs", "stream_options", "seed")
"""What strict servers refuse and a reply can do without; `reasoning_content` in messages is dropped with them."""
_REFUSAL_WORDS = (
    "unrecognized", "unexpected", "unknown", "unsupported", "not supported", "extra ", "additional", "not permitted"
)  # fmt: skip
_log = logging.getLogger(__name__)


class OpenAIEngine:
    """One server. `endpoint` is its base address, with or without `/v1`; `api_key` goes into the Authorization header.

    `timeout_s` bounds the questions about models; a call brings its own.
    """

    name: EngineName = "openai"

    def __init__(self, endpoint: str, *, api_key: str | None = None, timeout_s: float = PROBE_TIMEOUT_S) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._base = self.endpoint if _has_version(self.endpoint) else self.endpoint + "/v1"
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout_s = timeout_s
        self._peer = Peer("openai", self.endpoint, f"start the server, or correct the address {self.endpoint}")
        self._dialect: Dialect | None = None
        self._lean = False  # the server refused the optional fields once
        self._clients: Shared[httpx.Client] = Shared(self._client, lambda client: client.close())
        self._aclients: PerLoop[httpx.AsyncClient] = PerLoop(self._aclient, lambda client: client.aclose())

    def installed(self) -> tuple[ServedBuild, ...]:
        """What `/v1/models` lists. A server that names itself keeps its models in memory."""
        models = self._models()
        dialect = self._dialect or "generic"
        return tuple(self._build(model, dialect) for model in models)

    def stream(self, call: Call) -> Iterator[Event]:
        import httpx

        dialect = self._known_dialect()
        exchange = _Exchange(call, self._peer)
        for attempt in (1, 2):
            body = self._body(call, dialect)
            try:
                with self._clients.get().stream(
                    "POST", f"{self._base}/chat/completions", json=body, extensions=waits(call)
                ) as response:
                    if response.status_code == 200:
                        exchange.starts(response.headers.get("content-type", ""))
                        for data in response.iter_bytes():
                            yield from exchange.feed(data)
                        yield from exchange.end()
                        return
                    response.read()
                    self._judge(response, body, call, attempt)
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
                raise self._peer.of_httpx(error) from error

    async def astream(self, call: Call) -> AsyncIterator[Event]:
        import httpx

        dialect = await asyncio.to_thread(self._known_dialect) if self._dialect is None else self._dialect
        exchange = _Exchange(call, self._peer)
        client = await self._aclients.get()
        for attempt in (1, 2):
            body = self._body(call, dialect)
            try:
                async with client.stream(
                    "POST", f"{self._base}/chat/completions", json=body, extensions=waits(call)
                ) as response:
                    if response.status_code == 200:
                        exchange.starts(response.headers.get("content-type", ""))
                        async with aclosing(response.aiter_bytes()) as pieces:  # type: ignore[type-var]  # a generator
                            async for data in pieces:
                                for event in exchange.feed(data):
                                    yield event
                        for event in exchange.end():
                            yield event
                        return
                    await response.aread()
                    self._judge(response, body, call, attempt)
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
                raise self._peer.of_httpx(error) from error

    def close(self) -> None:
        self._clients.close()
        self._aclients.close()

    # ── questions about the server ──────────────────────────────────────────────────────────────────────────────────────

    def _client(self) -> httpx.Client:
        import httpx

        return httpx.Client(headers=self._headers, **client_options(self.endpoint, timeout_s=self._timeout_s))

    def _aclient(self) -> httpx.AsyncClient:
        import httpx

        return httpx.AsyncClient(headers=self._headers, **async_client_options(self.endpoint, timeout_s=self._timeout_s))

    def _models(self) -> list[Mapping[str, Any]]:
        if why := refused_at_once(self._base):
            raise self._peer.unreachable(why)
        import httpx

        try:
            response = self._clients.get().get(f"{self._base}/models")
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise self._peer.of_httpx(error) from error
        if response.status_code != 200:
            hub = "if it is `transformers serve`: create the Hugging Face hub cache folder, without it the list fails"
            fix = hub if response.status_code == 500 else None
            raise self._peer.of_status(response.status_code, error_text(response.text), fix=fix)
        data = json_object(response.content, self._peer).get("data")
        if not isinstance(data, list) or not all(isinstance(m, Mapping) and isinstance(m.get("id"), str) for m in data):
            raise self._peer.nonsense("/v1/models lists no models")
        owners = {str(model.get("owned_by", "")).lower() for model in data}
        self._dialect = next((_DIALECTS[owner] for owner in sorted(owners) if owner in _DIALECTS), "generic")
        return data

    def cache_note(self) -> str | None:
        """What the server says of its cache and slots, in a sentence for people; None where it says nothing."""
        import httpx

        from qwen_router.engines.held import cache_of_metrics, slots_of_props

        dialect = self._known_dialect()
        if dialect not in ("vllm", "llamacpp"):
            return None
        root = self._base.removesuffix("/v1")
        try:
            response = self._clients.get().get(f"{root}/{'metrics' if dialect == 'vllm' else 'props'}")
            if response.status_code != 200:
                return None
            if dialect == "vllm":
                return cache_of_metrics(response.text)
            return slots_of_props(json_object(response.content, self._peer))
        except (httpx.HTTPError, EngineError):
            return None

    def _known_dialect(self) -> Dialect:
        """Asked once; a server that lists no models, or is slow to, is spoken to plainly."""
        if self._dialect is None:
            try:
                self._models()
            except EngineTimeout:
                return "generic"  # `transformers serve` imports torch first; ask again next time
            except EngineUnreachable:
                raise
            except EngineError:
                self._dialect = "generic"
        return self._dialect or "generic"

    def _build(self, model: Mapping[str, Any], dialect: Dialect) -> ServedBuild:
        from qwen_router.catalog import Catalog
        from qwen_router.catalog.quants import split_quant

        name = str(model["id"])
        found = Catalog.load().resolve(name)
        meta: Mapping[str, Any] = model["meta"] if isinstance(model.get("meta"), Mapping) else {}
        context = model.get("max_model_len") or meta.get("n_ctx") or meta.get("n_ctx_train")
        return ServedBuild(
            engine=self.name,
            endpoint=self.endpoint,
            name=name,
            model_id=found.id if found else None,
            quant=split_quant(name.removesuffix("@main").removesuffix(".gguf"))[1],
            resident=dialect != "generic",
            context_tokens=context if isinstance(context, int) and context > 0 else None,
            memory_mib=meta["size"] / 1024**2 if isinstance(meta.get("size"), int) else None,
        )

    # ── what is sent ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _body(self, call: Call, dialect: Dialect) -> dict[str, Any]:
        thinks = call.thinking.enabled and call.thinking.budget_tokens != 0
        sampling = effective_sampling(call, thinking=thinks)
        body: dict[str, Any] = {
            "model": call.model,
            "messages": self._messages(call),
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "presence_penalty": sampling.presence_penalty,
            "max_tokens": output_limit_tokens(call),
            "seed": call.seed,
            "stop": list(call.stop) or None,
        }
        if dialect != "generic":
            body |= {"top_k": sampling.top_k, "min_p": sampling.min_p}
        if call.behaviour == "toggle":
            body["chat_template_kwargs"] = {"enable_thinking": thinks}
        if thinks and call.thinking.budget_tokens is not None and dialect in _BUDGET_FIELD:
            body[_BUDGET_FIELD[dialect]] = call.thinking.budget_tokens
        if call.tools and call.tool_choice != "none":
            body["tools"] = neutralised(tool_specs(call))
            body["tool_choice"] = _tool_choice(call.tool_choice)
        if call.response_format is not None:
            body["response_format"] = _response_format(call.response_format)
        if self._lean:
            body = {key: value for key, value in body.items() if key not in _OPTIONAL}
        return {key: value for key, value in body.items() if value is not None}

    def _messages(self, call: Call) -> list[dict[str, Any]]:
        start = loop_start(call.messages)
        return [
            self._message(message, carries_reasoning=not self._lean and position > start)
            for position, message in enumerate(call.messages)
        ]

    def _message(self, message: Message, *, carries_reasoning: bool) -> dict[str, Any]:
        content: Any = plain(message)
        if message.attachments:
            parts = [_part(attachment, self._peer) for attachment in message.attachments]
            content = [*parts, {"type": "text", "text": content}] if content else parts
        out: dict[str, Any] = {"role": message.role, "content": content}
        if message.tool_calls:
            out["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {
                        "name": call.name,
                        "arguments": neutralise(json.dumps(call.arguments, ensure_ascii=False)),
                    },
                }
                for call in message.tool_calls
            ]
        if message.reasoning and carries_reasoning and message.role == "assistant":
            out["reasoning_content"] = neutralise(message.reasoning)
        if message.role == "tool":
            out["tool_call_id"] = message.tool_call_id or ""
        if message.name is not None:
            out["name"] = message.name
        return out

    def _judge(self, response: httpx.Response, body: Mapping[str, Any], call: Call, attempt: int) -> None:
        """Return when another try without the optional fields is worth it, else raise."""
        status, said = response.status_code, error_text(response.text)
        low = said.lower()
        names_one = any(name in low for name in (*_OPTIONAL, "enable_thinking", "reasoning_content"))
        if (
            status in (400, 422)
            and attempt == 1
            and not self._lean
            and (names_one or any(word in low for word in _REFUSAL_WORDS))
        ):
            _log.warning("%s refuses optional fields, trying without: %s", self.endpoint, said[:200])
            self._lean = True
            return
        fix = f"check the model name {call.model!r}" if status == 404 else None
        raise self._peer.of_status(status, said, fix=fix, retry_after=response.headers.get("retry-after"))


class _Exchange:
    """One answer on its way in: bytes of an SSE stream (or of one JSON body) to events. No IO."""

    def __init__(self, call: Call, peer: Peer) -> None:
        self._call, self._peer = call, peer
        self._assembler = ReplyAssembler(call)
        self._lines = Lines(peer)
        self._is_json = False
        self._body: list[bytes] = []
        self._finish_reason: str | None = None
        self._usage: Mapping[str, Any] = {}
        self._ended = False
        self._spoken = False  # at least one event came

    def starts(self, content_type: str) -> None:
        kind = content_type.partition(";")[0].strip().lower()
        if kind in ("text/html", "application/xhtml+xml"):
            raise self._peer.nonsense("a web page")
        self._is_json = kind == "application/json"

    def feed(self, data: bytes) -> Iterator[Event]:
        if self._is_json:
            self._body.append(data)
            return
        for line in self._lines.feed(data):
            yield from self._line(line)

    def end(self) -> Iterator[Event]:
        if self._is_json:
            yield from self._chunk(json_object(b"".join(self._body), self._peer))
        else:
            for line in self._lines.feed(b"", last=True):
                yield from self._line(line)
        if self._finish_reason is None and not self._ended:
            if not self._spoken:
                raise self._peer.nonsense("a stream without a single event")
            raise self._peer.failed("the stream ended before the answer did")
        yield from self._finished()

    def _line(self, line: str) -> Iterator[Event]:
        field, _, value = line.partition(":")
        if field == "error":  # llama.cpp's servers write it without `data:`
            value = value.strip()
            raise self._peer.failed(error_text(value) if value else "an error without a reason")
        if field != "data" or self._ended:
            if field.lstrip().startswith(("{", "<")):
                raise self._peer.nonsense(f"no event stream: {line[:80]!r}")
            return
        value = value.strip()
        if value == "[DONE]":
            self._ended = True
        elif value:
            yield from self._chunk(json_object(value, self._peer))

    def _chunk(self, chunk: Mapping[str, Any]) -> Iterator[Event]:
        self._spoken = True
        if chunk.get("error"):
            raise self._peer.failed(error_text(json.dumps({"error": chunk["error"]})))
        if isinstance(chunk.get("usage"), Mapping):
            self._usage = chunk["usage"]
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            if "usage" in chunk or "object" in chunk:
                return
            raise self._peer.nonsense(f"a chunk without choices: {json.dumps(chunk)[:80]}")
        for choice in choices:
            if isinstance(choice, Mapping) and choice.get("index", 0) in (0, None):
                yield from self._choice(choice)

    def _choice(self, choice: Mapping[str, Any]) -> Iterator[Event]:
        delta = choice.get("delta") or choice.get("message") or {}
        if not isinstance(delta, Mapping):
            raise self._peer.nonsense(f"a delta that is no object: {str(delta)[:80]}")
        reasoning = next((delta[k] for k in ("reasoning_content", "reasoning", "thinking") if delta.get(k)), None)
        calls = delta.get("tool_calls") or ()
        yield from self._assembler.feed(
            content=_text(delta.get("content")),
            reasoning=_text(reasoning),
            tool_calls=[call for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else (),
        )
        if choice.get("finish_reason"):
            self._finish_reason = str(choice["finish_reason"])

    def _finished(self) -> Iterator[Event]:
        prompt_tokens = _count(self._usage, "prompt_tokens")
        cut = truncation(self._call, prompt_tokens)
        if cut:
            self._assembler.violate(cut)
        completion_tokens = _count(self._usage, "completion_tokens")
        yield from self._assembler.finish(
            finish_reason=self._finish_reason,
            usage=Usage(
                prompt_tokens=prompt_tokens,
                reasoning_tokens=_count(self._usage.get("completion_tokens_details"), "reasoning_tokens"),
                cached_tokens=_count(self._usage.get("prompt_tokens_details"), "cached_tokens"),
            ),
            completion_tokens=completion_tokens,
        )


def _has_version(endpoint: str) -> bool:
    last = endpoint.rpartition("/")[2]
    return len(last) >= 2 and last[0] == "v" and last[1].isdigit()


def _count(usage: Any, key: str) -> int | None:
    value = usage.get(key) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    """A delta's text; some servers send a list of typed parts."""
    if isinstance(value, list):
        return "".join(str(part.get("text", "")) for part in value if isinstance(part, Mapping))
    return value if isinstance(value, str) else None


def _tool_choice(choice: str | None) -> Any:
    if choice in (None, "auto", "required"):
        return choice or "auto"
    return {"type": "function", "function": {"name": choice}}


def _response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    if not schema:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(schema), "strict": True}}


def _part(attachment: Attachment, peer: Peer) -> dict[str, Any]:
    if attachment.kind == "image":
        return {"type": "image_url", "image_url": {"url": data_url(attachment)}}
    if attachment.kind == "video":
        return {"type": "video_url", "video_url": {"url": data_url(attachment)}}
    if attachment.kind == "audio":
        kind = (attachment.media_type or "audio/wav").rpartition("/")[2].removeprefix("x-")
        audio = {"data": base64_text(attachment, peer), "format": {"mpeg": "mp3"}.get(kind, kind)}
        return {"type": "input_audio", "input_audio": audio}
    raise peer.refused("files are not read by chat models", fix="send the text of the file in the message")
