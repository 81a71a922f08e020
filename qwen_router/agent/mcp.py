"""Tools of MCP servers as LangChain tools with kinds and rights, so that they join what `load_tools` found.

The servers run, or are reached, while the context is open; each has one session in one background loop, so that the tools
can be called from threads and from tasks. A server that is down, hangs, answers nonsense or lists too much is a named
problem, and the others work. What they write, descriptions included, is untrusted; a tool counts as dangerous unless its
server says that it only reads. Prompts, resources, sampling and elicitation are not used.

    python -c "from qwen_router.agent.mcp import mcp_tools; print(list(mcp_tools('mcp.json').__enter__().tools))"
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import logging
import re
import threading
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwen_router.agent.mcp_config import ServerConfig, load, our_environment
from qwen_router.agent.tool_result import beginning
from qwen_router.errors import EngineNonsense, EngineTimeout, EngineUnreachable, InvalidTool, MissingExtra, RouterError

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

CONNECT_S = 20.0
"""To start a server, shake hands and list its tools."""
CALL_S = 60.0
MAX_TOOLS = 200
_NAMES_OF_LANGCHAIN = frozenset({"self", "config", "run_manager", "runtime", "callbacks"})
MAX_DESCRIPTION_CHARS = 1000
MAX_RESULT_CHARS = 200_000
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class McpTools:
    """`tools` by name, ready to be called while the context is open; `problems` by server, or `server: tool`."""

    tools: Mapping[str, BaseTool]
    problems: Mapping[str, RouterError]


@contextmanager
def mcp_tools(
    config: str | Path | Mapping[str, ServerConfig],
    *,
    taken: Collection[str] = (),
    connect_s: float = CONNECT_S,
    call_s: float = CALL_S,
) -> Iterator[McpTools]:
    """The tools of every server of a configuration (a file, or what `mcp_config.load` gave).

    A name that is in `taken`, or that two servers use, gets its server's name in front. Raises `InvalidRequest` for a wrong
    file and `MissingExtra`; everything that a server does wrong is in `problems`.
    """
    servers = dict(config) if isinstance(config, Mapping) else load(config)
    try:
        import langchain_mcp_adapters.tools  # noqa: F401  (only whether it is there)
    except ModuleNotFoundError as error:
        raise MissingExtra.of("langchain-mcp-adapters", extra="agent") from error
    for name in ("mcp.client.stdio", "mcp.client.streamable_http"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # they log tracebacks; what matters comes back as a problem
    room = _Sessions(connect_s, call_s)
    try:
        yield _gathered(room.open(servers), room, frozenset(taken), call_s)
    finally:
        room.close()


# ── one loop, one task a server ─────────────────────────────────────────────────────────────────────────────────────────


class _Sessions:
    """A thread with a loop in which every session lives; calls come in from anywhere."""

    def __init__(self, connect_s: float, call_s: float) -> None:
        self.connect_s, self.call_s = connect_s, call_s
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda loop, context: None)  # a dying server's leftovers; the calls report it
        self.thread = threading.Thread(target=self.loop.run_forever, name="qwen-router-mcp", daemon=True)
        self.thread.start()
        self.stop = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    def open(self, servers: Mapping[str, ServerConfig]) -> dict[str, Any]:
        """By server: its (session, tools), or the error that it made. All connect at the same time."""
        found: dict[str, Any] = {}

        async def all_of_them() -> None:
            await asyncio.gather(*(self._opened(name, server, found) for name, server in servers.items()))

        asyncio.run_coroutine_threadsafe(all_of_them(), self.loop).result()
        return {name: found[name] for name in servers}

    async def _opened(self, name: str, server: ServerConfig, found: dict[str, Any]) -> None:
        ready: asyncio.Future[Any] = self.loop.create_future()
        task = self.loop.create_task(self._session(server, ready))
        self.tasks.append(task)
        try:
            found[name] = await asyncio.wait_for(asyncio.shield(ready), self.connect_s)
        except TimeoutError:
            task.cancel()
            problem = f"the MCP server {name!r} did not answer within {self.connect_s:g} s"
            found[name] = EngineTimeout(problem, fix="start it by hand and see", engine="mcp", endpoint=name)
        except RouterError as error:
            found[name] = error
        except Exception as error:
            problem = f"the MCP server {name!r} does not work: {_reason(error)}"
            found[name] = EngineUnreachable(problem, fix="start it by hand and see", engine="mcp", endpoint=name)

    async def _session(self, server: ServerConfig, ready: asyncio.Future[Any]) -> None:
        """Holds one session open until the end, in one task as its cancel scopes want it."""
        from langchain_mcp_adapters.sessions import create_session

        try:
            connection: Any = server.connection(our_environment())
            async with create_session(connection) as session:
                await session.initialize()
                ready.set_result((session, await _listed(session, server)))
                await self.stop.wait()
        except BaseException as error:
            if not ready.done():
                cancelled = isinstance(error, asyncio.CancelledError)
                ready.set_exception(ConnectionError("it was given up") if cancelled else _leaf(error))
                ready.exception()  # seen, even where nobody waits any more

    def run(self, make: Callable[[], Awaitable[Any]]) -> concurrent.futures.Future[Any]:
        async def limited() -> Any:
            return await asyncio.wait_for(make(), self.call_s)

        return asyncio.run_coroutine_threadsafe(limited(), self.loop)

    def close(self) -> None:
        """End the sessions, and with them the servers that we started."""

        async def end() -> None:
            self.stop.set()
            _, late = await asyncio.wait(self.tasks, timeout=8) if self.tasks else (set(), set())
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
            await self.loop.shutdown_asyncgens()

        with suppress(TimeoutError):  # what does not end then ends with this process
            asyncio.run_coroutine_threadsafe(end(), self.loop).result(timeout=20)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(timeout=5)
        self.loop.close()


async def _listed(session: Any, server: ServerConfig) -> list[Any]:
    """The tools wanted of one server. Raises `EngineNonsense` where it lists too many to be meant."""
    found: list[Any] = []
    cursor = None
    seen = 0
    while True:
        page = await session.list_tools(cursor=cursor)
        seen += len(page.tools)
        found += [tool for tool in page.tools if not server.tools or tool.name in server.tools]
        if len(found) > MAX_TOOLS or seen > 50 * MAX_TOOLS:
            fix = 'name those that you want: "tools": ["..."] beside its command'
            raise EngineNonsense(f"it lists more than {MAX_TOOLS} tools", fix=fix, engine="mcp")
        cursor = page.nextCursor
        if not cursor:
            return found


def _leaf(error: BaseException) -> Exception:
    """The first error inside the groups that task groups make."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, Exception) else ConnectionError(type(error).__name__)


def _reason(error: BaseException) -> str:
    text = " ".join(_UNSEEN.sub(" ", str(_leaf(error))).split())[:200]
    return text or type(error).__name__


# ── from MCP's tools to ours ────────────────────────────────────────────────────────────────────────────────────────────


def _gathered(opened: Mapping[str, Any], room: _Sessions, taken: frozenset[str], call_s: float) -> McpTools:
    tools: dict[str, BaseTool] = {}
    problems: dict[str, RouterError] = {}
    offered: list[tuple[str, Any, Any]] = []
    for server, result in opened.items():
        if isinstance(result, RouterError):
            problems[server] = result
        else:
            offered += [(server, result[0], tool) for tool in result[1]]
    plain = [_safe(tool.name) for _, _, tool in offered]
    for (server, session, tool), name in zip(offered, plain, strict=True):
        if name in taken or plain.count(name) > 1:
            name = _safe(f"{server}_{name}")
        if name in tools or name in taken or not name:
            fix = "rename the server, or name the tools that you want"
            problems[f"{server}: {tool.name[:60]}"] = EngineNonsense(f"a second tool {name!r}", fix=fix, engine="mcp")
            continue
        try:
            tools[name] = _tool(name, server, session, tool, room, call_s)
        except RouterError as error:
            problems[f"{server}: {tool.name[:60]}"] = error
    return McpTools(tools=dict(sorted(tools.items())), problems=problems)


def _safe(name: str) -> str:
    """A name that every model's API takes: letters, digits, _ and -, at most 64."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:64]


def _tool(name: str, server: str, session: Any, offered: Any, room: _Sessions, call_s: float) -> BaseTool:
    """One tool that checks its arguments, runs in the session's loop and gives text, or a number where it says so."""
    from jsonschema import Draft202012Validator
    from langchain_core.tools import StructuredTool, ToolException
    from langchain_mcp_adapters.tools import convert_mcp_tool_to_langchain_tool
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    from qwen_router.tooling import signature_of

    schema = _checked(offered.inputSchema, server)
    properties = schema["properties"]
    validator = Draft202012Validator(schema, registry=Registry())  # an empty one: nothing is ever fetched
    inner = convert_mcp_tool_to_langchain_tool(session, offered, server_name=server)
    output, unwrap = _output(offered.outputSchema)

    def started(arguments: dict[str, Any]) -> concurrent.futures.Future[Any]:
        try:
            wrong = next(validator.iter_errors(arguments), None)
        except Unresolvable as error:
            raise ToolException(f"{name}: its schema refers to {error.ref[:80]!r}, which is not there") from None
        if wrong is not None:
            where = ".".join(map(str, wrong.absolute_path)) or "arguments"
            raise ToolException(f"{name}: {where}: {wrong.message[:200]}")
        coroutine: Any = inner.coroutine  # type: ignore[attr-defined]
        return room.run(lambda: coroutine(**arguments))

    def given(future: concurrent.futures.Future[Any]) -> Any:
        try:
            content, artifact = future.result()
        except ToolException as error:
            raise ToolException(f"{name}: {_UNSEEN.sub('', str(error))[:2000]}") from None
        except (TimeoutError, concurrent.futures.CancelledError):
            raise ToolException(f"{name} did not answer within {call_s:g} s: try with less, or another tool") from None
        except Exception as error:
            raise ToolException(f"{name} failed: {_reason(error) or 'the server is gone'}") from None
        return _result(content, artifact, unwrap)

    def sync(**arguments: Any) -> Any:
        future = started(arguments)
        concurrent.futures.wait([future])
        return given(future)

    async def asynchronous(**arguments: Any) -> Any:
        future = started(arguments)
        await asyncio.wait([asyncio.wrap_future(future)])
        return given(future)

    description = _UNSEEN.sub("", offered.description or offered.title or f"{offered.name} of {server}")
    made = StructuredTool(
        name=name, description=description[:MAX_DESCRIPTION_CHARS], args_schema=schema, func=sync, coroutine=asynchronous
    )
    made.handle_tool_error = True
    hints = offered.annotations
    reads_only = hints is not None and hints.readOnlyHint is True and hints.destructiveHint is not True
    made.metadata = {
        "inputs": {argument: _kind(value) for argument, value in properties.items()},
        "output": output,
        "dangerous": not reads_only,
        "untrusted": True,
        "cost_s": 1.0,
        "timeout_s": call_s,
        "server": server,
    }
    try:
        signature_of(made)
    except InvalidTool as error:
        raise EngineNonsense(error.problem, fix="tell the server's author", engine="mcp", endpoint=server) from error
    return made


def _checked(given: Mapping[str, Any], server: str) -> dict[str, Any]:
    """The schema of a tool's arguments, with its properties. Raises `EngineNonsense` for one that cannot be used."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    schema = {**given, "type": "object"}
    properties = schema.setdefault("properties", {})
    try:
        Draft202012Validator.check_schema(schema)
        if not isinstance(properties, dict) or not all(isinstance(value, dict) for value in properties.values()):
            raise SchemaError("properties are no schemas")
        if _refers_elsewhere(schema):
            raise SchemaError("it refers to a schema outside itself, which is not fetched")
        if taken := sorted(set(properties) & _NAMES_OF_LANGCHAIN):
            raise SchemaError(f"an argument is called {taken[0]!r}, a name that LangChain keeps for itself")
    except (SchemaError, RecursionError) as error:
        why = f"the schema of its arguments is wrong: {str(error).splitlines()[0][:120]}"
        raise EngineNonsense(why, fix="tell the server's author", engine="mcp", endpoint=server) from error
    return schema


def _refers_elsewhere(schema: Any) -> bool:
    """Whether a reference in it leads out of it."""
    todo = [schema]
    while todo:
        part = todo.pop()
        if isinstance(part, Mapping):
            refs = (part.get(key) for key in ("$ref", "$dynamicRef", "$recursiveRef"))
            if any(isinstance(ref, str) and not ref.startswith("#") for ref in refs):
                return True
            todo.extend(part.values())
        elif isinstance(part, list):
            todo.extend(part)
    return False


def _kind(schema: Mapping[str, Any]) -> str:
    """The kind of a value that a JSON schema describes."""
    for union in ("anyOf", "oneOf"):
        branches = [branch for branch in schema.get(union, ()) if isinstance(branch, dict) and branch.get("type") != "null"]
        if len(branches) == 1:
            return _kind(branches[0])
    if "enum" in schema or "const" in schema or schema.get("type") == "boolean":
        return "choice"
    types = schema.get("type")
    types = [kind for kind in types if kind != "null"] if isinstance(types, list) else [types]
    if types == ["string"]:
        return {"uri": "url", "date": "date", "date-time": "date"}.get(str(schema.get("format")), "text")
    return "number" if types and set(types) <= {"number", "integer"} else "json"


def _output(schema: Mapping[str, Any] | None) -> tuple[str, bool]:
    """The kind of the result, and whether it is the one value in `result` (as FastMCP wraps what is no object)."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return ("text", False) if schema is None else ("json", False)
    if set(properties) == {"result"} and isinstance(properties["result"], dict):
        return _kind(properties["result"]).replace("choice", "text"), True
    return "json", False


def _result(content: Any, artifact: Any, unwrap: bool) -> Any:
    structured = artifact.get("structured_content") if isinstance(artifact, dict) else None
    if unwrap and isinstance(structured, dict) and "result" in structured:
        value = structured["result"]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        if not isinstance(value, str):
            return beginning(json.dumps(value, ensure_ascii=False), MAX_RESULT_CHARS)
        return beginning(value, MAX_RESULT_CHARS)
    if structured is not None:
        return beginning(json.dumps(structured, ensure_ascii=False), MAX_RESULT_CHARS)
    blocks = content if isinstance(content, list) else [content]
    return beginning("\n".join(_block(block) for block in blocks), MAX_RESULT_CHARS)


def _block(block: Any) -> str:
    if isinstance(block, str):
        return block
    if isinstance(block, dict) and block.get("type") == "text":
        return str(block.get("text", ""))
    kind = f"{block.get('type', 'part')} {block.get('mime_type', '')}".strip() if isinstance(block, dict) else "part"
    return f"[{kind}, not shown]"
