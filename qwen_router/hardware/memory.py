"""How much memory a build needs: weights, KV cache, recurrent state, compute buffers, vision tower, each on its own.

Weights and caches are exact, tensor by tensor and layer by layer; compute buffers and a vision tower are estimates and are
named in `MemoryNeed.estimated`. What this leaves out: a process's own code (about 25 MiB for llama.cpp in process, 400 for
torch), prompt caches that a server keeps beside its slots, and fragmentation.

    python -m qwen_router fit Qwen/Qwen3-8B --quant q4_K_M --context 8192
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from qwen_router.catalog.types import Architecture, Model
from qwen_router.errors import CatalogError, InvalidRequest, UnknownName
from qwen_router.hardware.quants import (
    QUANTISATIONS,
    MixTraits,
    Quantisation,
    kv_type_bytes,
    layer_rule,
    quantisation,
    row_bytes,
    tensor_type,
)
from qwen_router.hardware.tensors import Tensor, is_linear_layer, layer_tensors, linear_sizes, outer_tensors, text_params

MIB = 1024 * 1024
GGML_ENGINES = ("llamacpp", "ollama")
PLAIN_QUANTS = ("f32", "bf16", "f16")
ENGINE_QUANTS: dict[str, tuple[str, ...]] = {
    "llamacpp": tuple(QUANTISATIONS),
    "ollama": tuple(QUANTISATIONS),
    "transformers": PLAIN_QUANTS,
    "openai": tuple(QUANTISATIONS),
    "onnx": PLAIN_QUANTS,
    "fake": tuple(QUANTISATIONS),
}
"""What each engine can run. A server behind `openai` is counted as llama.cpp where the name is a GGUF mix, else as plain
tensors: what it would take here, not what it takes there."""

_CONTEXT_PAD_TOKENS = 256
"""llama.cpp rounds the context of each slot up to 256 (src/llama-context.cpp, `GGML_PAD(cparams.n_ctx, 256)`)."""
_UBATCH_TOKENS = 512
"""`n_ubatch`, llama.cpp's default for the tokens computed at once (include/llama.h)."""
_DTYPE_BYTES = {"f32": 4, "bf16": 2, "f16": 2}


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """The parts of one build's memory, in MiB. `estimated` names the parts that are not exact."""

    model_id: str
    quant: str
    engine: str
    context_tokens: int
    parallel: int
    kv_type: str
    weights_mib: float
    kv_mib: float
    state_mib: float
    compute_mib: float
    vision_mib: float
    total_mib: float
    kv_mib_per_token: float
    estimated: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MemoryLine:
    """Memory as a line over the context: `total_mib(n) == fixed_mib + per_token_mib * padded(n)`, for one build.

    `kv_mib_per_token` and `compute_mib_per_token` are the two shares of the slope, for all `parallel` slots together.
    """

    fixed_mib: float
    per_token_mib: float
    weights_mib: float
    state_mib: float
    vision_mib: float
    compute_fixed_mib: float
    kv_mib_per_token: float
    compute_mib_per_token: float
    pad_tokens: int

    def padded(self, context_tokens: int) -> int:
        return -(-context_tokens // self.pad_tokens) * self.pad_tokens

    def total_mib(self, context_tokens: int) -> float:
        return self.fixed_mib + self.per_token_mib * self.padded(context_tokens)

    def longest_context(self, free_mib: float) -> int:
        """The most tokens a slot that fit into `free_mib`; 0 when not even the weights do."""
        tokens = int((free_mib - self.fixed_mib) / self.per_token_mib) if free_mib > self.fixed_mib else 0
        return tokens // self.pad_tokens * self.pad_tokens


def architecture(model: Model) -> Architecture:
    """The model's architecture as it is stored: an embedding model has no output matrix, whatever its config says."""
    arch = model.architecture
    if arch is None:
        raise CatalogError(
            f"the architecture of {model.id!r} is not in the catalog, so its memory is unknown",
            fix="add it from the checkpoint's config.json, or pick a model that `qwen-router models` lists with one",
        )
    if arch.tied_embeddings is None and model.kind == "embedding":
        return arch.model_copy(update={"tied_embeddings": True})
    return arch


def stores_gguf(engine: str, quant: Quantisation) -> bool:
    """Whether this engine keeps the weights as ggml tensors; engines whose inside is unknown do when the mix is GGUF's."""
    return engine in GGML_ENGINES or quant.name not in PLAIN_QUANTS


def engine_quant(engine: str, quant: str) -> Quantisation:
    """Check that this engine can run this quantisation, and return it."""
    supported = ENGINE_QUANTS.get(engine)
    if supported is None:
        raise UnknownName.among(engine, ENGINE_QUANTS, kind="engine")
    found = quantisation(quant)
    if found.name not in supported:
        raise InvalidRequest(f"engine {engine!r} cannot run quantisation {quant!r}", fix=f"one of {', '.join(supported)}")
    return found


@lru_cache(maxsize=4096)
def _text_bytes(arch: Architecture, quant: Quantisation, gguf: bool) -> tuple[float, float]:
    """Bytes of the text decoder's weights, and bytes of them that one token reads.

    Layers that the mix treats alike are counted once and multiplied.
    """
    traits = MixTraits(
        layers=arch.layers,
        tied=bool(arch.tied_embeddings),
        heads_per_kv=arch.heads // arch.kv_heads,
        is_70b=arch.layers == 80 and arch.experts is None and not arch.qk_norm,  # LLM_TYPE_70B in src/models/qwen2.cpp
    )
    alike: dict[tuple[bool, ...], tuple[float, float]] = {}

    def count(found: tuple[Tensor, ...]) -> tuple[float, float]:
        sizes = [_gguf_bytes(t, quant, traits) if gguf else t.params * _DTYPE_BYTES[quant.name] for t in found]
        return sum(sizes), sum(size * t.read_share for size, t in zip(sizes, found, strict=True))

    total, read = count(outer_tensors(arch))
    for layer in range(arch.layers):
        rule = (is_linear_layer(arch, layer), *layer_rule(quant, layer, arch.layers))
        if rule not in alike:
            alike[rule] = count(layer_tensors(arch, layer))
        total, read = total + alike[rule][0], read + alike[rule][1]
    return total, read


def _gguf_bytes(tensor: Tensor, quant: Quantisation, traits: MixTraits) -> int:
    columns = tensor.shape[0]
    layer = tensor.layer or 0
    block_type = tensor_type(tensor.name, columns, len(tensor.shape), quant=quant, layer=layer, traits=traits)
    return row_bytes(block_type, columns) * (tensor.params // columns)


def weights_mib(model: Model, *, quant: str, engine: str = "llamacpp") -> float:
    """Exact size of the text decoder's weights: as GGUF tensors for llama.cpp and Ollama, as plain tensors otherwise.

    Multi-token-prediction heads are not counted: no engine loads them unless speculative decoding is asked for.
    """
    found = engine_quant(engine, quant)
    return _text_bytes(architecture(model), found, stores_gguf(engine, found))[0] / MIB


def read_mib_per_token(model: Model, *, quant: str, engine: str = "llamacpp") -> float:
    """Weights that one decoded token reads: active experts only, and one row of an untied embedding table."""
    found = engine_quant(engine, quant)
    return _text_bytes(architecture(model), found, stores_gguf(engine, found))[1] / MIB


@lru_cache(maxsize=512)
def full_attention_layers(arch: Architecture) -> int:
    return sum(not is_linear_layer(arch, layer) for layer in range(arch.layers))


def kv_mib_per_token(model: Model, *, kv_type: str = "f16") -> float:
    """Keys and values of one token in one slot: 2 x full-attention layers x kv_heads x head_dim x bytes.

    Linear-attention layers keep none (`llama_kv_cache`, src/llama-kv-cache.cpp: K and V of n_embd_gqa values a cell).
    """
    arch = architecture(model)
    row = kv_type_bytes(kv_type, arch.kv_heads * arch.head_dim)
    return 2 * full_attention_layers(arch) * row / MIB


def state_mib(model: Model, *, gguf: bool = True, parallel: int = 1) -> float:
    """What linear-attention layers keep a sequence: the convolution's last columns and a matrix per value head.

    llama.cpp: f32, (kernel - 1) columns (`n_embd_r` and `n_embd_s`, src/llama-hparams.cpp). transformers: `kernel` columns
    in the model's 16 bits and the matrices in f32 (`torch_chunk_gated_delta_rule` computes in f32,
    models/qwen3_5/modeling_qwen3_5.py).
    """
    arch = architecture(model)
    if arch.hybrid is None:
        return 0.0
    v_heads, head_dim, conv_columns, kernel = linear_sizes(arch.hybrid)
    linear_layers = arch.layers - full_attention_layers(arch)
    matrices = 4 * v_heads * head_dim * head_dim
    conv = 4 * (kernel - 1) * conv_columns if gguf else 2 * kernel * conv_columns
    return parallel * linear_layers * (matrices + conv) / MIB


def vision_params(model: Model) -> int:
    """Parameters outside the text decoder: as the row says, else what the published total leaves over; 0 for text models."""
    arch = architecture(model)
    if arch.vision_params is not None:
        return arch.vision_params
    if "image" not in model.modalities or model.total_params is None:
        return 0
    return max(0, model.total_params - text_params(arch) - (arch.mtp_params or 0))


def _compute_bytes(arch: Architecture, *, gguf: bool, all_logits: bool, parallel: int) -> tuple[float, float]:
    """Fixed bytes of the compute buffers, and bytes for each token of one slot's context. An estimate.

    llama.cpp: the f32 activations of one micro-batch at their widest point (`_widest_row`), one token's logits a slot, and
    the attention mask in f16 (flash attention on, its default). Fitted to the buffers that llama.cpp reported on a CPU for
    24 made-up shapes and the real ones of docs/hardware.md; other back ends differ by tens of MiB. `all_logits`: logits for
    the whole micro-batch, which older llama.cpp and so Ollama's runner reserve (312.75 MiB of them in the log of
    ikawrakow/ik_llama.cpp pull 370). transformers: the widest layer over a whole prompt in 16 bits, one token's logits.
    """
    if gguf:
        logits = 4 * arch.vocab * max(parallel, _UBATCH_TOKENS if all_logits else 1)
        return 4 * _UBATCH_TOKENS * _widest_row(arch) + _state_copies(arch, parallel) + logits, 2.0 * _UBATCH_TOKENS
    width = arch.ffn or (arch.moe_ffn or 0) * (arch.experts_active or 1)
    return 6.0 * arch.vocab * parallel, 2.0 * (4 * arch.hidden + 3 * width) * parallel


def _widest_row(arch: Architecture) -> int:
    """Values that one token keeps alive at the widest point of llama.cpp's graph: feed-forward, attention or DeltaNet."""
    queries, keys = arch.heads * arch.head_dim, arch.kv_heads * arch.head_dim
    attention = 5 * arch.hidden + 4 * queries if arch.gated_attention else arch.hidden + 2 * queries + 4 * keys
    if arch.experts is None:
        feed_forward = 5 * arch.hidden + 3 * (arch.ffn or 0)
    else:
        active = arch.experts_active or 1
        feed_forward = 5 * arch.hidden + active * (3 * (arch.moe_ffn or 0) + arch.hidden)
    delta = 5 * arch.hidden + 2 * linear_sizes(arch.hybrid)[2] if arch.hybrid is not None else 0
    return max(attention, feed_forward, delta)


def _state_copies(arch: Architecture, parallel: int) -> float:
    """Copies of a layer's recurrent state in the graph: one for one slot, about 2.4 more for each further one (measured)."""
    if arch.hybrid is None:
        return 0.0
    v_heads, head_dim, conv_columns, kernel = linear_sizes(arch.hybrid)
    return 4 * (v_heads * head_dim * head_dim + (kernel - 1) * conv_columns) * (1 + 2.4 * (parallel - 1))


def memory_line(
    model: Model,
    *,
    quant: str,
    engine: str = "llamacpp",
    kv_type: str = "f16",
    parallel: int = 1,
    vision: bool | None = None,
) -> MemoryLine:
    """Everything but the context: the line that `memory` reads one point of, for callers that judge many contexts.

    `parallel` slots get the same context each. `vision=None` counts a vision tower where the engine loads it by itself
    (transformers, Ollama); llama.cpp loads one only when it is given a projector file.
    """
    if parallel < 1:
        raise InvalidRequest(f"parallel must be at least 1, not {parallel}", fix="--parallel 1")
    found = engine_quant(engine, quant)
    arch = architecture(model)
    weights = weights_mib(model, quant=quant, engine=engine)
    gguf = stores_gguf(engine, found)
    kv = kv_mib_per_token(model, kv_type=kv_type if gguf else found.name) * parallel
    state = state_mib(model, gguf=gguf, parallel=parallel)
    compute_fixed, compute_token = _compute_bytes(arch, gguf=gguf, all_logits=engine == "ollama", parallel=parallel)
    with_vision = engine != "llamacpp" if vision is None else vision
    tower = vision_params(model) * (_DTYPE_BYTES.get(found.name, 2)) / MIB if with_vision else 0.0
    return MemoryLine(
        fixed_mib=weights + state + tower + compute_fixed / MIB,
        per_token_mib=kv + compute_token / MIB,
        weights_mib=weights,
        state_mib=state,
        vision_mib=tower,
        compute_fixed_mib=compute_fixed / MIB,
        kv_mib_per_token=kv,
        compute_mib_per_token=compute_token / MIB,
        pad_tokens=_CONTEXT_PAD_TOKENS if gguf else 1,
    )


def memory(
    model: Model,
    *,
    quant: str,
    context_tokens: int,
    engine: str = "llamacpp",
    parallel: int = 1,
    kv_type: str = "f16",
    vision: bool | None = None,
) -> MemoryNeed:
    """What this build takes with `parallel` slots of `context_tokens` each.

    llama.cpp's own `n_ctx` is the sum over slots: ask it for parallel x context_tokens. Whether the slots share one pool
    (`kv_unified`) changes who may use a cell, not how many there are.
    """
    if context_tokens < 1:
        raise InvalidRequest(f"context must be at least 1 token, not {context_tokens}", fix="--context 8192")
    line = memory_line(model, quant=quant, engine=engine, kv_type=kv_type, parallel=parallel, vision=vision)
    tokens = line.padded(context_tokens)
    found = engine_quant(engine, quant)
    estimated = ("compute", "vision") if line.vision_mib else ("compute",)
    return MemoryNeed(
        model_id=model.id,
        quant=found.name,
        engine=engine,
        context_tokens=context_tokens,
        parallel=parallel,
        kv_type=kv_type if stores_gguf(engine, found) else found.name,
        weights_mib=line.weights_mib,
        kv_mib=line.kv_mib_per_token * tokens,
        state_mib=line.state_mib,
        compute_mib=line.compute_fixed_mib + line.compute_mib_per_token * tokens,
        vision_mib=line.vision_mib,
        total_mib=line.total_mib(context_tokens),
        kv_mib_per_token=line.kv_mib_per_token / parallel,
        estimated=estimated,
    )


def max_context_tokens(
    model: Model,
    *,
    quant: str,
    engine: str,
    free_mib: float,
    parallel: int = 1,
    kv_type: str = "f16",
    vision: bool | None = None,
    yarn: bool = False,
) -> int:
    """The longest context that fits, never past what the model was trained for (or YaRN reaches); 0 when none does."""
    line = memory_line(model, quant=quant, engine=engine, kv_type=kv_type, parallel=parallel, vision=vision)
    return min(line.longest_context(free_mib), context_limit(model, yarn=yarn))


def context_limit(model: Model, *, yarn: bool = False) -> int:
    native = model.context.native_tokens
    return max(native, model.context.extended_tokens or native) if yarn else native
