"""The classifier's explanation, its refit on a user's labels, and that training and serving compute the same."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import numpy as np
import pytest

from qwen_router.errors import InvalidRequest
from qwen_router.profile import DOMAINS, inspect, inspect_many
from qwen_router.profile.classifier import Classifier
from qwen_router.profile.explanation import explain
from qwen_router.profile.features import Text, features_of, features_of_many
from qwen_router.profile.refit import Labelled, refit, refitted, save_layer

SAMPLE = [
    json.loads(line)["text"]
    for line in (Path(__file__).parent / "data" / "requests_sample.jsonl").read_text("utf-8").splitlines()
]


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier.load()


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        pytest.param("What is 12 * 13?", "math", id="arithmetic"),
        pytest.param("小明有24个苹果，平均分给6个同学，每人几个？", "math", id="word-problem-zh"),
        pytest.param("मीना के पास 45 आम हैं। वह 17 आम अपनी बहन को देती है। कितने आम बचे?", "math", id="word-problem-hi"),
        pytest.param("Juma ana machungwa 36 na anagawa kwa watoto 4 sawasawa. Kila mtoto anapata mangapi?", "math", id="sw"),
        pytest.param("Write a Python function that reverses a linked list.", "code", id="function"),
        pytest.param("def add(a, b):\n    return a - b\n\nassert add(1, 2) == 3", "code", id="bare-code"),
        pytest.param("Traceback (most recent call last):\n  File 'a.py', line 3\nKeyError: 'id'", "code", id="stack-trace"),
        pytest.param("Ann is taller than Ben. Cid is shorter than Ben. Who is the tallest?", "reasoning", id="ordering"),
        pytest.param(
            "Every guard lies or tells the truth. Guard A says that B lies. B says that both lie. Who lies?",
            "reasoning",
            id="liars",
        ),
        pytest.param("Translate into German: the train is late again.", "translation", id="translation"),
        pytest.param("Write a short poem about fractions and pie.", "writing", id="essay-about-mathematics"),
        pytest.param("Write an essay on the history of algebra.", "writing", id="history-of-mathematics"),
        pytest.param("Summarise this: The council met on Monday and kept the old bridge.", "extraction", id="tldr"),
        pytest.param("Good morning! How are you today?", "chat", id="greeting"),
    ],
)  # fmt: skip
def test_tells_what_a_request_needs(text: str, domain: str) -> None:
    assert inspect(text).domain == domain


def test_reading_many_at_once_gives_what_one_by_one_gives() -> None:
    texts = [*SAMPLE[:40], "", "  ", "\n", "5", " x", *SAMPLE[40:60], "", "😀"]
    for text, together in zip(texts, inspect_many(texts), strict=True):
        alone = inspect(text)
        assert (alone.domain, alone.language, alone.input_tokens, alone.abstained) == (
            together.domain,
            together.language,
            together.input_tokens,
            together.abstained,
        )
        assert alone.confidence == pytest.approx(together.confidence, abs=1e-5)
    for one, many in zip(map(features_of, texts), features_of_many([Text(t, len(t)) for t in texts]), strict=True):
        assert np.array_equal(one.buckets, many.buckets) and np.array_equal(one.words, many.words)
        assert np.array_equal(one.form, many.form) and np.array_equal(one.weights, many.weights)


def test_case_and_latin_accents_cannot_flip_a_domain() -> None:
    text = "Écris une fonction en Python qui trie une liste, s'il te plaît."
    plain = text.replace("É", "E").replace("î", "i")
    assert inspect(plain).domains == inspect(plain.upper()).domains
    assert inspect(text).domains == pytest.approx(dict(inspect(plain).domains), abs=0.01)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(" \n\t ", id="blank"),
        pytest.param("🙂", id="emoji"),
        pytest.param("a" * 10_000_000, id="ten-megabytes-of-one-character"),
        pytest.param("\x00\x01\x02\x03" * 50, id="binary"),
        pytest.param("\u200b\u200d\ufeff", id="zero-width"),
        pytest.param("\ud800\udfff", id="unpaired-surrogates"),
        pytest.param("?!…", id="marks-only"),
    ],
)
def test_what_cannot_be_judged_abstains_with_a_reason(text: str) -> None:
    profile = inspect(text)
    assert profile.abstained and profile.reason
    assert sum(profile.domains.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("text", ["مرحبا hello 你好 שלום 123", "\u202eabc\u202c def", "a\ud800b what is 2+2?"])
def test_mixed_scripts_directions_and_broken_text_never_raise(text: str) -> None:
    assert 0 <= inspect(text).depth <= 1


def test_an_explanation_names_the_words_that_drove_the_domain() -> None:
    told = explain("Translate this sentence into German please")
    assert told.profile.domain == "translation"
    speaking_for_it = [effect.what for effect in told.words if effect.domain > 0]
    assert {"Translate", "German"} & set(speaking_for_it[:4])
    assert "'Translate'" in told.flips or "does not change" in told.flips
    assert {effect.what for effect in told.form} >= {"how many numbers", "how it ends"}


def test_what_an_explanation_says_would_flip_the_domain_does() -> None:
    told = explain("Translate: good morning")
    assert told.flips.startswith("without ")
    gone = told.flips.removeprefix("without ").partition(" it would be ")[0]
    rest = "Translate: good morning"
    for piece in gone.split(", "):
        rest = rest.replace(piece.strip("'"), "", 1)
    assert inspect(rest).domain != "translation"


@pytest.mark.parametrize("text", ["", "🙂", "7", "x" * 5000, "你好" * 400])
def test_explaining_text_without_words_never_raises(text: str) -> None:
    assert explain(text).flips


def _relabelled(count: int) -> list[Labelled]:
    """Requests of a team that calls its incident notes `tools`, whatever the shipped weights say."""
    rng = random.Random(4)
    places = ["payments", "search", "login", "mail", "billing", "export"]
    notes = [f"incident {rng.randint(100, 999)} in {rng.choice(places)} needs an owner" for _ in range(count)]
    other = [f"write a friendly note to the {rng.choice(places)} team, number {i}" for i in range(count)]
    return [Labelled(text, "tools") for text in notes] + [Labelled(text, "writing") for text in other]


def test_a_refit_learns_a_users_own_labels_and_says_how_much_better_it_is(shipped: Classifier, tmp_path: Path) -> None:
    started = time.perf_counter()
    result = refit(_relabelled(60), shipped)
    assert result.better and result.after.log_loss < result.before.log_loss
    assert result.after.accuracy >= 0.95
    assert time.perf_counter() - started < 60
    path = save_layer(result, tmp_path / "classifier.npz")
    again = refitted(shipped, path)
    assert inspect("incident 512 in search needs an owner", classifier=again).domain == "tools"
    kept = [domain for domain in DOMAINS if domain not in ("tools", "writing")]
    columns = [DOMAINS.index(domain) for domain in kept]
    assert np.array_equal(again.out[:, columns], shipped.out[:, columns])


def test_a_refit_that_is_not_better_leaves_the_old_weights(shipped: Classifier) -> None:
    rng = random.Random(2)
    noise = [Labelled(text, rng.choice(DOMAINS)) for text in SAMPLE[:120]]
    result = refit(noise, shipped)
    assert result.better or result.classifier is shipped


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([Labelled("hi", "chat")] * 5, id="too-few"),
        pytest.param([Labelled(f"hi {i}", "chat") for i in range(50)], id="one-domain"),
    ],
)
def test_too_few_labels_are_refused_with_what_is_missing(rows: list[Labelled], shipped: Classifier) -> None:
    with pytest.raises(InvalidRequest, match="too few labelled requests") as refused:
        refit(rows, shipped)
    assert "at least" in refused.value.fix


def test_a_layer_that_cannot_be_read_or_is_of_other_weights_is_ignored_and_told(
    shipped: Classifier, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04 not really")
    assert refitted(shipped, broken) is shipped
    stale = tmp_path / "stale.npz"
    about = np.frombuffer(json.dumps({"version": "0"}).encode(), dtype=np.uint8)
    np.savez(stale, out=shipped.out, out_bias=shipped.out_bias, about=about)
    assert refitted(shipped, stale) is shipped
    assert caplog.text.count("is ignored") == 2


def test_difficulty_rises_from_a_greeting_to_an_olympiad_problem() -> None:
    easy = inspect("Hi there!").difficulty
    middle = inspect("A shop sells pens at 3 for 4 dollars. What do 12 pens cost?").difficulty
    hard = inspect(
        "Let $a_1, a_2, \\ldots$ be a sequence of positive integers such that $a_{n+1} = a_n + \\gcd(a_n, n)$. "
        "Prove that infinitely many terms are prime, or find a counterexample."
    ).difficulty
    assert easy < middle < hard


def test_depth_rises_with_the_steps_that_a_task_demands() -> None:
    shallow = inspect("Ana has 3 apples and buys 2. How many has she?").depth
    deep = inspect(
        "Ana has 3 apples. Ben has twice as many as Ana. Cem has 5 fewer than Dora. Dora has as many as both together. "
        "Eli takes a third of what Dora has and gives half of it to Ana. How many apples do all five have in the end?"
    ).depth
    assert shallow < deep


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Write an essay about the sea in 500 words.", 675, id="words"),
        pytest.param("写一篇关于春天的作文，800字。", 1080, id="characters-zh"),
        pytest.param("Write two sentences about the sea for a postcard.", 56, id="sentences"),
        pytest.param("用三句话介绍一下长城的历史。", 90, id="sentences-zh"),
        pytest.param("Write three paragraphs about my holiday in Spain.", 330, id="paragraphs"),
    ],
)
def test_an_asked_length_is_the_expected_answer(text: str, expected: int) -> None:
    assert inspect(text).output_tokens == expected


def test_text_with_space_around_it_is_the_same_request() -> None:
    assert inspect("\n  good morning \n").domains == inspect("good morning").domains
