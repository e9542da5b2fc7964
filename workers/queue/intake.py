"""From the queue to the engine's door: which jobs are run, which are refused, dropped or closed."""

from __future__ import annotations

from collections.abc import Callable

from exchange.errors import BadRecord
from exchange.records import Task
from workers.job import REFUSED
from workers.queue.leased_queue import LeasedJob, LeasedQueue
from workers.queue.maintenance import POISON_REASON, find_poisoned, find_suspects
from workers.queue.result_writer import ResultWriter

LeasedTasks = list[tuple[LeasedJob, Task]]


class WrongRecipe(Exception):
    """The queue holds a task of another recipe than this worker's."""


class JobIntake:
    """Leased jobs of one worker that are not in the engine yet."""

    def __init__(
        self, leased: LeasedQueue, results: ResultWriter, fits: Callable[[Task], bool]
    ) -> None:
        """Take jobs from `leased`.

        Args:
            results: takes what ends without the engine.
            fits: whether a task asks for this worker's recipe.
        """
        self._queue = leased
        self._results = results
        self._fits = fits
        self._leased: list[LeasedJob] = []  # not looked into yet
        self._suspects: LeasedTasks = []  # each waits to run alone

    def held(self) -> list[LeasedJob]:
        """The jobs in here."""
        return [*self._leased, *(job for job, _ in self._suspects)]

    def lease(self, count: int, mine: set[str]) -> int:
        """Take over at most `count` jobs; returns how many the queue gave.

        Args:
            mine: the tasks that are in flight here already.
        """
        popped = self._queue.pop(count)
        ours = []
        for job in popped:
            if job.refused:
                self._queue.refuse(job, REFUSED)
            elif job.id in mine:
                # Our own lease had expired while we were frozen; the first run still counts.
                self._queue.drop(job.id)
            else:
                mine.add(job.id)
                ours.append(job)
        self._leased += self._queue.take(ours)
        return len(popped)

    def admit(self) -> LeasedTasks:
        """What may go into the batch now; suspects stay, and what needs no engine is closed.

        Raises:
            WrongRecipe: one of them is for another model or prompt; all are still held.
        """
        if not self._leased:
            return []
        ids = [job.task_id for job in self._leased]
        inputs = self._queue.read_inputs(self._leased)
        suspects = find_suspects(self._queue.connection, ids)
        poisoned = find_poisoned(self._queue.connection, ids)
        admitted: LeasedTasks = []
        while self._leased:
            job = self._leased[-1]
            raw, has_result = inputs[job.task_id]
            if has_result:
                self._results.close(job, "already")
            elif raw is None:
                self._results.close(job, "gone")
            elif job.task_id in poisoned:
                self._results.fail(job, POISON_REASON)
            elif (task := self._read(raw)) is None:
                self._results.fail(job, "bad-input")
            elif job.task_id in suspects:
                self._suspects.append((job, task))
            else:
                admitted.append((job, task))
            self._leased.pop()
        return admitted

    def next_suspect(self) -> tuple[LeasedJob, Task] | None:
        """The next one to run alone, marked as such."""
        if not self._suspects:
            return None
        job, task = self._suspects[-1]
        self._queue.mark_alone(job)
        self._suspects.pop()
        return job, task

    @property
    def has_suspects(self) -> bool:
        return bool(self._suspects)

    def _read(self, raw: bytes) -> Task | None:
        try:
            task = Task.from_json(raw)
        except BadRecord:
            return None
        if not self._fits(task):
            raise WrongRecipe(task.recipe)
        return task
