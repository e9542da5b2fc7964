"""The jobs of one worker on both sides of its engine: the intake, and the results that leave.

The intake says which jobs are run, which are refused, dropped or closed. The writer stores the
result first and acknowledges the job then.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from redis.connection import DefaultParser
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from exchange.errors import BadRecord
from exchange.queue import keys
from exchange.records import BAD_INPUT, MAX_RESULT_BYTES, POISON, Result, Task
from exchange.store.results import encode_result
from workers.job import REFUSED
from workers.queue.leased_queue import LeasedJob, LeasedQueue
from workers.queue.maintenance import execute, find_poisoned, find_suspects

if TYPE_CHECKING:
    from redis.client import Pipeline

log = logging.getLogger(__name__)

FULL_S = 1.0  # between two tries while Redis is full or cannot write its file
T = TypeVar("T")
LeasedTasks = list[tuple[LeasedJob, Task]]


class CannotPersistError(ResponseError):
    """Redis takes no writes while it cannot write its file (its disk is full, most often)."""


# redis-py makes its exceptions from the code of a reply, and knows no class for this one.
DefaultParser.EXCEPTION_CLASSES["MISCONF"] = CannotPersistError


@dataclass(frozen=True, slots=True)
class _FinishedJob:
    leased: LeasedJob
    result: Result | None  # None when it is stored already, or nobody waits for it
    numbers: dict[str, int]
    tokens: int = 0


class ResultWriter:
    """Outcomes of one worker. They stay in here until Redis has taken them."""

    def __init__(self, leased: LeasedQueue, count_tokens: Callable[[Pipeline, int], None]) -> None:
        """Acknowledge in `leased`; `count_tokens` adds what was generated in the same MULTI."""
        self._queue = leased
        self._count_tokens = count_tokens
        self._waiting: list[_FinishedJob] = []

    def add(self, job: LeasedJob, result: Result, numbers: dict[str, int], tokens: int) -> None:
        """A task was generated; without a pair it is a failure, and its reply is kept."""
        self._waiting.append(_FinishedJob(job, result, numbers, tokens))

    def fail(self, job: LeasedJob, reason: str) -> None:
        """A task cannot be generated."""
        result = Result(job.task_id, job.archive, failed=reason)
        self._waiting.append(_FinishedJob(job, result, {}))

    def close(self, job: LeasedJob, why: str) -> None:
        """Nothing is left to do for a job; `why` is counted among its numbers."""
        self._waiting.append(_FinishedJob(job, None, {why: 1}))

    def held(self) -> list[LeasedJob]:
        """The jobs that are not acknowledged yet."""
        return [finished.leased for finished in self._waiting]

    def flush(self) -> None:
        """Write to Redis. May be called again after a failure half-way: nothing counts twice."""
        if not self._waiting:
            return
        self._store()
        self._acknowledge()
        self._waiting.clear()

    def _store(self) -> None:
        stored: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        for finished in self._waiting:
            if finished.result is not None:
                found = encode_result(finished.result)
                stored[finished.leased.archive][finished.leased.task_id] = found
        with self._queue.connection.pipeline(transaction=False) as pipe:
            for archive, results in stored.items():
                pipe.hset(keys.result(archive), mapping=results)
            pipe.execute()

    def _acknowledge(self) -> None:
        with self._queue.connection.pipeline() as pipe:
            for finished in self._waiting:
                if finished.result is not None and finished.result.completion is None:
                    self._queue.fail(pipe, finished.leased, finished.result.failed)
                else:
                    self._queue.ack(pipe, finished.leased, finished.numbers)
            self._count_tokens(pipe, sum(finished.tokens for finished in self._waiting))
            for name in ("gone", "deadline"):
                if count := sum(name in finished.numbers for finished in self._waiting):
                    pipe.incrby(keys.stat(name), count)
            execute(pipe)


def retry_while_full(call: Callable[[], T]) -> T:
    """Call again until Redis can write; the client itself waits out a Redis that is away."""
    while True:
        try:
            return call()
        except (OutOfMemoryError, ReadOnlyError, CannotPersistError) as error:
            log.warning("Redis cannot take more (%s): waiting, nothing is lost", error)
            time.sleep(FULL_S)


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
                self._results.fail(job, POISON)
            elif (task := self._read(job, raw)) is None:
                self._results.fail(job, BAD_INPUT)
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

    def _read(self, job: LeasedJob, raw: bytes) -> Task | None:
        """The input of a job; None when it is no task, or another one."""
        try:
            task = Task.from_json(raw)
        except BadRecord:
            return None
        if (task.id, task.archive) != (job.task_id, job.archive) or len(raw) > MAX_RESULT_BYTES:
            return None
        if not self._fits(task):
            raise WrongRecipe(task.recipe)
        return task
