"""Bring results home: commit them to the spool, then take them out of Redis.

Idempotent by task id: a crash after the commit only makes the same results come again. Whoever
may write to Redis can send anything, so a result is held against the task that it is for: one that
no worker of ours can have made is refused and counted, and its task is made again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from exchange.errors import BadRecord
from exchange.queue import keys
from exchange.queue.feeder import make_queue
from exchange.records import (
    FAILURE_PATTERN,
    MAX_RESULT_BYTES,
    TASK_PATTERN,
    Completion,
    Pair,
    Result,
    Task,
)
from exchange.store import tasks
from exchange.store.spool import Spool

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

BATCH = 256
KEPT_JOBS = (
    1000  # ended jobs that the dashboard can still show, about 1.2 KB each; RQ's times also hold
)


class Collector:
    """Brings the results of one archive home."""

    def __init__(self, spool: Spool, archive: str) -> None:
        self.spool = spool
        self.archive = archive
        self._cursor = 0

    def collect(self, redis: Redis) -> int:
        """Collect one scan's worth of results; returns how many tasks were closed."""
        self._cursor, found = redis.hscan(keys.result(self.archive), self._cursor, count=BATCH)
        if not found:
            return 0
        closed = tasks.finish(self.spool, self._read(found))
        with redis.pipeline(transaction=True) as pipe:
            pipe.hdel(keys.result(self.archive), *found)
            pipe.delete(*(keys.task(self.archive, keys.text(field)) for field in found))
            pipe.execute()
        forget_old_jobs(redis)
        return closed

    def _read(self, found: dict[bytes, bytes]) -> list[Result]:
        """Those that can be stored; a task that the spool does not know wants no result."""
        ids = [name for name in map(keys.text, found) if TASK_PATTERN.fullmatch(name)]
        where = f"t.id IN ({','.join('?' * len(ids))})"
        asked = list(tasks.load_tasks(self.spool, self.archive, where, tuple(ids)))
        good: list[Result] = []
        for task in asked:
            try:
                good.append(read_result(found[task.id.encode()], task))
            except BadRecord as error:
                # Dropped, not stored: reconcile misses the task and queues it again.
                log.warning("a result in Redis is refused and will be made again: %s", error)
        tasks.count_refused(self.spool, len(asked) - len(good))
        return good


_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
MOST_PAIRS = 1000  # of one task
LONGEST_NAME = 500  # characters of a model's, an engine's or a prompt's name
MOST_TOKENS = 10**8
LONGEST_S = 10.0**7
LARGEST_SCORE = 10.0**6


def read_result(data: bytes, task: Task) -> Result:
    """The result of a task as it stands in Redis, checked for shape, meaning and size.

    Raises:
        BadRecord: no worker of ours can have made this of the task.
    """
    if len(data) > MAX_RESULT_BYTES:
        raise BadRecord(f"Result: {len(data):,} bytes, more than the {MAX_RESULT_BYTES:,} allowed")
    result = Result.from_json(data)
    if objection := next(_objections(result, task), ""):
        raise BadRecord(f"Result: {objection}")
    return result


def _objections(result: Result, task: Task) -> Iterator[str]:
    if (result.task_id, result.archive) != (task.id, task.archive):
        yield "it is of another task or archive"
    if result.failed and not FAILURE_PATTERN.fullmatch(result.failed):
        yield "it failed for a reason that is none of ours"
    if result.failed and any(pair.status == "accepted" for pair in result.pairs):
        yield "it failed, with a pair that is accepted"
    if not result.failed and not result.pairs:
        yield "no pair, and no reason why"
    ids = [pair.id for pair in result.pairs]
    if len(ids) > MOST_PAIRS or len(set(ids)) < len(ids):
        yield "too many pairs, or one of them twice"
    if result.completion is None:
        if result.pairs:
            yield "pairs without the reply that they were read from"
    elif not _is_plausible(result.completion):
        yield "a number, a time or a name of the completion cannot be"
    for pair in result.pairs:
        yield from _pair_objections(pair, task)


def _is_plausible(completion: Completion) -> bool:
    names = (
        completion.model,
        completion.quantisation,
        completion.engine,
        completion.prompt,
        completion.prompt_sha,
    )
    try:
        made = datetime.fromisoformat(completion.generated_at)
    except ValueError:
        return False
    return (
        made.tzinfo is not None
        and all(len(name) <= LONGEST_NAME and name.isprintable() for name in names)
        and _CODE.fullmatch(completion.finish_reason) is not None
        and 0 <= completion.tokens_in <= MOST_TOKENS
        and 0 <= completion.tokens_out <= MOST_TOKENS
        and 0 <= completion.seconds <= LONGEST_S
        and completion.seed >= 0
    )


def _pair_objections(pair: Pair, task: Task) -> Iterator[str]:
    if pair.id != Pair.make_id(task.id, pair.question, pair.answer):
        yield "the id of a pair is not that of its words"
    if pair.chunk_ids != task.chunk_ids:
        yield "a pair is about other chunks than its task"
    if not pair.question.strip() or not pair.answer.strip():
        yield "a pair without question or answer"
    fits = not pair.reason if pair.status == "accepted" else _CODE.fullmatch(pair.reason)
    if not fits or pair.duplicate_of:
        yield "the verdict on a pair makes no sense"
    source = task.given.get("pair", "") if task.kind == "rephrase" else ""
    if pair.rephrase_of != source:
        yield "a pair rephrases another than it was asked to"
    if len(pair.rules) > LONGEST_NAME or not pair.rules.isprintable():
        yield "the rules of a pair have no such name"
    if any(
        not _CODE.fullmatch(name) or abs(score) > LARGEST_SCORE
        for name, score in pair.scores.items()
    ):
        yield "a score of a pair cannot be"


def forget_old_jobs(redis: Redis, keep: int = KEPT_JOBS) -> None:
    """Take all but the newest ended jobs out of Redis, so that a fast engine cannot fill it."""
    queue = make_queue(redis)
    registries = queue.finished_job_registry.key, queue.failed_job_registry.key
    with redis.pipeline(transaction=False) as pipe:
        for key in registries:
            pipe.zrange(key, 0, -keep - 1)
        old = pipe.execute()
        if not any(old):
            return
        for key, ids in zip(registries, old, strict=True):
            if ids:
                pipe.zrem(key, *ids)
                pipe.delete(*(keys.job(job_id) for job_id in ids))
                pipe.delete(*(b"rq:results:" + job_id for job_id in ids))
        pipe.execute()
