"""RQ's maintenance with our times and our judgement of what kills workers.

Locks and waits end with the lease, not after 15 minutes. When a lease expires, every task of that
worker is a suspect, guilty or not. A suspect runs alone; only a death while alone is a strike, and
the third strike fails the task: so the task that kills workers is found without condemning its
neighbours.

All times are Redis's: see `RedisClock`.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError, ResponseError
from rq import Queue, SimpleWorker, worker_registration
from rq.executions import Execution
from rq.intermediate_queue import IntermediateQueue
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer

from exchange.queue import keys
from exchange.queue.redis_clock import RedisClock
from exchange.records import TASK_PATTERN
from workers.job import TaskJob, read_jobs

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline
    from rq.job import Job

log = logging.getLogger(__name__)

BATCH, ALONE = b"batch", b"alone"  # how a job in flight runs, in `kk:inflight:<worker>`
STRIKES = 3
LONGEST_LEASE_S = 1800  # of any worker; one that ends later was given before a clock was set back
FOR_EVER = -1  # what PTTL says of a key that does not expire
REGISTRATION_S = 60  # beyond its lease, before the dashboard forgets a silent worker


class LeasedIntermediateQueue(IntermediateQueue):
    """Jobs that were popped but never leased return after a lease, not after a fixed minute."""

    wait_s = 60.0
    clock: RedisClock

    def cleanup(self, worker: Any, queue: Any) -> None:
        """Back to the queue without spending a retry; RQ's own would count a failure.

        When a job was first seen here is kept for as long as it is here: what RQ notes per job
        outlives the visit, and would send the next one back at once.
        """
        running = set(queue.started_job_registry.get_job_ids(cleanup=False))
        here = set(self.get_job_ids()) - running
        noted = self.connection.hgetall(keys.POPPED).items()
        known = {keys.text(job_id): keys.number(at) for job_id, at in noted}
        moment = self.clock.now()
        since = {job_id: min(known.get(job_id, moment), moment) for job_id in here}
        stuck = [job_id for job_id, at in since.items() if moment - at > self.wait_s]
        jobs = read_jobs(self.connection, stuck)
        with self.connection.pipeline() as pipe:
            for job_id, job in zip(stuck, jobs, strict=True):
                del since[job_id]
                pipe.lrem(self.key, 1, job_id)
                if job is not None:
                    queue._enqueue_job(job, pipeline=pipe, at_front=True)
            pipe.delete(keys.POPPED)
            if since:
                pipe.hset(keys.POPPED, mapping=since)
            pipe.execute()

    def get_job_ids(self) -> list[str]:
        """The ids in here, whoever put them here."""
        return [keys.text(raw) for raw in self.connection.lrange(self.key, 0, -1)]


class LeaseRegistry(StartedJobRegistry):
    """The leases, by Redis's clock instead of each worker's own."""

    clock: RedisClock
    lease_s = 60.0

    def add_execution(
        self, execution: Execution, pipeline: Pipeline, ttl: int = 0, xx: bool = False
    ) -> int:
        """Lease, or with `xx` extend the lease unless somebody took it away."""
        until = self.clock.now() + ttl
        return pipeline.zadd(self.key, {execution.composite_key: until}, xx=xx)

    def shorten(self) -> None:
        """A lease that ends in a far future ends within a lease of ours, if nobody renews it."""
        moment = self.clock.now()
        far = self.connection.zrangebyscore(self.key, f"({moment + LONGEST_LEASE_S}", "+inf")
        if far:
            until = moment + self.lease_s
            self.connection.zadd(self.key, dict.fromkeys(far, until), xx=True, lt=True)


class TaskQueue(Queue):
    """Our queue as a worker sees it: JSON only, untrusted jobs, short locks, Redis's clock."""

    job_class = TaskJob
    lease_s = 60.0
    clock: RedisClock

    @property
    def started_job_registry(self) -> LeaseRegistry:
        leases = LeaseRegistry(queue=self, job_class=self.job_class, serializer=self.serializer)
        leases.clock, leases.lease_s = self.clock, self.lease_s
        return leases

    @property
    def intermediate_queue(self) -> LeasedIntermediateQueue:
        waiting = LeasedIntermediateQueue(self.key, connection=self.connection)
        waiting.clock, waiting.wait_s = self.clock, self.lease_s
        return waiting

    def acquire_maintenance_lock(self) -> bool:
        """For half a lease, 30 s by default; RQ's own stays 899 s when its holder is killed.

        Its end is a time of day, so a clock that is set back while its holder dies prolongs it;
        one that is longer than any of ours is cut short.
        """
        until = max(1, int(self.lease_s // 2))
        key = self.registry_cleaning_key
        if self.connection.set(key, os.getpid(), nx=True, ex=until):
            return True
        left_ms = self.connection.pttl(key)
        if left_ms == FOR_EVER or left_ms > LONGEST_LEASE_S // 2 * 1000:
            self.connection.expire(key, until)
        return False


def open_queue(redis: Redis, lease_s: float) -> TaskQueue:
    """The queue of generation tasks on this Redis."""
    queue = TaskQueue(keys.QUEUE, connection=redis, job_class=TaskJob, serializer=JSONSerializer)
    queue.lease_s = lease_s
    queue.clock = RedisClock(redis)
    return queue


class LeasingWorker(SimpleWorker):
    """RQ's registration, states and maintenance for a worker that leases many jobs at once.

    Without what RQ would do else: no time limits of jobs, no command channel (pause and stop are
    keys of ours, and signals), no look at every client's address, no change of the process's name.
    """

    log_job_description = False
    log_result_lifespan = False

    def __init__(self, connection: Redis, queue: TaskQueue, name: str, lease_s: int) -> None:
        self.lease_s = lease_s
        self._task_queue = queue
        self._next_maintenance = float("-inf")
        super().__init__(
            [queue],
            name=name,
            connection=connection,
            queue_class=TaskQueue,
            job_class=TaskJob,
            serializer=queue.serializer,
            worker_ttl=lease_s,
            maintenance_interval=max(1, lease_s // 2),
            exception_handlers=[count_expired_lease],
            disable_default_exception_handler=True,
        )

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """By the time that passed: RQ's own waits for hours after a clock was set back."""
        return time.monotonic() >= self._next_maintenance

    def clean_registries(self) -> None:
        """RQ's own with Redis's time; one worker at a time."""
        self._next_maintenance = time.monotonic() + self.maintenance_interval
        queue = self._task_queue
        if not queue.acquire_maintenance_lock():
            return
        moment = queue.clock.now()
        leases = queue.started_job_registry
        try:
            leases.shorten()
            remove_foreign_entries(queue, moment)
            leases.cleanup(moment, self._exc_handlers)
            queue.finished_job_registry.cleanup(moment)
            queue.failed_job_registry.cleanup(moment)
            queue.intermediate_queue.cleanup(self, queue)
            worker_registration.clean_worker_registry(queue)
        except ValueError as error:  # written since by a stranger: RQ falls over what is no text
            log.warning("something in Redis is not what workers write: %s", error)
        queue.release_maintenance_lock()

    def renew_registration(self, pipe: Pipeline) -> None:
        """Show that the worker lives; all of its hash, since a flushed Redis has forgotten it."""
        self.heartbeat(self.lease_s + REGISTRATION_S, pipeline=pipe)
        pipe.hset(self.key, mapping=self.serialize())
        worker_registration.register(self, pipe)

    def get_heartbeat_ttl(self, job: Job, *_: Any, **__: Any) -> int:
        """A job's lease, whatever time limit it names."""
        return self.lease_s

    def _set_ip_address(self, connection: Any) -> None:
        """Nobody asks for it, and it takes the right to see every client."""
        self.ip_address = "unknown"

    def subscribe(self) -> None:
        pass

    def unsubscribe(self) -> None:
        pass

    def procline(self, message: str) -> None:
        pass


def count_expired_lease(job: Job, *_: Any) -> bool:
    """RQ's exception handler for abandoned jobs: count, then let RQ queue the job again."""
    redis = job.connection
    mark = redis.hget(keys.inflight(job.worker_name or ""), job.id)
    with redis.pipeline() as pipe:
        pipe.hincrby(keys.SUSPECT, job.id, 1)
        if mark == ALONE:
            pipe.hincrby(keys.STRIKE, job.id, 1)
        pipe.hdel(keys.inflight(job.worker_name or ""), job.id)
        execute(pipe)
    return True


def execute(pipe: Pipeline) -> None:
    """Execute it; a command that fails over what a stranger has written is told, and ends nobody.

    Raises:
        RedisError: Redis is away, full, or takes no writes.
    """
    for answer in pipe.execute(raise_on_error=False):
        if type(answer) is ResponseError:  # no number to add to, another type of key
            log.warning("something in Redis is not what workers write: %s", answer)
        elif isinstance(answer, RedisError):
            raise answer


_LEASE = re.compile(rb"([0-9a-f]{24}):[0-9A-Za-z_-]+")


def remove_foreign_entries(queue: TaskQueue, moment: float) -> None:
    """Take out of the lists what no code of ours puts there: RQ's own would fall over it."""
    redis = queue.connection
    leases, waiting = queue.started_job_registry.key, queue.intermediate_queue.key
    workers = worker_registration.WORKERS_BY_QUEUE_KEY % queue.name
    with redis.pipeline(transaction=False) as pipe:
        pipe.zrangebyscore(leases, "-inf", "+inf")
        pipe.zrangebyscore(leases, "-inf", moment)
        pipe.lrange(waiting, 0, -1)
        pipe.smembers(workers)
        held, expired, popped, registered = pipe.execute()
    ours = {entry: match[1].decode() for entry in held if (match := _LEASE.fullmatch(entry))}
    ended = [entry for entry in expired if entry in ours]
    jobs = read_jobs(redis, [ours[entry] for entry in ended])
    gone = [entry for entry, job in zip(ended, jobs, strict=True) if job is None]
    with redis.pipeline() as pipe:
        for entry in (*(entry for entry in held if entry not in ours), *gone):
            pipe.zrem(leases, entry)
        for entry in popped:
            if not TASK_PATTERN.fullmatch(keys.text(entry)):
                pipe.lrem(waiting, 0, entry)
        for entry in registered:
            if not entry.startswith(b"rq:worker:") or not keys.text(entry).isprintable():
                pipe.srem(workers, entry)
        pipe.execute()


def find_suspects(redis: Redis, ids: Sequence[str]) -> set[str]:
    """Those of the tasks that were in flight when a worker died."""
    found = redis.hmget(keys.SUSPECT, ids)
    return {task_id for task_id, count in zip(ids, found, strict=True) if count is not None}


def find_poisoned(redis: Redis, ids: Sequence[str]) -> set[str]:
    """Those of the tasks that killed their worker `STRIKES` times while running alone."""
    found = redis.hmget(keys.STRIKE, ids)
    return {
        task_id for task_id, count in zip(ids, found, strict=True) if keys.number(count) >= STRIKES
    }
