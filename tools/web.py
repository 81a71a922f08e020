"""Reads a page of the web: the text of an HTML page, plain text or JSON, from hosts that somebody allowed.

Off until hosts are named (QWEN_ROUTER_WEB_HOSTS or `ToolContext.web_hosts`); what may be fetched is decided in
`qwen_router.web`. What strangers wrote comes back as text without scripts, hidden parts and invisible characters, and is
marked untrusted. PDF files and pages that need JavaScript are not read.

    QWEN_ROUTER_WEB_HOSTS=example.org python -c "from qwen_router.tooling import load_tools as t; \\
        print(t()['fetch_page'].invoke({'url': 'https://example.org/'}))"
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from langchain_core.tools import ToolException, tool
from pydantic import BaseModel, Field

from qwen_router.errors import MissingExtra
from qwen_router.tool_context import current
from qwen_router.web import Fetched, WebRefused, fetch

_HTML = ("text/html", "application/xhtml+xml")
_TEXT = ("application/json", "application/ld+json", "application/xml", "application/rss+xml", "application/atom+xml")
_UNSEEN = ("script", "style", "template", "noscript", "svg", "iframe", "object", "head", "select", "dialog")
_BLOCKS = (
    "p", "div", "section", "article", "header", "footer", "main", "aside", "nav", "li", "ul", "ol", "dl", "dt", "dd", "tr",
    "table",
    "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote", "br", "hr", "figure", "figcaption", "form", "option",
)  # fmt: skip
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff\x00-\x08\x0b-\x1f\x7f]")
"""Zero-width, direction and tag characters carry text that a person does not see."""


class PageInput(BaseModel):
    """What the reader of pages takes."""

    url: str = Field(description="Address of the page, for example https://example.org/news.")


class PageError(ToolException):
    """The page was not read; the text says why, for the model to read."""


def text_of(page: Fetched) -> str:
    """The readable text of what was fetched. Raises `PageError` for kinds that are not text."""
    kind = page.media_type
    if kind in _HTML or (not kind and page.body.lstrip()[:1] == b"<"):
        return _from_html(page)
    if kind in _TEXT or kind.startswith("text/") or kind.endswith(("+json", "+xml")) or not kind:
        if b"\x00" in page.body[:4096]:
            raise PageError(f"{page.url} is no text, whatever it says: try another page")
        return _tidied(_decoded(page))
    hint = "; a PDF file can be saved below the root and read from there" if kind == "application/pdf" else ""
    raise PageError(f"{page.url} is {kind[:60]}, which is not read here{hint}: try a page of text")


def _decoded(page: Fetched) -> str:
    try:
        return page.body.decode(page.charset or "utf-8", errors="replace")
    except LookupError:  # an encoding that nobody knows
        return page.body.decode("utf-8", errors="replace")


def _from_html(page: Fetched) -> str:
    """One walk over lxml's tree: a tree that is deep or wide on purpose takes no longer than its size."""
    try:
        from lxml import etree, html
    except ModuleNotFoundError as error:
        raise MissingExtra.of("lxml", extra="agent") from error
    charset = page.charset or _declared(page.body)
    source = _decoded(replace(page, charset=charset)).replace("\x00", "")
    if not source.strip():
        return ""
    parser = html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    try:
        tree = html.document_fromstring(source.encode("utf-8", errors="replace"), parser=parser)
    except (etree.ParserError, ValueError):
        raise PageError(f"{page.url} is HTML that cannot be parsed: try another page") from None
    title = _tidied(tree.findtext(".//title") or "")
    text = _tidied("".join(_pieces(tree)))
    return f"{title}\n\n{text}" if title else text


def _pieces(tree: Any) -> Iterator[str]:
    """The visible texts in their order, with line ends around blocks."""
    from lxml import etree

    hidden: Any = None
    for event, element in etree.iterwalk(tree, events=("start", "end")):
        if event == "start":
            if hidden is None and _is_hidden(element):
                hidden = element
            if hidden is None:
                yield "\n" if element.tag in _BLOCKS else ""
                yield element.text or ""
            continue
        if hidden is None:
            yield "\n" if element.tag in _BLOCKS else " | " if element.tag in ("td", "th") else ""
        elif hidden is element:
            hidden = None
        if hidden is None and element is not tree:
            yield element.tail or ""


def _declared(body: bytes) -> str | None:
    """The charset that the page itself names."""
    found = re.search(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{1,40})", body[:4096], re.IGNORECASE)
    return found[1].decode("ascii", errors="replace") if found else None


def _is_hidden(element: Any) -> bool:
    style = re.sub(r"\s", "", element.get("style") or "").lower()
    return (
        element.tag in _UNSEEN
        or "hidden" in element.attrib
        or element.get("aria-hidden") == "true"
        or "display:none" in style
        or "visibility:hidden" in style
        or re.search(r"(?:font-size|opacity):0(?![.\d])", style) is not None
    )


def _tidied(text: str) -> str:
    """Without what cannot be seen; blanks in a row are one, empty lines in a row are one."""
    lines = (re.sub(r"[ \t\u00a0]+", " ", line).strip(" |") for line in _INVISIBLE.sub("", text).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


@tool("fetch_page", args_schema=PageInput)
def fetch_page(url: str) -> str:
    """Read a page of the web as text, for example https://example.org/news. Only allowed hosts can be reached."""
    context = current()
    try:
        page = fetch(url, hosts=context.web_hosts)
    except WebRefused as error:
        raise PageError(f"{error.problem}: {error.fix}") from None
    text = text_of(page) or "(the page holds no text)"
    head = f"{page.url}\n"
    room = max(200, context.output_chars - len(head) - 60)
    cut = f"\n... ({len(text) - room:,} more characters are left out)" if len(text) > room else ""
    return head + text[:room] + cut


def _explain(error: object) -> str:
    """What a model reads that called with the wrong arguments."""
    return "fetch_page takes one argument: url, a text such as https://example.org/"


fetch_page.handle_tool_error = True
fetch_page.handle_validation_error = _explain
fetch_page.metadata = {
    "inputs": {"url": "url"},
    "output": "page",
    "dangerous": True,
    "untrusted": True,
    "cost_s": 1.0,
    "timeout_s": 60.0,
}
