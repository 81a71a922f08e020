"""Telling what a model thinks from what it says: an incremental parser for every shape that Qwen's engines produce.

`ThinkingParser` splits a stream of text into `Reasoning` and `Text`, `verify` names what a reply did against its call,
and `neutralise` keeps control tokens in a user's text from becoming control. Fields (`reasoning_content` and its kin),
tool calls and timings are `assemble.py`'s; nothing here talks to an engine.

    python -c "from qwen_router.engines.thinking import split; print(split('<think>2+2</think>4'))"
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from qwen_router.engines.base import Call, FinishReason, Reasoning, Text, Violation
from qwen_router.engines.structured import json_problem

OPEN, CLOSE = "<think>", "</think>"
CALL_OPEN, CALL_CLOSE = "<tool_call>", "</tool_call>"
XML_OPEN = "<function="
OPAQUE: Mapping[str, str] = {CALL_OPEN: CALL_CLOSE, XML_OPEN: "</function>"}
"""Where a tool call starts and ends: what lies between is data, whatever it looks like."""
STRAY_TAGS = (OPEN, CLOSE, "<|im_start|>", "<|im_end|>", "<|endoftext|>")
"""What never belongs in an answer (outside code)."""

_STRAY = re.compile("|".join(re.escape(tag) for tag in (*STRAY_TAGS, CALL_OPEN, CALL_CLOSE)))
_State = Literal["before", "held", "inside", "after", "answer", "call"]


class CodeTracker:
    """Knows whether a position in Markdown lies in code: an open ``` fence, or an odd count of backticks on its line.

    Both are judged from what came before, so that a stream can be judged as it comes; an unbalanced backtick misleads
    to the end of its line at most. A tag in code is something that the model talks about, so it stays.
    """

    def __init__(self) -> None:
        self.fenced = False
        self._line = ""
        self._ticks = 0

    @property
    def in_code(self) -> bool:
        return self.fenced or self._ticks % 2 == 1

    @property
    def at_line_start(self) -> bool:
        return not self._kept_line.strip()

    @property
    def _kept_line(self) -> str:
        """The line so far without the tags that are taken out of it later."""
        return _STRAY.sub("", self._line)

    def advance(self, text: str) -> None:
        head, newline, rest = text.partition("\n")
        while True:
            self._ticks += head.count("`")
            self._line = (self._line + head)[:64]  # only the start of a line decides
            if not newline:
                return
            start = self._kept_line.lstrip(" ")
            if start.startswith("```") and self._ticks == len(start) - len(start.lstrip("`")):
                self.fenced = not self.fenced
            self._line, self._ticks = "", 0
            head, newline, rest = rest.partition("\n")


def partial_tag_length(text: str, tags: Iterable[str]) -> int:
    """How many characters at the end of `text` could be the start of one of `tags`."""
    start = text.rfind("<")
    if start < 0:
        return 0
    tail = text[start:]
    return len(tail) if any(tag.startswith(tail) and tag != tail for tag in tags) else 0


def without_blank_lines(text: str) -> str:
    """The text without the blank lines at its start; the indentation of its first line stays."""
    start = len(text) - len(text.lstrip())
    return text[text.rfind("\n", 0, start) + 1 :]


def ends_in_partial_tag(text: str) -> bool:
    return partial_tag_length(text, (*STRAY_TAGS, CALL_OPEN, CALL_CLOSE)) > 0


class ThinkingParser:
    """Splits text into reasoning and answer, in any chunking with the same result.

    - `<think>..</think>` at the start (after blanks), or at the start of a later line, is reasoning.
    - `starts_inside`: the prompt opened the tag, so the text begins in the middle of the reasoning; an opening tag that
      comes all the same is dropped.
    - `hold`: the text may turn out to be the end of reasoning (an opening tag in the prompt that nobody told us of), so
      it is kept back until `</think>` or the end says which.
    - The first `</think>` ends reasoning, whatever is nested. An opening tag within reasoning is dropped.
    - In the answer, think tags and end-of-turn tokens are taken out and listed in `leaked`, unless they stand in code.
    - `calls`: tools were offered, so tool calls pass untouched on their way to `tool_calls.py`. Without, their tags are
      stray ones too.
    - Blanks around the block are dropped; the indentation of an answer's first line stays, and an answer without a
      block is passed through as it is.
    """

    def __init__(self, *, starts_inside: bool = False, hold: bool = False, calls: bool = False) -> None:
        self._strays = STRAY_TAGS if calls else (*STRAY_TAGS, CALL_OPEN, CALL_CLOSE)
        self._opaque = OPAQUE if calls else {}
        self._closes = ""  # what ends the tool call that the text is in
        self._state: _State = "inside" if starts_inside else "before"
        self._hold = hold
        self._buffer = ""
        self._thought = False  # some reasoning of this block was given out
        self._blocks = 0  # blocks of reasoning that ended
        self._tail = ""  # the end of the answer given out so far
        self._code = CodeTracker()
        self.leaked: list[str] = []
        self.closed = False

    @property
    def is_inside(self) -> bool:
        """True while the text so far ends in the middle of reasoning, or of text that is kept back because it may be."""
        return self._state in ("inside", "held")

    @property
    def is_thinking(self) -> bool:
        """True while the text so far ends in the middle of reasoning for sure."""
        return self._state == "inside"

    def feed(self, text: str) -> list[Reasoning | Text]:
        """Take a piece of text; give what can be told for sure."""
        self._buffer += text
        return self._drain(last=False)

    def finish(self) -> list[Reasoning | Text]:
        """Give what was kept back. An unclosed block stays reasoning; held text becomes the answer."""
        return self._drain(last=True)

    def _drain(self, *, last: bool) -> list[Reasoning | Text]:
        out: list[Reasoning | Text] = []
        step = {
            "before": self._before,
            "held": self._held,
            "inside": self._inside,
            "after": self._after,
            "answer": self._answer,
            "call": self._call,
        }
        while self._buffer and step[self._state](out, last):
            pass
        return _merged(out)

    # Each step takes from the buffer, appends to `out`, and tells whether another step may get further.

    def _before(self, out: list[Reasoning | Text], last: bool) -> bool:
        text = self._buffer.lstrip()
        for tag, state in ((OPEN, "inside"), (CLOSE, "after")):
            if text.startswith(tag):
                self._buffer = text[len(tag) :]
                self._state = state  # type: ignore[assignment]  # both literals above are states
                self.closed = tag == CLOSE
                return True
            if not last and tag.startswith(text):
                return False
        self._state = "held" if self._hold and text else "answer"
        return True

    def _held(self, out: list[Reasoning | Text], last: bool) -> bool:
        thought, tag, rest = self._buffer.partition(CLOSE)
        if tag:
            self._emit_reasoning(out, thought.replace(OPEN, ""), closing=True)
            self._buffer = rest
            return True
        if last:
            self._state = "answer"
        return last

    def _inside(self, out: list[Reasoning | Text], last: bool) -> bool:
        thought, tag, rest = self._buffer.partition(CLOSE)
        if tag:
            self._emit_reasoning(out, thought.replace(OPEN, ""), closing=True)
            self._buffer = rest
            return True
        keep = 0 if last else partial_tag_length(thought, (OPEN, CLOSE))
        ready = thought[: len(thought) - keep].replace(OPEN, "")
        blank = len(ready) - len(ready.rstrip())  # may turn out to stand before the closing tag
        kept_blank = ready[len(ready) - blank :]
        self._emit_reasoning(out, ready[: len(ready) - blank], closing=False)
        self._buffer = ("" if last else kept_blank) + thought[len(thought) - keep :]
        return False

    def _emit_reasoning(self, out: list[Reasoning | Text], text: str, *, closing: bool) -> None:
        if not self._thought:
            text = text.lstrip()
        if closing:
            text = text.rstrip()
        if text:
            out.append(Reasoning(text if self._thought or not self._blocks else "\n\n" + text))
            self._thought = True
        if closing:
            self._blocks += int(self._thought)
            self._state, self.closed, self._thought = "after", True, False

    def _after(self, out: list[Reasoning | Text], last: bool) -> bool:
        """Drop blanks after the block, but keep the indentation of the first line."""
        text = self._buffer.lstrip()
        if not text:
            if last:
                self._buffer = ""
            return False
        if not last and CLOSE.startswith(text) and text != CLOSE:
            return False
        blank = self._buffer[: len(self._buffer) - len(text)]
        if text.startswith(CLOSE):
            self.leaked.append(CLOSE)
            self._buffer = blank + text[len(CLOSE) :]
            return True
        self._buffer = without_blank_lines(blank + text) if "\n" in blank else text
        self._state = "answer"
        return True

    def _answer(self, out: list[Reasoning | Text], last: bool) -> bool:
        start = self._buffer.find("<")
        if start < 0:
            self._say(out, self._buffer)
            self._buffer = ""
            return False
        if start > 0:
            self._say(out, self._buffer[:start])
            self._buffer = self._buffer[start:]
        if not last and partial_tag_length(self._buffer, (*self._strays, *self._opaque)) == len(self._buffer):
            return False
        tag = next((t for t in (*self._strays, *self._opaque) if self._buffer.startswith(t)), "")
        if not tag or self._code.in_code:
            length = len(tag) or 1
            self._say(out, self._buffer[:length])
        elif tag in self._opaque:
            length = len(tag)
            self._state, self._closes = "call", self._opaque[tag]
            self._code.advance("x")  # it may come to be seen: what follows does not begin a line
            self._pass(out, tag)
        else:
            length = len(tag)
            if tag == OPEN and self._code.at_line_start:
                self._state = "inside"
            else:
                self.leaked.append(tag)
                if ends_in_partial_tag(self._tail):  # taking this one out must not join the halves of another
                    self._say(out, " ")
        self._buffer = self._buffer[length:]
        return True

    def _call(self, out: list[Reasoning | Text], last: bool) -> bool:
        """Within a tool call nothing is touched, and no code begins: what is a call is not seen."""
        body, tag, rest = self._buffer.partition(self._closes)
        if tag:
            self._pass(out, body + tag)
            self._buffer, self._state = rest, "answer"
            return True
        keep = 0 if last else partial_tag_length(body, (self._closes,))
        self._pass(out, body[: len(body) - keep])
        self._buffer = body[len(body) - keep :]
        return False

    def _say(self, out: list[Reasoning | Text], text: str) -> None:
        self._code.advance(text)
        self._pass(out, text)

    def _pass(self, out: list[Reasoning | Text], text: str) -> None:
        if text:
            self._tail = (self._tail + text)[-16:]
            out.append(Text(text))


def _merged(pieces: list[Reasoning | Text]) -> list[Reasoning | Text]:
    """Join neighbours of one kind."""
    out: list[Reasoning | Text] = []
    for piece in pieces:
        if out and type(out[-1]) is type(piece):
            out[-1] = type(piece)(out[-1].text + piece.text)
        else:
            out.append(piece)
    return out


def split(text: str, *, starts_inside: bool = False) -> tuple[str, str]:
    """(reasoning, answer) of a whole reply."""
    parser = ThinkingParser(starts_inside=starts_inside)
    pieces = parser.feed(text) + parser.finish()
    return (
        "".join(p.text for p in pieces if isinstance(p, Reasoning)),
        "".join(p.text for p in pieces if isinstance(p, Text)),
    )


class TagStripper:
    """Takes think and tool-call tags out of text that was given up as a tool call. Used by `assemble.py`."""

    def __init__(self) -> None:
        self.leaked: list[str] = []

    def strip(self, text: str) -> str:
        while found := _STRAY.findall(text):  # taking one out may join the halves of another
            self.leaked.extend(found)
            text = _STRAY.sub("", text)
        return text


# --- verification -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Collected:
    """What a reply came to. `reasoning_tokens_exact` is False when we counted them ourselves."""

    reasoning: str
    answer: str
    tool_calls: int
    finish_reason: FinishReason
    promoted: bool = False
    reasoning_tokens: int | None = None
    reasoning_tokens_exact: bool = True
    leaked: tuple[str, ...] = ()
    invalid_calls: tuple[str, ...] = ()


STOP_SENTENCE = (
    "\n\nConsidering the limited time by the user, I have to give the solution based on the thinking directly now.\n"
)
"""Put before `</think>` when the budget is spent; Qwen's own words (facts, `engines.transformers.early_stop_text`)."""
ESTIMATE_TOLERANCE = 1.25
"""A budget counted from text, not from token ids, is called exceeded only beyond this factor."""


def verify(call: Call, collected: Collected) -> tuple[Violation, ...]:
    """Name everything that the reply did against the call."""
    found: list[Violation] = []
    has_reasoning = bool(collected.reasoning.strip())
    if collected.promoted:
        found.append(Violation("answer_in_reasoning", "the answer came in the reasoning; it was promoted"))
    elif has_reasoning and not call.thinking.enabled:
        found.append(Violation("thought_though_off", f"{len(collected.reasoning)} characters of reasoning"))
    if call.thinking.enabled and (not has_reasoning or collected.promoted):
        found.append(Violation("silent_though_on", "no reasoning came"))
    found.extend(Violation("leaked_tag", f"{tag} taken out of the answer") for tag in dict.fromkeys(collected.leaked))
    found.extend(Violation("invalid_tool_call", why) for why in collected.invalid_calls)
    if call.tools and call.tool_choice not in (None, "auto", "none") and not collected.tool_calls:
        what = "a tool" if call.tool_choice == "required" else call.tool_choice
        found.append(Violation("no_tool_call", f"{what} was to be called, and was not"))
    over = _over_budget(call, collected)
    if over:
        found.append(Violation("budget_exceeded", over))
    if not collected.answer.strip() and not collected.tool_calls:
        cut = ", cut off by the token limit" if collected.finish_reason == "length" else ""
        found.append(Violation("empty_answer", f"neither an answer nor a tool call came{cut}"))
    elif call.response_format is not None and collected.answer.strip():
        wrong = json_problem(collected.answer, call.response_format)
        if wrong:
            found.append(Violation("invalid_json", wrong))
    return tuple(found)


def _over_budget(call: Call, collected: Collected) -> str:
    budget, spent = call.thinking.budget_tokens, collected.reasoning_tokens
    if not call.thinking.enabled or budget is None or spent is None:
        return ""
    if collected.reasoning_tokens_exact:
        return f"{spent} thinking tokens, {budget} allowed" if spent > budget else ""
    return f"about {spent} thinking tokens, {budget} allowed" if spent > budget * ESTIMATE_TOLERANCE else ""
