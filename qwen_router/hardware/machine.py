"""What a machine is, as a value: devices with memory, and the builds that engines serve on it.

`hardware/detect.py` fills one from this computer, `hardware/presets.py` from a name or a YAML file; tests write their own.
Nothing here reads the system.

    python -c "from qwen_router.hardware import detect; print(detect().summary())"
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from qwen_router.catalog.types import ModelKind

DeviceKind = Literal["cpu", "cuda", "rocm", "metal", "xpu"]
EngineName = Literal["ollama", "openai", "transformers", "llamacpp", "onnx", "fake"]


@dataclass(frozen=True, slots=True)
class Device:
    """One place that holds weights and computes.

    `memory_free_mib` is what can be allocated now (containers' limits counted), never more than `memory_total_mib`. Where
    the driver does not tell, `free_known` is False and it is the total less a stated reserve.
    `bandwidth_gib_s` (memory reads) and `compute_tflops` (dense bf16, or f32 on a CPU) are None when unknown;
    `measured` tells a figure taken on this very device from one looked up.
    `unified`: the memory is the computer's main memory, so no display reserve is needed. `shares_memory_with` is the id of
    the device it is shared with (an integrated GPU names the CPU), and `own_free_mib` the part of the free memory that is
    not shared: an APU's carve-out. What one of the two takes, the other has no more: `Machine.pools` groups them.
    `partition`: a MIG instance. A process sees one of them only, so no model is cut over two.
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
    shares_memory_with: str | None = None
    own_free_mib: float = 0.0
    free_known: bool = True
    partition: bool = False
    compute_capability: str | None = None


@dataclass(frozen=True, slots=True)
class ServedBuild:
    """One model that an engine says it can run: catalog id and quantisation are None while unknown.

    `open_tokens` is the window that is open where the model is loaded, if that is not `context_tokens`. `kind` is what its
    files or its engine say that it is for; None where they do not tell.
    """

    engine: EngineName
    endpoint: str
    name: str
    model_id: str | None
    quant: str | None
    resident: bool = False
    context_tokens: int | None = None
    memory_mib: float | None = None
    open_tokens: int | None = None
    kind: ModelKind | None = None


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

    @property
    def pools(self) -> tuple[tuple[Device, ...], ...]:
        """The devices grouped by the memory that they allocate from: a sum over memory takes one figure a pool."""
        groups: dict[str, list[Device]] = {}
        for device in self.devices:
            groups.setdefault(device.shares_memory_with or device.id, []).append(device)
        return tuple(tuple(group) for group in groups.values())

    def free_together_mib(self, devices: tuple[Device, ...]) -> float:
        """What several devices can take at the same time: shared memory is counted once, an APU's carve-out besides."""
        total = 0.0
        for pool in self.pools:
            members = [device for device in pool if device in devices]
            if members:
                owner = next((device for device in pool if device.shares_memory_with is None), None)
                shared = max(device.memory_free_mib - device.own_free_mib for device in members)
                common = shared if owner is None else min(shared, owner.memory_free_mib)
                total += common + sum(device.own_free_mib for device in members)
        return total

    def summary(self) -> str:
        """One line for people: cores, and each device with free of total memory."""
        parts = [
            f"{d.name}: {'' if d.free_known else 'about '}{d.memory_free_mib / 1024:.1f} of "
            f"{d.memory_total_mib / 1024:.1f} GiB free{' (shared)' if d.shares_memory_with else ''}"
            for d in self.devices
        ]
        return f"{self.name} ({self.system}, {self.cores} cores; {'; '.join(parts)})"
