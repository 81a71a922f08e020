"""The transformers engine's batch: the same tokens as alone, whoever joins, leaves or thinks too long beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qwen_router.catalog.types import Sampling
from qwen_router.engines.batch_loop import BatchLoop
from qwen_router.engines.token_loop import Generation, TokenLoop, TokenPlan

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


def alone(model: Any, a_plan: TokenPlan) -> tuple[str, TokenLoop]:
    """The reference: transformers' own cache, one sequence, nothing of the batch."""
    import torch
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)

    def step(ids: tuple[int, ...]) -> Any:
        with torch.inference_mode():
            return model(input_ids=torch.tensor([ids]), past_key_values=cache, use_cache=True).logits[0, -1].numpy()

    loop = TokenLoop(step, a_plan, word)
    return "".join(loop.run()), loop


def together(batch: BatchLoop, plans: Sequence[TokenPlan]) -> list[tuple[str, Generation]]:
    """All at once, a thread each."""
    loops = [Generation(each, word) for each in plans]
    texts = in_threads([lambda loop=loop: "".join(batch.run(loop)) for loop in loops])
    return list(zip(texts, loops, strict=True))


def in_threads(works: Sequence[Callable[[], Any]]) -> list[Any]:
    results: list[Any] = [None] * len(works)

    def work(i: int) -> None:
        try:
            results[i] = works[i]()
        except Exception as error:
            results[i] = error

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


def mixed_plans() -> list[TokenPlan]:
    """Prompts of 1 to 700 tokens, answers of different lengths, thinking cut at different times or not at all."""
    rng = np.random.default_rng(1)
    lengths = (1, 3, 700, 40, 17, 90, 5, 260)
    budgets = (None, 2, 25, None, 9, 1, 60, None)
    return [
        plan(rng.integers(0, 200, n).tolist(), budget=b, answer=10 + 5 * i)
        for i, (n, b) in enumerate(zip(lengths, budgets, strict=True))
    ]


@pytest.mark.parametrize("max_rows", [1, 3, 8])
@pytest.mark.parametrize(("family", "changed"), FAMILIES)
def test_a_batch_says_token_for_token_what_each_row_says_alone(family, changed, max_rows):
    model = tiny_model(family, **changed)
    plans = mixed_plans()
    batch = BatchLoop(model, max_rows=max_rows, cpu_threads=1)
    for (text, loop), a_plan in zip(together(batch, plans), plans, strict=True):
        expected, reference = alone(model, a_plan)
        assert text == expected
        assert loop.tally == reference.tally
