"""Every row is shown once, forwards and backwards, and a rare filter costs a page no scan."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from exchange.errors import UsageError
from exchange.store import paging
from exchange.store.paging import Cursor, KeysetQuery, RowCount, RowPage, count_rows, read_page

DAYS = KeysetQuery(columns="day, id, colour", source="issues", key=("day", "id"))


@pytest.fixture
def db() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    connection.execute("CREATE TABLE issues (id TEXT PRIMARY KEY, day TEXT, colour TEXT)")
    connection.execute("CREATE INDEX issues_by_day ON issues(day, id)")
    connection.executemany(
        "INSERT INTO issues VALUES (?,?,?)",
        ((f"{n:03d}", f"2014-01-{n // 9 + 1:02d}", "red" if n == 5 else "blue") for n in range(95)),
    )
    return connection


def every_page(db: sqlite3.Connection, query: KeysetQuery, size: int) -> list[RowPage[sqlite3.Row]]:
    cursor, pages = "", []
    while True:
        page = read_page(db, query, cursor, size)
        pages.append(page)
        if not page.after:
            return pages
        cursor = page.after


@pytest.mark.parametrize("descending", [True, False])
def test_every_row_stands_on_one_page_in_order(db: sqlite3.Connection, descending: bool) -> None:
    query = replace(DAYS, descending=descending)
    shown = [row["id"] for page in every_page(db, query, 10) for row in page.rows]
    assert shown == sorted(shown, reverse=descending) and len(shown) == 95


def test_the_way_back_shows_the_same_pages(db: sqlite3.Connection) -> None:
    forwards = every_page(db, DAYS, 10)
    assert not forwards[0].before
    page, backwards = forwards[-1], [forwards[-1]]
    while page.before:
        page = read_page(db, DAYS, page.before, 10)
        backwards.append(page)
    assert [p.rows for p in backwards] == [p.rows for p in reversed(forwards)]
    assert backwards[-1].after == forwards[0].after


def test_a_row_that_comes_in_moves_nothing(db: sqlite3.Connection) -> None:
    first = read_page(db, DAYS, size=10)
    db.execute("INSERT INTO issues VALUES ('999', '2020-01-01', 'blue')")
    second = read_page(db, DAYS, first.after, 10)
    assert second.rows[0]["id"] == "084"
    assert [row["id"] for row in read_page(db, DAYS, second.before, 10).rows][-1] == "085"


def test_a_rare_filter_says_how_far_it_has_looked_and_goes_on(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "LOOK", 30)
    red = DAYS.filtered("colour=?", "red")
    pages = every_page(db, red, 10)
    assert [len(page.rows) for page in pages] == [0, 0, 1, 0]
    assert pages[0].looked_to == ("2014-01-08", "065") and not pages[-1].looked_to
    assert str(count_rows(db, red)) == "more than 0"
    back = read_page(db, red, pages[-1].before, 10)
    assert [row["id"] for row in back.rows] == ["005"] and back.after


def test_counts_are_exact_until_they_are_more_than(db: sqlite3.Connection) -> None:
    assert count_rows(db, DAYS) == RowCount(95)
    assert str(count_rows(db, DAYS, most=90)) == "more than 90"
    assert count_rows(db, DAYS.filtered("colour=?", "red")) == RowCount(1)


@pytest.mark.parametrize("cursor", ["x", "[[1,2,3]]", '[["a"],1]', '[[{"a":1},2]]', "\ud800", "[]"])
def test_a_cursor_that_is_none_of_this_list_is_one_line(
    db: sqlite3.Connection, cursor: str
) -> None:
    with pytest.raises(UsageError, match="place"):
        read_page(db, DAYS, cursor)


def test_a_cursor_survives_an_address() -> None:
    cursor = Cursor(("2014-01-01", "Ωμέγα & άλφα", 3), back=True)
    assert Cursor.read(str(cursor)) == cursor
