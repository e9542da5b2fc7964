"""The life of a task in the spool: new, queued, then done or failed; stale when unwanted.

Every function is one short transaction. Only the daemon's flow calls them.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from sqlite3 import Connection

from exchange.records import Chunk, Pair, Result, Task
from exchange.settings import DEFAULT_LANGUAGE
from exchange.store import history
from exchange.store.db import counter_sql, pack, unpack
from exchange.store.dedup import DUPLICATE, QuestionIndex
from exchange.store.schema import BAD_RECORD
from exchange.store.spool import Spool

# What a task is asked with: a chunk of the spool, or a record of its own.
#
# A chunk task or a dense one asks about its chunk, which is looked up. Every other kind keeps its
# whole input beside it, so that it can be judged again when what it was made from has changed.

PAGE = 500  # rows that are read at a time where all of a table is
LANGUAGE_KEY = "language"  # of the archive, among the spool's meta values
_SELECT_TASKS = """SELECT t.id, t.kind, t.recipe, c.record AS chunk, i.record AS input
FROM tasks t LEFT JOIN chunks c ON c.id=t.subject LEFT JOIN inputs i ON i.task_id=t.id"""


def archive_language(spool: Spool) -> str:
    """The language of the archive's newspaper."""
    return settled_language(spool) or DEFAULT_LANGUAGE


def settled_language(spool: Spool) -> str:
    """The same, "" while it is not known; archives of before it was noted are Greek."""
    noted = spool.meta(LANGUAGE_KEY)
    if noted or spool.db.execute("SELECT 1 FROM stories LIMIT 1").fetchone() is None:
        return noted
    return DEFAULT_LANGUAGE


def add_task(spool: Spool, task: Task, *, subject: str, story_id: str, year: int) -> bool:
    """Make a task if it is not there yet; call inside a transaction.

    Args:
        subject: what the task is about: a chunk's id, a pair's, a name.
        story_id: whose pairs its pairs are counted among, "" for none.

    Returns:
        True when there is a task to do now that was not there before.
    """
    made = spool.db.execute(
        "INSERT OR IGNORE INTO tasks(id, kind, subject, recipe, year, length, state) "
        "VALUES (?,?,?,?,?,?,'new')",
        (task.id, task.kind, subject, task.recipe, year, len(task.text)),
    ).rowcount
    if not made:
        return bool(
            spool.db.execute(
                "UPDATE tasks SET state='new' WHERE id=? AND state='stale'", (task.id,)
            ).rowcount
        )
    if task.kind != "dense":
        spool.db.execute(
            "INSERT OR REPLACE INTO inputs(task_id, story_id, record) VALUES (?,?,?)",
            (task.id, story_id, pack(task.to_json())),
        )
    return True


def load_tasks(
    spool: Spool, archive: str, where: str, values: tuple[object, ...]
) -> Iterator[Task]:
    """The tasks that a condition on `t` (the tasks table) selects, ready to be sent or judged."""
    language = archive_language(spool)
    for row in spool.db.execute(f"{_SELECT_TASKS} WHERE {where}", values):
        task = task_from_row(row, archive, language)
        if task is not None:
            yield task


def pages_of_open_tasks(spool: Spool, archive: str, kind: str, recipe: str) -> Iterator[Task]:
    """The tasks of a kind and recipe that wait, in the order of their making.

    Read a page at a time, so that neither memory nor a transaction grows with the archive.
    """
    # The signs keep SQLite on the order of `serial`: by an index it would sort for every page.
    where = "t.serial>? AND +t.kind=? AND +t.recipe=? AND +t.state IN ('new','queued')"
    last = 0
    while True:
        row = spool.db.execute(
            f"SELECT MAX(serial) AS last FROM (SELECT serial FROM tasks t WHERE {where} "
            f"ORDER BY serial LIMIT {PAGE})",
            (last, kind, recipe),
        ).fetchone()
        if row["last"] is None:
            return
        span = (last, kind, recipe, row["last"])
        yield from load_tasks(spool, archive, f"{where} AND t.serial<=? ORDER BY t.serial", span)
        last = row["last"]


def task_from_row(row: sqlite3.Row, archive: str, language: str) -> Task | None:
    """The task of one row with the columns id, kind, recipe, chunk and input."""
    if row["input"] is not None:
        return Task.from_json(unpack(row["input"]))
    if row["chunk"] is None:
        return None
    chunk = Chunk.from_json(row["chunk"])
    return Task(
        id=row["id"],
        archive=archive,
        kind=row["kind"],
        chunk_ids=(chunk.id,),
        recipe=row["recipe"],
        text=chunk.text,
        header=chunk.header,
        language=language,
    )


log = logging.getLogger(__name__)

REFUSED = "results.refused"  # the counter of results that were not what was asked for
REOPEN_AFTER = 2  # passes: one alone may have looked while a job was moving


def claim(spool: Spool, archive: str, limit: int) -> list[Task]:
    """Move up to `limit` new tasks to `queued`, round-robin over years, shortest text first.

    Sorted by length, since a batch of similar lengths wastes the least work on padding.
    """
    with spool.transaction() as db:
        years = _years(db)
        serials: list[int] = []
        while years and len(serials) < limit:
            share = max(1, (limit - len(serials)) // len(years))
            for year in list(years):
                rows = db.execute(
                    "SELECT serial FROM tasks WHERE state='new' AND year=? ORDER BY serial LIMIT ?",
                    (year, min(share, limit - len(serials))),
                ).fetchall()
                if len(rows) < share:
                    years.remove(year)
                db.executemany("UPDATE tasks SET state='queued', missing=0 WHERE serial=?", rows)
                serials += (serial for (serial,) in rows)
                if len(serials) >= limit:
                    break
        return _load(spool, archive, serials)


def _years(db: Connection) -> list[int]:
    """The years that have new tasks, by a step of the index each; DISTINCT would read all of it."""
    years: list[int] = []
    least = "SELECT MIN(year) FROM tasks WHERE state='new' AND year>?"
    while (year := db.execute(least, (years[-1] if years else -1,)).fetchone()[0]) is not None:
        years.append(year)
    return years


def _load(spool: Spool, archive: str, serials: Sequence[int]) -> list[Task]:
    marks = ",".join("?" * len(serials))
    where = f"t.serial IN ({marks}) ORDER BY t.length, t.serial"
    return list(load_tasks(spool, archive, where, tuple(serials)))


def reopen(spool: Spool, ids: Iterable[str]) -> int:
    """Queued tasks become new again; others are left as they are. Returns how many moved."""
    with spool.transaction() as db:
        return sum(
            db.execute(
                "UPDATE tasks SET state='new', missing=0 WHERE id=? AND state='queued'", (task_id,)
            ).rowcount
            for task_id in ids
        )


def queued_ids(spool: Spool) -> set[str]:
    """The ids of all queued tasks (bounded by the feeder's high mark)."""
    return {row["id"] for row in spool.db.execute("SELECT id FROM tasks WHERE state='queued'")}


def record_missing(spool: Spool, present: set[str], missing: set[str]) -> int:
    """Record one reconcile pass; a task missing in `REOPEN_AFTER` passes running becomes new.

    Returns:
        How many tasks became new.
    """
    with spool.transaction() as db:
        for task_id in present:
            db.execute("UPDATE tasks SET missing=0 WHERE id=? AND missing>0", (task_id,))
        for task_id in missing:
            db.execute(
                "UPDATE tasks SET missing=missing+1 WHERE id=? AND state='queued'", (task_id,)
            )
        return db.execute(
            "UPDATE tasks SET state='new', missing=0 WHERE state='queued' AND missing>=?",
            (REOPEN_AFTER,),
        ).rowcount


def finish(spool: Spool, results: Sequence[Result]) -> int:
    """Store what the workers sent, each task exactly once; a second result is ignored.

    Returns:
        How many tasks were open before and are closed now.
    """
    closed: list[tuple[Result, str]] = []
    index = QuestionIndex.of_spool(spool.db)
    with spool.transaction() as db:
        for result in results:
            row = db.execute(
                "SELECT t.state, t.subject, COALESCE(i.story_id, c.story_id, '') AS story_id "
                "FROM tasks t LEFT JOIN chunks c ON c.id=t.subject "
                "LEFT JOIN inputs i ON i.task_id=t.id WHERE t.id=?",
                (result.task_id,),
            ).fetchone()
            if row is None or row["state"] in ("done", "failed"):
                continue
            closed.append((result, row["subject"]))
            db.execute(
                "UPDATE tasks SET state=?, reason=?, missing=0 WHERE id=?",
                ("failed" if result.failed else "done", result.failed, result.task_id),
            )
            _store_result(spool, result, row["story_id"], index)
        history.record_counters(db)
    for result, subject in closed:
        log.info(
            "a task has ended",
            extra={
                "archive": result.archive,
                "task": result.task_id,
                "chunk": subject,
                "state": "failed" if result.failed else "done",
                "reason": result.failed,
            },
        )
    return len(closed)


def count_refused(spool: Spool, count: int) -> None:
    """Count results that are not what was asked for; their tasks stay open."""
    if count:
        with spool.transaction() as db:
            db.execute(counter_sql("?", "?"), (REFUSED, count))


def _store_result(spool: Spool, result: Result, story_id: str, index: QuestionIndex) -> None:
    if result.completion is None:
        return
    spool.db.execute(
        "INSERT OR REPLACE INTO completions(task_id, record) VALUES (?,?)",
        (result.task_id, pack(result.completion.to_json())),
    )
    for judged in result.pairs:
        pair = reject_duplicate(judged, index)
        spool.db.execute(
            "INSERT INTO pairs(id, task_id, story_id, status, reason, record) "
            "VALUES (?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET status=excluded.status, "
            f"reason=excluded.reason, record=excluded.record WHERE pairs.reason='{BAD_RECORD}'",
            (pair.id, result.task_id, story_id, pair.status, pair.reason, pair.to_json()),
        )


def reject_duplicate(pair: Pair, index: QuestionIndex) -> Pair:
    """The pair, or the pair rejected because another one was kept that asks the same."""
    if pair.status != "accepted":
        return pair
    kept = index.keep(pair.id, pair.question)
    if not kept:
        return pair
    return pair.replace(status="rejected", reason=DUPLICATE, duplicate_of=kept)
