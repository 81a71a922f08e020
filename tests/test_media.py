"""How many tokens pictures, videos and sounds take: the processors' own rules, from sizes alone."""

from __future__ import annotations

import random

import pytest

from qwen_router.catalog import Catalog
from qwen_router.errors import CatalogError, InvalidRequest
from qwen_router.hardware.media import AROUND_MEDIA_TOKENS, audio_tokens, image_tokens, resized, video_tokens

CATALOG = Catalog.load()
SEEING = [m for m in CATALOG.models if m.architecture and m.architecture.vision and m.architecture.vision.patch_size]


@pytest.mark.parametrize("side", [28, 32])
def test_an_image_is_scaled_as_the_processor_scales_it(side: int) -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    rng = random.Random(1)
    for _ in range(300):
        width, height = (int(10 ** rng.uniform(1, 3.8)) for _ in range(2))
        if max(width, height) / min(width, height) > 200:
            continue
        least, most = 4 * side**2, rng.choice((1280, 16384)) * side**2
        expected = smart_resize(height, width, factor=side, min_pixels=least, max_pixels=most)
        assert resized(width, height, side, least=least, most=most) == expected, (width, height)


def test_every_model_that_sees_says_what_an_image_takes() -> None:
    assert len(SEEING) > 15
    for model in SEEING:
        small, large = image_tokens(model, 224, 224), image_tokens(model, 1920, 1080)
        assert AROUND_MEDIA_TOKENS < small < large < model.context.native_tokens


def test_known_sizes() -> None:
    qwen25, qwen3 = CATALOG.get("Qwen/Qwen2.5-VL-7B-Instruct"), CATALOG.get("Qwen/Qwen3-VL-8B-Instruct")
    assert image_tokens(qwen25, 1920, 1080) == 69 * 39 + 2  # squares of 28 pixels
    assert image_tokens(qwen3, 1920, 1080) == 60 * 34 + 2  # squares of 32 pixels
    assert image_tokens(CATALOG.get("Qwen/Qwen-VL-Chat"), 4000, 3000) == 256 + 2


def test_a_video_takes_more_the_longer_it_is_and_stays_within_its_bound() -> None:
    model = CATALOG.get("Qwen/Qwen3-VL-8B-Instruct")
    short, long, endless = (video_tokens(model, 1280, 720, seconds) for seconds in (2, 60, 100_000))
    assert short < long < 128_000 and endless <= 128_000


def test_a_sound_takes_tokens_by_the_second() -> None:
    model = CATALOG.get("Qwen/Qwen2-Audio-7B-Instruct")
    assert audio_tokens(model, 10) == 250 + 2  # 25 tokens a second


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        pytest.param(lambda m: image_tokens(m, 0, 5), InvalidRequest, "0 x 5", id="no-pixels"),
        pytest.param(lambda m: image_tokens(m, 5000, 10), InvalidRequest, "more than 200 times", id="a-line"),
        pytest.param(lambda m: video_tokens(m, 640, 480, 0), InvalidRequest, "has no frames", id="no-time"),
        pytest.param(lambda m: audio_tokens(m, float("nan")), InvalidRequest, "no tokens", id="not-a-number"),
        pytest.param(lambda m: audio_tokens(m, 3), CatalogError, "takes no sound", id="a-model-that-is-deaf"),
        pytest.param(lambda _: image_tokens(CATALOG.get("Qwen3-8B"), 9, 9), CatalogError, "takes no images", id="blind"),
    ],
)
def test_what_cannot_be_counted_is_said(ask: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        ask(CATALOG.get("Qwen/Qwen3-VL-8B-Instruct"))  # type: ignore[operator]
