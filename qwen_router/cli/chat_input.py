"""Where a chat's lines come from: a terminal with editing and history (Python's own readline), or a pipe.

Also finds the files that were dragged into a line. What a line means is `chat.py`'s.

    python -c "from qwen_router.cli.chat_input import dragged; print(dragged('What is in /tmp/a.png?'))"
"""

from __future__ import annotations

import json
import mimetypes
import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Protocol
from urllib.parse import unquote, urlsplit

from qwen_router.errors import InvalidRequest

FENCE = '"""'
"""On a line of its own, or at a line's beginning and end, it encloses text of several lines."""
MAX_ENTRIES, MAX_ENTRY_CHARS = 1000, 20_000
"""Older entries of the history are forgotten, longer ones not kept."""


class Lines(Protocol):
    """`read` gives the next line without its end, None after the last one. Raises `InvalidRequest` for bytes that are not
    UTF-8, and on a terminal `KeyboardInterrupt`."""

    interactive: bool

    def read(self, prompt: str) -> str | None: ...

    def keep(self, text: str, *, in_file: bool) -> None:
        """Take an entry into the history that the arrow keys walk, and into the file of it."""
        ...


def read_entry(lines: Lines, prompt: str) -> str | None:
    """One entry: a line, or several between `FENCE`s. None at the end of the input."""
    text = lines.read(prompt)
    if text is None or not text.startswith(FENCE):
        return text
    parts = [text[len(FENCE) :]]
    while not parts[-1].rstrip().endswith(FENCE):
        more = lines.read("... ")
        if more is None:
            return "\n".join(parts).strip("\n")
        parts.append(more)
    parts[-1] = parts[-1].rstrip().removesuffix(FENCE)
    return "\n".join(parts).strip("\n")


class Pipe:
    """Lines of standard input as they come, without a prompt unless a person types them."""

    def __init__(self, *, interactive: bool = False) -> None:
        self.interactive = interactive
        self._count = 0

    def read(self, prompt: str) -> str | None:
        if self.interactive:  # the answers go elsewhere, so editing has no terminal to draw on
            sys.stderr.write(prompt)
            sys.stderr.flush()
        raw = sys.stdin.buffer.readline()
        self._count += 1
        if not raw:
            self._end_line()
            return None
        try:
            return raw.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise _not_utf8(f"line {self._count}: byte {raw[error.start]:#04x} at {error.start}") from error

    def keep(self, text: str, *, in_file: bool) -> None:
        """A pipe has no history."""

    def _end_line(self) -> None:
        if self.interactive:
            sys.stderr.write("\n")


class Terminal:
    """A person at a terminal: lines edited by readline where Python has it, with history and completion.

    `completions` gives what the whole line so far may go on with.
    """

    interactive = True

    def __init__(self, history: History, *, completions: Callable[[str], Iterable[str]] | None = None) -> None:
        self._history = history
        self._ends_lines = False
        try:
            import readline
        except ImportError:  # Windows: its console edits lines and remembers them itself
            self._remember: Callable[[str], None] = lambda text: None
            return
        self._remember = readline.add_history
        readline.set_auto_history(False)
        for text in history.load():
            readline.add_history(text)
        if completions is not None:
            readline.set_completer_delims("")  # the whole line is completed
            readline.set_completer(_completer(completions))
        if "libedit" in (readline.__doc__ or ""):
            readline.parse_and_bind("bind ^I rl_complete")
        else:
            readline.parse_and_bind("tab: complete")
            readline.parse_and_bind("set enable-bracketed-paste on")  # several pasted lines are one entry
            self._ends_lines = True

    def read(self, prompt: str) -> str | None:
        try:
            return input(prompt)
        except EOFError:
            if not self._ends_lines:  # GNU readline does it itself
                sys.stdout.write("\n")
            return None
        except UnicodeDecodeError as error:
            raise _not_utf8("the line") from error

    def keep(self, text: str, *, in_file: bool) -> None:
        self._remember(text)
        if in_file:
            self._history.add(text)


def _not_utf8(where: str) -> InvalidRequest:
    return InvalidRequest(f"this is not UTF-8: {where}", fix="set the terminal or the file to UTF-8")


def _completer(completions: Callable[[str], Iterable[str]]) -> Callable[[str, int], str | None]:
    def complete(text: str, state: int) -> str | None:
        found = sorted(completions(text))
        return found[state] if state < len(found) else None

    return complete


class History:
    """What was typed in earlier chats, one JSON string a line in a file that only this user may read.

    `path` None keeps nothing. A file that cannot be read or written is told once, through `warn`.
    """

    def __init__(self, path: Path | None, *, warn: Callable[[str], None]) -> None:
        self._path, self._warn = path, warn

    def load(self) -> list[str]:
        """The last entries, oldest first; the file is cut to them when it has grown to twice as many."""
        if self._path is None or not self._path.exists():
            return []
        try:
            lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
            if len(lines) > 2 * MAX_ENTRIES:
                self._replace(lines[-MAX_ENTRIES:])
        except OSError as error:
            self._give_up(error)
            return []
        return [entry for line in lines[-MAX_ENTRIES:] if (entry := _entry(line))]

    def add(self, text: str) -> None:
        if self._path is None or len(text) > MAX_ENTRY_CHARS:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                if hasattr(os, "fchmod"):
                    os.fchmod(descriptor, 0o600)  # a file that was there before
                file.write(json.dumps(text) + "\n")
        except OSError as error:
            self._give_up(error)

    def _replace(self, lines: list[str]) -> None:
        assert self._path is not None
        with NamedTemporaryFile("w", dir=self._path.parent, delete=False, encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        os.replace(file.name, self._path)

    def _give_up(self, error: OSError) -> None:
        self._warn(f"the history is not kept: {error.strerror}: {str(self._path)!r}")
        self._path = None


def _entry(line: str) -> str | None:
    try:
        entry = json.loads(line)
    except ValueError:  # cut by a full disk, or edited by hand
        return None
    return entry if isinstance(entry, str) else None


# ── files in a line ─────────────────────────────────────────────────────────────────────────────────────────────────

_START = r"(?:/|~/|\.{1,2}/|file://|[A-Za-z]:[\\/])"
_DRAGGED = re.compile(
    rf"""(?<!\S)(?:'(?P<single>{_START}[^'\n]+)'|"(?P<double>{_START}[^"\n]+)"|(?P<bare>{_START}\S(?:\\.|\S)*))"""
)


def dragged(text: str) -> tuple[str, tuple[Path, ...]]:
    """The text with each path to an image, audio or video file that exists replaced by the file's name, and those paths.

    A terminal types a dragged file's path in quotes, with backslashes before blanks, or as a file URL.
    """
    found: list[Path] = []

    def named(match: re.Match[str]) -> str:
        quoted = match["single"] or match["double"]
        whole = quoted or match["bare"]
        for ending in ("",) if quoted else ("", *_endings(whole)):
            path = path_of(whole.removesuffix(ending), quoted=bool(quoted))
            if _is_media(path):
                found.append(path)
                return path.name + ending
        return match[0]

    told = _DRAGGED.sub(named, text)
    if len(found) == 1 and told.strip() == found[0].name:
        told = ""  # the name alone says nothing
    return told, tuple(found)


def path_of(text: str, *, quoted: bool = False) -> Path:
    """A path as a terminal types it: a file URL, quotes around it or backslashes in it, `~` for the home folder."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text, quoted = text[1:-1], True
    if text.startswith("file://"):
        text = unquote(urlsplit(text).path)
    elif not quoted and os.sep == "/":
        text = re.sub(r"\\(.)", r"\1", text)
    return Path(text).expanduser()


def _endings(text: str) -> Iterable[str]:
    """Punctuation that may follow a path in a sentence."""
    rest = text.rstrip(".,;:!?)")
    return (text[at:] for at in range(len(text) - 1, len(rest) - 1, -1))


def _is_media(path: Path) -> bool:
    kind = (mimetypes.guess_type(path.name)[0] or "").partition("/")[0]
    try:
        return kind in ("image", "audio", "video") and path.is_file()
    except (OSError, ValueError):  # longer than a name may be
        return False
