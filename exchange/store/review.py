"""`review.sqlite`: what people and scorers say of pairs and answers, and ask of the daemon.

Append-only: an edit or an undo is a newer row, never a change, so any process may write at any
time and nothing said is lost. It is joined with the spool when read.
"""

from __future__ import annotations

import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Literal, Self

import orjson

from exchange.errors import NotFound
from exchange.store import db

FILE = "review.sqlite"
VERSION = 3  # 2: votes; 3: labels that were given together
_VOTE = "question, run, systems, answers, choice, best, better, blind, reviewer"
_LABEL = "pair_id, verdict, reason, question, answer, reviewer, seconds"
LabelVerdict = Literal["accept", "reject", "withdrawn"]  # withdrawn: an undo of the last one
VoteChoice = Literal["best", "alike", "none"]  # one is best, all are as good, none is right

SCHEMA = """
CREATE TABLE IF NOT EXISTS labels (
    serial INTEGER PRIMARY KEY, pair_id TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('accept', 'reject', 'withdrawn')),
    reason TEXT NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL,
    reviewer TEXT NOT NULL, seconds REAL NOT NULL, at REAL NOT NULL,
    batch INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS labels_by_pair ON labels(pair_id, serial);
CREATE TABLE IF NOT EXISTS scores (
    serial INTEGER PRIMARY KEY, pair_id TEXT NOT NULL, scorer TEXT NOT NULL,
    value REAL NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS scores_by_scorer ON scores(scorer, pair_id, serial);
CREATE TABLE IF NOT EXISTS votes (
    serial INTEGER PRIMARY KEY, question TEXT NOT NULL, run TEXT NOT NULL,
    systems TEXT NOT NULL, answers TEXT NOT NULL,
    choice TEXT NOT NULL CHECK (choice IN ('best', 'alike', 'none')), best TEXT NOT NULL,
    better TEXT NOT NULL, blind INTEGER NOT NULL, reviewer TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
    serial INTEGER PRIMARY KEY, kind TEXT NOT NULL, argument TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS answers (
    request INTEGER PRIMARY KEY REFERENCES requests(serial), outcome TEXT NOT NULL,
    at REAL NOT NULL);
"""


def _upgrade(db: sqlite3.Connection, found: int) -> None:
    """Give the tables of an earlier version the columns that they lack."""
    columns = {row["name"] for row in db.execute("PRAGMA table_info(labels)")}
    if found < 3 and "batch" not in columns:
        db.execute("ALTER TABLE labels ADD COLUMN batch INTEGER NOT NULL DEFAULT 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One person's word on one pair; `question` and `answer` are "" unless they were edited."""

    pair_id: str
    verdict: LabelVerdict
    reason: str = ""  # of a rejection
    question: str = ""
    answer: str = ""
    reviewer: str = ""
    seconds: float = 0.0  # how long the pair was on the screen


@dataclass(frozen=True, slots=True)
class LabelBatch:
    """Labels that one person gave at once, and takes back at once."""

    serial: int  # of its first label
    verdict: LabelVerdict
    reason: str
    pairs: int
    at: float  # seconds since the epoch
    pair_id: str  # one of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """Which of several systems' answers to one question a person found best."""

    question: str
    run: str  # whose adapter the tuned ones have
    systems: tuple[str, ...]  # in the order in which their answers were shown
    answers: tuple[str, ...]
    choice: VoteChoice
    best: str = ""  # a system, when one is best
    better: str = ""  # the person's own answer, if one was written
    blind: bool = True  # it was not known whose answers they were
    reviewer: str = ""


def _names(text: str) -> tuple[str, ...]:
    return tuple(orjson.loads(text))


_NOT_TEXT: dict[str, Callable[[Any], Any]] = {"systems": _names, "answers": _names, "blind": bool}


@dataclass(frozen=True, slots=True)
class DaemonRequest:
    """Something that only the daemon may do, asked for by another process."""

    serial: int
    kind: str
    argument: str  # JSON of the asker's making


class Review:
    """One archive's `review.sqlite`. One object belongs to one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.db = connection

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open for writing, creating the file on first use."""
        path = directory / FILE
        return cls(db.connect(path, SCHEMA, version=VERSION, upgrade=_upgrade))

    @classmethod
    def read(cls, directory: Path) -> Self | None:
        """Open for reading only; None when nobody has said anything yet."""
        try:
            return cls(db.connect_readonly(directory / FILE, VERSION))
        except NotFound:
            return None

    def close(self) -> None:
        self.db.close()

    # -- labels and scores ------------------------------------------------------------------

    def add_label(self, label: Label) -> int:
        """Add one label and return the number it is taken back by; a later one overrules it."""
        return self.add_labels([label])

    def add_labels(self, labels: Iterable[Label], at: float | None = None) -> int:
        """Add labels that are taken back together, by default given now; returns their batch."""
        now = time.time() if at is None else at
        with db.transaction(self.db):
            batch = 1 + self._last_serial()
            self.db.executemany(
                "INSERT INTO labels(pair_id, verdict, reason, question, answer, reviewer, seconds, "
                "at, batch) VALUES (?,?,?,?,?,?,?,?,?)",
                (
                    (*astuple(label), now, 0 if label.verdict == "withdrawn" else batch)
                    for label in labels
                ),
            )
        return batch

    def withdraw(self, batch: int, reviewer: str) -> int:
        """Take back what was given at once; returns how many labels, 0 when it was done before."""
        with db.transaction(self.db):
            return self.db.execute(
                "INSERT INTO labels(pair_id, verdict, reason, question, answer, reviewer, seconds, "
                "at, batch) SELECT pair_id, 'withdrawn', '', '', '', reviewer, 0, ?, batch "
                "FROM labels WHERE serial>=? AND batch=? AND reviewer=? AND NOT EXISTS "
                "(SELECT 1 FROM labels WHERE serial>? AND batch=? AND verdict='withdrawn')",
                (time.time(), batch, batch, reviewer, batch, batch),
            ).rowcount

    def last_batch(self, reviewer: str) -> LabelBatch | None:
        """What this person gave last and has not taken back; None when there is nothing."""
        if self._without_batches():
            return None
        row = self.db.execute(
            "SELECT batch, verdict, reason, COUNT(*), at, pair_id FROM labels WHERE batch=(SELECT "
            "MAX(batch) FROM labels WHERE reviewer=? AND verdict<>'withdrawn' AND batch>0 AND "
            "batch NOT IN (SELECT batch FROM labels WHERE verdict='withdrawn')) GROUP BY batch",
            (reviewer,),
        ).fetchone()
        return LabelBatch(*row) if row else None

    def _without_batches(self) -> bool:
        """A file that nobody has written to since labels have batches, opened for reading."""
        return int(self.db.execute("PRAGMA user_version").fetchone()[0]) < 3

    def _last_serial(self) -> int:
        return int(self.db.execute("SELECT MAX(serial) FROM labels").fetchone()[0] or 0)

    def history(self) -> list[Label]:
        """Every label ever given, oldest first."""
        return [label for _, label in self._rows(None)]

    def labels(self) -> dict[str, Label]:
        """What stands: the last label of each pair that was not withdrawn."""
        return {pair: given[-1] for pair, given in self.current_labels().items()}

    def current_labels(self, pairs: Collection[str] | None = None) -> dict[str, list[Label]]:
        """All labels of each pair, oldest first, without those that were withdrawn.

        Args:
            pairs: only of these; None for all.
        """
        given: defaultdict[str, list[tuple[int, Label]]] = defaultdict(list)
        for batch, label in self._rows(pairs):
            stands = given[label.pair_id]
            if label.verdict != "withdrawn":
                stands.append((batch, label))
            elif batch:
                given[label.pair_id] = [one for one in stands if one[0] != batch]
            elif stands:  # of a file in which labels had no batch
                stands.pop()
        return {pair: [label for _, label in some] for pair, some in given.items() if some}

    def _rows(self, pairs: Collection[str] | None) -> Iterator[tuple[int, Label]]:
        old = self._without_batches()
        wanted = "" if pairs is None else f"WHERE pair_id IN ({','.join('?' * len(pairs))}) "
        for batch, *fields in self.db.execute(
            f"SELECT {'0' if old else 'batch'}, {_LABEL} FROM labels {wanted}ORDER BY serial",
            tuple(pairs or ()),
        ):
            yield batch, Label(**dict(zip(_LABEL.split(", "), fields, strict=True)))

    def add_scores(self, scorer: str, scores: Iterable[tuple[str, float]]) -> None:
        """Add scores of pairs (pair id, value) in one transaction."""
        now = time.time()
        with db.transaction(self.db):
            self.db.executemany(
                "INSERT INTO scores(pair_id, scorer, value, at) VALUES (?,?,?,?)",
                ((pair, scorer, value, now) for pair, value in scores),
            )

    def scores(self, scorer: str) -> dict[str, float]:
        """The last score of each pair by one scorer."""
        rows = self.db.execute(
            "SELECT pair_id, value FROM scores WHERE scorer=? ORDER BY serial", (scorer,)
        )
        return dict(rows.fetchall())

    def all_scores(self) -> dict[str, dict[str, float]]:
        """The last score of each pair, by scorer; the one that scored last stands last."""
        rows = self.db.execute(
            "SELECT scorer FROM scores GROUP BY scorer ORDER BY MAX(serial)"
        ).fetchall()
        return {scorer: self.scores(scorer) for (scorer,) in rows}

    # -- votes ------------------------------------------------------------------------------

    def add_vote(self, vote: Vote) -> int:
        """Add one vote and return its serial number."""
        question, run, systems, answers, *rest = astuple(vote)
        lists = [orjson.dumps(names).decode() for names in (systems, answers)]
        cursor = self.db.execute(
            f"INSERT INTO votes({_VOTE}, at) VALUES (?,?,?,?,?,?,?,?,?,?)",
            (question, run, *lists, *rest, time.time()),
        )
        return int(cursor.lastrowid or 0)

    def votes(self) -> list[Vote]:
        """Every vote, oldest first; none in a file that was last written before there were any."""
        try:
            rows = self.db.execute(f"SELECT {_VOTE} FROM votes ORDER BY serial").fetchall()
        except sqlite3.OperationalError:
            return []
        return [
            Vote(**dict(row) | {name: read(row[name]) for name, read in _NOT_TEXT.items()})
            for row in rows
        ]

    # -- requests to the daemon -------------------------------------------------------------

    def add_request(self, kind: str, argument: str = "") -> int:
        """Ask the daemon for something; returns the number under which it will answer."""
        cursor = self.db.execute(
            "INSERT INTO requests(kind, argument, at) VALUES (?,?,?)", (kind, argument, time.time())
        )
        return int(cursor.lastrowid or 0)

    def open_requests(self) -> list[DaemonRequest]:
        """Requests that nobody has answered yet, oldest first."""
        rows = self.db.execute(
            "SELECT serial, kind, argument FROM requests WHERE serial NOT IN "
            "(SELECT request FROM answers) ORDER BY serial"
        )
        return [DaemonRequest(*row) for row in rows]

    def answer(self, serial: int, outcome: str) -> None:
        """Say what came of a request; a second answer changes nothing."""
        self.db.execute(
            "INSERT OR IGNORE INTO answers(request, outcome, at) VALUES (?,?,?)",
            (serial, outcome, time.time()),
        )

    def outcome(self, serial: int) -> str | None:
        """The daemon's answer, or None while there is none."""
        row = self.db.execute("SELECT outcome FROM answers WHERE request=?", (serial,)).fetchone()
        return row["outcome"] if row else None
