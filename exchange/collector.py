"""Bring results home: commit them to the spool, then take them out of Redis.

Idempotent by task id: a crash after the commit only makes the same results come again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from exchange import keys, tasks
from exchange.records import RecordError, Result
from exchange.spool import Spool

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

BATCH = 256


def collect(redis: Redis, spool: Spool, archive: str) -> int:
    """Collect one scan's worth of results; returns how many tasks were closed."""
    _, found = redis.hscan(keys.result(archive), count=BATCH)
    good: list[Result] = []
    seen: list[str] = []
    for field, value in found.items():
        task_id = field.decode("ascii", "replace")
        seen.append(task_id)
        try:
            result = Result.from_json(value)
            if result.task_id != task_id:
                raise RecordError("Result: stored under another task's id")
            good.append(result)
        except RecordError as error:
            # Dropped, not stored: reconcile finds the task without a result and queues it again.
            log.warning("a result in Redis is unusable and will be made again: %s", error)
    closed = tasks.finish(spool, good)
    if seen:
        with redis.pipeline(transaction=True) as pipe:
            pipe.hdel(keys.result(archive), *seen)
            pipe.delete(*(keys.task(archive, task_id) for task_id in seen))
            pipe.execute()
    return closed
