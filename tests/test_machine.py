"""Reading a machine through recorded or documented shapes, presets and their sources, machine files, measuring.

No NVIDIA, AMD, Intel or Apple accelerator was at hand: the stand-ins below follow NVML's documentation and `pynvml`, the
kernel's documentation of amdgpu, i915 and xe, `amdsmi` 7.0.2's interface, and macOS's sysctl names.
"""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qwen_router.errors import InvalidMachine, UnknownName
from qwen_router.hardware import Device, Machine, detect, machine_named, preset_names
from qwen_router.hardware.detect_apple import apple_device
from qwen_router.hardware.detect_cpu import board_name, cpu_name, last_level_cache_mib, main_memory
from qwen_router.hardware.detect_drm import drm_devices
from qwen_router.hardware.detect_guard import bounded, closed, room
from qwen_router.hardware.detect_nvidia import nvidia_devices
from qwen_router.hardware.detect_pci import AMD, INTEL, product_name
from qwen_router.hardware.measure import array_size_mib, measure_bandwidth
from qwen_router.hardware.presets import figures_of, machine_yaml, preset_table, presets
from tests.conftest import REPOSITORY

MIB = 1024 * 1024
GIB = 1024 * MIB
MEMINFO = "MemTotal:       65536000 kB\nMemFree:  1 kB\nMemAvailable:   51200000 kB"


def written(root: Path, **contents: str) -> Path:
    """A made-up file system; `__` in a name stands for a slash, `_dot_` for a dot, `_dash_` for a dash."""
    for name, text in contents.items():
        path = root / name.replace("__", "/").replace("_dot_", ".").replace("_dash_", "-")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


def card(root: Path, number: int, **contents: str) -> Path:
    return written(root, **{f"sys__class__drm__card{number}__{name}": text for name, text in contents.items()})


@pytest.mark.parametrize(
    ("total", "free", "expected", "words"),
    [
        pytest.param(24_000, 20_000, (24_000, 20_000, True), "", id="plain"),
        pytest.param(24_000, 24_010, (24_000, 24_000, True), "", id="rounded-apart"),
        pytest.param(24_000, 0, (24_000, 0, True), "", id="full-is-a-figure"),
        pytest.param(24_000, None, (24_000, 21_600, False), "free memory is unknown", id="free-not-told"),
        pytest.param(24_000, 30_000, (24_000, 21_600, False), "30000 of 24000", id="more-free-than-there-is"),
        pytest.param(24_000, -1, (24_000, 21_600, False), "free memory is unknown", id="negative"),
        pytest.param(512, None, (512, 0, False), "1.0 GiB are kept back", id="smaller-than-the-reserve"),
        pytest.param(0, 0, None, "not counted", id="zero-is-unknown"),
        pytest.param(None, 5_000, None, "not counted", id="total-not-told"),
        pytest.param(2.0**44, 5_000, None, "not counted", id="all-bits-set"),
    ],
)
def test_a_doubtful_figure_is_stated_and_never_a_silent_zero(
    total: float | None, free: float | None, expected: tuple[float, float, bool] | None, words: str
) -> None:
    found, notes = room("a card", total, free)
    assert (found and (found.total_mib, found.free_mib, found.known)) == expected
    assert (words in notes[0]) if words else notes == ()


def test_a_library_that_fails_or_hangs_becomes_a_note() -> None:
    released = threading.Event()
    assert bounded(lambda: 7, name="it", timeout_s=5) == (7, ())
    assert bounded(lambda: 1 / 0, name="it", timeout_s=5) == (
        None,
        ("it could not be read (ZeroDivisionError: division by zero)",),
    )
    answer, notes = bounded(lambda: released.wait(30), name="it", timeout_s=0.05)
    released.set()
    assert answer is None and "did not answer within 0.05 s" in notes[0]


def test_main_memory_comes_from_meminfo_and_wsl_is_named(tmp_path: Path) -> None:
    root = written(tmp_path, proc__meminfo=MEMINFO, proc__version="Linux version 6.6.87.2-microsoft-standard-WSL2 (root@x)")
    total_mib, free_mib, notes = main_memory(root)
    assert (total_mib, free_mib) == (64_000, 50_000)
    assert len(notes) == 1 and "virtual machine" in notes[0]
    assert main_memory(written(tmp_path, proc__version="Linux version 6.8.0-generic"))[2] == ()


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "MemTotal: 5 kB", "MemTotal: 5 kB\nMemAvailable: 9 kB", "MemTotal: 0 kB\nMemAvailable: 0 kB"],
    ids=["empty", "odd", "old-kernel", "more-free-than-total", "zero"],
)
def test_a_meminfo_that_says_too_little_is_left_to_psutil(tmp_path: Path, text: str) -> None:
    total_mib, free_mib, _ = main_memory(written(tmp_path, proc__meminfo=text))
    assert total_mib > 100 and 0 < free_mib <= total_mib


def test_a_board_without_a_processor_name_is_named_by_its_device_tree(tmp_path: Path) -> None:
    root = written(
        tmp_path,
        proc__cpuinfo="processor\t: 0\nFeatures\t: fp asimd asimddp",
        proc__device_dash_tree__model="Radxa ROCK 5B\0",
    )
    assert board_name(root) == "Radxa ROCK 5B" == cpu_name(root)


def test_the_last_level_cache_is_counted_once_for_the_cores_that_share_it(tmp_path: Path) -> None:
    for core, sharers in ((0, "0-1"), (1, "0-1"), (2, "2-3"), (3, "2-3")):
        for index, level, kind, size, shared in (
            (0, 1, "Data", "32K", str(core)),
            (1, 1, "Instruction", "64K", str(core)),
            (3, 3, "Unified", "16M", sharers),
        ):
            place = f"sys__devices__system__cpu__cpu{core}__cache__index{index}__"
            written(
                tmp_path,
                **{place + k: str(v) for k, v in dict(level=level, type=kind, size=size, shared_cpu_list=shared).items()},
            )
    assert last_level_cache_mib(tmp_path) == 32
    assert last_level_cache_mib(tmp_path / "nothing here") is None


class NvmlError(Exception):
    pass


class Nvml:
    """Answers like pynvml for cards given as dicts: name, total and free in MiB, and `mig`, a list of instances or None."""

    def __init__(self, *cards: dict[str, Any], driver: str | None = "580.95.05") -> None:
        self.cards, self.driver, self.open = cards, driver, 0

    def nvmlInit(self) -> None:
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlSystemGetDriverVersion(self) -> str:
        if self.driver is None:
            raise NvmlError("Not Supported")
        return self.driver

    def nvmlDeviceGetCount(self) -> int:
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> dict[str, Any]:
        if "lost" in self.cards[index]:
            raise NvmlError("GPU is lost")
        return self.cards[index]

    def nvmlDeviceGetName(self, handle: dict[str, Any]) -> str:
        return str(handle["name"])

    def nvmlDeviceGetMemoryInfo(self, handle: dict[str, Any]) -> SimpleNamespace:
        if "total" not in handle:
            raise NvmlError("Not Supported")
        return SimpleNamespace(total=int(handle["total"] * MIB), free=int(handle["free"] * MIB), used=0)

    def nvmlDeviceGetCudaComputeCapability(self, handle: dict[str, Any]) -> tuple[int, int]:
        return tuple(handle.get("capability", (8, 9)))  # type: ignore[return-value]

    def nvmlDeviceGetMigMode(self, handle: dict[str, Any]) -> list[int]:
        if "mig" not in handle:
            raise NvmlError("Not Supported")
        return [int(handle["mig"] is not None), 0]

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: dict[str, Any]) -> int:
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: dict[str, Any], index: int) -> dict[str, Any]:
        if index not in handle["mig"]:
            raise NvmlError("Not Found")
        return dict(handle["mig"][index])


LISTED = {"name": "NVIDIA GeForce RTX 4090", "total": 24_564, "free": 20_000}
A100 = {"name": "NVIDIA A100-SXM4-40GB", "total": 40_960, "free": 100, "capability": (8, 0)}
SLICES = {
    0: {"name": "NVIDIA A100-SXM4-40GB MIG 3g.20gb", "total": 20_096, "free": 20_000},
    4: {"name": "NVIDIA A100-SXM4-40GB MIG 1g.5gb", "total": 4_864, "free": 4_800},
}


@pytest.mark.parametrize(
    ("cards", "expected", "words"),
    [
        pytest.param([LISTED], [("cuda0", 24_564, 20_000, True)], "driver 580.95.05", id="plain"),
        pytest.param([{**A100, "mig": None}], [("cuda0", 40_960, 100, True)], "driver", id="mig-off"),
        pytest.param(
            [{**A100, "mig": SLICES}, LISTED],
            [("cuda0.0", 20_096, 20_000, True), ("cuda0.4", 4_864, 4_800, True), ("cuda1", 24_564, 20_000, True)],
            "2 MIG instances",
            id="mig-instances-are-devices-and-the-card-is-none",
        ),
        pytest.param([{**A100, "mig": {}}], [], "without a usable instance", id="mig-without-instances"),
        pytest.param([{**LISTED, "total": 0}], [], "memory is unknown", id="zero-total"),
        pytest.param(
            [{**LISTED, "free": 30_000}], [("cuda0", 24_564, 22_107.6, False)], "30000 of 24564", id="free-above-total"
        ),
        pytest.param([{**LISTED, "total": 2**44}], [], "memory is unknown", id="all-bits-set"),
        pytest.param([{"name": "NVIDIA RTX A2000"}], [], "memory is unknown", id="memory-not-told"),
        pytest.param(
            [{"name": "NVIDIA GB10"}], [("cuda0", 64_000, 50_000, True)], "driver", id="dgx-spark-shares-main-memory"
        ),
        pytest.param([{"lost": 1}, LISTED], [("cuda1", 24_564, 20_000, True)], "device 0 could not be read", id="one-lost"),
    ],
)
def test_what_nvml_tells_becomes_devices_and_notes(
    cards: list[dict[str, Any]], expected: list[tuple[str, float, float, bool]], words: str
) -> None:
    nvml = Nvml(*cards)
    devices, notes = nvidia_devices(nvml, main_total_mib=64_000, main_free_mib=50_000)
    assert [(d.id, d.memory_total_mib, pytest.approx(d.memory_free_mib), d.free_known) for d in devices] == expected
    assert any(words in note for note in notes), notes
    assert nvml.open == 0


def test_mig_instances_are_partitions_with_a_share_of_the_card_s_figures() -> None:
    (larger, smaller), _ = nvidia_devices(Nvml({**A100, "mig": SLICES}))
    assert larger.partition and smaller.partition and larger.compute_capability == "8.0"
    assert larger.bandwidth_gib_s == pytest.approx(1555e9 / GIB * 20_096 / 40_960)
    assert smaller.power_w is None


def test_a_gpu_that_shares_main_memory_names_the_processor_and_adds_no_room() -> None:
    (spark,), _ = nvidia_devices(Nvml({"name": "NVIDIA GB10"}), main_total_mib=122_000, main_free_mib=100_000)
    assert spark.unified and spark.shares_memory_with == "cpu" and spark.bandwidth_gib_s == pytest.approx(273e9 / GIB)
    machine = Machine("m", (spark, Device("cpu", "cpu", "host", 122_000, 100_000)), cores=20, system="test")
    assert machine.free_together_mib(machine.devices) == 100_000


def test_a_jetson_without_a_working_nvml_is_known_by_its_board(tmp_path: Path) -> None:
    root = written(tmp_path, proc__device_dash_tree__model="NVIDIA Jetson AGX Orin Developer Kit\0")
    (orin,), notes = nvidia_devices(root=root, main_total_mib=62_800, main_free_mib=50_000)
    assert (orin.memory_free_mib, orin.shares_memory_with, notes) == (50_000, "cpu", ())
    assert orin.bandwidth_gib_s == pytest.approx(204.8e9 / GIB)


def test_a_driver_without_a_version_still_has_devices() -> None:
    devices, notes = nvidia_devices(Nvml(LISTED, driver=None))
    assert len(devices) == 1 and notes == ()


XTX = dict(
    device__vendor="0x1002",
    device__device="0x744c",
    device__revision="0xc8",
    device__mem_info_vram_total=str(24 * GIB),
    device__mem_info_vram_used=str(2 * GIB),
    device__mem_info_gtt_total=str(31 * GIB),
    device__mem_info_gtt_used=str(GIB),
)
HALO = dict(
    device__vendor="0x1002",
    device__device="0x1586",
    device__revision="0xc1",
    device__product_name="AMD Radeon 8060S",
    device__mem_info_vram_total=str(4 * GIB),
    device__mem_info_vram_used=str(GIB),
    device__mem_info_gtt_total=str(60 * GIB),
    device__mem_info_gtt_used="0",
)
IDS = "# List of AMDGPU IDs\n744C,\tC8,\tAMD Radeon RX 7900 XTX\n744C,\tCC,\tAMD Radeon RX 7900 XT"
ARC = dict(device__vendor="0x8086", device__device="0xe20b", device__uevent="DRIVER=xe\nPCI_SLOT_NAME=0000:03:00.0")
IGPU = dict(device__vendor="0x8086", device__device="0x64a0", device__uevent="DRIVER=xe\nPCI_SLOT_NAME=0000:00:02.0")
PCI_IDS = (
    "1002  AMD/ATI\n\t164e  Raphael\n8086  Intel Corporation\n\t4680  Alder Lake-S GT1 [UHD Graphics 770]\n"
    "\t64a0  Core Ultra 200V Series Processors Arc Graphics 130V/140V GPU\n\te20b  Battlemage G21 [Arc B580]\n"
    "\te20d  Battlemage G21 [Intel Graphics]\n9004  Adaptec"
)


def drm(root: Path, **more: Any) -> tuple[tuple[Device, ...], tuple[str, ...]]:
    written(root, usr__share__libdrm__amdgpu_dot_ids=IDS, usr__share__misc__pci_dot_ids=PCI_IDS)
    return drm_devices(root=root, main_total_mib=64_000, main_free_mib=50_000, **more)


def test_an_amd_card_has_its_memory_name_and_data_sheet(tmp_path: Path) -> None:
    card(tmp_path, 1, **XTX)
    written(tmp_path, sys__class__drm__card1_dash_DP_dash_1__status="connected", sys__class__drm__renderD128__dev="226:128")
    (found,), notes = drm(tmp_path)
    assert (found.id, found.kind, found.name) == ("rocm0", "rocm", "AMD Radeon RX 7900 XTX")
    assert (found.memory_total_mib, found.memory_free_mib, found.shares_memory_with) == (24 * 1024, 22 * 1024, None)
    assert found.bandwidth_gib_s == pytest.approx(960e9 / GIB) and notes == ()


def test_an_apu_has_its_carve_out_and_the_free_part_of_main_memory_that_the_driver_maps(tmp_path: Path) -> None:
    (found,), _ = drm(card(tmp_path, 0, **HALO))
    assert found.unified and found.shares_memory_with == "cpu" and found.own_free_mib == 3 * 1024
    assert found.memory_total_mib == 64 * 1024
    assert found.memory_free_mib == 3 * 1024 + 50_000  # GTT would map 60 GiB, but only 50,000 MiB are free
    machine = Machine("m", (found, Device("cpu", "cpu", "host", 64_000, 50_000)), cores=16, system="test")
    assert machine.free_together_mib(machine.devices) == 50_000 + 3 * 1024
    assert machine.free_together_mib(machine.devices[:1]) == found.memory_free_mib


DISCRETE = "AMD Radeon RX 7900 XTX"


@pytest.mark.parametrize(
    ("cards", "names", "words"),
    [
        pytest.param([HALO, XTX], [DISCRETE], "left out beside a discrete", id="apu-beside-a-card"),
        pytest.param([XTX, XTX], [DISCRETE, DISCRETE], "", id="two-cards"),
        pytest.param(
            [{**HALO, "device__device": "0x164e", "device__product_name": ""}], [], "Raphael shares main", id="unknown-apu"
        ),
        pytest.param([{**XTX, "device__mem_info_vram_total": "0"}], [], "memory is unknown (0 MiB)", id="zero-total"),
        pytest.param([{**XTX, "device__mem_info_vram_total": "many"}], [DISCRETE], "data sheet's", id="not-a-number"),
        pytest.param([{**XTX, "device__mem_info_vram_used": "x"}], [DISCRETE], "free memory is unknown", id="use-not-told"),
        pytest.param(
            [{**XTX, "device__mem_info_vram_used": str(40 * GIB)}],
            [DISCRETE],
            "free memory is unknown",
            id="used-above-total",
        ),
        pytest.param(
            [{**ARC, "lmem_total_bytes": str(12 * GIB)}], ["Intel Arc B580"], "free memory is unknown", id="i915-total-only"
        ),
        pytest.param([ARC], ["Intel Arc B580"], "data sheet's", id="intel-card-without-a-size"),
        pytest.param([{**ARC, "device__device": "0xe20d"}], [], "memory is unknown", id="unheard-of-intel-card"),
        pytest.param(
            [IGPU], ["Intel Core Ultra 200V Series Processors Arc Graphics 130V/140V GPU"], "", id="known-intel-igpu"
        ),
        pytest.param(
            [{**IGPU, "device__device": "0x4680"}], [], "UHD Graphics 770 shares main memory", id="weak-intel-igpu"
        ),
        pytest.param([IGPU, XTX], [DISCRETE], "left out beside", id="igpu-beside-a-card"),
        pytest.param([{"device__vendor": "0x1a03", "device__device": "0x2000"}], [], "", id="a-server-s-bmc"),
    ],
)
def test_kernel_files_become_devices_and_notes(
    tmp_path: Path, cards: list[dict[str, str]], names: list[str], words: str
) -> None:
    for number, contents in enumerate(cards):
        card(tmp_path, number, **contents)
    devices, notes = drm(tmp_path)
    assert [device.name for device in devices] == names
    assert len({device.id for device in devices}) == len(devices)
    assert any(words in note for note in notes) if words else notes == ()


def test_an_intel_card_s_memory_comes_from_i915_or_from_the_tiles_of_xe(tmp_path: Path) -> None:
    card(tmp_path, 0, **ARC, lmem_total_bytes=str(12 * GIB), lmem_avail_bytes=str(10 * GIB))
    card(
        tmp_path,
        1,
        **ARC,
        device__tile0__physical_vram_size_bytes=str(12 * GIB),
        device__tile1__physical_vram_size_bytes=str(12 * GIB),
    )
    (first, second), _ = drm(tmp_path)
    assert (first.id, first.memory_free_mib, first.free_known) == ("xpu0", 10 * 1024, True)
    assert (second.id, second.memory_total_mib, second.free_known) == ("xpu1", 24 * 1024, False)


def test_an_integrated_intel_gpu_shares_half_of_main_memory(tmp_path: Path) -> None:
    (found,), _ = drm(card(tmp_path, 0, **IGPU))
    assert (found.memory_total_mib, found.memory_free_mib) == (32_000, 32_000)
    assert found.shares_memory_with == "cpu" and found.own_free_mib == 0
    assert drm(tmp_path, discrete_besides=True)[0] == ()


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    card(tmp_path, 0, **XTX)
    blocked = tmp_path / "sys/class/drm/card0/device/mem_info_vram_total"
    blocked.unlink()
    blocked.mkdir()  # reading a folder fails like a closed file, also for root, who may read everything
    (found,), notes = drm(tmp_path)
    assert any("mem_info_vram_total cannot be read" in note for note in notes)
    assert found.memory_total_mib == 24 * 1024 and any("are its data sheet's" in note for note in notes)
    assert closed(blocked) and closed(tmp_path / "not there") is None


def test_no_right_to_open_rocm_s_door_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(card(tmp_path, 0, **XTX), dev__kfd="")
    assert drm(tmp_path)[1] == ()
    monkeypatch.setattr("os.access", lambda path, mode: False)  # the tests run as root, whom no file mode stops
    devices, notes = drm(tmp_path)
    assert len(devices) == 1 and "no permission on /dev/kfd" in notes[0]


class Amdsmi:
    """Answers like amdsmi 7.0.2: memory in bytes, `N/A` for what is not known."""

    AmdSmiMemoryType = SimpleNamespace(VRAM=0, VIS_VRAM=1, GTT=2)

    def __init__(self, *cards: dict[str, Any], hang: threading.Event | None = None, broken: bool = False) -> None:
        self.cards, self.hang, self.broken, self.open = cards, hang, broken, 0

    def amdsmi_init(self) -> None:
        if self.hang is not None:
            self.hang.wait(30)
        if self.broken:
            raise RuntimeError("AMDSMI_STATUS_DRIVER_NOT_LOADED")
        self.open += 1

    def amdsmi_shut_down(self) -> None:
        self.open -= 1

    def amdsmi_get_processor_handles(self) -> tuple[dict[str, Any], ...]:
        return self.cards

    def amdsmi_get_gpu_asic_info(self, handle: dict[str, Any]) -> dict[str, Any]:
        return {"market_name": handle["name"], "device_id": handle["chip"], "rev_id": "0xc8"}

    def amdsmi_get_gpu_memory_total(self, handle: dict[str, Any], kind: int) -> int:
        return int(handle["total"][kind])

    def amdsmi_get_gpu_memory_usage(self, handle: dict[str, Any], kind: int) -> int:
        if "used" not in handle:
            raise RuntimeError("AMDSMI_STATUS_NOT_SUPPORTED")
        return int(handle["used"][kind])

    def amdsmi_get_gpu_driver_info(self, handle: dict[str, Any]) -> dict[str, str]:
        return {"driver_name": "amdgpu", "driver_version": "6.14.14", "driver_date": "N/A"}


def test_amdsmi_adds_a_name_and_the_figures_that_the_files_lack(tmp_path: Path) -> None:
    mi300x = {"device__vendor": "0x1002", "device__device": "0x74a1", "device__revision": "0x00"}
    smi = Amdsmi(
        {"name": "AMD Instinct MI300X OAM", "chip": "0x74a1", "total": {0: 192 * GIB, 2: 0}, "used": {0: GIB, 2: 0}}
    )
    (found,), notes = drm(card(tmp_path, 1, **mi300x), amdsmi=smi)
    assert (found.name, found.memory_total_mib, found.memory_free_mib) == ("AMD Instinct MI300X OAM", 196_608, 195_584)
    assert found.compute_tflops == 1307 and notes == ("AMD driver 6.14.14",) and smi.open == 0


def test_files_come_before_amdsmi_and_a_missing_figure_stays_unknown(tmp_path: Path) -> None:
    smi = Amdsmi({"name": "N/A", "chip": "0x744c", "total": {0: 5 * GIB, 2: 0}})
    (found,), _ = drm(card(tmp_path, 0, **XTX), amdsmi=smi)
    assert (found.name, found.memory_total_mib) == ("AMD Radeon RX 7900 XTX", 24 * 1024)


def test_amdsmi_that_fails_or_hangs_leaves_the_files(tmp_path: Path) -> None:
    card(tmp_path, 0, **XTX)
    devices, notes = drm(tmp_path, amdsmi=Amdsmi(broken=True))
    assert len(devices) == 1 and "DRIVER_NOT_LOADED" in notes[0]
    released = threading.Event()
    devices, notes = drm(tmp_path, amdsmi=Amdsmi(hang=released), timeout_s=0.05)
    released.set()
    assert len(devices) == 1 and "amdsmi did not answer" in notes[0]


@pytest.mark.parametrize(
    ("vendor", "chip", "revision", "name"),
    [
        pytest.param(AMD, "744c", "c8", "AMD Radeon RX 7900 XTX", id="by-revision"),
        pytest.param(AMD, "744c", "cc", "AMD Radeon RX 7900 XT", id="another-revision"),
        pytest.param(AMD, "164e", "00", "AMD Raphael", id="chip-without-products"),
        pytest.param(INTEL, "e20b", "00", "Intel Arc B580", id="product-in-brackets"),
        pytest.param(INTEL, "ffff", "00", "Intel GPU 8086:ffff", id="in-no-list"),
    ],
)
def test_a_pci_number_becomes_a_product_name(tmp_path: Path, vendor: int, chip: str, revision: str, name: str) -> None:
    root = written(tmp_path, usr__share__libdrm__amdgpu_dot_ids=IDS, usr__share__hwdata__pci_dot_ids=PCI_IDS)
    assert product_name(root, vendor, chip, revision) == name


@pytest.mark.parametrize(
    ("values", "usable_mib", "words"),
    [
        pytest.param({}, 64_000 * 0.75, "", id="no-sysctl"),
        pytest.param({"hw.memsize": str(64 * GIB)}, 64 * 1024 * 0.75, "", id="three-quarters-above-36-gib"),
        pytest.param({"hw.memsize": str(16 * GIB)}, 16 * 1024 * 2 / 3, "", id="two-thirds-up-to-36-gib"),
        pytest.param({"hw.memsize": str(64 * GIB), "iogpu.wired_limit_mb": "60000"}, 60_000, "wired_limit", id="raised"),
        pytest.param(
            {"hw.memsize": str(64 * GIB), "iogpu.wired_limit_mb": "0"}, 64 * 1024 * 0.75, "", id="zero-is-the-default"
        ),
        pytest.param(
            {"hw.memsize": str(64 * GIB), "iogpu.wired_limit_mb": "999999"}, 64 * 1024, "wired_limit", id="above-all"
        ),
    ],
)
def test_apple_s_gpu_gets_the_share_that_metal_hands_out(values: dict[str, str], usable_mib: float, words: str) -> None:
    values = {"machdep.cpu.brand_string": "Apple M3 Max", **values}
    found, notes = apple_device(64_000, 40_000, read=lambda name: values.get(name, ""))
    assert found is not None and found.name == "Apple M3 Max" and found.shares_memory_with == "cpu"
    assert found.memory_total_mib == pytest.approx(usable_mib)
    assert found.memory_free_mib == pytest.approx(min(usable_mib, 40_000))
    assert (words in notes[0]) if words else notes == ()


@pytest.mark.parametrize(("gib", "gb_s"), [(36, 300), (64, 400), (96, 300), (128, 400)])
def test_apple_s_memory_size_tells_its_bandwidth(gib: int, gb_s: float) -> None:
    figures = figures_of("Apple M3 Max", gib * 1024)
    assert figures is not None and figures.bandwidth_gib_s == pytest.approx(gb_s * 1e9 / GIB)


def test_a_whole_machine_is_read_from_one_tree(tmp_path: Path) -> None:
    root = written(
        card(tmp_path, 0, **HALO), proc__meminfo=MEMINFO, proc__cpuinfo="model name\t: Some APU\nflags : avx2 fpu"
    )
    found = detect(root=root)
    assert [(d.id, d.unified) for d in found.devices] == [("rocm0", True), ("cpu", True)]
    assert found.pools == (found.devices,)
    assert "vector extensions: avx2" in found.notes and "(shared)" in found.summary()
    both = detect(root=root, nvml=Nvml(LISTED))
    assert [d.id for d in both.devices] == ["cuda0", "cpu"] and not both.devices[-1].unified
    mac = detect(root=root / "none", apple=lambda name: "Apple M4" if "brand" in name else "")
    assert mac.devices[0].name == "Apple M4" == mac.devices[-1].name


def test_two_cards_take_from_two_pools_and_shared_memory_once() -> None:
    cpu = Device("cpu", "cpu", "host", 64_000, 50_000)
    cards = tuple(Device(f"cuda{i}", "cuda", "card", 24_000, 20_000) for i in range(2))
    shared = Device("xpu0", "xpu", "igpu", 32_000, 30_000, unified=True, shares_memory_with="cpu")
    machine = Machine("m", (*cards, shared, cpu), cores=8, system="test")
    assert [tuple(d.id for d in pool) for pool in machine.pools] == [("cuda0",), ("cuda1",), ("xpu0", "cpu")]
    assert machine.free_together_mib(machine.devices) == 90_000
    assert machine.free_together_mib((shared,)) == 30_000
    assert machine.free_together_mib(cards) == 40_000


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_has_sources_and_sane_figures(name: str) -> None:
    preset = presets()[name]
    row = preset.row
    assert len(preset.source) > 20 and row.cores <= 256
    assert 4_000 <= preset.memory_mib <= 1_000_000 and 0.3 < preset.free_share <= 1
    assert row.bandwidth_gb_s is None or 5 < row.bandwidth_gb_s <= 10_000
    assert row.compute_tflops is None or 0.05 < row.compute_tflops <= 3_000
    assert row.power_w is None or 3 < row.power_w <= 1_500
    assert all(getattr(row, figure) is not None or figure == "memory_mib" for figure in row.estimated)
    found = machine_named(name)
    assert found.hypothetical and found.cpu is not None and found.name == name
    for device in found.devices:
        assert 0 < device.memory_free_mib <= device.memory_total_mib
        assert (device.shares_memory_with is not None) == (preset.shared and device.kind != "cpu")
    if preset.shared:
        assert len(found.pools) == 1 and found.free_together_mib(found.devices) == found.devices[0].memory_free_mib


def test_there_are_presets_of_every_kind_and_each_name_is_its_own() -> None:
    rows = {id(preset.row): preset.row for preset in presets().values()}.values()
    assert len(rows) >= 90 and len(set(preset_names())) == len(preset_names())
    assert {row.kind for row in rows} == {"cpu", "cuda", "rocm", "metal", "xpu"}
    aliases = [alias for row in rows for alias in row.aliases]
    assert len(aliases) == len(set(aliases)) and not set(aliases) & set(preset_names())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("4090", "rtx-4090", id="number"),
        pytest.param("NVIDIA GeForce RTX 4090", "rtx-4090", id="as-the-driver-says"),
        pytest.param("rtx4090 laptop", "rtx-4090-laptop", id="without-hyphens"),
        pytest.param("7900 XTX", "rx-7900-xtx", id="amd-number"),
        pytest.param("h100", "h100-80", id="alias"),
        pytest.param("8xh100-80", "8xh100-80", id="eight"),
        pytest.param("2 x H100", "2xh100-80", id="two-by-alias"),
        pytest.param("Apple M3 Max 64 GB", "m3-max-64", id="with-a-size"),
        pytest.param("strix-halo-128", "ryzen-ai-max-395-128", id="alias-with-a-size"),
        pytest.param("dgx spark", "dgx-spark", id="space"),
    ],
)
def test_other_spellings_lead_to_a_preset(text: str, name: str) -> None:
    assert machine_named(text).name == name


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        pytest.param("m3-max", UnknownName, "m3-max-36, m3-max-96", id="several-sizes-are-listed"),
        pytest.param("a100", UnknownName, "a100-40, a100-80, a100-80-pcie", id="several-products-are-listed"),
        pytest.param("strix-halo", UnknownName, "ryzen-ai-max-395-64", id="alias-of-several-sizes"),
        pytest.param("rtx-409", UnknownName, "rtx-4090", id="misspelt"),
        pytest.param("8xrtx-409", UnknownName, "rtx-4090", id="misspelt-and-multiplied"),
        pytest.param("zzzzzz", UnknownName, "docs/machines.md", id="nothing-like-it"),
        pytest.param("0xh100", InvalidMachine, "is no machine", id="none-of-it"),
        pytest.param("65xh100", InvalidMachine, "is no machine", id="too-many"),
        pytest.param("2xm3-max-64", InvalidMachine, "is no machine", id="two-shared-memories"),
        pytest.param("2xdgx-spark", InvalidMachine, "is no machine", id="two-computers"),
        pytest.param("", UnknownName, "no machine", id="nothing"),
    ],
)
def test_a_name_that_is_no_preset_says_what_there_is(text: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        machine_named(text)


def test_an_unsourced_figure_is_absent_and_said_in_no_number() -> None:
    pixel = machine_named("pixel-9-pro")
    assert pixel.devices[0].bandwidth_gib_s is None and pixel.devices[0].compute_tflops is None
    assert any("no engine here runs on it" in note for note in machine_named("orange-pi-5-16").notes)
    assert any("estimated: compute_tflops" in note for note in machine_named("rtx-3090").notes)


@pytest.mark.parametrize(
    ("name", "memory_mib", "found"),
    [
        pytest.param("NVIDIA GeForce RTX 3060", 12_288, True, id="exact"),
        pytest.param("NVIDIA GeForce RTX 3060", 6_144, False, id="no-such-size"),
        pytest.param("NVIDIA A40", 45_000, True, id="error-correction-takes-a-part"),
        pytest.param("Orin (nvgpu)", 15_600, True, id="shared-memory-by-the-nearest"),
        pytest.param("NVIDIA Unheard Of", 12_288, False, id="unheard-of"),
    ],
)
def test_figures_are_those_of_a_device_of_that_name_and_memory(name: str, memory_mib: float, found: bool) -> None:
    assert (figures_of(name, memory_mib) is not None) == found


MACHINES = [
    pytest.param(machine_named(name), id=name) for name in ("4xh100-80", "m4-pro-48", "ryzen-ai-max-395-128", "pixel-9-pro")
]
MACHINES += [
    pytest.param(Machine("odd: name", nvidia_devices(Nvml({**A100, "mig": SLICES}))[0], cores=2, system="#1"), id="mig"),
    pytest.param(
        Machine(
            "here",
            (Device("cpu", "cpu", "it's", 1.5, 0.25, 20.1, 0.5, 7.0, measured=True, free_known=False),),
            2,
            "x",
            512.5,
        ),
        id="measured",
    ),
]


@pytest.mark.parametrize("machine", MACHINES)
def test_a_machine_written_to_a_file_is_read_back_the_same(tmp_path: Path, machine: Machine) -> None:
    path = tmp_path / "saved.yaml"
    path.write_text(machine_yaml(machine), encoding="utf-8")
    again = machine_named(path)
    assert (again.name, again.devices, again.cores) == (machine.name, machine.devices, machine.cores)
    assert (again.system, again.disk_read_mib_s) == (machine.system, machine.disk_read_mib_s) and again.hypothetical


SHARED = """
name: handheld
cores: 8
devices:
  - {kind: rocm, name: an APU, memory_mib: 20000, shares_memory_with: cpu, own_free_mib: 4000}
  - {kind: cpu, name: a CPU, memory_mib: 28000, free_mib: 24000}
"""


def test_a_file_may_say_that_two_devices_share_one_memory(tmp_path: Path) -> None:
    path = tmp_path / "handheld.yaml"
    path.write_text(SHARED)
    found = machine_named(path)
    assert found.devices[0].unified and found.free_together_mib(found.devices) == 24_000 + 4_000


@pytest.mark.parametrize("other", ["gpu7", "rocm0"], ids=["no-such-device", "itself"])
def test_a_file_that_shares_with_no_other_device_is_refused(tmp_path: Path, other: str) -> None:
    path = tmp_path / "handheld.yaml"
    path.write_text(SHARED.replace("with: cpu", f"with: {other}"))
    with pytest.raises(InvalidMachine, match=f"shares memory with '{other}'"):
        machine_named(path)


@pytest.mark.parametrize(
    ("threads", "cache_mib", "available_mib", "mib"),
    [
        pytest.param(2, 32.0, 20_000, 128, id="eight-times-the-cache-together"),
        pytest.param(2, None, 20_000, 128, id="cache-unknown"),
        pytest.param(96, 384.0, 500_000, 32, id="many-cores"),
        pytest.param(4, 64.0, 1_000, 62.5, id="never-more-than-a-quarter-of-what-is-free"),
        pytest.param(64, 4.0, 20_000, 16, id="an-array-outlasts-the-call"),
    ],
)
def test_arrays_are_larger_than_the_caches(threads: int, cache_mib: float | None, available_mib: float, mib: float) -> None:
    assert array_size_mib(threads, cache_mib, available_mib) == mib


def test_bandwidth_is_that_of_all_threads_together() -> None:
    assert 0.1 < measure_bandwidth(threads=2, seconds=0.02) < 10_000


def test_the_page_s_table_has_not_drifted() -> None:
    page = (REPOSITORY / "docs" / "machines.md").read_text(encoding="utf-8")
    assert preset_table() in page, (
        "write `python -c 'from qwen_router.hardware.presets import *; print(preset_table())'` into it"
    )
