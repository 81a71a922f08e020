"""Settings from the environment, read in this one place.

QWEN_ROUTER_POLICY      policy used when none is named (balanced)
QWEN_ROUTER_ENDPOINTS   OpenAI-compatible servers, comma-separated: http://127.0.0.1:8000/v1. Behind a # may stand the
                        variable that holds the server's own key, and models that it serves without listing them:
                        https://me.openai.azure.com/openai/v1#key=AZURE_KEY&model=qwen3-32b
QWEN_ROUTER_API_KEY     key sent to those servers that have none of their own
QWEN_ROUTER_GGUF        GGUF files to run in process, separated like PATH
QWEN_ROUTER_CHECKPOINTS checkpoint folders to run with transformers, separated like PATH
QWEN_ROUTER_ONNX        folders built for onnxruntime-genai to run in process, separated like PATH
QWEN_ROUTER_QUANTISE    int8, nf4 or nf4-dq: how those checkpoints are quantised while they load (not at all)
QWEN_ROUTER_TRUST_REMOTE_CODE checkpoints, by folder name or path, whose own Python code may run, separated like PATH (none)
QWEN_ROUTER_MODELS      folder that `pull` fills and the three look into (models in the user's data folder)
QWEN_ROUTER_TIMEOUT_S   longest wait for the next piece of a reply (120)
QWEN_ROUTER_PARALLEL    requests that llama.cpp in process answers side by side (1); each has a context of its own
QWEN_ROUTER_CONNECT_S   longest wait for a connection (5)
QWEN_ROUTER_FIRST_S     longest wait for the first piece (as QWEN_ROUTER_TIMEOUT_S)
QWEN_ROUTER_DEADLINE_S  longest time for a whole reply, all attempts included (3600)
QWEN_ROUTER_RETRIES     how often a request asks an endpoint again that could not take it (2)
QWEN_ROUTER_IN_FLIGHT   how many requests run at one endpoint at the same time (64)
QWEN_ROUTER_QUEUE       how many more may wait for it before one is turned away (256)
QWEN_ROUTER_DECISIONS   file that decisions are logged to, without prompts (decisions.jsonl in the cache folder); off: none
QWEN_ROUTER_TOOLS_ROOT  folder that file tools see, and nothing outside it (the working folder)
QWEN_ROUTER_WEB_HOSTS   hosts that the web tool may fetch from, comma-separated; .example.org: all below it (none: it is off)
QWEN_ROUTER_DATABASES   databases for the SQL tools, comma-separated: shop=sqlite:///shop.db,stock=postgresql://... (none)
OLLAMA_HOST             where Ollama listens (http://127.0.0.1:11434)
OLLAMA_NUM_PARALLEL     requests that Ollama answers side by side (1): it cannot be asked, so its own variable is read
OLLAMA_MODELS           where Ollama keeps its models, when `pull` asks how much room is left there

Hubs (`HubSettings`), by the names that their own clients use: HF_ENDPOINT, HF_TOKEN (or the file of HF_TOKEN_PATH, or
`token` in HF_HOME), HF_HUB_OFFLINE, MODELSCOPE_ENDPOINT, MODELSCOPE_API_TOKEN.

python -c "from qwen_router.settings import Settings; print(Settings.from_environment())"
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from qwen_router.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible server. `models` are served without being listed. The key is left out of every repr and log."""

    url: str
    api_key: str | None = field(default=None, repr=False)
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """Where engines are and what applies when nothing else is said. Keys are left out of every repr and log."""

    policy: str = "balanced"
    ollama_host: str = "http://127.0.0.1:11434"
    endpoints: tuple[Endpoint, ...] = ()
    api_key: str | None = field(default=None, repr=False)
    gguf_files: tuple[Path, ...] = ()
    checkpoints: tuple[Path, ...] = ()
    onnx_folders: tuple[Path, ...] = ()
    quantise: str | None = None
    trusted_checkpoints: frozenset[str] = frozenset()
    timeout_s: float = 120.0
    parallel: int = 1
    ollama_parallel: int = 1
    connect_s: float = 5.0
    first_s: float | None = None
    deadline_s: float = 3600.0
    retries: int = 2
    in_flight: int = 64
    queue: int = 256
    decision_log: Path | None = None
    models_folder: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the variables above. Raises `InvalidRequest` for a time or a number that is none."""
        env = os.environ if environment is None else environment
        return cls(
            policy=env.get("QWEN_ROUTER_POLICY") or "balanced",
            ollama_host=_ollama_host(env.get("OLLAMA_HOST") or ""),
            endpoints=tuple(_endpoint(url, env) for url in env.get("QWEN_ROUTER_ENDPOINTS", "").split(",") if url.strip()),
            api_key=env.get("QWEN_ROUTER_API_KEY", "").strip() or None,
            gguf_files=_paths(env.get("QWEN_ROUTER_GGUF", "")),
            checkpoints=_paths(env.get("QWEN_ROUTER_CHECKPOINTS", "")),
            onnx_folders=_paths(env.get("QWEN_ROUTER_ONNX", "")),
            quantise=env.get("QWEN_ROUTER_QUANTISE") or None,
            trusted_checkpoints=frozenset(str(p) for p in _paths(env.get("QWEN_ROUTER_TRUST_REMOTE_CODE", ""))),
            timeout_s=_seconds(env, "QWEN_ROUTER_TIMEOUT_S", "120"),
            connect_s=_seconds(env, "QWEN_ROUTER_CONNECT_S", "5"),
            first_s=_seconds(env, "QWEN_ROUTER_FIRST_S", "") if env.get("QWEN_ROUTER_FIRST_S") else None,
            deadline_s=_seconds(env, "QWEN_ROUTER_DEADLINE_S", "3600"),
            retries=_count(env, "QWEN_ROUTER_RETRIES", "2", least=0, most=100),
            in_flight=_count(env, "QWEN_ROUTER_IN_FLIGHT", "64", least=1),
            queue=_count(env, "QWEN_ROUTER_QUEUE", "256", least=0),
            parallel=_count(env, "QWEN_ROUTER_PARALLEL", "1", least=1),
            ollama_parallel=_ollama_parallel(env.get("OLLAMA_NUM_PARALLEL") or ""),
            decision_log=_log(env.get("QWEN_ROUTER_DECISIONS") or ""),
            models_folder=_models_folder(env.get("QWEN_ROUTER_MODELS") or ""),
        )


@dataclass(frozen=True, slots=True)
class ToolSettings:
    """What tools may touch when nobody says more. URLs of databases may hold passwords: they are left out of every repr."""

    root: Path
    web_hosts: tuple[str, ...] = ()
    databases: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> ToolSettings:
        """Read the variables above. Raises `InvalidRequest` for a folder that is none and a database without a name."""
        env = os.environ if environment is None else environment
        root = Path(env.get("QWEN_ROUTER_TOOLS_ROOT") or ".").expanduser()
        if not root.is_dir():
            raise InvalidRequest(
                f"QWEN_ROUTER_TOOLS_ROOT is {str(root)!r}, which is no folder", fix="make it, or correct it"
            )
        hosts = (host.strip().lower() for host in env.get("QWEN_ROUTER_WEB_HOSTS", "").split(","))
        listed = (entry.strip() for entry in env.get("QWEN_ROUTER_DATABASES", "").split(","))
        return cls(
            root=root.resolve(),
            web_hosts=tuple(host for host in hosts if host),
            databases=dict(_database(entry) for entry in listed if entry),
        )


def _database(text: str) -> tuple[str, str]:
    name, _, url = text.partition("=")
    if not name.isidentifier() or "://" not in url:
        raise InvalidRequest(
            f"QWEN_ROUTER_DATABASES holds an entry that begins with {text[:12]!r}",
            fix="write NAME=URL: shop=sqlite:///shop.db",
        )
    return name, url


HUGGING_FACE, MODELSCOPE = "https://huggingface.co", "https://modelscope.cn"


@dataclass(frozen=True, slots=True)
class HubSettings:
    """Where models are downloaded from. Keys are left out of every repr and log. `ollama_store`: Ollama's own folder."""

    hf_endpoint: str = HUGGING_FACE
    hf_token: str | None = field(default=None, repr=False)
    hf_offline: bool = False
    modelscope_endpoint: str = MODELSCOPE
    modelscope_token: str | None = field(default=None, repr=False)
    ollama_store: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> HubSettings:
        """Read the variables above. Raises `InvalidRequest` for an address that is no URL."""
        env = os.environ if environment is None else environment
        store = env.get("OLLAMA_MODELS") or ""
        return cls(
            hf_endpoint=_hub(env.get("HF_ENDPOINT") or HUGGING_FACE, "HF_ENDPOINT"),
            hf_token=env.get("HF_TOKEN", "").strip() or _hf_token_file(env),
            hf_offline=env.get("HF_HUB_OFFLINE", "").strip().upper() in ("1", "ON", "YES", "TRUE"),
            modelscope_endpoint=_hub(env.get("MODELSCOPE_ENDPOINT") or MODELSCOPE, "MODELSCOPE_ENDPOINT"),
            modelscope_token=env.get("MODELSCOPE_API_TOKEN", "").strip() or None,
            ollama_store=Path(store).expanduser() if store else None,
        )


def _hub(text: str, variable: str) -> str:
    url = text.strip().rstrip("/")
    url = url if "://" in url else f"https://{url}"
    if not url.startswith(("http://", "https://")) or not urlsplit(url).hostname:
        raise InvalidRequest(f"{variable} is {text.strip()!r}", fix=f"a URL: {variable}=https://hub.example")
    return url


def _hf_token_file(env: Mapping[str, str]) -> str | None:
    """The key that `hf auth login` keeps (huggingface_hub, constants.HF_TOKEN_PATH)."""
    cache = Path(env.get("XDG_CACHE_HOME") or "~/.cache")
    home = Path(env.get("HF_HOME") or cache / "huggingface")
    try:
        return Path(env.get("HF_TOKEN_PATH") or home / "token").expanduser().read_text("utf-8").strip() or None
    except (OSError, UnicodeDecodeError, RuntimeError):
        return None


def _models_folder(text: str) -> Path:
    from qwen_router.folders import user_models_folder

    return Path(text).expanduser() if text.strip() else user_models_folder()


def _log(text: str) -> Path | None:
    if text.strip().lower() in ("off", "none", "0", "false"):
        return None
    from qwen_router.folders import user_cache_folder

    return Path(text).expanduser() if text.strip() else user_cache_folder() / "decisions.jsonl"


def _endpoint(text: str, env: Mapping[str, str]) -> Endpoint:
    url, _, rest = text.strip().partition("#")
    url = url.rstrip("/")
    if not url.startswith(("http://", "https://")) or not _has_port(url) or any(char.isspace() for char in url):
        fix = "URLs such as http://127.0.0.1:8000/v1, with commas between them"
        raise InvalidRequest(f"QWEN_ROUTER_ENDPOINTS holds {text.strip()!r}", fix=fix)
    named = parse_qs(rest, keep_blank_values=True)
    if "@" in urlsplit(url).netloc:
        shown = url.replace(urlsplit(url).netloc.rpartition("@")[0] + "@", "")
        raise InvalidRequest("QWEN_ROUTER_ENDPOINTS holds a password", fix=f"put it into a variable: {shown}#key=VARIABLE")
    if unknown := sorted(set(named) - {"key", "model"}) or (["nothing"] if rest and not named else []):
        fix = f"write {url}#key=VARIABLE&model=NAME"
        raise InvalidRequest(f"QWEN_ROUTER_ENDPOINTS names {', '.join(unknown)} behind the # of {url}", fix=fix)
    key = env.get("QWEN_ROUTER_API_KEY", "").strip() or None
    if "key" in named:
        variable = named["key"][-1]
        key = env.get(variable, "").strip() or None
        if key is None:
            fix = f"set {variable}, or correct the name behind #key="
            raise InvalidRequest(f"{url} is to get the key in {variable or 'no variable'}, which is not set", fix=fix)
    return Endpoint(url, key, tuple(name for name in named.get("model", ()) if name))


def _paths(text: str) -> tuple[Path, ...]:
    return tuple(Path(part).expanduser() for part in text.split(os.pathsep) if part)


def _seconds(environment: Mapping[str, str], name: str, default: str) -> float:
    text = environment.get(name) or default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise InvalidRequest(f"{name} is {text!r}", fix="set it to a number of seconds above 0")
    return seconds


def _ollama_parallel(text: str) -> int:
    """Ollama's own variable: what is no count there (0, nothing) leaves the choice to Ollama, which then takes one."""
    return max(1, int(text)) if text.isascii() and text.isdigit() else 1


def _count(environment: Mapping[str, str], name: str, default: str, *, least: int, most: int = 1_000_000) -> int:
    text = (environment.get(name) or default).strip()
    if not text.isdecimal() or not least <= int(text) <= most:
        raise InvalidRequest(f"{name} is {text!r}", fix=f"set it to a whole number from {least} to {most}")
    return int(text)


def _ollama_host(text: str) -> str:
    """Ollama takes a bare host, host:port or a URL; 0.0.0.0 means that the server listens everywhere, not where to call."""
    if not text:
        return "http://127.0.0.1:11434"
    url = text if "://" in text else f"http://{text}"
    scheme, _, rest = url.partition("://")
    wrong = InvalidRequest(f"OLLAMA_HOST is {text.strip()!r}", fix="host, host:port or a URL: OLLAMA_HOST=127.0.0.1:11434")
    host, slash, path = rest.partition("/")
    if host.startswith("0.0.0.0"):
        host = "127.0.0.1" + host.removeprefix("0.0.0.0")
    if host.startswith(":") and host.count(":") == 1:  # a port alone: everywhere
        host = "127.0.0.1" + host
    if host.count(":") > 1 and "[" not in host:  # a bare IPv6 address
        host = f"[{host}]"
    if ":" not in host.rpartition("]")[2]:
        host += ":443" if scheme == "https" else ":80" if scheme == "http" and "://" in text else ":11434"
    made = f"{scheme}://{host}{slash}{path}".rstrip("/")
    if not _has_port(made) or any(char.isspace() for char in made):
        raise wrong
    return made


def _has_port(url: str) -> bool:
    """Whether the port of a URL, if it has one, is a number that ports have."""
    try:
        return urlsplit(url).port != 0 and bool(urlsplit(url).hostname)
    except ValueError:
        return False
