"""Prompt templates for reasoning, coding, mathematics, multilingual and vision tasks, by model family.

Functions with named parameters that return messages, never control strings: roles and control tokens are the engine's
business. The texts lie in versioned YAML files that a `prompts` folder overrides. Nothing here picks or asks a model.

    python -c "from qwen_router.prompts import mathematics; print(mathematics('What is 2 + 2?', family='qwen2.5-math'))"
"""

from __future__ import annotations

from qwen_router.prompts.load import load_template, template_names
from qwen_router.prompts.render import Messages, render
from qwen_router.prompts.tasks import (
    coding,
    document_parsing,
    extraction,
    mathematics,
    multilingual,
    multiple_choice,
    reasoning,
    translation,
    vision,
)
from qwen_router.prompts.types import Parameter, Template, Variant

__all__ = [
    "Messages",
    "Parameter",
    "Template",
    "Variant",
    "coding",
    "document_parsing",
    "extraction",
    "load_template",
    "mathematics",
    "multilingual",
    "multiple_choice",
    "reasoning",
    "render",
    "template_names",
    "translation",
    "vision",
]
