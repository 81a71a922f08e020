"""Runs a checkpoint folder in this process with transformers and torch: `TransformersEngine`.

Holds one model at a time (`torch_load.py` loads it), renders its own chat template (`local_prompt.py`: user text never
becomes a control token), generates all calls that run as one batch (`batch_loop.py`; `token_loop.py`: each thinking budget
holds exactly) and hands the text to the assembler. Pictures, videos and sounds of a checkpoint that takes them are
`media_input.py`'s; such a checkpoint answers one call at a time. Needs the extra `transformers`.

    python -c "from qwen_router.engines.transformers import TransformersEngine; print(TransformersEngine().installed())"
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from qwen_router.catalog import Catalog
from qwen_router.demo import demo_checkpoint
from qwen_router.engines.assemble import astream_in_thread
from qwen_router.engines.base import Call, Event
from qwen_router.engines.batch_loop import BatchLoop
from qwen_router.engines.checkpoint_folder import Adapter, Checkpoint, named
from qwen_router.engines.embedding import Scores, Vectors
from qwen_router.engines.grammar import Grammars
from qwen_router.engines.local_prompt import (
    PromptEncoder,
    chat_messages,
    decoder,
    plain_encoder,
    template_options,
    tool_specs,
)
from qwen_router.engines.media_input import MediaReader, Medium, processor_template
from qwen_router.engines.residence import Residence, errors_as, path_of, threads_for, usable_cores
from qwen_router.engines.token_loop import Generation, TokenLoop, TokenPlan
from qwen_router.engines.token_plan import EARLY_STOP, Limits, replied, token_plan
from qwen_router.engines.torch_embed import TorchEmbedder
from qwen_router.engines.torch_load import LoadOptions, load
from qwen_router.engines.torch_steps import TorchSteps
from qwen_router.errors import EngineError, EngineRefused
from qwen_router.hardware.machine import EngineName, ServedBuild

MAX_BATCH = 8
"""Calls that run together. Measured at 8 (docs/local_engines.md); with more each call waits longer for its next token."""


@dataclass(frozen=True)
class _Loaded:
    """One model in memory with everything that is read from its tokenizer once."""

    model: Any
    tokenizer: Any
    prompts: PromptEncoder
    media: MediaReader
    end_ids: frozenset[int]
    grammars: Grammars
    context_tokens: int
    template: str
    batch: BatchLoop


class TransformersEngine:
    """Checkpoint folders run in this process. Each is called by the name of its folder, or by its path.

    A folder may be a LoRA adapter whose base is among the others. `options` say how they are loaded (`torch_load.py`). Up
    to `max_batch` calls of one model run as one batch, others wait. Nothing is downloaded.
    """

    name: EngineName = "transformers"
    takes_task = True
    endpoint = "in process"

    def __init__(
        self,
        folders: tuple[Path, ...] = (),
        *,
        options: LoadOptions | None = None,
        max_batch: int = MAX_BATCH,
        stop_sentence: str = EARLY_STOP,
    ) -> None:
        self._folders = named((demo_checkpoint(), *folders))
        self._options = options or LoadOptions()
        self.parallel, self._stop_sentence = max_batch, stop_sentence
        self._residence: Residence[Path, _Loaded] = Residence(self._load, _free, engine=self.name)
        self._embedder = TorchEmbedder(self._options_for, _translated)

    def installed(self) -> tuple[ServedBuild, ...]:
        """Every folder that holds a checkpoint or an adapter; none without torch and transformers."""
        if find_spec("torch") is None or find_spec("transformers") is None:
            return ()
        found = ((name, Checkpoint.at(folder) or Adapter.at(folder)) for name, folder in self._folders.items())
        return tuple(self._build(name, thing) for name, thing in found if thing is not None)

    def stream(self, call: Call) -> Iterator[Event]:
        folder = self._folder(call.model)
        with self._borrowed(folder, call) as (loaded, load_s), errors_as(partial(_translated, folder=folder)):
            media = loaded.media.opened(call)
            decode, grammar = decoder(loaded.tokenizer.backend_tokenizer), loaded.grammars.of(call)
            generation = Generation(self._plan(call, loaded, media), decode, grammar)
            yield from replied(call, generation, _texts(loaded, generation, media), load_s=load_s)

    def astream(self, call: Call) -> AsyncIterator[Event]:
        return astream_in_thread(self, call)

    def embed(self, model: str, texts: Sequence[str], *, timeout_s: float) -> Vectors:
        """Unit vectors of an embedding checkpoint, which stays in memory beside the model that chats (`torch_embed.py`)."""
        return self._embedder.embed(self._folder(model), texts, timeout_s=timeout_s)

    def rerank(
        self, model: str, query: str, documents: Sequence[str], *, task: str | None = None, timeout_s: float
    ) -> Scores:
        return self._embedder.rerank(self._folder(model), query, documents, task=task, timeout_s=timeout_s)

    def close(self) -> None:
        self._residence.close()
        self._embedder.close()

    def prompt(self, call: Call) -> tuple[str, tuple[int, ...]]:
        """The prompt that `stream` would use, as text and as ids. Loads the model if need be."""
        folder = self._folder(call.model)
        with self._borrowed(folder, call) as (loaded, _), errors_as(partial(_translated, folder=folder)):
            text, ids = self._prompt(call, loaded, loaded.media.opened(call))
            return text, tuple(ids)

    def _borrowed(self, folder: Path, call: Call) -> AbstractContextManager[tuple[_Loaded, float]]:
        return self._residence.borrow(folder, serves=folder.__eq__, timeout_s=call.timeout_s)

    def _folder(self, model: str) -> Path:
        return path_of(model, self._folders, kind="local checkpoint", engine=self.name)

    def _build(self, name: str, thing: Checkpoint | Adapter) -> ServedBuild:
        known = Catalog.load().models
        if isinstance(thing, Adapter):  # its abilities are not its base's, so it is listed as an unknown model
            base = thing.base_among(self._folders.values(), known)
            return self._served(name, thing.folder, base, model_id=None, extra_mib=thing.weights_mib)
        return self._served(name, thing.folder, thing, model_id=thing.model_id(known), extra_mib=0.0)

    def _served(
        self, name: str, folder: Path, checkpoint: Checkpoint | None, *, model_id: str | None, extra_mib: float
    ) -> ServedBuild:
        quantise = self._options_for(checkpoint).quantises(checkpoint) if checkpoint else None
        memory_mib = checkpoint.weights_mib + extra_mib if checkpoint and not quantise else None  # unknown until it is made
        return ServedBuild(
            engine=self.name,
            endpoint=self.endpoint,
            name=name,
            model_id=model_id,
            quant=quantise or (checkpoint.quant if checkpoint else None),
            resident=self._residence.held == folder or self._embedder.holds(folder),
            context_tokens=checkpoint.context_tokens if checkpoint else None,
            memory_mib=memory_mib,
            kind=checkpoint.kind if checkpoint and checkpoint.folder == folder else None,
        )

    def _prompt(self, call: Call, loaded: _Loaded, media: Sequence[Medium]) -> tuple[str, list[int]]:
        tools = [] if call.tool_choice == "none" else tool_specs(call)
        messages = chat_messages(call, arguments_as_text=False, engine=self.name, media=loaded.media.kinds)
        text, ids = loaded.prompts.prompt(messages, tools, template_options(call, loaded.template))
        return text, loaded.media.expanded(ids, media)

    def _plan(self, call: Call, loaded: _Loaded, media: Sequence[Medium]) -> TokenPlan:
        text, ids = self._prompt(call, loaded, media)
        limits = Limits(self.name, loaded.prompts, loaded.end_ids, loaded.context_tokens, self._stop_sentence)
        return replace(token_plan(call, text, ids, limits), least_chunk_tokens=loaded.media.reach_tokens(ids))

    def _load(self, folder: Path) -> _Loaded:
        checkpoint, adapter = Checkpoint.at(folder), None
        if checkpoint is None:
            adapter = Adapter.at(folder)
            checkpoint = self._base(adapter) if adapter else None
        if checkpoint is None:
            raise EngineRefused(
                f"{str(folder)!r} holds no checkpoint (no readable config.json)",
                fix="name the folder that holds config.json and *.safetensors",
                engine=self.name,
            )
        with errors_as(partial(_translated, folder=folder)):
            model, tokenizer = load(checkpoint, self._options_for(checkpoint), adapter)
            return _loaded(model, tokenizer, checkpoint.folder, self.parallel)

    def _base(self, adapter: Adapter) -> Checkpoint:
        found = adapter.base_among(self._folders.values(), Catalog.load().models)
        if found is None:
            raise EngineRefused(
                f"the adapter {adapter.folder.name!r} is made for {adapter.base!r}, which is not among the checkpoints",
                fix="add the folder of that model to QWEN_ROUTER_CHECKPOINTS",
                engine=self.name,
                endpoint=self.endpoint,
            )
        return found

    def _options_for(self, checkpoint: Checkpoint) -> LoadOptions:
        """The demonstration model stays as it is stored."""
        return replace(self._options, quantise=None) if checkpoint.folder == demo_checkpoint() else self._options


def _texts(loaded: _Loaded, generation: Generation, media: Sequence[Medium]) -> Generator[str, None, None]:
    """In the batch; alone where the model takes media, whose positions in the prompt differ from row to row."""
    if not loaded.media.kinds:
        return loaded.batch.run(generation)
    ids = generation.plan.prompt_ids
    model = loaded.media.view(loaded.model, ids, media) if media else loaded.model
    return TokenLoop(TorchSteps(model, cpu_threads=_cpu_threads(loaded.model)), generation).run()


def _loaded(model: Any, tokenizer: Any, folder: Path, max_batch: int) -> _Loaded:
    template = processor_template(folder) or tokenizer.chat_template
    if not isinstance(template, str):
        raise EngineRefused(
            f"{str(folder)!r} has no chat template",
            fix="use an instruct checkpoint; base models do not chat",
            engine="transformers",
        )

    def encode(text: str) -> list[int]:
        return list(tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids)

    ends = model.generation_config.eos_token_id
    end_ids = frozenset(int(i) for i in {*(ends if isinstance(ends, list) else [ends]), tokenizer.eos_token_id} - {None})
    return _Loaded(
        model=model,
        tokenizer=tokenizer,
        prompts=PromptEncoder(
            render=lambda messages, tools, options: str(
                tokenizer.apply_chat_template(
                    messages,
                    tools=tools or None,
                    chat_template=template,
                    add_generation_prompt=True,
                    tokenize=False,
                    **options,
                )
            ),
            encode=encode,
            plain_encoder=lambda: plain_encoder(tokenizer.backend_tokenizer),
            control_ids={str(token): int(i) for i, token in tokenizer.added_tokens_decoder.items()},
        ),
        end_ids=end_ids,
        grammars=Grammars(tokenizer.backend_tokenizer, end_ids),
        batch=BatchLoop(model, max_rows=max_batch, cpu_threads=_cpu_threads(model)),
        context_tokens=int(getattr(model.config.get_text_config(), "max_position_embeddings", 0) or 1 << 30),
        template=template,
        media=MediaReader(folder, model.config, encode),
    )


def _cpu_threads(model: Any) -> int | None:
    if str(model.device) != "cpu":
        return None
    return threads_for(sum(p.numel() * p.element_size() for p in model.parameters()) / 1024**2, cores=usable_cores())


def _translated(error: Exception, folder: Path) -> EngineError:
    said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    kind, fix = EngineRefused, "check the folder: config.json, tokenizer.json and every *.safetensors file must be whole"
    if isinstance(error, MemoryError) or "out of memory" in said.lower() or "allocate memory" in said:
        return EngineRefused(
            f"{folder.name!r} ran out of memory ({said})",
            fix="use a smaller model or quantisation, or a shorter context",
            engine="transformers",
        )
    if type(error).__module__.startswith("jinja2"):
        kind, fix = EngineRefused, "the model's chat template refuses these messages: check their order and roles"
    return kind(f"{folder.name!r} failed: {said}", fix=fix, engine="transformers")


def _free(loaded: _Loaded) -> None:
    """Weights go when the last stream lets go of them; on a GPU the cached blocks are given back too."""
    if str(loaded.model.device) != "cpu":
        import torch

        torch.cuda.empty_cache()
