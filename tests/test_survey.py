"""What runs on a machine, each model at its best quantisation, and the formulas behind one fit."""

from __future__ import annotations

import re

import pytest

from qwen_router.catalog import Catalog
from qwen_router.decide.survey import GOOD, SORTS, survey
from qwen_router.hardware import Device, Machine, fit
from qwen_router.hardware.explain import explained

CATALOG = Catalog.load()
CARD = Device("cuda0", "cuda", "a card", 24_564, 24_000, bandwidth_gib_s=940, compute_tflops=165)
CPU = Device("cpu", "cpu", "a CPU", 65_536, 58_000, bandwidth_gib_s=50, compute_tflops=1)
HERE = Machine("made up", (CARD, CPU), cores=16, system="test")


def test_every_model_comes_once_at_the_best_quantisation_that_stays_on_the_card() -> None:
    found = survey(CATALOG, HERE)
    by_model = {row.model: row for row in found}
    assert len(by_model) == len(found) > 40
    assert by_model["Qwen/Qwen3-8B"].quant == "q8_0"
    assert by_model["Qwen/Qwen3-32B"].quant == "q5_K_M"  # 4,096 tokens at the least, beside the better weights
    assert by_model["Qwen/Qwen3-32B"].accelerator_layers == 64
    cut = by_model["Qwen/Qwen2.5-72B-Instruct"]
    assert (cut.quant, cut.device) == (GOOD[-1], "cpu+cuda0") and 0 < cut.accelerator_layers < 80
    assert "Qwen/Qwen3-235B-A22B" not in by_model and "qwen-router/qwen3-nano" not in by_model
    for row in found:
        assert 0 < row.quality < 1 and row.decode_tps > 0 and row.context_tokens <= row.max_context_tokens


@pytest.mark.parametrize("sort", SORTS)
def test_the_order_is_the_one_asked_for(sort: str) -> None:
    key = {
        "quality": lambda r: -r.quality,
        "speed": lambda r: -r.decode_tps,
        "memory": lambda r: r.total_mib,
        "context": lambda r: -r.max_context_tokens,
        "size": lambda r: -(r.total_params or 0),
    }[sort]
    found = survey(CATALOG, HERE, sort=sort)  # type: ignore[arg-type]
    assert [key(row) for row in found] == sorted(key(row) for row in found)


def test_a_domain_changes_who_is_best_and_a_longer_context_who_fits() -> None:
    coder = "Qwen/Qwen2.5-Coder-7B-Instruct"
    places = [[row.model for row in survey(CATALOG, HERE, domain=domain)].index(coder) for domain in ("knowledge", "code")]
    assert places[1] < places[0]
    short, long = (survey(CATALOG, HERE, min_context_tokens=n) for n in (8192, 131_072))
    quants = {row.model: row.quant for row in short}
    smaller = [row for row in long if row.quant != quants.get(row.model, row.quant)]
    assert smaller and all(row.context_tokens <= 131_072 for row in long)


def test_other_quantisations_are_tried_when_named() -> None:
    found = survey(CATALOG, HERE, engine="transformers", quants=("bf16",))
    assert found and {row.quant for row in found} == {"bf16"} and {row.engine for row in found} == {"transformers"}


def test_the_explanation_adds_up_to_what_is_explained() -> None:
    for name in ("Qwen/Qwen3-8B", "Qwen/Qwen3.5-27B", "Qwen/Qwen2.5-72B-Instruct"):
        model = CATALOG.get(name)
        answer = fit(model, "q4_K_M", 8000, "llamacpp", HERE, parallel=2)
        lines = explained(model, answer, HERE)
        results = {
            line.split()[0]: float(re.findall(r"= ([\d,.]+) MiB", line)[0].replace(",", ""))
            for line in lines
            if "= " in line and " MiB" in line and not line.startswith(" ")
        }
        assert sum(results.values()) == pytest.approx(answer.total_mib, abs=0.3), (name, lines)
        factors = re.search(
            r"2 x (\d+) layers.* x (\d+) heads x (\d+) x ([\d.]+) bytes x ([\d,]+) tokens x 2", "\n".join(lines)
        )
        assert factors is not None
        count = 2.0
        for part in (*factors.groups()[:4], factors[5].replace(",", "")):
            count *= float(part)
        assert count * 2 / 1024**2 == pytest.approx(answer.kv_mib, rel=1e-6)
        assert any(line.startswith("speed") and "predicted" in line for line in lines)
