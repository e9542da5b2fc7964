"""What the crawl has counted, for other commands; reads only."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from crawler import pages
from crawler.beacon import Said
from crawler.beacon import read as read_beacon
from exchange import db, history

__all__ = ["Said", "read_beacon", "read_counters", "read_history"]

T = TypeVar("T")


def read_counters(directory: Path) -> dict[str, int]:
    """The crawl's counters of one archive; {} when nothing was crawled yet.

    `pages.<state>` (waiting, leased, done, failed, left_out), `reason.<code>` for pages given up
    or left out, `retry.<code>`, `text.<outcome>` (done, waiting, or why there is no story),
    `requests` and `bytes`.
    """
    return _read(directory, pages.counters, {})


def read_history(directory: Path) -> list[history.Sample]:
    """What those counters were, minute by minute; [] when nothing was crawled yet."""
    return _read(directory, history.read, [])


def _read(directory: Path, what: Callable[[sqlite3.Connection], T], nothing: T) -> T:
    if not (directory / pages.FILE).exists():
        return nothing
    connection = db.connect_readonly(directory / pages.FILE)
    try:
        return what(connection)
    except sqlite3.OperationalError:  # the file is being created this very moment
        return nothing
    finally:
        connection.close()
