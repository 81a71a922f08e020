"""qwen-router: which Qwen should answer this request, on this machine, thinking or not, and the answer itself.

    python -c "from qwen_router import Router; print(Router().route('What is 12 * 13?').reason)"

Importing this package opens no file and no socket: the names below are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qwen_router.catalog import Catalog
    from qwen_router.decide import Candidate, Decision, Verdict
    from qwen_router.errors import RouterError
    from qwen_router.hardware import Machine
    from qwen_router.policy import Policy
    from qwen_router.profile import Profile
    from qwen_router.reply import Reply
    from qwen_router.request import Message, Request
    from qwen_router.router import Router

__version__ = "0.1.0"

_HOMES = {
    "Candidate": "decide",
    "Catalog": "catalog",
    "Decision": "decide",
    "Machine": "hardware",
    "Message": "request",
    "Policy": "policy",
    "Profile": "profile",
    "Reply": "reply",
    "Request": "request",
    "Router": "router",
    "RouterError": "errors",
    "Verdict": "decide",
}

__all__ = [  # noqa: RUF022  (the order of the walk)
    "Request",
    "Message",
    "Profile",
    "Catalog",
    "Machine",
    "Policy",
    "Candidate",
    "Verdict",
    "Decision",
    "Reply",
    "Router",
    "RouterError",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"qwen_router.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'qwen_router' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
