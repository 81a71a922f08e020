"""Settings from the environment, read in this one place.

QWEN_ROUTER_POLICY      policy used when none is named (balanced)
QWEN_ROUTER_ENDPOINTS   OpenAI-compatible servers, comma-separated: http://127.0.0.1:8000/v1
QWEN_ROUTER_API_KEY     key sent to those servers
QWEN_ROUTER_GGUF        GGUF files to run in process, separated like PATH
QWEN_ROUTER_CHECKPOINTS checkpoint folders to run with transformers, separated like PATH
QWEN_ROUTER_TIMEOUT_S   longest wait for the next piece of a reply (120)
QWEN_ROUTER_PARALLEL    requests that llama.cpp in process answers side by side (1); each has a context of its own
QWEN_ROUTER_DECISIONS   file that decisions are logged to, without prompts (decisions.jsonl in the cache folder); off: none
OLLAMA_HOST             where Ollama listens (http://127.0.0.1:11434)
OLLAMA_NUM_PARALLEL     requests that Ollama answers side by side (1): it cannot be asked, so its own variable is read

python -c "from qwen_router.settings import Settings; print(Settings.from_environment())"
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from qwen_router.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Settings:
    """Where engines are and what applies when nothing else is said. `api_key` is left out of every repr and log."""

    policy: str = "balanced"
    ollama_host: str = "http://127.0.0.1:11434"
    endpoints: tuple[str, ...] = ()
    api_key: str | None = field(default=None, repr=False)
    gguf_files: tuple[Path, ...] = ()
    checkpoints: tuple[Path, ...] = ()
    timeout_s: float = 120.0
    parallel: int = 1
    ollama_parallel: int = 1
    decision_log: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the variables above. Raises `InvalidRequest` for a timeout that is no positive number."""
        env = os.environ if environment is None else environment
        return cls(
            policy=env.get("QWEN_ROUTER_POLICY") or "balanced",
            ollama_host=_ollama_host(env.get("OLLAMA_HOST") or ""),
            endpoints=tuple(_endpoint(url) for url in env.get("QWEN_ROUTER_ENDPOINTS", "").split(",") if url.strip()),
            api_key=env.get("QWEN_ROUTER_API_KEY") or None,
            gguf_files=_paths(env.get("QWEN_ROUTER_GGUF", "")),
            checkpoints=_paths(env.get("QWEN_ROUTER_CHECKPOINTS", "")),
            timeout_s=_seconds(env.get("QWEN_ROUTER_TIMEOUT_S") or "120"),
            parallel=_count(env.get("QWEN_ROUTER_PARALLEL") or "1"),
            ollama_parallel=_ollama_parallel(env.get("OLLAMA_NUM_PARALLEL") or ""),
            decision_log=_log(env.get("QWEN_ROUTER_DECISIONS") or ""),
        )


def _log(text: str) -> Path | None:
    if text.strip().lower() in ("off", "none", "0", "false"):
        return None
    from qwen_router.folders import user_cache_folder

    return Path(text).expanduser() if text.strip() else user_cache_folder() / "decisions.jsonl"


def _endpoint(text: str) -> str:
    url = text.strip().rstrip("/")
    if not url.startswith(("http://", "https://")) or not urlsplit(url).hostname:
        raise InvalidRequest(f"QWEN_ROUTER_ENDPOINTS holds {text.strip()!r}", fix="URLs such as http://127.0.0.1:8000/v1")
    return url


def _paths(text: str) -> tuple[Path, ...]:
    return tuple(Path(part).expanduser() for part in text.split(os.pathsep) if part)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise InvalidRequest(f"QWEN_ROUTER_TIMEOUT_S is {text!r}", fix="set it to a number of seconds above 0")
    return seconds


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise InvalidRequest(f"QWEN_ROUTER_PARALLEL is {text!r}", fix="set it to a whole number above 0")
    return int(text)


def _ollama_parallel(text: str) -> int:
    """Ollama's own variable: what is no count there (0, nothing) leaves the choice to Ollama, which then takes one."""
    return max(1, int(text)) if text.isascii() and text.isdigit() else 1


def _ollama_host(text: str) -> str:
    """Ollama takes a bare host, host:port or a URL; 0.0.0.0 means that the server listens everywhere, not where to call."""
    if not text:
        return "http://127.0.0.1:11434"
    url = text if "://" in text else f"http://{text}"
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if host.startswith("0.0.0.0"):
        host = "127.0.0.1" + host.removeprefix("0.0.0.0")
    if ":" not in host.rpartition("]")[2]:
        host += ":443" if scheme == "https" else ":80" if scheme == "http" and "://" in text else ":11434"
    return f"{scheme}://{host}{slash}{path}".rstrip("/")
