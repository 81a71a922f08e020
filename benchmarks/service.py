"""What the routing service costs: time added to a request, and requests a second, against the same upstream asked directly.

Three processes: a dummy OpenAI-compatible upstream that answers at once (uvicorn, bare ASGI), the service in front of it,
and this one, which sends over raw asyncio connections so that the client is not what is measured. Direct and routed rounds
take turns in one run. Other proxies are not compared here.

    python benchmarks/service.py --out service.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

MODEL = "Qwen/Qwen3-0.6B"
QUESTION = "Summarise in two sentences why the sky is blue and sunsets are red."
ANSWER = "Air scatters short waves more than long ones, so the sky is blue; low sun passes more air, which leaves red."
PATH = "/v1/chat/completions"


@dataclass(frozen=True)
class Round:
    """One measured round. `overhead_header_ms` is the median of x-qwen-router-overhead-ms; `server_cpu_ms` the processor
    time that the asked process took for each request, which other load on the machine distorts less than the clock."""

    what: str
    streamed: bool
    connections: int
    requests: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    overhead_header_ms: float | None
    server_cpu_ms: float


# ── the upstream ────────────────────────────────────────────────────────────────────────────────────────────────────────


def upstream_bodies() -> tuple[bytes, bytes, bytes]:
    """(models, whole reply, streamed reply)."""
    head = {"id": "chatcmpl-0", "created": 0, "model": MODEL}
    usage = {"prompt_tokens": 20, "completion_tokens": 25, "total_tokens": 45}
    words = [word + " " for word in ANSWER.split()]
    deltas: list[dict[str, Any]] = [{"role": "assistant"}, *({"content": word} for word in words)]
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    chunks.append({**head, "choices": [], "usage": usage})
    streamed = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    message = {"role": "assistant", "content": ANSWER}
    whole = {**head, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}
    models = {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "dummy"}]}
    return json.dumps(models).encode(), json.dumps(whole).encode(), streamed


def run_upstream() -> None:
    """Serve the dummy on a free port and print its URL."""
    import uvicorn

    from qwen_router.service.run import listening_socket, url_of

    models, whole, streamed = upstream_bodies()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        more = scope["method"] == "POST"
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        known = scope["path"] in ("/v1/models", PATH)
        content, kind = b"{}", b"application/json"
        if scope["path"] == "/v1/models":
            content = models
        elif known:
            wants_stream = b'"stream":true' in body.replace(b" ", b"")
            content, kind = (streamed, b"text/event-stream") if wants_stream else (whole, kind)
        headers = [(b"content-type", kind), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200 if known else 404, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    listener = listening_socket("127.0.0.1", 0)
    print(url_of(listener), flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_keep_alive=300)
    uvicorn.Server(config).run(sockets=[listener])


def run_router(upstream: str) -> None:
    """Serve a router whose only engine is the dummy, and print its URL."""
    from qwen_router.engines.openai import OpenAIEngine
    from qwen_router.router import Router
    from qwen_router.service import serve

    serve(Router(engines=[OpenAIEngine(upstream)]), port=0, on_ready=lambda url: print(url, flush=True))


@dataclass(frozen=True)
class Server:
    """Another process of this script."""

    url: str
    pid: int

    def cpu_s(self) -> float:
        import psutil

        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def memory_mib(self) -> float:
        import psutil

        return float(psutil.Process(self.pid).memory_info().rss) / 1024**2


@contextmanager
def process(*arguments: str) -> Iterator[Server]:
    """This script in another role, once it has printed its URL."""
    command = [sys.executable, str(Path(__file__)), *arguments]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert started.stdout is not None
        url = started.stdout.readline().strip()
        if not url:
            raise SystemExit(f"{' '.join(arguments)} did not start")
        yield Server(url, started.pid)
    finally:
        started.terminate()
        started.wait(timeout=20)


# ── the client ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Connection:
    """One keep-alive HTTP/1.1 connection that sends the same request again and again."""

    def __init__(self, url: str, body: Mapping[str, Any]) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        raw = json.dumps(body).encode()
        lines = (
            f"POST {PATH} HTTP/1.1",
            f"host: {parts.netloc}",
            "content-type: application/json",
            f"content-length: {len(raw)}",
        )
        self._request = "\r\n".join((*lines, "", "")).encode() + raw

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(*self._address)

    async def ask(self) -> tuple[float, float | None]:
        """(seconds until the whole reply was read, the service's own overhead in ms)."""
        started = time.perf_counter()
        self._writer.write(self._request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise SystemExit(f"the reply was {head[:100]!r}")
        if b"transfer-encoding: chunked" in head:
            size = 1
            while size:
                size = int(await self._reader.readuntil(b"\r\n"), 16)
                await self._reader.readexactly(size + 2)
        else:
            await self._reader.readexactly(int(_header(head, b"content-length") or 0))
        overhead = _header(head, b"x-qwen-router-overhead-ms")
        return time.perf_counter() - started, None if overhead is None else float(overhead)

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


def _header(head: bytes, name: bytes) -> bytes | None:
    _, found, rest = head.partition(b"\r\n" + name + b": ")
    return rest.partition(b"\r\n")[0] if found else None


async def measure(what: str, server: Server, *, streamed: bool, connections: int, duration_s: float) -> Round:
    """Keep `connections` busy for `duration_s`, after ten unmeasured requests on each."""
    url = server.url
    model = "auto" if what == "routed" else MODEL
    body = {"model": model, "stream": streamed, "messages": [{"role": "user", "content": QUESTION}]}
    opened = [Connection(url, body) for _ in range(connections)]
    await asyncio.gather(*(connection.open() for connection in opened))
    await asyncio.gather(*(_warm(connection) for connection in opened))
    took: list[tuple[float, float | None]] = []
    cpu_s = server.cpu_s()
    started = time.perf_counter()

    async def busy(connection: Connection) -> None:
        while time.perf_counter() - started < duration_s:
            took.append(await connection.ask())

    await asyncio.gather(*(busy(connection) for connection in opened))
    elapsed_s = time.perf_counter() - started
    cpu_s = server.cpu_s() - cpu_s
    await asyncio.gather(*(connection.close() for connection in opened))
    seconds = sorted(each for each, _ in took)
    own = [overhead for _, overhead in took if overhead is not None]
    return Round(
        what=what,
        streamed=streamed,
        connections=connections,
        requests=len(took),
        requests_per_s=round(len(took) / elapsed_s, 1),
        p50_ms=round(statistics.median(seconds) * 1000, 3),
        p99_ms=round(seconds[int(len(seconds) * 0.99)] * 1000, 3),
        overhead_header_ms=round(statistics.median(own), 3) if own else None,
        server_cpu_ms=round(cpu_s / len(took) * 1000, 3),
    )


async def _warm(connection: Connection) -> None:
    for _ in range(10):
        await connection.ask()


# ── the run ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def summary(rounds: list[Round]) -> dict[str, Any]:
    """The best round of each kind: what else runs on the machine only ever slows it."""
    result: dict[str, Any] = {}
    for streamed in (False, True):
        fast: dict[str, float] = {}
        many: dict[str, float] = {}
        cpu: dict[str, float] = {}
        for what in ("direct", "routed", "named"):
            alike = [r for r in rounds if (r.what, r.streamed) == (what, streamed)]
            fast[what] = min(r.p50_ms for r in alike if r.connections == 1)
            many[what] = max(r.requests_per_s for r in alike if r.connections > 1)
            cpu[what] = min(r.server_cpu_ms for r in alike)
        own = [r.overhead_header_ms for r in rounds if (r.what, r.streamed, r.connections) == ("routed", streamed, 1)]
        result["streamed" if streamed else "whole"] = {
            "p50_ms": fast,
            "added_p50_ms": {what: round(fast[what] - fast["direct"], 3) for what in ("routed", "named")},
            "overhead_header_p50_ms": min(value for value in own if value is not None),
            "requests_per_s": many,
            "share_of_direct": {what: round(many[what] / many["direct"], 4) for what in ("routed", "named")},
            "server_cpu_ms": cpu,
        }
    return result


def run(*, duration_s: float, connections: int, repeats: int) -> dict[str, Any]:
    rounds: list[Round] = []
    with process("--role", "upstream") as upstream, process("--role", "router", "--upstream", upstream.url) as router:
        for _ in range(repeats):
            for count in (1, connections):
                for streamed in (False, True):
                    for what, server in (("direct", upstream), ("routed", router), ("named", router)):
                        one = measure(what, server, streamed=streamed, connections=count, duration_s=duration_s)
                        rounds.append(asyncio.run(one))
                        print(rounds[-1], file=sys.stderr)
        memory_mib = router.memory_mib()
    packages = ("starlette", "uvicorn", "orjson", "httpx")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "processor": _processor(),
            "load": os.getloadavg(),
        },
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "summary": summary(rounds),
        "service_memory_mib": round(memory_mib, 1),
        "rounds": [asdict(r) for r in rounds],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--role", choices=("bench", "upstream", "router"), default="bench", help=argparse.SUPPRESS)
    parser.add_argument("--upstream", default="", help=argparse.SUPPRESS)
    parser.add_argument("--duration", type=float, default=3.0, help="seconds a round")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write the figures as JSON there")
    options = parser.parse_args()
    if options.role == "upstream":
        run_upstream()
    elif options.role == "router":
        run_router(options.upstream)
    else:
        figures = run(duration_s=options.duration, connections=options.connections, repeats=options.repeats)
        text = json.dumps(figures, indent=2)
        if options.out:
            options.out.write_text(text + "\n", encoding="utf-8")
        print(json.dumps({key: figures[key] for key in ("summary", "service_memory_mib")}, indent=2))


if __name__ == "__main__":
    main()
