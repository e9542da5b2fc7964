"""By what an archive's texts and pairs are made (profile, code, prompt), and when it may change.

An archive keeps the version that it began with: a newer kkoracle cuts new pages as it does now and
leaves the texts that are there, with their chunks and pairs. Another profile means other texts:
pages are read again from disk, after a word from the operator where that would throw work away.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from crawler.frontier import pages
from crawler.profile import Profile
from exchange.errors import UsageError
from exchange.store import db, failures
from exchange.store.spool import FILE as SPOOL_FILE
from exchange.store.spool import Spool

if TYPE_CHECKING:
    from crawler.extract.forecast import ReExtractionForecast

log = logging.getLogger(__name__)

# Notes: what texts are made by, and its profile's part.
_VERSION, _RULES = "extraction", "text-rules"
_EXTRACTED = "text NOT IN ('', 'waiting')"
Forecast = Callable[[], "ReExtractionForecast | None"]


def settle_extraction(
    connection: sqlite3.Connection,
    spool: Spool,
    profile: Profile,
    archive: str,
    *,
    accept: bool,
    forecast: Forecast,
) -> str:
    """The version that texts are made by from now on; pages of another profile become due again.

    Args:
        accept: extract all of another profile or kkoracle anew (`--re-extract`).
        forecast: what extracting anew would change; asked only when it matters.

    Raises:
        UsageError: the profile changed, what was generated would be lost, and `accept` is not set.
    """
    version = pages.note(connection, _VERSION) or _commonest_version(connection)
    known = pages.note(connection, _RULES)
    changed = known not in ("", profile.text_rules)
    if not version:
        version = profile.extraction
    elif version != profile.extraction and (accept or changed):
        if not accept:
            _require_nothing_lost(spool, archive, forecast)
        version = profile.extraction
    with db.transaction(connection):
        if accept or changed:
            connection.execute(
                f"UPDATE pages SET text='waiting' WHERE {_EXTRACTED} AND extraction<>?", (version,)
            )
        if known != profile.text_rules or pages.note(connection, _VERSION) != version:
            pages.set_note(connection, _RULES, profile.text_rules)
            pages.set_note(connection, _VERSION, version)
    return version


def reopen_lost(connection: sqlite3.Connection, spool: Spool, archive: str) -> None:
    """Have pages read again from disk that are marked as read and have no story in this spool.

    A page is marked only after its stories are stored, so a spool without them was lost, emptied,
    or is older than the pages. Both sides come in the order of their keys: nothing is held but
    what is lost.
    """
    stored = spool.db.execute("SELECT DISTINCT page FROM stories ORDER BY page")
    there, lost = stored.fetchone(), []
    if there and not pages.counters(connection).get("pages.done"):
        log.warning(
            "stories are here and none of their pages: %s was lost or is another's, and what it "
            "held is asked for again; %s",
            pages.FILE,
            failures.RESTORE,
        )
    for key, page in connection.execute("SELECT key, id FROM pages WHERE text='done' ORDER BY key"):
        while there is not None and there["page"] < key:
            there = stored.fetchone()
        if there is None or there["page"] != key:
            lost.append((page,))
    if not lost:
        return
    log.warning(
        "%s: %s pages are read again from disk, as their stories are not in %s: it was lost, or is "
        "older than %s",
        archive,
        f"{len(lost):,}",
        SPOOL_FILE,
        pages.FILE,
    )
    with db.transaction(connection):
        connection.executemany("UPDATE pages SET text='waiting' WHERE id=?", lost)


def _commonest_version(connection: sqlite3.Connection) -> str:
    row = connection.execute(
        f"SELECT extraction FROM pages WHERE {_EXTRACTED} AND extraction<>'' "
        "GROUP BY extraction ORDER BY COUNT(*) DESC LIMIT 1"
    ).fetchone()
    return str(row[0]) if row else ""


def _require_nothing_lost(spool: Spool, archive: str, forecast: Forecast) -> None:
    if not spool.has_completions():
        return
    told = forecast()
    if told is None or (told.looked_at == told.pages and not told.stale):
        return
    raise UsageError(
        f"the profile changed since {told.pages} pages were extracted: `kkoracle crawl {archive} "
        f"--re-extract` extracts them anew from disk (no requests; {told.line()}), or put the "
        "former profile back"
    )
