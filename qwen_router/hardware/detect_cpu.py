"""Reads main memory, cores, caches and names of the processor, and the limits that a container or WSL puts on them.

Linux is read from files under `root`, the others through psutil. Accelerators are the business of the other `detect_*.py`.

    python -c "from qwen_router.hardware.detect_cpu import cpu_name, instruction_sets; print(cpu_name(), instruction_sets())"
"""

from __future__ import annotations

import os
import platform
from functools import lru_cache
from pathlib import Path

from qwen_router.hardware.detect_guard import MIB, number, text

_VECTOR_SETS = "avx2 f16c avx512f avx512_bf16 avx512_vnni avx_vnni amx_tile asimd asimddp i8mm sve".split()


def main_memory(root: Path) -> tuple[float, float, tuple[str, ...]]:
    """Total and free main memory in MiB, the tighter of the system's and the container's figures."""
    total_mib, free_mib = _system_memory(root)
    limit_mib, used_mib = cgroup_memory(root)
    notes = _wsl(root)
    if limit_mib is None or limit_mib >= total_mib:
        return total_mib, free_mib, notes
    free_mib = min(free_mib, max(0.0, limit_mib - (used_mib or 0.0)))
    return (
        limit_mib,
        free_mib,
        (f"a container limits memory to {limit_mib / 1024:.1f} of {total_mib / 1024:.1f} GiB", *notes),
    )


def _system_memory(root: Path) -> tuple[float, float]:
    """`MemTotal` and `MemAvailable` where /proc/meminfo has both (Linux 3.14 and later), else what psutil reads."""
    fields = dict(line.split(":", 1) for line in text(root / "proc/meminfo").splitlines() if ":" in line)
    kib = [fields.get(name, "").split()[:1] for name in ("MemTotal", "MemAvailable")]
    if all(value and value[0].isdecimal() for value in kib):
        total_mib, free_mib = (float(value[0]) / 1024 for value in kib)
        if 0 <= free_mib <= total_mib > 0:
            return total_mib, free_mib
    import psutil

    memory = psutil.virtual_memory()
    return memory.total / MIB, min(memory.available, memory.total) / MIB


def _wsl(root: Path) -> tuple[str, ...]:
    """WSL's kernel names Microsoft in /proc/version."""
    if "microsoft" not in text(root / "proc/version").lower():
        return ()
    return ("WSL: main memory is that of the virtual machine (.wslconfig sets it), not of Windows",)


def cgroup_memory(root: Path = Path("/")) -> tuple[float | None, float | None]:
    """Limit and use of this process's control group in MiB, None where there is no limit.

    Version 2 keeps `memory.max` per level, so the tightest on the way up counts; caches that the kernel gives back
    (`inactive_file`) are not counted as used. Version 1 keeps `memory.limit_in_bytes`.
    """
    best: tuple[float | None, float | None] = (None, None)
    for folder in _cgroup_folders(root, "memory"):
        limit = number(folder / "memory.max") or number(folder / "memory.limit_in_bytes")
        if limit is None or limit > 2**60:
            continue
        used = number(folder / "memory.current") or number(folder / "memory.usage_in_bytes") or 0
        reclaimable = _stat(folder / "memory.stat", ("inactive_file", "total_inactive_file"))
        if best[0] is None or limit / MIB < best[0]:
            best = (limit / MIB, max(0.0, used - reclaimable) / MIB)
    return best


def usable_cores(root: Path) -> tuple[int, tuple[str, ...]]:
    """Logical cores that this process may use: affinity and the container's quota counted."""
    import psutil

    total = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else total
    quota = cgroup_cpus(root)
    cores = allowed if quota is None else max(1, min(allowed, int(quota + 0.5)))
    notes = [] if cores == total else [f"{cores} of {total} logical cores may be used"]
    physical = psutil.cpu_count(logical=False)
    if physical is not None and physical < total:
        notes.append(f"{physical} physical cores")
    return cores, tuple(notes)


def cgroup_cpus(root: Path = Path("/")) -> float | None:
    """Cores that the container's quota amounts to; None without a quota."""
    best: float | None = None
    for folder in _cgroup_folders(root, "cpu"):
        words = text(folder / "cpu.max").split()
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit():
            quota, period = float(words[0]), float(words[1])
        else:
            quota = float(number(folder / "cpu.cfs_quota_us") or 0)
            period = float(number(folder / "cpu.cfs_period_us") or 0)
        if quota > 0 and period > 0:
            best = quota / period if best is None else min(best, quota / period)
    return best


def _cgroup_folders(root: Path, controller: str) -> list[Path]:
    """This process's control-group folders from its own up to the mount point, for version 2 and version 1."""
    mount = root / "sys/fs/cgroup"
    folders: list[Path] = []
    for line in text(root / "proc/self/cgroup").splitlines():
        parts = line.split(":", 2)
        if len(parts) != 3:
            continue
        if parts[1] == "":
            base = mount
        elif controller in parts[1].split(","):
            base = next((mount / name for name in (parts[1], controller) if (mount / name).is_dir()), mount / controller)
        else:
            continue
        inner = [name for name in parts[2].split("/") if name and name != ".."]
        folders += [base.joinpath(*inner[:depth]) for depth in range(len(inner), -1, -1)]
    return folders


def _stat(path: Path, keys: tuple[str, ...]) -> int:
    for line in text(path).splitlines():
        name, _, value = line.partition(" ")
        if name in keys and value.isdigit():
            return int(value)
    return 0


@lru_cache(maxsize=4)
def cpu_name(root: Path = Path("/")) -> str:
    """The vendor's name; an Arm board's own where the processor has none (`/proc/cpuinfo`, then the device tree)."""
    for line in text(root / "proc/cpuinfo").splitlines():
        if line.startswith(("model name", "Model", "Hardware")):
            return line.partition(":")[2].strip()
    return board_name(root) or platform.processor() or platform.machine() or "CPU"


def board_name(root: Path = Path("/")) -> str:
    """What the device tree calls the board: `NVIDIA Jetson Orin Nano Developer Kit`, `Radxa ROCK 5B`; empty on a PC."""
    return text(root / "proc/device-tree/model").rstrip("\x00")


@lru_cache(maxsize=4)
def instruction_sets(root: Path = Path("/")) -> tuple[str, ...]:
    """The vector extensions that matter for speed, as Linux lists them; empty where it lists none."""
    for line in text(root / "proc/cpuinfo").splitlines():
        if line.startswith(("flags", "Features")):
            present = set(line.partition(":")[2].split())
            return tuple(name for name in _VECTOR_SETS if name in present)
    return ()


def last_level_cache_mib(root: Path = Path("/")) -> float | None:
    """The highest level's caches together, one shared by several cores counted once. None where Linux is silent."""
    sizes: dict[tuple[int, str], float] = {}
    for folder in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cache/index[0-9]*"):
        level, size, kind = number(folder / "level"), text(folder / "size"), text(folder / "type")
        unit = {"K": 1 / 1024, "M": 1.0, "G": 1024.0}.get(size[-1:].upper())
        if level is not None and unit is not None and size[:-1].isdecimal() and kind != "Instruction":
            sizes[(level, text(folder / "shared_cpu_list") or str(folder.parent.parent.name))] = float(size[:-1]) * unit
    top = max((level for level, _ in sizes), default=0)
    return sum(mib for (level, _), mib in sizes.items() if level == top) or None
