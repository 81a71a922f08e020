"""Write what `memory.py` and `speed.py` measured into docs/hardware.md, between its markers, with a plot of both.

python benchmarks/hardware_page.py --memory memory.json --speed speed.json
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
START, END = "<!-- figures: written by benchmarks/hardware_page.py -->", "<!-- end of figures -->"


def _table(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _memory(lines: list[dict[str, Any]]) -> str:
    """One row a checkpoint, engine and quantisation: the largest error over all contexts, cache types and slots."""
    groups: dict[tuple[str, str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        if line["part"] in ("total", "resident", "peak", "weights") and (
            line["part"] != "weights" or line["engine"] == "llama-quantize"
        ):
            quant = "seven mixes" if line["part"] == "weights" else line["quant"]
            groups[line["case"], line["engine"], quant, line["part"]].append(line)
    rows = []
    for (case, engine, quant, part), found in groups.items():
        worst = max(found, key=lambda line: abs(line["error"]))
        rows.append([
            case, engine, quant, {"total": "sum of buffers or storages", "resident": "growth of resident memory",
                                  "peak": "weights and growth in a pass", "weights": "file written"}[part],
            len(found), f"{worst['predicted_mib']:,.1f}", f"{worst['found_mib']:,.1f}", f"{worst['error']:+.2%}",
        ])  # fmt: skip
    head = ["checkpoint", "engine", "quantisation", "what", "runs", "predicted MiB", "found MiB", "largest error"]
    return _table(head, rows)


def _speed(report: dict[str, Any]) -> str:
    rows = []
    for line in report["lines"]:
        row = [line["case"] + (" (calibrated on)" if line["calibrated_on"] else ""), line["quant"]]
        for part in ("decode", "prefill"):
            found, guess = line[f"{part}_tps"], line[f"{part}_predicted"]
            row += [f"{found:.2f}", f"{line[f'{part}_before']:.2f}", f"{guess:.2f}", f"{guess / found - 1:+.0%}"]
        rows.append(row)
    head = ["checkpoint", "quantisation", "decode tokens/s", "before", "calibrated", "error"]
    head += ["prompt tokens/s", "before", "calibrated", "error"]
    measured = f"Measured here: {report['bandwidth_gib_s']:.1f} GiB/s of memory, {report['compute_tflops']:.3f} TFLOPS."
    return f"{measured}\n\n{_table(head, rows)}"


def _plot(memory: list[dict[str, Any]], speed: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "qwen-router"  # the same figures give the same file
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 4))
    for engine, part in (("llamacpp", "total"), ("llamacpp", "resident"), ("transformers", "peak")):
        chosen = [line for line in memory if (line["engine"], line["part"]) == (engine, part)]
        left.loglog(
            [line["found_mib"] for line in chosen],
            [line["predicted_mib"] for line in chosen],
            "o",
            alpha=0.6,
            markersize=4,
            label=f"{engine}, {part}",
        )
    for name, label in (("decode", "decode"), ("prefill", "prompt")):
        chosen = [line for line in speed["lines"] if not line["calibrated_on"]]
        right.loglog(
            [line[f"{name}_tps"] for line in chosen],
            [line[f"{name}_predicted"] for line in chosen],
            "o",
            alpha=0.7,
            markersize=5,
            label=label,
        )
    for axes, title in ((left, "memory, MiB"), (right, "tokens/s, calibrated on one model")):
        low, high = axes.get_xlim()
        axes.plot([low, high], [low, high], ":", color="grey")
        axes.set(xlabel="found", ylabel="predicted", title=title)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the measured tables into docs/hardware.md.")
    parser.add_argument("--memory", type=Path, required=True)
    parser.add_argument("--speed", type=Path, required=True)
    options = parser.parse_args()
    memory, speed = (json.loads(path.read_text("utf-8")) for path in (options.memory, options.speed))
    folder = DOCS / "hardware"
    folder.mkdir(exist_ok=True)
    _plot(memory, speed, folder / "predicted.svg")
    page = DOCS / "hardware.md"
    before, found, rest = page.read_text("utf-8").partition(START)
    if not found:
        raise SystemExit(f"{page} has no line {START!r}")
    text = "\n\n".join((
        "### Memory", _memory(memory), "### Speed", _speed(speed), "![predicted against found](hardware/predicted.svg)",
    ))  # fmt: skip
    page.write_text(f"{before}{START}\n\n{text}\n\n{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    main()
