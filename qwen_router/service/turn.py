"""One reply on its way out: asks the router, waits for the first event, then writes the rest whole or piece by piece.

The status is not sent before the first event, so that a failure until then still has its own status and another model may
step in; after it, a failure is an event in the stream. A caller who leaves stops the generation. The words of each API are a
`Wire`'s.

    python -c "from qwen_router.service.turn import thinking_header; print(thinking_header(True, 4096))"
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self, cast

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from qwen_router.engines.base import Done, Event, Reasoning, Text
from qwen_router.errors import EngineNonsense, RouterError
from qwen_router.policy import Policy
from qwen_router.reply import Reply
from qwen_router.reply_stream import ReplyStream
from qwen_router.request import ToolCall
from qwen_router.router import Router
from qwen_router.service.body import encode
from qwen_router.service.problems import expected_only

Piece = Reasoning | Text | ToolCall


class Wire(Protocol):
    """How one API writes one reply."""

    media_type: str

    def opening(self) -> bytes:
        """What comes before the first piece."""
        ...

    def piece(self, piece: Piece) -> bytes: ...

    def closing(self, reply: Reply) -> bytes: ...

    def broken(self, error: RouterError) -> bytes:
        """The last event of a stream that failed after its first byte."""
        ...

    def whole(self, reply: Reply) -> dict[str, Any]:
        """The body of a reply that is not streamed."""
        ...


@dataclass
class Turn:
    """A reply whose first event has come. `waited_s` is the time spent waiting for the engine so far; `ended` says that it
    finished as it should."""

    stream: ReplyStream
    first: Event
    started: float
    waited_s: float
    _rest: AsyncIterator[Event] = field(repr=False)
    ended: bool = False

    @classmethod
    async def open(cls, router: Router, body: Mapping[str, Any], *, policy: Policy | None, started: float) -> Self:
        """Decide and wait for the first event. Raises what the router raises; a fallback may have answered."""
        stream = await router.astream(body, policy=policy)
        rest = aiter(stream)
        asked = time.perf_counter()
        try:
            first = await anext(rest)
        except StopAsyncIteration:
            raise _no_end(stream) from None
        return cls(stream, first, started, time.perf_counter() - asked, rest)

    async def events(self) -> AsyncIterator[Event]:
        """All events, the first one included. Closing this closes the engine's."""
        async with aclosing(cast(Any, self._rest)) as rest:
            event: Event | None = self.first
            while event is not None:
                self.ended = isinstance(event, Done)
                yield event
                asked = time.perf_counter()
                event = await anext(rest, None)
                self.waited_s += time.perf_counter() - asked

    async def finish(self) -> Reply:
        """Read to the end."""
        async for _ in self.events():
            pass
        return self.reply()

    def reply(self) -> Reply:
        """The reply, once all events have been read. Raises `EngineNonsense` when the engine never said that it was done."""
        if not self.ended:
            raise _no_end(self.stream)
        return self.stream.reply

    def headers(self) -> dict[str, str]:
        """The headers of every routed reply. The overhead is all time so far but the wait for the engine."""
        served = self.stream.served_by
        overhead_ms = (time.perf_counter() - self.started - self.waited_s) * 1000
        failed = len(self.stream.failed)
        return {
            **({"x-qwen-router-failed-attempts": str(failed)} if failed else {}),
            "x-qwen-router-model": served.build.model.id,
            "x-qwen-router-policy": self.stream.decision.table.policy.name,
            "x-qwen-router-thinking": thinking_header(served.thinking, served.budget_tokens),
            "x-qwen-router-decision-id": self.stream.decision.id,
            "x-qwen-router-overhead-ms": f"{overhead_ms:.3f}",
        }


def thinking_header(enabled: bool, budget_tokens: int) -> str:
    """`off`, or `on` with the budget."""
    return f"on;budget_tokens={budget_tokens}" if enabled else "off"


def _no_end(stream: ReplyStream) -> EngineNonsense:
    build = stream.served_by.build
    return EngineNonsense(
        f"{build.engine} ended its reply without saying so",
        fix="try again, or look at the engine's log",
        engine=build.engine,
    )


def router_block(reply: Reply) -> dict[str, Any]:
    """What every API adds to a finished reply under `router`: who answered, and what is known only at the end."""
    served, decision = reply.served_by, reply.decision
    block: dict[str, Any] = {
        "decision_id": decision.id,
        "model": served.build.model.id,
        "quant": served.build.quant,
        "engine": served.build.engine,
        "policy": decision.table.policy.name,
        "thinking": {"enabled": served.thinking, "budget_tokens": served.budget_tokens if served.thinking else 0},
        "violations": [{"kind": violation.kind, "detail": violation.detail} for violation in reply.violations],
        "failed_attempts": reply.failed_attempts,
        "overrides": decision.overrides,
        "usage_estimated": reply.usage.prompt_tokens is None or reply.usage.split_estimated,
    }
    if reply.changes:
        block["changes"] = reply.changes
    if reply.notice is not None:
        block["notice"] = reply.notice
    return block


class WholeReply(Response):
    """A reply in one piece."""

    media_type = "application/json"

    @classmethod
    async def of(cls, turn: Turn, wire: Wire) -> Self:
        content = encode(wire.whole(await turn.finish()))
        return cls(content, headers=turn.headers())


class StreamedReply(Response):
    """A reply piece by piece. The last piece and the end of the body go out together."""

    def __init__(self, turn: Turn, wire: Wire) -> None:
        self.turn = turn
        self.wire = wire
        self.status_code = 200
        self.background = None
        self.media_type = wire.media_type
        self.body = b""
        self.init_headers({**turn.headers(), "cache-control": "no-cache", "x-accel-buffering": "no"})
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with WhileConnected(receive):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            unsent = self.wire.opening()
            try:
                async with aclosing(cast(Any, self.turn.events())) as events:
                    async for event in events:
                        if isinstance(event, Done):
                            continue
                        await send(
                            {"type": "http.response.body", "body": unsent + self.wire.piece(event), "more_body": True}
                        )
                        unsent = b""
                unsent += self.wire.closing(self.turn.reply())
            except Exception as error:  # the border: whatever it is, the caller gets an event and the log no prompt
                unsent += self.wire.broken(expected_only(error))
            await send({"type": "http.response.body", "body": unsent, "more_body": False})


class WhileConnected:
    """Cancels its block when the caller hangs up, and swallows that cancellation. Use it once the body has been read."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.gone = False

    async def __aenter__(self) -> Self:
        self._block = asyncio.current_task()
        self._watch = asyncio.create_task(self._listen())
        return self

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._block is not None:
            self._block.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._watch.cancel()
        if self.gone and self._block is not None:
            self._block.uncancel()
        return self.gone and kind is asyncio.CancelledError
