"""Serves model repositories as Hugging Face and ModelScope do, in the shapes that their own clients read.

Hugging Face: huggingface_hub 2.4, hf_api.py (ModelInfo, RepoFile, list_repo_tree with its `Link` pages), file_download.py
(hf_hub_url, redirects to a file server), utils/_http.py (X-Error-Code, X-Error-Message). ModelScope: modelscope_hub,
_legacy_api.py (list_repo_files, get_download_url) and errors.py. Both from one `HubServer`, with faults on order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.servers.loopback import RESET, Answer, Asked, LoopbackServer

COMMIT = "c0ffee" * 6 + "beef"
LARGE = (".gguf", ".safetensors", "tokenizer.json")
"""What .gitattributes usually sends to LFS."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@dataclass
class HubServer:
    """`repositories[name][path]` is a file's content. Faults are used up in order, one a request for a file's content.

    A fault is a number (the body ends after so many bytes), `RESET`, or an `Answer`. `damaged` are paths that come with one
    byte changed, `listed` sizes that the list gives instead of the true ones. `gated` needs the key, unknown names get 401
    like private ones. `file_server` is where large files are redirected to; `page_files` how many a page of the list has.
    """

    repositories: dict[str, dict[str, bytes]]
    faults: list[Any] = field(default_factory=list)
    ranges: bool = True
    damaged: set[str] = field(default_factory=set)
    listed: dict[str, int] = field(default_factory=dict)
    gated: bool = False
    key: str = "hf_right"
    file_server: str = ""
    page_files: int = 1000

    def serve(self) -> LoopbackServer:
        server = LoopbackServer(self._answer)
        self.server = server
        return server

    @property
    def file_requests(self) -> list[Asked]:
        return [a for a in self.server.asked if "/resolve/" in a.path or "/files/" in a.path or "FilePath=" in a.path]

    @property
    def ranges_asked(self) -> list[str | None]:
        return [asked.headers.get("range") for asked in self.file_requests]

    def _answer(self, asked: Asked) -> Answer:
        url = urlsplit(asked.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        path = unquote(url.path).strip("/")
        if path.startswith("api/v1/models/"):
            return self._modelscope(asked, path.removeprefix("api/v1/models/"), query)
        if path.startswith("files/"):  # the file server that resolve redirects to
            name, _, file = path.removeprefix("files/").partition("/-/")
            return self._content(asked, self.repositories[name][file], file)
        return self._hugging_face(asked, path, query)

    # ── Hugging Face ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _hugging_face(self, asked: Asked, path: str, query: dict[str, str]) -> Answer:
        authorised = asked.headers.get("authorization") == f"Bearer {self.key}"
        api = path.startswith("api/models/")
        parts = path.removeprefix("api/models/").split("/")
        name, rest = "/".join(parts[:2]), parts[2:]
        files = self.repositories.get(name)
        if files is None:
            return _refused(401, "RepoNotFound", "Repository not found")
        if api and rest == ["revision", "main"]:
            return Answer.of_json({"id": name, "sha": COMMIT, "private": False, "gated": "auto" if self.gated else False})
        if api and rest == ["tree", COMMIT] and query["recursive"] == "true":
            return self._tree(name, files, int(query.get("cursor", 0)))
        if not api and rest[0] == "resolve" and rest[1] == COMMIT:
            if self.gated and not authorised:
                return _refused(401, "GatedRepo", f"Access to model {name} is restricted")
            file = "/".join(rest[2:])
            if file not in files:
                return _refused(404, "EntryNotFound", "Entry not found")
            if file.endswith(LARGE) and self.file_server:
                return Answer(status=302, headers={"location": f"{self.file_server}/files/{name}/-/{file}"})
            return self._content(asked, files[file], file)
        return _refused(404, "RevisionNotFound", "Invalid rev id")

    def _tree(self, name: str, files: dict[str, bytes], start: int) -> Answer:
        entries: list[dict[str, Any]] = [{"type": "directory", "oid": git_sha1(b""), "size": 0, "path": "figures"}]
        for path, content in files.items():
            entry = {"type": "file", "oid": git_sha1(content), "size": self.listed.get(path, len(content)), "path": path}
            if path.endswith(LARGE):
                entry["lfs"] = {"oid": sha256(content), "size": entry["size"], "pointerSize": 134}
                entry["oid"] = git_sha1(b"pointer")  # of the LFS pointer, which is not what comes
            entries.append(entry)
        end = start + self.page_files
        more = {"link": f'<https://hub.example/api/models/{name}/tree/{COMMIT}?recursive=true&cursor={end}>; rel="next"'}
        answer = Answer.of_json(entries[start:end])
        return Answer(body=answer.body, headers=more if end < len(entries) else {})

    # ── ModelScope ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _modelscope(self, asked: Asked, path: str, query: dict[str, str]) -> Answer:
        name, rest = "/".join(path.split("/")[:2]), path.split("/")[2:]
        files = self.repositories.get(name)
        if files is None or query["Revision"] != "master":
            said = {"Code": 10010205001, "Message": "record not found", "RequestId": "r", "Success": False}
            return Answer.of_json(said, status=404)
        if rest == ["repo", "files"] and query["Recursive"] == "True":
            listed: list[dict[str, Any]] = [{"Name": "figures", "Path": "figures", "Size": 0, "Sha256": "", "Type": "tree"}]
            for file, content in files.items():
                size = self.listed.get(file, len(content))
                listed.append({"Name": file, "Path": file, "Size": size, "Sha256": sha256(content), "Type": "blob"})
            return Answer.of_json({"Code": 200, "Data": {"Files": listed}, "Message": "success", "Success": True})
        return self._content(asked, files[query["FilePath"]], query["FilePath"])

    # ── content ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _content(self, asked: Asked, content: bytes, path: str) -> Answer:
        if path in self.damaged:
            content = content[:-1] + bytes((content[-1] ^ 1,))
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Answer):
            return fault
        start, status, headers = 0, 200, {"etag": f'"{sha256(content)}"'}
        if self.ranges and (wanted := asked.headers.get("range")):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last or len(content)), len(content) - 1)
            if start >= len(content):
                return Answer(status=416, headers={"content-range": f"bytes */{len(content)}"})
            status, headers["content-range"] = 206, f"bytes {start}-{end}/{len(content)}"
            content = content[start : end + 1]
        headers["content-length"] = str(len(content))
        body: Iterable[Any] = (content,)
        if fault is not None:
            headers["connection"] = "close"
            body = (content[: len(content) // 2], RESET) if fault is RESET else (content[:fault],)
        return Answer(status=status, body=body, content_type="binary/octet-stream", headers=headers)


def _refused(status: int, code: str, message: str) -> Answer:
    body = Answer.of_json({"error": message}).body
    return Answer(status=status, body=body, headers={"x-error-code": code, "x-error-message": message})
