"""The transformers engine's batch: the same tokens as alone, whoever joins, leaves or thinks too long beside it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qwen_router.catalog.types import Sampling
from qwen_router.engines.base import Call, Done, Reasoning, Text, ThinkingPlan
from qwen_router.engines.batch_loop import BatchLoop
from qwen_router.engines.local_prompt import THINKING_SAMPLING
from qwen_router.engines.token_loop import Generation, Tally, TokenLoop, TokenPlan
from qwen_router.engines.torch_load import LoadOptions
from qwen_router.engines.torch_steps import TorchSteps
from qwen_router.engines.transformers import TransformersEngine
from qwen_router.errors import EngineTimeout
from qwen_router.request import Message

VOCABULARY = 211
OPEN_ID, CLOSE_ID, END_ID = 200, 201, 202
STOP_IDS = (7, 8, 9, CLOSE_ID)
GREEDY = Sampling(temperature=0)


def tiny_model(family: str, **changed: Any) -> Any:
    """A model of random weights in f32, small enough to run at once."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = {
        "vocab_size": VOCABULARY,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 2048,
        "initializer_range": 0.4,  # spread out, so that greedy choices are far apart
    }
    torch.manual_seed(3)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **shape | changed)).float().eval()


HYBRID = {
    "layer_types": ["linear_attention", "linear_attention", "linear_attention", "full_attention"],
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
}
SLIDING = {"layer_types": ["sliding_attention", "full_attention"] * 2, "use_sliding_window": True, "sliding_window": 16}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
FAMILIES = [
    pytest.param("qwen3", {}, id="Qwen3"),
    pytest.param("qwen2", {}, id="Qwen2.5"),
    pytest.param("qwen3_moe", EXPERTS, id="mixture"),
    pytest.param("qwen3_5_text", HYBRID, id="hybrid"),
    pytest.param("qwen2", SLIDING, id="sliding window"),
]


def plan(prompt: Sequence[int], *, budget: int | None = None, answer: int = 30, **changed: Any) -> TokenPlan:
    made = TokenPlan(
        prompt_ids=tuple(prompt),
        starts_inside=budget is not None,
        thinking=budget is not None,
        thinking_budget_tokens=budget,
        max_answer_tokens=answer,
        context_tokens=1024,
        sampling=GREEDY,
        seed=5,
        stop=(),
        end_ids=frozenset({END_ID}),
        think_open_id=OPEN_ID,
        think_close_id=CLOSE_ID,
        stop_thinking_ids=STOP_IDS,
        step_timeout_s=60.0,
    )
    return replace(made, **changed)


def word(token: int) -> str:
    return f"{token} "


def alone(model: Any, a_plan: TokenPlan) -> tuple[str, Tally]:
    """The reference: transformers' own cache, one sequence, nothing of the batch."""
    generation = Generation(a_plan, word)
    return "".join(TokenLoop(TorchSteps(model, cpu_threads=1), generation).run()), generation.tally


def together(batch: BatchLoop, plans: Sequence[TokenPlan]) -> list[tuple[str, Tally]]:
    """All at once, a thread each."""
    generations = [Generation(each, word) for each in plans]
    with ThreadPoolExecutor(len(plans)) as pool:
        texts = list(pool.map(lambda g: "".join(batch.run(g)), generations))
    return [(text, g.tally) for text, g in zip(texts, generations, strict=True)]


def mixed_plans() -> list[TokenPlan]:
    """Prompts of 1 to 600 tokens, answers of different lengths, thinking cut at different times or not at all."""
    rng = np.random.default_rng(1)
    lengths = (1, 3, 600, 40, 17, 5, 120)
    budgets = (None, 2, 15, None, 9, 1, None)
    return [
        plan(rng.integers(0, 200, n).tolist(), budget=b, answer=4 + 3 * i)
        for i, (n, b) in enumerate(zip(lengths, budgets, strict=True))
    ]


class Counted:
    """A model that notes how many rows each of its passes had, and fails or waits when told to."""

    def __init__(self, model: Any) -> None:
        self.model, self.rows, self.fail = model, list[int](), False
        self.config, self.device, self.dtype = model.config, model.device, model.dtype

    def __call__(self, **inputs: Any) -> Any:
        self.rows.append(len(inputs["input_ids"]))
        if self.fail and self.rows[-1] > 1:
            raise RuntimeError("the device is gone")
        return self.model(**inputs)


@pytest.fixture(scope="module")
def small() -> Any:
    return tiny_model("qwen3")


@pytest.mark.parametrize(("family", "changed"), FAMILIES)
def test_a_batch_says_token_for_token_what_each_row_says_alone(family, changed):
    """More calls than places, so that rows join, think to their budget's end, leave and are replaced."""
    model, plans = tiny_model(family, **changed), mixed_plans()
    results = together(BatchLoop(model, max_rows=4, cpu_threads=1), plans)
    assert results == [alone(model, each) for each in plans]
    for (_, tally), each in zip(results, plans, strict=True):
        assert tally.reasoning_tokens <= (each.thinking_budget_tokens or 0)
        assert tally.answer_tokens <= each.max_answer_tokens


def test_calls_that_run_at_once_share_their_passes(small):
    plans = [plan([i, i + 1, i + 2], answer=20) for i in range(8)]
    counted = Counted(small)
    results = together(BatchLoop(counted, max_rows=8, cpu_threads=1), plans)
    assert max(counted.rows) > 4
    assert len(counted.rows) < sum(tally.answer_tokens for _, tally in results) / 2


def test_a_call_that_joins_later_changes_nothing(small):
    batch = BatchLoop(small, max_rows=4, cpu_threads=1)
    early, late = plan([1, 2, 3], answer=25), plan([5] * 30, answer=12)
    running = batch.run(Generation(early, word))
    begun = [next(running) for _ in range(6)]
    (late_text, _) = together(batch, [late])[0]
    assert late_text == alone(small, late)[0]
    assert "".join([*begun, *running]) == alone(small, early)[0]


def test_a_call_that_is_left_frees_its_place_and_leaves_the_others_alone(small):
    batch = BatchLoop(small, max_rows=2, cpu_threads=1)
    stays, waits = plan([1, 2, 3], answer=30), plan([9, 8], answer=8)
    staying = batch.run(Generation(stays, word))
    leaving = batch.run(Generation(plan([4] * 20, answer=900, end_ids=frozenset()), word))
    begun = [next(staying), *(next(leaving) and "" for _ in range(3))]
    leaving.close()
    assert together(batch, [waits])[0] == alone(small, waits)
    assert "".join([*begun, *staying]) == alone(small, stays)[0]


def test_a_row_that_fails_takes_no_other_with_it(small):
    def broken(token: int) -> str:
        raise ValueError("no such token")

    batch, good = BatchLoop(small, max_rows=4, cpu_threads=1), plan([1, 2, 3])
    running = batch.run(Generation(good, word))
    begun = next(running)
    with pytest.raises(ValueError, match="no such token"):
        list(batch.run(Generation(plan([7, 7]), broken)))
    assert begun + "".join(running) == alone(small, good)[0]


def test_a_failing_device_ends_every_call_with_its_error_and_the_next_one_runs(small):
    counted = Counted(small)
    counted.fail = True
    batch = BatchLoop(counted, max_rows=4, cpu_threads=1)
    running = batch.run(Generation(plan([1, 2, 3], answer=900, end_ids=frozenset()), word))
    next(running)
    with pytest.raises(RuntimeError, match="the device is gone"):
        list(batch.run(Generation(plan([4, 5]), word)))
    with pytest.raises(RuntimeError, match="the device is gone"):
        list(running)
    counted.fail = False
    assert together(batch, [plan([6, 7])])[0] == alone(small, plan([6, 7]))


def test_a_thread_that_dies_ends_every_call_with_its_error_and_the_next_call_starts_another(small, monkeypatch):
    batch = BatchLoop(small, max_rows=2, cpu_threads=1)
    with monkeypatch.context() as patched:
        patched.setattr("qwen_router.engines.batch_loop.new_cache", lambda model: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            list(batch.run(Generation(plan([1, 2]), word)))
    assert together(batch, [plan([1, 2])])[0] == alone(small, plan([1, 2]))


def test_a_call_without_a_place_says_so_in_time(small):
    batch = BatchLoop(small, max_rows=1, cpu_threads=1)
    running = batch.run(Generation(plan([1], answer=900, end_ids=frozenset()), word))
    next(running)
    with pytest.raises(EngineTimeout, match="no place in the batch") as caught:
        list(batch.run(Generation(plan([2], step_timeout_s=0.05), word)))
    assert "fewer requests" in caught.value.fix
    running.close()


def test_each_row_draws_with_its_own_seed_and_sampling(small):
    plans = [
        plan([1, 2, 3], sampling=Sampling(temperature=t, top_p=p, presence_penalty=q), seed=s)
        for t, p, q, s in ((1.0, 0.9, 0.0, 1), (1.0, 0.9, 0.0, 2), (0.7, 1.0, 1.5, 1), (0.0, 1.0, 1.5, 1))
    ]
    results = together(BatchLoop(small, max_rows=4, cpu_threads=1), plans)
    assert results == [alone(small, each) for each in plans]
    assert len({text for text, _ in results}) == len(plans)


def test_memory_that_is_short_makes_calls_wait_instead_of_failing(small, monkeypatch):
    monkeypatch.setattr("qwen_router.engines.batch_loop._free_bytes", lambda model: 0.0)
    counted, plans = Counted(small), [plan([i], answer=10) for i in range(3)]
    batch = BatchLoop(counted, max_rows=8, cpu_threads=1)
    assert together(batch, plans[:1]) == [alone(small, plans[0])]  # after it the size of a token is known
    counted.rows.clear()
    assert together(batch, plans) == [alone(small, each) for each in plans]
    assert max(counted.rows) == 1


def test_with_an_attention_that_takes_no_mask_for_each_row_calls_take_turns(small, monkeypatch):
    monkeypatch.setattr("qwen_router.engines.batch_cache._MASKED", ())
    counted, plans = Counted(small), [plan([i] * (i + 1), answer=8) for i in range(3)]
    assert together(BatchLoop(counted, max_rows=4, cpu_threads=1), plans) == [alone(small, each) for each in plans]
    assert max(counted.rows) == 1


@pytest.mark.parametrize("dtype", ["float32", "auto"])
def test_the_engine_answers_many_callers_as_it_answers_one(dtype):
    """In bf16 greedy only: whether two batches add up to the same bits is the processor's library's business."""
    engine = TransformersEngine(options=LoadOptions(dtype=dtype))
    calls = [
        Call(
            model="qwen3-nano",
            messages=(Message("user", text),),
            thinking=ThinkingPlan(budget is not None, budget),
            behaviour="toggle",
            sampling=THINKING_SAMPLING if budget else GREEDY,
            max_answer_tokens=30,
            context_tokens=1024,
            seed=3,
        )
        for text, budget in (
            ("12 + 34?", None), ("Hello! " * 40, None), ("12 + 34 + 56 + 78?", 5), ("Write a poem.", None), ("7 + 8?", 60),
        )
        if dtype == "float32" or budget is None
    ]  # fmt: skip

    def said(call: Call) -> tuple[str, int, int]:
        *events, done = engine.stream(call)
        assert isinstance(done, Done)
        text = "".join(e.text for e in events if isinstance(e, Text | Reasoning))
        return text, done.usage.reasoning_tokens, done.usage.answer_tokens

    one_by_one = [said(call) for call in calls]
    with ThreadPoolExecutor(len(calls)) as pool:
        at_once = list(pool.map(said, calls))
    assert at_once == one_by_one
    engine.close()


def test_a_reply_that_would_end_within_its_thought_goes_on_behind_it():
    scripted = iter([7, END_ID, 8, END_ID])

    def scores() -> np.ndarray:
        row = np.zeros(VOCABULARY, np.float32)
        row[next(scripted)] = 1.0
        return row

    generation = Generation(plan([1, 2], budget=20), word)
    assert generation.advance(scores()) == ("7 ", (7,))
    text, ids = generation.advance(scores())
    assert ids == STOP_IDS and text == "".join(map(word, STOP_IDS))
    assert generation.advance(scores()) == ("8 ", (8,))
    assert generation.advance(scores()) == ("", ())
    assert (generation.tally.reasoning_tokens, generation.tally.answer_tokens, generation.tally.finish) == (1, 1, "stop")


def test_a_process_may_end_while_a_reply_is_on_its_way():
    """C++ aborts where a thread comes back from torch into a Python that is ending."""
    program = """
from qwen_router.engines.transformers import TransformersEngine
from tests.test_engines import call_of
stream = TransformersEngine().stream(call_of("qwen3-nano", think=True, max_answer_tokens=900))
print(next(iter(stream)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, "Reasoning" in done.stdout) == (0, True), done.stderr
