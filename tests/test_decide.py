"""The decision: who is refused and why, who is chosen, in what order, and what is said about it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_router.catalog import Context
from qwen_router.decide import Build, Decision, decide, decision_line
from qwen_router.decide.candidates import candidate_table
from qwen_router.hardware.machine import Device, Machine
from qwen_router.policy import Policy
from qwen_router.profile.types import DOMAINS, Profile
from qwen_router.request import Request, ToolSpec, Wishes
from tests.worlds import Abilities, build, machine, model, profile

SMALL, LARGE = model("small"), model("large", width=6)
ABILITIES_BY_NAME = {("small", False): -1.0, ("small", True): 0.5, ("large", False): 1.0, ("large", True): 2.5}
ABILITIES = Abilities(ABILITIES_BY_NAME)
BALANCED = Policy.from_yaml("name: balanced")
HELLO = Request.of("hello")


def decided(
    *builds: Build,
    policy: Policy | str = BALANCED,
    on: Machine | None = None,
    needs: Profile | None = None,
    request: Request = HELLO,
    abilities: Abilities = ABILITIES,
) -> Decision:
    rules = Policy.from_yaml(policy) if isinstance(policy, str) else policy
    table = candidate_table(builds or (build(SMALL), build(LARGE)), on or machine(), rules, abilities=abilities)
    return decide(request, needs or profile(), table, scope="serving", decision_id="d")


def fates(decision: Decision) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for verdict in decision.verdicts():
        found.setdefault(verdict.candidate.build.model.id.rpartition("/")[2], set()).add(verdict.cause)
    return found


def test_every_candidate_gets_one_verdict_and_exactly_one_is_chosen() -> None:
    decision = decided()
    verdicts = list(decision.verdicts())
    assert len(verdicts) == len(decision) == 8  # two builds, each off and on with three budgets
    assert [v.fate for v in verdicts].count("chosen") == 1
    assert verdicts[0].fate == "chosen" and verdicts[0].candidate == decision.chosen
    assert all(v.reason for v in verdicts)


@pytest.mark.parametrize(
    ("slack", "difficulty", "expected"),
    [
        pytest.param(0.0, 0.5, "large", id="no-slack-takes-the-best"),
        pytest.param(1.0, 0.5, "small", id="full-slack-takes-the-fastest"),
        pytest.param(0.05, 0.01, "small", id="an-easy-request-goes-to-the-fastest"),
        pytest.param(0.05, 0.9, "large", id="a-hard-request-goes-to-the-best"),
    ],
)
def test_the_objective_trades_quality_for_speed_within_the_slack(slack: float, difficulty: float, expected: str) -> None:
    policy = f"name: x\nobjective: {{quality_slack: {slack}, patience_s: null}}"
    chosen = decided(policy=policy, needs=profile(difficulty=difficulty)).chosen
    assert chosen is not None and chosen.build.model.id == f"made-up/{expected}"


def test_patience_is_a_soft_limit_the_best_is_looked_for_within_it_and_nobody_is_refused() -> None:
    def chosen(patience_s: float) -> str:
        decision = decided(policy=f"name: x\nobjective: {{quality_slack: 0.0, patience_s: {patience_s}}}")
        assert {v.cause for v in decision.verdicts()} == {"possible"} or "memory" in {v.cause for v in decision.verdicts()}
        assert decision.chosen is not None
        return decision.chosen.build.model.id

    assert (chosen(10_000), chosen(0.001)) == ("made-up/large", "made-up/small")


def test_a_doubt_uses_the_narrower_slack_and_so_a_better_model() -> None:
    policy = "name: x\nobjective: {patience_s: null, quality_slack: 1.0, unsure_quality_slack: 0.0}"
    sure, unsure = decided(policy=policy).chosen, decided(policy=policy, needs=profile(abstained=True)).chosen
    assert sure is not None and unsure is not None
    assert (sure.build.model.id, unsure.build.model.id) == ("made-up/small", "made-up/large")


@pytest.mark.parametrize(
    ("builds", "options", "cause"),
    [
        pytest.param(
            (build(SMALL),), {"needs": profile(modalities=("text", "image"))}, "modality", id="image-to-a-text-model"
        ),
        pytest.param(
            (build(model("small", tools=False)),),
            {"request": Request((), tools=(ToolSpec("f", "", {}),))},
            "tools",
            id="tools",
        ),
        pytest.param(
            (build(SMALL),), {"needs": profile(input_tokens=40_000)}, "context", id="prompt-past-the-training-length"
        ),
        pytest.param((build(LARGE),), {"on": machine(0.5)}, "memory", id="no-memory-free"),
        pytest.param(
            (build(model("small", commercial_use=False)),),
            {"policy": "name: x\nlimits: {commercial_licence_only: true}"},
            "licence",
            id="licence",
        ),
        pytest.param((build(SMALL),), {"policy": "name: x\nlimits: {max_total_s: 0.001}"}, "latency", id="too-slow"),
        pytest.param(
            (build(SMALL),), {"policy": "name: x\nlimits: {max_memory_mib: 10}"}, "memory_limit", id="policy-memory"
        ),
        pytest.param((build(SMALL),), {"policy": "name: x\nlimits: {min_quality: 0.999}"}, "quality", id="quality-floor"),
        pytest.param(
            (build(SMALL),),
            {"request": Request.of({"messages": ["hi"], "model": "large"})},
            "pin",
            id="another-model-was-asked-for",
        ),
        pytest.param(
            (build(SMALL, engine="openai", endpoint="https://far.example/v1"),), {}, "privacy", id="remote-endpoint"
        ),
        pytest.param(
            (build(SMALL),), {"policy": "name: x\nprivacy: {engines: [ollama]}"}, "privacy", id="engine-not-allowed"
        ),
        pytest.param(
            (build(SMALL),),
            {"policy": "name: x\nrules: [{name: r, then: {forbid: {models: ['made-up/*']}}}]"},
            "rule",
            id="rule",
        ),
    ],
)
def test_a_hard_requirement_refuses_with_its_own_reason(
    builds: tuple[Build, ...], options: dict[str, Any], cause: str
) -> None:
    decision = decided(*builds, **options)
    assert decision.chosen is None
    assert cause in {v.cause for v in decision.verdicts()}
    assert "nothing can serve it" in decision.reason
    assert decision_line(decision)["model"] is None


def test_a_local_endpoint_is_private_and_a_remote_one_needs_leave() -> None:
    local = build(SMALL, engine="openai", endpoint="http://127.0.0.1:8000/v1")
    remote = build(SMALL, engine="openai", endpoint="https://far.example/v1")
    assert decided(local).chosen is not None
    assert decided(remote, policy="name: x\nprivacy: {remote_endpoints: true}").chosen is not None


@pytest.mark.parametrize(
    ("behaviour", "policy", "wish", "thinks"),
    [
        pytest.param("toggle", "name: x\nthinking: {mode: off}", None, False, id="policy-off"),
        pytest.param("toggle", "name: x\nthinking: {mode: on}", None, True, id="policy-on"),
        pytest.param("toggle", "name: x\nthinking: {mode: off}", True, True, id="a-wish-beats-the-policy"),
        pytest.param("toggle", "name: x", False, False, id="wish-off"),
        pytest.param("always", "name: x", None, True, id="always"),
        pytest.param("always", "name: x", False, None, id="an-always-thinking-build-cannot-be-switched-off"),
        pytest.param("never", "name: x", True, None, id="a-never-thinking-build-cannot-be-switched-on"),
        pytest.param("none", "name: x", None, False, id="no-reasoning-mode"),
    ],
)
def test_thinking_follows_wish_then_policy_within_what_the_build_can(
    behaviour: str, policy: str, wish: bool | None, thinks: bool | None
) -> None:
    request = replace(HELLO, wishes=Wishes(thinking=wish))
    chosen = decided(build(model("small", behaviour=behaviour)), policy=policy, request=request).chosen
    assert (None if chosen is None else chosen.thinking) is thinks


def test_a_shallow_request_is_not_thought_about_but_an_always_thinking_model_stays_possible() -> None:
    decision = decided(build(SMALL), build(model("large", width=6, behaviour="always")), needs=profile(depth=0.05))
    found = fates(decision)
    assert found["small"] == {"possible", "depth"}
    assert "possible" in found["large"] and "depth" not in found["large"]


def test_a_wished_budget_replaces_the_policys_budgets() -> None:
    request = replace(HELLO, wishes=Wishes(thinking=True, thinking_budget_tokens=333))
    decision = decided(build(SMALL), request=request)
    assert decision.chosen is not None and decision.chosen.budget_tokens == 333
    assert int(decision.possible.sum()) == 1


def test_a_longer_budget_never_predicts_less_quality_nor_less_time() -> None:
    decision = decided(build(SMALL), needs=profile(depth=0.9))
    thinking = sorted((v.candidate for v in decision.verdicts() if v.candidate.thinking), key=lambda c: c.budget_tokens)
    assert len(thinking) == 3
    for shorter, longer in pairwise(thinking):
        assert shorter.quality < longer.quality and shorter.total_s < longer.total_s


def test_a_window_holds_prompt_thinking_and_answer_and_comes_from_the_buckets() -> None:
    chosen = decided(build(SMALL), needs=profile(input_tokens=3000), policy="name: x\nthinking: {mode: off}").chosen
    assert chosen is not None and chosen.context_tokens == 8192  # 3000 + 2048 for the answer
    short = decided(build(model("small", context=Context(native_tokens=6000))), needs=profile(input_tokens=3000)).chosen
    assert short is not None and short.context_tokens == 6000


def test_a_resident_model_keeps_its_window_and_pays_no_load() -> None:
    cold, warm = decided(build(SMALL)).chosen, decided(build(SMALL, resident_context_tokens=20_000)).chosen
    assert cold is not None and warm is not None
    assert (warm.load_s, warm.context_tokens) == (0.0, 20_000)
    assert cold.load_s > 0 and cold.total_s > warm.total_s


def test_a_resident_model_is_not_refused_for_the_memory_that_it_holds_itself() -> None:
    full = machine(0.2)
    assert decided(build(SMALL), on=full).chosen is None
    assert decided(build(SMALL, resident_context_tokens=8192), on=full).chosen is not None


def test_fallbacks_are_other_models_in_order_and_as_many_as_the_policy_says() -> None:
    third = model("third", width=2)
    abilities = Abilities({**{(n, on): 1.0 for n in ("small", "large", "third") for on in (True, False)}})
    decision = decided(build(SMALL), build(LARGE), build(third), abilities=abilities)
    assert decision.chosen is not None
    names = [c.build.model.id for c in (decision.chosen, *decision.fallbacks)]
    assert names == ["made-up/small", "made-up/third", "made-up/large"]
    assert decided(build(SMALL), build(LARGE), policy="name: x\nfallback: {attempts: 0}").fallbacks == ()


def test_a_rule_applies_only_when_its_conditions_hold_and_is_named_in_the_reason() -> None:
    then = "{require: {models: [small]}, thinking: off}"
    policy = f"name: x\nrules:\n  - name: maths to small\n    when: {{domains: [math]}}\n    then: {then}\n"
    maths = decided(policy=policy)
    assert maths.chosen is not None and maths.chosen.build.model.id == "made-up/small" and not maths.chosen.thinking
    assert "maths to small" in maths.reason
    code = profile(domain="code", domains={d: float(d == "code") for d in DOMAINS})
    assert "rule" not in {v.cause for v in decided(policy=policy, needs=code).verdicts()}


def test_no_engine_at_all_is_a_decision_that_names_the_doctor() -> None:
    table = candidate_table((), machine(), BALANCED, abilities=ABILITIES)  # type: ignore[arg-type]
    decision = decide(HELLO, profile(), table, decision_id="d")
    assert decision.chosen is None and "qwen-router doctor" in decision.reason


def test_too_little_memory_says_how_much_is_missing() -> None:
    reason = decided(build(LARGE), on=machine(0.5)).reason
    assert "GiB" in reason and "0.5 GiB are free" in reason


def test_a_gpu_makes_it_faster_and_watts_give_energy() -> None:
    cpu, gpu = decided(build(LARGE)).chosen, decided(build(LARGE), on=machine(gpu_gib=24)).chosen
    assert cpu is not None and gpu is not None
    assert gpu.total_s < cpu.total_s
    assert cpu.energy_wh is None and gpu.energy_wh is not None and gpu.energy_wh > 0


def test_the_line_for_programs_has_every_key_of_the_contract() -> None:
    line = decision_line(decided())
    assert {"model", "quant", "engine", "thinking", "context_tokens", "sampling", "predicted", "fallbacks", "reason"} <= set(
        line
    )
    assert set(line["predicted"]) >= {"quality", "ttft_s", "total_s", "memory_mib", "cost_usd", "energy_wh"}
    assert set(line["thinking"]) == {"enabled", "budget_tokens"}


BUILDS = tuple(build(m, quant=q) for m in (SMALL, LARGE) for q in ("q4_K_M", "q8_0", "bf16"))


@given(order=st.permutations(BUILDS), depth=st.floats(0, 1), difficulty=st.floats(0, 1), tokens=st.integers(1, 60_000))
def test_the_order_of_the_candidates_never_matters(order: list[Build], depth: float, difficulty: float, tokens: int) -> None:
    needs = profile(depth=depth, difficulty=difficulty, input_tokens=tokens)
    assert decided(*order, needs=needs).chosen == decided(*BUILDS, needs=needs).chosen


@given(free=st.floats(0.3, 24), more=st.floats(0, 24), tokens=st.integers(1, 30_000))
def test_more_memory_never_turns_a_fit_into_a_refusal(free: float, more: float, tokens: int) -> None:
    needs = profile(input_tokens=tokens)
    before, after = decided(*BUILDS, on=machine(free), needs=needs), decided(*BUILDS, on=machine(free + more), needs=needs)
    assert not (before.possible & ~after.possible).any()


@given(difficulty=st.floats(0, 1), harder=st.floats(0, 1))
def test_a_harder_request_never_has_better_predicted_quality(difficulty: float, harder: float) -> None:
    low, high = sorted((difficulty, harder))
    easy, hard = decided(build(SMALL), needs=profile(difficulty=low)), decided(build(SMALL), needs=profile(difficulty=high))
    assert (easy.prediction.quality >= hard.prediction.quality - 1e-12).all()


def test_a_model_that_fits_once_another_is_unloaded_is_charged_for_loading_both_again() -> None:
    held = replace(build(LARGE, engine="ollama", resident_context_tokens=4096), resident_mib=3000.0)
    other = build(model("other", width=5), engine="ollama")
    abilities = Abilities({**ABILITIES_BY_NAME, ("other", False): 2.0, ("other", True): 3.0})
    free = Machine("full", (Device("cpu", "cpu", "a CPU", 6000, 1500, bandwidth_gib_s=50, compute_tflops=1),), 8, "test")
    decision = decided(held, other, on=free, abilities=abilities)
    table = decision.table
    assert table.fits[1, 0] and table.evicts[1, 0] and not table.evicts[0].any()
    assert table.eviction_s[1] == pytest.approx(3000 / 500)
    candidate = next(v.candidate for v in decision.verdicts() if v.candidate.build.model.short_name == "other")
    assert candidate.load_s == pytest.approx(table.load_s[1] + table.eviction_s[1])
    elsewhere = decided(held, build(model("other", width=5), engine="llamacpp"), on=free, abilities=abilities)
    assert "memory" in fates(elsewhere)["other"]  # another engine unloads nothing of Ollama's


def test_outside_english_and_chinese_a_model_is_a_little_less_able_but_not_at_translating() -> None:
    def best(**changes: object) -> float:
        return float(decided(needs=profile(**changes)).prediction.quality.max())

    plain = best()
    assert best(language="sw", output_languages=("sw",)) < plain
    assert best(language="en", output_languages=("de",)) < plain
    assert best(language="zh", output_languages=("en", "zh")) == pytest.approx(plain)
    translating = {domain: float(domain == "translation") for domain in DOMAINS}
    both = [best(domain="translation", domains=translating, language=language) for language in ("en", "sw")]
    assert both[0] == pytest.approx(both[1])


def test_thinking_that_a_rule_asks_for_is_not_refused_as_needless() -> None:
    policy = "name: x\nrules: [{name: think, then: {thinking: on}}]"
    chosen = decided(policy=policy, needs=profile(depth=0.01)).chosen
    assert chosen is not None and chosen.thinking


def test_in_a_utility_an_endpoint_that_nobody_priced_is_too_dear() -> None:
    far = build(LARGE, engine="openai", endpoint="https://far.example/v1")
    policy = "name: x\nprivacy: {remote_endpoints: true}\nobjective: {minimise: utility, utility: {per_usd: 0.001}}"
    chosen = decided(build(SMALL), far, policy=policy).chosen
    assert chosen is not None and chosen.build.model.short_name == "small"
    priced = policy + "\nprices: [{endpoint: 'https://far.*', input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4}]"
    chosen = decided(build(SMALL), far, policy=priced).chosen
    assert chosen is not None and chosen.build.model.short_name == "large" and (chosen.cost_usd or 0) > 0
