"""Reads policy files, and says where one is wrong: file, line and key.

Looks for a name in the working folder's `policies/`, in the user's configuration folder, then among those that ship.
The YAML is composed rather than only loaded, so that every key keeps its line.

    python -c "from qwen_router.policy import policy_names; print(policy_names())"
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import ValidationError

from qwen_router.errors import InvalidPolicy, UnknownName
from qwen_router.folders import asset_folders
from qwen_router.policy.schema import PolicyFields

MAX_POLICY_BYTES = 1024 * 1024
KeyPath = tuple[str | int, ...]


class Policy(PolicyFields):
    """A policy: what to optimise, what to forbid, how to think, where to fall back."""

    @classmethod
    def load(cls, name_or_path: str | Path) -> Self:
        """Read a policy by name (`balanced`) or path. Raises `UnknownName` or `InvalidPolicy`."""
        path = _find(name_or_path)
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_POLICY_BYTES + 1)
        except OSError as error:
            raise InvalidPolicy(f"cannot read {str(name_or_path)!r}: {error.strerror}", fix="check the path") from error
        if len(raw) > MAX_POLICY_BYTES:
            raise InvalidPolicy(f"{path.name} is larger than 1 MiB", fix="a policy is a page of YAML")
        try:
            return cls.from_yaml(raw.decode("utf-8"), name=path.name)
        except UnicodeDecodeError as error:
            raise InvalidPolicy(
                f"{path.name} is not UTF-8: {error.reason} at byte {error.start}", fix="save it as UTF-8"
            ) from error

    @classmethod
    def from_yaml(cls, text: str, *, name: str = "policy") -> Self:
        """Read a policy from YAML text; `name` stands in the errors for the file."""
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            data = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f", line {mark.line + 1}" if mark else ""
            what = getattr(error, "problem", None) or "not YAML"
            raise InvalidPolicy(f"{name}{line}: {what}", fix="check the indentation and the quotes there") from error
        if not isinstance(data, dict) or node is None:
            raise InvalidPolicy(f"{name} holds {type(data).__name__}, not keys", fix="start from policies/balanced.yaml")
        lines = dict(_lines(node, ()))
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise _explained(error, name=name, lines=lines) from error


def policy_names() -> tuple[str, ...]:
    """The names of all policies that can be found now, sorted."""
    return tuple(sorted({path.stem for folder in asset_folders("policies") for path in folder.glob("*.yaml")}))


def _find(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if text.endswith((".yaml", ".yml")) or os.sep in text:
        return Path(text)
    for folder in asset_folders("policies"):
        if (path := folder / f"{text}.yaml").is_file():
            return path
    raise UnknownName.among(text, policy_names(), kind="policy")


def _lines(node: yaml.Node, path: KeyPath) -> list[tuple[KeyPath, int]]:
    """(path of keys, line) of every node below `node`, lines from 1."""
    found: list[tuple[KeyPath, int]] = [(path, node.start_mark.line + 1)]
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*path, str(key.value))
            found += _lines(value, below)
            found.append((below, key.start_mark.line + 1))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            found += _lines(value, (*path, index))
    return found


def _explained(error: ValidationError, *, name: str, lines: dict[KeyPath, int]) -> InvalidPolicy:
    """The first thing wrong, with its line, its key and, for a misspelt key, the key that was meant."""
    first = error.errors()[0]
    path: KeyPath = tuple(first["loc"])
    known = path
    while known and known not in lines:
        known = known[:-1]
    where = f"{name}, line {lines.get(known, 1)}"
    key = ".".join(str(part) for part in path)
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        siblings = _keys_at(path[:-1])
        close = get_close_matches(str(path[-1]), siblings, n=1, cutoff=0.5)
        fix = f"did you mean {close[0]!r}?" if close else f"one of {', '.join(siblings)}"
        return InvalidPolicy(f"{where}: the key {key!r} is unknown{more}", fix=fix)
    if first["type"] == "missing":
        return InvalidPolicy(f"{where}: the key {key!r} is missing{more}", fix=f"add {path[-1]}: ...")
    return InvalidPolicy(f"{where}: {key} is {first['input']!r}{more}", fix=first["msg"])


def _keys_at(path: KeyPath) -> list[str]:
    """The keys that the schema knows at `path`."""
    model: Any = PolicyFields
    for part in path:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        arguments = [a for a in getattr(annotation, "__args__", ()) if hasattr(a, "model_fields")]
        model = arguments[0] if arguments else annotation
    return list(model.model_fields)
