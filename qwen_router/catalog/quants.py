"""The names of quantisations that a build can have, and which engines run each. A closed table.

How many bytes each takes is `hardware/quants.py`'s business, what it costs in quality `decide/ability.py`'s.

    python -c "from qwen_router.catalog.quants import quant_of_tag; print(quant_of_tag('qwen3:8b-q8_0'))"
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from qwen_router.errors import UnknownName

EngineName = Literal["ollama", "transformers", "llamacpp", "openai"]
QuantName = Literal["bf16", "f16", "q8_0", "q4_K_M"]


@dataclass(frozen=True, slots=True)
class Quant:
    """One quantisation. `aliases` are other spellings; case never matters. `engines` can run a build of it."""

    name: QuantName
    aliases: tuple[str, ...]
    engines: tuple[EngineName, ...]


QUANTS: tuple[Quant, ...] = (
    Quant("bf16", ("bfloat16",), ("ollama", "transformers", "llamacpp", "openai")),
    Quant("f16", ("fp16", "float16"), ("ollama", "transformers", "llamacpp", "openai")),
    Quant("q8_0", ("q8",), ("ollama", "llamacpp", "openai")),
    Quant("q4_K_M", ("q4_k",), ("ollama", "llamacpp", "openai")),
)
OLLAMA_DEFAULT: QuantName = "q4_K_M"
"""What a tag without a quantisation holds: ollama.com/library shows Q4_K_M for the default tags of the chat models here."""

_NAMES: dict[str, Quant] = {spelling.lower(): q for q in QUANTS for spelling in (q.name, *q.aliases)}
_LOOKS_LIKE_A_QUANT = re.compile(r"(?:i?q\d\w*|b?f(?:p|loat)?\d+|(?:mx|nv)fp\d+|int\d+|awq|gptq\w*|mlx\w*)", re.IGNORECASE)


def quant(name: str) -> Quant:
    """The quantisation of that name in any spelling, or `UnknownName`."""
    found = _NAMES.get(name.lower())
    if found is None:
        raise UnknownName.among(name, [q.name for q in QUANTS], kind="quantisation")
    return found


def split_quant(name: str) -> tuple[str, QuantName | None, bool]:
    """`qwen3:8b-q8_0` -> (`qwen3:8b`, `q8_0`, True). The last says whether the name spells a quantisation at all.

    A quantisation outside the table is still cut off (`qwen3:8b-q5_K_M` -> (`qwen3:8b`, None, True)).
    """
    match = re.match(r"(?P<stem>.+)[-:.](?P<last>[A-Za-z0-9_]+)$", name)
    if match is None:
        return name, None, False
    last = match["last"]
    if last.lower() in _NAMES:
        return match["stem"], _NAMES[last.lower()].name, True
    if _LOOKS_LIKE_A_QUANT.fullmatch(last):
        return match["stem"], None, True
    return name, None, False


def quant_of_tag(tag: str) -> QuantName | None:
    """The quantisation of an Ollama tag, None when it is not one of ours or cannot be told (embedding models differ)."""
    _, found, spelt = split_quant(tag)
    if spelt:
        return found
    return None if "embedding" in tag else OLLAMA_DEFAULT
