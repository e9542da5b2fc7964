"""The heartbeat that people see: how wide, how fast, how far. It expires with the worker."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from rq.utils import now, utcformat

from exchange.project import Recipe
from exchange.queue import keys

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

WINDOW_S = 60.0  # the rate is that of the last minute
REMEMBER_S = 86_400.0  # so long a worker that fell silent is remembered


class HeartbeatReporter:
    """Counts tokens, and writes `kk:hb:<worker>` when asked to."""

    def __init__(self, redis: Redis, name: str, width: int, lease_s: int, recipe: Recipe) -> None:
        self._redis = redis
        self._name = name
        self._key = keys.heartbeat(name)
        self._lease_s = lease_s
        self._constant = {"width": width, "recipe": recipe.id, "model": recipe.model}
        self._tokens = 0
        self._marks: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def count(self, pipe: Pipeline, tokens: int) -> None:
        """Tasks have ended with this many tokens; `pipe` acknowledges them."""
        self._tokens += tokens
        pipe.incrby(keys.stat("tokens"), tokens)

    def beat(self, inflight: int, done: int, state: str) -> None:
        """Show where the worker stands."""
        fields = {
            **self._constant,
            "inflight": inflight,
            "done": done,
            "state": state,
            "tokens_per_s": round(self._rate(), 1),
            "seen": utcformat(now()),
        }
        with self._redis.pipeline() as pipe:
            pipe.hset(self._key, mapping=fields)
            pipe.expire(self._key, self._lease_s)
            pipe.zadd(keys.SEEN, {self._name: time.time()})
            pipe.zremrangebyscore(keys.SEEN, 0, time.time() - REMEMBER_S)
            pipe.execute()

    def end(self) -> None:
        """The worker is gone; nobody has to wait for the expiry, nor to miss it."""
        self._redis.delete(self._key)
        self._redis.zrem(keys.SEEN, self._name)

    def _rate(self) -> float:
        moment = time.monotonic()
        self._marks.append((moment, self._tokens))
        while len(self._marks) > 2 and moment - self._marks[1][0] >= WINDOW_S:
            self._marks.popleft()
        since, before = self._marks[0]
        return (self._tokens - before) / max(1.0, moment - since)
