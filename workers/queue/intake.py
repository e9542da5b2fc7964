"""From the queue to the engine's door: which jobs are run, which are refused, dropped or closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.errors import BadRecord
from exchange.records import Task
from workers.job import REFUSED
from workers.queue import leased_queue, quarantine
from workers.queue.leased_queue import LeasedJob
from workers.queue.result_writer import ResultWriter

if TYPE_CHECKING:
    from workers.worker import GenerationWorker

LeasedTasks = list[tuple[LeasedJob, Task]]


class WrongRecipe(Exception):
    """The queue holds a task of another recipe than this worker's."""


class JobIntake:
    """Leased jobs of one worker that are not in the engine yet."""

    def __init__(self, worker: GenerationWorker, outbox: ResultWriter) -> None:
        self._worker = worker
        self._outbox = outbox
        self._leased: list[LeasedJob] = []  # not looked into yet
        self._suspects: LeasedTasks = []  # each waits to run alone

    def held(self) -> list[LeasedJob]:
        """The jobs in here."""
        return [*self._leased, *(held for held, _ in self._suspects)]

    def lease(self, count: int, mine: set[str]) -> int:
        """Take over at most `count` jobs; returns how many the queue gave.

        Args:
            mine: the tasks that are in flight here already.
        """
        popped = leased_queue.pop(self._worker, count)
        ours = []
        for job in popped:
            if job.refused:
                leased_queue.refuse(self._worker, job, REFUSED)
            elif job.id in mine:
                # Our own lease had expired while we were frozen; the first run still counts.
                leased_queue.drop(self._worker, job.id)
            else:
                mine.add(job.id)
                ours.append(job)
        self._leased += leased_queue.take(self._worker, ours)
        return len(popped)

    def ready(self) -> LeasedTasks:
        """What may go into the batch now; suspects stay, and what needs no engine is closed.

        Raises:
            WrongRecipe: one of them is for another model or prompt; all are still held.
        """
        if not self._leased:
            return []
        redis = self._worker.connection
        ids = [held.task_id for held in self._leased]
        found = leased_queue.read_inputs(self._worker, self._leased)
        suspects, poisoned = (
            quarantine.find_suspects(redis, ids),
            quarantine.find_poisoned(redis, ids),
        )
        ready: LeasedTasks = []
        while self._leased:
            held = self._leased[-1]
            raw, stored = found[held.task_id]
            if stored:
                self._outbox.close(held, "already")
            elif raw is None:
                self._outbox.close(held, "gone")
            elif held.task_id in poisoned:
                self._outbox.fail(held, quarantine.POISON_REASON)
            elif (task := self._read(raw)) is None:
                self._outbox.fail(held, "bad-input")
            elif held.task_id in suspects:
                self._suspects.append((held, task))
            else:
                ready.append((held, task))
            self._leased.pop()
        return ready

    def suspect(self) -> tuple[LeasedJob, Task] | None:
        """The next one to run alone, marked as such."""
        if not self._suspects:
            return None
        held, task = self._suspects[-1]
        leased_queue.mark_alone(self._worker, held)
        self._suspects.pop()
        return held, task

    @property
    def has_suspects(self) -> bool:
        return bool(self._suspects)

    def _read(self, raw: bytes) -> Task | None:
        try:
            task = Task.from_json(raw)
        except BadRecord:
            return None
        if not self._worker.desk.fits(task):
            raise WrongRecipe(task.recipe)
        return task
