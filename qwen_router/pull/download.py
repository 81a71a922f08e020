"""Downloads one file so that nothing is lost and nothing wrong is kept: resumed by HTTP Range, checked by its checksum.

What has come so far lies beside the target as `NAME.<start of the checksum>.part`, so that a file that changed on the hub
never continues an old one. The target appears when its checksum is right, and not before. huggingface_hub 2.4 does neither:
its partial files bear a random name and do not outlive the process, and it compares lengths alone (file_download.py,
_download_to_tmp_and_move). Which files, and from where, is decided elsewhere.

    python -c "from qwen_router.pull.download import part_path; print(part_path.__doc__)"
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from qwen_router.errors import EngineError, EngineUnreachable, InvalidRequest, NotEnoughDisk, RouterError, UnknownName
from qwen_router.pull.files import HubFile, size_text
from qwen_router.pull.hubs import Hub

if TYPE_CHECKING:
    import httpx

CHUNK_BYTES = 1 << 20
RANGE_BYTES = 20 * 1024**3
"""The most that one request asks for: Hugging Face's file servers refuse answers above 50 GB (huggingface_hub,
constants.MAX_HTTP_DOWNLOAD_SIZE)."""
ATTEMPTS = 6
"""Connections in a row that may bring nothing before the download is given up."""
LONGEST_WAIT_S = 300.0
"""However long a server asks for."""
_AGAIN = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far something is. `phase` is `downloading`, `checking`, `retrying`, `done`, or what a server calls it."""

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
    range_bytes: int = RANGE_BYTES


def part_path(target: Path, file: HubFile) -> Path:
    """Where the beginning of an unfinished file lies: beside the target, named after the checksum it will have."""
    mark = (file.sha256 or file.git_sha1 or f"{file.size_bytes:x}")[:12]
    return target.with_name(f"{target.name}.{mark}.part")


def have_bytes(target: Path, file: HubFile) -> int:
    """What is on disk of the file already: all, the part, or nothing. Reads no content."""
    if _size(target) == file.size_bytes:
        return file.size_bytes
    return min(max(_size(part_path(target, file)), 0), file.size_bytes)


def download(job: Download, *, sleep: Callable[[float], None] = time.sleep) -> Iterator[Progress]:
    """Bring one file, or find it here and right. Stop at any point: what has come is kept.

    Raises `EngineUnreachable` or `EngineError` when the hub gives no more, `EngineError` for a wrong checksum (the part is
    then removed), `NotEnoughDisk` and `InvalidRequest` when it cannot be written.
    """
    file, target, part = job.file, job.target, part_path(job.target, job.file)
    with _disk_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        if _size(target) != file.size_bytes or (yield from _read(target, file)).right is False:
            with part.open("ab") as out:
                _lock(out, target)
                for stale in set(target.parent.glob(f"{target.name.replace('[', '[[]')}.*.part")) - {part}:
                    stale.unlink()
                checksum = yield from _fill(job, out, sleep)
            if checksum.right is False:
                part.unlink()
                raise _damaged(job, checksum)
            os.replace(part, target)
    yield Progress("done", file.path, file.size_bytes, file.size_bytes)


class _Checksum:
    """The checksum of a file while it comes; `right` is None for a file without one."""

    def __init__(self, file: HubFile) -> None:
        self.wanted = file.sha256 or file.git_sha1
        self.kind = "SHA-256" if file.sha256 else "git SHA-1"
        self._hash: Any = None
        if file.sha256 is not None:
            self._hash = hashlib.sha256()
        elif file.git_sha1 is not None:  # git's name for a blob
            self._hash = hashlib.sha1(b"blob %d\0" % file.size_bytes, usedforsecurity=False)

    def update(self, data: bytes) -> None:
        if self._hash is not None:
            self._hash.update(data)

    @property
    def found(self) -> str | None:
        return None if self._hash is None else str(self._hash.hexdigest())

    @property
    def right(self) -> bool | None:
        return None if self._hash is None else self.found == self.wanted


def _read(path: Path, file: HubFile) -> Generator[Progress, None, _Checksum]:
    """The checksum over what is on disk."""
    checksum, done = _Checksum(file), 0
    with path.open("rb") as source:
        while data := source.read(CHUNK_BYTES):
            checksum.update(data)
            done += len(data)
            yield Progress("checking", file.path, done, file.size_bytes)
    return checksum


def _fill(job: Download, out: IO[bytes], sleep: Callable[[float], None]) -> Generator[Progress, None, _Checksum]:
    """Append to the part until it has its length."""
    file, failures = job.file, 0
    done = os.fstat(out.fileno()).st_size
    checksum = (yield from _read(Path(out.name), file)) if done else _Checksum(file)
    while done < file.size_bytes:
        before = done
        try:
            for start, data in _pieces(job, done):
                if start != done:  # the server began anew
                    out.truncate(0)
                    checksum, done = _Checksum(file), 0
                out.write(data)
                out.flush()  # so that a kill loses nothing
                checksum.update(data)
                done += len(data)
                yield Progress("downloading", file.path, done, file.size_bytes)
        except _Again as again:
            failures = 1 if done > before else failures + 1
            if failures >= ATTEMPTS:
                raise _given_up(job, again, done) from again
            wait_s = min(LONGEST_WAIT_S, again.wait_s or 0.1 * 4 ** (failures - 1))
            yield Progress("retrying", f"{file.path} in {wait_s:.1f} s", done, file.size_bytes)
            sleep(wait_s)
    os.fsync(out.fileno())
    return checksum


class _Again(Exception):
    """The connection brought no more; another may. `wait_s` is what the server asked for."""

    def __init__(self, error: RouterError, *, wait_s: float = 0.0) -> None:
        super().__init__(str(error))
        self.error, self.wait_s = error, wait_s


def _pieces(job: Download, start: int) -> Iterator[tuple[int, bytes]]:
    """(Where it belongs, bytes) of one request that begins at `start`. `_Again` when the connection breaks or is busy."""
    import httpx

    end = min(start + job.range_bytes, job.file.size_bytes) - 1
    headers = {**job.hub.headers(), "accept-encoding": "identity"}
    if start or end + 1 < job.file.size_bytes:
        headers["range"] = f"bytes={start}-{end}"
    at = start
    try:
        with job.hub.guarded(), job.hub.client().stream("GET", job.url, headers=headers) as answer:
            if answer.status_code != 416 or not start:
                _raise_for_status(job, answer)
                if answer.status_code != 206 or not answer.headers.get("content-range", "").startswith(f"bytes {start}-"):
                    at, end = 0, job.file.size_bytes - 1  # Range was ignored: everything comes, from the beginning
                for data in answer.iter_bytes():
                    yield at, data[: end + 1 - at]
                    at += len(data)
                    if at > end:
                        return
    except EngineError as error:
        if isinstance(error.__cause__, httpx.TransportError):
            raise _Again(error) from error
        raise
    if answer.status_code == 416:  # it has nothing to continue with
        yield from _pieces(job, 0)
    else:
        raise _Again(job.hub.peer.failed(f"the answer ended after {at:,} of {end + 1:,} bytes"))


def _raise_for_status(job: Download, answer: httpx.Response) -> None:
    if answer.status_code < 400:
        return
    answer.read()
    error = job.hub.refusal(answer, job.repository)
    if isinstance(error, UnknownName) and answer.headers.get("x-error-code") != "RepoNotFound":
        error = job.hub.peer.refused(
            f"{job.file.path} of {job.repository!r}: HTTP {answer.status_code}",
            fix="run the same command again: it lists anew",
        )
    if answer.status_code not in _AGAIN:
        raise error
    wait = answer.headers.get("retry-after", "")
    raise _Again(error, wait_s=float(wait) if wait.isdigit() else 0.0)


def _given_up(job: Download, again: _Again, done: int) -> EngineUnreachable:
    kept = f"{size_text(done)} of {size_text(job.file.size_bytes)} of {job.file.path} are here and kept"
    return EngineUnreachable(
        f"{again.error.problem}; {kept}",
        fix="run the same command again: it goes on where it stopped",
        engine=job.hub.title,
        endpoint=job.hub.endpoint,
    )


def _damaged(job: Download, checksum: _Checksum) -> EngineError:
    return EngineError(
        f"{job.file.path} came damaged and was removed: its {checksum.kind} is {checksum.found}, "
        f"{job.hub.title} lists {checksum.wanted}",
        fix="run the same command again (other files stay); if it fails again, another source: --from",
        engine=job.hub.title,
        endpoint=job.hub.endpoint,
    )


def _size(path: Path) -> int:
    """-1 where there is nothing."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    """A disk that is full or shut becomes an error of ours."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            free = 0
            with suppress(OSError):
                free = shutil.disk_usage(folder).free
            raise NotEnoughDisk(
                f"the disk of {str(folder)!r} is full ({size_text(free)} free); what has come is kept",
                fix="free some room and run the same command again, or name another folder: --to FOLDER",
            ) from error
        why = error.strerror or str(error)
        raise InvalidRequest(f"cannot write to {str(folder)!r}: {why}", fix="name another folder: --to FOLDER") from error


def _lock(out: IO[bytes], target: Path) -> None:
    """One download of a file at a time: a second would mix its bytes in. The lock ends with its process."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(out.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise InvalidRequest(
            f"{target.name} is being downloaded by another process", fix="wait for it, then run the same command again"
        ) from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP):  # a disk that knows no locks
            raise
