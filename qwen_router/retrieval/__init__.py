"""Reading documents and finding passages in them: `read_document`, `search`, and `FolderRetriever` for LangChain's chains.

Beside the rooms: it needs the extra `agent` and loads it late. What it reads was written by strangers and stays data.

    python -c "from pathlib import Path as P; from qwen_router.retrieval import search; print(search(P('docs'), 'licence'))"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwen_router.retrieval.documents import DocumentText, Part, read_document
from qwen_router.retrieval.finding import Found, Hit, search
from qwen_router.retrieval.index import Passage, index_file

if TYPE_CHECKING:
    from qwen_router.retrieval.folder import FolderRetriever

__all__ = ("DocumentText", "FolderRetriever", "Found", "Hit", "Part", "Passage", "index_file", "read_document", "search")


def __getattr__(name: str) -> Any:
    if name == "FolderRetriever":  # LangChain is imported when it is wanted
        from qwen_router.retrieval.folder import FolderRetriever

        return FolderRetriever
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
