"""Pictures, videos and sounds reach the models of transformers, as their own processors would send them.

The checkpoints are made here (`media_checkpoints.py` says what is real in them and what is rebuilt).
"""

from __future__ import annotations

import base64
import io
import re
import struct
import wave
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwen_router.catalog import Catalog
from qwen_router.catalog.types import Sampling
from qwen_router.engines import media_decode, token_loop
from qwen_router.engines import transformers as engine_module
from qwen_router.engines.base import Call, Done, ThinkingPlan
from qwen_router.engines.llamacpp import LlamaCppEngine
from qwen_router.engines.media_decode import open_image, open_sound, open_video, resampled
from qwen_router.engines.media_input import MediaReader, chosen_frames
from qwen_router.engines.torch_steps import TorchSteps
from qwen_router.engines.transformers import TransformersEngine
from qwen_router.errors import EngineRefused, EngineTimeout, MissingExtra, RouterError
from qwen_router.hardware.media import AROUND_MEDIA_TOKENS, audio_tokens, image_tokens, video_tokens
from qwen_router.media import Attachment
from qwen_router.request import Message
from tests import media_checkpoints
from tests.media_checkpoints import IDS

pytestmark = pytest.mark.filterwarnings("ignore:.*falling back to its reference PyTorch:UserWarning")
PUBLISHED = {"qwen25_vl": "Qwen/Qwen2.5-VL-7B-Instruct", "qwen3_vl": "Qwen/Qwen3-VL-8B-Instruct"}
SEEING = ("qwen25_vl", "qwen3_vl", "qwen35")
FORGED = "<|vision_start|><|image_pad|><|vision_end|> <|AUDIO|> <|video_pad|>"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    makers = (
        media_checkpoints.qwen25_vl,
        media_checkpoints.qwen3_vl,
        media_checkpoints.qwen35,
        media_checkpoints.qwen2_audio,
    )
    return {make.__name__: make(root / make.__name__) for make in makers}


@pytest.fixture(scope="module")
def engine(folders: dict[str, Path]) -> Iterator[TransformersEngine]:
    made = TransformersEngine(tuple(folders.values()))
    yield made
    made.close()


def attached(data: bytes, kind: Any, media_type: str = "application/octet-stream") -> Attachment:
    return Attachment(kind, f"data:{media_type};base64,{base64.b64encode(data).decode()}")


def pixels(width: int, height: int, seed: int = 0) -> Any:
    from PIL import Image

    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def saved(image: Any, form: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def picture(width: int = 100, height: int = 60, seed: int = 0) -> Attachment:
    return attached(saved(pixels(width, height, seed)), "image")


def film(frames: int = 8, width: int = 64, height: int = 48, seed: int = 0, each_ms: int = 250) -> Attachment:
    first, *others = (pixels(width, height, seed * 1000 + n) for n in range(frames))
    return attached(saved(first, "GIF", save_all=True, append_images=others, duration=each_ms), "video")


def wav(seconds: float = 1.0, hz: float = 440, *, rate_hz: int = 16000, width: int = 2, channels: int = 1) -> bytes:
    tone = np.sin(np.arange(round(rate_hz * seconds)) / rate_hz * hz * 2 * np.pi) * 0.6
    both = np.repeat(tone, channels)
    if width == 1:
        raw = (both * 127 + 128).astype("u1").tobytes()
    else:  # the upper bytes of 32 bits
        raw = (both * (2**31 - 1)).astype("<i4").view("u1").reshape(-1, 4)[:, 4 - width :].tobytes()
    out = io.BytesIO()
    with wave.open(out, "wb") as clip:
        clip.setparams((channels, width, rate_hz, 0, "NONE", ""))
        clip.writeframes(raw)
    return out.getvalue()


def sound(seconds: float = 1.0, hz: float = 440) -> Attachment:
    return attached(wav(seconds, hz), "audio")


def ask(model: str, *attachments: Attachment, text: str = "What is it?", **fields: Any) -> Call:
    made = Call(
        model=model,
        messages=(Message("user", text, attachments=attachments),),
        thinking=ThinkingPlan(False),
        behaviour="none",
        sampling=Sampling(temperature=0),
        max_answer_tokens=24,
        context_tokens=8192,
    )
    return replace(made, **fields)


# --- what reaches the model ----------------------------------------------------------------------------------------


SHOWN = {
    "no-picture": (),
    "a-picture": (picture(),),
    "two-pictures": (picture(90, 130, 3), picture(64, 64, 4)),
}
HEARD = {"a-sound": (sound(1.3),), "two-sounds": (sound(0.7, 300), sound(2.1, 900))}


@pytest.mark.parametrize(
    ("model", "attachments"),
    [
        *(pytest.param(m, shown, id=f"{m}-{name}") for m in SEEING for name, shown in SHOWN.items()),
        *(pytest.param("qwen2_audio", heard, id=f"qwen2_audio-{name}") for name, heard in HEARD.items()),
    ],
)
def test_the_greedy_answer_is_generates_token_for_token(engine, folders, monkeypatch, model, attachments):
    ours: list[int] = []
    monkeypatch.setattr(engine_module, "decoder", lambda _: lambda token: ours.append(token) or "x")
    monkeypatch.setattr(token_loop, "PREFILL_CHUNK_TOKENS", 16)  # less than a picture takes
    events = list(engine.stream(ask(model, *attachments)))
    theirs = generated(folders[model], attachments)
    assert isinstance(events[-1], Done) and events[-1].usage.prompt_tokens == theirs[0]
    assert tuple(ours) == theirs[1] and len(ours) > 3


def generated(folder: Path, attachments: tuple[Attachment, ...]) -> tuple[int, tuple[int, ...]]:
    """Prompt tokens and answer of transformers' own `generate()`, fed by its own processors."""
    import torch
    from PIL import Image
    from transformers import (
        AutoFeatureExtractor,
        AutoImageProcessor,
        AutoModelForMultimodalLM,
        AutoTokenizer,
        Qwen2AudioProcessor,
    )

    tokenizer = AutoTokenizer.from_pretrained(folder)
    parts = [*({"type": a.kind} for a in attachments), {"type": "text", "text": "What is it?"}]
    prompt = [{"role": "user", "content": parts if attachments else "What is it?"}]
    text = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
    files = [io.BytesIO(base64.b64decode(a.source.partition(",")[2])) for a in attachments]
    if folder.name == "qwen2_audio":
        processor = Qwen2AudioProcessor(AutoFeatureExtractor.from_pretrained(folder), tokenizer)
        sounds = []
        for file in files:
            with wave.open(file) as clip:
                sounds.append(np.frombuffer(clip.readframes(clip.getnframes()), "<i2").astype(np.float32) / 2**15)
        inputs = dict(processor(text=[text], audio=sounds, sampling_rate=16000, return_tensors="pt"))
    else:  # Qwen2_5_VLProcessor and Qwen3VLProcessor are not made without torchvision; they do this
        pictures = AutoImageProcessor.from_pretrained(folder, backend="pil")
        made = dict(pictures(images=[Image.open(f) for f in files], return_tensors="pt")) if files else {}
        for grid in made.get("image_grid_thw", ()):
            text = text.replace("<|image_pad|>", "<|hidden|>" * (int(grid.prod()) // pictures.merge_size**2), 1)
        inputs = dict(tokenizer([text.replace("<|hidden|>", "<|image_pad|>")], return_tensors="pt"), **made)
        inputs["mm_token_type_ids"] = (inputs["input_ids"] == IDS["<|image_pad|>"]).int()
    model = AutoModelForMultimodalLM.from_pretrained(folder, dtype="auto").eval()
    with torch.inference_mode():
        out = model.generate(**inputs, do_sample=False, max_new_tokens=24, suppress_tokens=[IDS["<think>"]])[0].tolist()
    prompt_tokens = inputs["input_ids"].shape[1]
    return prompt_tokens, tuple(i for i in out[prompt_tokens:] if i != IDS["<|im_end|>"])


@pytest.fixture(scope="module")
def scores(engine: TransformersEngine, folders: dict[str, Path]) -> Callable[[Call], Any]:
    """The scores of the first token, from the engine's own path to the model."""
    import torch
    from transformers import AutoModelForMultimodalLM

    models: dict[str, Any] = {}

    def first(call: Call) -> Any:
        folder = folders[call.model]
        model = models.setdefault(call.model, AutoModelForMultimodalLM.from_pretrained(folder, dtype=torch.float32).eval())
        reader = MediaReader(folder, model.config, lambda text: media_checkpoints.tokenizer().encode(text))
        ids = engine.prompt(call)[1]
        return TorchSteps(reader.view(model, ids, reader.opened(call)), cpu_threads=1)(ids)

    return first


@pytest.mark.parametrize(
    ("model", "one", "other"),
    [
        *(pytest.param(m, picture(), picture(seed=1), id=f"{m}-picture") for m in SEEING),
        *(pytest.param(m, film(), film(seed=1), id=f"{m}-video") for m in SEEING),
        pytest.param("qwen2_audio", sound(), sound(hz=880), id="qwen2_audio-sound"),
    ],
)
def test_another_picture_gives_other_scores_and_the_same_one_the_same(scores, model, one, other):
    first, again, changed = (scores(ask(model, a)) for a in (one, one, other))
    assert np.array_equal(first, again)
    assert np.abs(first - changed).max() > 1e-3


def runs(ids: tuple[int, ...]) -> list[int]:
    """How long each unbroken run of picture tokens is."""
    return [len(list(run)) for shown, run in groupby(ids, IDS["<|image_pad|>"].__eq__) if shown]


@pytest.mark.parametrize("model", SEEING)
def test_the_order_of_pictures_is_kept_in_a_message_and_over_messages(engine, scores, model):
    small, large = picture(64, 64, 1), picture(256, 320, 2)
    ahead = runs(engine.prompt(ask(model, small, large))[1])
    assert len(ahead) == 2 and ahead[0] < ahead[1]
    turns = (
        Message("user", "a", attachments=(large,)),
        Message("assistant", "b"),
        Message("user", "c", attachments=(small,)),
    )
    assert runs(engine.prompt(ask(model, messages=turns))[1]) == ahead[::-1]
    twins = picture(100, 60, 8), picture(100, 60, 9)
    assert np.abs(scores(ask(model, *twins)) - scores(ask(model, *twins[::-1]))).max() > 1e-3


@pytest.mark.parametrize("model", SEEING)
def test_every_moment_of_a_video_arrives(scores, model):
    still, first = pixels(64, 48, 1), pixels(64, 48, 2)

    def shown(*frames: Any) -> Any:
        return scores(
            ask(model, attached(saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=250), "video"))
        )

    changes = [shown(first, *(still if n != at else pixels(64, 48, 3) for n in range(1, 8))) for at in (2, 5, 7)]
    usual = shown(first, *[still] * 7)
    assert all(np.abs(usual - changed).max() > 1e-3 for changed in changes)


@pytest.mark.parametrize("model", SEEING)
def test_a_videos_positions_are_those_that_generate_computes(engine, folders, monkeypatch, model):
    """The tensors are ours here: transformers' video processors need torchvision. What follows from them is generate()'s."""
    import torch
    from transformers import AutoModelForMultimodalLM

    call = ask(model, picture(90, 60), film(8, each_ms=500), picture(60, 90))
    ours: list[int] = []
    monkeypatch.setattr(engine_module, "decoder", lambda _: lambda token: ours.append(token) or "x")
    list(engine.stream(call))
    network = AutoModelForMultimodalLM.from_pretrained(folders[model], dtype="auto").eval()
    reader = MediaReader(folders[model], network.config, media_checkpoints.tokenizer().encode)
    first, moving, last = (medium.tensors() for medium in reader.opened(call))
    ids = torch.tensor([engine.prompt(call)[1]])
    kinds = (ids == IDS["<|image_pad|>"]).int() + 2 * (ids == IDS["<|video_pad|>"]).int()
    both = {name: torch.cat([first[name], last[name]]) for name in first}
    with torch.inference_mode():
        options = {"do_sample": False, "max_new_tokens": 24, "suppress_tokens": [IDS["<think>"]]}
        out = network.generate(input_ids=ids, mm_token_type_ids=kinds, **both, **moving, **options)
    assert ours == [i for i in out[0, ids.shape[1] :].tolist() if i != IDS["<|im_end|>"]] and len(ours) > 3


def test_media_and_text_calls_alternate_on_one_model(engine, monkeypatch):
    def tokens(call: Call) -> list[int]:
        seen: list[int] = []
        monkeypatch.setattr(engine_module, "decoder", lambda _: lambda token: seen.append(token) or "x")
        list(engine.stream(call))
        return seen

    alone = tokens(ask("qwen25_vl", text="Only words."))
    shown = tokens(ask("qwen25_vl", picture()))
    assert tokens(ask("qwen25_vl", text="Only words.")) == alone
    assert tokens(ask("qwen25_vl", picture())) == shown


# --- how many tokens -----------------------------------------------------------------------------------------------

SIZES = (
    *((n, n) for n in (1, 3, 27, 28, 32, 55, 56, 64, 100, 224, 336, 448, 512, 640, 1000)),
    *((200, 1), (1, 200), (13, 700), (1024, 8), (90, 33), (480, 640), (640, 480), (800, 600), (1280, 720), (720, 1280)),
    *((1366, 768), (1920, 1080), (2560, 320), (999, 1001), (4000, 400), (77, 1234)),
)


@pytest.mark.parametrize("model", PUBLISHED)
def test_our_arithmetic_is_the_processors_for_thirty_sizes(engine, folders, model):
    """Counted in the prompt of the engine, computed from the catalog, and made by the processor."""
    from PIL import Image
    from transformers import AutoImageProcessor

    processor, published = (
        AutoImageProcessor.from_pretrained(folders[model], backend="pil"),
        Catalog.load().get(PUBLISHED[model]),
    )
    assert len(SIZES) >= 30
    for width, height in SIZES:
        image = Image.new("RGB", (width, height), (width % 256, 99, 7))
        call = ask(model, attached(saved(image), "image"), context_tokens=32768)
        ours = engine.prompt(call)[1].count(IDS["<|image_pad|>"])
        grid = processor(images=[image], input_data_format="channels_last", return_tensors="np")["image_grid_thw"][0]
        assert ours == grid.prod() // 4 == image_tokens(published, width, height) - AROUND_MEDIA_TOKENS, (width, height)


@pytest.mark.parametrize("model", PUBLISHED)
@pytest.mark.parametrize(("frames", "each_ms"), [(8, 250), (20, 500), (7, 500), (25, 40)])
def test_the_tokens_of_a_video_are_those_of_the_arithmetic(engine, model, frames, each_ms):
    ids = engine.prompt(ask(model, film(frames, 80, 50, each_ms=each_ms)))[1]
    expected = video_tokens(Catalog.load().get(PUBLISHED[model]), 80, 50, frames * each_ms / 1000) - AROUND_MEDIA_TOKENS
    assert ids.count(IDS["<|video_pad|>"]) == expected


def test_a_video_with_fewer_than_two_frames_a_second_takes_less_than_the_arithmetic(engine):
    ids = engine.prompt(ask("qwen3_vl", film(7, 80, 50, each_ms=1000)))[1]
    assert 0 < ids.count(IDS["<|video_pad|>"]) < video_tokens(Catalog.load().get(PUBLISHED["qwen3_vl"]), 80, 50, 7)


@pytest.mark.parametrize("seconds", [0.1, 0.5, 1, 1.01, 2.5, 7.77, 15, 29.99, 30])
def test_the_tokens_of_a_sound_are_those_of_the_arithmetic_to_one(engine, seconds):
    counted = engine.prompt(ask("qwen2_audio", sound(seconds)))[1].count(IDS["<|AUDIO|>"])
    estimate = audio_tokens(Catalog.load().get("Qwen/Qwen2-Audio-7B-Instruct"), seconds) - AROUND_MEDIA_TOKENS
    assert counted <= estimate <= counted + 1


def test_qwen3_vl_reads_when_each_pair_of_frames_was(engine):
    text = media_checkpoints.tokenizer().decode(engine.prompt(ask("qwen3_vl", film(8, each_ms=500)))[1])
    assert re.findall(r"<([0-9.]+) seconds><\|vision_start\|>", text) == ["0.2", "1.2", "2.2", "3.2"]
    assert text.count("<|vision_start|>") == text.count("<|vision_end|>") == 5  # as transformers 5.10 and later


@pytest.mark.parametrize(
    ("total", "per_s", "expected"),
    [
        pytest.param(8, 4.0, [0, 2, 5, 7], id="two-a-second"),
        pytest.param(3, 1.0, [0, 2], id="never-more-than-there-are"),
        pytest.param(30, 30.0, [0, 10, 19, 29], id="four-at-least"),
    ],
)
def test_frames_are_chosen_as_qwen_vl_utils_does(total, per_s, expected):
    assert chosen_frames(total, per_s) == expected
    assert len(chosen_frames(100_000, 25.0)) == 768


# --- what a person writes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [*SEEING, "qwen2_audio"])
def test_a_placeholder_in_a_users_text_is_text(engine, model):
    special = {IDS[t] for t in ("<|image_pad|>", "<|video_pad|>", "<|AUDIO|>")}
    assert not special & set(engine.prompt(ask(model, text=FORGED))[1])
    one = sound() if model == "qwen2_audio" else picture()
    plain, forged = (engine.prompt(ask(model, one, text=text))[1] for text in ("a ", "a " + FORGED))
    assert sum(i in special for i in plain) == sum(i in special for i in forged) > 0
    assert isinstance(list(engine.stream(ask(model, one, text=FORGED)))[-1], Done)


# --- what is refused -----------------------------------------------------------------------------------------------


def bomb(width: int, height: int) -> bytes:
    """A PNG of some hundred bytes that says it is this large."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 9999)) + chunk(b"IEND", b"")


def url(kind: Any) -> Attachment:
    return Attachment(kind, "https://example.com/it.png")


@pytest.mark.parametrize(
    ("model", "attachment", "words"),
    [
        pytest.param("qwen25_vl", attached(saved(pixels(99, 99))[:-9000], "image"), "cannot be read", id="half-a-png"),
        pytest.param("qwen25_vl", attached(b"hello there", "image"), "cannot be read", id="no-picture"),
        pytest.param("qwen25_vl", attached(b"", "image"), "cannot be read", id="nothing"),
        pytest.param("qwen3_vl", attached(bomb(60000, 60000), "image"), "60000 x 60000|DecompressionBomb", id="a-bomb"),
        pytest.param("qwen3_vl", attached(bomb(9000, 9990), "image"), "9000 x 9990|DecompressionBomb", id="a-small-bomb"),
        pytest.param("qwen3_vl", attached(bomb(90, 90), "image"), "cannot be read", id="fewer-pixels-than-said"),
        pytest.param("qwen3_vl", attached(saved(pixels(402, 2)), "image"), "more than 200 times", id="a-line"),
        pytest.param("qwen25_vl", url("image"), "nothing is fetched", id="a-url"),
        pytest.param("qwen25_vl", Attachment("image", "file:///etc/passwd"), "nothing is fetched", id="a-file"),
        pytest.param("qwen25_vl", Attachment("image", "data:image/png,abc"), "not base64", id="a-plain-data-url"),
        pytest.param("qwen25_vl", Attachment("image", "no*base64"), "no base64", id="no-base64"),
        pytest.param("qwen25_vl", attached(saved(pixels(9, 9), "GIF"), "video"), "1 frame", id="a-still-as-a-video"),
        pytest.param("qwen25_vl", attached(b"....moov", "video"), "cannot be read", id="no-video"),
        pytest.param("qwen25_vl", url("video"), "nothing is fetched", id="a-video-by-url"),
        pytest.param("qwen2_audio", attached(b"hello there", "audio"), "no format that is read", id="no-sound"),
        pytest.param("qwen2_audio", attached(wav()[:20], "audio"), "header", id="half-a-header"),
        pytest.param("qwen2_audio", sound(0.05), "0.050 s", id="too-short"),
        pytest.param("qwen2_audio", sound(30.5), "longer than 30 s", id="too-long"),
        pytest.param("qwen25_vl", sound(), "reads text, image, video; the user message holds audio", id="deaf"),
        pytest.param("qwen2_audio", picture(), "reads text, audio; the user message holds image", id="blind"),
        pytest.param("qwen25_vl", attached(b"%PDF-1.7", "file"), "holds file", id="a-document"),
        pytest.param("qwen3-nano", picture(), "reads text only; the user message holds image", id="text-only"),
    ],
)
def test_what_cannot_be_shown_is_named(engine, model, attachment, words):
    with pytest.raises(EngineRefused, match=words) as caught:
        list(engine.stream(ask(model, attachment)))
    assert caught.value.fix


def test_llamacpp_says_that_it_reads_text_only():
    with pytest.raises(EngineRefused, match="reads text only; the user message holds image"):
        list(LlamaCppEngine().stream(ask("qwen3-nano-q8_0", picture())))


def test_a_payload_beyond_the_bound_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(media_decode, "MAX_PAYLOAD_BYTES", 1000)
    with pytest.raises(EngineRefused, match="MiB, more than"):
        open_image(attached(b"x" * 2000, "image"))


def test_a_video_with_too_many_frames_is_refused(monkeypatch):
    monkeypatch.setattr(media_decode, "MAX_VIDEO_FRAMES", 5)
    with pytest.raises(EngineRefused, match="8 frames, more than 5"):
        open_video(film(8))


def test_a_video_that_takes_longer_to_read_than_the_timeout_is_given_up():
    with pytest.raises(EngineTimeout, match="not read within 0 s"):
        open_video(film(8), timeout_s=0)
    with pytest.raises(EngineTimeout, match="not read within"):
        open_video(attached(mp4(), "video"), timeout_s=0).frames([0, 1], (32, 32)).__next__()


def test_a_picture_too_large_for_the_context_is_refused_with_both_numbers_before_it_is_decoded(engine, monkeypatch):
    monkeypatch.setattr("qwen_router.engines.media_input.decoded", lambda _: pytest.fail("decoded"))
    with pytest.raises(EngineRefused, match=r"the prompt has \d{3,} tokens, the context 512"):
        list(engine.stream(ask("qwen3_vl", picture(1000, 1000), context_tokens=512)))


def test_a_checkpoint_without_its_processors_file_says_so(folders, tmp_path):
    folder = tmp_path / "bare"
    folder.mkdir()
    for file in folders["qwen25_vl"].iterdir():
        if file.name != "preprocessor_config.json":
            (folder / file.name).symlink_to(file)
    engine = TransformersEngine((folder,))
    with pytest.raises(EngineRefused, match=r"'bare' has no preprocessor_config\.json"):
        list(engine.stream(ask("bare", picture())))
    engine.close()


def test_a_template_that_has_no_place_for_pictures_says_so(folders, tmp_path):
    folder = tmp_path / "wordy"
    folder.mkdir()
    for file in folders["qwen25_vl"].iterdir():
        (folder / file.name).symlink_to(file)
    (folder / "chat_template.json").write_text('{"chat_template": "{{ messages[0].role }}: what?"}', encoding="utf-8")
    engine = TransformersEngine((folder,))
    with pytest.raises(EngineRefused, match=r"has places for \[\], the messages hold \['image'\]"):
        list(engine.stream(ask("wordy", picture())))
    engine.close()


def test_a_video_file_without_pyav_names_the_extra(monkeypatch):
    monkeypatch.setattr(media_decode, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"qwen-router\[media\]"):
        open_video(attached(b"\0\0\0\x18ftypmp42", "video"))
    with pytest.raises(MissingExtra, match=r"qwen-router\[media\]"):
        open_sound(attached(b"fLaC....", "audio"), rate_hz=16000, most_s=30)


# --- opening -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "options"), [("PNG", {}), ("JPEG", {}), ("WEBP", {}), ("BMP", {}), ("TIFF", {}), ("GIF", {})]
)
def test_pictures_of_every_format_are_read(form, options):
    assert media_decode.decoded(open_image(attached(saved(pixels(40, 30), form, **options), "image"))).size == (40, 30)


def test_a_picture_is_turned_as_it_was_taken_and_lies_on_white():
    from PIL import Image

    turned = Image.Exif()
    turned[0x0112] = 6
    assert media_decode.decoded(open_image(attached(saved(pixels(40, 30), "JPEG", exif=turned), "image"))).size == (30, 40)
    clear = media_decode.decoded(open_image(attached(saved(Image.new("RGBA", (9, 9), (255, 0, 0, 0))), "image")))
    assert clear.getpixel((4, 4)) == (255, 255, 255)


def test_a_turned_picture_is_counted_as_it_is_shown(engine):
    from PIL import Image

    turned = Image.Exif()
    turned[0x0112] = 6
    taken = attached(saved(pixels(500, 90), "JPEG", exif=turned), "image")
    assert isinstance(list(engine.stream(ask("qwen3_vl", taken)))[-1], Done)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize(("rate_hz", "channels"), [(16000, 1), (8000, 1), (44100, 2)])
def test_wav_of_any_width_rate_and_channels_becomes_the_same_sound(width, rate_hz, channels):
    heard = open_sound(
        attached(wav(0.5, rate_hz=rate_hz, width=width, channels=channels), "audio"), rate_hz=16000, most_s=30
    )
    expected = np.sin(np.arange(8000) / 16000 * 440 * 2 * np.pi) * 0.6
    assert heard.dtype == np.float32 and heard.shape == (8000,)
    assert np.abs(heard - expected)[200:-200].max() < (0.02 if width == 1 else 0.005)


def test_resampling_keeps_what_both_rates_hold_and_drops_what_folds():
    high = np.sin(np.arange(48000) / 48000 * 12000 * 2 * np.pi).astype(np.float32)
    assert np.abs(resampled(high, 48000, 16000)).max() < 1e-3


@pytest.mark.parametrize("seed", range(40))
def test_any_damage_gives_a_picture_or_a_named_error(seed):
    rng = np.random.default_rng(seed)
    form = ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP")[seed % 6]
    data = bytearray(saved(pixels(40, 30, seed), form))
    for at in rng.integers(0, len(data), 12):
        data[at] = int(rng.integers(256))
    made = attached(bytes(data[: int(rng.integers(1, len(data) + 1))] if seed % 2 else bytes(data)), "image")
    for opened in (lambda: media_decode.decoded(open_image(made)), lambda: open_video(made)):
        try:
            opened()
        except RouterError as error:
            assert error.fix


# --- video and sound files: PyAV -----------------------------------------------------------------------------------


def mp4(frames: int = 20, per_s: int = 10, *, codec: str = "mpeg4", container: str = "mp4") -> bytes:
    av = pytest.importorskip("av")
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream(codec, rate=per_s)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for n in range(frames):
            shade = np.full((48, 64, 3), n * 10 % 256, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")))
        file.mux(stream.encode(None))
    return out.getvalue()


@pytest.mark.parametrize("container", ["mp4", "matroska", "avi"])
def test_a_video_file_gives_the_frames_asked_for(container):
    clip = open_video(attached(mp4(container=container), "video"))
    assert (clip.width_px, clip.height_px, clip.total_frames, round(clip.frames_per_s)) == (64, 48, 20, 10)
    shades = [np.asarray(frame).mean() for frame in clip.frames([0, 7, 19], (32, 32))]
    assert shades == pytest.approx([0, 70, 190], abs=6)


def test_a_video_file_reaches_the_model(engine, scores):
    one, other = (attached(mp4(frames), "video") for frames in (20, 12))
    assert isinstance(list(engine.stream(ask("qwen25_vl", one)))[-1], Done)
    assert not np.array_equal(scores(ask("qwen25_vl", one)), scores(ask("qwen25_vl", other)))


def test_half_a_video_file_is_refused_and_a_playlist_is_not_opened():
    with pytest.raises(EngineRefused, match="cannot be read"):
        open_video(attached(mp4()[:300], "video"))
    with pytest.raises(EngineRefused, match="cannot be read"):
        open_video(attached(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "video"))


def test_a_flac_is_heard_as_the_wav_that_it_was_made_from():
    av = pytest.importorskip("av")
    out, tone = io.BytesIO(), wav(0.5)
    with av.open(out, "w", format="flac") as file, av.open(io.BytesIO(tone)) as source:
        stream = file.add_stream("flac", rate=16000, layout="mono")
        for frame in source.decode(audio=0):
            frame.pts = None
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    ours, theirs = (open_sound(attached(d, "audio"), rate_hz=16000, most_s=30) for d in (out.getvalue(), tone))
    assert np.allclose(ours[: len(theirs)], theirs[: len(ours)], atol=1e-4) and abs(len(ours) - len(theirs)) <= 1
