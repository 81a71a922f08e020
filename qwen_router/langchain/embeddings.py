"""QwenRouterEmbeddings: LangChain's embeddings through the router, for vector stores and retrievers.

Documents go as they are, queries with their instruction. The model that made the first vector makes all that follow, so that
one instance fills and searches an index in one space; pin `model` for an index that outlives the process. Which model fits,
and how it computes, is `Router.embed`'s.

    python -c "from qwen_router.langchain import QwenRouterEmbeddings as E; print(len(E().embed_query('Who sang it?')))"
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from qwen_router.embedding import Embedded
from qwen_router.errors import MissingExtra
from qwen_router.router import Router, shared_router

try:
    from langchain_core.embeddings import Embeddings
except ModuleNotFoundError as error:
    raise MissingExtra.of("langchain-core", extra="langchain") from error


class QwenRouterEmbeddings(BaseModel, Embeddings):
    """Embeddings that the best installed embedding model makes, or the one that `model` names.

    `task` is the instruction that queries get, one sentence in English (None: that of a web search). `dimensions` keeps the
    first numbers of each vector. `router` is the one to use; without it, all of a process share one. Every vector has
    length 1. Errors are `qwen_router.errors`: nothing is cut or left out in silence.
    """

    model: str | None = None
    task: str | None = None
    dimensions: int | None = Field(default=None, ge=1)
    router: Router | None = Field(default=None, exclude=True, repr=False)

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    _used: str | None = PrivateAttr(default=None)

    @property
    def model_used(self) -> str | None:
        """What made the vectors so far; None before the first."""
        return self._used

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if not texts:
            return []
        return self._lists(self._router().embed(texts, model=self._model, dimensions=self.dimensions))

    def embed_query(self, text: str) -> list[float]:
        found = self._router().embed([text], **self._query_options())
        return self._lists(found)[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        if not texts:
            return []
        return self._lists(await self._router().aembed(texts, model=self._model, dimensions=self.dimensions))

    async def aembed_query(self, text: str) -> list[float]:
        found = await self._router().aembed([text], **self._query_options())
        return self._lists(found)[0]

    @property
    def _model(self) -> str | None:
        return self.model or self._used

    def _query_options(self) -> dict[str, Any]:
        return {"model": self._model, "purpose": "query", "task": self.task, "dimensions": self.dimensions}

    def _lists(self, found: Embedded) -> list[list[float]]:
        self._used = self._used or found.model
        vectors: list[list[float]] = found.vectors.tolist()
        return vectors

    def _router(self) -> Router:
        return self.router or shared_router()
