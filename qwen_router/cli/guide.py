"""The selection guide: which models to take for a use, on the machine at hand, and how to get them.

Reads the ability table and the fit of every model; `models guide` prints it. What a policy would choose for one request is
`route`'s business.

    python -m qwen_router models guide coding --machine rtx-4090
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import typer

from qwen_router.catalog import Catalog, Model
from qwen_router.catalog.getting import how_to_get
from qwen_router.decide.survey import Runnable, survey
from qwen_router.errors import UnknownName
from qwen_router.profile.types import Domain


@dataclass(frozen=True, slots=True)
class Use:
    """One row of the guide: what it is for, the domain that quality is judged in, and what a model must be able to do."""

    title: str
    domain: Domain | None
    needs: Callable[[Model], bool]
    small: bool = False
    context_tokens: int = 8192


def _any(_: Model) -> bool:
    return True


USES: dict[str, Use] = {
    "basic": Use("everyday questions and chat", None, _any),
    "math": Use("mathematics and reasoning", "math", _any),
    "coding": Use("writing and reading code", "code", _any, context_tokens=16_384),
    "vision": Use("images, documents, charts", None, lambda m: "image" in m.modalities),
    "audio": Use("speech and sound", None, lambda m: "audio" in m.modalities),
    "enterprise": Use("many users, long documents, commercial use", "knowledge", lambda m: m.commercial_use is True,
                      context_tokens=32_768),
    "edge": Use("small devices", None, lambda m: m.size_class in ("tiny", "small"), small=True, context_tokens=4096),
    "agents": Use("tools and many steps", "tools", lambda m: m.tools is True, context_tokens=32_768),
    "multilingual": Use("many languages", "translation", lambda m: (m.languages or 0) >= 29),
}  # fmt: skip
SHOWN = 5
USABLE_TPS = 5.0
"""Slower than this is advised only where nothing is faster: about the speed of reading. A choice."""
FAST_TPS = 20.0
"""Tokens a second that someone who reads along does not wait for: about three times reading speed. A choice."""


@dataclass(frozen=True, slots=True)
class Advice:
    lines: tuple[dict[str, Any], ...]
    text: str


def asked(machine: str | None) -> tuple[str, str | None, bool, bool]:
    """The four questions of someone who gave no arguments: use, machine, licence, speed."""
    typer.echo("What for?")
    for name, use in USES.items():
        typer.echo(f"  {name:<13}{use.title}")
    wished = typer.prompt("use", default="basic").strip().lower()
    if wished not in USES:
        raise UnknownName.among(wished, USES, kind="use")
    here = machine or typer.prompt("machine (Enter: this one; or rtx-4090, m4-pro-48, FILE)", default="", show_default=False)
    commercial = typer.confirm("for commercial use?", default=False)
    fast = typer.confirm("is speed worth more than the last bit of quality?", default=False)
    return wished, here.strip() or None, commercial, fast


def advice(name: str, machine: str | None, *, commercial: bool, fast: bool) -> Advice:
    """The best models for this use that fit, and what to run to get them."""
    from qwen_router.cli.machine import machine_for

    use, here, catalog = USES[name], machine_for(machine), Catalog.load()
    found = [
        row
        for row in survey(catalog, here, domain=use.domain, min_context_tokens=use.context_tokens)
        if use.needs(model := catalog.get(row.model)) and (model.commercial_use is True or not commercial)
    ]
    found = [row for row in found if row.decode_tps >= USABLE_TPS] or found
    if fast:
        quick = [row for row in found if row.decode_tps >= FAST_TPS]
        found = quick or sorted(found, key=lambda row: -row.decode_tps)
    lines = tuple(_line(row, catalog.get(row.model)) for row in found[:SHOWN])
    head = f"{use.title}, on {here.name}"
    if not lines:
        return Advice((), f"{head}: nothing of the catalog fits")
    text = [f"{head}:"]
    for n, line in enumerate(lines, 1):
        text.append(
            f"{n}. {line['model']} {line['quant']}: {line['decode_tps']:,.0f} tokens/s, {line['total_mib'] / 1024:.1f} GiB, "
            f"up to {line['max_context_tokens']:,} tokens"
        )
        about = catalog.about.get(catalog.get(line["model"]).family)
        if about is not None:
            text.append(f"   {about.best_use}")
        text.append(f"   {line['get']}")
    return Advice(lines, "\n".join(text))


def _line(row: Runnable, model: Model) -> dict[str, Any]:
    get = how_to_get(model, row.quant)
    return {**asdict(row), "licence": model.licence, "get": get}
