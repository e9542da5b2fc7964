"""Ask for a few pages as the crawl would, read them, and say what that means."""

from __future__ import annotations

import asyncio
import datetime as dt
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from crawler import profiles
from crawler.addresses import joined
from crawler.discovery import sitemaps
from crawler.extract.charset import markup_of
from crawler.extract.html import declared_language, paragraphs, parse
from crawler.extract.page import PageReader, StoredPage
from crawler.fetch.block_pages import is_block_page
from crawler.fetch.client import client_for
from crawler.fetch.hosts import HostTable
from crawler.fetch.response import FetchError
from crawler.fetch.throttle_pool import FetchedPage, PoliteClient, ThrottlePool
from crawler.frontier import pages
from crawler.language import describe_language
from crawler.optout.signals import OptOutSignal, from_headers, from_page, from_robots, printable
from crawler.probe import routes
from crawler.probe.verdict import (
    ProbeAnswer,
    ProbedPage,
    ProbeVerdict,
    headlines,
    judge,
    page_facts,
)
from crawler.profile import Profile
from crawler.scope import CrawlScope
from crawler.settings import CrawlSettings
from exchange.errors import FAILED, OK, Busy, UsageError
from exchange.text.detect import detect_language
from exchange.text.scripts import count_words

STORIES = 3  # pages that are asked for beside the one that was named
MIN_WORDS = 20  # that the generic profile takes for a story here; one was named, most likely
HOPS = 2  # from a front page by way of indexes to stories
LONGEST_S = 300.0
FEEDS = ("application/rss+xml", "application/atom+xml")
_STATUS = {
    401: "wants a login, which is out of scope",
    402: "is behind a paywall",
    403: "refuses us",
    404: "is not there",
    410: "is gone",
    429: "asks us to come back later",
}


@dataclass(frozen=True, slots=True)
class ArchiveProbe:
    """How a probe ended."""

    url: str
    verdict: ProbeVerdict
    requests: int
    signals: tuple[OptOutSignal, ...]


def probe(url: str, settings: CrawlSettings) -> ArchiveProbe:
    """Look at an archive through one of its addresses, best that of a story.

    Raises:
        UsageError: no contact, no web address, no such profile.
        UserError: the host cannot be reached, or makes us wait for minutes.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url!r} is no web address: give one of a story, http://... included")
    try:
        found = asyncio.run(asyncio.wait_for(_probe(url, settings), LONGEST_S))
    except TimeoutError:
        raise Busy(f"{parts.netloc} makes us wait for minutes: try again later") from None
    return replace(found, verdict=found.verdict.typed(url, settings.contact))


async def _probe(url: str, settings: CrawlSettings) -> ArchiveProbe:
    name, profile = _profile_of(url, settings)
    with tempfile.TemporaryDirectory(prefix="kkoracle-probe-") as folder:
        connection = pages.connect(Path(folder))
        try:
            async with client_for(profile, settings, concurrency=1) as client:
                polite_client = PoliteClient(
                    client, ThrottlePool(client, HostTable(connection), settings)
                )
                return await _ProbeRun(url, name, profile, polite_client).run()
        finally:
            connection.close()


def _profile_of(url: str, settings: CrawlSettings) -> tuple[str, Profile]:
    """The profile that knows the address; else the generic one, with no name."""
    parts = urlsplit(url)
    here = {"base": f"{parts.scheme}://{parts.netloc}"}
    if settings.profile:
        named = profiles.load(settings, settings.profile)
        fits = CrawlScope(named).in_scope(url)
        return settings.profile, named if fits else named.model_copy(update=here)
    for name, profile in profiles.builtin().items():
        if name != "generic" and CrawlScope(profile).in_scope(url):
            return name, profile
    generic = profiles.builtin()["generic"]
    return "", generic.model_copy(update={**here, "min_words": MIN_WORDS})


class _ProbeRun:
    """One probe; each of its pages is kept as it was seen."""

    def __init__(self, url: str, name: str, profile: Profile, polite_client: PoliteClient) -> None:
        self._url = url
        self._name = name
        self._profile = profile
        self._client = polite_client
        self._site = CrawlScope(profile)
        self._reader = PageReader(profile, "probe")
        self._seen: list[ProbedPage] = []
        self._signals: set[OptOutSignal] = set()
        self._notes: list[str] = []
        self._texts: list[str] = []
        self._tags: list[str] = []

    async def run(self) -> ArchiveProbe:
        robots = await self._client.robots(self._url)
        self._signals |= set(from_robots(robots, [self._url]))
        named = sitemaps.sitemaps_in_robots(robots)
        if named:
            self._notes.append(f"robots.txt names sitemaps, such as {printable(named[0])}")
        try:
            first = await self._client.get(self._url)
        except FetchError as error:
            return self._end(self._error_verdict(error))
        if first.response.status != 200:
            return self._end(_status_verdict(first))
        if is_block_page(first.response.body, "", []):
            why = "it shows a block page instead: the site keeps programs out"
            return self._end(ProbeVerdict("cannot be had", (why,), "ask the newspaper for access"))
        root = self._read(first, named=True)
        for url in await self._stories(first.url, root):
            await self._get_and_read(url)
        if self._profile.routes:
            self._notes += await routes.choose_route(
                self._client, self._profile, first.url, dt.date.today()
            )
        self._notes += self._language_notes()
        return self._end(judge(self._seen, self._name))

    def _language_notes(self) -> list[str]:
        language = detect_language(self._texts, self._tags)
        said = self._profile.language
        if said and language and said != language:
            return [f"the profile says that its language is {said!r}, its pages read {language!r}"]
        return describe_language(language) if language else []

    def _end(self, verdict: ProbeVerdict) -> ArchiveProbe:
        full = replace(verdict, notes=(*verdict.notes, *self._notes))
        return ArchiveProbe(self._url, full, self._client.requests, tuple(sorted(self._signals)))

    def _read(self, page: FetchedPage, *, named: bool = False) -> Any:
        """Read a page and note what it shows.

        Args:
            named: the page that the operator named; it may be an index.
        """
        root = parse(markup_of(page.response, self._profile))
        self._signals |= set(
            from_headers(page.response.headers.items() if page.response.headers else ())
        )
        self._signals |= set(from_page(root))
        if root is not None:
            self._texts.append("\n".join(paragraphs([root])))
            self._tags.append(declared_language(root))
        link = self._site.classify(page.url)
        kind = link.kind if link else ""
        found = self._reader.read(
            StoredPage(
                "probe",
                page.url,
                kind,
                link.issue if link else "",
                None,
                page.response.charset,
                page.response.body,
            )
        )
        stories = [story for story, _ in found.stories]
        words = sum(count_words(story.text) for story in stories)
        expected = self._site.has_stories(kind) if self._name else not named
        self._seen.append(
            ProbedPage(
                page.url,
                expected,
                page_facts(root),
                words,
                len(stories),
                any(story.low_confidence for story in stories),
                any(story.title for story in stories),
                any(story.published for story in stories),
            )
        )
        if named and root is not None:
            feeds = [each.get("href") for each in root.iter("link") if each.get("type") in FEEDS]
            if feeds and feeds[0] and (feed := joined(page.url, feeds[0])):
                self._notes.append(f"it has a feed: {printable(feed)}")
            if frame := next((each.get("src") for each in root.iter("frame")), ""):
                self._notes.append(f"its text is in frames: {printable(joined(page.url, frame))}")
        return root

    async def _stories(self, url: str, root: Any) -> list[str]:
        """Stories that the page leads to; with a profile, through indexes if it must be."""
        for _ in range(HOPS):
            found = self._candidates(url, root, stories=True)
            indexes = self._candidates(url, root, stories=False)
            if found or not self._name or not indexes:
                return found[:STORIES]
            url = indexes[len(indexes) // 2]  # the first and last are often not full yet
            page = await self._get(url)
            if page is None:
                return []
            root = parse(markup_of(page.response, self._profile))
        return self._candidates(url, root, stories=True)[:STORIES]

    def _candidates(self, url: str, root: Any, *, stories: bool) -> list[str]:
        """Links by the profile's kinds, or those that look like headlines."""
        found = []
        for href in headlines(root) if not self._name else _links(root):
            link = self._site.classify(href, url)
            if link is None or (self._name and self._site.has_stories(link.kind) != stories):
                continue
            address = self._site.absolute(link.url)
            if address != url and address not in found:
                found.append(address)
        return found

    async def _get_and_read(self, url: str) -> None:
        if page := await self._get(url):
            self._read(page)

    async def _get(self, url: str) -> FetchedPage | None:
        """A page with status 200, or a note why there is none."""
        try:
            page = await self._client.get(url)
        except FetchError as error:
            self._notes.append(f"{url}: {error.reason}")
            return None
        if page.response.status != 200:
            self._notes.append(f"{url}: http-{page.response.status}")
            return None
        return page

    def _error_verdict(self, error: FetchError) -> ProbeVerdict:
        if error.reason == "robots":
            why = "its rules for us do not allow this address"
            then = "ask the newspaper; the crawl obeys in any case"
            return ProbeVerdict("refused by robots.txt", (why,), then)
        return ProbeVerdict("cannot be had", (f"the request ended as {error.reason}",))


def _status_verdict(page: FetchedPage) -> ProbeVerdict:
    status = page.response.status
    answer: ProbeAnswer = "paywalled" if status in (401, 402) else "cannot be had"
    return ProbeVerdict(answer, (f"it {_STATUS.get(status, 'answers')} (http-{status})",))


def _links(root: Any) -> Iterable[str]:
    return [] if root is None else [each.get("href") for each in root.iter("a") if each.get("href")]


def print_result(found: ArchiveProbe, *, as_json: bool) -> int:
    """Print what it came to; returns the exit code."""
    code = OK if found.verdict.answer == "will work" else FAILED
    if as_json:
        print(orjson.dumps(found).decode())  # noqa: T201
        return code
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{found.verdict.answer}: ", style="bold", end="", markup=False)
    console.print("; ".join(found.verdict.why), markup=False)
    for note in found.verdict.notes:
        console.print(f"  {note}", markup=False)
    for signal in found.signals:
        console.print(f"  against training: {signal.where}: {signal.says}", markup=False)
    if found.verdict.then:
        console.print(f"  next: {found.verdict.then}", markup=False)
    console.print(f"  ({found.requests} pages asked for, beside robots.txt)", markup=False)
    return code
