"""What has ended and must reach Redis: first the result, then the acknowledgement."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from redis.connection import DefaultParser
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from exchange.queue import keys
from exchange.records import Result
from workers.queue.leased_queue import LeasedJob, LeasedQueue

if TYPE_CHECKING:
    from redis.client import Pipeline

log = logging.getLogger(__name__)

FULL_S = 1.0  # between two tries while Redis is full or cannot write its file
T = TypeVar("T")


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
                stored[finished.leased.archive][finished.leased.task_id] = finished.result.to_json()
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
            pipe.execute()


def retry_while_full(call: Callable[[], T]) -> T:
    """Call again until Redis can write; the client itself waits out a Redis that is away."""
    while True:
        try:
            return call()
        except (OutOfMemoryError, ReadOnlyError, CannotPersistError) as error:
            log.warning("Redis cannot take more (%s): waiting, nothing is lost", error)
            time.sleep(FULL_S)
