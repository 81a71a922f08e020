"""Listening: one process, one event loop, uvicorn in front of the application.

Other addresses than loopback need a key. The router is warmed up before the first caller is let in.

    qwen-router serve --host 127.0.0.1 --port 8000
"""

from __future__ import annotations

import gc
import ipaddress
import socket
import sys
from collections.abc import Callable

from qwen_router.errors import InvalidRequest, RouterError
from qwen_router.router import Router
from qwen_router.service.app import create_app

BACKLOG = 2048
KEEP_ALIVE_S = 75
"""Longer than clients keep idle connections, so that a request never meets a connection being closed."""
LAST_WORDS_S = 5
"""How long replies may go on after the signal to stop."""


class CannotListen(RouterError):
    """The address is taken, not ours, or no address."""


def serve(
    router: Router,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    api_key: str | None = None,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM. Port 0 takes a free one; `on_ready` gets the URL (default: a line on stderr).

    Raises `InvalidRequest` for an address beyond this computer without a key, `CannotListen` when the port is taken.
    """
    import uvicorn

    check_exposure(host, api_key)
    listener = listening_socket(host, port)
    try:
        router.route(
            "Hello.", answering=True
        )  # reads catalog, weights and tables now; what is wrong with them is raised here
        gc.collect()
        gc.freeze()  # these live as long as the process: later collections need not walk them
        config = uvicorn.Config(
            create_app(router, api_key=api_key, close_router=True),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=LAST_WORDS_S,
        )
        (on_ready or _announce)(url_of(listener))
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        return
    finally:
        listener.close()
        router.close()


def check_exposure(host: str, api_key: str | None) -> None:
    """Refuse an empty key anywhere, and no key where other computers can connect."""
    if api_key is not None and not api_key.strip():
        raise InvalidRequest("the API key is empty", fix="give a long random one, or none at all on 127.0.0.1")
    if api_key is None and not is_loopback(host):
        raise InvalidRequest(
            f"{host!r} can be reached from other computers and there is no API key", fix="give one, or use 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether only this computer can connect to `host`; a name other than localhost is not trusted to."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens already: callers may connect while the rest starts. Raises `CannotListen`."""
    address = host.strip("[]")
    if not 0 <= port <= 65535:
        raise InvalidRequest(f"port is {port}", fix="one of 1 to 65535, or 0 for any free one")
    try:
        family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((address, port), family=family, backlog=BACKLOG)
    except OSError as error:
        why = error.strerror or str(error)
        raise CannotListen(
            f"cannot listen on {host} port {port}: {why}", fix="choose another --port, or end what uses this one"
        ) from error


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _announce(url: str) -> None:
    print(f"qwen-router serves {url} (OpenAI: {url}/v1, Ollama: {url}); Ctrl-C ends it", file=sys.stderr, flush=True)
