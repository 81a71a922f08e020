"""The agent: plans on the graph of tools, acts step by step on LangGraph, checks, asks before what is dangerous.

python -c "from qwen_router.agent import Agent; print(Agent().run('What is 12 * 13? Use the calculator.').answer)"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwen_router.agent.agent import Agent
    from qwen_router.agent.events import Approval, Limits, Report

__all__ = ["Agent", "Approval", "Limits", "Report"]


def __getattr__(name: str) -> Any:
    """LangGraph is imported when an agent is made, not when the command line looks for its commands."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from qwen_router.agent import agent, events

    return getattr(agent if name == "Agent" else events, name)
