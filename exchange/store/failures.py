"""Tasks that failed for good: look at them, ask for them again, or drop them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from exchange.errors import BadRecord, NotFound
from exchange.records import Completion, Task
from exchange.store import inputs
from exchange.store.spool import Spool

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
    for task in inputs.load_tasks(
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
