"""What passes between the crawler's own parts: links, claims, outcomes, what pages yielded."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Literal
from urllib.parse import urljoin

from msgspec import Struct

from crawler.addresses import forward_slashes, sendable
from exchange.records import PackedChunk, Story

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy


REDIRECTS = frozenset({301, 302, 303, 307, 308})
PageState = Literal["waiting", "leased", "done", "failed", "left_out"]


class Link(Struct, frozen=True):
    """An address worth asking for. Two links of one key are the same page."""

    key: str
    url: str  # path and query under the base, so that a site may move
    kind: str
    issue: str = ""  # ISO date of the newspaper's issue, "" when unknown
    priority: int = 0
    words: int | None = None  # what the index prints beside it
    changed: float = 0.0  # of the same kind and asked before then (epoch s): ask again
    left_out: str = ""  # why it is not to be asked for, though it is known and counted
    former: str = ""  # the key that earlier versions made of it, where that was another
    known_only: bool = False  # tells more of a page that is known, and adds none
    captured: bool = (
        False  # a web archive's copy: it stands in where the site has not given a story
    )


_CAPTURE = re.compile(r"(https?://[^\s]+?)/web/(\d{4,14})(?:[a-z]{2}_)?/(https?://.+)", re.S)


class Capture(Struct, frozen=True):
    """A page as a web archive kept it."""

    archive: str  # the archive's address
    timestamp: str  # when it was captured: yyyymmddhhmmss, UTC
    original: str  # the page's own address

    @classmethod
    def of(cls, url: str) -> Capture | None:
        """The capture that an address is of, None for any other address."""
        found = _CAPTURE.fullmatch(url)
        return cls(*found.groups()) if found else None

    @property
    def address(self) -> str:
        """Where the page is as it came, without what the archive adds for its readers."""
        return f"{self.archive}/web/{self.timestamp}id_/{self.original}"

    @property
    def moment(self) -> dt.datetime:
        """When it was captured; what the timestamp leaves open is the beginning."""
        whole = self.timestamp + "00000101000000"[len(self.timestamp) :]
        return dt.datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=dt.UTC)


def original_address(url: str) -> str:
    """A page's own address, wherever it was had."""
    capture = Capture.of(url) if "/web/" in url else None
    return url if capture is None else capture.original


class PageClaim(Struct, frozen=True):
    """One page that is ours to fetch now."""

    id: int
    key: str
    url: str
    kind: str
    issue: str
    tries: int
    etag: str = ""  # of the copy that we hold: only pages asked for again have one
    last_modified: str = ""
    reason: str = ""  # why it is asked for again

    @property
    def is_part(self) -> bool:
        """Whether it is a further page of a story that begins on another."""
        return part_of(self.key)[1] > 1


class HttpResponse(Struct, frozen=True):
    """A response. `body` is empty unless the status is 200."""

    status: int
    body: bytes = b""
    content_type: str = ""
    charset: str = ""
    location: str = ""
    retry_after: str = ""
    etag: str = ""
    last_modified: str = ""
    headers: CIMultiDictProxy[str] | None = None  # all of them, where opt-outs may stand

    @property
    def cookies(self) -> dict[str, str]:
        """What it asks to be told again, as names and values."""
        sent = self.headers.getall("Set-Cookie", []) if self.headers else []
        pairs = (each.partition(";")[0].strip().partition("=") for each in sent)
        return {name: value for name, _, value in pairs if name and (name + value).isascii()}

    def redirect_target(self, url: str) -> str | None:
        """Where the response to a request for `url` leads, None when it is no redirect.

        One that names no address leads to `url` itself; "" for one that cannot be read.
        """
        if self.status not in REDIRECTS:
            return None
        try:
            return sendable(urljoin(url, forward_slashes(self.location.strip())))
        except ValueError:
            return ""


class FetchOutcome(Struct, frozen=True):
    """How one request ended; errors are outcomes too.

    `reason` is "" for a page that was kept, else a code such as "http-404" or "not-html".
    A `waiting` outcome is asked for again at `next_at` (seconds since the epoch).
    """

    page: int
    state: PageState
    reason: str = ""
    next_at: float = 0.0
    counts_as_try: bool = True
    status: int = 0
    etag: str = ""
    last_modified: str = ""
    charset: str = ""  # as the server announced it
    body: bytes | None = None
    received: int = 0  # bytes of bodies, refused ones included
    requests: int = 0
    has_story: bool = False
    links: tuple[Link, ...] = ()
    canonical: Link | None = None  # the address that the page says it has, if another
    next_part: Link | None = None  # where the story on this page goes on


PART = ":@"  # between a story's key and the number of a further part of it


def part_key(first: str, number: int) -> str:
    """The key of a story's part; the first is the story's own page."""
    return first if number == 1 else f"{first}{PART}{number}"


def part_of(key: str) -> tuple[str, int]:
    """The key of the story's first page, and which part a page is."""
    first, mark, number = key.rpartition(PART)
    return (first, int(number)) if mark and number.isdecimal() else (key, 1)


class ExtractionResult(Struct, frozen=True):
    """What a page yielded; `outcome` is "done", or why there is no story."""

    outcome: str
    stories: tuple[tuple[Story, list[PackedChunk]], ...] = ()


# Kinds of pages that no profile names: lists that machines write, and files brought by hand.
#
# They begin with "@", which no profile's kind may, so both live in one frontier.

START = ""  # a start page that is no kind of the profile
ROBOTS = "@robots"  # not asked for: the rules that are known already, for the sitemaps they name
SITEMAP = "@sitemap"
FEED = "@feed"
CAPTURES = "@captures"  # a web archive's list of what it has
LISTS = (ROBOTS, SITEMAP, FEED, CAPTURES)
# Sitemaps that other sitemaps lead to: one for each day of fifty years; made up without end, they
# stop here.
BUDGETS = {f"{SITEMAP}:2": 20_000, f"{SITEMAP}:3": 20_000}

HTML = "@html"
TEXT = "@text"
MARKDOWN = "@markdown"
JSON = "@json"  # one record of a JSON or JSONL file
PDF = "@pdf"
FILES = (HTML, TEXT, MARKDOWN, JSON, PDF)  # never fetched: brought in by `kkoracle import`


def is_list(kind: str) -> bool:
    """True for sitemaps and feeds, which are read as XML, whatever their Content-Type says."""
    return kind.partition(":")[0] in LISTS


def is_ours(kind: str) -> bool:
    """True for kinds that no profile knows."""
    return kind == START or kind.startswith("@")
