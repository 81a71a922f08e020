"""`FolderRetriever`: the search of `finding.py` as a LangChain retriever, for chains of one's own.

python -c "from qwen_router.retrieval import FolderRetriever; print(FolderRetriever(root='docs').invoke('licence'))"
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field

from qwen_router.retrieval.finding import Found, search


class FolderRetriever(BaseRetriever):
    """Finds passages in the documents below `root`, or below `path` in it.

    `router` embeds and reranks (None: the one that this process shares); with `words_only` no model is asked. Documents
    have `source`, `page` or `line`, `score` and `untrusted` (always True) in their metadata. Raises as `search` does.
    """

    root: Path = Field(description="The folder; nothing outside it is read.")
    path: str = Field(default=".", description="A file or a folder below the root.")
    k: int = Field(default=6, gt=0, description="How many passages come back at most.")
    words_only: bool = Field(default=False, description="Search by words, without any model.")
    router: Any = Field(default=None, exclude=True, repr=False)

    def found(self, query: str) -> Found:
        """What `invoke` gives, with how it was found and what could not be done."""
        return search(self.root, query, self.path, router=None if self.words_only else self._routing(), most=self.k)

    def _routing(self) -> Any:
        from qwen_router.router import shared_router

        return self.router or shared_router()

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        documents = []
        for hit in self.found(query).hits:
            place = {"page": hit.passage.page, "line": hit.passage.line}
            known = {key: value for key, value in place.items() if value is not None}
            metadata = {"source": hit.passage.path, **known, "score": hit.score, "untrusted": True}
            documents.append(Document(hit.passage.text, metadata=metadata))
        return documents

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        return await asyncio.to_thread(self._get_relevant_documents, query, run_manager=run_manager.get_sync())
