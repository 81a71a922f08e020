"""Attachments of a message: what kind, how large, measured from headers and never decoded.

A data URL or base64 string is read for its first bytes only; a remote URL is not fetched; a path is opened only by
`Attachment.from_file`, which a door calls for its own user (a request over HTTP can name no file of this computer).

    python -c "from qwen_router.media import Attachment; print(Attachment.from_file('photo.png').width_px)"
"""

from __future__ import annotations

import base64
import binascii
import io
import mimetypes
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from qwen_router.errors import InvalidRequest

AttachmentKind = Literal["image", "audio", "video", "file"]

HEAD_BYTES = 256 * 1024
"""How much of a payload is looked at: a JPEG keeps its size behind its metadata, which stays below this."""

# Block types of the OpenAI, Anthropic, Qwen and LangChain shapes, and where each keeps its payload.
_BLOCK_KINDS: dict[str, AttachmentKind] = {
    "image": "image",
    "image_url": "image",
    "input_image": "image",
    "audio": "audio",
    "input_audio": "audio",
    "audio_url": "audio",
    "video": "video",
    "video_url": "video",
    "file": "file",
    "input_file": "file",
    "document": "file",
}
_KINDS_BY_TYPE: dict[str, AttachmentKind] = {"image": "image", "audio": "audio", "video": "video"}
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"%PDF", "application/pdf"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
)


@dataclass(frozen=True, slots=True)
class Attachment:
    """One image, audio, video or file. Unknown measures are None.

    `source` is a URL, a data URL or bare base64, as it came; `size_bytes` is the size of the payload.
    """

    kind: AttachmentKind
    source: str
    media_type: str | None = None
    size_bytes: int | None = None
    width_px: int | None = None
    height_px: int | None = None
    duration_s: float | None = None

    @classmethod
    def from_file(cls, path: str | Path) -> Attachment:
        """Read a file of this computer whole into a data URL. Raises `InvalidRequest` when it is missing or no file."""
        file = Path(path)
        try:
            payload = file.read_bytes()
        except OSError as error:
            raise InvalidRequest(
                f"cannot read {str(path)!r}: {error.strerror}", fix="check the path and its permissions"
            ) from error
        if not payload:
            raise InvalidRequest(f"{str(path)!r} is empty", fix="attach a file that has content")
        media_type = _sniffed(payload[:16]) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        kind = _KINDS_BY_TYPE.get(media_type.partition("/")[0], "file")
        source = f"data:{media_type};base64,{base64.b64encode(payload).decode('ascii')}"
        return _measured(kind, source, media_type, payload[:HEAD_BYTES], len(payload), where=repr(str(path)))


def attachment_of(block: Mapping[str, Any], *, where: str) -> Attachment:
    """Read one content block of the OpenAI, Anthropic, Qwen, LangChain or Ollama shape.

    Raises `InvalidRequest`, naming `where`, for a block type or a payload that nothing here reads.
    """
    block_type = str(block.get("type", ""))
    kind = _BLOCK_KINDS.get(block_type)
    if kind is None:
        raise InvalidRequest(f"{where} has a block of type {block_type!r}", fix=f"one of text, {', '.join(_BLOCK_KINDS)}")
    source, media_type = _payload(block)
    if source is None:
        raise InvalidRequest(
            f"{where}: the {kind} has no URL and no data", fix='{"type": "image_url", "image_url": {"url": "..."}}'
        )
    if source.startswith("data:"):
        header, _, encoded = source.partition(",")
        media_type = header[5:].partition(";")[0] or media_type
    elif "://" in source[:16]:
        return Attachment(kind=kind, source=source, media_type=media_type)
    else:
        encoded = source
    head, size_bytes = _head_of_base64(encoded, where=f"{where}: the {kind}")
    return _measured(kind, source, media_type or _sniffed(head), head, size_bytes, where=f"{where}: the {kind}")


def _payload(block: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """(URL or base64, media type) wherever the shape keeps it."""
    media_type = block.get("mime_type") or block.get("media_type")
    for key in (
        "image_url",
        "audio_url",
        "video_url",
        "input_audio",
        "source",
        "file",
        "url",
        "base64",
        "data",
        "file_data",
    ):
        value = block.get(key)
        if isinstance(value, Mapping):
            inner, inner_type = _payload(value)
            if inner is not None:
                return inner, inner_type or media_type
        elif isinstance(value, str) and value:
            return value, media_type
    for key in ("image", "audio", "video"):  # Qwen's own shape: {"type": "image", "image": "..."}
        value = block.get(key)
        if isinstance(value, str) and value:
            return value, media_type
    return None, media_type


def _head_of_base64(encoded: str, *, where: str) -> tuple[bytes, int]:
    """The first bytes of a base64 text and the size of the whole, without decoding the rest."""
    head = encoded[: HEAD_BYTES // 3 * 4].strip()
    try:
        first = base64.b64decode(head + "=" * (-len(head) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(
            f"{where} is neither a URL nor base64: {encoded[:24]!r}", fix="send a URL or base64 data"
        ) from error
    return first, len(encoded) * 3 // 4 - encoded[-2:].count("=")


def _sniffed(head: bytes) -> str | None:
    if head[:4] == b"RIFF":
        return {b"WAVE": "audio/wav", b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return "video/mp4"
    return next((media_type for magic, media_type in _MAGIC if head.startswith(magic)), None)


def _measured(
    kind: AttachmentKind, source: str, media_type: str | None, head: bytes, size_bytes: int, *, where: str
) -> Attachment:
    width_px = height_px = duration_s = None
    if kind == "image":
        width_px, height_px = _image_pixels(head)
        if width_px is None and _sniffed(head[:16]) is None:
            fix = "send PNG, JPEG, WebP or another common format"
            raise InvalidRequest(f"{where} is no image that can be read: it begins with {head[:8]!r}", fix=fix)
    elif kind == "audio" and head[:4] == b"RIFF":
        duration_s = _wav_seconds(head, size_bytes)
    return Attachment(kind, source, media_type, size_bytes, width_px, height_px, duration_s)


def _image_pixels(head: bytes) -> tuple[int | None, int | None]:
    import imagesize

    try:
        width_px, height_px = imagesize.get(io.BytesIO(head))
    except (ValueError, OverflowError):  # a damaged header: the size stays unknown
        return None, None
    return (width_px, height_px) if width_px > 0 and height_px > 0 else (None, None)


def _wav_seconds(head: bytes, size_bytes: int) -> float | None:
    try:
        with wave.open(io.BytesIO(head)) as clip:
            bytes_per_second = clip.getframerate() * clip.getsampwidth() * clip.getnchannels()
    except (wave.Error, EOFError):
        return None
    return size_bytes / bytes_per_second if bytes_per_second else None
