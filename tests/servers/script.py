"""What a served model says, independent of the protocol that carries it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Say:
    """One reply. `reasoning` and `calls` go into the protocol's own fields, `content` is sent as it is, tags and all.

    `broken` ends the reply after its deltas: "error" with the protocol's error line, "reset" by cutting the connection,
    "end" by ending the body without the last message, "stall" by waiting for `stall_s`.
    """

    content: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    finish_reason: str = "stop"
    prompt_tokens: int = 20
    completion_tokens: int = 10
    reasoning_tokens: int | None = None
    chunk_chars: int = 3
    broken: str = ""
    stall_s: float = 2.0

    def deltas(self) -> Iterator[tuple[str, str]]:
        for kind, text in (("reasoning", self.reasoning), ("content", self.content)):
            for start in range(0, len(text), self.chunk_chars):
                yield kind, text[start : start + self.chunk_chars]


Turn = Say | Callable[[dict[str, Any]], Say]
"""A reply, or what makes one of the request's body."""


class Turns:
    """The n-th request gets the n-th turn, the last one for ever after."""

    def __init__(self, *turns: Turn) -> None:
        self._turns = list(turns) or [Say(content="ok")]

    def next(self, body: dict[str, Any]) -> Say:
        turn = self._turns.pop(0) if len(self._turns) > 1 else self._turns[0]
        return turn if isinstance(turn, Say) else turn(body)
