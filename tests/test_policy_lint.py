"""What lint finds, where it says it is, and what it leaves alone."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from qwen_router.catalog import Catalog
from qwen_router.catalog.quants import QUANTS
from qwen_router.decide.candidates import Build, advised_builds, fits
from qwen_router.decide.planner import Planner
from qwen_router.decide.policy_check import kinds_of, uncovered
from qwen_router.hardware.presets import machine
from qwen_router.policy import Builds, Policy, When
from qwen_router.policy.builds import meant
from qwen_router.policy.effect import applies
from qwen_router.policy.lint import Finding, Linted, lint
from qwen_router.policy.lint_rules import CAN_THINK, twin_of
from qwen_router.policy.overlap import implies, minutes_of, overlap
from qwen_router.policy.secrets import secrets_in

CATALOG = Catalog.load()


@cache
def planner(name: str = "rtx-4090") -> Planner:
    return Planner(machine(name), CATALOG)


def found(text: str, kind: str = "") -> list[Finding]:
    return [f for f in lint(Linted.of(f"name: x\n{text}", name="x.yaml"), CATALOG) if kind in ("", f.kind)]


def one(text: str, kind: str) -> Finding:
    findings = found(text, kind)
    assert len(findings) == 1, findings
    return findings[0]


# ── conditions ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("left", "right", "overlaps", "left_implies_right"),
    [
        pytest.param({}, {}, True, True, id="always-and-always"),
        pytest.param({"domains": ["math"]}, {}, True, True, id="narrow-and-always"),
        pytest.param({}, {"domains": ["math"]}, True, False, id="always-and-narrow"),
        pytest.param({"domains": ["math"]}, {"domains": ["code"]}, False, False, id="other-domains"),
        pytest.param({"domains": ["math"]}, {"domains": ["math", "code"]}, True, True, id="a-domain-among-several"),
        pytest.param({"languages": ["en"]}, {"languages": ["sw"]}, True, False, id="a-request-may-have-two-languages"),
        pytest.param(
            {"modalities": ["image"]}, {"modalities": ["audio"]}, True, False, id="a-request-may-have-two-modalities"
        ),
        pytest.param({"min_depth": 0.5}, {"max_depth": 0.4}, False, False, id="bounds-apart"),
        pytest.param({"min_depth": 0.5}, {"max_depth": 0.5}, True, False, id="bounds-touching"),
        pytest.param({"min_depth": 0.5}, {"min_depth": 0.4}, True, True, id="a-tighter-bound"),
        pytest.param({}, {"min_depth": 0.0}, True, True, id="a-bound-that-bounds-nothing"),
        pytest.param({}, {"min_load": 0.0}, True, False, id="an-unknown-load-meets-no-bound"),
        pytest.param({"max_load": 0.2}, {"min_load": 0.0}, True, True, id="a-known-load-meets-zero"),
        pytest.param({"has_tools": True}, {"has_tools": False}, False, False, id="with-and-without-tools"),
        pytest.param({"hours": "22:00-06:00"}, {"hours": "05:00-09:00"}, True, False, id="hours-past-midnight"),
        pytest.param({"hours": "22:00-06:00"}, {"hours": "06:00-22:00"}, False, False, id="night-and-day"),
        pytest.param({"hours": "23:00-01:00"}, {"hours": "22:00-06:00"}, True, True, id="hours-within-the-night"),
        pytest.param({"users": ["anna"]}, {"users": ["bert"]}, False, False, id="two-users"),
        pytest.param({"users": ["Anna"]}, {"users": ["an*"]}, True, True, id="a-user-of-a-pattern"),
        pytest.param({"users": ["a*"]}, {"users": ["*b"]}, True, False, id="two-patterns-may-share-a-user"),
        pytest.param({"groups": ["a"]}, {"groups": ["b"]}, True, False, id="one-may-be-in-two-groups"),
        pytest.param({"days": ["mon"]}, {"days": ["tue"]}, False, False, id="two-days"),
    ],
)
def test_conditions_are_compared(
    left: dict[str, object], right: dict[str, object], overlaps: bool, left_implies_right: bool
) -> None:
    one_, other = When.model_validate(left), When.model_validate(right)
    assert (overlap(one_, other), overlap(other, one_)) == (overlaps, overlaps)
    assert implies(one_, other) is left_implies_right


def test_the_minutes_of_hours_are_those_in_which_the_rule_applies() -> None:
    assert len(minutes_of("09:00-17:00")) == 480
    assert minutes_of("23:59-00:01") == {1439, 0}


# ── rules ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rules", "line", "told"),
    [
        pytest.param(
            "rules:\n  - {name: a, when: {hours: '09:00-09:00'}, then: {thinking: on}}\n",
            3,
            "'a' never applies",
            id="no-hours",
        ),
        pytest.param(
            "rules:\n  - {name: a, when: {domains: [math]}, then: {thinking: on}}\n  - {name: b, then: {thinking: off}}\n",
            3,
            "'a' has no effect: 'b'",
            id="overridden-by-a-wider-one",
        ),
        pytest.param(
            "rules:\n  - {name: a, then: {policy: fast}}\n"
            "  - {name: b, when: {domains: [math]}, then: {prefer: {sizes: [small]}}}\n",
            4,
            "'b' has no effect: 'a'",
            id="sent-to-another-policy-by-an-earlier-one",
        ),
    ],
)
def test_a_rule_without_effect_is_found_with_its_line(rules: str, line: int, told: str) -> None:
    finding = one(rules, "unreachable-rule")
    assert (finding.severity, finding.line) == ("error", line)
    assert told in finding.problem


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(
            "rules:\n  - {name: a, then: {thinking: off}}\n  - {name: b, when: {domains: [math]}, then: {thinking: on}}\n",
            id="the-exception-after-the-rule",
        ),
        pytest.param(
            "rules:\n  - {name: a, when: {min_depth: 0.2}, then: {thinking: on}}\n"
            "  - {name: b, when: {min_depth: 0.5}, then: {thinking: off}}\n",
            id="overridden-in-part-of-its-cases",
        ),
        pytest.param(
            "rules:\n  - {name: a, then: {require: {sizes: [small, medium]}}}\n"
            "  - {name: b, then: {forbid: {sizes: [small]}}}\n",
            id="requirements-that-add-up",
        ),
        pytest.param(
            "rules:\n  - {name: a, when: {domains: [math]}, then: {pin: Qwen3-8B}}\n"
            "  - {name: b, when: {domains: [code]}, then: {pin: Qwen3-4B}}\n",
            id="two-pins-that-never-meet",
        ),
    ],
)
def test_sound_rules_are_left_alone(rules: str) -> None:
    assert found(rules) == []


def test_a_rule_overridden_in_part_is_a_warning_that_names_the_key() -> None:
    text = "rules:\n  - {name: a, then: {pin: Qwen3-8B, thinking: on}}\n  - {name: b, then: {thinking: off}}\n"
    finding = one(text, "no-effect")
    assert (finding.severity, finding.key, finding.line) == ("warning", "rules.0.then.thinking", 3)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("{pin: Qwen3-8B}", "{pin: Qwen3-4B}", id="two-pins"),
        pytest.param("{pin: Qwen3-8B}", "{forbid: {families: [qwen3]}}", id="a-pin-that-is-forbidden"),
        pytest.param(
            "{forbid: {models: ['*Coder*', 'codeqwen*', qwen3-coder*]}}",
            "{require: {families: [qwen2.5-coder]}}",
            id="a-requirement-that-is-forbidden",
        ),
        pytest.param("{require: {sizes: [small]}}", "{require: {sizes: [huge]}}", id="requirements-that-share-nothing"),
        pytest.param("{require: {engines: [ollama]}}", "{require: {engines: [llamacpp]}}", id="two-engines"),
        pytest.param("{require: {quants: ['q4*']}}", "{require: {quants: [q8_0]}}", id="two-quantisations"),
    ],
)
def test_contradictions_are_found_where_the_conditions_overlap_and_only_there(first: str, second: str) -> None:
    text = (
        "rules:\n  - {{name: a, when: {{domains: [math]}}, then: {}}}\n  - {{name: b, when: {{domains: [{}]}}, then: {}}}\n"
    )
    finding = one(text.format(first, "math", second), "contradiction")
    assert (finding.severity, finding.line) == ("error", 4)
    assert "'a'" in finding.problem and "'b'" in finding.problem
    assert found(text.format(first, "code", second), "contradiction") == []


def test_rules_for_two_groups_are_only_warned_about_since_one_may_be_in_both() -> None:
    text = (
        "rules:\n  - {name: a, when: {groups: [red]}, then: {pin: Qwen3-8B}}\n"
        "  - {name: b, when: {groups: [blue]}, then: {pin: Qwen3-4B}}\n"
    )
    finding = one(text, "contradiction")
    assert finding.severity == "warning" and "of both" in finding.problem


def test_a_rule_that_contradicts_itself_or_the_privacy_is_found() -> None:
    own = one("rules: [{name: a, then: {pin: Qwen3-8B, forbid: {models: [qwen3-8b]}}}]\n", "contradiction")
    assert "'a' leaves no build" in own.problem
    kept = one(
        "privacy: {engines: [ollama]}\nrules: [{name: a, then: {require: {engines: [transformers]}}}]\n", "contradiction"
    )
    assert "privacy.engines" in kept.problem


# ── thinking ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "twin"),
    [
        pytest.param(
            "rules: [{name: a, then: {pin: Qwen3-4B-Instruct-2507, thinking: on}}]\n",
            "Qwen/Qwen3-4B-Thinking-2507",
            id="the-thinking-twin",
        ),
        pytest.param(
            "rules: [{name: a, then: {pin: Qwen3-30B-A3B-Thinking-2507, thinking: off}}]\n",
            "Qwen/Qwen3-30B-A3B-Instruct-2507",
            id="the-twin-that-does-not",
        ),
        pytest.param(
            "thinking: {mode: on}\nrules: [{name: a, then: {pin: Qwen3-VL-8B-Instruct}}]\n",
            "Qwen/Qwen3-VL-8B-Thinking",
            id="the-policys-own-mode",
        ),
        pytest.param(
            "rules: [{name: a, then: {thinking: on}}, {name: b, when: {domains: [math]}, then: {pin: QwQ-32B}}, "
            "{name: c, when: {domains: [math]}, then: {thinking: off}}]\n",
            "Qwen/Qwen3-32B",
            id="the-last-rules-mode",
        ),
        pytest.param(
            "rules: [{name: a, when: {domains: [math]}, then: {pin: Qwen3-4B-Instruct-2507}}, "
            "{name: b, when: {min_depth: 0.9}, then: {thinking: on}}]\n",
            "Qwen/Qwen3-4B-Thinking-2507",
            id="a-rule-that-may-apply-with-it",
        ),
    ],
)
def test_thinking_that_cannot_be_names_the_twin_that_can(text: str, twin: str) -> None:
    finding = one(text, "thinking")
    assert finding.severity == "error"
    assert twin in finding.fix or "QwQ" in text


def test_thinking_of_a_model_that_can_toggle_is_left_alone() -> None:
    assert found("rules: [{name: a, then: {pin: Qwen3-8B, thinking: on}}]\n") == []


def test_a_twin_takes_what_the_model_takes() -> None:
    seeing = CATALOG.get("Qwen2.5-VL-7B-Instruct")
    twin = twin_of(seeing, CAN_THINK, CATALOG.models)
    assert twin is not None and "image" in twin.modalities and twin.thinking.behaviour in CAN_THINK


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "told", "fix"),
    [
        pytest.param("rules: [{name: a, then: {pin: Qwen3-8X}}]\n", "'Qwen3-8X'", "Qwen3-8B", id="pinned-model"),
        pytest.param(
            "rules: [{name: a, then: {forbid: {models: ['*Codr*']}}}]\n", "'*Codr*' matches no model", "", id="pattern"
        ),
        pytest.param(
            "rules: [{name: a, then: {prefer: {families: [qwen2.5-codr]}}}]\n", "no family", "qwen2.5-coder", id="family"
        ),
        pytest.param(
            "rules: [{name: a, then: {require: {quants: [fp16]}}}]\n", "no quantisation", "'f16'", id="an-alias-in-a-rule"
        ),
        pytest.param("quants: [q4_k_n]\n", "no quantisation", "q4_K_M", id="quantisation"),
        pytest.param("rules: [{name: a, then: {policy: fst}}]\n", "no policy", "'fast'", id="policy"),
        pytest.param(
            "rules: [{name: a, when: {languages: [english]}, then: {thinking: on}}]\n", "'english'", "en", id="language"
        ),
        pytest.param(
            "tests: [{name: t, text: hi, machine: rtx-4091, expect: {thinking: off}}]\n",
            "rtx-4091",
            "rtx-4090",
            id="machine",
        ),
        pytest.param(
            "rules: [{name: maths, then: {thinking: on}}]\ntests: [{name: t, text: hi, expect: {rule: math}}]\n",
            "no rule",
            "'maths'",
            id="rule-of-a-case",
        ),
        pytest.param("tests: [{name: t, text: hi, expect: {model: 'Qwn*'}}]\n", "'Qwn*'", "", id="model-of-a-case"),
    ],
)
def test_a_name_that_means_nothing_is_an_error_with_the_close_one(text: str, told: str, fix: str) -> None:
    finding = one(text, "unknown-name")
    assert finding.severity == "error" and finding.line is not None
    assert told in finding.problem and fix in finding.fix


@pytest.mark.parametrize(
    ("others", "text", "circle"),
    [
        pytest.param({}, "rules: [{name: a, then: {policy: x}}]\n", "x -> x", id="itself"),
        pytest.param(
            {"y": "rules: [{name: b, then: {policy: x}}]\n"},
            "rules: [{name: a, then: {policy: y}}]\n",
            "x -> y -> x",
            id="each-other",
        ),
        pytest.param(
            {"y": "rules: [{name: b, when: {domains: [code]}, then: {policy: x}}]\n"},
            "rules: [{name: a, when: {domains: [math]}, then: {policy: y}}]\n",
            None,
            id="never-for-one-request",
        ),
        pytest.param({"y": ""}, "rules: [{name: a, then: {policy: y}}]\n", None, id="one-step-only"),
    ],
)
def test_circles_of_switches_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: dict[str, str], text: str, circle: str | None
) -> None:
    (tmp_path / "policies").mkdir()
    for name, body in {**others, "x": text}.items():
        (tmp_path / "policies" / f"{name}.yaml").write_text(f"name: {name}\n{body}")
    monkeypatch.chdir(tmp_path)
    findings = found(text, "switch-circle")
    assert [circle in f.problem for f in findings if circle] == ([True] if circle else [])
    assert bool(findings) is bool(circle)


# ── what changes nothing, what has no place there ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "key"),
    [
        pytest.param("objective: {utility: {per_usd: 1}}\n", "objective.utility", id="weights-without-utility"),
        pytest.param("objective: {minimise: utility}\n", "objective.utility", id="utility-without-weights"),
        pytest.param("objective: {floor: 0.5, quality_slack: 0.1}\n", "objective.quality_slack", id="slack-beside-a-floor"),
        pytest.param("objective: {quality_slack: 0.01}\n", "objective.unsure_quality_slack", id="a-doubt-that-lowers"),
        pytest.param("objective: {minimise: cost}\n", "objective.minimise", id="cost-without-prices"),
        pytest.param("budgets: {per_day: {cost_usd: 5}}\n", "budgets.per_day.cost_usd", id="a-budget-that-nothing-charges"),
        pytest.param(
            "limits: {max_total_s: 5, max_first_token_s: 9}\n", "limits.max_first_token_s", id="a-limit-behind-a-limit"
        ),
        pytest.param(
            "thinking: {mode: off, budgets_tokens: [9]}\n", "thinking.budgets_tokens", id="budgets-without-thinking"
        ),
        pytest.param(
            "prices: [{endpoint: 'https://x*', input_usd_per_mtok: 1, output_usd_per_mtok: 1}]\n",
            "prices",
            id="prices-of-what-is-never-asked",
        ),
        pytest.param("rules: [{name: a, then: {local_only: false}}]\n", "rules.0.then", id="a-rule-that-asks-for-nothing"),
        pytest.param("rules: [{name: a, then: {policy: fast, thinking: on}}]\n", "rules.0.then", id="beside-another-policy"),
    ],
)
def test_values_without_effect_are_warnings(text: str, key: str) -> None:
    findings = found(text, "no-effect")
    assert [(f.severity, f.key) for f in findings] == [("warning", key)]


def test_a_key_that_stands_twice_is_an_error_with_both_lines() -> None:
    finding = one("limits:\n  max_total_s: 5\n  min_quality: 0.1\n  max_total_s: 9\n", "doubled-key")
    assert (finding.severity, finding.line, finding.key) == ("error", 5, "limits.max_total_s")
    assert "line 3" in finding.problem


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param("sk-" + "proj-aB3dE6gH9jK2mN5p", id="openai"),
        pytest.param("hf_" + "aB3dE6gH9jK2mN5pQ8rS", id="hugging-face"),
        pytest.param("ghp_" + "aB3dE6gH9jK2mN5pQ8rSaB3dE6gH9jK2mN5p", id="github"),
        pytest.param("AKIA" + "ABCDEFGH12345678", id="aws"),
        pytest.param("Bearer " + "abcdef0123456789abcdef", id="bearer"),
        pytest.param("https://anna:correct-horse@host/v1", id="password-in-an-address"),
        pytest.param("0123456789abcdef" * 2, id="hexadecimal"),
        pytest.param("aB3dE6gH9jK2mN5pQ8rS" * 2, id="base64"),
    ],
)
def test_secrets_are_found_in_values_and_comments_and_shown_masked(secret: str) -> None:
    for text in (f"description: '{secret}'\n", f"# my key: {secret}\n"):
        finding = one(text, "secret")
        assert (finding.severity, finding.line) == ("error", 2)
        assert secret not in finding.problem and "***" in finding.problem
        shown = finding.problem.partition(": ")[2].partition("***")[0]
        assert len(shown) <= 4


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("models: [Qwen/Qwen3-235B-A22B-Instruct-2507]", id="a-long-model-id"),
        pytest.param("endpoint: https://dashscope-intl.aliyuncs.com/compatible-mode/v1", id="an-address"),
        pytest.param("# ----------------------------------------------------------------", id="a-rule-of-dashes"),
        pytest.param("description: donaudampfschifffahrtselektrizitaetenhauptbetriebswerk", id="a-long-word"),
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert secrets_in(text) == ()


def test_findings_about_inherited_rules_say_whose_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "base.yaml").write_text("name: base\nrules:\n  - {name: a, then: {pin: Qwen3-8B}}\n")
    monkeypatch.chdir(tmp_path)
    text = "extends: base\nrules:\n  - {name: b, then: {pin: Qwen3-4B}}\n"
    assert one(text, "contradiction").line == 4
    assert one("extends: base\nrules:\n  - {name: b, then: {pin: Qwen3-4X}}\n", "unknown-name").line == 4


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(Builds(models=("*Coder*", "qwen3:8b")), id="models"),
        pytest.param(Builds(families=("qwen3*",), sizes=("small", "large")), id="families-and-sizes"),
        pytest.param(Builds(quants=("q4*",), commercial_use=True), id="quantisations-and-licence"),
        pytest.param(Builds(engines=("ollama",)), id="engines"),
    ],
)
def test_lint_means_the_same_builds_as_the_decision(wanted: Builds) -> None:
    builds = advised_builds(CATALOG, Policy.from_yaml("name: x"))
    there = meant(wanted, CATALOG.models, [q.name for q in QUANTS])

    def here(build: Build) -> bool:
        return build.model.id in there.models and build.quant in there.quants and build.engine in there.engines

    tagged = [b for b in builds if not wanted.models or ":" not in "".join(wanted.models) or not b.model.ollama_tags]
    assert tagged and all(fits(build, wanted) == here(build) for build in tagged)


# ── on a machine ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "severity", "key", "told"),
    [
        pytest.param(
            "rules:\n  - name: coders\n    when: {domains: [code]}\n    then: {require: {models: ['*Coder*']}}\n",
            "error",
            "rules.0.then",
            "short image (code)",
            id="images-to-coders",
        ),
        pytest.param(
            "budgets: {per_day: {tokens: 10}}\n", "error", "budgets", "no request at all", id="a-budget-nothing-meets"
        ),
        pytest.param(
            "limits: {max_total_s: 0.001}\n", "error", "limits.max_total_s", "no request at all", id="a-limit-nothing-meets"
        ),
        pytest.param(
            "limits: {min_quality: 0.9999}\n", "error", "limits.min_quality", "not good enough", id="a-floor-nothing-reaches"
        ),
        pytest.param(
            "rules:\n  - {name: r, when: {min_depth: 0.9}, then: {limits: {max_total_s: 0.5}}}\n",
            "warning",
            "rules.0.then.limits.max_total_s",
            "too slow",
            id="a-limit-that-some-kinds-break",
        ),
        pytest.param(
            "context: {buckets_tokens: [4096]}\n", "error", "context.buckets_tokens", "long text", id="short-windows"
        ),
        pytest.param(
            "rules:\n  - {name: night, when: {users: [anna], hours: '22:00-06:00'}, then: {pin: Qwen3-235B-A22B}}\n",
            "error",
            "rules.0.then",
            "'night' applies",
            id="a-rule-for-one-user-at-night",
        ),
        pytest.param(
            "rules:\n  - {name: r, when: {groups: ['class-*'], abstained: true}, then: {forbid: {models: ['*']}}}\n",
            "error",
            "rules.0.then",
            "'r' applies",
            id="a-rule-for-a-group-in-doubt",
        ),
        pytest.param(
            "privacy: {engines: [fake]}\n", "error", "privacy", "kept away by privacy", id="an-engine-that-serves-nothing"
        ),
        pytest.param(
            "quants: [bf16]\nrules: [{name: r, then: {require: {sizes: [huge]}}}]\n",
            "error",
            "rules.0.then",
            "no request at all",
            id="only-builds-that-do-not-fit",
        ),
    ],
)
def test_kinds_of_requests_without_a_candidate_are_found(text: str, severity: str, key: str, told: str) -> None:
    findings = uncovered(Linted.of(f"name: x\n{text}"), planner())
    assert (severity, key) in {(f.severity, f.key) for f in findings}
    assert any(told in f.problem and "rtx-4090" in f.problem for f in findings)


def test_what_the_machine_itself_cannot_do_is_not_the_policys_fault() -> None:
    assert uncovered(Linted.of("name: x\n"), planner("raspberry-pi-5-8")) == ()


def test_a_rules_own_conditions_hold_for_the_requests_that_are_made_up_for_it() -> None:
    text = """
name: x
rules:
  - name: r
    when: {languages: [sw], users: ['a*'], groups: [g], tags: ['t?'], hours: '22:00-06:00', days: [sat], min_load: 0.5,
           min_depth: 0.8, max_difficulty: 0.1, max_input_tokens: 50, abstained: true, commercial_use: false}
    then: {thinking: on}
"""
    policy = Policy.from_yaml(text)
    made = [kind for kind in kinds_of(policy) if kind.rule == 0]
    assert made
    assert all(applies(policy.rules[0], kind.request, kind.profile, kind.now) for kind in made)
