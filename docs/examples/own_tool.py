"""A tool of one's own: ten lines in the folder `tools`, and it stands in the graph and the agent may call it."""

from pathlib import Path

from qwen_router.agent import Agent
from qwen_router.agent.chain_run import run_chain
from qwen_router.agent.graph import ToolGraph

TOOL = '''
from langchain_core.tools import tool


@tool
def reading_minutes(text: str) -> float:
    """Estimate how many minutes a text takes to read. Example: text='Once upon a time ...'."""
    return round(len(text.split()) / 230, 1)


reading_minutes.metadata = {"inputs": {"text": "text"}, "output": "number", "cost_s": 0.01}
'''


def main(router=None, task="How many minutes does it take to read story.md?"):
    """What the chain gives, and the agent's report."""
    Path("tools").mkdir(exist_ok=True)
    Path("tools/reading_minutes.py").write_text(TOOL)
    Path("story.md").write_text("Once upon a time there was a router. " * 100)
    chain = ToolGraph.load().chains(["document"], "number")[0]  # nobody told it how to get from one to the other
    run = run_chain(chain, {"document": "story.md"})
    print(f"{chain}: {run.value}")
    report = Agent(router=router, tools=["load_document", "reading_minutes"]).run(task)
    print(f"{report.answer} ({report.stop}; tools: {report.tools})")
    return run, report


if __name__ == "__main__":
    main()
