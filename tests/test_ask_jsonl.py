"""`ask --jsonl` as a person meets it: lines in, lines out, killed and gone on with, torn, interrupted, given nonsense."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from qwen_router.cli.ask_many import Survey, _Count, _counting
from qwen_router.cli.journal import fingerprint, key_of, opened
from qwen_router.errors import InvalidRequest
from qwen_router.request import Request
from tests.servers.openai_server import openai_server
from tests.servers.script import Say
from tests.test_cli import COMMAND, lines, run

NANO = {"QWEN_ROUTER_ENDPOINTS": "", "QWEN_ROUTER_DECISIONS": "off"}
IN_PROCESS = ("--engine", "llamacpp", "--no-think")
ALREADY = "requests are answered already"


def sums(path: Path, count: int) -> Path:
    """A file of sums with the ids q0, q1, ..."""
    rows = ({"id": f"q{i}", "text": f"{i % 90 + 10} + {i % 70 + 13}?"} for i in range(count))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def ask(path: Path | str, *words: str, stdin: bytes = b"") -> tuple[int, list[dict[str, Any]], str]:
    code, out, err = run("ask", "--jsonl", str(path), *IN_PROCESS, *words, stdin=stdin, environment=NANO)
    return code, lines(out), err


def answered(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def started(path: Path, out: Path, *, stderr: Any = subprocess.PIPE) -> subprocess.Popen[bytes]:
    env = {**os.environ, **NANO, "OLLAMA_HOST": "127.0.0.1:1"}
    words = [*COMMAND, "ask", "--jsonl", str(path), "--out", str(out), *IN_PROCESS]
    return subprocess.Popen(words, env=env, stderr=stderr, stdout=subprocess.DEVNULL)


def wait_for(what: Any, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def has_lines(path: Path, count: int) -> bool:
    return path.exists() and path.read_bytes().count(b"\n") >= count


# ── what comes out ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_lines_come_in_the_order_of_the_input_with_id_place_and_answer(tmp_path: Path) -> None:
    code, rows, err = ask(sums(tmp_path / "in.jsonl", 30), "--concurrency", "4")
    assert code == 0
    assert [row["id"] for row in rows] == [f"q{i}" for i in range(30)]
    assert [row["index"] for row in rows] == [*range(30)]
    assert all(row["model"] == "qwen-router/qwen3-nano" and row["answer"] and "reasoning" not in row for row in rows)
    assert "30 answered" in err and "a second" in err
    assert "\r" not in err and "\x1b" not in err  # no bar where nobody watches


def test_a_bad_line_is_a_named_error_in_its_place_and_the_rest_is_answered() -> None:
    stdin = b'{"id":1,"text":"12 + 30?"}\nnot json\n\n{"id":"x"}\n{"text":"3 + 4?"}\n[]\n{"id":"u","text":"\xff"}\n'
    code, rows, err = ask("-", stdin=stdin)
    assert code == 1 and "2 answered, 4 failed" in err
    assert [row.get("error_type", "ok") for row in rows] == [
        "ok",
        "InvalidRequest",
        "InvalidRequest",
        "ok",
        *["InvalidRequest"] * 2,
    ]
    assert "line 2 is not JSON" in rows[1]["error"] and rows[2]["id"] == "x"
    assert rows[3]["id"] == 5  # known by its line


def test_a_line_may_ask_for_what_a_chat_body_may(tmp_path: Path) -> None:
    asked = [
        {"id": "a", "text": "12 + 30?", "think": True},
        {"id": "b", "text": "12 + 30?", "max_tokens": 2},
        {"id": "c", "text": "12 + 30?", "model": "Qwen3-8B"},
        {"id": "d", "text": "12 + 30?", "temperature": "hot"},
        {"id": "e", "text": "12 + 30?", "domain": "math", "source": "a data set's own"},
    ]
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, asked)), "utf-8")
    code, out, _ = run("ask", "--jsonl", str(path), "--engine", "llamacpp", environment=NANO)
    rows = lines(out)
    assert code == 1
    assert (rows[0]["thinking"], rows[1]["finish_reason"]) == (True, "length")
    assert "the wished model is not served" in rows[2]["error"] and "temperature" in rows[3]["error"] and rows[4]["answer"]
    assert len({row["request"] for row in rows if row.get("request")}) >= 3


def test_thinking_is_in_the_lines_when_it_is_wanted(tmp_path: Path) -> None:
    path = sums(tmp_path / "in.jsonl", 2)
    words = ("ask", "--jsonl", str(path), "--engine", "llamacpp", "--think", "--reasoning")
    code, out, _ = run(*words, environment=NANO)
    assert code == 0 and all(row["reasoning"] for row in lines(out))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["--jsonl", "missing.jsonl"], "cannot read 'missing.jsonl'", id="no-such-file"),
        pytest.param(["--jsonl", "-", "hello"], "--jsonl goes with neither text", id="text-beside-a-file"),
        pytest.param(["--jsonl", "-", "-t", "mathematics"], "neither --template nor --set", id="template-beside-a-file"),
        pytest.param(["--no-think", "--budget", "9", "hello"], "leaves nothing for --budget", id="budget-without-thinking"),
        pytest.param(["--out", "a.jsonl", "hello"], "need --jsonl", id="out-without-a-file"),
        pytest.param(["--jsonl", "-", "--fresh"], "--fresh needs --out", id="fresh-without-out"),
        pytest.param(["--jsonl", "-", "--model", "qwen3-nan"], "qwen3-nano", id="misspelt-model-names-the-near-one"),
        pytest.param(["--jsonl", "-", "--out", "/nowhere/a.jsonl"], "cannot write", id="out-in-no-folder"),
        pytest.param(["--jsonl", "-", "--out", "/"], "is no file", id="out-is-a-folder"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_answered(words: list[str], said: str) -> None:
    code, out, err = run("ask", *words, "--engine", "llamacpp", stdin=b'{"id": 1, "text": "1 + 2?"}\n', environment=NANO)
    assert code in (1, 2) and said in err and "try:" in err and out == ""


def test_the_input_is_never_overwritten_by_its_answers(tmp_path: Path) -> None:
    path = sums(tmp_path / "in.jsonl", 2)
    before = path.read_text()
    code, _, err = ask(path, "--out", str(path), "--fresh")
    assert code == 2 or code == 1
    assert "--out is the input itself" in err and path.read_text() == before


def test_an_empty_file_is_done_at_once(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("\n\n")
    code, rows, err = ask(tmp_path / "in.jsonl", "--out", str(tmp_path / "out.jsonl"))
    assert (code, rows) == (0, []) and "0 answered" in err


@pytest.mark.loopback
def test_a_server_gets_many_at_once_and_one_that_dies_gives_exit_code_4(tmp_path: Path) -> None:
    together, lock = [0, 0], threading.Lock()

    def say(_body: dict[str, Any]) -> Say:
        with lock:
            together[0] += 1
            together[1] = max(together)
        time.sleep(0.05)
        with lock:
            together[0] -= 1
        return Say(content="fine")

    path = sums(tmp_path / "in.jsonl", 24)
    with openai_server(say) as server:
        env = {"QWEN_ROUTER_ENDPOINTS": f"{server.url}/v1", "QWEN_ROUTER_DECISIONS": "off"}
        words = ("ask", "--jsonl", str(path), "--engine", "openai", "--concurrency", "6")
        code, out, _ = run(*words, environment=env)
    assert code == 0 and len(lines(out)) == 24
    assert 2 <= together[1] <= 6
    code, out, err = run(*words, environment=env)  # nobody there any more
    assert code == 4 and out == "" and "Traceback" not in err


# ── killed, torn, interrupted ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_killed_run_is_gone_on_with_nothing_lost_and_nothing_twice(tmp_path: Path) -> None:
    path, out = sums(tmp_path / "in.jsonl", 400), tmp_path / "out.jsonl"
    for reached in (20, 120):
        process = started(path, out)
        wait_for(lambda reached=reached: has_lines(out, reached))
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=30) == -signal.SIGKILL
        process.communicate()
        kept = out.read_bytes()
        assert reached <= kept.count(b"\n") < 400
    code, _, err = ask(path, "--out", str(out))
    assert code == 0 and ALREADY in err
    assert out.read_bytes().startswith(kept.rpartition(b"\n")[0])  # what was kept was not asked again
    ids = [row["id"] for row in answered(out)]
    assert len(ids) == 400 and set(ids) == {f"q{i}" for i in range(400)}
    whole = out.read_bytes()
    code, _, err = ask(path, "--out", str(out))
    assert code == 0 and f"400 of 400 {ALREADY}" in err and out.read_bytes() == whole


@pytest.mark.parametrize("torn_bytes", [1, 2, 40, 10_000], ids=["newline", "brace", "middle", "nearly-all"])
def test_a_last_line_torn_by_a_kill_is_mended(tmp_path: Path, torn_bytes: int) -> None:
    out = tmp_path / "out.jsonl"
    ids = {f"q{i}": fingerprint(Request.from_text(f"{i}?")) for i in range(3)}
    rows = [{"id": key, "index": i, "request": told, "answer": "é" * 20} for i, (key, told) in enumerate(ids.items())]
    whole = [json.dumps(row).encode() + b"\n" for row in rows]
    kept = max(1, len(whole[2]) - torn_bytes)
    out.write_bytes(b"".join(whole[:2]) + whole[2][:kept])
    with opened(out) as journal:
        assert journal.torn
        left = {key_of(key) for key in ids} - journal.answered.keys()
        assert left == (set() if torn_bytes == 1 else {key_of("q2")})
        if left:
            journal.add(rows[2])
    assert out.read_bytes() == b"".join(whole)
    assert not list(tmp_path.glob("*.tmp"))


def test_lines_that_failed_are_tried_again_and_do_not_stay_beside_their_answers(tmp_path: Path) -> None:
    path, out = sums(tmp_path / "in.jsonl", 3), tmp_path / "out.jsonl"
    assert ask(path, "--out", str(out))[0] == 0
    first, second, third = answered(out)
    failed = {**{k: second[k] for k in ("id", "index", "request")}, "error": "gone", "error_type": "EngineUnreachable"}
    out.write_text("".join(json.dumps(row) + "\n" for row in (first, failed, third)))
    code, _, err = ask(path, "--out", str(out))
    assert code == 0 and f"2 of 3 {ALREADY}, 1 that failed are tried again" in err
    assert sorted(row["id"] for row in answered(out)) == ["q0", "q1", "q2"]
    assert not any("error" in row for row in answered(out))


def test_answers_to_other_requests_are_never_taken_for_these(tmp_path: Path) -> None:
    path, out = sums(tmp_path / "in.jsonl", 3), tmp_path / "out.jsonl"
    assert ask(path, "--out", str(out))[0] == 0
    before = out.read_bytes()
    path.write_text(path.read_text().replace("10 + 13?", "77 + 13?"))
    code, _, err = ask(path, "--out", str(out))
    assert code != 0 and "1 of 3 answers in" in err and '("q0")' in err and out.read_bytes() == before
    code, _, err = ask(path, "--out", str(out), "--fresh")
    assert code == 0 and "3 answered" in err and len(answered(out)) == 3


def test_a_file_that_is_none_of_ours_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "notes.txt"
    out.write_text("dear diary\n")
    code, _, err = ask(sums(tmp_path / "in.jsonl", 1), "--out", str(out))
    assert code != 0 and "no answer of ours" in err and out.read_text() == "dear diary\n"


def test_two_runs_never_write_one_file(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with opened(out), pytest.raises(InvalidRequest, match="being written by another run"), opened(out):
        pass


def test_an_id_that_stands_twice_is_answered_once_and_named(tmp_path: Path) -> None:
    path, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    path.write_text('{"id": 1, "text": "1 + 2?"}\n{"id": "1", "text": "5 + 6?"}\n{"id": 1, "text": "3 + 4?"}\n')
    code, _, err = ask(path, "--out", str(out))
    assert code == 1 and "1 id stands more than once in the input (1 on lines 1 and 3)" in err
    rows = answered(out)
    assert sorted((row["index"], "error" in row) for row in rows) == [(0, False), (1, False), (2, True)]


def test_ctrl_c_ends_it_in_one_line_and_what_is_answered_stays(tmp_path: Path) -> None:
    path, out = sums(tmp_path / "in.jsonl", 3000), tmp_path / "out.jsonl"
    process = started(path, out)
    wait_for(lambda: has_lines(out, 10))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err  # and no abort by a thread that comes back from llama.cpp too late
    told = err.decode()
    rows = answered(out)
    assert "Traceback" not in told and f"{len(rows)} answered, {3000 - len(rows)} left (the same command" in told
    assert 10 <= len(rows) < 3000 and len({row["id"] for row in rows}) == len(rows)


# ── the bar ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_pace_and_the_time_left_are_of_this_run_alone() -> None:
    now = [100.0]
    count = _Count(Survey(total=100, done=40), lambda _: None, clock=lambda: now[0])
    assert count.left_s is None
    count.failed, now[0] = 20, 110.0
    assert (count.done, count.left_s, count.elapsed_s) == (60, 20.0, 10.0)


def test_a_terminal_sees_a_bar_with_tokens_a_second_and_the_time_left(tmp_path: Path) -> None:
    path, out = sums(tmp_path / "in.jsonl", 300), tmp_path / "out.jsonl"
    reader, terminal = pty.openpty()
    process = started(path, out, stderr=terminal)
    os.close(terminal)
    seen = b""
    while True:
        try:
            piece = os.read(reader, 4096)
        except OSError:  # Linux says so at the end
            break
        if not piece:
            break
        seen += piece
    os.close(reader)
    assert process.wait(timeout=30) == 0
    told = seen.decode(errors="replace")
    assert "/300" in told and "tokens/s" in told and "left" in told and "qwen3-nano" in told
    assert "300 answered" in told


def test_no_bar_is_drawn_where_stderr_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    with _counting(Survey(total=3)) as count:
        count.ended(InvalidRequest("x", fix="y"))
    assert written.getvalue() == "" and count.failed == 1
