"""What the engines that generate token by token share: from a call to a `TokenPlan`, from a generation to a reply's events.

A plan holds budgets that fit the context, the sampling of the mode and the ids that matter.

    python -c "from qwen_router.engines.token_plan import EARLY_STOP; print(EARLY_STOP)"
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from qwen_router.engines.assemble import ReplyAssembler
from qwen_router.engines.base import Call, Event, Usage
from qwen_router.engines.local_prompt import PromptEncoder, effective_sampling
from qwen_router.engines.thinking import CLOSE, OPEN, STOP_SENTENCE
from qwen_router.engines.token_loop import Generation, TokenPlan
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


def replied(
    call: Call, generation: Generation, texts: Generator[str, None, None], *, load_s: float | None
) -> Iterator[Event]:
    """The events of a reply whose `texts` come from `generation`. Closing it closes them."""
    assembler = ReplyAssembler(call)
    if generation.plan.starts_inside:
        yield from assembler.feed(content=OPEN)
    with closing(texts):
        for text in texts:
            yield from assembler.feed(content=text)
    tally = generation.tally
    usage = Usage(
        prompt_tokens=len(generation.plan.prompt_ids),
        reasoning_tokens=tally.reasoning_tokens,
        answer_tokens=tally.answer_tokens,
    )
    yield from assembler.finish(finish_reason=tally.finish, usage=usage, load_s=load_s)
