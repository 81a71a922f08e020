"""Write what `classifier.py` measured into docs/classifier.md, between its markers, with two plots and the figures as JSON.

python benchmarks/classifier.py --requests R --outcomes O
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

START, END = "<!-- figures: written by benchmarks/classifier.py -->", "<!-- end of figures -->"
FOUR = ("math", "code", "reasoning", "general")


def write_page(figures: dict[str, Any], folder: Path) -> None:
    """Replace what stands between the markers of `folder`/classifier.md; write the plots and the figures beside it."""
    page = folder / "classifier.md"
    (folder / "classifier").mkdir(exist_ok=True)
    (folder / "classifier" / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    _plots(figures["curves"], folder / "classifier")
    before, found, rest = page.read_text("utf-8").partition(START)
    if not found:
        raise SystemExit(f"{page} has no line {START!r}; put it and {END!r} where the figures belong")
    page.write_text(f"{before}{START}\n\n{_text(figures)}\n\n{END}{rest.partition(END)[2]}", "utf-8")


def _plots(curves: dict[str, list[list[float]]], folder: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "qwen-router"  # the same figures give the same file
    from matplotlib import pyplot

    for name, x, y, title in (
        ("reliability", "confidence", "share right (nine domains)", "Calibration on unseen sources"),
        ("coverage", "share of requests answered", "share right (four groups)", "Abstaining on unseen sources"),
    ):
        figure, axes = pyplot.subplots(figsize=(5, 4))
        axes.plot([p[0] for p in curves[name]], [p[1] for p in curves[name]], marker="o")
        if name == "reliability":
            axes.plot([0, 1], [0, 1], linestyle=":", color="grey")
        axes.set(xlabel=x, ylabel=y, title=title)
        axes.grid(alpha=0.3)
        figure.tight_layout()
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        pyplot.close(figure)


def _table(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _text(figures: dict[str, Any]) -> str:
    parts = (_left_out, _languages, _robustness, _depth, _difficulty)
    return "\n\n".join(part(figures) for part in parts)


def _left_out(figures: dict[str, Any]) -> str:
    left = figures["left_out"]
    f = left["figures"]
    summary = _table(
        ["leave one source out", "value"],
        [
            ["macro-F1 over math, code, reasoning, general", f["macro_f1_of_4"]],
            ["accuracy over the four", f["accuracy_of_4"]],
            ["the same, every source counting once", f["mean_over_sources_of_4"]],
            ["accuracy over all nine domains", f["accuracy_of_9"]],
            ["expected calibration error (nine domains, temperature from the other half)", f["ece"]],
        ],
    )
    abstain = (
        f"Temperature {left['temperature']}; below a confidence of {left['abstain_below']} it abstains: "
        f"{f['coverage']:.1%} of the requests of unseen sources are answered, {f['accuracy_of_4_when_kept']:.1%} of them "
        "right over the four groups."
    )
    confusion = _table(
        ["label / given", *FOUR],
        [[name, *counts] for name, counts in zip(FOUR, f["confusion_of_4"], strict=True)],
    )
    sources = f["by_source_of_4"]
    each = _table(
        ["source left out", "right of four groups"],
        [[name, value] for name, value in sorted(sources.items(), key=lambda item: item[1])],
    )
    plots = "![calibration](classifier/reliability.svg) ![accuracy against coverage](classifier/coverage.svg)"
    return "\n\n".join(("### Unseen sources", summary, abstain, confusion, each, plots))


def _languages(figures: dict[str, Any]) -> str:
    seen, found = figures["languages"], figures["language_identification"]
    recall = seen["recall"]
    rows = [[language, *(recall[group][language] for group in FOUR)] for language in recall["math"]]
    rows.append(["mean", *(seen["mean_recall"][group] for group in FOUR)])
    wrong = ", ".join(f"{name} ({count})" for name, count in found["wrong"].items()) or "none"
    return "\n\n".join(
        (
            "### Languages",
            f"{seen['requests']} requests in {len(recall['math'])} languages, written for this by an author who saw "
            f"no training text: {seen['accuracy_of_4']:.1%} right over the four groups. Recall:",
            _table(["language", *FOUR], rows),
            f"The language itself is right on {found['accuracy']:.1%} of {found['sentences']} of them with 40 "
            f"characters and more ({found['languages']} languages, macro average "
            f"{found['macro_accuracy']:.1%}). Wrong: {wrong}.",
        )
    )


def _robustness(figures: dict[str, Any]) -> str:
    card = figures["robustness"]
    rows = [[n, f"{v['flips_of_4']:.1%}", f"{v['flips_of_9']:.1%}", v["depth_moves"]] for n, v in card.items()]
    head = ["what is done to the request", "flips among four groups", "flips among nine domains", "mean move of depth"]
    return "### Robustness\n\n" + _table(head, rows)


def _depth(figures: dict[str, Any]) -> str:
    depth = figures["depth"]
    rows = [[k, v, depth["text_length_within_kind"][k]] for k, v in depth["within_kind"].items()]
    domains = [[k, v, 0] for k, v in depth["within_domain"].items()]
    return "\n\n".join(
        (
            "### Depth",
            f"Spearman's correlation with the level (1 to 8) of {depth['tasks']} graded tasks from a generator that "
            f"training does "
            f"not use: {depth['all']} over all (knowing the domain only: {depth['domain_baseline_all']}, text length: "
            f"{depth['text_length_all']}).",
            _table(["within a kind", "depth", "text length"], rows),
            _table(["within a domain", "depth", "knowing the domain only"], domains),
        )
    )


def _difficulty(figures: dict[str, Any]) -> str:
    hard = figures["difficulty"]
    rows = []
    for name, value in hard["apgr"].items():
        edge = hard["apgr_gain_95"].get(name)
        rows.append([name, value, hard["auc"][name], f"{edge[0]:+} to {edge[1]:+}" if edge else ""])
    return "\n\n".join(
        (
            "### Difficulty",
            f"{hard['questions']} questions of MMLU subjects that neither the network nor the difficulty saw. "
            f"Mixtral 8x7B gets "
            f"{hard['weak_right']:.1%} right, GPT-4 {hard['strong_right']:.1%}.",
            _table(["ranked by", "APGR", "AUC of a failure", "what we have more of APGR (95 % bootstrap)"], rows),
        )
    )
