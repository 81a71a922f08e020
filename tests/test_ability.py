"""The ability table: covers the catalog, agrees with what was published, and says where it only has a prior."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from qwen_router.catalog import Catalog, Model
from qwen_router.catalog.quants import QUANTS
from qwen_router.decide.ability import SHIPPED, UNHEARD_OF, AbilityTable
from qwen_router.profile.types import DOMAINS
from training.abilities import REFERENCE, digest, outside_english
from training.ability_held_out import HeldOut, coverage, sd_factor, sd_factors
from training.ability_model import (
    AXES,
    COLUMNS,
    OFFSETS,
    Scales,
    design,
    languages_named,
    loading,
    observed,
    posterior_mean,
    problem,
)
from training.ability_quants import (
    STANDS_IN,
    Pair,
    logits_per_nat,
    loss_at_8b,
    quantisations,
    report_quantisations,
    size_exponent,
    size_rule,
)
from training.ability_relations import Relation, relations
from training.benchmark_domains import BENCHMARKS, KINDS, LANGUAGES, LEFT_OUT, PARALLEL, Benchmark

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
    assert shipped["quantisation_size"] == size_rule()


def test_every_published_benchmark_is_mapped_or_left_out_on_purpose() -> None:
    published = {score.benchmark for model in CATALOG.models for score in model.scores}
    assert published <= set(BENCHMARKS) | LEFT_OUT
    assert {column for benchmark in BENCHMARKS.values() for column in loading(benchmark)} <= set(COLUMNS)
    assert {name for pair in PARALLEL for name in pair} <= set(BENCHMARKS)


@pytest.mark.parametrize("model", [m for m in CHAT if m.thinking.behaviour == "toggle"], ids=lambda m: m.short_name)
def test_thinking_never_hurts_maths(model: Model) -> None:
    off, on = TABLE.arrays([(model.id, False), (model.id, True)])[0]
    assert on[MATH] >= off[MATH]


def months(model: Model) -> int:
    year, month, *_ = model.release_date.split("-")
    return 12 * int(year) + int(month)


def test_in_a_family_more_parameters_never_know_less() -> None:
    """Dense ones against dense ones, mixtures of experts against their like, a mode against itself, within half a year."""
    backwards = []
    for one, other in combinations([m for m in CHAT if m.total_params], 2):
        sparse = [m.active_params is not None for m in (one, other)]
        if one.family != other.family or sparse[0] != sparse[1] or one.total_params == other.total_params:
            continue
        if abs(months(one) - months(other)) >= 6:  # what was learned since then may outweigh size
            continue
        small, large = sorted((one, other), key=lambda m: m.total_params or 0)
        for thinking in set(modes(small)) & set(modes(large)):
            if mean(large.id, thinking=thinking)[KNOWLEDGE] < mean(small.id, thinking=thinking)[KNOWLEDGE]:
                backwards.append((small.short_name, large.short_name, thinking))
    assert backwards == []


def test_a_thinking_8b_beats_a_06b_in_everything() -> None:
    assert (mean("Qwen3-8B", thinking=True) > mean("Qwen3-0.6B")).all()


MISSED = {("Qwen/Qwen3-30B-A3B", "Qwen/QwQ-32B", "knowledge")}
"""Published relations that the scores themselves do not bear out: MMLU-Redux 89.5 against 90, C-Eval 86.6 against 88.4."""


@pytest.mark.parametrize("relation", relations(), ids=lambda r: f"{r.claim}, {'+'.join(r.columns)}")
def test_relations_that_were_published_hold_in_the_table(relation: Relation) -> None:
    """`python -m training.abilities --relations` shows the scores behind each, and what is left without them."""
    domain = relation.columns[0]
    means = TABLE.arrays([relation.above, relation.below])[0][:, DOMAINS.index(domain)]
    if LANGUAGES in relation.columns:
        means = means + TABLE.languages([relation.above, relation.below])[0]
    missed = (relation.above[0], relation.below[0], domain) in MISSED
    assert bool(means[0] >= means[1] - relation.slack) != missed


def test_the_sparse_model_that_equals_qwq_runs_a_tenth_of_its_parameters() -> None:
    sparse, dense = CATALOG.get("Qwen3-30B-A3B"), CATALOG.get("QwQ-32B")
    assert sparse.active_params is not None and dense.total_params is not None
    assert sparse.active_params / dense.total_params < 0.105


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


def test_every_key_has_a_finite_offset_outside_english_and_more_loss_when_small() -> None:
    means, sds = TABLE.languages([*TABLE.rows, ("someone/x", True)])
    assert np.isfinite(means).all() and (sds > 0).all()
    assert (means < 0.05).all(), "nobody is better outside English than in it"
    small, large = (TABLE.languages([(f"Qwen/Qwen2.5-{size}-Instruct", False)])[0][0] for size in ("0.5B", "72B"))
    assert small < large - 0.2


def test_the_offset_outside_english_says_when_it_is_a_prior() -> None:
    scored, coder = ("Qwen/Qwen3-8B", True), ("Qwen/Qwen3-Coder-30B-A3B-Instruct", False)
    assert list(TABLE.is_scored_in_languages([scored, coder, ("someone/x", False)])) == [True, False, False]
    sds = TABLE.languages([scored, coder])[1]
    assert sds[0] < sds[1]


def test_the_loss_that_all_models_share_comes_from_the_same_questions_in_english() -> None:
    loss, sd = outside_english(observed(tuple(CHAT)))
    shipped = json.loads(SHIPPED.read_text(encoding="utf-8"))
    assert shipped["outside_english"] == [round(loss, 3), round(sd, 3)]
    assert -1 < loss < -0.2 and 0 < sd < 0.5
    scored = [key for key in TABLE.rows if TABLE.is_scored_in_languages([key])[0]]
    assert abs(TABLE.languages(scored)[0].mean() - loss) < 0.01
    assert TABLE.reference_language == TABLE.languages([REFERENCE])[0][0]


def test_a_maker_that_names_no_languages_counts_as_its_neighbour_in_time() -> None:
    named = languages_named(CHAT)
    assert named["Qwen/Qwen3-8B"] == named["Qwen/Qwen3-4B-Instruct-2507"] > named["Qwen/Qwen2.5-7B-Instruct"] == 0
    assert all(np.isfinite(value) for value in named.values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_picture_is_vision_a_little_less_certain(kind: str) -> None:
    seeing = [(m.id, thinking) for m in CHAT if "image" in m.modalities for thinking in modes(m)]
    whole, whole_sd = TABLE.vision(seeing)
    means, sds = TABLE.vision(seeing, kind)
    assert np.isfinite(means).all() and (sds > 0).all()
    assert np.abs(means - whole).max() < 0.15
    assert (sds >= whole_sd - 0.02).all()
    assert TABLE.kinds == KINDS
    blind = TABLE.vision([("Qwen/Qwen3-8B", False), ("someone/x", False)], kind)[0]
    assert blind[0] == blind[1] < means.mean()


def test_a_kind_that_nobody_scored_is_vision_itself_and_wider() -> None:
    assert not any(benchmark.offset == "chart" for benchmark in BENCHMARKS.values())
    key = [("Qwen/Qwen3.5-9B", True)]
    (whole, whole_sd), (mean_, sd) = TABLE.vision(key), TABLE.vision(key, "chart")
    assert mean_[0] == pytest.approx(whole[0], abs=0.01) and sd[0] > whole_sd[0]


@pytest.mark.parametrize("shorter", [("q8_0", "q6_K", "q5_K_M", "q5_K_S", "q4_K_M", "q4_K_S", "q3_K_L", "q3_K_M", "q3_K_S",
    "q2_K", "q2_K_S"), ("bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0"), ("q8_0", "iq4_NL", "iq4_XS", "iq3_M", "iq3_S",
    "iq3_XS", "iq3_XXS", "iq2_M", "iq2_S", "iq2_XS", "iq2_XXS", "iq1_M", "iq1_S"), ("f16", "fp8", "gptq-int8", "awq",
    "gptq-int4"), ("bf16", "int8", "nf4"), ("bf16", "mlx-8bit", "mlx-4bit")], ids=lambda names: names[-1])  # fmt: skip
def test_quantisation_costs_more_the_fewer_bits(shorter: tuple[str, ...]) -> None:
    losses = [TABLE.quant_penalty(name) for name in shorter]
    assert losses == sorted(losses) and len(set(losses)) == len(losses)


def test_every_quantisation_of_the_catalog_has_a_penalty_with_a_source() -> None:
    entries = quantisations()
    assert set(entries) == {quant.name for quant in QUANTS} == set(TABLE.penalties)
    assert all(len(str(entry["source"])) > 10 for entry in entries.values())
    assert {name for name, entry in entries.items() if not entry["measured"]} == set(STANDS_IN)
    assert TABLE.quant_penalty("bf16") == TABLE.quant_penalty("f16") == TABLE.quant_penalty("f32") == 0
    assert TABLE.quant_penalty("unheard-of") == TABLE.quant_penalty(UNHEARD_OF)


def test_the_page_shows_what_each_quantisation_costs_and_every_relation() -> None:
    page = (Path(__file__).parents[1] / "docs" / "abilities.md").read_text(encoding="utf-8")
    assert report_quantisations() in page, "run `python -m training.abilities --quantisations`"
    assert all(f"| {relation.claim} | {' + '.join(relation.columns)} |" in page for relation in relations())


def test_a_small_model_loses_more_and_sizes_that_nobody_measured_count_as_the_nearest() -> None:
    sizes = (1e8, 0.5e9, 1.5e9, 8e9, 32e9, 72e9, 480e9)
    losses = [TABLE.quant_penalty("q4_K_M", params) for params in sizes]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] == losses[1] and losses[-1] == losses[-2]
    assert losses[3] == pytest.approx(TABLE.quant_penalty("q4_K_M"))
    assert 1.5 < losses[1] / losses[3] < 4


def test_the_rule_for_quantisations_agrees_with_itself() -> None:
    """Four bits by perplexity and four bits by accuracy are about the same loss, though nothing forces them to be."""
    assert 1.5 < logits_per_nat() < 3.5
    assert 0.2 <= size_exponent() <= 0.6
    assert 0.5 < TABLE.quant_penalty("q4_K_S") / TABLE.quant_penalty("awq") < 2


def test_a_gain_from_quantising_counts_as_no_loss() -> None:
    assert loss_at_8b([Pair(7e9, 50.0, 55.0, 1000)], 0.3) == 0


def held(axis: str, deviations: np.ndarray) -> HeldOut:
    return HeldOut(axis, None, len(deviations), 1.0, 1.0, 1.0, 1.0, deviations)


def test_the_cautious_bound_holds_nine_times_in_ten() -> None:
    errors = np.concatenate([np.linspace(-3, 3, 101), [9.0, 9.0]])
    assert coverage(errors / sd_factor(errors)) == pytest.approx(0.9, abs=0.01)
    assert sd_factor(np.array([0.1, -0.1])) == 1.0, "never narrower than the posterior"
    shipped = json.loads(SHIPPED.read_text(encoding="utf-8"))["sd_factors"]
    assert set(shipped) == set(COLUMNS) and all(1.0 <= factor < 2 for factor in shipped.values())


def test_a_domain_is_only_widened_on_its_own_when_five_benchmarks_ask_for_it() -> None:
    wild, calm = held("math", np.linspace(-4, 4, 41)), held("code", np.linspace(-1, 1, 41))
    factors = sd_factors([wild] * 5 + [calm] * 5)
    assert factors["math"] > factors["code"] == factors["vision"]
    assert sd_factors([wild] * 4 + [calm] * 5)["math"] == sd_factors([wild] * 4 + [calm] * 5)["code"]


def test_a_kind_of_picture_and_a_domain_of_one_name_are_two_columns() -> None:
    assert len(set(COLUMNS)) == len(AXES) + len(OFFSETS)
    assert loading(Benchmark(("vision",), offset="math")) == {"vision": 1.0, "picture:math": 1.0}
    assert loading(Benchmark(("math",), offset=LANGUAGES)) == {"math": 1.0, LANGUAGES: 1.0}


def test_the_fit_puts_a_made_up_gap_where_the_scores_have_it() -> None:
    """Two models of one size and date whose scores differ only in maths end up apart in maths."""
    pair = tuple(m for m in CHAT if m.short_name in ("Qwen2.5-7B-Instruct", "Qwen2.5-Math-7B-Instruct"))
    at = design(pair)
    seen = observed(pair)
    abilities = posterior_mean(problem(at, seen, {}), Scales()).reshape(len(at.keys), len(COLUMNS))
    by_id = {key[0]: row for key, row in zip(at.keys, abilities, strict=True)}
    gap = by_id["Qwen/Qwen2.5-Math-7B-Instruct"] - by_id["Qwen/Qwen2.5-7B-Instruct"]
    assert gap[MATH] > 0.3
    assert gap[MATH] > gap[KNOWLEDGE] and gap[MATH] > gap[TRANSLATION]
