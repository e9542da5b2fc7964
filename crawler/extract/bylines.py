"""Dates and authors as a page prints them, where no tag tells them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from crawler.extract.charset import clean
from exchange.text.language import every

LONGEST_DATE = 60  # characters of an element that holds a date and nothing else
LONGEST_AUTHOR = 100
BYLINE = re.compile(rf"^(?:{every().pattern('byline')})(?:\s*:\s*|\s+)(?=\w)", re.I)
_BYLINE_START = re.compile(rf"(?:{every().pattern('byline')})(?!\w)", re.I)
_NAMES = re.compile(r"(?:[^\W\d_a-zα-ω][\w’'.-]*(?:\s+(?:[a-z]{1,3}\s+)?|\s*,\s*|$)){2,8}")
_DAY_AND_YEAR = re.compile(r"\d{1,2}\D.*\d{4}|\d{4}\D{1,3}\d{1,2}")
_NO_STORY = frozenset(["a", "script", "style", "option", "title"])  # a link leads to another one
_MARKED = """
//*[@itemprop="datePublished" or contains(@class, "date") or contains(@class, "publish")
    or contains(@class, "time")]
"""
# A title divides the texts: those behind the headline are likelier to be the story's.
_TEXTS = f"""
//h1 | //text()[string-length(.) > 5 and string-length(.) < {LONGEST_DATE}
                and translate(., "0123456789", "") != .]
"""


@cache
def _path(path: str) -> Any:
    from lxml import etree

    return etree.XPath(path.strip())


def marked_dates(root: Any) -> Iterator[str]:
    """Dates in elements that are meant for one, the story's own first."""
    marked = [element for element in _path(_MARKED)(root) if not _is_elsewhere(element)]
    own = [element for element in marked if element.get("itemprop") == "datePublished"]
    times = [element for element in root.iter("time") if not _is_elsewhere(element)]
    for element in own:
        yield element.get("content") or element.get("datetime") or _short_text(element)
    for element in times:
        if any(ancestor.tag == "article" for ancestor in element.iterancestors()):
            yield element.get("datetime") or ""
    for element in times:
        yield element.get("datetime") or ""
    for element in [*times, *marked]:
        yield _short_text(element)


def printed_dates(root: Any) -> Iterator[str]:
    """Short texts with a day and a year, those after the headline first."""
    before: list[str] = []
    behind = False
    for found in _path(_TEXTS)(root):
        if hasattr(found, "tag"):
            behind = True
        elif _DAY_AND_YEAR.search(found) and not _is_elsewhere(found.getparent()):
            if behind:
                yield found
            else:
                before.append(found)
    yield from before


def printed_author(root: Any) -> str:
    """A name after a word such as «by», alone in its element."""
    for element in root.iter("p", "span", "div", "a", "li", "address", "h4", "h5", "h6", "small"):
        text = element.text
        if not text or text.isspace():
            text = element[0].text if len(element) else None
        if not text or len(text) > LONGEST_AUTHOR or not _BYLINE_START.match(text.lstrip()):
            continue
        whole = clean(_short_text(element, LONGEST_AUTHOR))
        match = BYLINE.match(whole)
        if match and _NAMES.fullmatch(whole[match.end() :]):
            return whole[match.end() :]
    return ""


def _short_text(element: Any, longest: int = LONGEST_DATE) -> str:
    """The element's text, "" if it is long; reading stops as soon as it is."""
    text = ""
    for piece in element.itertext():
        text += piece
        if len(text.strip()) > longest:
            return ""
    return text


def _is_elsewhere(element: Any) -> bool:
    return element.tag in _NO_STORY or any(e.tag in _NO_STORY for e in element.iterancestors())
