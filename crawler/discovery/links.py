"""The links that are worth following: of an index page, of a fetched sitemap or feed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import time
from html import unescape
from typing import Any

from msgspec.structs import replace
from stringzilla import find

from crawler import records
from crawler.addresses import joined
from crawler.discovery.sitemaps import (
    ListReader,
    NotXmlError,
    SitemapEntry,
    iso_day,
    sitemaps_in_robots,
    timestamp_of,
)
from crawler.discovery.wayback import WaybackScope
from crawler.extract.html import parse
from crawler.inflate import gunzip
from crawler.patterns import ProfilePattern, compile_pattern
from crawler.records import FetchOutcome, HttpResponse, Link, PageClaim
from crawler.scope import CrawlScope

MAX_LINKS = 20_000  # of one page; more is a trap
_BLOCKS = ("li", "tr", "p", "dd", "dt", "div", "td")
_COUNT_DIGITS = 9  # of a word count; a longer one is no count, and no database holds it
_INLINE_TAGS = 300  # characters after a link that may hold its word count or section


def extract_links(
    markup: str | bytes, url: str, site: CrawlScope, kind: str, issue: str, source: bytes = b""
) -> tuple[Link, ...]:
    """All links of a page that the profile knows, in order, each key once.

    Args:
        markup: the page; bytes are UTF-8.
        url: the address the page was really read from; relative links count from it.
        issue: the page's issue date, handed on to links that name none.
        source: the page as it came, in whose charset queries are asked for.
    """
    root = parse(markup)
    if root is None:
        return ()
    base = base_of(root, url)
    own = None if records.is_ours(kind) else site.profile.kinds[kind]
    words = compile_pattern(own.words) if own and own.words else None
    section = compile_pattern(own.section) if own and own.section else None
    found: dict[str, Link] = {}
    for element in root.iter("a", "area", "frame", "iframe"):
        href = element.get("href") or element.get("src")
        if not href:
            continue
        charset = "utf-8" if href.isascii() else _charset_of(href, source)
        link = site.classify(href, base, issue, charset=charset)
        if link is None:
            continue
        if words or section:
            beside = _trailing_text(element)
            if section and site.excludes(_printed_words(section, beside)):
                link = replace(link, left_out="left-out-section")
            if words and (count := _printed_words(words, beside)).isdecimal():
                link = replace(link, words=int(count[:_COUNT_DIGITS]))
        known = found.get(link.key)
        if known is None or (known.words is None and link.words is not None):
            found[link.key] = link
        if len(found) >= MAX_LINKS:
            break
    return tuple(found.values())


def base_of(root: Any, url: str) -> str:
    """What the relative links of a page count from: its own word, else where it was read from."""
    return joined(url, root.xpath("string(//base/@href)").strip()) or url


HEAD_BYTES = 64 * 1024  # of a page, in which it may say where it is
_CANONICAL = re.compile(rb"""<link\b(?=[^>]*\srel\s*=\s*["']?canonical\b)[^>]*>""", re.I)
_HREF = re.compile(rb"""\s(?:href|src)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.I)
_FRAME = re.compile(rb"<frame\b[^>]*>", re.I)
SMALL_BYTES = 16 * 1024  # pages that only lead on, and sets of frames, are small


def canonical_of(claim: PageClaim, body: bytes, url: str, site: CrawlScope) -> Link | None:
    """The address that a story's page says it has, if it is another page of ours.

    The front page is no story's address, whatever templates say.
    """
    at = find(body, b"canonical", 0, HEAD_BYTES)
    found = (
        _CANONICAL.search(body, max(0, body.rfind(b"<", 0, at)), HEAD_BYTES) if at >= 0 else None
    )
    href = _attribute(found[0]) if found else ""
    if not href:
        return None
    link = site.classify(href, url, issue=claim.issue)
    if link is None or link.key == claim.key or not site.has_stories(link.kind):
        return None
    return None if link.url == "/" or link.key in {start.key for start in site.starts()} else link


def frames_of(claim: PageClaim, body: bytes, url: str, site: CrawlScope) -> tuple[Link, ...]:
    """The pages of a set of frames: the story of such a page stands in one of them."""
    if len(body) > SMALL_BYTES or (b"<fram" not in body and b"<FRAM" not in body):
        return ()
    found = (site.classify(_attribute(tag), url, issue=claim.issue) for tag in _FRAME.findall(body))
    return tuple(link for link in found if link is not None and link.key != claim.key)


def _attribute(tag: bytes) -> str:
    found = _HREF.search(tag)
    address = next(filter(None, found.groups()), b"") if found else b""
    return unescape(address.decode("utf-8", "replace"))


# Charsets of pages that are not UTF-8: the first in which a link's very bytes stand on its page.
_CHARSETS = (
    *("utf-8", "cp1253", "cp1252", "cp1251", "cp1250", "cp1254", "cp1255", "cp1256", "koi8-r"),
    *("shift_jis", "euc-jp", "gb18030", "big5", "euc-kr", "cp874"),
)
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")


def _charset_of(href: str, source: bytes) -> str:
    """In which charset the page writes this link; UTF-8 where it cannot be known."""
    for charset in _CHARSETS:
        with contextlib.suppress(UnicodeEncodeError):
            if all(run.encode(charset) in source for run in _BEYOND_ASCII.findall(href)):
                return charset
    return "utf-8"


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


def _printed_words(pattern: ProfilePattern, beside: str) -> str:
    match = pattern.search(beside)
    return match[1].strip() if match and match[1] else ""


MAX_LIST_BYTES = 50 * 1024 * 1024  # of one list, unpacked: what sitemaps.org allows
MAX_ENTRIES = 50_000  # of one list: what sitemaps.org allows
MAX_DEPTH = 3  # an index of indexes of sitemaps; the protocol knows two


def links_from_robots(claim: PageClaim, robots: str | None, site: CrawlScope) -> FetchOutcome:
    """The sitemaps that robots.txt names; its rules are at hand, so nothing is asked for."""
    here = site.absolute(claim.url)
    found = [
        site.list_link(address, records.SITEMAP)
        for address in (joined(here, named) for named in sitemaps_in_robots(robots or ""))
        if site.in_scope(address)
    ]
    return FetchOutcome(claim.id, "done", links=tuple(found))


async def read_list(
    claim: PageClaim, url: str, response: HttpResponse, site: CrawlScope, requests: int
) -> FetchOutcome:
    """The outcome of a list: its links, beside the event loop, as fifty thousand take a while."""
    body, whole = await asyncio.to_thread(gunzip, response.body, MAX_LIST_BYTES)
    profile = site.profile
    reader = ListReader(body, response.charset, profile.charset, profile.language)
    try:
        if isinstance(site, WaybackScope) and claim.kind == records.CAPTURES:
            links, cut = site.capture_links(body, url)
        else:
            links, cut = await asyncio.to_thread(_list_links, reader, url, claim.kind, site)
    except NotXmlError:
        return FetchOutcome(
            claim.id,
            "failed",
            "not-a-list",
            status=200,
            requests=requests,
            received=len(response.body),
        )
    cut = cut or not whole or len(response.body) >= MAX_LIST_BYTES
    return FetchOutcome(
        claim.id,
        "done",
        "list-cut" if cut else "list-damaged" if reader.damaged else "",
        status=200,
        etag=response.etag,
        last_modified=response.last_modified,
        received=len(response.body),
        requests=requests,
        links=links,
    )


def _list_links(
    reader: ListReader, url: str, kind: str, site: CrawlScope
) -> tuple[tuple[Link, ...], bool]:
    """The links of a list, and whether it was longer than lists may be."""
    entries = iter(reader)
    found: dict[str, Link] = {}
    for entry in itertools.islice(entries, MAX_ENTRIES):
        link = _entry_link(entry, url, kind, site)
        if link is not None:
            found.setdefault(link.key, link)
    return tuple(found.values()), next(entries, None) is not None


def _entry_link(entry: SitemapEntry, url: str, kind: str, site: CrawlScope) -> Link | None:
    changed = timestamp_of(entry.changed)
    if site.since and changed and iso_day(entry.changed) < site.since:
        return None  # nothing in it is younger than its last change
    if not entry.is_map:
        return site.classify(entry.url, url, issue=entry.published)
    depth = int(kind.partition(":")[2] or 1)
    address = joined(url, entry.url)
    if depth >= MAX_DEPTH or not site.in_scope(address):
        return None
    return site.list_link(address, f"{records.SITEMAP}:{depth + 1}", changed or time.time())
