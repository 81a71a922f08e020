"""The few words of pytest that tests written by models use: raises, approx, mark.parametrize, skip, fail. Not pytest itself.

Inside the sandbox it is what `import pytest` gives. Fixtures, plugins and configuration are not there, and asking for a
fixture says so.

    python -c "from qwen_router.sandbox.pytest_words import approx; print(0.1 + 0.2 == approx(0.3))"
"""

from __future__ import annotations

import itertools
import math
import re
import unittest
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace, TracebackType
from typing import Any

CASES, SKIPPED = "_qwen_router_cases", "_qwen_router_skipped"


class raises:
    """`with raises(ValueError, match="wrong"):`, or `raises(ValueError, function, argument)`."""

    value: BaseException

    def __init__(self, expected: Any, *call: Any, match: str | None = None, **keywords: Any) -> None:
        self.expected, self.match = expected, match
        if call:
            with self:
                call[0](*call[1:], **keywords)

    def __enter__(self) -> raises:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        names = self.expected if isinstance(self.expected, tuple) else (self.expected,)
        if error is None:
            raise AssertionError(f"nothing was raised, where {' or '.join(name.__name__ for name in names)} was wanted")
        if not isinstance(error, self.expected):
            return False
        if self.match is not None and not re.search(self.match, str(error)):
            raise AssertionError(f"{self.match!r} is not in the error's text {str(error)!r}")
        self.value = error
        self.type = type(error)
        return True


class approx:
    """Equal to numbers, and to sequences and mappings of numbers, that differ by a millionth or 1e-12 at most."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, expected: Any, rel: float | None = None, abs: float | None = None, nan_ok: bool = False) -> None:
        self.expected, self.nan_ok = expected, nan_ok
        self.rel = (1e-6 if abs is None else 0.0) if rel is None else rel
        self.abs = 1e-12 if abs is None else abs

    def __eq__(self, actual: object) -> bool:
        return self._same(actual, self.expected)

    def _same(self, actual: Any, expected: Any) -> bool:
        if isinstance(expected, Mapping):
            return set(actual) == set(expected) and all(self._same(actual[key], expected[key]) for key in expected)
        if hasattr(expected, "tolist"):  # numpy
            expected = expected.tolist()
        if hasattr(actual, "tolist"):
            actual = actual.tolist()
        if isinstance(expected, Sequence) and not isinstance(expected, str):
            return len(actual) == len(expected) and all(map(self._same, actual, expected))
        if actual == expected:
            return True
        try:
            if math.isnan(actual) and math.isnan(expected):
                return self.nan_ok
            return bool(abs(actual - expected) <= max(self.rel * abs(expected), self.abs))
        except TypeError:
            return False

    def __repr__(self) -> str:
        return f"approx({self.expected!r})"


class param(tuple[Any, ...]):
    """One row of `parametrize`."""

    def __new__(cls, *values: Any, id: str | None = None, marks: object = ()) -> param:
        return super().__new__(cls, values)


def skip(reason: str = "") -> None:
    raise unittest.SkipTest(reason)


def fail(reason: str = "", pytrace: bool = True) -> None:
    raise AssertionError(reason)


def fixture(*given: object, **options: object) -> Any:
    raise TypeError("there are no fixtures here: make what the test needs inside the test, or in a function that it calls")


def importorskip(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError:
        raise unittest.SkipTest(f"there is no {name} here") from None


def _parametrize(names: str | Sequence[str], values: Iterable[Any], **options: object) -> Callable[[Any], Any]:
    keys = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    several = len(keys) > 1
    rows = [dict(zip(keys, row if several or isinstance(row, param) else (row,), strict=True)) for row in values]

    def mark(test: Any) -> Any:
        setattr(test, CASES, [rows, *getattr(test, CASES, [])])
        return test

    return mark


def cases_of(test: object) -> Iterator[dict[str, Any]]:
    """The arguments of every call that `parametrize` asks for; one empty set without it."""
    for rows in itertools.product(*getattr(test, CASES, [])):
        yield {key: value for row in rows for key, value in row.items()}


def _skipif(condition: object, *, reason: str = "") -> Callable[[Any], Any]:
    return _skip_mark(reason) if condition else lambda test: test


def _skip_mark(reason: Any = "skipped") -> Any:
    def mark(test: Any) -> Any:
        setattr(test, SKIPPED, "skipped" if test is reason else reason)
        return test

    return mark(reason) if callable(reason) else mark


class _Marks(SimpleNamespace):
    def __getattr__(self, name: str) -> Any:
        """Any other mark marks nothing: `@mark.slow`, `@mark.timeout(3)`."""

        def mark(*given: Any, **options: object) -> Any:
            return given[0] if len(given) == 1 and callable(given[0]) and not options else lambda test: test

        return mark


mark = _Marks(parametrize=_parametrize, skipif=_skipif, skip=_skip_mark)
