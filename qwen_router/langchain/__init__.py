"""LangChain's door: a chat model that is a router, and what agents and chains need beside it.

python -c "from qwen_router.langchain import ChatQwenRouter; print(ChatQwenRouter().invoke('What is 12 + 30?').text)"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwen_router.langchain.chat import ChatQwenRouter
from qwen_router.langchain.embeddings import QwenRouterEmbeddings
from qwen_router.langchain.rerank import QwenRouterReranker
from qwen_router.langchain.runnable import RouterRunnable

if TYPE_CHECKING:
    from qwen_router.langchain.middleware import RouterMiddleware

__all__ = ["ChatQwenRouter", "QwenRouterEmbeddings", "QwenRouterReranker", "RouterMiddleware", "RouterRunnable"]


def __getattr__(name: str) -> Any:
    """`RouterMiddleware` when it is first asked for: it needs `langchain` and LangGraph, which a chat model does not."""
    if name != "RouterMiddleware":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from qwen_router.langchain.middleware import RouterMiddleware

    return RouterMiddleware
