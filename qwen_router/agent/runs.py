"""Runs that outlive their process: checkpoints of LangGraph, what each run was asked, which dangerous calls had begun.

One SQLite file, readable by its owner only, because it holds the texts of tasks and tools. Runs that ended are forgotten
after a week, others after a month. Without a path everything stays in memory.

    python -c "from qwen_router.agent.runs import Runs; print(Runs(None).listed())"
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite import SqliteSaver

from qwen_router.errors import InvalidRequest, UnknownName

KEPT_ENDED_S, KEPT_OPEN_S = 7 * 86_400.0, 30 * 86_400.0

_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    run TEXT PRIMARY KEY, task TEXT NOT NULL, options TEXT NOT NULL, stop TEXT, begun REAL NOT NULL, touched REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS started_calls (run TEXT NOT NULL, call TEXT NOT NULL, PRIMARY KEY (run, call));
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it was asked for: `options` are what the agent was made with, `stop` is None while it has not ended."""

    run: str
    task: str
    options: Mapping[str, Any]
    stop: str | None
    begun: float


class Runs:
    """The store. Safe to share between threads; processes wait for each other's writes."""

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            _make_private(path)
        try:
            self._connection = sqlite3.connect(path or ":memory:", check_same_thread=False, timeout=20)
            self.saver = SqliteSaver(self._connection)
            self.saver.setup()
            self._connection.executescript(_TABLES)
        except sqlite3.DatabaseError as error:
            raise InvalidRequest(
                f"cannot keep runs in {str(path)!r}: {error}", fix="name another file, or remove it"
            ) from error
        self._lock: threading.Lock = self.saver.lock
        self._forget_old()

    def begin(self, run: str, task: str, options: Mapping[str, Any]) -> None:
        now = time.time()
        self._write("INSERT INTO runs VALUES (?, ?, ?, NULL, ?, ?)", (run, task, json.dumps(options), now, now))

    def end(self, run: str, stop: str) -> None:
        self._write("UPDATE runs SET stop = ?, touched = ? WHERE run = ?", (stop, time.time(), run))

    def get(self, name: str) -> Run:
        """The run of that name, or the one whose name begins so. Raises `UnknownName`."""
        rows = [row for row in self.listed() if row.run.startswith(name)] if name else []
        exact = [row for row in rows if row.run == name]
        if len(exact or rows) != 1:
            known = [row.run for row in self.listed()]
            raise UnknownName.among(name, known, kind="run", listing="`qwen-router agent --runs` lists them")
        return (exact or rows)[0]

    def listed(self) -> list[Run]:
        """Every run that is kept, the newest first."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT run, task, options, stop, begun FROM runs ORDER BY begun DESC"
            ).fetchall()
        return [Run(run, task, json.loads(options), stop, begun) for run, task, options, stop, begun in rows]

    def forget(self, run: str) -> None:
        """Remove everything about a run."""
        self.saver.delete_thread(run)
        self._write("DELETE FROM started_calls WHERE run = ?", (run,))
        self._write("DELETE FROM runs WHERE run = ?", (run,))

    def started_calls(self, run: str) -> StartedCalls:
        return StartedCalls(self, run)

    def close(self) -> None:
        self._connection.close()

    def _forget_old(self) -> None:
        now = time.time()
        with self._lock:
            old = self._connection.execute(
                "SELECT run FROM runs WHERE touched < CASE WHEN stop = 'done' THEN ? ELSE ? END",
                (now - KEPT_ENDED_S, now - KEPT_OPEN_S),
            ).fetchall()
        for (run,) in old:
            self.forget(run)

    def _write(self, statement: str, values: tuple[Any, ...]) -> int:
        with self._lock, self._connection:
            return self._connection.execute(statement, values).rowcount


class StartedCalls:
    """Which dangerous calls of a run have begun: one that a kill interrupted may be done, and is not done twice."""

    def __init__(self, runs: Runs, run: str) -> None:
        self._runs, self._run = runs, run

    def start(self, call: str) -> bool:
        """True for a call that begins now, False for one that had begun before."""
        return self._runs._write("INSERT OR IGNORE INTO started_calls VALUES (?, ?)", (self._run, call)) == 1


def _make_private(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise InvalidRequest(
            f"cannot keep runs in {str(path)!r}: {error.strerror}", fix="name a file that can be written"
        ) from error
