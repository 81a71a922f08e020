"""Reads the header of a GGUF file: what model it is, how it is quantised, and whether the file is whole.

A header is untrusted input: every length is checked against the file before it is believed, because llama.cpp may take
the process down with it on a file that lies. Tensors are described, never read. Uses the standard library alone.

    python -m qwen_router.engines.gguf_file FILE.gguf
"""

from __future__ import annotations

import mmap
import re
import struct
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path, PurePosixPath
from typing import Final

from qwen_router.catalog.types import Model, ModelKind
from qwen_router.errors import EngineRefused

# The enums of the format: ggml/include/gguf.h (value types), include/llama.h (llama_ftype) and the block_* structs of
# ggml/src/ggml-common.h, ggml-org/llama.cpp. A test compares them with the gguf package.
_SCALARS: Final[dict[int, str]] = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
_STRING, _ARRAY = 8, 9
FILE_TYPES: Final[dict[int, str]] = {
    0: "f32", 1: "f16", 2: "q4_0", 3: "q4_1", 7: "q8_0", 8: "q5_0", 9: "q5_1", 10: "q2_K", 11: "q3_K_S", 12: "q3_K_M",
    13: "q3_K_L", 14: "q4_K_S", 15: "q4_K_M", 16: "q5_K_S", 17: "q5_K_M", 18: "q6_K", 19: "iq2_XXS", 20: "iq2_XS",
    21: "q2_K_S", 22: "iq3_XS", 23: "iq3_XXS", 24: "iq1_S", 25: "iq4_nl", 26: "iq3_S", 27: "iq3_M", 28: "iq2_S",
    29: "iq2_M", 30: "iq4_XS", 31: "iq1_M", 32: "bf16", 36: "tq1_0", 37: "tq2_0", 38: "mxfp4", 39: "nvfp4",
}  # fmt: skip
TENSOR_BLOCKS: Final[dict[int, tuple[int, int]]] = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40), 10: (256, 84),
    11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66), 17: (256, 74),
    18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2),
    26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
    40: (64, 36),
}  # fmt: skip
"""Weights in a block and bytes of that block, by ggml_type."""

_SPLIT = re.compile(r"-(\d{5})-of-(\d{5})$")
"""How llama.cpp names the parts of one model: llama_split_path in its src/llama.cpp."""
_KEPT_STRING_BYTES = 1 << 20
"""A longer string (no real one is: chat templates have about 10 KB) is skipped, not kept."""

RANKS = 4
"""LLAMA_POOLING_TYPE_RANK."""
SEARCH_ARCHITECTURE = "qwen3"
"""That of Qwen3-Embedding and Qwen3-Reranker. Others that embed, Qwen's VL models too, want their texts in other forms."""
Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class GgufInfo:
    """What a GGUF file says about itself. `quant` is spelt as `hardware.quants` does; None where the file is silent."""

    path: Path
    architecture: str
    name: str | None
    quant: str | None
    context_tokens: int | None
    layers: int | None
    hidden: int | None
    parameters: int
    file_mib: float
    """Of every part."""
    metadata: Mapping[str, Scalar] = field(repr=False)

    @property
    def chat_template(self) -> str | None:
        """The Jinja template that the file carries; None for a base model."""
        value = self.metadata.get("tokenizer.chat_template")
        return value if isinstance(value, str) else None

    @property
    def pooling(self) -> int | None:
        """How token vectors become one (`enum llama_pooling_type`: 1 mean, 2 first, 3 last, 4 rank); None: no word of it."""
        return _whole(self.metadata, f"{self.architecture}.pooling_type")

    @property
    def kind(self) -> ModelKind | None:
        """What a file of Qwen3-Embedding's or Qwen3-Reranker's kin is for, by its pooling; None without, and for others."""
        if self.pooling is None or self.architecture != SEARCH_ARCHITECTURE:
            return None
        return "reranker" if self.pooling == RANKS else "embedding"

    def kv_mib(self, context_tokens: int) -> float:
        """Memory that keys and values take in f16 at this context; 0 where the header does not give the shapes.

        2 bytes x layers with full attention x key-value heads x (key + value length) x tokens (llama-kv-cache.cpp).
        """
        prefix = f"{self.architecture}.attention"
        kv_heads = _whole(self.metadata, f"{prefix}.head_count_kv") or 0
        heads = _whole(self.metadata, f"{prefix}.head_count")
        default = self.hidden // heads if self.hidden and heads else 0
        lengths = (_whole(self.metadata, f"{prefix}.{kind}_length") or default for kind in ("key", "value"))
        interval = _whole(self.metadata, f"{self.architecture}.full_attention_interval") or 1
        return 2 * ((self.layers or 0) // interval) * kv_heads * sum(lengths) * context_tokens / 1024**2

    def model_id(self, known: Iterable[Model]) -> str | None:
        """Which known model (`Qwen/Qwen3-8B`) this file names itself after; None if none or more than one.

        The file's own name for itself is compared, not the name of the file, and by equality: an unknown finetune of
        a known model is unknown. The width must be the model's too.
        """
        by_tail: dict[str, list[str]] = {}
        for model in known:
            if model.architecture is None or self.hidden in (None, model.architecture.hidden):
                by_tail.setdefault(_folded(model.short_name), []).append(model.id)
        for name in self._names():
            hits = by_tail.get(_folded(name), [])
            if len(hits) == 1:
                return hits[0]
        return None

    def _names(self) -> tuple[str, ...]:
        part = {k: str(self.metadata.get(f"general.{k}", "")) for k in ("basename", "size_label", "finetune", "version")}
        stem = f"{part['basename']}-{part['size_label']}"
        return tuple(
            name
            for name in (
                str(self.metadata.get("general.name", "")),
                "-".join(p for p in (stem, part["finetune"], part["version"]) if p) if part["basename"] else "",
            )
            if name
        )


def gguf_group(name: str) -> tuple[str, int, int]:
    """(Stem without its part, part, parts) of a file's name: a file that is whole by itself is part 1 of 1."""
    stem = PurePosixPath(name).stem
    found = _SPLIT.search(stem)
    return (stem, 1, 1) if found is None else (stem[: found.start()], int(found[1]), int(found[2]))


def split_parts(path: Path) -> tuple[Path, ...]:
    """Every file of the model that `path` begins, whether it is there or not; `path` alone for any other."""
    stem, part, parts = gguf_group(path.name)
    if part != 1 or parts == 1:
        return (path,)
    return tuple(path.with_name(f"{stem}-{number:05}-of-{parts:05}.gguf") for number in range(1, parts + 1))


def gguf_info(path: Path) -> GgufInfo:
    """Read and check the header of `path`, and those of the parts that follow it.

    Raises `EngineRefused` when a file is missing, is no GGUF, ends too early, or its lengths cannot be true.
    """
    metadata, parameters, size_bytes = _header(path)
    for part in split_parts(path)[1:]:
        _, more, more_bytes = _header(part)
        parameters, size_bytes = parameters + more, size_bytes + more_bytes
    architecture = str(metadata.get("general.architecture", ""))
    if not architecture:
        raise _broken(path, "it names no architecture")
    file_type = metadata.get("general.file_type")
    name = metadata.get("general.name")
    return GgufInfo(
        path=path,
        architecture=architecture,
        name=str(name) if name else None,
        quant=FILE_TYPES.get(file_type) if isinstance(file_type, int) else None,
        context_tokens=_whole(metadata, f"{architecture}.context_length"),
        layers=_whole(metadata, f"{architecture}.block_count"),
        hidden=_whole(metadata, f"{architecture}.embedding_length"),
        parameters=parameters,
        file_mib=size_bytes / 1024**2,
        metadata=metadata,
    )


def _header(path: Path) -> tuple[dict[str, Scalar], int, int]:
    """(Metadata, number of weights, bytes) of one file."""
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            if size_bytes < 24 or file.read(4) != b"GGUF":
                raise _broken(path, "it does not start as a GGUF file does")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
                return *_read(path, _Cursor(path, memory, size_bytes)), size_bytes
    except FileNotFoundError:
        raise EngineRefused(f"there is no file {str(path)!r}", fix="check the path", engine="llamacpp") from None
    except OSError as error:
        raise EngineRefused(
            f"cannot read {str(path)!r}: {error.strerror}", fix="name a GGUF file that can be read", engine="llamacpp"
        ) from error


def _folded(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _broken(path: Path, why: str) -> EngineRefused:
    return EngineRefused(
        f"{str(path)!r} is not a usable GGUF file: {why}", fix="download or convert it again", engine="llamacpp"
    )


class _Cursor:
    """Walks through the header; every read is checked against the end of the file."""

    def __init__(self, path: Path, memory: mmap.mmap, size_bytes: int) -> None:
        self.path, self.memory, self.size_bytes, self.at = path, memory, size_bytes, 4

    def take(self, count: int) -> int:
        """Move on by `count` bytes and give the place before."""
        start = self.at
        if count > self.size_bytes - start:
            raise _broken(self.path, f"it ends within its header ({self.size_bytes:,} bytes)")
        self.at = start + count
        return start

    def scalar(self, code: str) -> int | float | bool:
        packed = struct.Struct("<" + code)
        value: int | float | bool = packed.unpack_from(self.memory, self.take(packed.size))[0]
        return value

    def count(self) -> int:
        return int(self.scalar("Q"))

    def text(self) -> str | None:
        length = self.count()
        start = self.take(length)
        if length > _KEPT_STRING_BYTES:
            return None
        return self.memory[start : start + length].decode("utf-8", errors="replace")

    def skip_array(self) -> int:
        """Skip an array and give its length."""
        kind, length = int(self.scalar("I")), self.count()
        if kind == _STRING:
            for _ in range(length):
                self.take(self.count())
        elif kind in _SCALARS:
            self.take(length * struct.calcsize("<" + _SCALARS[kind]))
        else:
            raise _broken(self.path, f"it holds an array of the unknown type {kind}")
        return length


def _read(path: Path, cursor: _Cursor) -> tuple[dict[str, Scalar], int]:
    version = int(cursor.scalar("I"))
    if version not in (2, 3):
        raise _broken(path, f"version {version} of the format is not one that is read here (2 or 3)")
    tensor_count, key_count = cursor.count(), cursor.count()
    # A key takes at least 13 bytes, a tensor at least 24: larger counts cannot be true.
    if key_count * 13 + tensor_count * 24 > cursor.size_bytes:
        raise _broken(path, f"it claims {key_count:,} keys and {tensor_count:,} tensors in {cursor.size_bytes:,} bytes")
    metadata = _metadata(path, cursor, key_count)
    parameters, data_bytes = _tensors(path, cursor, tensor_count)
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1:
        raise _broken(path, f"its alignment is {alignment!r}")
    needed = (cursor.at + alignment - 1) // alignment * alignment + data_bytes
    if needed > cursor.size_bytes:
        raise _broken(path, f"it has {cursor.size_bytes:,} of {needed:,} bytes")
    return metadata, parameters


def _metadata(path: Path, cursor: _Cursor, key_count: int) -> dict[str, Scalar]:
    """All values but the arrays, of which only the length is kept, as `KEY.length`."""
    metadata: dict[str, Scalar] = {}
    for _ in range(key_count):
        key = cursor.text()
        kind = int(cursor.scalar("I"))
        value: Scalar | None
        if kind == _STRING:
            value = cursor.text()
        elif kind == _ARRAY:
            key, value = f"{key}.length", cursor.skip_array()
        elif kind in _SCALARS:
            value = cursor.scalar(_SCALARS[kind])
        else:
            raise _broken(path, f"the value of {key!r} has the unknown type {kind}")
        if key is not None and value is not None:
            metadata[key] = value
    return metadata


def _tensors(path: Path, cursor: _Cursor, tensor_count: int) -> tuple[int, int]:
    """(Number of weights, bytes of data that they reach to)."""
    parameters = data_bytes = 0
    for _ in range(tensor_count):
        name = cursor.text()
        dimension_count = int(cursor.scalar("I"))
        if not 1 <= dimension_count <= 4:
            raise _broken(path, f"the tensor {name!r} has {dimension_count} dimensions")
        weights = prod(cursor.count() for _ in range(dimension_count))
        kind, offset = int(cursor.scalar("I")), cursor.count()
        block = TENSOR_BLOCKS.get(kind)
        if block is not None:
            data_bytes = max(data_bytes, offset + weights // block[0] * block[1])
        parameters += weights
    return parameters, data_bytes


def _whole(metadata: Mapping[str, Scalar], key: str) -> int | None:
    value = metadata.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


if __name__ == "__main__":
    print(gguf_info(Path(sys.argv[1])))
