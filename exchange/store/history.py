"""What the counters were, minute by minute: from it comes how fast it went and when it will end.

A writer calls `note` inside its own transaction, so that a sample and what it counts are one
commit. The row of the running minute is written anew until the minute is over, so the last row
always tells when something was last done. Older rows are thinned: a row a minute for a day, one
each quarter of an hour for a week, then one an hour; forty days are some 2,900 rows.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

import orjson

HISTORY_TABLE = """
CREATE TABLE IF NOT EXISTS history (
    slot INTEGER PRIMARY KEY, at REAL NOT NULL, counters TEXT NOT NULL);
"""
SLOT_S = 60
# Rows older than so many slots: one is kept of each so many.
THINNING = ((24 * 60, 15), (7 * 24 * 60, 60))

_RECORD = """
INSERT INTO history(slot, at, counters)
SELECT :slot, :at, json_group_object(name, value) FROM counters WHERE value<>0
ON CONFLICT(slot) DO UPDATE SET at=excluded.at, counters=excluded.counters
"""
_THIN = """
DELETE FROM history WHERE slot < :old AND slot NOT IN (
    SELECT MAX(slot) FROM history WHERE slot < :old GROUP BY slot / :each)
"""


@dataclass(frozen=True, slots=True)
class CounterSample:
    """All counters as they were at one time, in seconds since the epoch."""

    at: float
    counters: dict[str, int]

    def count(self, *names: str) -> int:
        """The sum of some counters."""
        return sum(self.counters.get(name, 0) for name in names)


def record_counters(db: sqlite3.Connection, now: float | None = None) -> None:
    """Keep what the counters are; call it last in a transaction that changed them."""
    at = time.time() if now is None else now
    slot = int(at) // SLOT_S
    first = db.execute("SELECT 1 FROM history WHERE slot=?", (slot,)).fetchone() is None
    db.execute(_RECORD, {"slot": slot, "at": at})
    if first:
        db.execute("DELETE FROM history WHERE slot > ?", (slot,))  # of a clock that was ahead
        for old, each in THINNING:
            db.execute(_THIN, {"old": slot - old, "each": each})


def read_samples(db: sqlite3.Connection, since: float = 0.0) -> list[CounterSample]:
    """The samples since then, oldest first; none in a file that was never written since.

    The sample before `since` comes first, so that a whole span can be told.
    """
    try:
        rows = db.execute(
            "SELECT at, counters FROM history WHERE slot >= "
            "COALESCE((SELECT MAX(slot) FROM history WHERE at < ?), 0) ORDER BY slot",
            (since,),
        ).fetchall()
    except sqlite3.OperationalError:  # written by an earlier version
        return []
    return [CounterSample(at, orjson.loads(counters)) for at, counters in rows]


def last_change(samples: list[CounterSample], *names: str) -> float | None:
    """When these counters last grew, as far as the samples tell; None when they never did."""
    for earlier, later in zip(reversed(samples[:-1]), reversed(samples[1:]), strict=True):
        if later.count(*names) > earlier.count(*names):
            return later.at
    return samples[0].at if samples and samples[0].count(*names) else None
