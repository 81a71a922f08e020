"""Reads this computer into a `Machine`: cores, memory that is free now, containers' limits, NVIDIA and Apple devices.

The only place that looks at the system. Nothing is measured unless asked (`measure.py`); nothing raises: what cannot be read
becomes a note. AMD and Intel accelerators are not read yet, and the notes do not claim otherwise.

    python -c "from qwen_router.hardware import detect; print(detect().summary())"
"""

from __future__ import annotations

import importlib
import os
import platform
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from qwen_router.hardware.machine import Device, Machine

MIB = 1024 * 1024
NVML_TIMEOUT_S = 2.0
_VECTOR_SETS = "avx2 f16c avx512f avx512_bf16 avx512_vnni avx_vnni amx_tile asimd asimddp i8mm sve".split()
_FREE_SHARE_APPLE = ((36 * 1024, 2 / 3), (float("inf"), 3 / 4))
"""Share of unified memory that Metal hands to one process by default: about 2/3 up to 36 GiB, 3/4 above.

`recommendedMaxWorkingSetSize` as reported for llama.cpp on M-series machines; the sysctl `iogpu.wired_limit_mb` raises it.
"""


def detect(*, root: Path = Path("/"), nvml: Any = None, nvml_timeout_s: float = NVML_TIMEOUT_S) -> Machine:
    """This computer as it is now. `root` and `nvml` stand in for the file system and the driver's module in tests."""
    total_mib, free_mib, memory_notes = _memory(root)
    cores, core_notes = _cores(root)
    apple = _apple(total_mib, free_mib) if platform.system() == "Darwin" and platform.machine() == "arm64" else None
    cpu = Device("cpu", "cpu", cpu_name(root), total_mib, free_mib, unified=apple is not None)
    gpus, gpu_notes = nvidia_devices(nvml, timeout_s=nvml_timeout_s)
    return Machine(
        name=platform.node() or "this machine",
        devices=(*((apple,) if apple else ()), *gpus, cpu),
        cores=cores,
        system=f"{platform.system()} {platform.machine()}",
        notes=(*memory_notes, *core_notes, *gpu_notes),
    )


def _memory(root: Path) -> tuple[float, float, tuple[str, ...]]:
    """Total and free main memory in MiB, the tighter of the system's and the container's figures."""
    import psutil

    memory = psutil.virtual_memory()
    total_mib, free_mib = memory.total / MIB, memory.available / MIB
    limit_mib, used_mib = cgroup_memory(root)
    if limit_mib is None or limit_mib >= total_mib:
        return total_mib, free_mib, ()
    free_mib = min(free_mib, max(0.0, limit_mib - (used_mib or 0.0)))
    return limit_mib, free_mib, (f"a container limits memory to {limit_mib / 1024:.1f} of {total_mib / 1024:.1f} GiB",)


def cgroup_memory(root: Path = Path("/")) -> tuple[float | None, float | None]:
    """Limit and use of this process's control group in MiB, None where there is no limit.

    Version 2 keeps `memory.max` per level, so the tightest on the way up counts; caches that the kernel gives back
    (`inactive_file`) are not counted as used. Version 1 keeps `memory.limit_in_bytes`.
    """
    best: tuple[float | None, float | None] = (None, None)
    for folder in _cgroup_folders(root, "memory"):
        limit = _number(folder / "memory.max") or _number(folder / "memory.limit_in_bytes")
        if limit is None or limit > 2**60:
            continue
        used = _number(folder / "memory.current") or _number(folder / "memory.usage_in_bytes") or 0
        reclaimable = _stat(folder / "memory.stat", ("inactive_file", "total_inactive_file"))
        if best[0] is None or limit / MIB < best[0]:
            best = (limit / MIB, max(0.0, used - reclaimable) / MIB)
    return best


def _cores(root: Path) -> tuple[int, tuple[str, ...]]:
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
        words = _text(folder / "cpu.max").split()
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit():
            quota, period = float(words[0]), float(words[1])
        else:
            quota = float(_number(folder / "cpu.cfs_quota_us") or 0)
            period = float(_number(folder / "cpu.cfs_period_us") or 0)
        if quota > 0 and period > 0:
            best = quota / period if best is None else min(best, quota / period)
    return best


def _cgroup_folders(root: Path, controller: str) -> list[Path]:
    """This process's control-group folders from its own up to the mount point, for version 2 and version 1."""
    mount = root / "sys/fs/cgroup"
    folders: list[Path] = []
    for line in _text(root / "proc/self/cgroup").splitlines():
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


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.lstrip("-").isdigit() else None


def _stat(path: Path, keys: tuple[str, ...]) -> int:
    for line in _text(path).splitlines():
        name, _, value = line.partition(" ")
        if name in keys and value.isdigit():
            return int(value)
    return 0


@lru_cache(maxsize=4)
def cpu_name(root: Path = Path("/")) -> str:
    for line in _text(root / "proc/cpuinfo").splitlines():
        if line.startswith(("model name", "Model", "Hardware")):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "CPU"


@lru_cache(maxsize=4)
def instruction_sets(root: Path = Path("/")) -> tuple[str, ...]:
    """The vector extensions that matter for speed, as Linux lists them; empty where it lists none."""
    for line in _text(root / "proc/cpuinfo").splitlines():
        if line.startswith(("flags", "Features")):
            present = set(line.partition(":")[2].split())
            return tuple(name for name in _VECTOR_SETS if name in present)
    return ()


def _apple(total_mib: float, free_mib: float) -> Device:
    """Apple's GPU shares main memory: one device more, with the share that Metal gives to a process."""
    share = next(share for up_to_mib, share in _FREE_SHARE_APPLE if total_mib <= up_to_mib)
    usable_mib = total_mib * share
    return Device("metal0", "metal", cpu_name(), usable_mib, min(usable_mib, free_mib), unified=True)


def nvidia_devices(nvml: Any = None, *, timeout_s: float = NVML_TIMEOUT_S) -> tuple[tuple[Device, ...], tuple[str, ...]]:
    """NVIDIA's devices as the driver lists them. No driver, no devices; a driver that hangs is left behind after a while.

    `nvml` is the module `pynvml` (package nvidia-ml-py) or what stands in for it.
    """
    answer: list[tuple[Device, ...]] = []
    failure: list[str] = []

    def ask() -> None:
        try:
            answer.append(_ask_nvml(nvml))
        except Exception as error:  # the driver's library raises its own classes, one a code: all become a note
            failure.append(f"{type(error).__name__}: {error}")

    if nvml is None and not _has_nvidia_driver():
        return (), ()
    worker = threading.Thread(target=ask, name="nvml", daemon=True)
    worker.start()
    worker.join(timeout_s)
    if worker.is_alive():
        return (), (f"the NVIDIA driver did not answer within {timeout_s:g} s; its devices are not counted",)
    if failure:
        return (), (f"NVIDIA's driver could not be read ({failure[0]})",)
    return answer[0], ()


def _has_nvidia_driver() -> bool:
    """Whether a driver is loaded at all, read from a file, so that machines without one pay nothing."""
    if platform.system() == "Windows":
        return True
    return any(Path(path).exists() for path in ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg"))


def _ask_nvml(nvml: Any) -> tuple[Device, ...]:
    module = importlib.import_module("pynvml") if nvml is None else nvml
    module.nvmlInit()
    try:
        return tuple(_nvidia_device(module, index) for index in range(module.nvmlDeviceGetCount()))
    finally:
        module.nvmlShutdown()


def _nvidia_device(module: Any, index: int) -> Device:
    from qwen_router.hardware.presets import figures_of

    handle = module.nvmlDeviceGetHandleByIndex(index)
    memory = module.nvmlDeviceGetMemoryInfo(handle)
    raw = module.nvmlDeviceGetName(handle)
    name = raw.decode() if isinstance(raw, bytes) else str(raw)
    figures = figures_of(name, memory.total / MIB)
    power = _optional(lambda: module.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000)
    return Device(
        f"cuda{index}",
        "cuda",
        name,
        memory.total / MIB,
        min(memory.free, memory.total) / MIB,
        bandwidth_gib_s=figures.bandwidth_gib_s if figures else None,
        compute_tflops=figures.compute_tflops if figures else None,
        power_w=power if power is not None else (figures.power_w if figures else None),
    )


def _optional(read: Callable[[], float]) -> float | None:
    """A figure that some devices do not give: NVML then raises NVMLError_NotSupported or its like."""
    try:
        return float(read())
    except Exception:  # see above: NVML's classes exist only once its module is loaded
        return None
