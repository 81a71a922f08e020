"""The sandbox's inside: the program that a fresh interpreter runs. It builds the walls, then runs the code.

Started by `host` only, as `python -I -S child.py JOB`: one process makes the namespaces and waits, the other, born inside
them, gives up what is left and becomes the code. What happened goes line by line, as JSON, into the report file. It
imports the standard library and its neighbours, nothing of qwen-router, and is no module for anybody else.

    python -c "from qwen_router.sandbox import run_python; print(run_python('6 * 7').value)"
"""

from __future__ import annotations

import ast
import builtins
import io
import json
import linecache
import os
import signal
import sys
import traceback
import types
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

MOST_VALUE_CHARS, MOST_TRACE_LINES, MOST_LINE_CHARS = 10_000, 24, 400


def main(job_file: str) -> None:
    """Build the walls around a child process, wait for it and end as it did."""
    sys.path.insert(0, str(Path(__file__).parent))
    import kernel  # type: ignore[import-not-found]
    import testing  # type: ignore[import-not-found]

    del sys.path[0]
    for name in ("kernel", "syscalls", "testing", "pytest_words"):  # the code may have modules of these names
        del sys.modules[name]
    job = json.loads(Path(job_file).read_text(encoding="utf-8", errors="surrogatepass"))
    report = os.open(job["report"], os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0))
    os.unlink(job_file)
    if not hasattr(os, "fork"):
        _inside(job, report, kernel, testing, [])
        return
    kernel.die_with_parent()
    held = [f"{name} namespace" for name in kernel.namespaces()] if job["namespaces"] else []
    pid = os.fork()
    if pid == 0:
        kernel.die_with_parent()
        _inside(job, report, kernel, testing, held)
        return
    os.close(report)
    for stream in (0, 1, 2):
        os.close(stream)
    _end_as(_waited(pid))


def _waited(pid: int) -> int:
    """The child's status, after everything that it left behind is dead."""
    status = os.waitpid(pid, 0)[1]
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while True:
        try:
            left = [int(number) for number in children.read_text().split()] if children.exists() else []
            for number in left:
                with suppress(OSError):
                    os.kill(number, signal.SIGKILL)
            os.waitpid(-1, 0 if left else os.WNOHANG)
        except OSError:
            return status
        if not left:
            return status


def _end_as(status: int) -> None:
    os._exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status))


# ── the walls ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _inside(
    job: Mapping[str, Any], report: int, kernel: types.ModuleType, testing: types.ModuleType, held: list[str]
) -> None:
    """Put up the rest of the walls, say which stand, and run the job if none is missing that was promised."""

    def tell(**what: Any) -> None:
        os.write(report, (json.dumps(what) + "\n").encode())

    os.chdir(job["work"])
    runs: Callable[..., None] = {"python": _run_code, "tests": testing.run, "probe": lambda *given: None}[job["mode"]]
    _make_ready(job)
    if kernel.limit(**job["limits"]):
        held.append("resource limits")
    if kernel.no_new_rights():
        held.append("no new rights")
    if kernel.no_capabilities():
        held.append("no capabilities")
    version = kernel.landlock(job["readable"], job["listable"], [job["work"]]) if job["landlock"] else 0
    if version:
        held.append("Landlock")
    if job["seccomp"] and kernel.filter_calls():
        held.append("seccomp")
    if job["audit"]:
        sys.addaudithook(_audit_hook(job, strict=not (version and "seccomp" in held)))
        held.append("audit hook")
    tell(walls=held, landlock_version=version)
    missing = sorted(set(job["require"]) - set(held))
    if missing:
        tell(refused=f"the sandbox could not be set up: {', '.join(missing)} is missing")
        return
    code = 0
    try:
        runs(job, tell, module_of, trace)
        tell(done=True)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        problem = None if error.code in (None, 0) else f"the code left with sys.exit({error.code!r})"[:MOST_LINE_CHARS]
        tell(done=True, error=problem)
    except BaseException as error:  # whatever it raises, its author is told
        code = 1
        tell(done=True, error=trace(error))
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(code & 0xFF)  # threads that the code left running do not keep it alive


def _make_ready(job: Mapping[str, Any]) -> None:
    """Streams, the path of modules, numpy, and what -S takes away though programs use it."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        setattr(sys, name, io.TextIOWrapper(stream.buffer, "utf-8", "backslashreplace", line_buffering=True))
    sys.argv = ["code.py"]
    builtins.exit = builtins.quit = sys.exit  # type: ignore[assignment]
    if job["numpy"]:
        sys.meta_path.append(_OnlyNumpy(job["numpy"]))
    sys.path.insert(0, job["work"])
    import encodings.idna  # noqa: F401  (a look-up of a host imports it late, and is told of the network instead)


class _OnlyNumpy:
    """Finds numpy in the folder where it is installed, and none of its neighbours."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [self.folder]) if name == "numpy" else None


def _audit_hook(job: Mapping[str, Any], *, strict: bool) -> Callable[[str, tuple[Any, ...]], None]:
    """The last wall, in Python and so none against code that means harm: it says early and in words what is not allowed.

    `strict`: nothing else stands on this system, so ctypes goes too and every path is checked.
    """
    network = ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostby", "socket.sendmsg")
    programs = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn")
    processes = ("os.fork", "os.forkpty", "os.kill", "os.killpg")
    paths = ("open", "os.listdir", "os.scandir", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink",
             "os.chmod", "os.chown", "os.truncate", "os.utime", "os.chdir", "sqlite3.connect")  # fmt: skip
    lists = ("os.listdir", "os.scandir", "os.chdir")
    changing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    work, readable = os.path.realpath(job["work"]), tuple(map(os.path.realpath, (*job["readable"], *job["listable"])))
    pair = 1  # AF_UNIX: asyncio makes a connected pair of them for itself
    real, own, beneath, separator = os.path.realpath, os.getpid(), str.startswith, os.sep

    def inside(path: Any, *, write: bool) -> bool:
        if isinstance(path, int) or path in (":memory:", b":memory:", ""):
            return True
        where = real(os.fsdecode(path))
        return any(where == top or beneath(where, top + separator) for top in ((work,) if write else (work, *readable)))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(network) or (event == "socket.__new__" and strict and arguments[1] != pair):
            raise PermissionError("the sandbox has no network")
        if event.startswith(programs):
            raise PermissionError("the sandbox runs no other program")
        if event in processes and not (event == "os.kill" and arguments[0] == own):
            raise PermissionError("the sandbox has one process and reaches no other")
        if strict and event.startswith("ctypes."):
            raise ImportError("the sandbox has no ctypes on this system")
        if event == "open" or (strict and event.startswith(paths)):
            write = event not in lists and (event != "open" or bool((arguments[2] or 0) & changing))
            for path in arguments[: 2 if event in ("os.rename", "os.link") else 1]:
                if isinstance(path, (str, bytes)) and not inside(path, write=write):
                    raise PermissionError(
                        f"the sandbox reads only its own folder and Python's library, not {str(path)[:120]!r}"
                    )

    return hook


# ── running code ────────────────────────────────────────────────────────────────────────────────────────────────────────


def module_of(name: str, source: str, *, file: str) -> types.ModuleType:
    """An empty module for a source, registered under the name, with its lines at hand for tracebacks."""
    module = types.ModuleType(name)
    module.__file__ = file
    sys.modules[name] = module
    linecache.cache[file] = (len(source), None, (source + "\n").splitlines(keepends=True), file)
    return module


def _run_code(job: Mapping[str, Any], tell: Callable[..., None], *given: object) -> None:
    """Run the code as `__main__`; when its last statement is an expression, tell its value."""
    source = job["code"]
    module = module_of("__main__", source, file="code.py")
    tree = ast.parse(source, "code.py")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "code.py", "exec"), module.__dict__)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), "code.py", "eval"), module.__dict__)
        if value is not None:
            text = repr(value)
            tell(value=text if len(text) <= MOST_VALUE_CHARS else f"{text[:MOST_VALUE_CHARS]}... ({len(text):,} characters)")


def trace(error: BaseException) -> str:
    """The traceback's lines that lie in the code itself, with the error last."""
    try:
        told = traceback.TracebackException.from_exception(error, limit=-40, compact=True)
        files = ("code.py", "tests.py", "solution.py")
        told.stack = traceback.StackSummary.from_list([frame for frame in told.stack if frame.filename in files])
        lines = "".join(told.format(chain=False)).rstrip().splitlines()
    except (MemoryError, RecursionError):
        return type(error).__name__
    if len(lines) > MOST_TRACE_LINES:
        lines = [*lines[:4], "  ...", *lines[4 - MOST_TRACE_LINES :]]
    return "\n".join(line if len(line) <= MOST_LINE_CHARS else line[:MOST_LINE_CHARS] + "..." for line in lines)


if __name__ == "__main__":
    main(sys.argv[1])
