"""What the engines over HTTP share: endpoints, the errors of `httpx` as ours, messages and attachments as JSON.

Nothing here sends anything but `refused_at_once`, which knocks at a port of this computer.

    python -c "from qwen_router.engines.wire import is_loopback; print(is_loopback('http://127.0.0.1:11434'))"
"""

from __future__ import annotations

import codecs
import json
import math
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from qwen_router.control_tokens import neutralise
from qwen_router.engines.base import Call, Violation
from qwen_router.errors import (
    ContextTruncated,
    EngineBusy,
    EngineError,
    EngineNonsense,
    EngineRefused,
    EngineTimeout,
    EngineUnreachable,
)
from qwen_router.media import Attachment
from qwen_router.request import Message

if TYPE_CHECKING:
    import httpx

CONNECT_TIMEOUT_S = 5.0
PROBE_TIMEOUT_S = 5.0
BOUNDS = "qwen_router.bounds"
"""The name of a call's `Bounds` among the extensions of its request."""
MAX_LINE_BYTES = 4 * 1024 * 1024
"""One line of a stream is a few hundred bytes; above this it is no stream that we want in memory."""
KEPT_CONNECTIONS = 64
KEPT_S = 3.0
"""How long an idle connection is kept: uvicorn and llama.cpp's server close theirs after 5 s, and one that is being closed
must not get a request."""


class ClosedUnheard(EngineUnreachable):
    """The connection ended without a byte of an answer: a kept one that the server had closed meanwhile. llama.cpp's does
    that without a word at the end of some streams.
    """


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is spoken to, for error messages: `start_hint` is what to try when nobody answers."""

    engine: str
    endpoint: str
    start_hint: str

    def unreachable(self, why: str) -> EngineUnreachable:
        return EngineUnreachable(f"{self._who} does not answer: {why}", fix=self.start_hint, **self._where)

    def timeout(self, why: str) -> EngineTimeout:
        fix = "use a smaller model, or a longer timeout"
        return EngineTimeout(f"{self._who} is too slow: {why}", fix=fix, **self._where)

    def refused(self, why: str, *, fix: str = "change the request, or ask another model") -> EngineRefused:
        return EngineRefused(f"{self._who} refused: {why}", fix=fix, **self._where)

    def nonsense(self, why: str) -> EngineNonsense:
        fix = f"check that {self.endpoint} is the right address"
        return EngineNonsense(f"{self._who} answers what its protocol does not allow: {why}", fix=fix, **self._where)

    def failed(self, why: str) -> EngineError:
        return EngineError(f"{self._who} failed: {why}", fix="see its log, and try again", **self._where)

    def truncated(self, why: str, context_tokens: int) -> ContextTruncated:
        fix = "shorten the conversation, or ask for a longer context"
        return ContextTruncated(f"{self._who} cut the prompt: {why}, its window is {context_tokens}", fix=fix, **self._where)

    @property
    def _who(self) -> str:
        return f"{self.engine} at {self.endpoint}"

    @property
    def _where(self) -> dict[str, Any]:
        return {"engine": self.engine, "endpoint": self.endpoint}

    def of_status(self, status: int, message: str, *, fix: str | None = None, retry_after: str | None = None) -> EngineError:
        """The error for an HTTP status; `message` is what the server says, `retry_after` the header of that name."""
        said = f"HTTP {status}: {shortened(message) or 'no reason given'}"
        if 300 <= status < 400:
            return self.refused(f"{said} (redirects are not followed)", fix="give the address that it redirects to")
        if status in (401, 403):
            keys = "set QWEN_ROUTER_API_KEY, or name a variable: QWEN_ROUTER_ENDPOINTS=URL#key=VARIABLE"
            return self.refused(said, fix=fix or keys)
        if status in (408, 504):
            return self.timeout(said)
        if status in (429, 502, 503):
            kind = EngineUnreachable if status == 502 else EngineBusy
            problem, wait_s = f"{self._who} is busy or down: {said}", retry_after_s(retry_after)
            return kind(problem, fix=fix or "try again later", retry_after_s=wait_s, **self._where)
        if 400 <= status < 500:
            return self.refused(said, fix=fix or "change the request, or ask another model")
        return EngineError(f"{self._who} failed: {said}", fix=fix or "see its log, and try again", **self._where)

    def of_httpx(self, error: Exception) -> EngineError:
        """The error of ours for any exception of `httpx`. Meant for `except (httpx.HTTPError, httpx.InvalidURL, ...)`."""
        import httpx

        why = shortened(str(error)) or type(error).__name__
        if isinstance(error, httpx.HTTPStatusError):
            return self.of_status(error.response.status_code, why)
        unreachable = (
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.ProxyError,
            httpx.UnsupportedProtocol,
            httpx.InvalidURL,
            UnicodeError,  # a host name that IDNA does not know
        )
        if isinstance(error, unreachable):
            return self.unreachable(why)
        if isinstance(error, httpx.RemoteProtocolError) and "without sending a response" in why:
            return ClosedUnheard(f"{self._who} closed the connection without an answer", fix=self.start_hint, **self._where)
        if isinstance(error, httpx.TimeoutException):
            return self.timeout(why)
        if isinstance(error, httpx.LocalProtocolError):  # its words hold the header, and that the key
            fix = "check the API key for line ends and other characters that a header cannot hold"
            return EngineRefused(f"{self._who} cannot be asked: a header is not allowed", fix=fix, **self._where)
        if isinstance(error, httpx.DecodingError | httpx.TooManyRedirects):
            return self.nonsense(why)
        broke = self.failed(f"the connection broke ({why})")
        broke.again = isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)
        return broke


def retry_after_s(header: str | None, *, now: Callable[[], float] = time.time) -> float | None:
    """Seconds that a `Retry-After` header asks for, as seconds or as a date; None where it says nothing useful."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - now()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def shortened(text: str, limit: int = 300) -> str:
    """On one line, and not longer than a line may be."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def is_loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def refused_at_once(endpoint: str) -> str:
    """Why nobody listens at an address of this computer, or "" when somebody does or it is another's.

    Takes a millisecond, where importing an HTTP client takes a quarter of a second.
    """
    if not is_loopback(endpoint):
        return ""
    try:
        parts = urlsplit(endpoint)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=CONNECT_TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def client_options(endpoint: str, *, timeout_s: float) -> dict[str, Any]:
    """Options for an `httpx` client: bounded waits, no redirects, no proxy to reach this computer.

    64 idle connections are kept; those in use are not limited, because a reply may take minutes and the next caller would
    wait for its end.
    """
    import httpx

    from qwen_router.engines.bounds import watch

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=KEPT_CONNECTIONS, keepalive_expiry=KEPT_S)
    options: dict[str, Any] = {
        "timeout": timeouts(timeout_s),
        "limits": limits,
        "follow_redirects": False,
        "trust_env": not is_loopback(endpoint),
        "event_hooks": {"response": [watch]},
    }
    if endpoint.startswith("http://"):
        options["verify"] = False  # no TLS here; loading certificates would take 20 ms
    return options


def timeouts(timeout_s: float) -> httpx.Timeout:
    """Bounds each wait of one request: for the connection, and for every next piece."""
    import httpx

    return httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s))


@dataclass(frozen=True, slots=True)
class Bounds:
    """Longest waits for the first and every next piece of a body, and when (`time.monotonic`) it must have ended."""

    first_s: float
    between_s: float
    deadline_at: float


def waits(call: Call) -> dict[str, Any]:
    """Extensions of an `httpx` request that carry the call's bounds to the connection and to `bounds.py`."""
    deadline_at = math.inf if call.deadline_at is None else call.deadline_at
    left_s = max(0.001, deadline_at - time.monotonic())
    first_s = min(left_s, call.timeout_s if call.first_s is None else call.first_s)
    connect_s = min(call.connect_s, first_s)
    timeout = {"connect": connect_s, "read": first_s, "write": first_s, "pool": connect_s}
    return {"timeout": timeout, BOUNDS: Bounds(first_s, call.timeout_s, deadline_at)}


def waiting(timeout_s: float) -> dict[str, Any]:
    """Extensions of a request whose answer comes in one piece, within `timeout_s`."""
    timeout = {"connect": min(CONNECT_TIMEOUT_S, timeout_s), "read": timeout_s, "write": timeout_s, "pool": timeout_s}
    return {"timeout": timeout, BOUNDS: Bounds(timeout_s, timeout_s, time.monotonic() + timeout_s)}


def async_client_options(endpoint: str, *, timeout_s: float) -> dict[str, Any]:
    """`client_options` for an asynchronous client, with connections that are cheap to come by."""
    from qwen_router.engines.bounds import awatch
    from qwen_router.engines.lent import LentConnections

    options = client_options(endpoint, timeout_s=timeout_s)
    own = {name: options[name] for name in ("limits", "verify", "trust_env") if name in options}
    return {**options, "transport": LentConnections(kept=KEPT_CONNECTIONS, **own), "event_hooks": {"response": [awatch]}}


class Lines:
    """Splits bytes into lines at line feeds only (JSON may hold other separators), bounded, UTF-8 checked."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._rest: list[str] = []
        self._held = 0

    def feed(self, data: bytes, *, last: bool = False) -> Iterator[str]:
        try:
            text = self._decoder.decode(data, last)
        except UnicodeDecodeError as error:
            raise self._peer.nonsense(f"bytes that are not UTF-8 ({error.reason})") from error
        *lines, rest = text.split("\n")
        for line in lines:
            yield "".join((*self._rest, line)).rstrip("\r")
            self._rest, self._held = [], 0
        self._rest.append(rest)
        self._held += len(rest)
        if self._held > MAX_LINE_BYTES:
            raise self._peer.nonsense(f"a line of more than {MAX_LINE_BYTES // 1024**2} MiB")
        if last and self._held:
            yield "".join(self._rest).rstrip("\r")


def json_object(text: str | bytes, peer: Peer) -> Mapping[str, Any]:
    """The JSON object in `text`, or `EngineNonsense`."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        shown = text[:80] if isinstance(text, str) else text[:80].decode("utf-8", "replace")
        raise peer.nonsense(f"{shown!r} is not JSON") from error
    if not isinstance(value, Mapping):
        raise peer.nonsense(f"JSON that is no object: {shortened(str(value), 80)}")
    return value


def error_text(body: str) -> str:
    """What a server says in the body of an error: OpenAI's, Ollama's, FastAPI's shape, or the text itself."""
    try:
        value = json.loads(body)
    except ValueError:
        return body
    if not isinstance(value, Mapping):
        return body
    error = value.get("error", value.get("detail", value.get("message", body)))
    if isinstance(error, Mapping):
        error = error.get("message", error)
    return error if isinstance(error, str) else json.dumps(error)


# ── what is sent ────────────────────────────────────────────────────────────────────────────────────────────────────────


def loop_start(messages: tuple[Message, ...]) -> int:
    """Where the current tool loop starts: reasoning before it is not sent again, reasoning in it is."""
    users = [i for i, message in enumerate(messages) if message.role == "user"]
    return users[-1] if users else 0


def output_limit_tokens(call: Call) -> int | None:
    """How many tokens thinking and answer may take together; None when only the context limits them."""
    if not call.thinking.enabled:
        return call.max_answer_tokens
    if call.thinking.budget_tokens is not None:
        return call.thinking.budget_tokens + call.max_answer_tokens
    if call.prompt_tokens_estimate is None:
        return None
    spare = call.context_tokens - math.ceil(call.prompt_tokens_estimate * 1.1) - 64
    return max(call.max_answer_tokens, spare)


def check_not_truncated(call: Call, prompt_tokens: int | None, peer: Peer) -> None:
    """Raises `ContextTruncated` when the engine read clearly fewer tokens than we sent and the window explains it.

    Clearly is less than 0.8 of our count, which is within 10 % for most texts where it is estimated; the window explains
    it when what was sent takes at least 0.9 of it. Engines that count only what was not cached stay below suspicion.
    """
    sent = call.prompt_tokens_estimate
    if sent is None or not prompt_tokens or prompt_tokens >= 0.8 * sent or sent < 0.9 * call.context_tokens:
        return
    raise peer.truncated(f"it read {prompt_tokens} of about {sent} prompt tokens", call.context_tokens)


def other_model(call: Call, said: str) -> Violation | None:
    """Named when the server says that a model answered which the catalog knows as another one than was asked for. Names
    that the catalog does not know are the server's own way to write the same."""
    if said == call.model:
        return None
    from qwen_router.catalog import Catalog

    asked, answered = (Catalog.load().resolve(name) for name in (call.model, said))
    if asked is None or answered is None or asked.id == answered.id:
        return None
    return Violation("other_model", f"asked for {call.model}, answered by {shortened(said, 80)}")


def base64_text(attachment: Attachment, peer: Peer) -> str:
    """The payload of an attachment that carries one, as base64; it is not decoded."""
    if attachment.source.startswith("data:"):
        return attachment.source.partition(",")[2]
    if "://" in attachment.source[:16]:
        raise peer.refused(f"it fetches no {attachment.kind} from a URL", fix="send the data itself, as a data URL")
    return attachment.source


def data_url(attachment: Attachment) -> str:
    """The source as a URL: bare base64 becomes a data URL."""
    if attachment.source.startswith("data:") or "://" in attachment.source[:16]:
        return attachment.source
    default = {"image": "image/png", "audio": "audio/wav", "video": "video/mp4"}.get(attachment.kind)
    return f"data:{attachment.media_type or default or 'application/octet-stream'};base64,{attachment.source}"


def plain(message: Message) -> str:
    """A message's text, control tokens made plain: remote chat endpoints parse them (docs/engines.md)."""
    return neutralise(message.text)
