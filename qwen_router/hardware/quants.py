"""GGUF: how many bytes a row of a ggml type takes, and which type each tensor gets in a mix.

The mix follows llama.cpp's quantiser tensor by tensor, because "4 bits" is not 4 bits: Q4_K_M keeps the output, half of
the value projections and half of the down projections at 6 bits. Which tensors a model has is in `tensors.py`, sums are in
`layers.py`, formats that are not GGUF in `packing.py`, the names in `catalog/quants.py`.

Types that llama-quantize refuses without an importance matrix (IQ1, IQ2, IQ3_XS, IQ3_XXS, Q2_K_S) are sized with one, all
others without. With one, an IQ4_NL or IQ4_XS file is up to about 1 % smaller than said here (its first down projections are
not raised to Q5_K), a Q4_0 or Q5_0 file up to 0.3 % larger; the other mixes do not change.

    python -c "from qwen_router.hardware.quants import quantisation; print(quantisation('Q4_K_M'))"
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from qwen_router.catalog.quants import QUANTS, BlockType, Quant, quant
from qwen_router.catalog.types import Architecture
from qwen_router.errors import InvalidRequest, UnknownName

Quantisation = Quant
quantisation = quant
QUANTISATIONS: dict[str, Quant] = {each.name: each for each in QUANTS if each.block is not None}
"""What a GGUF file can be: plain numbers and the mixes."""

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
    "mxfp4": (32, 17),
    "iq4_nl": (32, 18),
    "iq4_xs": (256, 136),
    "iq3_s": (256, 110),
    "iq3_xxs": (256, 98),
    "iq2_s": (256, 82),
    "iq2_xs": (256, 74),
    "iq2_xxs": (256, 66),
    "iq1_m": (256, 56),
    "iq1_s": (256, 50),
}
"""Weights in a block and bytes of that block: the block_* structs of ggml/src/ggml-common.h, llama.cpp as vendored by
llama-cpp-python 0.3.36."""

_FALLBACK: dict[BlockType, BlockType] = {
    "q6_K": "q8_0",
    "q5_K": "q5_1",
    "q4_K": "q5_0",
    "q3_K": "q4_0",
    "q2_K": "q4_0",
    **dict.fromkeys(("iq4_xs", "iq3_s", "iq3_xxs", "iq2_s", "iq2_xs", "iq2_xxs", "iq1_m", "iq1_s"), "iq4_nl"),
}
"""What a row that no 256-block divides gets instead (`tensor_type_fallback`, src/llama-quant.cpp, same source)."""

KV_TYPES: tuple[BlockType, ...] = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
"""Types that llama.cpp accepts for its KV cache (`kv_cache_types`, common/arg.cpp, same source)."""


@dataclass(frozen=True, slots=True)
class MixTraits:
    """What a mix looks at in a model: layers, tied embeddings, query heads a key-value head, llama.cpp's "70B" class, how
    many experts there are, and whether another expert is shared by all tokens."""

    layers: int
    tied: bool
    heads_per_kv: int
    is_70b: bool
    experts: int = 0
    shared_expert: bool = False

    @classmethod
    def of(cls, arch: Architecture) -> MixTraits:
        """Only `src/models/qwen2.cpp` has a 70B class (80 layers): models that see are `qwen2vl`, which has none.

        A file that holds a multi-token-prediction layer too counts it among its layers, which moves the borders of a mix by
        at most one layer; it is left out here, as `memory.py` leaves out its weights.
        """
        is_qwen2_text = arch.experts is None and not arch.qk_norm and arch.vision_params is None
        return cls(
            layers=arch.layers,
            tied=bool(arch.tied_embeddings),
            heads_per_kv=arch.heads // arch.kv_heads,
            is_70b=is_qwen2_text and arch.layers == 80,
            experts=arch.experts or 0,
            shared_expert=bool(arch.shared_expert_ffn),
        )


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


_LAYER_TESTS: dict[str, Callable[[int, int], bool]] = {
    "first two": lambda layer, _: layer < 2,
    "first four": lambda layer, _: layer < 4,
    "first 16th": lambda layer, layers: layer < layers // 16,
    "first 8th": lambda layer, layers: layer < layers // 8,
    "middle": lambda layer, layers: layers // 8 <= layer < 7 * layers // 8,
    "more bits": takes_more_bits,
}
_MODEL_TESTS: dict[str, Callable[[MixTraits], bool]] = {
    "always": lambda _: True,
    "grouped": lambda traits: traits.heads_per_kv >= 4,
    "grouped or experts": lambda traits: traits.heads_per_kv >= 4 or traits.experts >= 4,
    "eight experts": lambda traits: traits.experts == 8,
}
_FIRST_DOWNS = "first 8th of the down projections"
_LOW = "iq2_M iq2_S"
_LOWEST = "iq2_XXS iq2_XS iq1_M iq1_S"

_RULES: dict[str, tuple[tuple[str, str, BlockType], ...]] = {
    "token_embd": ((_LOWEST, "always", "q2_K"), (f"{_LOW} iq3_XXS", "always", "iq3_s")),
    "attn_v": (
        (f"{_LOWEST} {_LOW}", "grouped or experts", "q4_K"),
        (_LOWEST, "always", "q2_K"),
        (_LOW, "always", "iq3_s"),
        ("*", "eight experts", "q8_0"),
        ("q2_K q2_K_S iq3_XXS iq3_XS iq3_S", "grouped", "q4_K"),
        ("q2_K", "always", "q3_K"),
        ("iq3_M", "always", "q4_K"),
        ("q3_K_M", "first two", "q5_K"),
        ("q3_K_M", "always", "q4_K"),
        ("q3_K_L", "always", "q5_K"),
        ("iq4_NL iq4_XS", "grouped", "q5_K"),
        ("q4_K_M q5_K_M", "more bits", "q6_K"),
        ("q4_K_S", "first four", "q5_K"),
    ),
    "attn_k": (
        (f"{_LOWEST} {_LOW}", "eight experts", "q4_K"),
        ("*", "eight experts", "q8_0"),
        ("iq3_XS", "always", "iq3_xxs"),
        ("iq3_XXS", "always", "iq2_s"),
    ),
    "attn_q": (("iq3_XS", "always", "iq3_xxs"), ("iq3_XXS", "always", "iq2_s")),
    "attn_output": (
        (f"{_LOWEST} {_LOW} q2_K iq3_XS iq3_XXS iq3_S iq3_M q3_K_S q3_K_M", "eight experts", "q5_K"),
        ("iq4_NL iq4_XS q4_K_S q4_K_M", "eight experts", "q5_K"),
        ("q3_K_L", "eight experts", "q3_K"),
        ("iq1_S iq1_M", "always", "iq2_xxs"),
        (f"{_LOW} iq3_XXS", "always", "iq3_s"),
        ("q2_K", "always", "q3_K"),
        ("q3_K_M iq3_M", "always", "q4_K"),
        ("q3_K_L", "always", "q5_K"),
    ),
    "ffn_down": (
        (_LOWEST, _FIRST_DOWNS, "q2_K"),
        (_LOW, _FIRST_DOWNS, "iq3_s"),
        ("q2_K", "always", "q3_K"),
        ("q2_K_S iq3_M", "first 8th", "q4_K"),
        ("iq3_M", "more bits & eight experts", "q4_K"),
        ("q3_K_M", "first 16th", "q5_K"),
        ("q3_K_M", "always", "q4_K"),
        ("q3_K_L", "always", "q5_K"),
        ("q4_K_M q5_K_M", "more bits", "q6_K"),
        ("q4_K_S iq4_NL iq4_XS", "first 8th", "q5_K"),
    ),
    "ffn_gate": (("iq3_XS", "middle", "iq3_xxs"),),
    "ffn_up": (("iq3_XS", "middle", "iq3_xxs"),),
}
"""By kind of tensor: the mixes that a rule is for (`*`: all but IQ1 and IQ2), when it holds, and the type; the first that
holds counts, else the mix's own type. `llama_tensor_get_type_impl` in src/llama-quant.cpp, same source, cut down to what
Qwen's tensors can meet; no Qwen has eight experts, but a cut-down one may."""
_PARTS = {"attn_qkv": "attn_v"} | {
    f"{part}{suffix}": part for part in _RULES for suffix in ("", "_exps", "_shexp") if not suffix or part[:3] == "ffn"
}


@cache
def _rules_of(mix: str, part: str) -> tuple[tuple[tuple[str, ...], BlockType], ...]:
    """The rules of one mix for one kind of tensor: conditions that must all hold, and the type."""
    low = mix in f"{_LOWEST} {_LOW}".split()
    return tuple(
        (tuple(when.split(" & ")), kind)
        for mixes, when, kind in _RULES.get(part, ())
        if mix in mixes.split() or (mixes == "*" and not low)
    )


@cache
def _layer_conditions(mix: str) -> frozenset[str]:
    """What this mix asks about a layer's number."""
    asked = {each for part in _RULES for when, _ in _rules_of(mix, part) for each in when}
    return frozenset(asked & {*_LAYER_TESTS, _FIRST_DOWNS})


def layer_rule(quant: Quant, layer: int, layers: int) -> tuple[bool, ...]:
    """What a mix looks at in a layer's number: layers with equal answers get equal types."""
    answers: list[bool] = []
    for asked in sorted(_layer_conditions(quant.name)):
        if asked == _FIRST_DOWNS:
            answers += [position < layers // 8 for position in (layer, 2 * layer, 2 * layer + 1)]
        else:
            answers.append(_LAYER_TESTS[asked](layer, layers))
    return tuple(answers)


def tensor_type(name: str, columns: int, dimensions: int, *, quant: Quant, layer: int, traits: MixTraits) -> BlockType:
    """The ggml type that `name` gets in this mix.

    Source: `tensor_allows_quantization`, `llama_tensor_get_type_impl` and `tensor_type_fallback` in src/llama-quant.cpp of
    llama.cpp as vendored by llama-cpp-python 0.3.36, cut down to what Qwen's tensors can meet; the tensors that stay f32 are
    those of `prepare_tensors` in conversion/base.py. A row that a block does not divide falls back.
    """
    if quant.block is None:
        raise InvalidRequest(f"no GGUF file is quantised as {quant.name!r}", fix="q4_K_M, or an engine that runs it")
    if dimensions < 2 or name.endswith("_norm.weight") or "ffn_gate_inp" in name or "ssm_conv1d" in name:
        return "f32"
    if quant.kind == "plain":
        return quant.block
    wanted = _mixed_type(name, columns, dimensions, quant=quant, layer=layer, traits=traits)
    if columns % BLOCKS[wanted][0] == 0:
        return wanted
    fallback = _FALLBACK.get(wanted, wanted)
    return fallback if columns % BLOCKS[fallback][0] == 0 else "f16"


def _mixed_type(name: str, columns: int, dimensions: int, *, quant: Quant, layer: int, traits: MixTraits) -> BlockType:
    """The type that the mix wants, before the shape has its say."""
    assert quant.block is not None
    if name == "output.weight" or (traits.tied and name == "token_embd.weight"):
        return _output_type(columns, quant.name, quant.block)
    if quant.block == "mxfp4":
        return "mxfp4" if dimensions == 3 else "q8_0"
    stem = name.split(".")[-2]
    part = _PARTS.get(stem, "")
    for conditions, kind in _rules_of(quant.name, part):
        if all(_holds(each, stem, layer, traits) for each in conditions):
            wanted = kind
            break
    else:
        wanted = quant.block
    raised = traits.is_70b and part == "attn_v" and wanted in ("q3_K", "q4_K") and not quant.name.startswith(("iq1", "iq2"))
    return "q5_K" if raised else wanted


def _output_type(columns: int, mix: str, block: BlockType) -> BlockType:
    """The output matrix, or the embedding table that stands in for it."""
    if block in ("mxfp4", "q8_0") or columns % BLOCKS[block][0]:
        return "q8_0"
    return "q5_K" if mix in f"{_LOWEST} {_LOW} iq3_XXS".split() else "q6_K"


def _holds(condition: str, stem: str, layer: int, traits: MixTraits) -> bool:
    """Whether a rule's condition holds for a tensor. llama.cpp counts the first down projections by tensor, not by layer, in
    IQ1 and IQ2: a shared expert's is one more in each layer, after the others."""
    if condition == _FIRST_DOWNS:
        position = 2 * layer + stem.endswith("_shexp") if traits.shared_expert else layer
        return position < traits.layers // 8
    if condition in _LAYER_TESTS:
        return _LAYER_TESTS[condition](layer, traits.layers)
    return _MODEL_TESTS[condition](traits)
