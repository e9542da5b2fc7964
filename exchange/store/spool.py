"""The spool of one archive: the truth about stories, chunks, tasks, completions and pairs.

One `Spool` belongs to one thread. Only the daemon (holder of `daemon.lock`) writes; everyone
else opens it read-only. The step from page to story is idempotent: storing the same story again
changes nothing.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Self

from exchange import records
from exchange.records import Chunk, Completion, PackedChunk, Pair, Story, Task
from exchange.store import db, schema
from exchange.store.papers import require_archive

FILE = "spool.sqlite"
# Ids are hashes, so rows land all over the indexes: with SQLite's own 2 MB storing a result took
# 1.4 times as much at 16,000 stories as at 4,000, with this 1.1 times.
CACHE_KB = 65_536
_IDENTITY = "identity"  # among the meta values
ChunkState = Literal["live", "stale"]


def open_tasks(counters: Mapping[str, int]) -> int:
    """Tasks that are not closed yet: waiting in the spool, or queued in Redis."""
    return counters.get("tasks.new", 0) + counters.get("tasks.queued", 0)


class Spool:
    """Stories and chunks in, tasks and pairs out."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.db = connection

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open for writing, creating the file on first use.

        Raises:
            UsageError: the folder stands for several archives.
        """
        require_archive(directory)
        connection = db.connect(
            directory / FILE,
            schema.SCHEMA,
            version=schema.VERSION,
            upgrade=schema.upgrade,
        )
        connection.execute(f"PRAGMA cache_size=-{CACHE_KB}")
        return cls(connection)

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Open for reading only.

        Raises:
            NotFound: nothing was crawled yet.
            UsageError: the folder stands for several archives.
        """
        require_archive(directory)
        return cls(db.connect_readonly(directory / FILE, schema.VERSION))

    def close(self) -> None:
        self.db.close()

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """One write transaction over everything done inside the block."""
        return db.transaction(self.db)

    # -- what the crawler writes ------------------------------------------------------------

    def put_page(
        self,
        page: str,
        extraction: str,
        stories: Iterable[tuple[Story, Sequence[Chunk | PackedChunk]]],
    ) -> tuple[int, int]:
        """Store what one page yielded; call inside a transaction.

        Chunks that the page or its story no longer yields become `stale` (their pairs stay);
        chunks that come back become `live` again. New live chunks get a task of the current recipe.

        Returns:
            The numbers of new stories and of new chunks.
        """
        new_stories = new_chunks = 0
        recipe = self.meta("recipe")
        gone = {
            row["id"] for row in self.db.execute("SELECT id FROM stories WHERE page=?", (page,))
        }
        for story, chunks in stories:
            gone.discard(story.id)
            row = (
                page,
                extraction,
                story.published,
                story.section,
                story.cluster or story.id,
                story.to_json(),
                story.id,
            )
            added = self.db.execute(
                "INSERT INTO stories(page, extraction, published, section, cluster, record, id) "
                "VALUES (?,?,?,?,?,?,?) ON CONFLICT(id) DO NOTHING",
                row,
            ).rowcount
            new_stories += added
            if not added:
                self.db.execute(
                    "UPDATE stories SET page=?, extraction=?, published=?, section=?, cluster=?, "
                    "record=? WHERE id=?",
                    row,
                )
                self._retire(story.id, {chunk.id for chunk in chunks})
                self._unmark(story)
            for chunk in chunks:
                new_chunks += self._put_chunk(
                    chunk.packed(), story.published, recipe, fresh=bool(added)
                )
            for code in story.marks:
                self.mark(story.id, code)
        for story_id in gone:
            self._retire(story_id, set())
        return new_stories, new_chunks

    def _unmark(self, story: Story) -> None:
        """Take away the marks that a story had and has no more."""
        self.db.executemany(
            "DELETE FROM marks WHERE story_id=? AND code=?",
            [(story.id, code) for code in self.marks(story.id) - set(story.marks)],
        )

    def mark(self, story_id: str, code: str) -> None:
        """Mark a story; one that is then held back has only stale chunks. In a transaction."""
        self.db.execute("INSERT OR IGNORE INTO marks VALUES (?,?)", (story_id, code))
        if code in records.WITHHELD:
            self._retire(story_id, set())

    def marks(self, story_id: str) -> set[str]:
        """The marks of a story."""
        found = self.db.execute("SELECT code FROM marks WHERE story_id=?", (story_id,))
        return {row["code"] for row in found}

    def _retire(self, story_id: str, kept: set[str]) -> None:
        rows = self.db.execute(
            "SELECT id FROM chunks WHERE story_id=? AND state='live'", (story_id,)
        ).fetchall()
        for (chunk_id,) in rows:
            if chunk_id not in kept:
                self.db.execute("UPDATE chunks SET state='stale' WHERE id=?", (chunk_id,))
                self.db.execute(
                    "UPDATE tasks SET state='stale' WHERE subject=? AND state='new'", (chunk_id,)
                )

    def _put_chunk(self, chunk: PackedChunk, published: str, recipe: str, *, fresh: bool) -> bool:
        """Store a chunk and its task; is it new? A fresh story's are: their ids tell of it."""
        known = None
        if not fresh:
            known = self.db.execute("SELECT state FROM chunks WHERE id=?", (chunk.id,)).fetchone()
        self.db.execute(
            "INSERT INTO chunks(id, story_id, position, state, record) VALUES (?,?,?,'live',?) "
            "ON CONFLICT(id) DO UPDATE SET position=excluded.position, state='live', "
            "record=excluded.record",
            (chunk.id, chunk.story_id, chunk.index, chunk.record),
        )
        if recipe and (known is None or known["state"] == "stale"):
            self._put_task(chunk.id, chunk.length, published, recipe)
        return known is None

    def _put_task(self, chunk_id: str, length: int, published: str, recipe: str) -> None:
        self.db.execute(
            "INSERT INTO tasks(id, kind, subject, recipe, year, length, state) "
            "VALUES (?, 'chunk', ?, ?, ?, ?, 'new') ON CONFLICT(id) DO UPDATE SET "
            "state = CASE WHEN state='stale' THEN 'new' ELSE state END",
            (
                Task.make_id("chunk", (chunk_id,), recipe),
                chunk_id,
                recipe,
                int(published[:4] or 0),
                length,
            ),
        )

    # -- recipe -----------------------------------------------------------------------------

    def meta(self, key: str) -> str:
        """A stored setting of this spool, "" when there is none."""
        row = self.db.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        return row["value"] if row else ""

    def set_meta(self, key: str, value: str) -> None:
        self.db.execute(
            "INSERT INTO meta VALUES (?,?) ON CONFLICT(key) DO UPDATE SET value=excluded.value",
            (key, value),
        )

    def identity(self) -> str:
        """What tells this spool from every other, also where it is moved; made when first asked."""
        if not (found := self.meta(_IDENTITY)):
            found = secrets.token_hex(12)
            with self.transaction():
                self.set_meta(_IDENTITY, found)
        return found

    def adopt_recipe(self, recipe: str) -> None:
        """Make `recipe` the current one: every live chunk has a task of it, others wait no more.

        Other kinds of task have recipes of their own, which the planner minds. Chunk tasks of
        other recipes that are not done become `stale`; what they had produced stays.
        """
        with self.transaction():
            self.set_meta("recipe", recipe)
            self.db.execute(
                "UPDATE tasks SET state='stale' WHERE kind='chunk' AND recipe<>? "
                "AND state IN ('new','queued')",
                (recipe,),
            )
            rows = self.db.execute(
                "SELECT c.record, s.published FROM chunks c JOIN stories s ON s.id=c.story_id "
                "WHERE c.state='live' AND NOT EXISTS "
                "(SELECT 1 FROM tasks t INDEXED BY tasks_by_subject WHERE t.subject=c.id "
                "AND t.kind='chunk' AND t.recipe=? AND t.state<>'stale') "
                "ORDER BY c.rowid",
                (recipe,),
            ).fetchall()
            for row in rows:
                chunk = Chunk.from_json(row["record"])
                self._put_task(chunk.id, len(chunk.text), row["published"], recipe)

    # -- reading ----------------------------------------------------------------------------

    def counters(self) -> dict[str, int]:
        """All counters, for people: `stories`, `chunks.live`, `tasks.done`, `rejected.<code>`."""
        return {
            row["name"]: row["value"]
            for row in self.db.execute("SELECT name, value FROM counters WHERE value<>0")
        }

    def stories(self) -> Iterator[Story]:
        """All stories, by date, then id."""
        for row in self.db.execute(
            "SELECT record, cluster, (SELECT group_concat(code) FROM marks WHERE story_id=id) "
            "AS codes FROM stories ORDER BY published, id"
        ):
            story = Story.from_json(row["record"])
            codes = tuple(sorted((row["codes"] or "").split(","))) if row["codes"] else ()
            alone = row["cluster"] == story.id
            yield story.replace(cluster="" if alone else row["cluster"], marks=codes)

    def clusters(self) -> dict[str, str]:
        """Story id -> id of its cluster (its own id when it stands alone)."""
        return dict(self.db.execute("SELECT id, cluster FROM stories").fetchall())

    def chunks(self, state: ChunkState = "live") -> Iterator[Chunk]:
        """All chunks of a state, in the order of their stories' dates."""
        for row in self.db.execute(
            "SELECT c.record FROM chunks c JOIN stories s ON s.id=c.story_id WHERE c.state=? "
            "ORDER BY s.published, s.id, c.position",
            (state,),
        ):
            yield Chunk.from_json(row["record"])

    def pairs(
        self, status: Literal["accepted", "rejected"] = "accepted"
    ) -> Iterator[tuple[Pair, str]]:
        """Pairs of a status with the id of their story, by pair id."""
        for row in self.db.execute(
            "SELECT record, story_id FROM pairs WHERE status=? ORDER BY id", (status,)
        ):
            yield Pair.from_json(row["record"]), row["story_id"]

    def has_completions(self) -> bool:
        """Whether anything was generated that another prompt or text would throw away."""
        return self.db.execute("SELECT 1 FROM completions LIMIT 1").fetchone() is not None

    def completion(self, task_id: str) -> Completion | None:
        """The raw completion of a task, or None while there is none."""
        row = self.db.execute(
            "SELECT record FROM completions WHERE task_id=?", (task_id,)
        ).fetchone()
        return Completion.from_json(db.unpack(row["record"])) if row else None
