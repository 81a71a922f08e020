"""Our tools offered to other programs as an MCP server, over standard input and output or HTTP on this computer.

Dangerous tools are left out unless they are allowed by name; read-only, destructive and open-world are told to the client
as the tools declare them. Whoever may speak to the server may call its tools: it listens on loopback only, and there
another user of this computer can reach it too.

    python -c "from qwen_router.agent.mcp_server import offered; print(sorted(offered()))"
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from qwen_router.agent.tool_result import ToolTimeout, beginning, within
from qwen_router.errors import MissingExtra, RouterError, UnknownName
from qwen_router.tool_context import ToolContext, current, using
from qwen_router.tooling import load_tools, signature_of

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool
    from mcp.server.lowlevel import Server


def offered(
    tools: Mapping[str, BaseTool] | None = None, *, only: Sequence[str] = (), allow: Sequence[str] = ()
) -> dict[str, BaseTool]:
    """The tools that a server shows: of `tools` (None: `load_tools()`) those of `only` (none: all), of dangerous ones
    those of `allow`. Raises `UnknownName` for a name that is none.
    """
    tools = load_tools() if tools is None else tools
    for name in (*only, *allow):
        if name not in tools:
            raise UnknownName.among(name, tools, kind="tool", listing="qwen-router tools list")
    wanted = {name: tool for name, tool in tools.items() if not only or name in only or name in allow}
    return {name: tool for name, tool in wanted.items() if name in allow or not signature_of(tool).dangerous}


def server_of(tools: Mapping[str, BaseTool], context: ToolContext | None = None) -> Server[Any, Any]:
    """An MCP server that lists and calls `tools`, each under `context` (None: what the environment says)."""
    try:
        from mcp import types
        from mcp.server.lowlevel import Server
    except ModuleNotFoundError as error:
        raise MissingExtra.of("mcp", extra="agent") from error
    server: Server[Any, Any] = Server("qwen-router")
    listed = [_described(tool) for tool in tools.values()]
    context = context or current()

    @server.list_tools()  # type: ignore[no-untyped-call,untyped-decorator]
    async def list_tools() -> list[types.Tool]:
        return listed

    @server.call_tool()  # type: ignore[untyped-decorator]
    async def call_tool(name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        text, failed = await _called(tools, name, arguments, context)
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)], isError=failed)

    return server


def _described(tool: BaseTool) -> Any:
    from langchain_core.utils.function_calling import convert_to_openai_tool
    from mcp import types

    function = convert_to_openai_tool(tool)["function"]
    signature = signature_of(tool)
    return types.Tool(
        name=tool.name,
        description=function["description"],
        inputSchema=function.get("parameters") or {"type": "object", "properties": {}},
        annotations=types.ToolAnnotations(
            readOnlyHint=not signature.dangerous and not (tool.metadata or {}).get("writes", False),
            destructiveHint=signature.dangerous,
            openWorldHint=signature.untrusted,
        ),
    )


async def _called(
    tools: Mapping[str, BaseTool], name: str, arguments: dict[str, Any], context: ToolContext
) -> tuple[str, bool]:
    """The text that the caller gets, and whether it is an error. No traceback leaves."""
    if name not in tools:
        return UnknownName.among(name, tools, kind="tool").problem, True
    tool = tools[name]
    call = {"type": "tool_call", "id": "mcp", "name": name, "args": arguments}
    timeout_s = signature_of(tool).timeout_s

    def run() -> Any:
        with using(context):
            return asyncio.run(tool.ainvoke(call)) if getattr(tool, "func", None) is None else tool.invoke(call)

    try:
        # a thread of its own, which is left behind where the tool hangs: the pool would run out of threads
        message = await asyncio.to_thread(within, timeout_s, run, name=name)
    except ToolTimeout:
        return f"{name} did not come to an end within {timeout_s:g} s", True
    except RouterError as error:
        return f"{error.problem} (try: {error.fix})", True
    except (Exception, SystemExit) as error:  # a tool may raise anything; the caller gets one line
        return f"{name} failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}", True
    text = message.text if hasattr(message, "text") else str(message)
    return beginning(text, context.output_chars), getattr(message, "status", "success") == "error"


def serve_stdio(tools: Mapping[str, BaseTool], context: ToolContext | None = None) -> None:
    """Serve whoever started this process, until its input ends.

    Standard output belongs to the protocol: what tools print goes to standard error, that of programs they start too.
    """
    import anyio
    from mcp.server.stdio import stdio_server

    server = server_of(tools, context)
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    sys.stdout.flush()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    async def run() -> None:
        wrapped = anyio.wrap_file(TextIOWrapper(output, encoding="utf-8"))
        async with stdio_server(stdout=wrapped) as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())

    anyio.run(run)


def http_app(server: Server[Any, Any], port: int) -> Any:
    """An ASGI app with the server at /mcp that answers only to this computer's own names (no DNS rebinding)."""
    from contextlib import asynccontextmanager

    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from mcp.server.transport_security import TransportSecuritySettings
    from starlette.applications import Starlette
    from starlette.routing import Route

    names = [f"{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]")]
    security = TransportSecuritySettings(allowed_hosts=names, allowed_origins=[f"http://{name}" for name in names])
    manager = StreamableHTTPSessionManager(server, security_settings=security)

    class Endpoint:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await manager.handle_request(scope, receive, send)

    @asynccontextmanager
    async def running(app: Starlette) -> Any:
        async with manager.run():
            yield

    return Starlette(routes=[Route("/mcp", endpoint=Endpoint())], lifespan=running)


def serve_http(tools: Mapping[str, BaseTool], *, port: int, context: ToolContext | None = None) -> None:
    """Serve http://127.0.0.1:PORT/mcp until interrupted. Raises `RouterError` when the port is taken."""
    import socket

    try:
        import uvicorn
    except ModuleNotFoundError as error:
        raise MissingExtra.of("uvicorn", extra="agent") from error
    app = http_app(server_of(tools, context), port)
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise RouterError(f"cannot listen on 127.0.0.1:{port}: {error.strerror}", fix="choose another --port") from error
    with listening:
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2)
        uvicorn.Server(config).run(sockets=[listening])
