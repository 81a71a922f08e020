"""Where the demonstration model `qwen3-nano` lies inside the package.

It is a Qwen3 of a few million parameters, trained here to show the whole walk without a network: it greets, adds, calls the
calculator and declines the rest. It is no assistant. `training/nano.py` makes it; its card is `qwen3-nano/MODEL_CARD.md`.

    python -c "from qwen_router.demo import demo_gguf; print(demo_gguf().stat().st_size)"
"""

from __future__ import annotations

from pathlib import Path

DEMO_MODEL_ID = "qwen-router/qwen3-nano"
DEMO_TOOLS = ("calculator", "convert_units")
"""The tools that it was taught to call."""
DEMO_NOTICE = (
    "qwen3-nano is a demonstration model of a few million parameters, not an assistant. "
    "For a real one: `qwen-router fit` shows what fits here, `qwen-router pull MODEL` gets it."
)


def demo_checkpoint() -> Path:
    """The folder with config.json, tokenizer and safetensors."""
    return Path(__file__).parent / "qwen3-nano"


def demo_gguf() -> Path:
    """The same model as a GGUF file in q8_0."""
    return demo_checkpoint() / "qwen3-nano-q8_0.gguf"
