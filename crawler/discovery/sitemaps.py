"""Sitemaps by the protocol of sitemaps.org: XML (plain, gzip, or an index of others) or text."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from crawler.discovery.xml_stream import elements, local

_SITEMAP_LINE = re.compile(r"^\s*sitemap\s*:\s*(\S+)", re.I | re.M)
_NAMES = frozenset({"url", "sitemap"})


@dataclass(frozen=True, slots=True)
class SitemapEntry:
    """One line of a sitemap."""

    url: str
    is_map: bool  # leads to another sitemap
    changed: str = ""  # ISO date or time, as written
    published: str = ""  # ISO date, where the sitemap is a news one


def sitemaps_in_robots(robots: str) -> list[str]:
    """The sitemaps that a robots.txt names, each once."""
    return list(dict.fromkeys(_SITEMAP_LINE.findall(robots)))


def read(body: bytes) -> Iterator[SitemapEntry]:
    """The entries of a sitemap, in order.

    Raises:
        NotXml: it is neither XML nor a list of addresses.
    """
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"http://", b"https://")):
        for line in body.decode("utf-8", "replace").splitlines():
            if line.strip():
                yield SitemapEntry(line.strip().lstrip("\ufeff"), is_map=False)
        return
    for name, element in elements(body, _NAMES):
        told = {local(child): _text(child) for child in element}
        if "loc" in told:
            yield SitemapEntry(
                told["loc"], name == "sitemap", told.get("lastmod", ""), _published(element)
            )


def _published(element: Any) -> str:
    for child in element.iterdescendants():
        if local(child) == "publication_date":
            return day(_text(child))
    return ""


def _text(element: Any) -> str:
    return "".join(element.itertext()).strip()


def moment(written: str) -> float:
    """Seconds since the epoch of a W3C date or time; 0 when it is none. A bare day is its end,
    so that what changed later that day is not taken for older."""
    value = written.strip()
    try:
        if len(value) == 10:
            found = dt.datetime.fromisoformat(value) + dt.timedelta(days=1)
        else:
            found = dt.datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def day(written: str) -> str:
    """The ISO day of a W3C date or time, as its writer counted it; "" when it is none."""
    try:
        return dt.date.fromisoformat(written.strip()[:10]).isoformat()
    except ValueError:
        return ""
