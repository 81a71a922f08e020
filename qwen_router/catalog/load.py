"""Read the catalog's YAML files into types, and find a model by any of its names.

Every file is checked row by row; what is wrong becomes a `CatalogError` with file, row and field. Extra folders (a user's)
add rows or replace rows of the same id, and may leave out what `about` a family says. The shipped YAML is the truth;
`compiled.json` beside it holds the same rows and the YAML's SHA-256, because parsing YAML takes ten times as long: a
compiled file that does not match is passed over.
Which builds an engine has, and what they need, is not known here.

    python -c "from qwen_router.catalog import Catalog; print(len(Catalog.load().models))"
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from qwen_router.catalog.quants import split_quant
from qwen_router.catalog.types import Family, Frozen, Model
from qwen_router.errors import CatalogError, UnknownName
from qwen_router.folders import user_catalog_folder

SHIPPED = Path(__file__).parent / "data"
_FIX = "correct that line; the fields are those of qwen_router/catalog/types.py"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FOUNDRY_VERSION = re.compile(r"(?<=-[cgn]pu):\d+$")
_Row = TypeVar("_Row", bound=Frozen)


class Rows(Frozen):
    """What a file or a folder of YAML says: models, and what is said about their families."""

    models: tuple[Model, ...]
    about: tuple[Family, ...] = ()


class Compiled(Rows):
    """The content of `compiled.json`: `sha256` is the `fingerprint` of the YAML files that the rows were read from."""

    sha256: str


@dataclass(frozen=True)
class Catalog:
    """All models, ordered by family in order of release, an index of their names in lower case, what families are for."""

    models: tuple[Model, ...]
    index: Mapping[str, Model]
    about: Mapping[str, Family] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def load(cls, folders: tuple[Path, ...] | None = None) -> Catalog:
        """The shipped catalog, and on top of it the YAML files of `folders` (the last one wins); None is the user's
        own folder, where `models add` writes. Read once a process."""
        if folders is None:
            own = user_catalog_folder()
            folders = (own,) if own.is_dir() else ()
        return _load(tuple(folders))

    @classmethod
    def of(cls, models: Iterable[Model], about: Iterable[Family] = ()) -> Catalog:
        """A catalog of exactly these models."""
        ordered = tuple(models)
        families = MappingProxyType({family.name: family for family in about})
        return cls(models=ordered, index=MappingProxyType(_index(ordered)), about=families)

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

        Known are id, short name, Ollama tags and the names in `names`, each also with a quantisation behind it, with
        `:latest`, with Foundry Local's version, as a file name ending in `.gguf`, or as the repository of such files.
        """
        name = served_name.strip().lower()
        if name.endswith(".gguf"):
            name = name.replace("\\", "/").rpartition("/")[2].removesuffix(".gguf")
        name = name.removeprefix("hf.co/").removesuffix(":latest").removesuffix("@main")
        name = _FOUNDRY_VERSION.sub("", name)
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
    read = [_compiled(SHIPPED) or read_folder(SHIPPED), *(read_folder(folder) for folder in folders)]
    rows = {model.id: model for each in read for model in each.models}
    about = {family.name: family for each in read for family in each.about}
    return Catalog.of(sorted(rows.values(), key=_order(rows.values())), about.values())


def read_folder(folder: Path) -> Rows:
    """The rows of every YAML file in `folder`; an id, and what is said about a family, may stand in it once."""
    models: dict[str, tuple[Model, str]] = {}
    about: dict[str, tuple[Family, str]] = {}
    for path in _yaml_files(folder):
        read = read_file(path)
        for model in read.models:
            _once(models, model.id, model, path)
        for family in read.about:
            _once(about, family.name, family, path)
    return Rows(models=tuple(row for row, _ in models.values()), about=tuple(row for row, _ in about.values()))


def _once(seen: dict[str, tuple[_Row, str]], name: str, row: _Row, path: Path) -> None:
    if name in seen:
        raise CatalogError(f"{path.name}: {name} is also in {seen[name][1]}", fix="keep one of the two rows")
    seen[name] = (row, path.name)


def fingerprint(folder: Path) -> str:
    """SHA-256 over names and bytes of the YAML files in `folder`."""
    digest = hashlib.sha256()
    for path in _yaml_files(folder):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _yaml_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.yaml"))


def _compiled(folder: Path) -> Rows | None:
    """The rows of `compiled.json`, or None when it is absent, broken or older than the YAML."""
    try:
        compiled = Compiled.model_validate_json((folder / "compiled.json").read_bytes())
    except (OSError, ValidationError):
        return None
    return compiled if compiled.sha256 == fingerprint(folder) else None


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
        for name in (model.id, *model.names.listed()):
            _claim(index, name, model)
    for model in models:
        index.setdefault(model.short_name.lower(), model)
    return index


def _claim(index: dict[str, Model], name: str, model: Model) -> None:
    owner = index.setdefault(name.lower(), model)
    if owner.id != model.id:
        raise CatalogError(f"{model.id} and {owner.id} both claim the name {name!r}", fix="keep it in one of the two rows")


def read_file(path: Path) -> Rows:
    """The rows of one YAML file: `family`, a list of `models` and, where it has one, `about` the family."""
    try:
        document = yaml.load(path.read_bytes(), Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise CatalogError(f"{path.name}{where}: not YAML: {reason}", fix="correct that line") from error
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read: {error.strerror}", fix="check the file's permissions") from error
    wanted = isinstance(document, dict) and {"family", "models"} <= set(document) <= {"family", "about", "models"}
    if not wanted or not isinstance(document["models"], list):
        raise CatalogError(f"{path.name}: needs `family`, a list `models`, perhaps `about`, and nothing else", fix=_FIX)
    name = document["family"]
    about = [_checked(Family, {"name": name}, document["about"], f"{path.name}, about")] if "about" in document else []
    models = [
        _checked(Model, {"family": name}, row, f"{path.name}, {_row_name(row, number)}")
        for number, row in enumerate(document["models"], 1)
    ]
    return Rows(models=tuple(models), about=tuple(about))


def _row_name(row: Any, number: int) -> Any:
    return row.get("id", f"row {number}") if isinstance(row, dict) else f"row {number}"


def _checked(kind: type[_Row], given: Mapping[str, Any], row: Any, place: str) -> _Row:
    if not isinstance(row, dict):
        raise CatalogError(f"{place}: is no mapping", fix=_FIX)
    try:
        return kind.model_validate({**given, **row})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=True)[0]
        where = ".".join(str(part) for part in first["loc"])
        value = "" if first["type"] in ("missing", "value_error") else f", got {first['input']!r:.60}"
        raise CatalogError(f"{place}: {where}{': ' if where else ''}{first['msg']}{value}", fix=_FIX) from error
