"""What the rules make of a policy for one request: every condition, and what adds up or is overridden."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from qwen_router.policy import Circumstances, Effect, Policy, Spent, When, effect_of
from qwen_router.policy.effect import applies
from qwen_router.policy.schema import Rule, Then
from qwen_router.profile.types import Profile
from qwen_router.request import Request, ToolSpec
from tests.worlds import profile

HELLO = Request.of("hello")
ANNA = replace(HELLO, user="Anna", groups=("staff", "class-7b"), tags=("batch",))
NOON_MONDAY = Circumstances(minute_of_day=12 * 60, weekday="mon", load=0.4)
NOWHEN = Circumstances()


def at(clock: str) -> Circumstances:
    return Circumstances(minute_of_day=int(clock[:2]) * 60 + int(clock[3:]))


def effect(text: str, *, request: Request = HELLO, needs: Profile | None = None, now: Circumstances = NOWHEN) -> Effect:
    return effect_of(Policy.from_yaml(text), request, needs or profile(), now)


@pytest.mark.parametrize(
    ("when", "changes", "holds"),
    [
        pytest.param({}, {}, True, id="no-condition-always-holds"),
        pytest.param({"domains": ["math", "code"]}, {}, True, id="domain-in-the-list"),
        pytest.param({"domains": ["code"]}, {}, False, id="another-domain"),
        pytest.param({"languages": ["en"]}, {}, True, id="language-of-the-text"),
        pytest.param({"languages": ["sw"]}, {"output_languages": ("sw",)}, True, id="language-that-the-answer-is-asked-in"),
        pytest.param({"languages": ["sw"]}, {}, False, id="another-language"),
        pytest.param({"modalities": ["image"]}, {"modalities": ("text", "image")}, True, id="one-modality-is-enough"),
        pytest.param({"modalities": ["image", "audio"]}, {}, False, id="none-of-the-modalities"),
        pytest.param({"min_depth": 0.5}, {"depth": 0.5}, True, id="depth-at-its-lower-bound"),
        pytest.param({"min_depth": 0.5}, {"depth": 0.49}, False, id="too-shallow"),
        pytest.param({"max_depth": 0.5}, {"depth": 0.5}, True, id="depth-at-its-upper-bound"),
        pytest.param({"max_depth": 0.5}, {"depth": 0.51}, False, id="too-deep"),
        pytest.param({"min_difficulty": 0.4}, {"difficulty": 0.4}, True, id="difficulty-at-its-lower-bound"),
        pytest.param({"min_difficulty": 0.4}, {"difficulty": 0.3}, False, id="too-easy"),
        pytest.param({"max_difficulty": 0.4}, {"difficulty": 0.5}, False, id="too-difficult"),
        pytest.param({"min_input_tokens": 100}, {"input_tokens": 100}, True, id="as-long-as-asked"),
        pytest.param({"min_input_tokens": 101}, {"input_tokens": 100}, False, id="too-short"),
        pytest.param({"max_input_tokens": 99}, {"input_tokens": 100}, False, id="too-long"),
        pytest.param({"max_input_tokens": 0}, {"input_tokens": 0}, True, id="zero-is-a-bound-not-nothing"),
        pytest.param({"abstained": True}, {"abstained": True}, True, id="abstained"),
        pytest.param({"abstained": True}, {}, False, id="did-not-abstain"),
        pytest.param({"abstained": False}, {}, True, id="false-is-a-condition-too"),
        pytest.param({"domains": ["math"], "min_depth": 0.9}, {}, False, id="all-conditions-must-hold"),
    ],
)
def test_a_condition_on_the_profile(when: dict[str, Any], changes: dict[str, Any], holds: bool) -> None:
    rule = Rule(name="r", when=When(**when), then=Then(thinking="on"))
    assert applies(rule, HELLO, profile(**changes), NOWHEN) is holds


@pytest.mark.parametrize(
    ("when", "request_", "holds"),
    [
        pytest.param({"users": ["anna"]}, ANNA, True, id="user-whatever-the-case"),
        pytest.param({"users": ["an*"]}, ANNA, True, id="user-by-pattern"),
        pytest.param({"users": ["bert"]}, ANNA, False, id="another-user"),
        pytest.param({"users": ["*"]}, HELLO, False, id="nobody-named-is-not-anybody"),
        pytest.param({"groups": ["class-*"]}, ANNA, True, id="one-group-is-enough"),
        pytest.param({"groups": ["class-8*"]}, ANNA, False, id="another-group"),
        pytest.param({"groups": ["*"]}, HELLO, False, id="no-group"),
        pytest.param({"tags": ["batch", "night"]}, ANNA, True, id="one-tag-is-enough"),
        pytest.param({"tags": ["night"]}, ANNA, False, id="another-tag"),
        pytest.param({"has_tools": True}, replace(HELLO, tools=(ToolSpec("f", "", {}),)), True, id="tools"),
        pytest.param({"has_tools": True}, HELLO, False, id="no-tools"),
        pytest.param({"has_tools": False}, HELLO, True, id="without-tools"),
        pytest.param({"commercial_use": True}, replace(HELLO, commercial_use=True), True, id="commercial"),
        pytest.param({"commercial_use": True}, HELLO, False, id="unsaid-is-not-commercial"),
        pytest.param({"commercial_use": False}, HELLO, False, id="unsaid-is-not-private-either"),
    ],
)
def test_a_condition_on_the_request(when: dict[str, Any], request_: Request, holds: bool) -> None:
    rule = Rule(name="r", when=When(**when), then=Then(thinking="on"))
    assert applies(rule, request_, profile(), NOWHEN) is holds


@pytest.mark.parametrize(
    ("when", "now", "holds"),
    [
        pytest.param({"hours": "09:00-17:00"}, at("09:00"), True, id="the-first-minute-counts"),
        pytest.param({"hours": "09:00-17:00"}, at("16:59"), True, id="the-minute-before-the-end-counts"),
        pytest.param({"hours": "09:00-17:00"}, at("17:00"), False, id="the-end-does-not"),
        pytest.param({"hours": "22:00-06:00"}, at("23:30"), True, id="past-midnight-in-the-evening"),
        pytest.param({"hours": "22:00-06:00"}, at("05:59"), True, id="past-midnight-in-the-morning"),
        pytest.param({"hours": "22:00-06:00"}, at("06:00"), False, id="past-midnight-at-its-end"),
        pytest.param({"hours": "22:00-06:00"}, at("12:00"), False, id="past-midnight-at-noon"),
        pytest.param({"hours": "00:00-23:59"}, NOWHEN, False, id="time-unknown"),
        pytest.param({"days": ["mon", "tue"]}, NOON_MONDAY, True, id="one-of-the-days"),
        pytest.param({"days": ["sat"]}, NOON_MONDAY, False, id="another-day"),
        pytest.param({"days": ["mon"]}, NOWHEN, False, id="day-unknown"),
        pytest.param({"min_load": 0.4}, NOON_MONDAY, True, id="as-busy-as-asked"),
        pytest.param({"min_load": 0.5}, NOON_MONDAY, False, id="not-busy-enough"),
        pytest.param({"max_load": 0.3}, NOON_MONDAY, False, id="too-busy"),
        pytest.param({"min_load": 0.0}, NOWHEN, False, id="load-unknown-is-not-idle"),
        pytest.param({"max_load": 1.0}, NOWHEN, False, id="load-unknown-is-not-busy"),
    ],
)
def test_a_condition_on_the_circumstances(when: dict[str, Any], now: Circumstances, holds: bool) -> None:
    rule = Rule(name="r", when=When(**when), then=Then(thinking="on"))
    assert applies(rule, HELLO, profile(), now) is holds


def test_every_condition_of_the_schema_is_in_these_tables() -> None:
    cases = [
        mark.args[1]
        for test in (
            test_a_condition_on_the_profile,
            test_a_condition_on_the_request,
            test_a_condition_on_the_circumstances,
        )
        for mark in test.pytestmark  # type: ignore[attr-defined]
    ]
    assert {key for table in cases for case in table for key in case.values[0]} == set(When.model_fields)


def test_of_single_values_the_last_rule_that_applies_counts() -> None:
    text = """
name: x
rules:
  - {name: a, then: {thinking: on, max_answer_tokens: 100, fallback_attempts: 0, quality_slack: 0.3}}
  - {name: other domain, when: {domains: [code]}, then: {max_answer_tokens: 300}}
  - {name: b, then: {max_answer_tokens: 200, sampling: {temperature: 0.1}}}
"""
    found = effect(text)
    assert found.rules == (0, 2)
    assert (found.mode, found.max_answer_tokens, found.fallback_attempts, found.quality_slack) == ("on", 200, 0, 0.3)
    assert found.sampling is not None and found.sampling.temperature == 0.1


def test_limits_of_policy_and_rules_add_up_to_the_tightest() -> None:
    text = """
name: x
limits: {max_total_s: 60, max_memory_mib: 8000, min_quality: 0.2}
rules:
  - {name: a, then: {limits: {max_total_s: 30, min_quality: 0.1}}}
  - {name: b, then: {limits: {max_total_s: 90, max_energy_wh: 2, commercial_licence_only: true}}}
"""
    limits = effect(text).limits
    assert (limits.max_total_s, limits.max_memory_mib, limits.max_energy_wh) == (30, 8000, 2)
    assert (limits.min_quality, limits.commercial_licence_only) == (0.2, True)


def test_a_doubt_uses_the_slack_for_doubts_unless_a_rule_names_one() -> None:
    text = "name: x\nobjective: {quality_slack: 0.2, unsure_quality_slack: 0.01}\n"
    assert effect(text).quality_slack == 0.2
    assert effect(text, needs=profile(abstained=True)).quality_slack == 0.01
    rule = text + "rules: [{name: a, when: {abstained: true}, then: {quality_slack: 0.5}}]\n"
    assert effect(rule, needs=profile(abstained=True)).quality_slack == 0.5


def test_a_rules_objective_replaces_the_policys_and_brings_its_own_slack() -> None:
    text = "name: x\nrules: [{name: a, then: {objective: {minimise: memory, quality_slack: 0.4}}}]\n"
    found = effect(text)
    assert (found.objective.minimise, found.quality_slack) == ("memory", 0.4)


def test_a_rule_may_send_the_request_to_another_policy_and_the_last_one_that_applies_does() -> None:
    text = """
name: x
rules:
  - {name: a, then: {policy: fast}}
  - {name: b, when: {domains: [math]}, then: {policy: quality}}
"""
    assert effect(text).policy == "quality"
    assert effect(text, needs=profile(domain="code")).policy == "fast"


BUDGETS = "name: x\nbudgets: {per_day: {cost_usd: 10, tokens: 1000}, user_per_day: {cost_usd: 2, energy_wh: 50}}\n"


@pytest.mark.parametrize(
    ("request_", "now", "left", "exhausted"),
    [
        pytest.param(HELLO, Circumstances(), (10, None, 1000), None, id="nothing-spent"),
        pytest.param(
            HELLO, Circumstances(spent=Spent(4, 9, 300)), (6, None, 700), None, id="a-nameless-request-has-the-days-budget"
        ),
        pytest.param(
            ANNA, Circumstances(spent_by_user=Spent(0.5, 10, 7)), (1.5, 40, 1000), None, id="the-users-budget-is-tighter"
        ),
        pytest.param(ANNA, Circumstances(spent=Spent(9.5, 0, 0)), (0.5, 50, 1000), None, id="the-days-budget-is-tighter"),
        pytest.param(
            HELLO, Circumstances(spent=Spent(10, 0, 0)), (None,) * 3, "the day's budget of 10 cost", id="day-used-up"
        ),
        pytest.param(
            ANNA, Circumstances(spent_by_user=Spent(0, 60, 0)), (None,) * 3, "Anna's budget of 50 energy", id="user-used-up"
        ),
        pytest.param(
            HELLO, Circumstances(spent_by_user=Spent(9, 60, 0)), (10, None, 1000), None, id="nobody-has-no-users-budget"
        ),
    ],
)
def test_budgets_leave_the_tighter_of_what_the_day_and_the_user_have(
    request_: Request, now: Circumstances, left: tuple[float | None, ...], exhausted: str | None
) -> None:
    found = effect(BUDGETS, request=request_, now=now)
    assert (found.left.cost_usd, found.left.energy_wh, found.left.tokens) == left
    assert (found.exhausted or "").startswith(exhausted or "") and (found.exhausted is None) == (exhausted is None)
