"""The catalog: every Qwen model that this project knows, with architecture, context, thinking, scores and sources.

python -c "from qwen_router.catalog import Catalog; print(Catalog.load().get('qwen3:8b').id)"
"""

from __future__ import annotations

from qwen_router.catalog.load import Catalog
from qwen_router.catalog.quants import Quant, quant, quant_of_tag
from qwen_router.catalog.types import (
    Architecture,
    Context,
    Family,
    Hybrid,
    Model,
    Names,
    Sampling,
    SamplingSets,
    Score,
    SizeClass,
    Thinking,
    Vision,
)

__all__ = [
    "Architecture",
    "Catalog",
    "Context",
    "Family",
    "Hybrid",
    "Model",
    "Names",
    "Quant",
    "Sampling",
    "SamplingSets",
    "Score",
    "SizeClass",
    "Thinking",
    "Vision",
    "quant",
    "quant_of_tag",
]
