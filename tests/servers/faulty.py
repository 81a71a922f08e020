"""What goes wrong with a server, as answers to a chat: before its first byte or in the middle of its text.

A fault takes the place of a protocol server's answer to a chat, questions about models are answered as ever; the shapes are
the same for every protocol, as they break below it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from tests.servers.loopback import RESET, Answer, Asked, LoopbackServer

CHATS = ("/v1/chat/completions", "/api/chat")
MIB = 1024 * 1024
HANG_S = 3.0
"""Longer than anybody waits here."""


def said(path: str, model: str, text: str) -> bytes:
    """One piece of text in the middle of a stream."""
    if path == "/api/chat":
        chunk: dict[str, Any] = {"model": model, "message": {"role": "assistant", "content": text}, "done": False}
        return json.dumps(chunk).encode() + b"\n"
    chunk = {"model": model, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _lead(path: str) -> bytes:
    """How a line of the protocol begins."""
    return b"" if path == "/api/chat" else b"data: "


def _long_line(path: str) -> Iterator[bytes]:
    yield _lead(path) + b'{"x": "'
    for _ in range(100):
        yield b"x" * MIB


ENDS: dict[str, Callable[[str], Iterable[Any]]] = {
    "hangs": lambda path: [HANG_S],
    "resets": lambda path: [0.1, RESET],
    "ends": lambda path: [],
    "half a character": lambda path: [_lead(path) + b'{"x": "\xe4\xbd"}\n\n'],
    "invalid JSON": lambda path: [_lead(path) + b'{"x": \n\n'],
    "a line of 100 MB": lambda path: _long_line(path),
}
"""Bodies that break; text may come before."""
NO_ANSWER: dict[str, float] = {"cuts at once": 0.0, "is silent": HANG_S}
"""Without a status line: seconds until the connection is cut."""
STATUSES: dict[str, Answer] = {
    "429": Answer.of_json({"error": {"message": "slow down"}}, status=429),
    "503": Answer.of_json({"error": {"message": "loading model"}}, status=503),
    "500": Answer.of_json({"error": {"message": "CUDA out of memory"}}, status=500),
    "wrong model": Answer.of_json({"error": {"message": "the model does not exist"}}, status=404),
}


def fault(kind: str, asked: Asked, *, after: str = "") -> Answer:
    """The answer of a server that fails with `kind`, once it has said `after`."""
    if kind in NO_ANSWER:
        time.sleep(NO_ANSWER[kind])
        return Answer(status=0)
    if kind in STATUSES:
        return STATUSES[kind]
    model = asked.body["model"]
    text = [said(asked.path, model, piece) for piece in after.split(" ") if piece]
    content_type = "application/x-ndjson" if asked.path == "/api/chat" else "text/event-stream"
    return Answer(body=chain(text, ENDS[kind](asked.path)), content_type=content_type)


def make_faulty(server: LoopbackServer, fault_of: Callable[[Asked], Answer | None]) -> LoopbackServer:
    """`server`, whose chats fail as `fault_of` says; None leaves one alone."""
    sound = server.answer

    def answer(asked: Asked) -> Answer:
        broken = fault_of(asked) if asked.path in CHATS else None
        return sound(asked) if broken is None else broken

    server.answer = answer
    return server
