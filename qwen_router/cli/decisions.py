"""`decisions`: what was decided lately, one of them whole, and whether today's decision would differ.

qwen-router decisions show 3f2a
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwen_router.cli.common import JsonOption, print_json

if TYPE_CHECKING:
    from qwen_router.decision_log import DecisionLog

app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    help="List the decisions that were logged; or show one and make it anew.",
)
SHOWN = 20


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="decisions")


def _log() -> DecisionLog:
    from qwen_router.decision_log import DecisionLog
    from qwen_router.errors import InvalidRequest
    from qwen_router.settings import Settings

    path = Settings.from_environment().decision_log
    if path is None:
        raise InvalidRequest("decisions are not logged: QWEN_ROUTER_DECISIONS is off", fix="set it to a file, or unset it")
    return DecisionLog(path)


@app.callback()
def decisions(
    ctx: typer.Context,
    last: Annotated[int, typer.Option("--last", "-n", min=1, help="How many of the newest.")] = SHOWN,
    as_json: JsonOption = False,
) -> None:
    """List the decisions that were logged; or show one and make it anew. No prompt is logged."""
    if ctx.invoked_subcommand is not None:
        return
    from collections import deque

    for line in deque(_log().entries(), maxlen=last):
        if as_json:
            print_json(line)
            continue
        chosen = line["chosen"]
        thinks = (chosen.get("thinking") or {}).get("budget_tokens") or 0
        mode = f", thinking {thinks}" if thinks else ""
        what = f"{chosen['model']} {chosen['quant']}{mode}" if chosen.get("model") else "nothing"
        typer.echo(f"{line['at']}  {str(line['id'])[:8]}  {line['profile']['domain']:<11} {line['policy']:<20} {what}")


@app.command()
def show(
    decision_id: Annotated[str, typer.Argument(help="The id, or how it begins.")],
    as_json: JsonOption = False,
) -> None:
    """Show a logged decision, make it anew with what is known today, and say what differs and why."""
    from qwen_router.decision_log import circumstances_of, profile_of, request_of
    from qwen_router.errors import RouterError
    from qwen_router.hardware.presets import preset_names
    from qwen_router.router import Router

    line = _log().find(decision_id)
    planned = line["machine"] if line["machine"] in preset_names() else None  # else decided for the computer at hand
    router = Router(policy=line["policy"], machine=planned)
    try:
        today = router.decide(
            request_of(line), profile_of(line), policy=router.policy, answering=line["scope"] != "advice",
            circumstances=circumstances_of(line),
        )  # fmt: skip
    except RouterError as error:
        typer.echo(_shown(line))
        typer.echo(f"today       cannot be decided: {error.problem}")
        raise typer.Exit(1) from None
    finally:
        router.close()
    from qwen_router.decide import decision_line
    from qwen_router.decide.summary import summary

    differences = _differences(line, decision_line(today), today.table.machine.name)
    if as_json:
        print_json({"logged": line, "today": decision_line(today), "differences": differences})
        return
    typer.echo(_shown(line))
    if not differences:
        typer.echo("today       the same")
        return
    typer.echo(f"today       differs: {'; '.join(differences)}")
    for told in summary(today):
        typer.echo(f"  {told}")


def _shown(line: dict[str, Any]) -> str:
    chosen = line["chosen"]
    thinks = (chosen.get("thinking") or {}).get("budget_tokens") or 0
    mode = f", thinking {thinks}," if thinks else ""
    what = "nothing" if not chosen.get("model") else f"{chosen['model']} {chosen['quant']}{mode} on {chosen['engine']}"
    return (
        f"decision    {line['id']} of {line['at']}, policy {line['policy']}, {line['machine']}\n"
        f"chosen      {what}\n"
        f"reason      {line['reason']}\n"
        f"fallbacks   {', '.join(line['fallbacks']) or 'none'}"
    )


def _differences(line: dict[str, Any], today: dict[str, Any], machine: str) -> list[str]:
    """What would come out otherwise today, in words, the choice first."""
    was, found = line["chosen"], []
    for key in ("model", "quant", "engine", "thinking", "context_tokens"):
        if was.get(key) != today.get(key):
            found.append(f"{key.replace('_tokens', '')} {_short(today.get(key))} instead of {_short(was.get(key))}")
    for key in ("quality", "total_s", "memory_mib"):
        before, now = ((each.get("predicted") or {}).get(key) for each in (was, today))
        if before and now and abs(now / before - 1) > 0.02:
            found.append(f"predicted {key.replace('_', ' ')} {now:g} instead of {before:g}")
    if found and machine != line["machine"]:
        found.append(f"made on {line['machine']}, now on {machine}")
    if found and line["scope"] != today.get("scope"):
        found.append(f"then {line['scope']}, now {today.get('scope')}")
    return found


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value.get('budget_tokens')} tokens" if value.get("enabled") else "off"
    return "nothing" if value is None else str(value)
