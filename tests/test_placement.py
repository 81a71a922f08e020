"""Where builds go and how fast they are there: whole, cut between layers, several devices, calibrated by replies."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_router.catalog import Catalog
from qwen_router.hardware import (
    Calibration,
    Device,
    Machine,
    MemoryLine,
    fit,
    longest_context,
    machine_named,
    memory_line,
    place,
    placed_speed,
)
from qwen_router.hardware.calibration import KNOWN_AFTER_REPLIES, fingerprint
from qwen_router.hardware.placement import ACCELERATOR_RESERVE_MIB, capacity_mib, usable_mib
from qwen_router.hardware.speed import share_flop, share_read_mib

CATALOG = Catalog.load()


def gpu(number: int, *, free_mib: float = 80_000, name: str = "H100") -> Device:
    return Device(f"cuda{number}", "cuda", name, 81_559, free_mib, bandwidth_gib_s=3120, compute_tflops=989, power_w=700)


CPU = Device("cpu", "cpu", "a CPU", 65_536, 60_000, bandwidth_gib_s=50, compute_tflops=1)
SHARED = Device("metal0", "metal", "shared", 24_000, 24_000, bandwidth_gib_s=300, compute_tflops=14, unified=True)


def made_up(*devices: Device) -> Machine:
    return Machine("made up", devices, cores=8, system="test")


def line_of(name: str, quant: str = "q4_K_M", engine: str = "llamacpp") -> MemoryLine:
    return memory_line(CATALOG.get(name), quant=quant, engine=engine)


# Qwen3-8B at Q4_K_M takes 4.9 GiB and a bit, Qwen3-32B 19 GiB, each with 8,192 tokens about 1.2 and 2 GiB more.
@pytest.mark.parametrize(
    ("machine", "model", "devices", "layers"),
    [
        pytest.param(made_up(gpu(0), CPU), "Qwen3-8B", "cuda0", 36, id="one-gpu"),
        pytest.param(made_up(gpu(0, free_mib=5_000), gpu(1), CPU), "Qwen3-8B", "cuda1", 36, id="the-gpu-with-room"),
        pytest.param(
            made_up(gpu(0, free_mib=14_000), gpu(1, free_mib=14_000), CPU), "Qwen3-32B", "cuda1+cuda0", 64, id="over-two"
        ),
        pytest.param(
            made_up(gpu(0, free_mib=16_000), gpu(1, free_mib=9_000, name="other"), CPU),
            "Qwen3-32B",
            "cuda1+cuda0",
            64,
            id="over-two-unequal-ones",
        ),
        pytest.param(made_up(gpu(0, free_mib=1_100), CPU), "Qwen3-8B", "cpu", 0, id="main-memory"),
        pytest.param(made_up(SHARED, CPU), "Qwen3-8B", "metal0", 36, id="shared-memory"),
        pytest.param(made_up(gpu(0, free_mib=6_000)), "Qwen3-32B", "", 0, id="nothing-beside-the-gpu"),
        pytest.param(made_up(gpu(0, free_mib=7_000)), "Qwen3-8B", "", 0, id="a-reserve-stays-free-on-a-gpu"),
    ],
)
def test_a_build_goes_where_it_fits(machine: Machine, model: str, devices: str, layers: int) -> None:
    found = place(line_of(model), 8192, machine)
    assert (found.device_ids, found.accelerator_layers) == (devices, layers)
    assert found.fits == bool(devices) and "GiB" in found.reason


def test_what_has_no_room_on_the_gpu_stays_in_main_memory_layer_by_layer() -> None:
    model = CATALOG.get("Qwen3-32B")
    here = made_up(gpu(0, free_mib=12_000), CPU)
    found = place(line_of("Qwen3-32B"), 8192, here)
    host, card = found.shares
    assert (host.device.id, card.device.id) == ("cpu", "cuda0")
    assert host.first == 0 and host.last == card.first and card.last == 64 and card.output and not host.output
    assert card.mib <= usable_mib(here.devices[0]) < card.mib + line_of("Qwen3-32B").layer_mib(8192)[0]
    assert f"{card.layers} of 64 layers" in found.reason
    answer = fit(model, "q4_K_M", 8192, "llamacpp", here)
    whole = fit(model, "q4_K_M", 8192, "llamacpp", made_up(gpu(0), CPU))
    alone = fit(model, "q4_K_M", 8192, "llamacpp", made_up(CPU))
    assert answer.decode_tps and whole.decode_tps and alone.decode_tps
    assert alone.decode_tps < answer.decode_tps < whole.decode_tps
    assert answer.accelerator_layers == card.layers and answer.layers == 64


def test_an_engine_that_cannot_cut_takes_one_device_or_none() -> None:
    here = made_up(gpu(0, free_mib=12_000))
    line = memory_line(CATALOG.get("Qwen3-8B"), quant="bf16", engine="onnx")
    assert not line.can_be_cut and not place(line, 8192, here).fits


@settings(max_examples=80, deadline=None)
@given(
    name=st.sampled_from(["Qwen3-0.6B", "Qwen3-8B", "Qwen3-30B-A3B", "Qwen3.5-27B"]),
    frees=st.lists(st.floats(0, 81_559), max_size=4),
    cpu_free=st.floats(0, 60_000),
    context=st.sampled_from([512, 8192, 32_768]),
    more=st.floats(0, 50_000),
)
def test_more_memory_never_turns_a_fit_into_a_refusal_and_no_device_is_overfilled(
    name: str, frees: list[float], cpu_free: float, context: int, more: float
) -> None:
    before = made_up(*(gpu(i, free_mib=free) for i, free in enumerate(frees)), replace(CPU, memory_free_mib=cpu_free))
    after = replace(
        before, devices=tuple(replace(device, memory_free_mib=device.memory_free_mib + more) for device in before.devices)
    )
    line = line_of(name)
    found = place(line, context, before)
    assert found.fits <= place(line, context, after).fits
    for share in found.shares:
        assert share.mib <= usable_mib(share.device) * (1 + 1e-9)
    if found.fits:
        covered = [layer for share in found.shares for layer in range(share.first, share.last)]
        assert covered == list(range(line.layers)) and sum(share.output for share in found.shares) == 1
        assert line.total_mib(context) <= capacity_mib(before) * (1 + 1e-9)
        assert longest_context(line, before, limit_tokens=32_768) >= context


def test_the_reserve_is_only_for_discrete_accelerators() -> None:
    assert capacity_mib(made_up(SHARED)) == 24_000
    assert capacity_mib(made_up(gpu(0, free_mib=12_000))) == 12_000 - ACCELERATOR_RESERVE_MIB


def test_the_parts_of_a_cut_build_read_and_compute_what_the_whole_does() -> None:
    model = CATALOG.get("Qwen3.5-27B")
    line = line_of("Qwen3.5-27B")
    arch = model.architecture
    assert arch is not None
    whole = place(line, 8192, made_up(gpu(0), CPU)).shares
    parts = place(line, 8192, made_up(gpu(0, free_mib=9_000), CPU)).shares
    assert len(whole) == 1 and len(parts) == 2
    assert sum(share_read_mib(line, s, 8192) for s in parts) == pytest.approx(share_read_mib(line, whole[0], 8192))
    assert sum(share_flop(arch, s, 8192) for s in parts) == pytest.approx(share_flop(arch, whole[0], 8192))


def test_a_longer_cache_and_a_wider_quantisation_decode_slower_and_fewer_active_experts_faster() -> None:
    here, model = machine_named("rtx-4090"), CATALOG.get("Qwen/Qwen3-8B")
    short, long, wide = (
        fit(model, quant, context, "llamacpp", here)
        for quant, context in (("q4_K_M", 1024), ("q4_K_M", 32_768), ("q8_0", 1024))
    )
    experts = fit(CATALOG.get("Qwen/Qwen3-30B-A3B"), "q4_K_M", 1024, "llamacpp", here)
    for answer in (short, long, wide, experts):
        assert answer.decode_tps and answer.prefill_tps and answer.load_s and answer.speed_source == "predicted"
    assert experts.decode_tps > short.decode_tps > long.decode_tps  # type: ignore[operator]
    assert short.decode_tps > wide.decode_tps and wide.load_s > short.load_s  # type: ignore[operator]
    assert short.prefill_tps > long.prefill_tps  # type: ignore[operator]


def test_columns_of_placed_speeds_agree_with_single_answers() -> None:
    here, model = machine_named("rtx-4090"), CATALOG.get("Qwen/Qwen3-32B")
    columns = placed_speed(
        model, line_of("Qwen3-32B"), quant="q4_K_M", engine="llamacpp", machine=here, context_tokens=[1024, 4096, 8192]
    )
    single = fit(model, "q4_K_M", 4096, "llamacpp", here)
    assert columns.fits.tolist() == [True, True, True]
    assert columns.decode_tps[1] == pytest.approx(single.decode_tps)
    assert columns.power_w == 450 and columns.free_mib == pytest.approx(capacity_mib(here))


def test_a_server_elsewhere_is_never_refused_for_this_machine_s_memory() -> None:
    tiny = made_up(replace(CPU, memory_free_mib=10.0))
    model = CATALOG.get("Qwen/Qwen3-235B-A22B")
    line = memory_line(model, quant="bf16", engine="openai")
    columns = placed_speed(model, line, quant="bf16", engine="openai", machine=tiny, context_tokens=[4096])
    assert columns.fits.all() and columns.free_mib == float("inf") and columns.decode_tps[0] > 0


def test_a_fit_names_its_device_and_says_that_speeds_are_predicted() -> None:
    answer = fit(CATALOG.get("Qwen/Qwen3-8B"), "q4_K_M", 8192, "llamacpp", machine_named("2xrtx-4090"))
    assert (answer.fits, answer.device, answer.speed_source) == (True, "cuda0", "predicted")
    assert answer.max_context_tokens == 32768 and answer.speed_basis == "the device's data sheet"


# ── calibration by replies ───────────────────────────────────────────────────────────────────────────────────────────────


def observed(calibration: Calibration, ratios: list[float], model: str = "Qwen/Qwen3-8B", quant: str = "q4_K_M") -> None:
    for ratio in ratios:
        calibration.observe(engine="llamacpp", model_id=model, quant=quant, decode_ratio=ratio, prefill_ratio=ratio / 2)


def test_a_few_replies_make_a_measured_speed_and_move_the_predictions_of_others() -> None:
    here, known = made_up(CPU), Calibration()
    model, other = CATALOG.get("Qwen/Qwen3-8B"), CATALOG.get("Qwen/Qwen3-14B")
    before = [fit(m, "q4_K_M", 4096, "llamacpp", here, calibration=known) for m in (model, other)]
    observed(known, [0.5] * KNOWN_AFTER_REPLIES)
    after = [fit(m, "q4_K_M", 4096, "llamacpp", here, calibration=known) for m in (model, other)]
    assert [answer.speed_source for answer in after] == ["measured", "predicted"]
    assert after[1].speed_basis == f"{KNOWN_AFTER_REPLIES} replies of other builds here"
    for old, new in zip(before, after, strict=True):
        assert new.decode_tps == pytest.approx(0.5 * old.decode_tps)  # type: ignore[operator]
        assert new.prefill_tps == pytest.approx(0.25 * old.prefill_tps)  # type: ignore[operator]
    elsewhere = fit(model, "q4_K_M", 4096, "ollama", here, calibration=known)
    assert elsewhere.speed_basis == "the device's data sheet"


def test_the_newest_replies_weigh_most_and_nonsense_is_passed_over() -> None:
    known = Calibration()
    observed(known, [0.5] * 20 + [2.0] * 20)
    observed(known, [0.0, -1.0, float("nan"), float("inf")])
    found = known.factors(engine="llamacpp", model_id="Qwen/Qwen3-8B", quant="q4_K_M")
    assert found is not None and found.exact and found.replies == 40 and 1.3 < found.decode < 2.0


def test_replies_are_kept_a_machine_and_a_broken_file_is_no_reason_to_stop(tmp_path: Path) -> None:
    one, two = made_up(CPU), made_up(gpu(0), CPU)
    observed(Calibration.of(one, tmp_path), [0.5] * 4)
    observed(Calibration.of(two, tmp_path), [3.0] * 4)
    ask = {"engine": "llamacpp", "model_id": "Qwen/Qwen3-8B", "quant": "q4_K_M"}
    again = [Calibration.of(machine, tmp_path).factors(**ask) for machine in (one, two)]
    assert [round(found.decode, 3) for found in again if found] == [0.5, 3.0]
    path = tmp_path / "speeds.json"
    assert set(json.loads(path.read_text())) == {fingerprint(one), fingerprint(two)}
    for broken in ("", "[]", json.dumps({fingerprint(one): [{"engine": 1}]}), "\x00\xff"):
        path.write_text(broken)
        fresh = Calibration.of(one, tmp_path)
        assert fresh.factors(**ask) is None
        observed(fresh, [0.5])
    (tmp_path / "no").write_text("a file where a folder should be")
    observed(Calibration.of(one, tmp_path / "no"), [0.5] * 3)


def test_what_was_measured_of_a_machine_is_kept_for_it(tmp_path: Path) -> None:
    here = made_up(CPU)
    Calibration.of(here, tmp_path).remember(made_up(replace(CPU, bandwidth_gib_s=33.0, compute_tflops=0.4, measured=True)))
    again = Calibration.of(here, tmp_path).applied(here).devices[0]
    assert (again.bandwidth_gib_s, again.compute_tflops, again.measured) == (33.0, 0.4, True)
    other = made_up(gpu(0), CPU)
    assert Calibration.of(other, tmp_path).applied(other) == other


def test_a_machine_that_is_planned_for_learns_nothing(tmp_path: Path) -> None:
    observed(Calibration.of(machine_named("rtx-4090"), tmp_path), [0.5] * 4)
    assert not list(tmp_path.iterdir())
