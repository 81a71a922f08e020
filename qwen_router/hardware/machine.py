"""What a machine is, as a value: devices with memory, and the builds that engines serve on it.

`hardware/detect.py` fills one from this computer, `hardware/presets.py` from a name or a YAML file; tests write their own.
Nothing here reads the system.

    python -c "from qwen_router.hardware import detect; print(detect().summary())"
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DeviceKind = Literal["cpu", "cuda", "rocm", "metal", "xpu"]
EngineName = Literal["ollama", "openai", "transformers", "llamacpp", "onnx", "fake"]


@dataclass(frozen=True, slots=True)
class Device:
    """One place that holds weights and computes.

    `memory_free_mib` is what can be allocated now (containers' limits counted), never more than `memory_total_mib`.
    `bandwidth_gib_s` (memory reads) and `compute_tflops` (dense bf16, or f32 on a CPU) are None when unknown;
    `measured` tells a figure taken on this very device from one looked up.
    """

    id: str
    kind: DeviceKind
    name: str
    memory_total_mib: float
    memory_free_mib: float
    bandwidth_gib_s: float | None = None
    compute_tflops: float | None = None
    power_w: float | None = None
    measured: bool = False
    unified: bool = False


@dataclass(frozen=True, slots=True)
class ServedBuild:
    """One model that an engine says it can run: catalog id and quantisation are None while unknown."""

    engine: EngineName
    endpoint: str
    name: str
    model_id: str | None
    quant: str | None
    resident: bool = False
    context_tokens: int | None = None
    memory_mib: float | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """Devices, and what engines serve on them. `hypothetical` machines give advice: no engine is asked."""

    name: str
    devices: tuple[Device, ...]
    cores: int
    system: str
    disk_read_mib_s: float | None = None
    builds: tuple[ServedBuild, ...] = ()
    hypothetical: bool = False
    notes: tuple[str, ...] = ()

    @property
    def accelerators(self) -> tuple[Device, ...]:
        return tuple(device for device in self.devices if device.kind != "cpu")

    @property
    def cpu(self) -> Device | None:
        return next((device for device in self.devices if device.kind == "cpu"), None)

    def summary(self) -> str:
        """One line for people: cores, and each device with free of total memory."""
        parts = [
            f"{d.name}: {d.memory_free_mib / 1024:.1f} of {d.memory_total_mib / 1024:.1f} GiB free" for d in self.devices
        ]
        return f"{self.name} ({self.system}, {self.cores} cores; {'; '.join(parts)})"
