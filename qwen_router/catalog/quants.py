"""The names of quantisations that a build can have, and which engines run each. The one table of them.

How many bytes a tensor takes is the business of `hardware/quants.py` (GGUF) and `hardware/packing.py` (all others), what a
quantisation costs in quality `decide/ability.py`'s.

    python -c "from qwen_router.catalog.quants import quant_of_tag; print(quant_of_tag('qwen3:8b-q8_0'))"
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from qwen_router.errors import UnknownName

EngineName = Literal["ollama", "llamacpp", "transformers", "openai", "onnx", "vllm", "mlx", "fake"]
"""Every engine that a build can be sized for; `mlx` is mlx-lm, alone or in LM Studio on Apple silicon."""
QuantKind = Literal["plain", "gguf", "fp8", "awq", "gptq", "bnb", "mlx", "onnx"]
BlockType = Literal[
    "f32", "f16", "bf16", "q8_0", "q6_K", "q5_K", "q4_K", "q3_K", "q2_K", "q5_1", "q5_0", "q4_1", "q4_0", "mxfp4",
    "iq4_nl", "iq4_xs", "iq3_s", "iq3_xxs", "iq2_s", "iq2_xs", "iq2_xxs", "iq1_m", "iq1_s",
]  # fmt: skip
"""ggml's types of tensors, in ggml's own spelling (`ggml_type_name`). A quantisation is a mix of them."""
QuantName = str

_ENGINES: dict[QuantKind, tuple[EngineName, ...]] = {
    "plain": get_args(EngineName),
    "gguf": ("ollama", "llamacpp", "openai", "fake"),
    "fp8": ("transformers", "openai", "vllm", "fake"),
    "awq": ("transformers", "openai", "vllm", "fake"),
    "gptq": ("transformers", "openai", "vllm", "fake"),
    "bnb": ("transformers", "openai", "fake"),
    "mlx": ("openai", "mlx", "fake"),
    "onnx": ("openai", "onnx", "fake"),
}
"""vLLM reads GGUF through a plug-in and packs bitsandbytes in its own way (experts too): neither is sized here."""


@dataclass(frozen=True, slots=True)
class Quant:
    """One quantisation. `aliases` are other spellings; case, `-` and `_` never matter, in the name neither.

    `block` is the ggml type of a tensor that no rule of the mix singles out; None where no GGUF file has this name. `bits`
    is what a weight of a quantised matrix takes, its scales left out; None for GGUF's mixes, where that differs by tensor.
    """

    name: QuantName
    aliases: tuple[str, ...]
    kind: QuantKind
    block: BlockType | None = None
    bits: int | None = None

    @property
    def engines(self) -> tuple[EngineName, ...]:
        """The engines that can run a build of it."""
        return _ENGINES[self.kind]


QUANTS: tuple[Quant, ...] = (
    Quant("f32", ("fp32", "float32"), "plain", "f32", bits=32),
    Quant("bf16", ("bfloat16",), "plain", "bf16", bits=16),
    Quant("f16", ("fp16", "float16"), "plain", "f16", bits=16),
    Quant("q8_0", ("q8",), "gguf", "q8_0"),
    Quant("q6_K", ("q6",), "gguf", "q6_K"),
    Quant("q5_K_M", ("q5_k",), "gguf", "q5_K"),
    Quant("q5_K_S", (), "gguf", "q5_K"),
    Quant("q5_1", (), "gguf", "q5_1"),
    Quant("q5_0", (), "gguf", "q5_0"),
    Quant("q4_K_M", ("q4_k",), "gguf", "q4_K"),
    Quant("q4_K_S", (), "gguf", "q4_K"),
    Quant("q4_1", (), "gguf", "q4_1"),
    Quant("q4_0", (), "gguf", "q4_0"),
    Quant("mxfp4", ("mxfp4_moe",), "gguf", "mxfp4"),
    Quant("iq4_NL", (), "gguf", "iq4_nl"),
    Quant("iq4_XS", (), "gguf", "iq4_xs"),
    Quant("q3_K_L", (), "gguf", "q3_K"),
    Quant("q3_K_M", ("q3_k",), "gguf", "q3_K"),
    Quant("q3_K_S", (), "gguf", "q3_K"),
    Quant("iq3_M", (), "gguf", "iq3_s"),
    Quant("iq3_S", (), "gguf", "iq3_s"),
    Quant("iq3_XS", (), "gguf", "iq3_s"),
    Quant("iq3_XXS", (), "gguf", "iq3_xxs"),
    Quant("q2_K", (), "gguf", "q2_K"),
    Quant("q2_K_S", (), "gguf", "q2_K"),
    Quant("iq2_M", (), "gguf", "iq2_s"),
    Quant("iq2_S", (), "gguf", "iq2_xs"),
    Quant("iq2_XS", (), "gguf", "iq2_xs"),
    Quant("iq2_XXS", (), "gguf", "iq2_xxs"),
    Quant("iq1_M", (), "gguf", "iq1_m"),
    Quant("iq1_S", (), "gguf", "iq1_s"),
    Quant("fp8", ("float8", "fp8-block", "fp8-e4m3"), "fp8", bits=8),
    Quant("awq", ("awq-int4", "awq-4bit", "int4-awq"), "awq", bits=4),
    Quant("gptq-int4", ("gptq-4bit", "int4-gptq"), "gptq", bits=4),
    Quant("gptq-int8", ("gptq-8bit", "int8-gptq"), "gptq", bits=8),
    Quant("nf4", ("bnb-nf4",), "bnb", bits=4),
    Quant("nf4-dq", ("bnb-nf4-dq", "bnb-4bit"), "bnb", bits=4),
    Quant("int8", ("llm.int8", "bnb-int8", "bnb-8bit"), "bnb", bits=8),
    Quant("mlx-4bit", ("4bit", "mlx-q4", "mlx-int4"), "mlx", bits=4),
    Quant("mlx-8bit", ("8bit", "mlx-q8", "mlx-int8"), "mlx", bits=8),
    Quant("onnx-int4", (), "onnx", bits=4),
    Quant("onnx-int8", (), "onnx", bits=8),
)
"""Aliases that name two rows are absent: `gptq`, `bitsandbytes` and `int4` do not say how many bits or whose. `bnb-4bit` is
what unsloth's repositories call NF4 with double quantisation, `4bit` and `8bit` what mlx-community's end in."""
ENGINE_QUANTS: dict[str, tuple[QuantName, ...]] = {
    engine: tuple(q.name for q in QUANTS if engine in q.engines) for engine in get_args(EngineName)
}
"""What each engine can run, in the order of the table."""
OLLAMA_DEFAULT: QuantName = "q4_K_M"
"""What a tag without a quantisation holds: ollama.com/library shows Q4_K_M for the default tags of the chat models here."""
_OLD_OLLAMA = ("qwen", "codeqwen", "qwen2", "qwen2-math")
"""Libraries from before Ollama changed its default: their bare tags hold Q4_0 (file sizes on ollama.com/library)."""

_LOOKS_LIKE_A_QUANT = re.compile(
    r"(?:i?q\d\w*|b?f(?:p|loat)?\d+|(?:mx|nv)fp\d+|t?q\d_\d|int\d+|nf\d|\d+bit|awq|gptq\w*|mlx\w*)", re.IGNORECASE
)
_SEPARATOR = re.compile(r"[-:.]")


def _key(spelling: str) -> str:
    return spelling.strip().lower().replace("-", "_")


_NAMES: dict[str, Quant] = {_key(spelling): q for q in QUANTS for spelling in (q.name, *q.aliases)}


def quant(name: str) -> Quant:
    """The quantisation of that name in any spelling, or `UnknownName`."""
    found = _NAMES.get(_key(name))
    if found is None:
        names = [q.name for q in QUANTS]
        raise UnknownName.among(name, names, kind="quantisation", listing="one of " + ", ".join(names))
    return found


def split_quant(name: str) -> tuple[str, QuantName | None, bool]:
    """`qwen3:8b-q8_0` -> (`qwen3:8b`, `q8_0`, True). The last says whether the name spells a quantisation at all.

    The longest known ending counts (`Qwen3-8B-GPTQ-Int4` -> `gptq-int4`). A quantisation outside the table is still cut off
    (`qwen3:8b-tq1_0` -> (`qwen3:8b`, None, True)).
    """
    cuts = [match.start() for match in _SEPARATOR.finditer(name) if match.start()]
    for cut in cuts:
        found = _NAMES.get(_key(name[cut + 1 :]))
        if found is not None:
            return name[:cut], found.name, True
    if cuts and _LOOKS_LIKE_A_QUANT.fullmatch(name[cuts[-1] + 1 :]):
        return name[: cuts[-1]], None, True
    return name, None, False


def quant_of_tag(tag: str) -> QuantName | None:
    """The quantisation of an Ollama tag, None when it is not one of ours or cannot be told (embedding models differ)."""
    _, found, spelt = split_quant(tag)
    if spelt:
        return found
    if tag.partition(":")[0] in _OLD_OLLAMA:
        return "q4_0"
    return None if "embedding" in tag else OLLAMA_DEFAULT
