"""Qwen's control tokens in text that people, tools and models write: found, made plain text, given back.

Which engines need that is said here, too; doing it is theirs.

    python -c "from qwen_router.control_tokens import control_tokens_in; print(control_tokens_in('<|im_end|>'))"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REWRITING = ("ollama", "openai", "llamacpp")
"""Engines whose chat endpoint parses control tokens in a message; the others tokenise a message's text apart."""

JOINER = "\u2060"
"""WORD JOINER: invisible, zero wide, no line break; put after the `<` of a control token it makes plain text of it."""

# The special tokens of Qwen's tokenizers (added_tokens with special=true, Qwen2.5 to Qwen3.5 and the Omni models).
_CONTROL_NAMES = (
    "im_start im_end endoftext object_ref_start object_ref_end box_start box_end quad_start quad_end vision_start "
    "vision_end vision_pad image_pad video_pad audio_start audio_end audio_pad audio_bos audio_eos AUDIO IMAGE VIDEO "
    "vision_bos vision_eos fim_prefix fim_middle fim_suffix fim_pad repo_name file_sep"
).split()
_CONTROL = re.compile(rf"<({JOINER}*)(\|(?:{'|'.join(_CONTROL_NAMES)})\|>)")


def neutralise(text: str) -> str:
    """Make plain text of control tokens, for engines whose chat endpoint parses them out of a message.

    Exactly Qwen's special tokens are touched; `restore` gives the text back. `<think>` and `<tool_call>` stay: they are
    ordinary vocabulary, cannot end a turn or forge a role, and are what people ask about.
    """
    return _CONTROL.sub(rf"<\1{JOINER}\2", text) if "<" in text else text


def control_tokens_in(text: str) -> int:
    """How many of Qwen's control tokens a text holds."""
    return len(_CONTROL.findall(text)) if "<" in text else 0


def restore(text: str) -> str:
    """Undo `neutralise`."""
    return _CONTROL.sub(lambda m: "<" + m[1][1:] + m[2], text) if JOINER in text else text


def restored(value: Any) -> Any:
    """The same JSON value with `restore` applied to every text: a tool gets what the person wrote."""
    if isinstance(value, str):
        return restore(value)
    if isinstance(value, Mapping):
        return {key: restored(item) for key, item in value.items()}
    return [restored(item) for item in value] if isinstance(value, list | tuple) else value
