"""NVIDIA's devices as the driver lists them through NVML: cards, MIG instances, and chips that share main memory.

Needs the driver's library, asked in a thread with a time limit. Where NVML tells no memory (DGX Spark, Jetson) the device
shares the computer's. Nothing of NVIDIA's was at hand: the shapes are those of NVML's documentation and of `pynvml`.

    python -c "from qwen_router.hardware.detect_nvidia import nvidia_devices; print(nvidia_devices())"
"""

from __future__ import annotations

import importlib
import platform
from pathlib import Path
from typing import Any

from qwen_router.hardware.detect_cpu import board_name
from qwen_router.hardware.detect_guard import MIB, bounded, room
from qwen_router.hardware.machine import Device

NVML_TIMEOUT_S = 2.0
_DRIVER_FILES = ("proc/driver/nvidia/version", "dev/nvidiactl", "dev/dxg")
_SHARED_BY_NAME = ("GB10", "Thor", "Orin", "Xavier", "nvgpu")
"""Parts of NVML's names of the chips whose GPU has no memory of its own (ollama and llmfit tell them the same way)."""
Found = tuple[tuple[Device, ...], tuple[str, ...]]


def nvidia_devices(
    nvml: Any = None,
    *,
    timeout_s: float = NVML_TIMEOUT_S,
    root: Path = Path("/"),
    main_total_mib: float = 0.0,
    main_free_mib: float = 0.0,
) -> Found:
    """The devices and the notes. No driver, no devices; a driver that hangs is left behind after a while.

    `nvml` is the module `pynvml` (package nvidia-ml-py) or what stands in for it. Main memory's figures are for chips that
    share it.
    """
    if nvml is None and not _has_driver(root):
        return _jetson(root, main_total_mib, main_free_mib), ()
    answer, notes = bounded(lambda: _ask(nvml, main_total_mib, main_free_mib), name="NVIDIA's driver", timeout_s=timeout_s)
    if answer is None:
        return _jetson(root, main_total_mib, main_free_mib), notes
    return answer[0] or _jetson(root, main_total_mib, main_free_mib), answer[1]


def _has_driver(root: Path) -> bool:
    """Whether a driver is loaded at all, read from a file, so that machines without one pay nothing."""
    return platform.system() == "Windows" or any((root / path).exists() for path in _DRIVER_FILES)


def _ask(nvml: Any, main_total_mib: float, main_free_mib: float) -> Found:
    module = importlib.import_module("pynvml") if nvml is None else nvml
    module.nvmlInit()
    try:
        count = module.nvmlDeviceGetCount()
        version = _told(module, "nvmlSystemGetDriverVersion")
        devices: list[Device] = []
        notes = [f"NVIDIA driver {_words(version)}"] if version and count else []
        for index in range(count):
            try:
                found, told = _card(module, index, main_total_mib, main_free_mib)
            except Exception as error:  # a lost or forbidden card must not hide the others; NVML has a class for each code
                found, told = (), (f"NVIDIA device {index} could not be read ({type(error).__name__}: {error})",)
            devices += found
            notes += told
        return tuple(devices), tuple(notes)
    finally:
        module.nvmlShutdown()


def _card(module: Any, index: int, main_total_mib: float, main_free_mib: float) -> Found:
    """One card: itself, or its MIG instances, or a share of main memory."""
    handle = module.nvmlDeviceGetHandleByIndex(index)
    name = _words(module.nvmlDeviceGetName(handle))
    version = _told(module, "nvmlDeviceGetCudaComputeCapability", handle)
    capability = f"{version[0]}.{version[1]}" if version else None
    milliwatts = _told(module, "nvmlDeviceGetEnforcedPowerLimit", handle)
    memory = _told(module, "nvmlDeviceGetMemoryInfo", handle)
    if memory is None and any(part in name for part in _SHARED_BY_NAME):
        return (shared_device(name, f"cuda{index}", main_total_mib, main_free_mib, capability),), ()
    total_mib, free_mib = _mib(memory, "total"), _mib(memory, "free")
    if (_told(module, "nvmlDeviceGetMigMode", handle) or (0, 0))[0] == 1:
        return _mig(module, handle, index, name, total_mib, capability)
    checked, notes = room(name, total_mib, free_mib)
    if checked is None:
        return (), notes
    from qwen_router.hardware.presets import figures_of

    figures = figures_of(name, checked.total_mib)
    device = Device(
        f"cuda{index}",
        "cuda",
        name,
        checked.total_mib,
        checked.free_mib,
        bandwidth_gib_s=figures.bandwidth_gib_s if figures else None,
        compute_tflops=figures.compute_tflops if figures else None,
        power_w=milliwatts / 1000 if milliwatts else (figures.power_w if figures else None),
        free_known=checked.known,
        compute_capability=capability,
    )
    return (device,), notes


def _mig(module: Any, card: Any, index: int, name: str, card_mib: float | None, capability: str | None) -> Found:
    """The instances of a card in MIG mode; the card itself cannot be used then. Its figures are divided like its memory."""
    from qwen_router.hardware.presets import figures_of

    figures = figures_of(name, card_mib) if card_mib else None
    devices: list[Device] = []
    notes: list[str] = []
    for slot in range(_told(module, "nvmlDeviceGetMaxMigDeviceCount", card) or 0):
        handle = _told(module, "nvmlDeviceGetMigDeviceHandleByIndex", card, slot)
        if handle is None:  # an empty slot: NVML raises NVMLError_NotFound
            continue
        memory = _told(module, "nvmlDeviceGetMemoryInfo", handle)
        label = _words(_told(module, "nvmlDeviceGetName", handle) or f"{name} MIG")
        checked, told = room(f"{label} (cuda{index}.{slot})", _mib(memory, "total"), _mib(memory, "free"))
        notes += told
        if checked is None:
            continue
        share = checked.total_mib / card_mib if card_mib else 0.0
        scaled = figures if figures and 0 < share <= 1 else None
        devices.append(
            Device(
                f"cuda{index}.{slot}",
                "cuda",
                label,
                checked.total_mib,
                checked.free_mib,
                bandwidth_gib_s=_times(scaled.bandwidth_gib_s if scaled else None, share),
                compute_tflops=_times(scaled.compute_tflops if scaled else None, share),
                free_known=checked.known,
                partition=True,
                compute_capability=capability,
            )
        )
    if not devices:
        return (), (f"{name} is in MIG mode without a usable instance: it is not counted", *notes)
    return tuple(devices), (f"{name} is divided into {len(devices)} MIG instances; a process sees one of them", *notes)


def shared_device(name: str, device_id: str, total_mib: float, free_mib: float, capability: str | None = None) -> Device:
    """A GPU that allocates from main memory: all of it may be taken, and what is free there is free here."""
    from qwen_router.hardware.presets import figures_of

    figures = figures_of(name, total_mib)
    return Device(
        device_id,
        "cuda",
        name,
        total_mib,
        free_mib,
        bandwidth_gib_s=figures.bandwidth_gib_s if figures else None,
        compute_tflops=figures.compute_tflops if figures else None,
        power_w=figures.power_w if figures else None,
        unified=True,
        shares_memory_with="cpu",
        compute_capability=capability,
    )


def _jetson(root: Path, total_mib: float, free_mib: float) -> tuple[Device, ...]:
    """A Jetson whose NVML is missing or silent, known by its device tree (JetPack 5 and 6 ship NVML in parts only)."""
    board = board_name(root)
    if "Jetson" not in board or total_mib <= 0:
        return ()
    return (shared_device(board, "cuda0", total_mib, free_mib),)


def _words(raw: Any) -> str:
    return raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)


def _mib(memory: Any, field: str) -> float | None:
    value = getattr(memory, field, None)
    return float(value) / MIB if isinstance(value, (int, float)) else None


def _times(figure: float | None, share: float) -> float | None:
    return None if figure is None else figure * share


def _told(module: Any, function: str, *arguments: Any) -> Any:
    """What NVML answers, None where this device or version does not (it raises NVMLError_NotSupported or its like)."""
    try:
        return getattr(module, function)(*arguments)
    except Exception:  # NVML's classes, one a code, exist only once its module is loaded
        return None
