"""The catalog: every Qwen model that this project knows, with architecture, context, thinking, scores and sources.

python -c "from qwen_router.catalog import Catalog; print(Catalog.load().get('qwen3:8b').id)"
"""

from __future__ import annotations

from qwen_router.catalog.load import Catalog
from qwen_router.catalog.quants import Quant, quant, quant_of_tag
from qwen_router.catalog.types import Architecture, Context, Hybrid, Model, Sampling, SamplingSets, Score, Thinking

__all__ = [
    "Architecture",
    "Catalog",
    "Context",
    "Hybrid",
    "Model",
    "Quant",
    "Sampling",
    "SamplingSets",
    "Score",
    "Thinking",
    "quant",
    "quant_of_tag",
]
