"""`policy simulate`: what a policy, or a change of it, would do to the requests of a log.

qwen-router policy simulate --jsonl log.jsonl --policy mine.yaml --against balanced --max-quality-drop 0.01
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwen_router.cli.common import JsonOption, MachineOption, print_json, progress
from qwen_router.cli.lines import batches, line_count, open_lines, parse_line
from qwen_router.errors import InvalidRequest, RouterError

if TYPE_CHECKING:
    from qwen_router.decide.intervals import Interval
    from qwen_router.decide.planner import Planner
    from qwen_router.decide.simulate import Change, Report, Simulation, Summary
    from qwen_router.policy import Circumstances, Policy
    from qwen_router.profile.types import Profile
    from qwen_router.request import Request

Line = tuple[Any, "Request", "Profile", "Circumstances | None"]
SHOWN_MODELS = 8
UNITS = {"quality": ("quality", "", 3), "seconds": ("time", " s", 2), "energy_wh": ("energy", " Wh", 4),
         "cost_usd": ("cost", " US dollars", 6)}  # fmt: skip


def simulate(
    jsonl: Annotated[
        str,
        typer.Option(
            "--jsonl",
            help='Requests, one JSON object a line ({"id", "text"} or {"id", "messages"}, "user" and "metadata" beside '
            "them), or a decision log; .gz too; - is standard input.",
        ),
    ],
    policy: Annotated[str, typer.Option("--policy", "-p", help="The policy to try, by name or YAML file.")],
    against: Annotated[str | None, typer.Option("--against", help="The policy to compare with, by name or file.")] = None,
    machine: MachineOption = None,
    max_quality_drop: Annotated[
        float | None,
        typer.Option(
            "--max-quality-drop",
            min=0,
            help="Exit 1 unless the mean predicted quality falls by at most this (0.01 is one right answer in a hundred): "
            "compared is the upper end of the 95 % interval of the mean of OLD less NEW, request by request; what nothing "
            "can serve counts as 0. Needs --against.",
        ),
    ] = None,
    max_latency_rise: Annotated[
        float | None,
        typer.Option(
            "--max-latency-rise",
            min=0,
            help="Exit 1 unless the mean predicted time rises by at most this share of OLD's mean (0.1 is a tenth): "
            "compared is the upper end of the 95 % interval of the mean of NEW less OLD, over requests that both can "
            "serve, divided by OLD's mean. Needs --against.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Replay requests under a policy: share per model, thinking, quality, time, energy, cost, swaps; and what would change.

    Figures are predictions, with 95 % intervals by bootstrap over the requests. Without --machine it is the models that are
    served here, or where there are none, advice for this machine.
    """
    from qwen_router.policy import Policy

    if against is None and (max_quality_drop is not None or max_latency_rise is not None):
        raise InvalidRequest("a limit needs something to compare with", fix="add --against balanced")
    new, old = Policy.load(policy), None if against is None else Policy.load(against)
    report = _replay(jsonl, new=new, old=old, machine=machine, on_change=lambda change: None).report()
    limits = _limits_passed(report, max_quality_drop, max_latency_rise)
    if as_json:
        print_json({**report.as_dict(), "limits_passed": limits})
    else:
        typer.echo(_text(report))
        for told in limits:
            typer.echo(f"LIMIT PASSED: {told}", err=True)
    if limits:
        raise typer.Exit(1)


def models_that_differ(jsonl: str, *, old: Policy, new: Policy, machine: str | None) -> list[dict[str, Any]]:
    """The requests that go to another model, for `policy diff`."""
    found: list[dict[str, Any]] = []

    def note(change: Change) -> None:
        if change.old.partition(" ")[0] != change.new.partition(" ")[0]:
            found.append({"id": change.id, "text": change.text, "old": change.old, "new": change.new})

    _replay(jsonl, new=new, old=old, machine=machine, on_change=note)
    return found


def _replay(
    path: str, *, new: Policy, old: Policy | None, machine: str | None, on_change: Callable[[Change], None]
) -> Simulation:
    from qwen_router.decide.simulate import Simulation

    total, broken = line_count(path), 0
    with open_lines(path) as lines, progress(total, "simulating") as advance:
        simulation = Simulation(_planner(machine, new), new, old)
        for batch in batches(lines):
            good, failed = _read(batch)
            broken += failed
            for line_id, request, profile, circumstances in good:
                change = simulation.add(line_id, request, profile, circumstances=circumstances)
                if change is not None:
                    on_change(change)
            advance(len(batch))
    if broken:
        typer.echo(f"{broken} of {broken + len(simulation.new)} lines could not be read and are left out", err=True)
    if not len(simulation.new):
        raise InvalidRequest(f"{path!r} holds no request", fix='one {"id": 1, "text": "..."} a line, or a decision log')
    return simulation


def _planner(machine: str | None, policy: Policy) -> Planner:
    """Advice for a machine by name; else what this machine serves, as `route` sees it."""
    from qwen_router.catalog import Catalog
    from qwen_router.decide.planner import Planner
    from qwen_router.hardware.presets import machine as machine_named

    if machine is not None:
        return Planner(machine_named(machine), Catalog.load())
    from qwen_router.router import Router

    router = Router(policy=policy)
    scope = router.scope()
    if scope == "advice":
        return Planner(router.machine, router.catalog, calibration=router.calibration)
    builds = router.builds(scope)
    return Planner(router.machine, router.catalog, builds=lambda _: builds, scope=scope, calibration=router.calibration)


def _read(batch: list[tuple[int, bytes]]) -> tuple[list[Line], int]:
    """The lines of a batch that can be read, in order, and how many cannot."""
    from qwen_router.profile import inspect_many

    logged = {number: line for number, raw in batch if (line := _logged(raw)) is not None}
    parsed = {number: _parsed(raw, number) for number, raw in batch if number not in logged}
    asked = {n: item for n, item in parsed.items() if item is not None}
    profiles = dict(zip(asked, inspect_many([request for _, request in asked.values()]), strict=True))
    found: list[Line] = []
    for number, _ in batch:
        if number in logged:
            found.append(logged[number])
        elif number in asked:
            line_id, request = asked[number]
            found.append((line_id, request, profiles[number], None))
    return found, len(batch) - len(found)


def _parsed(raw: bytes, number: int) -> tuple[Any, Request] | None:
    """A line with its text, and who asks: `user`, `groups`, `tags` and `commercial_use`, bare or under `metadata`."""
    line_id, request = parse_line(raw, number)
    if isinstance(request, RouterError):
        return None
    from qwen_router.request import Request

    item = json.loads(raw)
    metadata = item.get("metadata") if isinstance(item.get("metadata"), dict) else {}
    said = {key: item[key] for key in ("groups", "tags", "commercial_use") if key in item}
    body = {"text": "", "user": item.get("user"), "metadata": {**metadata, **said}}
    who = Request.of(body)
    return line_id, replace(request, user=who.user, groups=who.groups, tags=who.tags, commercial_use=who.commercial_use)


def _logged(raw: bytes) -> Line | None:
    """A line of a decision log, which holds the profile in place of the text; None for any other."""
    from pydantic import ValidationError

    from qwen_router.decision_log import circumstances_of, profile_of, request_of
    from qwen_router.policy import Spent

    try:
        item = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(item, dict) or not isinstance(item.get("profile"), dict) or not isinstance(item.get("request"), dict):
        return None
    try:
        now = replace(circumstances_of(item), previous=None, spent=Spent(), spent_by_user=Spent())
        return item.get("id"), request_of(item), profile_of(item), now
    except (KeyError, TypeError, ValidationError):
        return None


def _limits_passed(report: Report, max_quality_drop: float | None, max_latency_rise: float | None) -> list[str]:
    passed = []
    drop, rise = report.quality_drop(), report.latency_rise()
    if max_quality_drop is not None and drop is not None and drop.high > max_quality_drop:
        passed.append(
            f"quality falls by {drop.mean:.4f}, perhaps by {drop.high:.4f}; at most {max_quality_drop:g} is allowed"
        )
    if max_latency_rise is not None and rise is not None and rise.high > max_latency_rise:
        passed.append(
            f"time rises by {rise.mean:.1%}, perhaps by {rise.high:.1%}; at most {max_latency_rise:.1%} is allowed"
        )
    return passed


# ── for people ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _text(report: Report) -> str:
    lines = [f"{report.requests} requests on {report.machine}", *_side(report.new)]
    if report.old is not None:
        lines += ["", *_side(report.old), "", f"{report.new.policy} less {report.old.policy}"]
        lines.append(f"  other model  {_percent(report.switch_rate)}")
        lines += [f"  {label:<12} {_shown(report.differences[name], unit, places, sign='+')}"
                  for name, (label, unit, places) in UNITS.items()]  # fmt: skip
        if report.changed:
            lines += ["", "what changes most:"]
            for change in report.changed:
                seconds = "" if change.seconds is None else f", {change.seconds:+.1f} s"
                lines.append(f"  {change.id}: {change.old} -> {change.new} (quality {change.quality:+.2f}{seconds})")
                lines.append(f"      {change.text or '(no text in the log)'}")
    return "\n".join(lines)


def _side(side: Summary) -> Iterator[str]:
    yield f"{side.policy}:"
    for name, share in side.models[:SHOWN_MODELS]:
        yield f"  {share:6.1%}  {name}"
    if len(side.models) > SHOWN_MODELS:
        yield f"  {sum(share for _, share in side.models[SHOWN_MODELS:]):6.1%}  {len(side.models) - SHOWN_MODELS} more"
    yield f"  thinking     {_percent(side.thinking)}"
    yield f"  swaps        {_percent(side.swaps)} of requests need another build than the one before"
    for name, (label, unit, places) in UNITS.items():
        yield f"  {label:<12} {_shown(side.measures[name], unit, places)}"


def _percent(interval: Interval | None) -> str:
    return "unknown" if interval is None else f"{interval.mean:.1%} ({interval.low:.1%} to {interval.high:.1%})"


def _shown(interval: Interval | None, unit: str, places: int, *, sign: str = "") -> str:
    if interval is None:
        return "unknown"
    mean, low, high = (f"{value:{sign}.{places}f}" for value in (interval.mean, interval.low, interval.high))
    return f"{mean}{unit} ({low} to {high})"
