"""MCP servers that are wrong, by hand and without the library. Argument: what is wrong."""

from __future__ import annotations

import json
import sys
import time

how = sys.argv[1]


def say(identity: object, result: object) -> None:
    print(json.dumps({"jsonrpc": "2.0", "id": identity, "result": result}), flush=True)


if how == "exits":
    sys.exit(2)
if how == "hangs":
    time.sleep(60)
if how == "garbage":
    for _ in range(100):
        print("<html>not json</html>", flush=True)
    time.sleep(60)

for line in sys.stdin:
    message = json.loads(line)
    method, identity = message.get("method"), message.get("id")
    if method == "initialize":
        version = message["params"]["protocolVersion"] if how != "version" else "1900-01-01"
        about = {"name": how, "version": "1"}
        say(identity, {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about})
    elif method == "tools/list":
        one = {"name": "tool", "description": "one", "inputSchema": {"type": "object"}}
        if how == "many":
            say(identity, {"tools": [{**one, "name": f"tool_{index}"} for index in range(10_000)]})
        elif how == "endless":
            say(identity, {"tools": [one], "nextCursor": "more"})
        elif how == "listing":
            say(identity, {"tools": "none"})
        elif how == "schema":
            wrong = {**one, "name": "wrong", "inputSchema": {"type": "object", "properties": {"a": {"type": "nonsense"}}}}
            say(identity, {"tools": [one, wrong, {**one, "name": "odd", "inputSchema": {"properties": {"a": 3}}}]})
        elif how == "refers":
            far = {"$dynamicRef": "http://127.0.0.1:9/secret"}
            gone = {"$ref": "#/$defs/none"}
            named = {name: {"properties": {"a": far}} for name in ("far",)} | {"taken": {"properties": {"config": {}}}}
            tools = [{**one, "name": name, "inputSchema": {"type": "object", **inner}} for name, inner in named.items()]
            say(identity, {"tools": [one, *tools, {**one, "name": "gone", "inputSchema": {"properties": {"a": gone}}}]})
        else:
            say(identity, {"tools": [one, one]})
    elif identity is not None:
        say(identity, {"content": "no list"})
