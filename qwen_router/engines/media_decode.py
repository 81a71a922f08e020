"""Opens what is attached to a message: pictures, sounds and videos, from the bytes that came with it, within bounds.

Nothing is fetched and no file is opened: an attachment carries its data (`media.py`). A size is checked before anything
is decoded, so a small file that unpacks to gigabytes is refused. Pictures and moving GIF, WebP and PNG are read by
pillow, PCM WAV by the standard library; other sounds and video files need PyAV, the extra `media`. What a model makes of
them is `media_input.py`'s.

    python -c "from qwen_router.media import Attachment; from qwen_router.engines.media_decode import open_image; \\
        print(open_image(Attachment.from_file('photo.png')).size)"
"""

from __future__ import annotations

import base64
import binascii
import io
import math
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qwen_router.errors import EngineRefused, EngineTimeout, MissingExtra, RouterError
from qwen_router.media import Attachment

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PAYLOAD_BYTES = 512 * 1024**2
MAX_IMAGE_PIXELS = 89_478_485
"""Pillow's own bound of what it calls a decompression bomb: 256 MiB as RGB."""
MAX_VIDEO_FRAMES = 216_000
"""An hour at 60 frames a second."""
MIN_SOUND_S = 0.1
IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
MOVING_FORMATS = ("GIF", "WEBP", "PNG")
_WIDTHS = {1: "u1", 2: "<i2", 4: "<i4"}
"""numpy's types of PCM samples by their bytes; 3 bytes are widened to 4."""
_CONTAINERS = ((4, b"ftyp", "mov"), (0, b"\x1a\x45\xdf\xa3", "matroska"), (8, b"AVI ", "avi"))
"""Where a video file says what it is. ffmpeg is told the format, so that no playlist makes it open anything else."""
_SOUNDS = (
    (0, b"RIFF", "wav"),
    (0, b"fLaC", "flac"),
    (0, b"OggS", "ogg"),
    (0, b"ID3", "mp3"),
    (0, b"\xff\xfb", "mp3"),
    (0, b"\xff\xf3", "mp3"),
    (4, b"ftyp", "mov"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
)


def refused(problem: str, fix: str) -> EngineRefused:
    return EngineRefused(problem, fix=fix, engine="transformers", endpoint="in process")


def payload(attachment: Attachment) -> bytes:
    """The bytes that an attachment carries. Raises `EngineRefused` for a URL, for what is no base64, and beyond
    `MAX_PAYLOAD_BYTES`."""
    source, kind = attachment.source, attachment.kind
    if source.startswith("data:"):
        header, _, source = source.partition(",")
        if not header.endswith(";base64"):
            raise refused(f"the {kind}'s data URL is not base64: {header[:40]!r}", "encode the data as base64")
    elif "://" in source[:16]:
        raise refused(f"the {kind} is a URL and nothing is fetched here", "send the data itself, as a data URL")
    if len(source) * 3 // 4 > MAX_PAYLOAD_BYTES:
        limit_mib = MAX_PAYLOAD_BYTES // 1024**2
        raise refused(f"the {kind} has {len(source) * 3 // 4 / 1024**2:,.0f} MiB, more than {limit_mib}", "send less of it")
    try:
        return base64.b64decode(source, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refused(f"the {kind} is no base64: {source[:24]!r}", "encode the data as base64") from error


@contextmanager
def _readable(kind: str, formats: Sequence[str]) -> Iterator[None]:
    """Whatever a decoder raises for a damaged file leaves as a refusal."""
    try:
        yield
    except RouterError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # the border: decoders raise anything, from SyntaxError to struct.error
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        raise refused(f"the {kind} cannot be read ({said})", f"send a whole file: {', '.join(formats)}") from error


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtra.of("pillow", extra="transformers") from error
    return Image


def open_image(attachment: Attachment) -> Image:
    """The picture, opened and not yet decoded. Raises `EngineRefused` for what is no picture, and for too many pixels."""
    if attachment.width_px and attachment.height_px:
        _check_pixels(attachment.width_px, attachment.height_px, "image")
    return _opened(payload(attachment), "image", IMAGE_FORMATS)


def _opened(data: bytes, kind: str, formats: Sequence[str]) -> Image:
    pillow = _pillow()
    with _readable(kind, formats):
        image: Image = pillow.open(io.BytesIO(data), formats=formats)
    _check_pixels(*image.size, kind)
    return image


def _check_pixels(width: int, height: int, kind: str) -> None:
    if width * height > MAX_IMAGE_PIXELS:
        raise refused(f"the {kind} has {width} x {height} pixels, more than {MAX_IMAGE_PIXELS:,}", "send it smaller")


def decoded(image: Image) -> Image:
    """The picture as RGB, turned as its EXIF says, on white where it is transparent (as qwen-vl-utils does)."""
    from PIL import Image as pillow
    from PIL import ImageOps

    with _readable("image", IMAGE_FORMATS):
        image.load()
        upright = ImageOps.exif_transpose(image)
        if not upright.has_transparency_data:
            return upright.convert("RGB")
        white = pillow.new("RGB", upright.size, (255, 255, 255))
        layers = upright.convert("RGBA")
        white.paste(layers, mask=layers.getchannel("A"))
        return white


def open_sound(attachment: Attachment, *, rate_hz: int, most_s: float) -> NDArray[np.float32]:
    """The sound as one channel of samples in -1..1 at `rate_hz`. Shape (samples,).

    Raises `EngineRefused` for what is no sound, and outside `MIN_SOUND_S`..`most_s`: cutting it would lose what is said.
    `MissingExtra` for what only PyAV reads, where it is not installed.
    """
    data = payload(attachment)
    try:
        sound, its_rate_hz = _pcm(data, most_s)
    except wave.Error as error:  # no WAV, or one that the standard library does not read: float, A-law
        known = next((name for at, magic, name in _SOUNDS if data[at : at + len(magic)] == magic), None)
        if known is None:
            raise refused(f"the audio is of no format that is read here: it begins with {data[:8]!r}", "send WAV") from error
        sound, its_rate_hz = _with_av(data, known, rate_hz, most_s), rate_hz
    except EOFError as error:
        raise refused("the audio ends within its header", "send a whole file") from error
    seconds = len(sound) / its_rate_hz
    if seconds > most_s:
        raise refused(f"the audio is longer than {most_s:g} s, which is what the model hears", f"cut it to {most_s:g} s")
    if seconds < MIN_SOUND_S:
        raise refused(f"the audio has {seconds:.3f} s", f"send {MIN_SOUND_S:g} s at least")
    return resampled(sound, its_rate_hz, rate_hz)


def _pcm(data: bytes, most_s: float) -> tuple[NDArray[np.float32], int]:
    """Samples of a PCM WAV and their rate; a little more than `most_s` at most, whatever the header says."""
    with wave.open(io.BytesIO(data)) as clip:
        rate_hz, width, channels = clip.getframerate(), clip.getsampwidth(), clip.getnchannels()
        if rate_hz < 1 or (width not in _WIDTHS and width != 3):
            raise wave.Error(f"{8 * width} bits at {rate_hz} Hz")
        raw = clip.readframes(int(most_s * rate_hz) + rate_hz)
    raw = raw[: len(raw) // (width * channels) * width * channels]
    if width == 3:  # to the upper three bytes of four
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        raw, width = wide.tobytes(), 4
    samples = np.frombuffer(raw, _WIDTHS[width]).astype(np.float32)
    samples = (samples - np.float32(128)) / np.float32(128) if width == 1 else samples / np.float32(2.0 ** (8 * width - 1))
    return samples.reshape(-1, channels).mean(axis=1), rate_hz


def _with_av(data: bytes, container: str, rate_hz: int, most_s: float) -> NDArray[np.float32]:
    av = _av("this audio format")
    pieces: list[NDArray[np.float32]] = []
    most = int((most_s + 1) * rate_hz)
    with _readable("audio", ("WAV", "FLAC", "Ogg", "MP3")), av.open(io.BytesIO(data), format=container) as opened:
        stream = next(iter(opened.streams.audio), None)
        if stream is None:
            raise refused("the file holds no sound", "send a file with an audio track")
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate_hz)
        for frame in opened.decode(stream):
            pieces += [out.to_ndarray().reshape(-1) for out in resampler.resample(frame)]
            if sum(map(len, pieces)) > most:
                break
        else:
            pieces += [out.to_ndarray().reshape(-1) for out in resampler.resample(None)]
    return np.concatenate([np.zeros(0, np.float32), *pieces])


def resampled(sound: NDArray[np.float32], from_hz: int, to_hz: int) -> NDArray[np.float32]:
    """The same sound at another rate, band-limited: its spectrum is cut or filled with zeros."""
    if from_hz == to_hz:
        return sound.astype(np.float32)
    samples = round(len(sound) * to_hz / from_hz)
    spectrum = np.fft.rfft(sound)
    kept = np.zeros(samples // 2 + 1, complex)
    shared = min(len(kept), len(spectrum))
    kept[:shared] = spectrum[:shared]
    return (np.fft.irfft(kept, samples) * (samples / len(sound))).astype(np.float32)


@dataclass(frozen=True)
class Clip:
    """A video, opened and not yet decoded: `frames(which, size)` gives those pictures, RGB, scaled to (width, height)."""

    width_px: int
    height_px: int
    total_frames: int
    frames_per_s: float
    frames: Callable[[Sequence[int], tuple[int, int]], Iterator[Image]]


def open_video(attachment: Attachment, *, timeout_s: float = math.inf) -> Clip:
    """Raises `EngineRefused` for what is no video, `MissingExtra` for a video file where PyAV is not installed, and
    `EngineTimeout`, here or while frames are read, when `timeout_s` have passed since this call."""
    in_time = _watch(timeout_s)
    data = payload(attachment)
    container = next((name for at, magic, name in _CONTAINERS if data[at : at + len(magic)] == magic), None)
    clip = _moving_image(data, in_time) if container is None else _video_file(data, container, in_time)
    _check_pixels(clip.width_px, clip.height_px, "video")
    if clip.total_frames > MAX_VIDEO_FRAMES:
        raise refused(f"the video has {clip.total_frames:,} frames, more than {MAX_VIDEO_FRAMES:,}", "cut it shorter")
    return clip


def _watch(timeout_s: float) -> Callable[[], None]:
    deadline_s = time.monotonic() + timeout_s

    def in_time() -> None:
        if time.monotonic() > deadline_s:
            raise EngineTimeout(
                f"the video was not read within {timeout_s:g} s",
                fix="send a shorter or smaller video, or allow a longer timeout",
                engine="transformers",
            )

    return in_time


def _moving_image(data: bytes, in_time: Callable[[], None]) -> Clip:
    image = _opened(data, "video", MOVING_FORMATS)
    total = int(getattr(image, "n_frames", 1))
    length_ms = 0.0
    with _readable("video", MOVING_FORMATS):
        for number in range(min(total, MAX_VIDEO_FRAMES)):
            in_time()
            image.seek(number)
            length_ms += float(image.info.get("duration", 0)) or 100.0  # as browsers play a frame without a duration

    def frames(which: Sequence[int], size: tuple[int, int]) -> Iterator[Image]:
        for number in which:
            with _readable("video", MOVING_FORMATS):
                in_time()
                image.seek(number)
                yield _scaled(image.convert("RGB"), size)

    return Clip(*image.size, total, 1000 * total / length_ms, frames)


def _video_file(data: bytes, container: str, in_time: Callable[[], None]) -> Clip:
    av = _av("a video file")
    formats = ("MP4", "MOV", "WebM", "MKV", "AVI", "GIF")
    with _readable("video", formats), av.open(io.BytesIO(data), format=container) as opened:
        stream = next(iter(opened.streams.video), None)
        if stream is None:
            raise refused("the file holds no pictures", "send a file with a video track")
        width, height, rate = stream.width, stream.height, stream.average_rate or stream.guessed_rate
        total = sum(1 for packet in opened.demux(stream) if packet.size)

    def frames(which: Sequence[int], size: tuple[int, int]) -> Iterator[Image]:
        wanted = list(which)
        with _readable("video", formats), av.open(io.BytesIO(data), format=container) as again:
            last = None
            for number, frame in enumerate(again.decode(video=0)):
                in_time()
                last = frame
                while wanted and wanted[0] == number:
                    yield _scaled(frame.to_image(), size)
                    wanted.pop(0)
                if not wanted:
                    return
            for _ in wanted:  # fewer pictures than packets: the last stands for those that are missing
                if last is None:
                    raise refused("no picture of the video can be decoded", "send a whole file")
                yield _scaled(last.to_image(), size)

    return Clip(width, height, total, float(rate or 24), frames)


def _scaled(image: Image, size: tuple[int, int]) -> Image:
    from PIL.Image import Resampling

    return image.resize(size, Resampling.BICUBIC)


def _av(what: str) -> Any:
    if find_spec("av") is None:
        raise MissingExtra(f"{what} is read by PyAV, which is not installed", fix='pip install "qwen-router[media]"')
    import av

    return av
