"""fetch_page: off by default, only public addresses of allowed hosts, every hop and every byte bounded."""

from __future__ import annotations

import gzip
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import ToolMessage

from qwen_router import web
from qwen_router.tool_context import ToolContext, using
from qwen_router.tooling import load_tools, signature_of
from qwen_router.web import Fetched, WebRefused, checked_url, fetch, is_public

TOOL = load_tools([Path(__file__).parent.parent / "tools"])["fetch_page"]
MODULE = sys.modules[TOOL.func.__module__]  # type: ignore[attr-defined]


def call(url: str, context: ToolContext) -> ToolMessage:
    with using(context):
        message = TOOL.invoke({"type": "tool_call", "id": "1", "name": "fetch_page", "args": {"url": url}})
    assert isinstance(message, ToolMessage)
    return message


# ── what may be asked for ───────────────────────────────────────────────────────────────────────────────────────────────


def test_it_is_off_until_hosts_are_named_and_says_how(tmp_path: Path) -> None:
    message = call("https://example.org/", ToolContext(root=tmp_path))
    assert message.status == "error"
    assert "switched off" in str(message.content) and "QWEN_ROUTER_WEB_HOSTS" in str(message.content)


def test_it_is_dangerous_and_its_output_untrusted() -> None:
    signature = signature_of(TOOL)
    assert (signature.dangerous, signature.untrusted, signature.output) == (True, True, "page")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("ftp://example.org/", "not on the web", id="another-scheme"),
        pytest.param("file:///etc/passwd", "not on the web", id="a-file"),
        pytest.param("javascript:alert(1)", "not on the web", id="a-script"),
        pytest.param("example.org", "not on the web", id="no-scheme"),
        pytest.param("https://user:secret@example.org/", "user name", id="credentials"),
        pytest.param("https://example.org@evil.test/", "user name", id="a-host-before-the-at"),
        pytest.param("https://evil.test/", "is not allowed", id="another-host"),
        pytest.param("https://example.org.evil.test/", "is not allowed", id="a-name-that-begins-the-same"),
        pytest.param("https://notexample.org/", "is not allowed", id="a-name-that-ends-the-same"),
        pytest.param("https://example.org:22/", "is not allowed", id="another-port"),
        pytest.param("http://example.org:443/", "is not allowed", id="the-port-of-the-other-scheme"),
        pytest.param("https://example.org\\@evil.test/", "no URL", id="a-backslash"),
        pytest.param("https://example.org/\r\nHost: evil.test", "no URL", id="a-line-break"),
        pytest.param("https://exam ple.org/", "no URL", id="a-blank"),
        pytest.param("https:///path", "no host name", id="no-host"),
        pytest.param("https://[::1/", "no URL", id="half-an-address"),
        pytest.param("https://example.org:99999/", "no URL", id="no-port"),
        pytest.param("http://2130706433/", "unusual way", id="decimal"),
        pytest.param("http://0x7f000001/", "unusual way", id="hex"),
        pytest.param("http://0x7f.0.0.1/", "unusual way", id="a-hex-part"),
        pytest.param("http://017700000001/", "unusual way", id="octal"),
        pytest.param("http://0177.0.0.1/", "unusual way", id="an-octal-part"),
        pytest.param("http://127.1/", "unusual way", id="short"),
        pytest.param("http://127.0.0.1/", "is not allowed", id="an-address"),
        pytest.param("http://①②⑦.⓪.⓪.①/", "is not allowed", id="round-digits"),
        pytest.param("http://ⓔxample。org.evil.test/", "is not allowed", id="letters-that-fold"),
        pytest.param("http://%31%32%37.0.0.1/", "no host name", id="percent"),
        pytest.param("https://" + "a" * 3000, "no URL", id="too-long"),
    ],
)
def test_a_url_that_is_not_allowed_is_refused_with_the_reason(url: str, words: str) -> None:
    with pytest.raises(WebRefused, match=words):
        checked_url(url, ("example.org",))


@pytest.mark.parametrize(
    ("entry", "url", "allowed"),
    [
        pytest.param("example.org", "https://EXAMPLE.org./a b".replace(" ", "%20"), True, id="letters-and-dots"),
        pytest.param(".example.org", "https://deep.example.org/", True, id="below-it"),
        pytest.param(".example.org", "https://example.org/", True, id="itself"),
        pytest.param(".example.org", "https://badexample.org/", False, id="not-beside-it"),
        pytest.param("example.org", "https://deep.example.org/", False, id="without-the-dot-not-below"),
        pytest.param("example.org:8443", "https://example.org:8443/", True, id="a-port"),
        pytest.param("example.org:8443", "https://example.org/", False, id="that-port-only"),
        pytest.param("bücher.example".encode("idna").decode(), "https://bücher.example/", True, id="international"),
        pytest.param("[2606:4700::1111]:8443", "https://[2606:4700::1111]:8443/", True, id="ipv6"),
        pytest.param("*", "https://example.org/", False, id="a-star-is-nothing"),
    ],
)
def test_the_list_of_hosts(entry: str, url: str, allowed: bool) -> None:
    if allowed:
        assert checked_url(url, (entry,)).path.startswith("/")
    else:
        with pytest.raises(WebRefused, match="is not allowed"):
            checked_url(url, (entry,))


def test_a_url_in_the_list_of_hosts_is_an_error_that_says_so() -> None:
    with pytest.raises(WebRefused, match=r"the list of hosts holds 'https://example.org/'"):
        checked_url("https://example.org/", ("https://example.org/",))


@given(st.text(max_size=40))
def test_no_text_after_the_scheme_reaches_a_host_that_is_not_listed(text: str) -> None:
    try:
        target = checked_url("https://" + text, ("example.org",))
    except WebRefused:
        return
    assert target.host == "example.org"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1",
        "255.255.255.255", "192.88.99.1", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "fe80::1",
        "fe80::1%eth0", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "100::1",
        "no address", "",
    ],
)  # fmt: skip
def test_an_address_that_is_not_on_the_internet(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_that_is(address: str) -> None:
    assert is_public(address)


# ── against a server ────────────────────────────────────────────────────────────────────────────────────────────────────


class Site(BaseHTTPRequestHandler):
    """Answers by path; what it was asked is kept in `asked`."""

    asked: list[tuple[str, dict[str, str]]]
    answers: dict[str, Callable[[Any], None]]

    def do_GET(self) -> None:
        self.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.answers[self.path.partition("?")[0]](self)

    def send(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Type": "text/html; charset=utf-8", "Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Tests read no log."""


class World:
    """A server on this computer that is called site.test, and a resolver that says what it is told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answers: dict[str, Callable[[Any], None]] = {}
        handler = type("Handler", (Site,), {"asked": self.asked, "answers": self.answers})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = self.server.server_address[1]
        self.looked_up: list[str] = []
        self.names: dict[str, list[Sequence[str]]] = {}
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def resolve(self, host: str, port: int) -> Sequence[str]:
        self.looked_up.append(host)
        answers = self.names.get(host, [["127.0.0.1"]])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def fetch(self, path: str = "/", *, host: str = "site.test", **options: Any) -> Fetched:
        hosts = (f"site.test:{self.port}", f"other.test:{self.port}")
        options = {"resolve": self.resolve, "allowed_address": lambda address: address == "127.0.0.1", **options}
        return fetch(f"http://{host}:{self.port}{path}", hosts=hosts, **options)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.loopback
def test_a_page_is_fetched_with_the_name_in_host_and_nothing_of_the_user(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    world.answers["/a"] = lambda site: site.send(b"<p>hello</p>", Set_Cookie="a=b")
    assert world.fetch("/a?q=%C3%A4").body == b"<p>hello</p>"
    world.fetch("/a")
    path, headers = world.asked[0]
    assert (path, headers["host"]) == ("/a?q=%C3%A4", f"site.test:{world.port}")
    assert not {"cookie", "authorization", "referer"} & (set(headers) | set(world.asked[1][1]))


@pytest.mark.loopback
def test_the_name_is_looked_up_once_and_the_checked_address_is_used(world: World) -> None:
    world.answers["/"] = lambda site: site.send(b"x")
    world.names["site.test"] = [["127.0.0.1"], ["10.0.0.1"]]  # the second look-up would lie inside
    assert world.fetch().body == b"x"
    assert world.looked_up == ["site.test"]


@pytest.mark.parametrize(
    "answer", [["10.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["::ffff:169.254.169.254"], ["no address"]], ids=str
)
@pytest.mark.loopback
def test_a_name_with_any_address_inside_is_refused_before_a_connection(world: World, answer: list[str]) -> None:
    world.names["site.test"] = [answer]
    with pytest.raises(WebRefused, match="not public"):
        world.fetch()
    assert world.asked == []


@pytest.mark.loopback
def test_this_computer_is_refused_by_the_rule_that_users_have(world: World) -> None:
    with pytest.raises(WebRefused, match="not public"):
        world.fetch(allowed_address=is_public)
    with pytest.raises(WebRefused, match="not public"):
        fetch(f"http://127.0.0.1:{world.port}/", hosts=(f"127.0.0.1:{world.port}",))
    assert world.asked == []


@pytest.mark.loopback
def test_a_redirect_is_followed_and_its_host_resolved_and_checked_anew(world: World) -> None:
    world.answers["/"] = lambda site: site.send(b"", 302, Location=f"http://other.test:{world.port}/there")
    world.answers["/there"] = lambda site: site.send(b"there")
    page = world.fetch()
    assert (page.url, page.body) == (f"http://other.test:{world.port}/there", b"there")
    assert world.looked_up == ["site.test", "other.test"]
    world.names["other.test"] = [["10.0.0.1"]]
    with pytest.raises(WebRefused, match=r"other.test.*not public"):
        world.fetch()


@pytest.mark.parametrize(
    ("location", "words"),
    [
        pytest.param("http://169.254.169.254/latest/meta-data", "is not allowed", id="the-metadata-service"),
        pytest.param("http://localhost/", "is not allowed", id="this-computer"),
        pytest.param("http://evil.test/", "is not allowed", id="another-host"),
        pytest.param("file:///etc/passwd", "not on the web", id="a-file"),
        pytest.param("//2130706433/", "unusual way", id="decimal"),
        pytest.param("http://me:pw@site.test/", "user name", id="credentials"),
        pytest.param("http://[::1/", "no URL", id="nonsense"),
        pytest.param("", "redirects to nowhere", id="empty"),
    ],
)
@pytest.mark.loopback
def test_a_redirect_to_what_is_not_allowed_is_refused(world: World, location: str, words: str) -> None:
    world.answers["/"] = lambda site: site.send(b"", 302, Location=location)
    with pytest.raises(WebRefused, match=words):
        world.fetch()
    assert len(world.asked) == 1


@pytest.mark.loopback
def test_redirects_end(world: World) -> None:
    world.answers["/"] = lambda site: site.send(b"", 307, Location="/")
    with pytest.raises(WebRefused, match="more than 5 times"):
        world.fetch()
    assert len(world.asked) == 6


def _drip_body(site: Any) -> None:
    site.send_response(200)
    site.end_headers()
    with_end = time.monotonic() + 3
    try:
        while time.monotonic() < with_end:
            site.wfile.write(b"x")
            time.sleep(0.05)
    except OSError:
        pass


def _drip_headers(site: Any) -> None:
    with_end = time.monotonic() + 3
    try:
        site.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while time.monotonic() < with_end:
            site.wfile.write(b"x")
            time.sleep(0.05)
    except OSError:
        pass


@pytest.mark.parametrize("drip", [_drip_body, _drip_headers], ids=["in-the-body", "in-the-headers"])
@pytest.mark.loopback
def test_a_server_that_sends_a_byte_now_and_then_is_given_up(world: World, drip: Callable[[Any], None]) -> None:
    world.answers["/"] = drip
    with pytest.raises(WebRefused, match="in time"):
        world.fetch(total_s=0.3)


def test_a_name_server_that_says_nothing_is_given_up() -> None:
    waiting = threading.Event()

    def silent(host: str, port: int) -> Sequence[str]:
        waiting.wait(5)
        return ["127.0.0.1"]

    with pytest.raises(WebRefused, match="not resolved in time"):
        fetch("http://site.test/", hosts=("site.test",), resolve=silent, total_s=0.1)
    waiting.set()


def test_a_name_that_nobody_has() -> None:
    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(WebRefused, match=r"no host is called 'site\.test'"):
        fetch("http://site.test/", hosts=("site.test",), resolve=unknown)


@pytest.mark.loopback
def test_nobody_listens(world: World) -> None:
    world.server.shutdown()
    world.server.server_close()
    with pytest.raises(WebRefused, match="cannot be reached"):
        world.fetch()


def _endless(site: Any) -> None:
    site.send_response(200)
    site.end_headers()
    try:
        for _ in range(200):
            site.wfile.write(b"x" * 65536)
    except OSError:
        pass


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(_endless, "larger than", id="endless"),
        pytest.param(lambda site: site.send(b"", Content_Length="999999999"), "999,999,999 bytes", id="announced"),
        pytest.param(
            lambda site: site.send(gzip.compress(b"0" * 50_000_000), Content_Encoding="gzip"), "unpacks to more", id="a-bomb"
        ),
        pytest.param(lambda site: site.send(b"plain", Content_Encoding="gzip"), "and is not", id="not-packed"),
        pytest.param(lambda site: site.send(b"plain", Content_Encoding="br"), "packed as 'br'", id="packed-otherwise"),
        pytest.param(lambda site: site.send(b"gone", 404), "answered 404", id="not-there"),
        pytest.param(lambda site: site.wfile.write(b"\x00\x01 nonsense\r\n\r\n"), "cannot be reached", id="nonsense"),
        pytest.param(
            lambda site: site.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 40_000 + b"\r\n"),
            "cannot be reached", id="headers",
        ),
    ],
)  # fmt: skip
@pytest.mark.loopback
def test_what_is_too_large_or_broken_is_refused_with_the_reason(
    world: World, answer: Callable[[Any], None], words: str
) -> None:
    world.answers["/"] = answer
    with pytest.raises(WebRefused, match=words):
        world.fetch()


@pytest.mark.loopback
def test_a_packed_page_is_unpacked(world: World) -> None:
    world.answers["/"] = lambda site: site.send(gzip.compress(b"<p>small</p>"), Content_Encoding="gzip")
    assert world.fetch().body == b"<p>small</p>"


# ── TLS ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for site.test and its key, made here."""
    x509 = pytest.importorskip("cryptography.x509")
    from datetime import UTC, datetime, timedelta

    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "site.test")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("site.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = tmp_path_factory.mktemp("tls") / "site.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.mark.loopback
def test_tls_names_the_host_and_checks_its_certificate(world: World, certificate: Path) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    names: list[str | None] = []
    serving.sni_callback = lambda sock, name, context: names.append(name)
    world.server.socket = serving.wrap_socket(world.server.socket, server_side=True)
    world.answers["/"] = lambda site: site.send(b"<p>safe</p>")
    hosts = (f"site.test:{world.port}", f"other.test:{world.port}")
    options: dict[str, Any] = {"hosts": hosts, "resolve": world.resolve, "allowed_address": lambda address: True}
    trusting = ssl.create_default_context(cafile=str(certificate))
    assert fetch(f"https://site.test:{world.port}/", tls=trusting, **options).body == b"<p>safe</p>"
    assert names == ["site.test"]
    with pytest.raises(WebRefused, match=r"cannot be reached.*certificate"):
        fetch(f"https://other.test:{world.port}/", tls=trusting, **options)  # the certificate is another's
    with pytest.raises(WebRefused, match=r"cannot be reached.*certificate"):
        fetch(f"https://site.test:{world.port}/", **options)  # nobody vouches for it
    world.answers["/"] = lambda site: site.send(b"", 302, Location=f"http://site.test:{world.port}/")
    with pytest.raises(WebRefused, match="from https to http"):
        fetch(f"https://site.test:{world.port}/", tls=trusting, **options)


# ── from a page to text ─────────────────────────────────────────────────────────────────────────────────────────────────


def page(body: str | bytes, media_type: str = "text/html", charset: str | None = "utf-8") -> Fetched:
    return Fetched("https://site.test/", media_type, charset, body.encode() if isinstance(body, str) else body)


def test_html_becomes_text_without_scripts_and_hidden_parts() -> None:
    html = """<html><head><title>A  title</title><style>p {}</style></head><body><script>alert(1)</script>
    <h1>Head</h1><p>One <b>bold</b> word&amp;&lt;more</p><ul><li>first</li><li>second</li></ul>
    <table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>
    <div hidden>hidden <p style="display: none">twice</p></div><p style="font-size:0">tiny</p>
    <span style="opacity: 0">gone</span>
    <p style="opacity:0.5">pale</p><!-- a comment --><p>zero\u200bwidth\U000e0041</p></body></html>"""
    text = MODULE.text_of(page(html))
    assert text.startswith("A title\n\nHead\n")
    assert "One bold word&<more" in text and "first\n\nsecond" in text and "a | b" in text and "1 | 2" in text
    assert "zerowidth" in text and "pale" in text
    assert not any(word in text for word in ("alert", "hidden", "twice", "tiny", "gone", "comment", "p {}", "\u200b"))


@pytest.mark.parametrize(
    ("fetched", "text"),
    [
        pytest.param(page('{"a": 1}', "application/json"), '{"a": 1}', id="json"),
        pytest.param(page("plain\r\ntext", "text/plain"), "plain\ntext", id="plain"),
        pytest.param(page("grün".encode("latin-1"), "text/plain", "iso-8859-1"), "grün", id="its-own-charset"),
        pytest.param(page("grün", "text/plain", "no-such-charset"), "grün", id="a-charset-that-nobody-knows"),
        pytest.param(page("grün", "text/plain", "base64"), "grün", id="a-codec-that-is-no-charset"),
        pytest.param(page("<p>一二</p>".encode("gbk"), charset="gb2312"), "一二", id="chinese"),
        pytest.param(page('<meta charset="gbk"><p>一二三四</p>'.encode("gbk"), charset=None), "一二三四", id="as-it-says"),
        pytest.param(page("no type", "", None), "no type", id="no-type"),
        pytest.param(page(""), "", id="empty"),
        pytest.param(page("<div>" * 200 + "deep"), "deep", id="nested"),
    ],
)  # fmt: skip
def test_kinds_of_pages(fetched: Fetched, text: str) -> None:
    assert MODULE.text_of(fetched).strip() == text


@pytest.mark.parametrize("html", ["<div>" * 200_000, "<p>x" * 200_000, "<table><tr><td>" * 80_000, "<b hidden>" * 100_000])
def test_a_page_that_is_nested_or_wide_without_end_takes_no_time_to_speak_of(html: str) -> None:
    MODULE.text_of(page(html + "end"))  # quadratic work would run into the suite's time limit


@pytest.mark.parametrize(
    "fetched", [page(b"%PDF-1.7", "application/pdf"), page(b"\x89PNG", "image/png"), page(b"a\x00b", "text/plain")]
)
def test_what_is_no_text_is_refused(fetched: Fetched) -> None:
    with pytest.raises(MODULE.PageError, match=r"try (a|another) page"):
        MODULE.text_of(fetched)


@pytest.mark.loopback
def test_the_tool_gives_the_address_the_text_and_what_it_left_out(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.answers["/"] = lambda site: site.send(b"<title>T</title><p>" + b"word " * 1000 + b"</p>")
    monkeypatch.setattr(MODULE, "fetch", lambda url, hosts: world.fetch())
    message = call("http://site.test/", ToolContext(root=tmp_path, web_hosts=("site.test",), output_chars=500))
    text = str(message.content)
    assert text.startswith(f"http://site.test:{world.port}/\nT\n\nword") and len(text) <= 520
    assert "more characters are left out" in text


def test_wrong_arguments_are_answered_with_the_right_ones() -> None:
    message = TOOL.invoke({"type": "tool_call", "id": "1", "name": "fetch_page", "args": {"page": 1}})
    assert message.status == "error" and "url" in message.content


def test_the_limits_are_what_the_docs_say() -> None:
    assert (web.MAX_BYTES, web.MAX_HOPS, web.TOTAL_S) == (2 * 2**20, 5, 20.0)
