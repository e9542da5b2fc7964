"""The throttles of all hosts, each with the rules of its robots.txt, which are read every day.

`PoliteClient` makes a handful of requests by them, outside the crawl.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from crawler.fetch import robots
from crawler.fetch.client import MAX_BODY, HttpClient
from crawler.fetch.hosts import HostTable
from crawler.fetch.politeness import HostThrottle
from crawler.fetch.redirects import refresh_target
from crawler.fetch.response import FetchError
from crawler.fetch.robots import RobotsResponse
from crawler.frontier.clock import steady_time
from crawler.records import HttpResponse
from crawler.settings import CrawlSettings
from exchange.errors import NotAllowed, Unreachable
from exchange.net import parse_retry_after

log = logging.getLogger(__name__)

MAX_REDIRECTS = 5  # as the RFC asks for; they may lead to other hosts


class ThrottlePool:
    """Returns the throttle of each host, with fresh rules."""

    def __init__(self, client: HttpClient, hosts: HostTable, settings: CrawlSettings) -> None:
        self._client = client
        self._hosts = hosts
        self._settings = settings
        self._throttles: dict[str, HostThrottle] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._reached = False

    def in_use(self) -> list[HostThrottle]:
        """The throttles of the hosts asked so far."""
        return list(self._throttles.values())

    async def get(self, url: str) -> HostThrottle:
        """The throttle of an address's host; waits while its rules cannot be had.

        Raises:
            UserError: the very first request of this run cannot reach its host.
        """
        scheme, _, rest = url.partition("://")
        origin = f"{scheme}://{rest.partition('/')[0].partition('?')[0]}"
        throttle = self._throttles.get(origin)
        if throttle is not None and _fresh(throttle):
            return throttle
        async with self._locks.setdefault(origin, asyncio.Lock()):
            throttle = self._throttles.get(origin)
            if throttle is None:
                throttle = HostThrottle(
                    self._hosts.load(origin),
                    self._hosts,
                    self._settings.delay,
                    self._settings.retry_s,
                    jitter=self._settings.jitter,
                    latency_factor=self._settings.latency_factor,
                )
                if throttle.host.robots is not None:
                    throttle.set_rules(robots.RobotsRules(throttle.host.robots))
            while not _fresh(throttle):
                await self._refresh(throttle)
            self._throttles[origin] = throttle
        return throttle

    async def _refresh(self, throttle: HostThrottle) -> None:
        robots_response = await self._request(throttle)
        if robots_response.rules is not None:
            throttle.store_robots(robots_response.rules)
        elif throttle.host.robots is not None:
            throttle.store_robots(
                throttle.host.robots
            )  # RFC 9309, 2.3.1.4: the old rules will do a day
        else:
            log.warning(
                "%s/robots.txt cannot be had (%s): nothing is asked for until it can",
                throttle.host.origin,
                robots_response.reason,
            )

    async def _request(self, throttle: HostThrottle) -> RobotsResponse:
        url = f"{throttle.host.origin}/robots.txt"
        response = HttpResponse(404)
        for _ in range(MAX_REDIRECTS + 1):
            started = await throttle.acquire()
            try:
                response = await self._client.get(url, html=False, limit=robots.MAX_BYTES)
            except FetchError as error:
                self._on_failure(throttle, error, started, url=url)
                return RobotsResponse(None, error.reason)
            self._reached = True
            throttle.on_answer(started)
            target = response.redirect_target(url)
            if not target or not response.location:
                break
            url = target
        if response.status == 429 or response.status >= 500:
            throttle.on_refusal(parse_retry_after(response.retry_after, time.time()), started)
        return robots.interpret(response.status, response.body)

    def _on_failure(
        self, throttle: HostThrottle, error: FetchError, started: float, url: str
    ) -> None:
        redirected = not url.startswith(throttle.host.origin + "/")
        if error.reason == "private" and not redirected:
            raise NotAllowed(
                f"{throttle.host.origin} is a private address: a profile must say allow_private = "
                "true to crawl it"
            )
        if not self._reached:
            raise Unreachable(
                f"cannot reach {throttle.host.origin} ({error.reason}): check the network, and the "
                "address in the profile's base or [crawl] base_url; nothing was lost"
            )
        throttle.on_unreachable(started)


def _fresh(throttle: HostThrottle) -> bool:
    age = steady_time() - throttle.host.robots_at
    return throttle.host.robots is not None and 0 <= age < robots.FRESH_S


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """An answer, and the address that gave it."""

    url: str
    response: HttpResponse


class PoliteClient:
    """Asks for single pages by the rules that the crawl obeys; keeps them, so use it for few."""

    def __init__(self, client: HttpClient, throttles: ThrottlePool) -> None:
        self._client = client
        self._throttles = throttles
        self.requests = 0  # of pages; robots.txt is apart
        self._cache: dict[str, FetchedPage] = {}

    async def robots(self, url: str) -> str:
        """The robots.txt of an address's host, "" when it has none."""
        return (await self._throttles.get(url)).host.robots or ""

    async def get(self, url: str, *, html: bool = True, limit: int = MAX_BODY) -> FetchedPage:
        """Ask for a page and follow its redirects; one that was asked for is not asked again.

        Raises:
            FetchError: "robots", "redirects", or a reason of `HttpClient.get`.
        """
        if url in self._cache:
            return self._cache[url]
        wanted = url
        for _ in range(MAX_REDIRECTS + 1):
            throttle = await self._throttles.get(url)
            if not throttle.rules.allows(url):
                raise FetchError("robots")
            await throttle.acquire()
            self.requests += 1
            response = await self._client.get(url, html=html, limit=limit)
            target = response.redirect_target(url) if response.location else None
            if html and target is None:
                target = refresh_target(response.body, url)
            if target is None:
                self._cache[wanted] = FetchedPage(url, response)
                return self._cache[wanted]
            if not target:
                break
            url = target
        raise FetchError("redirects")
