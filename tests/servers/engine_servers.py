"""Real engines behind HTTP, on the demonstration model: llama.cpp's own server, and `transformers serve`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

START_TIMEOUT_S = 120.0


@contextmanager
def llama_cpp_server(gguf: Path | None = None, use: Literal["chat", "embedding", "reranker"] = "chat") -> Iterator[str]:
    """Yields its address; `use` is what the flags --embeddings and --reranking set."""
    import xllamacpp

    from qwen_router.demo import demo_gguf

    params = xllamacpp.CommonParams()
    params.model.path = str(gguf or demo_gguf())
    params.embedding = use != "chat"
    if use == "reranker":
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
    params.n_ctx, params.n_parallel, params.port = 1024, 1, 0
    params.fit_params = params.warmup = params.ui = False
    params.use_jinja, params.offline, params.verbosity, params.cache_ram_mib = True, True, -1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1  # two wait for each other on a busy machine
    server = xllamacpp.Server(params)
    yield server.listening_address
    del server


@contextmanager
def transformers_server(home: Path) -> Iterator[str]:
    """Yields its address; the hub's cache, which has to exist, is made under `home`."""
    import httpx

    (home / "hub").mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [str(Path(sys.executable).parent / "transformers"), "serve", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "log").open("w") as log, subprocess.Popen(command, env=env, stdout=log, stderr=log) as process:
        try:
            address, until = f"http://127.0.0.1:{port}", time.monotonic() + START_TIMEOUT_S
            while True:
                try:
                    if httpx.get(f"{address}/health", timeout=5).status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                assert process.poll() is None and time.monotonic() < until, (home / "log").read_text()[-2000:]
                time.sleep(0.1)
            yield address
        finally:
            process.kill()
