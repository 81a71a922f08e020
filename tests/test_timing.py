"""From a reply's counts and timings to its speed, and into the next prediction."""

from __future__ import annotations

import pytest

from qwen_router import Router
from qwen_router.catalog import Catalog
from qwen_router.decide import Build
from qwen_router.engines.base import Done, Timings, Usage
from qwen_router.engines.fake import FakeEngine
from qwen_router.engines.timing import predicted_of, ratios
from qwen_router.hardware import Device, Machine, PredictedSpeed

CPU = Device("cpu", "cpu", "a CPU", 65_536, 60_000, bandwidth_gib_s=50, compute_tflops=1)
HERE = Machine("made up", (CPU,), cores=8, system="test")
MODEL = Catalog.load().get("Qwen/Qwen3-8B")
BUILD = Build(MODEL, "q4_K_M", "llamacpp", "", "qwen3-8b", installed=True)
SPEED = PredictedSpeed(decode_tps=10, prefill_tps=100, load_s=1, basis="made up")


@pytest.mark.parametrize(
    ("usage", "timings", "expected"),
    [
        pytest.param(
            Usage(prompt_tokens=200, answer_tokens=51), Timings(total_s=12, first_answer_s=2), (0.5, 1.0), id="both"
        ),
        pytest.param(
            Usage(prompt_tokens=200, answer_tokens=21, reasoning_tokens=30),
            Timings(total_s=12, first_reasoning_s=2, first_answer_s=8),
            (0.5, 1.0),
            id="thinking-counts",
        ),
        pytest.param(
            Usage(prompt_tokens=200, answer_tokens=51),
            Timings(total_s=15, first_answer_s=5, load_s=3),
            (0.5, 1.0),
            id="loading-does-not-count",
        ),
        pytest.param(
            Usage(prompt_tokens=200, cached_tokens=190, answer_tokens=5),
            Timings(total_s=3, first_answer_s=2),
            (None, None),
            id="too-short-to-tell",
        ),
        pytest.param(Usage(answer_tokens=51), Timings(total_s=12, first_answer_s=2), (0.5, None), id="no-prompt-count"),
        pytest.param(Usage(prompt_tokens=200, answer_tokens=51), Timings(total_s=12), (None, None), id="no-first-token"),
    ],
)
def test_a_reply_tells_what_it_can(usage: Usage, timings: Timings, expected: tuple[float | None, float | None]) -> None:
    decode, prefill = ratios(SPEED, usage, timings)
    assert (decode, prefill) == (pytest.approx(expected[0]), pytest.approx(expected[1]))


def test_a_build_that_has_no_room_here_is_held_against_nothing() -> None:
    assert predicted_of(BUILD, HERE, Usage(prompt_tokens=100, answer_tokens=50)) is not None
    small = Machine("small", (Device("cpu", "cpu", "a CPU", 1000, 900),), cores=2, system="test")
    assert predicted_of(BUILD, small, Usage(prompt_tokens=100, answer_tokens=50)) is None


def test_slow_replies_make_the_router_expect_slow_replies() -> None:
    router = Router(machine=HERE, engines=[FakeEngine(answers=["4"])])
    before = router.route("What is 2 + 2?", policy="quality")
    asked = next(c for c in (before.chosen, *before.fallbacks) if c is not None)
    build = asked.build
    assert build.engine in ("ollama", "llamacpp")
    speed = predicted_of(build, HERE, Usage(prompt_tokens=100, answer_tokens=101))
    assert speed is not None
    slow = Done(
        "stop", Usage(prompt_tokens=100, answer_tokens=101), Timings(0.1 + 400 / speed.decode_tps, first_answer_s=0.1)
    )
    table = router.table()
    for _ in range(3):
        router.learn(asked, slow)
    again = router.table()
    assert again is not table
    at = again.builds.index(
        next(b for b in again.builds if (b.model, b.quant, b.engine) == (build.model, build.quant, build.engine))
    )
    assert again.decode_tps[at, 0] == pytest.approx(table.decode_tps[at, 0] / 4, rel=0.02)
    router.close()
