"""The routing service: OpenAI's and Ollama's chat APIs and our own, in front of every engine of a `Router`.

`app.py` joins the endpoints, `turn.py` walks one reply, `openai_wire.py` and `ollama_wire.py` write it in each API's words,
`run.py` listens. Deciding and running models is the router's work. Needs the extra `service`.

    qwen-router serve --port 8000
"""

from __future__ import annotations

from qwen_router.service.app import create_app
from qwen_router.service.run import serve

__all__ = ["create_app", "serve"]
