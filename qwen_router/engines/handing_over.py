"""What is done to a request on its way to an engine, and said on the reply: control tokens made plain, tools kept back.

Chat endpoints parse control tokens out of message text, so those engines rewrite them (`control_tokens.py`).
Small models lose their way among many tools, so a model is shown no more than suits its size (`decide/tool_budget.py`).
Nothing here talks to an engine; a policy may forbid both (`privacy.control_tokens: refuse`, `context.tools: all`).

    python -c "from qwen_router.engines.handing_over import handed_over; print(handed_over.__doc__)"
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from qwen_router.control_tokens import REWRITING, control_tokens_in
from qwen_router.decide.tool_budget import most_tools, shown_tools
from qwen_router.engines.base import Call
from qwen_router.request import Message


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
        shown = shown_tools(call.tools, call.messages, most, tool_choice=call.tool_choice, hideable=hideable)
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
