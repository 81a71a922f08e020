"""Which engines this installation and its settings offer; each is made cheaply and connects only when it is used.

python -c "from qwen_router.engines.configured import configured_engines; print([e.name for e in configured_engines()])"
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from qwen_router.engines.base import Engine
from qwen_router.errors import InvalidRequest, MissingExtra, RouterError, UnknownName
from qwen_router.settings import Settings

EXTRA_PACKAGES = {"llamacpp": ("xllamacpp",), "transformers": ("torch", "transformers"), "onnx": ("onnxruntime_genai",)}
"""What each in-process engine imports; the extra has the engine's name."""


def configured_engines(settings: Settings | None = None) -> tuple[Engine, ...]:
    """Ollama, every OpenAI-compatible endpoint of the settings, a running Foundry Local, and the in-process engines that are
    installed, with the files that the settings name and those that `pull` has put into the models folder.

    The order is the order of preference between equals: servers that keep models resident come before in-process engines.
    """
    settings = settings or Settings.from_environment()
    engines: list[Engine] = []
    from qwen_router.engines.foundry import service_address
    from qwen_router.engines.models_folder import pulled_checkpoints, pulled_ggufs, pulled_onnx
    from qwen_router.engines.ollama import OllamaEngine
    from qwen_router.engines.openai import OpenAIEngine

    engines.append(OllamaEngine(settings.ollama_host))
    engines += [OpenAIEngine(at.url, api_key=at.api_key, models=at.models) for at in settings.endpoints]
    foundry = service_address()
    if foundry is not None and all(at.url.removesuffix("/v1") != foundry for at in settings.endpoints):
        engines.append(OpenAIEngine(foundry))
    if _has("llamacpp"):
        from qwen_router.engines.llamacpp import LlamaCppEngine

        files = (*settings.gguf_files, *pulled_ggufs(settings.models_folder))
        engines.append(LlamaCppEngine(files, parallel=settings.parallel))
    if _has("transformers"):
        from qwen_router.engines.torch_load import LoadOptions
        from qwen_router.engines.transformers import TransformersEngine

        folders = (*settings.checkpoints, *pulled_checkpoints(settings.models_folder))
        options = LoadOptions(quantise=settings.quantise, trusted=settings.trusted_checkpoints)
        engines.append(TransformersEngine(folders, options=options))
    onnx_folders = (*settings.onnx_folders, *pulled_onnx(settings.models_folder))
    if onnx_folders and _has("onnx"):  # it has no model of its own to offer
        from qwen_router.engines.onnx import OnnxEngine

        engines.append(OnnxEngine(onnx_folders))
    return tuple(engines)


def not_offered(name: str, offered: Sequence[str]) -> RouterError:
    """Why an engine is not among those of `configured_engines`, and what would bring it."""
    missing = next((package for package in EXTRA_PACKAGES.get(name, ()) if find_spec(package) is None), None)
    if missing is not None:
        return MissingExtra.of(missing, extra=name)
    if name == "onnx":
        return InvalidRequest(
            "the engine 'onnx' has no folder to run", fix="set QWEN_ROUTER_ONNX to one with genai_config.json"
        )
    if name == "openai":
        return InvalidRequest("the engine 'openai' has no server to call", fix="set QWEN_ROUTER_ENDPOINTS to its URL")
    return UnknownName.among(name, offered, kind="engine")


def _has(engine: str) -> bool:
    return all(find_spec(package) is not None for package in EXTRA_PACKAGES[engine])
