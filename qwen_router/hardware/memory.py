"""How much memory a build needs: weights, KV cache, recurrent state, compute buffers, vision tower, each on its own.

Weights and caches are exact, tensor by tensor and layer by layer; compute buffers and a vision tower are estimates and are
named in `MemoryNeed.estimated`. What this leaves out: a process's own code (about 25 MiB for llama.cpp in process, 400 for
torch), prompt caches that a server keeps beside its slots, and fragmentation.

    python -m qwen_router fit Qwen/Qwen3-8B --quant q4_K_M --context 8192
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from qwen_router.catalog.quants import ENGINE_QUANTS, Quant
from qwen_router.catalog.quants import quant as quant_named
from qwen_router.catalog.types import Architecture, Model
from qwen_router.errors import CatalogError, InvalidRequest, UnknownName
from qwen_router.hardware.layers import WeightBytes, weight_bytes
from qwen_router.hardware.quants import kv_type_bytes
from qwen_router.hardware.tensors import is_linear_layer, linear_sizes, text_params

MIB = 1024 * 1024
GGML_ENGINES = ("llamacpp", "ollama")
_CONTEXT_PAD_TOKENS = 256
"""llama.cpp rounds the context of each slot up to 256 (src/llama-context.cpp, `GGML_PAD(cparams.n_ctx, 256)`)."""
_UBATCH_TOKENS = 512
"""`n_ubatch`, llama.cpp's default for the tokens computed at once (include/llama.h)."""
OVERHEAD_MIB = {"llamacpp": 25.0, "ollama": 100.0, "transformers": 400.0, "onnx": 35.0}
"""What the engine's process takes before it loads anything, in main memory: llama.cpp in process, torch and
onnxruntime-genai were measured (docs/hardware.md), Ollama's runner is an assumption. On a discrete accelerator its context
is in the reserve of `placement.py`."""
CUTTING_ENGINES = ("llamacpp", "ollama", "transformers", "fake")
"""Engines that can spread one model's layers over devices and main memory by themselves."""


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
    audio_mib: float
    mtp_mib: float
    overhead_mib: float
    total_mib: float
    kv_mib_per_token: float
    estimated: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MemoryLine:
    """One build's memory at any context: `total_mib(n) == fixed_mib + per_token_mib * padded(n)`, and where it may lie.

    `kv_mib_per_token` and `compute_mib_per_token` are the two shares of the slope, for all `parallel` slots together.
    `layer_fixed_mib` (weights and state) and `layer_per_token_mib` (keys and values) have an entry a layer. The engine's own
    process, `overhead_mib`, is not in the total: it is there before any model is.
    """

    weights: WeightBytes
    layer_fixed_mib: tuple[float, ...]
    layer_per_token_mib: tuple[float, ...]
    state_mib: float
    vision_mib: float
    audio_mib: float
    mtp_mib: float
    compute_fixed_mib: float
    compute_mib_per_token: float
    overhead_mib: float
    pad_tokens: int
    embedding_on_host: bool
    can_be_cut: bool

    @property
    def layers(self) -> int:
        return len(self.layer_fixed_mib)

    @property
    def weights_mib(self) -> float:
        return self.weights.total / MIB

    @property
    def tower_mib(self) -> float:
        """What goes with the last layers besides them: vision and audio towers, multi-token prediction."""
        return self.vision_mib + self.audio_mib + self.mtp_mib

    @property
    def output_mib(self) -> float:
        """The output matrix where the last layers are: a copy of the embedding table when both are one."""
        return self.weights.outside_read / MIB

    @property
    def kv_mib_per_token(self) -> float:
        return sum(self.layer_per_token_mib)

    @property
    def fixed_mib(self) -> float:
        return self.weights_mib + self.state_mib + self.tower_mib + self.compute_fixed_mib

    @property
    def per_token_mib(self) -> float:
        return self.kv_mib_per_token + self.compute_mib_per_token

    def padded(self, context_tokens: int) -> int:
        return -(-context_tokens // self.pad_tokens) * self.pad_tokens

    def total_mib(self, context_tokens: int) -> float:
        return self.fixed_mib + self.per_token_mib * self.padded(context_tokens)

    def compute_mib(self, context_tokens: int) -> float:
        return self.compute_fixed_mib + self.compute_mib_per_token * self.padded(context_tokens)

    def layer_mib(self, context_tokens: int) -> list[float]:
        """What each layer takes at this context."""
        tokens = self.padded(context_tokens)
        slopes = zip(self.layer_fixed_mib, self.layer_per_token_mib, strict=True)
        return [fixed + per_token * tokens for fixed, per_token in slopes]

    def host_mib(self, context_tokens: int, *, layers: Sequence[float]) -> float:
        """What stays in main memory beside accelerators: these layers with a compute buffer, the embedding table, the
        process itself."""
        held = sum(layers) + self.compute_mib(context_tokens) if layers else 0.0
        return held + self.weights.embedding / MIB + self.overhead_mib


def architecture(model: Model) -> Architecture:
    """The model's architecture as it is stored: an embedding model has no output matrix, whatever its config says."""
    arch = model.architecture
    if arch is None and model.hosted:
        raise CatalogError(
            f"{model.id!r} is served by its maker only: it has no weights to fit anywhere",
            fix="pick a model with weights; `qwen-router models` marks hosted ones",
        )
    if arch is None:
        raise CatalogError(
            f"the architecture of {model.id!r} is not in the catalog, so its memory is unknown",
            fix="add it from the checkpoint's config.json, or pick a model that `qwen-router models` lists with one",
        )
    if arch.tied_embeddings is None and model.kind == "embedding":
        return arch.model_copy(update={"tied_embeddings": True})
    return arch


def stores_gguf(engine: str, quant: Quant) -> bool:
    """Whether this engine keeps the weights as ggml tensors; engines whose inside is unknown do when the mix is GGUF's: what
    the build would take here, not what it takes there."""
    return engine in GGML_ENGINES or quant.kind == "gguf"


def cache_type(quant: Quant, engine: str, kv_type: str) -> str:
    """The type of keys and values: as asked in llama.cpp; elsewhere that of the activations, which quantised weights leave
    at 16 bits (ONNX for a CPU at 32)."""
    if stores_gguf(engine, quant):
        return kv_type
    return quant.name if quant.kind == "plain" else "f32" if quant.kind == "onnx" else "bf16"


def engine_quant(engine: str, quant: str) -> Quant:
    """Check that this engine can run this quantisation, and return it."""
    supported = ENGINE_QUANTS.get(engine)
    if supported is None:
        raise UnknownName.among(engine, ENGINE_QUANTS, kind="engine")
    found = quant_named(quant)
    if found.name not in supported:
        raise InvalidRequest(f"engine {engine!r} cannot run quantisation {quant!r}", fix=f"one of {', '.join(supported)}")
    return found


def weights_mib(model: Model, *, quant: str, engine: str = "llamacpp") -> float:
    """Exact size of the text decoder's weights: as GGUF tensors for llama.cpp and Ollama, as plain tensors otherwise.

    Multi-token-prediction heads are not counted: no engine loads them unless speculative decoding is asked for.
    """
    found = engine_quant(engine, quant)
    return weight_bytes(architecture(model), found.name, stores_gguf(engine, found)).total / MIB


def read_mib_per_token(model: Model, *, quant: str, engine: str = "llamacpp") -> float:
    """Weights that one decoded token reads: active experts only, and one row of an untied embedding table."""
    found = engine_quant(engine, quant)
    return weight_bytes(architecture(model), found.name, stores_gguf(engine, found)).read / MIB


@lru_cache(maxsize=512)
def full_attention_layers(arch: Architecture) -> int:
    return sum(not is_linear_layer(arch, layer) for layer in range(arch.layers))


def layer_kv_mib(arch: Architecture, *, kv_type: str) -> float:
    """Keys and values of one token in one slot in one layer with full attention: 2 x kv_heads x head_dim x bytes.

    Linear-attention layers keep none (`llama_kv_cache`, src/llama-kv-cache.cpp: K and V of n_embd_gqa values a cell).
    """
    return 2 * kv_type_bytes(kv_type, arch.kv_heads * arch.head_dim) / MIB


def kv_mib_per_token(model: Model, *, kv_type: str = "f16") -> float:
    """Keys and values of one token in one slot, over all layers."""
    arch = architecture(model)
    return full_attention_layers(arch) * layer_kv_mib(arch, kv_type=kv_type)


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
    return max(0, model.total_params - text_params(arch) - audio_params(model) - (arch.mtp_params or 0))


def audio_params(model: Model) -> int:
    """Parameters that hear and speak: the audio tower, and Omni's talker with its vocoder."""
    arch = architecture(model)
    return (arch.audio_params or 0) + (arch.speech_params or 0)


def tower_params(model: Model) -> int:
    """Parameters of everything beside the text decoder that an engine loads with it."""
    return vision_params(model) + audio_params(model)


def _mtp_bytes(arch: Architecture, weights: WeightBytes) -> float:
    """The multi-token-prediction head at the bytes that a parameter of this build takes on average. An estimate."""
    return (arch.mtp_params or 0) * weights.total / text_params(arch)


def _compute_bytes(arch: Architecture, *, gguf: bool, all_logits: bool, parallel: int) -> tuple[float, float]:
    """Fixed bytes of the compute buffers, and bytes for each token of one slot's context. An estimate.

    llama.cpp: the f32 activations of one micro-batch at their widest point (`_widest_row`), one token's logits a slot, and
    the attention mask in f16 (flash attention on, its default). Fitted to the buffers that llama.cpp reported on a CPU for
    24 made-up shapes and the real ones of docs/hardware.md; other back ends differ by tens of MiB. `all_logits`: logits for
    the whole micro-batch, which older llama.cpp and so Ollama's runner reserve (312.75 MiB of them in the log of
    ikawrakow/ik_llama.cpp pull 370). transformers: the widest layer over the whole prompt (`_prompt_row`)
    at 4 bytes a value, one token's logits; fitted to the growth of resident memory in 24 runs of six shapes on a CPU.
    """
    if gguf:
        logits = 4 * arch.vocab * max(parallel, _UBATCH_TOKENS if all_logits else 1)
        return 4 * _UBATCH_TOKENS * _widest_row(arch) + _state_copies(arch, parallel) + logits, 2.0 * _UBATCH_TOKENS
    return 6.0 * arch.vocab * parallel, 4.0 * _prompt_row(arch) * parallel


def _prompt_row(arch: Architecture) -> int:
    """Values that one token of a prompt keeps alive in transformers at the widest point of a layer: its hidden states with
    the feed-forward part (a copy an active expert), or the copies of the chunked delta rule."""
    active = arch.experts_active or 1
    feed_forward = 3 * ((arch.ffn or 0) or active * (arch.moe_ffn or 0)) + (active * arch.hidden if arch.experts else 0)
    delta = 9 * linear_sizes(arch.hybrid)[2] if arch.hybrid is not None else 0
    return 4 * arch.hidden + max(feed_forward, delta)


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
    mtp: bool = False,
) -> MemoryLine:
    """Everything but the context: the line that `memory` reads one point of, for callers that judge many contexts.

    `parallel` slots get the same context each. `vision=None` counts towers where the engine loads them by itself
    (transformers, Ollama); llama.cpp loads one only when it is given a projector file. `mtp` counts the head for
    multi-token prediction, which engines load when speculative decoding is asked for.
    """
    if parallel < 1:
        raise InvalidRequest(f"parallel must be at least 1, not {parallel}", fix="--parallel 1")
    found = engine_quant(engine, quant)
    arch = architecture(model)
    gguf = stores_gguf(engine, found)
    weights = weight_bytes(arch, found.name, gguf)
    layer_kv = layer_kv_mib(arch, kv_type=cache_type(found, engine, kv_type)) * parallel
    state = state_mib(model, gguf=gguf, parallel=parallel)
    linear = [is_linear_layer(arch, layer) for layer in range(arch.layers)]
    layer_state = state / sum(linear) if any(linear) else 0.0
    compute_fixed, compute_token = _compute_bytes(arch, gguf=gguf, all_logits=engine == "ollama", parallel=parallel)
    with_towers = engine != "llamacpp" if vision is None else vision
    tower_bytes = (4 if found.name == "f32" else 2) if with_towers else 0
    return MemoryLine(
        weights=weights,
        layer_fixed_mib=tuple(
            n / MIB + layer_state * is_linear for n, is_linear in zip(weights.layers, linear, strict=True)
        ),
        layer_per_token_mib=tuple(0.0 if is_linear else layer_kv for is_linear in linear),
        state_mib=state,
        vision_mib=vision_params(model) * tower_bytes / MIB,
        audio_mib=audio_params(model) * tower_bytes / MIB,
        mtp_mib=_mtp_bytes(arch, weights) / MIB if mtp else 0.0,
        compute_fixed_mib=compute_fixed / MIB,
        compute_mib_per_token=compute_token / MIB,
        overhead_mib=OVERHEAD_MIB.get(engine, 0.0),
        pad_tokens=_CONTEXT_PAD_TOKENS if gguf else 1,
        embedding_on_host=gguf,
        can_be_cut=engine in CUTTING_ENGINES,
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
    mtp: bool = False,
) -> MemoryNeed:
    """What this build takes with `parallel` slots of `context_tokens` each.

    llama.cpp's own `n_ctx` is the sum over slots: ask it for parallel x context_tokens. Whether the slots share one pool
    (`kv_unified`) changes who may use a cell, not how many there are.
    """
    if context_tokens < 1:
        raise InvalidRequest(f"context must be at least 1 token, not {context_tokens}", fix="--context 8192")
    line = memory_line(model, quant=quant, engine=engine, kv_type=kv_type, parallel=parallel, vision=vision, mtp=mtp)
    tokens = line.padded(context_tokens)
    found = engine_quant(engine, quant)
    estimates = {"compute": 1.0, "vision": line.vision_mib, "audio": line.audio_mib, "mtp": line.mtp_mib}
    return MemoryNeed(
        model_id=model.id,
        quant=found.name,
        engine=engine,
        context_tokens=context_tokens,
        parallel=parallel,
        kv_type=cache_type(found, engine, kv_type),
        weights_mib=line.weights_mib,
        kv_mib=line.kv_mib_per_token * tokens,
        state_mib=line.state_mib,
        compute_mib=line.compute_mib(context_tokens),
        vision_mib=line.vision_mib,
        audio_mib=line.audio_mib,
        mtp_mib=line.mtp_mib,
        overhead_mib=line.overhead_mib,
        total_mib=line.total_mib(context_tokens),
        kv_mib_per_token=line.kv_mib_per_token / parallel,
        estimated=tuple(part for part, mib in estimates.items() if mib),
    )


def context_limit(model: Model, *, yarn: bool = False) -> int:
    native = model.context.native_tokens
    return max(native, model.context.extended_tokens or native) if yarn else native
