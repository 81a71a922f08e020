"""Texts to vectors, and documents in order of a query: `Router.embed`, `Router.rerank` and their async twins.

What people give is checked here, queries get their instruction, vectors are shortened. Which model does it is `choose.py`'s,
how it computes the engines' (`engines/embedding.py`).

    python -c "from qwen_router import Router; print(Router().embed(['Paris is a city.']).model)"
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from qwen_router.control_tokens import REWRITING, control_tokens_in
from qwen_router.embedding.choose import Chosen, Serving, choose
from qwen_router.engines.embedding import Embedder, Floats, query_text
from qwen_router.errors import EngineBusy, EngineError, InvalidRequest, UnknownName

T = TypeVar("T")
Purpose = Literal["document", "query"]


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """`vectors` is (n, d) in float32, each row of length 1, in the order of the texts; (0, 0) for no texts.

    `model` is the catalog's id of the model, or the engine's name for one that it does not know; either may be given as
    `model` to get vectors of the same space. `prompt_tokens` is None where the engine does not count.
    """

    vectors: Floats
    model: str
    engine: str
    prompt_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Reranked:
    """`scores` are P(the document meets the query), from 0 to 1, in the order of the documents."""

    scores: tuple[float, ...]
    model: str
    engine: str
    prompt_tokens: int | None = None

    @property
    def order(self) -> tuple[int, ...]:
        """Places of the documents, the best first; equals in the order that they came in."""
        return tuple(sorted(range(len(self.scores)), key=lambda i: (-self.scores[i], i)))


class Searching:
    """What a router does for search; mixed into `Router`."""

    def embed(
        self: Serving,
        texts: Iterable[str],
        *,
        model: str | None = None,
        purpose: Purpose = "document",
        task: str | None = None,
        dimensions: int | None = None,
    ) -> Embedded:
        """Texts to unit vectors. Queries (`purpose="query"`) get an instruction: `task`, or that of a web search.

        Without `model` the best scored one that is installed and fits; pin it (`Embedded.model`) for an index that lasts.
        `dimensions` keeps the first numbers of each vector. Raises `InvalidRequest`, `UnknownName`, `NoModelFits`, or an
        `EngineError`: a text longer than the model reads is refused, never cut.
        """
        return _embed(self, texts, model=model, purpose=purpose, task=task, dimensions=dimensions)

    def rerank(
        self: Serving, query: str, documents: Iterable[str], *, model: str | None = None, task: str | None = None
    ) -> Reranked:
        """How well each document answers the query, 0 to 1, in their order; `Reranked.order` has the best first.

        Raises what `embed` raises.
        """
        return _rerank(self, query, documents, model=model, task=task)

    async def aembed(
        self: Serving,
        texts: Iterable[str],
        *,
        model: str | None = None,
        purpose: Purpose = "document",
        task: str | None = None,
        dimensions: int | None = None,
    ) -> Embedded:
        """`embed` in a thread: engines compute, or wait for a server, without holding up the event loop."""
        return await asyncio.to_thread(_embed, self, texts, model=model, purpose=purpose, task=task, dimensions=dimensions)

    async def arerank(
        self: Serving, query: str, documents: Iterable[str], *, model: str | None = None, task: str | None = None
    ) -> Reranked:
        """`rerank` in a thread."""
        return await asyncio.to_thread(_rerank, self, query, documents, model=model, task=task)


def _embed(
    router: Serving,
    texts: Iterable[str],
    *,
    model: str | None = None,
    purpose: Purpose = "document",
    task: str | None = None,
    dimensions: int | None = None,
) -> Embedded:
    listed = _listed(texts, "text")
    if purpose not in ("document", "query"):
        raise UnknownName.among(str(purpose), ("document", "query"), kind="purpose")
    if task is not None and purpose == "document":
        raise InvalidRequest(
            "a task goes with a query; documents are embedded without an instruction", fix='purpose="query", or no task'
        )
    _check_task(task)
    if dimensions is not None and (not isinstance(dimensions, int) or dimensions < 1):
        raise InvalidRequest(f"dimensions is {dimensions!r}", fix="at least 1, such as 256, or None for all")
    chosen = choose(router, "embedding", model, prefer=_leaves_alone(router, listed))
    if not listed:
        return Embedded(np.zeros((0, 0), dtype=np.float32), chosen.name, chosen.build.engine, 0)
    _check_rewriting(router, chosen, listed)
    asked = [query_text(text, task) for text in listed] if purpose == "query" else listed
    timeout_s = router.settings.timeout_s
    found = _again(lambda: chosen.engine.embed(chosen.build.name, asked, timeout_s=timeout_s))
    return Embedded(_shortened(found.values, dimensions, chosen.name), chosen.name, chosen.build.engine, found.prompt_tokens)


def _rerank(
    router: Serving, query: str, documents: Iterable[str], *, model: str | None = None, task: str | None = None
) -> Reranked:
    _listed([query], "query")
    listed = _listed(documents, "document", may_be_empty=True)
    _check_task(task)
    leaves_alone = _leaves_alone(router, [query, *listed])
    prefer = lambda engine: leaves_alone(engine) and (task is None or engine.takes_task)  # noqa: E731
    chosen = choose(router, "reranker", model, prefer=prefer)
    if not listed:
        return Reranked((), chosen.name, chosen.build.engine, 0)
    _check_rewriting(router, chosen, [query, *listed])
    timeout_s = router.settings.timeout_s
    found = _again(lambda: chosen.engine.rerank(chosen.build.name, query, listed, task=task, timeout_s=timeout_s))
    return Reranked(found.values, chosen.name, chosen.build.engine, found.prompt_tokens)


def _listed(texts: Iterable[str], what: str, *, may_be_empty: bool = False) -> list[str]:
    """The texts. Raises `InvalidRequest` for what is none, an empty text, and half a character."""
    if isinstance(texts, str | bytes | Mapping) or not isinstance(texts, Iterable):
        raise InvalidRequest(
            f"{what}s are {type(texts).__name__}, not a list of texts", fix="give a list of str, of one too"
        )
    listed = list(texts)
    for number, text in enumerate(listed, 1):
        which = what if what == "query" else f"{what} {number} of {len(listed)}"
        if not isinstance(text, str):
            raise InvalidRequest(f"{which} is {type(text).__name__}, not a text", fix="give each as a str")
        if not may_be_empty and not text.strip():
            raise InvalidRequest(f"{which} is empty", fix="leave empty texts out: they mean nothing")
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            raise InvalidRequest(f"{which} holds half a character (an unpaired surrogate)", fix="decode its bytes as UTF-8")
    return listed


def _check_task(task: str | None) -> None:
    if task is not None and (not isinstance(task, str) or not task.strip()):
        raise InvalidRequest(f"the task is {task!r}", fix="one sentence that says what is looked for, or None")


def _leaves_alone(router: Serving, texts: Sequence[str]) -> Callable[[Embedder], bool]:
    """Which engines need not rewrite these texts, where the policy forbids it; every engine elsewhere."""
    if router.policy.privacy.control_tokens != "refuse" or not any(control_tokens_in(text) for text in texts):
        return lambda _: True
    return lambda engine: engine.name not in REWRITING


def _check_rewriting(router: Serving, chosen: Chosen, texts: Sequence[str]) -> None:
    if router.policy.privacy.control_tokens != "refuse" or chosen.build.engine not in REWRITING:
        return
    number = next((i for i, text in enumerate(texts, 1) if control_tokens_in(text)), None)
    if number is not None:
        raise InvalidRequest(
            f"text {number} of {len(texts)} holds control tokens, which the policy allows no engine to rewrite",
            fix="use an embedding model in transformers, or take the tokens out",
        )


def _again(ask: Callable[[], T]) -> T:
    """Asked twice where the connection broke before an answer came."""
    try:
        return ask()
    except EngineError as error:
        if not error.again or isinstance(error, EngineBusy):
            raise
    return ask()


def _shortened(vectors: Floats, dimensions: int | None, model: str) -> Floats:
    """The first numbers of each vector, at length 1 again: Qwen3-Embedding is trained for it (Matryoshka)."""
    if dimensions is None or dimensions == vectors.shape[1]:
        return vectors
    if dimensions > vectors.shape[1]:
        raise InvalidRequest(
            f"{model!r} gives {vectors.shape[1]} dimensions, not {dimensions}", fix=f"dimensions={vectors.shape[1]} or less"
        )
    cut = vectors[:, :dimensions]
    shortened: Floats = cut / np.maximum(np.linalg.norm(cut, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return shortened
