"""Jobs in flight, and RQ's own calls on them: pop, lease, renew, acknowledge, refuse, give back.

All calls into RQ's internals stand here and in `upkeep`, so that an upgrade breaks two files. RQ's
worker runs one job and asks Redis a dozen times for it; here many jobs share each round trip.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rq import worker_registration
from rq.executions import Execution
from rq.job import JobStatus
from rq.utils import now, utcformat

from exchange.queue import keys
from workers.job import TaskJob, read_jobs

if TYPE_CHECKING:
    from redis.client import Pipeline

    from workers.worker import GenerationWorker

log = logging.getLogger(__name__)

BATCH, ALONE = b"batch", b"alone"


@dataclass(slots=True)
class LeasedJob:
    """A leased job, on its way through the engine."""

    job: TaskJob
    execution: Execution
    archive: str
    task_id: str
    alone: bool = False


def pop(worker: GenerationWorker, count: int) -> list[TaskJob]:
    """At most `count` jobs off the queue, unleased; never blocks.

    They wait in RQ's intermediate queue until they are leased or dropped, so that a kill right
    here loses none of them.
    """
    redis, queue = worker.connection, worker.queues[0]
    with redis.pipeline(transaction=False) as pipe:
        for _ in range(count):
            pipe.lmove(queue.key, queue.intermediate_queue_key)
        ids = [raw.decode("utf-8", "replace") for raw in pipe.execute() if raw is not None]
    jobs = []
    for job_id, job in zip(ids, read_jobs(redis, ids), strict=True):
        if job is None:
            log.warning("a job's hash is missing or unreadable; dropped: %r", job_id[:64])
            drop(worker, job_id)
        else:
            jobs.append(job)
    return jobs


def drop(worker: GenerationWorker, job_id: str) -> None:
    """Forget that a job was popped."""
    worker.connection.lrem(worker.queues[0].intermediate_queue_key, 1, job_id)


def take(worker: GenerationWorker, jobs: Sequence[TaskJob]) -> list[LeasedJob]:
    """Lease jobs that were just popped and end their stay in between, in one MULTI."""
    held = []
    intermediate = worker.queues[0].intermediate_queue_key
    with worker.connection.pipeline() as pipe:
        for job in jobs:
            execution = Execution.create(job, worker.lease_s, pipe, worker_name=worker.name)
            job.prepare_for_execution(worker.name, pipeline=pipe)
            pipe.lrem(intermediate, 1, job.id)
            held.append(LeasedJob(job, execution, *job.args))
        if held:
            worker.set_current_job_id(held[-1].task_id, pipeline=pipe)
            pipe.hset(keys.inflight(worker.name), mapping={one.task_id: BATCH for one in held})
            pipe.execute()
    return held


def read_inputs(
    worker: GenerationWorker, held: Sequence[LeasedJob]
) -> dict[str, tuple[bytes | None, bool]]:
    """For each task its input, None when it is gone, and whether a result is stored already.

    In one MULTI, since the collector takes input and result away in one.
    """
    with worker.connection.pipeline() as pipe:
        pipe.mget([keys.task(one.archive, one.task_id) for one in held])
        for one in held:
            pipe.hexists(keys.result(one.archive), one.task_id)
        raws, *stored = pipe.execute()
    return {
        one.task_id: (raw, bool(there)) for one, raw, there in zip(held, raws, stored, strict=True)
    }


def mark_alone(worker: GenerationWorker, held: LeasedJob) -> None:
    """From now on a death counts against this one task."""
    held.alone = True
    worker.connection.hset(keys.inflight(worker.name), held.task_id, ALONE)


def renew(worker: GenerationWorker, held: Sequence[LeasedJob], lease_s: int) -> None:
    """Extend the lease of every job in flight, in one round trip.

    The worker's own hash is written anew each time: a Redis that was flushed had forgotten it.
    """
    with worker.connection.pipeline() as pipe:
        worker.heartbeat(lease_s + 60, pipeline=pipe)
        pipe.hset(worker.key, mapping=worker.serialize())
        worker_registration.register(worker, pipe)
        for one in held:
            one.execution.heartbeat(one.job.started_job_registry, lease_s, pipeline=pipe)
            pipe.hset(one.job.key, "last_heartbeat", utcformat(now()))
        pipe.expire(keys.inflight(worker.name), 86400)
        pipe.execute()


def acknowledge(
    worker: GenerationWorker, pipe: Pipeline, held: LeasedJob, numbers: dict[str, Any]
) -> None:
    """The job succeeded; `numbers` is all that RQ's result (and so the dashboard) gets to see.

    RQ's `handle_job_success` without its look for dependents, which no job of ours has.
    """
    job = held.job
    job.ended_at = now()
    job._result = numbers
    ttl = job.get_result_ttl(worker.default_result_ttl)
    job._handle_success(ttl, pipeline=pipe, worker_name=worker.name)
    pipe.expire(job.key, ttl)
    worker.increment_successful_job_count(pipe)
    _clear(worker, pipe, held)


def fail(worker: GenerationWorker, pipe: Pipeline, held: LeasedJob, reason: str) -> None:
    """The job failed for good; the dashboard shows the reason code, never a traceback."""
    held.job.ended_at = now()
    held.job.set_status(JobStatus.FAILED, pipeline=pipe)
    held.job._handle_failure(reason, pipeline=pipe, worker_name=worker.name)
    worker.increment_failed_job_count(pipe)
    _clear(worker, pipe, held)


def refuse(worker: GenerationWorker, job: TaskJob, reason: str) -> None:
    """A job that is not ours is failed without ever being leased or looked into."""
    queue = worker.queues[0]
    with worker.connection.pipeline() as pipe:
        pipe.lrem(queue.intermediate_queue_key, 0, job.id)
        job.set_status(JobStatus.FAILED, pipeline=pipe)
        job._handle_failure(reason, pipeline=pipe, worker_name=worker.name)
        pipe.incr(keys.stat("refused"))
        pipe.execute()


def give_back(worker: GenerationWorker, held: Sequence[LeasedJob]) -> None:
    """Back to the front of the queue in the old order, without spending a retry."""
    if not held:
        return
    queue = worker.queues[0]
    with worker.connection.pipeline() as pipe:
        for one in reversed(held):
            one.execution.delete(one.job, pipe)
            queue._enqueue_job(one.job, pipeline=pipe, at_front=True)
            pipe.hdel(keys.inflight(worker.name), one.task_id)
        worker.set_current_job_id(None, pipeline=pipe)
        pipe.execute()


def _clear(worker: GenerationWorker, pipe: Pipeline, held: LeasedJob) -> None:
    held.execution.delete(held.job, pipe)
    for key in (keys.inflight(worker.name), keys.SUSPECT, keys.STRIKE):
        pipe.hdel(key, held.task_id)
