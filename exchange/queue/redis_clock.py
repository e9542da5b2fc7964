"""Redis's clock: the one time of day that all machines on a Redis share, however their own stand.

Leases are times that one machine writes and another reads. By each machine's own clock, one that
is ahead by more than the lease would take away what the others are at, for ever; by Redis's, a
wrong clock costs nothing. Redis's own may jump too, so a jump is told apart from time that passed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from exchange.display import format_duration
from exchange.queue.redis_client import connect_redis

if TYPE_CHECKING:
    from redis import Redis

CLOCK_APART_S = 60.0  # the usual lease; a clock that the network sets is right within a second


class RedisClock:
    """Tells Redis's time between two looks at it by the time that has passed since."""

    def __init__(self, redis: Redis, *, passed: Callable[[], float] = time.monotonic) -> None:
        """Nothing is asked yet; `passed` counts seconds and never jumps."""
        self._redis = redis
        self._passed = passed
        self._offset: float | None = None

    def look(self) -> float:
        """Ask Redis; returns by how many seconds its clock has jumped since the last look.

        A machine that slept meanwhile counts as a jump: its `passed` stood still.
        """
        from redis.exceptions import ResponseError

        try:
            seconds, micros = self._redis.time()
            moment = seconds + micros / 1e6
        except ResponseError:  # an ACL user may not be allowed to ask
            moment = time.time()
        before, self._offset = self._offset, moment - self._passed()
        return 0.0 if before is None else self._offset - before

    def now(self) -> float:
        """Redis's time, in seconds since the epoch."""
        if self._offset is None:
            self.look()
        assert self._offset is not None
        return self._offset + self._passed()

    def skew(self) -> float:
        """By how many seconds this machine's clock is ahead of Redis's, as of the last look."""
        return time.time() - self.now()


def skew_text(skew_s: float) -> str:
    """How a clock stands beside Redis's: "2.0 h ahead of Redis's"."""
    return f"{format_duration(abs(skew_s))} {'ahead of' if skew_s > 0 else 'behind'} Redis's"


def find_skew(url: str) -> str:
    """What is wrong with this machine's clock beside that of a Redis; "" when nothing is."""
    with connect_redis(url, patient=False) as redis:
        skew_s = RedisClock(redis).skew()
    if abs(skew_s) <= CLOCK_APART_S:
        return ""
    return f"this machine's clock is {skew_text(skew_s)}: set the clocks (NTP)"
