"""The links of an index page that are worth following, each with what is printed beside it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

from crawler import kinds
from crawler.extract.html import parse
from crawler.records import Link
from crawler.scope import CrawlScope

MAX_LINKS = 20_000  # of one page; more is a trap
_BLOCKS = ("li", "tr", "p", "dd", "dt", "div", "td")
_INLINE_TAGS = 300  # characters after a link that may hold its word count or section


def extract_links(
    markup: str | bytes, url: str, site: CrawlScope, kind: str, issue: str
) -> tuple[Link, ...]:
    """All links of a page that the profile knows, in order, each key once.

    Args:
        markup: the page; bytes are UTF-8.
        url: the address the page was really read from; relative links count from it.
        issue: the page's issue date, handed on to links that name none.
    """
    root = parse(markup)
    if root is None:
        return ()
    try:
        base = urljoin(url, root.xpath("string(//base/@href)").strip())
    except ValueError:
        base = url
    own = None if kinds.is_ours(kind) else site.profile.kinds[kind]
    words = re.compile(own.words) if own and own.words else None
    section = re.compile(own.section) if own and own.section else None
    found: dict[str, Link] = {}
    for element in root.iter("a", "area"):
        href = element.get("href")
        if not href:
            continue
        link = site.link(href, base, issue)
        if link is None:
            continue
        if words or section:
            beside = _trailing_text(element)
            if section and site.leaves_out(_printed_words(section, beside)):
                link = replace(link, left_out="left-out-section")
            if words and (count := _printed_words(words, beside)).isdecimal():
                link = replace(link, words=int(count))
        known = found.get(link.key)
        if known is None or (known.words is None and link.words is not None):
            found[link.key] = link
        if len(found) >= MAX_LINKS:
            break
    return tuple(found.values())


def _trailing_text(link: Any) -> str:
    """What is printed after a link, inside the same line of the list."""
    text, element = "", link
    while element is not None and element.tag not in _BLOCKS and len(text) < _INLINE_TAGS:
        text += element.tail or ""
        for sibling in element.itersiblings():
            if sibling.tag == "a" or len(text) >= _INLINE_TAGS:
                break
            text += "".join(sibling.itertext()) + (sibling.tail or "")
        element = element.getparent()
    return text[:_INLINE_TAGS]


def _printed_words(pattern: re.Pattern[str], beside: str) -> str:
    match = pattern.search(beside)
    return match[1].strip() if match and match[1] else ""
