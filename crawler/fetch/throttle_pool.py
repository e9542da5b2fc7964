"""Gates by host: reads robots.txt before the first page, and again every day."""

from __future__ import annotations

import asyncio
import logging
import time
from urllib.parse import urljoin

from crawler.fetch import robots
from crawler.fetch.client import FetchError, HttpClient, HttpResponse
from crawler.fetch.hosts import HostTable
from crawler.fetch.politeness import HostThrottle
from crawler.fetch.robots import RobotsResponse
from crawler.settings import CrawlSettings
from exchange.errors import NotAllowed, Unreachable
from exchange.net import parse_retry_after

log = logging.getLogger(__name__)

ROBOTS_REDIRECTS = 5  # as the RFC asks for; they may lead to other hosts


class ThrottlePool:
    """Hands out the gate of each host, with fresh rules."""

    def __init__(self, client: HttpClient, book: HostTable, settings: CrawlSettings) -> None:
        self._client = client
        self._book = book
        self._settings = settings
        self._gates: dict[str, HostThrottle] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._reached = False

    def known(self) -> list[HostThrottle]:
        """The gates in use."""
        return list(self._gates.values())

    async def gate(self, url: str) -> HostThrottle:
        """The gate of an address's host; waits while its rules cannot be had.

        Raises:
            UserError: the very first request of this run cannot reach its host.
        """
        scheme, _, rest = url.partition("://")
        origin = f"{scheme}://{rest.partition('/')[0].partition('?')[0]}"
        gate = self._gates.get(origin)
        if gate is not None and _fresh(gate):
            return gate
        async with self._locks.setdefault(origin, asyncio.Lock()):
            gate = self._gates.get(origin)
            if gate is None:
                gate = HostThrottle(
                    self._book.load(origin),
                    self._book,
                    self._settings.delay,
                    self._settings.retry_s,
                    jitter=self._settings.jitter,
                    latency_factor=self._settings.latency_factor,
                )
                if gate.host.robots is not None:
                    gate.set_rules(robots.RobotsRules(gate.host.robots))
            while not _fresh(gate):
                await self._refresh(gate)
            self._gates[origin] = gate
        return gate

    async def _refresh(self, gate: HostThrottle) -> None:
        answer = await self._ask(gate)
        if answer.rules is not None:
            gate.store_robots(answer.rules)
        elif gate.host.robots is not None:
            gate.store_robots(gate.host.robots)  # RFC 9309, 2.3.1.4: the old rules will do a day
        else:
            log.warning(
                "%s/robots.txt cannot be had (%s): nothing is asked for until it can",
                gate.host.origin,
                answer.reason,
            )

    async def _ask(self, gate: HostThrottle) -> RobotsResponse:
        url = f"{gate.host.origin}/robots.txt"
        got = HttpResponse(404)
        for _ in range(ROBOTS_REDIRECTS + 1):
            started = await gate.turn()
            try:
                got = await self._client.get(url, html=False, limit=robots.MAX_BYTES)
            except FetchError as refusal:
                self._cannot(gate, refusal, started, asked=url)
                return RobotsResponse(None, refusal.reason)
            self._reached = True
            gate.answered(started)
            if not 300 <= got.status < 400 or not got.location:
                break
            try:
                url = urljoin(url, got.location)
            except ValueError:
                break
        if got.status == 429 or got.status >= 500:
            gate.refuse(parse_retry_after(got.retry_after, time.time()), started)
        return robots.interpret(got.status, got.content_type, got.body)

    def _cannot(self, gate: HostThrottle, refusal: FetchError, started: float, asked: str) -> None:
        redirected = not asked.startswith(gate.host.origin + "/")
        if refusal.reason == "private" and not redirected:
            raise NotAllowed(
                f"{gate.host.origin} is a private address: a profile must say allow_private = "
                "true to crawl it"
            )
        if not self._reached:
            raise Unreachable(
                f"cannot reach {gate.host.origin} ({refusal.reason}): check the network, and the "
                "address in the profile's base or [crawl] base_url; nothing was lost"
            )
        gate.unreachable(started)


def _age(gate: HostThrottle) -> float:
    return time.time() - gate.host.robots_at


def _fresh(gate: HostThrottle) -> bool:
    return gate.host.robots is not None and _age(gate) < robots.FRESH_S
