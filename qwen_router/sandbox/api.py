"""What others call: run code, run tests on code, and ask what the sandbox keeps out on this machine.

python -c "from qwen_router.sandbox import run_tests; print(run_tests('def f(x): return x', 'assert f(1) == 1').ok)"
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from qwen_router.sandbox import host, kernel
from qwen_router.sandbox.host import Limits, Run


@dataclass(frozen=True, slots=True)
class Protection:
    """What code in the sandbox cannot do on this machine, each by the walls that prevent it; empty where none does.

    Time, output and disk are bounded from outside on every system.
    """

    reading_files: tuple[str, ...]
    writing_files: tuple[str, ...]
    network: tuple[str, ...]
    programs: tuple[str, ...]
    processes: tuple[str, ...]
    signals: tuple[str, ...]
    tracing: tuple[str, ...]
    memory: tuple[str, ...]
    walls: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """What nothing prevents here."""
        return tuple(item.name for item in fields(self) if item.name != "walls" and not getattr(self, item.name))

    @property
    def contained(self) -> bool:
        """Whether everything is prevented. Where it is not, run only code that a person has read."""
        return not self.missing

    def __str__(self) -> str:
        if self.contained:
            return f"contained by {', '.join(self.walls)}"
        return f"NOT CONTAINED: nothing on this system prevents {', '.join(name.replace('_', ' ') for name in self.missing)}"


def kernel_contains() -> bool:
    """Whether this kernel has the walls that contain everything (Landlock, seccomp), without starting anything."""
    return kernel.landlock_version() > 0 and kernel.can_filter()


@cache
def protects() -> Protection:
    """Start the sandbox once, empty, and look which walls stand. Raises what `run_python` raises."""
    probe = host.run("probe", limits=Limits(wall_s=30))
    version = next((line["landlock_version"] for line in probe.told if "landlock_version" in line), 0)
    return _protection(probe.walls, int(version), root=getattr(os, "getuid", lambda: 1)() == 0)


def _protection(walls: tuple[str, ...], landlock_version: int, *, root: bool) -> Protection:
    def by(*names: str) -> tuple[str, ...]:
        return tuple(name for name in names if name in walls)

    landlock = by("Landlock")
    return Protection(
        reading_files=landlock,
        writing_files=landlock if "seccomp" in walls else (),  # Landlock leaves owners and modes to be changed
        network=by("seccomp", "network namespace"),
        programs=by("seccomp", "Landlock"),
        processes=by("seccomp") if root else by("seccomp", "pid namespace"),  # no limit counts root's processes
        signals=by("seccomp", "pid namespace") + (landlock if landlock_version >= 6 else ()),
        tracing=by("seccomp", "Landlock", "pid namespace"),
        memory=by("resource limits"),
        walls=walls,
    )


def run_python(code: str, *, limits: Limits | None = None) -> Run:
    """Run Python code in the sandbox: what it printed, the value of its last expression as text, its error.

    Nothing that the code does raises here. Raises `InvalidRequest` for code that is no text of a sensible length, and where
    a wall that stood at the first run does not stand now.
    """
    return host.run("python", code=code, limits=limits, require=protects().walls)


@dataclass(frozen=True, slots=True)
class Failure:
    """A test that did not pass: its name, and the lines that say why, with the values that were compared."""

    name: str
    message: str


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """How tests ended. `failed` are those whose assertion did not hold; `errors` those that broke otherwise: an exception,
    a crash, no time left, no tests at all, or code that cannot be run (its name is then `the code`).
    """

    passed: tuple[str, ...]
    failed: tuple[Failure, ...]
    errors: tuple[Failure, ...]
    skipped: tuple[str, ...]
    output: str
    seconds: float

    __test__ = False  # pytest takes names that begin with Test for tests

    @property
    def ok(self) -> bool:
        """At least one test passed and none failed."""
        return bool(self.passed) and not self.failed and not self.errors

    def as_json(self) -> dict[str, Any]:
        """For a report: counts, and every failure with its message."""
        return {
            "ok": self.ok,
            "passed": len(self.passed),
            "failed": [{"test": one.name, "message": one.message} for one in self.failed],
            "errors": [{"test": one.name, "message": one.message} for one in self.errors],
            "skipped": len(self.skipped),
            "output": self.output,
            "seconds": round(self.seconds, 3),
        }


def run_tests(code: str, tests: str, *, limits: Limits | None = None) -> TestOutcome:
    """Run tests on code in the sandbox. Tests are asserts, functions `test_*`, classes of `unittest`; doctests of the code
    are run too. They see the code's names, and may import them from `solution` or from any module that does not exist.

    Nothing that the code does raises here; see `run_python` for what does. Code and tests share one process: code that sets
    out to deceive its tests can.
    """
    done = host.run("tests", code=code, tests=tests, limits=limits, require=protects().walls)
    return _outcome(done)


def _outcome(done: Run) -> TestOutcome:
    ended = [line for line in done.told if isinstance(line.get("test"), str)]

    def of(outcome: str) -> tuple[Failure, ...]:
        return tuple(_failure(line) for line in ended if line.get("outcome") == outcome)

    errors = list(of("error"))
    running = [line["begins"] for line in done.told if isinstance(line.get("begins"), str)]
    why = done.stopped or done.error
    if why is not None:
        errors.append(Failure(running[-1] if running else "the tests", why))
    elif not ended:
        errors.append(Failure("the tests", "no test was found: write asserts, functions test_* or unittest classes"))
    output = done.stdout.text + done.stderr.text
    return TestOutcome(
        passed=tuple(one.name for one in of("passed")),
        failed=of("failed"),
        errors=tuple(errors),
        skipped=tuple(one.name for one in of("skipped")),
        output=output,
        seconds=done.seconds,
    )


def _failure(line: Mapping[str, Any]) -> Failure:
    name, message = (host.as_text(line.get(key)) or "" for key in ("test", "message"))
    return Failure(name, message)
