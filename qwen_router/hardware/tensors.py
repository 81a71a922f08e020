r"""The tensors of a Qwen text decoder, by name and shape, in llama.cpp's naming.

A sum over them is the exact parameter count; `memory.py` turns them into bytes at a quantisation. Vision towers and
multi-token-prediction heads are counted by their parameters in the catalog row, not enumerated here.

    python -c "from qwen_router.catalog import Catalog; from qwen_router.hardware.tensors import text_params as n; \\
        print(n(Catalog.load().get('Qwen/Qwen3-8B').architecture))"
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod

from qwen_router.catalog.types import Architecture, Hybrid
from qwen_router.errors import CatalogError


@dataclass(frozen=True, slots=True)
class Tensor:
    """One weight. `shape` is in ggml's order: the length of a row first, then rows, then experts.

    `layer` is None outside the blocks. `read_share` is the part of it that one token reads: experts_active / experts for
    the experts' stacks, one row of the embedding table, everything else whole.
    """

    name: str
    shape: tuple[int, ...]
    layer: int | None = None
    read_share: float = 1.0

    @property
    def params(self) -> int:
        return prod(self.shape)


def is_linear_layer(arch: Architecture, layer: int) -> bool:
    """Whether this layer is a Gated DeltaNet: all but every n-th (`full_attention_interval`, src/models/qwen35.cpp)."""
    if arch.hybrid is None:
        return False
    interval = max(1, arch.layers // arch.hybrid.full_attention_layers)
    return (layer + 1) % interval != 0


def tensors(arch: Architecture) -> tuple[Tensor, ...]:
    """Every tensor of the text decoder once; a tied output is not listed twice.

    Source: `load_arch_tensors` in src/models/qwen2.cpp, qwen2moe.cpp, qwen3.cpp, qwen3moe.cpp, qwen3next.cpp, qwen35.cpp and
    qwen35moe.cpp of ggml-org/llama.cpp. Qwen3-Next stores `ssm_alpha` and `ssm_beta` as one tensor of the same size.
    """
    layers = (tensor for layer in range(arch.layers) for tensor in layer_tensors(arch, layer))
    return (*outer_tensors(arch), *layers)


def outer_tensors(arch: Architecture) -> tuple[Tensor, ...]:
    """What lies outside the layers: the embedding table, the last norm, and the output unless it is tied."""
    embedding = Tensor("token_embd.weight", (arch.hidden, arch.vocab), read_share=1.0 if arch.tied_embeddings else 0.0)
    norm = Tensor("output_norm.weight", (arch.hidden,))
    if arch.tied_embeddings:
        return embedding, norm
    return embedding, norm, Tensor("output.weight", (arch.hidden, arch.vocab))


def layer_tensors(arch: Architecture, layer: int) -> tuple[Tensor, ...]:
    """The tensors of one layer: attention of its kind, and the feed-forward part."""
    parts = _linear_attention(arch) if is_linear_layer(arch, layer) else _full_attention(arch)
    whole = (*parts, *_feed_forward(arch))
    return tuple(Tensor(f"blk.{layer}.{name}", shape, layer, share) for name, shape, share in whole)


Part = tuple[str, tuple[int, ...], float]


def _full_attention(arch: Architecture) -> Iterator[Part]:
    queries = arch.heads * arch.head_dim
    keys = arch.kv_heads * arch.head_dim
    yield "attn_norm.weight", (arch.hidden,), 1.0
    yield "attn_q.weight", (arch.hidden, queries * (2 if arch.gated_attention else 1)), 1.0
    yield "attn_k.weight", (arch.hidden, keys), 1.0
    yield "attn_v.weight", (arch.hidden, keys), 1.0
    yield "attn_output.weight", (queries, arch.hidden), 1.0
    if arch.qkv_bias:
        yield "attn_q.bias", (queries,), 1.0
        yield "attn_k.bias", (keys,), 1.0
        yield "attn_v.bias", (keys,), 1.0
    if arch.qk_norm:
        yield "attn_q_norm.weight", (arch.head_dim,), 1.0
        yield "attn_k_norm.weight", (arch.head_dim,), 1.0


def linear_sizes(hybrid: Hybrid) -> tuple[int, int, int, int]:
    """Value heads, head width, columns of the convolution and its kernel; unknown sizes are the catalog's fault."""
    sizes = (hybrid.linear_v_heads, hybrid.linear_qk_heads, hybrid.linear_head_dim, hybrid.conv_kernel)
    if None in sizes:
        raise CatalogError(
            f"the linear-attention layers are not fully described: {hybrid!r}",
            fix="fill linear_v_heads, linear_qk_heads, linear_head_dim and conv_kernel from config.json",
        )
    v_heads, qk_heads, head_dim, kernel = (size or 0 for size in sizes)
    return v_heads, head_dim, (2 * qk_heads + v_heads) * head_dim, kernel


def _linear_attention(arch: Architecture) -> Iterator[Part]:
    assert arch.hybrid is not None
    v_heads, head_dim, conv_columns, kernel = linear_sizes(arch.hybrid)
    values = v_heads * head_dim
    yield "attn_norm.weight", (arch.hidden,), 1.0
    yield "attn_qkv.weight", (arch.hidden, conv_columns), 1.0
    yield "attn_gate.weight", (arch.hidden, values), 1.0
    yield "ssm_conv1d.weight", (kernel, conv_columns), 1.0
    yield "ssm_dt.bias", (v_heads,), 1.0
    yield "ssm_a", (v_heads,), 1.0
    yield "ssm_beta.weight", (arch.hidden, v_heads), 1.0
    yield "ssm_alpha.weight", (arch.hidden, v_heads), 1.0
    yield "ssm_norm.weight", (head_dim,), 1.0
    yield "ssm_out.weight", (values, arch.hidden), 1.0


def _feed_forward(arch: Architecture) -> Iterator[Part]:
    yield "ffn_norm.weight", (arch.hidden,), 1.0
    if arch.experts is None:
        if arch.ffn is None:
            raise CatalogError("a dense architecture without `ffn`", fix="fill ffn from intermediate_size in config.json")
        yield "ffn_gate.weight", (arch.hidden, arch.ffn), 1.0
        yield "ffn_up.weight", (arch.hidden, arch.ffn), 1.0
        yield "ffn_down.weight", (arch.ffn, arch.hidden), 1.0
        return
    if arch.moe_ffn is None or arch.experts_active is None:
        raise CatalogError(
            "a mixture of experts without `moe_ffn` or `experts_active`",
            fix="fill them from moe_intermediate_size and num_experts_per_tok in config.json",
        )
    share = arch.experts_active / arch.experts
    yield "ffn_gate_inp.weight", (arch.hidden, arch.experts), 1.0
    yield "ffn_gate_exps.weight", (arch.hidden, arch.moe_ffn, arch.experts), share
    yield "ffn_up_exps.weight", (arch.hidden, arch.moe_ffn, arch.experts), share
    yield "ffn_down_exps.weight", (arch.moe_ffn, arch.hidden, arch.experts), share
    if arch.shared_expert_ffn:
        yield "ffn_gate_inp_shexp.weight", (arch.hidden,), 1.0
        yield "ffn_gate_shexp.weight", (arch.hidden, arch.shared_expert_ffn), 1.0
        yield "ffn_up_shexp.weight", (arch.hidden, arch.shared_expert_ffn), 1.0
        yield "ffn_down_shexp.weight", (arch.shared_expert_ffn, arch.hidden), 1.0


@lru_cache(maxsize=1024)
def text_params(arch: Architecture) -> int:
    """Parameters of the text decoder, a tied output counted once."""
    return sum(tensor.params for tensor in outer_tensors(arch)) + sum(
        count * sum(tensor.params for tensor in layer_tensors(arch, layer)) for layer, count in layer_kinds(arch)
    )


def layer_kinds(arch: Architecture) -> tuple[tuple[int, int], ...]:
    """The first layer of each kind, and how many layers are of it: (layer, count) for full and linear attention."""
    kinds: dict[bool, tuple[int, int]] = {}
    for layer in range(arch.layers):
        first, count = kinds.get(is_linear_layer(arch, layer), (layer, 0))
        kinds[is_linear_layer(arch, layer)] = (first, count + 1)
    return tuple(kinds.values())
