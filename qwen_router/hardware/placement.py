"""Where a build goes: onto one accelerator, split over several equal ones, or into main memory.

Free memory counts, device by device; memories of different devices are never added up. What a build needs comes from
`memory.py`. Splitting one model between a GPU and the CPU is not planned here: it is refused, not guessed.

    python -c "from qwen_router.hardware import machine_named, place; print(place(9000, machine_named('rtx-4090')))"
"""

from __future__ import annotations

from dataclasses import dataclass

from qwen_router.hardware.machine import Device, Machine

ACCELERATOR_RESERVE_MIB = 1024.0
"""Left free on a discrete accelerator for its context and the display: llama.cpp's own margin (`fit_params_target`)."""
SPLIT_OVERHEAD = 1.05
"""Layers do not divide evenly and every device keeps its own compute buffer: 5 % on top of an even share, an assumption."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The devices that hold a build, in equal shares; none when it fits nowhere. `reason` says why in one line."""

    devices: tuple[Device, ...]
    share_mib: float
    reason: str

    @property
    def fits(self) -> bool:
        return bool(self.devices)

    @property
    def device_ids(self) -> str:
        return "+".join(device.id for device in self.devices)


def usable_mib(device: Device) -> float:
    """What a build may take of a device's free memory."""
    reserve = 0.0 if device.kind == "cpu" or device.unified else ACCELERATOR_RESERVE_MIB
    return max(0.0, device.memory_free_mib - reserve)


def place(need_mib: float, machine: Machine) -> Placement:
    """Find room for `need_mib`: the accelerator with most room, else the fewest equal ones together, else the CPU."""
    accelerators = sorted(machine.accelerators, key=lambda device: (-usable_mib(device), device.id))
    if accelerators and need_mib <= usable_mib(accelerators[0]):
        best = accelerators[0]
        return Placement((best,), need_mib, f"{need_mib / 1024:.1f} GiB fit on {best.id} ({best.name})")
    split = _split(need_mib, accelerators)
    if split is not None:
        return split
    cpu = machine.cpu
    if cpu is not None and need_mib <= usable_mib(cpu):
        why = "no accelerator has room" if accelerators else "no accelerator"
        return Placement((cpu,), need_mib, f"{need_mib / 1024:.1f} GiB fit in main memory ({why})")
    rooms = ", ".join(f"{device.id} {usable_mib(device) / 1024:.1f}" for device in machine.devices) or "no device"
    return Placement((), need_mib, f"needs {need_mib / 1024:.1f} GiB on one device, usable: {rooms} GiB")


def _split(need_mib: float, accelerators: list[Device]) -> Placement | None:
    """The fewest devices of one name that hold equal shares; `SPLIT_OVERHEAD` on each share."""
    for name in dict.fromkeys(device.name for device in accelerators):
        equal = [device for device in accelerators if device.name == name]
        for count in range(2, len(equal) + 1):
            share_mib = need_mib / count * SPLIT_OVERHEAD
            if share_mib <= usable_mib(equal[count - 1]):
                reason = f"{need_mib / 1024:.1f} GiB split over {count} x {name}, {share_mib / 1024:.1f} GiB each"
                return Placement(tuple(equal[:count]), share_mib, reason)
    return None


def capacity_mib(machine: Machine) -> float:
    """The largest need that `place` would accept."""
    best = max((usable_mib(device) for device in machine.devices), default=0.0)
    for name in {device.name for device in machine.accelerators}:
        rooms = sorted((usable_mib(d) for d in machine.accelerators if d.name == name), reverse=True)
        for count in range(2, len(rooms) + 1):
            best = max(best, rooms[count - 1] * count / SPLIT_OVERHEAD)
    return best
