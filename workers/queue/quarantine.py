"""Find the task that kills workers, without condemning its neighbours.

When a lease expires, every task of that worker is a suspect, guilty or not. A suspect runs
alone; only a death while alone is a strike, and the third strike fails the task.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from exchange.queue import keys
from workers.queue.leased_queue import ALONE

if TYPE_CHECKING:
    from redis import Redis
    from rq.job import Job

STRIKES = 3
POISON_REASON = "poison"


def count_expired_lease(job: Job, *_: Any) -> bool:
    """RQ's exception handler for abandoned jobs: count, then let RQ queue the job again."""
    redis = job.connection
    mark = redis.hget(keys.inflight(job.worker_name or ""), job.id)
    with redis.pipeline() as pipe:
        pipe.hincrby(keys.SUSPECT, job.id, 1)
        if mark == ALONE:
            pipe.hincrby(keys.STRIKE, job.id, 1)
        pipe.hdel(keys.inflight(job.worker_name or ""), job.id)
        pipe.execute()
    return True


def find_suspects(redis: Redis, ids: Sequence[str]) -> set[str]:
    """Those of the tasks that were in flight when a worker died."""
    found = redis.hmget(keys.SUSPECT, ids)
    return {task_id for task_id, count in zip(ids, found, strict=True) if count is not None}


def find_poisoned(redis: Redis, ids: Sequence[str]) -> set[str]:
    """Those of the tasks that killed their worker `STRIKES` times while running alone."""
    found = redis.hmget(keys.STRIKE, ids)
    return {
        task_id for task_id, count in zip(ids, found, strict=True) if int(count or 0) >= STRIKES
    }
