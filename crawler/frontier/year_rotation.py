"""Turns over the years of a newspaper's issues, so that half a crawl is a sample of all of it."""

from __future__ import annotations

import sqlite3
from itertools import chain, zip_longest

_YEAR = "substr(issue, 1, 4)"
_DUE = "FROM pages WHERE state='waiting' AND next_at=0"
# The next year is looked up, not searched for: a step of this query is one step in the index.
_YEARS = f"""
WITH RECURSIVE years(year) AS (
    SELECT MIN({_YEAR}) {_DUE} AND priority=:priority
    UNION ALL
    SELECT (SELECT MIN({_YEAR}) {_DUE} AND priority=:priority AND {_YEAR} > years.year)
    FROM years WHERE years.year IS NOT NULL)
SELECT year FROM years WHERE year IS NOT NULL
"""


class YearRotation:
    """Chooses due pages, of the smallest priority, one of each year in turn.

    Pages without a date are a year of their own. Where the turn is is not stored: after a restart
    it begins at the first year again.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._last = ""
        connection.execute(
            f"CREATE INDEX IF NOT EXISTS pages_by_year ON pages(priority, {_YEAR}, id) "
            "WHERE state='waiting' AND next_at=0"
        )

    def choose(self, limit: int) -> list[int]:
        """Ids of up to `limit` pages, all of one priority."""
        priority = self._db.execute(f"SELECT MIN(priority) {_DUE}").fetchone()[0]
        if priority is None:
            return []
        years = [row[0] for row in self._db.execute(_YEARS, {"priority": priority})]
        years.sort(key=lambda year: (year <= self._last, year))  # on from where it was
        share = -(-limit // len(years))
        found = [self._of(priority, year, share) for year in years]
        turns = [one for one in chain.from_iterable(zip_longest(*found)) if one][:limit]
        self._last = turns[-1][1]
        return [page for page, _ in turns]

    def _of(self, priority: int, year: str, limit: int) -> list[tuple[int, str]]:
        rows = self._db.execute(
            f"SELECT id {_DUE} AND priority=? AND {_YEAR}=? ORDER BY id LIMIT ?",
            (priority, year, limit),
        )
        return [(row[0], year) for row in rows]
