"""robots.txt by RFC 9309: what an answer means, and what its rules say. Pure functions.

Rules are told by what stands in a file, not by its type: servers send them as text/html, under a
warning of their own, or between the tags of a page.
"""

from __future__ import annotations

import datetime as dt
import html
import re
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


def interpret(status: int, body: bytes) -> RobotsResponse:
    """What the answer to a request for robots.txt means.

    No such file (4xx) allows everything; 429 and 5xx forbid everything for now.
    """
    if status == 429 or status >= 500:
        return RobotsResponse(None, f"http-{status}")
    if not 200 <= status < 300:
        return RobotsResponse("")
    return RobotsResponse(_rules_in(body[:MAX_BYTES]))


_MARKUP = re.compile(r"<!--|-->|<[!/?]?[a-z][^<>]*>", re.I)
_GROUP = re.compile(r"^[ \t]*user-?[ \t]?agent[ \t]*:", re.I | re.M)


def _rules_in(body: bytes) -> str:
    """The rules that stand in a file, its markup taken away; "" for a page without any."""
    utf16 = body.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = body.decode("utf-16" if utf16 else "utf-8", "replace").removeprefix("\ufeff")
    if not _MARKUP.search(text):
        return text
    bare = html.unescape(_MARKUP.sub("\n", text))
    return bare if _GROUP.search(bare) else ""


# Other ways to write our name and a time, which Protego does not know.
_OUR_NAME = re.compile(
    rf"^([ \t]*user-?[ \t]?agent[ \t]*:[ \t]*){AGENT}(?![\w-])[^#\r\n]*", re.I | re.M
)
_DELAY = re.compile(
    r"^([ \t]*crawl-?[ \t]?delay[ \t]*:[ \t]*)(\d+)(?:[.,](\d+))?[ \t]*(ms|[a-z]?)[^#\r\n]*",
    re.I | re.M,
)
_SECONDS = {"ms": 0.001, "m": 60.0, "h": 3600.0}


def _in_seconds(found: re.Match[str]) -> str:
    """A Crawl-delay such as `10s`, `1,5` or `2 min` as a plain number of seconds."""
    number = float(f"{found[2]}.{found[3] or 0}") * _SECONDS.get(found[4].lower(), 1.0)
    return f"{found[1]}{min(number, DAY_S):.6f}"


class RobotsRules:
    """The rules of one host for us."""

    def __init__(self, text: str) -> None:
        from protego import Protego

        plain = _DELAY.sub(_in_seconds, _OUR_NAME.sub(rf"\1{AGENT}", text))
        self._rules: Any = Protego.parse(plain) if plain.strip() else None
        visit = self._rules.visit_time(AGENT) if self._rules else None
        self._visit = tuple(map(_second_of_day, visit)) if visit else None

    def allows(self, url: str) -> bool:
        """True when we may ask for the address."""
        return self._rules is None or bool(self._rules.can_fetch(url, AGENT))

    @property
    def delay(self) -> float:
        """Least seconds between requests by Crawl-delay and Request-rate; 0 without either, and
        never more than a day."""
        if self._rules is None:
            return 0.0
        delay = float(self._rules.crawl_delay(AGENT) or 0)
        rate = self._rules.request_rate(AGENT)
        if rate and rate.requests > 0:  # whole numbers of any length
            delay = max(delay, min(rate.seconds, DAY_S * rate.requests) / rate.requests)
        return min(max(delay, 0.0), float(DAY_S))

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
