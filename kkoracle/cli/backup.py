"""Copy an archive's SQLite files as of one moment, while daemon and reviewers go on writing."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from crawler.frontier import pages
from crawler.status.console import StepProgressBar
from exchange.display import format_bytes
from exchange.errors import BadFile, CannotWrite, DiskFull, NotFound
from exchange.files import atomic_folder
from exchange.store import db, review, spool

# In this order the moments are taken, a blink apart: what is told as done in an earlier file is
# done in the later ones (a label answered, a page marked as read after its stories are stored).
FILES = (review.FILE, pages.FILE, spool.FILE)
PAGES_PER_STEP = 2048  # of SQLite, 4 KiB each, between two looks at the progress
SPACE_FACTOR = 1.05  # of the files' size, that must be free
CopyProgress = Callable[[int, int], None]


def back_up(directory: Path, archive: str, folder: Path) -> str:
    """Copy what there is of an archive; returns what to tell.

    Each file is read in one transaction, so that writers neither wait nor disturb. It gets its
    name only when its integrity was checked; a kill leaves a folder that ends in `.partial`.

    Raises:
        UserError: nothing is there, the disk is too small, or a file is damaged.
    """
    present = [name for name in FILES if (directory / name).exists()]
    if spool.FILE not in present:
        raise NotFound(f"nothing of {archive} yet: `kkoracle crawl {archive}` begins")
    target = folder / f"{archive}-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        with atomic_folder(target) as partial:
            _require_space(directory, present, partial)
            with ExitStack() as stack:
                sources = {name: _open_snapshot(stack, directory / name) for name in present}
                for name, source in sources.items():
                    _copy_database(source, partial / name, name)
            for name in present:
                _check_integrity(partial / name, name)
    except CannotWrite as error:
        raise CannotWrite(f"cannot back up to {folder}: {error}") from None
    except sqlite3.DatabaseError as error:
        raise db.error_of(error, f"back up to {folder}") from None
    size = sum((target / name).stat().st_size for name in present)
    return f"{len(present)} files, {format_bytes(size)}, checked: {target}"


def _require_space(directory: Path, names: list[str], target: Path) -> None:
    wanted = SPACE_FACTOR * sum(
        p.stat().st_size for name in names for p in directory.glob(name + "*")
    )
    free = shutil.disk_usage(target).free
    if free < wanted:
        raise DiskFull(
            f"a backup takes {format_bytes(wanted)} and {format_bytes(free)} are "
            f"free in {target.parent}"
        )


def _open_snapshot(stack: ExitStack, path: Path) -> sqlite3.Connection:
    """A connection that goes on seeing the file as it is now, whatever is written later.

    Without that an online backup begins anew whenever somebody else writes, and never ends.
    """
    connection = db.connect_readonly(path)
    stack.callback(connection.close)
    connection.execute("BEGIN")
    connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    return connection


def _copy_database(source: sqlite3.Connection, path: Path, name: str) -> None:
    bar = StepProgressBar(f"copying {name}", " pages")
    with closing(sqlite3.connect(path)) as target:
        source.backup(
            target, pages=PAGES_PER_STEP, progress=lambda _, left, total: bar(total - left, total)
        )
        target.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
    bar.close()


def _check_integrity(path: Path, name: str) -> None:
    """SQLite's own check of every page and index of the copy."""
    with closing(db.connect_readonly(path)) as connection:
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise BadFile(f"{name} is damaged ({found}): keep the older backups")
