"""`demo`: the whole walk on this machine in a minute, with nothing but the package: look, route, answer.

qwen-router demo
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import typer

from qwen_router.cli.common import console
from qwen_router.errors import RouterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwen_router.decide import Decision
    from qwen_router.request import Request
    from qwen_router.router import Router

SUM = "What is 34 + 27 + 58 + 16?"


def add_to(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo() -> None:
    """Show this machine, route eight different requests for it, and answer one with the bundled demonstration model."""
    from qwen_router.router import Router

    router = Router()
    out = console()
    out.rule("This machine", align="left")
    out.print(router.machine.summary(), markup=False)
    builds, candidates = len(router.builds("advice")), len(router.table(scope="advice"))
    out.print(
        f"policy {router.policy.name}: {builds} builds of the catalog, {candidates} candidates with their thinking modes",
        markup=False,
    )
    out.rule("Who should answer what here (nothing is run)", align="left")
    requests = demo_requests()
    _print_table([(label, router.route(request)) for label, request in requests])
    out.rule("One question, answered here without and with thinking", align="left")
    try:
        _answer(router, think=False)
        _answer(router, think=True)
    except RouterError as error:
        out.print(f"no answer: {error.problem}; {error.fix}", markup=False)
        raise typer.Exit(error.exit_code) from error
    finally:
        router.close()


def demo_requests() -> tuple[tuple[str, Request], ...]:
    """Eight requests that need different things."""
    from qwen_router.media import attachment_of
    from qwen_router.request import Message, Request, ToolSpec

    picture = Message(
        role="user",
        text="Read the total off this receipt.",
        attachments=(attachment_of({"type": "image", "data": _white_png(1280, 960)}, where="demo"),),
    )
    document = "\n".join(
        f"Section {n}. The supplier delivers the goods named in annex {n} within {n + 5} days." for n in range(1, 900)
    )
    weather = ToolSpec("get_weather", "The weather now.", {"type": "object", "properties": {"city": {"type": "string"}}})
    return (
        ("greeting", Request.of("Good morning! How are you?")),
        ("arithmetic, Chinese", Request.of("小明有24个苹果，平均分给6个同学，每人又吃掉1个，每人还剩几个？")),
        ("proof", Request.of("Prove that for every prime p > 3, p^2 - 1 is divisible by 24.")),
        ("code", Request.of("Write a Python function that merges overlapping intervals, with tests.")),
        ("knowledge, Chinese", Request.of("为什么天空是蓝色的？")),
        ("an image", Request(messages=(picture,))),
        ("a long document", Request.of(f"{document}\n\nWhich annex is due after 40 days?")),
        (
            "a tool",
            Request(messages=(Message(role="user", text="What is the weather in Hangzhou right now?"),), tools=(weather,)),
        ),
    )


def _white_png(width_px: int, height_px: int) -> str:
    """A white picture as base64, so that the demonstration carries no file."""
    import base64

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\x00" + b"\xff" * width_px) * height_px, 9)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return base64.b64encode(png).decode("ascii")


def _print_table(routed: Sequence[tuple[str, Decision]]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from qwen_router.decide.explain import duration

    out = console()
    out.print(f"{'request':<20} {'answered by':<38} {'quality':>7} {'time':>8}", style="bold")
    for label, decision in routed:
        chosen = decision.chosen
        if chosen is None:
            out.print(f"{label:<20} nothing fits", markup=False)
        else:
            out.print(f"{label:<20} {chosen.label:<38} {chosen.quality:>7.2f} {duration(chosen.total_s):>8}", markup=False)
        out.print(Padding(Text(decision.reason, style="dim"), (0, 0, 0, 2)))


def _answer(router: Router, *, think: bool) -> None:
    from dataclasses import replace

    from qwen_router.request import Request

    request = Request.of(SUM)
    reply = router.ask(request.with_wishes(replace(request.wishes, thinking=think, seed=7)))
    out = console()
    out.print(f"[bold]thinking {'on ' if think else 'off'}[/bold]  {SUM}")
    if reply.reasoning:
        out.print(f"  thought  {' '.join(reply.reasoning.split())}", style="dim", markup=False)
    out.print(f"  answer   {reply.answer.strip()}   (right: 135)", markup=False)
    out.print(
        f"  by       {reply.served_by.label} on {reply.served_by.build.engine}, {reply.timings.total_s:.2f} s",
        style="dim",
        markup=False,
    )
    for violation in reply.violations:
        out.print(f"  violation {violation.kind}: {violation.detail}", style="dim", markup=False)
    if think and reply.notice:
        out.print(reply.notice, markup=False)
