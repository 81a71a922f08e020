"""Fit what each model can do, per domain and thinking mode, from the catalog's published scores, and ship it as a table.

The model is `ability_model.py`, its held-out errors `ability_held_out.py`; here are the stated priors on top of it, what a
quantisation costs, and the file. What reads the file is `qwen_router/decide/ability.py`.

    python -m training.abilities --out qwen_router/decide/data/abilities.json
    python -m training.abilities --evaluate
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
from training.ability_held_out import evaluation, held_out, sd_factor
from training.ability_model import (
    AXES,
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

REFERENCE: Key = ("Qwen/Qwen2.5-7B-Instruct", False)
"""The "mid-size model" of a profile's difficulty, see docs/abilities.md."""
MATHS_ONLY_LOGITS = -1.0
"""Stated prior, not a measurement: the Qwen2.5-Math README advises against anything but maths. Qwen2-Math is its like."""
DEMO_LOGITS, DEMO_SD = -3.0, 1.5
"""Stated prior: how far below the weakest Qwen the demonstration model is set in every domain."""
INT4_PAIRS = (
    (37.9, 33.0, 0.25),
    (52.4, 50.7, 0.25),
    (70.5, 67.8, 0.25),
    (82.3, 80.8, 0.25),
    (20.0, 16.8, 0.0),
    (29.0, 27.0, 0.0),
    (53.1, 49.4, 0.0),
    (77.6, 78.9, 0.0),
)
"""BF16 score, GPTQ-Int4 score, share of guessing: MMLU, then IFEval, of Qwen2-Instruct 0.5B, 1.5B, 7B, 72B."""
PERPLEXITY_RATIOS = ((1.000689, 1.014242), (1.000425, 1.028160))
"""Perplexity of Q8_0 and of Q4_K_M over that of FP16: Llama 2 7B, Llama 3 8B."""


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, help="where to write abilities.json")
    parser.add_argument("--evaluate", action="store_true", help="leave-one-benchmark-out error, as a markdown table")
    args = parser.parse_args(argv)
    models = tuple(m for m in Catalog.load().models if m.kind == "chat" and not m.hosted)  # of unknown size: no prior
    observations = observed(models)
    at = design(models)
    scales, sharpness = tuned(at, observations)
    results = held_out(at, observations, scales, sharpness)
    if args.evaluate:
        print(evaluation(results))
    if args.out:
        made = table(models, at, observations, scales, sharpness, widening=sd_factor(results))
        text = json.dumps(made, ensure_ascii=False, indent=None, separators=(",", ":"))
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text.replace('{"model"', '\n{"model"') + "\n", encoding="utf-8")


def digest(observations: Sequence[Observation]) -> str:
    """Of what the table was fitted to, so that a test can tell when the catalog has moved on."""
    told = "\n".join(f"{o.key} {o.benchmark} {o.percent} {o.variance:.6f}" for o in observations)
    return hashlib.sha256(told.encode()).hexdigest()


def table(
    models: Sequence[Model],
    at: Design,
    observations: Sequence[Observation],
    scales: Scales,
    sharpness: Mapping[str, float],
    *,
    widening: float,
) -> dict[str, object]:
    """`widening` stretches the posterior's standard deviations to what the held-out benchmarks showed."""
    posed = problem(at, observations, sharpness)
    mean, sd = fitted(posed, scales)
    sd = sd * max(1.0, widening)
    keys, scored = posed.design.keys, scored_cells(posed)
    by_id = {m.id: m for m in models}
    rows = []
    for n, key in enumerate(keys):
        has = [(key, axis) in scored for axis in AXES]
        row_mean, row_sd = mean[n].copy(), sd[n].copy()
        if by_id[key[0]].family in ("qwen2-math", "qwen2.5-math"):
            outside = np.array([axis != "math" and not has[a] for a, axis in enumerate(AXES)])
            row_mean[outside] += MATHS_ONLY_LOGITS
            row_sd[outside] = np.hypot(row_sd[outside], abs(MATHS_ONLY_LOGITS))
        rows.append(_table_row(by_id[key[0]], key[1], row_mean, row_sd, has))
    for model in models:
        if model.demo:
            lowest = mean.min(axis=0) + DEMO_LOGITS
            rows += [_table_row(model, t, lowest, np.full(len(AXES), DEMO_SD), [False] * len(AXES)) for t in (False, True)]
    reference = keys.index(REFERENCE)
    return {
        "domains": list(DOMAINS),
        "made_by": "training/abilities.py",
        "observations": len(observations),
        "sha256": digest(observations),
        "sd_factor": round(widening, 3),
        "scales": {name: getattr(scales, name) for name in (*TUNED, "slope", "difficulty")},
        "sharpness": {name: round(value, 3) for name, value in sorted(sharpness.items())},
        "reference": {"model": REFERENCE[0], "thinking": REFERENCE[1], "mean": _rounded(mean[reference])},
        "unknown": {"mean": _rounded(np.percentile(mean, 10, axis=0)), "sd": _rounded(mean.std(axis=0) + sd.mean(axis=0))},
        "quantisations": quantisations(),
        "rows": rows,
    }


def quantisations() -> dict[str, dict[str, object]]:
    """What each quantisation costs, from published measurements, with what they were and how they were turned into logits.

    4 bits: the median loss between Qwen2's own BF16 and GPTQ-Int4 rows, which stand in for Q4_K_M. 8 bits: that loss times
    how much less perplexity Q8_0 costs than Q4_K_M in llama.cpp.
    """

    def logit(percent: float, floor: float) -> float:
        share = (percent / 100 - floor) / (1 - floor)
        return float(np.log(share / (1 - share)))

    four_bits = float(np.median([logit(full, floor) - logit(cut, floor) for full, cut, floor in INT4_PAIRS]))
    eight_bits = four_bits * float(np.mean([np.log(q8) / np.log(q4) for q8, q4 in PERPLEXITY_RATIOS]))
    qwen = "QwenLM/Qwen3:docs/source/getting_started/quantization_benchmark.rst, MMLU and IFEval of Qwen2 0.5B to 72B"
    llama = "ggml-org/llama.cpp pull request 6936, mean perplexity ratios of Llama 2 7B and Llama 3 8B"
    none = "the precision that scores are published for"
    return {
        "bf16": {"logits": 0.0, "source": none},
        "f16": {"logits": 0.0, "source": none},
        "q8_0": {"logits": round(eight_bits, 4), "source": f"q4_K_M scaled by {llama}"},
        "q4_K_M": {"logits": round(four_bits, 3), "source": f"GPTQ-Int4 as a stand-in: {qwen}"},
    }


def _table_row(model: Model, thinking: bool, mean: Floats, sd: Floats, has: Sequence[bool]) -> dict[str, object]:
    """`vision` is the last column, null for models that take no images."""
    sees = "image" in model.modalities
    cut = len(DOMAINS)
    return {
        "model": model.id,
        "thinking": thinking,
        "mean": _rounded(mean[:cut]),
        "sd": _rounded(sd[:cut]),
        "scored": list(has[:cut]),
        "vision": [round(float(mean[cut]), 3), round(float(sd[cut]), 3), has[cut]] if sees else None,
    }


def _rounded(values: Floats) -> list[float]:
    return [round(float(v), 3) for v in values]


if __name__ == "__main__":
    main()
