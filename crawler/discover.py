"""The links of an index page that are worth following, each with what is printed beside it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

from crawler import kinds
from crawler.html import parse
from crawler.links import Site
from crawler.records import Link

MAX_LINKS = 20_000  # of one page; more is a trap
_BLOCKS = ("li", "tr", "p", "dd", "dt", "div", "td")
_BESIDE = 300  # characters after a link that may hold its word count or section


def links(markup: str | bytes, url: str, site: Site, kind: str, issue: str) -> tuple[Link, ...]:
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
            beside = _beside(element)
            if section and site.leaves_out(_printed(section, beside)):
                link = replace(link, left_out="left-out-section")
            if words and (count := _printed(words, beside)).isdecimal():
                link = replace(link, words=int(count))
        known = found.get(link.key)
        if known is None or (known.words is None and link.words is not None):
            found[link.key] = link
        if len(found) >= MAX_LINKS:
            break
    return tuple(found.values())


def _beside(link: Any) -> str:
    """What is printed after a link, inside the same line of the list."""
    text, element = "", link
    while element is not None and element.tag not in _BLOCKS and len(text) < _BESIDE:
        text += element.tail or ""
        for sibling in element.itersiblings():
            if sibling.tag == "a" or len(text) >= _BESIDE:
                break
            text += "".join(sibling.itertext()) + (sibling.tail or "")
        element = element.getparent()
    return text[:_BESIDE]


def _printed(pattern: re.Pattern[str], beside: str) -> str:
    match = pattern.search(beside)
    return match[1].strip() if match and match[1] else ""
