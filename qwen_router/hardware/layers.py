"""A build's weights where they lie: the embedding table, each layer, the output; in bytes, and in bytes that a token reads.

Sums over the tensors of `tensors.py` at the types of `quants.py` and `packing.py`. `memory.py` adds caches and buffers,
`placement.py` puts layers on devices.

    python -c "from qwen_router.catalog import Catalog; from qwen_router.hardware.layers import weight_bytes as w; \\
        print(w(Catalog.load().get('Qwen/Qwen3-8B').architecture, 'q4_K_M', True).layers[:3])"
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from qwen_router.catalog.types import Architecture
from qwen_router.hardware.packing import packed_bytes
from qwen_router.hardware.quants import MixTraits, layer_rule, quantisation, row_bytes, tensor_type
from qwen_router.hardware.tensors import Tensor, is_linear_layer, layer_tensors, outer_tensors


@dataclass(frozen=True, slots=True)
class WeightBytes:
    """Bytes of the text decoder's weights by place. `layers` and `layers_read` have an entry a layer; `output` is the last
    norm and the output matrix, or the norm alone where that matrix is tied to the embedding table (which then every token
    reads)."""

    embedding: float
    output: float
    tied: bool
    layers: tuple[float, ...]
    layers_read: tuple[float, ...]

    @property
    def total(self) -> float:
        return self.embedding + self.output + sum(self.layers)

    @property
    def outside_read(self) -> float:
        """What a token reads outside the layers: the output matrix, which is the table where they are tied."""
        return self.output + (self.embedding if self.tied else 0.0)

    @property
    def read(self) -> float:
        """What one decoded token reads: active experts only, and one row of an untied embedding table."""
        return self.outside_read + sum(self.layers_read)


@lru_cache(maxsize=4096)
def weight_bytes(arch: Architecture, quant: str, gguf: bool) -> WeightBytes:
    """Bytes by place at a quantisation; layers that its mix treats alike are counted once.

    `gguf` says whether tensors are stored as llama.cpp does (norms and small tensors in f32) or as the checkpoint does.
    """
    found = quantisation(quant)
    tied = bool(arch.tied_embeddings)
    traits = MixTraits.of(arch)

    def size(tensor: Tensor) -> float:
        if not gguf:
            return packed_bytes(tensor, found)
        columns = tensor.shape[0]
        kind = tensor_type(tensor.name, columns, len(tensor.shape), quant=found, layer=tensor.layer or 0, traits=traits)
        return row_bytes(kind, columns) * (tensor.params // columns)

    def count(parts: Iterable[Tensor]) -> tuple[float, float]:
        sizes = [(size(tensor), tensor.read_share) for tensor in parts]
        return sum(n for n, _ in sizes), sum(n * share for n, share in sizes)

    embedding, *rest = outer_tensors(arch)
    alike: dict[tuple[bool, ...], tuple[float, float]] = {}
    layers = []
    for layer in range(arch.layers):
        rule = (is_linear_layer(arch, layer), *layer_rule(found, layer, arch.layers))
        if rule not in alike:
            alike[rule] = count(layer_tensors(arch, layer))
        layers.append(alike[rule])
    table, output = size(embedding), count(rest)[0]
    if found.kind == "onnx" and tied and table > 4 * embedding.params:  # an f32 table, and a copy of it as the output
        table, output, tied = 4 * embedding.params, output + table - 4 * embedding.params, False
    return WeightBytes(
        embedding=table,
        output=output,
        tied=tied,
        layers=tuple(total for total, _ in layers),
        layers_read=tuple(read for _, read in layers),
    )
