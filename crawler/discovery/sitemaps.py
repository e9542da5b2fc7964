"""Sitemaps (sitemaps.org: XML, gzip, text, an index of others) and feeds (RSS 0.9 to 2.0, Atom).

They are XML from strangers: read as a stream, in bounded memory, and never believed. Entities stay
unresolved and no DTD or other file is read, so that neither a billion laughs nor
`file:///etc/passwd` is anything but text. lxml is here anyway; a feed library read a feed of a
hundred entries 70 times slower and spent a second on a bomb, for fields that nobody asks for.
"""

from __future__ import annotations

import datetime as dt
import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

MAX_HELD = 5000  # elements inside one entry; more is no entry
MAX_EVENTS = 2_000_000  # fifty thousand entries of twenty elements; the rest is filler


class NotXmlError(ValueError):
    """Bytes in which no element could be found."""


def elements(body: bytes, names: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """Every closed element of these local names, with its name; the element is emptied after.

    Raises:
        NotXmlError: there is no root element.
    """
    from lxml import etree

    walker = etree.iterparse(
        io.BytesIO(body),
        events=("start", "end"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        recover=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    seen = False
    held = 0  # elements inside the one that is being read; outside of one nothing is kept
    try:
        for event, element in itertools.islice(walker, MAX_EVENTS):
            seen = True
            name = local(element)
            if event == "start":
                held += held > 0 or name in names
                if held > MAX_HELD:
                    return
                continue
            if name in names:
                yield name, element
                held = 0
            if not held:
                _free_element(element)
    except etree.XMLSyntaxError:
        if not seen:
            raise NotXmlError("no XML") from None
    if not seen:
        raise NotXmlError("no XML")


def _free_element(element: Any) -> None:
    element.clear()
    while element.getprevious() is not None:
        del element.getparent()[0]


def local(element: Any) -> str:
    """An element's name in lower case, without its namespace; "" for what is no element."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


_SITEMAP_LINE = re.compile(r"^\s*sitemap\s*:\s*(\S+)", re.I | re.M)
_SITEMAP_TAGS = frozenset({"url", "sitemap"})


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


def read_sitemap(body: bytes) -> Iterator[SitemapEntry]:
    """The entries of a sitemap, in order.

    Raises:
        NotXmlError: it is neither XML nor a list of addresses.
    """
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"http://", b"https://")):
        for line in body.decode("utf-8", "replace").splitlines():
            if line.strip():
                yield SitemapEntry(line.strip().lstrip("\ufeff"), is_map=False)
        return
    for name, element in elements(body, _SITEMAP_TAGS):
        fields = {local(child): _text(child) for child in element}
        if "loc" in fields:
            yield SitemapEntry(
                fields["loc"], name == "sitemap", fields.get("lastmod", ""), _published(element)
            )


def _published(element: Any) -> str:
    for child in element.iterdescendants():
        if local(child) == "publication_date":
            return iso_day(_text(child))
    return ""


def _text(element: Any) -> str:
    return "".join(element.itertext()).strip()


def timestamp_of(written: str) -> float:
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


def iso_day(written: str) -> str:
    """The ISO day of a W3C date or time, as its writer counted it; "" when it is none."""
    try:
        return dt.date.fromisoformat(written.strip()[:10]).isoformat()
    except ValueError:
        return ""


_FEED_TAGS = frozenset({"item", "entry"})
_FEED_DATES = (
    "pubdate",
    "published",
    "date",
    "issued",
    "updated",
)  # the first that is there counts


def read_feed(body: bytes) -> Iterator[SitemapEntry]:
    """The entries of a feed, newest first as feeds are; the day is the writer's own.

    Raises:
        NotXmlError: it is no XML.
    """
    for _, element in elements(body, _FEED_TAGS):
        url = _entry_address(element)
        if url:
            fields = {local(child): (child.text or "").strip() for child in element}
            written = next((fields[name] for name in _FEED_DATES if fields.get(name)), "")
            yield SitemapEntry(url, is_map=False, published=iso_day(written) or _mail_day(written))


def _entry_address(entry: Any) -> str:
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
