"""From a picture to a table, and from that to a sum and a plot: the graph of tools finds the way for each."""

from pathlib import Path

from langchain_core.tools import tool
from PIL import Image, ImageDraw

from qwen_router.agent.chain_run import run_chain
from qwen_router.agent.graph import ToolGraph
from qwen_router.tool_context import ToolContext, using
from qwen_router.tooling import load_tools


@tool
def sum_of_numbers(table: dict) -> float:
    """Add up the numbers in the last column of a table."""
    return sum(float(row[-1]) for row in table["rows"])


WAY = ("read_image", "extract_table", "sum_of_numbers", "plot_table")  # which tools may be used; left out: all
sum_of_numbers.metadata = {"inputs": {"table": "table"}, "output": "number"}


def receipt(path):
    """A picture to try it on."""
    picture = Image.new("RGB", (420, 200), "white")
    lines = "Item      Euro\nBread     3.20\nCheese    7.50\nApples    2.30"
    ImageDraw.Draw(picture).multiline_text((30, 30), lines, fill="black", font_size=26)
    picture.save(path)
    return path.name


def main(image=None, root=".", router=None):
    """What came of it by kind: `{"image": ..., "table": ..., "number": ..., "plot": ...}`, as far as it got."""
    graph = ToolGraph.of([*load_tools().values(), sum_of_numbers])
    values = {"image": image or receipt(Path(root, "receipt.png"))}
    with using(ToolContext(root=Path(root), router=router)):
        for have, want in (("image", "table"), ("table", "number"), ("table", "plot")):
            chain = graph.chains([have], want, allowed=WAY)[0]
            run = run_chain(chain, values) if have in values else None
            print(f"{chain}: {'not run' if run is None else run.value if run.ok else run.error}")
            if run is not None and run.ok:
                values[want] = run.value
    return values


if __name__ == "__main__":
    main()
