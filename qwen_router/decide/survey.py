"""What runs on a machine: every model of the catalog at its best quantisation that fits, with context, speed and quality.

Puts `hardware`'s answers beside the ability table; chooses nothing for a request, that is `choose.py`.

    python -c "from qwen_router.decide.survey import survey; from qwen_router.hardware import machine_named; \\
        from qwen_router.catalog import Catalog; print(survey(Catalog.load(), machine_named('rtx-4090'))[0])"
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from qwen_router.catalog import Catalog, Model
from qwen_router.decide.ability import AbilityTable
from qwen_router.errors import CatalogError
from qwen_router.hardware.calibration import Calibration
from qwen_router.hardware.machine import Machine
from qwen_router.hardware.memory import context_limit, memory_line
from qwen_router.hardware.placement import longest_context, place
from qwen_router.hardware.speed import predict_speed
from qwen_router.profile.types import DOMAINS, Domain

GOOD, SMALL = ("q8_0", "q6_K", "q5_K_M", "q4_K_M"), ("q3_K_M", "q2_K")
"""Quantisations that are tried, the best first. 16 bits only when asked for: Q8_0 loses next to nothing of them
(docs/abilities.md) at half the memory and twice the speed. The small ones cost quality, so they come last."""
MIN_CONTEXT_TOKENS = 4096
SPEED_AT_TOKENS = 4096
"""The context at which speeds are compared, or the model's whole one where it is shorter."""
Sort = Literal["quality", "speed", "memory", "context", "size"]


@dataclass(frozen=True, slots=True)
class Runnable:
    """One model at the best quantisation that fits. `quality` is P(right) on a request of middling difficulty, `scored`
    whether published scores stand behind it; `total_mib` is at `context_tokens`."""

    model: str
    quant: str
    engine: str
    device: str
    accelerator_layers: int
    layers: int
    total_params: int | None
    context_tokens: int
    max_context_tokens: int
    total_mib: float
    decode_tps: float
    prefill_tps: float
    speed_source: str
    quality: float
    scored: bool
    thinks: bool


def survey(
    catalog: Catalog,
    machine: Machine,
    *,
    engine: str = "llamacpp",
    quants: Sequence[str] = (),
    domain: Domain | None = None,
    min_context_tokens: int = MIN_CONTEXT_TOKENS,
    sort: Sort = "quality",
    calibration: Calibration | None = None,
    abilities: AbilityTable | None = None,
) -> tuple[Runnable, ...]:
    """Every chat model of the catalog with a known architecture that fits with `min_context_tokens`, best first by `sort`.
    `domain` None averages the quality over all domains.

    The best quantisation is the first of `GOOD` that fits whole on accelerators, or in main memory where there are none;
    else the last of `GOOD`, cut between both; else the first of `SMALL`. `quants` names others, in that order. The longest
    context leaves the layers where they are.
    """
    table = abilities or AbilityTable.load()
    found = []
    for model in catalog.models:
        if model.kind != "chat" or model.demo or model.architecture is None:
            continue
        try:
            best = _best(model, machine, engine, quants, domain, min_context_tokens, calibration, table)
        except CatalogError:  # an architecture that is not wholly known: its memory is unknown, so nothing is claimed
            continue
        if best is not None:
            found.append(best)
    return tuple(sorted(found, key=_ORDERS[sort]))


_ORDERS: dict[str, Callable[[Runnable], tuple[float, str]]] = {
    "quality": lambda r: (-r.quality, r.model),
    "speed": lambda r: (-r.decode_tps, r.model),
    "memory": lambda r: (r.total_mib, r.model),
    "context": lambda r: (-r.max_context_tokens, r.model),
    "size": lambda r: (-(r.total_params or 0), r.model),
}
SORTS = tuple(_ORDERS)


def _best(
    model: Model,
    machine: Machine,
    engine: str,
    quants: Sequence[str],
    domain: Domain | None,
    min_context_tokens: int,
    calibration: Calibration | None,
    table: AbilityTable,
) -> Runnable | None:
    limit, wanted = context_limit(model), min_context_tokens
    if wanted > limit:
        return None
    tries = [(quant, False) for quant in quants] or [(quant, True) for quant in GOOD]
    for quant, whole in tries if quants else [*tries, *((quant, False) for quant in (GOOD[-1], *SMALL))]:
        line = memory_line(model, quant=quant, engine=engine)
        placement = place(line, wanted, machine)
        if not placement.fits or (whole and machine.accelerators and placement.accelerator_layers < line.layers):
            continue
        longest = longest_context(line, machine, limit_tokens=limit, accelerator_layers=placement.accelerator_layers)
        at = min(SPEED_AT_TOKENS, longest)
        speed = predict_speed(
            model, line, placement, machine, context_tokens=at, calibration=calibration, engine=engine, quant=quant
        )
        thinks = model.thinking.behaviour in ("toggle", "always")
        quality, scored = _quality(table, model, thinks, quant, domain)
        return Runnable(
            model=model.id,
            quant=quant,
            engine=engine,
            device=placement.device_ids,
            accelerator_layers=placement.accelerator_layers,
            layers=line.layers,
            total_params=model.total_params,
            context_tokens=wanted,
            max_context_tokens=longest,
            total_mib=line.total_mib(wanted),
            decode_tps=speed.decode_tps,
            prefill_tps=speed.prefill_tps,
            speed_source=speed.source,
            quality=quality,
            scored=scored,
            thinks=thinks,
        )
    return None


def _quality(table: AbilityTable, model: Model, thinks: bool, quant: str, domain: Domain | None) -> tuple[float, bool]:
    """P(right) on a request that the table's mid-size reference gets right half the time."""
    means, sds = table.arrays([(model.id, thinks)])
    logits = means[0] - table.reference - table.quant_penalty(quant, model.total_params)
    right = 1 / (1 + np.exp(-logits / np.sqrt(1 + np.pi / 8 * sds[0] ** 2)))
    scored = table.is_scored([(model.id, thinks)])[0]
    if domain is None:
        return float(right.mean()), bool(scored.any())
    place_of = DOMAINS.index(domain)
    return float(right[place_of]), bool(scored[place_of])
