"""Which page an address is: its kind and semantic key, or nothing. Pure functions.

Every spelling of an address (aliases, padded dates, %2F, host names) has one key, so a page is
asked for once. What no kind matches is not followed.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Collection, Iterator
from functools import cached_property
from string import Formatter
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from msgspec.structs import replace

from crawler import addresses, records
from crawler.patterns import ProfilePattern, compile_pattern
from crawler.records import Link
from exchange.text import dates
from exchange.text.fold import fold

if TYPE_CHECKING:
    from crawler.profile import LinkKind, Profile

MAX_URL = 2000  # characters; longer ones are traps
MAX_REPEATS = 3  # the same path segment more often than this is a trap


class CrawlScope:
    """One newspaper's addresses, seen through its profile."""

    from_captures = False  # whether a web archive is asked in the newspaper's place

    def __init__(
        self,
        profile: Profile,
        since: dt.date | None = None,
        until: dt.date | None = None,
        weekdays: Collection[str] = (),
    ) -> None:
        """Take the issues from `since` to `until` that fall on `weekdays`; none named: on any."""
        self.profile = profile
        self.since = since.isoformat() if since else ""
        self.until = until.isoformat() if until else "9999"
        self.weekdays = frozenset(map(dates.WEEKDAYS.index, weekdays or dates.WEEKDAYS))
        self._sections = frozenset(map(fold, profile.leave_out.sections))
        self._left_out = [compile_pattern(pattern) for pattern in profile.leave_out.urls]
        self._kinds = [
            (name, kind, compile_pattern(kind.path)) for name, kind in profile.kinds.items()
        ]
        self._named = {
            name.removesuffix("?").lower()
            for kind in profile.kinds.values()
            for name in (*kind.key, *_fields_of(kind.url))
        }
        self._codec = "cp1253" if profile.language == "el" else "latin-1"

    @cached_property
    def origin(self) -> str:
        """Scheme and host of the base; paths count from here."""
        return origin(self.profile.base)

    @cached_property
    def hosts(self) -> frozenset[str]:
        return frozenset(
            {_host(urlsplit(self.profile.base)), *(h.lower() for h in self.profile.hosts)}
        )

    def absolute(self, url: str) -> str:
        """The full address of a stored one."""
        return absolute(self.origin, url)

    def excludes(self, section: str) -> bool:
        """Is a section of this name left out?"""
        return fold(section) in self._sections

    def in_scope(self, url: str) -> bool:
        """True for http and https addresses of the newspaper's hosts."""
        try:
            return self._is_ours(urlsplit(url))
        except ValueError:  # such as a port that is no number
            return False

    def _is_ours(self, parts: SplitResult) -> bool:
        return parts.scheme in ("http", "https") and _host(parts) in self.hosts

    def _ours(self, url: str, page: str) -> SplitResult | None:
        """The parts of an address found on `page`, None when it is not the newspaper's."""
        try:
            link = addresses.forward_slashes(url.strip())
            parts = addresses.joined_parts(page or self.profile.base, link)
            return parts if self._is_ours(parts) else None
        except ValueError:  # such as a bracket that is no IPv6 address
            return None

    def classify(
        self,
        url: str,
        page: str = "",
        issue: str = "",
        words: int | None = None,
        charset: str = "utf-8",
    ) -> Link | None:
        """Classify an address found on `page`; None when it is not to be followed.

        Args:
            issue: the date of the issue that the page belongs to, for addresses without one.
            charset: of that page; queries that are not escaped are asked for in it.
        """
        parts = self._ours(url, page)
        if parts is None:
            return None
        path, query = addresses.without_session(parts.path or "/", parts.query, self._named)
        asked = addresses.as_written(path, query, charset)
        spelling = addresses.normal_path(path)
        address = f"{spelling}?{addresses.normal_query(query)}" if query else spelling
        plain = addresses.readable(path, self._codec)
        if len(asked) > MAX_URL or _repeats(plain):
            return None
        if any(pattern.search(address) for pattern in self._left_out):
            return None
        for name, kind, pattern in self._kinds:
            match = pattern.fullmatch(plain)
            if match is None:
                continue
            if kind.role == "none":
                return None
            values = match.groupdict("") | addresses.parameters(query, self._codec)
            date, key = self._date_and_key(name, kind, values, address, issue)
            if key:
                url = (kind.url and self._template(kind, values, date, query)) or asked
                found = Link(key, url, name, date, kind.rank, words)
                if "%" in path or "%" in query:
                    return self._with_former(found, kind, pattern, path, query)
                return found
        return None

    def _date_and_key(
        self, name: str, kind: LinkKind, values: dict[str, str], address: str, issue: str
    ) -> tuple[str, str]:
        """The date of the issue and the key; no key when this kind does not want the address."""
        own = dates.parse_date(values.get(kind.date, "")) if kind.date else ""
        if kind.date and values.get(kind.date) and not own:
            return "", ""  # a date that is none
        date = own or issue
        if date and not self._is_wanted(date):
            return "", ""
        return date, self._key(name, kind, values, address, own)

    @staticmethod
    def _key(name: str, kind: LinkKind, values: dict[str, str], address: str, own: str) -> str:
        """What tells a page from all others; "" when something is missing."""
        parts = [name]
        for name_or_optional in kind.key:
            parameter = name_or_optional.removesuffix("?")
            value = own if kind.date == parameter else _plain(values.get(parameter, ""))
            if value:
                parts.append(value)
            elif parameter == name_or_optional:
                return ""
            else:
                parts.append("")
        if not kind.key:
            parts.append(_sorted(address))
        return ":".join(parts).rstrip(":")

    @staticmethod
    def _template(kind: LinkKind, values: dict[str, str], date: str, query: str) -> str:
        """The one address that a kind's template makes, "" where it makes none."""
        fields = {name: quote(_plain(value), safe="/%") for name, value in values.items()}
        if not all(value.isascii() for value in values.values()):
            fields |= {name: raw for name, raw in addresses.pairs(query) if "%" in raw}
        fields |= dates.date_fields(dt.date.fromisoformat(date)) if date else {}
        # What the template asks for may be missing (a date, say): then as it was found.
        with contextlib.suppress(KeyError, IndexError, ValueError):
            return kind.url.format_map(fields)
        return ""

    def _with_former(
        self, link: Link, kind: LinkKind, pattern: ProfilePattern, path: str, query: str
    ) -> Link:
        """The key that archives begun before addresses were kept as written have for it."""
        if not addresses.was_altered(path, query):
            return link
        match = pattern.fullmatch(unquote(path))
        if match is None:
            return link
        values = match.groupdict("") | addresses.parameters(query, "")
        address = addresses.former_path(path) + (query and "?" + addresses.normal_query(query))
        own = link.issue if kind.date and values.get(kind.date) else ""
        former = self._key(link.kind, kind, values, address, own)
        return replace(link, former=former) if former != link.key else link

    def _is_wanted(self, date: str) -> bool:
        if not self.since <= date <= self.until:
            return False
        return len(self.weekdays) == 7 or dt.date.fromisoformat(date).weekday() in self.weekdays

    def kind_without_key(self, url: str, page: str) -> tuple[str, str] | None:
        """The kind whose path a link has, and the part of its key that the link lacks."""
        parts = self._ours(url, page)
        if parts is None:
            return None
        for name, kind, pattern in self._kinds:
            match = pattern.fullmatch(addresses.readable(parts.path or "/", self._codec))
            if match is None or kind.role == "none":
                continue
            values = match.groupdict("") | addresses.parameters(parts.query, self._codec)
            for part in kind.key:
                if not part.endswith("?") and not values.get(part):
                    return name, part
        return None

    def seeds(self, today: dt.date) -> Iterator[Link]:
        """Where to begin: start pages, sitemaps, feeds, and an address per date of the ranges."""
        yield from self.starts()
        for url in self.profile.sitemaps:
            named = url == "robots.txt"
            yield self.list_link(
                "/robots.txt" if named else url, records.ROBOTS if named else records.SITEMAP
            )
        for url in self.profile.feeds:
            yield self.list_link(url, records.FEED)
        yield from self.dated(today)

    def dated(self, today: dt.date) -> Iterator[Link]:
        """One address per issue date of the ranges, up to today."""
        for item in self.profile.ranges:
            weekdays = frozenset(map(dates.WEEKDAYS.index, item.weekdays))
            for date in dates.days_between(item.since, min(item.until or today, today), weekdays):
                link = self.classify(item.url.format_map(dates.date_fields(date)))
                if link is not None:
                    yield link

    def starts(self) -> Iterator[Link]:
        """The start pages; one that is no kind of the profile is only read for its links."""
        for url in self.profile.start:
            yield self.classify(url) or Link(f"start:{url}", url, records.START, "", -1)

    def list_link(self, url: str, kind: str, changed: float = 0.0) -> Link:
        """A sitemap or feed of the newspaper; its address alone tells two apart."""
        parts = urlsplit(urljoin(self.profile.base, url.strip()))
        address = quote(parts.path or "/", safe=addresses.SAFE + "%")
        if parts.query:
            address += "?" + quote(parts.query, safe=addresses.SAFE + "%?")
        return Link(
            f"{kind.partition(':')[0]}:{address}", address, kind, priority=-1, changed=changed
        )

    def has_links(self, kind: str) -> bool:
        """True when the links of such pages are followed. Start pages have no kind."""
        return records.is_ours(kind) or self.profile.kinds[kind].role in ("index", "both")

    def has_stories(self, kind: str) -> bool:
        """True when such pages hold stories."""
        return not records.is_ours(kind) and self.profile.kinds[kind].role in ("story", "both")


def _fields_of(template: str) -> list[str]:
    return [field for _, field, _, _ in Formatter().parse(template) if field]


def origin(base: str) -> str:
    """Scheme and host of an address, which stored paths are put behind."""
    parts = urlsplit(base)
    return f"{parts.scheme}://{parts.netloc}"


def absolute(origin: str, url: str) -> str:
    """The full address of a stored one."""
    if url.startswith("/") and not url.startswith("//") and "/." not in url:
        return origin + url  # nearly all: nothing to work out
    return urljoin(origin + "/", url)


def _host(parts: SplitResult) -> str:
    """Host and port in lower case, default ports left out."""
    port = parts.port
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    host = (parts.hostname or "").lower()
    return host if port is None or port == usual else f"{host}:{port}"


def _plain(value: str) -> str:
    """Whole numbers without leading zeros; nothing that could run into the next part."""
    value = value.strip()
    return str(int(value)) if value.isdecimal() and value.isascii() else value.replace(":", "%3A")


def _sorted(address: str) -> str:
    path, _, query = address.partition("?")
    return path + ("?" + "&".join(sorted(query.split("&"))) if query else "")


def _repeats(path: str) -> bool:
    segments = [segment for segment in path.split("/") if segment]
    return any(segments.count(segment) > MAX_REPEATS for segment in set(segments))
