"""Looks at a checkpoint folder before anything heavy is loaded: what it says it is, and whether its files are whole.

Reads config.json and the headers of the safetensors files, nothing else. A truncated download, or a configuration that
does not belong to the weights, would otherwise cost minutes and gigabytes before transformers notices.

    python -c "from qwen_router.engines.checkpoint_folder import Checkpoint; print(Checkpoint.at('FOLDER'))"
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwen_router.catalog.types import Model
from qwen_router.demo import DEMO_MODEL_ID, demo_checkpoint
from qwen_router.errors import EngineRefused

_MAX_HEADER_BYTES = 100_000_000
"""The limit that the safetensors library sets itself."""
_DTYPES = {"bfloat16": "bf16", "float16": "f16", "float32": "f32"}


def named(folders: Iterable[Path]) -> dict[str, Path]:
    """Folders by name; the second of one name goes by its path."""
    out: dict[str, Path] = {}
    for folder in folders:
        name = folder.name if folder.name not in out else str(folder)
        out[name] = folder
    return out


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder whose config.json can be read; `at` gives None for any other."""

    folder: Path
    config: Mapping[str, Any]

    @classmethod
    def at(cls, folder: Path | str) -> Checkpoint | None:
        folder = Path(folder)
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return cls(folder, config) if isinstance(config, Mapping) else None

    def model_id(self, known: Iterable[Model]) -> str | None:
        """The demo's id, the one in the path of a hub cache (`models--Qwen--Qwen3-8B/snapshots/...`), or the known model
        that the folder is named after (or a quantised repository of it), if the configuration has its layers and width."""
        if self.folder == demo_checkpoint():
            return DEMO_MODEL_ID
        cached = next((part for part in self.folder.parts if part.startswith("models--")), None)
        if cached:
            return "/".join(cached.split("--")[1:])
        shape = tuple(self._text_config().get(key) for key in ("num_hidden_layers", "hidden_size"))
        hits = [
            model.id
            for model in known
            if self.folder.name.lower() in _folder_names(model)
            and model.architecture is not None
            and (model.architecture.layers, model.architecture.hidden) == shape
        ]
        return hits[0] if len(hits) == 1 else None

    @property
    def quant(self) -> str | None:
        """bf16, f16 or f32 as stored, or the method of a quantised checkpoint (awq, gptq, bitsandbytes, ...)."""
        quantised = self.config.get("quantization_config")
        if isinstance(quantised, Mapping):
            return str(quantised.get("quant_method") or "") or None
        return _DTYPES.get(str(self.config.get("dtype") or self.config.get("torch_dtype") or ""))

    @property
    def context_tokens(self) -> int | None:
        value = self._text_config().get("max_position_embeddings")
        return value if isinstance(value, int) else None

    @property
    def weights_mib(self) -> float:
        return sum(f.stat().st_size for f in self.folder.glob("*.safetensors")) / 1024**2

    def check(self) -> None:
        """Raise `EngineRefused` when the files cannot be loaded as they are."""
        if not self.config.get("architectures"):
            raise self._broken("config.json names no architecture")
        tensors = dict(self._tensors())
        if not tensors:
            raise self._broken("it holds no *.safetensors file")
        wanted = tuple(self._text_config().get(key) for key in ("vocab_size", "hidden_size"))
        for name, shape in tensors.items():
            if name.endswith("embed_tokens.weight") and None not in wanted and tuple(shape) != wanted:
                raise self._broken(f"config.json says {wanted} and the weights {tuple(shape)} for the embedding")

    def _text_config(self) -> Mapping[str, Any]:
        nested = self.config.get("text_config")
        return nested if isinstance(nested, Mapping) else self.config

    def _tensors(self) -> Iterator[tuple[str, list[int]]]:
        """Names and shapes, from headers that are checked against the length of their file."""
        for path in sorted(self.folder.glob("*.safetensors")):
            header, data_bytes = self._header(path)
            for name, entry in header.items():
                if name == "__metadata__":
                    continue
                try:
                    shape, end = list(entry["shape"]), int(entry["data_offsets"][1])
                except (KeyError, TypeError, IndexError, ValueError):
                    raise self._broken(f"the header of {path.name} is damaged at {name!r}") from None
                if end > data_bytes:
                    raise self._broken(f"{path.name} has {data_bytes:,} of at least {end:,} bytes of weights")
                yield name, shape

    def _header(self, path: Path) -> tuple[Mapping[str, Any], int]:
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            data_bytes = path.stat().st_size - 8 - length
            if not 0 < length <= _MAX_HEADER_BYTES or data_bytes < 0:
                raise self._broken(f"{path.name} has no sound header")
            try:
                header = json.loads(file.read(length))
            except ValueError:
                header = None
        if not isinstance(header, Mapping):
            raise self._broken(f"{path.name} has no sound header")
        return header, data_bytes

    def _broken(self, why: str) -> EngineRefused:
        return EngineRefused(
            f"the checkpoint {self.folder.name!r} cannot be loaded: {why}",
            fix="download it again: config.json, tokenizer.json and every *.safetensors file must be whole",
            engine="transformers",
            endpoint="in process",
        )


def _folder_names(model: Model) -> set[str]:
    """What a folder of it may be called: as its repository is, or as one that holds it quantised."""
    names = model.names
    repositories = (model.id, names.modelscope, names.awq, names.fp8, *names.gptq, *names.mlx)
    return {name.rpartition("/")[2].lower() for name in repositories if name}
