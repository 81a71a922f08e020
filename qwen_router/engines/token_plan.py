"""From a call and its prompt's ids to a `TokenPlan`: budgets that fit the context, sampling by mode, the ids that matter.

What the engines that generate token by token share (`transformers.py`, `onnx.py`). Renders and runs nothing.

    python -c "from qwen_router.engines.token_plan import EARLY_STOP; print(EARLY_STOP)"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qwen_router.engines.base import Call
from qwen_router.engines.local_prompt import PromptEncoder, effective_sampling
from qwen_router.engines.thinking import CLOSE, OPEN, STOP_SENTENCE
from qwen_router.engines.token_loop import TokenPlan
from qwen_router.errors import EngineRefused

EARLY_STOP = f"{STOP_SENTENCE}{CLOSE}\n\n"


@dataclass(frozen=True)
class Limits:
    """What a plan needs to know of a loaded model. `context_tokens` is the longest sequence that it takes."""

    engine: str
    prompts: PromptEncoder
    end_ids: frozenset[int]
    context_tokens: int
    stop_sentence: str


def token_plan(call: Call, text: str, ids: Sequence[int], limits: Limits) -> TokenPlan:
    """The plan for a prompt that reads `text` and has these ids. Raises `EngineRefused` when it leaves no room."""
    context_tokens = min(call.context_tokens, limits.context_tokens)
    stop_ids = tuple(limits.prompts.encode(limits.stop_sentence))
    room = context_tokens - len(ids) - 1
    if room < 1:
        raise EngineRefused(
            f"the prompt has {len(ids)} tokens, the context {context_tokens}",
            fix="shorten the conversation, or ask for a longer context",
            engine=limits.engine,
            endpoint="in process",
        )
    starts_inside = text.rstrip().endswith(OPEN)
    # Without a limit of its own, thinking may take what the answer does not need.
    spare = max(0, room - call.max_answer_tokens - len(stop_ids) - 2)
    budget = spare if call.thinking.budget_tokens is None else min(call.thinking.budget_tokens, spare)
    return TokenPlan(
        prompt_ids=tuple(ids),
        starts_inside=starts_inside,
        thinking=call.thinking.enabled,
        thinking_budget_tokens=budget,
        max_answer_tokens=call.max_answer_tokens,
        context_tokens=context_tokens,
        sampling=effective_sampling(call, thinking=call.thinking.enabled or starts_inside),
        seed=call.seed,
        stop=call.stop,
        end_ids=limits.end_ids,
        think_open_id=limits.prompts.control_ids.get(OPEN),
        think_close_id=limits.prompts.control_ids.get(CLOSE),
        stop_thinking_ids=stop_ids,
        step_timeout_s=call.timeout_s,
    )
