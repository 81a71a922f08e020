"""What a request needs, as numbers: the `Profile` that every later room reads.

Holds no logic beyond its own shape; `profile/__init__.py` makes one from a `Request`.

    python -c "from qwen_router.profile import inspect; print(inspect('2+2?').domain)"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from qwen_router.request import Modality

Domain = Literal["math", "code", "reasoning", "knowledge", "extraction", "writing", "chat", "translation", "tools"]
DOMAINS: tuple[Domain, ...] = get_args(Domain)


@dataclass(frozen=True, slots=True)
class Profile:
    """What one request needs.

    `domains` are probabilities that sum to 1, keyed in the order of `DOMAINS`. `depth` (0 none .. 1) says how much
    step-by-step thinking pays; `difficulty` (0..1) is the probability that a mid-size model fails. `language` is an
    ISO 639-1 code, or `und` when there is no text to tell it from, or `mul` for mixed text. `output_languages` are the
    languages that the answer is asked in. `confidence` is the calibrated probability of `domain`; `abstained` says that it
    lies below the classifier's threshold, or that there was nothing to classify (`reason` says which).
    `input_tokens` counts text, tools and attachments; `output_tokens` is the expected length of the answer without thinking.
    """

    domain: Domain
    domains: Mapping[Domain, float]
    depth: float
    difficulty: float
    language: str
    output_languages: tuple[str, ...]
    modalities: tuple[Modality, ...]
    confidence: float
    abstained: bool
    reason: str | None
    input_tokens: int
    output_tokens: int
    elapsed_us: float
