"""Apple's chips: one memory for processor and GPU, of which Metal hands a share to a process.

`hw.memsize`, `iogpu.wired_limit_mb` and the chip's name come from sysctl; what is free, from psutil (vm_stat). No Apple
machine was at hand: the names are those of macOS 14 and later as llama.cpp's and MLX's users report them.

    python -c "from qwen_router.hardware.detect_apple import sysctl; print(sysctl('machdep.cpu.brand_string'))"
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from qwen_router.hardware.detect_guard import MIB, room
from qwen_router.hardware.machine import Device

SYSCTL_TIMEOUT_S = 2.0
METAL_SHARES = ((36 * 1024, 2 / 3), (float("inf"), 3 / 4))
"""Share of unified memory that Metal hands to one process by default: about 2/3 up to 36 GiB, 3/4 above.

`recommendedMaxWorkingSetSize` as reported for llama.cpp on M-series machines; the sysctl `iogpu.wired_limit_mb` raises it
(AlexsJones/llmfit, llmfit-core/src/hardware.rs: an M3 set to 14000 MiB then reports exactly that).
"""


def sysctl(name: str) -> str:
    """One value of macOS's sysctl; empty when there is none or it does not answer in time."""
    command = ["/usr/sbin/sysctl", "-n", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SYSCTL_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def apple_device(
    total_mib: float, free_mib: float, *, read: Callable[[str], str] = sysctl
) -> tuple[Device | None, tuple[str, ...]]:
    """The GPU as one device more, with Metal's share of the memory that `hw.memsize` tells (else `total_mib`)."""
    from qwen_router.hardware.presets import figures_of

    size = read("hw.memsize")
    memory_mib = int(size) / MIB if size.isdecimal() and int(size) else total_mib
    limit = read("iogpu.wired_limit_mb")
    notes: tuple[str, ...] = ()
    if limit.isdecimal() and int(limit):
        usable_mib = min(float(limit), memory_mib)
        notes = (f"Metal may take {usable_mib / 1024:.1f} of {memory_mib / 1024:.1f} GiB (iogpu.wired_limit_mb)",)
    else:
        usable_mib = metal_share(memory_mib) * memory_mib
    name = read("machdep.cpu.brand_string") or "Apple GPU"
    checked, doubts = room(name, usable_mib, min(usable_mib, free_mib))
    if checked is None:
        return None, doubts
    figures = figures_of(name, memory_mib)
    device = Device(
        "metal0",
        "metal",
        name,
        checked.total_mib,
        checked.free_mib,
        bandwidth_gib_s=figures.bandwidth_gib_s if figures else None,
        compute_tflops=figures.compute_tflops if figures else None,
        power_w=figures.power_w if figures else None,
        unified=True,
        shares_memory_with="cpu",
        free_known=checked.known,
    )
    return device, (*notes, *doubts)


def metal_share(memory_mib: float) -> float:
    return next(share for up_to_mib, share in METAL_SHARES if memory_mib <= up_to_mib)
