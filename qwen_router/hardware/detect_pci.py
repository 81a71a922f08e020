"""The product names of PCI display devices, from the lists that Linux distributions ship; AMD's and Intel's only.

libdrm's `amdgpu.ids` tells cards of one chip apart by revision; `pci.ids` names the chip and, in brackets, its products.

    python -c "from qwen_router.hardware.detect_pci import *; print(product_name(Path('/'), AMD, '73bf', 'c1'))"
"""

from __future__ import annotations

import re
from pathlib import Path

from qwen_router.hardware.detect_guard import text

AMD, INTEL = 0x1002, 0x8086


def product_name(root: Path, vendor: int, chip: str, revision: str) -> str:
    """The product's name from libdrm's list (AMD, by revision) or the PCI list; else the bare number."""
    if vendor == AMD:
        for line in text(root / "usr/share/libdrm/amdgpu.ids").splitlines():
            fields = [field.strip() for field in line.split(",", 2)]
            if len(fields) == 3 and fields[0].lower() == chip and fields[1].lower().zfill(2) == revision.zfill(2):
                return fields[2]
    for place in ("usr/share/hwdata/pci.ids", "usr/share/misc/pci.ids"):
        name = _listed(text(root / place), f"{vendor:04x}", chip)
        if name:
            return name
    return f"{'AMD' if vendor == AMD else 'Intel'} GPU {vendor:04x}:{chip}"


def _listed(listing: str, vendor: str, chip: str) -> str:
    """A device's name in a `pci.ids` text: the product in brackets where there is one (`DG2 [Arc A770]`)."""
    _, found, rest = f"\n{listing}".partition(f"\n{vendor}  ")
    block = re.split(r"\n(?=[0-9a-fA-F])", rest, maxsplit=1)[0] if found else ""
    line = re.search(rf"^\t{chip}  (.+)$", block, re.MULTILINE)
    if line is None:
        return ""
    product = re.search(r"\[([^\]]+)\]", line[1])
    return f"{'AMD' if vendor == '1002' else 'Intel'} {(product[1] if product else line[1]).removeprefix('Intel ')}"
