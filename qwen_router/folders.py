"""Where shipped files lie (`policies/`, `tools/`, `prompts/`) and which folders override them.

In a wheel they lie inside the package, in a checkout beside it; the user's configuration folder and the working folder
come first. Nothing is read here.

    python -c "from qwen_router.folders import asset_folders; print(asset_folders('policies'))"
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

PACKAGE = Path(__file__).parent
Asset = Literal["policies", "tools", "prompts"]


def user_config_folder() -> Path:
    """`~/.config/qwen-router` or what this system uses instead."""
    import platformdirs

    return Path(platformdirs.user_config_dir("qwen-router", appauthor=False))


def user_catalog_folder() -> Path:
    """Where `qwen-router models add` keeps rows; every catalog reads them on top of the shipped ones."""
    return user_config_folder() / "catalog"


def user_models_folder() -> Path:
    """Where `qwen-router pull` puts models and the engines in this process look for them."""
    import platformdirs

    return Path(platformdirs.user_data_dir("qwen-router", appauthor=False)) / "models"


def user_cache_folder() -> Path:
    """Where measured figures are kept between runs."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("qwen-router", appauthor=False))


def user_state_folder() -> Path:
    """Where the runs of agents are kept."""
    import platformdirs

    return Path(platformdirs.user_state_dir("qwen-router", appauthor=False))


def shipped_folder(kind: Asset) -> Path:
    """The folder that came with this installation: inside the package (wheel) or beside it (checkout); `prompts` are data
    of the package in both."""
    if kind == "prompts":
        return PACKAGE / "prompts" / "data"
    inside = PACKAGE / kind
    return inside if inside.is_dir() else PACKAGE.parent / kind


def asset_folders(kind: Asset) -> tuple[Path, ...]:
    """Every existing folder of that kind, the one that wins first: working folder, user, shipped."""
    candidates = (Path.cwd() / kind, user_config_folder() / kind, shipped_folder(kind))
    unique = dict.fromkeys(folder.resolve() for folder in candidates if folder.is_dir())
    return tuple(unique)
