"""Markup to an element tree, whatever the markup (the one place where lxml parses), and a tree to
the paragraphs that a reader sees: blocks and double `<br>` part them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from stringzilla import find, find_first_of

from crawler.extract.charset import clean
from exchange.text.controls import ESCAPE_SEQUENCE

_ESCAPES = re.compile(ESCAPE_SEQUENCE.encode())
_DECLARATION = re.compile(rb"^\s*<\?xml[^>]*\?>")
CONTROLS = bytes({*range(32)} - {*b"\t\n\r"})  # which neither HTML nor XML may hold
# References to controls, surrogates and what is no character: libxml2 gives up a text at some of
# them, trafilatura the whole page. Those of C1 meant windows-1252, and are read so by `clean`.
_NO_CHARACTER = re.compile(
    rb"&#(?:0*(?:[0-8]|1[124-9]|2\d|3[01]|127|6553[45]|5529[6-9]|55[3-9]\d\d|5[67]\d{3})(?!\d)"
    rb"|x0*(?:[0-8bcef]|1[0-9a-f]|7f|fff[ef]|d[89a-f][0-9a-f]{2})(?![0-9a-f]));?",
    re.I,
)


def parse(markup: str | bytes) -> Any | None:
    """The root element, or None when there is nothing to parse. Bytes are UTF-8."""
    from lxml import etree, html

    raw = markup.encode("utf-8", "replace") if isinstance(markup, str) else markup
    bare = without_controls(_DECLARATION.sub(b"", raw))
    if not bare or bare.isspace():
        return None
    try:
        return html.document_fromstring(bare, parser=_parser())
    except (etree.ParserError, etree.XMLSyntaxError):
        return None


def without_controls(markup: bytes) -> bytes:
    """Markup in UTF-8 without control characters and references to them, which cost a reader only
    themselves.
    """
    if find_first_of(markup, CONTROLS) >= 0:
        if b"\x1b" in markup:
            markup = _ESCAPES.sub(b"", markup)
        markup = markup.translate(None, CONTROLS)
    return _NO_CHARACTER.sub(b"", markup) if find(markup, b"&#") >= 0 else markup


@cache
def _parser() -> Any:
    from lxml import etree, html

    parser = html.HTMLParser(
        encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True
    )
    # lxml.html chooses a class for each element in Python; this one is chosen in C.
    parser.set_element_class_lookup(etree.ElementDefaultClassLookup(element=html.HtmlElement))
    return parser


def declared_language(root: Any) -> str:
    """The language tag that a page gives itself, "" when it gives none."""
    places = (
        "string(/html/@lang)",
        "string(/html/@*[name()='xml:lang'])",
        "string(//meta[@http-equiv='content-language' or @http-equiv='Content-Language']/@content)",
        "string(//meta[@property='og:locale']/@content)",
    )
    return next((tag for place in places if (tag := root.xpath(place).strip())), "")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


BLOCKS = _names(
    """address article aside blockquote center dd div dl dt fieldset figcaption figure footer form
    h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section table tbody td tfoot th thead tr ul"""
)
SILENT = _names("script style noscript template iframe object svg head select button")


def paragraphs(elements: Iterable[Any]) -> list[str]:
    """The paragraphs of elements in document order; an element inside another counts once."""
    chosen = list(elements)
    known = set(chosen)
    found: list[str] = []
    for element in chosen:
        if not any(ancestor in known for ancestor in element.iterancestors()):
            found.extend(_of(element))
    return found


def _of(root: Any) -> list[str]:
    """Walks without recursion: pages nest deeper than Python's stack.

    One `<br>` is a blank, two or more with nothing between them part paragraphs. Inline elements
    add nothing, so a drop cap in a `<span>` stays one word with what follows.
    """
    from lxml import etree

    found: list[str] = []
    pieces: list[str] = []
    breaks = 0

    def close() -> None:
        nonlocal breaks
        raw = "".join(pieces)
        # Between blocks there is mostly white space: seeing that is cheaper than cleaning it.
        if raw and not raw.isspace() and (text := clean(raw)):
            found.append(text)
        pieces.clear()
        breaks = 0

    def say(text: str | None) -> None:
        nonlocal breaks
        if not text:
            return
        if text.strip():
            breaks = 0
        pieces.append(text)

    walker = etree.iterwalk(root, events=("start", "end"))
    for event, element in walker:
        tag = element.tag if isinstance(element.tag, str) else ""
        if event == "start":
            if tag in SILENT or not tag:
                walker.skip_subtree()
                continue
            if tag == "br":
                breaks += 1
                if breaks >= 2:
                    close()
                    breaks = 1
                else:
                    pieces.append("\n")
            elif tag in BLOCKS:
                close()
            say(element.text)
            continue
        if tag in BLOCKS:
            close()
        if element is not root:
            say(element.tail)
    close()
    return found
