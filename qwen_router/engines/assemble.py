"""From what an engine sends to the events that callers see: the one core under every engine, without any IO.

`ReplyAssembler` takes deltas (content, reasoning field, native tool calls) and yields `Reasoning`, `Text`, `ToolCall` and
one `Done` with usage, timings and violations. Fetching the deltas is the engine's work.

    python -c "from qwen_router.engines.assemble import ReplyAssembler; print(ReplyAssembler.feed.__doc__)"
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from qwen_router.control_tokens import restored
from qwen_router.engines.base import (
    Call,
    Done,
    Event,
    FinishReason,
    Reasoning,
    Text,
    Timings,
    Usage,
    Violation,
)
from qwen_router.engines.call_format import CallText
from qwen_router.engines.structured import begins_json, json_in
from qwen_router.engines.thinking import (
    CLOSE,
    STOP_SENTENCE,
    Collected,
    TagStripper,
    ThinkingParser,
    ends_in_partial_tag,
    verify,
    without_blank_lines,
)
from qwen_router.engines.threaded import astream_in_thread
from qwen_router.engines.tool_calls import CallChecker, NativeCalls, Piece, Region, ToolCallParser
from qwen_router.request import ToolCall

__all__ = ["Delta", "ReplyAssembler", "astream_in_thread", "estimated_tokens"]

Delta = Mapping[str, Any] | ToolCall


def estimated_tokens(text: str) -> int:
    """Tokens of a text that no engine counted for us: within some 10 % on prose, worse on rare scripts."""
    from qwen_router.profile.tokens import estimate_tokens

    return estimate_tokens(text)


class ReplyAssembler:
    """Turns one reply's deltas into events. `feed` as pieces come, `finish` once when the engine says that it is done.

    `starts_inside` says that the prompt opened `<think>` (engines that render the prompt themselves know). Where nobody
    knows and thinking is on, it is found out: an always-thinking model's text without an opening tag is reasoning; a
    toggling one's is kept back until `</think>` or the end.

    Under a response format, an answer that does not begin as JSON is kept back; at the end the JSON within it is given, or,
    where there is none, all of it.

    With `stops_before_answer` no answer is given out: `answer_began` says that one came, and the engine asks again.

    After the last `feed`, `violate` may add what only the engine can see.
    """

    def __init__(
        self,
        call: Call,
        *,
        starts_inside: bool = False,
        stops_before_answer: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._call = call
        self.stops_before_answer = stops_before_answer
        self.answer_began = False  # and was not given out
        self._clock = clock
        self._started = clock()
        self._starts_inside = starts_inside
        self._guessed_inside = False
        self._parser: ThinkingParser | None = None
        self._field = ThinkingParser(starts_inside=True)
        self._in_field = False  # the last piece came in the reasoning field
        self._early = ""  # blank content that came before anything else
        self._lead = ""  # blanks that the answer may turn out to begin with
        tools = () if call.tool_choice == "none" else call.tools
        self._checker = CallChecker(tools, id_prefix=f"call_{len(call.messages)}")
        self._answer_calls = ToolCallParser(self._checker)
        self._thought_checker = CallChecker(tools, id_prefix=f"call_{len(call.messages)}")
        self._reasoning_calls = ToolCallParser(self._thought_checker)
        self._pending: list[Piece] = []  # calls in the reasoning that nothing has followed yet
        self._native = NativeCalls(self._checker)
        self._stripper = TagStripper()
        self._reasoning: list[str] = []
        self._answer: list[str] = []
        self._call_text = CallText(call)
        self._unformatted: list[str] = []  # an answer that began as something else than the JSON that was asked for
        self._tail = ""
        self._cut = False  # something was taken out right behind the tail
        self._calls = 0
        self._first_reasoning_s: float | None = None
        self._first_answer_s: float | None = None
        self._extra: list[Violation] = []
        self._finished = False

    @property
    def elapsed_s(self) -> float:
        return self._clock() - self._started

    @property
    def reasoning(self) -> str:
        """All reasoning so far."""
        return "".join(self._reasoning)

    @property
    def answer(self) -> str:
        """All answer text so far."""
        return "".join(self._answer)

    @property
    def is_empty(self) -> bool:
        """Whether neither an answer nor a call came so far."""
        return not self._answer and not self._calls

    @property
    def only_thought(self) -> bool:
        """Whether reasoning came and nothing else did, nor may turn out to have come once what is kept back is given."""
        parser = self._parser
        kept_back = parser is not None and not parser.closed and (self._guessed_inside or not parser.is_thinking)
        return (
            bool(self.reasoning.strip())
            and self.is_empty
            and not (kept_back or self._pending or self._unformatted or self._native.begun or self.answer_began)
            and not self._call_text
            and not (self._answer_calls.is_open or self._reasoning_calls.is_open)
        )

    @property
    def in_thought(self) -> bool:
        """Whether what came last is reasoning, or may turn out to be."""
        return self._in_field or (self._parser is not None and self._parser.is_inside)

    def thinks_now(self, *, if_unsure: bool) -> bool:
        """`in_thought`; `if_unsure` is the answer where text is kept back because it may be either."""
        sure = self._in_field or (self._parser is not None and self._parser.is_thinking)
        return sure or (if_unsure and self.in_thought)

    def cut_thought(self, stop_sentence: str) -> Iterator[Event]:
        """The thought is left here: `stop_sentence` ends it, and the next content is the answer."""
        if self._in_field:
            yield from self.feed(reasoning=stop_sentence)
            yield from self._close_field()
        else:
            yield from self.feed(content=f"{stop_sentence}{CLOSE}\n\n")

    def settle(self) -> None:
        """The response is over, and its answer is not wanted: what is kept back of it goes."""
        if self._parser is not None:
            for _ in self._split(self._parser.finish()):
                pass

    def violate(self, violation: Violation) -> None:
        self._extra.append(violation)

    def feed(
        self, *, content: str | None = None, reasoning: str | None = None, tool_calls: Iterable[Delta] | None = None
    ) -> Iterator[Event]:
        """Take one delta; every part may be None or empty."""
        if reasoning:
            self._in_field = True
            yield from self._split(self._field.feed(reasoning))
        if content:
            yield from self._feed_content(content)
        for call in self._native.feed(tool_calls or ()):
            yield from self._calling(call)

    def _feed_content(self, content: str) -> Iterator[Event]:
        if self._parser is None:
            content = self._early = self._early + content
            if not content.strip():
                return
        if self._in_field and content.strip():
            yield from self._close_field()
        yield from self._split(self._parser_for_content().feed(content))

    def _close_field(self) -> Iterator[Event]:
        """The reasoning field is over, or pauses while content comes."""
        self._in_field = False
        field, self._field = self._field, ThinkingParser(starts_inside=True)
        yield from self._split(field.finish())
        self._stripper.leaked.extend(field.leaked)

    def finish(
        self,
        *,
        finish_reason: str | None = None,
        usage: Usage = Usage(),  # noqa: B008  frozen
        completion_tokens: int | None = None,
        load_s: float | None = None,
    ) -> Iterator[Event]:
        """Give what was kept back, then `Done`. `completion_tokens` is for engines that do not split their count."""
        if self._finished:
            return
        self._finished = True
        yield from self._close_field()
        if self._parser is not None:
            yield from self._split(self._parser.finish())
        yield from self._reasoning_pieces(self._reasoning_calls.finish())
        yield from self._answer_pieces(self._answer_calls.finish())
        for call in self._native.finish():
            yield from self._calling(call)
        yield from self._call_from_reasoning()
        yield from self._call_from_text()
        reason = self._reason_of(finish_reason)
        promoted = self._is_misplaced_answer(reason)
        if promoted:
            yield from self._say(self._stripper.strip(self.reasoning.strip()))
        yield from self._json_of_unformatted()
        usage, exact = self._usage(usage, completion_tokens)
        leaked = (*(self._parser.leaked if self._parser else ()), *self._answer_calls.leaked, *self._stripper.leaked)
        collected = Collected(
            reasoning=self.reasoning,
            answer=self.answer,
            tool_calls=self._calls,
            finish_reason=reason,
            promoted=promoted,
            reasoning_tokens=usage.reasoning_tokens if exact else self._estimated_reasoning(),
            reasoning_tokens_exact=exact,
            leaked=leaked,
            invalid_calls=tuple(self._checker.invalid),
        )
        timings = Timings(self.elapsed_s, self._first_reasoning_s, self._first_answer_s, load_s)
        yield Done(reason, usage, timings, (*verify(self._call, collected), *self._extra))

    def _parser_for_content(self) -> ThinkingParser:
        """Made with the first content, when it is known whether the engine splits reasoning off by itself."""
        if self._parser is None:
            hidden = self._call.thinking.enabled and not self._reasoning and not self._starts_inside
            self._guessed_inside = hidden and self._call.behaviour == "always"
            self._parser = ThinkingParser(
                starts_inside=self._starts_inside or self._guessed_inside,
                hold=hidden and self._call.behaviour == "toggle",
                calls=self._checker.expects_calls,
            )
        return self._parser

    def _split(self, pieces: Iterable[Reasoning | Text]) -> Iterator[Event]:
        for piece in pieces:
            if isinstance(piece, Reasoning):
                yield from self._think(piece.text)
            else:
                yield from self._answer_pieces(self._answer_calls.feed(piece.text))

    def _think(self, text: str) -> Iterator[Event]:
        yield from self._reasoning_pieces(self._reasoning_calls.feed(text))

    def _reasoning_pieces(self, pieces: Iterable[Piece]) -> Iterator[Event]:
        """A call in the reasoning is one only if nothing follows it: else the model was thinking about it."""
        for piece in pieces:
            if isinstance(piece, Region) or (self._pending and not piece.strip()):
                self._pending.append(piece)
            else:
                yield from self._unpend()
                yield self._reason(piece)

    def _answer_pieces(self, pieces: Iterable[Piece]) -> Iterator[Event]:
        for piece in pieces:
            if isinstance(piece, str):
                yield from self._say(piece)
                continue
            self._cut, self._lead = True, ""
            for call in piece.calls:
                yield from self._calling(call)
            if piece.why:
                yield from self._say(self._stripper.strip(piece.text))
                self._cut = True

    def _unpend(self) -> Iterator[Event]:
        """Something follows: what looked like calls in the reasoning is reasoning."""
        pending, self._pending = self._pending, []
        for piece in pending:
            yield self._reason(piece if isinstance(piece, str) else piece.text)

    def _call_from_reasoning(self) -> Iterator[Event]:
        """The reply ended right behind calls in the reasoning: these are its calls."""
        pending, self._pending = self._pending, []
        regions = [piece for piece in pending if isinstance(piece, Region)]
        for region in regions:
            if region.why:
                yield self._reason(region.text)
            for call in region.calls:
                yield from self._calling(call)
        self._checker.invalid.extend(region.why for region in regions if region.why)

    def _call_from_text(self) -> Iterator[Event]:
        """The answer was a call as a bare JSON object (`call_format.py`), or it is said now."""
        found = self._call_text.found([tool.name for tool in self._call.tools])
        call = None if found is None else self._checker.check(found)
        if call is not None:
            yield from self._calling(call)
        elif rest := self._call_text.finish():
            yield from self._speak(rest)

    def _json_of_unformatted(self) -> Iterator[Event]:
        text = "".join(self._unformatted)
        if text:
            self._unformatted = []
            found = json_in(text, self._call.response_format or {}) or text
            self._answer.append(found)
            if self._first_answer_s is None:
                self._first_answer_s = self.elapsed_s
            yield from self._unpend()
            yield Text(found)

    def _reason(self, text: str) -> Reasoning:
        if self._first_reasoning_s is None:
            self._first_reasoning_s = self.elapsed_s
        self._reasoning.append(text)
        return Reasoning(text)

    def _say(self, text: str) -> Iterator[Event]:
        if self.stops_before_answer:
            self.answer_began = self.answer_began or bool(text.strip())
            return
        text, self._lead = self._lead + text, ""
        if not self._answer and not text.strip():
            self._lead = text
            return
        taken = self._call_text.take(text, begins=not self._answer and not self._unformatted)
        if taken is not None:
            yield from self._speak(taken)

    def _speak(self, text: str) -> Iterator[Event]:
        """Say what is no call for sure."""
        if not self._answer:
            text = without_blank_lines(text)
        if self._call.response_format is not None and (self._unformatted or (not self._answer and not begins_json(text))):
            self._unformatted.append(text)
            return
        yield from self._unpend()
        if self._cut and ends_in_partial_tag(self._tail):
            text = " " + text  # taking something out must not join the halves of a tag
        self._cut = False
        self._tail = (self._tail + text)[-16:]
        if self._first_answer_s is None:
            self._first_answer_s = self.elapsed_s
        self._answer.append(text)
        yield Text(text)

    def _calling(self, call: ToolCall) -> Iterator[Event]:
        yield from self._unpend()
        self._calls += 1
        if self._first_answer_s is None:
            self._first_answer_s = self.elapsed_s
        yield replace(call, arguments=restored(call.arguments))

    def _reason_of(self, finish_reason: str | None) -> FinishReason:
        if finish_reason in ("length", "max_tokens"):
            return "length"
        if finish_reason == "error":
            return "error"
        return "tool_calls" if self._calls else "stop"

    def _is_misplaced_answer(self, reason: FinishReason) -> bool:
        """The answer sits in the reasoning: thinking is off, or a guess of ours took it for reasoning."""
        if self._calls or self.answer.strip() or self._unformatted or not self.reasoning.strip():
            return False
        unclosed_guess = self._guessed_inside and self._parser is not None and not self._parser.closed
        return not self._call.thinking.enabled or (unclosed_guess and reason == "stop")

    def _usage(self, usage: Usage, completion_tokens: int | None) -> tuple[Usage, bool]:
        """Fill in the split of a total: known when nothing was thought, else in proportion to our own estimates."""
        if usage.reasoning_tokens is not None:
            if usage.answer_tokens is None and completion_tokens is not None:
                usage = replace(usage, answer_tokens=max(0, completion_tokens - usage.reasoning_tokens))
            return usage, True
        if not self._reasoning:
            answer = usage.answer_tokens if usage.answer_tokens is not None else completion_tokens
            return replace(usage, reasoning_tokens=0, answer_tokens=answer), True
        if completion_tokens is None:
            return usage, False
        thought, said = estimated_tokens(self.reasoning), estimated_tokens(self.answer)
        share = 1.0 if not self._answer and not self._calls else thought / max(1, thought + said)
        reasoning_tokens = round(completion_tokens * share)
        return (
            replace(
                usage,
                reasoning_tokens=reasoning_tokens,
                answer_tokens=completion_tokens - reasoning_tokens,
                split_estimated=True,
            ),
            False,
        )

    def _estimated_reasoning(self) -> int:
        """What was thought, without the sentence that an engine puts at its end when the budget is spent."""
        return estimated_tokens(self.reasoning.rstrip().removesuffix(STOP_SENTENCE.strip()))
