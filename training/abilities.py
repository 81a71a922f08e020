"""Fit what each model can do, per domain and thinking mode, from the catalog's published scores, and ship it as a table.

The model is `ability_model.py`, its held-out errors `ability_held_out.py`, what a quantisation costs `ability_quants.py`,
published relations between models `ability_relations.py`; here are the stated priors on top, and the file. What reads the
file is `qwen_router/decide/ability.py`.

    python -m training.abilities --out qwen_router/decide/data/abilities.json
    python -m training.abilities --evaluate --relations --quantisations
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from qwen_router.catalog import Catalog, Model
from qwen_router.profile.types import DOMAINS
from training.ability_held_out import evaluation, held_out, held_out_models, sd_factors
from training.ability_model import (
    AXES,
    COLUMNS,
    KIND_COLUMNS,
    TRANSLATION_IS,
    TUNED,
    Design,
    Floats,
    Key,
    Observation,
    Scales,
    design,
    fitted,
    observed,
    problem,
    scored_cells,
    tuned,
)
from training.ability_quants import quantisations, report_quantisations, size_rule
from training.ability_relations import checked, report
from training.benchmark_domains import KINDS, LANGUAGES, PARALLEL

REFERENCE: Key = ("Qwen/Qwen2.5-7B-Instruct", False)
"""The "mid-size model" of a profile's difficulty, see docs/abilities.md."""
MATHS_ONLY_LOGITS = -1.0
"""Stated prior, not a measurement: the Qwen2.5-Math README advises against anything but maths. Qwen2-Math is its like."""
DEMO_LOGITS, DEMO_SD = -3.0, 1.5
"""Stated prior: how far below the weakest Qwen the demonstration model is set in every domain."""
SEEN, SPOKEN = COLUMNS.index("vision"), COLUMNS.index(LANGUAGES)
PICTURES = [SEEN, *(COLUMNS.index(kind) for kind in KIND_COLUMNS)]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, help="where to write abilities.json")
    parser.add_argument("--evaluate", action="store_true", help="held-out errors and how often the cautious bound holds")
    parser.add_argument(
        "--relations", action="store_true", help="published relations, and what is left without their scores"
    )
    parser.add_argument("--quantisations", action="store_true", help="what each quantisation costs, and the source")
    args = parser.parse_args(argv)
    if args.quantisations:
        print(report_quantisations())
    if not (args.out or args.evaluate or args.relations):
        return
    models = tuple(m for m in Catalog.load().models if m.kind == "chat" and not m.hosted)  # of unknown size: no prior
    observations = observed(models)
    at = design(models)
    scales, sharpness = tuned(at, observations)
    if args.relations:
        print(report(checked(at, observations, scales, sharpness)))
    if not (args.out or args.evaluate):
        return
    results = held_out(at, observations, scales, sharpness)
    if args.evaluate:
        print(evaluation(results, held_out_models(at, observations, scales, sharpness)))
    if args.out:
        made = table(models, at, observations, scales, sharpness, widening=sd_factors(results))
        text = json.dumps(made, ensure_ascii=False, indent=None, separators=(",", ":"))
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text.replace('{"model"', '\n{"model"') + "\n", encoding="utf-8")


def digest(observations: Sequence[Observation]) -> str:
    """Of what the table was fitted to, so that a test can tell when the catalog has moved on."""
    told = "\n".join(f"{o.key} {o.benchmark} {o.percent} {o.variance:.6f}" for o in observations)
    return hashlib.sha256(told.encode()).hexdigest()


def outside_english(observations: Sequence[Observation]) -> tuple[float, float]:
    """What the same questions cost in other languages, in logits, and how sure that is.

    The median over the parallel benchmarks of `PARALLEL`, each counting once as the mean over the models that have both, and
    the standard error of that median. They were not run alike in everything, hence a median.
    """
    scores = {(o.key, o.benchmark): o.logit for o in observations}
    losses = []
    for translated, original in PARALLEL:
        pairs = [(scores[key, translated], scores[key, original]) for key, name in scores if name == translated
                 and (key, original) in scores]  # fmt: skip
        if pairs:
            losses.append(float(np.mean([there - here for there, here in pairs])))
    return float(np.median(losses)), float(1.2533 * np.std(losses, ddof=1) / np.sqrt(len(losses)))


def table(
    models: Sequence[Model],
    at: Design,
    observations: Sequence[Observation],
    scales: Scales,
    sharpness: Mapping[str, float],
    *,
    widening: Mapping[str, float],
) -> dict[str, object]:
    """`widening` stretches the posterior's standard deviations until the cautious bound holds nine times in ten."""
    posed = problem(at, observations, sharpness)
    mean, sd = fitted(posed, scales)
    sd = sd * np.array([widening[column] for column in COLUMNS])
    loss, loss_sd = outside_english(observations)
    mean[:, SPOKEN] += loss
    sd[:, SPOKEN] = np.hypot(sd[:, SPOKEN], loss_sd)
    keys, scored = posed.design.keys, scored_cells(posed)
    by_id = {m.id: m for m in models}
    rows = []
    for n, key in enumerate(keys):
        has = _backed(key, scored)
        row_mean, row_sd = mean[n].copy(), sd[n].copy()
        if by_id[key[0]].family in ("qwen2-math", "qwen2.5-math"):
            outside = np.array([column in AXES and column != "math" and not has[c] for c, column in enumerate(COLUMNS)])
            row_mean[outside] += MATHS_ONLY_LOGITS
            row_sd[outside] = np.hypot(row_sd[outside], abs(MATHS_ONLY_LOGITS))
        rows.append(_table_row(by_id[key[0]], key[1], row_mean, row_sd, has))
    for model in models:
        if model.demo:
            lowest = mean.min(axis=0) + DEMO_LOGITS
            lowest[SPOKEN] -= DEMO_LOGITS
            spread, none = np.full(len(COLUMNS), DEMO_SD), [False] * len(COLUMNS)
            rows += [_table_row(model, t, lowest, spread, none) for t in (False, True)]
    unknown = (np.percentile(mean, 10, axis=0), mean.std(axis=0) + sd.mean(axis=0))
    return {
        "domains": list(DOMAINS),
        "kinds": list(KINDS),
        "made_by": "training/abilities.py",
        "observations": len(observations),
        "sha256": digest(observations),
        "sd_factors": {column: round(factor, 3) for column, factor in widening.items()},
        "scales": {name: getattr(scales, name) for name in (*TUNED, "slope", "difficulty")},
        "sharpness": {name: round(value, 3) for name, value in sorted(sharpness.items())},
        "outside_english": _rounded([loss, loss_sd]),
        "reference": _cells(*REFERENCE, mean[keys.index(REFERENCE)], sd[keys.index(REFERENCE)]),
        "unknown": _cells("", False, *unknown),
        "quantisations": quantisations(),
        "quantisation_size": size_rule(),
        "rows": rows,
    }


def _backed(key: Key, scored: frozenset[tuple[Key, str]]) -> list[bool]:
    """Which columns a published score backs. Translation is made of others, and backed when all of them are."""
    has = [(key, column) in scored for column in COLUMNS]
    has[COLUMNS.index("translation")] = all((key, column) in scored for column in TRANSLATION_IS)
    return has


def _cells(model_id: str, thinking: bool, mean: Floats, sd: Floats) -> dict[str, object]:
    """`pictures`: vision, then the kinds of picture. `languages`: the offset outside English."""
    cut = len(DOMAINS)
    return {
        "model": model_id,
        "thinking": thinking,
        "mean": _rounded(mean[:cut]),
        "sd": _rounded(sd[:cut]),
        "languages": _rounded([mean[SPOKEN], sd[SPOKEN]]),
        "pictures": [_rounded(mean[PICTURES]), _rounded(sd[PICTURES])],
    }


def _table_row(model: Model, thinking: bool, mean: Floats, sd: Floats, has: Sequence[bool]) -> dict[str, object]:
    """`pictures` is null for models that take no images; `scored` says which figures a published score backs."""
    row = _cells(model.id, thinking, mean, sd)
    if "image" not in model.modalities:
        row["pictures"] = None
    backed = [*has[: len(DOMAINS)], has[SPOKEN], *(has[column] for column in PICTURES)]
    return row | {"scored": "".join("01"[backing] for backing in backed)}


def _rounded(values: Sequence[float] | Floats) -> list[float]:
    return [round(float(v), 3) for v in values]


if __name__ == "__main__":
    main()
