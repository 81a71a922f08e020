"""Runs a folder built for onnxruntime-genai in this process: `OnnxEngine`.

Checks the folder first (`onnx_folder.py`), loads one model at a time, renders its own chat template (`chat_template.py`),
keeps user text from becoming control tokens (`local_prompt.py`) and generates token by token (`token_loop.py`: the thinking
budget holds exactly). Reads text only; where it computes is the folder's own choice. Needs the extra `onnx`, and no torch.

    python -c "from pathlib import Path; from qwen_router.engines.onnx import OnnxEngine as E; print(E().installed())"
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from qwen_router.catalog import Catalog
from qwen_router.engines.assemble import astream_in_thread
from qwen_router.engines.base import Call, Event
from qwen_router.engines.chat_template import renderer, template_of, tokenizer_config
from qwen_router.engines.checkpoint_folder import named
from qwen_router.engines.grammar import Grammars
from qwen_router.engines.local_prompt import (
    PromptEncoder,
    chat_messages,
    decoder,
    plain_encoder,
    template_options,
    tool_specs,
)
from qwen_router.engines.onnx_folder import OnnxFolder
from qwen_router.engines.residence import Residence, errors_as, path_of, threads_for, usable_cores
from qwen_router.engines.sampler import Scores
from qwen_router.engines.token_loop import Generation, TokenLoop, TokenPlan
from qwen_router.engines.token_plan import EARLY_STOP, Limits, replied, token_plan
from qwen_router.errors import EngineError, EngineRefused, MissingExtra
from qwen_router.hardware.machine import EngineName, ServedBuild

_log = logging.getLogger(__name__)
CHUNK_TOKENS = 64
"""Of a prompt, computed at once. onnxruntime-genai holds Python's lock while it computes, so every other thread of the
process waits for a chunk; a larger one is a little faster (docs/local_engines.md)."""


@dataclass(frozen=True)
class _Loaded:
    """One model in memory with everything that is read from its folder once."""

    folder: OnnxFolder
    model: Any
    tokenizer: Any
    prompts: PromptEncoder
    end_ids: frozenset[int]
    grammars: Grammars
    template: str


class OnnxEngine:
    """Folders with genai_config.json run in this process. Each is called by its name, or by its path.

    `threads` is None for as many as the size of the model is worth. Nothing is downloaded, and nothing reported to anyone.
    """

    name: EngineName = "onnx"
    endpoint = "in process"

    def __init__(
        self, folders: tuple[Path, ...] = (), *, threads: int | None = None, stop_sentence: str = EARLY_STOP
    ) -> None:
        self._folders = named(folders)
        self._threads, self._stop_sentence = threads, stop_sentence
        self._residence: Residence[Path, _Loaded] = Residence(self._load, lambda _loaded: None, engine=self.name)

    def installed(self) -> tuple[ServedBuild, ...]:
        """Every folder that holds such a model; none without onnxruntime-genai. Another is left out and logged."""
        if find_spec("onnxruntime_genai") is None:
            return ()
        builds: list[ServedBuild] = []
        for name, path in self._folders.items():
            folder = OnnxFolder.at(path)
            if folder is None:
                _log.warning("%s", _not_built(path))
                continue
            builds.append(self._build(name, folder))
        return tuple(builds)

    def stream(self, call: Call) -> Iterator[Event]:
        path = self._path(call.model)
        with self._borrowed(path, call) as (loaded, load_s), errors_as(partial(_translated, path=path)):
            plan = self._plan(call, loaded)
            generation = Generation(plan, decoder(loaded.tokenizer), loaded.grammars.of(call))
            loop = TokenLoop(OnnxSteps(loaded.model, max_tokens=plan.context_tokens), generation, engine=self.name)
            yield from replied(call, generation, loop.run(), load_s=load_s)

    def astream(self, call: Call) -> AsyncIterator[Event]:
        return astream_in_thread(self, call)

    def close(self) -> None:
        self._residence.close()

    def prompt(self, call: Call) -> tuple[str, tuple[int, ...]]:
        """The prompt that `stream` would use, as text and as ids. Loads the model if need be."""
        path = self._path(call.model)
        with self._borrowed(path, call) as (loaded, _), errors_as(partial(_translated, path=path)):
            text, ids = self._prompt(call, loaded)
            return text, tuple(ids)

    def _borrowed(self, path: Path, call: Call) -> AbstractContextManager[tuple[_Loaded, float]]:
        return self._residence.borrow(path, serves=path.__eq__, timeout_s=call.timeout_s)

    def _path(self, model: str) -> Path:
        return path_of(model, self._folders, kind="ONNX folder", engine=self.name)

    def _build(self, name: str, folder: OnnxFolder) -> ServedBuild:
        return ServedBuild(
            engine=self.name,
            endpoint=self.endpoint,
            name=name,
            model_id=folder.model_id(Catalog.load().models),
            quant=folder.quant,
            resident=self._residence.held == folder.folder,
            context_tokens=folder.context_tokens,
            memory_mib=folder.weights_mib,
        )

    def _prompt(self, call: Call, loaded: _Loaded) -> tuple[str, list[int]]:
        tools = [] if call.tool_choice == "none" else tool_specs(call)
        messages = chat_messages(call, arguments_as_text=False, engine=self.name)
        return loaded.prompts.prompt(messages, tools, template_options(call, loaded.template))

    def _plan(self, call: Call, loaded: _Loaded) -> TokenPlan:
        text, ids = self._prompt(call, loaded)
        context_tokens = loaded.folder.context_tokens or 1 << 30
        plan = token_plan(
            call, text, ids, Limits(self.name, loaded.prompts, loaded.end_ids, context_tokens, self._stop_sentence)
        )
        _refuse_if_too_big(loaded.folder, plan.context_tokens * loaded.folder.kv_mib_per_token, "its cache needs")
        return plan

    def _load(self, path: Path) -> _Loaded:
        folder = OnnxFolder.at(path)
        if folder is None:
            raise _not_built(path)
        folder.check()
        genai = _genai()
        _refuse_if_too_big(folder, folder.weights_mib, "it needs")
        threads = self._threads or threads_for(folder.weights_mib, cores=usable_cores())
        with errors_as(partial(_translated, path=path)):
            config = genai.Config(str(path))
            options = {"intra_op_num_threads": threads, "log_severity_level": 4}  # errors come as exceptions
            config.overlay(json.dumps({"model": {"decoder": {"session_options": options}}}))
            return _loaded(folder, genai.Model(config))


class OnnxSteps:
    """One sequence with its cache, which is allocated for `max_tokens` at once. What `token_loop.py` asks for scores."""

    def __init__(self, model: Any, *, max_tokens: int) -> None:
        genai = _genai()
        options = genai.GeneratorParams(model)
        options.set_search_options(max_length=max_tokens, batch_size=1, num_beams=1)
        self._generator = genai.Generator(model, options)

    def __call__(self, ids: tuple[int, ...]) -> Scores:
        """Put ids into the cache and give the scores of the next token."""
        for start in range(0, len(ids), CHUNK_TOKENS):
            self._generator.append_tokens(np.array(ids[start : start + CHUNK_TOKENS], dtype=np.int32))
        return np.asarray(self._generator.get_logits()[0, -1], dtype=np.float32)


def _genai() -> Any:
    """The library. Its runtime reports usage to its maker unless this variable is set when it is imported."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime_genai
    except ImportError as error:
        raise MissingExtra.of(error.name or "onnxruntime_genai", extra="onnx") from error
    return onnxruntime_genai


def _not_built(path: Path) -> EngineRefused:
    return EngineRefused(
        f"{str(path)!r} holds no model for onnxruntime-genai (no readable genai_config.json)",
        fix="name a folder that its model builder made: python -m onnxruntime_genai.models.builder --help",
        engine="onnx",
        endpoint="in process",
    )


def _loaded(folder: OnnxFolder, model: Any) -> _Loaded:
    from tokenizers import Tokenizer

    template = template_of(folder.folder)
    if template is None:
        raise EngineRefused(
            f"{str(folder.folder)!r} has no chat template",
            fix="build it from an instruct checkpoint; base models do not chat",
            engine="onnx",
        )
    tokenizer = Tokenizer.from_file(str(folder.folder / "tokenizer.json"))
    try:
        render = renderer(template, _specials(folder.folder))
    except ImportError as error:
        raise MissingExtra.of(error.name or "jinja2", extra="onnx") from error
    return _Loaded(
        folder=folder,
        model=model,
        tokenizer=tokenizer,
        prompts=PromptEncoder(
            render=render,
            encode=lambda text: list(tokenizer.encode(text, add_special_tokens=False).ids),
            plain_encoder=lambda: plain_encoder(tokenizer),
            control_ids={token.content: int(i) for i, token in tokenizer.get_added_tokens_decoder().items()},
        ),
        end_ids=folder.end_ids,
        grammars=Grammars(tokenizer, folder.end_ids),
        template=template,
    )


def _specials(folder: Path) -> dict[str, str]:
    """What a template may call `bos_token` and the like."""
    config = tokenizer_config(folder)
    texts = {name: config.get(name) for name in ("bos_token", "eos_token", "pad_token", "unk_token")}
    texts = {name: t.get("content") if isinstance(t, dict) else t for name, t in texts.items()}
    return {name: text for name, text in texts.items() if isinstance(text, str)}


def _refuse_if_too_big(folder: OnnxFolder, needed_mib: float, what: str) -> None:
    """The system would swap, or end the process; there is no exception to catch then. Not known of other memory."""
    import psutil

    available_mib = psutil.virtual_memory().available / 1024**2
    if needed_mib > available_mib and not folder.providers:
        raise EngineRefused(
            f"{folder.folder.name!r} does not fit: {what} {needed_mib:,.0f} MiB, and {available_mib:,.0f} MiB are free",
            fix="use a smaller model or quantisation, or a shorter context",
            engine="onnx",
            endpoint="in process",
        )


def _translated(error: Exception, path: Path) -> EngineError:
    said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    problem, fix = f"{path.name!r} failed: {said}", "check the folder, or build it again with this onnxruntime-genai"
    if isinstance(error, MemoryError) or any(words in said.lower() for words in ("bad_alloc", "out of memory", "allocate")):
        problem, fix = f"{path.name!r} ran out of memory ({said})", "use a smaller model, or a shorter context"
    elif type(error).__module__.startswith("jinja2"):
        fix = "the model's chat template refuses these messages: check their order and roles"
    elif any(words in said.lower() for words in ("provider", "interface not available")):
        fix = "install the onnxruntime-genai package of the device that the folder was built for, or build it with -e cpu"
    return EngineRefused(problem, fix=fix, engine="onnx", endpoint="in process")
