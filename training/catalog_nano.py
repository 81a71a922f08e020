"""The catalog row of the demonstration checkpoint, from the config.json that `training/nano.py` wrote.

python -m training.facts_to_catalog --nano qwen_router/demo/qwen3-nano/config.json --out qwen_router/catalog/data
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training.catalog_changes import without_unknown

NANO_ID = "qwen-router/qwen3-nano"
RELEASED = "2026-11-23"


def nano_row(config_path: Path) -> dict[str, Any]:
    """The demo checkpoint's row, from the config.json that `training/nano.py` wrote. It has no scores on purpose."""
    config = json.loads(config_path.read_text(encoding="utf-8"))
    hidden, ffn, layers, vocab = (
        config[key] for key in ("hidden_size", "intermediate_size", "num_hidden_layers", "vocab_size")
    )
    heads, kv_heads, head_dim = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
    tied = bool(config.get("tie_word_embeddings"))
    attention = hidden * head_dim * (2 * heads + 2 * kv_heads) + 2 * head_dim
    layer = attention + 3 * hidden * ffn + 2 * hidden
    return without_unknown(
        {
            "id": NANO_ID,
            "kind": "chat",
            "release_date": RELEASED,
            "licence": "apache-2.0",
            "commercial_use": True,
            "modalities": ["text"],
            "max_answer_tokens": 192,  # its answers are a sentence; what is longer has lost its way
            "total_params": layers * layer + hidden + vocab * hidden * (1 if tied else 2),
            "architecture": {
                "layers": layers,
                "hidden": hidden,
                "heads": heads,
                "kv_heads": kv_heads,
                "head_dim": head_dim,
                "vocab": vocab,
                "ffn": ffn,
                "tied_embeddings": tied,
                "qkv_bias": bool(config.get("attention_bias")),
                "qk_norm": True,
            },
            "context": {"native_tokens": config["max_position_embeddings"]},
            "thinking": {"behaviour": "toggle", "default_on": True, "soft_switch": False},
            "sampling": {},
            "tools": True,
            "sources": ["qwen_router/demo/qwen3-nano/config.json, made by training/nano.py"],
            "checked_on": RELEASED,
            "demo": True,
        }
    )
