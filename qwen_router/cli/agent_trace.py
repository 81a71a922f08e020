"""The live trace of an agent on a terminal: a line for each model call and each tool, on standard error; the answer alone
goes to standard output. Asking a person about a dangerous call is here, too.

    qwen-router agent "Convert 3 kg to g."
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any

import typer

from qwen_router.agent.events import (
    AgentEvent,
    Approval,
    Approved,
    Finished,
    ModelCalled,
    Noted,
    Report,
    Started,
    ToolCalled,
    Waiting,
)
from qwen_router.cli.common import dimmed, printable
from qwen_router.cli.shown import folded

_VALUE_CHARS = 90
_HIDING = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u206f\ufeff\U000e0000-\U000e007f]")
"""Signs of no width, and those that turn the direction of writing: right in many answers, a deceit in a call."""


def show(event: AgentEvent) -> None:
    """Tell one event."""
    match event:
        case Started():
            went_on = " goes on" if event.resumed else ""
            _line(
                f"run {event.run}{went_on}: {_count(len(event.tools), 'tool')}"
                + (f"; a way: {event.plan[0]}" if event.plan else "")
            )
        case ModelCalled():
            _line(_model_line(event), hang=4)
            for note in event.notes:
                _line(f"    {note}", hang=6)
        case ToolCalled():
            outcome = f"! {_short(event.problem)}" if event.problem is not None else f"= {_short(event.output)}"
            _line(f"    {event.tool}({_arguments(event.arguments)}) {outcome} · {_seconds(event.seconds)}", hang=6)
        case Approved():
            _line(
                f"    {event.tool}: {'allowed' if event.approved else 'refused'}"
                + (f", {event.reason}" if event.reason else "")
            )
        case Noted():
            _line(f"    {event.text}", hang=6)
        case Waiting():
            for approval in () if sys.stdin.isatty() else event.approvals:  # at a terminal whoever is asked sees them
                _call(approval)
        case Finished():
            _end(event.report)


def _end(report: Report) -> None:
    if report.answer is not None:
        typer.echo(printable(report.answer))
    for line in ending(report):
        _line(f"— {line}", hang=2)


def ending(report: Report) -> list[str]:
    """The report in lines: why it ended, what it took, what was checked, what to do next."""
    spent = report.spending
    took = [_count(report.steps, "step"), f"{spent.seconds:.1f} s", f"{spent.tokens:,} tokens"]
    if spent.reasoning_tokens:
        took[-1] += f" ({spent.reasoning_tokens:,} thought)"
    took.append(
        f"${spent.cost_usd:.4f}".rstrip("0").rstrip(".") + (f" and {spent.unpriced} unpriced" if spent.unpriced else "")
    )
    if spent.energy_wh:
        took.append(f"{spent.energy_wh:.2f} Wh")
    models = ", ".join(f"{name.rpartition('/')[2]} ×{count}" for name, count in report.models.items())
    stopped = ("done" if report.done else f"stopped: {report.stop}") + (f" ({report.detail})" if report.detail else "")
    lines = [stopped, ", ".join(took) + (f"; {models}" if models else "")]
    lines += [f"checked: {finding}" for finding in report.checked]
    if report.stop in ("approval", "interrupted", "error"):
        more = " --approve or --reject REASON" if report.stop == "approval" else ""
        lines.append(f"go on with: qwen-router agent --resume {report.run}{more}")
    return lines


def ask_person(approval: Approval) -> bool | str:
    """Show the call whole and ask; anything but yes is a no, and its text the reason."""
    _call(approval)
    typer.echo("allow it? y, n, or a reason for no: ", err=True, nl=False)
    said = sys.stdin.readline().strip()
    return True if said.lower() in ("y", "yes") else "" if said.lower() in ("", "n", "no") else said


def _call(approval: Approval) -> None:
    """The call, all of it: what is not shown cannot be approved. Texts keep their lines; signs that hide or turn others are
    written as what they are."""
    typer.secho(f"{approval.tool} wants to run, and can change or reach something:", err=True, bold=True)
    for name, value in approval.arguments.items():
        text = value if isinstance(value, str) else _told(value)
        lines = _HIDING.sub(lambda match: f"\\u{ord(match[0]):04x}", printable(text)).split("\n")
        typer.echo(f"  {name}: {lines[0]}" if len(lines) == 1 else f"  {name}, {len(lines)} lines:", err=True)
        for line in lines if len(lines) > 1 else ():
            typer.echo(f"  | {line}", err=True)


def _model_line(event: ModelCalled) -> str:
    thought = (
        f", {event.reasoning_tokens:,} tokens thought" if event.reasoning_tokens else ", thinking" if event.thinking else ""
    )
    tokens = "" if event.input_tokens is None else f" · {event.input_tokens:,} -> {event.output_tokens or 0:,} tokens"
    said = f" · {_short(event.text)}" if event.text and event.calls else ""
    name = event.model.rpartition("/")[2]
    return f"{event.step:>2}  {name} {event.quant} ({event.engine}{thought}) · {_seconds(event.seconds)}{tokens}{said}"


def _line(text: str, *, hang: int = 4) -> None:
    dimmed(folded(text, to=sys.stderr, hang=hang))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _arguments(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_cut(_told(value), _VALUE_CHARS)}" for name, value in arguments.items())


def _told(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return _HIDING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _short(text: str | None) -> str:
    return _cut(" ".join((text or "").split()), _VALUE_CHARS)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"
