"""From a fetched sitemap or feed to the links that the profile knows."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from urllib.parse import urljoin

from crawler import kinds
from crawler.discovery import feeds, sitemaps
from crawler.discovery.sitemaps import SitemapEntry
from crawler.discovery.xml_stream import NotXmlError, inflate
from crawler.fetch.client import HttpResponse
from crawler.records import FetchOutcome, Link, PageClaim
from crawler.scope import CrawlScope

MAX_BYTES = 50 * 1024 * 1024  # of one list, unpacked: what sitemaps.org allows
MAX_ENTRIES = 50_000  # of one list: what sitemaps.org allows
MAX_DEPTH = 3  # an index of indexes of sitemaps; the protocol knows two


def from_robots(claim: PageClaim, robots: str | None, site: CrawlScope) -> FetchOutcome:
    """The sitemaps that robots.txt names; its rules are at hand, so nothing is asked for."""
    found = [
        site.list_link(address, kinds.SITEMAP)
        for address in sitemaps.sitemaps_in_robots(robots or "")
        if site.in_scope(address)
    ]
    return FetchOutcome(claim.id, "done", links=tuple(found))


async def read(
    claim: PageClaim, url: str, got: HttpResponse, site: CrawlScope, requests: int
) -> FetchOutcome:
    """The outcome of a list: its links, beside the event loop, as fifty thousand take a while."""
    body = await asyncio.to_thread(inflate, got.body, MAX_BYTES)
    try:
        links, cut = await asyncio.to_thread(_links, body, url, claim.kind, site)
    except NotXmlError:
        return FetchOutcome(
            claim.id, "failed", "not-a-list", status=200, requests=requests, received=len(got.body)
        )
    cut = cut or len(body) >= MAX_BYTES or len(got.body) >= MAX_BYTES
    return FetchOutcome(
        claim.id,
        "done",
        "list-cut" if cut else "",
        status=200,
        etag=got.etag,
        last_modified=got.last_modified,
        received=len(got.body),
        requests=requests,
        links=links,
    )


def _links(body: bytes, url: str, kind: str, site: CrawlScope) -> tuple[tuple[Link, ...], bool]:
    """The links of a list, and whether it was longer than lists may be."""
    entries: Iterator[SitemapEntry] = (
        feeds.read(body) if kind == kinds.FEED else sitemaps.read(body)
    )
    found: dict[str, Link] = {}
    for entry in itertools.islice(entries, MAX_ENTRIES):
        link = _link(entry, url, kind, site)
        if link is not None:
            found.setdefault(link.key, link)
    return tuple(found.values()), next(entries, None) is not None


def _link(entry: SitemapEntry, url: str, kind: str, site: CrawlScope) -> Link | None:
    changed = sitemaps.moment(entry.changed)
    if site.since and changed and sitemaps.day(entry.changed) < site.since:
        return None  # nothing in it is younger than its last change
    if not entry.is_map:
        return site.link(entry.url, url, issue=entry.published)
    depth = int(kind.partition(":")[2] or 1)
    try:
        address = urljoin(url, entry.url)
    except ValueError:
        return None
    if depth >= MAX_DEPTH or not site.in_scope(address):
        return None
    return site.list_link(address, f"{kinds.SITEMAP}:{depth + 1}", changed or time.time())
