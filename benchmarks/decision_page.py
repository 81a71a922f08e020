"""Write what `decision.py` measured into docs/decision_evaluation.md, between its markers, with plots and figures as JSON.

python benchmarks/decision.py --outcomes O
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwen_router.cli.evaluate import draw

if TYPE_CHECKING:
    from qwen_router.cli.evaluate import Report
    from qwen_router.decide.evaluation import Evaluation

START, END = "<!-- figures: written by benchmarks/decision.py -->", "<!-- end of figures -->"


def write_page(figures: dict[str, Any], reports: Mapping[str, Report], runs: Mapping[str, Evaluation], folder: Path) -> None:
    """Replace what stands between the markers of `folder`/decision_evaluation.md; plots and figures go beside it."""
    page, beside = folder / "decision_evaluation.md", folder / "decision_evaluation"
    beside.mkdir(exist_ok=True)
    (beside / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    held_out = next(iter(reports.values()))
    drawn = draw(held_out.evaluation, beside / "outcomes.svg", costs=held_out.sample.costs)
    for name in ("known", "noise"):
        drawn &= draw(runs[name], beside / f"simulation_{name}.svg", costs="relative to parameters")
    if not drawn:
        print("no plots: matplotlib is not installed")
    before, found, rest = page.read_text("utf-8").partition(START)
    if not found:
        raise SystemExit(f"{page} has no line {START!r}; put it and {END!r} where the figures belong")
    text = "\n\n".join((*_shared(figures), *_simulation(figures["simulation"]), *_speed(figures["speed"])))
    page.write_text(f"{before}{START}\n\n{text}\n\n{END}{rest.partition(END)[2]}", "utf-8")


def _table(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _told(estimate: dict[str, Any] | None, *, signed: bool = False) -> str:
    if estimate is None:
        return ""
    sign = "+" if signed else ""
    low, high = estimate["interval_95"]
    return f"{estimate['value']:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


def _ways(line: dict[str, Any]) -> str:
    rows = []
    for name, way in line["ways"].items():
        means = (_told(way["quality"]), _told(way["cost"]), f"{way['regret']['value']:.3f}")
        rows.append([name.rpartition("/")[2], *means, _told(way["above_mixing"], signed=True)])
    return _table(["way to choose", "quality", "cost", "regret", "above mixing"], rows)


def _curves(lines: Mapping[str, dict[str, Any]], what: str) -> str:
    rows = [
        [name, curve, _told(value["area"]), _told(value["area_above_mixing"], signed=True)]
        for name, line in lines.items()
        for curve, value in line["curves"].items()
    ]
    return _table([what, "curve", "area", "above mixing"], rows)


def _shared(figures: dict[str, Any]) -> list[str]:
    lines, unseen = figures["shared"], figures["unseen_by_network_too"]
    held_out = next(iter(lines.values()))
    apgr = [[name, _told(line["apgr"]["router"]["value"])] for name, line in lines.items()]
    apgr.append(["network and difficulty unseen (docs/classifier.md)", f"{unseen['apgr']['ours']:.3f}"])
    length = held_out["apgr"]["text length"]
    apgr.append(["text length", _told(length["value"])])
    return [
        "### Real outcomes",
        f"{held_out['requests']} MMLU questions. Costs are {held_out['costs']}; the router's point is where half of the "
        "requests, those of the highest difficulty, go to it. With the difficulty that other subjects' outcomes taught:",
        _ways(held_out),
        _table(["difficulty from", "APGR"], apgr),
        f"Against text length, on the same resamples: {_told(length['router_has_more'], signed=True)}.",
        _curves(lines, "difficulty from"),
        "![quality against cost](decision_evaluation/outcomes.svg)",
    ]


def _simulation(simulated: dict[str, Any]) -> list[str]:
    runs = simulated["runs"]
    rows = [
        [name, _told(way["quality"]), _told(way["cost"]), _told(way["above_mixing"], signed=True)]
        for name, run in runs.items()
        for way in (run["ways"]["router"],)
    ]
    oracle = runs["known"]["ways"]["oracle"]
    best = runs["known"]["ways"][runs["known"]["best_fixed"]]
    held = ", ".join(f"{name} {share:.1%}" for name, share in simulated["coverage"].items())
    return [
        "### The evaluation, checked",
        f"{simulated['requests']} requests at random difficulties; outcomes of Qwen2.5 3B, 7B, 32B and 72B are drawn from "
        "the ability table, so the router that knows the difficulty is right about everything but luck. This checks the "
        "evaluation and says nothing about the router. Told noise, it must not come out above mixing; it comes out "
        "below where it mixes models that do not lie side by side on the hull.",
        _ways({"ways": {name: way for name, way in runs["known"]["ways"].items() if name != "router"}}),
        f"The oracle's expected quality, computed from the probabilities, is {simulated['oracle_expected']:.3f}; it costs "
        f"{oracle['cost']['value'] / best['cost']['value']:.0%} of always taking the best model.",
        _table(["difficulty that the router is told", "quality", "cost", "above mixing"], rows),
        _curves(runs, "difficulty that the router is told"),
        f"The 95 % intervals hold the truth in this share of new draws of requests and outcomes: {held}.",
        "![difficulty known](decision_evaluation/simulation_known.svg) "
        "![difficulty is noise](decision_evaluation/simulation_noise.svg)",
    ]


def _speed(found: dict[str, Any]) -> list[str]:
    edges = ("p50_ms", "p99_ms", "p99_processor_ms")
    rows = [
        [line["candidates"], *(line[name][edge] for name in ("decide", "naive") for edge in edges)]
        for line in found["sizes"]
    ]
    head = [f"{name} {edge}" for name in ("decide", "loop") for edge in ("p50", "p99", "p99, processor")]
    return [
        "### Speed",
        "One process, milliseconds a decision, classification not included. The peer makes a tuple and a sentence a "
        "candidate in a plain loop, which computes less. Medians of seven rounds of 400. Load "
        f"{found['load']} on {found['cores']} shared cores: a wait for one counts in p99 and not in the processor's time.",
        _table(["candidates", *head], rows),
    ]
