"""`qwen-router policy ...` as a person or a CI job meets it: output, exit codes, bad input."""

from __future__ import annotations

import gzip
import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from qwen_router import cli
from qwen_router.policy import policy_names
from tests.test_cli import lines, run

BOARD = ("--machine", "raspberry-pi-5-8")
REQUESTS = [
    {"id": "a", "text": "Prove that the square root of 2 is irrational."},
    {"id": "b", "messages": [{"role": "user", "content": "Hello!"}]},
    {"id": "c", "text": "Write a Python function that reverses a list.", "tools": False},
    {"id": "d", "text": "Translate into German: The door is open.", "user": "anna", "metadata": {"groups": ["x"]}},
]


@pytest.fixture
def log(tmp_path: Path) -> str:
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in REQUESTS) + "\n\n{broken\n")
    return str(path)


def write(tmp_path: Path, text: str, name: str = "mine") -> str:
    path = tmp_path / f"{name}.yaml"
    path.write_text(f"name: {name}\n{text}")
    return str(path)


def policy(*words: str, stdin: bytes = b"") -> tuple[int, str, str]:
    return here("policy", *words, stdin=stdin)


def here(*words: str, stdin: bytes = b"") -> tuple[int, str, str]:
    """(exit code, output, errors) of a command, through the entry point but in this process: there are many of them."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["qwen-router", *words])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        patch.setenv("OLLAMA_HOST", "127.0.0.1:1")
        if cli.app.registered_commands:  # once a process is enough
            patch.setattr(cli, "register", lambda: None)
        with pytest.raises(SystemExit) as ended:
            cli.main()
    read = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    code = ended.value.code or 0
    assert isinstance(code, int) and "Traceback" not in read[0] + read[1]
    return code, read[0], read[1]


# ── list, show, schema, diff ────────────────────────────────────────────────────────────────────────────────────────


def test_list_names_every_policy_with_what_it_does() -> None:
    code, out, _ = policy("list", "--json")
    rows = {str(row["name"]): row for row in lines(out)}
    assert code == 0 and set(rows) == set(policy_names())
    assert all(row["description"] and row["path"] for row in rows.values())
    assert rows["laptop"]["extends"] == "balanced"
    assert "balanced" in policy("list")[1]


def test_the_group_and_each_of_its_commands_have_help() -> None:
    code, out, _ = run("policy", "--help")
    assert code == 0
    for command in ("list", "show", "lint", "test", "simulate", "diff", "schema"):
        assert command in out and run("policy", command, "--help")[0] == 0


def test_a_broken_policy_is_listed_as_broken_and_hides_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policies").mkdir()
    write(tmp_path / "policies", "limits: {max_total: 3}\n", "odd")
    monkeypatch.chdir(tmp_path)
    code, out, _ = policy("list")
    assert code == 0 and "BROKEN" in out and "balanced" in out


def test_show_prints_the_file_and_resolved_everything_that_counts(tmp_path: Path) -> None:
    path = write(tmp_path, "extends: fast\nlimits: {max_memory_mib: 5}\n# a comment\n")
    plain, resolved = policy("show", path)[1], policy("show", path, "--resolved")[1]
    assert "# a comment" in plain and "patience_s" not in plain
    assert "patience_s: 15.0" in resolved and "max_memory_mib: 5.0" in resolved
    assert json.loads(policy("show", path, "--resolved", "--json")[1])["objective"]["patience_s"] == 15


def test_schema_is_a_json_schema_that_knows_the_keys(tmp_path: Path) -> None:
    schema = json.loads(policy("schema")[1])
    assert schema["title"] == "qwen-router policy" and "objective" in schema["properties"]
    out = tmp_path / "schema.json"
    assert policy("schema", "--out", str(out))[0] == 0
    assert json.loads(out.read_text()) == schema
    code, _, err = policy("schema", "--out", str(tmp_path / "no" / "folder.json"))
    assert code == 2 and "cannot write" in err


def test_diff_names_the_keys_that_differ_and_with_a_log_the_requests(log: str, tmp_path: Path) -> None:
    code, out, _ = policy("diff", "balanced", "fast")
    assert code == 0 and "objective.patience_s: 60.0 -> 15.0" in out
    assert "no key differs" in policy("diff", "fast", "fast")[1]
    pinned = write(tmp_path, "extends: balanced\nrules: [{name: one, then: {pin: Qwen3-0.6B}}]\n")
    code, out, err = policy("diff", "balanced", pinned, "--jsonl", log, *BOARD, "--json")
    found = json.loads(out)
    assert code == 0 and found["keys"] == {"rules[one]": [None, {"at": 0, "then": {"pin": "Qwen3-0.6B"}}]}
    assert {row["id"] for row in found["requests"]} <= {"a", "b", "c", "d"} and found["requests"]
    assert "1 of 5 lines" in err


# ── lint ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_lint_exits_1_on_errors_and_0_with_warnings_only(tmp_path: Path) -> None:
    wrong = write(tmp_path, "rules:\n  - {name: a, then: {pin: Qwen3-8X}}\n", "wrong")
    code, out, _ = policy("lint", wrong, *BOARD)
    assert code == 1 and "error: wrong.yaml, line 3 (rules.0.then.pin): no model is called 'Qwen3-8X'" in out
    assert "did you mean 'Qwen3-8B'" in out
    idle = write(tmp_path, "objective: {minimise: cost}\n", "idle")
    code, out, _ = policy("lint", idle, *BOARD)
    assert code == 0 and "warning: idle.yaml, line 2" in out
    code, out, _ = policy("lint", "balanced", *BOARD)
    assert code == 0 and out == "balanced.yaml: nothing found\n"


def test_lint_for_programs_and_on_a_given_machine(tmp_path: Path) -> None:
    path = write(tmp_path, "limits: {max_total_s: 0.001}\n")
    code, out, _ = policy("lint", path, *BOARD, "--json")
    findings = json.loads(out)["findings"]
    assert code == 1 and [(f["kind"], f["line"]) for f in findings] == [("no-candidate", 2)]
    assert "raspberry-pi-5-8" in findings[0]["problem"]


def test_a_secret_is_never_printed_whole(tmp_path: Path) -> None:
    secret = "sk-" + "aB3dE6gH9jK2mN5pQ8rS"
    code, out, err = policy("lint", write(tmp_path, f"description: {secret}\n"), *BOARD)
    assert code == 1 and secret not in out + err and "sk-a***" in out


# ── test ────────────────────────────────────────────────────────────────────────────────────────────────────────────

CASES = """
rules: [{name: tiny, then: {require: {sizes: [tiny]}, thinking: off}}]
tests:
  - {name: holds, text: Hello!, machine: raspberry-pi-5-8, expect: {rule: tiny, size: tiny, thinking: off}}
"""


def test_cases_are_run_and_each_prints_what_was_decided(tmp_path: Path) -> None:
    path = write(tmp_path, CASES)
    code, out, _ = policy("test", path)
    assert code == 0 and out.startswith("pass  mine: holds, raspberry-pi-5-8: Qwen")
    assert "1 of 1 cases passed" in out


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        pytest.param("{size: huge}", "the size is tiny, not huge", id="size"),
        pytest.param("{model: QwQ-32B}", "not QwQ-32B", id="model"),
        pytest.param("{not_model: '*'}", "which * means", id="not-model"),
        pytest.param("{family: qwq}", "not qwq", id="family"),
        pytest.param("{thinking: on}", "thinking is off, not on", id="thinking"),
        pytest.param("{rule: other}", "the rule 'other' did not apply (applied: 'tiny')", id="rule"),
        pytest.param("{nothing_fits: true}", "something fits", id="nothing-fits"),
        pytest.param("{min_quality: 1.0}", "below 1", id="quality"),
        pytest.param("{max_total_s: 0.000001}", "more than 1e-06", id="time"),
    ],
)
def test_a_case_that_fails_says_why_and_exits_1(tmp_path: Path, expect: str, told: str) -> None:
    path = write(tmp_path, CASES + f"  - {{name: fails, text: Hello!, machine: raspberry-pi-5-8, expect: {expect}}}\n")
    code, out, _ = policy("test", path)
    assert code == 1 and "FAIL  mine: fails" in out and told in out and "1 of 2 cases passed" in out


def test_a_case_may_expect_that_nothing_fits(tmp_path: Path) -> None:
    cases = "tests:\n  - {name: none, text: Hello!, machine: raspberry-pi-5-8, expect: {nothing_fits: true}}\n"
    path = write(tmp_path, "rules: [{name: nobody, then: {forbid: {models: ['*']}}}]\n" + cases)
    code, out, _ = policy("test", path, "--json")
    (row,) = lines(out)
    assert code == 0 and row["passed"] is True and row["decided"] is None and row["rules"] == ["nobody"]


def test_a_named_policy_without_cases_fails(tmp_path: Path) -> None:
    code, _, err = policy("test", write(tmp_path, ""))
    assert code == 1 and "no cases" in err


def test_the_cases_of_every_shipped_policy_pass() -> None:
    code, out, _ = policy("test")
    assert code == 0, "\n".join(line for line in out.splitlines() if not line.startswith("pass"))


# ── simulate ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_simulate_says_what_each_policy_would_do_and_what_changes(log: str) -> None:
    code, out, err = policy("simulate", "--jsonl", log, "--policy", "fast", "--against", "quality", *BOARD, "--json")
    report = json.loads(out)
    assert code == 0 and report["requests"] == 4 and "1 of 5 lines could not be read" in err
    for side in ("new", "old"):
        assert sum(share for _, share in report[side]["models"]) == pytest.approx(1)
        quality = report[side]["measures"]["quality"]
        assert quality["low"] <= quality["mean"] <= quality["high"] and quality["count"] == 4
    assert report["differences"]["quality"]["mean"] <= 0
    assert 0 <= report["switch_rate"]["mean"] <= 1
    text = policy("simulate", "--jsonl", log, "--policy", "fast", "--against", "quality", *BOARD)[1]
    for word in ("thinking", "swaps", "quality", "time", "energy", "cost", "other model", "fast less quality"):
        assert word in text


@pytest.mark.parametrize(
    ("new", "old", "limit", "code"),
    [
        pytest.param("fast", "quality", ("--max-quality-drop", "0.001"), 1, id="quality-falls-too-far"),
        pytest.param("fast", "quality", ("--max-quality-drop", "0.9"), 0, id="quality-falls-as-far-as-allowed"),
        pytest.param("quality", "fast", ("--max-quality-drop", "0.001"), 0, id="quality-rises"),
        pytest.param("quality", "fast", ("--max-latency-rise", "0.01"), 1, id="time-rises-too-far"),
        pytest.param("fast", "quality", ("--max-latency-rise", "0.01"), 0, id="time-falls"),
        pytest.param("fast", "fast", ("--max-quality-drop", "0", "--max-latency-rise", "0"), 0, id="nothing-changes"),
    ],
)
def test_limits_for_ci(log: str, new: str, old: str, limit: tuple[str, ...], code: int) -> None:
    found, _, err = policy("simulate", "--jsonl", log, "--policy", new, "--against", old, *BOARD, *limit)
    assert found == code
    assert ("LIMIT PASSED" in err) is (code == 1)


def test_a_limit_without_something_to_compare_with_is_refused(log: str) -> None:
    code, _, err = policy("simulate", "--jsonl", log, "--policy", "fast", "--max-quality-drop", "0.1")
    assert code == 2 and "--against" in err


def test_simulate_reads_gzip_and_standard_input(log: str, tmp_path: Path) -> None:
    raw = Path(log).read_bytes()
    packed = tmp_path / "log.jsonl.gz"
    packed.write_bytes(gzip.compress(raw))
    plain = policy("simulate", "--jsonl", log, "--policy", "fast", *BOARD, "--json")[1]
    assert policy("simulate", "--jsonl", str(packed), "--policy", "fast", *BOARD, "--json")[1] == plain
    assert policy("simulate", "--jsonl", "-", "--policy", "fast", *BOARD, "--json", stdin=raw)[1] == plain


def test_simulate_replays_a_decision_log_without_any_text(tmp_path: Path) -> None:
    from qwen_router.decision_log import entry
    from qwen_router.policy import Circumstances
    from qwen_router.request import Request
    from qwen_router.router import Router

    router = Router(machine="raspberry-pi-5-8", engines=())
    path = tmp_path / "decisions.jsonl"
    with path.open("w") as file:
        for number in range(3):
            request = Request.of(f"What is {number} + {number}?")
            now = Circumstances(minute_of_day=23 * 60, weekday="sat")
            file.write(json.dumps(entry(request, router.route(request), now)) + "\n")
    night = "rules: [{name: night, when: {hours: '22:00-06:00'}, then: {pin: Qwen3-0.6B}}]\n"
    code, out, err = policy("simulate", "--jsonl", str(path), "--policy", write(tmp_path, night), *BOARD, "--json")
    report = json.loads(out)
    assert (code, report["requests"], err) == (0, 3, "")
    assert report["new"]["models"][0][0].startswith("Qwen3-0.6B")  # the log's clock counts


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        pytest.param(("show", "balancd"), 2, "'balanced'", id="misspelt-policy"),
        pytest.param(("lint", "nowhere.yaml"), 2, "nowhere.yaml", id="no-such-file"),
        pytest.param(("lint", "balanced", "-m", "rtx-4091"), 2, "rtx-4090", id="misspelt-machine"),
        pytest.param(("test", "fast", "balancd"), 2, "'balanced'", id="one-of-two-misspelt"),
        pytest.param(("diff", "fast"), 2, "", id="one-policy-is-no-difference"),
        pytest.param(("simulate", "--policy", "fast"), 2, "--jsonl", id="no-log"),
        pytest.param(("simulate", "--policy", "fast", "--jsonl", "nowhere.jsonl"), 2, "nowhere.jsonl", id="no-such-log"),
        pytest.param(
            ("simulate", "--policy", "fast", "--jsonl", "-", "-m", "rtx-4090"), 2, "holds no request", id="empty-log"
        ),
    ],
)
def test_bad_input_is_told_and_exits_2(words: tuple[str, ...], code: int, told: str) -> None:
    found, _, err = policy(*words)
    assert found == code and told in err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("extends: mine\n", "line 2: extends goes round", id="circle"),
        pytest.param("limits:\n  max_total: 3\n", "line 3: the key 'limits.max_total' is unknown", id="unknown-key"),
        pytest.param("quants: &a [q8_0]\nprices: *a\n", "line 3: the alias *a", id="alias"),
    ],
)
@pytest.mark.parametrize("command", ["show", "lint", "test"])
def test_a_file_that_is_no_policy_exits_2_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, text: str, told: str
) -> None:
    (tmp_path / "policies").mkdir()
    write(tmp_path / "policies", text)
    monkeypatch.chdir(tmp_path)
    code, _, err = policy(command, "mine")
    assert code == 2 and "mine.yaml" in err and told in err
