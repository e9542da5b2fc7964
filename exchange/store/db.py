"""Open the SQLite files the one way that keeps our promise.

WAL, so that people can read while the daemon writes; `synchronous` FULL where a commit is a
promise (the spool), NORMAL where losing the last batch costs only a second request (pages).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from exchange.errors import BadFile, Busy, DiskFull, NotFound, UserError

BUSY_TIMEOUT_S = 10.0  # another process's short transaction; longer means something hangs


def counter_sql(name: str, delta: str) -> str:
    """The statement of a trigger that adds `delta` to a counter; both are SQL expressions."""
    return (
        f"INSERT INTO counters(name, value) VALUES ({name}, {delta}) "
        "ON CONFLICT(name) DO UPDATE SET value = value + excluded.value;"
    )


def connect(
    path: Path,
    schema: str,
    *,
    version: int,
    synchronous: Literal["FULL", "NORMAL"] = "FULL",
    upgrade: Callable[[sqlite3.Connection, int], None] | None = None,
) -> sqlite3.Connection:
    """Open (and on first use create) one of our files; transactions are explicit.

    Args:
        schema: statements that create everything, all `IF NOT EXISTS`.
        version: written to `user_version`; a file of a newer version is refused.
        upgrade: given a file of an earlier version and that version, fills in what `schema`
            alone cannot; in the same transaction, so that a kill leaves the old file.

    Raises:
        UserError: not a database of ours, damaged, of a newer version, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={synchronous}")
        db.execute("PRAGMA foreign_keys=ON")
        found = db.execute("PRAGMA user_version").fetchone()[0]
        if found > version:
            raise BadFile(
                f"{path} was written by a newer kkoracle (format {found}, this one knows "
                f"{version}): upgrade, or choose another data directory"
            )
        if found < version:
            with transaction(db):
                for statement in _statements(schema):
                    db.execute(statement)
                if found and upgrade is not None:
                    upgrade(db, found)
                db.execute(f"PRAGMA user_version={version}")
    except sqlite3.DatabaseError as error:
        raise error_of(error, f"open {path}") from None
    return db


def error_of(error: sqlite3.Error, what: str, cure: str = "restore it from a backup") -> UserError:
    """What to raise for an error of SQLite; told by its code, whatever its words are.

    Args:
        what: what cannot be done, such as "read /data/paper/spool.sqlite".
        cure: what to do about a file that is damaged or none of ours.
    """
    if is_disk_error(error):
        return DiskFull(
            f"cannot {what}: the disk is full or failing ({error}): free some space, then run the "
            "same command again; nothing was lost"
        )
    if _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Busy(f"cannot {what}: {error}; another process holds it, try again")
    return BadFile(f"cannot {what}: {error}; {cure}")


def is_disk_error(error: sqlite3.Error) -> bool:
    """Whether the disk is full, or does not do what it is told."""
    return _code(error) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def _code(error: sqlite3.Error) -> int:
    """The kind of an error; the higher bits say more about it. 0: it comes not from SQLite."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


@contextmanager
def disk_errors_told(directory: Path) -> Iterator[None]:
    """SQLite says a full disk in several ways, also as it reads; people need one.

    Raises:
        DiskFull: the disk of this directory is full or failing.
    """
    try:
        yield
    except sqlite3.Error as error:
        if is_disk_error(error):
            raise error_of(error, f"write in {directory}") from None
        raise


def connect_readonly(path: Path) -> sqlite3.Connection:
    """Open for reading only; the file must exist.

    Raises:
        UserError: there is no such file, or it is no database.
    """
    if not path.exists():
        raise NotFound(f"{path} does not exist yet: run `kkoracle crawl` first")
    try:
        db = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
        )
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA query_only=ON")
        db.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        raise error_of(error, f"read {path}") from None
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One write transaction: all of it, or nothing of it.

    `BEGIN IMMEDIATE` takes the write lock at once, so that a reader never has to be upgraded
    half-way (which SQLite refuses without waiting).

    Raises:
        DiskFull: no space is left; nothing of the transaction was written.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error) and _code(error) == sqlite3.SQLITE_FULL:
            raise error_of(error, "store anything") from None
        raise


def _statements(script: str) -> Iterator[str]:
    """Split a script into statements; `executescript` would commit behind our back."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
