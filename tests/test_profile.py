"""What the profile room says of real asks, of requests of every shape, and of text that says nothing."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_router.errors import CatalogError
from qwen_router.media import Attachment
from qwen_router.profile import DOMAINS, inspect, inspect_many, profile_line
from qwen_router.profile.classifier import Classifier, default_classifier
from qwen_router.profile.features import features_of
from qwen_router.profile.language import language_of, output_languages
from qwen_router.profile.reading import EXCERPT_CHARS, ask_of, excerpt_of, strip_envelopes
from qwen_router.request import Message, Request, ToolSpec

DATA = Path(__file__).parent / "data"
WEATHER = ToolSpec(
    name="get_weather", description="Current weather of a city", parameters={"type": "object", "properties": {}}
)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("What is 37 * 12 - 5?", "math"),
        ("小明有12个苹果，又买了30个，一共有多少个？", "math"),
        ("Un tren recorre 240 km en 3 horas. ¿Cuántos kilómetros recorre en 5 horas?", "math"),
        ("りんごを12個買い、5個食べました。残りは何個ですか？", "math"),
        ("Write a Python function that removes duplicates from a list.", "code"),
        ("用Python写一个函数，判断一个数是不是质数", "code"),
        ("Traceback (most recent call last):\n  File \"a.py\", line 3, in <module>\nKeyError: 'x'", "code"),
        ("Ann is taller than Bob. Carl is shorter than Bob. Who is the shortest?", "reasoning"),
        ("What is the capital of Australia?", "knowledge"),
        ("Write a poem about the sea.", "writing"),
        ("hi", "chat"),
        ("Hallo, wie geht's?", "chat"),
        ("Translate into French: Where is the library?", "translation"),
        ("把这句话翻译成英文：今天天气很好", "translation"),
    ],
)
def test_an_ordinary_ask_gets_its_domain(text: str, domain: str) -> None:
    assert inspect(text).domain == domain


def test_nine_in_ten_of_the_sample_get_the_domain_of_their_source() -> None:
    rows = [json.loads(line) for line in (DATA / "requests_sample.jsonl").read_text("utf-8").splitlines()]
    rows = [row for row in rows if row["domain"] in DOMAINS and row["domain"] not in ("tools", "chat", "writing")]
    right = [
        profile.domain == row["domain"] for profile, row in zip(inspect_many(row["text"] for row in rows), rows, strict=True)
    ]
    assert sum(right) / len(right) > 0.9


def test_probabilities_sum_to_one_in_the_order_of_the_domains() -> None:
    profile = inspect("Prove that there are infinitely many primes.")
    assert tuple(profile.domains) == DOMAINS
    assert math.isclose(sum(profile.domains.values()), 1, abs_tol=1e-6)
    assert profile.confidence == max(profile.domains.values())


def test_a_proof_wants_more_thought_than_a_greeting() -> None:
    assert inspect("Prove that $\\sqrt{2}$ is irrational.").depth > inspect("good morning!").depth + 0.3


def test_a_declared_tool_matters_only_when_the_ask_needs_it() -> None:
    live = Request(messages=(Message(role="user", text="What's the weather in Oslo right now?"),), tools=(WEATHER,))
    other = Request(
        messages=(Message(role="user", text="Write a Python function that sorts a list of tuples."),), tools=(WEATHER,)
    )
    assert inspect(live).domain == "tools"
    assert inspect(other).domain == "code"


def test_the_last_human_ask_decides() -> None:
    turns = (
        Message(role="user", text="Write a C++ class."),
        Message(role="assistant", text="class A {};"),
        Message(role="user", text="thanks!"),
    )
    assert inspect(Request(messages=turns)).domain == "chat"


def test_agent_harness_text_does_not_drive_the_classifier() -> None:
    envelope = "<system-reminder>def f(): return 1  # run the tests, edit main.py</system-reminder>\n"
    assert strip_envelopes(envelope + "hi") == "\nhi"
    assert inspect(envelope + "good morning").domain == "chat"
    agents = "# AGENTS.md instructions for /repo\n<INSTRUCTIONS>\nuse ruff\n</INSTRUCTIONS>\nWhat is the capital of Peru?"
    assert strip_envelopes(agents).strip() == "What is the capital of Peru?"


def test_a_message_that_is_only_an_envelope_is_passed_over() -> None:
    messages = (Message(role="user", text="2+2?"), Message(role="user", text="<system-reminder>be brief</system-reminder>"))
    assert ask_of(Request(messages=messages)) == "2+2?"


def test_an_unclosed_tag_is_the_persons_own_text() -> None:
    assert strip_envelopes("what does <system-reminder> mean? </b>") == "what does <system-reminder> mean? </b>"


def test_long_text_is_read_at_both_ends() -> None:
    text = "START " + "word " * 50_000 + "END"
    excerpt = excerpt_of(text)
    assert excerpt.startswith("START") and excerpt.endswith("END")
    assert len(excerpt) <= EXCERPT_CHARS + 8


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What time does the train to London leave?", "en"),
        ("Wann fährt der Zug nach Berlin ab?", "de"),
        ("¿A qué hora sale el tren para Madrid?", "es"),
        ("今天的天气怎么样？", "zh"),
        ("今日の天気はどうですか？", "ja"),
        ("오늘 날씨가 어때요?", "ko"),
        ("Какая сегодня погода в Москве?", "ru"),
        ("รถไฟออกกี่โมง", "th"),
        ("Τι καιρό κάνει σήμερα;", "el"),
        ("आज मौसम कैसा है?", "hi"),
        ("1 + 1 = ?", "und"),
        ("hi", "und"),
        ("gracias", "es"),
        (
            "I would like to learn this text by heart tomorrow. Сегодня хорошая погода, и мы идём гулять в большой парк.",
            "mul",
        ),
    ],
)
def test_the_language_is_told(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("text", "languages"),
    [
        ("Translate into French and German: good morning", ("fr", "de")),
        ("翻译成英文：你好", ("en",)),
        ("Übersetze ins Spanische: Guten Tag", ("es",)),
        ("Translate from German into Japanese: Guten Tag", ("ja",)),
        ("Answer in Italian: who are you?", ("it",)),
        ("I had french fries in Germany", ("en",)),
    ],
)
def test_the_answer_is_asked_in_the_languages_that_are_named(text: str, languages: tuple[str, ...]) -> None:
    assert output_languages(text, language_of(text)) == languages


def test_modalities_come_from_the_content() -> None:
    picture = Attachment("image", "https://example.org/a.png", width_px=640, height_px=480)
    asked = Request(messages=(Message(role="user", text="What is this?", attachments=(picture,)),))
    alone = Request(messages=(Message(role="user", attachments=(picture,)),))
    assert inspect(asked).modalities == ("text", "image")
    assert inspect(alone).modalities == ("image",)
    assert inspect(alone).abstained


def test_an_asked_length_is_expected_and_the_callers_limit_kept() -> None:
    assert inspect("Write a 2000-word essay about autumn.").output_tokens > 2000
    limited = Request.from_body({"messages": [{"role": "user", "content": "Write a poem about the sea."}], "max_tokens": 50})
    assert inspect(limited).output_tokens == 50


SILENT = {
    "empty": "",
    "blank": " \n\t ",
    "one-emoji": "🙂",
    "punctuation": "?!...",
    "zero-width": "\u200b\u200d\ufeff",
    "surrogates": "\ud800\udfff\ud83d",
    "binary": "".join(chr(i % 32) for i in range(3000)),
    "ten-megabytes-of-one-character": "a" * 10_000_000,
    "ten-megabytes-of-blanks": " " * 10_000_000,
}


@pytest.mark.parametrize("text", SILENT.values(), ids=SILENT.keys())
def test_text_that_says_nothing_abstains_with_a_reason_and_at_once(text: str) -> None:
    inspect("warm up")
    best_s = min(_seconds(text) for _ in range(5))
    profile = inspect(text)
    assert profile.abstained and profile.reason
    assert best_s < 0.005


def _seconds(text: str) -> float:
    started = time.perf_counter()
    inspect(text)
    return time.perf_counter() - started


@given(st.text(alphabet=st.characters(), max_size=400))
def test_no_text_raises(text: str) -> None:
    profile = inspect(text)
    assert 0 <= profile.depth <= 1 and 0 <= profile.difficulty <= 1
    assert profile.input_tokens > 0


def test_right_to_left_and_mixed_scripts_are_read() -> None:
    assert inspect("מה השעה עכשיו בירושלים?").language == "he"
    assert inspect("\u202bكم الساعة الآن في القاهرة؟\u202c").language == "ar"


def test_the_same_text_gets_the_same_profile() -> None:
    first, second = (profile_line(inspect("Is 91 prime?")) for _ in range(2))
    del first["elapsed_us"], second["elapsed_us"]
    assert first == second


def test_a_classify_line_has_the_promised_fields_in_order() -> None:
    line = profile_line(inspect("Is 91 prime?"))
    assert [*line][:11] == [
        "domain", "domains", "depth", "difficulty", "language", "output_languages", "modalities", "confidence",
        "abstained", "input_tokens",
        "elapsed_us",
    ]  # fmt: skip
    assert json.loads(json.dumps(line)) == line


def test_weights_for_other_features_are_refused(tmp_path: Path) -> None:
    (tmp_path / "classifier.json").write_text(json.dumps({"bucket_bits": 3, "form": []}))
    with pytest.raises(CatalogError, match="trained for other features"):
        Classifier.load(tmp_path)


def test_the_abstain_threshold_is_data() -> None:
    shipped = default_classifier()
    strict = Classifier.load()
    object.__setattr__(strict, "meta", dict(shipped.meta) | {"abstain_below": 1.01})
    profile = inspect("What is 3 + 4?", classifier=strict)
    assert profile.abstained and "below 1.01" in str(profile.reason)


def test_features_of_form_do_not_depend_on_the_script() -> None:
    english, chinese = (features_of(text) for text in ("I have 3 pens and 4 cups?", "我有3支笔和4个杯?"))
    shapes = [set(f.buckets[f.shapes_at :].tolist()) for f in (english, chinese)]
    assert shapes[0] == shapes[1]
    assert np.isfinite(english.form).all()
