"""The evaluation's figures on cases that fit on paper, and `eval` from file to line."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_router.catalog import Catalog
from qwen_router.cli.evaluate import draw, read_sample
from qwen_router.decide import evaluation as ev
from qwen_router.errors import InvalidRequest
from qwen_router.hardware import machine_named
from qwen_router.policy import Policy
from qwen_router.profile import inspect_many
from qwen_router.request import Request

SMALL, LARGE = "Qwen/Qwen2.5-3B-Instruct", "Qwen/Qwen2.5-72B-Instruct"
# Four requests; the small model gets two right, the large three, one of them where the small one fails.
QUALITY = np.array([[1, 1], [0, 1], [1, 0], [0, 1]], dtype=np.float64)
COST = np.array([[1, 4], [1, 4], [1, 4], [1, 4]], dtype=np.float64)
FOUR = ev.Outcomes(("small", "large"), QUALITY, COST)
SMALL_ALL, LARGE_ALL = np.zeros(4, dtype=np.int64), np.ones(4, dtype=np.int64)


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


# ── choices ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_oracle_takes_the_cheapest_of_those_that_do_best() -> None:
    assert ev.oracle(FOUR).tolist() == [0, 1, 0, 1]
    nobody = ev.Outcomes(("a", "b"), np.zeros((1, 2)), np.array([[3.0, 2.0]]))
    assert ev.oracle(nobody).tolist() == [1]  # all fail alike: the cheapest


def test_the_best_fixed_model_is_the_cheaper_one_when_two_are_alike() -> None:
    assert ev.best_fixed(FOUR) == 1
    assert ev.best_fixed(ev.Outcomes(("a", "b"), np.ones((2, 2)), np.array([[2.0, 1.0]] * 2))) == 1


def test_a_price_moves_requests_to_cheaper_models_and_a_forbidden_one_is_never_taken() -> None:
    predicted = np.array([[0.5, 0.9], [0.5, 0.6], [-np.inf, -np.inf], [-np.inf, 0.1]])
    choice = ev.priced(predicted, array(0, 1), array(0, 0.2, 0.5))
    assert choice.tolist() == [[1, 1, -1, 1], [1, 0, -1, 1], [0, 0, -1, 1]]


def test_the_prices_of_a_sweep_reach_from_the_best_to_the_cheapest() -> None:
    predicted, cost = np.array([[0.5, 0.9], [0.5, 0.6], [0.5, 0.7]]), array(0, 1)
    choice = ev.priced(predicted, cost, ev.prices_between(predicted, cost, 5))
    assert choice[0].tolist() == [1, 1, 1] and choice[-1].tolist() == [0, 0, 0]
    assert ev.prices_between(predicted, array(1, 1), 5).tolist() == [0]


def test_the_hardest_share_goes_to_the_strong_model() -> None:
    choice = ev.ranked(array(0.1, 0.9, 0.5, 0.7), array(0, 0.5, 1), weak=0, strong=1)
    assert choice.tolist() == [[0, 0, 0, 0], [0, 1, 0, 1], [1, 1, 1, 1]]


def test_the_domain_rule_learns_from_the_other_folds_only() -> None:
    # In fold 0 only the small model is right, in fold 1 only the large one: each fold gets what the other says.
    quality = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float64)
    outcomes = ev.Outcomes(("small", "large"), quality, COST)
    choice = ev.domain_only(outcomes, ["math"] * 4, np.array([0, 0, 1, 1]), array(0))
    assert choice.tolist() == [[1, 1, 0, 0]]


def test_the_domain_rule_falls_back_on_all_domains_where_the_others_hold_none() -> None:
    choice = ev.domain_only(FOUR, ["math", "code", "code", "code"], np.array([0, 1, 1, 1]), array(0))
    assert choice[0, 0] == 1  # nothing of mathematics elsewhere; of the rest the large model has two of three right


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        pytest.param(["b", "a", "b", "c"], [1, 0, 1, 0], id="groups-stay-together"),
        pytest.param(["a", "a", "a"], [0, 1, 0], id="too-few-groups"),
        pytest.param(["a", None, "b", "c"], [0, 1, 0, 1], id="not-all-have-one"),
    ],
)
def test_folds(groups: list[str | None], expected: list[int]) -> None:
    assert ev.folds_of(groups, 2).tolist() == expected


# ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        pytest.param(1, 0.4, id="the-cheapest"),
        pytest.param(2, 0.6, id="half-way-to-the-best-past-a-model-below-the-line"),
        pytest.param(3, 0.8, id="the-best"),
        pytest.param(9, 0.8, id="more-money-helps-nobody"),
        pytest.param(0.5, 0.2, id="half-are-not-answered"),
    ],
)
def test_mixing_is_the_upper_hull_of_the_fixed_models(at: float, expected: float) -> None:
    quality, cost = array(0.4, 0.5, 0.8, 0.7), array(1, 2, 3, 5)
    assert ev.mixing(quality, cost, array(at)) == pytest.approx([expected])


points = st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 10)), min_size=1, max_size=5)


@given(points, st.floats(0, 12), st.floats(0, 12))
def test_mixing_never_falls_with_the_cost_and_reaches_every_model(
    models: list[tuple[float, float]], a: float, b: float
) -> None:
    quality, cost = np.array(models).T
    low, high = ev.mixing(quality, cost, np.array(sorted((a, b))))
    assert low <= high + 1e-9
    assert (ev.mixing(quality, cost, cost) >= quality - 1e-9).all()


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        # gains of the strong model: 0, 1, -1, 1, so the gap is 1; areas of a quarter each
        pytest.param([0, 3, 1, 2], (0.5 + 1.5 + 1.5 + 1) / 4, id="best-order-but-for-the-loss"),
        pytest.param([3, 0, 2, 1], (0 - 0.5 - 0.5 + 0.5) / 4, id="worst-order"),
        pytest.param([1, 1, 1, 1], 0.5, id="no-order-is-random"),
        pytest.param([1, 2, 1, 2], (0.5 + 1.5 + 1.75 + 1.25) / 4, id="ties-are-mixed"),
    ],
)
def test_apgr_by_hand(score: list[float], expected: float) -> None:
    assert ev.apgr(array(*score), weak=QUALITY[:, 0], strong=QUALITY[:, 1]) == pytest.approx(expected)


def test_apgr_needs_a_gap() -> None:
    assert np.isnan(ev.apgr(array(1, 2), weak=array(1, 0), strong=array(0, 1)))
    assert ev.judged_apgr({"router": array(1, 2)}, weak=array(1, 0), strong=array(0, 1)) == {}


def test_apgr_counts_a_request_as_often_as_it_is_drawn() -> None:
    score, weak, strong = array(3, 1, 2), array(0, 1, 0), array(1, 1, 0)
    twice = ev.apgr(array(3, 3, 1), weak=array(0, 0, 1), strong=array(1, 1, 1))
    assert ev.apgr(score, weak=weak, strong=strong, weights=array(2, 1, 0)) == pytest.approx(twice)


def test_every_figure_of_four_requests() -> None:
    choice = np.array([0, 1, 0, 0])
    found = ev.evaluate(FOUR, {"router": choice, "nobody": np.full(4, -1)}, draws=50, domains=SMALL_ALL)
    router = found.rule("router")
    assert found.best_fixed == "large"
    assert (router.quality.value, router.cost.value, router.regret.value) == (0.75, 1.75, 0.25)
    assert router.above_mixing.value == pytest.approx(0.75 - (0.5 + 0.25 * 0.25))
    assert (router.above_best.value, router.shares) == (0.0, (0.75, 0.25))
    assert router.above_domains is not None and router.above_domains.value == 0.25
    assert (found.rule("oracle").quality.value, found.rule("oracle").cost.value) == (1.0, 2.5)
    assert found.rule("a random model").quality.value == 0.625
    nobody = found.rule("nobody")
    assert (nobody.quality.value, nobody.cost.value, nobody.above_mixing.value, sum(nobody.shares)) == (0, 0, 0, 0)
    assert found.mixed[0] == (1.0, 0.5) and found.mixed[-1] == (4.0, 0.75)


def test_the_area_under_a_curve_is_its_mean_over_the_costs_of_the_fixed_models() -> None:
    settings = np.array([0.0, 1.0])
    straight = ev.Sweep("straight", settings, np.stack((LARGE_ALL, SMALL_ALL)))
    perfect = ev.Sweep("oracle", settings[:1], ev.oracle(FOUR)[None])
    found = ev.evaluate(FOUR, {}, (straight, perfect), draws=50)
    curve = found.curve("straight")
    assert [p[1:] for p in curve.points] == [(1.0, 0.5), (4.0, 0.75)]
    assert curve.area is not None and curve.area_above_mixing is not None
    assert (curve.area.value, curve.area_above_mixing.value) == pytest.approx((0.625, 0))
    above = found.curve("oracle").area_above_mixing
    assert above is not None and above.value == pytest.approx((0.75 + 1) / 2 - 0.625, abs=1e-4)


def test_models_of_one_cost_have_no_area() -> None:
    alike = ev.Outcomes(("a", "b"), QUALITY, np.ones((4, 2)))
    curve = ev.evaluate(alike, {}, (ev.Sweep("s", array(0), SMALL_ALL[None]),), draws=20).curve("s")
    assert curve.area is None and curve.area_above_mixing is None


def drawn(rng: np.random.Generator, count: int, right: tuple[float, float] = (0.5, 0.7)) -> ev.Outcomes:
    quality = (rng.random((count, 2)) < np.array(right)).astype(np.float64)
    return ev.Outcomes(("a", "b"), quality, np.tile([1.0, 4.0], (count, 1)))


def test_the_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    held, repeats = 0, 200
    for seed in range(repeats):
        found = ev.evaluate(drawn(rng, 150), {"router": rng.integers(0, 2, 150)}, draws=200, seed=seed).rule("a")
        held += found.quality.low <= 0.5 <= found.quality.high
    assert 0.90 <= held / repeats <= 0.99


def test_choices_at_random_are_not_told_from_mixing() -> None:
    rng = np.random.default_rng(2)
    told = 0
    for seed in range(100):
        above = ev.evaluate(drawn(rng, 150), {"r": rng.integers(0, 2, 150)}, draws=200, seed=seed).rule("r").above_mixing
        told += not above.low <= 0 <= above.high
    assert told <= 12


def test_differences_are_paired() -> None:
    rng = np.random.default_rng(3)
    outcomes = drawn(rng, 400)
    nearly = np.ones(400, dtype=np.int64)
    nearly[:4] = 0
    router = ev.evaluate(outcomes, {"router": nearly}).rule("router")
    assert router.above_best.high - router.above_best.low < (router.quality.high - router.quality.low) / 3


def test_the_same_seed_gives_the_same_figures_and_another_does_not() -> None:
    outcomes = drawn(np.random.default_rng(4), 50)
    first, again, other = (ev.evaluate(outcomes, {}, draws=60, seed=seed) for seed in (0, 0, 1))
    assert first == again != other


def test_decide_chooses_among_exactly_the_models_of_the_outcomes() -> None:
    ids = [SMALL, "gpt-4", LARGE]
    table = ev.table_of([SMALL, LARGE], Policy.load("quality"), machine_named("8xh200"), Catalog.load())
    assert table is not None and {build.model.id for build in table.builds} == {SMALL, LARGE}
    requests = [Request.of("Prove that the square root of two is irrational."), Request.of("Hallo!")]
    found = ev.routed(requests, inspect_many(requests), table, ids)
    assert set(found.choice.tolist()) <= {0, 2}
    assert np.isneginf(found.predicted[:, 1]).all() and (found.predicted[:, 2] > 0).all()
    loose = ev.routed(requests, inspect_many(requests), ev.with_slack(table, 1.0), ids)
    assert loose.choice.tolist() == [0, 0]  # anything goes, so the fastest
    assert ev.table_of([SMALL], Policy.load("quality"), machine_named("8xh200"), Catalog.load()) is None


# ── the command ─────────────────────────────────────────────────────────────────────────────────────────────────────


def made_up(count: int = 60, *, cost: bool = True, names: tuple[str, ...] = (SMALL, LARGE)) -> list[dict[str, Any]]:
    rng = np.random.default_rng(5)
    asks = ("What is {} + {}?", "Write a Python function that adds {} to {}.", "Who was king in the year {}{}?")
    lines = []
    for n in range(count):
        outcomes: dict[str, Any] = {}
        for m, name in enumerate(names):
            quality = int(rng.random() < 0.5 + 0.3 * m / len(names))
            outcomes[name] = {"quality": quality, "cost": 1.0 + 3 * m} if cost else quality
        lines.append({"id": n, "text": asks[n % 3].format(n, n + 3), "outcomes": outcomes})
    return lines


def written(path: Path, lines: list[dict[str, Any]], *extra: str) -> Path:
    text = "".join(json.dumps(line) + "\n" for line in lines) + "".join(f"{line}\n" for line in extra)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, "utf-8")
    return path


def run(path: Path, *words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "qwen_router", "eval", "--outcomes", str(path), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr and "internal error" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_eval_says_what_the_router_is_worth_and_the_same_again_from_gzip(tmp_path: Path) -> None:
    first = run(written(tmp_path / "o.jsonl", made_up()), "--json", "--sweep")
    again = run(written(tmp_path / "o.jsonl.gz", made_up()), "--json", "--sweep")
    assert first == again and first[0] == 0
    line = json.loads(first[1])
    assert (line["requests"], line["left_out"], line["costs"]) == (60, 0, "as the file gives them")
    assert set(line["ways"]) == {SMALL, LARGE, "a random model", "domain only", "oracle", "router"}
    assert set(line["curves"]) == {"router, by slack", "router, by price", "domain only"}
    assert line["ways"]["oracle"]["regret"]["value"] == 0
    assert sum(line["ways"]["router"]["shares"].values()) == pytest.approx(1)
    assert set(line["apgr"]) == {"router", "text length"}


def test_eval_for_people_ends_in_a_judgement(tmp_path: Path) -> None:
    code, out, _ = run(written(tmp_path / "o.jsonl", made_up(cost=False)), "--policy", "cheap")
    assert code == 0
    assert "relative to active parameters" in out and "against mixing fixed models" in out and "the oracle costs" in out


def test_eval_tells_bad_lines_and_goes_on(tmp_path: Path) -> None:
    bad = (
        "not JSON",
        "[1]",
        '{"id": "b", "outcomes": {"x": 1}}',
        '{"id": "c", "text": "hi"}',
        json.dumps({"id": "d", "text": "hi", "outcomes": {SMALL: 1.5, LARGE: 1}}),
        json.dumps({"id": "e", "text": "hi", "outcomes": {SMALL: float("nan"), LARGE: 1}}),
        json.dumps({"id": "f", "text": "hi", "outcomes": {SMALL: {"quality": 1, "cost": -1}, LARGE: 1}}),
        json.dumps({"id": "g", "text": "hi", "outcomes": {SMALL: {"quality": 1, "cost": 1}}}),
        json.dumps({"id": "h", "text": "hi", "outcomes": {SMALL: 1, LARGE: 1}}),
        json.dumps({"id": "i", "text": "hi", "outcomes": []}),
        json.dumps({"id": "j", "messages": "hi", "outcomes": {SMALL: 1, LARGE: 1}}),
    )
    code, out, err = run(written(tmp_path / "o.jsonl", made_up(), *bad), "--json")
    told = [json.loads(line) for line in err.splitlines()]
    assert code == 0 and json.loads(out)["left_out"] == len(bad) == len(told)
    assert {line["id"] for line in told} == {61, 62, *"bcdefghij"}
    assert "no cost" in next(line["error"] for line in told if line["id"] == "h")


def test_two_models_that_nobody_knows_are_ranked_by_difficulty(tmp_path: Path) -> None:
    lines = [
        {"id": line["id"], "text": line["text"], "correct": dict(zip(("m", "g"), line["outcomes"].values(), strict=True))}
        for line in made_up(cost=False)
    ]
    code, out, _ = run(written(tmp_path / "o.jsonl", lines), "--json")
    line = json.loads(out)
    assert code == 0 and line["costs"] == "the share of calls to g"
    assert line["ways"]["router"]["cost"]["value"] == 0.5
    assert "router, by share" in line["curves"] and "no policy chooses" in line["notes"][0]


@pytest.mark.parametrize(
    ("lines", "words", "said"),
    [
        pytest.param([], (), "no usable outcome", id="empty"),
        pytest.param([{"id": 1}], (), "no usable outcome", id="nothing-usable"),
        pytest.param(made_up(3, names=("a", "b", "c")), (), "--map", id="three-strangers"),
        pytest.param(made_up(3, names=("a", "b", "c"), cost=False), (), "--map", id="three-strangers-without-costs"),
        pytest.param(made_up(3, names=(SMALL,)), (), "nothing to choose", id="one-model"),
        pytest.param(made_up(3, names=(SMALL, "Qwen2.5-3B-Instruct")), (), "cannot tell them apart", id="twins"),
        pytest.param(made_up(3), ("--map", "nonsense"), "NAME=CATALOG_ID", id="map-without-equals"),
        pytest.param(made_up(3), ("--map", f"{SMALL}=Qwen3-9B"), "Qwen3-8B", id="map-to-nothing"),
        pytest.param(made_up(3), ("--map", f"Qwen2.5-3B={LARGE}"), SMALL, id="map-of-nothing"),
    ],
)
def test_eval_refuses_what_it_cannot_judge(
    tmp_path: Path, lines: list[dict[str, Any]], words: tuple[str, ...], said: str
) -> None:
    code, out, err = run(written(tmp_path / "o.jsonl", lines), *words)
    assert (code, out) == (2, "") and said in err and "try:" in err


def test_a_missing_and_a_damaged_file_are_refused(tmp_path: Path) -> None:
    assert run(tmp_path / "none.jsonl")[0] == 2
    damaged = written(tmp_path / "o.jsonl.gz", made_up())
    raw = bytearray(damaged.read_bytes())
    raw[40:60] = b"\0" * 20
    damaged.write_bytes(bytes(raw))
    assert run(damaged)[0] == 2


def test_maps_make_strangers_known(tmp_path: Path) -> None:
    path = written(tmp_path / "o.jsonl", made_up(30, names=("a", "b", "gpt-4")))
    code, out, _ = run(path, "--map", f"a={SMALL}", "--map", f"b={LARGE}", "--json")
    line = json.loads(out)
    assert code == 0 and line["models"]["a"] == {"catalog": SMALL} and line["models"]["gpt-4"] == {"catalog": None}
    assert line["ways"]["router"]["shares"]["gpt-4"] == 0 and "gpt-4 is not in the catalog" in line["notes"][0]


def test_costs_of_few_lines_give_way_to_relative_ones(tmp_path: Path) -> None:
    lines = [*made_up(10, cost=False), *made_up(3)]
    sample = read_sample(str(written(tmp_path / "o.jsonl", lines)), catalog=Catalog.load(), maps={})
    assert len(sample.lines) == 13 and sample.costs.startswith("relative to active parameters")
    assert sample.outcomes.cost[0, 1] == 1 and 0.03 < sample.outcomes.cost[0, 0] < 0.06


def test_a_model_of_few_lines_is_left_out_and_said(tmp_path: Path) -> None:
    lines = made_up(10)
    lines[0]["outcomes"]["rare"] = {"quality": 1, "cost": 1}
    sample = read_sample(str(written(tmp_path / "o.jsonl", lines)), catalog=Catalog.load(), maps={})
    assert sample.outcomes.models == (SMALL, LARGE) and "rare has outcomes on 1 of 10 lines" in sample.notes[0]


def test_a_plot_needs_matplotlib_and_the_rest_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert draw(ev.evaluate(FOUR, {}, draws=20), tmp_path / "p.svg", costs="made up") is False


def test_a_plot_is_the_same_for_the_same_figures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    judged = ev.evaluate(
        FOUR, {"router": SMALL_ALL}, (ev.Sweep("s", array(0, 1), np.stack((LARGE_ALL, SMALL_ALL))),), draws=20
    )
    for name in ("a.svg", "b.svg"):
        assert draw(judged, tmp_path / name, costs="made up")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    with pytest.raises(InvalidRequest, match="plot"):
        draw(judged, tmp_path / "c.nonsense", costs="made up")
