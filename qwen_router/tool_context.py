"""What tools may use while they run: a folder, hosts, databases, a router, limits. Least rights unless somebody says more.

Tools are plain functions in files; who runs them says once, around the run, what they get (`with using(ToolContext(...))`),
and each asks `current()`. Without that it is what the environment says (`ToolSettings`): the working folder to read, no web,
no databases. It follows the run into threads and tasks, as context variables do.

    python -c "from qwen_router.tool_context import current; print(current().root)"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from qwen_router.settings import ToolSettings

if TYPE_CHECKING:
    from qwen_router.reply import Reply
    from qwen_router.router import Router


@dataclass(frozen=True, slots=True)
class ToolContext:
    """`root` is the folder that file tools see, and nothing outside it. `web_hosts` is the allow-list of the web tool (none:
    it is off). `databases` are SQLAlchemy URLs by name. `router` answers what specialists are asked (None: the one that this
    process shares). `sandbox_s` and `sandbox_mib` bound code that is run; `output_chars` is what a model gets to read of one
    result.

    `specialist_tokens` is the longest answer of a model that a tool asks, `specialist_thinking_tokens` how much it may think
    first (None: what the policy says), `specialist_s` when it is given up; `user` is who asks, for the policy's rules and
    budgets. `on_reply` hears of every such reply, from the thread of the tool, so that whoever runs tools can keep accounts;
    what it raises ends the tool.
    """

    root: Path
    web_hosts: tuple[str, ...] = ()
    databases: Mapping[str, str] = field(default_factory=dict, repr=False)
    router: Router | None = field(default=None, repr=False)
    sandbox_s: float = 10.0
    sandbox_mib: int = 512
    output_chars: int = 16_000
    specialist_tokens: int = 2_048
    specialist_thinking_tokens: int | None = None
    specialist_s: float = 120.0
    user: str | None = None
    on_reply: Callable[[Reply], None] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: ToolSettings, *, router: Router | None = None) -> ToolContext:
        return cls(root=settings.root, web_hosts=settings.web_hosts, databases=settings.databases, router=router)

    def routing(self) -> Router:
        """The router that answers what tools ask."""
        from qwen_router.router import shared_router

        return self.router or shared_router()


_context: ContextVar[ToolContext | None] = ContextVar("qwen_router_tools", default=None)


def current() -> ToolContext:
    """What the tool that asks may use. Raises `InvalidRequest` where the environment says what cannot be."""
    return _context.get() or ToolContext.of(ToolSettings.from_environment())


@contextmanager
def using(context: ToolContext) -> Iterator[ToolContext]:
    """Tools that run inside get `context`."""
    token = _context.set(context)
    try:
        yield context
    finally:
        _context.reset(token)
