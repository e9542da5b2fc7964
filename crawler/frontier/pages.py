"""The file `pages.sqlite`: the frontier, the raw bodies, what hosts asked of us, counters.

Losing its last batch costs only a second request, so it is written with `synchronous` NORMAL.
The counters are kept by triggers inside the writing transaction.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from crawler import addresses
from crawler.frontier.clock import LONGEST_WAIT_S
from crawler.records import CAPTURES, Link
from exchange.store import db, history

FILE = "pages.sqlite"
# 2: notes; 3: dictionaries, pages that wait for their time apart from those due; 4: history;
# 5: aliases, canonicals
VERSION = 5


SCHEMA = f"""
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

{history.HISTORY_TABLE}
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS hosts (
    origin TEXT PRIMARY KEY, paused_until REAL NOT NULL DEFAULT 0,
    backoff REAL NOT NULL DEFAULT 0, refused_at REAL NOT NULL DEFAULT 0,
    robots TEXT, robots_at REAL NOT NULL DEFAULT 0) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS pages (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, url TEXT NOT NULL, kind TEXT NOT NULL,
    issue TEXT NOT NULL DEFAULT '', words INTEGER, priority INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'leased', 'done', 'failed', 'left_out')),
    reason TEXT NOT NULL DEFAULT '', tries INTEGER NOT NULL DEFAULT 0,
    next_at REAL NOT NULL DEFAULT 0, leased_at REAL NOT NULL DEFAULT 0,
    status INTEGER NOT NULL DEFAULT 0, etag TEXT NOT NULL DEFAULT '',
    last_modified TEXT NOT NULL DEFAULT '', body_hash TEXT NOT NULL DEFAULT '',
    charset TEXT NOT NULL DEFAULT '', text TEXT NOT NULL DEFAULT '',
    extraction TEXT NOT NULL DEFAULT '');
DROP INDEX IF EXISTS pages_waiting;
CREATE INDEX IF NOT EXISTS pages_due ON pages(priority, id)
    WHERE state = 'waiting' AND next_at = 0;
CREATE INDEX IF NOT EXISTS pages_later ON pages(next_at) WHERE state = 'waiting' AND next_at > 0;
CREATE INDEX IF NOT EXISTS pages_leased ON pages(id) WHERE state = 'leased';
CREATE INDEX IF NOT EXISTS pages_to_extract ON pages(id) WHERE text = 'waiting';

CREATE TABLE IF NOT EXISTS aliases (
    key TEXT PRIMARY KEY, page INTEGER NOT NULL REFERENCES pages(id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS canonicals (
    page INTEGER PRIMARY KEY REFERENCES pages(id), key TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS canonicals_key ON canonicals(key);

CREATE TABLE IF NOT EXISTS bodies (
    page INTEGER PRIMARY KEY REFERENCES pages(id), body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS dictionaries (id INTEGER PRIMARY KEY, body BLOB NOT NULL);

CREATE TRIGGER IF NOT EXISTS page_added AFTER INSERT ON pages BEGIN
    {db.counter_sql("'pages.' || NEW.state", "1")} END;
CREATE TRIGGER IF NOT EXISTS page_moved AFTER UPDATE OF state ON pages
    WHEN OLD.state <> NEW.state BEGIN
    {db.counter_sql("'pages.' || OLD.state", "-1")}
    {db.counter_sql("'pages.' || NEW.state", "1")} END;
CREATE TRIGGER IF NOT EXISTS page_text AFTER UPDATE OF text ON pages
    WHEN OLD.text <> NEW.text BEGIN
    {db.counter_sql("'text.' || OLD.text", "-(OLD.text <> '')")}
    {db.counter_sql("'text.' || NEW.text", "(NEW.text <> '')")} END;
"""


# As conditions on `pages`. Last asked for before a time, or after the present, which only a wrong
# clock can have written; both are values. Then: what a web archive is asked for.
ASKED_BEFORE = "(leased_at<? OR leased_at>?)"
_OF_PAGES = "url GLOB 'http*/web/[0-9]*id_/http*'"
_OF_CAPTURES = f"(kind='{CAPTURES}' OR {_OF_PAGES})"
# What the newspaper itself has not given: nothing came, or no story was in it. What robots.txt
# forbids stays forbidden.
_NOT_HAD = f"""NOT {_OF_CAPTURES} AND (state IN ('waiting', 'failed')
    OR (state='left_out' AND reason='redirect-out')
    OR (state='done' AND text NOT IN ('', 'waiting', 'done')))"""


def restriction(connection: sqlite3.Connection, *, captures: bool) -> str:
    """A condition for claims: only what a web archive is asked for, or only what it is not."""
    if captures:
        return f" AND {_OF_CAPTURES}"
    asked = connection.execute("SELECT 1 FROM pages WHERE kind=? LIMIT 1", (CAPTURES,)).fetchone()
    return f" AND NOT {_OF_CAPTURES}" if asked else ""


def stand_in(connection: sqlite3.Connection, link: Link) -> bool:
    """Have a capture asked for, where the site itself has not given the page's story.

    Call inside a transaction; true when it is now due.
    """
    known = connection.execute(
        f"SELECT id, state, reason FROM pages WHERE key=? AND {_NOT_HAD}", (link.key,)
    ).fetchone()
    if known is None:
        return False
    if known["reason"] and known["state"] != "waiting":
        count(connection, f"reason.{known['reason']}", -1)
    connection.execute(
        "UPDATE pages SET url=?, state='waiting', reason='', tries=0, next_at=0, status=0, "
        "etag='', last_modified='', text='' WHERE id=?",
        (link.url, known["id"]),
    )
    return True


def why_no_captures(connection: sqlite3.Connection) -> str | None:
    """Why a web archive has given nothing, as a reason code; "" when it has no page of the site.

    None when a page is here, from the archive or the site itself.
    """
    if connection.execute(
        "SELECT 1 FROM pages WHERE state='done' AND kind NOT LIKE '@%' LIMIT 1"
    ).fetchone():
        return None
    row = connection.execute(
        f"SELECT reason FROM pages WHERE {_OF_CAPTURES} AND reason<>'' "
        "GROUP BY reason ORDER BY COUNT(*) DESC LIMIT 1"
    ).fetchone()
    return row["reason"] if row else ""


def forget_wrong_times(connection: sqlite3.Connection, now: float) -> None:
    """No page waits for more than a day: one that does comes of a clock that was wrong."""
    with db.transaction(connection):
        connection.execute(
            "UPDATE pages SET next_at=0 WHERE state='waiting' AND next_at>?",
            (now + LONGEST_WAIT_S,),
        )


def connect(directory: Path) -> sqlite3.Connection:
    """Open for writing, creating the file on first use."""
    return db.connect(
        directory / FILE, SCHEMA, version=VERSION, synchronous="NORMAL", upgrade=_upgrade
    )


def connect_readonly(directory: Path) -> sqlite3.Connection:
    """Open for reading only; raises UserError when nothing was crawled yet."""
    return db.connect_readonly(directory / FILE, VERSION)


ALTERED = "altered-until"  # the note: up to this page, addresses were not kept as written
_MAY_HAVE_SESSION = "key LIKE '%:/%' AND (key LIKE '%?%' OR key LIKE '%;%' OR key LIKE '%(%')"


def _upgrade(connection: sqlite3.Connection, found: int) -> None:
    """Up to version 4 sessions and campaigns were part of a page's key. What is stored keeps its
    key, which its stories are known by, and gets the new one beside it; what was never asked for
    gets the new one, or is left out where another page has it."""
    connection.execute(
        "INSERT OR REPLACE INTO notes SELECT ?, COALESCE(MAX(id), 0) FROM pages", (ALTERED,)
    )
    rows = connection.execute(
        "SELECT id, key, url, state='waiting' AND body_hash='' AND text='' AS unseen FROM pages "
        f"WHERE {_MAY_HAVE_SESSION} ORDER BY unseen"
    ).fetchall()
    for row in rows:
        kind, _, address = row["key"].partition(":")
        new = f"{kind}:{_bare(address, in_order=True)}"
        if new == row["key"] or kind.startswith(("@", "start", "sitemap", "feed", "robots")):
            continue
        known = connection.execute(
            "SELECT 1 FROM pages WHERE key=?1 UNION ALL SELECT 1 FROM aliases WHERE key=?1", (new,)
        ).fetchone()
        if not row["unseen"]:
            if not known:
                connection.execute("INSERT INTO aliases(key, page) VALUES (?,?)", (new, row["id"]))
        elif known:
            connection.execute(
                "UPDATE pages SET state='left_out', reason='same-page' WHERE id=?", (row["id"],)
            )
        else:
            connection.execute(
                "UPDATE pages SET key=?, url=? WHERE id=?", (new, _bare(row["url"]), row["id"])
            )


def _bare(address: str, *, in_order: bool = False) -> str:
    path, query = addresses.without_session(*address.partition("?")[::2])
    query = "&".join(sorted(query.split("&"))) if in_order else query
    return f"{path}?{query}" if query else path


def count(connection: sqlite3.Connection, name: str, delta: int = 1) -> None:
    """Add to a counter; call inside a transaction."""
    connection.execute(
        "INSERT INTO counters(name, value) VALUES (?, ?) "
        "ON CONFLICT(name) DO UPDATE SET value = value + excluded.value",
        (name, delta),
    )


def count_of_kind(connection: sqlite3.Connection, kind: str) -> int:
    """How many pages of a kind are known."""
    return int(connection.execute("SELECT COUNT(*) FROM pages WHERE kind=?", (kind,)).fetchone()[0])


def counters(connection: sqlite3.Connection) -> dict[str, int]:
    """All counters that are not zero."""
    return dict(connection.execute("SELECT name, value FROM counters WHERE value<>0").fetchall())


def last_page(connection: sqlite3.Connection) -> int:
    """The id of the page that was added last, 0 for none."""
    return int(connection.execute("SELECT COALESCE(MAX(id), 0) FROM pages").fetchone()[0])


def outcomes_after(connection: sqlite3.Connection, page: int) -> dict[str, int]:
    """What came of the texts of later pages, commonest first: "done" is a story."""
    rows = connection.execute(
        "SELECT text, COUNT(*) FROM pages WHERE id>? AND text NOT IN ('', 'waiting') "
        "GROUP BY text ORDER BY COUNT(*) DESC, text",
        (page,),
    )
    return dict(rows.fetchall())


def note(connection: sqlite3.Connection, name: str) -> str:
    """A small fact that outlives the process, "" when it was never noted."""
    row = connection.execute("SELECT value FROM notes WHERE name=?", (name,)).fetchone()
    return row[0] if row else ""


def set_note(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Keep a small fact."""
    connection.execute("INSERT OR REPLACE INTO notes(name, value) VALUES (?, ?)", (name, value))
