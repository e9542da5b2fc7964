"""Bring results home: commit them to the spool, then take them out of Redis.

Idempotent by task id: a crash after the commit only makes the same results come again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from exchange.errors import BadRecord
from exchange.queue import keys
from exchange.queue.feeder import make_queue
from exchange.records import Result
from exchange.store import tasks
from exchange.store.spool import Spool

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

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
        closed = tasks.finish(self.spool, self._read(found))
        ids = [field.decode("ascii", "replace") for field in found]
        with redis.pipeline(transaction=True) as pipe:
            pipe.hdel(keys.result(self.archive), *found)
            pipe.delete(*(keys.task(self.archive, task_id) for task_id in ids))
            pipe.execute()
        forget_old_jobs(redis)
        return closed

    def _read(self, found: dict[bytes, bytes]) -> list[Result]:
        good: list[Result] = []
        for field, value in found.items():
            try:
                result = Result.from_json(value)
                if result.task_id.encode() != field:
                    raise BadRecord("Result: stored under another task's id")
                good.append(result)
            except BadRecord as error:
                # Dropped, not stored: reconcile misses the task and queues it again.
                log.warning("a result in Redis is unusable and will be made again: %s", error)
        return good


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
