"""The one kind of job there is, hardened: nothing in a job's hash can make a worker run code.

RQ imports and calls whatever function, callback or webhook a job names, even in registry
clean-up, and JSON alone does not stop that. `TaskJob` takes the one known function with two
checked strings, and forgets everything else that a job hash can carry.
"""

from __future__ import annotations

from typing import Any

from rq.job import Job

from exchange import keys

REFUSED = "refused: not a generation task of ours"


def generate(archive: str, task_id: str) -> None:
    """The function that jobs name. A `GenerationWorker` runs the task; RQ itself must not."""
    raise RuntimeError("generation tasks run in `kkoracle work`, not in a plain rq worker")


class TaskJob(Job):
    """A job that was read from Redis and is not trusted."""

    refused = False

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
        self.meta = {}
        self.refused = not self._is_ours()

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
            and keys.valid(*args)
            and args[1] == self.id
        )
