"""The root that file tools cannot leave, attacked one way at a time; and what they read, write and list in it."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool

from qwen_router import tool_files
from qwen_router.errors import InvalidRequest
from qwen_router.tool_context import ToolContext, using
from qwen_router.tool_files import below, copied_below, list_below, open_below, read_below, write_below
from qwen_router.tooling import load_tools, signature_of

SECRET = "the secret outside"
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a few files, beside a secret that no test may get to."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text(SECRET)
    root = tmp_path / "root"
    (root / "data" / "deep").mkdir(parents=True)
    (root / "data" / "Sales.csv").write_text("a,b\n1,2\n")
    (root / "data" / "deep" / "notes.txt").write_text("notes")
    return root


@pytest.fixture(params=["descriptors", "paths"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk by descriptors, and the checks by paths that Windows gets."""
    if request.param == "paths":
        monkeypatch.setattr(tool_files, "_WALKS", False)
    elif not tool_files._WALKS:
        pytest.skip("this system opens nothing relative to a folder")


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        pytest.param("data/Sales.csv", "data/Sales.csv", id="as-it-is"),
        pytest.param("./data//./Sales.csv", "data/Sales.csv", id="dots-and-double-slashes"),
        pytest.param("data/../data/Sales.csv", "data/Sales.csv", id="up-and-down-inside"),
        pytest.param("data/", "data", id="a-slash-at-the-end"),
        pytest.param("data/..", ".", id="the-root"),
        pytest.param("销售.csv", "销售.csv", id="any-script"),
        pytest.param("a file.txt", "a file.txt", id="spaces"),
        pytest.param("...", "...", id="three-dots-are-a-name"),
        pytest.param("~/x", "~/x", id="a-tilde-is-a-name"),
        pytest.param("%2e%2e/x", "%2e%2e/x", id="nothing-is-decoded"),
    ],
)
def test_a_path_below_the_root_comes_back_plain(root: Path, path: str, plain: str) -> None:
    assert below(root, path) == plain


def test_an_absolute_path_below_the_root_is_taken_as_relative(root: Path) -> None:
    assert below(root, str(root / "data" / "Sales.csv").replace("\\", "/")) == "data/Sales.csv"
    assert below(root, str(root)) == "."


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("../outside/secret.txt", id="up"),
        pytest.param("data/../../outside/secret.txt", id="down-and-up"),
        pytest.param("..", id="the-parent"),
        pytest.param("/etc/passwd", id="absolute"),
        pytest.param("//etc/passwd", id="two-slashes"),
        pytest.param("/proc/self/environ", id="proc"),
        pytest.param("..\\outside\\secret.txt", id="backslashes"),
        pytest.param("C:\\Windows\\win.ini", id="a-drive"),
        pytest.param("c:secret.txt", id="a-drive-s-own-folder"),
        pytest.param("\\\\server\\share\\x", id="a-share"),
        pytest.param("data/Sales.csv\0.png", id="nul"),
        pytest.param("data/Sales.csv\n", id="a-line-break"),
        pytest.param("x" * 300, id="a-long-name"),
        pytest.param("x/" * 3000, id="a-long-path"),
        pytest.param("x/" * 100, id="a-deep-path"),
        pytest.param("\ud800", id="half-a-character"),
        pytest.param("", id="nothing"),
        pytest.param("  ", id="blanks"),
        pytest.param("data", id="a-folder"),
        pytest.param(".", id="the-root-itself"),
        pytest.param("data/Sales.csv/x", id="through-a-file"),
    ],
)
@pytest.mark.usefixtures("_both_ways")
def test_no_such_path_is_opened_or_written(root: Path, path: str) -> None:
    with pytest.raises(InvalidRequest):
        open_below(root, path)
    with pytest.raises(InvalidRequest):
        write_below(root, path, b"x")
    assert (root.parent / "outside" / "secret.txt").read_text() == SECRET


@posix
def test_a_sibling_that_begins_like_the_root_is_outside(root: Path) -> None:
    (root.parent / "rooted").mkdir()
    with pytest.raises(InvalidRequest, match="lies outside"):
        below(root, str(root.parent / "rooted" / "x"))


def test_windows_names_that_mean_devices_or_streams_are_refused_there(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_files.os, "name", "nt")
    for name in ("con", "NUL.txt", "com1", "file.txt:stream", "file.", "file "):
        with pytest.raises(InvalidRequest, match="Windows"):
            tool_files._check_name(name)


# ── links, devices, pipes ───────────────────────────────────────────────────────────────────────────────────────────────


def link_to_file(root: Path) -> str:
    (root / "link.txt").symlink_to(root.parent / "outside" / "secret.txt")
    return "link.txt"


def link_to_folder(root: Path) -> str:
    (root / "way").symlink_to(root.parent / "outside")
    return "way/secret.txt"


def link_within(root: Path) -> str:
    (root / "inner").symlink_to(root / "data")
    return "inner/Sales.csv"


def dangling(root: Path) -> str:
    (root / "new.txt").symlink_to(root.parent / "outside" / "new.txt")
    return "new.txt"


def loop(root: Path) -> str:
    (root / "loop").symlink_to("loop")
    return "loop"


def link_to_proc(root: Path) -> str:
    (root / "self").symlink_to("/proc/self")
    return "self/environ"


def pipe(root: Path) -> str:
    os.mkfifo(root / "pipe")
    return "pipe"


def unix_socket(root: Path) -> str:
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(root)  # a socket's path may be 107 bytes long
        try:
            listener.bind("sock")
        finally:
            os.chdir(here)
    return "sock"


@posix
@pytest.mark.parametrize(
    "make",
    [link_to_file, link_to_folder, link_within, dangling, loop, link_to_proc, pipe, unix_socket],
    ids=lambda f: f.__name__,
)
@pytest.mark.usefixtures("_both_ways")
def test_what_is_no_ordinary_file_is_neither_read_nor_written(root: Path, make: Callable[[Path], str]) -> None:
    path = make(root)
    with pytest.raises(InvalidRequest):
        open_below(root, path)
    with pytest.raises(InvalidRequest):
        write_below(root, path, b"changed")
    assert (root.parent / "outside" / "secret.txt").read_text() == SECRET
    assert sorted(os.listdir(root.parent / "outside")) == ["secret.txt"]
    assert (root / "data" / "Sales.csv").read_text() == "a,b\n1,2\n"


@posix
@pytest.mark.skipif(not tool_files._WALKS, reason="nothing is opened relative to a folder here")
def test_a_folder_swapped_for_a_link_while_it_is_walked_leads_nowhere(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check sees a folder; before it is opened, somebody puts a link in its place."""
    check = tool_files._not_a_link

    def swap_afterwards(name: str, descriptor: int) -> None:
        check(name, descriptor)
        if name == "data":
            (root / "data").rename(root / "away")
            (root / "data").symlink_to(root.parent / "outside")

    monkeypatch.setattr(tool_files, "_not_a_link", swap_afterwards)
    with pytest.raises(InvalidRequest):
        open_below(root, "data/secret.txt")


@posix
@pytest.mark.skipif(not tool_files._WALKS, reason="nothing is opened relative to a folder here")
@pytest.mark.parametrize("swapped", ["link", "pipe"])
def test_a_file_swapped_while_it_is_opened_is_refused_and_does_not_hang(
    root: Path, swapped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, calls = tool_files._must_be_ordinary, []

    def swap_afterwards(found: os.stat_result) -> None:
        check(found)
        if not calls:
            (root / "data" / "Sales.csv").unlink()
            if swapped == "link":
                (root / "data" / "Sales.csv").symlink_to(root.parent / "outside" / "secret.txt")
            else:
                os.mkfifo(root / "data" / "Sales.csv")
        calls.append(found)

    monkeypatch.setattr(tool_files, "_must_be_ordinary", swap_afterwards)
    with pytest.raises(InvalidRequest):
        open_below(root, "data/Sales.csv")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc and /dev as on Linux")
@pytest.mark.parametrize("path", [f"proc/{os.getpid()}/environ", "proc/1/environ", "proc/version", "dev/zero", "dev/null"])
def test_with_the_whole_disk_as_root_the_system_s_own_files_and_devices_stay_shut(path: str) -> None:
    with pytest.raises(InvalidRequest, match=r"system's own state|a device"):
        open_below("/", path)


@posix
def test_a_hard_link_s_other_name_keeps_its_content_when_the_file_is_written(root: Path) -> None:
    os.link(root.parent / "outside" / "secret.txt", root / "hard.txt")
    write_below(root, "hard.txt", b"changed")
    assert (root / "hard.txt").read_bytes() == b"changed"
    assert (root.parent / "outside" / "secret.txt").read_text() == SECRET


# ── reading, writing, listing ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("_both_ways")
def test_files_are_read_written_and_listed(root: Path) -> None:
    assert write_below(root, "new/folder/a.txt", b"one") == "new/folder/a.txt"
    assert write_below(root, "new/folder/a.txt", b"two") == "new/folder/a.txt"
    assert read_below(root, "new/folder/a.txt", most_bytes=10) == b"two"
    with open_below(root, "data/Sales.csv") as file:
        assert file.read() == b"a,b\n1,2\n"
    entries, more = list_below(root, deep=True)
    assert [(entry.path, entry.kind) for entry in entries] == [
        ("data", "folder"),
        ("data/Sales.csv", "file"),
        ("data/deep", "folder"),
        ("data/deep/notes.txt", "file"),
        ("new", "folder"),
        ("new/folder", "folder"),
        ("new/folder/a.txt", "file"),
    ]
    assert not more
    assert [entry.path for entry in list_below(root, "data")[0]] == ["data/Sales.csv", "data/deep"]


@posix
def test_a_listing_names_links_and_does_not_enter_them(root: Path) -> None:
    link_to_folder(root)
    entries = {entry.path: entry.kind for entry in list_below(root, deep=True)[0]}
    assert entries["way"] == "link"
    assert not any(path.startswith("way/") for path in entries)
    with pytest.raises(InvalidRequest, match="link"):
        list_below(root, "way")


def test_a_long_listing_ends_and_says_so(root: Path) -> None:
    for number in range(20):
        (root / f"{number:02}.txt").touch()
    entries, more = list_below(root, most=5)
    assert [entry.path for entry in entries] == [f"{number:02}.txt" for number in range(5)]
    assert more


def test_a_file_that_is_not_there_is_told_with_close_names(root: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"did you mean 'data/Sales.csv'"):
        open_below(root, "sales.csv")
    with pytest.raises(InvalidRequest, match=r"did you mean 'data/Sales.csv'"):
        open_below(root, "data/Sale.csv")
    with pytest.raises(InvalidRequest, match="list_files"):
        open_below(root, "nothing-like-it.bin")


def test_a_file_that_is_too_large_is_refused_with_its_limit(root: Path) -> None:
    with pytest.raises(InvalidRequest, match="larger than 4 bytes"):
        read_below(root, "data/Sales.csv", most_bytes=4)
    with (
        pytest.raises(InvalidRequest, match="8 bytes: more than 4 bytes"),
        copied_below(root, "data/Sales.csv", most_bytes=4),
    ):
        pass


def test_a_private_copy_keeps_the_suffix_and_goes_afterwards(root: Path) -> None:
    with copied_below(root, "data/Sales.csv", most_bytes=100) as copy:
        assert copy.suffix == ".csv"
        assert copy.read_text() == "a,b\n1,2\n"
    assert not copy.exists()


def test_an_existing_file_stays_when_overwriting_is_not_wanted(root: Path) -> None:
    with pytest.raises(InvalidRequest, match="exists already"):
        write_below(root, "data/Sales.csv", b"x", overwrite=False)
    assert (root / "data" / "Sales.csv").read_text() == "a,b\n1,2\n"


def test_a_write_that_fails_leaves_the_old_file_and_no_part(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tool_files.os, "fsync", full)
    with pytest.raises(InvalidRequest, match="No space left"):
        write_below(root, "data/Sales.csv", b"x")
    assert (root / "data" / "Sales.csv").read_text() == "a,b\n1,2\n"
    assert sorted(os.listdir(root / "data")) == ["Sales.csv", "deep"]


@posix
def test_a_written_file_keeps_the_old_one_s_permissions(root: Path) -> None:
    (root / "run.sh").write_text("x")
    (root / "run.sh").chmod(0o750)
    write_below(root, "run.sh", b"y")
    assert (root / "run.sh").stat().st_mode & 0o777 == 0o750


def test_no_descriptor_is_left_open(root: Path) -> None:
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("no /proc to count descriptors in")
    before = len(list(folder.iterdir()))
    for path in ("data/Sales.csv", "data", "nope", "data/Sales.csv/x", "../x"):
        try:
            open_below(root, path).close()
        except InvalidRequest:
            continue
    list_below(root, deep=True)
    write_below(root, "a/b/c", b"x")
    assert len(list(folder.iterdir())) == before


# ── the tools ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def tools() -> dict[str, BaseTool]:
    return load_tools([Path(__file__).parent.parent / "tools"])


def ask(tool: BaseTool, root: Path, **args: object) -> ToolMessage:
    with using(ToolContext(root=root, output_chars=400)):
        message = tool.invoke({"type": "tool_call", "id": "1", "name": tool.name, "args": args})
    assert isinstance(message, ToolMessage)
    return message


def test_list_files_is_a_table(tools: dict[str, BaseTool], root: Path) -> None:
    table = json.loads(ask(tools["list_files"], root, path="data").content)
    assert table["columns"] == ["path", "kind", "bytes", "changed"]
    assert table["rows"][0][:3] == ["data/Sales.csv", "file", 8]
    deep = json.loads(ask(tools["list_files"], root, pattern="**/*.TXT").content)
    assert [row[0] for row in deep["rows"]] == ["data/deep/notes.txt"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param("naïve 日本".encode(), "naïve 日本", id="utf-8"),
        pytest.param("\ufeffmark".encode(), "mark", id="utf-8-with-a-mark"),
        pytest.param("wide 日本".encode("utf-16"), "wide 日本", id="utf-16"),
        pytest.param("中文内容".encode("gb18030"), "中文内容", id="gb18030"),
        pytest.param(b"caf\xe9 ol\xe9", "café olé", id="windows-1252"),
        pytest.param(b"a\r\nb\r\n", "a\nb", id="windows-lines"),
        pytest.param(b"no end", "no end", id="no-last-line-break"),
    ],
)
def test_read_file_reads_text_as_people_keep_it(tools: dict[str, BaseTool], root: Path, content: bytes, text: str) -> None:
    (root / "a.txt").write_bytes(content)
    assert ask(tools["read_file"], root, path="a.txt").content == text


def test_read_file_reads_a_part_and_says_where_it_goes_on(tools: dict[str, BaseTool], root: Path) -> None:
    (root / "a.txt").write_text("".join(f"line {n}\n" for n in range(1, 101)))
    told = ask(tools["read_file"], root, path="a.txt", from_line=3, lines=2).content
    assert told == "line 3\nline 4\n[more from line 5]"
    assert "[more from line" in ask(tools["read_file"], root, path="a.txt").content
    assert len(ask(tools["read_file"], root, path="a.txt").content) < 600
    (root / "wide.txt").write_text("x" * 3_000_000)
    assert ask(tools["read_file"], root, path="wide.txt").content.startswith("x" * 400 + "...")


@pytest.mark.parametrize(
    ("tool", "args", "told"),
    [
        pytest.param("read_file", {"path": "picture.png"}, "binary data", id="binary"),
        pytest.param("read_file", {"path": "empty.txt"}, "is empty", id="empty"),
        pytest.param("read_file", {"path": "data/Sales.csv", "from_line": 9}, "has 2 lines", id="beyond-the-end"),
        pytest.param("read_file", {"path": "../outside/secret.txt"}, "outside the tools' folder", id="outside"),
        pytest.param("read_file", {"path": "data"}, "a folder", id="a-folder"),
        pytest.param("read_file", {"path": "sales.csv"}, "did you mean 'data/Sales.csv'", id="a-close-name"),
        pytest.param("read_file", {"path": "a", "from_line": 0}, "read_file takes path", id="a-wrong-line"),
        pytest.param("list_files", {"path": "nope"}, "there is no 'nope'", id="no-folder"),
        pytest.param("list_files", {"path": "/etc"}, "outside", id="list-outside"),
        pytest.param("write_file", {"path": "../x", "text": "x"}, "outside", id="write-outside"),
        pytest.param("write_file", {"path": "data/Sales.csv", "text": "x"}, "exists already", id="no-overwriting-unasked"),
        pytest.param("write_file", {"path": "x", "text": "\ud800"}, "write_file takes path", id="half-a-character"),
        pytest.param("write_file", {"path": "x"}, "write_file takes path, text", id="no-text"),
        pytest.param("search_files", {"text": ""}, "search_files takes text", id="nothing-to-look-for"),
    ],
)
def test_what_file_tools_refuse_is_told(
    tools: dict[str, BaseTool], root: Path, tool: str, args: dict[str, object], told: str
) -> None:
    (root / "picture.png").write_bytes(b"\x89PNG\0\0")
    (root / "empty.txt").touch()
    message = ask(tools[tool], root, **args)
    assert message.status == "error"
    assert told in message.content
    assert SECRET not in message.content


def test_search_files_finds_lines(tools: dict[str, BaseTool], root: Path) -> None:
    (root / "picture.png").write_bytes(b"\x89PNG\0NOTES")
    table = json.loads(ask(tools["search_files"], root, text="NOTES").content)
    assert table == {"columns": ["path", "line", "text"], "rows": [["data/deep/notes.txt", 1, "notes"]]}
    nothing = json.loads(ask(tools["search_files"], root, text="xyz", pattern="*.txt").content)
    assert nothing["note"] == "1 of 1 files looked into"


def test_write_file_gives_back_a_path_that_read_file_takes(tools: dict[str, BaseTool], root: Path) -> None:
    path = ask(tools["write_file"], root, path="./out/../out/a.txt", text="olé").content
    assert path == "out/a.txt"
    assert ask(tools["read_file"], root, path=path).content == "olé"
    assert ask(tools["write_file"], root, path=path, text="new", overwrite=True).status == "success"
    assert (root / path).read_text() == "new"


def test_file_tools_declare_what_they_are(tools: dict[str, BaseTool]) -> None:
    assert [signature_of(tools[name]).dangerous for name in ("list_files", "read_file", "search_files", "write_file")] == [
        False, False, False, True,
    ]  # fmt: skip
    assert all(signature_of(tools[name]).untrusted for name in ("list_files", "read_file", "search_files"))
