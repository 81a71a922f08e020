"""Machines by name or from a file, to plan for hardware that is not here.

`rtx-4090` is a preset of data/machines.yaml, `4xh100-80` four of another, a name that ends in .yaml or holds a slash a
file. The machines are hypothetical: nobody asks their engines. `detect.py` reads the real one.

    python -c "from qwen_router.hardware import machine_named; print(machine_named('2xh100-80').summary())"
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qwen_router.errors import InvalidMachine, UnknownName
from qwen_router.hardware.detect_apple import metal_share
from qwen_router.hardware.machine import Device, DeviceKind, Machine

GIB = 1024**3
MAX_COUNT = 64
DEFAULT_HOST_MIB = 65536
"""Main memory beside an accelerator preset: an assumption, said in the machine's notes."""
SAME_MEMORY = 0.08
"""How far a card's memory may be from its preset's: error correction takes a sixteenth of GDDR6, drivers a little more."""

FigureName = Literal["memory_mib", "bandwidth_gb_s", "compute_tflops", "power_w", "free_share"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Frozen):
    """Where figures come from, and when that was last looked at."""

    text: str = Field(min_length=10)
    checked_on: date


class Row(_Frozen):
    """One row of machines.yaml; its head says what the keys mean."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    kind: DeviceKind
    device: str
    names: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    memory_mib: float | None = Field(default=None, gt=0)
    sizes_gib: tuple[float, ...] = ()
    free_share: float | None = Field(default=None, gt=0, le=1)
    unified: bool = False
    bandwidth_gb_s: float | None = Field(default=None, gt=0)
    compute_tflops: float | None = Field(default=None, gt=0)
    compute_type: Literal["bf16", "f16", "f32"] = "bf16"
    power_w: float | None = Field(default=None, gt=0)
    cores: int = Field(default=8, gt=0)
    npu_tops: float | None = Field(default=None, gt=0)
    host_mib: float | None = Field(default=None, gt=0)
    estimated: tuple[FigureName, ...] = ()
    note: str | None = None
    sources: tuple[str, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Preset:
    """One machine to plan for: a row at one memory size, with its sources spelt out. `estimated` names derived figures."""

    name: str
    row: Row
    memory_mib: float
    free_share: float
    source: str

    @property
    def shared(self) -> bool:
        """Whether an accelerator of this preset allocates from main memory."""
        return self.row.kind == "metal" or self.row.unified

    @property
    def bandwidth_gib_s(self) -> float | None:
        return None if self.row.bandwidth_gb_s is None else self.row.bandwidth_gb_s * 1e9 / GIB


@dataclass(frozen=True, slots=True)
class Figures:
    """What a data sheet says of a device that the driver only names."""

    bandwidth_gib_s: float | None
    compute_tflops: float | None
    power_w: float | None
    memory_mib: float
    unified: bool


@lru_cache(maxsize=1)
def presets() -> dict[str, Preset]:
    import yaml

    text = files("qwen_router.hardware").joinpath("data/machines.yaml").read_text(encoding="utf-8")
    raw = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    sources = {name: Source.model_validate(source) for name, source in raw["sources"].items()}
    found: dict[str, Preset] = {}
    for row in map(Row.model_validate, raw["machines"]):
        sizes = [(row.name, row.memory_mib)] if row.memory_mib else [(f"{row.name}-{s:g}", s * 1024) for s in row.sizes_gib]
        for name, memory_mib in sizes:
            if name in found or memory_mib is None:
                raise ValueError(f"machines.yaml: {name!r} is there twice or has no memory")
            share = row.free_share or (metal_share(memory_mib) if row.kind == "metal" else 1.0)
            found[name] = Preset(name, row, memory_mib, share, "; ".join(sources[key].text for key in row.sources))
    return found


def preset_names() -> tuple[str, ...]:
    return tuple(presets())


@lru_cache(maxsize=1)
def _spellings() -> dict[str, tuple[str, ...]]:
    """Presets by every way to write them: aliases, driver's names, and both with a size. More than one: it is ambiguous."""
    found: dict[str, dict[str, None]] = {}
    for name, preset in presets().items():
        for spelling in (*preset.row.aliases, preset.row.device, *preset.row.names):
            size = name.removeprefix(preset.row.name)
            for key in {_key(spelling), _key(spelling + size)}:
                found.setdefault(key, {})[name] = None
    return {key: tuple(names) for key, names in found.items()}


_FILLER = re.compile(r"\b(nvidia|geforce|amd|radeon|intel|apple|graphics|gpu|generation|edition)\b")


def _key(name: str) -> str:
    """One spelling for many: `NVIDIA GeForce RTX 4090`, `rtx_4090` and `RTX4090` are `rtx-4090`; `64 GB` is `64`."""
    plain = re.sub(r"\(r\)|\(tm\)|\([^)]*\)", " ", name.lower())
    plain = re.sub(r"\b(\d+) ?(gb|gib|g)\b", r"\1", _FILLER.sub(" ", plain))
    plain = re.sub(r"\b(rtx|gtx|rx)(?=\d)", r"\1-", plain)
    return re.sub(r"[^a-z0-9.+/]+", "-", plain).strip("-") or name.lower()


def _rows_called(device_name: str) -> list[Preset]:
    return [presets()[name] for name in _spellings().get(_key(device_name), ())]


def _figures(preset: Preset) -> Figures:
    row = preset.row
    return Figures(preset.bandwidth_gib_s, row.compute_tflops, row.power_w, preset.memory_mib, preset.shared)


def figures_of(device_name: str, memory_mib: float) -> Figures | None:
    """The data sheet of what a driver calls `device_name`: a card of about that memory, or the nearest that shares it."""
    called = _rows_called(device_name)
    best = min(called, key=lambda preset: abs(preset.memory_mib - memory_mib), default=None)
    if best is None or (not best.shared and abs(best.memory_mib - memory_mib) > SAME_MEMORY * best.memory_mib):
        return None
    return _figures(best)


def figures_of_name(device_name: str) -> Figures | None:
    """The same where the memory is not known: only if the name leaves one size, or the size does not matter."""
    called = _rows_called(device_name)
    return _figures(called[0]) if called and (called[0].shared or len(called) == 1) else None


def machine(name_or_path: str | Path) -> Machine:
    """A preset, `N x` a preset, or a YAML file. Raises UnknownName or InvalidMachine."""
    text = str(name_or_path).strip()
    path = Path(text)
    if path.is_file() or path.suffix.lower() in (".yaml", ".yml", ".json") or "/" in text or "\\" in text:
        return _from_file(path)
    matched = re.fullmatch(r"(?:(\d{1,3})\s*x\s*)?(\S.*)", text.lower())
    count, name = (int(matched[1] or 1), matched[2]) if matched else (1, text)
    preset = _preset(name)
    if not 1 <= count <= MAX_COUNT or (count > 1 and (preset.row.kind == "cpu" or preset.shared)):
        raise InvalidMachine(f"{text!r}: {count} x {name!r} is no machine", fix=f"1 to {MAX_COUNT} discrete accelerators")
    return _from_preset(preset, count)


def _preset(name: str) -> Preset:
    """The preset of that name, alias or driver's name, `rtx-` or `rx-` left out or not; else the one that starts with it."""
    known = presets()
    spellings = (name, _key(name), f"rtx-{_key(name)}", f"rx-{_key(name)}")
    for spelling in spellings:
        if spelling in known:
            return known[spelling]
    meant = next((found for spelling in spellings if (found := _spellings().get(spelling))), None)
    meant = meant or tuple(other for other in known if other.startswith(f"{_key(name)}-"))
    if len(meant) == 1:
        return known[meant[0]]
    if meant:
        listed = ", ".join(meant[:8])
        raise UnknownName(f"{name!r} names several machines", fix=f"one of {listed}", name=name, close=meant[:3])
    raise UnknownName.among(name, known, kind="machine", listing="a name of docs/machines.md, or a YAML file")


def _from_preset(preset: Preset, count: int) -> Machine:
    row = preset.row
    usable_mib = preset.memory_mib * preset.free_share
    devices = [
        Device(
            id="cpu" if row.kind == "cpu" else f"{row.kind}{index}",
            kind=row.kind,
            name=row.device,
            memory_total_mib=usable_mib if preset.shared else preset.memory_mib,
            memory_free_mib=usable_mib,
            bandwidth_gib_s=preset.bandwidth_gib_s,
            compute_tflops=row.compute_tflops,
            power_w=row.power_w,
            unified=preset.shared,
            shares_memory_with="cpu" if preset.shared else None,
        )
        for index in range(count)
    ]
    notes = [f"figures: {preset.source}"]
    if row.compute_tflops is not None and row.kind != "cpu" and row.compute_type != "bf16":
        notes.append(f"compute is {row.compute_type}")
    if row.estimated:
        notes.append(f"estimated: {', '.join(row.estimated)}")
    if preset.shared:  # what one process may take is all that is planned with: the processor gets no more than the GPU
        devices.append(Device("cpu", "cpu", f"host of {row.device}", preset.memory_mib, usable_mib, unified=True))
    elif row.kind != "cpu":
        host_mib = row.host_mib or DEFAULT_HOST_MIB
        devices.append(Device("cpu", "cpu", "host of the preset", host_mib, host_mib * 0.9))
        if row.host_mib is None:
            notes.append(f"{DEFAULT_HOST_MIB // 1024} GiB of main memory beside the accelerators are assumed")
    if row.npu_tops is not None:
        notes.append(f"its NPU ({row.npu_tops:g} TOPS int8) is not counted: no engine here runs on it")
    if row.note:
        notes.append(row.note)
    return Machine(
        name=preset.name if count == 1 else f"{count}x{preset.name}",
        devices=tuple(devices),
        cores=row.cores,
        system="preset",
        hypothetical=True,
        notes=tuple(notes),
    )


def preset_table() -> str:
    """The table of docs/machines.md: a line a row of machines.yaml. A test compares the page with it."""
    lines = ["| preset | device | kind | GiB | GB/s | TFLOPS | W |", "|---|---|---|---|---|---|---|"]
    seen: dict[int, list[Preset]] = {}
    for preset in presets().values():
        seen.setdefault(id(preset.row), []).append(preset)
    for group in seen.values():
        row = group[0].row
        name = f"`{row.name}`" if len(group) == 1 and group[0].name == row.name else f"`{row.name}-` size"
        figures = {"bandwidth_gb_s": row.bandwidth_gb_s, "compute_tflops": row.compute_tflops, "power_w": row.power_w}
        cells = ["" if v is None else f"{'~' if k in row.estimated else ''}{v:g}" for k, v in figures.items()]
        if row.compute_tflops is not None and row.compute_type != "bf16":
            cells[1] += f" {row.compute_type}"
        sizes = ", ".join(f"{preset.memory_mib / 1024:.3g}" for preset in group)
        kind = f"{row.kind}, shared" if group[0].shared else row.kind
        lines.append(f"| {name} | {row.device} | {kind} | {sizes} | {' | '.join(cells)} |")
    return "\n".join(lines)


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
    measured: bool = False
    unified: bool = False
    shares_memory_with: str | None = None
    own_free_mib: float = Field(default=0.0, ge=0)
    free_known: bool = True
    partition: bool = False
    compute_capability: str | None = None


class MachineFile(_Frozen):
    """A user's machine file."""

    name: str
    cores: int = Field(gt=0)
    system: str = "unknown"
    disk_read_mib_s: float | None = Field(default=None, gt=0)
    devices: tuple[DeviceFile, ...] = Field(min_length=1)


def machine_yaml(machine: Machine) -> str:
    """The machine as a file that `machine` reads again: devices and cores, without what engines serve and without notes."""
    import yaml

    devices = []
    for device in machine.devices:
        row: dict[str, Any] = {"id": device.id, "kind": device.kind, "name": device.name}
        row |= {"memory_mib": device.memory_total_mib, "free_mib": device.memory_free_mib}
        for name, field in DeviceFile.model_fields.items():
            if name not in row and getattr(device, name) != field.default:
                row[name] = getattr(device, name)
        devices.append(row)
    body: dict[str, Any] = {"name": machine.name, "cores": machine.cores, "system": machine.system}
    if machine.disk_read_mib_s is not None:
        body["disk_read_mib_s"] = machine.disk_read_mib_s
    return str(yaml.safe_dump(body | {"devices": devices}, sort_keys=False, allow_unicode=True, width=120))


def _from_file(path: Path) -> Machine:
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidMachine(f"machine file {str(path)!r} cannot be read ({error})", fix="a readable YAML file") from error
    try:
        raw = yaml.safe_load(text)
        if not isinstance(raw, dict):
            what = "is empty" if raw is None else f"holds {type(raw).__name__}, not keys"
            raise InvalidMachine(f"{path} {what}", fix="qwen-router hardware --machine rtx-4090 --save my.yaml")
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
    for device, own in zip(parsed.devices, ids, strict=True):
        if device.free_mib is not None and device.free_mib > device.memory_mib:
            problem = f"{path}: {device.name!r} has more memory free ({device.free_mib}) than there is ({device.memory_mib})"
            raise InvalidMachine(problem, fix="free_mib at most memory_mib")
        other = device.shares_memory_with
        if other is not None and (other not in ids or other == own):
            problem = f"{path}: {device.name!r} shares memory with {other!r}, which is no other device"
            raise InvalidMachine(problem, fix=f"one of {', '.join(i for i in ids if i != own) or 'no device'}")
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
    same = {name: getattr(row, name) for name in DeviceFile.model_fields if name not in ("id", "memory_mib", "free_mib")}
    same["unified"] = row.unified or row.shares_memory_with is not None
    free_mib = row.memory_mib if row.free_mib is None else row.free_mib
    return Device(id=device_id, memory_total_mib=row.memory_mib, memory_free_mib=free_mib, **same)


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
