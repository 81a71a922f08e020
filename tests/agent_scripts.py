"""Scripted models for an agent: who is asked, and how often, decides what they say, as text or native calls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from qwen_router.engines.assemble import ReplyAssembler, estimated_tokens
from qwen_router.engines.base import Call, Event, Usage
from qwen_router.engines.fake import FakeEngine
from qwen_router.hardware.machine import ServedBuild
from qwen_router.request import ToolCall

SMALL = ServedBuild("fake", "fake", "qwen3:1.7b", "Qwen/Qwen3-1.7B", "q4_K_M", resident=True, context_tokens=32768)
LARGE = ServedBuild("fake", "fake", "qwen3:8b", "Qwen/Qwen3-8B", "q4_K_M", resident=True, context_tokens=32768)


@dataclass(frozen=True)
class Say:
    """One reply: text as a model writes it (tags and all), and calls as an engine hands them over."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()


Script = Callable[[int], Say]
"""What a model says at its n-th call (from 0) of one run."""


class ScriptedEngine(FakeEngine):
    """Two served models. In each run (`begin`) whichever is asked first follows one script, the other the second."""

    def __init__(self) -> None:
        super().__init__(models=(SMALL, LARGE))
        self._scripts: list[Script] = []
        self._roles: dict[str, int] = {}
        self.asked: Counter[int] = Counter()
        """How often the first and the second (0, 1) were asked."""

    def begin(self, first: Script, second: Script) -> None:
        self._scripts, self._roles, self.asked = [first, second], {}, Counter()
        self.calls.clear()

    def stream(self, call: Call) -> Iterator[Event]:
        self.calls.append(call)
        role = self._roles.setdefault(call.model, len(self._roles))
        said = self._scripts[role](self.asked[role])
        self.asked[role] += 1
        assembler = ReplyAssembler(call)
        if said.text:
            yield from assembler.feed(content=said.text)
        if said.calls:
            yield from assembler.feed(tool_calls=said.calls)
        usage = Usage(prompt_tokens=50, reasoning_tokens=0, answer_tokens=estimated_tokens(assembler.answer))
        yield from assembler.finish(finish_reason="stop", usage=usage)


def called(name: str, **arguments: object) -> Say:
    """A call as an engine hands it over."""
    return Say(calls=(ToolCall("", name, arguments),))


def written(name: str, arguments: object) -> Say:
    """A call as a model writes it."""
    inner = (
        arguments if isinstance(arguments, str) else json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
    )
    return Say(f"<tool_call>\n{inner}\n</tool_call>")


def in_order(says: Sequence[Say]) -> Script:
    """One after the other, the last one for ever after."""
    return lambda n: says[min(n, len(says) - 1)]
