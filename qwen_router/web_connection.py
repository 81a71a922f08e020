"""A connection to one address that was checked, under one deadline: httpcore's network backend for `web.py`.

httpcore asks for the host by name, for TLS and Host as well; the socket goes to the pinned address and nowhere else.
Every read, write and handshake ends at the deadline, so a server that sends a byte now and then gains nothing.

    python -c "from qwen_router.web_connection import trusted; print(trusted().verify_mode)"
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from functools import cache
from typing import Any

import httpcore


@cache
def trusted() -> ssl.SSLContext:
    """The certificates that httpx trusts, whatever the environment says."""
    import httpx

    return httpx.create_ssl_context(trust_env=False)


class _Deadline:
    """Seconds that a step may take: `step_s`, or what is left until `end`."""

    def __init__(self, end: float, step_s: float) -> None:
        self.end, self.step_s = end, step_s

    def left(self, error: type[Exception]) -> float:
        left = min(self.step_s, self.end - time.monotonic())
        if left <= 0:
            raise error("the time for the page is over")
        return left


class _TimedStream(httpcore.NetworkStream):
    """A stream whose every step ends at the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(httpcore.ConnectTimeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to `address` when asked for `host`, and to nothing else."""

    def __init__(self, host: str, address: str, end: float, step_s: float) -> None:
        self._host, self._address = host, address
        self._deadline = _Deadline(end, step_s)
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        if host != self._host:
            raise httpcore.ConnectError(f"a connection to {host!r} was not asked for")
        left = self._deadline.left(httpcore.ConnectTimeout)
        return _TimedStream(self._backend.connect_tcp(self._address, port, timeout=left), self._deadline)
