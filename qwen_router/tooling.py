"""Finds tools: one file a tool (or a few), each a LangChain `@tool` that says what it takes and what it gives.

A file is imported by its path under a private module name, so a folder called `tools` never becomes an importable
package. Folders that come first win: the working folder, the user's, the shipped one. A file that imports nothing of
LangChain is not run at all: many projects keep scripts in a folder called tools. Nothing is imported until `load_tools`
is called.

    python -c "from qwen_router.tooling import load_tools; print(sorted(load_tools()))"
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from qwen_router.errors import InvalidTool, MissingExtra, RouterError
from qwen_router.folders import asset_folders

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

_EXTRA_PACKAGES = frozenset({"langchain_core", "langchain", "simpleeval", "pint"})
_RIGHTS = ("dangerous", "untrusted", "cost_s", "timeout_s")
_IMPORTS_LANGCHAIN = re.compile(r"^\s*(?:from|import)\s+langchain", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ToolSignature:
    """What a tool takes and gives, in the kinds that chains of tools join on: `number`, `unit`, `text`, ...

    `optional` are the inputs that it can do without. `dangerous` tools change or reach something: a person is asked first.
    What an `untrusted` tool gives was written by strangers (a web page, a file): it is data and marked as such to models.
    `cost_s` is about how long one call takes, `timeout_s` when it is given up.
    """

    name: str
    inputs: Mapping[str, str]
    output: str
    optional: frozenset[str] = frozenset()
    dangerous: bool = False
    untrusted: bool = False
    cost_s: float = 0.1
    timeout_s: float = 30.0


def load_tools(folders: Sequence[Path] | None = None) -> dict[str, BaseTool]:
    """Every tool by name, in the order of the names. `folders` None means `asset_folders('tools')`.

    Raises `InvalidTool`, naming the file, when one cannot be imported, has no tool, or declares no types; `MissingExtra`
    when LangChain or a shipped tool's library is not installed.
    """
    found, broken = _searched(folders)
    if broken and broken[0].error is not None:
        raise broken[0].error
    return {name: one.tool for name, one in sorted(found.items()) if one.tool is not None}


@dataclass(frozen=True, slots=True)
class FoundTool:
    """A tool, or what stands in its way: `tool` and `signature`, or `error`. A file that cannot be run has its own name."""

    name: str
    file: Path
    tool: BaseTool | None = None
    signature: ToolSignature | None = None
    error: RouterError | None = None


def find_tools(folders: Sequence[Path] | None = None) -> tuple[FoundTool, ...]:
    """What `load_tools` loads, and instead of its errors the tools and files that are broken, in the order of the names.

    Raises `MissingExtra` only when LangChain is not installed.
    """
    found, broken = _searched(folders)
    return tuple(sorted([*found.values(), *broken], key=lambda one: (one.name, str(one.file))))


def _searched(folders: Sequence[Path] | None) -> tuple[dict[str, FoundTool], list[FoundTool]]:
    """The tools by name, those of the folder that wins, and what is broken, in the order in which it was met."""
    _need_langchain()
    found: dict[str, FoundTool] = {}
    broken: list[FoundTool] = []
    for folder in reversed(asset_folders("tools") if folders is None else tuple(folders)):
        good, bad = _found_in(Path(folder))
        found.update(good)
        for one in bad:  # a broken tool stands for no other one: nothing takes its place unseen
            found.pop(one.name, None)
        broken += bad
    return found, broken


def _found_in(folder: Path) -> tuple[dict[str, FoundTool], list[FoundTool]]:
    """The good tools of one folder by name, and the broken ones, among them all that share a name."""
    good: dict[str, FoundTool] = {}
    bad: list[FoundTool] = []
    for file in sorted(folder.glob("*.py")):
        for one in () if file.name.startswith("_") else find_tools_in(file):
            if one.tool is None:
                bad.append(one)
            elif one.name in good:
                both = f"{good[one.name].file} and {file} both define the tool {one.name!r}"
                bad.append(FoundTool(one.name, file, error=InvalidTool(both, fix="rename one of them")))
            else:
                good[one.name] = one
    broken_names = {one.name for one in bad}
    return {name: one for name, one in good.items() if name not in broken_names}, bad


def find_tools_in(file: Path) -> tuple[FoundTool, ...]:
    """The tools of one file, or what is wrong with them; nothing for a file that imports nothing of LangChain."""
    try:
        if not _is_tool_file(file):
            return ()
        tools = _defined_in(file)
    except (InvalidTool, MissingExtra) as error:
        return (FoundTool(file.stem, file, error=error),)
    found = []
    for tool in tools:
        try:
            found.append(FoundTool(tool.name, file, tool, signature_of(tool)))
        except InvalidTool as error:
            found.append(FoundTool(tool.name, file, error=InvalidTool(f"{file}: {error.problem}", fix=error.fix)))
    return tuple(found)


def signature_of(tool: BaseTool) -> ToolSignature:
    """The declared types: `tool.metadata` holds `inputs` (argument to kind) and `output` (kind), and, where they differ from
    the defaults of `ToolSignature`, `dangerous`, `untrusted`, `cost_s` and `timeout_s`.

    Raises `InvalidTool` when they are missing or do not name the tool's own arguments.
    """
    metadata = tool.metadata or {}
    inputs, output = metadata.get("inputs"), metadata.get("output")
    fix = 'set tool.metadata = {"inputs": {argument: kind, ...}, "output": kind}'
    if not isinstance(inputs, Mapping) or not isinstance(output, str) or not output:
        raise InvalidTool(f"the tool {tool.name!r} does not say what it takes and gives", fix=fix)
    try:
        schema = _schema(tool)
        arguments, required = set(schema.get("properties", ())), schema.get("required", ())
    except Exception as error:  # pydantic and LangChain raise whatever they meet in a schema that somebody else wrote
        problem = f"the tool {tool.name!r} has arguments whose schema cannot be read: {type(error).__name__}"
        raise InvalidTool(problem, fix="describe the arguments with a pydantic model or plain types") from error
    if set(inputs) != arguments or not all(isinstance(kind, str) and kind for kind in inputs.values()):
        raise InvalidTool(f"the tool {tool.name!r} takes {sorted(arguments)} but declares {sorted(inputs)}", fix=fix)
    for key in set(metadata) - {"inputs", "output", *_RIGHTS}:  # others are LangChain's or the author's own
        close = get_close_matches(str(key).lower(), ("inputs", "output", *_RIGHTS), n=1, cutoff=0.8)
        if close:
            raise InvalidTool(f"the tool {tool.name!r} has the metadata {key!r}", fix=f"did you mean {close[0]!r}?")
    more = {name: metadata[name] for name in _RIGHTS if name in metadata}
    for name, value in more.items():
        kind = bool if name in ("dangerous", "untrusted") else (int, float)
        if not isinstance(value, kind) or (kind is not bool and (isinstance(value, bool) or not _is_time(name, value))):
            wanted = "true or false" if kind is bool else "seconds"
            raise InvalidTool(f"the tool {tool.name!r} has the {name} {value!r}", fix=f"give {wanted}")
    optional = frozenset(inputs) - set(required)
    return ToolSignature(name=tool.name, inputs=dict(inputs), output=output, optional=optional, **more)


def _is_time(name: str, value: float) -> bool:
    """Whether a tool may have it: a cost may be nothing, a time to answer in may not."""
    return (0 if name == "cost_s" else 1e-9) <= value < float("inf")


def _schema(tool: BaseTool) -> Mapping[str, Any]:
    """The JSON Schema of the arguments, as models see it."""
    from langchain_core.utils.function_calling import convert_to_openai_tool

    schema: Mapping[str, Any] = convert_to_openai_tool(tool)["function"].get("parameters", {})
    return schema


def _need_langchain() -> None:
    try:
        import langchain_core.tools  # noqa: F401  (only whether it is there)
    except ModuleNotFoundError as error:
        raise MissingExtra.of("langchain-core", extra="tools") from error


def _is_tool_file(file: Path) -> bool:
    try:
        return _IMPORTS_LANGCHAIN.search(file.read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidTool(f"cannot read the tool file {file}: {error}", fix="save it as UTF-8, or remove it") from error


def _defined_in(file: Path) -> tuple[BaseTool, ...]:
    from langchain_core.tools import BaseTool

    module = _module(file, file.stat().st_mtime_ns)
    tools = tuple({id(value): value for value in vars(module).values() if isinstance(value, BaseTool)}.values())
    if not tools:
        raise InvalidTool(f"{file} defines no tool", fix="decorate a function with @tool, or start its name with _")
    return tools


@lru_cache(maxsize=256)
def _module(file: Path, changed_ns: int) -> ModuleType:
    """Run the file once for each state of it, under a name that nothing else imports."""
    name = f"_qwen_router_tool_{file.stem}_{sha256(str(file).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise InvalidTool(f"{file} cannot be imported", fix="give it a name that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pydantic look their module up while it runs
    try:
        with redirect_stdout(sys.stderr):  # what a file prints while it is loaded is no command's output
            spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        del sys.modules[name]
        package = (error.name or "").partition(".")[0]
        if package == "qwen_router":
            raise InvalidTool(f"{file} needs {error.name!r}, which is not there", fix="update qwen-router") from error
        if package in _EXTRA_PACKAGES:
            raise MissingExtra.of(package, extra="tools") from error
        raise InvalidTool(f"{file} needs the package {package!r}", fix=f"pip install {package}") from error
    except (Exception, SystemExit) as error:  # a tool file may raise anything; its author gets the place
        del sys.modules[name]
        raise InvalidTool(
            f"{file} failed: {type(error).__name__}: {error}{_line(error, file)}", fix="correct or remove it"
        ) from error
    return module


def _line(error: BaseException, file: Path) -> str:
    """` (line 12)`: the last line of the file that the error went through."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {line})" if line else ""
