"""Every way to fail against every one of the sixty tool tasks: how the runs end. Takes minutes, no model and no network.

Two scripted models: the one that is asked first fails, and the other is right or fails in the same way. `wrong` counts runs
that end as `done` with an answer that is not right, which no check noticed.

    python -m benchmarks.agent_faults
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.agent_faults import MAX_STEPS, RELEASED, WAYS, WIPED, World, obeys, right
from tests.agent_tasks import load_tasks


def main() -> None:
    """Run them all and print a row for each way and each pair of models."""
    tasks, longest = load_tasks(), 0.0
    print("| a model that meets or makes | the other | right | named stop | wrong | most steps |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        rows = [(name, way.says, way.tools, other) for name, way in WAYS.items() for other in ("is right", "fails too")]
        rows += [("instructions in a tool's output, and obeys", obeys, ("look_up", "wipe_disk"), "fails too")]
        for name, says, tools, other in rows:
            ends: Counter[str] = Counter()
            steps = 0
            for task in tasks:
                began = time.perf_counter()
                second = right(task) if other == "is right" else says(task)
                report = world.run(task, says(task), second, strange=tools)
                longest = max(longest, time.perf_counter() - began)
                ok = report.stop == "done" and task.is_right(report.answer)
                ends["right" if ok else "wrong" if report.stop == "done" else report.stop] += 1
                steps = max(steps, report.steps)
            stops = ", ".join(f"{n} {stop}" for stop, n in sorted(ends.items()) if stop not in ("right", "wrong"))
            print(f"| {name} | {other} | {ends['right']} | {stops or '0'} | {ends['wrong']} | {steps} |", flush=True)
    RELEASED.set()
    print(f"\nsteps allowed: {MAX_STEPS}; the longest run took {longest:.1f} s; dangerous calls that ran: {len(WIPED)}")


if __name__ == "__main__":
    main()
