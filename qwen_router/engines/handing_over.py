"""What is done to a request on its way to an engine, and said on the reply: control tokens made plain, tools kept back.

Chat endpoints parse control tokens out of message text, so those engines rewrite them (`control_tokens.py`).
Small models lose their way among many tools, so a model is shown no more than suits its size. Nothing here talks to an
engine; a policy may forbid both (`privacy.control_tokens: refuse`, `context.tools: all`).

    python -c "from qwen_router.engines.handing_over import most_tools; print(most_tools(30_000_000_000))"
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
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


def handed_over(
    call: Call, *, engine: str, total_params: int | None, all_tools: bool, hideable: Collection[str] | None = None
) -> tuple[Call, tuple[str, ...]]:
    """The call as the engine gets it, and a sentence for each thing that was done. Only tools named in `hideable` are kept
    back; None: any."""
    changes = []
    if engine in REWRITING and (count := _control_tokens(call.messages)):
        what = "a control token" if count == 1 else f"{count} control tokens"
        changes.append(f"{what} in the messages made plain text for {engine}: an invisible U+2060 behind the <")
    most = None if all_tools else most_tools(total_params)
    if most is not None and len(call.tools) > most and call.tool_choice != "none":
        shown = _shown(call, most, hideable)
        if shown is None:
            changes.append(
                f"all {len(call.tools)} tools shown, though {most} suit the model's size: none shares a word with the ask"
            )
        elif len(shown) < len(call.tools):
            changes.append(f"{len(shown)} of {len(call.tools)} tools shown, which suits the model's size")
            call = replace(call, tools=shown)
    return call, tuple(changes)


def _control_tokens(messages: Iterable[Message]) -> int:
    return sum(control_tokens_in(message.text) + control_tokens_in(message.reasoning or "") for message in messages)


def _shown(call: Call, most: int, hideable: Collection[str] | None) -> tuple[ToolSpec, ...] | None:
    """Those that must stay (called in this turn or the last, the one that was asked for, what may not be hidden), then those
    that were called before that, then those that share most words with the ask. None when nothing tells them apart."""
    called = _called(call.messages)
    fixed = {t.name for t in call.tools if hideable is not None and t.name not in hideable}
    stays = {name for name, turns_ago in called.items() if turns_ago <= 1} | {call.tool_choice} | fixed
    ask = _words(next((m.text for m in reversed(call.messages) if m.role == "user"), ""))
    shared = {t.name: len(ask & _words(f"{t.name.replace('_', ' ')} {t.description}")) for t in call.tools}
    if not any(count for name, count in shared.items() if name not in called and name not in fixed):
        return None
    ranked = sorted(
        call.tools, key=lambda tool: (tool.name not in stays, called.get(tool.name, len(call.messages)), -shared[tool.name])
    )
    kept = {tool.name for tool in ranked[: max(most, sum(tool.name in stays for tool in call.tools))]}
    return tuple(tool for tool in call.tools if tool.name in kept)


def _called(messages: Iterable[Message]) -> dict[str, int]:
    """The tools that were called, and how many turns ago at least: 0 is since the last message of a person."""
    found: dict[str, int] = {}
    turns_ago = 0
    for message in reversed(tuple(messages)):
        for called in message.tool_calls:
            found.setdefault(called.name, turns_ago)
        turns_ago += message.role == "user"
    return found


def _words(text: str) -> set[str]:
    """Words of three letters or more, as they begin: a plural shares its singular's start."""
    return {word[:5] for word in _WORD.findall(text.lower())}
