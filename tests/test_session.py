"""What a session does to a decision, how a decision is told in fifteen lines, and what a day's account holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from qwen_router import Policy, Request, Router
from qwen_router.decide import Decision, candidate_table, decide
from qwen_router.decide.summary import MOST_LINES, summary, summary_data
from qwen_router.engines.base import Done, Timings, Usage
from qwen_router.engines.fake import FakeEngine
from qwen_router.hardware.machine import ServedBuild
from qwen_router.ledger import Ledger
from qwen_router.policy import Circumstances, Previous, Spent
from qwen_router.profile.types import Profile
from qwen_router.request import Message
from tests.worlds import Abilities, build, machine, model, profile

SMALL, LARGE = build(model("small")), build(model("large", width=4))
ABILITIES = Abilities(
    {
        ("small", False): 0.0,
        ("small", True): 0.3,
        ("large", False): 1.0,
        ("large", True): 2.0,
    }
)
HELLO = Request.from_text("hello")
IN_A_LOOP = Request((Message("user", "What is 2 + 3?"), Message("assistant"), Message("tool", "5")))


def decided(
    request: Request = HELLO, *, previous: Previous | None = None, needs: Profile | None = None, policy: str = "name: x"
) -> Decision:
    rules = Policy.from_yaml(policy)
    table = candidate_table((SMALL, LARGE), machine(), rules, abilities=ABILITIES)
    return decide(request, needs or profile(), table, circumstances=Circumstances(previous=previous))


def was(made: object, *, thinks: bool = False, budget: int = 0, cached: int = 0) -> Previous:
    return Previous((made.engine, made.endpoint, made.name), thinks, budget, cached)  # type: ignore[attr-defined]


def name_of(decision: Decision) -> str:
    assert decision.chosen is not None
    return decision.chosen.build.model.short_name


FAST = "name: x\nobjective: {quality_slack: 1.0, patience_s: null}"


def test_within_a_tool_loop_the_model_and_its_mode_stay() -> None:
    assert name_of(decided(IN_A_LOOP, policy=FAST)) == "small"
    stays = decided(IN_A_LOOP, policy=FAST, previous=was(LARGE, thinks=True, budget=1024))
    assert stays.chosen is not None and name_of(stays) == "large"
    assert (stays.chosen.thinking, stays.chosen.budget_tokens) == (True, 1024)
    assert "within a tool loop model and mode do not change" in stays.reason
    assert [c.build.model.short_name for c in stays.fallbacks] == ["small"]


def test_between_turns_the_session_s_model_goes_only_for_a_gain_worth_the_switch() -> None:
    long_talk = profile(input_tokens=3000, output_tokens=1)
    assert name_of(decided(needs=long_talk, policy=FAST)) == "small"
    stays = decided(needs=long_talk, policy=FAST, previous=was(LARGE, cached=3000))
    assert name_of(stays) == "large" and "nothing gains more than a switch would cost" in stays.reason
    moves = decided(needs=profile(input_tokens=30, output_tokens=900), policy=FAST, previous=was(LARGE, cached=30))
    assert name_of(moves) == "small" and "moved from large q4_K_M" in moves.reason


def test_a_session_s_model_that_is_gone_or_refused_is_no_candidate() -> None:
    gone = decided(previous=Previous(("ollama", "", "elsewhere"), False, 0, 0))
    assert gone.kept is None and name_of(gone) == name_of(decided())
    forbidden = "name: x\nrules: [{name: never, then: {forbid: {models: [large]}}}]"
    refused = decided(IN_A_LOOP, previous=was(LARGE), policy=forbidden)
    assert name_of(refused) == "small" and refused.kept is not None and "is not possible now" in refused.kept


def test_the_router_remembers_what_answered_a_session() -> None:
    router = Router(engines=[FakeEngine(answers=["4"])])
    request = replace(HELLO, session="s1")
    assert router.circumstances(request).previous is None
    candidate = decided().chosen
    assert candidate is not None
    router.remember("s1", candidate, Done("stop", Usage(prompt_tokens=40, answer_tokens=2), Timings(1.0)))
    previous = router.circumstances(request).previous
    assert previous is not None and previous.cached_tokens == 42 and previous.build == ("llamacpp", "", candidate.build.name)
    assert router.circumstances(HELLO).previous is None
    router.close()


@pytest.mark.parametrize(
    "decision",
    [
        pytest.param(decided(), id="plain"),
        pytest.param(decided(IN_A_LOOP, previous=was(LARGE)), id="in-a-session"),
        pytest.param(decided(needs=profile(abstained=True, modalities=("text", "image"))), id="nothing-takes-images"),
        pytest.param(
            decided(policy="name: x\nrules: [{name: a, then: {thinking: off}}, {name: b, then: {quality_slack: 0.3}}]"),
            id="with-rules",
        ),
        pytest.param(decided(policy="name: x\nlimits: {max_total_s: 0.0001}"), id="nothing-is-fast-enough"),
    ],
)
def test_a_decision_is_told_in_fifteen_lines_that_agree_with_it(decision: Decision) -> None:
    lines = summary(decision)
    assert len(lines) <= MOST_LINES and all(len(line) < 200 for line in lines)
    words = [line[:12].strip() for line in lines]
    assert words[0] == "understood" and words[1] == "policy" and "decided" in words
    told = summary_data(decision)
    if decision.chosen is not None:
        assert told["best"][0].startswith(decision.chosen.label)
        assert f"quality {decision.chosen.quality:.2f}" in told["best"][0]
    else:
        assert told["decided"][0].startswith("nothing:")


def test_a_day_s_account_adds_up_by_user_and_begins_anew_at_midnight() -> None:
    day = [date(2026, 11, 25)]
    ledger = Ledger(today=lambda: day[0])
    ledger.add("ann", cost_usd=0.5, tokens=10)
    ledger.add("ben", energy_wh=2.0, tokens=5)
    ledger.add(None, tokens=1)
    assert ledger.spent("ann") == (Spent(0.5, 0.0, 10), Spent(0.5, 2.0, 16))
    assert ledger.spent(None)[0] == Spent()
    day[0] = date(2026, 11, 26)
    assert ledger.spent("ann") == (Spent(), Spent())


def test_a_reply_is_charged_and_a_spent_budget_refuses_the_next_request() -> None:
    policy = Policy.from_yaml("name: x\nbudgets: {user_per_day: {tokens: 100}}")
    table = candidate_table((SMALL,), machine(), policy, abilities=ABILITIES)
    asked = replace(HELLO, user="ann")
    first = decide(asked, profile(output_tokens=20), table)
    assert first.chosen is not None
    router = Router(engines=[FakeEngine(answers=["4"])])
    router.charge("ann", first, first.chosen, Done("stop", Usage(prompt_tokens=5, answer_tokens=100), Timings(2.0)))
    now = router.circumstances(asked)
    assert now.spent_by_user.tokens == 100
    after = decide(asked, profile(output_tokens=20), table, circumstances=now)
    assert after.chosen is None and "ann's budget of 100 tokens is used up" in after.reason
    assert decide(replace(HELLO, user="ben"), profile(output_tokens=20), table).chosen is not None
    router.close()


def test_an_engine_that_is_busy_is_charged_for_those_before() -> None:
    far = build(model("far"), engine="openai", endpoint="http://127.0.0.1:8000/v1")
    abilities = Abilities({(name, on): 1.0 for name in ("small", "far") for on in (False, True)})
    table = candidate_table((SMALL, far), machine(), Policy.from_yaml(FAST), abilities=abilities)

    def decided_with(*waiting: tuple[str, str, int]) -> Decision:
        return decide(HELLO, profile(), table, circumstances=Circumstances(waiting=waiting))

    free, busy = decided_with(), decided_with(("llamacpp", "", 2), ("openai", far.endpoint, 9))
    ours = table.build_of == 0
    assert busy.prediction.total_s[ours] == pytest.approx(3 * free.prediction.total_s[ours], rel=0.05)
    assert busy.prediction.total_s[~ours] == pytest.approx(free.prediction.total_s[~ours])  # it answers many at once


def test_the_router_counts_what_its_engines_are_busy_with() -> None:
    served = ServedBuild("fake", "fake", "small", model_id="Qwen/Qwen3-0.6B", quant="q8_0")
    router = Router(engines=[FakeEngine(answers=["a long enough answer"], models=[served])])
    stream = router.stream("What is 2 + 2?")
    seen = [router.circumstances(HELLO).waiting for _ in stream]
    assert seen[0] == (("fake", "fake", 1),) and router.circumstances(HELLO).waiting == ()
    left = iter(router.stream("What is 2 + 2?"))
    next(left)
    left.close()  # type: ignore[attr-defined]
    assert router.circumstances(HELLO).waiting == ()
    router.close()
