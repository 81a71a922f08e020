"""Opens a GGUF file with llama.cpp: the parameters that every use of it shares, and a refusal before memory runs out.

What a server that was opened is asked is `llamacpp.py`'s (chat) and `llamacpp_embed.py`'s (search).

    python -c "from qwen_router.engines.llamacpp_load import plain_params; print(plain_params.__doc__)"
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qwen_router.engines.gguf_file import GgufInfo
from qwen_router.engines.residence import threads_for, usable_cores
from qwen_router.errors import EngineRefused, MissingExtra


def plain_params(info: GgufInfo, *, threads: int | None, verbose: bool) -> Any:
    """llama.cpp's parameters with nothing left to its own devices: no window shrunk, no page, no download, no chatter.

    `threads` None: as many as the size of the model is worth. Raises `MissingExtra`.
    """
    try:
        import xllamacpp
    except ImportError as error:
        raise MissingExtra.of("xllamacpp", extra="llamacpp") from error
    params = xllamacpp.CommonParams()
    params.model.path = str(info.path)
    params.fit_params = False  # it would shrink the context without saying so
    params.warmup = False
    params.ui = False
    params.offline = True
    params.verbosity = 1 if verbose else -1
    count = threads or threads_for(info.file_mib, cores=usable_cores())
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = count
    return params


def opened(params: Any, info: GgufInfo, what: str, *, needed_mib: float) -> Any:
    """The server; `what` names the file and its window. Raises `EngineRefused` when llama.cpp cannot load it."""
    import xllamacpp

    try:
        return xllamacpp.Server(params)
    except (RuntimeError, MemoryError) as error:
        raise EngineRefused(
            f"llama.cpp could not load {what} (architecture {info.architecture!r}, {needed_mib:,.0f} MiB): {error}",
            fix="try a shorter context; if it stays, this llama.cpp may not know the architecture: update xllamacpp",
            engine="llamacpp",
            endpoint="in process",
        ) from error


def refuse_if_too_big(what: str, needed_mib: float, *, slots: int = 1) -> None:
    """llama.cpp would swap, or be killed; there is no exception to catch then."""
    import psutil

    available_mib = psutil.virtual_memory().available / 1024**2
    if needed_mib > available_mib and not _has_accelerator():
        side_by_side, fewer = (f" in each of {slots} slots", "answer fewer at once, ") if slots > 1 else ("", "")
        raise EngineRefused(
            f"{what}{side_by_side} needs about {needed_mib:,.0f} MiB, and {available_mib:,.0f} MiB are free",
            fix=f"{fewer}use a smaller model or quantisation, or a shorter context",
            engine="llamacpp",
            endpoint="in process",
        )


def window(path: Path, context_tokens: int) -> str:
    """A file with a context window, for people."""
    return f"{path.name} with {context_tokens} tokens of context"


def _has_accelerator() -> bool:
    try:
        import xllamacpp
    except ImportError:
        return False
    cpu = xllamacpp.ggml_backend_dev_type.GGML_BACKEND_DEVICE_TYPE_CPU
    return any(device["type"] != cpu for device in xllamacpp.get_device_info())
