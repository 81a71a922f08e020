"""What a hub has: the files of a repository with sizes and checksums, from Hugging Face or ModelScope, over plain HTTP.

Hugging Face's shapes are those that huggingface_hub reads (hf_api.py: RepoFile, list_repo_tree; utils/_http.py: the error
headers), ModelScope's those of modelscope_hub (_legacy_api.py) and modelscope (hub/api.py, hub/file_download.py). Nothing is
downloaded here; `download.py` does that. Keys are sent to their hub alone and shown nowhere.

    python -c "from qwen_router.pull.hubs import HuggingFace; print(HuggingFace().url('Qwen/Qwen3-8B', 'main', 'a'))"
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlencode

from qwen_router.catalog.getting import Source
from qwen_router.engines.wire import Peer, client_options, error_text, is_loopback, shortened
from qwen_router.errors import EngineError, EngineUnreachable, UnknownName
from qwen_router.pull.files import HubFile, is_safe
from qwen_router.settings import HubSettings

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 60.0
"""The longest wait for the next piece; to connect, `wire.CONNECT_TIMEOUT_S`."""
MAX_PAGES = 1000


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository at one revision: a commit, so that what is downloaded later is what was listed."""

    repository: str
    revision: str
    files: tuple[HubFile, ...]


class Hub(ABC):
    """One hub at one address. `close` it, or use it in a `with`."""

    source: ClassVar[Source]
    title: ClassVar[str]

    def __init__(self, endpoint: str, *, key: str | None = None, key_variable: str, offline: str = "") -> None:
        self.endpoint = endpoint.rstrip("/")
        self._key, self._key_variable, self._offline = key, key_variable, offline
        self.peer = Peer(self.title, self.endpoint, "check the network connection, the proxy and the address")
        self._client: httpx.Client | None = None

    @abstractmethod
    def listing(self, repository: str) -> Listing:
        """Every file. Raises `UnknownName` when there is no such repository (or it is private), `EngineRefused` when it
        may not be read, `EngineUnreachable` when the hub does not answer."""

    @abstractmethod
    def url(self, repository: str, revision: str, path: str) -> str:
        """Where one file is downloaded from."""

    @abstractmethod
    def page(self, repository: str) -> str:
        """Where a person sees the files."""

    @abstractmethod
    def headers(self) -> dict[str, str]:
        """What is sent with each request, the key included."""

    def client(self) -> httpx.Client:
        """Follows redirects, because hubs send to their file servers; httpx drops the key when the host changes."""
        if self._offline:
            raise EngineUnreachable(
                f"{self.title} is not asked, because {self._offline}", fix=f"unset it, or {self.peer.start_hint}",
                engine=self.title, endpoint=self.endpoint,
            )  # fmt: skip
        if self._client is None:
            import httpx

            options = client_options(self.endpoint, timeout_s=TIMEOUT_S)
            if not is_loopback(self.endpoint):
                options.pop("verify", None)  # a redirect may lead from http to https
            self._client = httpx.Client(**{**options, "follow_redirects": True})
        return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def __enter__(self) -> Hub:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """What httpx raises becomes an error of ours."""
        import httpx

        try:
            yield
        except httpx.TimeoutException as error:
            raise self.peer.unreachable(f"silent for too long ({type(error).__name__})") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
            raise self.peer.of_httpx(error) from error

    def refusal(self, answer: httpx.Response, repository: str) -> EngineError | UnknownName:
        """The error for a status above 399; the body must have been read."""
        status, code = answer.status_code, answer.headers.get("x-error-code", "")
        said = answer.headers.get("x-error-message") or self.error_text(answer.text)
        key = f"set {self._key_variable}" if self._key is None else f"check the rights of the key in {self._key_variable}"
        if code == "GatedRepo" or (status == 403 and code != "RepoNotFound"):
            return self.peer.refused(
                f"{repository!r} is gated or private: HTTP {status}: {shortened(said)}",
                fix=f"accept its terms on {self.page(repository)}, then {key}",
            )
        if status in (401, 404):
            return UnknownName(
                f"{self.title} has no repository {repository!r}, or it is private: HTTP {status}: {shortened(said)}",
                fix=f"check the name on {self.endpoint}, or {key}",
                name=repository,
            )
        return self.peer.of_status(status, said, fix="try again later" if status >= 500 else None)

    def error_text(self, body: str) -> str:
        """What the body of an error says."""
        return error_text(body)

    def _json(self, url: str, repository: str) -> tuple[Any, httpx.Response]:
        """The JSON behind a URL."""
        with self.guarded():
            answer = self.client().get(url, headers=self.headers())
        if answer.status_code >= 400:
            raise self.refusal(answer, repository)
        try:
            return answer.json(), answer
        except (ValueError, RecursionError) as error:
            raise self.peer.nonsense(f"{shortened(answer.text, 80)!r} is not JSON") from error

    def _file(self, entry: Any, *, path: Any, size: Any, sha256: Any, git_sha1: Any = None) -> HubFile:
        """A listed file, checked: a name must stay in its folder, a size be a size, a checksum look like one."""
        if not isinstance(path, str) or isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise self.peer.nonsense(f"a file without name or size: {shortened(str(entry), 80)}")
        if not is_safe(path):
            raise self.peer.nonsense(f"a file name that leads elsewhere: {path!r}")
        return HubFile(path, size, _hex(sha256, 64), _hex(git_sha1, 40))


def _hex(value: Any, length: int) -> str | None:
    """A checksum in lower case; None for what is none."""
    text = value.lower() if isinstance(value, str) else ""
    return text if len(text) == length and set(text) <= set("0123456789abcdef") else None


class HuggingFace(Hub):
    """huggingface.co, or a mirror of it (HF_ENDPOINT)."""

    source: ClassVar[Source] = "huggingface"
    title: ClassVar[str] = "Hugging Face"

    def __init__(self, settings: HubSettings | None = None) -> None:
        settings = settings or HubSettings()
        offline = "HF_HUB_OFFLINE is set" if settings.hf_offline else ""
        super().__init__(settings.hf_endpoint, key=settings.hf_token, key_variable="HF_TOKEN", offline=offline)

    def listing(self, repository: str) -> Listing:
        api = f"{self.endpoint}/api/models/{quote(repository)}"
        about, _ = self._json(f"{api}/revision/main", repository)
        commit = about.get("sha") if isinstance(about, dict) else None
        if not _hex(commit, 40):
            raise self.peer.nonsense(f"a repository without a commit: {shortened(str(about), 80)}")
        files: list[HubFile] = []
        url: str | None = f"{api}/tree/{commit}?recursive=true"
        for _ in range(MAX_PAGES):
            entries, answer = self._json(str(url), repository)
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                raise self.peer.nonsense(f"a list of files that is none: {shortened(str(entries), 80)}")
            files += [self._entry(entry) for entry in entries if entry.get("type") == "file"]
            _, found, rest = answer.links.get("next", {}).get("url", "").partition("/api/")
            if not found:
                break
            url = f"{self.endpoint}/api/{rest}"  # whatever host a mirror names there: the key goes to ours alone
        return Listing(repository, str(commit), tuple(files))

    def _entry(self, entry: dict[str, Any]) -> HubFile:
        """Large files carry `lfs` with the SHA-256 of their content, small ones git's own name (`oid`)."""
        lfs = entry.get("lfs")
        size = lfs.get("size", entry.get("size")) if isinstance(lfs, dict) else entry.get("size")
        sha256 = lfs.get("oid") if isinstance(lfs, dict) else None
        git_sha1 = None if isinstance(lfs, dict) else entry.get("oid")
        return self._file(entry, path=entry.get("path"), size=size, sha256=sha256, git_sha1=git_sha1)

    def url(self, repository: str, revision: str, path: str) -> str:
        return f"{self.endpoint}/{quote(repository)}/resolve/{quote(revision, safe='')}/{quote(path)}"

    def page(self, repository: str) -> str:
        return f"{self.endpoint}/{repository}/tree/main"

    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._key}"} if self._key else {}


class ModelScope(Hub):
    """modelscope.cn, or another address that speaks its protocol (MODELSCOPE_ENDPOINT)."""

    source: ClassVar[Source] = "modelscope"
    title: ClassVar[str] = "ModelScope"

    def __init__(self, settings: HubSettings | None = None) -> None:
        settings = settings or HubSettings()
        key, variable = settings.modelscope_token, "MODELSCOPE_API_TOKEN"
        super().__init__(settings.modelscope_endpoint, key=key, key_variable=variable)

    def listing(self, repository: str) -> Listing:
        query = urlencode({"Revision": "master", "Recursive": "True"})
        url = f"{self.endpoint}/api/v1/models/{quote(repository)}/repo/files?{query}"
        body, _ = self._json(url, repository)
        data = body.get("Data") if isinstance(body, dict) else None
        files = data.get("Files") if isinstance(data, dict) else data
        if not isinstance(files, list) or not all(isinstance(entry, dict) for entry in files):
            raise self.peer.nonsense(f"a list of files that is none: {shortened(str(body), 80)}")
        listed = tuple(
            self._file(e, path=e.get("Path"), size=e.get("Size"), sha256=e.get("Sha256"))
            for e in files
            if e.get("Type") != "tree"
        )
        return Listing(repository, "master", listed)

    def url(self, repository: str, revision: str, path: str) -> str:
        query = urlencode({"Revision": revision, "FilePath": path})
        return f"{self.endpoint}/api/v1/models/{quote(repository)}/repo?{query}"

    def page(self, repository: str) -> str:
        return f"{self.endpoint}/models/{repository}/files"

    def error_text(self, body: str) -> str:
        """{"Code": 10010205001, "Message": "...", "Success": false} (modelscope_hub, errors.py, raise_for_status)."""
        try:
            value = json.loads(body)
        except ValueError:
            return body
        message = value.get("Message") if isinstance(value, dict) else None
        return message if isinstance(message, str) else body

    def headers(self) -> dict[str, str]:
        """Older endpoints read the key from the cookie, newer ones from the header (modelscope_hub, _legacy_api.py)."""
        if not self._key:
            return {}
        return {"authorization": f"Bearer {self._key}", "cookie": f"m_session_id={self._key}"}


HUBS: dict[Source, type[HuggingFace] | type[ModelScope]] = {"huggingface": HuggingFace, "modelscope": ModelScope}
