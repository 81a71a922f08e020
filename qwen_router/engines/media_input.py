"""Pictures, videos and sounds for a checkpoint that transformers runs: which tokens they take, which tensors they become.

The chat template leaves one placeholder for each; `MediaReader.opened` says from sizes alone which run of tokens stands
there, so that what does not fit is refused before it is decoded. `MediaReader.view` decodes, calls the checkpoint's own
image processor or feature extractor, and gives a view of the model that hands the tensors to the first forward pass and
M-RoPE's positions to every one. Placeholders are found by token id: what a person writes never becomes one.

transformers' video processors and qwen-vl-utils need torchvision, and no video processor is loaded here: frames are
chosen and scaled by qwen-vl-utils' rules (`hardware/media.py`) and cut into patches by the image processor. Omni models
are not read.

    python -c "from qwen_router.engines.media_input import kinds_of; print(kinds_of({'model_type': 'qwen3_vl'}))"
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qwen_router.engines.base import Call
from qwen_router.engines.local_prompt import check_attachments
from qwen_router.engines.media_decode import Clip, decoded, open_image, open_sound, open_video, refused
from qwen_router.errors import MissingExtra
from qwen_router.hardware.media import (
    FRAME_FACTOR,
    MAX_RATIO,
    VIDEO_FPS,
    VIDEO_LEAST_FRAMES,
    VIDEO_MOST_FRAMES,
    frame_resized,
)
from qwen_router.media import Attachment, AttachmentKind

_SEEING: tuple[AttachmentKind, ...] = ("image", "video")
_KINDS: dict[str, tuple[AttachmentKind, ...]] = {
    "qwen2_vl": _SEEING,
    "qwen2_5_vl": _SEEING,
    "qwen3_vl": _SEEING,
    "qwen3_vl_moe": _SEEING,
    "qwen3_5": _SEEING,
    "qwen3_5_moe": _SEEING,
    "qwen2_audio": ("audio",),
}
"""What each architecture takes besides text, by `model_type` of its config.json."""
_VIDEO_IN_ONE_RUN = ("qwen2_vl", "qwen2_5_vl")
"""Later ones put a time and a pair of vision tokens around every two frames, within the pair of the template: as
transformers does since 5.10. Before, and when Qwen3-VL came out, the outer pair was left out."""


def kinds_of(config: Mapping[str, Any]) -> tuple[AttachmentKind, ...]:
    """The attachments that a checkpoint of this config.json takes; empty for one that reads text."""
    return _KINDS.get(str(config.get("model_type")), ())


def processor_template(folder: Path) -> str | None:
    """The chat template of chat_template.json, where older checkpoints keep their processor's; None without one."""
    try:
        found = json.loads((folder / "chat_template.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    template = found.get("chat_template") if isinstance(found, dict) else None
    return template if isinstance(template, str) else None


@dataclass(frozen=True)
class Medium:
    """One attachment: the token ids that stand for it, and how its tensors are made."""

    kind: AttachmentKind
    ids: tuple[int, ...]
    tensors: Callable[[], dict[str, Any]]


@dataclass
class MediaReader:
    """What one checkpoint needs to take attachments. `encode` gives the ids of plain text."""

    folder: Path
    config: Any
    encode: Callable[[str], list[int]]

    @cached_property
    def kinds(self) -> tuple[AttachmentKind, ...]:
        return _KINDS.get(self.config.model_type, ())

    def opened(self, call: Call) -> list[Medium]:
        """Every attachment of the call, in order, measured and not yet turned into tensors.

        Raises `EngineRefused` for one that cannot be read or that the model does not take.
        """
        check_attachments(call, engine="transformers", media=self.kinds)
        open_one = {"image": self._image, "video": lambda a: self._video(a, call.timeout_s), "audio": self._audio}
        return [open_one[str(a.kind)](a) for message in call.messages for a in message.attachments]

    def expanded(self, ids: Sequence[int], media: Sequence[Medium]) -> list[int]:
        """The prompt with the run of each medium in place of its placeholder."""
        kind_of = {self._token(kind): kind for kind in self.kinds}
        placed = [kind_of[i] for i in ids if i in kind_of]
        if placed != [m.kind for m in media]:
            raise refused(
                f"the chat template of {self.folder.name!r} has places for {placed}, the messages hold "
                f"{[m.kind for m in media]}",
                "use the template that the model was published with",
            )
        waiting = iter(media)
        return [i for token in ids for i in (next(waiting).ids if token in kind_of else (token,))]

    def view(self, model: Any, ids: Sequence[int], media: Sequence[Medium]) -> MediaView:
        """The model as one call sees it, with what it is to be shown. Decodes everything."""
        import torch

        parts = [medium.tensors() for medium in media]
        names = list(dict.fromkeys(name for part in parts for name in part))
        tensors = {name: torch.cat([part[name] for part in parts if name in part]) for name in names}
        tensors = {k: t.to(model.device, model.dtype if t.is_floating_point() else t.dtype) for k, t in tensors.items()}
        seconds = tensors.pop("second_per_grid_ts", None)
        spot = {self._token(kind): number for kind, number in (("image", 1), ("video", 2)) if kind in self.kinds}
        positions = None
        if spot:
            types = torch.tensor([[spot.get(i, 0) for i in ids]], device=model.device)
            grids = {name: grid for name, grid in tensors.items() if name.endswith("grid_thw")}
            shown = torch.tensor([list(ids)], device=model.device)
            positions, _ = model.model.get_rope_index(
                shown, mm_token_type_ids=types, second_per_grid_ts=None if seconds is None else seconds.float(), **grids
            )
        return MediaView(model, tensors, positions)

    def reach_tokens(self, ids: Sequence[int]) -> int:
        """How far the first forward pass must reach: behind the last token of the last medium; 0 without any."""
        tokens = {self._token(kind) for kind in self.kinds}
        return max((n + 1 for n, token in enumerate(ids) if token in tokens), default=0)

    def _token(self, kind: str) -> int:
        return int(getattr(self.config, f"{kind}_token_id"))

    @cached_property
    def _images(self) -> Any:
        self._needs("preprocessor_config.json")
        try:
            import PIL  # noqa: F401  # what the image processor needs; its own complaint names no extra
            from transformers import AutoImageProcessor
        except ImportError as error:
            raise MissingExtra.of("pillow", extra="transformers") from error
        auto: Any = AutoImageProcessor  # it carries no types
        return auto.from_pretrained(self.folder, backend="pil", local_files_only=True, trust_remote_code=False)

    @cached_property
    def _sounds(self) -> Any:
        self._needs("preprocessor_config.json")
        from transformers import AutoFeatureExtractor

        auto: Any = AutoFeatureExtractor  # it carries no types
        return auto.from_pretrained(self.folder, local_files_only=True, trust_remote_code=False)

    def _needs(self, file: str) -> None:
        if not (self.folder / file).is_file() and not (self.folder / "processor_config.json").is_file():
            raise refused(
                f"{self.folder.name!r} has no {file}, which says how pictures and sounds are cut", "download it too"
            )

    def _image(self, attachment: Attachment) -> Medium:
        image, processor = open_image(attachment), self._images
        width, height = image.size
        _check_ratio(width, height, "image")
        patches = processor.get_number_of_image_patches(height, width, {})

        def tensors() -> dict[str, Any]:
            # Said, not guessed: of a picture three pixels high the processor would take the rows for colours.
            return dict(processor(images=[decoded(image)], input_data_format="channels_last", return_tensors="pt"))

        run = (self._token("image"),) * (patches // processor.merge_size**2)
        return Medium("image", run, tensors=tensors)

    def _audio(self, attachment: Attachment) -> Medium:
        extractor = self._sounds
        sound = open_sound(attachment, rate_hz=extractor.sampling_rate, most_s=extractor.chunk_length)
        made = extractor(
            sound,
            sampling_rate=extractor.sampling_rate,
            return_attention_mask=True,
            padding="max_length",
            return_tensors="pt",
        )
        features, mask = made["input_features"], made["attention_mask"]
        tokens = ((int(mask.sum()) - 1) // 2 + 1 - 2) // 2 + 1  # two strides of 2, as Qwen2AudioProcessor counts
        run = (self._token("audio"),) * tokens
        return Medium("audio", run, tensors=lambda: {"input_features": features, "feature_attention_mask": mask})

    def _video(self, attachment: Attachment, timeout_s: float) -> Medium:
        clip, processor = open_video(attachment, timeout_s=timeout_s), self._images
        _check_ratio(clip.width_px, clip.height_px, "video")
        which = chosen_frames(clip.total_frames, clip.frames_per_s)
        side = processor.patch_size * processor.merge_size
        rows, columns = frame_resized(clip.width_px, clip.height_px, side, frames=len(which))
        one = (self._token("video"),) * (rows // side * (columns // side))
        step, one_run = processor.temporal_patch_size, self.config.model_type in _VIDEO_IN_ONE_RUN
        if one_run:
            ids = one * (len(which) // step)
        else:
            start, end = (self.config.vision_start_token_id,), (self.config.vision_end_token_id,)
            times_s = [(which[n] + which[n + step - 1]) / 2 / clip.frames_per_s for n in range(0, len(which), step)]
            ids = tuple(i for s in times_s for i in (*self.encode(f"<{s:.1f} seconds>"), *start, *one, *end))

        def tensors() -> dict[str, Any]:
            import torch

            made = _video_tensors(clip, which, (columns, rows), processor)
            if self.config.model_type == "qwen2_5_vl":  # the one whose positions run with the clock
                seconds = step / (len(which) / clip.total_frames * clip.frames_per_s)
                made["second_per_grid_ts"] = torch.tensor([seconds])
            return made

        return Medium("video", ids, tensors=tensors)


def _check_ratio(width: int, height: int, kind: str) -> None:
    if max(width, height) > MAX_RATIO * min(width, height):
        problem = f"the {kind} is {width} x {height}: one side is more than {MAX_RATIO} times the other"
        raise refused(problem, "crop it: the model's processor refuses it")


def chosen_frames(total_frames: int, frames_per_s: float) -> list[int]:
    """Which frames are shown: two a second, 4 to 768 of them, an even number, spread over the whole (`smart_nframes` of
    qwen_vl_utils). Raises `EngineRefused` for fewer than two."""
    if total_frames < FRAME_FACTOR:
        raise refused(f"the video has {total_frames} frame", "send one picture as an image")
    wanted = max(total_frames / frames_per_s * VIDEO_FPS, VIDEO_LEAST_FRAMES)
    count = int(min(wanted, VIDEO_MOST_FRAMES, total_frames)) // FRAME_FACTOR * FRAME_FACTOR
    return [int(i) for i in np.linspace(0, total_frames - 1, count).round()]


def _video_tensors(clip: Clip, which: Sequence[int], size: tuple[int, int], processor: Any) -> dict[str, Any]:
    """`pixel_values_videos` (patches, values) and `video_grid_thw` (1, 3).

    The image processor repeats a picture over the time that a patch spans; a video's patch takes each moment from the
    frame of that moment.
    """
    import torch

    step, pieces, pair = processor.temporal_patch_size, list[NDArray[np.float32]](), list[Any]()
    grid = (0, 0)
    for frame in clip.frames(which, size):
        pair.append(frame)
        if len(pair) < step:
            continue
        made = processor(images=pair, do_resize=False, input_data_format="channels_last", return_tensors="np")
        grid = int(made["image_grid_thw"][0][1]), int(made["image_grid_thw"][0][2])
        moments = made["pixel_values"].reshape(step, grid[0] * grid[1], 3, step, -1)
        pieces.append(np.stack([moments[n, :, :, n] for n in range(step)], axis=2).reshape(grid[0] * grid[1], -1))
        pair = []
    return {
        "pixel_values_videos": torch.from_numpy(np.concatenate(pieces)),
        "video_grid_thw": torch.tensor([[len(pieces), *grid]]),
    }


@dataclass
class MediaView:
    """A model as one generation sees it: called like the model, once with what it is shown, then with more ids.

    `positions` has the shape (3, 1, prompt tokens), or is None where the model counts by itself. Nothing is kept on the
    model, so that other calls may use it in between.
    """

    model: Any
    tensors: dict[str, Any]
    positions: Any
    _read_tokens: int = field(default=0, init=False)

    @property
    def config(self) -> Any:
        return self.model.config

    @property
    def device(self) -> Any:
        return self.model.device

    def __call__(self, *, input_ids: Any, **options: Any) -> Any:
        start, self._read_tokens = self._read_tokens, self._read_tokens + int(input_ids.shape[1])
        if self.positions is not None:
            options["position_ids"] = self._positions(start, self._read_tokens)
        tensors, self.tensors = self.tensors, {}
        return self.model(input_ids=input_ids, **tensors, **options)

    def _positions(self, start: int, end: int) -> Any:
        """Those of the prompt as given; what is generated goes on one by one behind the highest."""
        import torch

        known = self.positions.shape[-1]
        beyond = torch.arange(max(start, known), max(end, known), device=self.positions.device)
        beyond = (beyond - known + self.positions.max() + 1).expand(3, 1, -1)
        return torch.cat([self.positions[..., start:end], beyond], dim=-1)
