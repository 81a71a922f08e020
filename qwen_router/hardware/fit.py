"""Does this build fit this machine, how long a context, and how fast: one answer with its parts.

Puts `memory`, `place` and `predict_speed` together; adds no figure of its own. Whether the answer would be good is the
business of `decide`.

    python -m qwen_router fit Qwen/Qwen3-8B --quant q4_K_M --context 8192 --json
"""

from __future__ import annotations

from dataclasses import dataclass

from qwen_router.catalog.types import Model
from qwen_router.errors import InvalidRequest
from qwen_router.hardware.calibration import Calibration
from qwen_router.hardware.machine import Machine
from qwen_router.hardware.memory import context_limit, memory, memory_line
from qwen_router.hardware.placement import longest_context, place
from qwen_router.hardware.speed import predict_speed


@dataclass(frozen=True, slots=True)
class Fit:
    """What `qwen-router fit` prints. Speeds are None when the build fits nowhere; `estimated` names inexact parts.

    `speed_basis` says what a speed rests on. `accelerator_layers` is how many of the layers lie on accelerators.
    """

    model: str
    quant: str
    engine: str
    context_tokens: int
    parallel: int
    kv_type: str
    machine: str
    weights_mib: float
    kv_mib: float
    state_mib: float
    compute_mib: float
    vision_mib: float
    audio_mib: float
    mtp_mib: float
    overhead_mib: float
    total_mib: float
    kv_mib_per_token: float
    estimated: tuple[str, ...]
    fits: bool
    max_context_tokens: int
    decode_tps: float | None
    prefill_tps: float | None
    load_s: float | None
    speed_source: str | None
    speed_basis: str | None
    device: str | None
    layers: int
    accelerator_layers: int
    reason: str


def check_context(model: Model, context_tokens: int, *, yarn: bool = False) -> None:
    """Refuse a context that is no number of tokens, or past what the model can use."""
    if context_tokens < 1:
        raise InvalidRequest(f"context must be at least 1 token, not {context_tokens}", fix="--context 8192")
    limit = context_limit(model, yarn=yarn)
    if context_tokens <= limit:
        return
    stretched = context_limit(model, yarn=True)
    fix = f"--context {limit}"
    if stretched > limit:
        fix += f", or --yarn: YaRN extends it to {stretched}, at some cost on short inputs"
    raise InvalidRequest(f"context {context_tokens} is past the {limit} tokens of {model.id!r}", fix=fix)


def fit(
    model: Model,
    quant: str,
    context_tokens: int,
    engine: str,
    machine: Machine,
    parallel: int = 1,
    kv_type: str = "f16",
    *,
    vision: bool | None = None,
    mtp: bool = False,
    yarn: bool = False,
    calibration: Calibration | None = None,
) -> Fit:
    """Judge one build on one machine. Not fitting is an answer; a wrong question raises."""
    check_context(model, context_tokens, yarn=yarn)
    need = memory(
        model,
        quant=quant,
        context_tokens=context_tokens,
        engine=engine,
        parallel=parallel,
        kv_type=kv_type,
        vision=vision,
        mtp=mtp,
    )
    line = memory_line(model, quant=quant, engine=engine, kv_type=kv_type, parallel=parallel, vision=vision, mtp=mtp)
    placement = place(line, context_tokens, machine)
    longest = longest_context(line, machine, limit_tokens=context_limit(model, yarn=yarn))
    speed = None
    if placement.fits:
        speed = predict_speed(
            model,
            line,
            placement,
            machine,
            context_tokens=context_tokens,
            calibration=calibration,
            engine=engine,
            quant=need.quant,
            parallel=parallel,
        )
    reason = placement.reason
    if not placement.fits and longest > 0:
        reason += f"; {longest} tokens of context would fit"
    basis = None if speed is None else f"{speed.replies} replies" if speed.source == "measured" else speed.basis
    return Fit(
        model=model.id,
        quant=need.quant,
        engine=engine,
        context_tokens=context_tokens,
        parallel=parallel,
        kv_type=need.kv_type,
        machine=machine.name,
        weights_mib=need.weights_mib,
        kv_mib=need.kv_mib,
        state_mib=need.state_mib,
        compute_mib=need.compute_mib,
        vision_mib=need.vision_mib,
        audio_mib=need.audio_mib,
        mtp_mib=need.mtp_mib,
        overhead_mib=need.overhead_mib,
        total_mib=need.total_mib,
        kv_mib_per_token=need.kv_mib_per_token,
        estimated=need.estimated,
        fits=placement.fits,
        max_context_tokens=longest,
        decode_tps=speed.decode_tps if speed else None,
        prefill_tps=speed.prefill_tps if speed else None,
        load_s=speed.load_s if speed else None,
        speed_source=speed.source if speed else None,
        speed_basis=basis,
        device=placement.device_ids or None,
        layers=line.layers,
        accelerator_layers=placement.accelerator_layers,
        reason=reason,
    )
