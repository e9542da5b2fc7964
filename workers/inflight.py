"""One job in flight, and RQ's own calls on it: pop, lease, renew, acknowledge, refuse, give back.

All calls into RQ's internals stand here, so that an upgrade breaks one file. RQ's worker keeps
one `execution`; a worker with many jobs in flight sets it before each call.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from redis.exceptions import RedisError
from rq.executions import Execution
from rq.job import JobStatus
from rq.utils import now, utcformat

from exchange import keys
from workers.job import TaskJob

if TYPE_CHECKING:
    from workers.worker import GenerationWorker

log = logging.getLogger(__name__)

ALONE = b"alone"


@dataclass(slots=True)
class InFlight:
    """A leased job, on its way through the engine."""

    job: TaskJob
    execution: Execution
    archive: str
    task_id: str
    alone: bool = False


def pop(worker: GenerationWorker) -> TaskJob | None:
    """The next job of the queue, unleased, or None; never blocks."""
    while True:
        try:
            found = worker.queue_class.dequeue_any(
                worker.queues,
                None,
                connection=worker.connection,
                job_class=TaskJob,
                serializer=worker.serializer,
                death_penalty_class=worker.death_penalty_class,
            )
        except RedisError:
            raise
        except Exception as error:  # a job hash that cannot even be read
            job_id = str(getattr(error, "job_id", ""))
            log.warning("a job's hash is unreadable and was dropped: %r", job_id[:64])
            worker.connection.lrem(worker.queues[0].intermediate_queue_key, 0, job_id)
            continue
        return cast(TaskJob, found[0]) if found else None


def take(worker: GenerationWorker, job: TaskJob) -> InFlight:
    """Lease a job that was just popped, and take it out of the intermediate queue."""
    execution = worker.prepare_execution(job)
    worker.prepare_job_execution(job, remove_from_intermediate_queue=True)
    worker.connection.hset(keys.inflight(worker.name), job.id, b"batch")
    archive, task_id = job.args
    return InFlight(job, execution, archive, task_id)


def mark_alone(worker: GenerationWorker, held: InFlight) -> None:
    """From now on a death counts against this one task."""
    held.alone = True
    worker.connection.hset(keys.inflight(worker.name), held.task_id, ALONE)


def renew(worker: GenerationWorker, held: list[InFlight], lease_s: int) -> None:
    """Extend the lease of every job in flight, in one round trip."""
    with worker.connection.pipeline() as pipe:
        worker.heartbeat(lease_s + 60, pipeline=pipe)
        for one in held:
            one.execution.heartbeat(one.job.started_job_registry, lease_s, pipeline=pipe)
            pipe.hset(one.job.key, "last_heartbeat", utcformat(now()))
        pipe.expire(keys.inflight(worker.name), 86400)
        pipe.execute()


def acknowledge(worker: GenerationWorker, held: InFlight, numbers: dict[str, Any]) -> None:
    """The job succeeded; `numbers` is all that RQ's result (and so the dashboard) gets to see."""
    job = held.job
    job.ended_at = now()
    job._result = numbers
    job._status = JobStatus.FINISHED
    worker.execution = held.execution
    worker.handle_job_success(job, worker.queues[0], worker.queues[0].started_job_registry)
    _clear(worker, held.task_id)


def fail(worker: GenerationWorker, held: InFlight, reason: str) -> None:
    """The job failed for good; the dashboard shows the reason code, never a traceback."""
    job = held.job
    job.ended_at = now()
    with worker.connection.pipeline() as pipe:
        worker.execution = held.execution
        job.set_status(JobStatus.FAILED, pipeline=pipe)
        worker.cleanup_execution(job, pipeline=pipe)
        job._handle_failure(reason, pipeline=pipe, worker_name=worker.name)
        worker.increment_failed_job_count(pipe)
        pipe.execute()
    _clear(worker, held.task_id)


def refuse(worker: GenerationWorker, job: TaskJob, reason: str) -> None:
    """A job that is not ours is failed without ever being leased or looked into."""
    queue = worker.queues[0]
    with worker.connection.pipeline() as pipe:
        pipe.lrem(queue.intermediate_queue_key, 0, job.id)
        job.set_status(JobStatus.FAILED, pipeline=pipe)
        job._handle_failure(reason, pipeline=pipe, worker_name=worker.name)
        pipe.incr(keys.stat("refused"))
        pipe.execute()


def give_back(worker: GenerationWorker, held: list[InFlight]) -> None:
    """Back to the front of the queue, without spending a retry."""
    queue = worker.queues[0]
    for one in held:
        with worker.connection.pipeline() as pipe:
            worker.execution = one.execution
            worker.cleanup_execution(one.job, pipeline=pipe)
            queue._enqueue_job(one.job, pipeline=pipe, at_front=True)
            pipe.hdel(keys.inflight(worker.name), one.task_id)
            pipe.execute()


def _clear(worker: GenerationWorker, task_id: str) -> None:
    with worker.connection.pipeline() as pipe:
        pipe.hdel(keys.inflight(worker.name), task_id)
        pipe.hdel(keys.SUSPECT, task_id)
        pipe.hdel(keys.STRIKE, task_id)
        pipe.execute()
