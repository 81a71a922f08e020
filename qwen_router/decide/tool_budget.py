"""Which of a request's tools a model is shown: small ones lose their way among many.

The decision counts a prompt without the tools that the candidate would not be shown, and the hand-over
(`engines/handing_over.py`) shows just those. A policy may forbid both (`context.tools: all`).

    python -c "from qwen_router.decide.tool_budget import most_tools; print(most_tools(30_000_000_000))"
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from qwen_router.profile.tokens import tool_tokens
from qwen_router.request import Message, Request, ToolSpec

TOOLS_BY_PARAMS = ((2e9, 6), (5e9, 10), (15e9, 16), (40e9, 24), (120e9, 40))
"""A model below so many parameters is shown at most so many tools; larger ones all. Our choice, not measured: reports of
33 tools that overwhelm a 30B are its anchor (zeroclaw-labs/zeroclaw, issue 2264)."""
LEAST_BUDGET = TOOLS_BY_PARAMS[0][1]
_WORD = re.compile(r"[^\W_]{3,}")


def most_tools(total_params: int | None) -> int | None:
    """How many tools a model of this size is shown; None: all of them."""
    if total_params is None:
        return None
    return next((most for bound, most in TOOLS_BY_PARAMS if total_params < bound), None)


def hidden_tokens(request: Request, sizes: Iterable[int | None]) -> dict[int, int]:
    """Tokens of the tools that are kept back, for each budget of tools that a model of `sizes` (parameters) has and that is
    too small for all; none where nothing is kept back."""
    budgets = {most for size in set(sizes) if (most := most_tools(size)) is not None and most < len(request.tools)}
    if not budgets or request.tool_choice == "none":
        return {}
    ranked = _ranked(request.tools, request.messages, request.tool_choice, request.hideable_tools)
    if ranked is None:
        return {}
    tools, stay = ranked
    tokens = tool_tokens(tools)
    return {most: sum(tokens[max(most, stay) :]) for most in budgets}


def shown_tools(
    tools: Sequence[ToolSpec],
    messages: Sequence[Message],
    most: int,
    *,
    tool_choice: str | None,
    hideable: Collection[str] | None = None,
) -> tuple[ToolSpec, ...] | None:
    """Those that must stay (called in this turn or the last, the one that was asked for, what may not be hidden), then those
    that were called before that, then those that share most words with the ask, `most` in all. None when nothing tells them
    apart: then all are shown."""
    ranked = _ranked(tools, messages, tool_choice, hideable)
    if ranked is None:
        return None
    kept = {tool.name for tool in ranked[0][: max(most, ranked[1])]}
    return tuple(tool for tool in tools if tool.name in kept)


def _ranked(
    tools: Sequence[ToolSpec], messages: Sequence[Message], tool_choice: str | None, hideable: Collection[str] | None
) -> tuple[list[ToolSpec], int] | None:
    """The tools in the order in which they are kept, and how many must stay; None when nothing tells them apart."""
    called = _called(messages)
    fixed = set() if hideable is None else {tool.name for tool in tools} - set(hideable)
    stays = {name for name, turns_ago in called.items() if turns_ago <= 1} | {tool_choice} | fixed
    ask = _words(next((m.text for m in reversed(messages) if m.role == "user"), ""))
    shared = {t.name: len(ask & _words(f"{t.name.replace('_', ' ')} {t.description}")) for t in tools}
    if not any(count for name, count in shared.items() if name not in called and name not in fixed):
        return None
    ranked = sorted(
        tools, key=lambda tool: (tool.name not in stays, called.get(tool.name, len(messages)), -shared[tool.name])
    )
    return ranked, sum(tool.name in stays for tool in tools)


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
