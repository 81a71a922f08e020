"""What lies in the folder that `pull` fills: GGUF files and checkpoint folders, for the engines in this process.

`pull` makes ORGANISATION/REPOSITORY/FILE in it; files put there by hand, at most as deep, are found alike. Only names are
read here; whether a file is sound is the engines' to check.

    python -c "from qwen_router.engines.models_folder import *; print(pulled_ggufs(models_folder()))"
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from qwen_router.engines.pull_files import SPLIT, gguf_group, is_projector
from qwen_router.folders import user_models_folder

DEPTHS = ("", "*/", "*/*/", "*/*/*/")


def models_folder() -> Path:
    """The folder that applies when the settings name none."""
    return user_models_folder()


def pulled_ggufs(folder: Path | None) -> tuple[Path, ...]:
    """Every GGUF file to load: of a split model the first part, if all parts are there; no projectors. Sorted by path."""
    return tuple(sorted(path for path in _found(folder, "*.gguf") if not is_projector(path.name) and _starts_whole(path)))


def pulled_checkpoints(folder: Path | None) -> tuple[Path, ...]:
    """Every folder with a config.json and weights. Sorted by path."""
    found = (path.parent for path in _found(folder, "config.json"))
    return tuple(sorted(place for place in found if next(place.glob("*.safetensors"), None) is not None))


def split_parts(path: Path) -> tuple[Path, ...]:
    """Every part of the model that `path` begins, whether it is there or not; `path` alone where nothing is split."""
    stem, _, count = gguf_group(path.name)
    if SPLIT.search(path.stem) is None:
        return (path,)
    return tuple(path.with_name(f"{stem}-{part:05}-of-{count:05}.gguf") for part in range(1, count + 1))


def _starts_whole(path: Path) -> bool:
    parts = split_parts(path)
    return parts[0] == path and all(part.is_file() for part in parts)


def _found(folder: Path | None, pattern: str) -> Iterator[Path]:
    if folder is None or not folder.is_dir():
        return
    for depth in DEPTHS:
        with suppress(OSError):
            yield from (path for path in folder.glob(depth + pattern) if path.is_file())
