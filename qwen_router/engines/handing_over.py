"""What is done to a request on its way to an engine, and said on the reply: control tokens made plain, tools kept back.

Chat endpoints parse control tokens out of message text, so those engines rewrite them (`control_tokens.py`).
Small models lose their way among many tools, so a model is shown no more than suits its size. Nothing here talks to an
engine; a policy may forbid both (`privacy.control_tokens: refuse`, `context.tools: all`).

    python -c "from qwen_router.engines.handing_over import most_tools; print(most_tools(30_000_000_000))"
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from qwen_router.control_tokens import REWRITING, control_tokens_in
from qwen_router.engines.base import Call
from qwen_router.request import Message, ToolSpec

TOOLS_BY_PARAMS = ((2e9, 6), (5e9, 10), (15e9, 16), (40e9, 24), (120e9, 40))
"""A model below so many parameters is shown at most so many tools; larger ones all. Our choice, not measured: reports of
33 tools that overwhelm a 30B are its anchor (zeroclaw-labs/zeroclaw, issue 2264)."""
_WORD = re.compile(r"[^\W_]{3,}")


def most_tools(total_params: int | None) -> int | None:
    """How many tools a model of this size is shown; None: all of them."""
    if total_params is None:
        return None
    return next((most for bound, most in TOOLS_BY_PARAMS if total_params < bound), None)


def handed_over(call: Call, *, engine: str, total_params: int | None, all_tools: bool) -> tuple[Call, tuple[str, ...]]:
    """The call as the engine gets it, and a sentence for each thing that was done."""
    changes = []
    if engine in REWRITING and (count := _control_tokens(call.messages)):
        what = "a control token" if count == 1 else f"{count} control tokens"
        changes.append(f"{what} in the messages made plain text for {engine}: an invisible U+2060 behind the <")
    most = None if all_tools else most_tools(total_params)
    if most is not None and len(call.tools) > most and call.tool_choice != "none":
        shown = _shown(call, most)
        if len(shown) < len(call.tools):
            changes.append(f"{len(shown)} of {len(call.tools)} tools shown, which suits the model's size")
            call = replace(call, tools=shown)
    return call, tuple(changes)


def _control_tokens(messages: Iterable[Message]) -> int:
    return sum(control_tokens_in(message.text) + control_tokens_in(message.reasoning or "") for message in messages)


def _shown(call: Call, most: int) -> tuple[ToolSpec, ...]:
    """Those in use, the one that was asked for, and those that share most words with the ask; all when none shares any."""
    used = {c.name for message in call.messages for c in message.tool_calls} | {call.tool_choice}
    ask = _words(next((m.text for m in reversed(call.messages) if m.role == "user"), ""))
    shared = {t.name: len(ask & _words(f"{t.name.replace('_', ' ')} {t.description}")) for t in call.tools}
    if not any(count for name, count in shared.items() if name not in used):
        return call.tools
    ranked = sorted(call.tools, key=lambda tool: (tool.name not in used, -shared[tool.name]))
    kept = {tool.name for tool in ranked[: max(most, sum(tool.name in used for tool in call.tools))]}
    return tuple(tool for tool in call.tools if tool.name in kept)


def _words(text: str) -> set[str]:
    """Words of three letters or more, as they begin: a plural shares its singular's start."""
    return {word[:5] for word in _WORD.findall(text.lower())}
