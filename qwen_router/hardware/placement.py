"""Where a build goes: onto one accelerator, layer by layer over several, partly into main memory, or all of it there.

Free memory counts, device by device. A build that no device holds alone is cut between layers, as llama.cpp, Ollama and
accelerate's device map do: the last layers and the output go to accelerators, what has no room stays in main memory. What a
build needs comes from `memory.py`; how fast it is there, from `speed.py`; vLLM's own way is `vllm.py`.

    python -m qwen_router fit Qwen3-32B --machine rtx-3060-12
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qwen_router.hardware.machine import Device, Machine
from qwen_router.hardware.memory import MemoryLine

ACCELERATOR_RESERVE_MIB = 1024.0
"""Left free on a discrete accelerator for its context and the display: llama.cpp's own margin (`fit_params_target`)."""


@dataclass(frozen=True, slots=True)
class Share:
    """One device's part of a build: layers `first` to `last` (exclusive), the output or not, and the MiB that they take."""

    device: Device
    first: int
    last: int
    output: bool
    mib: float

    @property
    def layers(self) -> int:
        return self.last - self.first


@dataclass(frozen=True, slots=True)
class Placement:
    """The devices that hold a build, in the order that a token passes them; none when it fits nowhere. `reason` says why.

    `accelerator_layers` is what llama.cpp calls `--n-gpu-layers`, the output not counted.
    """

    shares: tuple[Share, ...]
    reason: str

    @property
    def fits(self) -> bool:
        return bool(self.shares)

    @property
    def devices(self) -> tuple[Device, ...]:
        return tuple(share.device for share in self.shares)

    @property
    def device_ids(self) -> str:
        return "+".join(device.id for device in self.devices)

    @property
    def accelerator_layers(self) -> int:
        return sum(share.layers for share in self.shares if share.device.kind != "cpu")


def usable_mib(device: Device) -> float:
    """What a build may take of a device's free memory."""
    reserve = 0.0 if device.kind == "cpu" or _shared(device) else ACCELERATOR_RESERVE_MIB
    return max(0.0, device.memory_free_mib - reserve)


def _shared(device: Device) -> bool:
    """Whether its memory is the computer's main memory, so that what it takes the CPU has no more."""
    return device.unified or device.shares_memory_with is not None


def capacity_mib(machine: Machine) -> float:
    """More than this has no room, however it is cut: discrete accelerators of one kind and main memory, or a shared one."""
    host = sum(usable_mib(d) for d in machine.devices if d.kind == "cpu")
    best = host
    for kind in {device.kind for device in machine.accelerators}:
        same = [device for device in machine.accelerators if device.kind == kind]
        discrete = sum(usable_mib(d) for d in same if not _shared(d))
        best = max(best, discrete + host if discrete else 0.0, *(usable_mib(d) for d in same))
    return best


def place(line: MemoryLine, context_tokens: int, machine: Machine) -> Placement:
    """Find room at this context: the accelerator with most room, the fewest of one kind together, some layers there and the
    rest in main memory, or main memory alone, in this order."""
    need_mib = line.total_mib(context_tokens) + line.overhead_mib
    accelerators = sorted(machine.accelerators, key=lambda d: (_shared(d), -usable_mib(d), d.id))
    whole = line.layers
    roomy = [device for device in accelerators if need_mib <= usable_mib(device)]
    if roomy:
        best = roomy[0]
        return Placement((Share(best, 0, whole, True, need_mib),), f"{_gib(need_mib)} GiB fit on {best.id} ({best.name})")
    cpu = machine.cpu
    if line.can_be_cut:
        cut = _cut(line, context_tokens, accelerators, cpu)
        if cut is not None:
            return cut
    if cpu is not None and need_mib <= usable_mib(cpu):
        why = "no accelerator has room" if accelerators else "no accelerator"
        return Placement((Share(cpu, 0, whole, True, need_mib),), f"{_gib(need_mib)} GiB fit in main memory ({why})")
    rooms = ", ".join(f"{device.id} {_gib(usable_mib(device))}" for device in machine.devices) or "no device"
    return Placement((), f"needs {_gib(need_mib)} GiB, usable: {rooms} GiB")


def longest_context(line: MemoryLine, machine: Machine, *, limit_tokens: int, accelerator_layers: int = 0) -> int:
    """The most tokens a slot that `place` finds room for, up to `limit_tokens`, with at least so many layers on
    accelerators; 0 when it finds none for any."""

    def fits(tokens: int) -> bool:
        found = place(line, tokens, machine)
        return found.fits and found.accelerator_layers >= accelerator_layers

    if fits(limit_tokens):
        return limit_tokens
    low, high = 0, limit_tokens // line.pad_tokens
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle * line.pad_tokens) else (low, middle - 1)
    return low * line.pad_tokens


def _cut(line: MemoryLine, context_tokens: int, accelerators: Sequence[Device], cpu: Device | None) -> Placement | None:
    """The fewest discrete accelerators of one kind that hold every layer; else all of them with main memory."""
    layers = line.layer_mib(context_tokens)
    for kind in dict.fromkeys(device.kind for device in accelerators):
        same = [device for device in accelerators if device.kind == kind and not _shared(device)]
        if any(device.partition for device in same):  # a process sees one instance only
            same = same[:1]
        for count in range(1, len(same) + 1):
            filled, left = _filled(line, layers, same[:count], context_tokens)
            host_mib = line.host_mib(context_tokens, layers=layers[:left])
            if (left and count < len(same)) or not filled or (cpu is None and (left or line.embedding_on_host)):
                continue
            if cpu is not None and host_mib > usable_mib(cpu):
                continue
            if not left:
                names = " + ".join(share.device.id for share in filled)
                beside = f", the embedding table ({_gib(host_mib)} GiB) in main memory" if line.embedding_on_host else ""
                return Placement(tuple(filled), f"{_gib(sum(s.mib for s in filled))} GiB on {names}{beside}")
            assert cpu is not None
            host = Share(cpu, 0, left, False, host_mib)
            names = "+".join(device.id for device in same)
            reason = f"{line.layers - left} of {line.layers} layers fit on {names}, the rest in main memory"
            return Placement((host, *filled), reason)
    return None


def _filled(
    line: MemoryLine, layers: Sequence[float], devices: Sequence[Device], context_tokens: int
) -> tuple[list[Share], int]:
    """Shares from the last layer backwards, and how many of the first layers have no room. The output goes with the last."""
    shares: list[Share] = []
    left = line.layers
    for device in devices:
        room = usable_mib(device) - line.compute_mib(context_tokens)
        taken = 0.0
        if not shares:
            taken = line.output_mib + line.tower_mib
            if taken > room:
                return [], line.layers
        last = left
        while left and taken + layers[left - 1] <= room:
            left -= 1
            taken += layers[left]
        if last > left or not shares:
            shares.insert(0, Share(device, left, last, not shares, taken + line.compute_mib(context_tokens)))
    return shares, left


def _gib(mib: float) -> str:
    return f"{mib / 1024:.1f}"
