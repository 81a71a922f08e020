"""What a served model says, independent of the protocol that carries it."""

from __future__ import annotations

from collections.abc import Iterator
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
