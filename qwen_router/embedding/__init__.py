"""Search: texts to vectors, and documents in order of a query."""

from qwen_router.embedding.search import Embedded, Purpose, Reranked, Searching

__all__ = ["Embedded", "Purpose", "Reranked", "Searching"]
