"""Turns at one host: never a burst, never during a pause, and only what robots.txt allows."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from statistics import fmean

from aiolimiter import AsyncLimiter

from crawler.fetch.hosts import HostState, HostTable, after_refusal
from crawler.fetch.robots import RobotsRules
from exchange.display import format_duration

# When a host mostly fails, more requests help nobody. Pure: outcomes in, "stop" out.

BREAKER_WINDOW = 20  # the last outcomes that are looked at
MIN_OUTCOMES = 10  # fewer say nothing
BAD_SHARE = 0.5


class HostBreaker:
    """Opens when at least half of a host's last answers were errors.

    After it has opened it judges anew, by answers that came since.
    """

    def __init__(self) -> None:
        self._last: deque[bool] = deque(maxlen=BREAKER_WINDOW)

    def note(self, good: bool) -> bool:
        """Take one outcome; true when it is time to leave the host alone for a while."""
        self._last.append(good)
        bad = self._last.count(False)
        if good or len(self._last) < MIN_OUTCOMES or bad < BAD_SHARE * len(self._last):
            return False
        self._last.clear()
        return True

    @property
    def healthy(self) -> bool:
        """A whole window without an error."""
        return len(self._last) == BREAKER_WINDOW and all(self._last)


log = logging.getLogger(__name__)

RECHECK_S = 0.5  # a pause may grow while we wait, so look again this often
LONGEST_UNREACHABLE_S = 3600.0
LATENCIES = 8  # answers whose mean says how busy the host is
LONGEST_SLOW_S = 60.0  # a host that is slower than that is a matter for timeouts and the breaker
STEP = 1.25  # a delay that follows latency moves in steps: each change costs a turn
RATE_WINDOW_S = 30.0


class HostThrottle:
    """One host's turn-taking.

    The delay is the longest of ours, what robots.txt asks for, and (if asked for) so many times
    the time that answers take. A refusal pauses everyone who waits here; the pause is stored
    before anything else happens, so that a restart keeps it. Outside the hours of the site's
    Visit-time nobody's turn comes.

    Args:
        jitter: each gap is made longer by up to this share of the delay, at random.
        latency_factor: 0 to leave latency out.
    """

    def __init__(
        self,
        host: HostState,
        book: HostTable,
        delay: float,
        first_away_s: float,
        *,
        jitter: float = 0.0,
        latency_factor: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.host = host
        self.rules = RobotsRules("")
        self.delay = 0.0
        self.started: deque[float] = deque()  # of the last requests, for the rate
        self._book = book
        self._own_delay = delay
        self._first_away = first_away_s
        self._away = 0.0
        self._closed = False  # outside Visit-time, and said so
        self._broken = 0.0
        self._breaker = HostBreaker()
        self._jitter = jitter
        self._latency_factor = latency_factor
        self._latencies: deque[float] = deque(maxlen=LATENCIES)
        self._line = asyncio.Lock()
        self._limiter: AsyncLimiter | None = None
        self._clock = clock
        self.set_rules(RobotsRules(""))

    def set_rules(self, rules: RobotsRules) -> None:
        """Take new rules."""
        self.rules = rules
        self._settle()

    def took(self, started: float) -> None:
        """A request that began then has just ended, well or by a timeout."""
        if self._latency_factor:
            self._latencies.append(max(0.0, self._clock() - started))
            self._settle()

    def _settle(self) -> None:
        """A limiter ignores a changed rate, so a changed delay makes a new one."""
        delay = max(self._own_delay, self.rules.delay, self._for_latency())
        if delay != self.delay:
            self.delay = delay
            self._limiter = None

    def _for_latency(self) -> float:
        if not self._latencies:
            return 0.0
        wanted = self._latency_factor * fmean(self._latencies)
        if wanted <= 0:
            return 0.0
        return min(STEP ** math.ceil(math.log(wanted, STEP)), LONGEST_SLOW_S)

    async def turn(self) -> float:
        """Wait until a request may start; returns the time it starts at."""
        while True:
            self._log_visit_hours()
            while (left := self.paused_for()) > 0:
                await asyncio.sleep(min(left, RECHECK_S))
            await self._wait_for_slot()
            if self.paused_for() <= 0:  # it may have been refused while we stood in line
                now = self._clock()
                self._note(now)
                return now

    async def _wait_for_slot(self) -> None:
        if not self.delay:
            return
        async with self._line:
            if self._limiter is None:
                self._limiter = self._new_limiter()
                if self.started:
                    await self._limiter.acquire()  # the request before this one used its turn
            await self._limiter.acquire()
            if self._jitter:  # the next gap is another one, and begins with this turn
                self._limiter = self._new_limiter()
                await self._limiter.acquire()

    def _new_limiter(self) -> AsyncLimiter:
        return AsyncLimiter(1, self.delay * (1 + random.uniform(0, self._jitter)))

    def paused_for(self) -> float:
        """Seconds left of a pause, or until Visit-time begins."""
        now = self._clock()
        return max(self.host.paused_until - now, self.rules.opens_in(now))

    def _log_visit_hours(self) -> None:
        left = self.rules.opens_in(self._clock())
        if left and not self._closed:
            log.warning(
                "%s takes visits at other hours (Visit-time in robots.txt): waiting %s",
                self.host.origin,
                format_duration(left),
            )
        self._closed = bool(left)

    def refuse(self, asked: float | None, started: float) -> None:
        """The host answered 429 or 503."""
        before = self.host.paused_until
        self._keep(after_refusal(self.host, self._clock(), asked, started))
        if self.host.paused_until > before:
            log.warning(
                "%s asks us to wait: pausing for %s",
                self.host.origin,
                format_duration(self.host.paused_until - self._clock()),
            )

    def unreachable(self, started: float) -> None:
        """The host cannot be reached: pause everyone, longer each time, up to an hour."""
        if self.host.paused_until > self._clock():
            return  # others that were under way have said so already
        self._away = min(max(self._away * 2, self._first_away), LONGEST_UNREACHABLE_S)
        self._keep(replace(self.host, paused_until=self._clock() + self._away))
        log.warning(
            "%s cannot be reached: trying again in %.0f s (check the network and the address)",
            self.host.origin,
            self._away,
        )

    def ended(self, *, good: bool) -> bool:
        """Take how a request ended; true when errors prevail and everyone is to pause."""
        if not self._breaker.note(good):
            if self._breaker.healthy:
                self._broken = 0.0
            return False
        self._broken = min(max(self._broken * 2, self._first_away), LONGEST_UNREACHABLE_S)
        until = max(self.host.paused_until, self._clock() + self._broken)
        self._keep(replace(self.host, paused_until=until), counting="breaks")
        log.warning(
            "%s answers mostly with errors: pausing for %.0f s", self.host.origin, self._broken
        )
        return True

    def answered(self, started: float) -> None:
        """The host answered a request that began then, whatever it said."""
        self._away = 0.0
        self.took(started)

    def store_robots(self, text: str) -> None:
        """Store fresh rules and obey them."""
        self._keep(replace(self.host, robots=text, robots_at=self._clock()))
        self.set_rules(RobotsRules(text))

    def rate(self) -> float:
        """Requests a second over the last half minute."""
        self._forget(self._clock())
        if len(self.started) < 2:
            return 0.0
        return (len(self.started) - 1) / max(self.started[-1] - self.started[0], 1e-6)

    def _keep(self, host: HostState, counting: str = "") -> None:
        self.host = host
        self._book.save(host, counting)

    def _note(self, now: float) -> None:
        self.started.append(now)
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self.started and now - self.started[0] > RATE_WINDOW_S:
            self.started.popleft()
