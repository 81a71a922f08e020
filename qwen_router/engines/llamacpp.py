"""Runs a GGUF file in this process with llama.cpp (through xllamacpp): `LlamaCppEngine`.

Checks the file's header first (`gguf_file.py`), loads one model at a time, sends every knob explicitly and counts tokens
as they come. llama.cpp renders the template, holds the thinking budget and splits reasoning and tool calls off; the
assembler verifies. Its server opens a port on the loopback interface, which nothing here uses. Needs the extra `llamacpp`.

    python -c "from qwen_router.engines.llamacpp import LlamaCppEngine; print(LlamaCppEngine().installed())"
"""

from __future__ import annotations

import atexit
import logging
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Lock, Thread
from typing import Any
from weakref import WeakSet

from qwen_router.catalog import Catalog
from qwen_router.demo import DEMO_MODEL_ID, demo_gguf
from qwen_router.engines.assemble import ReplyAssembler, astream_in_thread, estimated_tokens
from qwen_router.engines.base import Call, Event, FinishReason, Usage
from qwen_router.engines.call_format import answer_format
from qwen_router.engines.embedding import Scores, Vectors
from qwen_router.engines.gguf_file import GgufInfo, gguf_group, gguf_info
from qwen_router.engines.llamacpp_embed import LlamaCppEmbedder
from qwen_router.engines.llamacpp_load import opened, plain_params, refuse_if_too_big, window
from qwen_router.engines.local_prompt import chat_messages, effective_sampling, neutralised, tool_specs
from qwen_router.engines.residence import Residence, path_of
from qwen_router.engines.token_loop import StopStrings
from qwen_router.errors import (
    EngineError,
    EngineNonsense,
    EngineRefused,
    EngineTimeout,
    RouterError,
)
from qwen_router.hardware.machine import EngineName, ServedBuild

STOP_MESSAGE = (
    "\n\nConsidering the limited time by the user, I have to give the solution based on the thinking directly now.\n"
)
"""Put before `</think>` when the budget is spent; Qwen's own words (facts, `engines.transformers.early_stop_text`)."""

CACHE_RAM_MIB = 64
"""Prompts kept outside the context; llama.cpp's own default is 8192 MiB and grows without being asked."""
CONTEXT_CHECKPOINTS = 2
"""Snapshots of recurrent state per slot (hybrid models); llama.cpp's own default is 32."""
LOAD_TIMEOUT_S = 600.0
EXIT_S = 5.0
"""How long the end of the process waits for completions that still run."""
_SLACK_TOKENS = 64
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Key:
    """What is loaded: a file with a context window."""

    path: Path
    context_tokens: int

    def __str__(self) -> str:
        return window(self.path, self.context_tokens)


class LlamaCppEngine:
    """GGUF files run in this process. Each is called by the name of its file, or by its path.

    The window that a call asks for is what is opened; a later call that fits into it reuses it, one that does not
    loads the model again (`Timings.load_s` tells). `threads` is None for as many as the size of the model is worth.
    `parallel` calls are answered side by side, each in a window of its own; more of them wait in llama.cpp.
    """

    name: EngineName = "llamacpp"
    takes_task = False
    endpoint = "in process"

    def __init__(
        self,
        files: tuple[Path, ...] = (),
        *,
        threads: int | None = None,
        parallel: int = 1,
        cache_ram_mib: int = CACHE_RAM_MIB,
        context_checkpoints: int = CONTEXT_CHECKPOINTS,
        stop_message: str = STOP_MESSAGE,
        verbose: bool = False,
    ) -> None:
        self._files = _named((demo_gguf(), *files))
        self._threads, self.parallel = threads, max(1, parallel)
        self._cache_ram_mib, self._context_checkpoints = cache_ram_mib, context_checkpoints
        self._stop_message, self._verbose = stop_message, verbose
        self._residence: Residence[_Key, Any] = Residence(self._load, lambda _server: None, engine=self.name)
        self._embedder = LlamaCppEmbedder(_info, threads=threads, verbose=verbose)

    def installed(self) -> tuple[ServedBuild, ...]:
        """Every file with a sound header; none without xllamacpp. A broken one is left out and logged."""
        if find_spec("xllamacpp") is None:
            return ()
        builds: list[ServedBuild] = []
        for name, path in self._files.items():
            try:
                info = _info(path)
            except EngineError as error:
                _log.warning("%s", error)
                continue
            builds.append(self._build(name, info))
        return tuple(builds)

    def stream(self, call: Call) -> Iterator[Event]:
        path = self._path(call.model)
        info = _info(path)
        context_tokens = min(call.context_tokens, info.context_tokens or call.context_tokens)
        body = self._body(call, context_tokens)
        assembler = ReplyAssembler(call)
        with _Run(self._residence, _Key(path, context_tokens), body, timeout_s=call.timeout_s) as run:
            count = _Count(call, self._stop_message)
            for chunk in run.chunks():
                _raise_if_error(chunk, info)
                _raise_if_too_long(chunk, context_tokens)
                yield from assembler.feed(**count.delta(chunk))
                if count.stopped:
                    break
            if rest := count.finish():
                yield from assembler.feed(content=rest)
            yield from assembler.finish(finish_reason=count.finish_reason, usage=count.usage(), load_s=run.load_s)

    def astream(self, call: Call) -> AsyncIterator[Event]:
        return astream_in_thread(self, call)

    def embed(self, model: str, texts: Sequence[str], *, timeout_s: float) -> Vectors:
        """Unit vectors of an embedding file, which stays in memory beside the model that chats (`llamacpp_embed.py`)."""
        return self._embedder.embed(self._path(model), texts, timeout_s=timeout_s)

    def rerank(
        self, model: str, query: str, documents: Sequence[str], *, task: str | None = None, timeout_s: float
    ) -> Scores:
        return self._embedder.rerank(self._path(model), query, documents, task=task, timeout_s=timeout_s)

    def close(self) -> None:
        self._residence.close()
        self._embedder.close()

    def _path(self, model: str) -> Path:
        return path_of(model, self._files, kind="GGUF file", engine=self.name)

    def _build(self, name: str, info: GgufInfo) -> ServedBuild:
        held = self._residence.held
        chats = held is not None and held.path == info.path
        open_tokens = held.context_tokens if held is not None and chats else self._embedder.window_of(info.path)
        return ServedBuild(
            engine=self.name,
            endpoint=self.endpoint,
            name=name,
            model_id=DEMO_MODEL_ID if info.path == demo_gguf() else info.model_id(Catalog.load().models),
            quant=info.quant,
            resident=open_tokens is not None,
            context_tokens=info.context_tokens,
            memory_mib=info.file_mib,
            open_tokens=open_tokens,
            kind=info.kind,
        )

    def _body(self, call: Call, context_tokens: int) -> dict[str, Any]:
        """The chat request; everything that llama.cpp has a default for and we an opinion on is said."""
        thinks = call.thinking.enabled
        sampling = effective_sampling(call, thinking=thinks)
        body: dict[str, Any] = {
            "messages": neutralised(chat_messages(call, arguments_as_text=True, engine=self.name)),
            "chat_template_kwargs": {"enable_thinking": thinks, "preserve_thinking": bool(call.tools)},
            "reasoning_format": "deepseek",
            "stream": True,
            "timings_per_token": True,
            "return_progress": True,
            "cache_prompt": True,
            "max_tokens": -1 if thinks else call.max_answer_tokens,
            "temperature": sampling.temperature or 0.0,
            "top_k": sampling.top_k or 0,
            "top_p": sampling.top_p if sampling.top_p is not None else 1.0,
            "min_p": sampling.min_p or 0.0,
            "presence_penalty": sampling.presence_penalty or 0.0,
            "repeat_penalty": 1.0,
            "seed": -1 if call.seed is None else call.seed % 2**32,
        }
        if thinks:
            body["thinking_budget_tokens"] = self._budget(call, context_tokens)
            body["reasoning_budget_message"] = self._stop_message
        asked = answer_format(call)
        if call.tools and call.tool_choice != "none":
            body["tools"] = neutralised(tool_specs(call))
            body["tool_choice"] = "auto" if asked is None else "none"  # held to a format, a call comes as the answer
        if asked is not None:
            schema = dict(asked)
            body["response_format"] = (
                {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
                if schema
                else {"type": "json_object"}
            )
        return body

    def _budget(self, call: Call, context_tokens: int) -> int:
        """The call's budget, or less: thinking never takes the room that the answer needs."""
        prompt = call.prompt_tokens_estimate or sum(estimated_tokens(m.text) for m in call.messages)
        spare = max(1, context_tokens - round(prompt * 1.1) - call.max_answer_tokens - _SLACK_TOKENS)
        return spare if call.thinking.budget_tokens is None else min(call.thinking.budget_tokens, spare)

    def _load(self, key: _Key) -> Any:
        info = _info(key.path)
        needed_mib = info.file_mib + self.parallel * info.kv_mib(key.context_tokens)
        refuse_if_too_big(str(key), needed_mib, slots=self.parallel)
        params = plain_params(info, threads=self._threads, verbose=self._verbose)
        params.n_ctx = key.context_tokens * self.parallel  # of all slots together
        params.n_parallel = self.parallel
        params.kv_unified = False  # every slot has its own window, which no other call can fill
        params.use_jinja = True
        params.cache_ram_mib = self._cache_ram_mib
        params.n_ctx_checkpoints = self._context_checkpoints
        return opened(params, info, str(key), needed_mib=needed_mib)


class _Run:
    """One chat completion in a thread of its own, whose chunks come through a queue.

    The thread holds the model until llama.cpp has let go of it, even when the reader has left: a model must not be
    freed under a running completion. Leaving stops the work at llama.cpp's next chunk.
    """

    def __init__(self, residence: Residence[_Key, Any], key: _Key, body: Mapping[str, Any], *, timeout_s: float) -> None:
        self._residence, self._key, self._body, self._timeout_s = residence, key, body, timeout_s
        self._pieces: SimpleQueue[Any] = SimpleQueue()
        self._stop = Flag()
        self._thread = Thread(target=self._work, name="qwen-router-llamacpp", daemon=True)
        self.load_s: float | None = None

    def __enter__(self) -> _Run:
        with _running_lock:
            _running.add(self)
        self._thread.start()
        self.load_s = self._next(LOAD_TIMEOUT_S + self._timeout_s)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.join(1.0)

    def stop(self) -> None:
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout=max(0.0, timeout_s))

    def chunks(self) -> Iterator[Mapping[str, Any]]:
        while (piece := self._next(self._timeout_s)) is not None:
            if not isinstance(piece, Mapping):
                raise EngineNonsense(
                    f"llama.cpp sent {str(piece)[:60]!r}, not a chunk", fix="update xllamacpp", engine="llamacpp"
                )
            yield piece

    def _next(self, timeout_s: float) -> Any:
        try:
            piece = self._pieces.get(timeout=timeout_s)
        except Empty:
            raise EngineTimeout(
                f"llama.cpp gave nothing for {timeout_s:g} s",
                fix="use a smaller model or a shorter prompt, or a longer timeout",
                engine="llamacpp",
                endpoint="in process",
            ) from None
        if isinstance(piece, Exception):
            raise piece
        return piece

    def _work(self) -> None:
        def serves(held: _Key) -> bool:
            return held.path == self._key.path and held.context_tokens >= self._key.context_tokens

        try:
            with self._residence.borrow(self._key, serves=serves, timeout_s=self._timeout_s) as (server, load_s):
                self._pieces.put(load_s)
                server.handle_chat_completions(dict(self._body), self._take)
        except RouterError as error:
            self._pieces.put(error)
        except (RuntimeError, ValueError, TypeError) as error:  # what xllamacpp raises for a body that it refuses
            self._pieces.put(
                EngineRefused(
                    f"llama.cpp refused the request: {' '.join(str(error).split())[:300]}",
                    fix="change the messages, tools or response format",
                    engine="llamacpp",
                    endpoint="in process",
                )
            )
        finally:
            self._pieces.put(None)

    def _take(self, chunk: Any) -> bool:
        """Called by llama.cpp for every chunk; True stops the completion."""
        if not self._stop.is_set():
            self._pieces.put(chunk)
        return self._stop.is_set()


_running: WeakSet[_Run] = WeakSet()
_running_lock = Lock()


@atexit.register
def _stop_all() -> None:
    """A thread that comes back from llama.cpp into a Python that is ending is taken away, and C++ aborts for that."""
    deadline = time.monotonic() + EXIT_S
    with _running_lock:
        runs = list(_running)
    for run in runs:
        run.stop()
    for run in runs:
        run.join(deadline - time.monotonic())


@dataclass
class _Count:
    """Reads deltas out of chunks, keeps the counts, and says when the answer's own budget is spent."""

    call: Call
    stop_message: str
    finish_reason: FinishReason = "stop"
    stopped: bool = False
    _timings: dict[str, int] = field(default_factory=dict)
    _thought: list[tuple[int, int]] = field(default_factory=list)  # (characters so far, tokens so far)
    _reasoning: str = ""
    _ended: bool = False  # by a token of its own, which llama.cpp counts and we do not
    _stops: StopStrings = field(init=False)

    def __post_init__(self) -> None:
        self._stops = StopStrings(self.call.stop)

    def delta(self, chunk: Mapping[str, Any]) -> dict[str, Any]:
        """The parts of a chunk as `ReplyAssembler.feed` takes them."""
        for key, value in (chunk.get("timings") or {}).items():
            if key in ("cache_n", "prompt_n", "predicted_n"):
                self._timings[key] = int(value)
        choice = next(iter(chunk.get("choices") or ()), None) or {}
        reason = choice.get("finish_reason")
        if reason == "length":
            self.finish_reason = "length"
        self._ended = self._ended or reason in ("stop", "tool_calls")
        delta = choice.get("delta") or {}
        reasoning, content = delta.get("reasoning_content"), delta.get("content")
        if reasoning:
            self._reasoning += reasoning
            self._thought.append((len(self._reasoning), self._generated))
        if content:
            content = self._stops.feed(content)
            if self._stops.hit:
                self.stopped = True
            elif self._generated - self._thought_end >= self.call.max_answer_tokens:
                self.stopped, self.finish_reason = True, "length"
        return {"content": content, "reasoning": reasoning, "tool_calls": delta.get("tool_calls")}

    def finish(self) -> str:
        return self._stops.finish()

    @property
    def _generated(self) -> int:
        return self._timings.get("predicted_n", 0)

    @property
    def _thought_end(self) -> int:
        return self._thought[-1][1] + 1 if self._thought else 0  # and the closing tag

    def usage(self) -> Usage:
        prompt_tokens = self._timings.get("prompt_n")
        cached = self._timings.get("cache_n")
        return Usage(
            prompt_tokens=None if prompt_tokens is None else prompt_tokens + (cached or 0),
            reasoning_tokens=self._reasoning_tokens(),
            answer_tokens=max(0, self._generated - self._thought_end - self._ended),
            cached_tokens=cached,
        )

    def _reasoning_tokens(self) -> int:
        """Tokens that the model thought: without the opening tag, and without the stop message if it was put in."""
        if not self._thought:
            return 0
        own = self._reasoning.rstrip()
        message = self.stop_message.rstrip()
        if own.endswith(message):
            end = len(own) - len(message)
            own_marks = [tokens for characters, tokens in self._thought if characters <= end]
            return max(0, (own_marks[-1] if own_marks else 1) - 1)
        return max(0, self._thought[-1][1] - 1)


def _raise_if_error(chunk: Mapping[str, Any], info: GgufInfo) -> None:
    error = chunk.get("error")
    if not isinstance(error, Mapping):
        return
    if error.get("type") == "exceed_context_size_error":
        raise _too_long(error.get("n_prompt_tokens"), error.get("n_ctx"))
    raise EngineRefused(
        f"llama.cpp failed on {info.path.name!r}: {str(error.get('message', error))[:300]}",
        fix="change the request, or try another file",
        engine="llamacpp",
        endpoint="in process",
    )


def _raise_if_too_long(chunk: Mapping[str, Any], context_tokens: int) -> None:
    """The open window may be longer than what this call was promised; the promise holds."""
    total = (chunk.get("prompt_progress") or {}).get("total", 0)
    if total >= context_tokens:
        raise _too_long(total, context_tokens)


def _too_long(prompt_tokens: Any, context_tokens: Any) -> EngineRefused:
    return EngineRefused(
        f"the prompt has {prompt_tokens} tokens, the context {context_tokens}",
        fix="shorten the conversation, or ask for a longer context",
        engine="llamacpp",
        endpoint="in process",
    )


def _named(files: tuple[Path, ...]) -> dict[str, Path]:
    """Files by name without the ending (and the number of the part); the second of one name goes by its path."""
    out: dict[str, Path] = {}
    for path in files:
        name = gguf_group(path.name)[0]
        out[name if name not in out else str(path)] = path
    return out


def _info(path: Path) -> GgufInfo:
    try:
        stat = path.stat()
    except OSError:
        return gguf_info(path)  # raises with words
    return _info_of(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _info_of(path: Path, _size_bytes: int, _changed_ns: int) -> GgufInfo:
    return gguf_info(path)
