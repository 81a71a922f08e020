"""Reads template files, and says where one is wrong: file, line and key.

Looks for a name in the working folder's `prompts/`, in the user's configuration folder, then among those that ship; a
file of one's own replaces the shipped one of its name whole. An empty file is none: the shell makes one of `show X > X.yaml`
before X is read. Files are read again when they change.

    python -c "from qwen_router.prompts import template_names; print(template_names())"
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ValidationError

from qwen_router.errors import InvalidTemplate, UnknownName
from qwen_router.folders import asset_folders
from qwen_router.prompts.target import models_called
from qwen_router.prompts.types import Parameter, Template, Variant

MAX_TEMPLATE_BYTES = 64 * 1024
MAX_DEPTH = 20
"""Lists and keys within each other; a template needs five."""
KeyPath = tuple[str | int, ...]
_START = "start from a shipped one: qwen-router prompts show mathematics"


def template_names() -> tuple[str, ...]:
    """The names of all templates that can be found now, sorted."""
    paths = (path for folder in asset_folders("prompts") for path in folder.glob("*.yaml"))
    return tuple(sorted({path.stem for path in paths if _has_content(path)}))


def template_path(name: str) -> Path:
    """The file of the template of that name, or the path itself when it is one. Raises `UnknownName`."""
    if name.endswith((".yaml", ".yml")) or os.sep in name:
        return Path(name)
    for folder in asset_folders("prompts"):
        if _has_content(path := folder / f"{name}.yaml"):
            return path
    raise UnknownName.among(name, template_names(), kind="prompt template")


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def load_template(name: str) -> Template:
    """The template of that name (or path). Raises `UnknownName` or `InvalidTemplate`."""
    path = template_path(name)
    try:
        stat = path.stat()
        return _read(path.absolute(), stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise InvalidTemplate(f"cannot read {str(path)!r}: {error.strerror}", fix="check the path") from error


def template_from_yaml(text: str, *, name: str = "template") -> Template:
    """Read a template from YAML text; `name` stands in the errors for the file. Raises `InvalidTemplate`."""
    node = _composed(text, name)
    lines = dict(_lines(node, (), name))
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # `{{x}}` without quotes, a date that no calendar has
        mark = getattr(error, "problem_mark", None)
        where = f"{name}, line {mark.line + 1}" if mark else name
        what = getattr(error, "problem", None) or str(error)
        raise InvalidTemplate(f"{where}: {what}", fix='put texts into quotes: "{{problem}}"') from error
    try:
        template = Template.model_validate(data)
    except ValidationError as error:
        raise _explained(error, name=name, lines=lines) from error
    for path, problem, fix in (*template.faults(), *_unknown_families(template)):
        raise InvalidTemplate(f"{name}, line {_nearest(path, lines)}: {_key(path)}: {problem}", fix=fix)
    return template


@lru_cache(maxsize=128)
def _read(path: Path, _changed_ns: int, _size_bytes: int) -> Template:
    with path.open("rb") as file:
        raw = file.read(MAX_TEMPLATE_BYTES + 1)
    if len(raw) > MAX_TEMPLATE_BYTES:
        raise InvalidTemplate(f"{path} is larger than 64 KiB", fix="a template is a page of YAML")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidTemplate(
            f"{path} is not UTF-8: {error.reason} at byte {error.start}", fix="save it as UTF-8"
        ) from error
    return template_from_yaml(text, name=str(path))


def _composed(text: str, name: str) -> yaml.MappingNode:
    """The document as nodes, which keep their lines. Aliases are refused (a few lines could stand for gigabytes), and so is
    a depth that no template has."""
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:  # PyYAML would take minutes over a page of brackets
                raise InvalidTemplate(f"{name} is nested too deeply", fix="a template is a page of YAML")
            if isinstance(event, yaml.AliasEvent):
                where = f"{name}, line {event.start_mark.line + 1}" if event.start_mark else name
                raise InvalidTemplate(f"{where}: the alias *{event.anchor} stands for something else", fix="write it out")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}, line {mark.line + 1}" if mark else name
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
        raise InvalidTemplate(f"{where}: {what}", fix="check the indentation and the quotes there") from error
    if not isinstance(node, yaml.MappingNode):
        raise InvalidTemplate(f"{name} holds no keys", fix=_START)
    return node


def _lines(node: yaml.Node, path: KeyPath, name: str) -> Iterator[tuple[KeyPath, int]]:
    """(path of keys, line from 1) of everything below `node`. A key that stands twice is refused: one would be lost."""
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise InvalidTemplate(f"{name}, line {line}: a key is no word", fix='put texts into quotes: "{{problem}}"')
            if key.value in seen:
                raise InvalidTemplate(f"{name}, line {line}: the key {key.value!r} stands twice", fix="keep one of them")
            seen.add(key.value)
            yield from _lines(value, (*path, key.value), name)
            yield (*path, key.value), line
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*path, index), name)


def _unknown_families(template: Template) -> Iterator[tuple[KeyPath, str, str]]:
    for v, variant in enumerate(template.variants):
        for f, family in enumerate(variant.families):
            try:
                models_called(family)
            except UnknownName as error:
                yield ("variants", v, "families", f), error.problem, error.fix


def _explained(error: ValidationError, *, name: str, lines: Mapping[KeyPath, int]) -> InvalidTemplate:
    """One thing that is wrong, with its line and key: a misspelt key first, with the one that was meant, because it is why
    another one is missing."""
    found = error.errors()
    first = next((fault for fault in found if fault["type"] == "extra_forbidden"), found[0])
    path: KeyPath = tuple(first["loc"])
    where = f"{name}, line {_nearest(path, lines)}"
    if first["type"] == "extra_forbidden":
        meant = UnknownName.among(str(path[-1]), _keys_at(path), kind="key")
        return InvalidTemplate(f"{where}: the key {_key(path)!r} is unknown", fix=meant.fix)
    if first["type"] == "missing":
        return InvalidTemplate(f"{where}: the key {_key(path)!r} is missing", fix=f"add {path[-1]}: ...")
    if first["type"] == "value_error":
        return InvalidTemplate(
            f"{where}: {_key(path)}: {first['msg'].removeprefix('Value error, ')}", fix="correct it there"
        )
    allowed = first["msg"].replace("a valid tuple", "a list").replace("a valid dictionary or instance of", "keys of")
    return InvalidTemplate(f"{where}: {_key(path)} is {first['input']!r:.80}", fix=allowed)


def _key(path: KeyPath) -> str:
    return ".".join(str(part) for part in path)


def _nearest(path: KeyPath, lines: Mapping[KeyPath, int]) -> int:
    """The line of a key, or of the nearest one above it that the file has."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _keys_at(path: KeyPath) -> tuple[str, ...]:
    """The keys that are known beside the last one of `path`."""
    model: type[BaseModel] = Template if len(path) == 1 else Parameter if path[0] == "parameters" else Variant
    return tuple(model.model_fields)
