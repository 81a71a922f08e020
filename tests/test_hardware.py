"""The machine as a value: detection from made-up systems, presets and files, placement, speed."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from qwen_router.catalog import Catalog
from qwen_router.errors import InvalidMachine, UnknownName
from qwen_router.hardware import (
    Device,
    Machine,
    detect,
    fit,
    machine_named,
    preset_names,
)
from qwen_router.hardware.detect import cgroup_cpus, cgroup_memory, cpu_name, instruction_sets, nvidia_devices
from qwen_router.hardware.measure import measure_bandwidth, measure_compute, with_measured
from qwen_router.hardware.presets import presets

MIB = 1024 * 1024
CATALOG = Catalog.load()


def root_with(tmp_path: Path, **contents: str) -> Path:
    """A made-up file system; `__` in a name stands for a slash, `_dot_` for a dot."""
    for name, text in contents.items():
        path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return tmp_path


def gpu(number: int, *, free_mib: float = 80_000, name: str = "H100") -> Device:
    return Device(f"cuda{number}", "cuda", name, 81_559, free_mib, bandwidth_gib_s=3120, compute_tflops=989, power_w=700)


CPU = Device("cpu", "cpu", "a CPU", 32_768, 30_000)


def made_up(*devices: Device) -> Machine:
    return Machine("made up", devices, cores=8, system="test")


def test_this_machine_is_read_and_free_never_exceeds_total() -> None:
    found = detect()
    assert found.cpu is not None and found.cores >= 1 and not found.hypothetical
    for device in found.devices:
        assert 0 <= device.memory_free_mib <= device.memory_total_mib
        assert not device.measured
    assert "GiB free" in found.summary()


def test_a_version_2_container_limit_is_the_total_and_reclaimable_cache_is_free(tmp_path: Path) -> None:
    root = root_with(
        tmp_path,
        proc__self__cgroup="0::/pods/one",
        sys__fs__cgroup__pods__one__memory_dot_max=str(512 * MIB),
        sys__fs__cgroup__pods__one__memory_dot_current=str(300 * MIB),
        sys__fs__cgroup__pods__one__memory_dot_stat=f"anon 5\ninactive_file {100 * MIB}",
        sys__fs__cgroup__pods__memory_dot_max=str(2048 * MIB),
        sys__fs__cgroup__pods__one__cpu_dot_max="150000 100000",
    )
    assert cgroup_memory(root) == (512, 200)
    assert cgroup_cpus(root) == 1.5
    found = detect(root=root)
    assert found.cpu is not None
    assert found.cpu.memory_total_mib == 512 and found.cpu.memory_free_mib <= 312
    assert any("container limits memory" in note for note in found.notes)


def test_a_tighter_limit_further_up_counts(tmp_path: Path) -> None:
    root = root_with(
        tmp_path,
        proc__self__cgroup="0::/outer/inner",
        sys__fs__cgroup__outer__inner__memory_dot_max="max",
        sys__fs__cgroup__outer__memory_dot_max=str(256 * MIB),
        sys__fs__cgroup__outer__memory_dot_current=str(56 * MIB),
        sys__fs__cgroup__outer__inner__cpu_dot_max="max 100000",
    )
    assert cgroup_memory(root) == (256, 56)
    assert cgroup_cpus(root) is None


def test_a_version_1_container_limit_is_read(tmp_path: Path) -> None:
    root = root_with(
        tmp_path,
        proc__self__cgroup="7:memory:/docker/a\n3:cpu,cpuacct:/docker/a",
        sys__fs__cgroup__memory__docker__a__memory_dot_limit_in_bytes=str(1024 * MIB),
        sys__fs__cgroup__memory__docker__a__memory_dot_usage_in_bytes=str(24 * MIB),
    )
    cpu_folder = root / "sys/fs/cgroup/cpu,cpuacct/docker/a"
    cpu_folder.mkdir(parents=True)
    (cpu_folder / "cpu.cfs_quota_us").write_text("200000\n")
    (cpu_folder / "cpu.cfs_period_us").write_text("100000\n")
    assert cgroup_memory(root) == (1024, 24)
    assert cgroup_cpus(root) == 2


@pytest.mark.parametrize(
    "limit", ["9223372036854771712", "max", "nonsense", ""], ids=["v1-unlimited", "v2-unlimited", "odd", "empty"]
)
def test_no_limit_is_none_and_not_a_number(tmp_path: Path, limit: str) -> None:
    root = root_with(tmp_path, proc__self__cgroup="0::/", sys__fs__cgroup__memory_dot_max=limit)
    assert cgroup_memory(root) == (None, None)
    assert cgroup_memory(tmp_path / "nothing here") == (None, None)


def test_the_processor_s_name_and_vector_sets_come_from_cpuinfo(tmp_path: Path) -> None:
    root = root_with(tmp_path, proc__cpuinfo="model name\t: Some CPU @ 3GHz\nflags\t\t: fpu avx2 f16c sse")
    assert cpu_name(root) == "Some CPU @ 3GHz"
    assert instruction_sets(root) == ("avx2", "f16c")


class FakeNvml:
    """Answers like pynvml of nvidia-ml-py 13 for two devices; the second does not tell its power limit.

    The shapes follow NVML's documentation (nvmlMemory_t in bytes, milliwatts, str names); no GPU was at hand.
    """

    class NVMLError(Exception):
        pass

    def __init__(self) -> None:
        self.open = 0

    def nvmlInit(self) -> None:
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, handle: int) -> str | bytes:
        return b"NVIDIA GeForce RTX 4090" if handle == 0 else "NVIDIA Unheard Of"

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:
        return SimpleNamespace(total=24564 * MIB, free=(20000 + handle) * MIB, used=4564 * MIB)

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: int) -> int:
        if handle == 1:
            raise self.NVMLError("Not Supported")
        return 400_000


def test_nvidia_devices_have_the_driver_s_memory_and_the_data_sheet_s_speed() -> None:
    nvml = FakeNvml()
    (known, unknown), notes = nvidia_devices(nvml)
    assert notes == () and nvml.open == 0
    assert (known.id, known.memory_total_mib, known.memory_free_mib, known.power_w) == ("cuda0", 24564, 20000, 400)
    assert known.bandwidth_gib_s == pytest.approx(1008e9 / 1024**3) and not known.measured
    assert (unknown.bandwidth_gib_s, unknown.compute_tflops, unknown.power_w) == (None, None, None)
    assert detect(nvml=FakeNvml()).accelerators[0].kind == "cuda"


def test_a_driver_that_fails_is_a_note() -> None:
    class Broken(FakeNvml):
        def nvmlInit(self) -> None:
            raise self.NVMLError("Driver/library version mismatch")

    devices, notes = nvidia_devices(Broken())
    assert devices == () and "version mismatch" in notes[0]


def test_a_driver_that_hangs_does_not_hang_us() -> None:
    released = threading.Event()

    class Hung(FakeNvml):
        def nvmlInit(self) -> None:
            released.wait(30)

    devices, notes = nvidia_devices(Hung(), timeout_s=0.05)
    released.set()
    assert devices == () and "did not answer within 0.05 s" in notes[0]


def test_measuring_gives_figures_and_marks_them() -> None:
    assert measure_bandwidth(threads=1, seconds=0.01) > 0.1
    assert measure_compute(seconds=0.01, width=128) > 0
    measured = with_measured(made_up(CPU, gpu(0)))
    assert [device.measured for device in measured.devices] == [True, False]


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_sourced_and_plans(name: str) -> None:
    found = machine_named(name)
    assert found.hypothetical and len(presets()[name].source) > 20
    answer = fit(CATALOG.get("Qwen/Qwen3-0.6B"), "q4_K_M", 1024, "llamacpp", found)
    assert answer.fits and answer.decode_tps is not None and answer.decode_tps > 1


def test_a_number_before_x_multiplies_a_preset() -> None:
    four = machine_named("4xh100-80")
    assert [device.id for device in four.accelerators] == ["cuda0", "cuda1", "cuda2", "cuda3"]
    assert four.name == "4xh100-80" and four.cpu is not None


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        pytest.param("rtx-409", UnknownName, "rtx-4090", id="close-match"),
        pytest.param("2xrtx-409", UnknownName, "rtx-4090", id="close-match-multiplied"),
        pytest.param("0xrtx-4090", InvalidMachine, "is no machine", id="none-of-it"),
        pytest.param("2xcpu-laptop-16", InvalidMachine, "is no machine", id="two-main-memories"),
        pytest.param("not/there.yaml", InvalidMachine, "cannot be read", id="missing-file"),
    ],
)
def test_an_unknown_machine_names_what_was_meant(name: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        machine_named(name)


GOOD = """
name: workstation
cores: 16
devices:
  - kind: cuda
    name: a card
    memory_mib: 16000
    free_mib: 15000
  - kind: cpu
    name: a CPU
    memory_mib: 64000
"""


def test_a_machine_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    found = machine_named(str(path))
    assert [(d.id, d.memory_free_mib) for d in found.devices] == [("cuda0", 15000), ("cpu", 64000)]
    assert found.hypothetical and found.cores == 16


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        pytest.param("memory_mib: 16000", "memory_mb: 16000", "line 7.*devices.0.memory_mb.*memory_mib", id="misspelt-key"),
        pytest.param("cores: 16", "coers: 16", "line 3.*coers.*cores", id="misspelt-key-on-top"),
        pytest.param("memory_mib: 16000", "memory_mib: -1", "line 7.*devices.0.memory_mib", id="negative-memory"),
        pytest.param("kind: cuda", "kind: coda", "line 5.*devices.0.kind", id="unknown-kind"),
        pytest.param("free_mib: 15000", "free_mib: 17000", "more memory free", id="more-free-than-there-is"),
        pytest.param("name: a card", "name: [a card", "line", id="not-yaml"),
        pytest.param("kind: cpu", "id: cuda0\n    kind: cpu", "two devices", id="one-id-twice"),
    ],
)
def test_a_typo_in_a_machine_file_is_named_with_line_and_key(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(InvalidMachine, match=words):
        machine_named(path)
