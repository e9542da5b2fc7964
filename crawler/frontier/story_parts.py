"""Stories on several pages in the frontier: their text is due when the last part has its outcome.

The parts of a story have its key with their number (`records.part_key`). Everything here happens
in the transaction that writes a part's outcome, so a kill leaves a story either waiting for a part
that is known, or due.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

from crawler.records import FetchOutcome, Link, part_key, part_of

NO_PART = "no-part"  # the reason of a page that was a part before the story changed
_ENDED = ("done", "failed", "left_out")


def parts_of(connection: sqlite3.Connection, key: str) -> Iterator[int]:
    """The pages that follow a story's first, in order; 0 for one that is missing ends them."""
    number = 2
    while row := _row(connection, part_key(key, number)):
        if row["reason"] == NO_PART:
            return
        there = row["state"] == "done" and row["body_hash"]
        yield row["id"] if there else 0
        if not there:
            return
        number += 1


def settle(
    connection: sqlite3.Connection,
    outcome: FetchOutcome,
    add: Callable[[Link], bool],
    ask_again: Callable[[str, tuple[object, ...]], int],
) -> None:
    """After a page's outcome was written: ask for the part that follows, or make the text due.

    Args:
        add: makes a link known; false when it was.
        ask_again: makes pages that a condition names due once more.
    """
    if outcome.state not in _ENDED:
        return
    row = connection.execute(
        "SELECT key, EXISTS (SELECT 1 FROM pages AS part WHERE part.key=page.key || ?) AS goes_on "
        "FROM pages AS page WHERE id=?",
        (part_key("", 2), outcome.page),
    ).fetchone()
    first, number = part_of(row["key"])
    link = outcome.next_part
    if number > 1:  # its text stands with the first
        connection.execute("UPDATE pages SET text='' WHERE id=?", (outcome.page,))
    kept = outcome.state == "done" and outcome.body is not None
    if kept and link is not None and _is_new(connection, link, first, number):
        known = not add(link)
        if known:
            ask_again("key=? AND reason<>?", (link.key, NO_PART))
            _use_again(connection, link)
        if (row := _row(connection, link.key)) and row["state"] in ("waiting", "leased"):
            if number == 1:
                connection.execute("UPDATE pages SET text='' WHERE key=?", (first,))
            return
    elif kept and (number > 1 or row["goes_on"]):
        _forget_from(connection, first, number + 1)
    if number > 1:
        connection.execute(
            "UPDATE pages SET text='waiting' WHERE key=? AND state='done' AND body_hash<>''",
            (first,),
        )


def _is_new(connection: sqlite3.Connection, link: Link, first: str, number: int) -> bool:
    """Is the address none of the parts so far? Links may lead in a circle."""
    earlier = [part_key(first, n) for n in range(1, number + 1)]
    marks = ",".join("?" * len(earlier))
    return not connection.execute(
        f"SELECT 1 FROM pages WHERE key IN ({marks}) AND url=?", (*earlier, link.url)
    ).fetchone()


def _use_again(connection: sqlite3.Connection, link: Link) -> None:
    """A part whose address changed, or that was none for a while."""
    connection.execute(
        "UPDATE pages SET url=?, state='waiting', reason='', tries=0, next_at=0 "
        "WHERE key=? AND (url<>? OR reason=?) AND state<>'leased'",
        (link.url, link.key, link.url, NO_PART),
    )


def _forget_from(connection: sqlite3.Connection, first: str, number: int) -> None:
    """The story ends before this part now."""
    while _row(connection, part_key(first, number)):
        connection.execute(
            "UPDATE pages SET state='left_out', reason=? WHERE key=?",
            (NO_PART, part_key(first, number)),
        )
        number += 1


def _row(connection: sqlite3.Connection, key: str) -> sqlite3.Row | None:
    found: sqlite3.Row | None = connection.execute(
        "SELECT id, state, reason, body_hash FROM pages WHERE key=?", (key,)
    ).fetchone()
    return found
