"""What other processes ask of the daemon: rows in `review.sqlite` that it carries out in turn.

Only the holder of `daemon.lock` writes the spool. A command that wants a change while a daemon
runs leaves a request and waits for its answer; without a daemon it takes the lock itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from exchange.errors import BadFile, BadRecord, Busy, NotFound, UserError
from exchange.lock import daemon_lock
from exchange.records import Completion, Task
from exchange.store import results, tasks, verdicts
from exchange.store.review import DaemonRequest, Review
from exchange.store.spool import Spool

# Tasks that failed for good: look at them, ask for them again, or drop them.

RETRY, DROP = "failed.retry", "failed.drop"  # kinds of requests to the daemon
DROPPED = "dropped"
MIN_ID_LETTERS = 4  # letters of an id that may stand for all of it


@dataclass(frozen=True, slots=True)
class FailedTask:
    """One failed task with what it was asked and what the model said, if it said anything."""

    task: Task
    reason: str
    completion: Completion | None


@dataclass(frozen=True, slots=True)
class FailedSelection:
    """Which failed tasks are meant: by the beginning of their ids, by reason, or all."""

    ids: tuple[str, ...] = ()
    reason: str = ""

    def to_json(self) -> str:
        return orjson.dumps({"ids": self.ids, "reason": self.reason}).decode()

    @classmethod
    def from_json(cls, text: str) -> FailedSelection:
        raw = orjson.loads(text)
        return cls(tuple(str(one) for one in raw["ids"]), str(raw["reason"]))


def count_reasons(spool: Spool) -> dict[str, int]:
    """Reason code to number of tasks, the commonest first."""
    rows = spool.db.execute(
        "SELECT reason, COUNT(*) FROM tasks WHERE state='failed' GROUP BY reason ORDER BY 2 DESC, 1"
    )
    return dict(rows.fetchall())


def list_failed(
    spool: Spool, archive: str, selection: FailedSelection, limit: int
) -> Iterator[FailedTask]:
    """The selected ones, oldest first, at most `limit`."""
    where, values = _where(spool, selection)
    found = dict(
        spool.db.execute(
            f"SELECT id, reason FROM tasks t WHERE {where} ORDER BY serial LIMIT ?",
            (*values, limit),
        ).fetchall()
    )
    marks = ",".join("?" * len(found))
    for task in tasks.load_tasks(
        spool, archive, f"t.id IN ({marks}) ORDER BY t.serial", tuple(found)
    ):
        yield FailedTask(task, found[task.id], spool.completion(task.id))


def apply_request(spool: Spool, kind: str, argument: str) -> int:
    """Do what a request asks; returns how many tasks it changed.

    Raises:
        UserError: the request makes no sense, or names a task that is not there.
    """
    try:
        where, values = _where(spool, FailedSelection.from_json(argument))
    except (ValueError, KeyError, TypeError):
        raise BadRecord("a request about failed tasks that nobody understands") from None
    state, reason = ("new", "") if kind == RETRY else ("stale", DROPPED)
    with spool.transaction() as db:
        changed = db.execute(
            "UPDATE tasks SET state=?, reason=?, missing=0 WHERE serial IN "
            f"(SELECT serial FROM tasks t WHERE {where})",
            (state, reason, *values),
        )
        return changed.rowcount


def _where(spool: Spool, selection: FailedSelection) -> tuple[str, tuple[str, ...]]:
    if selection.ids:
        ids = tuple(_full_id(spool, one) for one in selection.ids)
        return f"t.state='failed' AND t.id IN ({','.join('?' * len(ids))})", ids
    if selection.reason:
        return "t.state='failed' AND t.reason=?", (selection.reason,)
    return "t.state='failed'", ()


def _full_id(spool: Spool, start: str) -> str:
    if len(start) < MIN_ID_LETTERS or not start.isalnum():
        raise NotFound(f"{start!r} is no task: give at least {MIN_ID_LETTERS} letters of its id")
    rows = spool.db.execute(
        "SELECT id FROM tasks WHERE state='failed' AND id LIKE ? LIMIT 2", (f"{start}%",)
    ).fetchall()
    if len(rows) != 1:
        how = "several failed tasks begin" if rows else "no failed task begins"
        raise NotFound(f"{how} with {start!r}: `kkoracle failed list` shows them")
    return str(rows[0]["id"])


log = logging.getLogger(__name__)

RECHECK, BATCH = "recheck", "batch"
KINDS = (RECHECK, BATCH, RETRY, DROP)
POLL_S = 0.3


def answer_requests(spool: Spool, directory: Path) -> int:
    """Do what is asked and not yet answered; returns how many requests were answered.

    A request that cannot be carried out is answered with the reason and never stops the daemon.
    """
    if not _has_open_requests(directory):
        return 0
    review = Review.open(directory)
    count = 0
    try:
        for request in review.open_requests():
            if request.kind in KINDS:
                review.answer(request.serial, _outcome(spool, directory, request, review))
                count += 1
    except Busy as error:  # somebody writes for long; it is looked at again
        log.warning("a request could not be answered yet: %s", error)
    finally:
        review.close()
    return count


def _has_open_requests(directory: Path) -> bool:
    try:
        review = Review.read(directory)
        if review is None:
            return False
        try:
            return any(request.kind in KINDS for request in review.open_requests())
        finally:
            review.close()
    except UserError:  # it cannot be read now; who asks finds out himself
        return False


def _outcome(spool: Spool, directory: Path, request: DaemonRequest, review: Review) -> str:
    try:
        if request.kind == RECHECK:
            changed = _recheck(spool, directory, request.argument, review)
        elif request.kind == BATCH:
            staged = directory / Path(request.argument).name
            changed = results.apply_staged_results(spool, staged, directory.name)
        else:
            changed = apply_request(spool, request.kind, request.argument)
    except UserError as error:
        log.warning("a request (%s) was not carried out: %s", request.kind, error)
        return f"failed: {error}"
    return f"done: {changed}"


def _recheck(spool: Spool, directory: Path, name: str, review: Review) -> int:
    if not verdicts.NAME.fullmatch(name):
        raise BadFile(f"{name[:40]!r} is no file of verdicts")
    return verdicts.apply_verdicts(spool, directory / name, review.labels())


def submit_request(
    directory: Path,
    argument: str,
    waiting: Callable[[], None] = lambda: None,
    kind: str = RECHECK,
) -> int:
    """Have a request carried out, by the daemon where one runs, else here and now.

    Args:
        argument: of a recheck, or results of a batch, the name of the staged file.
        waiting: called while a daemon is waited for.

    Returns:
        How many pairs or tasks changed.

    Raises:
        UserError: it could not be carried out; nothing was changed.
    """
    review = Review.open(directory)
    try:
        serial = review.add_request(kind, argument)
        while (outcome := review.outcome(serial)) is None:
            lock = daemon_lock(directory)
            if lock.acquire():
                try:
                    spool = Spool.open(directory)
                    try:
                        answer_requests(spool, directory)
                    finally:
                        spool.close()
                finally:
                    lock.release()
            else:
                waiting()
                time.sleep(POLL_S)
    finally:
        review.close()
    state, _, rest = outcome.partition(": ")
    if state != "done":
        raise BadFile(rest)
    return int(rest)
