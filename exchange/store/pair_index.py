"""Pairs as a person looks for them: a narrow table beside the spool, with what filters ask for.

Kind, words and score stand inside a pair's record, year and section with its story, and what people
said in `review.sqlite`; read from there a filter would take seconds. This file holds a short line
for each pair, so that any mix of filters over 150,000 pairs is one scan of some 20 ms. It can be
made again at any time, in steps: whoever looks at pairs takes in what is new, for a fraction of a
second, and is told how much is left. A story's later change of section or date is not followed.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Self

import orjson

from exchange.store import db
from exchange.store.paging import KeysetQuery
from exchange.store.pairs import PairCounts, PairFilter, label_name
from exchange.store.review import Review
from exchange.store.schema import BAD_RECORD
from exchange.store.spool import CACHE_KB, Spool
from exchange.store.verdicts import APPLIED
from exchange.text.fold import WORD, fold

FILE = "pair-index.sqlite"
VERSION = 1
CURE = "delete it: it is made again"
STEP = 500  # pairs, labels or scores that are taken in between two looks at the clock
LONG_STEP = 20_000  # the same where nobody waits for a page
STEP_S = 0.15  # of CPU, that one look at pairs may spend on what is new
MOST = 5_000  # pairs that can be judged at once
UNKNOWN = "unknown"  # a year or a section that nobody has noted
ROUND_TRIP = "round_trip"  # the score of reading back, which stands in for a scorer's
_BAD = f"rejected.{BAD_RECORD}"  # the counter of pairs that are made again in their place
_BY_ID = "CREATE UNIQUE INDEX IF NOT EXISTS pairs_by_id ON pairs(id)"
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pairs (
    serial INTEGER PRIMARY KEY, id TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
    kind TEXT NOT NULL, year TEXT NOT NULL, section TEXT NOT NULL, score REAL,
    label TEXT NOT NULL DEFAULT 'none');
{_BY_ID};
CREATE TABLE IF NOT EXISTS words (serial INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS facets (
    name TEXT NOT NULL, value TEXT NOT NULL, pairs INTEGER NOT NULL,
    PRIMARY KEY (name, value)) WITHOUT ROWID;
"""


class PairIndex:
    """One archive's index of pairs; open it for one look: one object belongs to one thread."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._found: tuple[str, ...] = ()  # the words of the temporary table
        self.db = db.connect(
            directory / FILE, SCHEMA, version=VERSION, synchronous="NORMAL", cure=CURE
        )
        self.db.execute(_BY_ID)  # another one may have been ended while it filled the file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.db.close()

    # -- looking ----------------------------------------------------------------------------

    def counts(self, wanted: PairFilter) -> PairCounts:
        """Over a whole list, by what the checks said."""
        query = self.query(wanted, verdict=False)
        statement = query.select("pairs.status, pairs.reason, COUNT(*)").partition(" ORDER BY ")[0]
        told: dict[str, int] = {"accepted": 0, "rejected": 0}
        reasons: dict[str, int] = {}
        for status, reason, count in self.db.execute(
            f"{statement} GROUP BY pairs.status, pairs.reason", query.values()
        ):
            told[status] += count
            if status == "rejected":
                reasons[reason] = reasons.get(reason, 0) + count
        ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
        return PairCounts(told["accepted"], told["rejected"], dict(ranked))

    def choices(self, name: str) -> dict[str, int]:
        """The values of `kind`, `year` or `section` with their pairs, by value."""
        rows = self.db.execute(
            "SELECT value, pairs FROM facets WHERE name=? ORDER BY value", (name,)
        )
        return dict(rows.fetchall())

    def about(self, ids: Sequence[str]) -> dict[str, tuple[str, float | None]]:
        """What people said of these pairs, and the score of each."""
        marks = ",".join("?" * len(ids))
        rows = self.db.execute(
            f"SELECT id, label, score FROM pairs WHERE id IN ({marks})", tuple(ids)
        )
        return {pair: (label, score) for pair, label, score in rows}

    def unlabelled(self, most: int = 20_000) -> list[tuple[str, str, float | None]]:
        """Id, kind and score of pairs that the checks accepted and nobody has looked at.

        The first ones by id, which is a hash: of more than `most` a fair sample.
        """
        rows = self.db.execute(
            "SELECT id, kind, score FROM pairs WHERE status='accepted' AND label='none' "
            "ORDER BY id LIMIT ?",
            (most,),
        )
        rows.row_factory = None
        return rows.fetchall()

    def query(self, wanted: PairFilter, *, verdict: bool = True) -> KeysetQuery:
        """The list, whose words are looked for once: that is most of the time of a page."""
        if wanted.stems and wanted.stems != self._found:
            self._found = wanted.stems
            self.db.execute("DROP TABLE IF EXISTS temp.found")
            self.db.execute("CREATE TEMP TABLE found (serial INTEGER PRIMARY KEY)")
            conditions = " AND ".join(["instr(text, ?)"] * len(wanted.stems))
            self.db.execute(
                f"INSERT INTO found SELECT serial FROM words WHERE {conditions}",
                [f" {one}" for one in wanted.stems],
            )
        return wanted.query(verdict=verdict)

    # -- taking in what is new --------------------------------------------------------------

    def catch_up(self, spool: Spool, seconds: float = STEP_S, step: int = STEP) -> int:
        """Take in new pairs, labels and scores; returns how many are left for the next time.

        Args:
            seconds: of this thread's CPU, after which it ends with what it has.
            step: pairs of one transaction.
        """
        until, self._found = time.thread_time() + seconds, ()
        review = Review.read(self._directory)
        try:
            # Before the pairs: a label can only be of a pair that is there already.
            said = _last(review, "labels"), _last(review, "scores")
            with db.transaction(self.db):
                self._start_again_if_changed(spool)
            left = _repeat(lambda: self._take_pairs(spool, step), until)
            if review is not None and not left:
                left = _repeat(partial(self._take_labels, review, said[0]), until)
            if review is not None and not left:
                left = _repeat(partial(self._take_scores, review, said[1]), until)
            return left
        finally:
            if review is not None:
                review.close()

    def catch_up_all(self, spool: Spool) -> None:
        """Take in all that is new, however long it takes.

        The ids are in no order: each stands on another page of their index. Where most pairs are
        new, it is made afterwards, of all ids sorted.
        """
        self.db.execute(f"PRAGMA cache_size=-{CACHE_KB}")
        with db.transaction(self.db):
            self._start_again_if_changed(spool)
        newest = spool.db.execute("SELECT MAX(rowid) FROM pairs").fetchone()[0] or 0
        if newest > 2 * self._newest():
            self.db.execute("DROP INDEX IF EXISTS pairs_by_id")
            while self._take_pairs(spool, LONG_STEP):
                pass
            self.db.execute(_BY_ID)
        while self.catch_up(spool, math.inf, LONG_STEP):
            pass

    def _newest(self) -> int:
        return int(self.db.execute("SELECT MAX(serial) FROM pairs").fetchone()[0] or 0)

    def _start_again_if_changed(self, spool: Spool) -> None:
        """Pairs are only added, but for a new judgement of all, or another spool in this place."""
        key = f"{spool.meta('identity')} {spool.meta(APPLIED)} {spool.counters().get(_BAD, 0)}"
        row = self.db.execute("SELECT serial, id FROM pairs ORDER BY serial DESC LIMIT 1")
        last = row.fetchone()
        same = (
            last is None
            or spool.db.execute(
                "SELECT 1 FROM pairs WHERE rowid=? AND id=?", (last["serial"], last["id"])
            ).fetchone()
        )
        if self._meta("key") == key and same:
            return
        for table in ("pairs", "words", "facets", "meta"):
            self.db.execute(f"DELETE FROM {table}")
        self._set("key", key)

    def _take_pairs(self, spool: Spool, step: int) -> int:
        with db.transaction(self.db):
            rows = spool.db.execute(
                "SELECT p.rowid, p.id, p.status, p.reason, p.record, s.published, s.section "
                "FROM pairs p LEFT JOIN stories s ON s.id=p.story_id WHERE p.rowid>? "
                "ORDER BY p.rowid LIMIT ?",
                (self._newest(), step),
            ).fetchall()
            facets: Counter[tuple[str, str]] = Counter()
            lines, words = [], []
            for serial, pair_id, status, reason, record, published, section in rows:
                raw = orjson.loads(record)
                year, section = (published or "")[:4] or UNKNOWN, section or UNKNOWN
                facets.update((("kind", raw["kind"]), ("year", year), ("section", section)))
                score = raw.get("scores", {}).get(ROUND_TRIP)
                lines.append((serial, pair_id, status, reason, raw["kind"], year, section, score))
                said = WORD.findall(fold(f"{raw['question']} {raw['answer']}"))
                words.append((serial, " " + " ".join(said)))
            self.db.executemany(
                "INSERT INTO pairs(serial, id, status, reason, kind, year, section, score) "
                "VALUES (?,?,?,?,?,?,?,?)",
                lines,
            )
            self.db.executemany("INSERT INTO words VALUES (?,?)", words)
            self.db.executemany(
                "INSERT INTO facets VALUES (?,?,?) ON CONFLICT(name, value) "
                "DO UPDATE SET pairs=pairs+excluded.pairs",
                [(name, value, count) for (name, value), count in facets.items()],
            )
        if len(rows) < step:
            return 0
        newest = spool.db.execute("SELECT MAX(rowid) FROM pairs").fetchone()[0]
        return int(newest - rows[-1][0])

    def _take_labels(self, review: Review, until: int) -> int:
        with db.transaction(self.db):
            done = int(self._meta("labels") or 0)
            if done and self._meta("labels at") != _told_at(review, done):  # those of another copy
                self.db.execute("UPDATE pairs SET label='none' WHERE label<>'none'")
                done = 0
            rows = review.db.execute(
                "SELECT serial, pair_id FROM labels WHERE serial>? AND serial<=? "
                "ORDER BY serial LIMIT ?",
                (done, until, STEP),
            ).fetchall()
            touched = {row["pair_id"] for row in rows}
            given = review.current_labels(touched)
            self.db.executemany(
                "UPDATE pairs SET label=? WHERE id=?",
                [(label_name(given.get(pair, [])), pair) for pair in touched],
            )
            last = rows[-1]["serial"] if rows else done
            self._set("labels", str(last))
            self._set("labels at", _told_at(review, last))
        return until - last if len(rows) == STEP else 0

    def _take_scores(self, review: Review, until: int) -> int:
        """Those of the scorer that has scored last."""
        with db.transaction(self.db):
            row = review.db.execute("SELECT scorer FROM scores ORDER BY serial DESC LIMIT 1")
            newest = (row.fetchone() or [""])[0]
            same = self._meta("scorer") == newest
            done = int(self._meta("scores") or 0) if same else 0
            rows = review.db.execute(
                "SELECT serial, value, pair_id FROM scores WHERE scorer=? AND serial>? "
                "AND serial<=? ORDER BY serial LIMIT ?",
                (newest, done if done <= until else 0, until, STEP),
            ).fetchall()
            self.db.executemany(
                "UPDATE pairs SET score=? WHERE id=?", [(value, pair) for _, value, pair in rows]
            )
            self._set("scorer", newest)
            last = rows[-1]["serial"] if len(rows) == STEP else until
            self._set("scores", str(last))
        return until - last

    def _meta(self, name: str) -> str:
        row = self.db.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
        return row["value"] if row else ""

    def _set(self, name: str, value: str) -> None:
        self.db.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (name, value))


def _repeat(take: Callable[[], int], until: float) -> int:
    """Take steps until nothing is left, or the thread has had its time; returns what is left."""
    while (left := take()) and time.thread_time() < until:
        pass
    return left


def _last(review: Review | None, table: str) -> int:
    if review is None:
        return 0
    return int(review.db.execute(f"SELECT MAX(serial) FROM {table}").fetchone()[0] or 0)


def _told_at(review: Review, label: int) -> str:
    """When a label was given: whether it is the one of before."""
    row = review.db.execute("SELECT at FROM labels WHERE serial=?", (label,)).fetchone()
    return str(row["at"]) if row else ""
