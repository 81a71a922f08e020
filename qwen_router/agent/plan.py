"""A plan before the first step: what the task brings, what it seems to want, and the chains of tools that lead there.

It is a hint, put into the system message where a chain has several steps; the model decides. What the task brings is read
from files that exist below the root, URLs and code fences; what it wants from a few words in several languages. Where
either is not recognised there is no plan, and the model sees its tools alone.

    python -c "from qwen_router.agent.plan import wanted_of; print(wanted_of('Plot the sales by month'))"
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qwen_router.agent.chains import Chain
from qwen_router.agent.graph import ToolGraph

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

_SUFFIXES = {
    "image": "png jpg jpeg webp gif bmp tif tiff",
    "audio": "wav mp3 flac ogg m4a opus",
    "document": "pdf docx html htm md rst ipynb txt",
    "data": "csv tsv parquet json jsonl sqlite db xlsx",
}
_KIND_OF_SUFFIX = {suffix: kind for kind, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}
_WORD = re.compile(r"[\w./\\-]+")
_FILE = re.compile(r".{0,250}[\w-]\.([A-Za-z0-9]{2,7})(?![A-Za-z0-9_])")
_ASCII = re.compile(r"[A-Za-z0-9_./\\-]+$")
MOST_CHARS = 20_000
"""So much of a task is looked at."""
_URL = re.compile(r"https?://\S+")
_FENCE = re.compile(r"```")
_WANTED = {
    "plot": r"plot|chart|graph|diagram|draw|visuali[sz]e|zeichne|diagramm|grafik|tra[cç]e|gr[áa]fic[oa]|画|绘|图表|グラフ",
    "table": r"\btables?\b|spreadsheet|tabelle|tableau|tabla|表格|表に",
    "report": r"\b(?:run|pass|fail)\w* (?:the |all )?tests?\b|\bfix\b.{0,80}\b(?:function|code|bug)|测试|修复",
    "number": r"how (?:many|much)|\b(?:sum|total|average|mean|median|maximum|minimum|count)\b|wie ?viele?|combien|"
    r"cu[áa]nt[oa]|多少|几个|いくつ|сколько",
}
_WANTS = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _WANTED.items()}
_SHOWN, _SOUGHT = 3, 12
_ALWAYS = ("question", "sql", "expression", "unit", "language", "name", "choice")
"""A task is a question; the rest are arguments that the model writes by itself."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the task brings (`have`), wants (None: not recognised), the files that it names, and the cheapest chains."""

    have: tuple[str, ...] = ()
    want: str | None = None
    files: tuple[str, ...] = ()
    chains: tuple[Chain, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """The chains in words: `read_image -> extract_table -> plot_table`."""
        return tuple(" -> ".join(step.tool for step in chain.steps) for chain in self.chains)

    @property
    def hint(self) -> str | None:
        """What the model is told; None where its tools say as much."""
        if not self.chains or len(self.chains[0].steps) == 1:
            return None
        return f"A way that may lead there: {self.lines[0]}. Choose another where it does not fit."


def plan_for(task: str, tools: Sequence[BaseTool], *, root: Path) -> Plan:
    """The plan of a task over these tools. Chains that leave out all that the task brings, or that take something for what
    it is rarely meant as, are no plans. Raises `InvalidTool` for tools without types."""
    have, files = brought_by(task, root=root)
    want = wanted_of(task)
    brought = set(have) - set(_ALWAYS)
    if want is None or not brought:
        return Plan(have, want, files)
    chains = [
        chain
        for chain in ToolGraph.of(tools).chains(have, want, limit=_SOUGHT)
        if not chain.loose and brought & {need.kind for need in chain.needs}
    ]
    return Plan(have, want, files, tuple(chains[:_SHOWN]))


def brought_by(task: str, *, root: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The kinds that the task brings, and the files below `root` that it names."""
    have, files = list(_ALWAYS), []
    task = task[:MOST_CHARS]
    for word in _WORD.findall(_URL.sub(" ", task)):
        match = _FILE.match(word[:300])
        kind = None if match is None else _KIND_OF_SUFFIX.get(match[1].lower())
        if match is None or kind is None:
            continue
        ascii_tail = _ASCII.search(match[0])  # a name may follow a word of a script without spaces
        for name in dict.fromkeys((match[0], ascii_tail[0] if ascii_tail else match[0])):
            if name not in files and _exists(root, name):
                files.append(name)
                have.append(kind)
    if _URL.search(task):
        have.append("url")
    if _FENCE.search(task):
        have.append("code")
    return tuple(have), tuple(files)


def wanted_of(task: str) -> str | None:
    """The kind that the task asks for, None where no word says so."""
    return next((kind for kind, pattern in _WANTS.items() if pattern.search(task[:MOST_CHARS])), None)


def _exists(root: Path, name: str) -> bool:
    try:
        return (root / name).is_file()
    except (OSError, ValueError):
        return False
