"""`classify` and `route`: what a request needs, and who should answer it. Nothing is run.

qwen-router route --explain "Solve x^2 - 5x + 6 = 0"
qwen-router route --jsonl requests.jsonl > decisions.jsonl
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwen_router.cli.common import (
    FilesOption,
    JsonOption,
    MachineOption,
    ObjectiveOption,
    PolicyOption,
    console,
    print_json,
    progress,
    read_request,
    router_from,
    tell_unreachable,
)
from qwen_router.cli.lines import batches, line_count, open_lines, parse_line
from qwen_router.errors import RouterError

if TYPE_CHECKING:
    from qwen_router.decide import Decision
    from qwen_router.profile.types import Profile
    from qwen_router.request import Request

Words = Annotated[list[str] | None, typer.Argument(help="The request; standard input when left out.", show_default=False)]
Jsonl = Annotated[
    str | None,
    typer.Option(
        "--jsonl", help='Read requests, one JSON object a line ({"id", "text"} or {"id", "messages"}); - is standard input.'
    ),
]


def add_to(app: typer.Typer) -> None:
    app.command("classify")(classify)
    app.command("route")(route)


def classify(
    words: Words = None,
    jsonl: Jsonl = None,
    attach: FilesOption = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Name the words and features that drove domain and depth, and what would flip it."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what a request needs: domain, depth, difficulty, language, modalities, tokens."""
    from qwen_router.profile import inspect, inspect_many, profile_line

    if jsonl is not None:
        _run_lines(jsonl, lambda requests: [profile_line(p) for p in inspect_many(requests)], what="classifying")
        return
    request = read_request(words, attach)
    if explain:
        _explain(request, as_json=as_json)
        return
    profile = inspect(request)
    if as_json:
        print_json(profile_line(profile))
    else:
        _print_profile(profile)


def route(
    words: Words = None,
    jsonl: Jsonl = None,
    attach: FilesOption = None,
    policy: PolicyOption = None,
    objective: ObjectiveOption = None,
    machine: MachineOption = None,
    candidates: Annotated[str | None, typer.Option(help="Consider only these models, comma-separated.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say in a few lines what decided, and what would change it.")
    ] = False,
    verdicts: Annotated[bool, typer.Option("--verdicts", help="Show the verdict on every candidate.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Decide which model should answer a request, how, and why."""
    from qwen_router.profile import inspect_many

    router = router_from(policy=policy, objective=objective, machine=machine, candidates=candidates)
    if jsonl is not None:

        def decide(requests: list[Request]) -> list[dict[str, Any]]:
            profiles = inspect_many(requests)
            return [
                route_line(router.decide(request, profile, policy=router.policy))
                for request, profile in zip(requests, profiles, strict=True)
            ]

        _run_lines(jsonl, decide, what="routing")
        return
    request = read_request(words, attach)
    decision = router.logged(request, router.route(request))
    tell_unreachable(router)
    if as_json:
        from qwen_router.decide.summary import summary_data

        print_json(route_line(decision) | ({"explanation": summary_data(decision)} if explain else {}))
    else:
        _print_decision(decision, told=explain, every=verdicts)
    if decision.chosen is None:
        raise typer.Exit(3)


def route_line(decision: Decision) -> dict[str, Any]:
    """The decision with its profile, as DESIGN's route line has it."""
    from qwen_router.decide import decision_line
    from qwen_router.profile import profile_line

    return {**decision_line(decision), "profile": profile_line(decision.profile)}


# ── lines of JSON ───────────────────────────────────────────────────────────────────────────────────────────────────


def _run_lines(path: str, work: Callable[[list[Request]], list[dict[str, Any]]], *, what: str) -> None:
    """One JSON object out for each line in, in order; a broken line gives its error and the run goes on."""
    total, seen, failed = line_count(path), 0, 0
    with open_lines(path) as lines, progress(total, what) as advance:
        for batch in batches(lines):
            parsed = [parse_line(raw, number) for number, raw in batch]
            good = [request for _, request in parsed if not isinstance(request, RouterError)]
            results = iter(_guarded(work, good))
            for line_id, request in parsed:
                result = {"error": str(request)} if isinstance(request, RouterError) else next(results)
                typer.echo(json.dumps({"id": line_id, **result}, ensure_ascii=True))
                seen, failed = seen + 1, failed + ("error" in result)
            advance(len(batch))
    if failed:
        typer.echo(f"{failed} of {seen} lines could not be read; each carries its error", err=True)
        if failed == seen:
            raise typer.Exit(1)


def _guarded(work: Callable[[list[Request]], list[dict[str, Any]]], requests: list[Request]) -> list[dict[str, Any]]:
    """The batch's results; when one request of it is refused, each on its own, so that only that one fails."""
    try:
        return work(requests)
    except RouterError as error:
        if len(requests) == 1:
            return [{"error": str(error)}]
        return [_guarded(work, [request])[0] for request in requests]


def _print_profile(profile: Profile) -> None:
    shares = sorted(profile.domains.items(), key=lambda item: -item[1])[:3]
    console().print(
        f"domain       {profile.domain} ({', '.join(f'{d} {p:.2f}' for d, p in shares)})"
        + (f"  unsure: {profile.reason or 'below the threshold'}" if profile.abstained else "")
        + f"\ndepth        {profile.depth:.2f}    difficulty {profile.difficulty:.2f}"
        f"\nlanguage     {profile.language} (answer in {', '.join(profile.output_languages) or 'any'})"
        f"\nmodalities   {', '.join(profile.modalities)}"
        f"\ntokens       {profile.input_tokens} in, about {profile.output_tokens} out",
        markup=False,
    )


STRONGEST = 8
"""How many words and features an explanation shows."""


# ── for people ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _explain(request: Request, *, as_json: bool) -> None:
    from qwen_router.profile import profile_line
    from qwen_router.profile.explanation import explain

    told = explain(request)
    if as_json:
        effects = {
            name: [{"what": e.what, "domain": round(e.domain, 3), "depth": round(e.depth, 3)} for e in part]
            for name, part in (("words", told.words), ("form", told.form))
        }
        print_json({**profile_line(told.profile), "against": told.against, **effects, "flips": told.flips})
        return
    _print_profile(told.profile)
    out = console()
    out.print(f"\ndomain: {told.profile.domain} rather than {told.against} (log-odds)", markup=False)
    for effect in sorted((*told.words, *told.form), key=lambda e: -abs(e.domain))[:STRONGEST]:
        out.print(f"  {effect.domain:+6.2f}  {effect.what}", markup=False)
    out.print(f"\ndepth: {told.profile.depth:.2f}", markup=False)
    for effect in told.by_depth()[:STRONGEST]:
        out.print(f"  {effect.depth:+6.2f}  {effect.what}", markup=False)
    out.print(f"\nto flip it: {told.flips}", markup=False)


def _print_decision(decision: Decision, *, told: bool, every: bool) -> None:
    from qwen_router.decide.explain import duration, gib
    from qwen_router.decide.summary import summary

    out = console()
    if told:
        for line in summary(decision):
            out.print(line, markup=False, soft_wrap=True)
        if every:
            _print_verdicts(decision)
        return
    chosen = decision.chosen
    if chosen is None:
        out.print(f"nothing fits: {decision.reason}", markup=False)
    else:
        out.print(
            f"model      {chosen.build.model.id} ({chosen.build.quant}) on {chosen.build.engine}\n"
            f"thinking   {f'on, at most {chosen.budget_tokens} tokens' if chosen.thinking else 'off'}\n"
            f"context    {chosen.context_tokens} tokens\n"
            f"predicted  quality {chosen.quality:.2f} +/- {chosen.quality_sd:.2f}, first token "
            f"{duration(chosen.first_token_s)}, whole {duration(chosen.total_s)}, {gib(chosen.memory_mib)}\n"
            f"reason     {decision.reason}\n"
            f"fallbacks  {', '.join(c.label for c in decision.fallbacks) or 'none'}",
            markup=False,
        )
        if not chosen.build.installed and chosen.build.how_to_get:
            out.print(f"get it     {chosen.build.how_to_get}", markup=False)
    if every:
        _print_verdicts(decision)


def _print_verdicts(decision: Decision) -> None:
    from rich.table import Table

    from qwen_router.decide.explain import duration, gib

    table = Table(box=None, pad_edge=False)
    for name, justify in (
        ("fate", "left"),
        ("candidate", "left"),
        ("engine", "left"),
        ("quality", "right"),
        ("time", "right"),
        ("memory", "right"),
        ("reason", "left"),
    ):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for verdict in decision.verdicts():
        c = verdict.candidate
        reason = "the decision above" if verdict.fate == "chosen" else verdict.reason
        table.add_row(
            verdict.fate, c.label, c.build.engine, f"{c.quality:.2f}", duration(c.total_s), gib(c.memory_mib), reason
        )
    console().print(table)
