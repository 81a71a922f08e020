"""A file of answers that a killed run goes on with: one JSON object a line, appended as each request ends.

A line is known by its `id`, and `request` is a hash of what was asked. Opening cuts off a line torn by a kill, drops lines
that carry an error (they are tried again), and refuses a file that is none of ours or is being written by another run.
It survives a killed process; after a power cut what the system had not written yet is answered again.

    qwen-router ask --jsonl requests.jsonl --out answers.jsonl
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from qwen_router.errors import InvalidRequest

if TYPE_CHECKING:
    from qwen_router.request import Request

KEYS = {"id", "index", "request"}
"""What every line of ours has, answered or failed."""


def key_of(line_id: Any) -> str:
    """An id as text: 1 and "1" are two ids."""
    return json.dumps(line_id, sort_keys=True)


def fingerprint(request: Request) -> str:
    """A hash of all that is asked, wishes included. A field that is not set counts for nothing: new ones may come."""
    told = json.dumps(_said(asdict(request)), sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _said(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _said(part) for key, part in value.items() if part not in (None, "", (), [], {})}
    return [_said(part) for part in value] if isinstance(value, list | tuple) else value


class Journal:
    """Answers so far by id (`answered`: id to hash of the request), and where further ones are added."""

    def __init__(self, path: Path, file: IO[bytes], answered: dict[str, str], *, retried: int, torn: bool) -> None:
        self.path, self.answered, self.retried, self.torn = path, answered, retried, torn
        self._file = file

    def add(self, line: Mapping[str, Any]) -> None:
        """Write a line and hand it to the system before returning: a killed process has lost none of it."""
        self._file.write(json.dumps(line).encode("ascii") + b"\n")
        self._file.flush()


@contextmanager
def opened(path: Path, *, fresh: bool = False) -> Iterator[Journal]:
    """The journal at `path`, made if it is missing, emptied if `fresh`; nobody else may write it meanwhile.

    Raises `InvalidRequest` for a file that cannot be written, is none of ours, or is in use.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise InvalidRequest(f"{str(path)!r} is no file", fix="name a file for --out, or leave it out for standard output")
    try:
        with path.open("a+b") as file:
            _lock(file, path)
            if fresh:
                file.truncate(0)
            kept, answered, retried, torn = _read(file, path)
            if not retried and not torn:
                yield Journal(path, file, answered, retried=0, torn=False)
                return
            with _rewritten(path, file, kept) as clean:
                yield Journal(path, clean, answered, retried=retried, torn=torn)
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise InvalidRequest(f"cannot write {str(path)!r}: {error.strerror}", fix="name another file for --out") from error


@contextmanager
def _rewritten(path: Path, file: IO[bytes], kept: list[tuple[int, int]]) -> Iterator[IO[bytes]]:
    """A file with the lines of `kept` alone, put in the place of `path` at once: a kill in between leaves the old one."""
    beside = path.with_name(path.name + ".tmp")
    with beside.open("w+b") as clean:
        _lock(clean, beside)
        for at, length in kept:
            file.seek(at)
            clean.write(file.read(length).rstrip(b"\n") + b"\n")
        clean.flush()
        os.fsync(clean.fileno())
        beside.replace(path)
        yield clean


def _read(file: IO[bytes], path: Path) -> tuple[list[tuple[int, int]], dict[str, str], int, bool]:
    """(places of the answered lines as offset and length, their ids, failed lines, whether the end is torn)."""
    kept: list[tuple[int, int]] = []
    answered: dict[str, str] = {}
    retried, torn, at = 0, False, 0
    file.seek(0)
    for raw in file:
        line = _line(raw)
        if line is None:
            if raw.endswith(b"\n"):
                raise InvalidRequest(
                    f"{str(path)!r} holds something that is no answer of ours, at byte {at}",
                    fix="name another file for --out, or --fresh to overwrite it",
                )
            torn = True
        elif "error" in line:
            retried += 1
        else:
            kept.append((at, len(raw)))
            answered[key_of(line["id"])] = str(line["request"])
            torn = not raw.endswith(b"\n")  # whole, but for its end
        at += len(raw)
    return kept, answered, retried, torn


def _line(raw: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) and line.keys() >= KEYS else None


def _lock(file: IO[bytes], path: Path) -> None:
    """Ends with the process, killed or not. Where the system has no such lock, two runs at once are the user's to avoid."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        in_use = True
    else:  # another run may have put a new file there between opening and locking
        in_use = not path.exists() or os.fstat(file.fileno()).st_ino != path.stat().st_ino
    if in_use:
        raise InvalidRequest(f"{str(path)!r} is being written by another run", fix="wait for it, or name another --out")
