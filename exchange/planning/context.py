"""What every planner is given, and the reading that several of them share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from exchange.planning.settings import PlanSettings
from exchange.records import Pair, Task, TaskKind
from exchange.store import inputs
from exchange.store.spool import Spool

PAIRS_PER_STEP = 500  # pairs looked at in one step


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningContext:
    """One step of planning; a planner makes at most `limit` tasks of its kind."""

    spool: Spool
    archive: str
    kind: TaskKind
    recipe: str
    settings: PlanSettings
    counters: Mapping[str, int]
    idle: bool  # no task is open: nothing more will come of what there is now
    limit: int

    def task(
        self,
        subjects: tuple[str, ...],
        chunks: tuple[str, ...],
        text: str,
        header: str = "",
        **given: str,
    ) -> Task:
        """A task of this kind, not stored yet; equal subjects make the same task."""
        return Task(
            id=Task.make_id(self.kind, subjects, self.recipe),
            archive=self.archive,
            kind=self.kind,
            chunk_ids=chunks,
            recipe=self.recipe,
            text=text,
            header=header,
            language=inputs.archive_language(self.spool),
            given=given,
        )

    def add(self, task: Task, *, subject: str, story_id: str, year: int) -> bool:
        """Store a task; true when there is one to do now that was not there before."""
        return inputs.add_task(self.spool, task, subject=subject, story_id=story_id, year=year)

    def count(self) -> int:
        """How many tasks of this kind and recipe there are already."""
        row = self.spool.db.execute(
            "SELECT COUNT(*) FROM tasks WHERE kind=? AND recipe=? AND state<>'stale'",
            (self.kind, self.recipe),
        ).fetchone()
        return int(row[0])

    def fresh_pairs(self) -> Iterator[SourcePair]:
        """Accepted pairs of chunk tasks that this kind has not looked at yet, a span of them."""
        position = f"plan.pairs.{self.kind}"
        start = int(self.spool.meta(position) or 0)
        rows = self.spool.db.execute(
            "SELECT p.rowid, p.status, p.record, p.story_id, t.kind, t.year FROM pairs p "
            "JOIN tasks t ON t.id=p.task_id WHERE p.rowid>? ORDER BY p.rowid LIMIT ?",
            (start, PAIRS_PER_STEP),
        ).fetchall()
        for row in rows:
            if row["status"] == "accepted" and row["kind"] == "chunk":
                yield SourcePair(Pair.from_json(row["record"]), row["story_id"], row["year"])
        if rows:
            self.spool.set_meta(position, str(rows[-1]["rowid"]))


@dataclass(frozen=True, slots=True)
class SourcePair:
    """A kept pair from which something is made."""

    pair: Pair
    story_id: str
    year: int

    @property
    def hash_fraction(self) -> float:
        """Where the pair's id, which is a hash, lies between 0 and 1: who is chosen hangs on it."""
        return int(self.pair.id[:8], 16) / 2**32
