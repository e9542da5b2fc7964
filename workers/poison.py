"""Find the task that kills workers, without condemning its neighbours.

When a lease expires, every task of that worker is a suspect, guilty or not. A suspect runs
alone; only a death while alone is a strike, and the third strike fails the task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exchange import keys
from workers.inflight import ALONE

if TYPE_CHECKING:
    from redis import Redis
    from rq.job import Job

STRIKES = 3
REASON = "poison"


def note_expired(job: Job, *_: Any) -> bool:
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


def is_suspect(redis: Redis, task_id: str) -> bool:
    """True when a worker died while this task was in flight."""
    return bool(redis.hexists(keys.SUSPECT, task_id))


def is_poison(redis: Redis, task_id: str) -> bool:
    """True when it died three times while running alone."""
    return int(redis.hget(keys.STRIKE, task_id) or 0) >= STRIKES
