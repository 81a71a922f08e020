"""The sixty tool tasks, done by the agent with a real engine: how many come out right, kind by kind, and how runs end.

Without `--model` the bundled qwen3-nano does them in llama.cpp; each task gets the tools that it needs and no other, because
nano has seen at most three tools at once. A second or third seed shows how much the sampling moves the figures.

    python -m benchmarks.agent_tasks --seeds 1 2 3
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path

from qwen_router.agent import Agent, Limits
from qwen_router.errors import RouterError
from qwen_router.router import Router
from qwen_router.settings import Settings
from qwen_router.tool_context import ToolContext
from qwen_router.tooling import load_tools
from tests.agent_tasks import KINDS, Task, load_tasks


def done(task: Task, router: Router, *, model: str, seed: int, max_steps: int, verify: bool) -> tuple[bool, str, str]:
    """Whether the answer is right, why the run ended, and the answer."""
    with tempfile.TemporaryDirectory() as folder:
        task.prepare(Path(folder))
        agent = Agent(
            router=router,
            tools=[name for name in task.tools if name in load_tools()],
            model=model,
            seed=seed,
            limits=Limits(max_steps=max_steps),
            context=ToolContext(root=Path(folder)),
            verify=verify,
        )
        try:
            report = agent.run(task.text)
        except RouterError as error:
            return False, type(error).__name__, str(error)
        return task.is_right(report.answer), report.stop, report.answer or ""


def main() -> None:
    """Do them and print one row a kind."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", default="auto", help="a model that an engine here serves")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--max-steps", type=int, default=8)
    parser.add_argument("--only", choices=("nano", *KINDS), help="only these tasks")
    parser.add_argument("--no-verify", action="store_true", help="without checks of the answers")
    parser.add_argument("--out", type=Path, help="write every answer as JSON lines")
    options = parser.parse_args()
    router = Router(settings=Settings.from_environment())
    tasks = [t for t in load_tasks() if options.only in (None, t.kind) or (options.only == "nano" and t.nano)]
    right: Counter[tuple[str, int]] = Counter()
    stops: Counter[str] = Counter()
    lines: list[str] = []
    began = time.perf_counter()
    for seed in options.seeds:
        for task in tasks:
            ok, stop, answer = done(
                task, router, model=options.model, seed=seed, max_steps=options.max_steps, verify=not options.no_verify
            )
            right["nano" if task.nano else task.kind, seed] += ok
            stops[f"{stop}{'' if ok or stop != 'done' else ', wrong'}"] += 1
            lines.append(json.dumps({"task": task.id, "seed": seed, "right": ok, "stop": stop, "answer": answer}))
    print("| tasks | of | " + " | ".join(f"seed {seed}" for seed in options.seeds) + " |")
    print("|---|---|" + "---|" * len(options.seeds))
    groups = {"nano": "one call of calculator or convert_units", **{kind: f"{kind}, the rest" for kind in KINDS}}
    for group, name in groups.items():
        of = sum(1 for task in tasks if ("nano" if task.nano else task.kind) == group)
        if of:
            print(f"| {name} | {of} | " + " | ".join(str(right[group, seed]) for seed in options.seeds) + " |")
    print(f"ends: {dict(stops)}; {(time.perf_counter() - began) / len(lines):.2f} s a task")
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
