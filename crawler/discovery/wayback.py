"""The Wayback Machine as a source: pages that are gone or paywalled, as it captured them.

Its CDX server lists the captures of a host; each is then asked for at `web/TIMESTAMPid_/ADDRESS`,
which is the page as it came, nothing added. A page is known by its own address, so that it is the
same page wherever it was had; where that was stays in its address in `pages.sqlite`. Protocol:
https://github.com/internetarchive/wayback/tree/master/wayback-cdx-server
"""

from __future__ import annotations

import datetime as dt
import string
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from msgspec.structs import replace

from crawler import records
from crawler.records import Capture, Link
from crawler.scope import CrawlScope
from exchange.errors import UsageError

if TYPE_CHECKING:
    from crawler.profile import Profile
    from crawler.settings import CrawlSettings

LIST_LENGTH = 3000  # captures in one answer, which has a minute like any other
# Of each address the first capture that is a page: the nearest to the day of its printing.
_QUERY = {
    "matchType": "host",
    "output": "text",
    "fl": "timestamp,original",
    "collapse": "urlkey",
    "showResumeKey": "true",
    "limit": str(LIST_LENGTH),
}
_FILTERS = ("statuscode:200", "mimetype:.*html.*")


def scope_for(profile: Profile, settings: CrawlSettings) -> CrawlScope:
    """The newspaper's addresses as this crawl sees them: on its site, or in a web archive.

    Raises:
        UsageError: the web archive's address is none.
    """
    wanted = (settings.since, settings.until, settings.weekdays)
    if settings.source == "site":
        return CrawlScope(profile, *wanted)
    if not settings.wayback_url.startswith(("http://", "https://")):
        raise UsageError(
            f"crawl.wayback_url {settings.wayback_url!r} must be an http or https address"
        )
    return WaybackScope(
        profile, *wanted, archive=settings.wayback_url, captured_until=settings.captured_until
    )


class WaybackScope(CrawlScope):
    """One newspaper's addresses, where a web archive is asked for them and not the newspaper.

    What is not listed as captured is not asked for: a captured index tells dates and word counts
    of pages that are known, and adds none.

    Args:
        archive: the archive's address; `/cdx/search/cdx` and `/web/` are put behind it.
        captured_until: no later captures, such as those of whoever took over the address.
    """

    from_captures = True

    def __init__(
        self,
        profile: Profile,
        since: dt.date | None = None,
        until: dt.date | None = None,
        weekdays: tuple[str, ...] = (),
        *,
        archive: str,
        captured_until: dt.date | None = None,
    ) -> None:
        super().__init__(profile, since, until, weekdays)
        self._archive = archive.rstrip("/")
        self._query = [*_QUERY.items(), *(("filter", each) for each in _FILTERS)]
        if since is not None:  # nothing is captured before it is published
            self._query.append(("from", since.strftime("%Y%m%d")))
        if captured_until is not None:
            self._query.append(("to", captured_until.strftime("%Y%m%d")))

    def seeds(self, today: dt.date) -> Iterator[Link]:
        """The first list of captures of each host; the archive takes `www` for the same host."""
        for host in dict.fromkeys(host.removeprefix("www.") for host in sorted(self.hosts)):
            yield self._list(host)

    def in_scope(self, url: str) -> bool:
        """True for captures of the newspaper's pages."""
        capture = self._own_capture(url)
        return capture is not None and super().in_scope(capture.original)

    def classify(
        self,
        url: str,
        page: str = "",
        issue: str = "",
        words: int | None = None,
        charset: str = "utf-8",
    ) -> Link | None:
        """As on the site. A capture is the page that it is of; a plain address only tells more."""
        if (capture := self._own_capture(url)) is not None:
            return self._captured(capture, issue)
        within = self._own_capture(page)
        page = within.original if within else page
        link = super().classify(url, page, issue, words, charset)
        return link and replace(link, known_only=True)

    def capture_links(self, body: bytes, url: str) -> tuple[tuple[Link, ...], bool]:
        """The pages on a list of captures with the list that follows, and whether it is cut.

        Args:
            url: the list's own address, which the next one is told by.
        """
        head, _, resume = body.decode("utf-8", "replace").strip().partition("\n\n")
        lines = [line.split(" ") for line in head.splitlines() if line.strip()]
        found: dict[str, Link] = {}
        for line in lines:
            if len(line) >= 2 and line[0].isdecimal():
                link = self._captured(Capture(self._archive, line[0], line[1]))
                if link is not None:
                    found.setdefault(link.key, link)
        links = [*found.values()]
        if resume := resume.strip():
            links.append(self._list(_host_of_list(url), resume))
        return tuple(links), not resume and len(lines) >= LIST_LENGTH

    def _own_capture(self, url: str) -> Capture | None:
        capture = Capture.of(url)
        return capture if capture is not None and capture.archive == self._archive else None

    def _captured(self, capture: Capture, issue: str = "") -> Link | None:
        link = super().classify(capture.original, issue=issue)
        if link is None:
            return None
        original = quote(capture.original, safe=string.punctuation)
        address = Capture(capture.archive, capture.timestamp, original).address
        return replace(link, url=address, captured=True)

    def _list(self, host: str, resume: str = "") -> Link:
        asked = [("url", host), *self._query, *([("resumeKey", resume)] if resume else [])]
        address = f"{self._archive}/cdx/search/cdx?{urlencode(asked)}"
        return Link(f"{records.CAPTURES}:{address}", address, records.CAPTURES, priority=-1)


def _host_of_list(url: str) -> str:
    return parse_qs(urlsplit(url).query)["url"][0]
