"""LangChain's door: a chat model that is a router, and what agents and chains need beside it.

python -c "from qwen_router.langchain import ChatQwenRouter; print(ChatQwenRouter().invoke('What is 12 + 30?').text)"
"""

from qwen_router.langchain.chat import ChatQwenRouter
from qwen_router.langchain.embeddings import QwenRouterEmbeddings
from qwen_router.langchain.rerank import QwenRouterReranker
from qwen_router.langchain.runnable import RouterRunnable

__all__ = ["ChatQwenRouter", "QwenRouterEmbeddings", "QwenRouterReranker", "RouterRunnable"]
