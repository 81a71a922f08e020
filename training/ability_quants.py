"""What a quantisation costs, from published measurements, by one rule; `abilities.py` ships the result.

The loss of a quantisation is in logits of the share of right answers above guessing, for a model of eight billion
parameters; other sizes multiply it by `(8e9 / parameters) ** SIZE_EXPONENT`. A measurement is one of two kinds:

- pairs of accuracies, before and after: the loss is their difference in logits, averaged with the inverse of its sampling
  variance, each brought to 8B first;
- perplexities: the loss is `logits_per_nat()` times the logarithm of their ratio. How many logits a nat costs is itself
  measured, on models of which both perplexity and accuracy were published at several precisions.

    python -c "from training.ability_quants import quantisations; print(quantisations()['q4_K_M'])"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

REFERENCE_PARAMS = 8e9
SIZE_RANGE = (0.5e9, 72e9)
"""The sizes that were measured. Smaller and larger ones count as these."""

QWEN2 = "QwenLM/Qwen2.5:docs/source/getting_started/quantization_benchmark.rst (MMLU, C-Eval, IFEval of Qwen2 0.5B to 72B)"
LLAMA3 = "ggml-org/llama.cpp:examples/perplexity/README.md (WikiText-2, Llama 3 8B; pull request 6936)"
HF_BLOG = "huggingface/blog:overview-quantization-transformers.md (ARC, HellaSwag, MMLU of Llama 2 7B and 13B)"
QWEN3_FP8 = "github.com/tgarg01/silybench-data:derived/csv/accuracy.csv (six benchmarks of Qwen3-8B, BF16 and FP8)"
QWQ_FP8 = "huggingface.co/neuralmagic-ent/QwQ-32B-Preview-FP8-dynamic (average of the six of OpenLLM v1)"
MLX = "baa.ai/articles/38-mint-benchmark-results.html (WikiText-2, Qwen3.5-35B-A3B, uniform 4 bits in MLX)"
BOTH = "github.com/cs-giung/transformerx (MMLU and WikiText-2 of Llama 30B, Llama 2 7B and 13B, Llama 13B at 4 to 16 bits)"


@dataclass(frozen=True)
class Pair:
    """One accuracy before and after, of a model of so many parameters, on so many questions."""

    params: float
    before: float
    after: float
    questions: int
    floor: float = 0.25

    def loss(self) -> float:
        return _logit(self.before, self.floor) - _logit(self.after, self.floor)

    def variance(self) -> float:
        """Of the loss, as if the two runs were independent: an upper bound, for they answer the same questions."""
        share = self.before / 100
        slope = (1 - self.floor) / ((share - self.floor) * (1 - share))
        return 2 * share * (1 - share) / self.questions * slope**2


def _logit(percent: float, floor: float) -> float:
    share = (percent / 100 - floor) / (1 - floor)
    return float(np.log(share / (1 - share)))


def _qwen2(*columns: tuple[float, tuple[float, float, float], tuple[float, float, float]]) -> tuple[Pair, ...]:
    """MMLU, C-Eval, IFEval with the sizes of their test sets."""
    tests = ((14042, 0.25), (1346, 0.25), (541, 0.0))
    return tuple(
        Pair(billions * 1e9, before, after, questions, floor)
        for billions, befores, afters in columns
        for before, after, (questions, floor) in zip(befores, afters, tests, strict=True)
    )


_BF16 = {72: (82.3, 83.8, 77.6), 7: (70.5, 77.2, 53.1), 1.5: (52.4, 63.8, 29.0), 0.5: (37.9, 45.2, 20.0)}
GPTQ_INT8 = _qwen2(
    (72, _BF16[72], (81.3, 83.4, 77.5)),
    (7, _BF16[7], (69.1, 76.7, 52.9)),
    (1.5, _BF16[1.5], (53.0, 62.5, 28.8)),
    (0.5, _BF16[0.5], (35.6, 43.9, 18.1)),
)
GPTQ_INT4 = _qwen2(
    (72, _BF16[72], (80.8, 83.9, 78.9)),
    (7, _BF16[7], (67.8, 75.2, 49.4)),
    (1.5, _BF16[1.5], (50.7, 57.4, 27.0)),
    (0.5, _BF16[0.5], (33.0, 39.2, 16.8)),
)
AWQ = _qwen2(
    (72, _BF16[72], (80.5, 83.9, 76.9)),
    (7, _BF16[7], (67.4, 73.6, 51.4)),
    (1.5, _BF16[1.5], (51.6, 58.1, 29.9)),
    (0.5, _BF16[0.5], (34.4, 42.1, 16.7)),
)
BNB_4BIT = (
    Pair(6.7e9, 53.07, 53.07, 1172),
    Pair(6.7e9, 78.59, 77.74, 10042),
    Pair(6.7e9, 46.87, 43.80, 14042),
    Pair(13e9, 59.39, 58.11, 1172),
    Pair(13e9, 82.13, 80.97, 10042),
    Pair(13e9, 55.74, 54.34, 14042),
)
FP8 = (
    Pair(8.2e9, 63.18, 62.63, 12032, 0.1),
    Pair(8.2e9, 49.49, 45.45, 198),
    Pair(8.2e9, 83.85, 86.43, 1319, 0.0),
    Pair(8.2e9, 80.80, 82.20, 500, 0.0),
    Pair(8.2e9, 83.36, 83.55, 541, 0.0),
    Pair(8.2e9, 87.97, 87.63, 1172),
    Pair(32.8e9, 77.20, 77.08, 28659, 0.25),
)
BOTH_MEASURED = (
    # MMLU and perplexity at 16 bits, then at fewer: Llama 13B, 30B, Llama 2 7B, 13B. Llama 7B is left out: it hardly beats
    # guessing. Eight bits are left out: both measures move by less than their noise.
    (47.60, 5.087, ((46.92, 5.095), (46.22, 5.196), (43.45, 5.719))),
    (54.75, 4.098, ((55.05, 4.121), (54.75, 4.208), (51.99, 4.743))),
    (47.05, 5.468, ((45.95, 5.524), (43.51, 5.677), (38.45, 7.134))),
    (56.70, 4.880, ((55.57, 4.899), (57.27, 4.973), (52.08, 5.398))),
)
LLAMA3_F16 = 6.231633
"""What the table there takes its differences from."""
LLAMA3_PERPLEXITY = {
    "q8_0": 6.234284,
    "q6_K": 6.253382,
    "q5_K_M": 6.288607,
    "q5_K_S": 6.336598,
    "q5_1": 6.337857,
    "q5_0": 6.363224,
    "q4_K_M": 6.407115,
    "q4_K_S": 6.500529,
    "iq4_NL": 6.455593,
    "iq4_XS": 6.459705,
    "q4_1": 6.682737,
    "q4_0": 6.700147,
    "q3_K_L": 6.787876,
    "q3_K_M": 6.888498,
    "q3_K_S": 7.863786,
    "iq3_M": 6.898327,
    "iq3_S": 6.965501,
    "iq3_XS": 7.163043,
    "iq3_XXS": 7.458436,
    "q2_K": 9.751568,
    "q2_K_S": 9.323778 * 9.751568 / 8.647825,
    "iq2_M": 8.600799,
    "iq2_S": 9.650781,
    "iq2_XS": 10.761424,
    "iq2_XXS": 14.091782,
    "iq1_M": 25.493722,
    "iq1_S": 60.694593,
}
"""Without an importance matrix, as files are by default; the `iq` types with one, for they are made with it. q2_K_S was
only measured with one: its figure is raised by what q2_K loses without."""
MLX_4BIT = (35.95e9, 6.835, 6.586)
"""Parameters, perplexity at 4 bits, at BF16."""


def logits_per_nat() -> float:
    """How many logits of accuracy a nat of perplexity costs: least squares through the origin over `BOTH_MEASURED`."""
    nats, losses = [], []
    for accuracy, perplexity, cuts in BOTH_MEASURED:
        for cut, worse in cuts:
            nats.append(np.log(worse / perplexity))
            losses.append(_logit(accuracy, 0.25) - _logit(cut, 0.25))
    return float(np.dot(nats, losses) / np.dot(nats, nats))


def size_exponent() -> float:
    """How fast losses shrink with size: the best fit to Qwen2's accuracies at four sizes and three quantisations.

    Each quantisation has its own level; the exponent is theirs in common, on a grid of hundredths.
    """

    def misfit(exponent: float) -> float:
        total = 0.0
        for pairs in (GPTQ_INT4, AWQ, GPTQ_INT8):
            at_8b = loss_at_8b(pairs, exponent)
            total += sum((p.loss() - at_8b * _size(p.params, exponent)) ** 2 / p.variance() for p in pairs)
        return total

    return float(min(np.arange(0, 101) / 100, key=misfit))


def loss_at_8b(pairs: Sequence[Pair], exponent: float) -> float:
    """Least squares, weighted by what the sampling of the questions leaves; never a gain."""
    sizes = np.array([_size(p.params, exponent) for p in pairs])
    losses, weights = np.array([p.loss() for p in pairs]), 1 / np.array([p.variance() for p in pairs])
    return max(0.0, float((weights * sizes) @ losses / ((weights * sizes) @ sizes)))


def _size(params: float, exponent: float) -> float:
    return float((REFERENCE_PARAMS / np.clip(params, *SIZE_RANGE)) ** exponent)


def quantisations() -> dict[str, dict[str, object]]:
    """Every quantisation that was measured, or that one which was measured stands in for: logits at 8B, and the source."""
    exponent, nat = size_exponent(), logits_per_nat()
    found: dict[str, dict[str, object]] = {
        name: _entry(0.0, "the precision that scores are published for, or finer") for name in ("f32", "bf16", "f16")
    }
    for name, perplexity in LLAMA3_PERPLEXITY.items():
        found[name] = _entry(nat * float(np.log(perplexity / LLAMA3_F16)), LLAMA3)
    params, worse, perplexity = MLX_4BIT
    found["mlx-4bit"] = _entry(nat * float(np.log(worse / perplexity)) / _size(params, exponent), MLX)
    for name, pairs, source in (
        ("gptq-int8", GPTQ_INT8, QWEN2),
        ("gptq-int4", GPTQ_INT4, QWEN2),
        ("awq", AWQ, QWEN2),
        ("nf4", BNB_4BIT, f"bitsandbytes at 4 bits, type not told: {HF_BLOG}"),
        ("fp8", FP8, f"{QWEN3_FP8}; {QWQ_FP8}"),
    ):
        found[name] = _entry(loss_at_8b(pairs, exponent), source)
    for name, other in STANDS_IN.items():
        found[name] = {"logits": found[other]["logits"], "source": f"not measured: counts as {other}", "measured": False}
    return found


STANDS_IN = {
    "nf4-dq": "nf4",
    "int8": "gptq-int8",
    "mlx-8bit": "q8_0",
    "mxfp4": "q4_0",
    "onnx-int8": "q8_0",
    "onnx-int4": "q4_0",
}
"""Quantisations that no measurement was found for, and the one of as many bits that they count as. ONNX's are rounded to
nearest in blocks of 32 with one scale, which is what q8_0 and q4_0 are."""


def _entry(logits: float, source: str) -> dict[str, object]:
    return {"logits": round(logits, 4), "source": source, "measured": True}


def size_rule() -> dict[str, float]:
    """How a reader brings a loss to another size: `(reference / parameters) ** exponent`, within the measured sizes."""
    smallest, largest = SIZE_RANGE
    return {"reference": REFERENCE_PARAMS, "exponent": size_exponent(), "smallest": smallest, "largest": largest}


def report_quantisations() -> str:
    """A markdown table, from the least loss to the greatest, at three sizes."""
    exponent = size_exponent()
    lines = [
        f"A nat of perplexity costs {logits_per_nat():.2f} logits; losses go with (8B / parameters) ^ {exponent:.2f}.",
        "",
        "| quantisation | logits off at 8B | at 0.6B | at 32B | from |",
        "|---|---|---|---|---|",
    ]
    for name, entry in sorted(quantisations().items(), key=lambda item: float(str(item[1]["logits"]))):
        loss = float(str(entry["logits"]))
        small, large = (loss * _size(params, exponent) for params in (0.6e9, 32e9))
        lines.append(f"| {name} | {loss:.3f} | {small:.3f} | {large:.3f} | {entry['source']} |")
    return "\n".join(lines)
