"""The command line as a person meets it: text in, lines out, the right exit code, never a traceback."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from qwen_router.profile.types import DOMAINS

COMMAND = [sys.executable, "-m", "qwen_router"]
CLASSIFY_KEYS = {
    "id",
    "domain",
    "domains",
    "depth",
    "difficulty",
    "language",
    "output_languages",
    "modalities",
    "confidence",
    "abstained",
    "input_tokens",
    "elapsed_us",
}
ROUTE_KEYS = {
    "id",
    "model",
    "quant",
    "engine",
    "thinking",
    "context_tokens",
    "sampling",
    "predicted",
    "fallbacks",
    "reason",
    "profile",
}


def run(*words: str, stdin: bytes = b"", environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    env = {**os.environ, "OLLAMA_HOST": "127.0.0.1:1", **(environment or {})}  # nobody listens on port 1
    done = subprocess.run([*COMMAND, *words], input=stdin, capture_output=True, timeout=120, env=env, check=False)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in err and "Traceback" not in out
    return done.returncode, out, err


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_help_lists_every_command_and_each_has_its_own() -> None:
    code, out, _ = run("--help")
    assert code == 0
    for command in ("classify", "route", "ask", "models", "hardware", "fit", "doctor", "serve", "demo"):
        assert command in out
        assert run(command, "--help")[0] == 0


def test_lines_come_back_in_order_with_their_ids_and_a_broken_one_does_not_stop_the_run() -> None:
    stdin = b"\n".join(
        [
            b'{"id": "a", "text": "What is 2 + 2?", "domain": "math", "tools": false}',
            b"{broken",
            b'{"id": 3, "messages": [{"role": "robot", "content": "hi"}]}',
            b'{"id": "bytes", "text": "\xff"}',
            b"[1]",
            b'{"id": "none"}',
            b'{"id": "m", "messages": [{"role": "user", "content": "\xe4\xbd\xa0\xe5\xa5\xbd"}]}',
            b'{"text": "no id"}',
        ]
    )
    code, out, err = run("route", "--jsonl", "-", stdin=stdin)
    assert (code, err.strip()) == (0, "5 of 8 lines could not be read; each carries its error")
    found = lines(out)
    assert [line["id"] for line in found] == ["a", None, 3, None, None, "none", "m", 8]
    assert ["error" in line for line in found] == [False, True, True, True, True, True, False, False]
    assert "line 2" in str(found[1]["error"]) and "'robot'" in str(found[2]["error"])
    assert ROUTE_KEYS <= set(found[0]) and CLASSIFY_KEYS - {"id"} <= set(found[0]["profile"])  # type: ignore[call-overload]


def test_classify_lines_hold_the_contracts_keys_from_a_gzip_file_too(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": 1, "text": "Write a haiku about rain."}\n'))
    code, out, _ = run("classify", "--jsonl", str(path))
    (line,) = lines(out)
    assert code == 0 and set(line) >= CLASSIFY_KEYS
    assert tuple(line["domains"]) == DOMAINS  # type: ignore[arg-type]
    assert sum(line["domains"].values()) == pytest.approx(1, abs=0.01)  # type: ignore[attr-defined]


def test_classify_and_route_agree_on_the_profile() -> None:
    ask = "Translate 'good morning' into French."
    profile = json.loads(run("classify", "--json", ask)[1])
    routed = json.loads(run("route", "--json", ask)[1])["profile"]
    del profile["elapsed_us"], routed["elapsed_us"]
    assert profile == routed


@pytest.mark.parametrize(
    ("words", "stdin", "code", "told"),
    [
        pytest.param(("route", ""), b"", 2, "empty", id="empty-text"),
        pytest.param(("route",), b"  \n ", 2, "empty", id="blank-stdin"),
        pytest.param(("route",), b"caf\xe9", 2, "0xe9", id="latin-1-stdin"),
        pytest.param(("route", "--jsonl", "missing.jsonl"), b"", 2, "missing.jsonl", id="missing-file"),
        pytest.param(("route", "--attach", "missing.png", "what?"), b"", 2, "missing.png", id="missing-attachment"),
        pytest.param(("route", "--policy", "balancd", "hi"), b"", 2, "'balanced'", id="misspelt-policy"),
        pytest.param(("route", "--objective", "fastest", "hi"), b"", 2, "'fast'", id="misspelt-objective"),
        pytest.param(("route", "--machine", "rtx-4091", "hi"), b"", 2, "rtx-4090", id="misspelt-machine"),
        pytest.param(("route", "--candidates", "Qwen3-8C", "hi"), b"", 2, "Qwen3-8B", id="misspelt-candidate"),
        pytest.param(("route", "--candidates", "", "hi"), b"", 2, "--candidates", id="no-candidate"),
        pytest.param(("route", "--jsonl", "-"), b"{broken", 1, "1 of 1 lines", id="every-line-broken"),
        pytest.param(("ask", "--model", "Qwen3-8B", "hi"), b"", 3, "ollama pull qwen3:8b", id="model-not-installed"),
        pytest.param(("ask", "--model", "qwen3:8c", "hi"), b"", 2, "qwen3:8b", id="misspelt-model"),
        pytest.param(("ask", "--engine", "olama", "hi"), b"", 2, "'ollama'", id="misspelt-engine"),
        pytest.param(("ask", "--engine", "ollama", "hi"), b"", 4, "11434|127.0.0.1:1", id="engine-down"),
        pytest.param(("fit", "Qwen3-8C"), b"", 2, "Qwen3-8B", id="fit-misspelt"),
        pytest.param(("fit", "Qwen3-8B", "--quant", "q4_K_X"), b"", 2, "q4_K_M", id="fit-misspelt-quant"),
        pytest.param(("fit", "Qwen3-8B", "--context", "0"), b"", 2, "context", id="fit-no-context"),
        pytest.param(("fit", "Qwen3-8B", "--context", "900000"), b"", 2, "32768", id="fit-context-past-the-limit"),
        pytest.param(("fit", "Qwen3-235B-A22B", "--machine", "rtx-3060-12"), b"", 3, "", id="does-not-fit"),
        pytest.param(("models", "--family", "qwen33"), b"", 2, "'qwen3'", id="misspelt-family"),
        pytest.param(("route", "--no-such-option"), b"", 2, "No such option", id="unknown-option"),
    ],
)
def test_bad_input_gets_one_clear_error_and_the_right_exit_code(
    words: tuple[str, ...], stdin: bytes, code: int, told: str
) -> None:
    found, out, err = run(*words, stdin=stdin)
    assert found == code, err + out
    assert any(part in err + out for part in told.split("|"))


def test_a_policy_with_a_typo_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nobjective:\n  minimize: latency\n")
    code, _, err = run("route", "--policy", str(path), "hi")
    assert code == 2 and "line 3" in err and "'minimise'" in err


def test_five_megabytes_of_text_are_routed_or_refused_by_context() -> None:
    code, out, _ = run("route", "--json", stdin=b"word " * 1_000_000)
    line = json.loads(out)
    assert line["profile"]["input_tokens"] > 900_000
    assert (code, line["model"]) in ((3, None),) or line["context_tokens"] > 900_000


def test_fit_prints_every_part_that_programs_rely_on() -> None:
    code, out, _ = run("fit", "Qwen3-8B", "--quant", "q4_K_M", "--context", "8192", "--machine", "rtx-4090", "--json")
    line = json.loads(out)
    assert code == 0 and line["fits"]
    keys = (
        "weights_mib",
        "kv_mib",
        "state_mib",
        "compute_mib",
        "vision_mib",
        "total_mib",
        "max_context_tokens",
        "decode_tps",
        "prefill_tps",
    )
    assert all(line[key] is not None for key in keys)


@pytest.mark.parametrize("engine", ["llamacpp", "transformers"])
@pytest.mark.parametrize("think", ["--think", "--no-think"])
def test_a_real_engine_answers_with_and_without_thinking_and_leaves_no_tag(engine: str, think: str) -> None:
    code, out, err = run("ask", "--engine", engine, think, "--seed", "3", "--json", "What is 12 + 34 + 20?")
    assert code == 0, err
    reply = json.loads(out)
    assert reply["thinking"] is (think == "--think") and bool(reply["reasoning"]) is (think == "--think")
    assert reply["answer"].strip() and "<" not in reply["answer"]
    assert "demonstration" in reply["notice"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for child processes")
def test_ctrl_c_ends_cleanly(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "route", "--jsonl", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(3)
    for _ in range(20):  # a signal that comes while a library starts may be swallowed by it
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
            break
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.decode().strip() in ("", "interrupted")


def test_classify_explain_names_words_and_what_would_flip_the_domain() -> None:
    code, out, _ = run("classify", "--explain", "Translate into French: the train is late")
    assert code == 0 and "domain: translation rather than" in out and "to flip it:" in out
    code, out, _ = run("classify", "--explain", "--json", "What is 12 * 13?")
    told = json.loads(out)
    assert code == 0 and told["words"][0]["what"] and {"form", "against", "flips"} <= told.keys()


def test_train_fits_ones_own_labels_keeps_them_only_if_better_and_goes_back(tmp_path: Path) -> None:
    home = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    data = tmp_path / "mine.jsonl"
    asks = [("tools", f"incident {i} in the billing service, page the owner") for i in range(30)]
    asks += [("writing", f"draft note {i} that thanks the billing team") for i in range(30)]
    data.write_text("".join(json.dumps({"text": text, "domain": domain}) + "\n" for domain, text in asks))
    code, out, _ = run("train", "--data", str(data), "--dry-run", environment=home)
    assert code == 0 and "would be written" in out and not (tmp_path / "config").exists()
    code, out, _ = run("train", "--data", str(data), "--json", environment=home)
    told = json.loads(out)
    assert code == 0 and told["better"] and Path(told["written"]).is_file()
    ask = "incident 77 in the billing service, page the owner"
    assert json.loads(run("classify", "--json", ask, environment=home)[1])["domain"] == "tools"
    code, out, _ = run("train", "--reset", environment=home)
    assert code == 0 and "in use again" in out and not Path(told["written"]).exists()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param('{"text": "x", "domain": "maths"}', "did you mean 'math'", id="misspelt-domain"),
        pytest.param('{"text": "", "domain": "math"}', "line 1 has no text", id="no-text"),
        pytest.param("not json", "line 1 is not JSON", id="not-json"),
        pytest.param('{"text": "hi", "domain": "chat"}', "too few labelled requests", id="too-few"),
    ],
)
def test_train_tells_what_is_wrong_with_the_labels(line: str, told: str, tmp_path: Path) -> None:
    data = tmp_path / "mine.jsonl"
    data.write_text(line + "\n")
    code, _, err = run("train", "--data", str(data), environment={"XDG_CONFIG_HOME": str(tmp_path)})
    assert code == 2 and told in err
