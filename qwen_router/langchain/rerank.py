"""QwenRouterReranker: puts documents that a retriever found into the order in which they answer the query.

A LangChain document compressor: for `ContextualCompressionRetriever`, or by itself. Each document gets
`relevance_score` (0 to 1) in its metadata. Which model rates is `Router.rerank`'s business.

    python -c "from qwen_router.langchain import QwenRouterReranker; print(QwenRouterReranker(top_n=3))"
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ConfigDict, Field

from qwen_router.embedding import Reranked
from qwen_router.errors import MissingExtra
from qwen_router.router import Router, shared_router

try:
    from langchain_core.callbacks import Callbacks
    from langchain_core.documents import BaseDocumentCompressor, Document
except ModuleNotFoundError as error:
    raise MissingExtra.of("langchain-core", extra="langchain") from error

SCORE = "relevance_score"


class QwenRouterReranker(BaseDocumentCompressor):
    """Documents by relevance, the best first; equals in the order that they came in.

    `model` names a reranker (None: the best installed one), `task` is its instruction where the engine takes one. `top_n`
    keeps so many, `min_score` drops those below (both None: all stay). The documents that came in are not changed.
    """

    model: str | None = None
    task: str | None = None
    top_n: int | None = Field(default=None, ge=1)
    min_score: float | None = Field(default=None, ge=0, le=1)
    router: Router | None = Field(default=None, exclude=True, repr=False)

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        if not documents:
            return []
        texts = [document.page_content for document in documents]
        return self._ordered(documents, self._router().rerank(query, texts, model=self.model, task=self.task))

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        if not documents:
            return []
        texts = [document.page_content for document in documents]
        return self._ordered(documents, await self._router().arerank(query, texts, model=self.model, task=self.task))

    def _ordered(self, documents: Sequence[Document], rated: Reranked) -> list[Document]:
        least = 0.0 if self.min_score is None else self.min_score
        kept = [place for place in rated.order if rated.scores[place] >= least][: self.top_n]
        return [
            documents[place].model_copy(update={"metadata": {**documents[place].metadata, SCORE: rated.scores[place]}})
            for place in kept
        ]

    def _router(self) -> Router:
        return self.router or shared_router()
