"""The ability table: covers the catalog, agrees with what was published, and says where it only has a prior."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest

from qwen_router.catalog import Catalog, Model
from qwen_router.decide.ability import SHIPPED, AbilityTable
from qwen_router.profile.types import DOMAINS
from training.abilities import REFERENCE, digest, quantisations
from training.ability_model import AXES, Scales, design, observed, posterior_mean, problem
from training.benchmark_domains import BENCHMARKS, LEFT_OUT

TABLE = AbilityTable.load()
CATALOG = Catalog.load()
CHAT = [model for model in CATALOG.models if model.kind == "chat" and not model.hosted]
MATH, CODE, KNOWLEDGE, TRANSLATION = (DOMAINS.index(d) for d in ("math", "code", "knowledge", "translation"))


def modes(model: Model) -> tuple[bool, ...]:
    return {"toggle": (False, True), "always": (True,)}.get(model.thinking.behaviour, (False,))


def mean(name: str, *, thinking: bool = False) -> np.ndarray:
    return TABLE.arrays([(CATALOG.get(name).id, thinking)])[0][0]


def test_every_mode_of_every_chat_model_has_a_row() -> None:
    keys = [(model.id, thinking) for model in CHAT for thinking in modes(model)]
    assert set(TABLE.rows) == set(keys)
    means, sds = TABLE.arrays(keys)
    assert means.shape == sds.shape == (len(keys), len(DOMAINS))
    assert np.isfinite(means).all() and (sds > 0).all()


def test_the_table_was_fitted_to_todays_catalog() -> None:
    shipped = json.loads(SHIPPED.read_text(encoding="utf-8"))
    assert shipped["sha256"] == digest(observed(tuple(CHAT))), "run training.abilities --out again"
    assert shipped["quantisations"] == quantisations()


def test_every_published_benchmark_is_mapped_or_left_out_on_purpose() -> None:
    published = {score.benchmark for model in CATALOG.models for score in model.scores}
    assert published <= set(BENCHMARKS) | LEFT_OUT
    assert {axis for benchmark in BENCHMARKS.values() for axis in benchmark.domains} <= set(AXES)


@pytest.mark.parametrize("model", [m for m in CHAT if m.thinking.behaviour == "toggle"], ids=lambda m: m.short_name)
def test_thinking_never_hurts_maths(model: Model) -> None:
    off, on = TABLE.arrays([(model.id, False), (model.id, True)])[0]
    assert on[MATH] >= off[MATH]


def test_in_a_family_more_parameters_never_know_less() -> None:
    """Dense models against dense ones, mixtures of experts against their like, mode against the same mode."""
    backwards = []
    for one, other in combinations([m for m in CHAT if m.total_params], 2):
        sparse = [m.active_params is not None for m in (one, other)]
        if one.family != other.family or sparse[0] != sparse[1] or one.total_params == other.total_params:
            continue
        small, large = sorted((one, other), key=lambda m: m.total_params or 0)
        for thinking in set(modes(small)) & set(modes(large)):
            if mean(large.id, thinking=thinking)[KNOWLEDGE] < mean(small.id, thinking=thinking)[KNOWLEDGE]:
                backwards.append((small.short_name, large.short_name, thinking))
    assert backwards == []


def test_a_thinking_8b_beats_a_06b_in_everything() -> None:
    assert (mean("Qwen3-8B", thinking=True) > mean("Qwen3-0.6B")).all()


def test_relations_that_were_published_hold_in_the_table() -> None:
    small, large = mean("Qwen3-4B", thinking=True), mean("Qwen2.5-72B-Instruct")
    assert small[MATH] >= large[MATH] and small[CODE] >= large[CODE]
    assert small[KNOWLEDGE] < large[KNOWLEDGE]
    assert mean("Qwen3-30B-A3B", thinking=True)[MATH] >= mean("QwQ-32B", thinking=True)[MATH] - 0.1
    assert mean("Qwen2.5-Coder-7B-Instruct")[CODE] > mean("Qwen2.5-7B-Instruct")[CODE]
    assert mean("Qwen2.5-Math-7B-Instruct")[MATH] > mean("Qwen2.5-7B-Instruct")[MATH]


def test_the_demonstration_model_is_far_below_every_qwen() -> None:
    qwen = np.array([TABLE.arrays([key])[0][0] for key in TABLE.rows if not CATALOG.get(key[0]).demo])
    for thinking in (False, True):
        assert (mean("qwen3-nano", thinking=thinking) <= qwen.min(axis=0) - 2.99).all()


def test_what_no_score_backs_is_marked_and_less_certain() -> None:
    coder = ("Qwen/Qwen3-Coder-30B-A3B-Instruct", False)
    scored = ("Qwen/Qwen3-30B-A3B", False)
    assert not TABLE.is_scored([coder]).any()
    assert TABLE.is_scored([scored]).all()
    assert (TABLE.arrays([coder])[1] > TABLE.arrays([scored])[1]).all()


def test_a_model_that_the_table_does_not_know_gets_a_low_and_wide_prior() -> None:
    means, sds = TABLE.arrays([("someone/finetune", True), ("Qwen/Qwen3-8B", False)])
    assert (means[0] < means[1]).all()
    assert (sds[0] > sds[1]).all()


def test_the_reference_is_the_row_of_the_mid_size_model() -> None:
    assert TABLE.reference_model == REFERENCE[0]
    np.testing.assert_allclose(TABLE.reference, TABLE.arrays([REFERENCE])[0][0])


def test_no_keys_give_empty_columns() -> None:
    means, sds = TABLE.arrays([])
    assert means.shape == sds.shape == (0, len(DOMAINS))


def test_vision_has_its_own_column_and_eyes_that_are_missing_count_as_unknown() -> None:
    means, sds = TABLE.vision([("Qwen/Qwen3-VL-8B-Instruct", False), ("Qwen/Qwen3-8B", False), ("someone/x", False)])
    assert means.shape == sds.shape == (3,)
    assert means[0] > means[1] == means[2]


def test_quantisation_costs_more_the_fewer_bits() -> None:
    assert TABLE.quant_penalty("bf16") == TABLE.quant_penalty("f16") == 0
    assert 0 < TABLE.quant_penalty("q8_0") < TABLE.quant_penalty("q4_K_M") < 0.3
    assert TABLE.quant_penalty("unheard-of") == TABLE.quant_penalty("q4_K_M")


def test_the_fit_puts_a_made_up_gap_where_the_scores_have_it() -> None:
    """Two models of one size and date whose scores differ only in maths end up apart in maths."""
    pair = tuple(m for m in CHAT if m.short_name in ("Qwen2.5-7B-Instruct", "Qwen2.5-Math-7B-Instruct"))
    at = design(pair)
    seen = observed(pair)
    abilities = posterior_mean(problem(at, seen, {}), Scales()).reshape(len(at.keys), len(AXES))
    by_id = {key[0]: row for key, row in zip(at.keys, abilities, strict=True)}
    gap = by_id["Qwen/Qwen2.5-Math-7B-Instruct"] - by_id["Qwen/Qwen2.5-7B-Instruct"]
    assert gap[MATH] > 0.3
    assert gap[MATH] > gap[KNOWLEDGE] and gap[MATH] > gap[TRANSLATION]
