"""AMD's and Intel's devices on Linux, from the kernel's files under /sys/class/drm (amdgpu, i915, xe) and AMD's `amdsmi`.

A card has memory of its own; an APU allocates from a carve-out that main memory does not contain and from main memory (GTT);
Intel's integrated GPUs have none. Nothing of either was at hand: the files are those that the kernel documents.

    python -c "from qwen_router.hardware.detect_drm import drm_devices; print(drm_devices())"
"""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qwen_router.hardware.detect_guard import MIB, bounded, closed, number, room, text
from qwen_router.hardware.detect_pci import AMD, INTEL, product_name
from qwen_router.hardware.machine import Device

SMI_TIMEOUT_S = 2.0
INTEL_SHARE = 0.5
"""Of main memory that an integrated Intel GPU is taken to use: what Windows gives it; Linux sets no limit. An assumption."""
_APU_IDS = frozenset(
    "1506 150e 1586 15bf 15c8 15d8 15dd 15e7 1636 1638 163f 164c 164d 164e 164f 1681 1900 1901 1902 1114 13c0".split()
)
"""PCI ids of AMD's processors with graphics, from Raven to Strix Halo and Krackan (pciutils/pciids, read 2026-11)."""
Found = tuple[tuple[Device, ...], tuple[str, ...]]
Perhaps = tuple[Device | None, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Card:
    """One PCI display device as the files or `amdsmi` tell it: memory in MiB, None where they are silent."""

    vendor: int
    chip: str
    name: str
    total_mib: float | None = None
    used_mib: float | None = None
    gtt_total_mib: float | None = None
    gtt_used_mib: float | None = None
    slot: str = ""
    doubts: tuple[str, ...] = ()


def drm_devices(
    *,
    root: Path = Path("/"),
    main_total_mib: float = 0.0,
    main_free_mib: float = 0.0,
    discrete_besides: bool = False,
    amdsmi: Any = None,
    timeout_s: float = SMI_TIMEOUT_S,
) -> Found:
    """Cards first; integrated GPUs only where there is no card (`discrete_besides`: nor one of NVIDIA's).

    A GPU that shares main memory adds no room, and beside a card it would only look like the larger device.
    """
    cards = _cards(root)
    notes = [note for card in cards for note in card.doubts]
    amd = [card for card in cards if card.vendor == AMD]
    if amd:
        told, said = _amdsmi_cards(amdsmi, timeout_s)
        cards = [card for card in cards if card.vendor != AMD] + _merged(amd, told)
        notes += [*said, *_closed_devices(root)]
    devices: list[Device] = []
    shared: list[Device] = []
    for card in cards:
        integrated = _integrated(card)
        device, said = _shared(card, main_total_mib, main_free_mib) if integrated else _discrete(card)
        notes += said
        if device is not None:
            (shared if integrated else devices).append(device)
    if shared and (devices or discrete_besides):
        notes += [f"{device.name} shares main memory and is left out beside a discrete device" for device in shared]
        shared = []
    return _numbered([*devices, *shared]), tuple(notes)


def _numbered(devices: list[Device]) -> tuple[Device, ...]:
    counts: dict[str, int] = {}
    numbered = []
    for device in devices:
        index = counts.setdefault(device.kind, 0)
        counts[device.kind] += 1
        numbered.append(replace(device, id=f"{device.kind}{index}"))
    return tuple(numbered)


def _cards(root: Path) -> list[Card]:
    """Every AMD or Intel card of /sys/class/drm; connectors (`card0-DP-1`) and render nodes are skipped."""
    found = []
    for folder in sorted((root / "sys/class/drm").glob("card*")):
        if not re.fullmatch(r"card\d+", folder.name):
            continue
        vendor = text(folder / "device/vendor")
        if vendor.lower() in ("0x1002", "0x8086"):
            chip = text(folder / "device/device").removeprefix("0x").lower()
            revision = text(folder / "device/revision").removeprefix("0x").lower()
            name = text(folder / "device/product_name") or product_name(root, int(vendor, 16), chip, revision)
            found.append(_amd_card(folder, chip, name) if int(vendor, 16) == AMD else _intel_card(folder, chip, name))
    return found


def _amd_card(folder: Path, chip: str, name: str) -> Card:
    device = folder / "device"
    names = ("mem_info_vram_total", "mem_info_vram_used", "mem_info_gtt_total", "mem_info_gtt_used")
    doubts = tuple(f"{name}: {file} cannot be read ({why})" for file in names if (why := closed(device / file)) is not None)
    total, used, gtt, gtt_used = (_mib(number(device / file)) for file in names)
    return Card(AMD, chip, name, total, used, gtt, gtt_used, doubts=doubts)


def _intel_card(folder: Path, chip: str, name: str) -> Card:
    """i915 gives `lmem_total_bytes` and `lmem_avail_bytes` beside the card, xe one size a tile; no kernel must."""
    total, free = _mib(number(folder / "lmem_total_bytes")), _mib(number(folder / "lmem_avail_bytes"))
    if total is None:
        tiles = [number(file) or 0 for file in sorted((folder / "device").glob("tile*/physical_vram_size_bytes"))]
        total = _mib(sum(tiles)) if tiles else None
    used = total - free if total is not None and free is not None else None
    paths = (folder / "lmem_total_bytes", folder / "lmem_avail_bytes")
    doubts = tuple(f"{name}: {path.name} cannot be read ({why})" for path in paths if (why := closed(path)) is not None)
    slot = re.search(r"^PCI_SLOT_NAME=(.+)$", text(folder / "device/uevent"), re.MULTILINE)
    return Card(INTEL, chip, name, total, used, slot=slot[1] if slot else "", doubts=doubts)


def _amdsmi_cards(amdsmi: Any, timeout_s: float) -> tuple[list[Card], tuple[str, ...]]:
    """What `amdsmi` tells of each device, where it is installed (ROCm ships it; it is not one of our dependencies)."""
    if amdsmi is None and importlib.util.find_spec("amdsmi") is None:
        return [], ()
    answer, notes = bounded(lambda: _ask_amdsmi(amdsmi), name="amdsmi", timeout_s=timeout_s)
    return ([], notes) if answer is None else (answer[0], answer[1])


def _ask_amdsmi(module: Any) -> tuple[list[Card], tuple[str, ...]]:
    if module is None:
        module = importlib.import_module("amdsmi")
    module.amdsmi_init()
    try:
        cards, driver = [], ""
        for handle in module.amdsmi_get_processor_handles():
            asic = module.amdsmi_get_gpu_asic_info(handle)
            kinds = module.AmdSmiMemoryType
            vram, vram_used, gtt, gtt_used = (
                _mib(_told(module, f"amdsmi_get_gpu_memory_{what}", handle, kind))
                for kind in (kinds.VRAM, kinds.GTT)
                for what in ("total", "usage")
            )
            chip = str(asic.get("device_id", "")).removeprefix("0x").lower()
            name = str(asic.get("market_name") or "N/A")
            cards.append(Card(AMD, chip, "" if name == "N/A" else name, vram, vram_used, gtt, gtt_used))
            driver = (_told(module, "amdsmi_get_gpu_driver_info", handle) or {}).get("driver_version", "") or driver
        return cards, ((f"AMD driver {driver}",) if driver not in ("", "N/A") else ())
    finally:
        module.amdsmi_shut_down()


def _merged(files: list[Card], told: list[Card]) -> list[Card]:
    """The files' cards with what `amdsmi` adds: a name, and figures that the files lack. In order, chip by chip."""
    left = list(told)
    merged = []
    for card in files:
        match = next((other for other in left if other.chip == card.chip), None)
        if match is None:
            merged.append(card)
            continue
        left.remove(match)
        plain = card.name.startswith("AMD GPU ")  # the files had a number only
        merged.append(
            replace(
                card,
                name=match.name if plain and match.name else card.name,
                total_mib=card.total_mib if card.total_mib is not None else match.total_mib,
                used_mib=card.used_mib if card.used_mib is not None else match.used_mib,
                gtt_total_mib=card.gtt_total_mib if card.gtt_total_mib is not None else match.gtt_total_mib,
                gtt_used_mib=card.gtt_used_mib if card.gtt_used_mib is not None else match.gtt_used_mib,
            )
        )
    return merged


def _closed_devices(root: Path) -> tuple[str, ...]:
    """/dev/kfd is ROCm's door: without the right to open it the device is seen and cannot be used."""
    door = root / "dev/kfd"
    if door.exists() and not os.access(door, os.R_OK | os.W_OK):
        return ("AMD: no permission on /dev/kfd, so ROCm cannot be used (add the user to the groups render and video)",)
    return ()


def _integrated(card: Card) -> bool:
    """AMD's by their PCI ids; Intel's sit in slot 00:02.0 and tell no local memory."""
    if card.vendor == AMD:
        return card.chip in _APU_IDS
    return card.total_mib is None and (not card.slot or card.slot.endswith(":00:02.0"))


def _discrete(card: Card) -> Perhaps:
    """A card with its own memory. Intel's drivers often tell no size; then the data sheet of that name does."""
    from qwen_router.hardware.presets import figures_of, figures_of_name

    total_mib, notes = card.total_mib, tuple[str, ...]()
    if total_mib is None and (row := figures_of_name(card.name)) is not None:
        total_mib = row.memory_mib
        notes = (f"{card.name}: the driver tells no memory size; {total_mib / 1024:.0f} GiB are its data sheet's",)
    free_mib = total_mib - card.used_mib if total_mib is not None and card.used_mib is not None else None
    checked, doubts = room(card.name, total_mib, free_mib)
    if checked is None:
        return None, doubts
    figures = figures_of(card.name, checked.total_mib)
    device = Device(
        "",
        "rocm" if card.vendor == AMD else "xpu",
        card.name,
        checked.total_mib,
        checked.free_mib,
        bandwidth_gib_s=figures.bandwidth_gib_s if figures else None,
        compute_tflops=figures.compute_tflops if figures else None,
        power_w=figures.power_w if figures else None,
        free_known=checked.known,
    )
    return device, (*notes, *doubts)


def _shared(card: Card, main_total_mib: float, main_free_mib: float) -> Perhaps:
    """An integrated GPU: its carve-out, and the part of main memory that it may take and that is free.

    Only those with a row in machines.yaml are counted: of the others nobody says that they read faster than the processor.
    """
    from qwen_router.hardware.presets import figures_of_name

    row = figures_of_name(card.name)
    if row is None:
        return None, (f"{card.name} shares main memory and is not known to beat the processor: it is not counted",)
    own_total = card.total_mib or 0.0
    own_free = max(0.0, own_total - (card.used_mib or 0.0))
    if card.vendor == AMD:
        window = card.gtt_total_mib or 0.0
        common_free = min(max(0.0, window - (card.gtt_used_mib or 0.0)), main_free_mib)
    else:
        window = main_total_mib * INTEL_SHARE
        common_free = min(window, main_free_mib)
    checked, doubts = room(card.name, own_total + window or None, own_free + common_free)
    if checked is None:
        return None, doubts
    device = Device(
        "",
        "rocm" if card.vendor == AMD else "xpu",
        card.name,
        checked.total_mib,
        checked.free_mib,
        bandwidth_gib_s=row.bandwidth_gib_s,
        compute_tflops=row.compute_tflops,
        power_w=row.power_w,
        unified=True,
        shares_memory_with="cpu",
        own_free_mib=min(own_free, checked.free_mib) if checked.known else 0.0,
        free_known=checked.known,
    )
    return device, doubts


def _told(module: Any, function: str, *arguments: Any) -> Any:
    """What `amdsmi` answers, None where this device or version does not."""
    try:
        return getattr(module, function)(*arguments)
    except Exception:  # its classes exist only once it is loaded
        return None


def _mib(size: Any) -> float | None:
    return float(size) / MIB if isinstance(size, (int, float)) and size >= 0 else None
