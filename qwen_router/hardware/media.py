"""How many tokens of context an image, a video or a sound takes in a given model, from its size and length alone.

The rules are those of the models' own processors; nothing is decoded here. What the towers weigh is in `memory.py`.

    python -c "from qwen_router.catalog import Catalog; from qwen_router.hardware.media import image_tokens; \\
        print(image_tokens(Catalog.load().get('Qwen/Qwen3-VL-8B-Instruct'), 1920, 1080))"
"""

from __future__ import annotations

import math

from qwen_router.catalog.types import Model, Vision
from qwen_router.errors import CatalogError, InvalidRequest

MAX_RATIO = 200
"""The processors refuse an image whose longer side is more than so many times the shorter."""
AROUND_MEDIA_TOKENS = 2
"""`<|vision_start|>` and `<|vision_end|>`, or the two that stand around a sound."""
# qwen_vl_utils/vision_process.py of QwenLM/Qwen3-VL: frames a second, their least and most, and the pixels of a frame.
VIDEO_FPS, VIDEO_LEAST_FRAMES, VIDEO_MOST_FRAMES, FRAME_FACTOR = 2.0, 4, 768, 2
VIDEO_LEAST_TOKENS, VIDEO_MOST_TOKENS = 128, 768
VIDEO_TOTAL_TOKENS = 128_000 * 0.9


def image_tokens(model: Model, width: int, height: int) -> int:
    """Tokens of one image of `width` x `height` pixels, the two around it included.

    Each side is rounded to patch x merge pixels, then both are scaled until the area lies within the processor's bounds
    (`smart_resize`, transformers/models/qwen2_vl/image_processing_qwen2_vl.py); every square of that side is a token.
    Raises `InvalidRequest` for a size that the processor refuses, `CatalogError` where the model's rule is not known.
    """
    vision = _vision(model)
    _check(width, height)
    if vision.tokens_per_image is not None:
        return vision.tokens_per_image + AROUND_MEDIA_TOKENS
    side = (vision.patch_size or 0) * (vision.spatial_merge or 0)
    rows, columns = resized(width, height, side, least=vision.min_pixels or side**2, most=vision.max_pixels or 1 << 62)
    return (rows // side) * (columns // side) + AROUND_MEDIA_TOKENS


def video_tokens(model: Model, width: int, height: int, seconds: float) -> int:
    """Tokens of a video without its sound: frames at 2 a second, scaled so that all together stay below the processor's
    bound (`fetch_video`, qwen_vl_utils), taken `temporal_patch` at a time."""
    vision = _vision(model)
    _check(width, height)
    if not 0 < seconds < math.inf:
        raise InvalidRequest(f"a video of {seconds} s has no frames", fix="a length above 0 s")
    if vision.patch_size is None or vision.spatial_merge is None or vision.temporal_patch is None:
        raise CatalogError(f"how {model.id!r} cuts a video is not in the catalog", fix="add its `vision` block")
    side = vision.patch_size * vision.spatial_merge
    frames = min(VIDEO_MOST_FRAMES, max(VIDEO_LEAST_FRAMES, seconds * VIDEO_FPS))
    frames = max(FRAME_FACTOR, math.floor(frames / FRAME_FACTOR) * FRAME_FACTOR)
    rows, columns = frame_resized(width, height, side, frames=frames)
    return math.ceil(frames / vision.temporal_patch) * (rows // side) * (columns // side) + AROUND_MEDIA_TOKENS


def audio_tokens(model: Model, seconds: float) -> int:
    """Tokens of a sound, the two around it included."""
    if not 0 < seconds < math.inf:
        raise InvalidRequest(f"a sound of {seconds} s has no tokens", fix="a length above 0 s")
    rate = None if model.architecture is None else model.architecture.audio_tokens_per_s
    if rate is None:
        raise CatalogError(f"{model.id!r} takes no sound, or how it cuts it is not in the catalog", fix="pick another model")
    return math.ceil(seconds * rate) + AROUND_MEDIA_TOKENS


def resized(width: int, height: int, side: int, *, least: int, most: int) -> tuple[int, int]:
    """(height, width) in pixels after the processor's rounding and scaling."""
    rows, columns = round(height / side) * side, round(width / side) * side
    if rows * columns > most:
        scale = math.sqrt(height * width / most)
        rows = max(side, math.floor(height / scale / side) * side)
        columns = max(side, math.floor(width / scale / side) * side)
    elif rows * columns < least:
        scale = math.sqrt(least / (height * width))
        rows, columns = math.ceil(height * scale / side) * side, math.ceil(width * scale / side) * side
    return rows, columns


def frame_resized(width: int, height: int, side: int, *, frames: int) -> tuple[int, int]:
    """(height, width) in pixels of each of so many frames of a video: all together stay below the processor's bound."""
    least = VIDEO_LEAST_TOKENS * side**2
    most = max(min(VIDEO_MOST_TOKENS * side**2, VIDEO_TOTAL_TOKENS * side**2 / frames * FRAME_FACTOR), int(least * 1.05))
    return resized(width, height, side, least=least, most=int(most))


def _vision(model: Model) -> Vision:
    found = None if model.architecture is None else model.architecture.vision
    if found is None:
        why = "takes no images" if "image" not in model.modalities else "cuts images in a way that the catalog does not know"
        raise CatalogError(f"{model.id!r} {why}", fix="pick a model that `qwen-router models` lists with image input")
    return found


def _check(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise InvalidRequest(f"an image of {width} x {height} pixels has none", fix="sides of at least 1 pixel")
    if max(width, height) / min(width, height) > MAX_RATIO:
        raise InvalidRequest(
            f"{width} x {height}: one side is more than {MAX_RATIO} times the other", fix="crop it: the processor refuses it"
        )
