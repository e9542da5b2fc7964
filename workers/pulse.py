"""A worker's sign of life for people: how wide, how fast, how far. Expires with the worker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rq.utils import now, utcformat

from exchange import keys
from exchange.house import Recipe

if TYPE_CHECKING:
    from redis import Redis

WINDOW_S = 60.0  # the rate is of the last minute, or of the time since the last one ended


class Pulse:
    """Counts tokens, and writes `kk:hb:<worker>` when asked to."""

    def __init__(self, redis: Redis, name: str, width: int, lease_s: int, recipe: Recipe) -> None:
        self._redis = redis
        self._key = keys.heartbeat(name)
        self._lease_s = lease_s
        self._constant = {"width": width, "recipe": recipe.id, "model": recipe.model}
        self._tokens = 0
        self._since = time.monotonic()

    def count(self, tokens: int) -> None:
        """One task has ended with this many tokens."""
        self._tokens += tokens
        self._redis.incrby(keys.stat("tokens"), tokens)

    def beat(self, inflight: int, done: int) -> None:
        """Show where the worker stands."""
        moment = time.monotonic()
        rate = self._tokens / max(1e-9, moment - self._since)
        if moment - self._since > WINDOW_S:
            self._tokens, self._since = 0, moment
        facts = {
            **self._constant,
            "inflight": inflight,
            "done": done,
            "tokens_per_s": round(rate, 1),
            "seen": utcformat(now()),
        }
        with self._redis.pipeline() as pipe:
            pipe.hset(self._key, mapping=facts)
            pipe.expire(self._key, self._lease_s)
            pipe.execute()

    def end(self) -> None:
        """The worker is gone; nobody has to wait for the expiry."""
        self._redis.delete(self._key)
