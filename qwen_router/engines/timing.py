"""From a reply's token counts and timings to its speed, held against what was predicted for the build that gave it.

Knows nothing of how predictions are used: `hardware/calibration.py` keeps the ratios, `router.py` brings both together.

    python -c "from qwen_router.engines.timing import ratios; print(ratios.__doc__)"
"""

from __future__ import annotations

from qwen_router.decide import Build
from qwen_router.engines.base import Timings, Usage
from qwen_router.errors import RouterError
from qwen_router.hardware.calibration import LEAST_TOKENS
from qwen_router.hardware.machine import Machine
from qwen_router.hardware.memory import memory_line
from qwen_router.hardware.placement import place
from qwen_router.hardware.speed import SpeedEstimate, predict_speed


def predicted_of(build: Build, machine: Machine, usage: Usage) -> SpeedEstimate | None:
    """What speed nobody's experience but the formulas give for this reply's length; None where nothing can be said."""
    try:
        line = memory_line(build.model, quant=build.quant, engine=build.engine)
    except RouterError:
        return None
    tokens = max(1, usage.prompt_tokens or 0) + _generated(usage) // 2
    placement = place(line, tokens, machine)
    if not placement.fits:
        return None
    return predict_speed(
        build.model, line, placement, machine, context_tokens=tokens, engine=build.engine, quant=build.quant
    )


def ratios(speed: SpeedEstimate, usage: Usage, timings: Timings) -> tuple[float | None, float | None]:
    """Measured over predicted tokens/s of decoding and of reading the prompt; None for what this reply cannot tell.

    The first token's time counts as the prompt's, less the loading that the engine reports; a reply that loaded without
    saying so shows as a slow prompt, so prompts are told only from replies whose engine reports loading or none was seen.
    """
    first_s = min((s for s in (timings.first_reasoning_s, timings.first_answer_s) if s is not None), default=None)
    if first_s is None:
        return None, None
    generated = _generated(usage)
    decode = None
    if generated >= LEAST_TOKENS and timings.total_s > first_s:
        decode = (generated - 1) / (timings.total_s - first_s) / speed.decode_tps
    read = (usage.prompt_tokens or 0) - (usage.cached_tokens or 0)
    prompt_s = first_s - (timings.load_s or 0.0)
    prefill = read / prompt_s / speed.prefill_tps if read >= LEAST_TOKENS * 4 and prompt_s > 0 else None
    return decode, prefill


def _generated(usage: Usage) -> int:
    return (usage.reasoning_tokens or 0) + (usage.answer_tokens or 0)
