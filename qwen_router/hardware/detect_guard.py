"""What every detector needs: files that may be missing or closed, libraries that may hang, figures that may be absurd.

Nothing here raises: a reader gets a value or None, and a note for people that says what could not be read.

    python -c "from qwen_router.hardware.detect_guard import room; print(room('a card', 24576, None))"
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

MIB = 1024 * 1024
T = TypeVar("T")
LARGEST_DEVICE_MIB = 16 * MIB
"""16 TiB: a larger figure is a driver's error value (all bits set), not a memory."""
UNKNOWN_FREE_RESERVE_MIB = 1024.0
UNKNOWN_FREE_RESERVE_SHARE = 0.1
"""Kept back where the driver does not tell what is free: the larger of 1 GiB and a tenth of the device. An assumption."""


@dataclass(frozen=True, slots=True)
class Room:
    """A device's memory after the checks; `known` is False where `free_mib` is the total less a reserve."""

    total_mib: float
    free_mib: float
    known: bool


def room(name: str, total_mib: float | None, free_mib: float | None) -> tuple[Room | None, tuple[str, ...]]:
    """Believe, doubt or reject what a driver says of `name`'s memory; every doubt is a note, never a silent zero."""
    if total_mib is None or not 0 < total_mib <= LARGEST_DEVICE_MIB:
        told = "not told" if total_mib is None else f"{total_mib:.0f} MiB"
        return None, (f"{name}: its memory is unknown ({told}), so it is not counted",)
    if free_mib is not None and 0 <= free_mib <= total_mib * 1.001:  # some drivers round free and total apart
        return Room(total_mib, min(free_mib, total_mib), True), ()
    reserve_mib = max(UNKNOWN_FREE_RESERVE_MIB, UNKNOWN_FREE_RESERVE_SHARE * total_mib)
    told = "not told" if free_mib is None else f"{free_mib:.0f} of {total_mib:.0f} MiB"
    note = f"{name}: its free memory is unknown ({told}); {reserve_mib / 1024:.1f} GiB are kept back"
    return Room(total_mib, max(0.0, total_mib - reserve_mib), False), (note,)


def bounded(ask: Callable[[], T], *, name: str, timeout_s: float) -> tuple[T | None, tuple[str, ...]]:
    """What `ask` returns, or None and a note: a library that fails or hangs is left behind, not waited for."""
    answer: list[T] = []
    failure: list[str] = []

    def run() -> None:
        try:
            answer.append(ask())
        except (
            Exception
        ) as error:  # a foreign library raises its own classes, known only once it is loaded: all become a note
            failure.append(f"{type(error).__name__}: {error}".removesuffix(": "))

    worker = threading.Thread(target=run, name=f"detect {name}", daemon=True)
    worker.start()
    worker.join(timeout_s)
    if worker.is_alive():
        return None, (f"{name} did not answer within {timeout_s:g} s; its devices are not counted",)
    if failure:
        return None, (f"{name} could not be read ({failure[0]})",)
    return answer[0], ()


def text(path: Path) -> str:
    """A small file's text without the last line break; empty when it is missing or closed to us."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def number(path: Path) -> int | None:
    found = text(path)
    return int(found) if found.lstrip("-").isdecimal() else None


def closed(path: Path) -> str | None:
    """Why a file that exists cannot be read: a permission, a dead driver. None when it is missing or readable."""
    try:
        path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return error.strerror or type(error).__name__
    return None
