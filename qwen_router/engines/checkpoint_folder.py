"""Looks at a checkpoint folder before anything heavy is loaded: what it says it is, and whether its files are whole.

`Checkpoint` is a model's folder, `Adapter` a LoRA adapter's. Reads JSON files and the headers of safetensors, nothing else.
A truncated download, or a configuration that does not belong to the weights, would otherwise cost minutes and gigabytes
before transformers notices.

    python -c "from qwen_router.engines.checkpoint_folder import Checkpoint; print(Checkpoint.at('FOLDER'))"
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwen_router.catalog.types import Model, ModelKind
from qwen_router.demo import DEMO_MODEL_ID, demo_checkpoint
from qwen_router.engines.gguf_file import SEARCH_ARCHITECTURE
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
        config = _json_of(folder / "config.json")
        return cls(folder, config) if config else None

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
        """bf16, f16 or f32 as stored, or what a quantised checkpoint says: bitsandbytes' by the catalog's name (int8, nf4,
        nf4-dq), others by their method (awq, gptq, ...)."""
        quantised = self.config.get("quantization_config")
        if isinstance(quantised, Mapping):
            if quantised.get("load_in_8bit"):
                return "int8"
            if quantised.get("load_in_4bit") and quantised.get("bnb_4bit_quant_type") == "nf4":
                return "nf4-dq" if quantised.get("bnb_4bit_use_double_quant") else "nf4"
            return str(quantised.get("quant_method") or "") or None
        return _DTYPES.get(str(self.config.get("dtype") or self.config.get("torch_dtype") or ""))

    @property
    def kind(self) -> ModelKind | None:
        """What the files that sentence-transformers writes beside a checkpoint say it is for: `Pooling` in modules.json is
        an embedding, `LogitScore` a reranker; older rerankers have a README only. None where nothing tells, and for what is
        not of Qwen3-Embedding's or Qwen3-Reranker's kin."""
        if self.config.get("model_type") != SEARCH_ARCHITECTURE:
            return None
        modules = self.modules
        if any(kind.endswith("LogitScore") for kind, _ in modules):
            return "reranker"
        if any(kind.endswith("Pooling") for kind, _ in modules):
            return "embedding"
        try:
            readme = (self.folder / "README.md").read_text(encoding="utf-8", errors="replace").lower()
        except OSError:
            return None
        return "reranker" if "# qwen3-reranker" in readme else None

    @property
    def modules(self) -> tuple[tuple[str, Path], ...]:
        """(Type, folder) of each part that sentence-transformers' modules.json names; () without one."""
        try:
            found = json.loads((self.folder / "modules.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ()
        rows = [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []
        return tuple((str(row.get("type", "")), self.folder / str(row.get("path", ""))) for row in rows)

    @property
    def pooling(self) -> str | None:
        """How its token vectors become one: "lasttoken", "mean", "cls" or another name; None where nothing tells."""
        for kind, place in self.modules:
            if kind.endswith("Pooling"):
                config = _json_of(place / "config.json")
                modes = [key.removeprefix("pooling_mode_") for key, on in config.items() if on is True]
                named = config.get("pooling_mode")
                return str(named) if isinstance(named, str) else next(iter(m for m in modes if m != "include_prompt"), None)
        return None

    @property
    def context_tokens(self) -> int | None:
        value = self._text_config().get("max_position_embeddings")
        return value if isinstance(value, int) else None

    @property
    def weights_mib(self) -> float:
        return sum(f.stat().st_size for f in self.folder.glob("*.safetensors")) / 1024**2

    @property
    def own_code(self) -> tuple[str, ...]:
        """The Python files that `auto_map` names: code that comes with the weights. Empty for most."""
        found = {
            part
            for config in (self.config, _json_of(self.folder / "tokenizer_config.json"))
            for part in _texts(config.get("auto_map"))
        }
        return tuple(sorted({part.rpartition(".")[0] + ".py" for part in found if "." in part}))

    def check(self) -> None:
        """Raise `EngineRefused` when the files cannot be loaded as they are."""
        if not self.config.get("architectures"):
            raise self._broken("config.json names no architecture")
        tensors = _tensors(sorted(self.folder.glob("*.safetensors")), self._broken)
        if not tensors:
            raise self._broken("it holds no *.safetensors file")
        wanted = tuple(self._text_config().get(key) for key in ("vocab_size", "hidden_size"))
        for name, shape in tensors.items():
            if name.endswith("embed_tokens.weight") and None not in wanted and tuple(shape) != wanted:
                raise self._broken(f"config.json says {wanted} and the weights {tuple(shape)} for the embedding")

    def _text_config(self) -> Mapping[str, Any]:
        nested = self.config.get("text_config")
        return nested if isinstance(nested, Mapping) else self.config

    def _broken(self, why: str) -> EngineRefused:
        return _refused(
            f"the checkpoint {self.folder.name!r} cannot be loaded: {why}",
            "download it again: config.json, tokenizer.json and every *.safetensors file must be whole",
        )


@dataclass(frozen=True, slots=True)
class Adapter:
    """A folder that peft wrote: adapter_config.json and adapter_model.safetensors. `at` gives None for any other."""

    folder: Path
    config: Mapping[str, Any]

    @classmethod
    def at(cls, folder: Path | str) -> Adapter | None:
        folder = Path(folder)
        config = _json_of(folder / "adapter_config.json")
        return cls(folder, config) if config else None

    @property
    def base(self) -> str:
        """What it is made for, as it says: a path, or a name such as Qwen/Qwen3-8B."""
        return str(self.config.get("base_model_name_or_path") or "")

    @property
    def weights_mib(self) -> float:
        return sum(f.stat().st_size for f in self.folder.glob("*.safetensors")) / 1024**2

    def base_among(self, folders: Iterable[Path], known: Iterable[Model]) -> Checkpoint | None:
        """Its base among these folders: by path (also relative to its own folder), by model id, by folder name."""
        if not self.base:
            return None
        checkpoints = [c for c in map(Checkpoint.at, folders) if c is not None]
        models = tuple(known)
        asked = (self.folder / self.base).resolve()
        tests: tuple[Callable[[Checkpoint], bool], ...] = (
            lambda c: c.folder.resolve() in (asked, Path(self.base).resolve()),
            lambda c: c.model_id(models) == self.base,
            lambda c: c.folder.name == self.base.rpartition("/")[2],
        )
        return next((c for test in tests for c in checkpoints if test(c)), None)

    def check(self) -> None:
        """Raise `EngineRefused` when it is no LoRA adapter or its file cannot be loaded as it is."""
        kind = str(self.config.get("peft_type") or "")
        if kind.upper() != "LORA":
            raise self._broken(f"adapter_config.json says peft_type {kind!r}; LORA is what is run here")
        path = self.folder / "adapter_model.safetensors"
        if not path.is_file():
            raise self._broken("it holds no adapter_model.safetensors (a .bin file is a pickle and is not opened)")
        if not _tensors([path], self._broken):
            raise self._broken(f"{path.name} holds no weights")

    def _broken(self, why: str) -> EngineRefused:
        return _refused(
            f"the adapter {self.folder.name!r} cannot be loaded: {why}",
            "save it with peft's save_pretrained: adapter_config.json and adapter_model.safetensors",
        )


def _json_of(path: Path) -> Mapping[str, Any]:
    """The object in a JSON file; empty for anything else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value.rpartition("--")[2]  # "repository--module.Class"
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def _tensors(paths: Iterable[Path], broken: Callable[[str], EngineRefused]) -> dict[str, list[int]]:
    """Shapes by name, from headers that are checked against the length of their file."""
    out: dict[str, list[int]] = {}
    for path in paths:
        header, data_bytes = _header(path, broken)
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            try:
                out[name], end = list(entry["shape"]), int(entry["data_offsets"][1])
            except (KeyError, TypeError, IndexError, ValueError):
                raise broken(f"the header of {path.name} is damaged at {name!r}") from None
            if end > data_bytes:
                raise broken(f"{path.name} has {data_bytes:,} of at least {end:,} bytes of weights")
    return out


def _header(path: Path, broken: Callable[[str], EngineRefused]) -> tuple[Mapping[str, Any], int]:
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        data_bytes = path.stat().st_size - 8 - length
        if not 0 < length <= _MAX_HEADER_BYTES or data_bytes < 0:
            raise broken(f"{path.name} has no sound header")
        try:
            header = json.loads(file.read(length))
        except ValueError:
            header = None
    if not isinstance(header, Mapping):
        raise broken(f"{path.name} has no sound header")
    return header, data_bytes


def _refused(problem: str, fix: str) -> EngineRefused:
    return EngineRefused(problem, fix=fix, engine="transformers", endpoint="in process")


def _folder_names(model: Model) -> set[str]:
    """What a folder of it may be called: as its repository is, or as one that holds it quantised."""
    names = model.names
    repositories = (model.id, names.modelscope, names.awq, names.fp8, *names.gptq, *names.mlx)
    return {name.rpartition("/")[2].lower() for name in repositories if name}
