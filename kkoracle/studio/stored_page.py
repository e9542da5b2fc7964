"""A stored page of the newspaper as something that may be shown: its words, and nothing that acts.

Written anew from the few elements that carry text. No script, style, picture, form or address is
left, so that looking at a page from thirty years ago asks nobody for anything; the sandbox in which
it is shown is the second wall.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from crawler import records
from crawler.extract.charset import as_utf8, decode
from crawler.frontier.raw_store import StoredBody
from exchange.errors import NotFound, TooLarge, Unsupported
from exchange.text.controls import printable

MOST_BYTES = 8 << 20  # of a page that is shown; a newspaper's have some hundred thousand
KEPT = frozenset(
    str.split(
        "p div span section article header footer main aside nav h1 h2 h3 h4 h5 h6 ul ol li dl dt "
        "dd table caption thead tbody tfoot tr th td b strong i em u s small sup sub blockquote q "
        "cite pre code figure figcaption address time center"
    )
)
EMPTY = frozenset(("br", "hr"))
DROPPED = frozenset(
    str.split(
        "script style template iframe frame frameset object embed applet svg math canvas audio "
        "video source track map link meta base title input button select textarea option"
    )
)
NUMBERS = ("colspan", "rowspan")
STYLE = (
    "body{font:16px/1.6 Georgia,serif;max-width:46rem;margin:1.5rem auto;padding:0 1rem;"
    "color:#1c1e21;background:#fff}.link{border-bottom:1px dotted}.picture{color:#5b6068}"
    "table{border-collapse:collapse}td,th{padding:.2rem .5rem;vertical-align:top}"
    "pre{white-space:pre-wrap}"
)


def readable_page(kept: StoredBody, language: str) -> str:
    """A page as HTML that asks for nothing.

    Raises:
        NotFound: its body is not kept.
        TooLarge: it is larger than any page that a person reads.
        Unsupported: it is no text.
    """
    if not kept.body:
        raise NotFound("the page of this story is not in the raw store")
    if len(kept.body) > MOST_BYTES:
        raise TooLarge(f"the page has {len(kept.body):,} bytes: `kkoracle trace` writes it out")
    if kept.kind == records.PDF or kept.body.startswith(b"%PDF-"):
        raise Unsupported("the page is a PDF file: `kkoracle trace --html` writes it out")
    if kept.kind in records.FILES and kept.kind != records.HTML:
        text = decode(kept.body, kept.charset, language=language)
        return _document([f"<pre>{escape(printable(text))}</pre>"])
    return _document(_written(as_utf8(kept.body, kept.charset, language=language)))


def _document(parts: Iterator[str] | list[str]) -> str:
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><title>stored page</title>'
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def _written(markup: bytes) -> Iterator[str]:
    """The page's words in their elements. Walked, not called: pages nest thousands deep."""
    from lxml import etree, html

    parser = html.HTMLParser(encoding="utf-8", huge_tree=True)
    try:
        root = html.document_fromstring(markup, parser=parser)
    except (etree.LxmlError, ValueError):
        raise Unsupported("the page is no HTML: `kkoracle trace --html` writes it out") from None
    dropped = 0  # how many elements deep in what is left out
    for event, one in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        tag = one.tag if isinstance(one.tag, str) else ""
        leaves_out = tag in DROPPED
        if event == "start":
            dropped += leaves_out
            if not dropped:
                yield _opening(one, tag) + _text(one.text)
            continue
        if event == "end":
            if not dropped and tag in KEPT:
                yield f"</{tag}>"
            elif not dropped and tag == "a":
                yield "</span>"
            dropped -= leaves_out
        if not dropped:
            yield _text(one.tail)


def _opening(one: object, tag: str) -> str:
    found = getattr(one, "attrib", {})
    if tag == "img":
        return f'<span class="picture">[{_text(found.get("alt") or "picture")}]</span> '
    if tag == "a":
        return f'<span class="link" title="{escape(printable(found.get("href", "")))}">'
    if tag in EMPTY:
        return f"<{tag}>"
    if tag not in KEPT:
        return ""
    spans = (f' {name}="{found[name]}"' for name in NUMBERS if _is_number(found.get(name, "")))
    return f"<{tag}{''.join(spans)}>"


def _is_number(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) < 3


def _text(text: str | None) -> str:
    return escape(printable(text)) if text else ""
