"""The formulas behind a fit, with this model's numbers in them: what `fit --explain` prints.

Says in words what `memory.py`, `placement.py` and `speed.py` compute; a test adds the printed numbers up again.

    python -m qwen_router fit Qwen3-8B --explain
"""

from __future__ import annotations

from qwen_router.catalog.types import Model
from qwen_router.hardware.fit import Fit
from qwen_router.hardware.machine import Machine
from qwen_router.hardware.memory import MIB, MemoryLine, architecture, layer_kv_mib, memory_line
from qwen_router.hardware.placement import ACCELERATOR_RESERVE_MIB, place
from qwen_router.hardware.speed import (
    DECODE_EFFICIENCY,
    LAYER_S,
    MEASURED_DECODE_EFFICIENCY,
    PREFILL_EFFICIENCY,
    bandwidth_gib_s,
    compute_tflops,
    share_flop,
    share_read_mib,
)
from qwen_router.hardware.tensors import is_linear_layer


def explained(model: Model, fit: Fit, machine: Machine, *, vision: bool | None = None, mtp: bool = False) -> list[str]:
    """Lines of text, one formula each, in the order of the parts."""
    line = memory_line(
        model, quant=fit.quant, engine=fit.engine, kv_type=fit.kv_type, parallel=fit.parallel, vision=vision, mtp=mtp
    )
    return [*_memory_lines(model, fit, line), *_room_lines(line, fit, machine), *_speed_lines(model, line, fit, machine)]


def _memory_lines(model: Model, fit: Fit, line: MemoryLine) -> list[str]:
    arch = architecture(model)
    linear = sum(is_linear_layer(arch, layer) for layer in range(arch.layers))
    full = arch.layers - linear
    w = line.weights
    tokens = line.padded(fit.context_tokens)
    sizes = sorted(set(w.layers))
    spread = f"{sizes[0] / MIB:,.1f}" + (f" to {sizes[-1] / MIB:,.1f}" if len(sizes) > 1 else "")
    tied = " (the output is tied to it)" if w.tied else f" + output {w.output / MIB:,.1f}"
    per_layer = layer_kv_mib(arch, kv_type=fit.kv_type)
    lines = [
        f"weights  at each tensor's type in {fit.quant}: embedding {w.embedding / MIB:,.1f}{tied} + {arch.layers} layers of "
        f"{spread} = {line.weights_mib:,.1f} MiB",
        f"kv       2 x {full} layers with full attention x {arch.kv_heads} heads x {arch.head_dim} x "
        f"{per_layer * MIB / 2 / arch.kv_heads / arch.head_dim:g} bytes x {tokens:,} tokens x {fit.parallel} slots = "
        f"{fit.kv_mib:,.1f} MiB",
    ]
    if tokens != fit.context_tokens:
        lines.append(f"         {fit.context_tokens:,} tokens are rounded up to {tokens:,} ({line.pad_tokens} at a time)")
    if line.state_mib:
        lines.append(f"state    {linear} linear-attention layers x {fit.parallel} slots = {line.state_mib:,.1f} MiB")
    lines.append(
        f"compute  {line.compute_fixed_mib:,.1f} + {line.compute_mib_per_token * 1024:.2f} KiB x {tokens:,} tokens = "
        f"{fit.compute_mib:,.1f} MiB (an estimate)"
    )
    for name, mib in (("vision", fit.vision_mib), ("audio", fit.audio_mib), ("mtp", fit.mtp_mib)):
        if mib:
            lines.append(f"{name:<8} {mib:,.1f} MiB (an estimate)")
    lines.append(f"total    {fit.total_mib:,.1f} MiB, and {fit.overhead_mib:,.0f} MiB for the engine itself")
    return lines


def _room_lines(line: MemoryLine, fit: Fit, machine: Machine) -> list[str]:
    lines = []
    for device in machine.devices:
        reserve = "" if device.kind == "cpu" or device.unified else f", {ACCELERATOR_RESERVE_MIB:,.0f} stay free"
        lines.append(
            f"room     {device.id}: {device.memory_free_mib:,.0f} of {device.memory_total_mib:,.0f} MiB free{reserve}"
        )
    lines.append(f"place    {fit.reason}")
    return lines


def _speed_lines(model: Model, line: MemoryLine, fit: Fit, machine: Machine) -> list[str]:
    if fit.decode_tps is None or fit.prefill_tps is None:
        return []
    lines = []
    for share in place(line, fit.context_tokens, machine).shares:
        device = share.device
        efficiency = MEASURED_DECODE_EFFICIENCY if device.measured else DECODE_EFFICIENCY[device.kind]
        read_mib = share_read_mib(line, share, fit.context_tokens, parallel=fit.parallel)
        fixed = share.layers * LAYER_S[device.kind] * 1000
        beside = f" + {fixed:.2f} ms" if fixed else ""
        lines.append(
            f"decode   {device.id}: {read_mib:,.0f} MiB a token / ({bandwidth_gib_s(device):,.0f} GiB/s x {efficiency:g})"
            + beside
        )
        flop = share_flop(architecture(model), share, fit.context_tokens)
        peak = f"{compute_tflops(device, cores=machine.cores):.3g} TFLOPS x {PREFILL_EFFICIENCY[device.kind]:g}"
        lines.append(f"prefill  {device.id}: {flop / 1e9:,.1f} GFLOP a token / ({peak})")
    if fit.prefill_tps <= fit.decode_tps * 1.001:
        lines.append("prefill  a prompt is never read slower than an answer is written: that speed counts")
    rates = f"{fit.decode_tps:,.1f} tokens/s, prompt {fit.prefill_tps:,.0f} tokens/s"
    lines.append(f"speed    {rates}: {fit.speed_source}, {fit.speed_basis}")
    return lines
