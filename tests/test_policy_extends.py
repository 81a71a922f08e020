"""`extends`: what a policy takes from another, in what order, and what goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen_router.errors import InvalidPolicy
from qwen_router.policy import Policy


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder's policies."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").mkdir()
    return tmp_path / "policies"


def write(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.yaml").write_text(f"name: {name}\n{text}", encoding="utf-8")


def test_what_the_child_leaves_unsaid_is_the_parents_mapping_by_mapping(folder: Path) -> None:
    write(folder, "base", "objective: {minimise: memory, quality_slack: 0.3}\nlimits: {max_total_s: 9}\nquants: [q8_0]\n")
    write(folder, "mine", "extends: base\nobjective: {quality_slack: 0.1}\nlimits: {max_memory_mib: 5}\n")
    mine = Policy.load("mine")
    assert (mine.objective.minimise, mine.objective.quality_slack, mine.objective.patience_s) == ("memory", 0.1, 60)
    assert (mine.limits.max_total_s, mine.limits.max_memory_mib) == (9, 5)
    assert mine.quants == ("q8_0",)


def test_a_list_replaces_the_parents_list_but_rules_add_up_parent_first(folder: Path) -> None:
    write(folder, "base", "quants: [q8_0, bf16]\nrules: [{name: a, then: {thinking: on}}]\n")
    write(folder, "mine", "extends: base\nquants: [q4_K_M]\nrules: [{name: b, then: {thinking: off}}]\n")
    mine = Policy.load("mine")
    assert mine.quants == ("q4_K_M",)
    assert [rule.name for rule in mine.rules] == ["a", "b"]


def test_the_childs_null_takes_away_the_parents_limit(folder: Path) -> None:
    write(folder, "base", "objective: {patience_s: 5}\nlimits: {max_total_s: 9}\n")
    write(folder, "mine", "extends: base\nobjective: {patience_s: null}\nlimits: {max_total_s: null}\n")
    mine = Policy.load("mine")
    assert (mine.objective.patience_s, mine.limits.max_total_s) == (None, None)


def test_a_grandparents_values_come_through_and_names_descriptions_and_cases_do_not(folder: Path) -> None:
    case = "tests: [{name: c, text: hi, expect: {thinking: off}}]\n"
    write(folder, "old", f"description: the old one\nquants: [q2_K]\nrules: [{{name: a, then: {{thinking: on}}}}]\n{case}")
    write(folder, "base", f"extends: old\ndescription: the base\nfallback: {{attempts: 7}}\n{case}")
    write(folder, "mine", "extends: base\n")
    mine = Policy.load("mine")
    assert (mine.name, mine.description, mine.tests, mine.extends) == ("mine", "", (), "base")
    assert (mine.quants, mine.fallback.attempts, [r.name for r in mine.rules]) == (("q2_K",), 7, ["a"])


def test_a_bare_on_of_the_parent_stays_on(folder: Path) -> None:
    write(folder, "base", "thinking: {mode: on}\nrules: [{name: a, then: {thinking: off}}]\n")
    write(folder, "mine", "extends: base\n")
    mine = Policy.load("mine")
    assert (mine.thinking.mode, mine.rules[0].then.thinking) == ("on", "off")


@pytest.mark.parametrize(
    ("links", "told"),
    [
        pytest.param({"mine": "mine"}, ("mine -> mine",), id="itself"),
        pytest.param({"mine": "b", "b": "mine"}, ("mine -> b -> mine",), id="each-other"),
        pytest.param({"mine": "b", "b": "c", "c": "b"}, ("b -> c -> b",), id="two-ancestors-one-another"),
        pytest.param({"mine": "balancd"}, ("line 2", "'balancd'", "'balanced'"), id="no-such-parent-names-the-close-one"),
    ],
)
def test_circles_and_missing_parents_are_told_with_the_line(
    folder: Path, links: dict[str, str], told: tuple[str, ...]
) -> None:
    for name, parent in links.items():
        write(folder, name, f"extends: {parent}\n")
    with pytest.raises(InvalidPolicy) as caught:
        Policy.load("mine")
    for part in told:
        assert part in str(caught.value)


def test_a_circle_through_a_file_whose_name_is_not_the_policys_is_found_too(folder: Path) -> None:
    (folder / "base.yaml").write_text("name: something-else\nextends: base\n")
    with pytest.raises(InvalidPolicy, match="circle"):
        Policy.load("base")


def test_a_mistake_in_the_parent_is_told_with_the_parents_file(folder: Path) -> None:
    write(folder, "base", "limits: {max_total_s: -1}\n")
    write(folder, "mine", "extends: base\n")
    with pytest.raises(InvalidPolicy, match=r"base\.yaml, line 2"):
        Policy.load("mine")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("name: x\nquants: &q [q8_0]\nprices: *q\n", ("line 3", "alias *q"), id="alias"),
        pytest.param(
            "name: x\na: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", ("line 3", "alias *a"), id="a-billion-laughs"
        ),
        pytest.param("name: x\nobjective: &o {}\n<<: *o\n", ("line 3", "alias *o"), id="merge-key"),
        pytest.param("name: x\nrules: " + "[" * 5000 + "]" * 5000, ("nested too deeply",), id="5000-brackets"),
        pytest.param("name: x\nrules: " + "{a: " * 3000 + "1" + "}" * 3000, ("nested too deeply",), id="3000-braces"),
        pytest.param(
            "name: x\nrules:\n  - name: a\n    when: {min_depth: 0.8, max_depth: 0.2}\n    then: {thinking: on}\n",
            ("line 4", "rules.0.when", "min_depth 0.8 is above max_depth 0.2"),
            id="bounds-the-wrong-way-round",
        ),
        pytest.param(
            "name: x\nrules:\n  - name: a\n    when: {min_load: 0.9, max_load: 0.1}\n    then: {thinking: on}\n",
            ("line 4", "min_load 0.9 is above max_load 0.1"),
            id="load-the-wrong-way-round",
        ),
        pytest.param("name: x\nrules:\n  - name: a\n    then: {}\n", ("line 4", "asks for nothing"), id="an-empty-then"),
        pytest.param(
            "name: x\nrules:\n  - name: a\n    when: {hours: 9-17}\n    then: {thinking: on}\n",
            ("line 4", "rules.0.when.hours", "'9-17'"),
            id="hours-in-another-shape",
        ),
        pytest.param(
            "name: x\nprices: [{input_usd_per_mtok: 0, output_usd_per_mtok: 1}]\n",
            ("line 2", "prices.0.input_usd_per_mtok", "greater than 0"),
            id="a-price-of-nothing",
        ),
        pytest.param(
            "name: x\nprices:\n  - {input_usd_per_mtok: 1, output_usd_per_mtok: -1}\n",
            ("line 3", "output_usd_per_mtok"),
            id="a-negative-price",
        ),
        pytest.param("name: x\ndescription: 2020-99-99\n", ("a value is none", "quotes"), id="a-date-that-no-calendar-has"),
        pytest.param("name: x\nrules: 3\n", ("line 2", "rules is 3", "a list"), id="a-number-for-a-list"),
        pytest.param("name: x\nobjective: 3\n", ("line 2", "objective is 3", "keys of Objective"), id="a-number-for-keys"),
        pytest.param("name: x\nthinking: {mode: " + "y" * 500 + "}\n", ("line 2", "yyy..."), id="a-long-value-is-cut"),
        pytest.param("name: x\nthinking: {mode: sk-" + "aB3" * 9 + "}\n", ("line 2", "sk-a***"), id="a-secret-is-masked"),
        pytest.param("name: x\nbudgets: {per_day: {cost_usd: 0}}\n", ("line 2", "budgets.per_day.cost_usd"), id="no-budget"),
        pytest.param("name: x\nlimits: {max_total_s: .nan}\n", ("line 2", "limits.max_total_s"), id="not-a-number"),
        pytest.param("name: x\nobjective: {floor: 1.5}\n", ("line 2", "objective.floor"), id="a-floor-above-certainty"),
        pytest.param(
            "name: x\ntests: [{name: c, text: hi}]\n", ("line 2", "tests.0.expect", "missing"), id="expects-nothing"
        ),
    ],
)
def test_a_file_that_means_harm_or_contradicts_itself_is_refused(text: str, told: tuple[str, ...]) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        Policy.from_yaml(text, name="mine.yaml")
    for part in ("mine.yaml", *told):
        assert part in str(caught.value)


def test_a_file_of_ten_megabytes_is_refused_before_it_is_read_whole(folder: Path) -> None:
    (folder / "big.yaml").write_bytes(b"name: big\n" + b"# padding\n" * 1024 * 1024)
    with pytest.raises(InvalidPolicy, match="larger than 1 MiB"):
        Policy.load("big")


def test_a_file_that_a_policy_extends_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "base.yaml").write_text("name: base\nlimits: {min_quality: 0.3}")
    (tmp_path / "deep" / "mine.yaml").write_text("name: mine\nextends: base.yaml")
    monkeypatch.chdir(tmp_path)
    assert Policy.load(tmp_path / "deep" / "mine.yaml").limits.min_quality == 0.3
