"""Reads policy files, and says where one is wrong: file, line and key.

Looks for a name in the working folder's `policies/`, in the user's configuration folder, then among those that ship.
The YAML is composed rather than only loaded, so that every key keeps its line. A policy that `extends` another has that
one's values where it says nothing, key by key, and that one's rules before its own.

    python -c "from qwen_router.policy import policy_names; print(policy_names())"
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self, get_args

import yaml
from pydantic import ValidationError

from qwen_router.errors import InvalidPolicy, UnknownName
from qwen_router.folders import asset_folders
from qwen_router.policy.schema import PolicyFields
from qwen_router.policy.secrets import secrets_in

MAX_POLICY_BYTES = 1024 * 1024
TOLD = 5
"""Further faults of a file that an error message names."""
ObjectiveName = Literal["quality", "balanced", "fast", "cheap"]
OBJECTIVES: tuple[ObjectiveName, ...] = get_args(ObjectiveName)
"""Policies that ship and whose objective may be put into another one."""
KeyPath = tuple[str | int, ...]


class Policy(PolicyFields):
    """A policy: what to optimise, what to forbid, how to think, where to fall back."""

    def with_objective(self, name: str) -> Self:
        """This policy with the objective of the one that ships under that name. Raises `UnknownName`."""
        if name not in OBJECTIVES:
            raise UnknownName.among(str(name), OBJECTIVES, kind="objective")
        return self.model_copy(update={"objective": self.load(name).objective})

    @classmethod
    def load(cls, name_or_path: str | Path) -> Self:
        """Read a policy by name (`balanced`) or path. Raises `UnknownName` or `InvalidPolicy`."""
        return cls._load(name_or_path, ())

    @classmethod
    def _load(cls, name_or_path: str | Path, heirs: tuple[str, ...]) -> Self:
        name, text = source_of(name_or_path)
        return cls._from_yaml(text, name=name, heirs=heirs, folder=path_of(name_or_path).parent)

    @classmethod
    def from_yaml(cls, text: str, *, name: str = "policy") -> Self:
        """Read a policy from YAML text; `name` stands in the errors for the file."""
        return cls._from_yaml(text, name=name, heirs=())

    @classmethod
    def _from_yaml(cls, text: str, *, name: str, heirs: tuple[str, ...], folder: Path | None = None) -> Self:
        try:
            _refuse_aliases(text, name)
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            data = yaml.safe_load(text)
        except RecursionError:
            raise InvalidPolicy(f"{name} is nested too deeply", fix="a policy is a page of YAML") from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f", line {mark.line + 1}" if mark else ""
            what = getattr(error, "problem", None) or "not YAML"
            raise InvalidPolicy(f"{name}{line}: {what}", fix="check the indentation and the quotes there") from error
        except ValueError as error:  # a date that no calendar has, a number of 5,000 digits
            raise InvalidPolicy(f"{name}: a value is none: {error}", fix="put it into quotes") from error
        if not isinstance(data, dict) or node is None:
            raise InvalidPolicy(f"{name} holds {type(data).__name__}, not keys", fix="start from policies/balanced.yaml")
        lines = dict(_lines(node, ()))
        try:
            own = cls.model_validate(data)
        except ValidationError as error:
            raise _explained(error, name=name, lines=lines) from error
        if own.extends is None:
            return own
        at = lines.get(("extends",), 1)
        chain = heirs if own.name in heirs[-1:] else (*heirs, own.name)
        if own.extends in chain:
            raise InvalidPolicy(
                f"{name}, line {at}: extends goes round in a circle: {' -> '.join((*chain, own.extends))}",
                fix="let one of them extend nothing",
            )
        try:
            parent = cls._load(
                _beside(own.extends, folder), (*chain, own.extends)
            )  # a file need not be named like its policy
        except UnknownName as error:
            raise InvalidPolicy(f"{name}, line {at}: {error.problem}", fix=error.fix) from error
        try:
            return cls.model_validate(_inherited(parent.model_dump(exclude_unset=True), data))
        except ValidationError as error:
            raise _explained(error, name=name, lines=lines) from error


def _beside(name: str, folder: Path | None) -> str | Path:
    """A file that a policy names without its whole path lies beside that policy; a bare name is looked up."""
    is_file = name.endswith((".yaml", ".yml")) or os.sep in name
    return folder / name if is_file and folder is not None else name


def _inherited(parent: dict[str, Any], child: dict[str, Any]) -> dict[str, Any]:
    """The parent's keys under the child's, mapping by mapping; rules add up, the parent's first; cases are not inherited."""
    merged = {key: value for key, value in parent.items() if key not in ("name", "description", "extends", "tests")}
    for key, value in child.items():
        if key == "rules":
            merged["rules"] = [*merged.get("rules", ()), *value]
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _inherited(merged[key], value)
        else:
            merged[key] = value
    return merged


def _refuse_aliases(text: str, name: str) -> None:
    """A few lines of aliases can stand for gigabytes; a policy needs none."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise InvalidPolicy(
                f"{name}, line {_line(event.start_mark)}: the alias *{event.anchor} stands for something else",
                fix="write it out: policies may not use YAML aliases",
            )


def _line(mark: Any) -> int:
    return int(mark.line) + 1


def source_of(name_or_path: str | Path) -> tuple[str, str]:
    """(file name, text) of a policy by name or path. Raises `UnknownName` or `InvalidPolicy`."""
    path = path_of(name_or_path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_POLICY_BYTES + 1)
    except OSError as error:
        raise InvalidPolicy(f"cannot read {str(name_or_path)!r}: {error.strerror}", fix="check the path") from error
    if len(raw) > MAX_POLICY_BYTES:
        raise InvalidPolicy(f"{path.name} is larger than 1 MiB", fix="a policy is a page of YAML")
    try:
        return path.name, raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidPolicy(
            f"{path.name} is not UTF-8: {error.reason} at byte {error.start}", fix="save it as UTF-8"
        ) from error


def lines_of(text: str) -> dict[KeyPath, int]:
    """The line of every key and list entry of a policy's text, by its path; of a key that stands twice the last one's."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    return {} if node is None else dict(_lines(node, ()))


def policy_names() -> tuple[str, ...]:
    """The names of all policies that can be found now, sorted."""
    return tuple(sorted({path.stem for folder in asset_folders("policies") for path in folder.glob("*.yaml")}))


def path_of(name_or_path: str | Path) -> Path:
    """The file that a name or path means. Raises `UnknownName` for a name that nobody has."""
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
    """The first thing wrong, with its line, its key and, for a misspelt key, the one that was meant; where the rest is."""
    first, *others = error.errors()
    path: KeyPath = tuple(first["loc"])
    where = f"{name}, line {_nearest(path, lines)}"
    key = ".".join(str(part) for part in path)
    rest = [f"{'.'.join(map(str, other['loc']))} (line {_nearest(tuple(other['loc']), lines)})" for other in others]
    told = ", ".join(rest[:TOLD]) + (f" and {len(rest) - TOLD} more" if len(rest) > TOLD else "")
    more = f"; also wrong: {told}" if rest else ""
    if first["type"] == "extra_forbidden":
        siblings = _keys_at(path[:-1])
        close = get_close_matches(str(path[-1]), siblings, n=1, cutoff=0.5)
        fix = f"did you mean {close[0]!r}?" if close else f"one of {', '.join(siblings)}"
        return InvalidPolicy(f"{where}: the key {key!r} is unknown{more}", fix=fix)
    if first["type"] == "missing":
        return InvalidPolicy(f"{where}: the key {key!r} is missing{more}", fix=f"add {path[-1]}: ...")
    allowed = first["msg"].replace("a valid tuple", "a list").replace("a valid dictionary or instance of", "keys of")
    return InvalidPolicy(f"{where}: {key} is {_shown(first['input'])}{more}", fix=allowed)


def _nearest(path: KeyPath, lines: dict[KeyPath, int]) -> int:
    """The line of a key, or of the nearest one above it that the file has."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _shown(value: object) -> str:
    """A value for an error message: short, and no secret in it."""
    text = repr(value)
    found = secrets_in(text)
    return found[0].masked if found else text if len(text) <= 80 else text[:77] + "..."


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
