"""Runs a checkpoint folder in this process with transformers and torch: `TransformersEngine`.

Loads one model at a time from local files, renders its own chat template (`local_prompt.py`: user text never becomes a
control token), generates token by token (`token_loop.py`: the thinking budget holds exactly) and hands the text to the
assembler. Reads text only, one sequence at a time. Needs the extra `transformers`.

    python -c "from qwen_router.engines.transformers import TransformersEngine; print(TransformersEngine().installed())"
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from qwen_router.catalog import Catalog
from qwen_router.demo import demo_checkpoint
from qwen_router.engines.assemble import ReplyAssembler, astream_in_thread
from qwen_router.engines.base import Call, Event, Usage
from qwen_router.engines.checkpoint_folder import Checkpoint, named
from qwen_router.engines.local_prompt import (
    PromptEncoder,
    chat_messages,
    decoder,
    not_here,
    plain_encoder,
    settled,
    template_options,
    tool_specs,
)
from qwen_router.engines.residence import Residence, threads_for, usable_cores
from qwen_router.engines.thinking import OPEN
from qwen_router.engines.token_loop import TokenLoop, TokenPlan
from qwen_router.engines.token_plan import EARLY_STOP, Limits, token_plan
from qwen_router.engines.torch_steps import TorchSteps
from qwen_router.errors import EngineError, EngineRefused, MissingExtra, RouterError
from qwen_router.hardware.machine import EngineName, ServedBuild


@dataclass(frozen=True)
class _Loaded:
    """One model in memory with everything that is read from its tokenizer once."""

    model: Any
    tokenizer: Any
    prompts: PromptEncoder
    end_ids: frozenset[int]
    context_tokens: int
    template: str
    cpu_threads: int | None  # None on an accelerator


class TransformersEngine:
    """Checkpoint folders run in this process. Each is called by the name of its folder, or by its path.

    `device` is "auto" (a GPU if torch sees one), or torch's name of one. `dtype` is "auto" (as the checkpoint is stored,
    which is what the memory estimate counts) or torch's name. Remote code is never trusted and nothing is downloaded.
    """

    name: EngineName = "transformers"
    endpoint = "in process"

    def __init__(
        self,
        folders: tuple[Path, ...] = (),
        *,
        device: str = "auto",
        dtype: str = "auto",
        stop_sentence: str = EARLY_STOP,
    ) -> None:
        self._folders = named((demo_checkpoint(), *folders))
        self._device, self._dtype, self._stop_sentence = device, dtype, stop_sentence
        self._residence: Residence[Path, _Loaded] = Residence(self._load, _free, engine=self.name)

    def installed(self) -> tuple[ServedBuild, ...]:
        """Every folder that holds a checkpoint; none without torch and transformers."""
        if find_spec("torch") is None or find_spec("transformers") is None:
            return ()
        found = ((name, Checkpoint.at(folder)) for name, folder in self._folders.items())
        return tuple(self._build(name, checkpoint) for name, checkpoint in found if checkpoint is not None)

    def stream(self, call: Call) -> Iterator[Event]:
        call, folder = settled(call), self._folder(call.model)
        assembler = ReplyAssembler(call)
        with self._borrowed(folder, call) as (loaded, load_s), _wrapped(folder):
            plan = self._plan(call, loaded)
            steps = TorchSteps(loaded.model, cpu_threads=loaded.cpu_threads)
            loop = TokenLoop(steps, plan, decoder(loaded.tokenizer.backend_tokenizer))
            if plan.starts_inside:
                yield from assembler.feed(content=OPEN)
            for text in loop.run():
                yield from assembler.feed(content=text)
            tally = loop.tally
            usage = Usage(
                prompt_tokens=len(plan.prompt_ids),
                reasoning_tokens=tally.reasoning_tokens,
                answer_tokens=tally.answer_tokens,
            )
            yield from assembler.finish(finish_reason=tally.finish, usage=usage, load_s=load_s)

    def astream(self, call: Call) -> AsyncIterator[Event]:
        return astream_in_thread(self, call)

    def close(self) -> None:
        self._residence.close()

    def prompt(self, call: Call) -> tuple[str, tuple[int, ...]]:
        """The prompt that `stream` would use, as text and as ids. Loads the model if need be."""
        call, folder = settled(call), self._folder(call.model)
        with self._borrowed(folder, call) as (loaded, _), _wrapped(folder):
            text, ids = self._prompt(call, loaded)
            return text, tuple(ids)

    def _borrowed(self, folder: Path, call: Call) -> AbstractContextManager[tuple[_Loaded, float]]:
        return self._residence.borrow(folder, serves=folder.__eq__, timeout_s=call.timeout_s)

    def _folder(self, model: str) -> Path:
        folder = self._folders.get(model) or next((f for f in self._folders.values() if str(f) == model), None)
        if folder is None:
            raise not_here(model, self._folders, kind="local checkpoint", engine=self.name)
        return folder

    def _build(self, name: str, checkpoint: Checkpoint) -> ServedBuild:
        return ServedBuild(
            engine=self.name,
            endpoint=self.endpoint,
            name=name,
            model_id=checkpoint.model_id(Catalog.load().models),
            quant=checkpoint.quant,
            resident=self._residence.held == checkpoint.folder,
            context_tokens=checkpoint.context_tokens,
            memory_mib=checkpoint.weights_mib,
        )

    def _prompt(self, call: Call, loaded: _Loaded) -> tuple[str, list[int]]:
        tools = [] if call.tool_choice == "none" else tool_specs(call)
        messages = chat_messages(call, arguments_as_text=False, engine=self.name)
        return loaded.prompts.prompt(messages, tools, template_options(call, loaded.template))

    def _plan(self, call: Call, loaded: _Loaded) -> TokenPlan:
        text, ids = self._prompt(call, loaded)
        limits = Limits(self.name, loaded.prompts, loaded.end_ids, loaded.context_tokens, self._stop_sentence)
        return token_plan(call, text, ids, limits)

    def _load(self, folder: Path) -> _Loaded:
        checkpoint = Checkpoint.at(folder)
        if checkpoint is None:
            raise EngineRefused(
                f"{str(folder)!r} holds no checkpoint (no readable config.json)",
                fix="name the folder that holds config.json and *.safetensors",
                engine=self.name,
            )
        checkpoint.check()
        try:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ImportError as error:
            raise MissingExtra.of(error.name or "transformers", extra="transformers") from error
        with _wrapped(folder), _quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            device = self._device if self._device != "auto" else _best_device(torch)
            model: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=self._dtype if self._dtype == "auto" else getattr(torch, self._dtype),
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
            )
            return _loaded(model.to(device).eval(), tokenizer, folder)


def _best_device(torch: Any) -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _loaded(model: Any, tokenizer: Any, folder: Path) -> _Loaded:
    template = tokenizer.chat_template
    if not isinstance(template, str):
        raise EngineRefused(
            f"{str(folder)!r} has no chat template",
            fix="use an instruct checkpoint; base models do not chat",
            engine="transformers",
        )
    ends = model.generation_config.eos_token_id
    end_ids = {*(ends if isinstance(ends, list) else [ends]), tokenizer.eos_token_id} - {None}
    return _Loaded(
        model=model,
        tokenizer=tokenizer,
        prompts=PromptEncoder(
            render=lambda messages, tools, options: str(
                tokenizer.apply_chat_template(
                    messages, tools=tools or None, add_generation_prompt=True, tokenize=False, **options
                )
            ),
            encode=lambda text: list(tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids),
            plain_encoder=lambda: plain_encoder(tokenizer.backend_tokenizer),
            control_ids={str(token): int(i) for i, token in tokenizer.added_tokens_decoder.items()},
        ),
        end_ids=frozenset(int(i) for i in end_ids),
        cpu_threads=_cpu_threads(model),
        context_tokens=int(getattr(model.config, "max_position_embeddings", 0) or 1 << 30),
        template=template,
    )


def _cpu_threads(model: Any) -> int | None:
    if str(model.device) != "cpu":
        return None
    return threads_for(sum(p.numel() * p.element_size() for p in model.parameters()) / 1024**2, cores=usable_cores())


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no remarks while a model loads; what goes wrong comes as an exception."""
    from transformers.utils import logging

    switches: Any = logging  # they carry no types
    shown, verbosity = switches.is_progress_bar_enabled(), switches.get_verbosity()
    switches.disable_progress_bar()
    switches.set_verbosity_error()
    try:
        yield
    finally:
        switches.set_verbosity(verbosity)
        if shown:
            switches.enable_progress_bar()


@contextmanager
def _wrapped(folder: Path) -> Iterator[None]:
    """Whatever torch, safetensors or a template raises leaves as an error of ours."""
    try:
        yield
    except RouterError:
        raise
    except Exception as error:  # the border: three libraries and any template may raise anything
        raise _translated(error, folder) from error


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
