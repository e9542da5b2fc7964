"""The one kind of job there is, hardened: nothing in a job's hash can make a worker run code.

RQ imports and calls whatever function, callback or webhook a job names, even in registry
clean-up, and JSON alone does not stop that. `TaskJob` takes the one known function with two
checked strings, and forgets everything else that a job hash can carry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rq.job import Job
from rq.serializers import JSONSerializer

from exchange.errors import Unsupported
from exchange.queue import keys

if TYPE_CHECKING:
    from redis import Redis

REFUSED = "refused: not a generation task of ours"


def generate(archive: str, task_id: str) -> None:
    """The function that jobs name. A `GenerationWorker` runs the task; RQ itself must not."""
    raise Unsupported("generation tasks run in `kkoracle work`, not in a plain rq worker")


class TaskJob(Job):
    """A job that was read from Redis and is not trusted."""

    refused = foreign = False

    def restore(self, raw_data: Any) -> None:
        """Take over the fields, then drop all that could call out."""
        super().restore(raw_data)
        self._success_callback_name = None
        self._failure_callback_name = None
        self._stopped_callback_name = None
        self.webhooks = []
        self._dependency_ids = []
        self.allow_dependency_failures = None
        self.repeats_left = None
        self.repeat_intervals = None
        self.group_id = None
        self.rate_limit_key = self.rate_limit_concurrency = None  # from RQ 3 on
        self.retry_intervals = None
        self.meta = {}
        self._unreadable_meta = None
        self.foreign = self.origin != keys.QUEUE
        self.origin = keys.QUEUE  # its registries are named by it
        self.refused = self.foreign or not self._is_ours()

    def _is_ours(self) -> bool:
        try:
            name, instance, args, kwargs = self.serializer.loads(self.data)
        except Exception:  # pickled, truncated or hand-made: all the same to us
            return False
        fine = name == keys.FUNCTION and instance is None and not kwargs
        return (
            fine
            and isinstance(args, list)
            and len(args) == 2
            and keys.is_valid_job(*args)
            and args[1] == self.id
        )


def read_jobs(redis: Redis, ids: Sequence[str]) -> list[TaskJob | None]:
    """Jobs by id in one round trip; None for one that is gone or whose hash makes no sense."""
    with redis.pipeline(transaction=False) as pipe:
        for job_id in ids:
            pipe.hgetall(TaskJob.key_for(job_id))
        hashes = pipe.execute(raise_on_error=False)  # one may be no hash at all
    jobs: list[TaskJob | None] = []
    for job_id, found in zip(ids, hashes, strict=True):
        try:
            job = TaskJob(job_id, connection=redis, serializer=JSONSerializer)
            job.restore(found)
        except Exception:  # hand-made: RQ raises whatever the wrong field happens to raise
            jobs.append(None)
        else:
            jobs.append(job)
    return jobs
