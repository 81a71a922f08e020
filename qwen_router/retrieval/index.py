"""The passages of a folder's documents and their vectors, in one SQLite file in the user's cache folder.

One file for each root folder, readable by its owner only: it holds the documents' text. A file that has not changed is read
once; a vector belongs to one passage and one model, so models never mix and going back to one costs nothing. Vectors are
compared exactly, in numpy: below `MOST_PASSAGES` that takes milliseconds, needs no extension of SQLite, and lets a search
see one folder only, for which LangChain's SQLiteVec has no filter (and no deleting). A damaged index is made anew.

    python -c "from pathlib import Path; from qwen_router.retrieval.index import index_file; print(index_file(Path('.')))"
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qwen_router.errors import InvalidRequest, MissingExtra
from qwen_router.folders import user_cache_folder
from qwen_router.retrieval.documents import MOST_BYTES, SUFFIXES, DocumentText, Reader, read_document
from qwen_router.tool_files import Entry, below, list_below, read_below

if TYPE_CHECKING:
    from langchain_text_splitters import TextSplitter

Floats = NDArray[np.float32]
MOST_FILES, MOST_PASSAGES = 5_000, 20_000
PASSAGE_CHARS, OVERLAP_CHARS = 1_200, 150
VERSION = 1
READ_S = 60.0
"""Within a search, how long new files are read: the rest follows with the next searches."""
BUSY_S = 10.0
"""How long another process that writes the same index is waited for."""
_SEPARATORS = ["\n\n", "\n", "。", "！", "？", ". ", "! ", "? ", "；", "; ", "，", ", ", " ", ""]
_TABLES = """
CREATE TABLE files (id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT UNIQUE NOT NULL, stamp TEXT NOT NULL,
                    digest TEXT NOT NULL, trouble TEXT);
CREATE TABLE passages (id INTEGER PRIMARY KEY AUTOINCREMENT, file INTEGER NOT NULL REFERENCES files ON DELETE CASCADE,
                       page INTEGER, line INTEGER, text TEXT NOT NULL);
CREATE INDEX passages_of_file ON passages (file);
CREATE TABLE vectors (model TEXT NOT NULL, passage INTEGER NOT NULL REFERENCES passages ON DELETE CASCADE,
                      vector BLOB NOT NULL, PRIMARY KEY (passage, model)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document. `path` is relative to the root; it has a page where the document has pages, else the line on
    which it begins."""

    id: int
    path: str
    text: str
    page: int | None = None
    line: int | None = None

    @property
    def place(self) -> str:
        """Where it stands, such as `report.pdf, page 3`."""
        if self.page is not None:
            return f"{self.path}, page {self.page}"
        return self.path if self.line is None else f"{self.path}, line {self.line}"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a look at the files found: how many are searched, how many were read now, and what is wrong with others."""

    files: int
    read: int
    troubles: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def index_file(root: Path) -> Path:
    """Where the index of a root folder is kept."""
    return user_cache_folder() / "retrieval" / f"{sha256(str(root.resolve()).encode()).hexdigest()[:24]}.sqlite"


class Index:
    """The index of one root, open. Made by `opened`, used by one thread."""

    def __init__(self, root: Path, connection: sqlite3.Connection) -> None:
        self._root, self._db = root, connection

    def refresh(self, path: str = ".") -> Refreshed:
        """Read what is new or changed below `path` (a file or a folder), forget what is gone.

        A file that cannot be read is told among the troubles; only where nothing else is there it is an error. Raises
        `InvalidRequest` for a path that is none and a folder without documents, `MissingExtra`.
        """
        plain = below(self._root, path)
        entries, notes = self._entries(plain)
        known = {
            row[0]: row[1:] for row in self._db.execute(f"SELECT path, stamp, digest FROM files {_UNDER}", _under(plain))
        }
        gone = set(known) - {entry.path for entry in entries}
        with self._db:
            self._db.executemany("DELETE FROM files WHERE path = ?", [(name,) for name in gone])
        read, unread, splitter = 0, 0, _splitter()
        until = time.monotonic() + READ_S
        with Reader() as reader:
            for entry in entries:
                stamp, digest = known.get(entry.path, ("", ""))
                if stamp == _stamp(entry):
                    continue
                if read and time.monotonic() > until:
                    unread += 1
                else:
                    read += self._read(entry, digest, reader, splitter)
        if unread:
            notes = (*notes, f"{unread:,} of {len(entries):,} documents are not read yet: search again to go on")
        troubles = tuple(
            text for (text,) in self._db.execute(f"SELECT trouble FROM files {_UNDER} AND trouble NOTNULL", _under(plain))
        )
        if troubles and len(troubles) == len(entries):
            problem, _, fix = troubles[0].removesuffix(")").partition(" (try: ")
            raise InvalidRequest(
                problem, fix=fix if len(entries) == 1 else f"name other files: none of {len(entries)} can be read"
            )
        return Refreshed(len(entries) - len(troubles) - unread, read, troubles, notes)

    def passages(self, path: str = ".") -> list[Passage]:
        """All passages below `path`, in the order of files and places. Raises `InvalidRequest` for more than the limit."""
        rows = self._db.execute(
            f"SELECT p.id, path, text, page, line FROM passages p JOIN files ON files.id = p.file {_UNDER} "
            "ORDER BY path, p.id LIMIT ?",
            (*_under(below(self._root, path)), MOST_PASSAGES + 1),
        ).fetchall()
        if len(rows) > MOST_PASSAGES:
            raise InvalidRequest(f"{path!r} holds more than {MOST_PASSAGES:,} passages", fix="search a folder in it")
        return [Passage(*row) for row in rows]

    def vectors(self, model: str, ids: Sequence[int], *, width: int) -> dict[int, Floats]:
        """The vectors that these passages have of this model, unit length, (width,) float32 each. Others do not count."""
        wanted = set(ids)
        found = self._db.execute(
            "SELECT passage, vector FROM vectors WHERE model = ? AND length(vector) = ?", (model, 4 * width)
        )
        return {at: np.frombuffer(blob, dtype="<f4") for at, blob in found if at in wanted}

    def keep(self, model: str, ids: Sequence[int], vectors: Floats) -> None:
        """Store vectors (n, d) of these passages."""
        rows = [(model, unit.astype("<f4").tobytes(), at) for at, unit in zip(ids, units(vectors), strict=True)]
        with self._db:  # another process may have forgotten a passage meanwhile
            self._db.executemany(
                "INSERT OR REPLACE INTO vectors (model, passage, vector) SELECT ?, id, ? FROM passages WHERE id = ?", rows
            )

    def _entries(self, plain: str) -> tuple[list[Entry], tuple[str, ...]]:
        """The documents below the path, and what is not looked at."""
        if plain != ".":
            parent = str(PurePosixPath(plain).parent)
            entry = next((e for e in list_below(self._root, parent)[0] if e.path == plain), None)
            if entry is not None and entry.kind != "folder":
                return [entry], ()
        listed, more = list_below(self._root, plain, deep=True, most=20 * MOST_FILES)
        documents = [e for e in listed if e.kind == "file" and _is_document(e.path) and not _is_hidden(e.path, plain)]
        notes = [f"there are more than {len(listed):,} files: not all were looked at"] if more else []
        if large := [entry for entry in documents if entry.size_bytes > MOST_BYTES]:
            notes.append(f"{len(large)} larger than {MOST_BYTES // 1024**2} MiB left out, such as {large[0].path}")
        documents = [entry for entry in documents if entry.size_bytes <= MOST_BYTES]
        if len(documents) > MOST_FILES:
            raise InvalidRequest(
                f"{plain!r} holds {len(documents):,} documents, more than {MOST_FILES:,}", fix="name a folder in it"
            )
        if not documents:
            raise InvalidRequest(
                f"there are no documents in {str(self._root) if plain == '.' else plain!r}",
                fix="name a folder with text, PDF, Word or HTML files",
            )
        return documents, tuple(notes)

    def _read(self, entry: Entry, digest: str, reader: Reader, splitter: TextSplitter) -> bool:
        """Take in one file; False where only its date has changed."""
        trouble, pieces, new_digest, stamp = None, [], "", _stamp(entry)
        try:
            data = read_below(self._root, entry.path, most_bytes=MOST_BYTES)
            new_digest = sha256(data).hexdigest()
            if new_digest != digest:
                pieces = list(_pieces(read_document(data, entry.path, reader=reader), splitter))
        except MissingExtra as error:
            trouble, stamp = f"{entry.path!r} was not read: {error}", ""  # and is looked at again next time
        except InvalidRequest as error:
            trouble = str(error)
        with self._db:
            if trouble is None and new_digest == digest:
                self._db.execute("UPDATE files SET stamp = ? WHERE path = ?", (stamp, entry.path))
                return False
            self._db.execute("DELETE FROM files WHERE path = ?", (entry.path,))
            file = self._db.execute(
                "INSERT INTO files (path, stamp, digest, trouble) VALUES (?, ?, ?, ?)",
                (entry.path, stamp, new_digest, trouble),
            ).lastrowid
            self._db.executemany(
                "INSERT INTO passages (file, page, line, text) VALUES (?, ?, ?, ?)", [(file, *piece) for piece in pieces]
            )
        return True


_UNDER = "WHERE (path = ? OR (path >= ? AND path < ?))"
"""A file, or all below a folder: between `docs/` and `docs0`, the sign behind the slash."""


def _under(plain: str) -> tuple[str, str, str]:
    return (plain, "", chr(0x10FFFF)) if plain == "." else (plain, f"{plain}/", f"{plain}0")


@contextmanager
def opened(root: Path) -> Iterator[Index]:
    """The index of a root, made where there is none. Raises `InvalidRequest` where it cannot be kept."""
    file = index_file(root)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = _connected(file)
    except (OSError, sqlite3.Error) as error:
        raise _unusable(file, error) from error
    try:
        yield Index(root, connection)
    except sqlite3.OperationalError as error:  # locked, full, read-only
        raise _unusable(file, error) from error
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:
            raise
        connection.close()
        file.unlink(missing_ok=True)  # damaged behind its first page
        raise InvalidRequest(f"the index of {str(root)!r} was damaged and is removed", fix="search again") from error
    finally:
        connection.close()


def _unusable(file: Path, error: Exception) -> InvalidRequest:
    return InvalidRequest(
        f"the index {str(file)!r} cannot be used: {error}", fix="check the disk and its rights, or remove the file"
    )


def _connected(file: Path) -> sqlite3.Connection:
    try:
        return _prepared(file)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:  # no database, or none that can be read
        file.unlink(missing_ok=True)
        return _prepared(file)


def _prepared(file: Path) -> sqlite3.Connection:
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(file, timeout=BUSY_S)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise sqlite3.DatabaseError(f"version {version}")
        if version == 0:
            connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
    except BaseException:
        connection.close()
        raise
    return connection


def _stamp(entry: Entry) -> str:
    return f"{entry.changed.isoformat()} {entry.size_bytes}"


def _is_document(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in SUFFIXES


def _is_hidden(path: str, below_path: str) -> bool:
    """Below what was named: `.git`, `node_modules`, `__pycache__` and their like hold no documents of the user."""
    names = path.split("/")[0 if below_path == "." else below_path.count("/") + 1 :]
    return any(name.startswith(".") or name in ("node_modules", "__pycache__") for name in names)


def _pieces(document: DocumentText, splitter: TextSplitter) -> Iterator[tuple[int | None, int | None, str]]:
    """(page, line, text) of every passage."""
    for part in document.parts:
        for piece in splitter.create_documents([part.text]):
            at = max(0, piece.metadata["start_index"])
            line = None if part.page is not None else part.text.count("\n", 0, at) + 1
            if piece.page_content.strip():
                yield part.page, line, piece.page_content


def _splitter() -> TextSplitter:
    try:
        from langchain_text_splitters import RecursiveCharacterTextSplitter
    except ModuleNotFoundError as error:
        raise MissingExtra.of("langchain-text-splitters", extra="agent") from error
    return RecursiveCharacterTextSplitter(
        separators=_SEPARATORS,
        keep_separator="end",
        chunk_size=PASSAGE_CHARS,
        chunk_overlap=OVERLAP_CHARS,
        add_start_index=True,
    )


def units(vectors: Floats) -> Floats:
    """The vectors (n, d) at length 1, float32; one without length stays as it is."""
    plain = vectors.astype(np.float32)
    lengths = np.linalg.norm(plain, axis=1, keepdims=True)
    return (plain / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def batches(items: Sequence[int], size: int) -> Iterable[Sequence[int]]:
    return (items[at : at + size] for at in range(0, len(items), size))
