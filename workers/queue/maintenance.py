"""RQ's maintenance with our times: locks and waits end with the lease, not after 15 minutes."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from rq import Queue
from rq.intermediate_queue import IntermediateQueue
from rq.serializers import JSONSerializer

from exchange.queue import keys
from workers.job import TaskJob, read_jobs

if TYPE_CHECKING:
    from redis import Redis


class LeasedIntermediateQueue(IntermediateQueue):
    """Jobs that were popped but never leased return after a lease, not after a fixed minute."""

    wait_s = 60.0

    def cleanup(self, worker: Any, queue: Any) -> None:
        """Back to the queue without spending a retry; RQ's own would count a failure.

        When a job was first seen here is kept for as long as it is here: what RQ notes per job
        outlives the visit, and would send the next one back at once.
        """
        running = set(queue.started_job_registry.get_job_ids(cleanup=False))
        here = set(self.get_job_ids()) - running
        known = self.connection.hgetall(keys.POPPED)
        moment = time.time()
        since = {job_id: float(known.get(job_id.encode(), moment)) for job_id in here}
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


class TaskQueue(Queue):
    """Our queue as a worker sees it: JSON only, untrusted jobs, short locks."""

    job_class = TaskJob
    lease_s = 60.0

    @property
    def intermediate_queue(self) -> LeasedIntermediateQueue:
        waiting = LeasedIntermediateQueue(self.key, connection=self.connection)
        waiting.wait_s = self.lease_s
        return waiting

    def acquire_maintenance_lock(self) -> bool:
        """For half a lease, 30 s by default; RQ's own stays 899 s when its holder is killed."""
        until = max(1, int(self.lease_s // 2))
        return bool(self.connection.set(self.registry_cleaning_key, os.getpid(), nx=True, ex=until))


def open_queue(redis: Redis, lease_s: float) -> TaskQueue:
    """The queue of generation tasks on this Redis."""
    queue = TaskQueue(keys.QUEUE, connection=redis, job_class=TaskJob, serializer=JSONSerializer)
    queue.lease_s = lease_s
    return queue
