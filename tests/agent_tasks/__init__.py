"""Sixty tasks for an agent with tools: their texts, files, the way there, and what is right. Also used by benchmarks.

Each YAML file here is one kind. Numbers are right within `within` (exact when left out),
however they are written, and with no other unit behind them than `unit`; `text` and
`words` must occur; code is right when its tests pass.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from qwen_router.agent.checks.figures import figures_in
from qwen_router.agent.verify import code_in

FOLDER = Path(__file__).parent
KINDS = ("arithmetic", "units", "sql", "code")


@dataclass(frozen=True, eq=False)
class Task:
    """`steps` are (tool, arguments) in their order, `answer` what to say then, `wrong` what is said without looking."""

    id: str
    kind: str
    text: str
    tools: tuple[str, ...]
    right: dict[str, Any]
    steps: tuple[tuple[str, dict[str, Any]], ...]
    answer: str
    wrong: str
    language: str = "en"
    nano: bool = False
    files: tuple[str, ...] = ()
    written: dict[str, str] = field(default_factory=dict)
    tests: str = ""

    def prepare(self, folder: Path) -> None:
        """Put the task's files into the folder."""
        for name in self.files:
            if (folder / name).exists():
                continue
            if name.endswith(".sqlite"):
                with sqlite3.connect(folder / name) as database:
                    database.executescript((FOLDER / "files" / name).with_suffix(".sql").read_text(encoding="utf-8"))
                database.close()
            else:
                (folder / name).write_bytes((FOLDER / "files" / name).read_bytes())
        for name, text in self.written.items():
            (folder / name).write_text(text, encoding="utf-8")

    def is_right(self, answer: str | None) -> bool:
        """Whether the answer says what is right."""
        if not answer:
            return False
        if self.tests:
            from qwen_router.sandbox import run_tests

            code = code_in(answer)
            return bool(code) and run_tests(code, self.tests).ok
        figures = [figure for figure in figures_in(answer) if self._unit_fits(answer[figure.start :], figure.text)]
        said = [float(value) for figure in figures for value in figure.values]
        numbers = [*self.right.get("numbers", ()), *([self.right["number"]] if "number" in self.right else [])]
        within = max(self.right.get("within", 0.0), 1e-9)
        words = [*self.right.get("words", ()), *([self.right["text"]] if "text" in self.right else [])]
        near = all(any(abs(value - number) <= within for value in said) for number in numbers)
        return near and all(word.lower() in answer.lower() for word in words)

    def _unit_fits(self, text: str, numeral: str) -> bool:
        """Whether the word behind a numeral, where there is one, is a unit that is right."""
        behind = re.match(r"\s*([^\s\d.,;:!?。，)*]+)", text[text.index(numeral) + len(numeral) :])
        units = self.right.get("unit")
        return units is None or behind is None or behind[1].lower().startswith(tuple(units))


@cache
def load_tasks() -> tuple[Task, ...]:
    """All of them, kind by kind."""
    return tuple(
        _task(kind, row) for kind in KINDS for row in yaml.safe_load((FOLDER / f"{kind}.yaml").read_text(encoding="utf-8"))
    )


def _task(kind: str, row: dict[str, Any]) -> Task:
    if kind == "code":
        return _code_task(row)
    steps: list[tuple[str, dict[str, Any]]] = [next(iter(call.items())) for call in row.get("calls", ())]
    if "query" in row:
        path, *others = row["files"]
        more = {"other_paths": others} if others else {}
        steps = [("describe_data", {"path": path}), ("query_data", {"sql": row["query"], "path": path, **more})]
    return Task(
        id=row["id"],
        kind=kind,
        text=" ".join(row["text"].split()),
        tools=tuple(row["tools"]),
        right=row["right"],
        steps=tuple((name, dict(arguments)) for name, arguments in steps),
        answer=row["answer"],
        wrong=row["wrong"],
        language=row.get("language", "en"),
        nano=row.get("nano", False),
        files=tuple(row.get("files", ())),
    )


def _code_task(row: dict[str, Any]) -> Task:
    module, pasted = row["module"], row.get("pasted", False)
    text = row["text"]
    written = {f"{module}.py": row["broken"], f"test_{module}.py": row["tests"]}
    if pasted:
        text += f"\n\n```python\n{row['broken']}```\n\n```python\n{row['tests']}```"
    steps = [] if pasted else [("read_file", {"path": name}) for name in written]
    return Task(
        id=row["id"],
        kind="code",
        text=text,
        tools=("run_tests",) if pasted else ("read_file", "run_tests"),
        right={"tests": True},
        steps=(*steps, ("run_tests", {"code": row["fixed"], "tests": row["tests"]})),
        answer=f"Here it is:\n\n```python\n{row['fixed']}```",
        wrong=f"Here it is:\n\n```python\n{row['broken']}```",
        language=row.get("language", "en"),
        written={} if pasted else written,
        tests=row["tests"],
    )
