"""Which text of a request the classifier reads: the last human ask, without what agent harnesses and prompt templates wrap
around it.

Long text is read at both ends and in two windows between, so that the cost stays flat. Nothing here judges the text.

    python -c "from qwen_router.profile.reading import strip_envelopes as f; print(f('<user_info>x</user_info>hi'))"
"""

from __future__ import annotations

import re

from qwen_router.request import Request

HEAD_CHARS, TAIL_CHARS, WINDOW_CHARS, WINDOWS = 500, 500, 120, 2
EXCERPT_CHARS = HEAD_CHARS + TAIL_CHARS + WINDOW_CHARS * WINDOWS
EDGE_CHARS = 128 * 1024
"""Envelopes are looked for in this much of either end."""

_ENVELOPES = (
    "system-reminder", "system_reminder", "environment_context", "environment_details", "user_instructions", "INSTRUCTIONS",
    "command-name", "command-message", "command-args", "local-command-stdout", "local-command-caveat", "ide_opened_file",
    "ide_selection", "open_files", "available_skills", "agents_md", "user_info", "project_layout", "git_status",
)  # fmt: skip
_OPEN = re.compile("<(" + "|".join(_ENVELOPES) + r")\b[^<>]{0,200}>")
_HEADING = re.compile(r"^\s*# (?:AGENTS|CLAUDE|GEMINI)\.md[^\n]{0,200}\n", re.MULTILINE)


def strip_envelopes(text: str) -> str:
    """`text` without the blocks that an agent harness adds; the text itself when there are none."""
    if len(text) <= 2 * EDGE_CHARS:
        return _stripped(text) if "</" in text else text
    head, tail = text[:EDGE_CHARS], text[-EDGE_CHARS:]
    if "</" not in head and "</" not in tail:
        return text
    return _stripped(head) + text[EDGE_CHARS:-EDGE_CHARS] + _stripped(tail)


def _stripped(text: str) -> str:
    kept: list[str] = []
    at = 0
    while (opening := _OPEN.search(text, at)) is not None:
        closing = f"</{opening[1]}>"
        end = text.find(closing, opening.end())
        if end < 0:  # an unclosed tag is the person's own text
            kept.append(text[at : opening.end()])
            at = opening.end()
            continue
        kept.append(text[at : opening.start()])
        at = end + len(closing)
    kept.append(text[at:])
    rest = "".join(kept)
    return _HEADING.sub("", rest) if kept[1:] and ".md" in rest else rest


def ask_of(request: Request) -> str:
    """The last text that a person wrote: the newest user message that holds more than envelopes."""
    return asked_of(request)[0]


def asked_of(request: Request) -> tuple[str, str]:
    """(`ask_of`, the same with what a prompt template wrote around it, which may say in which language to answer)."""
    for message in reversed(request.messages):
        if message.role == "user" and message.text:
            ask = strip_envelopes(message.text if message.ask is None else message.ask)
            if ask and not ask[:4096].isspace():
                return ask, ask if message.ask is None else message.text
    return "", ""


def excerpt_of(text: str) -> str:
    """At most `EXCERPT_CHARS` of `text`, without the space around it: both ends, and windows spread evenly between them."""
    if len(text) <= EXCERPT_CHARS:
        return text.strip()
    gap = (len(text) - HEAD_CHARS - TAIL_CHARS) // (WINDOWS + 1)
    starts = (HEAD_CHARS + gap * (i + 1) for i in range(WINDOWS))
    windows = "\n".join(text[start : start + WINDOW_CHARS] for start in starts)
    return f"{text[:HEAD_CHARS]}\n{windows}\n{text[-TAIL_CHARS:]}".strip()
