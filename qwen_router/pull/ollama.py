"""Has an Ollama server pull a model, through Ollama's own client: what it reports becomes `Progress`, its errors ours.

The server downloads, resumes and checks (api/types.go: ProgressResponse; server/routes.go: PullHandler; server/images.go:
PullModel): a pull that is cut goes on where it stopped when it is asked for again. Where the server keeps its models on this
computer, the free room there is compared with what it says it will fetch, and the pull is stopped when it cannot fit.

    python -c "from qwen_router.pull.ollama import answers; print(answers('http://127.0.0.1:11434'))"
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwen_router.engines.wire import PROBE_TIMEOUT_S, Peer, client_options, is_loopback, refused_at_once, shortened
from qwen_router.errors import EngineError, EngineUnreachable, NotEnoughDisk, RouterError, UnknownName
from qwen_router.pull.download import Progress
from qwen_router.pull.files import MARGIN_BYTES, size_text

if TYPE_CHECKING:
    import ollama

SILENCE_S = 600.0
"""The longest wait for the next line: the server is silent while it computes checksums of tens of gigabytes."""
STORES = ("~/.ollama/models", "/usr/share/ollama/.ollama/models")
"""Where Ollama keeps models when OLLAMA_MODELS is not set (docs/faq.mdx): for a user, and for its service on Linux."""


def answers(endpoint: str) -> bool:
    """Whether an Ollama server is there."""
    if refused_at_once(endpoint):
        return False
    try:
        with _client(endpoint, PROBE_TIMEOUT_S) as (client, peer), _guarded(peer, ""):
            client.list()
    except RouterError:
        return False
    return True


def store(endpoint: str, named: Path | None = None) -> Path | None:
    """The folder that this computer's server writes to; None when the server is elsewhere or the folder cannot be told."""
    if not is_loopback(endpoint):
        return None
    found = [
        path for path in (named, *(Path(text).expanduser() for text in STORES)) if path is not None and _is_folder(path)
    ]
    return found[0] if found and (named in found or len(found) == 1) else None


def pull_tag(endpoint: str, tag: str, *, store: Path | None = None, silence_s: float = SILENCE_S) -> Iterator[Progress]:
    """Pull `tag`. Every layer is a `name` with its bytes, every other state of the server a phase. Leaving cancels.

    Raises `UnknownName` when no such tag exists, `NotEnoughDisk`, and `EngineError` for what else the server says.
    """
    if why := refused_at_once(endpoint):
        raise _peer(endpoint).unreachable(why)
    seen: set[str] = set()
    status = None
    with _client(endpoint, silence_s) as (client, peer), _guarded(peer, tag):
        for step in client.pull(tag, stream=True):
            status = step.status
            if not status:
                raise peer.nonsense(f"a line without a status: {shortened(str(step), 80)}")
            if step.digest is None or step.total is None:
                yield Progress(status)
                continue
            done = step.completed or 0
            if step.digest not in seen and store is not None:
                seen.add(step.digest)
                _check_room(store, step.total - done, tag)
            yield Progress("downloading", step.digest.removeprefix("sha256:")[:12], done, step.total)
    if status != "success":
        raise _with_resume(peer.failed("the pull ended without success"))


def _check_room(store: Path, needed_bytes: int, tag: str) -> None:
    free = shutil.disk_usage(store).free
    if needed_bytes + MARGIN_BYTES > free:
        raise NotEnoughDisk(
            f"{tag!r} needs {size_text(needed_bytes)} more (and {size_text(MARGIN_BYTES)} to spare), and the disk of "
            f"{str(store)!r} has {size_text(free)} free",
            fix="free some room (`ollama rm MODEL`), or move Ollama's folder: OLLAMA_MODELS",
        )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _peer(endpoint: str) -> Peer:
    return Peer("ollama", endpoint, "`ollama serve`, or correct OLLAMA_HOST; or pull from a hub: --from huggingface")


@contextmanager
def _client(endpoint: str, timeout_s: float) -> Iterator[tuple[ollama.Client, Peer]]:
    import ollama

    client = ollama.Client(endpoint, **client_options(endpoint, timeout_s=timeout_s))
    try:
        yield client, _peer(endpoint)
    finally:
        client._client.close()


@contextmanager
def _guarded(peer: Peer, tag: str) -> Iterator[None]:
    """Everything that the client raises becomes an error of ours."""
    import httpx
    import ollama
    from pydantic import ValidationError

    try:
        yield
    except ollama.ResponseError as error:
        raise _of_response(peer, error, tag) from error
    except ollama.RequestError as error:
        raise peer.refused(shortened(error.error)) from error
    except ConnectionError as error:
        raise peer.unreachable("the connection was refused") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise _with_resume(peer.of_httpx(error)) from error
    except (ValidationError, json.JSONDecodeError, UnicodeError, AttributeError, TypeError) as error:
        raise peer.nonsense(shortened(str(error))) from error


def _of_response(peer: Peer, error: Any, tag: str) -> RouterError:
    """Errors come as a status, or as a line of the stream when it has begun (server/routes.go, streamResponse)."""
    said = error.error if isinstance(error.error, str) else json.dumps(error.error)
    if "pull model manifest: file does not exist" in said:
        return UnknownName(
            f"Ollama's library has no {tag!r}", name=tag,
            fix="look it up on ollama.com/library, or pull from a hub: --from huggingface",
        )  # fmt: skip
    if "pull model manifest" in said and any(word in said for word in ("dial tcp", "no such host", "i/o timeout")):
        return EngineUnreachable(
            f"Ollama at {peer.endpoint} cannot reach its model library, and {tag!r} is missing: {shortened(said)}",
            fix="check that computer's network; or bring a GGUF file from elsewhere and `ollama create` the model from it",
            engine=peer.engine,
            endpoint=peer.endpoint,
        )
    if error.status_code == -1 or error.status_code >= 500:
        return _with_resume(peer.failed(shortened(said)))
    return peer.of_status(error.status_code, said)


def _with_resume(error: EngineError) -> EngineError:
    fix = "run the same command again: the server goes on where it stopped"
    return type(error)(error.problem, fix=fix, engine=error.engine, endpoint=error.endpoint)
