"""Replaying requests: what is counted, how sure it is, and that the intervals hold what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qwen_router.catalog import Catalog
from qwen_router.decide.candidates import Build
from qwen_router.decide.intervals import MANY, mean_of
from qwen_router.decide.planner import Planner
from qwen_router.decide.simulate import MOST_CHANGED, NOBODY, Report, Simulation
from qwen_router.errors import InvalidPolicy
from qwen_router.policy import Policy
from qwen_router.request import Request
from tests.worlds import Abilities, build, machine, model, profile

SMALL, LARGE = model("small"), model("large", width=6)
ABILITIES = Abilities({("small", False): -1.0, ("small", True): 0.5, ("large", False): 1.0, ("large", True): 2.5})
BUILDS = (build(SMALL), build(LARGE))


def planner(builds: tuple[Build, ...] = BUILDS) -> Planner:
    return Planner(machine(), Catalog.of(()), builds=lambda _: builds, abilities=ABILITIES)  # type: ignore[arg-type]


def pinned(name: str, more: str = "") -> Policy:
    return Policy.from_yaml(f"name: to-{name}\nthinking: {{mode: off}}\nrules: [{{name: r, then: {{pin: {name}}}}}]\n{more}")


def replayed(new: Policy, old: Policy | None = None, *, depths: tuple[float, ...] = (0.5,) * 20) -> Report:
    simulation = Simulation(planner(), new, old)
    for number, depth in enumerate(depths):
        simulation.add(number, Request.of(f"request {number}"), profile(depth=depth, difficulty=depth))
    return simulation.report()


# ── intervals ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        pytest.param(lambda random, n: (random.random(n) < 0.7).astype(float), 0.7, id="right-or-wrong"),
        pytest.param(lambda random, n: random.exponential(2.0, n), 2.0, id="times-with-a-long-tail"),
        pytest.param(lambda random, n: random.normal(0.01, 0.1, n), 0.01, id="paired-differences"),
    ],
)
def test_the_intervals_hold_the_truth_about_95_times_in_a_hundred(draw, truth: float) -> None:  # type: ignore[no-untyped-def]
    random, held = np.random.default_rng(7), 0
    for sample in range(200):
        interval = mean_of(draw(random, 150), seed=sample)
        assert interval is not None
        held += interval.low <= truth <= interval.high
    assert 0.90 <= held / 200 <= 0.99


def test_the_normal_interval_of_many_values_agrees_with_the_bootstrap() -> None:
    values = np.random.default_rng(3).exponential(1.0, MANY)
    many, fewer = mean_of(values), mean_of(values[: MANY - 1])
    assert many is not None and fewer is not None
    assert many.low == pytest.approx(fewer.low, abs=0.002) and many.high == pytest.approx(fewer.high, abs=0.002)


def test_the_same_values_give_the_same_interval_and_more_values_a_narrower_one() -> None:
    values = np.random.default_rng(5).random(400)
    few, many = mean_of(values[:40]), mean_of(values)
    assert few is not None and many is not None and mean_of(values) == many
    assert many.high - many.low < few.high - few.low


def test_unknown_numbers_are_left_out_and_equal_ones_have_no_width() -> None:
    found = mean_of([math.nan, 2.0, 2.0])
    assert found is not None and (found.mean, found.low, found.high, found.count) == (2.0, 2.0, 2.0, 2)
    assert mean_of([]) is None and mean_of([math.nan]) is None


# ── replay ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_policy_alone_is_summed_up() -> None:
    report = replayed(pinned("small"))
    assert (report.requests, report.old, report.switch_rate, report.changed) == (20, None, None, ())
    assert report.new.models == (("small q4_K_M", 1.0),)
    assert report.new.swaps is not None and report.new.swaps.mean == 0
    assert report.new.thinking is not None and report.new.thinking.mean == 0
    quality = report.new.measures["quality"]
    assert quality is not None and 0 < quality.low <= quality.mean <= quality.high < 1
    assert report.new.measures["energy_wh"] is None  # nobody knows this processor's watts


def test_the_same_policy_twice_differs_in_nothing_surely() -> None:
    report = replayed(pinned("small"), pinned("small"))
    assert report.switch_rate is not None and report.switch_rate.high == 0
    drop, rise = report.quality_drop(), report.latency_rise()
    assert drop is not None and rise is not None
    assert (drop.low, drop.high, rise.low, rise.high) == (0, 0, 0, 0)
    assert report.changed == ()


def test_differences_are_of_the_same_request_so_they_are_surer_than_either_mean() -> None:
    depths = tuple(np.linspace(0.05, 0.95, 60))
    report = replayed(pinned("small"), pinned("large"), depths=depths)
    drop = report.quality_drop()
    assert report.switch_rate is not None and report.switch_rate.mean == 1 and drop is not None
    assert report.old is not None
    new, old = report.new.measures["quality"], report.old.measures["quality"]
    assert new is not None and old is not None
    assert drop.mean == pytest.approx(old.mean - new.mean)
    assert 0 < drop.low and drop.high - drop.low < new.high - new.low
    rise = report.latency_rise()
    assert rise is not None and rise.high < 0  # the small one is faster


def test_what_nothing_can_serve_counts_as_quality_zero_and_has_no_time() -> None:
    nobody = Policy.from_yaml("name: nobody\nrules: [{name: r, then: {forbid: {models: ['*']}}}]\n")
    report = replayed(nobody, pinned("small"))
    assert (report.new.unserved, report.new.models) == (20, ((NOBODY, 1.0),))
    quality, drop = report.new.measures["quality"], report.quality_drop()
    assert quality is not None and quality.mean == 0 and drop is not None and drop.mean > 0.1
    assert report.new.measures["seconds"] is None and report.latency_rise() is None


def test_a_swap_is_counted_whenever_the_next_request_needs_another_build() -> None:
    text = "name: x\nthinking: {mode: off}\nrules:\n  - {name: a, then: {pin: small}}\n"
    alternating = Policy.from_yaml(text.replace("{name: a", "{name: a, when: {max_depth: 0.4}")
                                   + "  - {name: b, when: {min_depth: 0.41}, then: {pin: large}}\n")  # fmt: skip
    report = replayed(alternating, depths=(0.2, 0.8, 0.2, 0.2, 0.8))
    assert report.new.swaps is not None
    assert (report.new.swaps.mean, report.new.swaps.count) == (0.75, 4)


def test_the_requests_that_change_most_come_first_and_there_are_ten() -> None:
    depths = tuple(np.linspace(0.05, 0.95, 900))
    changed = replayed(pinned("small"), pinned("large"), depths=depths).changed
    assert len(changed) == MOST_CHANGED
    sizes = [abs(change.quality) for change in changed]
    assert sizes == sorted(sizes, reverse=True)
    largest = max(abs(replayed(pinned("small"), pinned("large"), depths=(d,)).changed[0].quality) for d in depths[::100])
    assert sizes[0] >= largest - 1e-9
    assert all(change.text.startswith("request ") and change.old.startswith("large") for change in changed)


def test_control_characters_of_a_log_do_not_reach_the_terminal() -> None:
    simulation = Simulation(planner(), pinned("small"), pinned("large"))
    change = simulation.add("x", Request.of("hello \x1b[2J\x07 world\nagain"), profile())
    assert change is not None and change.text == "hello ?[2J? world again"


def test_a_report_can_be_asked_for_at_any_time() -> None:
    simulation = Simulation(planner(), pinned("small"))
    assert simulation.report().new.measures["quality"] is None
    for number in range(3):
        simulation.add(number, Request.of("hi"), profile())
        assert simulation.report().requests == number + 1


def test_a_planner_follows_rules_to_another_policy_and_refuses_a_circle() -> None:
    sent = Policy.from_yaml("name: x\nrules: [{name: away, then: {policy: fast}}]\n")
    planned = planner().plan(Request.of("hi"), profile(), sent)
    assert (planned.policies, planned.rules) == (("x", "fast"), ("away",))
    back = Policy.from_yaml("name: fast\nrules: [{name: away, then: {policy: fast}}]\n")
    with pytest.raises(InvalidPolicy, match="fast -> fast"):
        planner().plan(Request.of("hi"), profile(), back)
