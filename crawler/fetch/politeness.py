"""When a host may be asked: never in a burst or a pause, and only for what robots.txt allows."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from aiolimiter import AsyncLimiter

from crawler.fetch.hosts import HostState, HostTable, after_refusal
from crawler.fetch.robots import RobotsRules
from crawler.frontier.clock import steady_time
from exchange.display import format_duration

# When a host mostly fails, more requests help nobody. Pure: outcomes in, "pause" out.

BREAKER_WINDOW = 20  # the last outcomes that are looked at
MIN_OUTCOMES = 10  # fewer say nothing
BAD_SHARE = 0.5


class HostBreaker:
    """Opens when at least half of a host's last answers were errors.

    After it has opened it judges anew, by answers that came since.
    """

    def __init__(self) -> None:
        self._last: deque[bool] = deque(maxlen=BREAKER_WINDOW)

    def add(self, good: bool) -> bool:
        """Take one outcome; true when it is time to pause the host."""
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

RECHECK_S = 0.5  # a pause may grow while we wait, so it is checked this often
LONGEST_UNREACHABLE_S = 3600.0
LATENCIES = 8  # answers whose mean says how busy the host is
LONGEST_SLOW_S = 60.0  # a host that is slower than that is a matter for timeouts and the breaker
STEP = 1.25  # a delay that follows latency moves in steps: each change costs a slot
RATE_WINDOW_S = 30.0


class HostThrottle:
    """When requests to one host may start.

    The delay is the longest of ours, what robots.txt asks for, and (if asked for) so many times
    the time that answers take. A refusal pauses everyone who waits here; the pause is stored
    before anything else happens, so that a restart keeps it. Outside the hours of the site's
    Visit-time none starts.

    Args:
        jitter: each gap is made longer by up to this share of the delay, at random.
        latency_factor: 0 to leave latency out.
    """

    def __init__(
        self,
        host: HostState,
        hosts: HostTable,
        delay: float,
        first_pause_s: float,
        *,
        jitter: float = 0.0,
        latency_factor: float = 0.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.host = host
        self.rules = RobotsRules("")
        self.delay = 0.0
        self.requests: deque[float] = deque()  # of the last requests, for the rate
        self._hosts = hosts
        self._pace = hosts.pace
        self._own_delay = delay
        self._first_pause = first_pause_s
        self._unreachable_pause = 0.0
        self._outside_visit_time = False  # outside Visit-time, and that was logged
        self._breaker_pause = 0.0
        self._breaker = HostBreaker()
        self._jitter = jitter
        self._latency_factor = latency_factor
        self._latencies: deque[float] = deque(maxlen=LATENCIES)
        self._lock = asyncio.Lock()
        self._limiter: AsyncLimiter | None = None
        self._clock = clock or steady_time
        self._wall_clock = clock or time.time  # for the hours of the day
        self.set_rules(RobotsRules(""))

    def set_rules(self, rules: RobotsRules) -> None:
        """Take new rules."""
        self.rules = rules
        self._update_delay()

    def add_latency(self, started: float) -> None:
        """A request that began then has just ended, well or by a timeout."""
        if self._latency_factor:
            self._latencies.append(max(0.0, self._clock() - started))
            self._update_delay()

    def _update_delay(self) -> None:
        """A limiter ignores a changed rate, so a changed delay makes a new one."""
        delay = max(self._own_delay, self.rules.delay, self._for_latency())
        if delay != self.delay:
            self.delay = delay
            self._limiter = None

    def _for_latency(self) -> float:
        if not self._latencies:
            return 0.0
        wanted = self._latency_factor * sum(self._latencies) / len(self._latencies)
        if wanted <= 0:
            return 0.0
        return min(STEP ** math.ceil(math.log(wanted, STEP)), LONGEST_SLOW_S)

    async def acquire(self) -> float:
        """Wait until a request may start; returns the time it starts at."""
        while True:
            self._log_visit_hours()
            while (left := self.pause_left()) > 0:
                await asyncio.sleep(min(left, RECHECK_S))
            # The host may have refused us while we waited.
            if not await self._wait_for_slot() or self.pause_left() <= 0:
                now = self._clock()
                self._count_request(now)
                return now

    async def _wait_for_slot(self) -> bool:
        """Whether there was anything to wait for: without a delay there are no slots."""
        if not self.delay:
            return False
        async with self._lock:
            if self._limiter is None:
                self._limiter = self._new_limiter()
                if self.requests:
                    await self._limiter.acquire()  # the request before this one used its slot
            await self._limiter.acquire()
            while self._pace and (left := self._pace.take_slot(self.host.origin, self.delay)) > 0:
                await asyncio.sleep(left)
            if self._jitter:  # the next gap is another one, and begins with this request
                self._limiter = self._new_limiter()
                await self._limiter.acquire()
        return True

    def _new_limiter(self) -> AsyncLimiter:
        return AsyncLimiter(1, self.delay * (1 + random.uniform(0, self._jitter)))

    def pause_left(self) -> float:
        """Seconds left of a pause, or until Visit-time begins."""
        paused = self.host.paused_until - self._clock()
        if self._pace:
            paused = max(paused, self._pace.pause_left(self.host.origin))
        return max(paused, self.rules.opens_in(self._wall_clock()))

    def _log_visit_hours(self) -> None:
        left = self.rules.opens_in(self._wall_clock())
        if left and not self._outside_visit_time:
            log.warning(
                "%s allows visits only at other hours (Visit-time in robots.txt): waiting %s",
                self.host.origin,
                format_duration(left),
            )
        self._outside_visit_time = bool(left)

    def on_refusal(self, asked: float | None, started: float) -> None:
        """The host answered 429 or 503."""
        before = self.host.paused_until
        self._save(after_refusal(self.host, self._clock(), asked, started))
        if self.host.paused_until > before:
            log.warning(
                "%s asks us to wait: pausing for %s",
                self.host.origin,
                format_duration(self.host.paused_until - self._clock()),
            )

    def on_unreachable(self, started: float) -> None:
        """The host cannot be reached: pause everyone, longer each time, up to an hour."""
        if self.host.paused_until > self._clock():
            return  # others that were under way have paused it already
        self._unreachable_pause = min(
            max(self._unreachable_pause * 2, self._first_pause), LONGEST_UNREACHABLE_S
        )
        self._save(replace(self.host, paused_until=self._clock() + self._unreachable_pause))
        log.warning(
            "%s cannot be reached: trying again in %s (check the network and the address)",
            self.host.origin,
            format_duration(self._unreachable_pause),
        )

    def count_outcome(self, *, good: bool) -> bool:
        """Count how a request ended; true when errors prevail and the host is paused."""
        if not self._breaker.add(good):
            if self._breaker.healthy:
                self._breaker_pause = 0.0
            return False
        self._breaker_pause = min(
            max(self._breaker_pause * 2, self._first_pause), LONGEST_UNREACHABLE_S
        )
        until = max(self.host.paused_until, self._clock() + self._breaker_pause)
        self._save(replace(self.host, paused_until=until), counting="breaks")
        log.warning(
            "%s answers mostly with errors: pausing for %s",
            self.host.origin,
            format_duration(self._breaker_pause),
        )
        return True

    def on_answer(self, started: float) -> None:
        """The host answered a request that began then, whatever it said."""
        self._unreachable_pause = 0.0
        self.add_latency(started)

    def store_robots(self, text: str) -> None:
        """Store fresh rules and obey them."""
        self._save(replace(self.host, robots=text, robots_at=self._clock()))
        self.set_rules(RobotsRules(text))

    def rate(self) -> float:
        """Requests a second over the last half minute."""
        self._drop_old_requests(self._clock())
        if len(self.requests) < 2:
            return 0.0
        return (len(self.requests) - 1) / max(self.requests[-1] - self.requests[0], 1e-6)

    def _save(self, host: HostState, counting: str = "") -> None:
        if self._pace and host.paused_until > self.host.paused_until:
            self._pace.pause(host.origin, host.paused_until - self._clock())
        self.host = host
        self._hosts.save(host, counting)

    def _count_request(self, now: float) -> None:
        self.requests.append(now)
        self._drop_old_requests(now)

    def _drop_old_requests(self, now: float) -> None:
        while self.requests and now - self.requests[0] > RATE_WINDOW_S:
            self.requests.popleft()
