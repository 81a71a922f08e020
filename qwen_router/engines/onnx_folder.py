"""Looks at a folder built for onnxruntime-genai before anything heavy is loaded: what it is, and whether it is whole.

Reads genai_config.json and the graph of the model file (its weights are skipped, so this takes milliseconds). A cut
download, or a folder that nobody built for onnxruntime-genai, is refused here by name. Runs nothing; `onnx.py` does.

    python -c "from qwen_router.engines.onnx_folder import OnnxFolder; print(OnnxFolder.at('FOLDER'))"
"""

from __future__ import annotations

import json
import mmap
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from qwen_router.catalog.types import Model
from qwen_router.errors import EngineRefused

_TYPES = {1: "f32", 10: "f16", 16: "bf16"}
"""`TensorProto.DataType`, onnx/onnx.proto, those that weights have."""
_BUILD_WORD = re.compile(
    r"(onnx|genai|cpu|cuda|gpu|dml|webgpu|npu|mobile|generic|int[48]|b?fp?(16|32)|rtn|awq|gptq|block|acc|level|v?\d+)+$"
)
"""Words that a folder's name may carry behind the model's without it being another model: how it was built."""


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """What a model file says of its weights. `bits` is that of its quantised matrices, None when none is quantised;
    `external_bytes` is how long each file of weights beside it must be."""

    bits: int | None
    dtype: str | None
    external_bytes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OnnxFolder:
    """A folder whose genai_config.json can be read; `at` gives None for any other."""

    folder: Path
    config: Mapping[str, Any]

    @classmethod
    def at(cls, folder: Path | str) -> OnnxFolder | None:
        folder = Path(folder)
        try:
            config = json.loads((folder / "genai_config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return cls(folder, config) if isinstance(config, Mapping) and isinstance(config.get("model"), Mapping) else None

    def model_id(self, known: Iterable[Model]) -> str | None:
        """The known model that the folder, or one that it lies in, is named after (`Qwen3-0.6B-int4-cpu`), if the
        configuration has its layers and width. A name with other words than those of a build is another model's."""
        shape = tuple(self._decoder.get(key) for key in ("num_hidden_layers", "hidden_size"))
        shaped = {
            model.short_name.lower(): model.id
            for model in known
            if model.architecture is not None and (model.architecture.layers, model.architecture.hidden) == shape
        }
        for part in reversed(self.folder.parts[-4:]):
            name = part.rpartition("--")[2].lower()  # a hub cache writes models--ORGANISATION--NAME
            for short, model_id in sorted(shaped.items(), key=lambda item: -len(item[0])):
                rest = name.removeprefix(short)
                if rest != name and all(_BUILD_WORD.match(word) for word in re.split(r"[-_.]", rest) if word):
                    return model_id
        return None

    @property
    def quant(self) -> str | None:
        """f32, f16 or bf16, onnx-int4 or onnx-int8; None for a model file that cannot be read."""
        try:
            graph = self.graph()
        except EngineRefused:
            return None
        return f"onnx-int{graph.bits}" if graph.bits else graph.dtype

    @property
    def context_tokens(self) -> int | None:
        value = self.config["model"].get("context_length")
        return value if isinstance(value, int) else None

    @property
    def weights_mib(self) -> float:
        return sum(f.stat().st_size for f in self.folder.glob("*.onnx*") if f.is_file()) / 1024**2

    @property
    def kv_mib_per_token(self) -> float:
        """Keys and values of one token at four bytes a number, the most that a folder is built with; 0.0: not said."""
        names = ("num_hidden_layers", "num_key_value_heads", "head_size")
        layers, heads, size = (self._decoder.get(name) for name in names)
        if not (isinstance(layers, int) and isinstance(heads, int) and isinstance(size, int)):
            return 0.0
        return 2 * 4 * layers * heads * size / 1024**2

    @property
    def end_ids(self) -> frozenset[int]:
        ends = self.config["model"].get("eos_token_id")
        return frozenset(i for i in (ends if isinstance(ends, list) else [ends]) if isinstance(i, int))

    @property
    def providers(self) -> tuple[str, ...]:
        """What computes, as the folder asks for it: empty for the CPU."""
        session = self._decoder.get("session_options")
        options = session.get("provider_options") if isinstance(session, Mapping) else None
        return tuple(str(name) for each in options or () if isinstance(each, Mapping) for name in each)

    def graph(self) -> OnnxGraph:
        """Raises `EngineRefused` when the model file is missing or damaged."""
        path = self._model_file
        try:
            stat = path.stat()
            return _graph(path, stat.st_size, stat.st_mtime_ns)
        except OSError as error:
            raise self.broken(f"{path.name} cannot be read ({error.strerror})") from None
        except ValueError as error:
            raise self.broken(f"{path.name} is no whole ONNX file ({error})") from None

    def check(self) -> None:
        """Raise `EngineRefused` when the files cannot be loaded as they are."""
        for name, needed in self.graph().external_bytes.items():
            path = self.folder / name
            have = path.stat().st_size if path.is_file() else 0
            if have < needed:
                raise self.broken(f"{name} has {have:,} of at least {needed:,} bytes of weights")
        for name in ("tokenizer.json", "tokenizer_config.json"):
            if not (self.folder / name).is_file():
                raise self.broken(f"it has no {name}")

    def broken(self, why: str) -> EngineRefused:
        return EngineRefused(
            f"the ONNX model {self.folder.name!r} cannot be loaded: {why}",
            fix="download or build it again: genai_config.json, tokenizer.json and every *.onnx* file must be whole",
            engine="onnx",
            endpoint="in process",
        )

    @property
    def _decoder(self) -> Mapping[str, Any]:
        decoder = self.config["model"].get("decoder")
        return decoder if isinstance(decoder, Mapping) else {}

    @property
    def _model_file(self) -> Path:
        name = self._decoder.get("filename")
        return self.folder / (name if isinstance(name, str) and name else "model.onnx")


@lru_cache(maxsize=64)
def _graph(path: Path, size_bytes: int, _changed_ns: int) -> OnnxGraph:
    """Walk ModelProto (onnx/onnx.proto): graph is field 7, its nodes 1, its initializers 5. Raises `ValueError`."""
    if not size_bytes:
        raise ValueError("it is empty")
    bits: set[int] = set()
    type_bytes: Counter[int] = Counter()
    external: dict[str, int] = {}
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        graphs = [part for number, part in _fields(data, 0, size_bytes) if number == 7 and isinstance(part, tuple)]
        if not graphs:
            raise ValueError("it holds no graph")
        for number, part in _fields(data, *graphs[0]):
            if number == 1 and isinstance(part, tuple):
                bits |= _weight_bits(data, *part)
            elif number == 5 and isinstance(part, tuple):
                _add_tensor(data, *part, type_bytes, external)
    most = max(type_bytes, key=lambda t: type_bytes[t], default=None)
    return OnnxGraph(min(bits, default=None), _TYPES.get(most) if most is not None else None, external)


def _weight_bits(data: mmap.mmap, start: int, end: int) -> set[int]:
    """The attribute `bits` of a node that multiplies quantised weights; nothing for any other node.

    NodeProto: op_type is field 4, attributes 5. AttributeProto: name is field 1, an integer 3.
    """
    fields = [(number, part) for number, part in _fields(data, start, end) if isinstance(part, tuple)]
    if not any(number == 4 and data[slice(*part)] in (b"MatMulNBits", b"QMoE") for number, part in fields):
        return set()
    found: set[int] = {4}  # what the operator takes when it says nothing
    for number, part in fields:
        if number == 5:
            attribute = dict(_fields(data, *part))
            name, value = attribute.get(1), attribute.get(3)
            if isinstance(name, tuple) and data[slice(*name)] == b"bits" and isinstance(value, int):
                found = {value}
    return found


def _add_tensor(data: mmap.mmap, start: int, end: int, type_bytes: Counter[int], external: dict[str, int]) -> None:
    """TensorProto: data_type is field 2, raw_data 9, external_data (keys and values as text) 13."""
    kind, length = 0, 0
    where: dict[bytes, bytes] = {}
    for number, part in _fields(data, start, end):
        if number == 2 and isinstance(part, int):
            kind = part
        elif number == 9 and isinstance(part, tuple):
            length = part[1] - part[0]
        elif number == 13 and isinstance(part, tuple):
            pair = [data[slice(*text)] for _, text in _fields(data, *part) if isinstance(text, tuple)]
            if len(pair) == 2:
                where[pair[0]] = pair[1]
    if b"location" in where:
        name, length = where[b"location"].decode(), int(where.get(b"length", b"0"))
        external[name] = max(external.get(name, 0), int(where.get(b"offset", b"0")) + length)
    if kind in _TYPES:
        type_bytes[kind] += length


def _fields(data: mmap.mmap, at: int, end: int) -> Iterator[tuple[int, int | tuple[int, int]]]:
    """The fields of one protobuf message: (number, value), where text and messages are given as (start, end)."""
    while at < end:
        key, at = _varint(data, at, end)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at, end)
            yield number, value
            continue
        length = 8 if wire == 1 else 4 if wire == 5 else -1
        if wire == 2:
            length, at = _varint(data, at, end)
        if length < 0 or at + length > end or not number:
            raise ValueError(f"damaged or cut at byte {at:,}")
        if wire == 2:
            yield number, (at, at + length)
        at += length


def _varint(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        value, at, shift = value | (byte & 0x7F) << shift, at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError(f"damaged or cut at byte {at:,}")
