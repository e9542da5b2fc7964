"""Find queued tasks that Redis no longer knows, and make them new again.

Redis may be lost, flushed or killed at any moment. The lists are read in the direction in which
a job moves (queue, intermediate, started), so a job that moves while we look is seen at least
once; and a task must be missing in two passes running.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from exchange.queue import keys
from exchange.queue.feeder import make_queue
from exchange.store import tasks
from exchange.store.spool import Spool

if TYPE_CHECKING:
    from redis import Redis


def reconcile(redis: Redis, spool: Spool, archive: str) -> int:
    """One pass; returns how many tasks became new."""
    waiting = tasks.queued_ids(spool)
    if not waiting:
        return 0
    present = job_ids_in_redis(redis)
    absent = sorted(waiting - present)
    if absent:
        held = redis.hmget(keys.result(archive), absent)
        absent = [task_id for task_id, value in zip(absent, held, strict=True) if value is None]
    missing = set(absent)
    return tasks.record_missing(spool, waiting - missing, missing)


def job_ids_in_redis(redis: Redis) -> set[str]:
    """The ids of all jobs that wait, were just popped, or run."""
    queue = make_queue(redis)
    ids = {keys.text(raw) for raw in redis.lrange(queue.key, 0, -1)}
    ids |= {keys.text(raw) for raw in redis.lrange(f"{queue.key}:intermediate", 0, -1)}
    running = redis.zrange(queue.started_job_registry.key, 0, -1)
    return ids | {keys.text(raw).partition(":")[0] for raw in running}


def delete_unwanted_inputs(redis: Redis, spool: Spool, archive: str) -> int:
    """Take back inputs that nobody waits for any more, such as those of an older recipe.

    Their jobs leave the queue; one that a worker has just popped ends as `gone` when it is looked
    into. Returns how many were taken back.
    """
    return delete_inputs(redis, archive, tasks.queued_ids(spool))


def delete_inputs(redis: Redis, archive: str, waiting: Collection[str]) -> int:
    """Take back an archive's inputs and waiting jobs but those of the tasks that are waited for."""
    prefix = keys.task(archive, "")
    names = redis.scan_iter(match=f"{prefix}*", count=1000)
    found = {keys.text(raw)[len(prefix) :] for raw in names}
    unwanted = sorted(found - set(waiting))
    if not unwanted:
        return 0
    queue = make_queue(redis)
    with redis.pipeline(transaction=True) as pipe:
        pipe.delete(*(keys.task(archive, task_id) for task_id in unwanted))
        for task_id in unwanted:
            pipe.lrem(queue.key, 0, task_id)
        _, *removed = pipe.execute()
    jobs = [
        keys.job(task_id.encode())
        for task_id, count in zip(unwanted, removed, strict=True)
        if count
    ]
    if jobs:
        redis.delete(*jobs)
    return len(unwanted)
