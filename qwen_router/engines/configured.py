"""Which engines this installation and its settings offer; each is made cheaply and connects only when it is used.

python -c "from qwen_router.engines.configured import configured_engines; print([e.name for e in configured_engines()])"
"""

from __future__ import annotations

from importlib.util import find_spec

from qwen_router.engines.base import Engine
from qwen_router.settings import Settings


def configured_engines(settings: Settings | None = None) -> tuple[Engine, ...]:
    """Ollama, every OpenAI-compatible endpoint of the settings, a running Foundry Local, and the in-process engines that are
    installed, with the files that the settings name and those that `pull` has put into the models folder.

    The order is the order of preference between equals: servers that keep models resident come before in-process engines.
    """
    settings = settings or Settings.from_environment()
    engines: list[Engine] = []
    from qwen_router.engines.foundry import service_address
    from qwen_router.engines.models_folder import pulled_checkpoints, pulled_ggufs
    from qwen_router.engines.ollama import OllamaEngine
    from qwen_router.engines.openai import OpenAIEngine

    engines.append(OllamaEngine(settings.ollama_host))
    engines += [OpenAIEngine(at.url, api_key=at.api_key, models=at.models) for at in settings.endpoints]
    foundry = service_address()
    if foundry is not None and all(at.url.removesuffix("/v1") != foundry for at in settings.endpoints):
        engines.append(OpenAIEngine(foundry))
    if find_spec("xllamacpp") is not None:
        from qwen_router.engines.llamacpp import LlamaCppEngine

        engines.append(LlamaCppEngine((*settings.gguf_files, *pulled_ggufs(settings.models_folder))))
    if find_spec("torch") is not None and find_spec("transformers") is not None:
        from qwen_router.engines.transformers import TransformersEngine

        engines.append(TransformersEngine((*settings.checkpoints, *pulled_checkpoints(settings.models_folder))))
    return tuple(engines)
