"""From a fetched sitemap or feed to the links that the profile knows."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from urllib.parse import urljoin

from crawler import kinds
from crawler.client import Got
from crawler.discovery import feeds, sitemaps
from crawler.discovery.sitemaps import Entry
from crawler.discovery.xml import NotXml, inflate
from crawler.links import Site
from crawler.records import Claim, Link, Outcome

MAX_BYTES = 50 * 1024 * 1024  # of one list, unpacked: what sitemaps.org allows
MAX_ENTRIES = 50_000  # of one list: what sitemaps.org allows
MAX_DEPTH = 3  # an index of indexes of sitemaps; the protocol knows two


def from_robots(claim: Claim, robots: str | None, site: Site) -> Outcome:
    """The sitemaps that robots.txt names; its rules are at hand, so nothing is asked for."""
    found = [
        site.list_link(address, kinds.SITEMAP)
        for address in sitemaps.named_by(robots or "")
        if site.in_scope(address)
    ]
    return Outcome(claim.id, "done", links=tuple(found))


async def read(claim: Claim, url: str, got: Got, site: Site, requests: int) -> Outcome:
    """The outcome of a list: its links, beside the event loop, as fifty thousand take a while."""
    body = await asyncio.to_thread(inflate, got.body, MAX_BYTES)
    try:
        links, cut = await asyncio.to_thread(_links, body, url, claim.kind, site)
    except NotXml:
        return Outcome(
            claim.id, "failed", "not-a-list", status=200, requests=requests, received=len(got.body)
        )
    cut = cut or len(body) >= MAX_BYTES or len(got.body) >= MAX_BYTES
    return Outcome(
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


def _links(body: bytes, url: str, kind: str, site: Site) -> tuple[tuple[Link, ...], bool]:
    """The links of a list, and whether it was longer than lists may be."""
    entries: Iterator[Entry] = feeds.read(body) if kind == kinds.FEED else sitemaps.read(body)
    found: dict[str, Link] = {}
    for entry in itertools.islice(entries, MAX_ENTRIES):
        link = _link(entry, url, kind, site)
        if link is not None:
            found.setdefault(link.key, link)
    return tuple(found.values()), next(entries, None) is not None


def _link(entry: Entry, url: str, kind: str, site: Site) -> Link | None:
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
