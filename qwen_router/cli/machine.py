"""`hardware` and `fit`: what this machine is, and what goes onto it.

qwen-router fit Qwen3-8B --quant q4_K_M --context 16384
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwen_router.cli.common import JsonOption, MachineOption, console, print_json, say
from qwen_router.errors import InvalidRequest, UnknownName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwen_router.catalog import Model
    from qwen_router.decide.survey import Runnable
    from qwen_router.hardware import Calibration, Machine
    from qwen_router.hardware.fit import Fit

DEFAULT_QUANTS = {"transformers": "bf16", "onnx": "onnx-int4"}
"""What is asked about unless said otherwise, where it is not q4_K_M."""
DEFAULT_CONTEXT_TOKENS = 8192
PARTS = ("weights", "kv", "state", "compute", "vision", "audio", "mtp")


def add_to(app: typer.Typer) -> None:
    app.command("hardware")(hardware)
    app.command("fit")(fit)


def hardware(
    machine: MachineOption = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure memory bandwidth and compute (about a second), and keep the figures.")
    ] = False,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write it as a machine file, to plan for it elsewhere.")
    ] = None,
    presets: Annotated[bool, typer.Option("--presets", help="List the machines that can be planned for by name.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show this machine: devices, free and total memory, cores, and what limits them."""
    from qwen_router.hardware import Calibration
    from qwen_router.hardware.measure import with_measured
    from qwen_router.hardware.presets import machine_yaml

    if presets:
        _print_presets(as_json=as_json)
        return
    found = machine_for(machine)
    if measure:
        if found.hypothetical:
            raise InvalidRequest(f"{found.name} is planned for, not here: it cannot be measured", fix="leave --machine out")
        found = with_measured(found)
        Calibration.of(found).remember(found)
    if save is not None:
        save.write_text(machine_yaml(found), "utf-8")
        typer.echo(f"written to {save}: plan for it with --machine {save}", err=True)
    if as_json:
        print_json(asdict(found))
        return
    typer.echo(f"{found.name}: {found.system}, {found.cores} cores")
    for d in found.devices:
        how = "measured" if d.measured else "estimated"
        rates = [
            f"{d.bandwidth_gib_s:.0f} GiB/s" if d.bandwidth_gib_s else "",
            f"{d.compute_tflops:.3g} TFLOPS" if d.compute_tflops else "",
        ]
        known = ", ".join(rate for rate in rates if rate)
        about = "" if d.free_known else "about "
        shared = f", shared with {d.shares_memory_with}" if d.shares_memory_with else ""
        capability = f", compute capability {d.compute_capability}" if d.compute_capability else ""
        room = f"{about}{d.memory_free_mib / 1024:.1f} of {d.memory_total_mib / 1024:.1f} GiB free{shared}"
        say(f"  {d.id:<9} {d.name}: {room}{f', {known} ({how})' if known else ''}{capability}", hang=12)
    for note in found.notes:
        say(f"  note      {note}", hang=12)
    if not found.hypothetical:
        _print_loaded()


def _print_presets(*, as_json: bool) -> None:
    """Every machine that has a name, with memory and bandwidth."""
    from qwen_router.hardware.presets import machine, preset_names

    for name in preset_names():
        found = machine(name)
        device = found.devices[0]
        if as_json:
            print_json({"name": name, **asdict(device)})
            continue
        rate = f"{device.bandwidth_gib_s:,.0f} GiB/s" if device.bandwidth_gib_s else "?"
        typer.echo(f"{name:<21} {device.memory_total_mib / 1024:>6.1f} GiB {rate:>11}  {device.name}")


def _print_loaded() -> None:
    """What the engines that answer have loaded now, and how much it holds."""
    from qwen_router.engines.configured import configured_engines
    from qwen_router.errors import RouterError

    for engine in configured_engines():
        try:
            loaded = [build for build in engine.installed() if build.resident]
            note = getattr(engine, "cache_note", lambda: None)() if loaded else None
        except RouterError:
            continue
        finally:
            engine.close()
        for build in loaded:
            parts = [
                build.quant or "",
                f"{build.memory_mib / 1024:.1f} GiB" if build.memory_mib else "",
                f"{build.context_tokens:,} tokens" if build.context_tokens else "",
                note or "",
            ]
            typer.echo(f"  loaded    {engine.name}: {build.name}  {', '.join(part for part in parts if part)}")


def machine_for(name: str | None) -> Machine:
    """This machine, or the preset or file of that name."""
    from qwen_router.hardware import Calibration, detect
    from qwen_router.hardware.presets import machine

    if name is not None:
        return machine(name)
    found = detect()
    return Calibration.of(found).applied(found)


def fit(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Models of the catalog, by any of their names. None: all that fit.", show_default=False),
    ] = None,
    quant: Annotated[
        str | None,
        typer.Option(
            "--quant", "-q", help="Quantisation: bf16, q8_0, q4_K_M, ... (one model: q4_K_M; all: the best that fits)."
        ),
    ] = None,
    context: Annotated[
        int | None,
        typer.Option("--context", "-c", help="Tokens of context (8192, or the model's window).", show_default=False),
    ] = None,
    engine: Annotated[str, typer.Option(help="Engine: llamacpp, ollama, transformers, onnx, vllm.")] = "llamacpp",
    parallel: Annotated[int, typer.Option(help="Requests served at once.")] = 1,
    kv_type: Annotated[str, typer.Option(help="Type of the KV cache: f16, q8_0, ...")] = "f16",
    vision: Annotated[
        bool | None, typer.Option("--vision/--no-vision", help="Count the towers for images and audio.")
    ] = None,
    mtp: Annotated[bool, typer.Option("--mtp", help="Count the head for multi-token prediction.")] = False,
    yarn: Annotated[
        bool, typer.Option("--yarn", help="Allow contexts past the training length, where YaRN reaches them.")
    ] = False,
    image: Annotated[list[str] | None, typer.Option(help="Say how many tokens an image takes: 1920x1080.")] = None,
    video: Annotated[list[str] | None, typer.Option(help="The same for a video: 1280x720x60 (pixels and seconds).")] = None,
    audio: Annotated[list[float] | None, typer.Option(help="The same for so many seconds of sound.")] = None,
    tensor_parallel: Annotated[int, typer.Option("--tensor-parallel", help="vLLM: devices to split over.")] = 1,
    utilization: Annotated[
        float, typer.Option("--gpu-memory-utilization", help="vLLM: share of each device that it takes.")
    ] = 0.9,
    domain: Annotated[str | None, typer.Option("--for", help="All: judge quality in this domain (math, code, ...).")] = None,
    sort: Annotated[str, typer.Option("--sort", help="All: by quality, speed, memory, context or size.")] = "quality",
    min_context: Annotated[int, typer.Option("--min-context", help="All: tokens that must fit.")] = 4096,
    explain: Annotated[bool, typer.Option("--explain", help="Print the formulas with the model's numbers.")] = False,
    machine: MachineOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what fits, what it takes part by part, the longest context, and how fast it will be."""
    from qwen_router.catalog import Catalog
    from qwen_router.hardware import Calibration

    here = machine_for(machine)
    calibration = Calibration.of(here)
    if not models:
        asked = {"--context": context, "--image": image, "--video": video, "--audio": audio, "--vision": vision}
        asked |= {"--parallel": parallel != 1, "--kv-type": kv_type != "f16"}
        asked |= {"--mtp": mtp, "--yarn": yarn, "--explain": explain}
        _refuse_for_all(asked, engine)
        _survey(here, calibration, engine, quant, domain, sort, min_context, as_json=as_json)
        return
    if tensor_parallel != 1 and engine != "vllm":
        raise InvalidRequest(
            "--tensor-parallel is vLLM's", fix="add --engine vllm, or leave it out: layers are split anyway"
        )
    rows = [Catalog.load().get(name) for name in models]
    sees = True if vision is None and (image or video or audio) else vision
    fits = False
    for number, row in enumerate(rows):
        tokens = context if context is not None else min(DEFAULT_CONTEXT_TOKENS, row.context.native_tokens)
        if engine == "vllm":
            fits |= _vllm(row, here, quant or "bf16", tokens, kv_type, tensor_parallel, utilization, as_json=as_json)
            continue
        from qwen_router.hardware import fit as fit_on

        result = fit_on(
            row,
            quant or DEFAULT_QUANTS.get(engine, "q4_K_M"),
            tokens,
            engine,
            here,
            parallel=parallel,
            kv_type=kv_type,
            vision=sees,
            mtp=mtp,
            yarn=yarn,
            calibration=calibration,
        )
        media = media_tokens(row, image or (), video or (), audio or ())
        fits |= result.fits and all(taken <= tokens for taken in media.values())
        if as_json:
            print_json(fit_line(result) | ({"media_tokens": media} if media else {}))
            continue
        if number:
            typer.echo("")
        _print_fit(result)
        if mtp and not (row.architecture and row.architecture.mtp_params):
            typer.echo("  --mtp counts nothing: the model has no head for multi-token prediction")
        _print_media(media, tokens)
        if explain:
            from qwen_router.hardware.explain import explained

            for line in explained(row, result, here, vision=sees, mtp=mtp):
                say(f"  {line}", hang=11)
    if not fits:
        raise typer.Exit(3)


def _refuse_for_all(asked: Mapping[str, object], engine: str) -> None:
    """Options that ask about one model are refused where none is named."""
    wrong = [name for name, value in asked.items() if value not in (None, False)]
    if wrong:
        raise InvalidRequest(f"{' and '.join(wrong)} ask about one model, and none is named", fix="fit MODEL ...")
    if engine == "vllm":
        raise InvalidRequest("what vLLM holds is told model by model", fix="fit MODEL --engine vllm --quant bf16")


def _print_media(media: Mapping[str, int], context_tokens: int) -> None:
    for what, taken in media.items():
        more = "" if taken <= context_tokens else f": more than the {context_tokens:,} of context"
        typer.echo(f"  {what} takes {taken:,} tokens{more}")


def media_tokens(model: Model, images: Sequence[str], videos: Sequence[str], sounds: Sequence[float]) -> dict[str, int]:
    """Tokens by what takes them, in the order asked."""
    from qwen_router.hardware.media import audio_tokens, image_tokens, video_tokens

    found = {}
    for size in images:
        width, height = _numbers(size, 2, "--image 1920x1080")
        found[f"an image of {size}"] = image_tokens(model, int(width), int(height))
    for size in videos:
        width, height, seconds = _numbers(size, 3, "--video 1280x720x60")
        found[f"a video of {size} s"] = video_tokens(model, int(width), int(height), seconds)
    for seconds in sounds:
        found[f"{seconds:g} s of sound"] = audio_tokens(model, seconds)
    return found


def _numbers(text: str, count: int, fix: str) -> list[float]:
    parts = text.lower().split("x")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise InvalidRequest(f"{text!r} is no size", fix=fix)
    return numbers


def fit_line(result: Any) -> dict[str, Any]:
    """The fit as programs read it, MiB and tokens/s to one place."""
    return {
        key: round(value, 1) if isinstance(value, float) and key not in ("kv_mib_per_token", "quality") else value
        for key, value in asdict(result).items()
    }


def _print_fit(result: Fit) -> None:
    typer.echo(f"{result.model} {result.quant}: {'fits' if result.fits else 'does not fit'}: {result.reason}")
    total = result.total_mib or 1.0
    for part in PARTS:
        mib = getattr(result, f"{part}_mib")
        if mib:
            about = " (estimate)" if part in result.estimated else ""
            typer.echo(f"  {part:<8} {mib:>10,.1f} MiB  {'█' * max(1, round(40 * mib / total))}{about}")
    typer.echo(f"  {'total':<8} {total:>10,.1f} MiB  and {result.overhead_mib:,.0f} MiB for the engine itself")
    typer.echo(f"  longest context that fits: {result.max_context_tokens:,} tokens")
    if result.decode_tps and result.prefill_tps:
        typer.echo(
            f"  {result.speed_source}: {result.decode_tps:,.1f} tokens/s, prompt {result.prefill_tps:,.0f} tokens/s"
            f" ({result.speed_basis})"
        )


def _vllm(
    row: Model,
    machine: Machine,
    quant: str,
    context: int,
    kv_type: str,
    tensor_parallel: int,
    utilization: float,
    *,
    as_json: bool,
) -> bool:
    """Print what vLLM would reserve; whether at least one request of the context has room."""
    from qwen_router.hardware.fit import check_context
    from qwen_router.hardware.vllm import vllm_plan

    check_context(row, context)
    plan = vllm_plan(
        row,
        machine,
        quant=quant,
        context_tokens=context,
        kv_type="auto" if kv_type == "f16" else kv_type,
        tensor_parallel=tensor_parallel,
        gpu_memory_utilization=utilization,
    )
    if as_json:
        line = {"model": row.id, "quant": quant, "engine": "vllm", "context_tokens": context, "fits": plan.fits}
        print_json(line | fit_line(plan) | {"devices": [device.id for device in plan.devices]})
        return plan.fits
    typer.echo(f"{row.id} {quant} on vLLM: {'fits' if plan.fits else 'does not fit'}: {plan.reason}")
    if not plan.devices:
        return False
    for part in ("weights", "tower", "activation", "other", "kv"):
        mib = getattr(plan, f"{part}_mib")
        if mib:
            about = " (estimate)" if part in ("activation", "other") else ""
            bar = "█" * max(1, min(40, round(40 * mib / plan.requested_mib)))
            typer.echo(f"  {part:<10} {mib:>10,.1f} MiB  {bar}{about}")
    typer.echo(f"  {'reserved':<10} {plan.requested_mib:>10,.1f} MiB on each of {len(plan.devices)} devices")
    typer.echo(f"  {plan.blocks:,} blocks of {plan.block_tokens} tokens: {plan.kv_tokens:,} tokens of cache")
    return plan.fits


def _survey(
    machine: Machine,
    calibration: Calibration,
    engine: str,
    quant: str | None,
    domain: str | None,
    sort: str,
    min_context: int,
    *,
    as_json: bool,
) -> None:
    """Everything that runs here, as a table or a JSON line each."""
    from qwen_router.catalog import Catalog
    from qwen_router.decide.survey import SORTS, survey
    from qwen_router.profile.types import DOMAINS

    if sort not in SORTS:
        raise UnknownName.among(sort, SORTS, kind="order")
    if domain is not None and domain not in DOMAINS:
        raise UnknownName.among(domain, DOMAINS, kind="domain")
    if min_context < 1:
        raise InvalidRequest(f"--min-context must be at least 1 token, not {min_context}", fix="--min-context 8192")
    quants = (quant,) if quant else (DEFAULT_QUANTS[engine],) if engine in DEFAULT_QUANTS else ()
    found = survey(
        Catalog.load(),
        machine,
        engine=engine,
        quants=quants,
        domain=domain,
        min_context_tokens=min_context,
        sort=sort,  # type: ignore[arg-type]
        calibration=calibration,
    )
    if as_json:
        for row in found:
            print_json(fit_line(row))
    elif found:
        _print_survey(found, machine, domain)
    if not found:
        typer.echo(f"nothing fits {machine.name} with {min_context:,} tokens of context", err=True)
        raise typer.Exit(3)


def _print_survey(found: Sequence[Runnable], machine: Machine, domain: str | None) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, collapse_padding=True)
    for header in ("model", "quant", "GiB", "context", "tok/s", domain or "quality", "on"):
        table.add_column(header, justify="left" if header in ("model", "quant", "on") else "right", no_wrap=True)
    for r in found:
        card = r.device.removeprefix("cpu+")
        on = card if r.accelerator_layers in (0, r.layers) else f"{card} {r.accelerator_layers}/{r.layers}"
        table.add_row(
            r.model.rpartition("/")[2],
            r.quant,
            f"{r.total_mib / 1024:.1f}",
            _kilo(r.max_context_tokens),
            f"{r.decode_tps:,.0f}" if r.decode_tps >= 10 else f"{r.decode_tps:.1f}",
            f"{100 * r.quality:.0f}%" if r.scored else f"~{100 * r.quality:.0f}%",
            on,
        )
    console().print(table)
    kinds = " or ".join(sorted({r.speed_source for r in found}))
    say(
        f"{len(found)} models fit {machine.name}. Speeds are {kinds}. 15/48: so many of the layers lie on the device, the "
        "rest in main memory. Quality is the chance to be right on a request of middling difficulty, thinking where the "
        "model can; ~ where no published score stands behind it. `qwen-router fit MODEL` shows one in parts.",
        hang=0,
    )


def _kilo(tokens: int) -> str:
    return f"{tokens / 1024:.0f}K" if tokens < 1024 * 1024 else f"{tokens / 1024 / 1024:.1f}M"
