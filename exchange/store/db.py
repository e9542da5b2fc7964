"""Open the SQLite files the one way that keeps our promise.

WAL, so that people can read while the daemon writes; `synchronous` FULL where a commit is a
promise (the spool), NORMAL where losing the last batch costs only a second request (pages).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import zstandard

from exchange.errors import BadFile, BadRecord, NotFound
from exchange.files import write_error
from exchange.store.failures import RESTORE, StoreConnection, error_of

MAKING_S = 3.0  # a file that is empty may be one that another process makes this very moment
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
    cure: str = RESTORE,
) -> sqlite3.Connection:
    """Open (and on first use create) one of our files; transactions are explicit.

    Args:
        schema: statements that create everything, all `IF NOT EXISTS`.
        version: written to `user_version`; a file of a newer version is refused.
        upgrade: given a file of an earlier version and that version, fills in what `schema`
            alone cannot; in the same transaction, so that a kill leaves the old file.
        cure: what to do about damage.

    Raises:
        UserError: not a database of ours, damaged, of a newer version, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(path.parent, error) from None
    db = _open(str(path), f"write {path}")
    db.cure = cure
    try:
        # First, as a file that is none of ours must stay as it is.
        found = _known_version(db, path, version)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={synchronous}")
        db.execute("PRAGMA foreign_keys=ON")
        if found < version:
            with transaction(db):
                for statement in _statements(schema):
                    db.execute(statement)
                if found and upgrade is not None:
                    upgrade(db, found)
                db.execute(f"PRAGMA user_version={version}")
    except BaseException:
        db.close()
        raise
    return db


def connect_readonly(path: Path, version: int, cure: str = RESTORE) -> sqlite3.Connection:
    """Open for reading only; the file must exist and hold something.

    Args:
        version: the newest format that the reader knows.
        cure: what to do about damage.

    Raises:
        NotFound: there is no such file, or nothing was ever stored in it.
        UserError: it is no database, damaged, or of a newer version.
    """
    if not path.exists():
        raise NotFound(f"{path} does not exist yet: run `kkoracle crawl` first")
    db = _open(f"{path.resolve().as_uri()}?mode=ro", f"read {path}", uri=True)
    db.cure = cure
    try:
        db.execute("PRAGMA query_only=ON")
        deadline = time.monotonic() + MAKING_S
        while not _known_version(db, path, version):
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            raise NotFound(
                f"{path} is empty: it is being made this very moment, or it was lost; "
                "`kkoracle crawl` fills it again"
            )
    except BaseException:
        db.close()
        raise
    return db


def _open(name: str, what: str, *, uri: bool = False) -> StoreConnection:
    try:
        db = sqlite3.connect(
            name,
            uri=uri,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            factory=StoreConnection,
        )
    except sqlite3.Error as error:
        raise error_of(error, what) from None
    db.what = what
    db.row_factory = sqlite3.Row
    return db


def _known_version(db: sqlite3.Connection, path: Path, newest: int) -> int:
    """The format of a file, 0 while nothing is stored in it."""
    # In one statement: between two, another process may make it.
    found, has_tables = db.execute(
        "SELECT user_version, EXISTS (SELECT 1 FROM sqlite_master) FROM pragma_user_version"
    ).fetchone()
    if found > newest:
        raise BadFile(
            f"{path} was written by a newer kkoracle (format {found}, this one knows "
            f"{newest}): upgrade, or choose another data directory"
        )
    if has_tables and not found:
        raise BadFile(f"{path} was not written by kkoracle: choose another data directory")
    return int(found)


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
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    """Split a script into statements; `executescript` would commit behind our back."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


class _RecordCodec(threading.local):
    """zstd's contexts, kept for each thread: to make one takes five to ten times as long as to use
    it on one record.
    """

    def __init__(self) -> None:
        # A few kilobytes at the most; higher levels save about 2 % and cost three times as much.
        self.packer = zstandard.ZstdCompressor(level=3)
        self.unpacker = zstandard.ZstdDecompressor()


_CODEC = _RecordCodec()


def pack(record: bytes) -> bytes:
    """A record compressed, as completions and the inputs of tasks are stored."""
    return _CODEC.packer.compress(record)


def unpack(record: bytes) -> bytes:
    """A compressed record as it was stored.

    Raises:
        BadRecord: other bytes stand there now.
    """
    try:
        return _CODEC.unpacker.decompress(record)
    except zstandard.ZstdError as error:
        raise BadRecord(f"a stored record is damaged ({error}); {RESTORE}") from None
