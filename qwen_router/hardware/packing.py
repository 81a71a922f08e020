"""What a tensor takes in the formats that are not GGUF: plain, FP8, AWQ, GPTQ, bitsandbytes, MLX and ONNX, scales and all.

"4 bits" is a statement about some matrices: each format keeps others at 16 bits (ONNX for a CPU at 32), and stores scales
beside the integers. A tensor is named and shaped as in `tensors.py`; GGUF is in `quants.py`, sums are in `layers.py`. Bytes
are those of the format: what an engine repacks or drops once it has read them (the zero points of a symmetric GPTQ, say) is
not followed.

    python -c "from qwen_router.catalog.quants import quant; from qwen_router.hardware.tensors import Tensor as T; \\
        from qwen_router.hardware.packing import packed_bytes as n; print(n(T('output.weight', (64, 9)), quant('4bit')))"
"""

from __future__ import annotations

from collections.abc import Callable

from qwen_router.catalog.quants import Quant, QuantKind
from qwen_router.errors import InvalidRequest
from qwen_router.hardware.tensors import Tensor

GROUP = 128
"""Weights of a row that share a scale in AWQ and GPTQ (`group_size` of Qwen's own checkpoints), and the side of an FP8 block
(`weight_block_size: [128, 128]` in their config.json)."""
MLX_GROUP = 64
"""`defaults_for_mode` for affine quantisation, mlx_lm/utils.py, ml-explore/mlx-lm@d78bf58e."""
ONNX_BLOCK = 32
"""`int4_block_size` of onnxruntime-genai's model builder, 0.18."""
BNB_BLOCK, BNB_NESTED_BLOCK = 64, 256
"""`quantize_4bit` and its `compress_statistics`, bitsandbytes/functional.py, 0.50.2."""

_ROUTERS = ("ffn_gate_inp", "ffn_gate_inp_shexp")
_SMALL = (*_ROUTERS, "ssm_alpha", "ssm_beta")
_OUTER = ("token_embd", "output")
_KEPT: dict[QuantKind, tuple[str, ...]] = {
    "fp8": (*_OUTER, *_SMALL),
    "awq": (*_OUTER, *_SMALL),
    "gptq": (*_OUTER, *_SMALL),
    "bnb": (*_OUTER, "ffn_gate_inp"),
    "mlx": (),
    "onnx": (),
}
"""Matrices that stay at 16 bits, in ggml's names: embedding and output, routers, the two narrow projections of a DeltaNet.

FP8: `modules_to_not_convert` of Qwen's checkpoints (of Qwen3-30B-A3B as quoted in vllm-project/llm-compressor issue 1758,
of Qwen3.5 in src/maxtext/configs/models/qwen3.5-35b-a3b-fp8.yml, AI-Hypercomputer/maxtext). GPTQ, and AWQ made by the same
tool: what `module_tree` marks with "!" in gptqmodel/models/definitions/qwen3_moe.py, qwen3_next.py and qwen3_5_moe.py of
ModelCloud/GPTQModel@f4c327a1. bitsandbytes: transformers 5.23 replaces `nn.Linear` and nothing else
(`replace_with_bnb_linear`, less `get_keys_to_not_convert`): routers are bare parameters, a shared expert's gate is a Linear.
"""


def packed_bytes(tensor: Tensor, quant: Quant) -> int:
    """Bytes of one tensor; multiply by its `read_share` for what a token reads.

    bitsandbytes leaves experts alone: transformers 5 keeps them as one stacked parameter, not as Linear layers, so a mixture
    of experts stays at 16 bits but for attention and a shared expert.
    """
    if quant.kind == "gguf":
        raise InvalidRequest(f"{quant.name!r} is a mix of GGUF's types", fix="size it with quants.tensor_type and row_bytes")
    assert quant.bits is not None
    if quant.kind == "plain":
        return tensor.params * quant.bits // 8
    stem = tensor.name.removesuffix(".weight").rpartition(".")[2]
    is_matrix = len(tensor.shape) > 1 or stem == "ffn_gate_inp_shexp"
    if quant.kind == "onnx":
        return _onnx(tensor, quant.bits, table=stem == "token_embd", whole=not is_matrix or stem == "ssm_conv1d")
    if not is_matrix or stem in (*_KEPT[quant.kind], "ssm_conv1d") or (quant.kind == "bnb" and len(tensor.shape) == 3):
        return 2 * tensor.params
    columns, rows, experts = (*tensor.shape, 1, 1)[:3]
    bits = 8 if quant.kind == "mlx" and stem in _ROUTERS else quant.bits
    if quant.kind == "bnb" and bits == 4:
        return experts * _nf4(columns, rows, nested=quant.name == "nf4-dq")
    return experts * _PACKERS[quant.kind](columns, rows, bits)


def _fp8(columns: int, rows: int, bits: int) -> int:
    """A byte a weight, and `weight_scale_inv` for each block of 128 x 128, ragged too (`FP8Linear`, transformers 5.23).

    Scales are counted at the 2 bytes that Qwen stores: Qwen3-1.7B-FP8 has 196 of these tensors, all bf16, that of a down
    projection of 6144 to 2048 is [16, 48] (modular/modular issue 7142). transformers widens them to 4 bytes: 0.01 % more.
    """
    return columns * rows * bits // 8 + 2 * _groups(columns, GROUP) * _groups(rows, GROUP)


def _awq(columns: int, rows: int, bits: int) -> int:
    """`qweight` and `qzeros` in words of 32 bits, packed along the output, and `scales` in f16, both a group of 128 inputs.

    Source: `WQLinear_GEMM`, awq/modules/linear/gemm.py, casper-hansen/AutoAWQ@88e4c76b.
    """
    words = _groups(rows * bits, 32)
    groups = _groups(columns, GROUP)
    return 4 * columns * words + groups * (4 * words + 2 * rows)


def _gptq(columns: int, rows: int, bits: int) -> int:
    """`qweight` packed along the input, `qzeros` along the output, `scales` in f16, and `g_idx`, a word for each input.

    Source: `_register_gptq_buffers`, gptqmodel/nn_modules/qlinear/__init__.py, ModelCloud/GPTQModel@f4c327a1.
    """
    groups = _groups(columns, GROUP)
    return 4 * _groups(columns * bits, 32) * rows + groups * (4 * _groups(rows * bits, 32) + 2 * rows) + 4 * columns


def _int8(columns: int, rows: int, bits: int) -> int:
    """LLM.int8: a byte a weight, and `SCB`, the f32 scale of each output row (`Int8Params`, bitsandbytes/nn/modules.py)."""
    return columns * rows * bits // 8 + 4 * rows


def _nf4(columns: int, rows: int, *, nested: bool) -> int:
    """Half a byte a weight, `absmax` in f32 for each block of 64 counted over the whole matrix, and the 16 values of NF4.

    Nested: `absmax` in 8 bits with its own f32 scale for each 256 of them, the mean that was taken off, and a map of 256
    values, one copy a matrix. This is `QuantState` as it is loaded; its code has one layout for every device. A CPU with
    AVX512-BF16 repacks at its first forward pass (`_convert_weight_packed_for_cpu`) to one `absmax` in bf16 a block, nested
    or not: such a matrix gets 6 % smaller, a nested one 3 % larger.
    """
    weights = columns * rows
    blocks = _groups(weights, BNB_BLOCK)
    packed = _groups(weights, 2) + 4 * 16
    if not nested:
        return packed + 4 * blocks
    return packed + blocks + 4 * (_groups(blocks, BNB_NESTED_BLOCK) + 1 + 256)


def _mlx(columns: int, rows: int, bits: int) -> int:
    """Words of 32 bits, and a scale and a bias in 16 bits for each group of 64; a row that 64 does not divide is kept whole.

    `mx.quantize` on every matrix, embedding and output included; routers at 8 bits whatever the rest has (`quantize_model`
    in mlx_lm/utils.py, `quant_predicate` in models/qwen3_moe.py, qwen3_next.py and qwen3_5.py, same source; qwen2_moe.py has
    no such rule, so its routers are counted 0.02 % of the model too large).
    """
    if columns % MLX_GROUP:
        return 2 * columns * rows
    return rows * (columns * bits // 8 + 2 * 2 * columns // MLX_GROUP)


def _onnx(tensor: Tensor, bits: int, *, table: bool, whole: bool) -> int:
    """As onnxruntime-genai's model builder writes it for a CPU: 32 weights of a row share an f32 scale, the rest is f32.

    The embedding table stays f32. Tied to the output, it is one with it at 4 bits, and a second copy of it at 8 (there is no
    operator that looks up rows of 8 bits). Checked against what the builder wrote for dense models (tests/test_quants.py);
    mixtures and hybrids are counted by the same rule, unchecked. Left out: the tables of sines and cosines.
    """
    columns, rows, experts = (*tensor.shape, 1, 1)[:3]
    packed = experts * rows * _groups(columns, ONNX_BLOCK) * (ONNX_BLOCK * bits // 8 + 4)
    if whole:
        return 4 * tensor.params
    if not table:
        return packed
    if not tensor.read_share:
        return 4 * tensor.params
    return packed if bits == 4 else 4 * tensor.params + packed


_PACKERS: dict[QuantKind, Callable[[int, int, int], int]] = {
    "fp8": _fp8,
    "awq": _awq,
    "gptq": _gptq,
    "bnb": _int8,
    "mlx": _mlx,
}


def _groups(length: int, group: int) -> int:
    return -(-length // group)
