"""What holds for every decision, whatever the world: found by hypothesis, not by example."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_router.decide import Build, Decision, candidate_table, decide, decision_line
from qwen_router.decide.summary import summary_data
from qwen_router.policy import Circumstances, Policy, Previous, Spent
from qwen_router.request import Message, Request, Wishes
from tests.worlds import Abilities, build, machine, model, profile

NAMES = ("a", "b", "c", "d")
BUILDS: list[Build] = [
    build(model(name, width=n + 1, behaviour=behaviour), quant=quant)
    for n, (name, behaviour) in enumerate(zip(NAMES, ("toggle", "never", "always", "toggle"), strict=True))
    for quant in ("q4_K_M", "q8_0")
]
ABILITIES = Abilities({(name, on): n * 0.7 - 1 + 0.8 * on for n, name in enumerate(NAMES) for on in (False, True)})
HELLO = Request((Message("user", "hello"),))

policies = st.builds(
    lambda minimise, slack, patience, floor, cautious, forbid, prefer, cap: Policy.model_validate({
        "name": "drawn",
        "objective": {
            "minimise": minimise, "quality_slack": slack, "unsure_quality_slack": slack, "patience_s": patience,
            "floor": floor, "cautious": cautious, "utility": {"per_second": 0.01},
        },
        "rules": [
            {"name": "forbidden", "then": {"forbid": {"models": [forbid]}}},
            {"name": "liked", "then": {"prefer": {"models": [prefer], "by": 0.1}}},
            {"name": "capped", "then": {"thinking_budget_tokens": cap}},
        ],
    }),
    st.sampled_from(["latency", "memory", "cost", "energy", "utility"]), st.floats(0, 1), st.none() | st.floats(0.1, 500),
    st.none() | st.floats(0, 1), st.floats(0, 2), st.sampled_from([*NAMES, "none"]), st.sampled_from(NAMES),
    st.integers(1, 20_000),
)  # fmt: skip
needs = st.builds(
    lambda depth, difficulty, tokens, abstained: profile(
        depth=depth, difficulty=difficulty, input_tokens=tokens, abstained=abstained
    ),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(1, 60_000),
    st.booleans(),
)
moments = st.builds(
    lambda minute, load, previous: Circumstances(
        minute_of_day=minute,
        load=load,
        spent=Spent(),
        previous=None if previous is None else Previous(("llamacpp", "", previous), True, 1024, 500),
    ),
    st.none() | st.integers(0, 1439),
    st.none() | st.floats(0, 1),
    st.none() | st.sampled_from(NAMES),
)


def made(policy: Policy, wants: object, now: Circumstances, builds: list[Build] = BUILDS, free: float = 24.0) -> Decision:
    table = candidate_table(builds, machine(free), policy, abilities=ABILITIES)
    return decide(HELLO, wants, table, circumstances=now)  # type: ignore[arg-type]


@settings(max_examples=60)
@given(policy=policies, wants=needs, now=moments, order=st.permutations(BUILDS))
def test_the_same_inputs_decide_the_same_in_any_order(
    policy: Policy, wants: object, now: Circumstances, order: list[Build]
) -> None:
    first, second = made(policy, wants, now), made(policy, wants, now, order)
    assert first.chosen == second.chosen and first.fallbacks == second.fallbacks and first.reason == second.reason


@settings(max_examples=60)
@given(policy=policies, wants=needs, now=moments)
def test_a_forbidden_model_is_nowhere_in_the_chain_and_every_candidate_has_one_verdict(
    policy: Policy, wants: object, now: Circumstances
) -> None:
    decision = made(policy, wants, now)
    forbidden = policy.rules[0].then.forbid
    assert forbidden is not None
    chain = [c for c in (decision.chosen, *decision.fallbacks) if c is not None]
    assert all(c.build.model.short_name not in forbidden.models for c in chain)
    assert len({c.build.model.id for c in chain}) == len(chain)
    verdicts = list(decision.verdicts())
    keys = [(v.candidate.build.name, v.candidate.build.quant, v.candidate.thinking, n) for n, v in enumerate(verdicts)]
    assert len(keys) == len(decision) and sum(v.fate == "chosen" for v in verdicts) == (decision.chosen is not None)
    if decision.chosen is not None:
        better = decision.next_better(decision.chosen)
        assert better is None or (
            better.quality > decision.chosen.quality and better.build.model.short_name not in forbidden.models
        )


@settings(max_examples=60)
@given(policy=policies, wants=needs, now=moments)
def test_what_is_told_is_what_was_decided(policy: Policy, wants: object, now: Circumstances) -> None:
    decision = made(policy, wants, now)
    line, told = decision_line(decision), summary_data(decision)
    if decision.chosen is None:
        assert line["model"] is None and told["decided"][0].startswith("nothing:")
    else:
        assert line["model"] == decision.chosen.build.model.id
        assert told["best"][0].startswith(decision.chosen.label)


@settings(max_examples=60)
@given(policy=policies, wants=needs, tight=st.floats(0.01, 300), more=st.floats(0, 300))
def test_a_looser_limit_never_lowers_the_best_quality_that_is_possible(
    policy: Policy, wants: object, tight: float, more: float
) -> None:
    def best(limit_s: float) -> float:
        request = replace(HELLO, wishes=Wishes(max_latency_s=limit_s))
        table = candidate_table(BUILDS, machine(24.0), policy, abilities=ABILITIES)
        decision = decide(request, wants, table)  # type: ignore[arg-type]
        return max((float(decision.prediction.quality[i]) for i in decision.order), default=0.0)

    assert best(tight + more) >= best(tight)


@settings(max_examples=40)
@given(policy=policies, wants=needs, free=st.floats(0.3, 24), more=st.floats(0, 24))
def test_more_memory_never_turns_possible_into_refused(policy: Policy, wants: object, free: float, more: float) -> None:
    less, roomy = (made(policy, wants, Circumstances(), free=size) for size in (free, free + more))
    assert not (less.possible & ~roomy.possible).any()
