"""A small HTTP server in a thread whose answers are functions: the ground under the protocol servers.

An `Answer` is a status, headers and pieces of a body; a piece may be bytes, a number of seconds to wait, or `RESET`.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RESET = object()
"""In a body: cut the connection."""


@dataclass(frozen=True)
class Asked:
    """What a client sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Answer:
    """`status` 0: none, the connection is cut."""

    status: int = 200
    body: Iterable[Any] = ()
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_json(cls, value: Any, *, status: int = 200) -> Answer:
        return cls(status=status, body=(json.dumps(value).encode(),))


def _write(out: Any, body: Iterable[Any], *, whole: bool) -> bool:
    """In chunks, or as it is where its length was announced; False when the connection is to be cut."""
    for piece in body:
        if piece is RESET:
            return False
        if isinstance(piece, int | float):
            time.sleep(piece)
            continue
        out.write(piece if whole or not piece else b"%x\r\n%s\r\n" % (len(piece), piece))
        out.flush()
    out.write(b"" if whole else b"0\r\n\r\n")
    return True


class LoopbackServer:
    """Listens while it is entered; `asked` lists every request, `left_early` is set when a client goes away in mid-answer.

    `faults` are breaches of the protocol that the answering function found on either side: leaving fails when there are any.
    """

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.faults: list[str] = []
        self.left_early = threading.Event()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"outer": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def bodies(self) -> list[Any]:
        """Bodies of the POST requests, in order."""
        return [asked.body for asked in self.asked if asked.method == "POST"]

    def __enter__(self) -> LoopbackServer:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)
        assert kind is not None or not self.faults, self.faults


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    outer: LoopbackServer

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def handle_any(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        raw = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, json.loads(raw) if raw else None)
        self.outer.asked.append(asked)
        self.send(self.outer.answer(asked))

    def send(self, reply: Answer) -> None:
        if not reply.status:
            return self.cut()
        try:
            self.send_response(reply.status)
            for name, value in {"content-type": reply.content_type, **reply.headers}.items():
                self.send_header(name, value)
            whole = "content-length" in reply.headers
            if not whole:
                self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            if not _write(self.wfile, reply.body, whole=whole):
                self.cut()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
            self.outer.left_early.set()

    def cut(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    do_GET = do_POST = handle_any

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            """The connection was cut."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # callers come all at once; five would see some of them cut

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Quiet about clients that cut their connection."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)
