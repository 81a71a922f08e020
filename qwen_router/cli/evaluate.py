"""`eval`: what the router would have been worth on requests whose outcome with every model is known. Nothing is run.

Reads outcomes, lets the real classifier and `decide` choose among exactly those models, and prints what
`decide/evaluation.py` makes of it. docs/decision_evaluation.md says how to read the figures.

    qwen-router eval --outcomes outcomes.jsonl --sweep --plot curve.svg
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from qwen_router.cli.common import (
    JsonOption,
    MachineOption,
    ObjectiveOption,
    PolicyOption,
    console,
    print_json,
    progress,
    router_from,
)
from qwen_router.cli.lines import open_lines
from qwen_router.errors import InvalidRequest, RouterError, UnknownName

if TYPE_CHECKING:
    from qwen_router.catalog import Catalog, Model
    from qwen_router.decide import CandidateTable
    from qwen_router.decide.evaluation import Estimate, Evaluation, Judged, Outcomes
    from qwen_router.hardware import Machine
    from qwen_router.policy import Policy
    from qwen_router.profile.types import Profile
    from qwen_router.request import Request

ROOMY = "8xh200"
"""Where the models are planned for unless `--machine` says otherwise: a machine that refuses none of them for its memory."""
RANKED = (
    "not both models are in the catalog, so no policy chooses: the requests of the highest predicted difficulty go to {} "
    "(the better one in this file), at the router's point half of them"
)
EXAMPLE = '{"id": 1, "text": "...", "outcomes": {"Qwen/Qwen2.5-7B-Instruct": {"quality": 1, "cost": 0.3}, ...}}'


class Recorded(NamedTuple):
    """What came of one request with one model; `cost` None where the file does not say."""

    quality: float
    cost: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """One usable line. `group` is the task that it belongs to, where the file names one."""

    id: Any
    request: Request
    group: str | None
    recorded: Mapping[str, Recorded]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The lines that are judged, all with the same models. `rows` are the catalog's, None for a stranger to it; `costs`
    says in words what a cost is; `left_out` counts lines, `notes` are what a reader must know."""

    lines: tuple[Line, ...]
    outcomes: Outcomes
    rows: tuple[Model | None, ...]
    costs: str
    left_out: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """A sample, what was judged of it, and for two models the APGR of each order of the requests: its own, and what the
    router's has more."""

    sample: Sample
    evaluation: Evaluation
    apgr: Mapping[str, tuple[Estimate, Estimate]]
    notes: tuple[str, ...]


def add_to(app: typer.Typer) -> None:
    app.command("eval")(evaluate)


def evaluate(
    outcomes: Annotated[
        str,
        typer.Option("--outcomes", help=f"Outcomes per request, one JSON object a line, .gz or not: {EXAMPLE}"),
    ],
    policy: PolicyOption = None,
    objective: ObjectiveOption = None,
    machine: MachineOption = None,
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", help="NAME=CATALOG_ID: take the model that the file calls NAME for one of the catalog."),
    ] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Also over a range of quality slacks and of prices, which gives curves.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw quality against cost (.svg, .png; needs matplotlib).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what the router is worth on known outcomes: quality, cost, regret, against mixing, fixed models and an oracle."""
    router = router_from(policy=policy, objective=objective, machine=machine or ROOMY)
    sample = read_sample(outcomes, catalog=router.catalog, maps=_mapped(maps or [], router.catalog))
    report = judge(sample, policy=router.policy, machine=router.machine, catalog=router.catalog, sweep=sweep)
    if as_json:
        print_json(as_line(report))
    else:
        _print(report, router.machine.name)
    if plot is not None and not draw(report.evaluation, plot, costs=sample.costs):
        typer.echo('no plot: matplotlib is not installed\n  try: pip install "qwen-router[corpus]"', err=True)


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def read_sample(path: str, *, catalog: Catalog, maps: Mapping[str, Model]) -> Sample:
    """The usable lines of a file; what is wrong with the others goes to stderr, a line each.

    The models are those that at least half of the lines have. Raises `InvalidRequest` when nothing can be judged.
    """
    lines, broken = _read(path)
    if not lines:
        raise InvalidRequest(f"{path!r} holds no usable outcome", fix=f"one JSON object a line: {EXAMPLE}")
    counts = Counter(name for line in lines for name in line.recorded)
    models = tuple(name for name, count in counts.items() if 2 * count >= len(lines))
    notes = [
        f"{name} has outcomes on {n} of {len(lines)} lines: left out" for name, n in counts.items() if name not in models
    ]
    unmet = sorted(set(maps) - set(counts))
    if unmet:
        raise UnknownName.among(unmet[0], counts, kind="model of the file")
    rows = {name: maps.get(name) or catalog.resolve(name) for name in models}
    _refuse_twins(rows)
    priced = sum(all(r.cost is not None for name in models if (r := line.recorded.get(name))) for line in lines)
    given = 2 * priced >= len(lines)
    if not given:
        models, costs = _unpriced(models, rows, notes)
    if len(models) < 2:
        raise InvalidRequest(f"outcomes of {len(models)} model(s): nothing to choose", fix="at least two models a line")
    kept = []
    for line in lines:
        missing = next((name for name in models if name not in line.recorded), None)
        unpriced = next(
            (name for name in models if given and name in line.recorded and line.recorded[name].cost is None), None
        )
        if missing is None and unpriced is None:
            kept.append(line)
        else:
            broken += 1
            _complain(line.id, f"no outcome of {missing!r}" if missing is not None else f"no cost of {unpriced!r}")
    if not kept:
        raise InvalidRequest(f"no line of {path!r} has outcomes of all its models", fix="give every line the same models")
    return _sample(kept, models, rows, None if given else costs, broken, notes)


def _sample(
    kept: Sequence[Line],
    models: Sequence[str],
    rows: Mapping[str, Model | None],
    costs: tuple[dict[str, float] | None, str] | None,
    broken: int,
    notes: Sequence[str],
) -> Sample:
    """The arrays. `costs` None takes the file's; else it is each model's cost and what that is in words, or, without
    the costs, the share of calls to the better of two models."""
    import numpy as np

    from qwen_router.decide.evaluation import Outcomes, best_fixed

    quality = np.array([[line.recorded[name].quality for name in models] for line in kept])
    if costs is None:
        said = "as the file gives them"
        cost = np.array([[line.recorded[name].cost for name in models] for line in kept], dtype=np.float64)
    else:
        each, said = costs
        if each is None:
            strong = best_fixed(Outcomes(tuple(models), quality, np.zeros_like(quality)))
            each = {name: float(m == strong) for m, name in enumerate(models)}
            said = f"the share of calls to {models[strong]}"
        cost = np.tile([each[name] for name in models], (len(kept), 1))
    found = tuple(rows[name] for name in models)
    return Sample(tuple(kept), Outcomes(tuple(models), quality, cost), found, said, broken, tuple(notes))


def _unpriced(
    models: tuple[str, ...], rows: Mapping[str, Model | None], notes: list[str]
) -> tuple[tuple[str, ...], tuple[dict[str, float] | None, str]]:
    """Models and costs where the file gives none: relative to active parameters, or for two strangers the share of calls."""
    sizes = {name: _active(row) for name, row in rows.items()}
    if len(models) == 2 and None in sizes.values():
        return models, (None, "")
    for name in (name for name in models if sizes[name] is None):
        notes.append(f"{name} has no cost and no size in the catalog: left out (give costs, or --map it)")
    known = {name: float(size) for name in models if (size := sizes[name]) is not None}
    if len(known) < 2:
        fix = "give each outcome a cost, or --map the file's names to models of the catalog"
        raise InvalidRequest("the file gives no costs, and fewer than two of its models are in the catalog", fix=fix)
    largest = max(known.values())
    each = {name: size / largest for name, size in known.items()}
    return tuple(known), (each, "relative to active parameters, as the file gives none; the largest is 1")


def _active(row: Model | None) -> int | None:
    return None if row is None else row.active_params or row.total_params


def _read(path: str) -> tuple[list[Line], int]:
    """The lines that can be read, and how many cannot."""
    lines, broken = [], 0
    try:
        with open_lines(path) as raw_lines, progress(None, "reading") as advance:
            for number, raw in enumerate(raw_lines, 1):
                advance(1)
                if not raw.strip():
                    continue
                line_id: Any = number
                try:
                    item = _object(raw)
                    line_id = item.get("id", number)
                    lines.append(_line(line_id, item))
                except RouterError as error:
                    broken += 1
                    _complain(line_id, str(error))
    except zlib.error as error:
        raise InvalidRequest(f"{path!r} is a damaged gzip file: {error}", fix="unpack it by hand and look") from error
    return lines, broken


def _complain(line_id: Any, problem: str) -> None:
    typer.echo(json.dumps({"id": line_id, "error": problem}), err=True)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        item = json.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InvalidRequest(f"not JSON: {error}", fix="one JSON object a line, in UTF-8") from error
    if not isinstance(item, dict):
        raise InvalidRequest("no JSON object", fix=EXAMPLE)
    return item


def _line(line_id: Any, item: Mapping[str, Any]) -> Line:
    from qwen_router.request import Request

    if "text" not in item and "messages" not in item:
        raise InvalidRequest("neither 'text' nor 'messages'", fix=EXAMPLE)
    body = {"messages": item["messages"]} if "messages" in item else {"text": item["text"]}
    given = item.get("outcomes", item.get("correct"))
    if not isinstance(given, dict) or not given:
        raise InvalidRequest("no 'outcomes' (or 'correct') by model", fix=EXAMPLE)
    task = item.get("task")
    recorded = {name: _recorded(name, value) for name, value in given.items()}
    return Line(line_id, Request.of(body), task if isinstance(task, str) else None, recorded)


def _recorded(name: str, value: Any) -> Recorded:
    cost = None
    if isinstance(value, dict):
        value, cost = value.get("quality", value.get("correct")), value.get("cost")
    if not isinstance(value, bool | int | float) or not 0 <= value <= 1:
        raise InvalidRequest(f"the quality of {name!r} is {value!r}", fix="a number from 0 to 1, or true or false")
    bad = cost is not None and (isinstance(cost, bool) or not isinstance(cost, int | float) or not 0 <= cost <= 1e12)
    if bad:
        raise InvalidRequest(f"the cost of {name!r} is {cost!r}", fix="a number of at least 0, or leave it out")
    return Recorded(float(value), None if cost is None else float(cost))


def _mapped(maps: Sequence[str], catalog: Catalog) -> dict[str, Model]:
    """`NAME=CATALOG_ID`, read; the last `=` parts them."""
    found = {}
    for pair in maps:
        name, parted, model = pair.rpartition("=")
        if not parted or not name or not model:
            raise InvalidRequest(f"--map {pair!r} is no NAME=CATALOG_ID", fix="--map gpt-4=Qwen/Qwen2.5-72B-Instruct")
        found[name] = catalog.get(model)
    return found


def _refuse_twins(rows: Mapping[str, Model | None]) -> None:
    owners: dict[str, str] = {}
    for name, row in rows.items():
        if row is not None and owners.setdefault(row.id, name) != name:
            fix = "keep one of them, or --map one to another model"
            raise InvalidRequest(
                f"{owners[row.id]!r} and {name!r} are both {row.id}: the router cannot tell them apart", fix=fix
            )


# ── judging ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def judge(
    sample: Sample,
    *,
    policy: Policy,
    machine: Machine,
    catalog: Catalog,
    sweep: bool = False,
    profiles: Sequence[Profile] | None = None,
) -> Report:
    """Choose for every line and judge that. `profiles` None asks the classifier."""
    import numpy as np

    from qwen_router.decide import evaluation as ev

    profiles = profiles or _profiles(sample)
    outcomes, requests = sample.outcomes, [line.request for line in sample.lines]
    table = ev.table_of([row.id for row in sample.rows if row is not None], policy, machine, catalog)
    if table is not None:
        ids = [name if row is None else row.id for name, row in zip(outcomes.models, sample.rows, strict=True)]
        with progress(None, "deciding"):
            chosen = ev.chosen_by_decision(outcomes, requests, profiles, table, ids, sweep=sweep)
        notes = _notes_of_decision(sample, table, int((chosen.choice < 0).sum()))
    elif len(outcomes.models) == 2:
        chosen = ev.chosen_by_difficulty(outcomes, profiles)
        notes = [RANKED.format(outcomes.models[ev.best_fixed(outcomes)])]
    else:
        fix = f"--map {outcomes.models[0]}=Qwen/Qwen2.5-7B-Instruct, and so on"
        raise InvalidRequest("fewer than two models of the file are in the catalog", fix=fix)
    domains, folds = [profile.domain for profile in profiles], ev.folds_of([line.group for line in sample.lines])
    sweeps = list(chosen.sweeps)
    if sweeps:
        prices = ev.domain_prices(outcomes, domains)
        sweeps.append(ev.Sweep("domain only", prices, ev.domain_only(outcomes, domains, folds, prices)))
    by_domain = ev.domain_only(outcomes, domains, folds, np.zeros(1))[0]
    judged = ev.evaluate(outcomes, {"router": chosen.choice}, sweeps, domains=by_domain)
    apgr = {}
    if chosen.score is not None:
        strong = ev.best_fixed(outcomes)
        lengths = np.array([sum(len(m.text) for m in r.messages) for r in requests], dtype=np.float64)
        scores = {"router": chosen.score, "text length": lengths}
        apgr = ev.judged_apgr(scores, weak=outcomes.quality[:, 1 - strong], strong=outcomes.quality[:, strong])
    return Report(sample, judged, apgr, (*sample.notes, *notes))


def _notes_of_decision(sample: Sample, table: CandidateTable, nobody: int) -> list[str]:
    offered = {build.model.id for build in table.builds}
    notes = [
        f"{name} is not in the catalog: judged as a fixed model, never chosen (--map it)"
        for name, row in zip(sample.outcomes.models, sample.rows, strict=True)
        if row is None or row.id not in offered
    ]
    if nobody:
        notes.append(f"{nobody} requests got no model: the policy refuses all, or none fits {table.machine.name}")
    return notes


def _profiles(sample: Sample) -> list[Profile]:
    from qwen_router.profile import inspect_many

    profiles: list[Profile] = []
    with progress(len(sample.lines), "classifying") as advance:
        for start in range(0, len(sample.lines), 256):
            batch = [line.request for line in sample.lines[start : start + 256]]
            profiles += inspect_many(batch)
            advance(len(batch))
    return profiles


# ── telling ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def as_line(report: Report) -> dict[str, Any]:
    """The report for programs."""
    from qwen_router.decide.evaluation import estimate_line, evaluation_line

    sample = report.sample
    rows = zip(sample.outcomes.models, sample.rows, strict=True)
    return {
        "requests": len(sample.lines),
        "left_out": sample.left_out,
        "models": {name: {"catalog": None if row is None else row.id} for name, row in rows},
        "costs": sample.costs,
        **evaluation_line(report.evaluation, sample.outcomes.models),
        "apgr": {
            name: {"value": estimate_line(own), "router_has_more": estimate_line(more)}
            for name, (own, more) in report.apgr.items()
        },
        "notes": list(report.notes),
    }


def _with_bounds(estimate: Estimate, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    return f"{estimate.value:{sign}.3f} ({estimate.low:{sign}.3f} to {estimate.high:{sign}.3f})"


def _print(report: Report, machine: str) -> None:
    from rich.table import Table

    sample, judged = report.sample, report.evaluation
    out = console()
    out.print(f"{len(sample.lines)} requests, {sample.left_out} lines left out; 95 % bootstrap intervals", markup=False)
    out.print(f"costs: {sample.costs}", markup=False)
    out.print(f"decided for {machine} (--machine names another)", markup=False)
    for note in report.notes:
        out.print(f"note: {note}", markup=False)
    table = Table(box=None, pad_edge=False)
    for name in ("way to choose", "quality", "cost", "regret", "above mixing"):
        table.add_column(name, justify="left" if name == "way to choose" else "right", overflow="fold")
    for rule in judged.rules:
        columns = (_with_bounds(rule.quality), _with_bounds(rule.cost), f"{rule.regret.value:.3f}")
        table.add_row(rule.name.rpartition("/")[2], *columns, _with_bounds(rule.above_mixing, signed=True))
    out.print(table)
    for line in _sentences(report):
        out.print(line, markup=False)


def _sentences(report: Report) -> list[str]:
    judged, models = report.evaluation, report.sample.outcomes.models
    router, best, oracle = judged.rule("router"), judged.rule(judged.best_fixed), judged.rule("oracle")
    shares = ", ".join(f"{name.rpartition('/')[2]} {share:.1%}" for name, share in zip(models, router.shares, strict=True))
    low, high = router.above_mixing.low, router.above_mixing.high
    worth = (
        "worth something"
        if low > 0
        else "worse than mixing at random"
        if high < 0
        else "not told apart from mixing at random"
    )
    told = [
        f"the router takes {shares}",
        f"against the best model: {_with_bounds(router.above_best, signed=True)} at {_percent(router, best)} of its cost",
    ]
    if router.above_domains is not None:
        told.append(f"against the best model per domain: {_with_bounds(router.above_domains, signed=True)}")
    told.append(f"the oracle costs {_percent(oracle, best)} of the best fixed model")
    told.append(f"against mixing fixed models for the same cost: {_with_bounds(router.above_mixing, signed=True)}: {worth}")
    for curve in judged.curves:
        if curve.area is not None and curve.area_above_mixing is not None:
            told.append(
                f"area under the curve of {curve.name}: {_with_bounds(curve.area)}, "
                f"{_with_bounds(curve.area_above_mixing, signed=True)} above mixing"
            )
    for name, (own, more) in report.apgr.items():
        told.append(
            f"APGR by {name}: {_with_bounds(own)}" + ("" if name == "router" else f"; the router has {more.value:+.3f}")
        )
    return told


def _percent(rule: Judged, other: Judged) -> str:
    return f"{rule.cost.value / other.cost.value:.0%}" if other.cost.value > 0 else "an unknown part"


def draw(evaluation: Evaluation, path: Path, *, costs: str) -> bool:
    """Quality against cost, the same file for the same figures; False where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "qwen-router"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 5))
    for curve in evaluation.curves:
        axes.plot([p[1] for p in curve.points], [p[2] for p in curve.points], marker=".", label=curve.name)
    for rule in evaluation.rules:
        axes.scatter(rule.cost.value, rule.quality.value, s=30, zorder=3)
        axes.annotate(rule.name.rpartition("/")[2], (rule.cost.value, rule.quality.value), fontsize=7, xytext=(4, -8),
                      textcoords="offset points")  # fmt: skip
    costs_of, mixed = zip(*evaluation.mixed, strict=True)
    axes.plot(costs_of, mixed, linestyle=":", color="grey", label="mixing fixed models at random")
    axes.set(xlabel=f"mean cost ({costs})", ylabel="mean quality")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    try:
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    except ValueError as error:
        raise InvalidRequest(f"--plot {str(path)!r}: {error}", fix="end it in .svg or .png") from error
    finally:
        pyplot.close(figure)
    return True
