"""What is over and has to be told to Redis: first the result, then the acknowledgement."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redis.connection import DefaultParser
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from exchange.queue import keys
from exchange.records import Result
from workers.queue import leased_queue
from workers.queue.leased_queue import LeasedJob

if TYPE_CHECKING:
    from workers.worker import GenerationWorker


class CannotPersistError(ResponseError):
    """Redis takes no writes while it cannot write its file (its disk is full, most often)."""


# redis-py makes its exceptions from the code of a reply, and knows no class for this one.
DefaultParser.EXCEPTION_CLASSES["MISCONF"] = CannotPersistError


@dataclass(frozen=True, slots=True)
class _FinishedJob:
    held: LeasedJob
    result: Result | None  # None when it is stored already, or nobody waits for it
    numbers: dict[str, int]
    tokens: int = 0


class ResultWriter:
    """Outcomes of one worker. They stay in here until Redis has taken them."""

    def __init__(self, worker: GenerationWorker) -> None:
        self._worker = worker
        self._waiting: list[_FinishedJob] = []

    def done(self, held: LeasedJob, result: Result, numbers: dict[str, int], tokens: int) -> None:
        """A task was generated; without a pair it is a failure, and its words are kept."""
        self._waiting.append(_FinishedJob(held, result, numbers, tokens))

    def fail(self, held: LeasedJob, reason: str) -> None:
        """A task cannot be generated."""
        result = Result(held.task_id, held.archive, failed=reason)
        self._waiting.append(_FinishedJob(held, result, {}))

    def close(self, held: LeasedJob, why: str) -> None:
        """Nothing is left to do for a job; `why` is counted among its numbers."""
        self._waiting.append(_FinishedJob(held, None, {why: 1}))

    def held(self) -> list[LeasedJob]:
        """The jobs that are not acknowledged yet."""
        return [outcome.held for outcome in self._waiting]

    def settle(self) -> None:
        """Tell Redis. May be called again after a failure half-way: nothing is counted twice."""
        if not self._waiting:
            return
        self._store()
        self._acknowledge()
        self._waiting.clear()

    def _store(self) -> None:
        stored: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        for outcome in self._waiting:
            if outcome.result is not None:
                stored[outcome.held.archive][outcome.held.task_id] = outcome.result.to_json()
        with self._worker.connection.pipeline(transaction=False) as pipe:
            for archive, results in stored.items():
                pipe.hset(keys.result(archive), mapping=results)
            pipe.execute()

    def _acknowledge(self) -> None:
        worker = self._worker
        with worker.connection.pipeline() as pipe:
            for outcome in self._waiting:
                if outcome.result is not None and outcome.result.completion is None:
                    leased_queue.fail(worker, pipe, outcome.held, outcome.result.failed)
                else:
                    leased_queue.acknowledge(worker, pipe, outcome.held, outcome.numbers)
            worker.pulse.count(pipe, sum(outcome.tokens for outcome in self._waiting))
            for name in ("gone", "deadline"):
                if found := sum(name in outcome.numbers for outcome in self._waiting):
                    pipe.incrby(keys.stat(name), found)
            pipe.execute()


def is_write_refused(error: ResponseError) -> bool:
    """True when Redis is full, or for the moment cannot write its file: both pass."""
    return isinstance(error, OutOfMemoryError | ReadOnlyError | CannotPersistError)
