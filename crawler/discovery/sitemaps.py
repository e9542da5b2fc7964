"""Sitemaps (sitemaps.org: XML, gzip, text, an index of others) and feeds (RSS 0.9 to 2.0, Atom).

Which of them a list is, its elements say: feeds are named as sitemaps, and sitemaps as feeds. They
are XML from strangers: read as a stream, in bounded memory, and never believed. Entities stay
unresolved and no DTD or other file is read, so that neither a billion laughs nor
`file:///etc/passwd` is anything but text. lxml is here anyway; a feed library read a feed of a
hundred entries 70 times slower and spent a second on a bomb, for fields that nobody asks for.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from crawler.addresses import joined
from crawler.extract.charset import as_utf8
from crawler.extract.html import CONTROLS
from exchange.text.charset_labels import ANNOUNCED, codec_of

MAX_HELD = 5000  # elements inside one entry; more is no entry
MAX_EVENTS = 2_000_000  # fifty thousand entries of twenty elements; the rest is filler
HEAD = 4096  # bytes at the beginning in which the list itself begins, whatever stands before it


class NotXmlError(ValueError):
    """Bytes that are no list."""


class ListReader:
    """The entries of one list, whatever it was named: sitemap, index of sitemaps, feed, or lines.

    Args:
        body: the list.
        announced, charset, language: as for `crawler.extract.charset.decode`, where the list
            itself names no charset.

    Raises:
        NotXmlError: while it is read: there is neither an entry nor a known root.
    """

    def __init__(
        self, body: bytes, announced: str = "", charset: str = ANNOUNCED, language: str = ""
    ) -> None:
        self._source = body, announced, charset, language
        self.damaged = False  # whether a part could not be read, when all entries are

    def __iter__(self) -> Iterator[SitemapEntry]:
        body = _in_utf8(*self._source)
        lines = body.startswith((b"http://", b"https://"))
        entries = _lines(body) if lines else self._entries(_mended(body))
        for entry in entries:
            if "\ufffd" in entry.url:
                self.damaged = True  # its address cannot be known
            else:
                yield entry

    def _entries(self, body: bytes) -> Iterator[SitemapEntry]:
        from lxml import etree

        known = False
        # One root around it all: some lists have several, and the parser would stop at the first.
        source = io.BytesIO(b"<list>" + body + b"</list>")
        walker = etree.iterparse(
            source,
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
        held = depth = 0  # elements inside the entry that is being read; outside nothing is kept
        try:
            for event, element in itertools.islice(walker, MAX_EVENTS):
                name = local(element)
                if event == "start":
                    known = known or name in _ROOTS or name in _READERS
                    depth += depth > 0 or name in _READERS
                    held += depth > 0
                    if held > MAX_HELD:
                        self.damaged = True
                        return
                    continue
                if name in _READERS and (entry := _READERS[name](element)) is not None:
                    yield entry
                depth -= depth > 0
                if not depth:
                    held = 0
                    _free_element(element)
        except etree.XMLSyntaxError:
            self.damaged = True
        if not known:
            raise NotXmlError("no list")
        self.damaged = self.damaged or any(line.level_name == "FATAL" for line in walker.error_log)


_DECLARED = re.compile(rb"<\?xml\s[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]+)", re.I)
_DECLARATION = re.compile(rb"<\?xml\s[^>]{0,300}\?>")
_ROOTS = frozenset({"urlset", "sitemapindex", "rss", "feed", "rdf", "channel"})
_BEGIN = re.compile(rb"<\?xml\s|<(?:\w+:)?(?:urlset|sitemapindex|rss|feed|rdf)\b", re.I)
_DOCTYPE = re.compile(rb"\s*<!DOCTYPE(?:[^>\[]*>|[^>\[]*\[.*?\]\s*>)", re.I | re.S)
# What is text and does not say so: `&` in an address, `<` in a title, names of HTML's entities.
_NO_MARKUP = re.compile(
    rb"<!\[CDATA\[.*?(?:\]\]>|\Z)|&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[\da-f]{1,6});)"
    rb"|<(?![\w/!?:])",
    re.I | re.S,
)


def _in_utf8(body: bytes, announced: str, charset: str, language: str) -> bytes:
    """A list in UTF-8, without what stands before it."""
    if b"<\0" in body[:HEAD] or b"\0<" in body[:HEAD]:  # UTF-16, with a mark or without
        big = body.startswith(b"\xfe\xff") or (b"\0<" in body[:4] and body[:1] == b"\0")
        body = body.decode("utf-16-be" if big else "utf-16-le", "replace").encode()
    else:
        body = _from_charset(body, announced, charset, language)
    found = _BEGIN.search(body, 0, HEAD)
    at = found.start() if found else 0
    return body[at:].lstrip(b"\xef\xbb\xbf \t\r\n")


def _from_charset(body: bytes, announced: str, charset: str, language: str) -> bytes:
    declared = _DECLARED.search(body, 0, HEAD)
    name = declared[1].decode("ascii").lower() if declared else ""
    if name and not name.startswith(("utf-8", "utf8", "utf-16", "utf16", "ucs", "utf-32")):
        with contextlib.suppress(ValueError):
            return body.decode(codec_of(name) or "utf-8").encode()
    return as_utf8(body, announced, charset, language)


def _mended(body: bytes) -> bytes:
    """XML without declarations, which may stand only at its beginning, and with text as text."""
    plain = _DECLARATION.sub(b"", body).translate(None, CONTROLS)
    doctype = _DOCTYPE.match(plain)
    return _NO_MARKUP.sub(_as_text, plain[doctype.end() :] if doctype else plain)


def _as_text(found: re.Match[bytes]) -> bytes:
    return {b"&": b"&amp;", b"<": b"&lt;"}.get(found[0], found[0])


def _free_element(element: Any) -> None:
    element.clear()
    while element.getprevious() is not None:
        del element.getparent()[0]


def local(element: Any) -> str:
    """An element's name in lower case, without namespace or prefix; "" for what is no element."""
    tag = element.tag
    return tag.rpartition("}")[2].rpartition(":")[2].lower() if isinstance(tag, str) else ""


_SITEMAP_LINE = re.compile(r"^[ \t]*sitemap[ \t]*:[ \t]*(\S+)", re.I | re.M)


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


def _lines(body: bytes) -> Iterator[SitemapEntry]:
    for line in body.decode("utf-8", "replace").splitlines():
        if line.strip():
            yield SitemapEntry(line.strip().lstrip("\ufeff"), is_map=False)


def _sitemap_entry(element: Any) -> SitemapEntry | None:
    fields = {local(child): _text(child) for child in element}
    if not fields.get("loc"):
        return None
    is_map = local(element) == "sitemap"
    return SitemapEntry(fields["loc"], is_map, fields.get("lastmod", ""), _published(element))


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


_FEED_DATES = (
    "pubdate",
    "published",
    "date",
    "issued",
    "updated",
)  # the first that is there counts


_ADDRESSES = ("origlink", "alternate", "link", "guid", "other")  # best first


def _feed_entry(element: Any) -> SitemapEntry | None:
    """The day is the writer's own."""
    url = _entry_address(element)
    if not url:
        return None
    fields = {local(child): (child.text or "").strip() for child in element}
    written = next((fields[name] for name in _FEED_DATES if fields.get(name)), "")
    return SitemapEntry(url, is_map=False, published=iso_day(written) or _mail_day(written))


def _entry_address(entry: Any) -> str:
    """Where the entry's page is, best first: the address that a feed service has replaced, Atom's
    alternate link, RSS's link, a guid that is an address. Relative ones count from `xml:base`."""
    found: dict[str, Any] = {}
    for child in entry:
        name = local(child)
        if name == "link" and child.get("href"):
            page = "html" in child.get("type", "html")
            if child.get("rel", "alternate") == "alternate":
                found.setdefault("alternate" if page else "other", child)
        elif name in ("link", "origlink") and _text(child):
            found.setdefault(name, child)
        elif name == "guid" and child.get("isPermaLink", "true").lower() != "false":
            found[name] = child
    if "guid" in found and not _text(found["guid"]).startswith(("http://", "https://")):
        del found["guid"]
    best = next((found[name] for name in _ADDRESSES if name in found), None)
    if best is None:
        return ""
    return joined(best.base or "", str(best.get("href") or _text(best)).strip())


def _mail_day(written: str) -> str:
    """The day of a date as mail headers write it, "" when it is none."""
    try:
        return parsedate_to_datetime(written).date().isoformat()
    except (TypeError, ValueError, IndexError):
        return ""


_READERS: dict[str, Callable[[Any], SitemapEntry | None]] = {
    "url": _sitemap_entry,
    "sitemap": _sitemap_entry,
    "item": _feed_entry,
    "entry": _feed_entry,
}
