"""Reads this computer into a `Machine`: cores, memory that is free now, containers' limits, and the accelerators.

The only place that looks at the system; each vendor has a `detect_*.py` beside it. Nothing is measured unless asked
(`measure.py`); nothing raises: what cannot be read becomes a note. AMD and Intel are read on Linux only.

    python -c "from qwen_router.hardware import detect; print(detect().summary())"
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qwen_router.hardware.detect_apple import apple_device, sysctl
from qwen_router.hardware.detect_cpu import (
    cgroup_cpus,
    cgroup_memory,
    cpu_name,
    instruction_sets,
    last_level_cache_mib,
    main_memory,
    usable_cores,
)
from qwen_router.hardware.detect_drm import drm_devices
from qwen_router.hardware.detect_nvidia import NVML_TIMEOUT_S, nvidia_devices
from qwen_router.hardware.machine import Device, Machine

__all__ = [
    "cgroup_cpus",
    "cgroup_memory",
    "cpu_name",
    "detect",
    "instruction_sets",
    "last_level_cache_mib",
    "nvidia_devices",
]


def detect(
    *,
    root: Path = Path("/"),
    nvml: Any = None,
    nvml_timeout_s: float = NVML_TIMEOUT_S,
    amdsmi: Any = None,
    apple: Callable[[str], str] | None = None,
) -> Machine:
    """This computer as it is now.

    In tests `root` stands in for the file system, `nvml` and `amdsmi` for the drivers' modules, `apple` for sysctl.
    """
    total_mib, free_mib, memory_notes = main_memory(root)
    cores, core_notes = usable_cores(root)
    if apple is None and platform.system() == "Darwin" and platform.machine() == "arm64":
        apple = sysctl
    metal, metal_notes = apple_device(total_mib, free_mib, read=apple) if apple else (None, ())
    nvidia, nvidia_notes = nvidia_devices(
        nvml, timeout_s=nvml_timeout_s, root=root, main_total_mib=total_mib, main_free_mib=free_mib
    )
    others, other_notes = drm_devices(
        root=root,
        main_total_mib=total_mib,
        main_free_mib=free_mib,
        discrete_besides=any(device.shares_memory_with is None for device in nvidia),
        amdsmi=amdsmi,
    )
    accelerators = (*((metal,) if metal else ()), *nvidia, *others)
    shared = any(device.shares_memory_with == "cpu" for device in accelerators)
    name = metal.name if metal else cpu_name(root)
    sets = instruction_sets(root)
    return Machine(
        name=platform.node() or "this machine",
        devices=(*accelerators, Device("cpu", "cpu", name, total_mib, free_mib, unified=shared)),
        cores=cores,
        system=f"{platform.system()} {platform.machine()}",
        notes=(
            *memory_notes,
            *core_notes,
            *((f"vector extensions: {' '.join(sets)}",) if sets else ()),
            *metal_notes,
            *nvidia_notes,
            *other_notes,
        ),
    )
