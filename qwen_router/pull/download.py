"""Downloads one file so that nothing is lost and nothing wrong is kept: resumed by HTTP Range, checked by its checksum.

What has come so far lies beside the target as `NAME.<start of the checksum>.part`, so that a file that changed on the hub
never continues an old one. The target appears when its checksum is right, and not before. huggingface_hub 2.4 does neither:
its partial files bear a random name and are deleted, and it compares lengths alone (file_download.py,
_download_to_tmp_and_move). Which files, and from where, is decided elsewhere.

    python -c "from qwen_router.engines.pull_download import part_path; print(part_path.__doc__)"
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from qwen_router.engines.pull_files import HubFile
from qwen_router.engines.pull_hubs import Hub
from qwen_router.engines.wire import shortened
from qwen_router.errors import EngineError, EngineUnreachable, InvalidRequest, NotEnoughDisk, RouterError, UnknownName

CHUNK_BYTES = 1 << 20
RANGE_BYTES = 20 * 1024**3
"""The most that one request asks for: Hugging Face's file servers refuse answers above 50 GB (huggingface_hub,
constants.MAX_HTTP_DOWNLOAD_SIZE)."""
ATTEMPTS = 6
"""Connections in a row that may bring nothing before the download is given up."""
LONGEST_WAIT_S = 30.0
_AGAIN = (408, 429, 500, 502, 503, 504)
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Progress:
    """How far something is. `phase` is `downloading`, `checking`, `waiting`, `done`, or what a server calls it."""

    phase: str
    name: str = ""
    done_bytes: int = 0
    total_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Download:
    """One file on its way: from `url` of `hub` to `target`."""

    hub: Hub
    repository: str
    url: str
    file: HubFile
    target: Path


def part_path(target: Path, file: HubFile) -> Path:
    """Where the beginning of an unfinished file lies: beside the target, named after the checksum it will have."""
    mark = (file.sha256 or file.git_sha1 or f"{file.size_bytes:x}")[:12]
    return target.with_name(f"{target.name}.{mark}.part")


def have_bytes(target: Path, file: HubFile) -> int:
    """What is on disk of the file already: all, the part, or nothing. Reads no content."""
    for path in (target, part_path(target, file)):
        with suppress(OSError):
            size = path.stat().st_size
            if size == file.size_bytes or path != target:
                return min(size, file.size_bytes)
    return 0


def download(job: Download, *, sleep: Callable[[float], None] = time.sleep) -> Iterator[Progress]:
    """Bring one file, or find it here and right. Stop at any point: what has come is kept.

    Raises `EngineUnreachable` or `EngineError` when the hub gives no more, `EngineError` for a wrong checksum (the file is
    then removed), `NotEnoughDisk` and `InvalidRequest` when it cannot be written.
    """
    file, target = job.file, job.target
    with _writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target):
        if _size(target) == file.size_bytes:
            if (yield from _is_right(target, file)):
                yield Progress("done", file.path, file.size_bytes, file.size_bytes)
                return
        part = part_path(target, file)
        with _writing(target):
            for stale in target.parent.glob(f"{_literal(target.name)}.*.part"):
                if stale != part:
                    stale.unlink()
        yield from _fill(job, part, sleep)
        with _writing(target):
            os.replace(part, target)
    yield Progress("done", file.path, file.size_bytes, file.size_bytes)


class _Sum:
    """The checksum of a file while it comes; `right` is None for a file without one."""

    def __init__(self, file: HubFile) -> None:
        self._file = file
        self._hash: Any = None
        if file.sha256 is not None:
            self._hash = hashlib.sha256()
        elif file.git_sha1 is not None:  # git's name for a blob
            self._hash = hashlib.sha1(b"blob %d\0" % file.size_bytes, usedforsecurity=False)

    def update(self, data: bytes) -> None:
        if self._hash is not None:
            self._hash.update(data)

    @property
    def right(self) -> bool | None:
        return None if self._hash is None else self._hash.hexdigest() == (self._file.sha256 or self._file.git_sha1)

    @property
    def found(self) -> str:
        return "" if self._hash is None else str(self._hash.hexdigest())


def _read(path: Path, file: HubFile) -> Generator[Progress, None, _Sum]:
    """The checksum over what is on disk."""
    total, done = _Sum(file), 0
    with path.open("rb") as source:
        while data := source.read(CHUNK_BYTES):
            total.update(data)
            done += len(data)
            yield Progress("checking", file.path, done, file.size_bytes)
    return total


def _is_right(path: Path, file: HubFile) -> Generator[Progress, None, bool]:
    with _writing(path):
        return (yield from _read(path, file)).right is not False


def _fill(job: Download, part: Path, sleep: Callable[[float], None]) -> Iterator[Progress]:
    """Append to the part until it is whole, then check it."""
    file = job.file
    with _writing(job.target):
        if _size(part) > file.size_bytes:
            part.unlink()
        total = (yield from _read(part, file)) if part.exists() else _Sum(file)
        out = part.open("ab")
    with out:
        done, failures = _size(part), 0
        while done < file.size_bytes:
            before = done
            try:
                for start, data in _pieces(job, done):
                    if start != done:  # the server began anew
                        with _writing(job.target):
                            out.truncate(0)
                        total, done = _Sum(file), 0
                    _write(out, data, job.target)
                    total.update(data)
                    done += len(data)
                    yield Progress("downloading", file.path, done, file.size_bytes)
            except _Again as again:
                failures = 1 if done > before else failures + 1
                if failures >= ATTEMPTS:
                    raise _given_up(job, again, done) from again
                yield Progress("waiting", file.path, done, file.size_bytes)
                sleep(min(LONGEST_WAIT_S, again.wait_s or 0.5 * 2**failures))
        with _writing(job.target):
            out.flush()
            os.fsync(out.fileno())
    if total.right is False or done != file.size_bytes:
        part.unlink(missing_ok=True)
        wanted = file.sha256 or file.git_sha1
        raise EngineError(
            f"{file.path} came damaged and was removed: checksum {total.found}, {done:,} bytes; "
            f"{job.hub.title} lists {wanted}, {file.size_bytes:,} bytes",
            fix="run the same command again; if it stays, pull from another hub: --from",
            engine=job.hub.title,
            endpoint=job.hub.endpoint,
        )


class _Again(Exception):
    """The connection brought no more; another may. `wait_s` is what the server asked for."""

    def __init__(self, error: RouterError, *, wait_s: float = 0.0) -> None:
        super().__init__(str(error))
        self.error, self.wait_s = error, wait_s


def _pieces(job: Download, start: int) -> Iterator[tuple[int, bytes]]:
    """(Where it belongs, bytes) of one request that begins at `start`. `_Again` when the connection breaks or is busy."""
    import httpx

    end = min(start + RANGE_BYTES, job.file.size_bytes) - 1
    headers = {**job.hub.headers(), "accept-encoding": "identity"}
    if start or end + 1 < job.file.size_bytes:
        headers["range"] = f"bytes={start}-{end}"
    at = start
    try:
        with job.hub.client().stream("GET", job.url, headers=headers) as answer:
            if answer.status_code >= 400:
                _raise_status(job, answer)
            if answer.status_code != 206 or not answer.headers.get("content-range", "").startswith(f"bytes {start}-"):
                at = 0
            for data in answer.iter_bytes(CHUNK_BYTES):
                yield at, data
                at += len(data)
                if at > job.file.size_bytes:
                    return
    except httpx.TransportError as error:
        raise _Again(job.hub.peer.of_httpx(error)) from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise job.hub.peer.of_httpx(error) from error
    if at <= end:
        raise _Again(job.hub.peer.failed(f"the answer ended after {at - start:,} of {end + 1 - start:,} bytes"))


def _raise_status(job: Download, answer: Any) -> None:
    answer.read()
    status = answer.status_code
    if status == 416:  # nothing there to continue with: our part is not of this file
        with suppress(OSError):
            part_path(job.target, job.file).unlink()
        raise job.hub.peer.failed(f"it cannot continue {job.file.path}; the part was removed")
    error = job.hub.refusal(status, answer.headers, answer.text, job.repository)
    if isinstance(error, UnknownName):
        error = job.hub.peer.refused(f"{job.file.path} of {job.repository!r}: HTTP {status}: {shortened(answer.text)}")
    if status not in _AGAIN:
        raise error
    wait = answer.headers.get("retry-after", "")
    raise _Again(error, wait_s=float(wait) if wait.isdigit() else 0.0)


def _given_up(job: Download, again: _Again, done: int) -> RouterError:
    kept = f"{done / GIB:.2f} of {job.file.size_bytes / GIB:.2f} GiB of {job.file.path} are here and kept"
    return EngineUnreachable(
        f"{again.error.problem}; {kept}",
        fix="run the same command again: it goes on where it stopped",
        engine=job.hub.title,
        endpoint=job.hub.endpoint,
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _literal(name: str) -> str:
    return name.replace("[", "[[]")


def _write(out: IO[bytes], data: bytes, target: Path) -> None:
    with _writing(target):
        out.write(data)


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """A disk that is full or shut becomes an error of ours."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            free = _free_bytes(target.parent)
            raise NotEnoughDisk(
                f"the disk of {str(target.parent)!r} is full ({free / GIB:.2f} GiB free); what has come is kept",
                fix="free some room and run the same command again, or name another folder: --to FOLDER",
            ) from error
        raise InvalidRequest(
            f"cannot write to {str(target.parent)!r}: {error.strerror or error}", fix="name another folder: --to FOLDER"
        ) from error


def _free_bytes(folder: Path) -> int:
    with suppress(OSError):
        return shutil.disk_usage(folder).free
    return 0


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """One download of a file at a time: a second would mix its bytes in. A lock of a process that is gone is taken over."""
    lock = target.with_name(f"{target.name}.lock")
    if not _locked(lock) and not (_is_stale(lock) and _locked(lock)):
        raise InvalidRequest(
            f"{target.name} is being downloaded by another process", fix=f"wait for it, or delete {str(lock)!r}"
        )
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _locked(lock: Path) -> bool:
    """Whether we have it now."""
    with _writing(lock):
        try:
            with lock.open("x") as made:
                made.write(str(os.getpid()))
        except FileExistsError:
            return False
        return True


def _is_stale(lock: Path) -> bool:
    """Whether its owner is gone; the lock is then removed."""
    import psutil

    try:
        owner = int(lock.read_text())
    except (OSError, ValueError):
        return False
    if psutil.pid_exists(owner):
        return False
    lock.unlink(missing_ok=True)
    return True
