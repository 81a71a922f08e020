"""Embedding and reranking over HTTP: the bodies that Ollama and OpenAI-compatible servers are sent, and what comes back.

No IO: `ollama.py` and `openai.py` send. Ollama's `/api/embed` is taken from its source (api/types.go, server/routes.go,
EmbedHandler), `/v1/embeddings` is OpenAI's, `/v1/rerank` is Jina's shape as llama.cpp's server and vLLM have it. Vectors are
asked for whole and shortened by us, because not every server can. Control tokens are made plain (docs/engines.md).

    python -c "from qwen_router.engines.http_embed import openai_body; print(openai_body('m', ['a text']))"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qwen_router.control_tokens import neutralise
from qwen_router.engines.assemble import estimated_tokens
from qwen_router.engines.embedding import plain_query
from qwen_router.engines.wire import Peer
from qwen_router.errors import EngineError, EngineRefused

USUAL_WINDOW = 8192
"""Ollama's window for texts that fit into it: always the same one, because another loads the model again."""
LONGEST_WINDOW = 32_768
"""Asked for where it is not known what the model was trained for; Ollama lowers it to that by itself."""
SPLIT = "split the text into pieces; nothing is cut off in silence"
_TOO_LONG = ("context length", "context size", "too large to process", "maximum model length", "reduce the length")


def ollama_windows(texts: Sequence[str], trained_tokens: int | None) -> Iterator[int]:
    """The windows to try, one after the other, while Ollama says that a text is too long."""
    most = trained_tokens or LONGEST_WINDOW
    if most > USUAL_WINDOW and max(estimated_tokens(text) for text in texts) * 1.1 + 16 <= USUAL_WINDOW:
        yield USUAL_WINDOW
    yield most


def ollama_body(model: str, texts: Sequence[str], *, window: int, keep_alive: str | float | None) -> dict[str, Any]:
    """An EmbedRequest. With `truncate` left out a long text would be cut without a word."""
    body: dict[str, Any] = {
        "model": model,
        "input": [neutralise(text) for text in texts],
        "truncate": False,
        "options": {"num_ctx": window},
    }
    if keep_alive is not None:
        body["keep_alive"] = keep_alive
    return body


def ollama_rows(found: Mapping[str, Any]) -> tuple[list[Any], int | None]:
    """The rows of an EmbedResponse, and its count of tokens."""
    rows = found.get("embeddings")
    return (rows if isinstance(rows, list) else []), _whole(found.get("prompt_eval_count"))


def openai_body(model: str, texts: Sequence[str]) -> dict[str, Any]:
    return {"model": model, "input": [neutralise(text) for text in texts], "encoding_format": "float"}


def openai_rows(found: Mapping[str, Any], count: int, peer: Peer) -> tuple[list[Any], int | None]:
    """The rows of a list of embeddings in the order of the texts. Raises `EngineNonsense`."""
    return _in_order(found, "data", "embedding", count, peer), _tokens(found)


def rerank_body(model: str, query: str, documents: Sequence[str]) -> dict[str, Any]:
    texts = [neutralise(text) for text in documents]
    return {"model": model, "query": plain_query(query), "documents": texts, "top_n": len(texts)}


def rerank_rows(found: Mapping[str, Any], count: int, peer: Peer) -> tuple[list[Any], int | None]:
    """The scores in the order of the documents. Raises `EngineNonsense`."""
    return _in_order(found, "results", "relevance_score", count, peer), _tokens(found)


def is_too_long(error: EngineError) -> bool:
    """Whether a refusal means that a text has more tokens than the window."""
    return isinstance(error, EngineRefused) and any(words in error.problem.lower() for words in _TOO_LONG)


def with_way_out(error: EngineError, peer: Peer, *, reranks: bool) -> EngineError:
    """The error with a fix that fits: a text to split, or a server that does not embed or rerank."""
    if is_too_long(error):
        return EngineRefused(error.problem, fix=SPLIT, engine=peer.engine, endpoint=peer.endpoint)
    if not any(f"HTTP {status}" in error.problem for status in (404, 405, 501)):
        return error
    how = (
        "llama.cpp's server reranks with --reranking and a reranker's GGUF, vLLM with Qwen3-Reranker (docs/embedding.md)"
        if reranks
        else "llama.cpp's server embeds with --embeddings, vLLM with an embedding model; is that the model's name?"
    )
    return EngineRefused(error.problem, fix=how, engine=peer.engine, endpoint=peer.endpoint)


def _in_order(found: Mapping[str, Any], rows: str, field: str, count: int, peer: Peer) -> list[Any]:
    listed = found.get(rows)
    if not isinstance(listed, list) or not all(isinstance(row, Mapping) for row in listed):
        raise peer.nonsense(f"no list of {rows}: {str(dict(found))[:80]}")
    by_place = {row.get("index"): row.get(field) for row in listed}
    if set(by_place) != set(range(count)):
        raise peer.nonsense(f"{rows} with the indices {sorted(map(str, by_place))[:8]} for {count} texts")
    return [by_place[place] for place in range(count)]


def _tokens(found: Mapping[str, Any]) -> int | None:
    usage = found.get("usage")
    if not isinstance(usage, Mapping):
        return None
    return _whole(usage.get("prompt_tokens", usage.get("total_tokens")))


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
