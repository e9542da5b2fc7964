"""A handful of polite requests outside the crawl: robots.txt first, in turn, never in a hurry."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin

from crawler.client import MAX_BODY, Client, Got, Refused
from crawler.doorbell import Doorbell

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer, and the address that gave it."""

    url: str
    got: Got


class Asker:
    """Asks for single pages by the rules that the crawl obeys; keeps them, so use it for few."""

    def __init__(self, client: Client, doorbell: Doorbell) -> None:
        self._client = client
        self._doorbell = doorbell
        self.requests = 0  # of pages; robots.txt is apart
        self._had: dict[str, Asked] = {}

    async def robots(self, url: str) -> str:
        """The robots.txt of an address's host, "" when it has none."""
        return (await self._doorbell.gate(url)).host.robots or ""

    async def get(self, url: str, *, html: bool = True, limit: int = MAX_BODY) -> Asked:
        """Ask for a page and follow its redirects; one that was asked for is not asked again.

        Raises:
            Refused: "robots", "redirects", or a reason of `Client.get`.
        """
        if url in self._had:
            return self._had[url]
        wanted = url
        for _ in range(MAX_REDIRECTS + 1):
            gate = await self._doorbell.gate(url)
            if not gate.rules.allows(url):
                raise Refused("robots")
            await gate.turn()
            self.requests += 1
            got = await self._client.get(url, html=html, limit=limit)
            if got.status not in _REDIRECTS or not got.location:
                self._had[wanted] = Asked(url, got)
                return self._had[wanted]
            try:
                url = urljoin(url, got.location.strip()).partition("#")[0]
            except ValueError:
                break
        raise Refused("redirects")
