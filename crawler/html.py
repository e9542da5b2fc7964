"""Text to an element tree, whatever the text: the one place where lxml parses."""

from __future__ import annotations

import re
from typing import Any

_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


def parse(text: str) -> Any | None:
    """The root element, or None when there is nothing to parse."""
    from lxml import etree, html

    bare = _CONTROLS.sub("", _DECLARATION.sub("", text))
    if not bare.strip():
        return None
    parser = html.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True,
                             remove_pis=True)  # fmt: skip
    # lxml.html chooses a class for each element in Python; this one is chosen in C.
    parser.set_element_class_lookup(etree.ElementDefaultClassLookup(element=html.HtmlElement))
    try:
        return html.document_fromstring(bare.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None
