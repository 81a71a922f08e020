"""Plots: a fresh file below the root, texts that stay texts, what cannot be drawn said in words."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from langchain_core.messages import ToolMessage
from PIL import Image

from qwen_router.tool_context import ToolContext, using
from qwen_router.tooling import load_tools, signature_of

TOOLS = load_tools([Path(__file__).parent.parent / "tools"])
SALES = {"columns": ["year", "sales", "cost"], "rows": [[2024, 3, 1], [2025, 5.5, None], [2026, "1,000", 2]]}

AB = {"columns": ["a", "b"]}


def call(root: Path, name: str, **arguments: Any) -> ToolMessage:
    with using(ToolContext(root=root)):
        message = TOOLS[name].invoke({"type": "tool_call", "id": "1", "name": name, "args": arguments})
    assert isinstance(message, ToolMessage)
    return message


def drawn(root: Path, name: str, **arguments: Any) -> Path:
    message = call(root, name, **arguments)
    assert message.status == "success", message.content
    return root / str(message.content)


def coloured(path: Path) -> int:
    """How many pixels are neither grey nor white: marks, not frames."""
    with Image.open(path) as image:
        hues = image.convert("HSV").split()[1]
    return sum(hues.histogram()[100:])


@pytest.mark.parametrize("kind", ["line", "bar", "scatter", "histogram"])
def test_a_table_is_drawn(tmp_path: Path, kind: str) -> None:
    path = drawn(tmp_path, "plot_table", table=SALES, kind=kind, title=f"Sales {kind}")
    assert path == tmp_path / "plots" / f"sales-{kind}.png"
    with Image.open(path) as image:
        assert image.format == "PNG" and image.size == (960, 600)
    assert coloured(path) > 200


def test_a_pie_of_labels(tmp_path: Path) -> None:
    path = drawn(tmp_path, "plot_numbers", numbers=[1, 2, 3], labels=["a", "b", "c"], kind="pie")
    assert path.name == "pie.png" and coloured(path) > 10_000


@pytest.mark.parametrize("numbers", [[3, 1, 2], "[3, 1, 2]", "3, 1, 2", '["3", "1", "2"]'], ids=str)
def test_a_list_may_come_as_text(tmp_path: Path, numbers: Any) -> None:
    assert coloured(drawn(tmp_path, "plot_numbers", numbers=numbers, kind="bar", labels='["a", "b", "c"]')) > 10_000


def test_svg_is_xml_without_scripts_and_holds_no_text_of_the_user_as_markup(tmp_path: Path) -> None:
    title = "</text><script>alert(1)</script> & <b>"
    path = drawn(tmp_path, "plot_numbers", numbers=[1, 2], title=title, format="svg")
    tree = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    assert tree.tag.endswith("svg")
    assert not [element for element in tree.iter() if element.tag.endswith(("}script", "}image", "}a", "}foreignObject"))]


@pytest.mark.parametrize("text", [r"$\frac{1}{0}$", r"$\nonsense$", "$unbalanced", r"\$5 and $6", "a_b^c", "$$", "_hidden"])
def test_dollar_signs_and_backslashes_are_drawn_and_never_read(tmp_path: Path, text: str) -> None:
    table = {"columns": [text, text + " one", "two"], "rows": [[text, 1, 2], ["b", 2, 1]]}
    for kind in ("line", "bar"):
        drawn(tmp_path, "plot_table", table=table, kind=kind, title=text)
    drawn(tmp_path, "plot_numbers", numbers=[1, 2], labels=[text, "b"], kind="pie", title=text)


def test_no_file_is_ever_overwritten(tmp_path: Path) -> None:
    first = drawn(tmp_path, "plot_numbers", numbers=[1], title="One")
    before = first.read_bytes()
    names = [drawn(tmp_path, "plot_numbers", numbers=[1, 5], title="One").name for _ in range(2)]
    assert names == ["one-2.png", "one-3.png"] and first.read_bytes() == before


@pytest.mark.parametrize("title", ["../../outside", "/etc/passwd", "a\x00b", "..", "con", "x" * 5000, "图表", "a\nb"])
def test_whatever_the_title_the_file_lies_in_the_folder(tmp_path: Path, title: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    path = drawn(root, "plot_numbers", numbers=[1, 2], title=title)
    assert path.parent == root / "plots" and path.is_file()
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_dir() and "xdg" not in entry.name] == ["root"]


def test_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "plots").symlink_to(outside)
    message = call(root, "plot_numbers", numbers=[1])
    assert message.status == "error" and "a link" in str(message.content)
    assert list(outside.iterdir()) == []
    (root / "plots").unlink()
    (root / "plots").mkdir()
    (root / "plots" / "line.png").symlink_to(outside / "new.png")
    assert drawn(root, "plot_numbers", numbers=[1]).name == "line-2.png" and list(outside.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "plots").write_text("mine")
    message = call(tmp_path, "plot_numbers", numbers=[1])
    assert message.status == "error" and "cannot be saved" in str(message.content)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        pytest.param("plot_table", {"table": {"columns": [], "rows": []}}, "the table is empty", id="empty"),
        pytest.param("plot_table", {"table": {**AB, "rows": [[1]]}}, "row 1 has 1 values", id="a-short-row"),
        pytest.param("plot_table", {"table": SALES, "y": ["profit"]}, "columns are year, sales, cost", id="no-such-column"),
        pytest.param(
            "plot_table", {"table": {"columns": ["a", "b"], "rows": [["x", "y"]]}}, "no column of numbers", id="no-numbers"
        ),
        pytest.param(
            "plot_table", {"table": {"columns": ["a", "b"], "rows": [[1, "y"]]}, "y": ["b"]}, "'y' in row 1", id="a-text"
        ),
        pytest.param("plot_table", {"table": {**AB, "rows": [[1, 2]] * 10_001}}, "sample it", id="too-long"),
        pytest.param("plot_table", {"table": {**AB, "rows": [[1, 2]] * 61}, "kind": "bar"}, "61 bars", id="bars"),
        pytest.param("plot_table", {"table": SALES, "kind": "pie"}, "a pie shows one column", id="two-pies"),
        pytest.param("plot_table", {"table": "x"}, "plot_table takes table", id="no-table"),
        pytest.param("plot_table", {"table": SALES, "kind": "radar"}, "line, bar, scatter", id="another-kind"),
        pytest.param("plot_numbers", {"numbers": []}, "there are 0 numbers", id="none"),
        pytest.param("plot_numbers", {"numbers": [float("nan")]}, "holds no number", id="nan"),
        pytest.param("plot_numbers", {"numbers": [1, -1], "kind": "pie"}, "zero or more", id="a-negative-share"),
        pytest.param("plot_numbers", {"numbers": [1, 2], "labels": ["a"]}, "1 labels for 2", id="labels"),
        pytest.param("plot_numbers", {"numbers": [1e308, -1e308]}, "cannot draw that", id="beyond-floats"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_said_and_leaves_no_file(
    tmp_path: Path, name: str, arguments: dict[str, Any], words: str
) -> None:
    message = call(tmp_path, name, **arguments)
    assert message.status == "error" and words in str(message.content) and "Traceback" not in str(message.content)
    assert not list(tmp_path.glob("plots/*"))


def test_signs_without_a_font_are_drawn_without_a_warning(tmp_path: Path) -> None:
    table = {"columns": ["城市", "人口"], "rows": [["北京", 21.9], ["上海", 24.9]]}
    drawn(tmp_path, "plot_table", table=table, kind="bar", title="人口 👩‍🚀 \U000e0041")  # warnings are errors here


def test_threads_draw_at_the_same_time(tmp_path: Path) -> None:
    threads = [threading.Thread(target=drawn, args=(tmp_path, "plot_numbers"), kwargs={"numbers": [1, n]}) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list((tmp_path / "plots").glob("line*.png"))) == 4


def test_pyplot_is_not_imported_and_settings_stay(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from qwen_router.tool_context import ToolContext, using
from qwen_router.tooling import load_tools
tools = load_tools([Path({str(Path(__file__).parent.parent / "tools")!r})])
assert "matplotlib" not in sys.modules
with using(ToolContext(root=Path({str(tmp_path)!r}))):
    print(tools["plot_numbers"].invoke({{"numbers": [1, 2]}}))
print("matplotlib.pyplot" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.split(), done.stderr) == (["plots/line.png", "False"], "")


def test_their_kinds() -> None:
    for name in ("plot_table", "plot_numbers"):
        assert (signature_of(TOOLS[name]).output, signature_of(TOOLS[name]).dangerous) == ("plot", False)
