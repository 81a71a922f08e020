"""How long a person waits before anything happens: importing the package, and `qwen-router route` as a process.

Each is a fresh interpreter with warm files, interleaved with a bare `python -c pass`, which is the measure's floor.

    python benchmarks/startup.py --out startup.json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

CASES = {
    "python_s": ["-c", "pass"],
    "import_s": ["-c", "import qwen_router"],
    "import_router_s": ["-c", "from qwen_router import Router"],
    "route_s": ["-m", "qwen_router", "route", "What is 12 * 13?"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    environment = {**os.environ, "OLLAMA_HOST": "127.0.0.1:1"}
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(args.rounds + 1):
        for name, words in CASES.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *words], check=True, capture_output=True, env=environment)
            times[name].append(time.perf_counter() - started)
    figures = {name: round(statistics.median(values[1:]), 3) for name, values in times.items()}
    print(json.dumps(figures))
    if args.out:
        args.out.write_text(json.dumps(figures) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
