"""Speaks to any OpenAI-compatible server: llama.cpp's, vLLM, SGLang, `transformers serve`, LM Studio, hosted ones.

Asks the server what it is (`/v1/models`), sends thinking on or off explicitly, sends what only some servers know to those
only, and reads the stream whatever field reasoning comes in. Ollama is `ollama.py`'s: its `/v1` cannot set the context.

    python -c "from qwen_router.engines.openai import OpenAIEngine; print(OpenAIEngine('http://127.0.0.1:8000').endpoint)"
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from qwen_router.control_tokens import neutralise
from qwen_router.engines.base import Call, Event
from qwen_router.engines.call_format import answer_format
from qwen_router.engines.chatml import END, PRESERVING_FAMILIES, thought_prompt
from qwen_router.engines.clients import PerLoop, Shared
from qwen_router.engines.dialects import GENERIC, Dialect, key_header, recognised
from qwen_router.engines.embedding import (
    Scores,
    Vectors,
    built_in_task,
    in_parts,
    probabilities,
    unit_vectors,
)
from qwen_router.engines.exchange import Bodies, Post, answering
from qwen_router.engines.http_embed import openai_body, openai_rows, rerank_body, rerank_rows, with_way_out
from qwen_router.engines.local_prompt import effective_sampling, neutralised, tool_specs
from qwen_router.engines.openai_exchange import OpenAIExchange, holds_format_back
from qwen_router.engines.structured import asking_for_format, formats_answer
from qwen_router.engines.thinking import STOP_SENTENCE
from qwen_router.engines.wire import (
    PROBE_TIMEOUT_S,
    ClosedUnheard,
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
    waiting,
    waits,
)
from qwen_router.errors import EngineError, EngineTimeout, EngineUnreachable
from qwen_router.hardware.machine import EngineName, ServedBuild
from qwen_router.media import Attachment
from qwen_router.request import Message

if TYPE_CHECKING:
    import httpx

_TEMPLATE = "chat_template_kwargs"
_OPTIONAL = (_TEMPLATE, "stream_options", "seed")
"""What strict servers refuse and a reply can do without; `reasoning_content` in messages is dropped with them."""
_REFUSAL_WORDS = (
    "unrecognized", "unexpected", "unknown", "unsupported", "not supported", "extra ", "additional", "not permitted"
)  # fmt: skip
_log = logging.getLogger(__name__)


class OpenAIEngine:
    """One server. `endpoint` is its base address, with or without `/v1`; a query in it (Azure's api-version) goes with every
    request. `api_key` is sent the way that the host wants it. `models` are served without being listed.

    `timeout_s` bounds the questions about models; a call brings its own. Ollama's `/v1` is refused when it is asked.
    """

    name: EngineName = "openai"
    takes_task = False

    def __init__(
        self,
        endpoint: str,
        *,
        api_key: str | None = None,
        models: Sequence[str] = (),
        timeout_s: float = PROBE_TIMEOUT_S,
    ) -> None:
        address, _, query = endpoint.partition("?")
        self.endpoint = address.rstrip("/")
        self._base = self.endpoint if _has_version(self.endpoint) else self.endpoint + "/v1"
        self._query = dict(parse_qsl(query))
        self._headers = key_header(self.endpoint, api_key)
        self._unlisted = [{"id": name} for name in models]
        self._timeout_s = timeout_s
        self._peer = Peer("openai", self.endpoint, f"start the server, or correct the address {self.endpoint}")
        self._dialect: Dialect | None = None
        self._lean = False  # the server refused the optional fields once
        self._clients: Shared[httpx.Client] = Shared(self._client, lambda client: client.close())
        self._aclients: PerLoop[httpx.AsyncClient] = PerLoop(self._aclient, lambda client: client.aclose())

    def installed(self) -> tuple[ServedBuild, ...]:
        """What `/v1/models` lists. A server that names itself keeps its models in memory."""
        models = self._models()
        dialect = self._dialect or GENERIC
        return tuple(self._build(model, dialect) for model in models)

    def stream(self, call: Call) -> Iterator[Event]:
        import httpx

        exchange = self._exchange(call, self._known_dialect())
        while (post := exchange.post()) is not None:
            try:
                with self._clients.get().stream(
                    "POST", self._base + post.path, json=post.body, extensions=waits(call)
                ) as response:
                    if response.status_code != 200:
                        response.read()
                        self._judge(response, call, exchange)
                        continue
                    self._lean = self._lean or exchange.lean  # it took what is left
                    exchange.starts(response.headers.get("content-type", ""))
                    for data in response.iter_bytes():
                        yield from exchange.feed(data)
                        if exchange.left:
                            break
                yield from exchange.end()
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
                self._broke(error, exchange)

    async def astream(self, call: Call) -> AsyncIterator[Event]:
        import httpx

        dialect = await asyncio.to_thread(self._known_dialect) if self._dialect is None else self._spoken_to(self._dialect)
        exchange = self._exchange(call, dialect)
        client = await self._aclients.get()
        while (post := exchange.post()) is not None:
            try:
                async with client.stream("POST", self._base + post.path, json=post.body, extensions=waits(call)) as response:
                    if response.status_code != 200:
                        await response.aread()
                        self._judge(response, call, exchange)
                        continue
                    self._lean = self._lean or exchange.lean  # it took what is left
                    exchange.starts(response.headers.get("content-type", ""))
                    async with aclosing(response.aiter_bytes()) as pieces:  # type: ignore[type-var]  # a generator
                        async for data in pieces:
                            for event in exchange.feed(data):
                                yield event
                            if exchange.left:
                                break
                for event in exchange.end():
                    yield event
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
                self._broke(error, exchange)

    def _broke(self, error: Exception, exchange: OpenAIExchange) -> None:
        """Return when the same may be asked once more, else raise."""
        ours = self._peer.of_httpx(error)
        if not isinstance(ours, ClosedUnheard):
            raise ours from error
        exchange.unheard(ours)

    def embed(self, model: str, texts: Sequence[str], *, timeout_s: float) -> Vectors:
        """Unit vectors by `/v1/embeddings`."""

        def part(some: list[str]) -> tuple[list[Any], int | None]:
            found = self._asked("/embeddings", openai_body(model, some), timeout_s)
            return openai_rows(found, len(some), self._peer)

        rows, tokens = in_parts(texts, part)
        who = f"{self.name} at {self.endpoint}"
        return Vectors(unit_vectors(rows, len(texts), who=who, engine=self.name, endpoint=self.endpoint), tokens)

    def rerank(
        self, model: str, query: str, documents: Sequence[str], *, task: str | None = None, timeout_s: float
    ) -> Scores:
        """P(yes) by `/v1/rerank`, whose template is the server's."""
        built_in_task(task, engine=self.name, endpoint=self.endpoint)

        def part(some: list[str]) -> tuple[list[Any], int | None]:
            found = self._asked("/rerank", rerank_body(model, query, some), timeout_s)
            return rerank_rows(found, len(some), self._peer)

        values, tokens = in_parts(documents, part)
        who = f"{self.name} at {self.endpoint}"
        return Scores(probabilities(values, len(documents), who=who, engine=self.name, endpoint=self.endpoint), tokens)

    def _asked(self, path: str, body: Mapping[str, Any], timeout_s: float) -> Mapping[str, Any]:
        """The object that comes back for a question that is answered in one piece."""
        import httpx

        self._known_dialect()
        try:
            response = self._clients.get().post(self._base + path, json=body, extensions=waiting(timeout_s))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
            raise self._peer.of_httpx(error) from error
        if response.status_code != 200:
            said, later = error_text(response.text), response.headers.get("retry-after")
            refused = self._peer.of_status(response.status_code, said, retry_after=later)
            raise with_way_out(refused, self._peer, reranks=path == "/rerank")
        return json_object(response.content, self._peer)

    def close(self) -> None:
        self._clients.close()
        self._aclients.close()

    # ── questions about the server ──────────────────────────────────────────────────────────────────────────────────────

    def _client(self) -> httpx.Client:
        import httpx

        return httpx.Client(
            headers=self._headers, params=self._query, **client_options(self.endpoint, timeout_s=self._timeout_s)
        )

    def _aclient(self) -> httpx.AsyncClient:
        import httpx

        options = async_client_options(self.endpoint, timeout_s=self._timeout_s)
        return httpx.AsyncClient(headers=self._headers, params=self._query, **options)

    def _models(self) -> Sequence[Mapping[str, Any]]:
        if self._unlisted:
            self._dialect = self._dialect or recognised(self._base, (), self._get)
            return self._unlisted
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
        if self._dialect is None:
            self._dialect = recognised(self._base, data, self._get)
        self._spoken_to(self._dialect)
        return data

    def _spoken_to(self, dialect: Dialect) -> Dialect:
        if dialect.name == "ollama":
            root = self._base.removesuffix("/v1")
            fix = f"set OLLAMA_HOST={root} and take {root} out of QWEN_ROUTER_ENDPOINTS"
            raise self._peer.refused("it is Ollama, whose /v1 cannot set the context nor switch thinking off", fix=fix)
        return dialect

    def _get(self, path: str) -> tuple[int, str]:
        """What a path below the server's root answers; nothing is (0, "")."""
        import httpx

        try:
            response = self._clients.get().get(self._base.removesuffix("/v1") + path)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError):
            return 0, ""
        return response.status_code, response.text

    def cache_note(self) -> str | None:
        """What the server says of its cache and slots, in a sentence for people; None where it says nothing."""
        from qwen_router.engines.held import cache_of_metrics, slots_of_props

        dialect = self._known_dialect().name
        if dialect not in ("vllm", "llamacpp"):
            return None
        status, text = self._get("/metrics" if dialect == "vllm" else "/props")
        if status != 200:
            return None
        try:
            return cache_of_metrics(text) if dialect == "vllm" else slots_of_props(json_object(text, self._peer))
        except EngineError:
            return None

    def _known_dialect(self) -> Dialect:
        """Asked once; a server that lists no models, or is slow to, is spoken to plainly."""
        if self._dialect is None:
            try:
                self._models()
            except EngineTimeout:
                return GENERIC  # `transformers serve` imports torch first; ask again next time
            except EngineUnreachable:
                raise
            except EngineError:
                self._dialect = self._dialect or recognised(self._base, (), self._get)
        return self._spoken_to(self._dialect or GENERIC)

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
            resident=dialect.keeps_loaded,
            context_tokens=context if isinstance(context, int) and context > 0 else None,
            memory_mib=meta["size"] / 1024**2 if isinstance(meta.get("size"), int) else None,
        )

    # ── what is sent ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _exchange(self, call: Call, dialect: Dialect) -> OpenAIExchange:
        bodies = Bodies(
            chat=lambda: Post("/chat/completions", self._body(call, dialect, exchange.lean)),
            raw=lambda reasoning: Post("/completions", self._raw_body(call, dialect, reasoning, exchange.lean)),
            formatted=lambda said: Post("/chat/completions", self._body(answering(call, said), dialect, exchange.lean)),
        )
        exchange = OpenAIExchange(call, self._peer, dialect, bodies, lean=self._lean)
        return exchange

    def _common(self, call: Call, dialect: Dialect, *, thinks: bool) -> dict[str, Any]:
        """What chats and raw prompts have in common."""
        sampling = effective_sampling(call, thinking=thinks)
        body: dict[str, Any] = {
            "model": call.model,
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "presence_penalty": sampling.presence_penalty,
            "seed": call.seed,
        }
        return body | {name: getattr(sampling, name) for name in sorted(dialect.samplers)}

    def _body(self, call: Call, dialect: Dialect, lean: bool) -> dict[str, Any]:
        thinks = call.thinking.enabled
        body = self._common(call, dialect, thinks=thinks) | {
            "messages": self._messages(_asked(call, dialect), lean),
            "max_tokens": output_limit_tokens(call),
            "stop": list(call.stop) or None,
        }
        if call.behaviour == "toggle":
            if dialect.switch == "body":
                body["enable_thinking"] = thinks
            else:
                keeps = {"preserve_thinking": True} if call.tools and call.family in PRESERVING_FAMILIES else {}
                body[_TEMPLATE] = {"enable_thinking": thinks, **keeps}
        if thinks and call.thinking.budget_tokens is not None and dialect.budget_field is not None:
            body[dialect.budget_field] = call.thinking.budget_tokens
            if dialect.name == "llamacpp":
                body["reasoning_budget_message"] = STOP_SENTENCE
        if call.tools and call.tool_choice != "none":
            body["tools"] = neutralised(tool_specs(call))
            body["tool_choice"] = _tool_choice(call.tool_choice)
        asked = call.response_format
        if dialect.name == "llamacpp" and (asked := answer_format(call)) is not None and "tools" in body:
            body["tool_choice"] = "none"  # it lets prose come before a call that must come: the format does not
        if asked is not None and dialect.formats != "never" and not holds_format_back(call, dialect):
            body["response_format"] = _response_format(asked)
        return self._sendable(body, lean)

    def _raw_body(self, call: Call, dialect: Dialect, reasoning: str, lean: bool) -> dict[str, Any]:
        """A prompt of our own rendering that ends behind the thought."""
        body = self._common(call, dialect, thinks=True) | {
            "prompt": thought_prompt(_asked(call, dialect), reasoning),
            "max_tokens": call.max_answer_tokens,
            "stop": [*call.stop, END],
        }
        if call.response_format is not None and formats_answer(call) and dialect.formats == "always":
            if dialect.name == "llamacpp":
                body["json_schema"] = dict(call.response_format)
            else:
                body["response_format"] = _response_format(call.response_format)
        return self._sendable(body, lean)

    def _sendable(self, body: Mapping[str, Any], lean: bool) -> dict[str, Any]:
        left_out = _OPTIONAL if lean else ()
        return {key: value for key, value in body.items() if value is not None and key not in left_out}

    def _messages(self, call: Call, lean: bool) -> list[dict[str, Any]]:
        start = loop_start(call.messages)
        return [
            self._message(message, carries_reasoning=not lean and position > start)
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

    def _judge(self, response: httpx.Response, call: Call, exchange: OpenAIExchange) -> None:
        """Return when another try is worth it (without the optional fields, or by another way), else raise."""
        status, said = response.status_code, error_text(response.text)
        low = said.lower()
        names_one = any(name in low for name in (*_OPTIONAL, "enable_thinking", "reasoning_content"))
        refuses = names_one or any(word in low for word in _REFUSAL_WORDS)
        if status in (400, 422) and refuses and not exchange.lean:
            _log.warning("%s refuses optional fields, trying without: %s", self.endpoint, said[:200])
            exchange.lean = True
            return
        fix = f"check the model name {call.model!r}" if status == 404 else None
        retry_after = response.headers.get("retry-after")
        exchange.refused(self._peer.of_status(status, said, fix=fix, retry_after=retry_after))


def _asked(call: Call, dialect: Dialect) -> Call:
    """The call as its messages put it: with the format in words for a server that takes none."""
    return asking_for_format(call) if dialect.formats == "never" else call


def _has_version(endpoint: str) -> bool:
    """Whether a part of the path is a version: `/v1`, or `/v1/projects/...` of Vertex."""
    return any(re.fullmatch(r"v\d+\w*", part) for part in urlsplit(endpoint).path.split("/"))


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
