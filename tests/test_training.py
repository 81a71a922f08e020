"""The training data and network: what is read, what is generated, and that numpy serves what torch learned."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.graded_unseen import KINDS as UNSEEN_KINDS
from benchmarks.graded_unseen import graded as graded_unseen
from benchmarks.perturbations import WAYS
from qwen_router.profile.classifier import Classifier
from qwen_router.profile.features import BUCKET_BITS, FORM, features_of, word_index
from qwen_router.profile.types import DOMAINS
from training import corpus, words
from training.causes import choice, stories
from training.difficulty import apgr
from training.graded import KINDS, graded
from training.leave_out import Answers, best_temperature, calibration_error, figures_of, four
from training.puzzles import puzzle
from training.rows import Row, corpus_rows, with_copies
from training.vary import varied

REPOSITORY = Path(__file__).parents[1]


def test_every_line_of_the_corpus_has_a_known_domain_and_filled_slots() -> None:
    rows = corpus_rows(1)
    assert len(rows) > 9_000
    assert {row.domain for row in rows} == set(DOMAINS)
    assert not [row.text for row in rows if "⟪" in row.text or "⟫" in row.text or not row.text.strip()]
    assert len({row.language for row in rows}) >= 50


def test_no_held_out_request_stands_in_the_corpus() -> None:
    unseen = {line.text for line in corpus.read(REPOSITORY / "benchmarks" / "data" / "unseen_languages.txt")}
    assert len(unseen) > 650
    assert not unseen & {line.text for line in corpus.read_all()}


def test_slots_are_filled_from_their_own_words_and_ranges() -> None:
    rng = random.Random(1)
    text = corpus.fill("⟪name⟫ has ⟪3..5⟫ ⟪red|blue⟫ pens at ⟪1.5..2.5⟫ each", "fr", rng)
    name, _, count, colour, _, _, price, _ = text.split()
    assert name in corpus.NAMES["fr"] and 3 <= int(count) <= 5
    assert colour in ("red", "blue") and 1.5 <= float(price) <= 2.5


@pytest.mark.parametrize("make", [lambda r: puzzle(r)[0], lambda r: graded(r).text, lambda r: choice(r)[0]])
def test_generators_repeat_from_a_seed_and_vary(make) -> None:  # type: ignore[no-untyped-def]
    first = [make(random.Random(seed)) for seed in range(50)]
    assert first == [make(random.Random(seed)) for seed in range(50)]
    assert len(set(first)) > 40


def test_graded_tasks_have_eight_levels_in_at_least_eight_kinds_and_the_unseen_ones_are_others() -> None:
    rng = random.Random(3)
    ours = {graded(rng).text for _ in range(600)}
    theirs = {graded_unseen(rng).text for _ in range(600)}
    assert len(KINDS) >= 8 and len(UNSEEN_KINDS) >= 8 and not ours & theirs
    assert {graded(rng, level=level).level for level in range(1, 9)} == set(range(1, 9))


def test_every_story_of_causes_has_its_four_fields() -> None:
    assert len(stories()) > 400
    assert {story.kind for story in stories()} == {"cause", "effect"}


@pytest.mark.parametrize("name", list(WAYS))
def test_perturbations_keep_most_of_a_request(name: str) -> None:
    text = "What is the total price of 3 pens?"
    changed = WAYS[name](text, random.Random(2))
    assert len(changed) >= len(text) - 12


def test_varied_copies_keep_the_label_and_leave_the_rows() -> None:
    rows = [Row(f"What is {i} + 2?", "x", "en", "mine", "math") for i in range(100)]
    both = with_copies(rows, 3)
    assert both[:100] == rows and 20 < len(both) - 100 < 80
    assert {row.domain for row in both} == {"math"} and all(row.copy for row in both[100:])
    assert varied("def f(x):\n    return x", "en", random.Random(1), code=True).count("\n") >= 1


def test_numpy_serves_what_torch_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from training import difficulty, net

    rng = np.random.default_rng(0)
    made = rng.normal(size=(word_index().size, words.DIMENSIONS + 1)).astype(np.float16)
    teacher = tmp_path / "teacher.npz"
    np.savez(teacher, hashes=word_index(), vectors=made)
    monkeypatch.setattr(net, "TEACHER", teacher)
    told = ["river", "mountain", "king", "planet", "engine", "disease", "treaty"]
    rows = [Row(f"What is {i} + {i * 7 % 5}?", "a", "en", "mine", "math", 0.2, 0.3) for i in range(40)]
    rows += [
        Row(f"Write a poem about {told[i % 7]} {'and tea ' * (i % 3)}", "b", "en", "mine", "writing") for i in range(40)
    ]
    exam = [f"Which {told[i % 7]} is the {told[i % 5]} of old?\nA. x\nB. y" for i in range(40)]
    rows += [Row(text, "mmlu:a", "en", "mine", "knowledge", 0.1, float(i % 7 < 3)) for i, text in enumerate(exam)]
    examples = net.Examples.of(rows)
    torch.set_num_threads(1)
    trained = net.train(rows, examples, seed=1, epochs=4)
    hard = difficulty.fit(trained, rows, examples, temperature=1.5, seed=1)
    meta = {"version": "t", "bucket_bits": BUCKET_BITS, "form": FORM, "domains": DOMAINS, "temperature": 1.5}
    net.save(trained, examples, hard, tmp_path, meta | {"abstain_below": 0.4})
    served = Classifier.load(tmp_path)
    places = list(range(0, 120, 7))
    learned = net.predict(trained, examples, places)
    parts = difficulty.parts_of(trained, examples, places, 1.5)
    expected = 1 / (1 + np.exp(-parts.logits(hard)))
    for at, place in enumerate(places):
        features = features_of(rows[place].text)
        assert np.abs(served.raw(features) - learned[at]).max() < 0.1  # 8-bit tables
        assert served.scores(features).difficulty == pytest.approx(expected[at], abs=0.03)
    guess = learned[:, : len(DOMAINS)].argmax(axis=1)
    assert [DOMAINS[g] for g in guess] == [rows[place].domain for place in places]


def test_apgr_is_a_half_for_any_order_of_equal_gains_and_one_end_for_a_perfect_one() -> None:
    weak = np.array([0.0] * 10 + [1.0] * 90)
    strong = np.ones(100)
    assert apgr(1 - weak, weak, strong) == pytest.approx(0.95, abs=0.01)
    assert apgr(weak, weak, strong) == pytest.approx(0.05, abs=0.01)
    rng = np.random.default_rng(1)
    assert np.mean([apgr(rng.random(100), weak, strong) for _ in range(300)]) == pytest.approx(0.5, abs=0.03)


def test_calibration_error_is_none_for_an_honest_forecaster_and_large_for_a_boaster() -> None:
    rng = np.random.default_rng(5)
    confidence = rng.uniform(0.3, 1.0, 20_000)
    right = rng.random(20_000) < confidence
    assert calibration_error(confidence, right) < 0.02
    assert calibration_error(np.full(20_000, 0.99), right) > 0.2
    logits = np.log(np.stack((confidence, 1 - confidence), axis=1)) * 3
    assert best_temperature(logits, np.where(right, 0, 1), np.ones(20_000)) == pytest.approx(3, rel=0.1)


def test_figures_of_left_out_sources_count_four_groups() -> None:
    rows = [Row("a", "s", "en", "x", d) for d in ("math", "chat", "writing", "code")] * 5
    labels = np.array([DOMAINS.index(row.domain) for row in rows])  # type: ignore[arg-type]
    logits = np.eye(len(DOMAINS))[labels] * 5
    logits[1::4] = np.eye(len(DOMAINS))[DOMAINS.index("writing")] * 5  # chat taken for writing: the same group
    figures = figures_of(Answers(rows, logits, labels, np.full(20, 0.05)))["figures"]
    assert figures["accuracy_of_4"] == 1.0 and figures["accuracy_of_9"] == 0.75
    assert (four("tools"), four("math"), four(None)) == ("general", "math", "general")
