"""What an engine that embeds and reranks is, and the forms in which Qwen3-Embedding and Qwen3-Reranker want their texts.

`Embedder` stands beside `base.Engine`: not every engine is one, and no model is both. An embedder gets texts as they are to
be read (the instruction of a query is put before it by `embedding.py` of the package) and gives unit vectors, or
probabilities in the order of the documents. Which model is asked is not decided here.

The forms are the model cards' (QwenLM/Qwen3-Embedding, README.md).

    python -c "from qwen_router.engines.embedding import query_text; print(query_text('Who sang it?'))"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from qwen_router.control_tokens import JOINER, neutralise
from qwen_router.errors import EngineNonsense, EngineRefused
from qwen_router.hardware.machine import EngineName

Floats = npt.NDArray[np.float32]

DEFAULT_TASK = "Given a web search query, retrieve relevant passages that answer the query"
"""The cards' own; they advise one's own task, in English, for 1 to 5 % better results."""
RERANK_PREFIX = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
)
RERANK_SUFFIX = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
TEXTS_PER_REQUEST = 32
"""What a server is sent at once: 32 vectors of 4,096 numbers are 3 MiB of JSON, in one line (`wire.MAX_LINE_BYTES`)."""

TOKENS_PER_REQUEST = 16_384
"""A server has the router's timeout for each request, so none may ask for hours of work."""
Ask = Callable[[list[str]], tuple[list[Any], int | None]]


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """`values` is (n, d), each row of length 1; `prompt_tokens` is what the engine counted, None where it does not."""

    values: Floats
    prompt_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """P(the document meets the query), in the order of the documents."""

    values: tuple[float, ...]
    prompt_tokens: int | None = None


@runtime_checkable
class Embedder(Protocol):
    """An engine that turns texts into vectors, and rates documents.

    `model` is the name that the engine itself uses; `takes_task`: whether `rerank` takes an instruction, and does not raise
    `EngineRefused` because it is built into the server. Both raise `EngineError` and its kin (or `MissingExtra`): a text
    longer than the model reads is refused, never cut; what comes back is checked. Safe to call from several threads.
    """

    name: EngineName
    endpoint: str
    takes_task: bool

    def embed(self, model: str, texts: Sequence[str], *, timeout_s: float) -> Vectors: ...

    def rerank(
        self, model: str, query: str, documents: Sequence[str], *, task: str | None = None, timeout_s: float
    ) -> Scores: ...


def query_text(query: str, task: str | None = None) -> str:
    """A query with its instruction, as Qwen3-Embedding reads it; documents go without."""
    return f"Instruct: {task or DEFAULT_TASK}\nQuery:{query}"


def rerank_text(query: str, document: str, task: str | None = None) -> str:
    """The user's turn of Qwen3-Reranker, between `RERANK_PREFIX` and `RERANK_SUFFIX`."""
    return f"<Instruct>: {task or DEFAULT_TASK}\n<Query>: {query}\n<Document>: {document}"


def built_in_task(task: str | None, *, engine: str, endpoint: str) -> None:
    """Raise `EngineRefused` for an instruction that a server's own template leaves no room for."""
    if task is not None and task != DEFAULT_TASK:
        raise EngineRefused(
            f"{engine} at {endpoint} reranks with the instruction in its own template, so it cannot be told {task[:60]!r}",
            fix="leave `task` out, or run the reranker's checkpoint in transformers",
            engine=engine,
            endpoint=endpoint,
        )


def unit_vectors(rows: Any, count: int, *, who: str, engine: str, endpoint: str) -> Floats:
    """Rows as an array (count, d) of unit vectors. Raises `EngineNonsense` for another shape, for what is no number, and for
    a vector of zeros."""

    def nonsense(why: str) -> EngineNonsense:
        fix = "try another build of the model, or another engine"
        return EngineNonsense(f"{who} gave {why}", fix=fix, engine=engine, endpoint=endpoint)

    try:
        values = np.asarray(rows, dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise nonsense("vectors that are no list of numbers, or not of one length") from error
    if values.ndim != 2 or len(values) != count or not values.shape[1]:
        raise nonsense(f"an array of the shape {values.shape} for {count} texts")
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        raise nonsense(f"NaN or infinity in the vector of text {int(np.argmin(finite)) + 1} of {count}")
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    if not lengths.all():
        raise nonsense(f"a vector of zeros for text {int(np.argmin(lengths)) + 1} of {count}")
    unit: Floats = values / lengths
    return unit


def probabilities(values: Sequence[Any], count: int, *, who: str, engine: str, endpoint: str) -> tuple[float, ...]:
    """Scores as floats between 0 and 1. Raises `EngineNonsense` for a missing one, and for one that is no probability."""
    numbers = [value if isinstance(value, int | float) and not isinstance(value, bool) else float("nan") for value in values]
    if len(numbers) != count or not all(0 <= number <= 1.000001 for number in numbers):
        odd = next((str(v)[:40] for v, n in zip(values, numbers, strict=True) if not 0 <= n <= 1.000001), "")
        raise EngineNonsense(
            f"{who} gave {len(numbers)} scores for {count} documents" + (f", one of them {odd}" if odd else ""),
            fix="serve a Qwen3-Reranker with its own template, converted with its two-word head (docs/embedding.md)",
            engine=engine,
            endpoint=endpoint,
        )
    return tuple(min(1.0, float(number)) for number in numbers)


def in_parts(texts: Sequence[str], ask: Ask) -> tuple[list[Any], int | None]:
    """What `ask` gives for each text, some at a time, and the tokens that it counted, None when it did not."""
    rows: list[Any] = []
    tokens: int | None = 0
    for part in parts(texts):
        some, count = ask(part)
        rows += some
        tokens = None if tokens is None or count is None else tokens + count
    return rows, tokens


def parts(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in their order, in lists of bounded length and (estimated) tokens; a longer text stands alone."""
    from qwen_router.profile.tokens import estimate_tokens

    part: list[str] = []
    held = 0
    for text in texts:
        tokens = estimate_tokens(text)
        if part and (len(part) >= TEXTS_PER_REQUEST or held + tokens > TOKENS_PER_REQUEST):
            yield part
            part, held = [], 0
        part.append(text)
        held += tokens
    if part:
        yield part


def batches(lengths: Sequence[int], *, max_tokens: int, max_rows: int) -> Iterator[list[int]]:
    """Places in `lengths`, the longest first, in groups of a padded size within `max_tokens`; a longer text stands alone."""
    group: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if group and (len(group) >= max_rows or (len(group) + 1) * lengths[group[0]] > max_tokens):
            yield group
            group = []
        group.append(place)
    if group:
        yield group


def plain_query(query: str) -> str:
    """A query for llama.cpp, which fills its template by search and replace: `{document}` in a query would become one."""
    return neutralise(query).replace("{document}", "{" + JOINER + "document}")


def too_long(
    model: str, place: int, count: int, tokens: int | None, limit: int, *, engine: str, endpoint: str
) -> EngineRefused:
    """The refusal of a text that the model cannot read whole."""
    has = f"has {tokens:,} tokens" if tokens is not None else "is too long"
    return EngineRefused(
        f"text {place + 1} of {count} {has}, and {model!r} reads {limit:,}",
        fix="split it into pieces; nothing is cut off in silence",
        engine=engine,
        endpoint=endpoint,
    )
