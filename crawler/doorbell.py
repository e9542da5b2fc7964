"""Gates by host: reads robots.txt before the first page, and again every day."""

from __future__ import annotations

import asyncio
import logging
import time
from urllib.parse import urljoin

from crawler import robots
from crawler.client import Client, Got, Refused
from crawler.hosts import HostBook
from crawler.politeness import Gate
from crawler.robots import Answer
from crawler.settings import Crawl
from exchange.errors import UserError
from exchange.retry_after import retry_after

log = logging.getLogger(__name__)

ROBOTS_REDIRECTS = 5  # as the RFC asks for; they may lead to other hosts


class Doorbell:
    """Hands out the gate of each host, with fresh rules."""

    def __init__(self, client: Client, book: HostBook, settings: Crawl) -> None:
        self._client = client
        self._book = book
        self._settings = settings
        self._gates: dict[str, Gate] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._reached = False

    def known(self) -> list[Gate]:
        """The gates in use."""
        return list(self._gates.values())

    async def gate(self, url: str) -> Gate:
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
                gate = Gate(
                    self._book.load(origin),
                    self._book,
                    self._settings.delay,
                    self._settings.retry_s,
                    jitter=self._settings.jitter,
                    latency_factor=self._settings.latency_factor,
                )
                if gate.host.robots is not None:
                    gate.set_rules(robots.Rules(gate.host.robots))
            while not _fresh(gate):
                await self._refresh(gate)
            self._gates[origin] = gate
        return gate

    async def _refresh(self, gate: Gate) -> None:
        answer = await self._ask(gate)
        if answer.rules is not None:
            gate.keep_robots(answer.rules)
        elif gate.host.robots is not None:
            gate.keep_robots(gate.host.robots)  # RFC 9309, 2.3.1.4: the old rules will do a day
        else:
            log.warning(
                "%s/robots.txt cannot be had (%s): nothing is asked for until it can",
                gate.host.origin,
                answer.reason,
            )

    async def _ask(self, gate: Gate) -> Answer:
        url = f"{gate.host.origin}/robots.txt"
        got = Got(404)
        for _ in range(ROBOTS_REDIRECTS + 1):
            started = await gate.turn()
            try:
                got = await self._client.get(url, html=False, limit=robots.MAX_BYTES)
            except Refused as refusal:
                self._cannot(gate, refusal, started, asked=url)
                return Answer(None, refusal.reason)
            self._reached = True
            gate.answered(started)
            if not 300 <= got.status < 400 or not got.location:
                break
            try:
                url = urljoin(url, got.location)
            except ValueError:
                break
        if got.status == 429 or got.status >= 500:
            gate.refuse(retry_after(got.retry_after, time.time()), started)
        return robots.interpret(got.status, got.content_type, got.body)

    def _cannot(self, gate: Gate, refusal: Refused, started: float, asked: str) -> None:
        redirected = not asked.startswith(gate.host.origin + "/")
        if refusal.reason == "private" and not redirected:
            raise UserError(
                f"{gate.host.origin} is a private address: a profile must say allow_private = "
                "true to crawl it"
            )
        if not self._reached:
            raise UserError(
                f"cannot reach {gate.host.origin} ({refusal.reason}): check the network, and the "
                "address in the profile's base or [crawl] base_url; nothing was lost"
            )
        gate.unreachable(started)


def _age(gate: Gate) -> float:
    return time.time() - gate.host.robots_at


def _fresh(gate: Gate) -> bool:
    return gate.host.robots is not None and _age(gate) < robots.FRESH_S
