"""A few dozen pages to learn from: asked of the site, read from a folder, or from the raw store.

Pages that are asked for are kept in a folder with their addresses, so that a second run asks for
nothing again. Requests go through the crawl's own client, robots rules and throttles.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from crawler import profiles
from crawler.extract.charset import as_utf8
from crawler.extract.html import parse
from crawler.fetch.client import client_for
from crawler.fetch.hosts import HostTable
from crawler.fetch.page_fetcher import PageFetcher
from crawler.fetch.politeness import HostThrottle
from crawler.fetch.throttle_pool import ThrottlePool
from crawler.frontier import pages as store
from crawler.learn.addresses import steps
from crawler.learn.labels import PROSE_WORDS
from crawler.learn.units import ParsedPage
from crawler.profile import Profile
from crawler.records import Link, PageClaim
from crawler.scope import CrawlScope
from crawler.settings import CrawlSettings
from exchange.display import format_duration
from exchange.errors import Busy, NotFound, Unreachable

LIST = "pages.jsonl"  # one line a page: file and address
KIND = "page"  # the one kind of the generic profile
STORY_WORDS = 40  # in prose: so many, and no fewer than in links, seem to tell a story
INDEX_LINKS = 10
WANTED = {"story": 8.0, "index": 1.5, "other": 0.4}  # how often to ask again for more of a family
LONGEST_WAIT_S = 120.0  # a pause that a site asks for; a longer one is for the operator to wait
_SAVED = re.compile(r"saved from url=\(\d+\)(\S+)")
ProgressCallback = Callable[[int, int], None]  # pages so far, pages wanted


@dataclass(frozen=True, slots=True)
class RawPage:
    """A page as it was sent."""

    url: str
    body: bytes
    charset: str = ""
    issue: str = ""


def parse_pages(
    raws: Sequence[RawPage], on_progress: ProgressCallback = lambda done, total: None
) -> list[ParsedPage]:
    """Pages with their units; what cannot be parsed is left out."""
    made = []
    for number, raw in enumerate(raws):
        on_progress(number, len(raws))
        root = parse(as_utf8(raw.body, raw.charset))
        if root is not None:
            made.append(ParsedPage(raw.url or address(raw.body, root), root, raw.issue))
    return made


def address(body: bytes, root: object) -> str:
    """The address that a saved page gives itself, "" if it does not."""
    saved = _SAVED.search(body[:2000].decode("latin-1"))
    canonical = root.xpath(  # type: ignore[attr-defined]
        'string((//link[@rel="canonical"]/@href | //meta[@property="og:url"]/@content)[1])'
    )
    return saved[1] if saved else canonical if canonical.startswith("http") else ""


def from_folder(folder: Path, limit: int) -> list[RawPage]:
    """Pages of a folder: a raw store, what an earlier run kept, or saved HTML files.

    Raises:
        UserError: there is no such folder, or no page in it.
    """
    if not folder.is_dir():
        raise NotFound(f"{folder} is neither a web address nor a folder of pages")
    if (folder / store.FILE).exists() and (found := _from_store(folder, limit)):
        return found
    if (folder / LIST).exists():
        return list(_kept(folder))
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".html", ".htm", ".xhtml"))
    if not files:
        raise NotFound(f"no pages in {folder}: neither HTML files nor what a crawl has stored")
    step = max(1.0, len(files) / limit)
    return [
        RawPage("", files[math.floor(i * step)].read_bytes()) for i in range(min(limit, len(files)))
    ]


def _kept(folder: Path) -> Iterator[RawPage]:
    for line in (folder / LIST).read_bytes().splitlines():
        try:
            entry = orjson.loads(line)
            body = (folder / Path(entry["file"]).name).read_bytes()
        except (orjson.JSONDecodeError, KeyError, TypeError, OSError):
            continue  # a line that a kill cut short
        yield RawPage(str(entry["url"]), body, str(entry.get("charset", "")))


def _from_store(folder: Path, limit: int) -> list[RawPage]:
    """Pages that a crawl has stored, spread over all that it has."""
    from crawler.extract.worker import load
    from crawler.frontier.raw_store import RawStore

    try:
        connection = store.connect_readonly(folder)
    except NotFound:
        return []
    try:
        ids = [row[0] for row in connection.execute("SELECT page FROM bodies ORDER BY page")]
        random.Random(len(ids)).shuffle(ids)
        base = next((row[0] for row in connection.execute("SELECT origin FROM hosts")), "")
        bodies = RawStore(connection)
        found = [load(connection, bodies, page, base or "http://x") for page in ids[:limit]]
    finally:
        connection.close()
    return [RawPage(page.url, page.body, page.charset, page.issue) for page in found if page]


async def from_site(
    url: str, folder: Path, limit: int, settings: CrawlSettings, on_progress: ProgressCallback
) -> list[RawPage]:
    """Ask a site for about `limit` pages, most of them stories, and keep them in the folder.

    Raises:
        UsageError: no contact is set.
        UserError: the site cannot be reached, forbids us, or asks for a long pause.
    """
    profile = _profile(url)
    client = client_for(profile, settings, concurrency=1)
    folder.mkdir(parents=True, exist_ok=True)
    kept = list(_kept(folder)) if (folder / LIST).exists() else []
    queue = _PageQueue(profile, url)
    for raw in kept:
        queue.add_page(raw)
    hosts = store.connect(folder)
    try:
        async with client:
            throttles = ThrottlePool(client, HostTable(hosts), settings)
            fetcher = PageFetcher(client, queue.site, throttles.get, _acquire, settings)
            missed = 0
            while len(kept) + missed // 2 < limit and (link := queue.next()):
                on_progress(len(kept), limit)
                outcome = await fetcher.fetch(PageClaim(0, link.key, link.url, link.kind, "", 0))
                if outcome.body is None:
                    queue.add_failure(link, outcome.reason)
                    missed += 1  # asking costs the site something too
                    continue
                raw = RawPage(queue.site.absolute(link.url), outcome.body, outcome.charset)
                _keep(folder, raw)
                kept.append(raw)
                queue.add_page(raw)
    finally:
        hosts.close()
    if not kept:
        raise Unreachable(f"{url} gave no page ({queue.last_error or 'nothing to follow'})")
    return kept


async def _acquire(throttle: HostThrottle) -> float:
    wait = throttle.pause_left()
    if wait > LONGEST_WAIT_S:
        raise Busy(
            f"the site asks us to wait {format_duration(wait)}: run the same command again then; "
            "the pages asked for so far are kept"
        )
    return await throttle.acquire()


def _keep(folder: Path, raw: RawPage) -> None:
    name = hashlib.blake2b(raw.url.encode(), digest_size=8).hexdigest() + ".html"
    (folder / name).write_bytes(raw.body)
    with (folder / LIST).open("ab") as out:
        out.write(orjson.dumps({"file": name, "url": raw.url, "charset": raw.charset}) + b"\n")


def _profile(url: str) -> Profile:
    parts = urlsplit(url)
    generic = profiles.builtin()["generic"]
    base = f"{parts.scheme}://{parts.netloc}"
    return generic.model_copy(update={"base": base, "start": (url,)})


class _PageQueue:
    """Which page to ask for next: every family of addresses in turn, those of stories most."""

    def __init__(self, profile: Profile, start: str) -> None:
        self.site = CrawlScope(profile)
        self.last_error = ""
        first = self.site.classify(start)
        self._waiting: dict[tuple[str, ...], list[Link]] = defaultdict(list)
        self._known: set[str] = set()
        self._asked: Counter[tuple[str, ...]] = Counter()
        self._kinds_seen: dict[tuple[str, ...], list[str]] = defaultdict(list)
        if first is not None:
            self._add(first)

    def next(self) -> Link | None:
        """The most wanted page, None when nothing is left. Inside a family the dice choose."""
        families = [family for family, links in self._waiting.items() if links]
        if not families:
            return None
        family = min(families, key=lambda f: (self._asked[f] / self._weight(f), f))
        self._asked[family] += 1
        links = self._waiting[family]
        return links.pop(min(range(len(links)), key=lambda i: _seeded_random(links[i].key)))

    def add_page(self, raw: RawPage) -> None:
        """Learn from a page that came what its family is, and where it leads."""
        link = self.site.classify(raw.url)
        if link is not None:
            self._known.add(link.key)
            family = self._family(link)
            self._waiting[family] = [w for w in self._waiting[family] if w.key != link.key]
        root = parse(as_utf8(raw.body, raw.charset))
        if root is None:
            return
        found = [
            other
            for element in root.iter("a", "area")
            if (other := self.site.classify(element.get("href") or "", raw.url))
        ]
        for other in found:
            self._add(other)
        if link is not None:
            self._kinds_seen[self._family(link)].append(
                _kind(ParsedPage(raw.url, root), len(found))
            )

    def add_failure(self, link: Link, reason: str) -> None:
        self.last_error = reason
        self._kinds_seen[self._family(link)].append("other")

    def _add(self, link: Link) -> None:
        if link.key not in self._known:
            self._known.add(link.key)
            self._waiting[self._family(link)].append(link)

    def _family(self, link: Link) -> tuple[str, ...]:
        query = link.url.partition("?")[2]
        return (*steps(link.url), *sorted(part.partition("=")[0] for part in query.split("&")))

    def _weight(self, family: tuple[str, ...]) -> float:
        """What a family is worth; of two that tell stories the one with more addresses."""
        seen = self._kinds_seen[family]
        kind = WANTED[Counter(seen).most_common(1)[0][0]] if seen else 1.0
        return kind * math.log2(2 + self._asked[family] + len(self._waiting[family]))


def _kind(page: ParsedPage, links: int) -> str:
    """Does a page seem to tell a story, to lead to others, or neither?"""
    prose = sum(u.words for u in page.units if u.words >= PROSE_WORDS and u.linked * 2 < u.words)
    linked = sum(unit.linked for unit in page.units)
    if prose >= STORY_WORDS and prose >= linked:
        return "story"
    return "index" if links > INDEX_LINKS else "other"


def _seeded_random(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=8).digest()
