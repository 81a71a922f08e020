"""`doctor --thinking`: what holds of thinking, tools and formats on every engine that answers.

qwen-router doctor --thinking
"""

from __future__ import annotations

import typer

from qwen_router.cli.common import print_json, printable, say
from qwen_router.engines.base import Engine
from qwen_router.engines.matrix import Tried, advice, matrix
from qwen_router.errors import RouterError, UnknownName
from qwen_router.hardware.machine import ServedBuild


def check_thinking(model: str | None, *, as_json: bool) -> None:
    """One model of every engine, the loaded one or the smallest; `model` names another. Exits with 1 where something fails.

    Raises `UnknownName` when no engine serves `model`.
    """
    from qwen_router.engines.configured import configured_engines

    engines = configured_engines()
    try:
        served = [(engine, _chat_builds(engine)) for engine in engines]
        if model is not None:
            served = _named(served, model)
        chosen = [(engine, min(builds, key=_cheapest)) for engine, builds in served if builds]
        reports = [_tried(engine, build, as_json=as_json) for engine, build in chosen]
    finally:
        for engine in engines:
            engine.close()
    if as_json:
        print_json(reports)
    if not all(row["holds"] for report in reports for row in report["rows"]):  # type: ignore[attr-defined]  # a list
        raise typer.Exit(1)


Served = list[tuple[Engine, list[ServedBuild]]]


def _chat_builds(engine: Engine) -> list[ServedBuild]:
    from qwen_router.catalog import Catalog

    catalog = Catalog.load()
    try:
        return [b for b in engine.installed() if b.model_id is not None and catalog.get(b.model_id).kind == "chat"]
    except RouterError as error:
        typer.echo(f"no   engine {engine.name}: {error.problem}", err=True)
        return []


def _named(served: Served, name: str) -> Served:
    """Builds of exactly that name, else those of the model that the catalog knows by it."""
    from qwen_router.catalog import Catalog

    known = Catalog.load().resolve(name)
    wanted = known.id if known else ""
    exact = [(engine, [build for build in builds if build.name == name]) for engine, builds in served]
    alike = [(engine, [build for build in builds if build.model_id == wanted]) for engine, builds in served]
    for found in (exact, alike):
        if any(builds for _, builds in found):
            return found
    raise UnknownName(f"no engine here serves {name!r}", fix="`qwen-router doctor` lists what each serves")


def _cheapest(build: ServedBuild) -> tuple[bool, float]:
    return not build.resident, build.memory_mib or float("inf")


def _tried(engine: Engine, build: ServedBuild, *, as_json: bool) -> dict[str, object]:
    from qwen_router.catalog import Catalog

    model = Catalog.load().get(build.model_id or "")
    if not as_json:
        say(f"{engine.name} at {engine.endpoint}: {build.name} ({model.id}; thinking: {model.thinking.behaviour})", hang=5)
        typer.echo("     thinking  tools  format  read by")
    rows = []
    for row in matrix(engine, build, model):
        rows.append(row)
        if not as_json:
            _show(row)
    wrong = advice(model, rows)
    if wrong and not as_json:
        say(f"try: {wrong}", hang=5)
    return {
        "engine": engine.name,
        "endpoint": engine.endpoint,
        "model": build.name,
        "rows": [
            {
                "thinking": row.think,
                "tools": row.tools,
                "format": row.formatted,
                "async": row.by_loop,
                "budget_tokens": row.budget_tokens,
                "reasoning_tokens": row.reasoning_tokens,
                "holds": row.holds,
                "faults": list(row.faults),
            }
            for row in rows
        ],
        "advice": wrong,
    }


def _show(row: Tried) -> None:
    mark = "ok  " if row.holds else "no  "
    if row.budget_tokens is not None:
        spent = "" if row.reasoning_tokens is None else f", {row.reasoning_tokens} thought"
        typer.echo(f"{mark} a budget of {row.budget_tokens} tokens{spent}")
    else:
        cells = ("on" if row.think else "off", "yes" if row.tools else "-", "JSON" if row.formatted else "-")
        typer.echo(f"{mark} {cells[0]:<8}  {cells[1]:<5}  {cells[2]:<6}  {'event loop' if row.by_loop else 'thread'}")
    for fault in row.faults:
        say(f"     {printable(fault)}", hang=5)
