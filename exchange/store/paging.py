"""One page of rows at a time from a table of any size, by keyset.

A page begins after the key of the last row that was shown, never at an OFFSET, so that page 4,000
costs what page 1 does and nothing is shown twice while the daemon writes. A filter that no index
answers is tried on at most `LOOK` rows a page: where it is rare, a page says how far it has looked
and goes on from there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from exchange.errors import BadRecord, UsageError
from exchange.records import Record

PAGE = 50  # rows on a screen
LOOK = 20_000  # rows that a page looks at for a filter without an index: some 50 ms of CPU
COUNTED = 10_000  # rows that are counted before it is said that there are more

T = TypeVar("T")
U = TypeVar("U")


class Cursor(Record, frozen=True, array_like=True):
    """Where a page begins: after a key, or before it for the page that stands before."""

    key: tuple[str | int | float, ...]
    back: bool = False
    inclusive: bool = False  # the key itself too: the way back from a page that holds nothing

    def __str__(self) -> str:
        """For an address; `read` reads it again."""
        return self.to_json().decode()

    @classmethod
    def read(cls, text: str) -> Cursor | None:
        """The cursor that an address holds, None for the first page.

        Raises:
            UsageError: it is none of ours.
        """
        if not text:
            return None
        try:
            return cls.from_json(text)
        except (BadRecord, UnicodeError):
            raise UsageError(f"{text[:40]!r} is no place in this list: go to its start") from None


@dataclass(frozen=True, slots=True)
class RowPage(Generic[T]):
    """Some rows of a list in its order, and the cursors ("" for none) of its neighbours."""

    rows: tuple[T, ...]
    before: str = ""
    after: str = ""
    looked_to: tuple[str | int | float, ...] = ()  # where a rare filter was given up for this page

    def of(self, read: Callable[[T], U]) -> RowPage[U]:
        """The same page with every row read into something else."""
        return RowPage(tuple(map(read, self.rows)), self.before, self.after, self.looked_to)


@dataclass(frozen=True, slots=True)
class RowCount:
    """How many rows there are, or that there are more than were counted."""

    number: int
    more: bool = False

    def __str__(self) -> str:
        return f"more than {self.number:,}" if self.more else f"{self.number:,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysetQuery:
    """A list of rows: what is read, in which order, and which rows are wanted.

    `source` is a table (with `INDEXED BY` where SQLite might choose another index) and what is
    joined to it. `key` are columns that an index orders and that together are unique. `where` are
    conditions that this index answers, `filters` those that every row has to be read for; the
    values of both follow in the order of their question marks.
    """

    columns: str
    source: str
    key: tuple[str, ...]
    descending: bool = True
    where: tuple[str, ...] = ()
    where_values: tuple[object, ...] = ()
    filters: tuple[str, ...] = ()
    filter_values: tuple[object, ...] = ()

    def narrowed(self, condition: str, *values: object) -> KeysetQuery:
        """With one condition more that the index answers."""
        return replace(
            self, where=(*self.where, condition), where_values=(*self.where_values, *values)
        )

    def filtered(self, condition: str, *values: object) -> KeysetQuery:
        """With one condition more that every row has to be read for."""
        return replace(
            self, filters=(*self.filters, condition), filter_values=(*self.filter_values, *values)
        )

    @property
    def keys(self) -> str:
        return ", ".join(self.key)

    def select(self, columns: str, *, back: bool = False, filtered: bool = True) -> str:
        """The statement without its LIMIT."""
        conditions = self.where + (self.filters if filtered else ())
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        order = ", ".join(
            f"{column} {'DESC' if self.descending != back else 'ASC'}" for column in self.key
        )
        return f"SELECT {columns} FROM {self.source}{where} ORDER BY {order}"

    def values(self, *, filtered: bool = True) -> tuple[object, ...]:
        return self.where_values + (self.filter_values if filtered else ())


def read_page(
    db: sqlite3.Connection, query: KeysetQuery, cursor: str = "", size: int = PAGE
) -> RowPage[sqlite3.Row]:
    """The rows after (or before) a cursor, in the list's order.

    Raises:
        UsageError: the cursor is none of this list.
    """
    start = Cursor.read(cursor)
    back = start is not None and start.back
    if start is not None:
        query = _beyond(query, start.key, back=back, inclusive=start.inclusive)
    limit = _last_looked_at(db, query, back=back)
    if limit:
        query = _beyond(query, limit, back=not back, inclusive=True)
    names = [f"{column} AS keyset_{number}" for number, column in enumerate(query.key)]
    rows = db.execute(
        f"{query.select(', '.join([query.columns, *names]), back=back)} LIMIT ?",
        (*query.values(), size + 1),
    ).fetchall()
    found, further = rows[:size], len(rows) > size
    looked_to = () if further else limit
    onward = _key_of(found[-1], query) if further else limit
    there = str(Cursor(onward, back)) if onward else ""
    here = ""
    if start is not None:
        key = _key_of(found[0], query) if found else start.key
        here = str(Cursor(key, not back, not found and not start.inclusive))
    if back:
        return RowPage(tuple(reversed(found)), before=there, after=here, looked_to=looked_to)
    return RowPage(tuple(found), before=here, after=there, looked_to=looked_to)


def read_joined_page(
    parts: Sequence[tuple[sqlite3.Connection, KeysetQuery]], cursor: str = "", size: int = PAGE
) -> RowPage[tuple[int, sqlite3.Row]]:
    """The rows of several lists with the same key as one list, each with the place of its part.

    Rows of the same key stand in the order of the parts.

    Raises:
        UsageError: the cursor is none of this list.
    """
    start = Cursor.read(cursor)
    back = start is not None and start.back
    descending = parts[0][1].descending != back
    found: list[tuple[Any, int, sqlite3.Row]] = []
    limits: list[tuple[Any, int]] = []  # up to where a rare filter was tried
    more = False
    for place, (db, query) in enumerate(parts):
        page = read_page(db, query, _cursor_of_part(start, place), size)
        found += [(_key_of(row, query), place, row) for row in page.rows]
        limits += [(page.looked_to, place)] if page.looked_to else []
        more = more or bool(page.before if back else page.after)

    def sort(rows: list[Any]) -> None:
        rows.sort(key=lambda row: row[1], reverse=back)
        rows.sort(key=lambda row: row[0], reverse=descending)

    def within(key: Any, place: int, limit: tuple[Any, int]) -> bool:
        if key != limit[0]:
            return bool((key > limit[0]) == descending)
        return place >= limit[1] if back else place <= limit[1]

    sort(found)
    sort(limits)
    near = [one for one in found if not limits or within(one[0], one[1], limits[0])]
    shown = near[:size]
    onward, looked_to = (), ()
    if shown and len(shown) == size and (more or len(found) > size):
        onward = (*shown[-1][0], shown[-1][1])
    elif limits:
        onward, looked_to = (*limits[0][0], limits[0][1]), limits[0][0]
    there = str(Cursor(onward, back)) if onward else ""
    here = ""
    if start is not None:
        key = (*shown[0][0], shown[0][1]) if shown else start.key
        here = str(Cursor(key, not back, not shown and not start.inclusive))
    rows = tuple((place, row) for _, place, row in shown)
    if back:
        return RowPage(rows[::-1], before=there, after=here, looked_to=looked_to)
    return RowPage(rows, before=here, after=there, looked_to=looked_to)


def _cursor_of_part(start: Cursor | None, place: int) -> str:
    """Where a part begins; a joined list's cursor ends with the place of a row's part."""
    if start is None:
        return ""
    *key, at = start.key
    if not isinstance(at, int):
        raise UsageError("this place is one of another list: go to the start of this one")
    inclusive = start.inclusive if place == at else (place > at) != start.back
    return str(Cursor(tuple(key), start.back, inclusive))


def count_rows(db: sqlite3.Connection, query: KeysetQuery, most: int = COUNTED) -> RowCount:
    """How many rows there are, as far as they can be counted at once.

    A list with a filter is counted over the first `LOOK` rows of its index only.
    """
    limit = _last_looked_at(db, query, back=False)
    if limit:
        query = _beyond(query, limit, back=True, inclusive=True)
    (found,) = db.execute(
        f"SELECT count(*) FROM ({query.select('1')} LIMIT ?)", (*query.values(), most + 1)
    ).fetchone()
    return RowCount(min(found, most), found > most or bool(limit))


def _beyond(
    query: KeysetQuery, key: Sequence[object], *, back: bool, inclusive: bool = False
) -> KeysetQuery:
    """Only what stands after a key in the list's order, or before it."""
    if len(key) != len(query.key):
        raise UsageError("this place is one of another list: go to the start of this one")
    sign = "<" if query.descending != back else ">"
    marks = ", ".join("?" * len(key))
    return query.narrowed(f"({query.keys}) {sign}{'=' if inclusive else ''} ({marks})", *key)


def _last_looked_at(
    db: sqlite3.Connection, query: KeysetQuery, *, back: bool
) -> tuple[str | int | float, ...]:
    """The key of the last row that a filter is tried on; () when it can be tried on all."""
    if not query.filters:
        return ()
    row = db.execute(
        f"{query.select(query.keys, back=back, filtered=False)} LIMIT 1 OFFSET ?",
        (*query.values(filtered=False), LOOK - 1),
    ).fetchone()
    return tuple(row) if row is not None else ()


def _key_of(row: sqlite3.Row, query: KeysetQuery) -> tuple[str | int | float, ...]:
    return tuple(row[f"keyset_{number}"] for number in range(len(query.key)))
