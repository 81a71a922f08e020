"""`models`, `hardware` and `fit`: what there is, what this machine is, what goes onto it.

qwen-router fit Qwen3-8B --quant q4_K_M --context 16384
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwen_router.cli.common import JsonOption, MachineOption, console, print_json
from qwen_router.errors import UnknownName

if TYPE_CHECKING:
    from qwen_router.catalog import Model
    from qwen_router.hardware import Machine


def add_to(app: typer.Typer) -> None:
    app.command("models")(models)
    app.command("hardware")(hardware)
    app.command("fit")(fit)


def models(
    name: Annotated[str | None, typer.Argument(help="Show this model whole.", show_default=False)] = None,
    family: Annotated[str | None, typer.Option(help="Only this family: qwen3, qwen2.5-coder, ...")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the catalog, or show one model with its sources."""
    from qwen_router.catalog import Catalog

    catalog = Catalog.load()
    if name is not None:
        model = catalog.get(name)
        print_json(model.model_dump()) if as_json else _print_model(model)
        return
    rows = catalog.models
    if family is not None:
        rows = tuple(m for m in rows if m.family == family.lower())
        if not rows:
            raise UnknownName.among(family, {m.family for m in catalog.models}, kind="family")
    if as_json:
        for model in rows:
            print_json(model.model_dump(exclude={"scores"}))
    else:
        _print_models(rows)


def _params(count: int | None) -> str:
    return "?" if count is None else f"{count / 1e9:.1f}B" if count >= 1e8 else f"{count / 1e6:.1f}M"


def _print_models(rows: tuple[Model, ...]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for header in ("model", "size", "active", "window", "think", "input", "scores"):
        numbers = header in ("size", "active", "window", "scores")
        table.add_column(header, justify="right" if numbers else "left", no_wrap=header == "model", overflow="fold")
    for m in rows:
        other = "+".join(x for x in m.modalities if x != "text") or "text"
        active = "" if m.active_params is None else _params(m.active_params)
        kind = m.thinking.behaviour if m.kind == "chat" else m.kind
        window = f"{m.context.native_tokens // 1024}K"
        table.add_row(m.short_name, _params(m.total_params), active, window, kind, other, str(len(m.scores)))
    console().print(table)


def _print_model(model: Model) -> None:
    import yaml

    data = model.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    typer.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100).rstrip())


def hardware(
    machine: MachineOption = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure memory bandwidth and compute (about a second).")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show this machine: devices, free and total memory, cores, and what limits them."""
    from qwen_router.hardware.measure import with_measured

    found = machine_for(machine)
    if measure:
        found = with_measured(found)
    if as_json:
        print_json(asdict(found))
        return
    typer.echo(f"{found.name}: {found.system}, {found.cores} cores")
    for d in found.devices:
        how = "measured" if d.measured else "estimated"
        rates = [
            f"{d.bandwidth_gib_s:.0f} GiB/s" if d.bandwidth_gib_s else "",
            f"{d.compute_tflops:.2g} TFLOPS" if d.compute_tflops else "",
        ]
        known = ", ".join(rate for rate in rates if rate)
        typer.echo(
            f"  {d.id:<8} {d.name}: {d.memory_free_mib / 1024:.1f} of {d.memory_total_mib / 1024:.1f} GiB free"
            + (f", {known} ({how})" if known else "")
        )
    for note in found.notes:
        typer.echo(f"  note     {note}")


def machine_for(name: str | None) -> Machine:
    """This machine, or the preset or file of that name."""
    from qwen_router.hardware import detect
    from qwen_router.hardware.presets import machine

    return detect() if name is None else machine(name)


def fit(
    model: Annotated[str, typer.Argument(help="A model of the catalog, or one of its names on an engine.")],
    quant: Annotated[str, typer.Option("--quant", "-q", help="Quantisation: bf16, q8_0, q4_K_M.")] = "q4_K_M",
    context: Annotated[int, typer.Option("--context", "-c", help="Tokens of context.")] = 8192,
    engine: Annotated[str, typer.Option(help="Engine: llamacpp, ollama, transformers.")] = "llamacpp",
    parallel: Annotated[int, typer.Option(help="Requests served at once.")] = 1,
    kv_type: Annotated[str, typer.Option(help="Type of the KV cache: f16, q8_0.")] = "f16",
    yarn: Annotated[
        bool, typer.Option("--yarn", help="Allow contexts past the training length, where YaRN reaches them.")
    ] = False,
    machine: MachineOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether a model fits, what it takes part by part, the longest context, and how fast it will be."""
    from qwen_router.catalog import Catalog
    from qwen_router.hardware import fit as fit_on

    row = Catalog.load().get(model)
    result = fit_on(row, quant, context, engine, machine_for(machine), parallel=parallel, kv_type=kv_type, yarn=yarn)
    if as_json:
        print_json(fit_line(result))
    else:
        _print_fit(row, fit_line(result))
    if not result.fits:
        raise typer.Exit(3)


def fit_line(result: Any) -> dict[str, Any]:
    """The fit as programs read it, MiB and tokens/s to one place."""
    return {
        key: round(value, 1) if isinstance(value, float) and key != "kv_mib_per_token" else value
        for key, value in asdict(result).items()
    }


def _print_fit(model: Model, line: dict[str, Any]) -> None:
    typer.echo(f"{model.id} {line.get('quant', '')}: {'fits' if line['fits'] else 'does not fit'}: {line.get('reason', '')}")
    total = line["total_mib"] or 1.0
    for part in ("weights", "kv", "state", "compute", "vision"):
        mib = line[f"{part}_mib"]
        if mib:
            typer.echo(f"  {part:<8} {mib:>10,.1f} MiB  {'#' * max(1, round(40 * mib / total))}")
    typer.echo(f"  {'total':<8} {total:>10,.1f} MiB")
    typer.echo(f"  longest context that fits: {line['max_context_tokens']:,} tokens")
    if line["decode_tps"]:
        typer.echo(f"  predicted: {line['decode_tps']:,} tokens/s, prompt {line['prefill_tps']:,} tokens/s")
