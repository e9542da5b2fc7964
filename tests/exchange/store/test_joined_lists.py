"""Lists over several files: one order, whichever way one pages, however rare what is looked for."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest

from exchange.errors import UsageError
from exchange.store import paging
from exchange.store.paging import Cursor, KeysetQuery, read_joined_page

QUERY = KeysetQuery(columns="day, rare", source="t", key=("t.day",))
RARE = QUERY.filtered("rare=?", 1)
Part = tuple[sqlite3.Connection, KeysetQuery]


def part(query: KeysetQuery, days: range, rare: Callable[[int], bool]) -> Part:
    db = sqlite3.connect(":memory:")
    db.row_factory = sqlite3.Row
    db.execute("CREATE TABLE t (day INTEGER PRIMARY KEY, rare INTEGER)")
    db.executemany("INSERT INTO t VALUES (?,?)", [(day, rare(day)) for day in days])
    return db, query


def walk(parts: list[Part], size: int) -> list[list[tuple[int, int]]]:
    """The rows of every page; on the way back they have to be the same."""
    pages, cursor = [], ""
    while True:
        page = read_joined_page(parts, cursor, size)
        pages.append([(row["day"], place) for place, row in page.rows])
        if not page.after:
            break
        cursor = page.after
    back, before = [pages[-1]], page.before
    while before:
        page = read_joined_page(parts, before, size)
        back.append([(row["day"], place) for place, row in page.rows])
        before = page.before
    joined = [row for rows in back[::-1] for row in rows]
    assert joined == [row for rows in pages for row in rows]
    return pages


def in_order(rows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return sorted(rows, key=lambda row: (-row[0], row[1]))


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_days_that_all_have_are_shown_once_each_in_the_order_of_the_parts(size: int) -> None:
    days = [range(40), range(0, 40, 2), range(20, 50)]
    pages = walk([part(QUERY, one, lambda day: False) for one in days], size)
    rows = [row for page in pages for row in page]
    assert rows == in_order([(day, place) for place, one in enumerate(days) for day in one])
    assert all(len(page) == size for page in pages[:-1])


@pytest.mark.parametrize("size", [1, 4, 50])
def test_what_is_rare_is_found_page_by_page_and_nothing_is_passed_over(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "LOOK", 10)
    parts = [
        part(RARE, range(100), lambda day: day % 17 == 0),
        part(RARE, range(50, 80), lambda day: day % 5 == 0),
        part(RARE, range(90), lambda day: day == 3),
    ]
    wanted = [(day, 0) for day in range(0, 100, 17)]
    wanted += [(day, 1) for day in range(50, 80, 5)] + [(3, 2)]
    pages = walk(parts, size)
    assert [row for page in pages for row in page] == in_order(wanted)
    assert any(not page for page in pages)  # some say only how far was looked


def test_a_place_of_another_list_is_refused() -> None:
    parts = [part(QUERY, range(9), lambda day: False)]
    for strange in (str(Cursor((4,))), str(Cursor((4, "x"))), str(Cursor((4, 5, 0))), "{"):
        with pytest.raises(UsageError):
            read_joined_page(parts, strange)
