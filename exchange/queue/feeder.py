"""Feed new tasks to the workers, never more than Redis should hold.

Order: first `queued` is committed in the spool, then input and job go to Redis in one MULTI. A
crash between the two leaves queued tasks without a job, which reconcile finds; the other order
could run a task that the spool still calls new, and queue it twice.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from exchange.queue import keys
from exchange.queue.announce import announced_shares
from exchange.records import Task
from exchange.store import tasks
from exchange.store.spool import Spool

if TYPE_CHECKING:
    from redis import Redis
    from rq import Queue

log = logging.getLogger(__name__)

LOW, HIGH = 500, 2000  # tasks in Redis: enough for minutes of work, about 6 MB
FEWEST = 64  # for one of many archives: more than the widest batch and what is leased ahead
BATCH = 256
MEMORY_SHARE = 0.70  # of maxmemory; at 100 % RQ can neither enqueue nor acknowledge
RETRIES = 1000  # registry clean-up spends one for every job in flight, guilty or not
JOB_TIMEOUT_S = 3600  # for people reading the dashboard; leases rule in truth
RESULT_TTL_S = 600
FAILURE_TTL_S = 7 * 86400


class Feeder:
    """Fills the queue of one archive from LOW to HIGH, or from its share of LOW to that of HIGH.

    Workers take what came first; so an archive gets as much of their work as it has of the queue's
    places, and those that are fed side by side keep their shares whatever the others hold.
    """

    def __init__(self, spool: Spool, archive: str, share: float = 1.0) -> None:
        self.spool = spool
        self.archive = archive
        self.share = share  # against the other archives that are fed now
        self._filling = False

    def feed(self, redis: Redis) -> int:
        """Queue at most one batch; returns how many tasks were queued.

        "Full" (too many queued, or Redis short of memory) is no error: it returns 0.
        """
        from redis.exceptions import OutOfMemoryError

        counters = self.spool.counters()
        waiting = counters.get("tasks.queued", 0)
        if waiting >= HIGH or not counters.get("tasks.new"):
            return 0
        low, high = self._marks(redis)
        self._filling = waiting < low or (self._filling and waiting < high)
        if not self._filling or is_memory_short(redis):
            return 0
        batch = tasks.claim(self.spool, self.archive, min(BATCH, high - waiting))
        if not batch:
            return 0
        try:
            enqueue(redis, batch)
        except OutOfMemoryError:
            tasks.reopen(self.spool, [task.id for task in batch])
            log.warning("Redis is full: waiting until the workers have made room")
            return 0
        return len(batch)

    def _marks(self, redis: Redis) -> tuple[int, int]:
        """How few tasks of this archive in the queue are too few, and how many are enough."""
        shares = announced_shares(redis) | {self.archive: self.share}
        part = self.share / sum(shares.values())
        return max(FEWEST, round(LOW * part)), max(2 * FEWEST, round(HIGH * part))


def enqueue(redis: Redis, batch: list[Task]) -> None:
    """Send inputs and jobs in one MULTI: either a worker can run the task, or it is not there."""
    queue = make_queue(redis)
    with redis.pipeline(transaction=True) as pipe:
        for task in batch:
            # A job of that id may have been planted, with fields that ours do not write.
            pipe.delete(keys.job(task.id.encode()), f"rq:results:{task.id}")
            pipe.set(keys.task(task.archive, task.id), task.to_json())
        queue.enqueue_many([_job_data(queue, task) for task in batch], pipeline=pipe)
        pipe.execute()


def _job_data(queue: Queue, task: Task):  # type: ignore[no-untyped-def]  # rq's own named tuple
    from rq import Retry

    return queue.prepare_data(
        keys.FUNCTION,
        args=[task.archive, task.id],
        job_id=task.id,
        timeout=JOB_TIMEOUT_S,
        result_ttl=RESULT_TTL_S,
        failure_ttl=FAILURE_TTL_S,
        description=f"{task.archive} {task.kind} {task.id}",  # ASCII, no crawled text
        retry=Retry(max=RETRIES),
    )


def make_queue(redis: Redis) -> Queue:
    """Our one queue, with JSON only: nothing on the wire is ever unpickled."""
    from rq import Queue
    from rq.serializers import JSONSerializer

    return Queue(keys.QUEUE, connection=redis, serializer=JSONSerializer)


def is_memory_short(redis: Redis) -> bool:
    """True when Redis holds more than our share of its memory limit."""
    info = redis.info("memory")
    limit = int(info.get("maxmemory") or 0)
    return bool(limit) and int(info["used_memory"]) > MEMORY_SHARE * limit
