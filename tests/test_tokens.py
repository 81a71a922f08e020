"""The token estimate against true counts of Qwen3's tokenizer (tests/data/token_counts.json, by training/tokens.py)."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_router.media import Attachment
from qwen_router.profile.tokens import attachment_tokens, estimate_tokens, image_tokens, request_tokens
from qwen_router.request import Message, Request, ToolSpec

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def counted() -> list[tuple[str, int]]:
    counts = json.loads((DATA / "token_counts.json").read_text("utf-8"))
    rows = [json.loads(line) for line in (DATA / "requests_sample.jsonl").read_text("utf-8").splitlines()]
    return [(row["text"], counts[row["id"]]) for row in rows]


def test_the_sum_over_the_sample_is_within_three_percent(counted: list[tuple[str, int]]) -> None:
    estimated = sum(estimate_tokens(text) for text, _ in counted)
    assert estimated == pytest.approx(sum(count for _, count in counted), rel=0.03)


def test_the_median_error_is_within_ten_percent(counted: list[tuple[str, int]]) -> None:
    assert statistics.median(abs(estimate_tokens(text) - count) / count for text, count in counted) < 0.10


def test_no_text_has_no_tokens_and_any_text_has_one() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens(" ") >= 1
    assert estimate_tokens("hello") == 1


def test_a_sampled_document_counts_like_the_sum_of_its_parts(counted: list[tuple[str, int]]) -> None:
    texts = [text for text, _ in counted]
    whole = estimate_tokens("\n".join(texts))
    assert whole == pytest.approx(sum(map(estimate_tokens, texts)), rel=0.15)


@given(st.text(max_size=300))
def test_any_text_is_counted_without_complaint(text: str) -> None:
    assert 0 <= estimate_tokens(text) <= 8 * len(text) + 1


@given(st.text(alphabet=st.characters(categories=["Cs"]), max_size=20))
def test_unpaired_surrogates_are_counted(text: str) -> None:
    assert estimate_tokens(text) >= 0


def test_a_message_costs_what_the_chat_template_adds() -> None:
    # Qwen3's template renders one empty user message and the opening of the answer to 8 tokens
    assert request_tokens(Request.from_text("")) == 8


def test_a_declared_tool_is_counted() -> None:
    # the same request renders to 144 tokens with Qwen3's template and tokenizer
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool = ToolSpec(name="get_weather", description="Get the weather", parameters=parameters)
    assert request_tokens(Request(messages=(Message(role="user"),), tools=(tool,))) == pytest.approx(144, rel=0.1)


@pytest.mark.parametrize(
    ("width_px", "height_px", "tokens"),
    [
        pytest.param(1024, 1024, 1026, id="a-token-for-32-by-32-pixels"),
        pytest.param(32, 32, 66, id="small-pictures-are-scaled-up"),
        pytest.param(20_000, 20_000, 16_386, id="large-ones-down"),
        pytest.param(None, None, 1026, id="unknown-size-has-a-stated-default"),
    ],
)
def test_picture_tokens_follow_from_the_size(width_px: int | None, height_px: int | None, tokens: int) -> None:
    assert image_tokens(width_px, height_px) == tokens


def test_sound_and_files_are_counted_by_their_measures() -> None:
    assert attachment_tokens(Attachment("audio", "data:", duration_s=10)) == 252
    assert attachment_tokens(Attachment("file", "data:", size_bytes=4000)) == 1000
    assert attachment_tokens(Attachment("video", "data:", duration_s=10_000)) <= 24_578
