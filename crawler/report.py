"""What the crawl has counted, for other commands; reads only."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from crawler import pages
from exchange import db


def read_counters(directory: Path) -> dict[str, int]:
    """The crawl's counters of one archive; {} when nothing was crawled yet.

    `pages.<state>` (waiting, leased, done, failed, left_out), `reason.<code>` for pages given up
    or left out, `retry.<code>`, `text.<outcome>` (done, waiting, or why there is no story),
    `requests` and `bytes`.
    """
    if not (directory / pages.FILE).exists():
        return {}
    connection = db.connect_readonly(directory / pages.FILE)
    try:
        return pages.counters(connection)
    except sqlite3.OperationalError:  # the file is being created this very moment
        return {}
    finally:
        connection.close()
