"""Reads which MCP servers there are: the usual `{"mcpServers": {...}}` JSON, from a file that somebody named.

A server is a program (`command`, `args`, `env`, `cwd`) or an address (`url`, `headers`). `${NAME}` in `env` and `headers` is
that variable of our environment; nothing else of it reaches a server but what the MCP library always passes on (PATH, HOME
and the like). Unknown keys of other programs' files are ignored. No file is looked for by itself.

    python -c "from qwen_router.agent.mcp_config import load; print(load('mcp.json'))"
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qwen_router.errors import InvalidRequest

_VARIABLE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)\}")


class ServerConfig(BaseModel):
    """One server. `tools` names those that are wanted (all when it is empty)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str | None = None
    command: str | None = None
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict, repr=False)
    cwd: str | None = None
    url: str | None = None
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    tools: tuple[str, ...] = ()
    disabled: bool = False

    def connection(self, environment: Mapping[str, str]) -> dict[str, Any]:
        """What langchain-mcp-adapters connects with. Raises `InvalidRequest` for a variable that is not set."""
        if self.command is not None:
            env = {name: _filled(value, environment) for name, value in self.env.items()}
            return {"transport": "stdio", "command": self.command, "args": list(self.args), "env": env, "cwd": self.cwd}
        headers = {name: _filled(value, environment) for name, value in self.headers.items()}
        return {"transport": "http", "url": self.url, "headers": headers}


def load(file: str | Path) -> dict[str, ServerConfig]:
    """The servers of a file by name, without those that are disabled. Raises `InvalidRequest`, naming file and server."""
    path = Path(file).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise InvalidRequest(f"the MCP file {str(path)!r} cannot be read: {why}", fix="correct the path") from error
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the MCP file {str(path)!r} is no JSON: {error}", fix="correct it") from error
    return servers_in(raw, where=str(path))


def servers_in(raw: Any, *, where: str = "the MCP configuration") -> dict[str, ServerConfig]:
    """The servers of what such a file holds."""
    listed = raw.get("mcpServers") if isinstance(raw, dict) else None
    if not isinstance(listed, dict) or not listed:
        fix = 'write {"mcpServers": {"files": {"command": "...", "args": ["..."]}}}'
        raise InvalidRequest(f"{where} names no server under 'mcpServers'", fix=fix)
    found = {str(name): _server(str(name), value, where) for name, value in listed.items()}
    return {name: server for name, server in found.items() if not server.disabled}


def _server(name: str, value: Any, where: str) -> ServerConfig:
    try:
        server = ServerConfig.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the entry"
        raise InvalidRequest(f"{where}: server {name!r}: {key}: {first['msg']}", fix="correct it") from error
    if (server.command is None) == (server.url is None):
        raise InvalidRequest(f"{where}: server {name!r} needs either a command or a url", fix="give one of them")
    if server.url is not None:
        parts = urlsplit(server.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidRequest(f"{where}: server {name!r} has the url {server.url!r}", fix="write http://host/mcp")
    if server.type not in (None, "stdio", "http", "streamable-http", "streamable_http", "streamableHttp"):
        raise InvalidRequest(f"{where}: server {name!r} has the type {server.type!r}", fix="stdio and http are spoken here")
    return server


def _filled(text: str, environment: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in environment:
            raise InvalidRequest(f"the variable {match[1]} is not set", fix=f"set {match[1]}, or write its value")
        return environment[match[1]]

    return _VARIABLE.sub(value, text)


def our_environment() -> Mapping[str, str]:
    return os.environ
