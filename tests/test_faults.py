"""Replies that are not good enough go to the next better model, with the reason, within attempts and budgets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qwen_router import Policy, Reply, Request, Router
from qwen_router.engines.fake import FakeEngine
from qwen_router.faults import Check, fault_of, is_refusal
from qwen_router.hardware import Device, Machine
from qwen_router.hardware.machine import ServedBuild

HERE = Machine(
    "roomy", (Device("cpu", "cpu", "a CPU", 200_000, 190_000, bandwidth_gib_s=200, compute_tflops=5),), 16, "test"
)
MODELS = [
    ServedBuild("fake", "fake", name, model_id=f"Qwen/{name}", quant="q8_0")
    for name in ("Qwen3-0.6B", "Qwen3-4B", "Qwen3-14B")
]
SMALL_FIRST = """
name: small-first
objective: {minimise: memory, quality_slack: 1.0, patience_s: null}
thinking: {mode: off}
fallback: {attempts: 2, escalate: true}
"""
ASK = "Explain in two sentences why the sky is blue, please, as if to a child of six."


def router_with(*answers: str, policy: str = SMALL_FIRST, finish_reason: str = "stop") -> tuple[Router, FakeEngine]:
    engine = FakeEngine(answers=answers, models=MODELS, finish_reason=finish_reason)
    return Router(engines=[engine], machine=HERE, policy=Policy.from_yaml(policy)), engine


def asked(engine: FakeEngine) -> list[str]:
    return [call.model for call in engine.calls]


GOOD = "Sunlight holds all colours, and the air throws the blue ones about the most. So blue comes from everywhere."


@pytest.mark.parametrize(
    ("first", "words"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param("I'm sorry, but I can't help with that.", "refused", id="refused"),
        pytest.param("抱歉，我无法回答这个问题。", "refused", id="refused-in-chinese"),
        pytest.param(
            "El cielo es azul porque el aire dispersa más la luz azul que las demás, y por eso la vemos en todas partes.",
            "the answer is in es, asked for was en",
            id="another-language",
        ),
    ],
)
def test_a_faulty_reply_is_asked_of_the_next_better_model(first: str, words: str) -> None:
    router, engine = router_with(first, GOOD)
    reply = router.ask(ASK)
    assert reply.answer == GOOD and asked(engine) == ["Qwen3-0.6B", "Qwen3-4B"]
    assert len(reply.failed_attempts) == 1 and words in reply.failed_attempts[0]
    assert reply.failed_attempts[0].startswith("Qwen3-0.6B q8_0 on fake: ")
    assert reply.served_by.build.model.id == "Qwen/Qwen3-4B"
    router.close()


def test_a_cut_answer_and_a_failed_check_escalate_until_the_attempts_are_used_up() -> None:
    router, engine = router_with(GOOD, finish_reason="length")
    reply = router.ask(ASK)
    assert asked(engine) == ["Qwen3-0.6B", "Qwen3-4B", "Qwen3-14B"] and reply.finish_reason == "length"
    assert [("cut at its limit" in text) for text in reply.failed_attempts] == [True, True]
    router.close()

    def must_name_a_prism(reply: Reply) -> str | None:
        return None if "prism" in reply.answer else "no prism is named"

    router, engine = router_with(
        GOOD, "A prism shows it.", policy="name: x\nobjective: {minimise: memory, quality_slack: 1.0}"
    )
    reply = router.ask(ASK, check=must_name_a_prism)
    assert reply.answer == "A prism shows it." and "no prism is named" in reply.failed_attempts[0]
    router.close()


def test_without_escalation_or_with_a_spent_budget_the_first_reply_stands() -> None:
    router, engine = router_with("", GOOD, policy=SMALL_FIRST.replace("escalate: true", "escalate: false"))
    assert router.ask(ASK).answer == "" and asked(engine) == ["Qwen3-0.6B"]
    router.close()
    router, engine = router_with(GOOD, policy=SMALL_FIRST + "budgets: {per_day: {tokens: 5000}}")

    def dear(reply: Reply) -> bool:
        router.ledger.add(None, tokens=5000)
        return False

    assert router.ask(ASK, check=dear).answer == GOOD and asked(engine) == ["Qwen3-0.6B"]
    router.close()


async def test_the_asynchronous_twin_does_the_same() -> None:
    router, engine = router_with("", GOOD)
    reply = await router.aask(ASK)
    assert reply.answer == GOOD and asked(engine) == ["Qwen3-0.6B", "Qwen3-4B"] and "empty" in reply.failed_attempts[0]
    router.close()


@pytest.mark.parametrize("check", [lambda _: None, lambda _: True], ids=["nothing", "true"])
def test_a_check_that_is_content_changes_nothing(check: Check) -> None:
    router, engine = router_with(GOOD, policy="name: x\nobjective: {minimise: memory, quality_slack: 1.0}")
    assert router.ask(ASK, check=check).failed_attempts == () and len(engine.calls) == 1
    reply = router.ask(ASK)
    assert fault_of(reply, reply.decision, lambda _: False) == "the caller's check failed"
    assert fault_of(replace(reply, answer="4"), reply.decision) is None
    router.close()


@pytest.mark.parametrize(
    ("answer", "refuses"),
    [
        pytest.param("I cannot help with that.", True, id="plain"),
        pytest.param("Sorry, I’m unable to do this.", True, id="curly"),
        pytest.param("As an AI language model, I can't feel.", True, id="as-an-ai"),
        pytest.param("I can help with that.", False, id="can"),
        pytest.param("You cannot divide by zero.", False, id="somebody-else-cannot"),
        pytest.param("I cannot stress enough how " + "very " * 100 + "important it is.", False, id="long"),
    ],
)
def test_refusals_are_told_from_answers(answer: str, refuses: bool) -> None:
    assert is_refusal(answer) == refuses


def test_a_request_pinned_to_a_model_is_not_taken_elsewhere() -> None:
    router, engine = router_with("", GOOD)
    reply = router.ask(Request.of({"model": "Qwen3-4B", "messages": [{"role": "user", "content": ASK}]}))
    assert reply.answer == "" and asked(engine) == ["Qwen3-4B"]
    router.close()


def test_what_is_wrong_with_the_last_reply_is_told_where_nobody_is_left_to_ask() -> None:
    router = Router(engines=[FakeEngine(["It is 51."], models=MODELS[:1])])
    reply = router.ask("What is 34 + 27?", check=lambda reply: "34 + 27 is 61")
    assert reply.answer == "It is 51." and reply.fault is not None and "34 + 27 is 61" in reply.fault
