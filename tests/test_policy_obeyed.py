"""Every key of a policy moves the decision: each `then`, budgets, prices, floor, caution, utility."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qwen_router.decide import Build, Decision, decide
from qwen_router.decide.candidates import candidate_table
from qwen_router.hardware.machine import Machine
from qwen_router.policy import Circumstances, Policy, Spent
from qwen_router.profile.types import Profile
from qwen_router.request import Request
from tests.worlds import Abilities, build, machine, model, profile

SMALL, MIDDLE, LARGE = model("small"), model("middle", width=2), model("large", width=6)
ABILITIES = Abilities(
    {
        (name, on): mean + 1.2 * on
        for name, mean in {"small": -1.0, "middle": 0.2, "large": 1.0, "strange": 3.0}.items()
        for on in (False, True)
    }
)
BUILDS = (build(SMALL), build(MIDDLE), build(LARGE))
FAR = build(LARGE, engine="openai", endpoint="https://far.example/v1")
NEAR = build(LARGE, engine="openai", endpoint="http://127.0.0.1:8000/v1")
HELLO = Request.of("hello")
OPEN = "name: x\nprivacy: {remote_endpoints: true}\n"
PRICES = "prices: [{endpoint: 'https://far.example*', input_usd_per_mtok: 2, output_usd_per_mtok: 8}]\n"


def decided(
    text: str,
    *builds: Build,
    needs: Profile | None = None,
    request: Request = HELLO,
    on: Machine | None = None,
    now: Circumstances | None = None,
    abilities: Abilities = ABILITIES,
) -> Decision:
    table = candidate_table(builds or BUILDS, on or machine(), Policy.from_yaml(text), abilities=abilities)
    return decide(request, needs or profile(), table, scope="serving", circumstances=now)


def ruled(then: str, *builds: Build, objective: str = "{quality_slack: 0, patience_s: null}", **options: object) -> Decision:
    text = (
        f"name: x\nobjective: {objective}\nprivacy: {{remote_endpoints: true}}\nrules: [{{name: the rule, then: {then}}}]\n"
    )
    return decided(text, *builds, **options)  # type: ignore[arg-type]


def chosen(decision: Decision) -> str:
    assert decision.chosen is not None, decision.reason
    return decision.chosen.build.model.short_name


def causes(decision: Decision) -> set[str]:
    return {verdict.cause for verdict in decision.verdicts()}


# ── which builds ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        pytest.param("{thinking: on}", "large", id="without-a-say-the-best"),
        pytest.param("{require: {models: [small, MIDDLE]}}", "middle", id="require-whatever-the-case"),
        pytest.param("{require: {models: ['made-up/s*']}}", "small", id="require-by-pattern"),
        pytest.param("{require: {engines: [llamacpp]}}", "large", id="require-an-engine"),
        pytest.param("{forbid: {models: [large]}}", "middle", id="forbid"),
        pytest.param("{forbid: {models: ['*'], quants: [q8_0]}}", "large", id="forbid-needs-every-list-to-fit"),
        pytest.param("{pin: small}", "small", id="pin"),
        pytest.param("{prefer: {models: [small], by: 1}}", "small", id="prefer-by-much"),
        pytest.param("{prefer: {models: [small], by: 0.01}}", "large", id="prefer-by-little"),
        pytest.param("{avoid: {models: [large], by: 0.9}}", "middle", id="avoid-by-much"),
        pytest.param("{avoid: {models: [large], by: 0.01}}", "large", id="avoid-by-little"),
        pytest.param("{objective: {minimise: memory, quality_slack: 1}}", "small", id="another-objective"),
        pytest.param("{quality_slack: 1}", "small", id="another-slack"),
    ],
)
def test_a_rule_moves_the_choice(then: str, expected: str) -> None:
    assert chosen(ruled(then)) == expected


def test_what_a_rule_refuses_says_which_rule_and_is_not_a_fallback_either() -> None:
    decision = ruled("{forbid: {models: [large]}}")
    refused = [v for v in decision.verdicts() if v.cause == "rule"]
    assert {v.candidate.build.model.short_name for v in refused} == {"large"}
    assert all("'the rule'" in v.reason for v in refused)
    assert all(c.build.model is not LARGE for c in decision.fallbacks)


def test_requirements_of_two_rules_add_up() -> None:
    text = """
name: x
rules:
  - {name: a, then: {require: {models: [small, middle]}}}
  - {name: b, then: {require: {models: [middle, large]}}}
"""
    assert chosen(decided(text)) == "middle"


def test_two_pins_leave_nothing() -> None:
    text = "name: x\nrules: [{name: a, then: {pin: small}}, {name: b, then: {pin: large}}]\n"
    assert decided(text).chosen is None


def test_preferring_moves_the_choice_and_no_prediction() -> None:
    plain, liked = ruled("{thinking: off}"), ruled("{thinking: off, prefer: {models: [small], by: 1}}")
    assert (plain.prediction.quality == liked.prediction.quality).all()


@pytest.mark.parametrize(
    ("field", "fitting"),
    [
        pytest.param("{families: [made-up]}", True, id="family"),
        pytest.param("{families: [qwen3]}", False, id="another-family"),
        pytest.param("{quants: ['q4*']}", True, id="quantisation-by-pattern"),
        pytest.param("{quants: [q8_0]}", False, id="another-quantisation"),
        pytest.param("{sizes: [tiny]}", False, id="a-model-of-unknown-size-is-of-no-size"),
        pytest.param("{commercial_use: true}", True, id="licence"),
        pytest.param("{commercial_use: false}", False, id="another-licence"),
        pytest.param("{engines: [ollama, llamacpp]}", True, id="one-engine-is-enough"),
    ],
)
def test_builds_are_required_by_what_they_are(field: str, fitting: bool) -> None:
    assert (ruled(f"{{require: {field}}}").chosen is not None) is fitting


def test_local_only_refuses_what_is_elsewhere_and_keeps_a_server_on_this_computer() -> None:
    assert ruled("{local_only: true}", FAR).chosen is None
    assert ruled("{thinking: off}", FAR).chosen is not None
    assert ruled("{local_only: true}", NEAR).chosen is not None


# ── how ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("wanted", "thinks"), [pytest.param("on", True, id="on"), pytest.param("off", False, id="off")])
def test_a_rule_switches_thinking(wanted: str, thinks: bool) -> None:
    decision = ruled(f"{{thinking: {wanted}}}")
    assert decision.chosen is not None and decision.chosen.thinking is thinks


def test_a_rule_caps_the_budget_and_equal_candidates_are_counted_once() -> None:
    decision = ruled("{thinking: on, thinking_budget_tokens: 2000}", build(SMALL))
    budgets = sorted(v.candidate.budget_tokens for v in decision.verdicts() if v.fate != "refused")
    assert budgets == [1024, 2000]


def test_a_callers_budget_comes_before_a_rules_cap() -> None:
    request = replace(HELLO, wishes=replace(HELLO.wishes, thinking=True, thinking_budget_tokens=5000))
    decision = ruled("{thinking_budget_tokens: 2000}", build(SMALL), request=request)
    assert decision.chosen is not None and decision.chosen.budget_tokens == 5000


def test_a_rule_bounds_the_answer_and_the_callers_wish_comes_first() -> None:
    decision = ruled("{max_answer_tokens: 333, thinking: off}")
    assert decision.chosen is not None and decision.chosen.answer_tokens == 333
    wish = replace(HELLO, wishes=replace(HELLO.wishes, max_output_tokens=50))
    decision = ruled("{max_answer_tokens: 333, thinking: off}", request=wish)
    assert decision.chosen is not None and decision.chosen.answer_tokens == 50


def test_a_rules_sampling_lies_on_top_of_the_modes_in_the_choice_and_in_every_fallback() -> None:
    decision = ruled("{sampling: {top_p: 0.5}, thinking: on}")
    assert decision.chosen is not None
    for candidate in (decision.chosen, *decision.fallbacks):
        assert (candidate.sampling.temperature, candidate.sampling.top_p) == (0.6, 0.5)


@pytest.mark.parametrize("attempts", [0, 1, 2])
def test_a_rule_says_how_many_fallbacks_there_are(attempts: int) -> None:
    assert len(ruled(f"{{fallback_attempts: {attempts}}}").fallbacks) == attempts


@pytest.mark.parametrize(
    ("limits", "cause"),
    [
        pytest.param("{max_total_s: 0.001}", "latency", id="total"),
        pytest.param("{max_first_token_s: 0.000001}", "first_token", id="first-token"),
        pytest.param("{max_memory_mib: 1}", "memory_limit", id="memory"),
        pytest.param("{max_energy_wh: 0.0000001}", "energy", id="energy"),
        pytest.param("{max_cost_usd: 0.0000001}", "cost", id="cost"),
        pytest.param("{min_quality: 1.0}", "quality", id="quality"),
    ],
)
def test_a_rules_limits_refuse(limits: str, cause: str) -> None:
    text = f"name: x\nenergy_usd_per_kwh: 1\nrules: [{{name: r, then: {{limits: {limits}}}}}]\n"
    decision = decided(text, on=machine(gpu_gib=24))
    assert decision.chosen is None and cause in causes(decision)
    assert all(v.reason for v in decision.verdicts())


# ── budgets and prices ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_budget_that_is_used_up_leaves_nothing_and_says_so() -> None:
    decision = decided("name: x\nbudgets: {per_day: {tokens: 500}}\n", now=Circumstances(spent=Spent(tokens=500)))
    assert decision.chosen is None and "possible" not in causes(decision)
    assert "the day's budget of 500 tokens is used up" in decision.reason
    assert "wait until tomorrow or raise it" in decision.reason


def test_a_users_used_up_budget_refuses_that_user_only() -> None:
    text = "name: x\nbudgets: {user_per_day: {tokens: 500}}\n"
    now = Circumstances(spent_by_user=Spent(tokens=800))
    decision = decided(text, request=replace(HELLO, user="anna"), now=now)
    assert decision.chosen is None and "anna's budget" in decision.reason
    assert decided(text, now=now).chosen is not None


def test_what_is_left_of_a_budget_refuses_only_what_would_take_more() -> None:
    text = "name: x\nobjective: {quality_slack: 0, patience_s: null}\nbudgets: {per_day: {tokens: 10000}}\n"
    rich, poor = decided(text), decided(text, now=Circumstances(spent=Spent(tokens=9700)))
    assert rich.chosen is not None and rich.chosen.thinking
    assert poor.chosen is not None and not poor.chosen.thinking
    assert "budget" in causes(poor)


def test_the_first_price_that_matches_counts() -> None:
    text = OPEN + (
        "prices:\n"
        "  - {endpoint: 'https://far*', model: 'other', input_usd_per_mtok: 50, output_usd_per_mtok: 50}\n"
        "  - {endpoint: 'https://far*', model: 'LARGE', input_usd_per_mtok: 2, output_usd_per_mtok: 8}\n"
        "  - {input_usd_per_mtok: 100, output_usd_per_mtok: 100}\n"
        "thinking: {mode: off}\n"
    )
    decision = decided(text, FAR)
    assert decision.chosen is not None
    assert decision.chosen.cost_usd == pytest.approx((100 * 2 + 200 * 8) / 1e6)


def test_electricity_is_the_price_of_what_runs_here() -> None:
    decision = decided("name: x\nenergy_usd_per_kwh: 0.3\n", build(SMALL), on=machine(gpu_gib=24))
    assert decision.chosen is not None and decision.chosen.energy_wh is not None
    assert decision.chosen.cost_usd == pytest.approx(decision.chosen.energy_wh / 1000 * 0.3)


@pytest.mark.parametrize(
    "bound",
    [
        pytest.param("limits: {max_cost_usd: 5}\n", id="limit"),
        pytest.param("budgets: {per_day: {cost_usd: 5}}\n", id="budget"),
    ],
)
def test_an_endpoint_elsewhere_that_nobody_priced_is_over_any_bound_on_cost(bound: str) -> None:
    assert decided(OPEN + bound, FAR).chosen is None
    assert decided(OPEN + bound + PRICES, FAR).chosen is not None
    assert decided(OPEN + bound, build(SMALL)).chosen is not None  # what runs here costs nothing


def test_the_least_cost_is_taken_where_every_cost_is_known() -> None:
    text = OPEN + PRICES + "energy_usd_per_kwh: 0.3\nobjective: {minimise: cost, quality_slack: 1, patience_s: null}\n"
    assert chosen(decided(text, FAR, build(SMALL), on=machine(gpu_gib=24))) == "small"


# ── objectives ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("floor", "expected"),
    [
        pytest.param(0.1, "small", id="a-low-floor-takes-the-smallest"),
        pytest.param(0.5, "middle", id="a-middle-floor-takes-the-smallest-above-it"),
        pytest.param(0.7, "large", id="a-high-floor-takes-the-large"),
        pytest.param(1.0, "large", id="where-nothing-reaches-it-the-best"),
    ],
)
def test_a_floor_takes_the_least_above_it(floor: float, expected: str) -> None:
    text = f"name: x\nobjective: {{minimise: memory, floor: {floor}, patience_s: null}}\nthinking: {{mode: off}}\n"
    assert chosen(decided(text)) == expected


def test_caution_prefers_what_is_known_to_what_may_be_better() -> None:
    class Doubtful(Abilities):
        def arrays(self, keys):  # type: ignore[no-untyped-def]
            means, sd = super().arrays(keys)
            for row, (name, _) in enumerate(keys):
                sd[row] = 3.0 if name.endswith("strange") else 0.05
            return means, sd

    doubtful = Doubtful(ABILITIES.means and {(n.rpartition("/")[2], on): m for (n, on), m in ABILITIES.means.items()})
    text = "name: x\nobjective: {{quality_slack: 0, patience_s: null, cautious: {}}}\nthinking: {{mode: off}}\n"
    builds = (build(LARGE), build(model("strange", width=2)))
    assert chosen(decided(text.format(0), *builds, abilities=doubtful)) == "strange"
    assert chosen(decided(text.format(2), *builds, abilities=doubtful)) == "large"


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        pytest.param("{}", "large", id="nothing-weighs-against-quality"),
        pytest.param("{per_second: 1}", "small", id="a-second-is-worth-all-quality"),
        pytest.param("{per_second: 0.000001}", "large", id="a-second-is-worth-next-to-nothing"),
        pytest.param("{per_gib: 1}", "small", id="memory-is-dear"),
        pytest.param("{per_wh: 1000}", "small", id="energy-is-dear"),
    ],
)
def test_utility_weighs_quality_against_the_rest(weights: str, expected: str) -> None:
    text = f"name: x\nobjective: {{minimise: utility, patience_s: null, utility: {weights}}}\nthinking: {{mode: off}}\n"
    assert chosen(decided(text, on=machine(gpu_gib=24))) == expected


def test_a_price_weighs_in_utility() -> None:
    def weighing(per_usd: float) -> str:
        objective = f"objective: {{minimise: utility, patience_s: null, utility: {{per_usd: {per_usd}}}}}\n"
        return chosen(decided(OPEN + PRICES + objective, FAR, build(SMALL)))

    assert (weighing(0), weighing(100_000)) == ("large", "small")
