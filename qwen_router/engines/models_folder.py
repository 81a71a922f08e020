"""What lies in the folder that `pull` fills: GGUF files and checkpoint folders, for the engines in this process.

`pull` makes ORGANISATION/REPOSITORY/FILE in it; files put there by hand, at most as deep, are found alike. Only names are
read here; whether a file is sound is the engines' to check.

    python -c "from qwen_router.engines.models_folder import *; print(pulled_ggufs(Path('FOLDER')))"
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from qwen_router.engines.gguf_file import gguf_group, split_parts

DEPTHS = ("", "*/", "*/*/", "*/*/*/")


def is_projector(name: str) -> bool:
    """llama.cpp keeps what sees and hears in a file of its own, called mmproj."""
    return "mmproj" in name.lower()


def pulled_ggufs(folder: Path | None) -> tuple[Path, ...]:
    """Every GGUF file to load: of a split model the first part, if all parts are there; no projectors. Sorted by path."""
    return tuple(sorted(path for path in _found(folder, "*.gguf") if not is_projector(path.name) and _starts_whole(path)))


def pulled_checkpoints(folder: Path | None) -> tuple[Path, ...]:
    """Every folder with a config.json and weights. Sorted by path."""
    found = (path.parent for path in _found(folder, "config.json"))
    return tuple(sorted(place for place in found if next(place.glob("*.safetensors"), None) is not None))


def _starts_whole(path: Path) -> bool:
    """Whether the file is whole by itself, or the first part of a model whose other parts are there too."""
    return gguf_group(path.name)[1] == 1 and all(part.is_file() for part in split_parts(path))


def _found(folder: Path | None, pattern: str) -> Iterator[Path]:
    if folder is None or not folder.is_dir():
        return
    for depth in DEPTHS:
        with suppress(OSError):
            yield from (path for path in folder.glob(depth + pattern) if path.is_file())
