"""robots.txt by RFC 9309: what an answer means, and what its rules say. Pure functions.

Protego reads an HTML error page as "everything is allowed", so the status and the type are
looked at before anything is parsed.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from crawler.settings import AGENT

MAX_BYTES = 512 * 1024  # the RFC asks for at least 500 KiB; the rest is ignored
FRESH_S = 86_400.0
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class RobotsResponse:
    """Either rules ("" allows everything), or the reason why none could be had."""

    rules: str | None
    reason: str = ""


def interpret(status: int, content_type: str, body: bytes) -> RobotsResponse:
    """What the answer to a request for robots.txt means.

    No such file (4xx) allows everything; 429 and 5xx forbid everything for now.
    """
    if status == 429 or status >= 500:
        return RobotsResponse(None, f"http-{status}")
    if not 200 <= status < 300:
        return RobotsResponse("")
    head = body[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if "html" in content_type.lower() or head.startswith((b"<!doctype", b"<html", b"<")):
        return RobotsResponse("")  # a page that says "not found" with status 200
    return RobotsResponse(body[:MAX_BYTES].decode("utf-8", "replace").removeprefix("\ufeff"))


class RobotsRules:
    """The rules of one host for us."""

    def __init__(self, text: str) -> None:
        from protego import Protego

        self._rules: Any = Protego.parse(text) if text.strip() else None
        visit = self._rules.visit_time(AGENT) if self._rules else None
        self._visit = tuple(map(_second_of_day, visit)) if visit else None

    def allows(self, url: str) -> bool:
        """True when we may ask for the address."""
        return self._rules is None or bool(self._rules.can_fetch(url, AGENT))

    @property
    def delay(self) -> float:
        """Least seconds between requests by Crawl-delay and Request-rate; 0 without either."""
        if self._rules is None:
            return 0.0
        delay = float(self._rules.crawl_delay(AGENT) or 0)
        rate = self._rules.request_rate(AGENT)
        if rate and rate.requests > 0:
            delay = max(delay, rate.seconds / rate.requests)
        return max(delay, 0.0)

    def opens_in(self, now: float) -> float:
        """Seconds until Visit-time lets us in; 0 within it, and where none is named.

        Args:
            now: seconds since the epoch. Visit-time is in UTC, and may cross midnight.
        """
        if self._visit is None:
            return 0.0
        opens, closes = self._visit
        at = now % DAY_S
        inside = opens <= at < closes if opens < closes else at >= opens or at < closes
        return 0.0 if inside else (opens - at) % DAY_S

    @property
    def open_share(self) -> float:
        """The part of a day in which Visit-time lets us in."""
        if self._visit is None:
            return 1.0
        opens, closes = self._visit
        return ((closes - opens) % DAY_S or DAY_S) / DAY_S


def _second_of_day(at: dt.time) -> int:
    return at.hour * 3600 + at.minute * 60
