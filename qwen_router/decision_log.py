"""Decisions as lines of a file, without a word of what was asked, and the same decision made anew from such a line.

A line holds what `decide` was given besides the machine and the policy: the profile, what the request allows and wishes, the
circumstances; and what came out. So `qwen-router decisions show ID` can say whether today's decision would differ, and why.
The file is cut when it grows past its bound: the older half goes.

    qwen-router decisions
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from qwen_router.decide import Decision, decision_line
from qwen_router.errors import InvalidRequest, UnknownName
from qwen_router.policy.effect import Circumstances
from qwen_router.profile.types import Profile
from qwen_router.request import Message, Request, ToolSpec, Wishes

MAX_BYTES = 16 * 1024 * 1024
"""About ten thousand decisions."""
VERSION = 1


class DecisionLog:
    """Appends and reads; safe to share between threads. A file that cannot be written is no reason not to answer."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self.path, self._max_bytes = path, max_bytes
        self._lock = threading.Lock()

    def add(self, request: Request, decision: Decision, circumstances: Circumstances) -> None:
        line = json.dumps(entry(request, decision, circumstances), ensure_ascii=False) + "\n"
        with self._lock, suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
                too_long = file.tell() > self._max_bytes
            if too_long:
                self._halve()

    def entries(self) -> Iterator[dict[str, Any]]:
        """Every line that can be read, the oldest first; broken ones are passed over."""
        try:
            with self.path.open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    with suppress(ValueError):
                        found = json.loads(line)
                        if isinstance(found, dict) and found.get("version") == VERSION:
                            yield found
        except FileNotFoundError:
            return
        except OSError as error:
            raise InvalidRequest(f"cannot read {str(self.path)!r}: {error.strerror}", fix="check its permissions") from error

    def find(self, decision_id: str) -> dict[str, Any]:
        """The entry whose id begins so. Raises `UnknownName` when none or several do."""
        found = [line for line in self.entries() if str(line["id"]).startswith(decision_id)]
        if len(found) == 1:
            return found[0]
        if found:
            raise InvalidRequest(f"{len(found)} decisions begin with {decision_id!r}", fix="give more of the id")
        known = [str(line["id"]) for line in self.entries()]
        listing = "`qwen-router decisions` lists them"
        raise UnknownName.among(decision_id, known[-1000:], kind="decision", listing=listing)

    def _halve(self) -> None:
        lines = self.path.read_bytes().splitlines(keepends=True)
        fresh = self.path.with_suffix(".tmp")
        fresh.write_bytes(b"".join(lines[len(lines) // 2 :]))
        fresh.replace(self.path)


def entry(request: Request, decision: Decision, circumstances: Circumstances) -> dict[str, Any]:
    """What a line holds. Of the request: no text, no tool descriptions, no attachments."""
    line = decision_line(decision)
    return {
        "version": VERSION,
        "id": decision.id,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "policy": decision.table.policy.name,
        "scope": decision.scope,
        "machine": decision.table.machine.name,
        "profile": asdict(replace(decision.profile, domains=dict(decision.profile.domains))),
        "request": {
            "tools": [tool.name for tool in request.tools],
            "tool_choice": request.tool_choice,
            "in_tool_loop": request.in_tool_loop,
            "escalation": request.escalates,
            "wishes": {key: value for key, value in asdict(request.wishes).items() if value not in (None, ())},
            "user": request.user,
            "groups": list(request.groups),
            "tags": list(request.tags),
            "commercial_use": request.commercial_use,
        },
        "circumstances": asdict(circumstances),
        "chosen": {key: line.get(key) for key in ("model", "quant", "engine", "thinking", "context_tokens", "predicted")},
        "fallbacks": line["fallbacks"],
        "reason": decision.reason,
    }


def request_of(line: Mapping[str, Any]) -> Request:
    """A request that decides as the logged one did: its tools by name, its wishes, no text."""
    said = line["request"]
    last = Message("tool", "") if said["in_tool_loop"] else Message("user", "")
    return Request(
        messages=(last,),
        tools=tuple(ToolSpec(name, "", {}) for name in said["tools"]),
        tool_choice=said["tool_choice"],
        escalation=said.get("escalation"),
        user=said["user"],
        groups=tuple(said["groups"]),
        tags=tuple(said["tags"]),
        commercial_use=said["commercial_use"],
        wishes=TypeAdapter(Wishes).validate_python(said["wishes"]),
    )


def profile_of(line: Mapping[str, Any]) -> Profile:
    return TypeAdapter(Profile).validate_python(line["profile"])


def circumstances_of(line: Mapping[str, Any]) -> Circumstances:
    return TypeAdapter(Circumstances).validate_python(line["circumstances"])
