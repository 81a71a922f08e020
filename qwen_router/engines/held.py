"""What a server says that it holds beside its weights: vLLM's blocks of cache and how full they are, llama.cpp's slots.

Reads texts; fetching them is `openai.py`'s work. For people, so everything that is missing is left out.

    python -c "from qwen_router.engines.held import slots_of_props as s; print(s({'total_slots': 4}))"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_LABEL = re.compile(r'(\w+)="([^"]*)"')
_FAMILY = re.compile(
    r"^vllm:(cache_config_info|kv_cache_usage_perc|num_requests_running|num_requests_waiting)(\{.*\})? (\S+)", re.M
)


def cache_of_metrics(text: str) -> str | None:
    """From vLLM's `/metrics` (`cache_config_info`, `kv_cache_usage_perc`, `num_requests_*`): the cache's size in tokens, how
    much of it is taken, who runs and who waits."""
    labels: dict[str, str] = {}
    values: dict[str, float] = {}
    for name, braces, value in _FAMILY.findall(text):
        if name == "cache_config_info":
            labels |= dict(_LABEL.findall(braces))
        try:
            values[name] = values.get(name, 0.0) + float(value)
        except ValueError:
            continue
    parts = []
    block, count = labels.get("block_size", ""), labels.get("num_gpu_blocks", "")
    if block.isdigit() and count.isdigit():
        parts.append(f"cache of {int(block) * int(count):,} tokens ({int(count):,} blocks of {block})")
    if "kv_cache_usage_perc" in values:
        parts.append(f"{values['kv_cache_usage_perc']:.0%} of it taken")
    if "num_requests_running" in values:
        waiting = values.get("num_requests_waiting", 0.0)
        parts.append(f"{values['num_requests_running']:.0f} requests running, {waiting:.0f} waiting")
    return ", ".join(parts) or None


def slots_of_props(props: Mapping[str, Any]) -> str | None:
    """From llama.cpp's `/props`: how many slots it has, and the context of each."""
    slots, settings = props.get("total_slots"), props.get("default_generation_settings")
    context = settings.get("n_ctx") if isinstance(settings, Mapping) else None
    parts = []
    if isinstance(slots, int):
        parts.append(f"{slots} slots" if slots != 1 else "1 slot")
    if isinstance(context, int):
        parts.append(f"of {context:,} tokens" if parts else f"{context:,} tokens a slot")
    return " ".join(parts) or None
