"""Bring results home: commit them to the spool, then take them out of Redis.

Idempotent by task id: a crash after the commit only makes the same results come again. Whoever
may write to Redis can send anything, so a result is held against the task that it is for: one that
no worker of ours can have made is refused and counted, and its task is made again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.queue import keys
from exchange.queue.feeder import make_queue
from exchange.store import tasks
from exchange.store.results import read_results
from exchange.store.spool import Spool

if TYPE_CHECKING:
    from redis import Redis

BATCH = 256
KEPT_JOBS = (
    1000  # ended jobs that the dashboard can still show, about 1.2 KB each; RQ's times also hold
)


class Collector:
    """Brings the results of one archive home."""

    def __init__(self, spool: Spool, archive: str) -> None:
        self.spool = spool
        self.archive = archive
        self._cursor = 0

    def collect(self, redis: Redis) -> int:
        """Collect one scan's worth of results; returns how many tasks were closed."""
        self._cursor, found = redis.hscan(keys.result(self.archive), self._cursor, count=BATCH)
        if not found:
            return 0
        results = read_results(
            self.spool, self.archive, {keys.text(name): value for name, value in found.items()}
        )
        closed = tasks.finish(self.spool, results)
        with redis.pipeline(transaction=True) as pipe:
            pipe.hdel(keys.result(self.archive), *found)
            pipe.delete(*(keys.task(self.archive, keys.text(field)) for field in found))
            pipe.execute()
        forget_old_jobs(redis)
        return closed


def forget_old_jobs(redis: Redis, keep: int = KEPT_JOBS) -> None:
    """Take all but the newest ended jobs out of Redis, so that a fast engine cannot fill it."""
    queue = make_queue(redis)
    registries = queue.finished_job_registry.key, queue.failed_job_registry.key
    with redis.pipeline(transaction=False) as pipe:
        for key in registries:
            pipe.zrange(key, 0, -keep - 1)
        old = pipe.execute()
        if not any(old):
            return
        for key, ids in zip(registries, old, strict=True):
            if ids:
                pipe.zrem(key, *ids)
                pipe.delete(*(keys.job(job_id) for job_id in ids))
                pipe.delete(*(b"rq:results:" + job_id for job_id in ids))
        pipe.execute()
