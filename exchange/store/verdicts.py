"""New verdicts on stored pairs: gathered in a file of their own, then taken over in one step.

Whoever judges anew fills a `StagedVerdicts` file beside the spool, never the spool itself; a
kill leaves the old verdicts whole. The holder of `daemon.lock` applies it: first the record of
what each rule set said, in batches, then one short transaction over what really changed.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from exchange.errors import BadFile
from exchange.records import NO_PAIR, ONLY_THOUGHT, TOO_SLOW, Pair
from exchange.store import db, dedup, failures
from exchange.store.dedup import DUPLICATE, QuestionIndex
from exchange.store.spool import FILE, Spool

NAME = re.compile(r"recheck-[0-9a-f]{8}\.sqlite")
APPLIED = "verdicts.applied"  # a spool's meta value: how often new verdicts were taken over
NOT_PARSED = "not-parsed"  # a pair that the parser of today no longer reads out of its reply
ROWS_PER_TRANSACTION = 10_000  # rows of one transaction: other writers wait a fraction of a second
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS judged (
    serial INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, task_id TEXT NOT NULL,
    story_id TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, rules TEXT NOT NULL,
    record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS tasks (id TEXT PRIMARY KEY) WITHOUT ROWID;
{dedup.QUESTIONS_TABLE}
"""


_INSERT = """INSERT OR IGNORE INTO judged(id, task_id, story_id, status, reason, rules, record)
VALUES (?,?,?,?,?,?,?)"""
StagedRow = tuple[str, str, str, str, str, str, bytes]


def staged_row(pair: Pair, story_id: str) -> StagedRow:
    """A verdict as it is staged."""
    return (pair.id, pair.task_id, story_id, pair.status, pair.reason, pair.rules, pair.to_json())


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """What one reason code gains and loses."""

    reason: str
    gained: int  # pairs accepted now that it rejected before; "" : pairs that are new
    lost: int  # pairs accepted before that it rejects now


class StagedVerdicts:
    """The file of new verdicts. Made by one process, applied by another."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.db = connection
        self.path = path

    @classmethod
    def open(cls, path: Path) -> StagedVerdicts:
        """Open for writing, beside the spool, which is only read.

        It must be attached read-only: `BEGIN IMMEDIATE` locks every file that could be written.
        """
        connection = sqlite3.connect(path.resolve().as_uri(), uri=True, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous=OFF")  # it can be made again
        connection.executescript(SCHEMA)
        source = path.resolve().with_name(FILE).as_uri() + "?mode=ro"
        connection.execute("ATTACH ? AS spool", (source,))
        return cls(connection, path)

    def close(self) -> None:
        self.db.close()

    def discard(self) -> None:
        """Close and remove it, with what SQLite keeps beside it."""
        self.close()
        remove_staged(self.path)

    def add(self, tasks: Iterable[str], rows: Iterable[StagedRow]) -> None:
        """Add the verdicts of whole tasks: every pair that their replies hold."""
        with db.transaction(self.db):
            self.db.executemany("INSERT OR IGNORE INTO tasks VALUES (?)", ((t,) for t in tasks))
            self.db.executemany(_INSERT, rows)

    def resolve_duplicates(
        self, labels: Collection[str], accepted_by_hand: Collection[str]
    ) -> None:
        """Find duplicates among what is accepted now, and what is no longer read at all.

        Args:
            labels: pairs that a person has judged; they stay as they are.
            accepted_by_hand: those of them that the person keeps.
        """
        index = QuestionIndex(self.db, self._question_of)
        with db.transaction(self.db):
            self.db.execute("CREATE TEMP TABLE labelled (id TEXT PRIMARY KEY) WITHOUT ROWID")
            self.db.executemany("INSERT INTO labelled VALUES (?)", ((p,) for p in labels))
            self._keep_labelled(index, accepted_by_hand)
            self.db.execute("DELETE FROM judged WHERE id IN (SELECT id FROM labelled)")
            for record in self._accepted():
                pair = Pair.from_json(record)
                kept = index.keep(pair.id, pair.question)
                if kept:
                    pair = pair.replace(status="rejected", reason=DUPLICATE, duplicate_of=kept)
                    self._change(pair)
            self._mark_gone()

    def _keep_labelled(self, index: QuestionIndex, ids: Collection[str]) -> None:
        for pair_id in sorted(ids):
            row = self.db.execute(
                "SELECT record FROM spool.pairs WHERE id=?", (pair_id,)
            ).fetchone()
            if row is not None:
                index.keep(pair_id, Pair.from_json(row["record"]).question)

    def _question_of(self, pair_id: str) -> str:
        row = self.db.execute(
            "SELECT record FROM judged WHERE id=:id UNION ALL "
            "SELECT record FROM spool.pairs WHERE id=:id",
            {"id": pair_id},
        ).fetchone()
        return Pair.from_json(row["record"]).question

    def _accepted(self) -> Iterator[bytes]:
        """Those accepted before come first, in their old order: what was kept stays the one."""
        rows = self.db.execute(
            "SELECT j.record FROM judged j LEFT JOIN spool.pairs p ON p.id=j.id "
            "WHERE j.status='accepted' ORDER BY p.status IS NOT 'accepted', p.rowid, j.serial"
        ).fetchall()
        return (row["record"] for row in rows)

    def _change(self, pair: Pair) -> None:
        self.db.execute(
            "UPDATE judged SET status=?, reason=?, record=? WHERE id=?",
            (pair.status, pair.reason, pair.to_json(), pair.id),
        )

    def _mark_gone(self) -> None:
        rules = self.db.execute("SELECT MAX(rules) FROM judged").fetchone()[0] or ""
        rows = self.db.execute(
            "SELECT p.record, p.story_id FROM spool.pairs p JOIN tasks t ON t.id=p.task_id "
            "WHERE NOT EXISTS (SELECT 1 FROM judged j WHERE j.id=p.id) "
            "AND p.id NOT IN (SELECT id FROM labelled)"
        ).fetchall()
        for row in rows:
            pair = Pair.from_json(row["record"]).replace(
                status="rejected",
                reason=NOT_PARSED,
                duplicate_of="",
                rules=rules,
            )
            self.db.execute(_INSERT, staged_row(pair, row["story_id"]))

    def changes(self) -> list[VerdictChange]:
        """Pairs gained and lost by reason code, the largest first."""
        gained = dict(
            self.db.execute(
                "SELECT COALESCE(p.reason, ''), COUNT(*) FROM judged j "
                "LEFT JOIN spool.pairs p ON p.id=j.id WHERE j.status='accepted' "
                "AND p.status IS NOT 'accepted' GROUP BY 1"
            ).fetchall()
        )
        lost = dict(
            self.db.execute(
                "SELECT j.reason, COUNT(*) FROM judged j JOIN spool.pairs p ON p.id=j.id "
                "WHERE j.status='rejected' AND p.status='accepted' GROUP BY 1"
            ).fetchall()
        )
        found = [VerdictChange(r, gained.get(r, 0), lost.get(r, 0)) for r in {*gained, *lost}]
        return sorted(found, key=lambda change: (-change.gained - change.lost, change.reason))

    def count(self) -> int:
        """How many pairs were judged."""
        return int(self.db.execute("SELECT COUNT(*) FROM judged").fetchone()[0])


def remove_staged(path: Path) -> None:
    """Remove a staged file and what SQLite keeps beside it."""
    for end in ("", "-journal", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def apply_verdicts(spool: Spool, path: Path, labels: Collection[str]) -> int:
    """Take over a staged file; call it as the holder of `daemon.lock`.

    Args:
        labels: pairs judged by a person by now; their status is left alone.

    Returns:
        How many pairs have another status or reason than before.

    Raises:
        UserError: no such file, or it is not a staged one.
    """
    if not NAME.fullmatch(path.name) or not path.is_file():
        raise BadFile(f"{path.name} holds no verdicts: run `kkoracle recheck` again")
    try:
        with failures.about(spool.db, f"use {path.name}", "run recheck again"):
            spool.db.execute("ATTACH ? AS staged", (str(path),))
            _record_history(spool)
            spool.db.execute("CREATE TEMP TABLE labelled (id TEXT PRIMARY KEY) WITHOUT ROWID")
            spool.db.executemany("INSERT INTO labelled VALUES (?)", ((pair,) for pair in labels))
            with spool.transaction():
                spool.set_meta(APPLIED, str(int(spool.meta(APPLIED) or 0) + 1))
                return _take_over(spool.db)
    finally:
        spool.db.execute("DROP TABLE IF EXISTS temp.labelled")
        with contextlib.suppress(sqlite3.OperationalError):  # it was never attached
            spool.db.execute("DETACH staged")


def _record_history(spool: Spool) -> None:
    """The old verdict and the new one of each pair, side by side; in force is what `pairs` says."""
    last = spool.db.execute("SELECT MAX(serial) FROM staged.judged").fetchone()[0] or 0
    for first in range(1, last + 1, ROWS_PER_TRANSACTION):
        span = (first, first + ROWS_PER_TRANSACTION - 1)
        with spool.transaction():
            spool.db.execute(
                "INSERT OR IGNORE INTO verdicts(pair_id, rules, status, reason) "
                "SELECT p.id, json_extract(CAST(p.record AS TEXT), '$.rules'), p.status, p.reason "
                "FROM staged.judged j JOIN pairs p ON p.id=j.id WHERE j.serial BETWEEN ? AND ?",
                span,
            )
            spool.db.execute(
                "INSERT OR REPLACE INTO verdicts(pair_id, rules, status, reason) "
                "SELECT id, rules, status, reason FROM staged.judged WHERE serial BETWEEN ? AND ?",
                span,
            )


def _take_over(connection: sqlite3.Connection) -> int:
    wanted = "j.id NOT IN (SELECT id FROM temp.labelled)"
    changed = connection.execute(
        "UPDATE pairs SET status=j.status, reason=j.reason, record=j.record FROM staged.judged j "
        f"WHERE j.id=pairs.id AND (j.status<>pairs.status OR j.reason<>pairs.reason) AND {wanted}"
    ).rowcount
    added = connection.execute(
        "INSERT OR IGNORE INTO pairs(id, task_id, story_id, status, reason, record) "
        "SELECT id, task_id, story_id, status, reason, record FROM staged.judged j "
        f"WHERE {wanted} ORDER BY serial"
    ).rowcount
    connection.execute("DELETE FROM question_keys WHERE pair_id IN (SELECT id FROM staged.judged)")
    connection.execute("INSERT OR IGNORE INTO question_keys SELECT * FROM staged.question_keys")
    connection.execute(
        "UPDATE tasks SET state='done', reason='' WHERE state='failed' "
        "AND reason IN (?,?,?) AND id IN (SELECT task_id FROM staged.judged)",
        (NO_PAIR, TOO_SLOW, ONLY_THOUGHT),
    )
    connection.execute("DELETE FROM meta WHERE key LIKE 'plan.pairs.%'")
    return changed + added
