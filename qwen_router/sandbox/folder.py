"""The sandbox's work folder, which code that means harm has filled: how large it is, and how to remove it.

Folders may be nested deeper than a path can name, links may lead anywhere: no link is followed, nothing recurses.

    python -c "from qwen_router.sandbox.folder import measured; print(measured('docs', most_entries=1000))"
"""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

MOST_DEEP = 200


def measured(folder: Path | str, *, most_entries: int) -> int | None:
    """Bytes on disk below the folder; None when there are more entries, or folders deeper, than can be looked through."""
    total, seen, pending = 0, 0, [(str(folder), 0)]
    while pending:
        here, deep = pending.pop()
        try:
            with os.scandir(here) as listing:
                for entry in listing:
                    seen += 1
                    if seen > most_entries:
                        return None
                    with suppress(FileNotFoundError):
                        state = entry.stat(follow_symlinks=False)
                        total += getattr(state, "st_blocks", 0) * 512 or state.st_size
                        if stat.S_ISDIR(state.st_mode):
                            pending.append((entry.path, deep + 1))
        except OSError:  # gone meanwhile, or shut by its owner
            continue
        if deep > MOST_DEEP:
            return None
    return total


def remove(folder: Path | str) -> None:
    """Remove the folder and all in it. What cannot be removed stays, silently: it lies in the system's temporary folder."""
    top, number = str(folder), 0
    with suppress(OSError):
        os.chmod(top, 0o700)
    for _ in range(1_000_000):
        inner = _names(top)
        if not inner:
            break
        for name, is_folder in inner:
            path = os.path.join(top, name)
            with suppress(OSError):
                if not is_folder:
                    os.unlink(path)
                    continue
                os.chmod(path, 0o700)
                for child, child_is_folder in _names(path):
                    number += 1
                    if child_is_folder:  # brought up, so that no path grows with the depth
                        os.chmod(os.path.join(path, child), 0o700)
                        os.rename(os.path.join(path, child), os.path.join(top, f".{number}"))
                    else:
                        os.unlink(os.path.join(path, child))
                os.rmdir(path)
        if _names(top) == inner:
            break
    shutil.rmtree(top, ignore_errors=True)


def _names(folder: str) -> list[tuple[str, bool]]:
    try:
        with os.scandir(folder) as listing:
            return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in listing]
    except OSError:
        return []
