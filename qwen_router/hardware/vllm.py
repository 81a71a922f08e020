"""vLLM's own rule: it takes a share of every device at its start, and what weights and buffers leave of it holds the cache.

So the question is not what a build takes, but how many tokens of cache are left, and for how many requests.
Weights and heads are split over `tensor_parallel` equal devices. The formulas are those of vLLM's source; activations,
graphs and the libraries' own memory are measured by vLLM itself when it starts and can only be estimated here.

    python -m qwen_router fit Qwen3-32B --engine vllm --quant fp8 --machine 2xh100-80 --tensor-parallel 2
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qwen_router.catalog.types import Architecture, Model
from qwen_router.errors import InvalidRequest
from qwen_router.hardware.layers import weight_bytes
from qwen_router.hardware.machine import Device, Machine
from qwen_router.hardware.memory import MIB, architecture, engine_quant, tower_params
from qwen_router.hardware.tensors import is_linear_layer, linear_sizes

BLOCK_TOKENS = 16
"""`CacheConfig.DEFAULT_BLOCK_SIZE`, vllm/config/cache.py, vllm-project/vllm@001cabc1."""
GPU_MEMORY_UTILIZATION = 0.9
"""Default of `gpu_memory_utilization`, same file."""
BATCHED_TOKENS = 8192
"""Tokens of one step in the profiling run: `max_num_batched_tokens` of a server on a device of 70 GiB and more; smaller ones
take 2,048 (vllm/engine/arg_utils.py, `get_batch_defaults`)."""
SMALL_DEVICE_MIB = 70 * 1024.0
SMALL_BATCHED_TOKENS = 2048
SEQUENCES = 256
"""`max_num_seqs`: rows of logits in the profiling run."""
OTHER_MIB = 1024.0
"""CUDA graphs, NCCL and the CUDA context on each device. An assumption: nothing here has a GPU to measure it on."""
KV_DTYPES = {"auto": 2, "bf16": 2, "f16": 2, "fp8": 1}


@dataclass(frozen=True, slots=True)
class VllmPlan:
    """Per device, in MiB: what vLLM reserves and how it is used; then the cache of all devices.

    A block holds `block_tokens` tokens of every layer with full attention, or a sequence's state of a group of linear ones.
    `concurrency` is how many requests of the asked context the cache holds at once.
    """

    devices: tuple[Device, ...]
    requested_mib: float
    weights_mib: float
    tower_mib: float
    activation_mib: float
    other_mib: float
    kv_mib: float
    block_tokens: int
    blocks: int
    kv_tokens: int
    concurrency: float
    reason: str

    @property
    def fits(self) -> bool:
        return self.concurrency >= 1


def vllm_plan(
    model: Model,
    machine: Machine,
    *,
    quant: str,
    context_tokens: int,
    kv_type: str = "auto",
    tensor_parallel: int = 1,
    gpu_memory_utilization: float = GPU_MEMORY_UTILIZATION,
) -> VllmPlan:
    """What vLLM would reserve on `tensor_parallel` equal accelerators and how many requests of `context_tokens` it holds.

    Raises `InvalidRequest` for a share that is none, a cache type that vLLM has not, or heads that do not divide.
    """
    arch, found = architecture(model), engine_quant("vllm", quant)
    if not 0 < gpu_memory_utilization <= 1:
        raise InvalidRequest(f"gpu_memory_utilization must be in (0, 1], not {gpu_memory_utilization}", fix="0.9")
    if kv_type not in KV_DTYPES:
        raise InvalidRequest(f"vLLM has no cache type {kv_type!r}", fix=f"one of {', '.join(KV_DTYPES)}")
    if tensor_parallel < 1 or arch.heads % tensor_parallel:
        raise InvalidRequest(
            f"{arch.heads} attention heads of {model.id!r} cannot be split over {tensor_parallel} devices",
            fix=f"--tensor-parallel {_divisor(arch.heads, tensor_parallel)}",
        )
    devices = _equal_devices(machine, tensor_parallel)
    weights = weight_bytes(arch, found.name, False).total / tensor_parallel / MIB
    tower = tower_params(model) * 2 / MIB  # replicated on every rank by default, in 16 bits
    nothing = (0, 0, 0, 0.0)
    if not devices:
        reason = f"vLLM needs {tensor_parallel} equal accelerators, and {machine.name} has not as many"
        return VllmPlan((), 0.0, weights, tower, 0.0, 0.0, 0.0, BLOCK_TOKENS, *nothing[1:], reason)
    device = devices[0]
    requested = math.ceil(device.memory_total_mib * gpu_memory_utilization)
    batched = BATCHED_TOKENS if device.memory_total_mib >= SMALL_DEVICE_MIB else SMALL_BATCHED_TOKENS
    activation = _activation_bytes(arch, batched, tensor_parallel) / MIB
    room = requested - weights - tower - activation - OTHER_MIB
    block, page_bytes, state_blocks = _pages(arch, KV_DTYPES[kv_type], tensor_parallel)
    full = sum(not is_linear_layer(arch, layer) for layer in range(arch.layers))
    blocks = max(0, int(room * MIB // page_bytes // full))
    needed = -(-context_tokens // block) + state_blocks
    free = min(d.memory_free_mib for d in devices)
    if requested > free:
        reason = (
            f"vLLM would reserve {requested / 1024:.1f} GiB on each device and {free / 1024:.1f} are free: "
            f"stop what runs there, or --gpu-memory-utilization {math.floor(100 * free / device.memory_total_mib) / 100}"
        )
        blocks = 0
    elif blocks < needed:
        needed_mib = needed * page_bytes * full / MIB
        reason = f"{max(0.0, room) / 1024:.1f} GiB are left for the cache, {needed_mib / 1024:.1f} are needed"
    else:
        reason = (
            f"{room / 1024:.1f} GiB of cache on each device hold {blocks / needed:.1f} requests of {context_tokens} tokens"
        )
    return VllmPlan(
        devices=devices,
        requested_mib=requested,
        weights_mib=weights,
        tower_mib=tower,
        activation_mib=activation,
        other_mib=OTHER_MIB,
        kv_mib=max(0.0, room),
        block_tokens=block,
        blocks=blocks,
        kv_tokens=blocks * block,
        concurrency=blocks / needed,
        reason=reason,
    )


def _pages(arch: Architecture, kv_bytes: int, ranks: int) -> tuple[int, float, int]:
    """Tokens of a block, bytes of one layer's page, and blocks that a sequence's linear-attention state takes.

    Keys and values: 2 x block x kv_heads on this rank x head_dim x bytes (`FullAttentionSpec.page_size_bytes`,
    vllm/v1/kv_cache_interface.py). A hybrid model's pages must be of one size, so its blocks grow, in steps of 16 tokens,
    until one holds a linear layer's state (`HybridAttentionMambaModelConfig`, vllm/model_executor/models/config.py); its
    linear layers lie in groups as large as that of the full ones, a block of state a group
    (`_get_kv_cache_groups_uniform_page_size`, vllm/v1/core/kv_cache_utils.py).
    """
    kv_heads = max(1, arch.kv_heads // ranks)
    token_bytes = 2 * kv_heads * arch.head_dim * kv_bytes
    if arch.hybrid is None:
        return BLOCK_TOKENS, BLOCK_TOKENS * token_bytes, 0
    v_heads, head_dim, conv_columns, kernel = linear_sizes(arch.hybrid)
    state_bytes = 4 * v_heads * head_dim * head_dim / ranks + 2 * (kernel - 1) * conv_columns / ranks
    block = BLOCK_TOKENS * math.ceil(state_bytes / token_bytes / BLOCK_TOKENS)
    linear = sum(is_linear_layer(arch, layer) for layer in range(arch.layers))
    return block, block * token_bytes, math.ceil(linear / (arch.layers - linear))


def _activation_bytes(arch: Architecture, batched: int, ranks: int) -> float:
    """The profiling run's peak: 16-bit activations of a layer at its widest over the batch, and logits in f32 with a copy
    for sampling. An estimate from the shapes; vLLM measures it."""
    width = (arch.ffn or 0) or (arch.moe_ffn or 0) * (arch.experts_active or 1)
    return 2.0 * batched * (4 * arch.hidden + 3 * width / ranks) + 2 * 4.0 * SEQUENCES * arch.vocab


def _equal_devices(machine: Machine, count: int) -> tuple[Device, ...]:
    """`count` accelerators of one name with most memory free, or none."""
    for name in dict.fromkeys(d.name for d in sorted(machine.accelerators, key=lambda d: -d.memory_free_mib)):
        same = sorted((d for d in machine.accelerators if d.name == name), key=lambda d: -d.memory_free_mib)
        if len(same) >= count:
            return tuple(same[:count])
    return ()


def _divisor(heads: int, wished: int) -> int:
    return next(n for n in range(max(1, min(wished, heads)), 0, -1) if heads % n == 0)
