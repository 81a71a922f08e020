"""Workers that hold sympy: started at the first question, kept for the next, killed when they take too long.

sympy can run for ever and take any memory, so it never runs in this process. A few workers at most serve at the same
time; who comes while all are busy waits within its own time. A worker whose parent dies ends when its input does.

    python -c "from qwen_router.symbolic.process import ask; \\
        print(ask({'do': 'value', 'tree': ['num', '0.5']}, timeout_s=5))"
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qwen_router.errors import MissingExtra, RouterError

MOST_WORKERS = 2
START_S = 60.0
"""To import sympy; it takes about one second on a quiet core."""
MOST_QUESTIONS = 500
"""After which a worker is replaced: sympy's caches grow."""


_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from qwen_router.symbolic.worker import main; main()"


class SymbolicTimeout(RouterError):
    """sympy did not come to an end in time."""

    http_status = 504


class _Worker:
    """One process. `ask` returns a reply or raises; after an exception the worker is dead."""

    def __init__(self) -> None:
        self.questions = 0
        try:
            self.process = self._started()
        except OSError as error:
            problem = f"the process for symbolic mathematics did not start: {error.strerror}"
            raise RouterError(problem, fix="free memory or processes") from error
        if '"ready"' not in self._line(START_S):
            self.kill()
            import importlib.util

            if importlib.util.find_spec("sympy") is None:
                raise MissingExtra.of("sympy", extra="agent")
            raise RouterError("the process for symbolic mathematics did not start", fix="see: python -c 'import sympy'")

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM, str(Path(__file__).parents[2])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            start_new_session=os.name == "posix",  # Ctrl-C in the terminal is for the parent
        )

    def _line(self, timeout_s: float) -> str:
        """The next line, or nothing where the process ended or was killed at the limit."""
        assert self.process.stdout is not None
        late: list[bool] = []

        def end() -> None:
            late.append(True)
            self.process.kill()

        alarm = threading.Timer(timeout_s, end)
        alarm.daemon = True
        alarm.start()
        try:
            line = self.process.stdout.readline()
        finally:
            alarm.cancel()
        return "" if late else line

    def ask(self, question: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.questions += 1
        started = time.monotonic()
        try:
            self.process.stdin.write(json.dumps({**question, "seconds": timeout_s}) + "\n")
            self.process.stdin.flush()
            line = self._line(timeout_s)
        except (BrokenPipeError, ValueError):
            line = ""
        if not line:
            self.kill()
            if time.monotonic() - started >= timeout_s:
                raise SymbolicTimeout(f"sympy found no end within {timeout_s:g} s", fix="ask for something simpler")
            raise RouterError(
                "the process for symbolic mathematics ended: too much memory?", fix="ask for something simpler"
            )
        reply: dict[str, Any] = json.loads(line)
        return reply

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()


_idle: list[_Worker] = []
_lock = threading.Lock()
_places = threading.BoundedSemaphore(MOST_WORKERS)


def ask(question: Mapping[str, Any], *, timeout_s: float) -> dict[str, Any]:
    """The reply of a worker: {"result": ...} or {"refused": ..., "fix": ..., "kind": ...}.

    `timeout_s` seconds at most from when a worker has the question, and as long in the queue for one. Raises
    `SymbolicTimeout`, `MissingExtra` without sympy, `RouterError` when the worker died.
    """
    if not _places.acquire(timeout=timeout_s):
        raise SymbolicTimeout(f"no worker for symbolic mathematics was free within {timeout_s:g} s", fix="try again")
    try:
        with _lock:
            worker = _idle.pop() if _idle else None
        if worker is not None and worker.process.poll() is not None:
            worker.kill()
            worker = None
        worker = worker or _Worker()
        try:
            reply = worker.ask(question, timeout_s)
        except BaseException:
            worker.kill()
            raise
        if worker.questions >= MOST_QUESTIONS or reply.get("kind") == "size":
            worker.kill()
        else:
            with _lock:
                _idle.append(worker)
        return reply
    finally:
        _places.release()


def close() -> None:
    """End the idle workers; the next question starts a new one."""
    with _lock:
        workers = _idle.copy()
        _idle.clear()
    for worker in workers:
        worker.kill()


def _forget() -> None:
    """In a forked child: the workers are the parent's."""
    global _lock, _places
    _idle.clear()
    _lock, _places = threading.Lock(), threading.BoundedSemaphore(MOST_WORKERS)


atexit.register(close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
