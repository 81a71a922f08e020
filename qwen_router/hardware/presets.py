"""Machines by name or from a file, to plan for hardware that is not here.

`rtx-4090` is a preset of data/machines.yaml, `4xh100-80` four of another, a name that ends in .yaml or holds a slash a
file. The machines are hypothetical: nobody asks their engines. `detect.py` reads the real one.

    python -c "from qwen_router.hardware import machine_named; print(machine_named('2xh100-80').summary())"
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qwen_router.errors import InvalidMachine, UnknownName
from qwen_router.hardware.machine import Device, DeviceKind, Machine

MIB = 1024 * 1024
GIB = 1024**3
MAX_COUNT = 64
DEFAULT_HOST_MIB = 65536
"""Main memory beside an accelerator preset: an assumption, said in the machine's notes."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Preset(_Frozen):
    """One row of machines.yaml."""

    name: str
    kind: DeviceKind
    device: str
    memory_mib: float = Field(gt=0)
    free_share: float = Field(default=1.0, gt=0, le=1)
    bandwidth_gb_s: float = Field(gt=0)
    compute_tflops: float = Field(gt=0)
    power_w: float | None = Field(default=None, gt=0)
    cores: int = Field(default=8, gt=0)
    estimate: bool = False
    source: str = Field(min_length=10)


class DeviceFile(_Frozen):
    """One device of a user's machine file."""

    id: str | None = None
    kind: DeviceKind
    name: str
    memory_mib: float = Field(gt=0)
    free_mib: float | None = Field(default=None, ge=0)
    bandwidth_gib_s: float | None = Field(default=None, gt=0)
    compute_tflops: float | None = Field(default=None, gt=0)
    power_w: float | None = Field(default=None, gt=0)
    unified: bool = False


class MachineFile(_Frozen):
    """A user's machine file."""

    name: str
    cores: int = Field(gt=0)
    system: str = "unknown"
    disk_read_mib_s: float | None = Field(default=None, gt=0)
    devices: tuple[DeviceFile, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a data sheet says of a device that the driver only names."""

    bandwidth_gib_s: float
    compute_tflops: float
    power_w: float | None


@lru_cache(maxsize=1)
def presets() -> dict[str, Preset]:
    import yaml

    text = files("qwen_router.hardware").joinpath("data/machines.yaml").read_text(encoding="utf-8")
    rows = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["machines"]
    return {row["name"]: Preset.model_validate(row) for row in rows}


def preset_names() -> tuple[str, ...]:
    return tuple(presets())


def figures_of(device_name: str, memory_mib: float) -> Figures | None:
    """The data-sheet figures of what NVML calls `device_name`, if a preset has that name and about that memory."""
    for preset in presets().values():
        if preset.device == device_name and abs(preset.memory_mib - memory_mib) < 0.05 * preset.memory_mib:
            return Figures(preset.bandwidth_gb_s * 1e9 / GIB, preset.compute_tflops, preset.power_w)
    return None


def machine(name_or_path: str | Path) -> Machine:
    """A preset, `N x` a preset, or a YAML file. Raises UnknownName or InvalidMachine."""
    text = str(name_or_path).strip()
    path = Path(text)
    if path.suffix.lower() in (".yaml", ".yml") or "/" in text or "\\" in text:
        return _from_file(path)
    matched = re.fullmatch(r"(?:(\d{1,3})x)?(.+)", text.lower())
    count, name = (int(matched[1] or 1), matched[2]) if matched else (1, text)
    preset = presets().get(name)
    if preset is None:
        raise UnknownName.among(name, presets(), kind="machine")
    if not 1 <= count <= MAX_COUNT or (count > 1 and preset.kind in ("cpu", "metal")):
        raise InvalidMachine(f"{text!r}: {count} x {name!r} is no machine", fix=f"1 to {MAX_COUNT} discrete accelerators")
    return _from_preset(preset, count)


def _from_preset(preset: Preset, count: int) -> Machine:
    bandwidth = preset.bandwidth_gb_s * 1e9 / GIB
    free_mib = preset.memory_mib * preset.free_share
    unified = preset.kind == "metal"
    first = "cpu" if preset.kind == "cpu" else preset.kind
    devices = [
        Device(
            id=first if first == "cpu" else f"{first}{index}",
            kind=preset.kind,
            name=preset.device,
            memory_total_mib=free_mib if unified else preset.memory_mib,
            memory_free_mib=free_mib,
            bandwidth_gib_s=bandwidth,
            compute_tflops=preset.compute_tflops,
            power_w=preset.power_w,
            unified=unified,
        )
        for index in range(count)
    ]
    notes = [f"figures: {preset.source}"]
    if preset.kind not in ("cpu", "metal"):
        devices.append(Device("cpu", "cpu", "host of the preset", DEFAULT_HOST_MIB, DEFAULT_HOST_MIB * 0.9))
        notes.append(f"{DEFAULT_HOST_MIB // 1024} GiB of main memory beside the accelerators are assumed")
    return Machine(
        name=preset.name if count == 1 else f"{count}x{preset.name}",
        devices=tuple(devices),
        cores=preset.cores,
        system="preset",
        hypothetical=True,
        notes=tuple(notes),
    )


def _from_file(path: Path) -> Machine:
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidMachine(f"machine file {str(path)!r} cannot be read ({error})", fix="a readable YAML file") from error
    try:
        raw = yaml.safe_load(text)
        parsed = MachineFile.model_validate(raw)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark is not None else "somewhere"
        raise InvalidMachine(f"{path}: {where} is not YAML", fix="check indentation and colons there") from error
    except ValidationError as error:
        raise _explained(path, text, error) from error
    ids = [device.id or (device.kind + ("" if device.kind == "cpu" else str(i))) for i, device in enumerate(parsed.devices)]
    if len(set(ids)) != len(ids):
        raise InvalidMachine(f"{path}: two devices are called {ids!r}", fix="give each device its own id")
    for device in parsed.devices:
        if device.free_mib is not None and device.free_mib > device.memory_mib:
            problem = f"{path}: {device.name!r} has more memory free ({device.free_mib}) than there is ({device.memory_mib})"
            raise InvalidMachine(problem, fix="free_mib at most memory_mib")
    return Machine(
        name=parsed.name,
        devices=tuple(_device(device, name) for device, name in zip(parsed.devices, ids, strict=True)),
        cores=parsed.cores,
        system=parsed.system,
        disk_read_mib_s=parsed.disk_read_mib_s,
        hypothetical=True,
        notes=(f"read from {path.name}",),
    )


def _device(row: DeviceFile, device_id: str) -> Device:
    free_mib = row.memory_mib if row.free_mib is None else row.free_mib
    return Device(
        id=device_id,
        kind=row.kind,
        name=row.name,
        memory_total_mib=row.memory_mib,
        memory_free_mib=free_mib,
        bandwidth_gib_s=row.bandwidth_gib_s,
        compute_tflops=row.compute_tflops,
        power_w=row.power_w,
        unified=row.unified,
    )


def _explained(path: Path, text: str, error: ValidationError) -> InvalidMachine:
    """Say file, line and key of the first thing that is wrong, and the key that was probably meant."""
    import yaml

    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")  # a typo explains what is missing
    location = tuple(first["loc"])
    key = ".".join(str(part) for part in location) or "the file"
    line = _line_of(yaml.compose(text), location)
    fix = f"{first['msg'].lower()}"
    if first["type"] == "extra_forbidden":
        known = DeviceFile.model_fields if "devices" in location else MachineFile.model_fields
        fix = UnknownName.among(str(location[-1]), known, kind="key").fix
    return InvalidMachine(f"{path}, line {line}: {key!r} is wrong ({first['msg']})", fix=fix)


def _line_of(node: Any, location: tuple[int | str, ...]) -> int:
    """The line of the value that `location` leads to, or of the deepest part of it that exists."""
    import yaml

    line = 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                return line
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return line
    return line
