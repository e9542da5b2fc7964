"""Markup to an element tree, whatever the markup: the one place where lxml parses."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_DECLARATION = re.compile(rb"^\s*<\?xml[^>]*\?>")
_CONTROLS = bytes({*range(32)} - {*b"\t\n\r"})


def parse(markup: str | bytes) -> Any | None:
    """The root element, or None when there is nothing to parse. Bytes are UTF-8."""
    from lxml import etree, html

    raw = markup.encode("utf-8", "replace") if isinstance(markup, str) else markup
    bare = _DECLARATION.sub(b"", raw).translate(None, _CONTROLS)
    if not bare or bare.isspace():
        return None
    try:
        return html.document_fromstring(bare, parser=_parser())
    except (etree.ParserError, etree.XMLSyntaxError):
        return None


@cache
def _parser() -> Any:
    from lxml import etree, html

    parser = html.HTMLParser(
        encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True
    )
    # lxml.html chooses a class for each element in Python; this one is chosen in C.
    parser.set_element_class_lookup(etree.ElementDefaultClassLookup(element=html.HtmlElement))
    return parser
