"""Embeds and reranks with checkpoints in this process: what `TransformersEngine` does beside chatting.

Each of the two tasks keeps one model of its own in memory, beside the one that chats: a search that embeds, reranks and
answers loads each once. Texts are sorted by length and computed in batches. Padding stands on the right, where causal
attention does not look, so a text has the positions that it has alone; the vectors are those of the card's padding on the
left. User text never becomes a control token. Needs the extra `transformers`.

    python -c "from qwen_router.engines.torch_embed import TorchEmbedder; print(TorchEmbedder.embed.__doc__)"
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from qwen_router.catalog.types import ModelKind
from qwen_router.engines.checkpoint_folder import Checkpoint
from qwen_router.engines.embedding import (
    RERANK_PREFIX,
    RERANK_SUFFIX,
    Scores,
    Vectors,
    batches,
    probabilities,
    rerank_text,
    too_long,
    unit_vectors,
)
from qwen_router.engines.local_prompt import plain_encoder
from qwen_router.engines.residence import Residence, errors_as, threads_for, usable_cores
from qwen_router.engines.torch_load import LoadOptions, load
from qwen_router.engines.torch_steps import cpu_threads_set
from qwen_router.errors import EngineError, EngineRefused

MAX_BATCH_TOKENS = 8192
"""Padded tokens that are computed at once; a longer text is computed alone."""
MAX_BATCH_ROWS = 64
ENGINE = "transformers"
Translated = Callable[[Exception, Path], EngineError]


@dataclass(frozen=True)
class _Loaded:
    """One model with what is read from its tokenizer once. `plain` parses no control tokens, `parsed` does."""

    model: Any
    plain: Callable[[str], list[int]]
    parsed: Callable[[str], list[int]]
    tail: tuple[int, ...]
    yes_no: tuple[int, int] | None
    context_tokens: int
    cpu_threads: int | None


class TorchEmbedder:
    """`options_for` says how a checkpoint is loaded, `translated` what becomes of a foreign error."""

    def __init__(self, options_for: Callable[[Checkpoint], LoadOptions], translated: Translated) -> None:
        self._options_for, self._translated = options_for, translated
        self._places: dict[ModelKind, Residence[Path, _Loaded]] = {
            "embedding": Residence(partial(self._load, "embedding"), _free, engine=ENGINE),
            "reranker": Residence(partial(self._load, "reranker"), _free, engine=ENGINE),
        }

    def holds(self, folder: Path) -> bool:
        """Whether this checkpoint is in memory."""
        return any(place.held == folder for place in self._places.values())

    def close(self) -> None:
        for place in self._places.values():
            place.close()

    def embed(self, folder: Path, texts: Sequence[str], *, timeout_s: float) -> Vectors:
        """The last token's state of each text behind the end token, of unit length.

        Raises `EngineRefused` for a checkpoint that is no embedding model of this kind, and for a text that is too long.
        """
        place = self._places["embedding"]
        with place.borrow(folder, serves=folder.__eq__, timeout_s=timeout_s) as (loaded, _), self._guarded(folder):
            ids = [[*loaded.plain(text), *loaded.tail] for text in texts]
            self._check(folder, ids, loaded)
            width = int(loaded.model.config.get_text_config().hidden_size)
            out = np.empty((len(ids), width), dtype=np.float32)
            for group in batches([len(row) for row in ids], max_tokens=MAX_BATCH_TOKENS, max_rows=MAX_BATCH_ROWS):
                out[group] = _last_states(loaded, loaded.model, [ids[i] for i in group])
            values = unit_vectors(out, len(texts), who=repr(folder.name), engine=ENGINE, endpoint="in process")
            return Vectors(values, sum(map(len, ids)))

    def rerank(self, folder: Path, query: str, documents: Sequence[str], *, task: str | None, timeout_s: float) -> Scores:
        """P("yes") against "no" as the next token behind the card's template, for each document."""
        place = self._places["reranker"]
        with place.borrow(folder, serves=folder.__eq__, timeout_s=timeout_s) as (loaded, _), self._guarded(folder):
            head, end = loaded.parsed(RERANK_PREFIX), loaded.parsed(RERANK_SUFFIX)
            ids = [[*head, *loaded.plain(rerank_text(query, document, task)), *end] for document in documents]
            self._check(folder, ids, loaded)
            out = np.empty(len(ids), dtype=np.float64)
            for group in batches([len(row) for row in ids], max_tokens=MAX_BATCH_TOKENS, max_rows=MAX_BATCH_ROWS):
                out[group] = _yes(loaded, [ids[i] for i in group])
            values = probabilities(out.tolist(), len(documents), who=repr(folder.name), engine=ENGINE, endpoint="in process")
            return Scores(values, sum(map(len, ids)))

    def _guarded(self, folder: Path) -> AbstractContextManager[None]:
        return errors_as(lambda error: self._translated(error, folder))

    def _check(self, folder: Path, ids: Sequence[Sequence[int]], loaded: _Loaded) -> None:
        for place, row in enumerate(ids):
            if len(row) > loaded.context_tokens:
                limit = loaded.context_tokens
                raise too_long(folder.name, place, len(ids), len(row), limit, engine=ENGINE, endpoint="in process")

    def _load(self, kind: ModelKind, folder: Path) -> _Loaded:
        checkpoint = Checkpoint.at(folder)
        if checkpoint is None:
            raise _refused(
                f"{str(folder)!r} holds no checkpoint (no readable config.json)", "name the folder with config.json"
            )
        if "vision_config" in checkpoint.config:
            why = f"{folder.name!r} reads pictures too, which is not done here for search"
            raise _refused(why, "use Qwen3-Embedding or Qwen3-Reranker, for text")
        if kind == "embedding" and checkpoint.pooling not in (None, "lasttoken"):
            why = f"{folder.name!r} pools by {checkpoint.pooling!r}; the last token's state is what is computed here"
            raise _refused(why, "use Qwen3-Embedding, or a server that runs this model")
        with self._guarded(folder):
            model, tokenizer = load(checkpoint, self._options_for(checkpoint), headless=kind == "embedding")
            return _loaded(model, tokenizer, kind, folder)


def _loaded(model: Any, tokenizer: Any, kind: ModelKind, folder: Path) -> _Loaded:
    backend = tokenizer.backend_tokenizer

    def parsed(text: str) -> list[int]:
        return list(backend.encode(text, add_special_tokens=False).ids)

    config = model.config.get_text_config()
    tail = tuple(backend.encode("", add_special_tokens=True).ids)  # Qwen3-Embedding's tokenizer appends <|endoftext|>
    if not tail:  # its first release left that to the caller
        end = backend.token_to_id("<|endoftext|>")
        tail = () if end is None else (end,)
    on_cpu = str(model.device) == "cpu"
    weights_mib = sum(p.numel() * p.element_size() for p in model.parameters()) / 1024**2
    return _Loaded(
        model=model,
        plain=plain_encoder(backend),
        parsed=parsed,
        tail=tail,
        yes_no=_yes_no(parsed, folder) if kind == "reranker" else None,
        context_tokens=int(getattr(config, "max_position_embeddings", 0) or 1 << 30),
        cpu_threads=threads_for(weights_mib, cores=usable_cores()) if on_cpu else None,
    )


def _yes_no(parsed: Callable[[str], list[int]], folder: Path) -> tuple[int, int]:
    yes, no = parsed("yes"), parsed("no")
    if len(yes) != 1 or len(no) != 1:
        raise _refused(f"{folder.name!r} has no single token for 'yes' and 'no'", "use a Qwen3-Reranker checkpoint")
    return yes[0], no[0]


def _last_states(loaded: _Loaded, model: Any, rows: Sequence[Sequence[int]]) -> Any:
    """(rows, width) in f32: the state of the last token of each row."""
    import torch

    longest = max(map(len, rows))
    with torch.inference_mode(), cpu_threads_set(loaded.cpu_threads):
        ids = torch.tensor([[*row, *[row[-1]] * (longest - len(row))] for row in rows], device=loaded.model.device)
        states = model(input_ids=ids, use_cache=False).last_hidden_state
        last = torch.tensor([len(row) - 1 for row in rows], device=states.device)
        return states[torch.arange(len(rows), device=states.device), last].float().cpu().numpy()


def _yes(loaded: _Loaded, rows: Sequence[Sequence[int]]) -> Any:
    """(rows,): P(yes) of the two words' logits at the last token."""
    import torch

    assert loaded.yes_no is not None
    states = _last_states(loaded, loaded.model.base_model, rows)
    head = loaded.model.get_output_embeddings()
    with torch.inference_mode(), cpu_threads_set(loaded.cpu_threads):
        at = next(head.parameters())
        dtype = at.dtype if at.is_floating_point() else loaded.model.dtype
        logits = head(torch.from_numpy(states).to(at.device, dtype))[:, list(loaded.yes_no)].float()
        return torch.softmax(logits, dim=1)[:, 0].double().cpu().numpy()


def _refused(problem: str, fix: str) -> EngineRefused:
    return EngineRefused(problem, fix=fix, engine=ENGINE, endpoint="in process")


def _free(loaded: _Loaded) -> None:
    """Weights go when the last call lets go of them; on a GPU the cached blocks are given back too."""
    if str(loaded.model.device) != "cpu":
        import torch

        torch.cuda.empty_cache()
