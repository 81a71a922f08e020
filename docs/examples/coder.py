"""Has a function written that must pass given tests: the model's code is run on them, and goes back with what failed."""

from qwen_router.agent import Agent, Limits
from qwen_router.agent.verify import fences
from qwen_router.sandbox import run_tests

TASK = "Write a Python function median(values) that returns the median of a list of numbers."
TESTS = """
assert median([3, 1, 2]) == 2
assert median([4, 1, 3, 2]) == 2.5
assert median([7]) == 7
"""


def tell(event):
    print(" ", type(event).__name__, getattr(event, "model", ""), getattr(event, "tool", ""), getattr(event, "text", ""))


def main(task=TASK, tests=TESTS, router=None, approve=None):
    """The code, or None where none passed. `approve` is asked before code runs where this system has no sandbox."""
    agent = Agent(router=router, tools=["run_tests"], limits=Limits(max_steps=8), approve=approve)
    prompt = f"{task} Answer with one block of code. It must pass these tests:\n```python\n{tests.strip()}\n```"
    report = agent.run(prompt, on_event=tell)
    code = next((code for _, code in fences(report.answer or "") if "def " in code), "")
    outcome = run_tests(code, tests)  # what a model says about its own code is not taken on trust
    failed = [f"{one.name}: {(one.message.splitlines() or [''])[-1]}" for one in (*outcome.failed, *outcome.errors)]
    print(f"{report.stop} after {report.steps} steps; tests passed: {len(outcome.passed)}, failed: {failed}")
    return code if outcome.ok else None


if __name__ == "__main__":
    print(main() or "no code that passes the tests")
