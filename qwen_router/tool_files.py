"""Files below a folder that cannot be left: the one way in which tools open, list and write what a model named.

A path comes from a model, which may have read it anywhere. It is taken apart into names and walked from the root, folder by
folder, each opened relative to the one before (`openat` with O_NOFOLLOW): a link is never followed, also not one that
somebody swaps in meanwhile. Only ordinary files are opened, so no device, pipe or socket hangs the caller, and nothing of
/proc or /sys. Where the system has no such calls (Windows), every folder is checked first and the file once more after it
was opened. What this cannot see is a hard link: a second name, made below the root, of a file that also lies elsewhere.

How a tool uses it (`root` is `tool_context.current().root`; every function raises `InvalidRequest` with a text for the
model, which a tool turns into its own ToolException):

    with open_below(root, "data/sales.csv") as file:      # a binary file to read; file.fileno() for libraries that want one
        rows = list(csv.reader(io.TextIOWrapper(file, "utf-8")))
    data = read_below(root, "scan.png", most_bytes=20 * MIB)    # all of it, or an error that gives its size
    with copied_below(root, "report.docx", most_bytes=50 * MIB) as path:   # a private copy, for libraries that want a name
        text = docx2txt.process(str(path))
    write_below(root, "plots/sales.svg", svg.encode())          # whole or not at all; makes the folder
    name = below(root, "./data/../data/sales.csv")              # 'data/sales.csv', to show and hand on; no disk access

    python -c "from qwen_router.tool_files import list_below; print(list_below('.', 'docs')[0][:3])"
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import BinaryIO, Literal

from qwen_router.errors import InvalidRequest

MIB = 1024**2
MOST_PATH_BYTES, MOST_NAME_BYTES, MOST_DEEP = 4096, 255, 64
_WINDOWS_DEVICES = frozenset(("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))))
_WALKS = {os.open, os.stat, os.mkdir, os.unlink, os.rename} <= os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
"""Whether this system opens names relative to an open folder; elsewhere paths are checked before and after."""
_FOLDER_FLAGS = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_FILE_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder. `path` is relative to the root; `kind` "other" is a device, a pipe or a socket."""

    path: str
    kind: Literal["file", "folder", "link", "other"]
    size_bytes: int
    changed: datetime


def below(root: Path | str, path: str) -> str:
    """`path` relative to the root in its plain form, `.` for the root itself. Looks at no disk: links are caught on opening.

    An absolute path that begins with the root is taken for what lies below it. Raises `InvalidRequest` for a path that
    leaves the root or cannot be one.
    """
    if not isinstance(path, str) or not path.strip():
        raise InvalidRequest(f"{path!r} is no path", fix="name a file relative to the tools' folder, such as data/sales.csv")
    _check_spelling(path)
    if path.startswith("/") or (os.name == "nt" and re.match(r"[A-Za-z]:", path)):
        path = _without_root(Path(root), path)
    names: list[str] = []
    for name in path.split("/"):
        if name == "..":
            if not names:
                raise _outside(path)
            names.pop()
        elif name not in ("", "."):
            _check_name(name)
            names.append(name)
    if len(names) > MOST_DEEP:
        raise InvalidRequest(f"a path of {len(names)} folders is too deep", fix=f"at most {MOST_DEEP}")
    return "/".join(names) or "."


def _check_spelling(path: str) -> None:
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise InvalidRequest(f"{path!r} is no path: it holds half a character", fix="write the name in Unicode") from None
    if size > MOST_PATH_BYTES:
        raise InvalidRequest(f"a path of {size:,} bytes is too long", fix=f"at most {MOST_PATH_BYTES:,}")
    if any(ord(sign) < 32 or sign == "\x7f" for sign in path):
        raise InvalidRequest(f"{path!r} is no path: it holds a control character", fix="leave it out")
    if "\\" in path and os.name != "nt":
        raise InvalidRequest(f"{path!r} holds a backslash", fix="write / between folders")
    if os.name != "nt" and re.match(r"[A-Za-z]:", path):
        raise InvalidRequest(f"{path!r} names a drive", fix="name a file relative to the tools' folder")


def _check_name(name: str) -> None:
    if len(name.encode()) > MOST_NAME_BYTES:
        raise InvalidRequest(f"a name of {len(name.encode()):,} bytes is too long", fix=f"at most {MOST_NAME_BYTES}")
    if os.name == "nt" and (
        ":" in name or "\\" in name or name[-1] in ". " or name.partition(".")[0].rstrip().lower() in _WINDOWS_DEVICES
    ):
        raise InvalidRequest(f"{name!r} means something else than a file on Windows", fix="use a plain name and /")


def _without_root(root: Path, path: str) -> str:
    """An absolute path below the root, as relative to it."""
    for start in dict.fromkeys((str(root), str(root.absolute()), str(root.resolve()))):
        prefix = start.replace(os.sep, "/").rstrip("/") + "/"
        if path.startswith(prefix) or path + "/" == prefix:
            return path[len(prefix) :] or "."
    raise _outside(path)


def _outside(path: str) -> InvalidRequest:
    return InvalidRequest(
        f"{_shown(path)} lies outside the tools' folder",
        fix="name a file relative to that folder; list_files shows what is there",
    )


def _shown(path: str) -> str:
    return repr(path if len(path) <= 120 else path[:117] + "...")


def open_below(root: Path | str, path: str) -> BinaryIO:
    """Open an ordinary file below the root for reading. The caller closes it.

    Raises `InvalidRequest` where there is none (close names are given), where it is a folder, a link, a device or a pipe,
    where a folder on the way is a link, and where the system refuses.
    """
    plain = below(root, path)
    if plain == ".":
        raise InvalidRequest(f"{_shown(path)} is the tools' folder itself", fix="name a file in it")
    try:
        descriptor = _opened(Path(root), plain)
    except OSError as error:
        raise _refused(Path(root), plain, error) from None
    return os.fdopen(descriptor, "rb")


def read_below(root: Path | str, path: str, *, most_bytes: int) -> bytes:
    """All of a file. Raises `InvalidRequest` as `open_below` does, and for a file of more than `most_bytes`."""
    with open_below(root, path) as file:
        data = _read(file, path, most_bytes + 1)
    if len(data) > most_bytes:
        raise InvalidRequest(
            f"{_shown(path)} is larger than {_size(most_bytes)}", fix="read a part of it, or a smaller file"
        )
    return data


def _read(file: BinaryIO, path: str, most_bytes: int) -> bytes:
    try:
        return file.read(most_bytes)
    except OSError as error:
        raise InvalidRequest(f"cannot read {_shown(path)}: {error.strerror}", fix="name another file") from None


@contextmanager
def copied_below(root: Path | str, path: str, *, most_bytes: int) -> Iterator[Path]:
    """A private copy, with the same suffix, that is gone afterwards: for libraries that open a file by its name.

    Raises `InvalidRequest` as `read_below` does.
    """
    with open_below(root, path) as file, tempfile.TemporaryDirectory(prefix="qwen-router-") as folder:
        size = os.fstat(file.fileno()).st_size
        if size > most_bytes:
            raise InvalidRequest(
                f"{_shown(path)} has {_size(size)}: more than {_size(most_bytes)}", fix="use a smaller file"
            )
        copy = Path(folder) / f"file{PurePosixPath(path).suffix}"
        with copy.open("wb") as out:
            shutil.copyfileobj(file, out, MIB)
        yield copy


def write_below(root: Path | str, path: str, data: bytes, *, overwrite: bool = True) -> str:
    """Write a file, whole or not at all (a new file takes the old one's place), making folders on the way. The plain path.

    A link is not written through and a hard link's other name keeps its content. Raises `InvalidRequest` as `open_below`
    does, and where the file exists and `overwrite` is False.
    """
    plain = below(root, path)
    if plain == ".":
        raise InvalidRequest(f"{_shown(path)} is the tools' folder itself", fix="name a file in it")
    try:
        with _folder(Path(root), plain.split("/")[:-1], make=True) as place:
            _replace(place, plain.rpartition("/")[2], data, overwrite=overwrite)
    except OSError as error:
        raise _refused(Path(root), plain, error) from None
    return plain


def list_below(root: Path | str, path: str = ".", *, deep: bool = False, most: int = 10_000) -> tuple[list[Entry], bool]:
    """What a folder holds, by name, and whether there was more than `most`. `deep`: all below it; links are not followed.

    Raises `InvalidRequest` where there is no such folder.
    """
    root, plain = Path(root), below(root, path)
    found: list[Entry] = []
    pending = [plain]
    try:
        while pending:
            here = pending.pop()
            entries = sorted(_entries(root, here), key=lambda entry: entry.path)
            found += entries[: most + 1 - len(found)]
            if len(found) > most:
                return found[:most], True
            if deep:
                pending += [entry.path for entry in reversed(entries) if entry.kind == "folder"]
    except OSError as error:
        raise _refused(root, here, error) from None
    return sorted(found, key=lambda entry: entry.path), False


# ── the walk ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class _NotOrdinary(OSError):
    """A name that is there but is no ordinary file or folder; the text says what it is."""


@contextmanager
def _folder(root: Path, names: list[str], *, make: bool = False) -> Iterator[int | Path]:
    """The folder that `names` lead to from the root: a descriptor, or a path where descriptors cannot be walked."""
    if not _WALKS:
        yield _checked_folder(root, names, make=make)
        return
    descriptor = os.open(root, _FOLDER_FLAGS & ~getattr(os, "O_NOFOLLOW", 0))
    try:
        for name in names:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=descriptor)
            _not_a_link(name, descriptor)
            inner = os.open(name, _FOLDER_FLAGS, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _not_a_link(name: str, descriptor: int) -> None:
    """The kernel refuses links too; this gives the better text."""
    if stat.S_ISLNK(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
        raise _NotOrdinary("a link, and links are not followed")


def _opened(root: Path, plain: str) -> int:
    """A descriptor of an ordinary file."""
    *folders, name = plain.split("/")
    with _folder(root, folders) as place:
        if isinstance(place, Path):
            return _opened_by_path(root, place / name)
        _must_be_ordinary(os.stat(name, dir_fd=place, follow_symlinks=False))
        descriptor = os.open(name, _FILE_FLAGS, dir_fd=place)
    try:
        _must_be_ordinary(os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _must_be_ordinary(found: os.stat_result) -> None:
    mode = found.st_mode
    kinds = (
        (stat.S_ISLNK, "a link, and links are not followed"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
    )
    if stat.S_ISREG(mode) and found.st_dev in _pseudo_systems():
        raise _NotOrdinary("no file on a disk but the system's own state")
    if not stat.S_ISREG(mode):
        raise _NotOrdinary(next((text for is_kind, text in kinds if is_kind(mode)), "a device"))


@cache
def _pseudo_systems() -> frozenset[int]:
    """The devices of /proc and /sys, where this system has them as such."""
    found = set()
    for folder in ("/proc", "/sys"):
        with suppress(OSError):
            found.add(os.stat(folder).st_dev)
    return frozenset(found - {os.stat(os.path.abspath(os.sep)).st_dev})


def _replace(place: int | Path, name: str, data: bytes, *, overwrite: bool) -> None:
    at: int | None = place if isinstance(place, int) else None
    prefix = "" if isinstance(place, int) else f"{place}{os.sep}"
    mode = 0o666
    with suppress(FileNotFoundError):
        old = os.stat(prefix + name, dir_fd=at, follow_symlinks=False)
        _must_be_ordinary(old)
        if not overwrite:
            raise FileExistsError
        mode = stat.S_IMODE(old.st_mode) & 0o777
    part = f"{prefix}.{token_hex(8)}.part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode, dir_fd=at)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if overwrite or not _linked(part, prefix + name, at):
            os.replace(part, prefix + name, src_dir_fd=at, dst_dir_fd=at)
    except BaseException:
        with suppress(OSError):
            os.unlink(part, dir_fd=at)
        raise


def _linked(part: str, name: str, at: int | None) -> bool:
    """Give the file its name unless another has it by now, which a rename would put out of the way; False where the file
    system knows no links."""
    try:
        os.link(part, name, src_dir_fd=at, dst_dir_fd=at)
    except FileExistsError:
        raise
    except OSError:
        return False
    os.unlink(part, dir_fd=at)
    return True


def _entries(root: Path, plain: str) -> Iterator[Entry]:
    with _folder(root, [] if plain == "." else plain.split("/")) as place, os.scandir(place) as listing:
        for found in listing:
            try:
                state = found.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # removed meanwhile
            path = found.name if plain == "." else f"{plain}/{found.name}"
            yield Entry(path, _kind(state.st_mode), state.st_size, datetime.fromtimestamp(state.st_mtime, UTC))


def _kind(mode: int) -> Literal["file", "folder", "link", "other"]:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"


# ── where descriptors cannot be walked ──────────────────────────────────────────────────────────────────────────────────


def _checked_folder(root: Path, names: list[str], *, make: bool) -> Path:
    """The folder by its path, every step seen to be no link. Somebody quick can still swap one in behind the check."""
    here = root.resolve(strict=True)
    for name in names:
        here /= name
        if make:
            here.mkdir(exist_ok=True)
        if here.resolve(strict=True) != here:
            raise _NotOrdinary("a link, and links are not followed")
        if not here.is_dir():
            raise NotADirectoryError(20, "not a folder")
    return here


def _opened_by_path(root: Path, path: Path) -> int:
    _must_be_ordinary(os.stat(path, follow_symlinks=False))
    descriptor = os.open(path, _FILE_FLAGS)
    try:
        _must_be_ordinary(os.fstat(descriptor))
        if not path.resolve(strict=True).is_relative_to(root.resolve()) or not os.path.samestat(
            os.fstat(descriptor), os.stat(path, follow_symlinks=False)
        ):
            raise _NotOrdinary("a link, and links are not followed")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


# ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _refused(root: Path, plain: str, error: OSError) -> InvalidRequest:
    shown = _shown(plain)
    if isinstance(error, _NotOrdinary):
        return InvalidRequest(
            f"{shown} is, or leads through, {error}", fix="name an ordinary file; list_files shows what is there"
        )
    if not root.is_dir():
        return InvalidRequest(f"there is no folder {str(root)!r} for the tools", fix="name one that exists (--root)")
    if isinstance(error, FileNotFoundError):
        return InvalidRequest(f"there is no {shown} in the tools' folder", fix=_close(root, plain))
    if isinstance(error, FileExistsError):
        return InvalidRequest(f"{shown} exists already", fix="choose another name, or allow it to be overwritten")
    if isinstance(error, NotADirectoryError):
        return InvalidRequest(f"{shown} leads through something that is no folder", fix="list_files shows what is there")
    return InvalidRequest(f"{shown} cannot be opened: {error.strerror or error}", fix="name another file")


def _close(root: Path, plain: str) -> str:
    """Names that look like the last one, in the folder where it was looked for or anywhere below the root."""
    listing = "list_files shows what is there"
    try:
        known = {entry.path for entry in list_below(root, deep=True, most=2000)[0] if entry.kind == "file"}
    except (InvalidRequest, OSError):
        return listing
    by_lower = {path.lower(): path for path in sorted(known)}
    name = plain.rpartition("/")[2].lower()
    same_name = [path for lower, path in by_lower.items() if lower.rpartition("/")[2] == name]
    near = [by_lower[hit] for hit in get_close_matches(plain.lower(), by_lower, n=3, cutoff=0.7)]
    close = list(dict.fromkeys((*same_name, *near)))[:3]
    return f"did you mean {', '.join(map(repr, close))}?" if close else listing


def _size(count: int) -> str:
    return f"{count / MIB:.1f} MiB" if count >= MIB else f"{count:,} bytes"
