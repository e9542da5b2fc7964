"""What a task is asked with: a chunk of the spool, or a record of its own.

A chunk task or a dense one asks about its chunk, which is looked up. Every other kind keeps its
whole input beside it, so that it can be judged again when what it was made from has changed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import zstandard

from exchange.records import Chunk, Task
from exchange.store.spool import Spool

# A few kilobytes at the most; higher levels save about 2 % and cost three times as much.
ZSTD_LEVEL = 3
LANGUAGE_KEY = "language"  # of the archive, among the spool's meta values
DEFAULT_LANGUAGE = "el"
_SELECT_TASKS = """SELECT t.id, t.kind, t.recipe, c.record AS chunk, i.record AS input
FROM tasks t LEFT JOIN chunks c ON c.id=t.subject LEFT JOIN inputs i ON i.task_id=t.id"""


def archive_language(spool: Spool) -> str:
    """The language of the archive's newspaper."""
    return spool.meta(LANGUAGE_KEY) or DEFAULT_LANGUAGE


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
            (task.id, story_id, zstandard.compress(task.to_json(), ZSTD_LEVEL)),
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


def task_from_row(row: sqlite3.Row, archive: str, language: str) -> Task | None:
    """The task of one row with the columns id, kind, recipe, chunk and input."""
    if row["input"] is not None:
        return Task.from_json(zstandard.decompress(row["input"]))
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
