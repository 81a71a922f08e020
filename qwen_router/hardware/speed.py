"""How fast a build will be on a device, before anyone has run it.

Decoding is bound by memory: each token reads the active weights and the cache at its length. Prefill is bound by arithmetic.
Loading is bound by the disk. The efficiency factors are named below with where they come from; measured speeds of real replies
replace these predictions elsewhere. Batches of several requests are not modelled.

    python -m qwen_router fit Qwen/Qwen3-8B --machine rtx-4090
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qwen_router.catalog.types import Model
from qwen_router.hardware.machine import Device, Machine
from qwen_router.hardware.memory import (
    architecture,
    engine_quant,
    full_attention_layers,
    kv_mib_per_token,
    read_mib_per_token,
    state_mib,
    weights_mib,
)
from qwen_router.hardware.tensors import tensors

DEFAULT_CPU_BANDWIDTH_GIB_S = 20.0
"""Used while a CPU's bandwidth is unknown: about one channel of DDR5-4800 minus losses. Not measured."""
DEFAULT_CPU_TFLOPS_PER_CORE = 0.05
"""Used while a CPU's arithmetic is unknown: 16 f32 operations a cycle at 3 GHz. Not measured."""
DEFAULT_DISK_READ_MIB_S = 500.0
"""Used while the disk is unknown: a SATA solid-state disk. Not measured."""

DECODE_EFFICIENCY = {"cpu": 0.75, "cuda": 0.65, "rocm": 0.55, "metal": 0.65, "xpu": 0.5}
"""Share of the peak memory bandwidth that decoding reaches."""
PREFILL_EFFICIENCY = {"cpu": 0.5, "cuda": 0.35, "rocm": 0.25, "metal": 0.5, "xpu": 0.25}
"""Share of the peak arithmetic that prefill reaches."""


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
    arch = architecture(model)
    return sum(tensor.params * tensor.read_share for tensor in tensors(arch))


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
    devices: int = 1,
    context_tokens: int = 4096,
    engine: str = "llamacpp",
    kv_type: str = "f16",
) -> SpeedEstimate:
    """Predict decode and prefill at `context_tokens`, and loading, on `device` (the machine's first when None).

    A build split by layers over `devices` equal ones decodes no faster than on one: a token passes them one after another.
    """
    chosen = device or machine.devices[0]
    weights = weights_mib(model, quant=quant, engine=engine)
    kv_name = kv_type if engine != "transformers" else engine_quant(engine, quant).name
    read_mib = (
        read_mib_per_token(model, quant=quant, engine=engine)
        + kv_mib_per_token(model, kv_type=kv_name) * context_tokens
        + 2 * state_mib(model, engine=engine)
    )
    decode = decode_tps(
        read_mib, bandwidth_gib_s=bandwidth_gib_s(chosen), efficiency=DECODE_EFFICIENCY[chosen.kind]
    )
    prefill = prefill_tps(
        flop_per_token(model, context_tokens=context_tokens),
        compute_tflops=compute_tflops(chosen, cores=machine.cores),
        efficiency=PREFILL_EFFICIENCY[chosen.kind],
    )
    load_s = weights / (machine.disk_read_mib_s or DEFAULT_DISK_READ_MIB_S)
    return SpeedEstimate(decode_tps=decode, prefill_tps=max(prefill, decode), load_s=load_s)
