"""The queue as one worker uses it: pop, lease, renew, acknowledge, fail, refuse, give back.

All calls into RQ's internals stand here and in `maintenance`, so that an upgrade breaks two files.
RQ's worker runs one job and asks Redis a dozen times for it; here many jobs share each round trip.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rq import SimpleWorker
from rq.defaults import DEFAULT_RESULT_TTL
from rq.executions import Execution
from rq.job import JobStatus
from rq.utils import now, utcformat

from exchange.queue import keys
from workers.job import TaskJob, read_jobs
from workers.queue.maintenance import ALONE, BATCH, TaskQueue, execute

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

log = logging.getLogger(__name__)

IN_FLIGHT_TTL_S = 86_400  # what a worker that died had in flight is forgotten after a day


@dataclass(slots=True)
class LeasedJob:
    """A leased job, on its way through the engine."""

    job: TaskJob
    execution: Execution
    archive: str
    task_id: str
    alone: bool = False


class LeasedQueue:
    """The queue of generation tasks, with the leases of one worker.

    Calls that take a `Pipeline` only add their commands to it; the caller executes them together
    with its own, in one MULTI.
    """

    def __init__(self, connection: Redis, queue: TaskQueue, name: str, lease_s: int) -> None:
        """Lease for the worker `name`, each time for `lease_s` seconds."""
        self.connection = connection
        self._queue = queue
        self._name = name
        self._lease_s = lease_s
        self._worker_key = SimpleWorker.redis_worker_namespace_prefix + name
        self._in_flight = keys.inflight(name)
        self._leases = queue.started_job_registry

    def pop(self, count: int) -> list[TaskJob]:
        """At most `count` jobs off the queue, unleased; never blocks.

        They wait in RQ's intermediate queue until they are leased or dropped, so that a kill right
        here loses none of them.
        """
        with self.connection.pipeline(transaction=False) as pipe:
            for _ in range(count):
                pipe.lmove(self._queue.key, self._queue.intermediate_queue_key)
            ids = [keys.text(raw) for raw in pipe.execute() if raw is not None]
        jobs = []
        for job_id, job in zip(ids, read_jobs(self.connection, ids), strict=True):
            if job is None:
                log.warning("a job's hash is missing or unreadable; dropped: %r", job_id[:64])
                self.drop(job_id)
            else:
                jobs.append(job)
        return jobs

    def drop(self, job_id: str) -> None:
        """Forget that a job was popped."""
        self.connection.lrem(self._queue.intermediate_queue_key, 1, job_id)

    def take(self, jobs: Sequence[TaskJob]) -> list[LeasedJob]:
        """Lease jobs that were just popped and end their stay in between, in one MULTI."""
        leased: list[LeasedJob] = []
        if not jobs:
            return leased
        with self.connection.pipeline() as pipe:
            for job in jobs:
                execution = Execution.create(job, self._lease_s, pipe, worker_name=self._name)
                self._leases.add_execution(execution, pipe, self._lease_s)  # RQ's by Redis's clock
                job.prepare_for_execution(self._name, pipeline=pipe)
                pipe.lrem(self._queue.intermediate_queue_key, 1, job.id)
                leased.append(LeasedJob(job, execution, *job.args))
            pipe.hset(self._worker_key, "current_job", leased[-1].task_id)
            pipe.hset(self._in_flight, mapping={job.task_id: BATCH for job in leased})
            pipe.execute()
        return leased

    def read_inputs(self, leased: Sequence[LeasedJob]) -> dict[str, tuple[bytes | None, bool]]:
        """For each task its input, None when it is gone, and whether a result is stored already.

        In one MULTI, since the collector takes input and result away in one.
        """
        with self.connection.pipeline() as pipe:
            pipe.mget([keys.task(job.archive, job.task_id) for job in leased])
            for job in leased:
                pipe.hexists(keys.result(job.archive), job.task_id)
            inputs, *stored = pipe.execute()
        return {
            job.task_id: (raw, bool(has_result))
            for job, raw, has_result in zip(leased, inputs, stored, strict=True)
        }

    def mark_alone(self, job: LeasedJob) -> None:
        """From now on a death counts against this one task."""
        job.alone = True
        self.connection.hset(self._in_flight, job.task_id, ALONE)

    def renew(self, pipe: Pipeline, leased: Sequence[LeasedJob]) -> None:
        """Extend the lease of every job in flight."""
        for job in leased:
            job.execution.heartbeat(self._leases, self._lease_s, pipeline=pipe)
            pipe.hset(job.job.key, "last_heartbeat", utcformat(now()))
        pipe.expire(self._in_flight, IN_FLIGHT_TTL_S)

    def ack(self, pipe: Pipeline, leased: LeasedJob, numbers: dict[str, Any]) -> None:
        """The job succeeded; `numbers` is all that RQ's result (and so the dashboard) gets to see.

        RQ's `handle_job_success` without its look for dependents, which no job of ours has.
        """
        job = leased.job
        job.ended_at = now()
        job._result = numbers
        ttl = job.get_result_ttl(DEFAULT_RESULT_TTL)
        job._handle_success(ttl, pipeline=pipe, worker_name=self._name)
        pipe.expire(job.key, ttl)
        pipe.hincrby(self._worker_key, "successful_job_count", 1)
        self._release(pipe, leased)

    def fail(self, pipe: Pipeline, leased: LeasedJob, reason: str) -> None:
        """The job failed for good; the dashboard shows the reason code, never a traceback."""
        leased.job.ended_at = now()
        self._record_failure(pipe, leased.job, reason)
        pipe.hincrby(self._worker_key, "failed_job_count", 1)
        self._release(pipe, leased)

    def refuse(self, job: TaskJob, reason: str) -> None:
        """A job that is not ours is failed without ever being leased or looked into."""
        with self.connection.pipeline() as pipe:
            pipe.lrem(self._queue.intermediate_queue_key, 0, job.id)
            self._record_failure(pipe, job, reason)
            pipe.incr(keys.stat("refused"))
            execute(pipe)

    def give_back(self, leased: Sequence[LeasedJob]) -> None:
        """Back to the front of the queue in the old order, without spending a retry."""
        if not leased:
            return
        with self.connection.pipeline() as pipe:
            for job in reversed(leased):
                job.execution.delete(job.job, pipe)
                self._queue._enqueue_job(job.job, pipeline=pipe, at_front=True)
                pipe.hdel(self._in_flight, job.task_id)
            pipe.hdel(self._worker_key, "current_job")
            pipe.execute()

    def is_drained(self) -> bool:
        """True when no job waits, none is between queue and lease, and nobody holds one."""
        waiting = self._queue.count + len(self._queue.intermediate_queue.get_job_ids())
        return not waiting and not self.connection.zcard(self._queue.started_job_registry.key)

    def _record_failure(self, pipe: Pipeline, job: TaskJob, reason: str) -> None:
        job.set_status(JobStatus.FAILED, pipeline=pipe)
        job._handle_failure(reason, pipeline=pipe, worker_name=self._name)

    def _release(self, pipe: Pipeline, leased: LeasedJob) -> None:
        leased.execution.delete(leased.job, pipe)
        for key in (self._in_flight, keys.SUSPECT, keys.STRIKE):
            pipe.hdel(key, leased.task_id)
