"""From a picture to a table, a sum and a plot: the graph of tools finds the way, and its steps are run one after the other."""

from pathlib import Path

from langchain_core.tools import tool
from PIL import Image, ImageDraw

from qwen_router.agent.chain_run import run_chain
from qwen_router.agent.graph import ToolGraph
from qwen_router.tool_context import ToolContext, using
from qwen_router.tooling import load_tools


@tool
def sum_of_numbers(table: dict) -> float:
    """Add up the numbers of the last column of a table."""
    return sum(row[-1] for row in table["rows"])


sum_of_numbers.metadata = {"inputs": {"table": "table"}, "output": "number"}


def draw(path):
    """A receipt to try it on."""
    picture = Image.new("RGB", (420, 200), "white")
    text = "Item      Euro\nBread     3.20\nCheese    7.50\nApples    2.30"
    ImageDraw.Draw(picture).multiline_text((30, 30), text, fill="black", font_size=26)
    picture.save(path)


def main(image="receipt.png", root=".", router=None):
    """`{"number": ..., "plot": ...}`, each a `ChainRun`: what came of every step, and the error where one failed."""
    if not Path(root, image).exists():
        draw(Path(root, image))
    graph = ToolGraph.of([*load_tools().values(), sum_of_numbers])
    runs = {}
    with using(ToolContext(root=Path(root), router=router)):
        for want in ("number", "plot"):
            chain = graph.chains(["image"], want, allowed=["read_image", "extract_table", "sum_of_numbers", "plot_table"])[0]
            runs[want] = run_chain(chain, {"image": image})
            print(f"{chain}: {runs[want].value if runs[want].ok else runs[want].error}")
    return runs


if __name__ == "__main__":
    main()
