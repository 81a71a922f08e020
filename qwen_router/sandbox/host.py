"""The sandbox's outside: starts the child, feeds it, watches time, memory, disk and output, and ends all that it started.

Nothing here trusts what the child reports beyond showing it: limits are kept from this side. The child gets a fresh folder
as home and working folder, none of our variables, no input and no network.

    python -c "from qwen_router.sandbox import protects; print(protects())"
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from qwen_router.errors import InvalidRequest
from qwen_router.sandbox.folder import measured, remove

MIB = 1024**2
MOST_CODE_CHARS = 1_000_000
MOST_REPORT_BYTES = 4 * MIB
WATCH_S = 0.05


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use. `memory_mib` is address space on Linux (Python alone takes about 30 MiB, numpy 150 more)."""

    wall_s: float = 10.0
    memory_mib: int = 512
    cpu_s: int | None = None
    file_mib: int = 16
    disk_mib: int = 64
    disk_files: int = 2000
    open_files: int = 64
    output_bytes: int = 64 * 1024

    def __post_init__(self) -> None:
        for name in ("wall_s", "memory_mib", "file_mib", "disk_mib", "disk_files", "open_files", "output_bytes"):
            if not 0 < getattr(self, name) < float("inf"):
                raise InvalidRequest(f"the sandbox's {name} is {getattr(self, name)!r}", fix="give a number above 0")


@dataclass(frozen=True, slots=True)
class Stream:
    """What a run printed: the first bytes as text, and how many bytes came after them."""

    text: str = ""
    more_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """How a run ended. `stopped` says what ended it from outside, None when it ended itself; `error` a traceback's end."""

    stdout: Stream
    stderr: Stream
    value: str | None
    error: str | None
    stopped: str | None
    seconds: float
    walls: tuple[str, ...]
    told: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    @property
    def ok(self) -> bool:
        return self.error is None and self.stopped is None


def run(mode: str, *, code: str = "", tests: str = "", limits: Limits | None = None, require: tuple[str, ...] = ()) -> Run:
    """Run a job in a child of its own. Raises `InvalidRequest` for code that is no text or too long."""
    limits = limits or Limits()
    for name, text in (("code", code), ("tests", tests)):
        if len(text) > MOST_CODE_CHARS or "\0" in text:
            raise InvalidRequest(
                f"the {name} has {len(text):,} characters" if len(text) > MOST_CODE_CHARS else f"the {name} holds a NUL",
                fix=f"give Python source of at most {MOST_CODE_CHARS:,} characters",
            )
    folder = tempfile.mkdtemp(prefix="qwen-router-sandbox-")
    try:
        work, report = Path(folder, "work"), Path(folder, "report")
        work.mkdir()
        report.touch()
        job = {
            "mode": mode,
            "code": code,
            "tests": tests,
            "work": str(work.resolve()),
            "report": str(report),
            "require": require,
            "limits": {
                "memory_mib": limits.memory_mib,
                "cpu_s": limits.cpu_s or max(1, int(limits.wall_s + 0.999)),
                "file_mib": limits.file_mib,
                "files": limits.open_files,
                "processes": _processes(),
            },
            **_layout(),
            **SWITCHES,
        }
        Path(folder, "job").write_text(json.dumps(job), encoding="utf-8")
        return _Child(Path(folder), limits).run()
    finally:
        remove(folder)


SWITCHES = {"namespaces": True, "landlock": True, "seccomp": True, "audit": True}
"""Walls that tests take away one at a time, to see that the others hold."""


@cache
def _layout() -> dict[str, Any]:
    """What the child may read: Python's library without the packages installed beside it, numpy, the C library's files."""
    library = Path(sysconfig.get_path("stdlib"))
    dynamic = Path(sysconfig.get_config_var("DESTSHARED") or library / "lib-dynload")
    readable = [entry for entry in library.iterdir() if entry.name not in ("site-packages", "dist-packages")]
    readable += [dynamic, Path(sys.base_prefix, "lib", f"python{sys.version_info[0]}{sys.version_info[1]}.zip")]
    with suppress(OSError):  # shared libraries beside Python's own, as conda keeps them
        readable += [entry for entry in Path(sys.base_prefix, "lib").iterdir() if ".so" in entry.name and entry.is_file()]
    listable = [library]
    numpy = find_spec("numpy")
    home = Path(numpy.origin).parent.parent if numpy is not None and numpy.origin else None
    if home is not None:
        readable += [home / "numpy", home / "numpy.libs"]
        listable.append(home)
    system = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo",
              "/dev/null", "/dev/zero", "/dev/urandom", "/usr/lib/locale")  # fmt: skip
    return {
        "readable": [*map(str, readable), *system],
        "listable": list(map(str, listable)),
        "numpy": str(home) if home else None,
    }


def _processes() -> int | None:
    """How many processes the user may have while code runs: those there are and a few. Threads count on Linux.

    None for root, whom the kernel does not count.
    """
    if os.name == "nt" or os.getuid() == 0:
        return None
    import psutil

    mine, count = os.getuid(), 0
    for process in psutil.process_iter(["uids", "num_threads"]):
        if process.info["uids"] and process.info["uids"].real == mine:
            count += (process.info["num_threads"] or 1) if sys.platform.startswith("linux") else 1
    return count + 64


def _environment(work: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}  # Windows starts nothing without it
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
    return {
        "HOME": str(work),
        "TMPDIR": str(work),
        "TEMP": str(work),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        **threads,
        **kept,
    }


class _Child:
    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder, self.limits = folder, limits

    def run(self) -> Run:
        started = time.monotonic()
        command = [
            sys.executable,
            "-I",
            "-S",
            "-B",
            "-X",
            "utf8",
            str(Path(__file__).with_name("child.py")),
            str(self.folder / "job"),
        ]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.folder / "work",
                env=_environment(self.folder / "work"),
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise InvalidRequest(
                f"the sandbox cannot start {sys.executable!r}: {error.strerror or error}", fix="run from an interpreter"
            ) from None
        readers = [_Reader(stream, self.limits.output_bytes) for stream in (process.stdout, process.stderr) if stream]
        stopped = None
        try:
            stopped = self._watch(process, readers[0], started)
        finally:
            _end(process)
            for reader in readers:
                reader.join(2)
        stdout, stderr = (reader.stream() for reader in readers)
        return self._result(process.returncode, stdout, stderr, stopped, time.monotonic() - started)

    def _watch(self, process: subprocess.Popen[bytes], reader: _Reader, started: float) -> str | None:
        """Wait for the end; what has to be stopped is named."""
        while process.poll() is None:
            passed = time.monotonic() - started
            if passed > self.limits.wall_s:
                return f"stopped after {self.limits.wall_s:g} s"
            used = measured(self.folder / "work", most_entries=self.limits.disk_files)
            if used is None:
                return f"stopped: more than {self.limits.disk_files:,} files, or folders nested too deep"
            if used > self.limits.disk_mib * MIB:
                return f"stopped: its files took more than {self.limits.disk_mib} MiB"
            if not sys.platform.startswith("linux") and _memory(process.pid) > self.limits.memory_mib * MIB:
                return f"stopped: it took more than {self.limits.memory_mib} MiB of memory"
            if reader.is_alive():
                reader.join(min(WATCH_S, max(0.001, self.limits.wall_s - passed)))
            else:  # its output is closed: it ends, or has closed it itself
                with suppress(subprocess.TimeoutExpired):
                    process.wait(min(WATCH_S, max(0.001, self.limits.wall_s - passed)))
        return None

    def _result(self, status: int, stdout: Stream, stderr: Stream, stopped: str | None, seconds: float) -> Run:
        told = _told(self.folder / "report")
        merged: dict[str, Any] = {}
        for line in told:
            merged.update(line)
        refused = merged.get("refused")
        if isinstance(refused, str):
            raise InvalidRequest(refused, fix="see docs/sandbox.md for what this system allows")
        error = _text(merged.get("error"))
        if stopped is None and merged.get("done") is not True:
            stopped = self._ended(status)
        if error is not None and error.rstrip().endswith("MemoryError"):
            error += f" (the sandbox has {self.limits.memory_mib} MiB)"
        walls = told[0].get("walls", ()) if told else ()
        return Run(
            stdout=stdout,
            stderr=stderr,
            value=_text(merged.get("value")),
            error=error,
            stopped=stopped,
            seconds=seconds,
            walls=tuple(map(str, walls)) if isinstance(walls, list) else (),
            told=told,
        )

    def _ended(self, status: int) -> str:
        """Why there is no last line in the report."""
        number = status - 128 if status > 128 else -status
        cpu_s = self.limits.cpu_s or max(1, int(self.limits.wall_s + 0.999))
        if number in (getattr(signal, "SIGXCPU", -1), getattr(signal, "SIGKILL", -1)):
            return f"stopped: it computed for more than {cpu_s} s, or ran the machine out of memory"
        if number > 0:
            with suppress(ValueError):
                return f"the interpreter crashed ({signal.Signals(number).name}): nested too deep, or memory misused"
        return f"the interpreter left with code {status} before the code's end"


class _Reader(threading.Thread):
    """Reads a stream to its end, keeps its beginning and counts the rest."""

    def __init__(self, stream: IO[bytes], most_bytes: int) -> None:
        super().__init__(daemon=True, name="qwen-router-sandbox")
        self._file, self._most, self._kept, self._more = stream, most_bytes, bytearray(), 0
        self.start()

    def run(self) -> None:
        with suppress(OSError, ValueError), self._file:
            while chunk := self._file.read(64 * 1024):
                room = self._most - len(self._kept)
                self._kept += chunk[:room]
                self._more += max(0, len(chunk) - room)

    def stream(self) -> Stream:
        return Stream(bytes(self._kept).decode("utf-8", "replace"), self._more)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the child and everything below it. With a namespace the kernel does so; else its descendants are looked for."""
    import psutil

    for _ in range(100):
        try:
            below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        except psutil.Error:
            below = []
        for inner in below:
            with suppress(psutil.Error):
                inner.kill()
        if not below:
            break
    if os.name == "nt":
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _memory(pid: int) -> int:
    """Bytes of memory that a process and its children hold."""
    import psutil

    total = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += one.memory_info().rss
    return total


def _told(report: Path) -> tuple[Mapping[str, Any], ...]:
    """The report's lines; the code can write there too, so anything may stand in it."""
    with report.open("rb") as file:
        lines = file.read(MOST_REPORT_BYTES).split(b"\n")
    told = []
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            told.append(entry)
    return tuple(told)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
