"""RSS (0.9 to 2.0) and Atom: the address and the day of each entry, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from crawler.discovery.sitemaps import SitemapEntry, day
from crawler.discovery.xml_stream import elements, local

_NAMES = frozenset({"item", "entry"})
_DATES = ("pubdate", "published", "date", "issued", "updated")  # the first that is there counts


def read(body: bytes) -> Iterator[SitemapEntry]:
    """The entries of a feed, newest first as feeds are; the day is the writer's own.

    Raises:
        NotXml: it is no XML.
    """
    for _, element in elements(body, _NAMES):
        url = _address(element)
        if url:
            told = {local(child): (child.text or "").strip() for child in element}
            written = next((told[name] for name in _DATES if told.get(name)), "")
            yield SitemapEntry(url, is_map=False, published=day(written) or _mail_day(written))


def _address(entry: Any) -> str:
    """Atom's alternate link, RSS's link, or a guid that is an address."""
    guid = ""
    for child in entry:
        name = local(child)
        if name == "link":
            href = child.get("href")
            if href and child.get("rel", "alternate") == "alternate":
                return str(href).strip()
            if not href and (child.text or "").strip():
                return str(child.text).strip()
        elif name == "guid" and child.get("isPermaLink", "true").lower() != "false":
            guid = (child.text or "").strip()
    return guid if guid.startswith(("http://", "https://")) else ""


def _mail_day(written: str) -> str:
    """The day of a date as mail headers write it, "" when it is none."""
    try:
        return parsedate_to_datetime(written).date().isoformat()
    except (TypeError, ValueError, IndexError):
        return ""
