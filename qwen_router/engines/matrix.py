"""Tries one model on one engine in every combination of thinking, tools and format, and says what holds.

A row is tried twice: read in the calling thread and on an event loop, for engines do these differently. Costs seventeen
short replies.

    qwen-router doctor --thinking
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from qwen_router.catalog.types import Model, Sampling, ThinkingBehaviour
from qwen_router.engines.base import Call, Done, Engine, Event, Text, ThinkingPlan
from qwen_router.engines.server_flags import server_commands
from qwen_router.errors import RouterError
from qwen_router.hardware.machine import ServedBuild
from qwen_router.request import Message, ToolCall, ToolSpec

QUESTION = "What is 12 + 30 + 51 + 17? Answer with the number."
CONTEXT_TOKENS = 4096
BUDGET_TOKENS = 16
_TOOL = ToolSpec(
    "calculator",
    "Works out an arithmetic expression.",
    {"type": "object", "properties": {"expression": {"type": "string"}}, "required": ["expression"]},
)
_SCHEMA = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"], "additionalProperties": False}


@dataclass(frozen=True, slots=True)
class Tried:
    """One combination. `faults` are empty where all that was promised came; `budget_tokens` is of the last row only."""

    think: bool
    tools: bool
    formatted: bool
    by_loop: bool
    faults: tuple[str, ...]
    budget_tokens: int | None = None
    reasoning_tokens: int | None = None

    @property
    def holds(self) -> bool:
        return not self.faults


def matrix(engine: Engine, build: ServedBuild, model: Model) -> Iterator[Tried]:
    """All combinations that this build can do, then a small budget where it thinks."""
    modes = {"toggle": (True, False), "always": (True,), "never": (False,), "none": (False,)}[model.thinking.behaviour]
    for think, tools, formatted, by_loop in product(modes, (False, True), (False, True), (False, True)):
        if tools and model.tools is False:
            continue
        call = _call(build, model, ThinkingPlan(think, 512 if think else None), tools=tools, formatted=formatted)
        faults, _ = _faults(engine, call, by_loop=by_loop)
        yield Tried(think, tools, formatted, by_loop, faults)
    if True in modes:
        call = _call(build, model, ThinkingPlan(True, BUDGET_TOKENS), tools=False, formatted=False)
        faults, done = _faults(engine, call, by_loop=False)
        spent = None if done is None else done.usage.reasoning_tokens
        yield Tried(True, False, False, False, faults, BUDGET_TOKENS, spent)


def _call(build: ServedBuild, model: Model, plan: ThinkingPlan, *, tools: bool, formatted: bool) -> Call:
    behaviour: ThinkingBehaviour = model.thinking.behaviour
    held = build.context_tokens if build.resident else None  # another size would load the model anew
    return Call(
        model=build.name,
        messages=(Message("user", QUESTION),),
        thinking=plan,
        behaviour=behaviour,
        sampling=Sampling(temperature=0.6, top_p=0.95, top_k=20),
        max_answer_tokens=256,
        context_tokens=held or min(build.context_tokens or CONTEXT_TOKENS, CONTEXT_TOKENS),
        tools=(_TOOL,) if tools else (),
        response_format=_SCHEMA if formatted else None,
        seed=1,
        family=model.family,
    )


def _faults(engine: Engine, call: Call, *, by_loop: bool) -> tuple[tuple[str, ...], Done | None]:
    try:
        events = asyncio.run(_collected(engine, call)) if by_loop else list(engine.stream(call))
    except RouterError as error:
        return (f"{error.problem}; try: {error.fix}",), None
    done = next(e for e in events if isinstance(e, Done))
    faults = [f"{violation.kind.replace('_', ' ')}: {violation.detail}" for violation in done.violations]
    if call.response_format is not None and any(isinstance(e, ToolCall) for e in events):
        faults = [fault for fault in faults if not fault.startswith("invalid json")]
    if not any(isinstance(e, ToolCall | Text) for e in events) and not faults:
        faults.append("nothing came")
    return tuple(faults), done


async def _collected(engine: Engine, call: Call) -> list[Event]:
    return [event async for event in engine.astream(call)]


def advice(model: Model, tried: list[Tried]) -> str | None:
    """What to change at the server when thinking came where it does not belong; None when nothing points to it."""
    said = " ".join(fault for row in tried for fault in row.faults)
    if not any(sign in said for sign in ("thought though off", "answer in reasoning", "silent though on", "leaked tag")):
        return None
    commands = server_commands(model)
    if not commands:
        return None
    if model.thinking.behaviour in ("never", "none"):
        return f"{model.id} does not think: start its server without a reasoning parser"
    return "start the server as this checkpoint needs it: " + "; or ".join(commands.values())
