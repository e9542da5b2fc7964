"""RQ's maintenance with our times: locks and waits end with the lease, not after 15 minutes."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rq import Queue
from rq.intermediate_queue import IntermediateQueue
from rq.serializers import JSONSerializer
from rq.utils import now

from exchange import keys
from workers.job import TaskJob

if TYPE_CHECKING:
    from redis import Redis

MAINTENANCE_LOCK_S = 30  # RQ's own stays 899 s when its holder is killed


class LeasedIntermediateQueue(IntermediateQueue):
    """Jobs that were popped but never leased return after a lease, not after a fixed minute."""

    wait_s = 60.0

    def should_be_cleaned_up(self, job_id: str) -> bool:
        first_seen = self.get_first_seen(job_id)
        return first_seen is not None and now() - first_seen > timedelta(seconds=self.wait_s)

    def cleanup(self, worker: Any, queue: Any) -> None:
        """Back to the queue without spending a retry; RQ's own would count a failure."""
        running = set(queue.started_job_registry.get_job_ids(cleanup=False))
        for job_id in self.get_job_ids():
            if job_id in running:
                continue
            job = queue.fetch_job(job_id)
            if job is None:
                self.remove(job_id)
            elif not self.set_first_seen(job_id) and self.should_be_cleaned_up(job_id):
                with self.connection.pipeline() as pipe:
                    pipe.lrem(self.key, 1, job_id)
                    pipe.delete(self.get_first_seen_key(job_id))
                    queue._enqueue_job(job, pipeline=pipe, at_front=True)
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
        return bool(
            self.connection.set(
                self.registry_cleaning_key, os.getpid(), nx=True, ex=MAINTENANCE_LOCK_S
            )
        )


def open_queue(redis: Redis, lease_s: float) -> TaskQueue:
    """The queue of generation tasks on this Redis."""
    queue = TaskQueue(keys.QUEUE, connection=redis, job_class=TaskJob, serializer=JSONSerializer)
    queue.lease_s = lease_s
    return queue
