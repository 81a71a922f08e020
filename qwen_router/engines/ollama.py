"""Speaks Ollama's native protocol through its own client: `/api/chat`, never `/v1`, which cannot set the context.
Behind a thought that was left at its budget it goes on with `/api/generate`.

Sends `think` and `num_ctx` with every call, joins `/api/tags`, `/api/show` and `/api/ps` into what is installed and loaded,
and reads the stream with its quirks. The protocol is taken from Ollama's source: api/types.go, server/routes.go.

    python -c "from qwen_router.engines.ollama import OllamaEngine; print(OllamaEngine().endpoint)"
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qwen_router.control_tokens import neutralise
from qwen_router.engines.base import Call, Event
from qwen_router.engines.chatml import END, thought_prompt
from qwen_router.engines.clients import PerLoop, Shared
from qwen_router.engines.embedding import Scores, Vectors, in_parts, unit_vectors
from qwen_router.engines.exchange import Bodies, Post, answering
from qwen_router.engines.gguf_file import SEARCH_ARCHITECTURE
from qwen_router.engines.http_embed import is_too_long, ollama_body, ollama_rows, ollama_windows, with_way_out
from qwen_router.engines.local_prompt import effective_sampling, neutralised, tool_specs
from qwen_router.engines.ollama_exchange import OllamaExchange, holds_format_back
from qwen_router.engines.structured import formats_answer
from qwen_router.engines.wire import (
    PROBE_TIMEOUT_S,
    ClosedUnheard,
    Peer,
    async_client_options,
    base64_text,
    client_options,
    loop_start,
    output_limit_tokens,
    plain,
    refused_at_once,
    shortened,
    waiting,
    waits,
)
from qwen_router.errors import EngineError, EngineRefused
from qwen_router.hardware.machine import EngineName, ServedBuild
from qwen_router.request import Message

if TYPE_CHECKING:
    import ollama

DEFAULT_ENDPOINT = "http://127.0.0.1:11434"
_log = logging.getLogger(__name__)


class OllamaEngine:
    """One Ollama server. `keep_alive` is how long a model stays loaded after a call (None: the server's setting)."""

    name: EngineName = "ollama"
    takes_task = False

    def __init__(
        self,
        endpoint: str = DEFAULT_ENDPOINT,
        *,
        keep_alive: str | float | None = None,
        timeout_s: float = PROBE_TIMEOUT_S,
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._keep_alive = keep_alive
        self._timeout_s = timeout_s
        self._peer = Peer("ollama", self.endpoint, "`ollama serve`, or correct OLLAMA_HOST")
        # their own `close` is untyped
        self._clients: Shared[ollama.Client] = Shared(self._client, lambda client: client._client.close())
        self._aclients: PerLoop[ollama.AsyncClient] = PerLoop(self._aclient, lambda client: client._client.aclose())
        self._shown: dict[str, _Shown] = {}  # by digest: what /api/show says does not change
        self._systems: dict[str, str] = {}  # by name: the system prompt that a model brings
        self._trained: dict[str, int | None] = {}  # by name: the context that it was trained for

    def installed(self) -> tuple[ServedBuild, ...]:
        """Every model of `/api/tags`; loaded ones carry the context and memory that `/api/ps` names."""
        if why := refused_at_once(self.endpoint):
            raise self._peer.unreachable(why)
        with self._guarded(None):
            client = self._clients.get()
            models = client.list().models
            loaded = {model.model: model for model in client.ps().models}
        return tuple(self._build(model, loaded.get(model.model)) for model in models if model.model)

    def stream(self, call: Call) -> Iterator[Event]:
        exchange = self._exchange(call)
        while (post := exchange.post()) is not None:
            try:
                with closing(self._chunks(post, call)) as chunks:
                    for chunk in chunks:
                        yield from exchange.feed(chunk)
                        if exchange.left:
                            break
            except EngineRefused as error:
                exchange.refused(error)
            except ClosedUnheard as error:
                exchange.unheard(error)
            else:
                yield from exchange.end()

    async def astream(self, call: Call) -> AsyncIterator[Event]:
        exchange = self._exchange(call)
        while (post := exchange.post()) is not None:
            try:
                async with aclosing(self._achunks(post, call)) as chunks:
                    async for chunk in chunks:
                        for event in exchange.feed(chunk):
                            yield event
                        if exchange.left:
                            break
            except EngineRefused as error:
                exchange.refused(error)
            except ClosedUnheard as error:
                exchange.unheard(error)
            else:
                for event in exchange.end():
                    yield event

    def _exchange(self, call: Call) -> OllamaExchange:
        bodies = Bodies(
            chat=lambda: Post("/api/chat", self._body(call, exchange.thinks)),
            raw=lambda reasoning: Post("/api/generate", self._raw_body(call, reasoning)),
            formatted=lambda reasoning: Post("/api/chat", self._body(answering(call, reasoning), False)),
        )
        exchange = OllamaExchange(call, self._peer, bodies)
        return exchange

    def _chunks(self, post: Post, call: Call) -> Generator[Mapping[str, Any], None, None]:
        """`Client.chat` streams the same way, but drops nested tool schemas and tool-call ids and knows no `truncate`."""
        with self._guarded(call.model):
            request = self._clients.get()._request
            yield from request(dict, "POST", post.path, json=post.body, stream=True, extensions=waits(call))

    async def _achunks(self, post: Post, call: Call) -> AsyncGenerator[Mapping[str, Any], None]:
        with self._guarded(call.model):
            request = (await self._aclients.get())._request
            lines = await request(dict, "POST", post.path, json=post.body, stream=True, extensions=waits(call))
            async with aclosing(lines) as chunks:  # type: ignore[type-var]  # a generator
                async for chunk in chunks:
                    yield chunk

    def embed(self, model: str, texts: Sequence[str], *, timeout_s: float) -> Vectors:
        """Unit vectors by `/api/embed`. Raises `EngineRefused` for a text that is longer than the model reads."""
        rows, tokens = in_parts(texts, partial(self._embedded, model, timeout_s))
        where = f"{self.name} at {self.endpoint}"
        return Vectors(unit_vectors(rows, len(texts), who=where, engine=self.name, endpoint=self.endpoint), tokens)

    def _embedded(self, model: str, timeout_s: float, texts: list[str]) -> tuple[list[Any], int | None]:
        *shorter, longest = ollama_windows(texts, self._trained.get(model))
        for window in (*shorter, longest):
            body = ollama_body(model, texts, window=window, keep_alive=self._keep_alive)
            try:
                with self._guarded(model):
                    request = self._clients.get()._request
                    return ollama_rows(request(dict, "POST", "/api/embed", json=body, extensions=waiting(timeout_s)))
            except EngineRefused as error:
                if not is_too_long(error) or window == longest:
                    raise with_way_out(error, self._peer, reranks=False) from error
        raise AssertionError("the last window returns or raises")

    def rerank(
        self, model: str, query: str, documents: Sequence[str], *, task: str | None = None, timeout_s: float
    ) -> Scores:
        """Always raises `EngineRefused`: Ollama has no way to rerank."""
        fix = "run the reranker in transformers, llama.cpp or vLLM (docs/embedding.md)"
        raise self._peer.refused("Ollama does not rerank", fix=fix)

    def close(self) -> None:
        self._clients.close()
        self._aclients.close()

    # ── what is sent ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _client(self) -> ollama.Client:
        import ollama

        return ollama.Client(self.endpoint, **client_options(self.endpoint, timeout_s=self._timeout_s))

    def _aclient(self) -> ollama.AsyncClient:
        import ollama

        return ollama.AsyncClient(self.endpoint, **async_client_options(self.endpoint, timeout_s=self._timeout_s))

    def _body(self, call: Call, thinks: bool) -> dict[str, Any]:
        """A ChatRequest (api/types.go). A format is held back while the model thinks, and sent behind the thought."""
        body = self._common(call, think=thinks, options=_options(call, output_limit_tokens(call), call.stop, thinks=thinks))
        body["messages"] = self._messages(call)
        if call.tools and call.tool_choice != "none":  # Ollama has no tool_choice
            body["tools"] = neutralised(tool_specs(call))
        if call.response_format is not None and not (thinks and holds_format_back(call)):
            body["format"] = dict(call.response_format) or "json"
        return body

    def _raw_body(self, call: Call, reasoning: str) -> dict[str, Any]:
        """A GenerateRequest (api/types.go) with a prompt of our own rendering that ends behind the thought."""
        body = self._common(
            call, think=False, options=_options(call, call.max_answer_tokens, (*call.stop, END), thinks=True)
        )
        body |= {"prompt": thought_prompt(self._as_templated(call), reasoning), "raw": True}
        if call.response_format is not None and formats_answer(call):
            body["format"] = dict(call.response_format) or "json"
        return body

    def _as_templated(self, call: Call) -> Call:
        """With the system prompt of the model's own Modelfile where the call has none: ChatHandler (server/routes.go) puts
        it first, and a raw prompt would be without.
        """
        system = self._systems.get(call.model, "")
        if not system or (call.messages and call.messages[0].role == "system"):
            return call
        return replace(call, messages=(Message("system", system), *call.messages))

    def _common(self, call: Call, *, think: bool, options: dict[str, Any]) -> dict[str, Any]:
        """What both have in common. `think` and `num_ctx` are always in it, and no prompt may be cut in silence: with
        `truncate` false a server that knows it says so, and one that does not is found out by its counts.
        """
        body: dict[str, Any] = {
            "model": call.model,
            "stream": True,
            "think": think,
            "truncate": False,
            "options": options,
        }
        if self._keep_alive is not None:
            body["keep_alive"] = self._keep_alive
        return body

    def _messages(self, call: Call) -> list[dict[str, Any]]:
        start = loop_start(call.messages)
        names = {c.id: c.name for message in call.messages for c in message.tool_calls}
        return [
            self._message(message, names=names, carries_reasoning=position > start)
            for position, message in enumerate(call.messages)
        ]

    def _message(self, message: Message, *, names: Mapping[str, str], carries_reasoning: bool) -> dict[str, Any]:
        out: dict[str, Any] = {"role": message.role, "content": plain(message)}
        if message.attachments:
            odd = next((a.kind for a in message.attachments if a.kind != "image"), None)
            if odd is not None:
                raise self._peer.refused(f"it takes images, no {odd}", fix="serve the model with vLLM or transformers")
            out["images"] = [base64_text(attachment, self._peer) for attachment in message.attachments]
        if message.tool_calls:
            out["tool_calls"] = [
                {"id": c.id, "function": {"name": c.name, "arguments": neutralised(c.arguments)}} for c in message.tool_calls
            ]
        if message.reasoning and carries_reasoning and message.role == "assistant":
            out["thinking"] = neutralise(message.reasoning)
        if message.role == "tool":
            out["tool_name"] = message.name or names.get(message.tool_call_id or "", "")
            out["tool_call_id"] = message.tool_call_id or ""
        return out

    # ── what is installed ───────────────────────────────────────────────────────────────────────────────────────────────

    def _build(self, model: Any, loaded: Any) -> ServedBuild:
        from qwen_router.catalog import Catalog

        catalog = Catalog.load()
        name = str(model.model)
        found = catalog.resolve(name)
        shown = self._show(name, str(model.digest or ""))
        self._systems[name], self._trained[name] = shown.system, shown.context_tokens
        if found is None and shown.base_name:
            found = catalog.resolve(shown.base_name)
        level = (model.details.quantization_level if model.details else None) or shown.quant
        return ServedBuild(
            engine=self.name,
            endpoint=self.endpoint,
            name=name,
            model_id=found.id if found else None,
            quant=_quant(level),
            resident=loaded is not None,
            context_tokens=(loaded.context_length if loaded else None) or shown.context_tokens,
            memory_mib=_mib(loaded.size if loaded and loaded.size else model.size),
            kind="embedding" if shown.embeds else None,
        )

    def _show(self, name: str, digest: str) -> _Shown:
        """`/api/show`, once a digest; a model that cannot be shown is listed all the same."""
        if digest in self._shown:
            return self._shown[digest]
        try:
            with self._guarded(None):
                shown = _Shown.of(self._clients.get()._request(dict, "POST", "/api/show", json={"model": name}))
        except EngineError as error:
            if error.exit_code == 4:
                raise
            _log.warning("%s", error.problem)
            return _Shown()
        if digest:
            self._shown[digest] = shown
        return shown

    @contextmanager
    def _guarded(self, model: str | None) -> Iterator[None]:
        """Everything that the client raises becomes an error of ours."""
        import httpx
        import ollama
        from pydantic import ValidationError

        try:
            yield
        except ollama.ResponseError as error:
            raise self._of_response(error, model) from error
        except ollama.RequestError as error:
            raise self._peer.refused(shortened(error.error)) from error
        except ConnectionError as error:
            raise self._peer.unreachable("the connection was refused") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise self._peer.of_httpx(error) from error
        except (ValidationError, json.JSONDecodeError, UnicodeError, AttributeError, TypeError) as error:
            raise self._peer.nonsense(shortened(str(error))) from error

    def _of_response(self, error: ollama.ResponseError, model: str | None) -> EngineError:
        said = error.error if isinstance(error.error, str) else json.dumps(error.error)
        if error.status_code == -1:  # an error line in the middle of the stream
            return self._peer.failed(shortened(said))
        if error.status_code == 404 and model is not None:
            return self._peer.refused(shortened(said), fix=f"ollama pull {model}")
        cause = getattr(error.__context__, "response", None)  # the client keeps no headers; httpx's own error does
        retry_after = None if cause is None else cause.headers.get("retry-after")
        return self._peer.of_status(error.status_code, said, retry_after=retry_after)


class _Shown:
    """What `/api/show` tells: the context that the model was trained for, its quantisation, the name in its metadata, the
    system prompt of its Modelfile (which `Client.show` drops), whether it is one of Qwen3-Embedding's kin."""

    def __init__(
        self,
        *,
        context_tokens: int | None = None,
        quant: str | None = None,
        base_name: str | None = None,
        system: str = "",
        embeds: bool = False,
    ) -> None:
        self.context_tokens, self.quant, self.base_name, self.system = context_tokens, quant, base_name, system
        self.embeds = embeds

    @classmethod
    def of(cls, shown: Mapping[str, Any]) -> _Shown:
        info: Mapping[str, Any] = shown.get("model_info") or {}
        details: Mapping[str, Any] = shown.get("details") or {}
        architecture = info.get("general.architecture")
        context = info.get(f"{architecture}.context_length")
        parts = [info.get("general.basename"), info.get("general.size_label"), info.get("general.finetune")]
        return cls(
            context_tokens=context if isinstance(context, int) and context > 0 else None,
            quant=details.get("quantization_level"),
            base_name="-".join(str(part) for part in parts if part) if parts[0] else None,
            system=str(shown.get("system") or ""),
            embeds="embedding" in (shown.get("capabilities") or ()) and architecture == SEARCH_ARCHITECTURE,
        )


def _options(call: Call, limit_tokens: int | None, stop: tuple[str, ...], *, thinks: bool) -> dict[str, Any]:
    """Ollama's options: a float where it wants an integer is refused, an unknown one is ignored (api/types.go, FromMap)."""
    sampling = effective_sampling(call, thinking=thinks)
    options: dict[str, Any] = {
        "num_ctx": call.context_tokens,
        "num_predict": call.context_tokens if limit_tokens is None else limit_tokens,  # its own default is no limit at all
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "presence_penalty": sampling.presence_penalty,
        "seed": call.seed,
        "stop": list(stop) or None,
    }
    return {key: value for key, value in options.items() if value is not None}


def _quant(level: str | None) -> str | None:
    """The catalog's spelling of Ollama's quantization_level, which is upper case."""
    if not level or level.lower() == "unknown":
        return None
    from qwen_router.catalog.quants import quant
    from qwen_router.errors import UnknownName

    try:
        return quant(level).name
    except UnknownName:
        return level


def _mib(size_bytes: Any) -> float | None:
    return None if size_bytes is None else int(size_bytes) / 1024**2
