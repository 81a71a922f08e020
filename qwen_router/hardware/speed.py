"""How fast a build will be on a device, before anyone has run it.

Decoding is bound by memory: each token reads the active weights and the cache at its length. Prefill is bound by
arithmetic, loading by the disk. The efficiency factors are named below with where they come from; measured speeds of
real replies replace these predictions elsewhere. Batches of several requests are not modelled.

    python -m qwen_router fit Qwen/Qwen3-8B --machine rtx-4090
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from qwen_router.catalog.types import Architecture, Model
from qwen_router.hardware.machine import Device, Machine
from qwen_router.hardware.memory import (
    architecture,
    engine_quant,
    full_attention_layers,
    kv_mib_per_token,
    read_mib_per_token,
    state_mib,
    stores_gguf,
    weights_mib,
)
from qwen_router.hardware.placement import capacity_mib, place
from qwen_router.hardware.tensors import layer_kinds, layer_tensors, outer_tensors

DEFAULT_CPU_BANDWIDTH_GIB_S = 20.0
"""Used while a CPU's bandwidth is unknown: about one channel of DDR5-4800 minus losses. Not measured."""
DEFAULT_CPU_TFLOPS_PER_CORE = 0.05
"""Used while a CPU's arithmetic is unknown: 16 f32 operations a cycle at 3 GHz. Not measured."""
DEFAULT_DISK_READ_MIB_S = 500.0
"""Used while the disk is unknown: a SATA solid-state disk. Not measured."""

DECODE_EFFICIENCY = {"cpu": 0.55, "cuda": 0.75, "rocm": 0.55, "metal": 0.5, "xpu": 0.5}
"""Share of the data sheet's memory bandwidth that decoding reaches.

cpu: llama.cpp on an i3-1315U 0.53 and an i5-4278U 0.60 (geerlingguy/sbc-reviews issue 107, geerlingguy/ai-benchmarks issue
53: 3B Q4_K_M). cuda: an RTX 4090 0.77 with Qwen3-4B (pegainfer-project/pegainfer pull 69) and 0.88 with Qwen3-8B
(AlexsJones/llmfit pull 1046), both in bf16. metal: an M2 Max 0.49 (a 7B in Q6_K, commit 0f291e1f of llama.cpp). rocm and xpu
are assumptions.
"""
MEASURED_DECODE_EFFICIENCY = 0.85
"""The same where the bandwidth was measured here by reading memory: an assumption until replies calibrate it."""
PREFILL_EFFICIENCY = {"cpu": 0.55, "cuda": 0.6, "rocm": 0.3, "metal": 0.5, "xpu": 0.3}
"""Share of the peak arithmetic that prefill reaches.

cpu: 0.64 and 0.57 on the processors above, against 32 f32 operations a cycle and core. cuda: 0.79 on an RTX 4090 (3B Q4_K_M,
geerlingguy/ai-benchmarks issue 43), lower for larger cards. The others are assumptions.
"""


@dataclass(frozen=True, slots=True)
class SpeedEstimate:
    """Tokens a second and seconds to load. `source` tells a prediction from what was measured."""

    decode_tps: float
    prefill_tps: float
    load_s: float
    source: Literal["predicted", "measured"] = "predicted"


def decode_tps(read_mib: float, *, bandwidth_gib_s: float, efficiency: float) -> float:
    """Tokens a second when each reads `read_mib`; works on numpy columns too."""
    return bandwidth_gib_s * 1024 * efficiency / read_mib


def prefill_tps(flop_per_token: float, *, compute_tflops: float, efficiency: float) -> float:
    """Prompt tokens a second at `flop_per_token`; works on numpy columns too."""
    return compute_tflops * 1e12 * efficiency / flop_per_token


def active_params(model: Model) -> float:
    """Parameters that one token multiplies with: active experts only, no embedding look-up."""
    return _active_params(architecture(model))


@lru_cache(maxsize=512)
def _active_params(arch: Architecture) -> float:
    outer = sum(tensor.params * tensor.read_share for tensor in outer_tensors(arch))
    return outer + sum(
        count * sum(tensor.params * tensor.read_share for tensor in layer_tensors(arch, layer))
        for layer, count in layer_kinds(arch)
    )


def flop_per_token(model: Model, *, context_tokens: int) -> float:
    """2 per active parameter, and attention over half the prompt on average: 4 x heads x head_dim x length / 2 a layer."""
    arch = architecture(model)
    attention = 2.0 * full_attention_layers(arch) * arch.heads * arch.head_dim * context_tokens
    return 2.0 * active_params(model) + attention


def bandwidth_gib_s(device: Device) -> float:
    return device.bandwidth_gib_s if device.bandwidth_gib_s is not None else DEFAULT_CPU_BANDWIDTH_GIB_S


def compute_tflops(device: Device, *, cores: int) -> float:
    return device.compute_tflops if device.compute_tflops is not None else DEFAULT_CPU_TFLOPS_PER_CORE * cores


def predict_speed(
    model: Model,
    *,
    quant: str,
    machine: Machine,
    device: Device | None = None,
    context_tokens: int = 4096,
    engine: str = "llamacpp",
    kv_type: str = "f16",
) -> SpeedEstimate:
    """Predict decode and prefill at `context_tokens`, and loading, on `device` (the machine's first when None).

    A build split by layers over equal devices is no faster than on one: a token passes them one after another.
    """
    chosen = device or machine.devices[0]
    decode = decode_tps(
        decode_read_mib(model, quant=quant, context_tokens=context_tokens, engine=engine, kv_type=kv_type),
        bandwidth_gib_s=bandwidth_gib_s(chosen),
        efficiency=MEASURED_DECODE_EFFICIENCY if chosen.measured else DECODE_EFFICIENCY[chosen.kind],
    )
    prefill = prefill_tps(
        flop_per_token(model, context_tokens=context_tokens),
        compute_tflops=compute_tflops(chosen, cores=machine.cores),
        efficiency=PREFILL_EFFICIENCY[chosen.kind],
    )
    return SpeedEstimate(decode_tps=decode, prefill_tps=max(prefill, decode), load_s=load_s(model, quant, engine, machine))


def decode_read_mib(model: Model, *, quant: str, context_tokens: int, engine: str, kv_type: str = "f16") -> float:
    """What one decoded token reads: active weights, the cache at its length, and the recurrent state (also written)."""
    gguf = stores_gguf(engine, engine_quant(engine, quant))
    kv_name = kv_type if gguf else engine_quant(engine, quant).name
    cache_mib = kv_mib_per_token(model, kv_type=kv_name) * context_tokens + 2 * state_mib(model, gguf=gguf)
    return read_mib_per_token(model, quant=quant, engine=engine) + cache_mib


def load_s(model: Model, quant: str, engine: str, machine: Machine) -> float:
    return weights_mib(model, quant=quant, engine=engine) / (machine.disk_read_mib_s or DEFAULT_DISK_READ_MIB_S)


@dataclass(frozen=True, slots=True)
class PlacedSpeed:
    """One build at several contexts on one machine, as columns: where it does not fit, `fits` is False and speeds are 0.

    `free_mib` is the largest need that has room; `power_w` is that of the devices that hold the shortest context.
    """

    fits: npt.NDArray[np.bool_]
    decode_tps: npt.NDArray[np.float64]
    prefill_tps: npt.NDArray[np.float64]
    free_mib: float
    load_s: float
    power_w: float | None


LOCAL_ENGINES = ("llamacpp", "ollama", "transformers", "onnx")
"""Engines that run on the machine at hand. Others answer from elsewhere: their memory is not ours to refuse."""


def placed_speed(
    model: Model,
    *,
    quant: str,
    engine: str,
    machine: Machine,
    context_tokens: Sequence[int] | npt.NDArray[np.int64],
    total_mib: Sequence[float] | npt.NDArray[np.float64],
    kv_type: str = "f16",
) -> PlacedSpeed:
    """Place and predict one build at each context with its `total_mib`, for callers that judge many at once.

    A server elsewhere (`openai`) always fits; its speed is predicted as if it ran on this machine's first device.
    """
    fits, decode, prefill = np.zeros(len(total_mib), dtype=np.bool_), np.zeros(len(total_mib)), np.zeros(len(total_mib))
    power_w: float | None = None
    remote = engine not in LOCAL_ENGINES
    for i, (context, need_mib) in enumerate(zip(context_tokens, total_mib, strict=True)):
        held_by = machine.devices[:1] if remote else place(float(need_mib), machine).devices
        if not held_by:
            continue
        speed = predict_speed(
            model,
            quant=quant,
            machine=machine,
            device=held_by[0],
            context_tokens=int(context),
            engine=engine,
            kv_type=kv_type,
        )
        if power_w is None and all(device.power_w is not None for device in held_by):
            power_w = sum(device.power_w or 0.0 for device in held_by)
        fits[i], decode[i], prefill[i] = True, speed.decode_tps, speed.prefill_tps
    free_mib = float("inf") if remote else capacity_mib(machine)
    return PlacedSpeed(fits, decode, prefill, free_mib, load_s(model, quant, engine, machine), power_w)
