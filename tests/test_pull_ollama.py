"""Pulling through Ollama: its own stream, as its source sends it, becomes progress and errors of ours.

Shapes: api/types.go, PullRequest and ProgressResponse; server/routes.go, PullHandler and streamResponse (an error before
anything else is a status, later a line); server/images.go, PullModel; server/download.go, blobDownload.Wait
(github.com/ollama/ollama at fb3076099).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from qwen_router.errors import EngineError, EngineNonsense, EngineUnreachable, NotEnoughDisk, RouterError, UnknownName
from qwen_router.pull.ollama import answers, pull_tag, store
from tests.servers.loopback import RESET, Answer, Asked, LoopbackServer
from tests.servers.ollama_schema import faults_of

LAYER, CONFIG = "sha256:" + "a3de86cd1c13" + "0" * 52, "sha256:" + "05a61d37b084" + "0" * 52
GIB = 1024**3


def layer(done_bytes: int, total_bytes: int, digest: str = LAYER) -> dict[str, Any]:
    """server/download.go, Wait; zeroes are left out (omitempty)."""
    line = {"status": f"pulling {digest[7:19]}", "digest": digest, "total": total_bytes, "completed": done_bytes}
    return {name: value for name, value in line.items() if value}


MANIFEST = {"status": "pulling manifest"}
END = ({"status": "verifying sha256 digest"}, {"status": "writing manifest"}, {"status": "success"})
WHOLE = (MANIFEST, layer(0, 4000), layer(2000, 4000), layer(4000, 4000), layer(500, 500, CONFIG), *END)


def ollama(lines: Iterable[Any], *, status: int = 200) -> LoopbackServer:
    body = [line if not isinstance(line, dict) else json.dumps(line).encode() + b"\n" for line in lines]

    def answer(asked: Asked) -> Answer:
        if asked.path == "/api/tags":
            return Answer.of_json({"models": []})
        assert (asked.method, asked.path) == ("POST", "/api/pull")
        assert faults_of("PullRequest", asked.body) == [] and asked.body["stream"] is True
        return Answer(status=status, body=body, content_type="application/x-ndjson")

    return LoopbackServer(answer)


@pytest.mark.loopback
def test_every_line_of_the_stream_becomes_progress() -> None:
    with ollama(WHOLE) as server:
        assert answers(server.url)
        steps = [(s.phase, s.name, s.done_bytes, s.total_bytes) for s in pull_tag(server.url, "qwen3:8b")]
    assert steps == [
        ("pulling manifest", "", 0, None),
        ("downloading", "a3de86cd1c13", 0, 4000),
        ("downloading", "a3de86cd1c13", 2000, 4000),
        ("downloading", "a3de86cd1c13", 4000, 4000),
        ("downloading", "05a61d37b084", 500, 500),
        ("verifying sha256 digest", "", 0, None),
        ("writing manifest", "", 0, None),
        ("success", "", 0, None),
    ]
    assert server.bodies[-1]["model"] == "qwen3:8b"


def test_the_lines_sent_here_are_those_of_ollama_s_types() -> None:
    for line in (*WHOLE, layer(0, 10**12)):
        assert faults_of("ProgressResponse", line) == []
    for line in (ABSENT, OFFLINE, MISMATCH):
        assert faults_of("Error", line) == []
    assert faults_of("ProgressResponse", {"state": "success"}) != [] != faults_of("PullRequest", {"name": "qwen3:8b"})


ABSENT = {"error": "pull model manifest: file does not exist"}
OFFLINE = {"error": 'pull model manifest: Get "https://library.example/v2/": dial tcp: lookup library.example: no such host'}
MISMATCH = {"error": f"digest mismatch, file must be downloaded again: want {LAYER}, got {CONFIG}"}


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("lines", "status", "error", "said"),
    [
        pytest.param((MANIFEST, ABSENT), 200, UnknownName, "Ollama's library has no 'qwen3:9b'", id="no-such-tag"),
        pytest.param((ABSENT,), 500, UnknownName, "--from huggingface", id="no-such-tag-at-once"),
        pytest.param((MANIFEST, OFFLINE), 200, EngineUnreachable, "'qwen3:9b' is missing", id="the-server-is-offline"),
        pytest.param((MANIFEST, layer(1, 4), MISMATCH), 200, EngineError, f"want {LAYER}, got {CONFIG}", id="checksum"),
        pytest.param((MANIFEST, layer(1, 4), MISMATCH), 200, EngineError, "goes on where it stopped", id="checksum-fix"),
        pytest.param(({"error": "invalid model name"},), 400, EngineError, "invalid model name", id="bad-name"),
        pytest.param((MANIFEST, layer(1, 4), RESET), 200, EngineError, "goes on where it stopped", id="reset"),
        pytest.param((MANIFEST, layer(1, 4)), 200, EngineError, "ended without success", id="end-without-success"),
        pytest.param((b"<html>\n",), 200, EngineNonsense, "does not allow", id="no-json"),
        pytest.param(({"completed": 1},), 200, EngineNonsense, "a line without a status", id="no-status"),
    ],
)
def test_what_goes_wrong_is_told_in_our_words(
    lines: tuple[Any, ...], status: int, error: type[RouterError], said: str
) -> None:
    with ollama(lines, status=status) as server, pytest.raises(error) as caught:
        list(pull_tag(server.url, "qwen3:9b"))
    assert said in str(caught.value)


@pytest.mark.loopback
def test_a_server_that_is_not_there_is_named() -> None:
    assert not answers("http://127.0.0.1:1")
    with pytest.raises(EngineUnreachable, match="ollama serve"):
        list(pull_tag("http://127.0.0.1:1", "qwen3:8b"))


@pytest.mark.loopback
def test_a_model_that_has_no_room_is_stopped_with_both_numbers(tmp_path: Path) -> None:
    endless = (MANIFEST, *(layer(n, 10**16) for n in range(1, 2000)))
    with ollama((*endless, 0.1, *endless)) as server:
        with pytest.raises(NotEnoughDisk, match=r"needs 9313225\.75 GiB more .* has [\d.]+ GiB free") as caught:
            list(pull_tag(server.url, "qwen3:8b", store=tmp_path))
        assert "OLLAMA_MODELS" in caught.value.fix
        assert server.left_early.wait(5)  # leaving is what makes Ollama stop


def test_the_store_is_known_on_this_computer_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("qwen_router.pull.ollama.STORES", ("~/.ollama/models",))
    assert store("http://127.0.0.1:11434") is None
    (tmp_path / ".ollama" / "models").mkdir(parents=True)
    assert store("http://127.0.0.1:11434") == tmp_path / ".ollama" / "models"
    assert store("http://127.0.0.1:11434", tmp_path) == tmp_path
    assert store("http://box.example:11434", tmp_path) is None


@pytest.mark.loopback
def test_the_command_pulls_by_the_tag_of_the_catalog_when_ollama_runs(tmp_path: Path) -> None:
    with ollama(WHOLE) as server:
        done = subprocess.run(
            [sys.executable, "-m", "qwen_router", "pull", "Qwen3-8B"], env={**os.environ, "OLLAMA_HOST": server.url},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, "done. use it: qwen-router ask --model Qwen3-8B TEXT\n"), done.stderr
        assert f"qwen3:8b through Ollama at {server.url}, about 4." in done.stderr
        assert "downloading a3de86cd1c13: " in done.stderr and "verifying sha256 digest" in done.stderr
        assert [body["model"] for body in server.bodies] == ["qwen3:8b"]
