"""Two ways to the same stories: is a newspaper's page enough, or must each story be asked for?

Where the page shows its stories whole, one request brings several; where it shows only their
beginnings, each needs its own.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, deque

from crawler.discovery.links import extract_links
from crawler.extract.charset import markup_of
from crawler.extract.page import PageReader, StoredPage
from crawler.fetch.response import FetchError
from crawler.fetch.throttle_pool import PoliteClient
from crawler.profile import Profile
from crawler.profiles import by_route
from crawler.scope import CrawlScope

COMPARED = 2  # stories that are asked for
WHOLE = 0.95  # of a story's words stand on the page: it is there whole


async def choose_route(
    client: PoliteClient, profile: Profile, url: str, today: dt.date
) -> list[str]:
    """Say which route to take, and why; [] for a profile that knows one at most.

    A route whose stories stand on pages that another route only follows is the shorter one. Such
    a page is the one that was named, else that of an issue of last week.
    """
    for short, long in ((a, b) for a in profile.routes for b in profile.routes if a != b):
        one, other = CrawlScope(by_route(profile, short)), CrawlScope(by_route(profile, long))
        dated = one.dated(today - dt.timedelta(days=7))
        for link in (one.classify(url), *deque(dated, maxlen=1)):
            if link and one.has_stories(link.kind) and not other.has_stories(link.kind):
                page = one.absolute(link.url)
                return [await _compare(client, page, short, long, one, other)]
    return []


async def _compare(
    client: PoliteClient, url: str, short: str, long: str, one: CrawlScope, other: CrawlScope
) -> str:
    try:
        page_fetched = await client.get(url)
    except FetchError as error:
        return f"the routes {short!r} and {long!r} could not be compared ({error.reason})"
    page = _texts(one, url, page_fetched.response.body, page_fetched.response.charset)
    markup = markup_of(page_fetched.response, one.profile)
    link = other.classify(url)
    found = [
        each
        for each in extract_links(markup, url, other, link.kind if link else "", "")
        if other.has_stories(each.kind)
    ]
    shares = []
    for each in found[:COMPARED]:
        try:
            story_fetched = await client.get(other.absolute(each.url))
        except FetchError:
            continue
        stories = _texts(
            other,
            other.absolute(each.url),
            story_fetched.response.body,
            story_fetched.response.charset,
        )
        if stories:
            shares.append(max((_shared_words(stories[0], known) for known in page), default=0.0))
    if not shares:
        return f"route {long!r}: no story could be compared, and it is the safe one"
    share = min(shares)
    if share >= WHOLE:
        return (
            f"route {short!r}: the page shows its {len(page)} stories whole, one request for "
            f'all (set [crawl] route = "{short}")'
        )
    return (
        f"route {long!r}: the page shows only {share:.0%} of a story's words (set [crawl] "
        f'route = "{long}")'
    )


def _texts(site: CrawlScope, url: str, body: bytes, charset: str) -> list[list[str]]:
    link = site.classify(url)
    page = StoredPage("probe", url, link.kind if link else "", "", None, charset, body)
    return [story.text.split() for story, _ in PageReader(site.profile, "probe").read(page).stories]


def _shared_words(story: list[str], page: list[str]) -> float:
    """Share of a story's words, counted, that stand in another text."""
    return (Counter(story) & Counter(page)).total() / max(1, len(story))
