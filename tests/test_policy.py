"""Policies are found by name, read strictly, and their mistakes are told with line and key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qwen_router.catalog import Catalog
from qwen_router.decide.planner import Planner
from qwen_router.decide.policy_check import uncovered
from qwen_router.errors import InvalidPolicy, UnknownName
from qwen_router.hardware.presets import machine
from qwen_router.policy import Policy, json_schema, policy_names
from qwen_router.policy.lint import Linted, lint


def test_every_shipped_policy_is_valid_and_named_like_its_file() -> None:
    assert set(SHIPPED) <= set(policy_names())
    for name in policy_names():
        assert Policy.load(name).name == name


SHIPPED = (
    "agents",
    "balanced",
    "cheap",
    "coding-team",
    "edge",
    "enterprise",
    "fast",
    "laptop",
    "maths-class",
    "multilingual-support",
    "offline-private",
    "quality",
    "start-small",
    "vision-documents",
)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_policy_is_a_readable_page_with_cases_on_machines_by_name(name: str, repository: Path) -> None:
    text = (repository / "policies" / f"{name}.yaml").read_text(encoding="utf-8")
    policy = Policy.load(name)
    assert text.startswith("# ") and len(text.splitlines()) <= 90
    assert policy.description
    assert 3 <= len(policy.tests) <= 6
    assert all(case.machine for case in policy.tests)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_policy_is_clean_wherever_its_cases_run(name: str) -> None:
    linted, catalog = Linted.read(name), Catalog.load()
    assert lint(linted, catalog) == ()
    for where in {case.machine for case in linted.policy.tests if case.machine}:
        assert uncovered(linted, Planner(machine(where), catalog)) == ()


def test_the_four_objectives_decide_as_they_did_before_they_had_cases() -> None:
    found = {
        name: (p.objective.minimise, p.objective.patience_s, p.objective.quality_slack, p.thinking.budgets_tokens)
        for name in ("balanced", "fast", "quality", "cheap")
        if (p := Policy.load(name))
    }
    assert found == {
        "balanced": ("latency", 60, 0.05, (1024, 4096, 16384)),
        "fast": ("latency", 15, 0.15, (512, 2048)),
        "quality": ("latency", None, 0.005, (4096, 16384, 32768)),
        "cheap": ("energy", 60, 0.15, (512, 2048)),
    }
    assert all(Policy.load(name).rules == () for name in found)


def test_every_key_of_the_schema_and_every_shipped_policy_is_named_on_the_page(repository: Path) -> None:
    page = (repository / "docs" / "policy.md").read_text(encoding="utf-8")
    schema = json_schema()
    keys = {*schema["properties"], *(key for part in schema["$defs"].values() for key in part.get("properties", {}))}
    missing = sorted(key for key in keys if not re.search(rf"(?<![\w-]){re.escape(key)}(?![\w-])", page))
    assert missing == []
    assert [name for name in SHIPPED if f"`{name}`" not in page] == []


def test_a_policy_of_the_working_folder_wins_over_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "balanced.yaml").write_text("name: balanced\ndescription: mine\n")
    monkeypatch.chdir(tmp_path)
    assert Policy.load("balanced").description == "mine"
    assert Policy.load("fast").name == "fast"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            "name: x\nobjective:\n  minimize: latency\n", ("line 3", "'objective.minimize'", "'minimise'"), id="misspelt-key"
        ),
        pytest.param("name: x\nlimits:\n  max_total_s: -3\n", ("line 3", "limits.max_total_s", "-3"), id="negative-limit"),
        pytest.param(
            "name: x\nrules:\n  - name: a\n    then: {thinkng: on}\n",
            ("line 4", "thinkng", "'thinking'"),
            id="key-in-a-rule",
        ),
        pytest.param(
            "name: x\nrules:\n  - name: a\n    when: {domains: [maths]}\n    then: {}\n",
            ("line 4", "'maths'", "'math'"),
            id="domain",
        ),
        pytest.param("name: x\nrules:\n  - name: a\n", ("line 3", "then", "missing"), id="missing-key"),
        pytest.param("name: x\n a: [\n", ("line 2",), id="not-yaml"),
        pytest.param("- a\n", ("list",), id="a-list"),
        pytest.param("", ("NoneType",), id="empty"),
        pytest.param("name: X Y\n", ("line 1", "name", "'X Y'"), id="bad-name"),
        pytest.param("name: x\ncontext: {buckets_tokens: [8192, 4096]}\n", ("line 2", "rise"), id="falling-buckets"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_key(text: str, told: tuple[str, ...]) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        Policy.from_yaml(text, name="mine.yaml")
    message = str(caught.value)
    assert "mine.yaml" in message
    for part in told:
        assert part in message


def test_a_bare_on_or_off_of_yaml_means_what_it_says() -> None:
    text = "name: x\nthinking: {mode: off}\nrules:\n  - {name: a, then: {thinking: on}}\n"
    policy = Policy.from_yaml(text)
    assert (policy.thinking.mode, policy.rules[0].then.thinking) == ("off", "on")


def test_an_unknown_policy_names_the_close_one() -> None:
    with pytest.raises(UnknownName, match="'balanced'"):
        Policy.load("balancd")


@pytest.mark.parametrize(
    ("content", "problem"),
    [pytest.param(None, "cannot read", id="missing"), pytest.param(b"name: \xff\n", "not UTF-8", id="latin-1")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidPolicy, match=problem) as caught:
        Policy.load(path)
    assert "mine.yaml" in caught.value.problem
