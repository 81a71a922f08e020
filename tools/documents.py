"""Documents below the tools' folder: `load_document` reads one, `search_documents` finds passages in one or in many.

PDF, Word, HTML, notebooks and text (docs/retrieval.md says how they are read and what is not). Both give text that strangers
may have written: it is marked as untrusted, and it is data whatever it says. Searching is by words, and by meaning where an
embedding model is served; the answer says which.

    python -c "from qwen_router.tooling import load_tools; t = load_tools()['load_document']; \\
        print(t.invoke({'path': 'README.md'})[:300])"
"""

from __future__ import annotations

import re

from langchain_core.tools import ToolException, tool
from pydantic import BaseModel, Field

from qwen_router.errors import RouterError
from qwen_router.retrieval import Found, read_document, search
from qwen_router.retrieval.documents import MOST_BYTES
from qwen_router.tool_context import current
from qwen_router.tool_files import below, read_below

MOST_HITS = 20


class DocumentError(ToolException):
    """A document cannot be read or searched; the text says why, for the model to read."""


class LoadInput(BaseModel):
    """What reading takes."""

    path: str = Field(description="The file, relative to the tools' folder, such as reports/march.pdf.")
    part: int = Field(default=1, ge=1, description="Which part of a long document; the answer says how many there are.")


class SearchInput(BaseModel):
    """What searching takes."""

    query: str = Field(description="What to look for, in words or as a question, in any language.")
    path: str = Field(
        default=".", description="The folder or file to search, relative to the tools' folder; . for all of it."
    )
    most: int = Field(default=6, ge=1, le=MOST_HITS, description="How many passages to give at most.")


@tool(args_schema=LoadInput)
def load_document(path: str, part: int = 1) -> str:
    """Read a document (PDF, Word, HTML, notebook, text) as text. Example: path='reports/march.pdf'."""
    context = current()
    try:
        plain = below(context.root, path)
        document = read_document(read_below(context.root, path, most_bytes=MOST_BYTES), plain)
    except RouterError as error:
        raise DocumentError(str(error)) from error
    text, room = document.text, max(200, context.output_chars - 300)
    parts = -(-len(text) // room)
    if part > parts:
        raise DocumentError(f"{plain!r} has {parts} parts, not {part}")
    notes = [f"part {part} of {parts} of {plain}; ask for the next with part={part + 1}"] if part < parts else []
    if part == parts > 1:
        notes.append(f"part {part} of {parts} of {plain}, the last one")
    if document.left_out and part == parts:
        notes.append(f"left out: {document.left_out}")
    return "\n".join((text[(part - 1) * room : part * room], *(f"[{note}]" for note in notes)))


@tool(args_schema=SearchInput)
def search_documents(query: str, path: str = ".", most: int = 6) -> str:
    """Find passages in documents by what they say. Example: query='How long is the notice period?', path='contracts'."""
    context = current()
    try:
        router = context.routing()
        found = search(context.root, query, path, router=router, most=most)
    except RouterError as error:
        raise DocumentError(str(error)) from error
    return _shown(found, path, context.output_chars)


def _shown(found: Found, path: str, most_chars: int) -> str:
    """Every passage between fences that it cannot close, under a line that says where it stands."""
    head = f"{len(found.hits)} of {found.passages:,} passages in {found.files:,} documents of {path}, by {found.how}"
    if not found.hits:
        head = f"nothing in {found.files:,} documents of {path} matches, by {found.how.partition(';')[0]}"
    lines = [head, *(f"note: {' '.join(note.split())}" for note in found.notes)]
    used = sum(map(len, lines))
    for number, hit in enumerate(found.hits, start=1):
        text = hit.passage.text
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
        block = f"\n[{number}] {hit.passage.place} (score {hit.score:.2f})\n{fence}\n{text}\n{fence}"
        used += len(block)
        if used > most_chars:
            lines.append(f"\n[{len(found.hits) - number + 1} more passages have no room here: ask with a smaller `most`]")
            break
        lines.append(block)
    return "\n".join(lines)


load_document.handle_tool_error = search_documents.handle_tool_error = True
load_document.metadata = {
    "inputs": {"path": "document", "part": "number"},
    "output": "page",
    "untrusted": True,
    "cost_s": 0.5,
    "timeout_s": 60,
}
search_documents.metadata = {
    "inputs": {"query": "question", "path": "path", "most": "number"},
    "output": "page",
    "untrusted": True,
    "cost_s": 2,
    "timeout_s": 180,
}
