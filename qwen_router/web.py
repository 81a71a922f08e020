"""Fetches one page from a host that somebody allowed, and nothing that lies inside: for tools whose URLs come from models.

A host must be on the allow-list and resolve to public addresses only; the connection goes to the very address that was
checked (no second look-up), with the name in TLS and in Host. Redirects are followed by hand, each hop checked like the
first. Size, time (of the whole, so that slow drips end too) and unpacked size are bounded. Proxies of the environment,
cookies and credentials are never used. robots.txt is not read: this fetches one page that somebody asked for, and crawls
nothing.

    python -c "from qwen_router.web import fetch; print(fetch('https://example.org/', hosts=('example.org',)).url)"
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from qwen_router.errors import InvalidRequest

if TYPE_CHECKING:
    import ssl

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Sequence[str]]
"""Host and port to addresses; raises OSError where there is no such host."""

MAX_URL_CHARS = 2000
MAX_BYTES = 2 * 2**20
"""Of a page, as it comes and unpacked."""
MAX_HOPS = 5
TOTAL_S = 20.0
STEP_S = 8.0
"""Longest wait for one step: the name, the connection, the next bytes."""

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+))*")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SHUT = tuple(
    ipaddress.ip_network(net)
    for net in ("0.0.0.0/8", "192.0.0.0/24", "192.88.99.0/24", "240.0.0.0/4", "::/96", "64:ff9b:1::/48", "100::/64",
                "2001::/23", "fec0::/10")
)  # fmt: skip
"""Beside what Python's ipaddress knows to be private: this network, relays, IPv4-compatible, Teredo, site-local."""


class WebRefused(InvalidRequest):
    """The page is not fetched, or could not be; `problem` says why and `fix` what would help."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """`url` is where the redirects ended; `body` is unpacked. `media_type` is lower-case, without parameters."""

    url: str
    media_type: str
    charset: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that passed: `host` in ASCII, `path` with its query, percent-encoded."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


_PORTS = {"http": 80, "https": 443}


# ── what may be asked for ───────────────────────────────────────────────────────────────────────────────────────────────


def checked_url(url: str, hosts: Iterable[str]) -> Target:
    """The parts of a URL that is allowed. Raises `WebRefused` for every other, naming what is wrong with it."""
    hosts = tuple(hosts)
    if not hosts:
        fix = "name hosts in QWEN_ROUTER_WEB_HOSTS, such as example.org, or in ToolContext.web_hosts"
        raise WebRefused("fetching from the web is switched off", fix=fix)
    url = url.strip()
    if len(url) > MAX_URL_CHARS or re.search(r"[\x00-\x20\x7f\\]", url):
        raise WebRefused(f"{url[:60]!r} is no URL", fix="write https://host/path, without spaces and backslashes")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise WebRefused(f"{url[:60]!r} is no URL", fix="write https://host/path") from None
    if parts.scheme not in _PORTS:
        raise WebRefused(f"{url[:60]!r} is not on the web", fix="write a URL that begins with https:// or http://")
    if "@" in parts.netloc:
        raise WebRefused("the URL holds a user name or password", fix="write it without what stands before the @")
    host = _ascii_host(host)
    port = port if port is not None else _PORTS[parts.scheme]
    if not any(_allows(entry, host, port, _PORTS[parts.scheme]) for entry in hosts):
        listed = ", ".join(hosts[:8])
        raise WebRefused(f"the host {_with_port(host, port, parts.scheme)!r} is not allowed", fix=f"allowed are {listed}")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?[]')}" if parts.query else ""
    return Target(parts.scheme, host, port, path + query)


def _ascii_host(host: str) -> str:
    """The host as DNS knows it. Addresses in unusual spellings are refused: 127.1, 0x7f000001, 2130706433."""
    host = host.rstrip(".").lower()
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise WebRefused(f"{host!r} is no address", fix="write a host name") from None
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            raise WebRefused(f"{host!r} is no host name", fix="write it in ASCII") from None
    if _NUMERIC.fullmatch(host):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise WebRefused(f"{host!r} is an unusual way to write an address", fix="write a host name") from None
    if not host or len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise WebRefused(f"{host[:60]!r} is no host name", fix="write https://host/path")
    return host


def _with_port(host: str, port: int, scheme: str) -> str:
    return host if port == _PORTS[scheme] else f"{host}:{port}"


def _allows(entry: str, host: str, port: int, usual_port: int) -> bool:
    """`example.org`, `.example.org` (and all below it), `example.org:8443`; without a port the scheme's own."""
    entry = entry.strip().lower()
    if "/" in entry:
        raise WebRefused(f"the list of hosts holds {entry!r}", fix="write hosts only: example.org, .example.org")
    name, port_text = entry, ""
    if entry.startswith("["):
        name, _, port_text = entry[1:].partition("]")
        port_text = port_text.removeprefix(":")
    elif entry.count(":") == 1:
        name, _, port_text = entry.partition(":")
    if port != (int(port_text) if port_text.isdecimal() else usual_port):
        return False
    if name.startswith("."):
        return host == name[1:] or host.endswith(name)
    return host == name


def is_public(address: str) -> bool:
    """Whether an address lies on the open internet: not private, loopback, link-local, multicast, reserved or unspecified,
    and no IPv6 address that wraps such an IPv4 one (mapped, 6to4, NAT64).
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # also one with a scope, fe80::1%eth0
        return False
    return _public(found)


def _public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _public(inner)
        if address.teredo is not None:
            return False
    if any(address.version == net.version and address in net for net in _SHUT):
        return False
    shut = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast or address.is_reserved
    return address.is_global and not shut and not address.is_unspecified


# ── fetching ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def system_resolver(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, as this computer resolves it."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def fetch(
    url: str,
    *,
    hosts: Iterable[str],
    resolve: Resolver = system_resolver,
    allowed_address: Callable[[str], bool] = is_public,
    total_s: float = TOTAL_S,
    tls: ssl.SSLContext | None = None,
) -> Fetched:
    """The page behind `url`, redirects followed.

    `hosts` is the allow-list. `resolve`, `allowed_address` and `tls` exist for tests; nothing in the environment sets them.
    Raises `WebRefused` for what is not allowed, not there, too large, too slow or not readable.
    """
    hosts = tuple(hosts)
    deadline = time.monotonic() + total_s
    target = checked_url(url, hosts)
    for _ in range(MAX_HOPS + 1):
        status, headers, body = _one(target, resolve, allowed_address, deadline, tls)
        if status not in (301, 302, 303, 307, 308):
            return _page(target, status, headers, body)
        following = headers.get("location", "")
        if not following:
            raise WebRefused(f"{target.url} redirects to nowhere", fix="try another page")
        try:
            after = checked_url(urljoin(target.url, following), hosts)
        except ValueError:
            raise WebRefused(f"{target.url} redirects to what is no URL", fix="try another page") from None
        except WebRefused as error:
            raise WebRefused(f"{target.url} redirects elsewhere: {error.problem}", fix=error.fix) from None
        if target.scheme == "https" and after.scheme == "http":
            raise WebRefused(f"{target.url} redirects from https to http", fix="try another page")
        target = after
    raise WebRefused(f"{url} redirects more than {MAX_HOPS} times", fix="try another page")


def _one(
    target: Target,
    resolve: Resolver,
    allowed_address: Callable[[str], bool],
    deadline: float,
    tls: ssl.SSLContext | None,
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (lower-case, the first of each) and body of one request."""
    import httpcore

    from qwen_router import web_connection

    address = _resolved(target, resolve, allowed_address, deadline)
    backend = web_connection.PinnedBackend(target.host, address, deadline, STEP_S)
    request_headers = [
        (
            b"Host",
            _with_port(f"[{target.host}]" if ":" in target.host else target.host, target.port, target.scheme).encode(),
        ),
        (b"User-Agent", b"qwen-router (fetch_page: one page, asked for by a person or an agent)"),
        (b"Accept", b"text/html, text/plain;q=0.9, application/json;q=0.8, */*;q=0.1"),
        (b"Accept-Encoding", b"gzip, identity"),
    ]
    steps = dict.fromkeys(("connect", "read", "write", "pool"), STEP_S)
    wanted = httpcore.URL(
        scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
    )
    try:
        context = tls if tls is not None else web_connection.trusted()
        with (
            httpcore.ConnectionPool(ssl_context=context, network_backend=backend, max_connections=1, http2=False) as pool,
            pool.stream("GET", wanted, headers=request_headers, extensions={"timeout": steps}) as response,
        ):
            headers: dict[str, str] = {}
            for name, value in response.headers:
                headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
            length = headers.get("content-length", "0")
            if length.isdecimal() and int(length) > MAX_BYTES:
                raise WebRefused(f"{target.url} has {int(length):,} bytes", fix=f"at most {MAX_BYTES:,}: try a smaller page")
            return response.status, headers, _read(target, response.iter_stream())
    except (httpcore.TimeoutException, TimeoutError):
        raise WebRefused(f"{target.url} did not answer in time", fix="try again, or another page") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        why = " ".join(str(error).split())[:120] or type(error).__name__
        raise WebRefused(f"{target.url} cannot be reached: {why}", fix="check the URL, or try another page") from None


def _resolved(target: Target, resolve: Resolver, allowed_address: Callable[[str], bool], deadline: float) -> str:
    """The address to connect to: one look-up, in a thread since it knows no time limit, every answer checked."""
    found: list[str] = []
    trouble: list[str] = []

    def look_up() -> None:
        try:
            found.extend(resolve(target.host, target.port))
        except (OSError, UnicodeError) as error:
            trouble.append(str(error))

    try:
        addresses: Sequence[Any] = [str(ipaddress.ip_address(target.host))]
    except ValueError:
        thread = threading.Thread(target=look_up, daemon=True)
        thread.start()
        thread.join(max(0.0, min(STEP_S, deadline - time.monotonic())))
        if thread.is_alive():
            raise WebRefused(f"the name {target.host!r} was not resolved in time", fix="try again") from None
        addresses = found
    if not addresses:
        raise WebRefused(f"no host is called {target.host!r}", fix="check the URL") from None
    if not all(allowed_address(address) for address in addresses):
        raise WebRefused(
            f"the host {target.host!r} has an address that is not public", fix="only hosts on the internet are fetched from"
        )
    return str(addresses[0])


def _read(target: Target, chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_BYTES:
            raise WebRefused(f"{target.url} is larger than {MAX_BYTES:,} bytes", fix="try a smaller page")
    return bytes(body)


def _page(target: Target, status: int, headers: dict[str, str], body: bytes) -> Fetched:
    if not 200 <= status < 300:
        raise WebRefused(f"{target.url} answered {status}", fix="check the URL, or try another page")
    media_type, _, parameters = headers.get("content-type", "").partition(";")
    charset = re.search(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", parameters, re.IGNORECASE)
    return Fetched(
        url=target.url,
        media_type=media_type.strip().lower(),
        charset=charset[1].lower() if charset else None,
        body=_unpacked(target, headers.get("content-encoding", "").strip().lower(), body),
    )


def _unpacked(target: Target, encoding: str, body: bytes) -> bytes:
    """Never more than `MAX_BYTES`, whatever a bomb would make of itself."""
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise WebRefused(f"{target.url} is packed as {encoding[:20]!r}", fix="try another page")
    unpacker = zlib.decompressobj(47 if encoding != "deflate" else 15)
    try:
        plain = unpacker.decompress(body, MAX_BYTES + 1)
    except zlib.error:
        raise WebRefused(f"{target.url} says it is packed as {encoding} and is not", fix="try another page") from None
    if len(plain) > MAX_BYTES:
        raise WebRefused(f"{target.url} unpacks to more than {MAX_BYTES:,} bytes", fix="try a smaller page")
    return plain
