"""One answer over HTTP, in one request or several: what to send next, when to leave a stream, how to go on behind a thought.

No IO: an engine posts what `post` names and feeds what comes. A thought that is over its budget, or that ends where a
response format was held back, is left; the answer is then asked for behind it with a raw prompt (`chatml.py`), or, where
the server takes none, in a chat of its own without thinking. `openai_exchange.py` and `ollama_exchange.py` read the chunks.

    python -c "from qwen_router.engines.exchange import Exchange; print(Exchange.post.__doc__)"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from qwen_router.engines.assemble import ReplyAssembler, estimated_tokens
from qwen_router.engines.base import Call, Event, ThinkingPlan, Usage
from qwen_router.engines.chatml import TAG_IN_PROMPT
from qwen_router.engines.structured import formats_answer
from qwen_router.engines.thinking import STOP_SENTENCE
from qwen_router.engines.thought_budget import ThoughtBudget
from qwen_router.engines.wire import ClosedUnheard, Peer, check_not_truncated
from qwen_router.request import Message

Phase = Literal["chat", "raw", "formatted", "done"]
"""What is being asked for: everything, the answer behind a thought, the answer in a chat without thinking, nothing more."""


@dataclass(frozen=True, slots=True)
class Post:
    """What to send next, and where to."""

    path: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bodies:
    """The posts of one call, made when they are needed; `raw` and `formatted` are given what was thought."""

    chat: Callable[[], Post]
    raw: Callable[[str], Post]
    formatted: Callable[[str], Post]


@dataclass(frozen=True, slots=True)
class Ways:
    """What a server can do for this call. `own_budget`: it was told the budget. `raw`: it takes rendered prompts.
    `holds_format`: the format is sent only when the thought is over.
    """

    own_budget: bool
    raw: bool
    holds_format: bool


class Exchange:
    """`left` says that the current response is not to be read on."""

    def __init__(self, call: Call, peer: Peer, ways: Ways, bodies: Bodies) -> None:
        self._call, self._peer, self._ways, self._bodies = call, peer, ways, bodies
        self._can_ask_again = call.behaviour == "toggle"
        self._budget = ThoughtBudget.of(call, own=ways.own_budget, can_leave=ways.raw or self._can_ask_again)
        self._assembler = ReplyAssembler(call, stops_before_answer=ways.holds_format)
        self._phase: Phase = "chat"
        self._thought_tokens: int | None = None  # where a thought was left: counted by us, or by the engine at its end
        self._read_tokens: int | None = None  # of the prompt, as the engine counted them then
        self._added_tokens = 0  # put behind the thought
        self._asked_again = False
        self.left = False

    def post(self) -> Post | None:
        """What to send next; None when the answer is whole."""
        self.left = False
        match self._phase:
            case "chat":
                return self._bodies.chat()
            case "raw":
                return self._bodies.raw(self._assembler.reasoning)
            case "formatted":
                return self._bodies.formatted(self._assembler.reasoning)
            case "done":
                return None

    def refused(self, error: Exception) -> None:
        """The last post was refused. A raw prompt that is not taken is replaced by a chat; else the error is raised."""
        if self._phase != "raw" or not self._can_ask_again:
            raise error
        self._phase = "formatted"

    def unheard(self, error: ClosedUnheard) -> None:
        """The last post got no answer at all: it is sent once more, on a new connection; the second time it is an error."""
        if self._asked_again:
            raise error
        self._asked_again = True

    def _watch(self, piece: str) -> Iterator[Event]:
        """Leave a thought that is over its budget, and an answer that was to come in a format that was held back."""
        if self._phase != "chat":
            return
        if self._assembler.answer_began:
            self._thought_tokens = self._budget.spent_tokens
            self.left = True
        elif piece and self._assembler.thinks_now(if_unsure=self._call.family in TAG_IN_PROMPT):
            self._budget.count(piece)
            if self._budget.is_spent:
                self._thought_tokens = self._budget.spent_tokens
                yield from self._cut()
                self.left = True

    def _cut(self) -> Iterator[Event]:
        self._added_tokens = estimated_tokens(STOP_SENTENCE)
        yield from self._assembler.cut_thought(STOP_SENTENCE)

    def _after_thought(self, usage: Usage, completion_tokens: int | None) -> Iterator[Event]:
        """At the end of a response that thought and said nothing, because it ran into its limit or stopped there: as if its
        thought had been left, but counted by the engine.
        """
        thinks = self._phase == "chat" and self._call.thinking.enabled and self._assembler.only_thought
        if self.left or not thinks or not (self._ways.raw or self._can_ask_again):
            return
        self._thought_tokens = self._budget.spent_tokens if completion_tokens is None else completion_tokens
        self._read_tokens = usage.prompt_tokens
        if self._assembler.in_thought:
            yield from self._cut()
        self.left = True

    def _goes_on(self) -> bool:
        """At the end of a response: True when another one is to come."""
        if self._phase == "chat" and self._assembler.stops_before_answer:
            self._assembler.settle()
        nothing_came = self._assembler.stops_before_answer and self._phase == "chat" and self._assembler.is_empty
        if not self.left and not nothing_came:
            self._phase = "done"
            return False
        self._phase = "raw" if self._ways.raw else "formatted"
        self._assembler.stops_before_answer = False
        return True

    def _finished(
        self, usage: Usage, *, completion_tokens: int | None, finish_reason: str | None, load_s: float | None = None
    ) -> Iterator[Event]:
        """The last events. Raises `ContextTruncated` when the engine's own count shows that the prompt was cut."""
        if self._thought_tokens is not None:  # what was thought is in the second prompt
            read = self._read_tokens
            if read is None and usage.prompt_tokens is not None:
                read = max(0, usage.prompt_tokens - self._thought_tokens - self._added_tokens)
            usage = Usage(read, self._thought_tokens, completion_tokens, usage.cached_tokens, split_estimated=True)
        check_not_truncated(self._call, usage.prompt_tokens, self._peer)
        yield from self._assembler.finish(
            finish_reason=finish_reason, usage=usage, completion_tokens=completion_tokens, load_s=load_s
        )


def wants_format_later(call: Call) -> bool:
    """Whether the thought is left to come free before the format is asked for."""
    return call.thinking.enabled and formats_answer(call)


def answering(call: Call, reasoning: str) -> Call:
    """The call that asks for the answer alone, with what was thought before it."""
    asked = "Give the final answer now." if call.response_format is None else "Give the final answer now, as JSON."
    thought = (Message("assistant", reasoning), Message("user", asked)) if reasoning.strip() else ()
    return replace(call, messages=(*call.messages, *thought), thinking=ThinkingPlan(enabled=False))


def count(value: Any, key: str) -> int | None:
    """A number of tokens or nanoseconds in what a server sent, None where it is none."""
    number = value.get(key) if isinstance(value, Mapping) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None
