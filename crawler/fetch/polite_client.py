"""A handful of polite requests outside the crawl: robots.txt first, in turn, never in a hurry."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin

from crawler.fetch.client import MAX_BODY, FetchError, HttpClient, HttpResponse
from crawler.fetch.throttle_pool import ThrottlePool

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """An answer, and the address that gave it."""

    url: str
    got: HttpResponse


class PoliteClient:
    """Asks for single pages by the rules that the crawl obeys; keeps them, so use it for few."""

    def __init__(self, client: HttpClient, throttles: ThrottlePool) -> None:
        self._client = client
        self._throttles = throttles
        self.requests = 0  # of pages; robots.txt is apart
        self._had: dict[str, FetchedPage] = {}

    async def robots(self, url: str) -> str:
        """The robots.txt of an address's host, "" when it has none."""
        return (await self._throttles.gate(url)).host.robots or ""

    async def get(self, url: str, *, html: bool = True, limit: int = MAX_BODY) -> FetchedPage:
        """Ask for a page and follow its redirects; one that was asked for is not asked again.

        Raises:
            Refused: "robots", "redirects", or a reason of `Client.get`.
        """
        if url in self._had:
            return self._had[url]
        wanted = url
        for _ in range(MAX_REDIRECTS + 1):
            gate = await self._throttles.gate(url)
            if not gate.rules.allows(url):
                raise FetchError("robots")
            await gate.turn()
            self.requests += 1
            got = await self._client.get(url, html=html, limit=limit)
            if got.status not in _REDIRECTS or not got.location:
                self._had[wanted] = FetchedPage(url, got)
                return self._had[wanted]
            try:
                url = urljoin(url, got.location.strip()).partition("#")[0]
            except ValueError:
                break
        raise FetchError("redirects")
