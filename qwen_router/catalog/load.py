"""Read the catalog's YAML files into types, and find a model by any of its names.

Every file is checked row by row; what is wrong becomes a `CatalogError` with file, row and field. Extra folders (a user's)
add rows or replace rows of the same id. The shipped YAML is the truth; `compiled.json` beside it holds the same rows and the
YAML's SHA-256, because parsing YAML takes ten times as long: a compiled file that does not match is passed over.
Which builds an engine has, and what they need, is not known here.

    python -c "from qwen_router.catalog import Catalog; print(len(Catalog.load().models))"
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import ValidationError

from qwen_router.catalog.quants import split_quant
from qwen_router.catalog.types import Frozen, Model
from qwen_router.errors import CatalogError, UnknownName

SHIPPED = Path(__file__).parent / "data"
_FIX = "correct that line; the fields are those of qwen_router/catalog/types.py"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Compiled(Frozen):
    """The content of `compiled.json`: `sha256` is the `fingerprint` of the YAML files that `models` were read from."""

    sha256: str
    models: tuple[Model, ...]


@dataclass(frozen=True)
class Catalog:
    """All models, ordered by family in order of release, and an index of their names in lower case."""

    models: tuple[Model, ...]
    index: Mapping[str, Model]

    @classmethod
    def load(cls, folders: tuple[Path, ...] | None = None) -> Catalog:
        """The shipped catalog, and on top of it the YAML files of `folders` (the last one wins). Read once a process."""
        return _load(tuple(folders or ()))

    @classmethod
    def of(cls, models: Iterable[Model]) -> Catalog:
        """A catalog of exactly these models."""
        ordered = tuple(models)
        return cls(models=ordered, index=MappingProxyType(_index(ordered)))

    def get(self, name: str) -> Model:
        """The model of that id, short name or Ollama tag; `UnknownName` names close matches."""
        found = self.resolve(name)
        if found is None:
            known = [*(m.id for m in self.models), *(m.short_name for m in self.models)]
            tags = [tag for model in self.models for tag in model.ollama_tags]
            raise UnknownName.among(name, [*known, *tags], kind="model", listing="qwen-router models")
        return found

    def resolve(self, served_name: str) -> Model | None:
        """What a server's name for a model means, by exact known names only, or None.

        Known are id, short name and Ollama tags, each also with a quantisation behind it, with `:latest`, as a file name
        ending in `.gguf`, or as the repository of such files.
        """
        name = served_name.strip().lower()
        if name.endswith(".gguf"):
            name = name.replace("\\", "/").rpartition("/")[2].removesuffix(".gguf")
        name = name.removeprefix("hf.co/").removesuffix(":latest").removesuffix("@main")
        stem, _, _ = split_quant(name)
        for candidate in (name, stem, stem.removesuffix("-gguf")):
            if candidate in self.index:
                return self.index[candidate]
        return None

    def families(self) -> tuple[str, ...]:
        """Family names in the order of the models."""
        return tuple(dict.fromkeys(model.family for model in self.models))


@functools.cache
def _load(folders: tuple[Path, ...]) -> Catalog:
    rows = {model.id: model for model in _compiled(SHIPPED) or read_folder(SHIPPED)}
    for folder in folders:
        rows |= {model.id: model for model in read_folder(folder)}
    return Catalog.of(sorted(rows.values(), key=_order(rows.values())))


def read_folder(folder: Path) -> tuple[Model, ...]:
    """The models of every YAML file in `folder`; an id may stand in it once."""
    seen: dict[str, tuple[Model, str]] = {}
    for path in _yaml_files(folder):
        for model in read_file(path):
            if model.id in seen:
                raise CatalogError(f"{path.name}: {model.id} is also in {seen[model.id][1]}", fix="keep one of the two rows")
            seen[model.id] = (model, path.name)
    return tuple(model for model, _ in seen.values())


def fingerprint(folder: Path) -> str:
    """SHA-256 over names and bytes of the YAML files in `folder`."""
    digest = hashlib.sha256()
    for path in _yaml_files(folder):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _yaml_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.yaml"))


def _compiled(folder: Path) -> tuple[Model, ...] | None:
    """The models of `compiled.json`, or None when it is absent, broken or older than the YAML."""
    try:
        compiled = Compiled.model_validate_json((folder / "compiled.json").read_bytes())
    except (OSError, ValidationError):
        return None
    return compiled.models if compiled.sha256 == fingerprint(folder) else None


def _order(models: Iterable[Model]) -> Callable[[Model], tuple[bool, str, str, int, str]]:
    """Families by their first release, the demo last; within one by size, then id."""
    first: dict[str, str] = {}
    for model in models:
        first[model.family] = min(model.release_date, first.get(model.family, "9999"))
    return lambda m: (m.demo, first[m.family], m.family, m.total_params or 0, m.id)


def _index(models: tuple[Model, ...]) -> dict[str, Model]:
    index: dict[str, Model] = {}
    for model in models:
        for tag in model.ollama_tags:
            _claim(index, tag, model)
            stem, _, spelt = split_quant(tag)
            if spelt:
                index.setdefault(stem.lower(), model)
    for model in models:
        _claim(index, model.id, model)
        index.setdefault(model.short_name.lower(), model)
    return index


def _claim(index: dict[str, Model], name: str, model: Model) -> None:
    owner = index.setdefault(name.lower(), model)
    if owner.id != model.id:
        raise CatalogError(f"{model.id} and {owner.id} both claim the name {name!r}", fix="keep it in one of the two rows")


def read_file(path: Path) -> tuple[Model, ...]:
    """The models of one YAML file: `family` and a list of `models`."""
    try:
        document = yaml.load(path.read_bytes(), Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise CatalogError(f"{path.name}{where}: not YAML: {reason}", fix="correct that line") from error
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read: {error.strerror}", fix="check the file's permissions") from error
    if not isinstance(document, dict) or set(document) != {"family", "models"} or not isinstance(document["models"], list):
        raise CatalogError(f"{path.name}: needs `family` and a list `models`, and nothing else", fix=_FIX)
    rows = enumerate(document["models"], 1)
    return tuple(_model(row, family=document["family"], place=path.name, number=number) for number, row in rows)


def _model(row: Any, *, family: Any, place: str, number: int) -> Model:
    if not isinstance(row, dict):
        raise CatalogError(f"{place}, row {number}: is no mapping", fix=_FIX)
    name = row.get("id", f"row {number}")
    try:
        return Model.model_validate({"family": family, **row})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=True)[0]
        field = ".".join(str(part) for part in first["loc"])
        given = "" if first["type"] == "missing" else f", got {first['input']!r:.60}"
        raise CatalogError(f"{place}, {name}: {field}: {first['msg']}{given}", fix=_FIX) from error
