"""What SQLite says when a file or its disk fails, at whatever statement, told as one line.

The line names the file, what is wrong, and what helps against that and against nothing else. A
statement of ours that is wrong stays the error that it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exchange.errors import BadFile, Busy, CannotWrite, DiskFull, TooLarge, UserError
from exchange.files import size_limit

RESTORE = "`kkoracle restore FOLDER` brings back a copy that `kkoracle backup` made"
# A statement that is wrong is our fault, not the file's: such errors stay what they are.
_OURS = (
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_INTERNAL,
    sqlite3.SQLITE_ABORT,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_SCHEMA,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_RANGE,
)
_NO_TEXT = "Could not decode to UTF-8"  # how Python says that a text column holds rubbish


class StoreConnection(sqlite3.Connection):
    """A connection to one of our files; every error of the file or its disk is a `UserError`."""

    what = ""  # what cannot be done, such as "read /data/paper/spool.sqlite"
    cure = RESTORE  # what to do about damage

    def told(self, error: sqlite3.Error) -> Exception:
        """What to raise for an error of this file."""
        return told(error, self.what, self.cure)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        try:
            return self.cursor(StoreCursor).execute(sql, parameters)
        except sqlite3.Error as error:
            raise self.told(error) from None

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        try:
            return self.cursor(StoreCursor).executemany(sql, parameters)
        except sqlite3.Error as error:
            raise self.told(error) from None


class StoreCursor(sqlite3.Cursor):
    """The rows of a statement; a damaged page may lie behind any of them."""

    connection: StoreConnection

    def fetchone(self) -> Any:
        try:
            return super().fetchone()
        except sqlite3.Error as error:
            raise self.connection.told(error) from None

    def fetchall(self) -> list[Any]:
        try:
            return super().fetchall()
        except sqlite3.Error as error:
            raise self.connection.told(error) from None

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except sqlite3.Error as error:
            raise self.connection.told(error) from None


def told(error: sqlite3.Error, what: str, cure: str = RESTORE) -> Exception:
    """What to raise for an error of SQLite: that of `error_of`, or itself where we are to blame."""
    code = _code(error)
    if code in _OURS or (not code and _NO_TEXT not in str(error)):
        return error
    return error_of(error, what, cure)


def error_of(error: sqlite3.Error, what: str, cure: str = RESTORE) -> UserError:
    """What to raise for an error of SQLite; told by its code, whatever its words are.

    Args:
        what: what cannot be done, such as "read /data/paper/spool.sqlite".
        cure: what to do about a file that is damaged or none of ours.
    """
    code, exact = _code(error), getattr(error, "sqlite_errorcode", 0)
    says = f"cannot {what}: {error}"
    if code == sqlite3.SQLITE_FULL or (
        code == sqlite3.SQLITE_IOERR and exact != sqlite3.SQLITE_IOERR_SHORT_READ
    ):
        return DiskFull(
            f"cannot {what}: the disk is full or failing{size_limit()} ({error}): make room, "
            "then run the same command again; nothing was lost"
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL):
        return Busy(f"{says}; another process holds it, try again")
    if code == sqlite3.SQLITE_READONLY:
        return CannotWrite(
            f"{says}: this user may only read the file or its folder; nothing was changed"
        )
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return CannotWrite(
            f"{says}: this user needs the right to read and write the file and its folder "
            "(`ls -l` shows whose they are)"
        )
    if code == sqlite3.SQLITE_NOMEM:
        return TooLarge(f"{says}: close what takes the memory, then run the same command again")
    return BadFile(f"{says}; {cure}")


def _code(error: sqlite3.Error) -> int:
    """The kind of an error; the higher bits say more about it. 0: it comes not from SQLite."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


@contextmanager
def about(db: sqlite3.Connection, what: str, cure: str) -> Iterator[None]:
    """Inside the block errors are of another file, which is attached to this one.

    Args:
        what: what cannot be done, such as "use verdicts.sqlite".
        cure: what to do about damage.

    Raises:
        UserError: for every error, also that of a table which the other file lacks.
    """
    assert isinstance(db, StoreConnection)
    before = db.what, db.cure
    db.what, db.cure = what, cure
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise error_of(error, what, cure) from None
    finally:
        db.what, db.cure = before


def require_whole(db: sqlite3.Connection, path: Path, cure: str) -> None:
    """SQLite's own check of every page and index of a file.

    Args:
        cure: what to do about it.

    Raises:
        BadFile: it is damaged.
    """
    found = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise BadFile(f"{path} is damaged ({found}); {cure}")
