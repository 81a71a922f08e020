"""`serve`: the routing service.

qwen-router serve --port 8000
"""

from __future__ import annotations

from typing import Annotated

import typer

from qwen_router.cli.common import PolicyOption, router_from
from qwen_router.errors import MissingExtra


def add_to(app: typer.Typer) -> None:
    app.command("serve")(serve)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; another than loopback needs --api-key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    api_key: Annotated[
        str | None, typer.Option(envvar="QWEN_ROUTER_SERVE_KEY", help="Key that callers must send.", show_envvar=True)
    ] = None,
    policy: PolicyOption = None,
    engine: Annotated[
        str | None, typer.Option(help="Use only this engine: ollama, openai, llamacpp, transformers, onnx.")
    ] = None,
) -> None:
    """Serve the OpenAI and Ollama APIs; the model name `auto` routes, `auto:fast` names a policy."""
    try:
        from qwen_router.service import serve as run
    except ModuleNotFoundError as error:
        raise MissingExtra.of(error.name or "starlette", extra="service") from error
    run(router_from(policy=policy, engine=engine), host=host, port=port, api_key=api_key)
