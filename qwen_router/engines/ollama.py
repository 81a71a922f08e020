"""Speaks Ollama's native protocol through its own client: `/api/chat`, never `/v1`, which cannot set the context.

Sends `think` and `num_ctx` with every call, joins `/api/tags`, `/api/show` and `/api/ps` into what is installed and loaded,
and reads the stream with its quirks. The protocol is taken from Ollama's source: api/types.go, server/routes.go.

    python -c "from qwen_router.engines.ollama import OllamaEngine; print(OllamaEngine().endpoint)"
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from contextlib import aclosing, closing, contextmanager
from typing import TYPE_CHECKING, Any

from qwen_router.engines.assemble import ReplyAssembler
from qwen_router.engines.base import Call, Event, Usage
from qwen_router.engines.clients import PerLoop, Shared
from qwen_router.engines.local_prompt import effective_sampling, neutralised, tool_specs
from qwen_router.engines.thinking import neutralise
from qwen_router.engines.wire import (
    PROBE_TIMEOUT_S,
    Peer,
    async_client_options,
    base64_text,
    client_options,
    loop_start,
    output_limit_tokens,
    plain,
    refused_at_once,
    shortened,
    truncation,
    waits,
)
from qwen_router.errors import EngineError, EngineRefused
from qwen_router.hardware.machine import EngineName, ServedBuild
from qwen_router.request import Message

if TYPE_CHECKING:
    import ollama

DEFAULT_ENDPOINT = "http://127.0.0.1:11434"
_NO_THINKING = "does not support thinking"  # server/routes.go, ChatHandler: 400 when think is true and the model cannot
_log = logging.getLogger(__name__)


class OllamaEngine:
    """One Ollama server. `keep_alive` is how long a model stays loaded after a call (None: the server's setting)."""

    name: EngineName = "ollama"

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
        exchange = _Exchange(call, self._peer)
        for thinks in _modes(call):
            try:
                with closing(self._chunks(self._body(call, thinks), call)) as chunks:
                    for chunk in chunks:
                        yield from exchange.feed(chunk)
            except EngineRefused as error:
                if not self._asks_again(error, thinks, exchange):
                    raise
            else:
                yield from exchange.end()
                return

    async def astream(self, call: Call) -> AsyncIterator[Event]:
        exchange = _Exchange(call, self._peer)
        for thinks in _modes(call):
            try:
                async with aclosing(self._achunks(self._body(call, thinks), call)) as chunks:
                    async for chunk in chunks:
                        for event in exchange.feed(chunk):
                            yield event
            except EngineRefused as error:
                if not self._asks_again(error, thinks, exchange):
                    raise
            else:
                for event in exchange.end():
                    yield event
                return

    def _chunks(self, body: dict[str, Any], call: Call) -> Generator[Mapping[str, Any], None, None]:
        """`Client.chat` streams the same way, but drops nested tool schemas and tool-call ids and knows no `truncate`."""
        with self._guarded(call):
            request = self._clients.get()._request
            yield from request(dict, "POST", "/api/chat", json=body, stream=True, extensions=waits(call))

    async def _achunks(self, body: dict[str, Any], call: Call) -> AsyncGenerator[Mapping[str, Any], None]:
        with self._guarded(call):
            request = (await self._aclients.get())._request
            lines = await request(dict, "POST", "/api/chat", json=body, stream=True, extensions=waits(call))
            async with aclosing(lines) as chunks:  # type: ignore[type-var]  # a generator
                async for chunk in chunks:
                    yield chunk

    def _asks_again(self, error: EngineRefused, thinks: bool, exchange: _Exchange) -> bool:
        """True when the model turned out to have no thinking; the reply will show that it did not."""
        if not thinks or exchange.started or _NO_THINKING not in error.problem:
            return False
        _log.warning("%s; asking without", error.problem)
        return True

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
        """A ChatRequest (api/types.go). `think` and `num_ctx` are always in it, and no prompt may be cut in silence:
        with `truncate` false a server that knows it says so, and one that does not is found out by its counts.
        """
        body: dict[str, Any] = {
            "model": call.model,
            "messages": self._messages(call),
            "stream": True,
            "think": thinks,
            "truncate": False,
            "options": _options(call, thinks=thinks),
        }
        if call.tools and call.tool_choice != "none":  # Ollama has no tool_choice
            body["tools"] = neutralised(tool_specs(call))
        if call.response_format is not None:
            body["format"] = dict(call.response_format) or "json"
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
        )

    def _show(self, name: str, digest: str) -> _Shown:
        """`/api/show`, once a digest; a model that cannot be shown is listed all the same."""
        if digest in self._shown:
            return self._shown[digest]
        try:
            with self._guarded(None):
                shown = _Shown.of(self._clients.get().show(name))
        except EngineError as error:
            if error.exit_code == 4:
                raise
            _log.warning("%s", error.problem)
            return _Shown()
        if digest:
            self._shown[digest] = shown
        return shown

    @contextmanager
    def _guarded(self, call: Call | None) -> Iterator[None]:
        """Everything that the client raises becomes an error of ours."""
        import httpx
        import ollama
        from pydantic import ValidationError

        try:
            yield
        except ollama.ResponseError as error:
            raise self._of_response(error, call) from error
        except ollama.RequestError as error:
            raise self._peer.refused(shortened(error.error)) from error
        except ConnectionError as error:
            raise self._peer.unreachable("the connection was refused") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise self._peer.of_httpx(error) from error
        except (ValidationError, json.JSONDecodeError, UnicodeError, AttributeError, TypeError) as error:
            raise self._peer.nonsense(shortened(str(error))) from error

    def _of_response(self, error: ollama.ResponseError, call: Call | None) -> EngineError:
        said = error.error if isinstance(error.error, str) else json.dumps(error.error)
        if error.status_code == -1:  # an error line in the middle of the stream
            return self._peer.failed(shortened(said))
        if error.status_code == 404 and call is not None:
            return self._peer.refused(shortened(said), fix=f"ollama pull {call.model}")
        cause = getattr(error.__context__, "response", None)  # the client keeps no headers; httpx's own error does
        retry_after = None if cause is None else cause.headers.get("retry-after")
        return self._peer.of_status(error.status_code, said, retry_after=retry_after)


class _Exchange:
    """One answer on its way in: chunks of `/api/chat` to events. No IO."""

    def __init__(self, call: Call, peer: Peer) -> None:
        self._call, self._peer = call, peer
        self._assembler = ReplyAssembler(call)
        self._last: Mapping[str, Any] | None = None
        self.started = False

    def feed(self, chunk: Mapping[str, Any]) -> Iterator[Event]:
        self.started = True
        message = chunk.get("message")
        if not isinstance(message, Mapping):
            raise self._peer.nonsense(f"a chunk without a message: {json.dumps(chunk)[:80]}")
        calls = message.get("tool_calls") or ()
        yield from self._assembler.feed(
            content=_text(message.get("content")),
            reasoning=_text(message.get("thinking")),
            tool_calls=[c for c in calls if isinstance(c, Mapping)] if isinstance(calls, list) else (),
        )
        if chunk.get("done"):
            self._last = chunk

    def end(self) -> Iterator[Event]:
        last = self._last
        if last is None:
            raise self._peer.failed("the stream ended before the answer did")
        prompt_tokens, load_ns = _count(last, "prompt_eval_count"), _count(last, "load_duration")
        cut = truncation(self._call, prompt_tokens)
        if cut:
            self._assembler.violate(cut)
        yield from self._assembler.finish(
            finish_reason=_text(last.get("done_reason")),
            usage=Usage(prompt_tokens=prompt_tokens),
            completion_tokens=_count(last, "eval_count"),
            load_s=None if load_ns is None else load_ns / 1e9,
        )


class _Shown:
    """What `/api/show` tells: the context that the model was trained for, its quantisation, the name in its metadata."""

    def __init__(self, *, context_tokens: int | None = None, quant: str | None = None, base_name: str | None = None) -> None:
        self.context_tokens, self.quant, self.base_name = context_tokens, quant, base_name

    @classmethod
    def of(cls, shown: Any) -> _Shown:
        info: Mapping[str, Any] = shown.modelinfo or {}
        context = info.get(f"{info.get('general.architecture')}.context_length")
        parts = [info.get("general.basename"), info.get("general.size_label"), info.get("general.finetune")]
        return cls(
            context_tokens=context if isinstance(context, int) and context > 0 else None,
            quant=shown.details.quantization_level if shown.details else None,
            base_name="-".join(str(part) for part in parts if part) if parts[0] else None,
        )


def _thinks(call: Call) -> bool:
    """What `think` is: false for a model without a switch to nothing, because true would be refused."""
    return call.thinking.enabled and call.behaviour in ("toggle", "always") and call.thinking.budget_tokens != 0


def _modes(call: Call) -> tuple[bool, ...]:
    """The values of `think` to try, one after the other."""
    return (True, False) if _thinks(call) else (False,)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _count(chunk: Mapping[str, Any], key: str) -> int | None:
    value = chunk.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _options(call: Call, *, thinks: bool) -> dict[str, Any]:
    """Ollama's options: a float where it wants an integer is refused, an unknown one is ignored (api/types.go, FromMap)."""
    sampling = effective_sampling(call, thinking=thinks)
    limit = output_limit_tokens(call)
    options: dict[str, Any] = {
        "num_ctx": call.context_tokens,
        "num_predict": call.context_tokens if limit is None else limit,  # its own default is no limit at all
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "presence_penalty": sampling.presence_penalty,
        "seed": call.seed,
        "stop": list(call.stop) or None,
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
