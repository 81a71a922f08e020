"""How fast a build will be where it lies, before anyone has run it.

Decoding is bound by memory: each token reads the active weights and the cache at its length, on one device after the other.
Prefill is bound by arithmetic, loading by the disk. The efficiency factors are named below with where they come from;
`calibration.py` corrects them by real replies.

    python -m qwen_router fit Qwen/Qwen3-8B --machine rtx-4090
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from qwen_router.catalog.types import Architecture, Model
from qwen_router.hardware.machine import Device, Machine
from qwen_router.hardware.memory import MIB, MemoryLine, architecture
from qwen_router.hardware.placement import Placement, Share, capacity_mib, place
from qwen_router.hardware.tensors import is_linear_layer, layer_tensors

if TYPE_CHECKING:
    from qwen_router.hardware.calibration import Calibration

DEFAULT_BANDWIDTH_GIB_S = {"cpu": 20.0, "cuda": 119.0, "rocm": 119.0, "metal": 63.0, "xpu": 63.0}
"""Used while a device's bandwidth is unknown, and said so: about one channel of DDR5-4800, a GTX 1650's 128 GB/s for cards,
an Apple M1's 68 GB/s where memory is shared. Low on purpose."""
DEFAULT_CPU_TFLOPS_PER_CORE = 0.05
"""Used while a CPU's arithmetic is unknown: 16 f32 operations a cycle at 3 GHz. Not measured."""
DEFAULT_TFLOPS = 3.0
"""The same for an accelerator: a GTX 1650 at 32 bits, an Apple M1 a little less."""
DEFAULT_DISK_READ_MIB_S = 500.0
"""Used while the disk is unknown: a SATA solid-state disk. Not measured."""

DECODE_EFFICIENCY = {"cpu": 0.55, "cuda": 0.75, "rocm": 0.55, "metal": 0.6, "xpu": 0.5}
"""Share of the data sheet's memory bandwidth that decoding reaches.

cpu: llama.cpp on an i3-1315U 0.53 and an i5-4278U 0.60 (geerlingguy/sbc-reviews issue 107, geerlingguy/ai-benchmarks issue
53: 3B Q4_K_M). cuda: an RTX 4090 0.77 with Qwen3-4B (pegainfer-project/pegainfer pull 69) and 0.88 with Qwen3-8B
(AlexsJones/llmfit pull 1046), both in bf16. metal: an M2 Max 0.49 (a 7B in Q6_K, commit 0f291e1f of llama.cpp), an
M2 Ultra more (llama.cpp pull 15616). rocm and xpu are assumptions.
"""
MEASURED_DECODE_EFFICIENCY = 0.85
"""The same where the bandwidth was measured here by reading memory: an assumption until replies calibrate it."""
LAYER_S = {"cpu": 200e-6, "cuda": 20e-6, "rocm": 40e-6, "metal": 100e-6, "xpu": 40e-6}
"""Seconds that a decoded token spends in a layer besides reading it, mostly starting kernels: what is left of the time of
fast small models. cuda: a llama 1B in Q4_K_M with 22 layers, 762 tokens/s on an RTX 4090 (geerlingguy/ai-benchmarks issue
43). metal: Qwen3-30B-A3B in Q8_0 with 48 layers, 76 tokens/s on an M2 Ultra (ggml-org/llama.cpp pull 15616). cpu: threads
that wait for one another, measured on two shared virtual cores (docs/hardware.md); cores of one's own wait less. rocm and
xpu are assumptions."""
PREFILL_EFFICIENCY = {"cpu": 0.55, "cuda": 0.6, "rocm": 0.3, "metal": 0.5, "xpu": 0.3}
"""Share of the peak arithmetic that prefill reaches.

cpu: 0.64 and 0.57 on the processors above, against 32 f32 operations a cycle and core. cuda: 0.79 on an RTX 4090 (3B Q4_K_M,
geerlingguy/ai-benchmarks issue 43), lower for larger cards. The others are assumptions.
"""


@dataclass(frozen=True, slots=True)
class SpeedEstimate:
    """Tokens a second for one request, and seconds to load. Made only as one of its two kinds below."""

    decode_tps: float
    prefill_tps: float
    load_s: float


@dataclass(frozen=True, slots=True)
class PredictedSpeed(SpeedEstimate):
    """Nobody has run this build here. `basis` says what the figures rest on."""

    basis: str
    source: Literal["predicted"] = "predicted"


@dataclass(frozen=True, slots=True)
class MeasuredSpeed(SpeedEstimate):
    """From timings of real replies of this very build on this machine, the newest weighing most."""

    replies: int
    source: Literal["measured"] = "measured"


def predict_speed(
    model: Model,
    line: MemoryLine,
    placement: Placement,
    machine: Machine,
    *,
    context_tokens: int,
    load_mib: float | None = None,
    calibration: Calibration | None = None,
    engine: str = "llamacpp",
    quant: str = "q4_K_M",
    parallel: int = 1,
) -> PredictedSpeed | MeasuredSpeed:
    """Decode and prefill at `context_tokens` where `placement` puts the build, for one request while no other runs.

    A token passes the devices one after another, so times add up: over more devices nothing gets faster by itself.
    Every real reply corrects this through `calibration`.
    """
    arch = architecture(model)
    decode_s = prefill_s = 0.0
    for share in placement.shares:
        device = share.device
        read_mib = share_read_mib(line, share, context_tokens, parallel=parallel)
        efficiency = MEASURED_DECODE_EFFICIENCY if device.measured else DECODE_EFFICIENCY[device.kind]
        decode_s += read_mib / (bandwidth_gib_s(device) * 1024 * efficiency) + share.layers * LAYER_S[device.kind]
        flop = share_flop(arch, share, context_tokens)
        prefill_s += flop / (compute_tflops(device, cores=machine.cores) * 1e12 * PREFILL_EFFICIENCY[device.kind])
    prefill_s = min(prefill_s, decode_s)  # a prompt is never read slower than it would be written
    load = (line.weights_mib if load_mib is None else load_mib) / (machine.disk_read_mib_s or DEFAULT_DISK_READ_MIB_S)
    decode_tps, prefill_tps = 1 / decode_s, 1 / prefill_s
    basis = _basis(placement.devices)
    if calibration is not None:
        found = calibration.factors(engine=engine, model_id=model.id, quant=quant)
        if found is not None:
            decode_tps, prefill_tps = decode_tps * found.decode, prefill_tps * found.prefill
            if found.exact:
                return MeasuredSpeed(decode_tps, prefill_tps, load, found.replies)
            basis = f"{found.replies} replies of other builds here"
    return PredictedSpeed(decode_tps, prefill_tps, load, basis)


def bandwidth_gib_s(device: Device) -> float:
    return device.bandwidth_gib_s if device.bandwidth_gib_s is not None else DEFAULT_BANDWIDTH_GIB_S[device.kind]


def compute_tflops(device: Device, *, cores: int) -> float:
    if device.compute_tflops is not None:
        return device.compute_tflops
    return DEFAULT_CPU_TFLOPS_PER_CORE * cores if device.kind == "cpu" else DEFAULT_TFLOPS


def _basis(devices: Sequence[Device]) -> str:
    """What a prediction rests on, the weakest of its devices deciding."""
    if any(device.bandwidth_gib_s is None or device.compute_tflops is None for device in devices):
        return "assumed figures: nobody measured this device"
    return "memory measured here" if all(device.measured for device in devices) else "the device's data sheet"


def share_read_mib(line: MemoryLine, share: Share, context_tokens: int, *, parallel: int = 1) -> float:
    """What one decoded token reads on one device: active weights, one slot's cache at its length, and the recurrent state
    twice (it is also written)."""
    layers = slice(share.first, share.last)
    weights = sum(line.weights.layers_read[layers]) / MIB
    state = sum(line.layer_fixed_mib[layers]) - sum(line.weights.layers[layers]) / MIB
    cache = sum(line.layer_per_token_mib[layers]) * context_tokens
    return weights + (line.output_mib if share.output else 0.0) + (cache + 2 * state) / parallel


def share_flop(arch: Architecture, share: Share, context_tokens: int) -> float:
    """Operations of one prompt token on one device: 2 per active parameter of the layers (the output is computed for the
    last token only), and attention over half the prompt on average, 4 x heads x head_dim x length / 2 a layer with full
    attention."""
    params, attends = _layer_work(arch)
    layers = slice(share.first, share.last)
    attention = 2.0 * sum(attends[layers]) * arch.heads * arch.head_dim * context_tokens
    return 2.0 * sum(params[layers]) + attention


@lru_cache(maxsize=512)
def _layer_work(arch: Architecture) -> tuple[tuple[float, ...], tuple[bool, ...]]:
    """Parameters that one token multiplies with, layer by layer, and whether the layer has full attention."""
    by_kind: dict[bool, float] = {}
    linear = [is_linear_layer(arch, layer) for layer in range(arch.layers)]
    for layer, kind in enumerate(linear):
        if kind not in by_kind:
            by_kind[kind] = sum(tensor.params * tensor.read_share for tensor in layer_tensors(arch, layer))
    return tuple(by_kind[kind] for kind in linear), tuple(not kind for kind in linear)


@dataclass(frozen=True, slots=True)
class PlacedSpeed:
    """One build at several contexts on one machine, as columns: where it does not fit, `fits` is False and speeds are 0.

    `free_mib` is what no need beyond has room for; `power_w` is that of the devices that hold the shortest context.
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
    line: MemoryLine,
    *,
    quant: str,
    engine: str,
    machine: Machine,
    context_tokens: Sequence[int] | npt.NDArray[np.int64],
    calibration: Calibration | None = None,
) -> PlacedSpeed:
    """Place and predict one build at each context, for callers that judge many at once.

    A server elsewhere (`openai`) always fits; its speed is predicted as if it ran on this machine's first device.
    """
    count = len(context_tokens)
    fits, decode, prefill = np.zeros(count, dtype=np.bool_), np.zeros(count), np.zeros(count)
    power_w: float | None = None
    remote = engine not in LOCAL_ENGINES
    elsewhere = Placement((Share(machine.devices[0], 0, line.layers, True, 0.0),), "served elsewhere")
    load_s = 0.0
    for i, context in enumerate(context_tokens):
        found = elsewhere if remote else place(line, int(context), machine)
        if not found.fits:
            continue
        speed = predict_speed(
            model,
            line,
            found,
            machine,
            context_tokens=int(context),
            calibration=calibration,
            engine=engine,
            quant=quant,
        )
        if power_w is None and all(device.power_w is not None for device in found.devices):
            power_w = sum(device.power_w or 0.0 for device in found.devices)
        fits[i], decode[i], prefill[i], load_s = True, speed.decode_tps, speed.prefill_tps, speed.load_s
    free_mib = float("inf") if remote else capacity_mib(machine)
    return PlacedSpeed(fits, decode, prefill, free_mib, load_s, power_w)
