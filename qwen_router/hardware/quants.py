"""Quantisations: what they are called, how many bytes a row takes, and which type each tensor gets in a mix.

The mix follows llama.cpp's quantiser tensor by tensor, because "4 bits" is not 4 bits: Q4_K_M keeps the output, half of
the value projections and half of the down projections at 6 bits. Which tensors a model has is in `tensors.py`, sums are in
`memory.py`. Importance matrices change values, not sizes, for the mixes named here.

    python -c "from qwen_router.hardware.quants import quantisation; print(quantisation('Q4_K_M'))"
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qwen_router.errors import UnknownName

BlockType = Literal[
    "f32", "f16", "bf16", "q8_0", "q6_K", "q5_K", "q4_K", "q3_K", "q2_K", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"
]

BLOCKS: dict[BlockType, tuple[int, int]] = {
    "f32": (1, 4),
    "f16": (1, 2),
    "bf16": (1, 2),
    "q8_0": (32, 34),
    "q6_K": (256, 210),
    "q5_K": (256, 176),
    "q4_K": (256, 144),
    "q3_K": (256, 110),
    "q2_K": (256, 84),
    "q5_1": (32, 24),
    "q5_0": (32, 22),
    "q4_1": (32, 20),
    "q4_0": (32, 18),
    "iq4_nl": (32, 18),
}
"""Weights in a block and bytes of that block: the block_* structs of ggml/src/ggml-common.h, ggml-org/llama.cpp@007dbbf3."""

_FALLBACK: dict[BlockType, BlockType] = {"q2_K": "q4_0", "q3_K": "q4_0", "q4_K": "q5_0", "q5_K": "q5_1", "q6_K": "q8_0"}
"""What a row that no 256-block divides gets instead (`tensor_type_fallback`, src/llama-quant.cpp, same commit)."""


@dataclass(frozen=True, slots=True)
class Quantisation:
    """One name that people ask for. `default` is the type of a tensor that no rule of the mix singles out."""

    name: str
    default: BlockType

    @property
    def is_block_quantised(self) -> bool:
        return BLOCKS[self.default][0] > 1


@dataclass(frozen=True, slots=True)
class MixTraits:
    """What a mix looks at in a model: layers, tied embeddings, query heads a key-value head, and llama.cpp's "70B" class."""

    layers: int
    tied: bool
    heads_per_kv: int
    is_70b: bool


_ALL = (
    Quantisation("f32", "f32"),
    Quantisation("bf16", "bf16"),
    Quantisation("f16", "f16"),
    Quantisation("q8_0", "q8_0"),
    Quantisation("q6_K", "q6_K"),
    Quantisation("q5_K_M", "q5_K"),
    Quantisation("q5_K_S", "q5_K"),
    Quantisation("q4_K_M", "q4_K"),
    Quantisation("q4_K_S", "q4_K"),
    Quantisation("q4_0", "q4_0"),
    Quantisation("q3_K_M", "q3_K"),
    Quantisation("q2_K", "q2_K"),
)
QUANTISATIONS: dict[str, Quantisation] = {quant.name: quant for quant in _ALL}
_BY_LOWER = {name.lower(): quant for name, quant in QUANTISATIONS.items()} | {"fp16": QUANTISATIONS["f16"]}
KV_TYPES: tuple[BlockType, ...] = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
"""Types that llama.cpp accepts for its KV cache (`kv_cache_types`, common/arg.cpp, same commit)."""


def quantisation(name: str) -> Quantisation:
    """Find a quantisation whatever its case (`Q4_K_M`, `q4_k_m`); raise UnknownName with close matches."""
    found = _BY_LOWER.get(name.strip().lower())
    if found is None:
        raise UnknownName.among(name, QUANTISATIONS, kind="quantisation")
    return found


def kv_type_bytes(kv_type: str, values: int) -> float:
    """Bytes that `values` cached keys or values take; a row of values must fill whole blocks, which 32 divides."""
    block = next((BLOCKS[name] for name in KV_TYPES if name == kv_type.strip().lower()), None)
    if block is None:
        raise UnknownName.among(kv_type, KV_TYPES, kind="KV cache type")
    return values * block[1] / block[0]


def row_bytes(block_type: BlockType, columns: int) -> int:
    weights, size = BLOCKS[block_type]
    return -(-columns // weights) * size


def takes_more_bits(layer: int, layers: int) -> bool:
    """The first and last eighth of the layers, and every third between: `use_more_bits` in src/llama-quant.cpp."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def layer_rule(quant: Quantisation, layer: int, layers: int) -> tuple[bool, ...]:
    """What a mix looks at in a layer's number: layers with equal answers get equal types."""
    if quant.name in ("q4_K_M", "q5_K_M"):
        return (takes_more_bits(layer, layers),)
    if quant.name == "q4_K_S":
        return (layer < 4, layer < layers // 8)
    return (layer < 2, layer < layers // 16) if quant.name == "q3_K_M" else ()


def tensor_type(
    name: str, columns: int, dimensions: int, *, quant: Quantisation, layer: int, traits: MixTraits
) -> BlockType:
    """The ggml type that `name` gets in this mix.

    Source: `tensor_allows_quantization`, `llama_tensor_get_type_impl` and `tensor_type_fallback` in src/llama-quant.cpp of
    ggml-org/llama.cpp@007dbbf3fd17eefe9b47fee45f48f7ba5e62b714, cut down to what Qwen's tensors can meet; the tensors that
    stay f32 are those of `prepare_tensors` in conversion/base.py. A row that a block does not divide falls back.
    """
    if dimensions < 2 or name.endswith("_norm.weight") or "ffn_gate_inp" in name or "ssm_conv1d" in name:
        return "f32"
    if not quant.is_block_quantised:
        return quant.default
    if quant.default == "q8_0":
        return "q8_0" if columns % 32 == 0 else "f16"
    wanted = _mixed_type(name, columns, quant=quant, layer=layer, traits=traits)
    if columns % BLOCKS[wanted][0] == 0:
        return wanted
    fallback = _FALLBACK.get(wanted, "f16")
    return fallback if columns % BLOCKS[fallback][0] == 0 else "f16"


def _mixed_type(name: str, columns: int, *, quant: Quantisation, layer: int, traits: MixTraits) -> BlockType:
    """The type that the mix wants, before the shape has its say."""
    if name == "output.weight" or (traits.tied and name == "token_embd.weight"):
        return "q6_K" if columns % BLOCKS[quant.default][0] == 0 else "q8_0"
    if "attn_v.weight" in name or "attn_qkv.weight" in name:
        value_type = _value_type(quant, layer=layer, traits=traits)
        return "q5_K" if traits.is_70b and value_type in ("q3_K", "q4_K") else value_type
    if "ffn_down" in name:
        return _down_type(quant, layer=layer, layers=traits.layers)
    if "attn_output.weight" in name:
        return {"q2_K": "q3_K", "q3_K_M": "q4_K"}.get(quant.name, quant.default)  # type: ignore[return-value]
    return quant.default


def _value_type(quant: Quantisation, *, layer: int, traits: MixTraits) -> BlockType:
    if quant.name in ("q4_K_M", "q5_K_M"):
        return "q6_K" if takes_more_bits(layer, traits.layers) else quant.default
    if quant.name == "q2_K":
        return "q4_K" if traits.heads_per_kv >= 4 else "q3_K"
    if quant.name == "q4_K_S":
        return "q5_K" if layer < 4 else "q4_K"
    if quant.name == "q3_K_M":
        return "q5_K" if layer < 2 else "q4_K"
    return quant.default


def _down_type(quant: Quantisation, *, layer: int, layers: int) -> BlockType:
    if quant.name in ("q4_K_M", "q5_K_M"):
        return "q6_K" if takes_more_bits(layer, layers) else quant.default
    if quant.name == "q4_K_S":
        return "q5_K" if layer < layers // 8 else "q4_K"
    if quant.name == "q3_K_M":
        return "q5_K" if layer < layers // 16 else "q4_K"
    return "q3_K" if quant.name == "q2_K" else quant.default
