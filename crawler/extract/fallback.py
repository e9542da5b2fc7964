"""Text without a profile's help: trafilatura, whose second opinion is asked for when it counts.

Its fast mode loses most of a page with several stories. Its default mode asks other algorithms
too and takes theirs when they find more than twice as much; where the fast result is nearly all
of the page's prose they cannot, so it stands. Its de-duplication destroys refrains and its dates
are wrong for demotic months, so it is asked for neither.
"""

from __future__ import annotations

from typing import Any

from crawler.extract.charset import clean
from crawler.extract.shapes import StoryParts
from exchange.text import dates

_TITLES = ('//meta[@property="og:title"]/@content', "//h1", "//title")
_DATES = (
    '//meta[@property="article:published_time"]/@content',
    '//meta[@name="date"]/@content',
    "//article//time/@datetime",
    "//time/@datetime",
)

_COVERS = 0.8  # of the page's prose; half would do by the rule above
_BOILERPLATE_TAGS = """
a aside footer form head header nav noscript option script select style
"""
_NO_PROSE = frozenset(_BOILERPLATE_TAGS.split())
# Trafilatura deletes these too, but first it walks through them several times.
_DELETED = ("aside", "footer", "iframe", "nav", "noscript", "script", "style", "svg")


def read(text: str, root: Any) -> StoryParts | None:
    """The one story that a page seems to hold; None when there is no text.

    Args:
        text: the page as `str` (trafilatura guesses the charset of bytes, often wrongly).
        root: the same page parsed; it is used up.
    """
    from lxml import etree
    from trafilatura import extract

    asked = {"include_comments": False, "include_formatting": False}
    title, date = _first(root, _TITLES), dates.parse_date(_first(root, _DATES))
    enough = _COVERS * _prose(root)
    etree.strip_elements(root, *_DELETED, with_tail=False)
    found = extract(root, fast=True, **asked)
    if len(found or "") < enough:
        found = extract(text, **asked)
    paragraphs = tuple(line for raw in (found or "").split("\n") if (line := clean(raw)))
    return StoryParts(title, "", "", date, paragraphs) if paragraphs else None


def _prose(root: Any) -> int:
    """Characters outside links and outside what is marked as the page's furniture."""
    from lxml import etree

    count = 0
    walker = etree.iterwalk(root, events=("start",))
    for _, element in walker:
        if element.tag in _NO_PROSE:
            walker.skip_subtree()
        else:
            count += len((element.text or "").strip())
        count += len((element.tail or "").strip())
    return count


def _first(root: Any, paths: tuple[str, ...]) -> str:
    for path in paths:
        for item in root.xpath(path):
            text = clean(item.text_content() if hasattr(item, "tag") else str(item))
            if text:
                return text
    return ""
