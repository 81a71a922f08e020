"""The one sampler of the in-process engines: which tokens it may draw, how often, and that a seed repeats."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from qwen_router.catalog.types import Sampling
from qwen_router.engines.sampler import Sampler

SCORES = np.array([1.0, 3.0, 2.5, -1.0, 2.0, 0.0, 2.9, -4.0], dtype=np.float32)


def drawn(sampling: Sampling, scores: np.ndarray = SCORES, *, times: int = 3000, **options) -> Counter[int]:
    sampler = Sampler(sampling, 5)
    return Counter(sampler.pick(scores, **options) for _ in range(times))


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=1.0),
        Sampling(temperature=0.6, top_p=0.95, top_k=20),
        Sampling(temperature=1.3, top_k=3),
        Sampling(temperature=1.0, top_p=0.5),
        Sampling(temperature=0.7, min_p=0.2),
        Sampling(temperature=2.0, top_k=6, top_p=0.8, min_p=0.1),
    ],
    ids=str,
)
def test_tokens_come_as_often_as_transformers_own_warpers_say(sampling):
    assert sampling.temperature is not None
    warpers = [TemperatureLogitsWarper(sampling.temperature)]
    warpers += [TopKLogitsWarper(sampling.top_k)] if sampling.top_k else []
    warpers += [TopPLogitsWarper(sampling.top_p)] if sampling.top_p else []
    warpers += [MinPLogitsWarper(sampling.min_p)] if sampling.min_p else []
    scores = torch.tensor(SCORES)[None]
    for warper in warpers:
        scores = warper(None, scores)
    shares = scores.softmax(-1)[0].numpy()
    counts = drawn(sampling)
    assert set(counts) <= {i for i, share in enumerate(shares) if share > 0}
    for i, share in enumerate(shares):
        assert counts[i] / 3000 == pytest.approx(share, abs=0.04)


def test_a_temperature_of_nothing_takes_the_highest_score():
    assert set(drawn(Sampling(temperature=0), times=5)) == set(drawn(Sampling(), times=5)) == {1}


def test_a_banned_token_is_never_drawn_and_the_scores_stay_as_they_were():
    before = SCORES.copy()
    assert 1 not in drawn(Sampling(temperature=1.0), banned=1, times=300)
    assert drawn(Sampling(temperature=0), banned=1, times=1) == {6: 1}
    assert (before == SCORES).all()


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=1.0, top_k=3), Sampling(temperature=2.0)], ids=str)
def test_only_what_is_allowed_is_drawn_and_the_scores_stay_as_they_were(sampling):
    before, allowed = SCORES.copy(), np.isin(np.arange(len(SCORES)), [0, 3, 7])
    assert set(drawn(sampling, allowed=allowed, times=300)) <= {0, 3, 7}
    assert drawn(sampling, allowed=allowed, banned=0, seen={7}, times=300)[0] == 0
    assert (before == SCORES).all()


def test_a_presence_penalty_counts_each_seen_token_once():
    assert drawn(Sampling(temperature=0, presence_penalty=0.6), seen={1, 6}, times=1) == {2: 1}


@given(st.integers(-(2**70), 2**70))
def test_the_same_seed_draws_the_same_tokens(seed):
    sampling = Sampling(temperature=1.5)
    first, second = (Sampler(sampling, seed) for _ in range(2))
    assert [first.pick(SCORES) for _ in range(20)] == [second.pick(SCORES) for _ in range(20)]


def test_without_a_seed_replies_differ():
    first, second = (Sampler(Sampling(temperature=2.0), None) for _ in range(2))
    assert [first.pick(SCORES) for _ in range(60)] != [second.pick(SCORES) for _ in range(60)]


@given(st.lists(st.floats(-5, 5, width=32), min_size=2, max_size=40), st.integers(1, 45))
def test_top_k_keeps_the_highest_whatever_the_vocabulary(values, count):
    scores = np.array(values, dtype=np.float32)
    kept = set(drawn(Sampling(temperature=1.0, top_k=count), scores, times=20))
    assert min(scores[list(kept)]) >= np.sort(scores)[::-1][min(count, len(scores)) - 1]
