"""`qwen-router tools ...` as a person meets it: their own tools, broken ones among them, pictures, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.test_cli_policy import here

GOOD = '''
from langchain_core.tools import tool


@tool
def read_image(path: str, ask: str = "") -> str:
    """Read the text of an image."""
    return path


read_image.metadata = {"inputs": {"path": "image", "ask": "question"}, "output": "scan", "cost_s": 5}


@tool
def make_sheet(scan: str) -> str:
    """Make a sheet of a scan."""
    return scan


make_sheet.metadata = {"inputs": {"scan": "scan"}, "output": "sheet", "dangerous": True}


@tool
def count_rows(sheet: str) -> int:
    """Count the rows of a sheet."""
    return 1


count_rows.metadata = {"inputs": {"sheet": "sheet"}, "output": "number"}
'''
UNTYPED = '''
from langchain_core.tools import tool


@tool
def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()
'''


def tools(*words: str) -> tuple[int, str, str]:
    return here("tools", *words)


def parsed(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with good tools and broken ones."""
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "tools"
    made.mkdir()
    (made / "good.py").write_text(GOOD)
    (made / "untyped.py").write_text(UNTYPED)
    (made / "lacking.py").write_text("import langchain_core\nimport no_such_package_anywhere\n")
    (made / "crashing.py").write_text("import langchain_core\n1 / 0\n")
    (made / "script.py").write_text("raise SystemExit('never run')\n")
    return made


@pytest.fixture
def clean(folder: Path) -> Path:
    for name in ("untyped", "lacking", "crashing"):
        (folder / f"{name}.py").unlink()
    return folder


def test_list_shows_what_is_good_and_what_is_broken(folder: Path) -> None:
    code, out, err = tools("list")
    assert (code, err) == (0, "")
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert rows["read_image"].split() == ["read_image", "image,", "question?", "scan", "5", "s", "here"]
    assert rows["make_sheet"].split() == ["make_sheet", "scan", "sheet", "dangerous", "0.1", "s", "here"]
    assert rows["calculator"].split()[-1] == "shipped"
    flat = " ".join(out.split())
    assert "BROKEN: shout:" in flat and "does not say what it takes and gives" in flat
    assert "BROKEN: lacking:" in flat and "needs the package 'no_such_package_anywhere'" in flat
    assert "BROKEN: crashing:" in flat and "ZeroDivisionError: division by zero (line 2)" in flat
    assert "script" not in out


def test_list_as_json_has_a_line_a_tool(folder: Path) -> None:
    rows = {row["name"]: row for row in parsed(tools("list", "--json")[1])}
    assert rows["read_image"]["takes"] == {"path": "image", "ask": "question"}
    assert (rows["read_image"]["optional"], rows["read_image"]["gives"]) == (["ask"], "scan")
    assert (rows["make_sheet"]["dangerous"], rows["make_sheet"]["untrusted"]) == (True, False)
    assert {name for name, row in rows.items() if "error" in row} == {"shout", "lacking", "crashing"}
    assert rows["lacking"]["fix"] == "pip install no_such_package_anywhere"
    assert rows["calculator"]["from"] == "shipped"


def test_a_tool_of_the_working_folder_replaces_the_shipped_one(clean: Path) -> None:
    (clean / "mine.py").write_text(GOOD.replace("def make_sheet", "def calculator").replace("make_sheet.", "calculator."))
    rows = [row for row in parsed(tools("list", "--json")[1]) if row["name"] == "calculator"]
    assert [row["from"] for row in rows] == ["here"]


def test_two_of_one_name_in_a_folder_hide_no_other(clean: Path) -> None:
    (clean / "again.py").write_text(GOOD.split("@tool\ndef make_sheet")[0])
    rows = parsed(tools("list", "--json")[1])
    assert [row.get("error", "fine") for row in rows if row["name"] == "read_image"] == [
        f"{clean / 'again.py'} and {clean / 'good.py'} both define the tool 'read_image'"
    ]
    assert "make_sheet" in {row["name"] for row in rows if "error" not in row}


def test_show_tells_what_a_tool_takes_gives_and_joins_with(clean: Path) -> None:
    code, out, _ = tools("show", "make_sheet")
    assert code == 0
    assert "make_sheet: Make a sheet of a scan." in out
    assert "  takes scan: scan\n  gives sheet\n  rights: dangerous; about 0.1 s a call, given up after 30 s\n" in out
    assert "  can stand after: read_image\n  can stand before: count_rows\n" in out
    row = json.loads(tools("show", "read_image", "--json")[1])
    assert (row["description"], row["after"]) == ("Read the text of an image.", ["make_sheet"])


def test_show_of_a_broken_or_unknown_tool_is_an_error(folder: Path) -> None:
    assert tools("show", "shout")[::2] == (
        2,
        f"error: {folder / 'untyped.py'}: the tool 'shout' does not say what it takes and gives\n"
        '  try: set tool.metadata = {"inputs": {argument: kind, ...}, "output": kind}\n',
    )
    code, _, err = tools("show", "calculater")
    assert code == 2 and "did you mean 'calculator'?" in err


def test_check_finds_everything_wrong(folder: Path) -> None:
    (folder / "typo.py").write_text(
        GOOD.split("@tool\ndef make_sheet")[0].replace("read_image", "look").replace('"scan"', '"txet"')
    )
    code, out, _ = tools("check", "--json")
    findings = {f["tool"]: f for f in json.loads(out)["findings"]}
    assert code == 1
    assert {name: (f["kind"], f["severity"]) for name, f in findings.items()} == {
        "crashing": ("broken", "error"),
        "lacking": ("broken", "error"),
        "shout": ("broken", "error"),
        "look": ("dead end", "warning"),
    }
    assert "did you mean 'text'?" in findings["look"]["problem"]
    assert findings["look"]["file"] == str(folder / "typo.py")


def test_check_of_good_tools_says_so(clean: Path) -> None:
    code, out, err = tools("check")
    assert (code, err) == (0, "") and out.endswith(" tools, nothing found\n")
    code, out, _ = tools("check", str(clean / "good.py"))
    assert (code, out) == (0, "3 tools, nothing found\n")


def test_check_of_a_file_names_what_is_wrong_with_it_alone(folder: Path) -> None:
    code, out, _ = tools("check", str(folder / "untyped.py"))
    assert code == 1
    assert out.startswith(f"error: shout: {folder / 'untyped.py'}: the tool 'shout' does not say") and "crashing" not in out


def test_check_tells_a_schema_that_cannot_hold_its_kind(clean: Path) -> None:
    (clean / "slip.py").write_text(
        GOOD.split("@tool\ndef make_sheet")[0].replace("read_image", "look").replace('"image"', '"number"')
    )
    code, out, _ = tools("check", str(clean / "slip.py"))
    assert code == 0
    assert "warning: look: it declares number for 'path', but its schema wants string" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(("check", "no_such.py"), "there is no file 'no_such.py'", id="no-file"),
        pytest.param(("check", "tools/script.py"), "imports nothing of LangChain", id="no-tool-file"),
        pytest.param(("graph", "--format", "sgv"), "did you mean 'svg'?", id="format"),
        pytest.param(("graph", "--from", "image"), "one of --from and --to is missing", id="half-a-question"),
        pytest.param(("graph", "--from", "imge", "--to", "text"), "did you mean 'image'", id="kind"),
        pytest.param(("graph", "--from", "image", "--to", "text", "--limit", "0"), "ask for 1 to 50", id="limit"),
        pytest.param(("graph", "-o", "no/such/folder/x.svg"), "cannot write 'no/such/folder/x.svg'", id="output"),
    ],
)
def test_wrong_usage_is_told_with_exit_code_2(clean: Path, words: tuple[str, ...], told: str) -> None:
    code, out, err = tools(*words)
    assert (code, out) == (2, "") and told in err


def test_graph_lists_chains_with_their_steps(clean: Path) -> None:
    code, out, _ = tools("graph", "--from", "image,question", "--to", "sheet")
    assert code == 0
    assert out.startswith(
        "1  about 5.1 s\n"
        "     1. read_image(path=image, ask=question): scan\n"
        "     2. make_sheet(scan=step 1): sheet  [dangerous]\n"
    )
    best = json.loads(tools("graph", "--from", "image", "--to", "sheet", "--json")[1])["chains"][0]
    assert best["steps"][1] == {
        "tool": "make_sheet",
        "inputs": {"scan": {"step": 0}},
        "gives": "sheet",
        "dangerous": True,
        "untrusted": False,
    }
    assert (best["needs"], best["time_s"]) == (["image"], 5.1)


def test_graph_without_a_question_shows_every_kind(clean: Path) -> None:
    out = tools("graph")[1]
    assert "sheet: from make_sheet; to count_rows\n" in out
    assert "number: from " in out and "scan: from read_image; to make_sheet\n" in out
    assert json.loads(tools("graph", "--json")[1])["tools"]["make_sheet"] == {"takes": {"scan": "scan"}, "gives": "sheet"}


def test_pictures_go_to_a_file(clean: Path) -> None:
    assert tools("graph", "--from", "image", "--to", "sheet", "--format", "svg", "-o", "chain.svg") == (0, "", "")
    assert ElementTree.parse("chain.svg").getroot().tag.endswith("svg")
    assert tools("graph", "--format", "mermaid")[1].startswith("flowchart LR\n")


def test_no_chain_is_exit_code_3_and_says_what_is_missing(clean: Path) -> None:
    code, out, err = tools("graph", "--from", "audio", "--to", "sheet")
    assert (code, out) == (3, "")
    assert err == "no chain leads from audio to sheet: make_sheet gives sheet but needs scan\n  try: --from audio,scan\n"
    code, out, err = tools("graph", "--from", "audio", "--to", "audio", "--json")
    assert (code, json.loads(out)) == (3, {"chains": []}) and "no tool gives audio" in err


def test_broken_tools_are_left_out_of_the_graph_and_named(folder: Path) -> None:
    code, out, err = tools("graph", "--from", "image", "--to", "scan")
    assert code == 0 and "read_image(path=image)" in out
    assert err == "left out: crashing, lacking, shout (see qwen-router tools check)\n"


def test_what_a_tool_file_prints_is_no_output(clean: Path) -> None:
    (clean / "good.py").write_text(GOOD + '\nprint("hello")\n')
    code, out, err = tools("list", "--json")
    assert (code, err) == (0, "hello\n") and {"read_image", "count_rows"} <= {row["name"] for row in parsed(out)}


def test_control_characters_of_a_tool_never_reach_the_terminal(clean: Path) -> None:
    (clean / "good.py").write_text(
        GOOD.replace("Read the text", "Read \\x1b[31m the text").replace('"question"', '"q\\x1b]0;"')
    )
    for words in (("list",), ("show", "read_image"), ("graph",), ("check",), ("graph", "--from", "image", "--to", "scan")):
        code, out, err = tools(*words)
        assert code == 0 and "\x1b" not in out + err
