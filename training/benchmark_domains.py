"""What each published benchmark measures, and what pure guessing scores on it. Versions are separate benchmarks.

A benchmark that draws on several domains counts for their average. One that is asked in many languages, or about one kind
of picture, names that as its `offset`: what a model gains or loses there against its own ability in the domain. Left out:
ratings without a bound (CodeForces), embedding and retrieval tasks (MTEB), and scores of quantised builds.

    python -c "from training.benchmark_domains import BENCHMARKS; print(len(BENCHMARKS))"
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`floor` is the share that guessing gets (1 / options); `scale` is the score that means all right."""

    domains: tuple[str, ...]
    floor: float = 0.0
    scale: float = 100.0
    offset: str | None = None


KINDS: tuple[str, ...] = ("chart", "document", "photo", "math", "video", "screen")
"""Kinds of pictures. No published score here is on charts alone, so that one is only ever a wider vision ability."""
LANGUAGES = "languages"

_GROUPS: tuple[tuple[tuple[str, ...], float, tuple[str, ...]], ...] = (
    (
        ("math",),
        0.0,
        (
            "AIME24",
            "AIME25",
            "AIME26",
            "HMMT25",
            "IMOAnswerBench",
            "GSM8K",
            "GSM8K (8-shot)",
            "MATH",
            "MATH (4-shot)",
            "MATH-500",
            "Minerva Math",
            "OlympiadBench",
        ),
    ),
    (
        ("code",),
        0.0,
        (
            "HumanEval",
            "HumanEval (0-shot)",
            "HumanEval+",
            "MBPP",
            "MBPP (3-shot)",
            "MBPP+",
            "MultiPL-E",
            "LiveCodeBench (2305-2409)",
            "LiveCodeBench (2408-2502)",
            "LiveCodeBench v5",
            "LiveCodeBench v6",
            "LiveCodeBench v6 (25.02-25.05)",
            "SWE-bench Pro",
            "SWE-bench Verified",
        ),
    ),
    (("code", "tools"), 0.0, ("Terminal-Bench 2.0", "Terminal-Bench 2.1")),
    (("tools",), 0.0, ("BFCL v3", "BFCL v4", "TAU2-Bench")),
    (("reasoning",), 0.0, ("ZebraLogic", "AutoLogi", "LiveBench 2024-11-25")),
    (("reasoning", "knowledge"), 0.25, ("GPQA-Diamond",)),
    (("reasoning", "knowledge"), 0.0, ("HLE",)),
    (("knowledge",), 0.25, ("MMLU", "MMLU (5-shot)", "MMLU-Redux", "MMLU-STEM", "C-Eval")),
    (("knowledge",), 0.1, ("MMLU-Pro", "SuperGPQA")),
    (("knowledge",), 0.0, ("SimpleQA",)),
    (("extraction",), 0.25, ("LongBench v2",)),
    (("extraction",), 0.0, ("IFEval", "IFEval (strict prompt)", "IFBench")),
    (("chat",), 0.0, ("Arena-Hard", "Arena-Hard v2")),
    (("vision",), 0.0, ("MMMU", "MMMU-Pro")),
)
_OFFSETS: tuple[tuple[str, str, float, tuple[str, ...]], ...] = (
    (LANGUAGES, "math", 0.0, ("PolyMath", "MT-AIME2024", "MGSM8K (extended)")),
    (LANGUAGES, "knowledge", 0.25, ("MMMLU", "MMMLU (14 languages)", "INCLUDE", "okapi MMLU (translated)")),
    (LANGUAGES, "knowledge", 0.1, ("MMLU-ProX",)),
    (LANGUAGES, "extraction", 0.0, ("Multi-IF", "IFEval (multilingual)")),
    ("document", "vision", 0.0, ("DocVQA", "InfoVQA", "OCRBench")),
    ("photo", "vision", 0.0, ("RealWorldQA", "MMStar", "MMBench 1.1")),
    ("math", "vision", 0.0, ("MathVision", "MathVista", "MathVista (mini)")),
    ("video", "vision", 0.0, ("VideoMME (w sub)",)),
    ("screen", "vision", 0.0, ("OSWorld-Verified",)),
)

BENCHMARKS: dict[str, Benchmark] = (
    {name: Benchmark(domains, floor) for domains, floor, names in _GROUPS for name in names}
    | {name: Benchmark((axis,), floor, offset=offset) for offset, axis, floor, names in _OFFSETS for name in names}
    # Judged on a rubric from 1 to 10, so a tenth is the floor: bounded, monotone, and the only direct evidence on writing.
    | {"WritingBench": Benchmark(("writing",), floor=0.1, scale=10.0)}
)

PARALLEL: tuple[tuple[str, str], ...] = (
    ("MT-AIME2024", "AIME24"),
    ("MGSM8K (extended)", "GSM8K"),
    ("MMMLU", "MMLU-Redux"),
    ("MMMLU (14 languages)", "MMLU-Redux"),
    ("okapi MMLU (translated)", "MMLU-Redux"),
    ("MMLU-ProX", "MMLU-Pro"),
    ("IFEval (multilingual)", "IFEval (strict prompt)"),
)
"""The same questions in other languages and in English (MMLU-Redux is MMLU with its wrong keys mended)."""

LEFT_OUT: frozenset[str] = frozenset(
    {
        "CodeForces (rating)",
        "C-MTEB mean(task)",
        "MTEB English v2 mean(task)",
        "MTEB multilingual mean(task)",
        "MTEB-Code",
        "MTEB-R",
        "MMLU [GPTQ-Int4]",
        "IFEval (strict prompt) [GPTQ-Int4]",
    }
)
