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

import psutil
from langgraph.checkpoint.sqlite import SqliteSaver

from qwen_router.errors import InvalidRequest, RouterError, UnknownName

KEPT_ENDED_S, KEPT_OPEN_S = 7 * 86_400.0, 30 * 86_400.0

_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    run TEXT PRIMARY KEY, task TEXT NOT NULL, options TEXT NOT NULL, stop TEXT, begun REAL NOT NULL, touched REAL NOT NULL,
    owner TEXT
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
        values = (run, task, json.dumps(options), now, now, _this_process())
        self._write("INSERT INTO runs VALUES (?, ?, ?, NULL, ?, ?, ?)", values)

    def go_on(self, run: str) -> None:
        """Take a run over. Raises `InvalidRequest` while a process that lives has it."""
        with self._lock:
            found = self._connection.execute("SELECT owner FROM runs WHERE run = ?", (run,)).fetchone()
        owner = found[0] if found else None
        if owner is not None and _lives(owner):
            process = owner.partition(" ")[0]
            raise InvalidRequest(
                f"the run {run!r} is still going on, in process {process}", fix="wait for it, or end it first"
            )
        taken = self._write(
            "UPDATE runs SET owner = ?, touched = ? WHERE run = ? AND owner IS ?", (_this_process(), time.time(), run, owner)
        )
        if not taken:
            raise InvalidRequest(f"another process has just gone on with the run {run!r}", fix="leave it to that one")

    def end(self, run: str, stop: str) -> None:
        self._write("UPDATE runs SET stop = ?, touched = ?, owner = NULL WHERE run = ?", (stop, time.time(), run))

    def get(self, name: str) -> Run:
        """The run of that name, or the only one whose name begins so (four characters or more). Raises `UnknownName`."""
        rows = [row for row in self.listed() if row.run == name or (len(name) >= 4 and row.run.startswith(name))]
        if len(rows) > 1:
            names = ", ".join(row.run for row in rows[:5])
            raise UnknownName(f"several runs begin with {name!r}: {names}", fix="write more of the name", name=name)
        if not rows:
            known = [row.run for row in self.listed()]
            raise UnknownName.among(name, known, kind="run", listing="`qwen-router agent --runs` lists them")
        return rows[0]

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
        try:
            with self._lock, self._connection:
                return self._connection.execute(statement, values).rowcount
        except sqlite3.Error as error:
            raise not_kept(error) from error


class StartedCalls:
    """Which dangerous calls of a run have begun: one that a kill interrupted may be done, and is not done twice."""

    def __init__(self, runs: Runs, run: str) -> None:
        self._runs, self._run = runs, run

    def start(self, call: str) -> bool:
        """True for a call that begins now, False for one that had begun before."""
        return self._runs._write("INSERT OR IGNORE INTO started_calls VALUES (?, ?)", (self._run, call)) == 1


def not_kept(error: sqlite3.Error) -> RouterError:
    """What a caller is told when the file of runs cannot be written."""
    return RouterError(f"the run cannot be kept: {error}", fix="free the file or some room, or name another file (--store)")


def _this_process() -> str:
    return f"{os.getpid()} {psutil.Process().create_time():.2f}"


def _lives(owner: str) -> bool:
    """Whether the process of that number is the one that began then."""
    number, _, began = owner.partition(" ")
    try:
        return f"{psutil.Process(int(number)).create_time():.2f}" == began
    except (psutil.Error, ValueError):
        return False


def _make_private(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise InvalidRequest(
            f"cannot keep runs in {str(path)!r}: {error.strerror}", fix="name a file that can be written"
        ) from error
