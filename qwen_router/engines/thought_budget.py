"""Holds a thinking budget over engines that only stream: counts what is thought and says when to leave.

What happens then (the stop sentence, `</think>`, a raw prompt that goes on) is the engine's, with `chatml.py`. An engine
that has a budget of its own is given that first, and left only when it is clearly beyond it.

    python -c "from qwen_router.engines.thought_budget import tokens_of_piece; print(tokens_of_piece('so the sum'))"
"""

from __future__ import annotations

from dataclasses import dataclass

from qwen_router.engines.assemble import estimated_tokens
from qwen_router.engines.base import Call
from qwen_router.engines.thinking import ESTIMATE_TOLERANCE

ONE_TOKEN_BYTES = 12
"""Servers send a piece a token; one that is longer than most tokens holds several, and is estimated."""
OWN_SLACK_TOKENS = 32


def tokens_of_piece(text: str) -> int:
    """About how many tokens a streamed piece is."""
    return 1 if len(text.encode("utf-8", "replace")) <= ONE_TOKEN_BYTES else max(1, estimated_tokens(text))


@dataclass(slots=True)
class ThoughtBudget:
    """`limit_tokens` None: never left."""

    limit_tokens: int | None
    spent_tokens: int = 0

    @classmethod
    def of(cls, call: Call, *, own: bool, can_leave: bool) -> ThoughtBudget:
        """`own`: the engine was told the budget. `can_leave`: it can go on from a thought that was cut."""
        budget = call.thinking.budget_tokens
        if not call.thinking.enabled or not budget or not can_leave:
            return cls(None)
        return cls(round(budget * ESTIMATE_TOLERANCE) + OWN_SLACK_TOKENS if own else budget)

    def count(self, piece: str) -> None:
        self.spent_tokens += tokens_of_piece(piece)

    @property
    def is_spent(self) -> bool:
        return self.limit_tokens is not None and self.spent_tokens >= self.limit_tokens
