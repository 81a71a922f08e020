"""Embeds and reranks with GGUF files in this process: what `LlamaCppEngine` does beside chatting.

Each of the two tasks keeps one model of its own in memory, beside the one that chats. The window grows in few steps, because
another one loads the model again. llama.cpp pools and normalises; a reranker brings its template and its two-word head in
the file. Control tokens in texts are made plain first (docs/engines.md). Needs the extra `llamacpp`.

    python -c "from qwen_router.engines.llamacpp_embed import LlamaCppEmbedder; print(LlamaCppEmbedder.embed.__doc__)"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from qwen_router.catalog import Catalog
from qwen_router.catalog.types import ModelKind
from qwen_router.control_tokens import neutralise
from qwen_router.engines.assemble import estimated_tokens
from qwen_router.engines.embedding import (
    RERANK_PREFIX,
    RERANK_SUFFIX,
    Scores,
    Vectors,
    built_in_task,
    in_parts,
    plain_query,
    probabilities,
    rerank_text,
    unit_vectors,
)
from qwen_router.engines.gguf_file import RANKS, SEARCH_ARCHITECTURE, GgufInfo
from qwen_router.engines.llamacpp_load import opened, plain_params, refuse_if_too_big, window
from qwen_router.engines.residence import Residence
from qwen_router.errors import EngineNonsense, EngineRefused

WINDOWS = (2048, 8192, 32_768)
"""Context windows that are opened: the least that holds the texts, up to what the model was trained for."""
ENGINE = "llamacpp"
_END = "<|endoftext|>"
_WHERE: Any = {"engine": ENGINE, "endpoint": "in process"}


@dataclass(frozen=True, slots=True)
class _Key:
    path: Path
    context_tokens: int

    def __str__(self) -> str:
        return window(self.path, self.context_tokens)


class LlamaCppEmbedder:
    """`info_of` reads a file's header; `threads` and `verbose` are the engine's own options."""

    def __init__(
        self,
        info_of: Callable[[Path], GgufInfo],
        *,
        threads: int | None = None,
        verbose: bool = False,
        windows: Sequence[int] = WINDOWS,
    ) -> None:
        self._info_of, self._threads, self._verbose, self._windows = info_of, threads, verbose, windows
        self._places: dict[ModelKind, Residence[_Key, Any]] = {
            "embedding": Residence(partial(self._load, "embedding"), lambda _server: None, engine=ENGINE),
            "reranker": Residence(partial(self._load, "reranker"), lambda _server: None, engine=ENGINE),
        }

    def window_of(self, path: Path) -> int | None:
        """The window in which this file is open; None when it is not in memory."""
        held = (place.held for place in self._places.values())
        return next((key.context_tokens for key in held if key is not None and key.path == path), None)

    def close(self) -> None:
        for place in self._places.values():
            place.close()

    def embed(self, path: Path, texts: Sequence[str], *, timeout_s: float) -> Vectors:
        """What the file's own pooling makes of each text, of unit length; the last token's state where it names none.

        Raises `EngineRefused` for a reranker, and for a text that is too long.
        """
        info = self._info_of(path)
        if info.pooling == RANKS:
            raise _refused(f"{path.stem!r} is a reranker: it does not embed", "use a Qwen3-Embedding GGUF")
        last = info.architecture == SEARCH_ARCHITECTURE and info.pooling in (None, 3)
        end = _END if last and not info.metadata.get("tokenizer.ggml.add_eos_token") else ""  # older conversions lack it

        def part(some: list[str]) -> tuple[Any, int | None]:
            body = {"input": [neutralise(text) + end for text in some], "encoding_format": "float"}
            found = self._asked("embedding", info, "handle_embeddings", body, some, timeout_s)
            rows = {row.get("index"): row.get("embedding") for row in _rows(found, "data")}
            return [rows.get(place) for place in range(len(some))], _tokens(found)

        rows, tokens = in_parts(texts, part)
        return Vectors(unit_vectors(rows, len(texts), who=repr(path.stem), **_WHERE), tokens)

    def rerank(self, path: Path, query: str, documents: Sequence[str], *, task: str | None, timeout_s: float) -> Scores:
        """What the file's two-word head gives for each document. Raises `EngineRefused` for a file without one."""
        info = self._info_of(path)
        if info.pooling != RANKS:
            known = info.model_id(Catalog.load().models)
            lost = known is not None and Catalog.load().get(known).kind == "reranker"
            why = "was converted without the reranking head" if lost else "is no reranker"
            raise _refused(f"{path.stem!r} {why}", "convert Qwen3-Reranker with llama.cpp's convert_hf_to_gguf.py")
        built_in_task(task, **_WHERE)

        def part(some: list[str]) -> tuple[list[Any], int | None]:
            body = {"query": plain_query(query), "documents": [neutralise(text) for text in some]}
            whole = [RERANK_PREFIX + rerank_text(query, text) + RERANK_SUFFIX for text in some]
            found = self._asked("reranker", info, "handle_rerank", body, whole, timeout_s)
            rated = {row.get("index"): row.get("relevance_score") for row in _rows(found, "results")}
            return [rated.get(place) for place in range(len(some))], _tokens(found)

        values, tokens = in_parts(documents, part)
        return Scores(probabilities(values, len(documents), who=repr(path.stem), **_WHERE), tokens)

    def _asked(
        self, kind: ModelKind, info: GgufInfo, verb: str, body: Mapping[str, Any], texts: Sequence[str], timeout_s: float
    ) -> Mapping[str, Any]:
        """The answer, in the least window that holds the texts; estimates err, so the next one is tried."""
        found: Mapping[str, Any] = {}
        for context_tokens in windows_for(texts, self._windows, trained_tokens=info.context_tokens):
            key = _Key(info.path, context_tokens)
            serves = partial(_serves, key)
            with self._places[kind].borrow(key, serves=serves, timeout_s=timeout_s) as (server, _):
                try:
                    found = getattr(server, verb)(dict(body))
                except (RuntimeError, ValueError, TypeError) as error:
                    said = " ".join(str(error).split())[:300]
                    raise _refused(
                        f"llama.cpp refused the texts: {said}", "change the texts, or try another file"
                    ) from error
            fault = found.get("error") if isinstance(found, Mapping) else {"message": str(found)[:80]}
            if not isinstance(fault, Mapping):
                return found
            if fault.get("type") != "exceed_context_size_error":
                why = str(fault.get("message", fault))[:300]
                raise _refused(f"llama.cpp failed on {info.path.name!r}: {why}", "change the texts, or try another file")
        count, limit = found["error"].get("n_prompt_tokens"), found["error"].get("n_ctx")
        raise _refused(
            f"a text has {count:,} tokens, and {info.path.stem!r} reads {limit:,}",
            "split it into pieces; nothing is cut off in silence",
        )

    def _load(self, kind: ModelKind, key: _Key) -> Any:
        info = self._info_of(key.path)
        needed_mib = info.file_mib + info.kv_mib(key.context_tokens)
        refuse_if_too_big(str(key), needed_mib)
        params = plain_params(info, threads=self._threads, verbose=self._verbose)
        import xllamacpp

        params.n_ctx, params.n_parallel = key.context_tokens, 1
        params.embedding, params.cache_ram_mib = True, 0
        if kind == "reranker":
            params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
        elif info.pooling is None:
            params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_LAST
        return opened(params, info, str(key), needed_mib=needed_mib)


def windows_for(texts: Sequence[str], windows: Sequence[int], *, trained_tokens: int | None) -> list[int]:
    """The windows to try: from the least that holds the texts by our estimate to what the model was trained for."""
    most = trained_tokens or windows[-1]
    steps = [*(tokens for tokens in windows if tokens < most), most]
    guess = max(estimated_tokens(text) for text in texts) * 1.2 + 16
    return [tokens for tokens in steps if tokens >= guess] or steps[-1:]


def _serves(wanted: _Key, held: _Key) -> bool:
    return held.path == wanted.path and held.context_tokens >= wanted.context_tokens


def _rows(found: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    rows = found.get(field)
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise EngineNonsense(f"llama.cpp gave no {field}: {str(found)[:80]}", fix="update xllamacpp", **_WHERE)
    return rows


def _tokens(found: Mapping[str, Any]) -> int | None:
    usage = found.get("usage")
    count = usage.get("prompt_tokens") if isinstance(usage, Mapping) else None
    return count if isinstance(count, int) else None


def _refused(problem: str, fix: str) -> EngineRefused:
    return EngineRefused(problem, fix=fix, **_WHERE)
