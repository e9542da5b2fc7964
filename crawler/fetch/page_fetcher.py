"""One page, from its claim to its outcome: robots, throttle, redirects, body, links.

Whatever a server does ends in an outcome with a reason code; nothing here raises for it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from crawler import records
from crawler.discovery.links import (
    MAX_LIST_BYTES,
    canonical_of,
    extract_links,
    frames_of,
    links_from_robots,
    read_list,
)
from crawler.discovery.parts import next_part
from crawler.extract.charset import decode, markup_of
from crawler.fetch.block_pages import BLOCK_PAGE_BYTES, is_block_page
from crawler.fetch.client import MAX_BODY, HttpClient
from crawler.fetch.politeness import HostThrottle
from crawler.fetch.redirects import RedirectPath, failed, left_out, refresh_target
from crawler.fetch.response import FetchError
from crawler.frontier.clock import steady_time
from crawler.frontier.identity import LOOP
from crawler.patterns import compile_pattern
from crawler.records import FetchOutcome, HttpResponse, Link, PageClaim
from crawler.scope import CrawlScope
from crawler.settings import CrawlSettings
from exchange.net import parse_retry_after

LONGEST_RETRY_S = 6 * 3600.0
RETRY_GROWTH = 4.0
BUSY_TRIES = 12  # refusals come from the host, rarely from the page; their pauses grow to a day
_RETRIED = {"timeout", "broken"}  # may be better next time
# What a host does that is in trouble, or does not want us. 429 and 503 pause it by themselves.
_TROUBLE = _RETRIED | {"blocked", "http-403", "http-408", "http-425"}
_PAUSED = {"http-429", "http-503", "connect"}
ThrottleLookup = Callable[[str], Awaitable[HostThrottle]]
AcquireThrottle = Callable[[HostThrottle], Awaitable[float]]


class PageFetcher:
    """Turns claims into outcomes.

    Args:
        throttle_for: the throttle of an address's host, its robots rules read.
        acquire: waits until a request may start; the crawl wraps it to know which requests are
            under way.
    """

    def __init__(
        self,
        client: HttpClient,
        site: CrawlScope,
        throttle_for: ThrottleLookup,
        acquire: AcquireThrottle,
        settings: CrawlSettings,
    ) -> None:
        self._client = client
        self._site = site
        self._throttle_for = throttle_for
        self._acquire = acquire
        self._settings = settings
        self._marks = [compile_pattern(mark) for mark in site.profile.block_marks]

    async def fetch(self, claim: PageClaim) -> FetchOutcome:
        """Ask for one page, following redirects that stay what they were."""
        url = self._site.absolute(claim.url)
        if claim.kind == records.ROBOTS:
            return links_from_robots(claim, (await self._throttle_for(url)).host.robots, self._site)
        page = not records.is_list(claim.kind)
        way = RedirectPath(claim, url, self._site)
        while True:
            throttle = await self._throttle_for(url)
            if not throttle.rules.allows(url):
                return left_out(claim, "robots", way.requests)
            started = await self._acquire(throttle)
            way.requests += 1
            try:
                response = await self._client.get(
                    url,
                    html=page,
                    limit=MAX_BODY if page else MAX_LIST_BYTES,
                    etag="" if claim.is_part else claim.etag,  # its own links say what follows
                    last_modified="" if claim.is_part else claim.last_modified,
                    cookies=way.cookies_for(url),
                )
            except FetchError as error:
                return _count_for_breaker(
                    throttle, self._outcome_of_error(claim, error, throttle, started, way.requests)
                )
            throttle.on_answer(started)
            if response.status == 200 and not page:
                return await read_list(claim, url, response, self._site, way.requests)
            target = response.redirect_target(url)
            if target is None and response.status == 200:
                refreshed = refresh_target(response.body, url)  # believed within the newspaper
                target = refreshed if refreshed and self._site.classify(refreshed) else None
            if target is None:
                outcome = way.ended_at(url) or self._outcome_of_response(
                    claim, url, response, throttle, started, way.requests
                )
                return _count_for_breaker(throttle, outcome)
            way.note_cookies(url, response)
            if (ended := way.decide(target)) is not None:
                return ended
            url = target

    def _outcome_of_error(
        self,
        claim: PageClaim,
        error: FetchError,
        throttle: HostThrottle,
        started: float,
        requests: int,
    ) -> FetchOutcome:
        if error.reason == "connect":
            throttle.on_unreachable(started)
            return FetchOutcome(
                claim.id,
                "waiting",
                "connect",
                throttle.host.paused_until,
                counts_as_try=False,
                requests=requests,
            )
        if error.reason == "timeout":
            throttle.add_latency(started)
        if error.reason in _RETRIED:
            return self._retry_later(claim, error.reason, requests, received=error.received)
        left_out = error.reason == "not-html"
        return FetchOutcome(
            claim.id,
            "left_out" if left_out else "failed",
            error.reason,
            status=error.status,
            received=error.received,
            requests=requests,
        )

    def _outcome_of_response(
        self,
        claim: PageClaim,
        url: str,
        response: HttpResponse,
        throttle: HostThrottle,
        started: float,
        requests: int,
    ) -> FetchOutcome:
        reason = f"http-{response.status}"
        if response.status in (429, 503):
            throttle.on_refusal(parse_retry_after(response.retry_after, time.time()), started)
            return self._retry_later(
                claim,
                reason,
                requests,
                response.status,
                throttle.host.paused_until,
                tries=BUSY_TRIES,
            )
        if response.status >= 500 or response.status in (408, 425):
            return self._retry_later(claim, reason, requests, response.status)
        if response.status == 304 and (claim.etag or claim.last_modified):
            return FetchOutcome(claim.id, "done", status=304, requests=requests)
        if response.status != 200:
            return failed(claim, reason, requests, response.status)
        if self._blocked(response):
            throttle.on_refusal(None, started)
            return self._retry_later(
                claim,
                "blocked",
                requests,
                200,
                throttle.host.paused_until,
                received=len(response.body),
            )
        has_story = self._site.has_stories(claim.kind)
        charset = (response.charset, self._site.profile.charset, self._site.profile.language)
        links: tuple[Link, ...] = ()
        if not self._site.has_links(claim.kind):
            links = frames_of(claim, response.body, url, self._site)
        elif not claim.is_part:
            markup = markup_of(response, self._site.profile)
            links = extract_links(
                markup, url, self._site, claim.kind, claim.issue, source=response.body
            )
        return FetchOutcome(
            claim.id,
            "done",
            status=200,
            etag=response.etag,
            last_modified=response.last_modified,
            charset=response.charset,
            body=response.body,
            received=len(response.body),
            requests=requests,
            has_story=has_story,
            links=links,
            canonical=self._canonical(claim, response, url) if has_story else None,
            next_part=next_part(claim, response.body, url, self._site, charset),
        )

    def _canonical(self, claim: PageClaim, response: HttpResponse, url: str) -> Link | None:
        """The page's own address, by what it says, or by where a way round a loop has ended."""
        if claim.is_part:
            return None
        named = canonical_of(claim, response.body, url, self._site)
        if named is not None or claim.reason != LOOP:
            return named
        ended = self._site.classify(url, issue=claim.issue)
        return None if ended is None or ended.key == claim.key else ended

    def _blocked(self, response: HttpResponse) -> bool:
        text = ""
        if self._marks:
            text = decode(
                response.body[:BLOCK_PAGE_BYTES],
                response.charset,
                self._site.profile.charset,
                self._site.profile.language,
            )
        return is_block_page(response.body, text, self._marks)

    def _retry_later(
        self,
        claim: PageClaim,
        reason: str,
        requests: int,
        status: int = 0,
        not_before: float = 0.0,
        received: int = 0,
        tries: int = 0,
    ) -> FetchOutcome:
        """Ask again later, each time four times later, until the tries are used up."""
        if claim.tries + 1 >= max(tries, self._settings.tries):
            return failed(claim, reason, requests, status)
        wait = min(self._settings.retry_s * RETRY_GROWTH**claim.tries, LONGEST_RETRY_S)
        at = not_before or steady_time() + wait
        return FetchOutcome(
            claim.id, "waiting", reason, at, status=status, received=received, requests=requests
        )


def _count_for_breaker(throttle: HostThrottle, outcome: FetchOutcome) -> FetchOutcome:
    """Count an outcome for the host's breaker; a page that fails as it opens is tried again."""
    if outcome.reason in _PAUSED:
        return outcome
    trouble = outcome.reason in _TROUBLE or outcome.status >= 500
    if throttle.count_outcome(good=not trouble) and outcome.state == "failed":
        return replace(outcome, state="waiting", next_at=throttle.host.paused_until)
    return outcome
