"""Copy an archive's SQLite files as of one moment, while all go on writing; and put copies back."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from crawler.frontier import pages
from crawler.status.console import StepProgressBar
from exchange.display import format_bytes
from exchange.errors import Busy, CannotWrite, DiskFull, NotFound, Stopped, UsageError
from exchange.files import atomic_folder, sync_path, write_error
from exchange.lock import daemon_lock
from exchange.records import Story
from exchange.store import db, failures, review, schema, spool

# In this order the moments are taken, a blink apart: what is told as done in an earlier file is
# done in the later ones (a label answered, a page marked as read after its stories are stored).
FILES = {review.FILE: review.VERSION, pages.FILE: pages.VERSION, spool.FILE: schema.VERSION}
PAGES_PER_STEP = 2048  # of SQLite, 4 KiB each, between two looks at the progress
SPACE_FACTOR = 1.05  # of the files' size, that must be free
_BESIDE = ("", "-wal", "-shm", "-journal")  # what SQLite keeps beside a file belongs to it
_OLDER = "choose an older copy"


def back_up(directory: Path, archive: str, folder: Path) -> str:
    """Copy what there is of an archive; returns what to tell.

    Each file is read in one transaction, so that writers neither wait nor disturb. It gets its
    name only when its integrity was checked; a kill leaves a folder that ends in `.partial`.

    Raises:
        UserError: nothing is there, the disk is too small, or a file is damaged or empty.
    """
    present = [name for name in FILES if (directory / name).exists()]
    if spool.FILE not in present:
        raise NotFound(f"nothing of {archive} yet: `kkoracle crawl {archive}` begins")
    target = folder / f"{archive}-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        with atomic_folder(target) as partial:
            _require_space(directory, present, partial)
            targets = {name: partial / name for name in present}
            _copy_checked(directory, present, targets, failures.RESTORE)
    except CannotWrite as error:
        raise CannotWrite(f"cannot back up to {folder}: {error}") from None
    size = sum((target / name).stat().st_size for name in present)
    return f"{len(present)} files, {format_bytes(size)}, checked: {target}"


def restore(directory: Path, archive: str, folder: Path, confirm: Callable[[str], bool]) -> str:
    """Put a copy that `back_up` made in the place of what an archive has; returns what to tell.

    What is there is moved aside and kept, each file with the `-wal` that belongs to it: left
    behind, SQLite would write it over the copy. A file that the copy lacks stays. A kill leaves
    the files as they were, or moved aside; the same call then goes on.

    Args:
        confirm: asked before anything is moved.

    Raises:
        UserError: the folder holds no whole copy of this archive, or somebody uses the files.
        Stopped: the answer was no.
    """
    present = [name for name in FILES if (folder / name).exists()]
    if spool.FILE not in present:
        raise NotFound(f"no backup is in {folder}: it has no {spool.FILE}{_others(folder)}")
    says = _describe(folder / spool.FILE, archive)
    kept = directory / f"before-restore-{time.strftime('%Y%m%d-%H%M%S')}"
    with daemon_lock(directory):
        there = [name for name in present if (directory / name).exists()]
        question = f"Replace {', '.join(there)} in {directory}? They are kept in {kept.name}"
        if there and not confirm(question):
            raise Stopped("nothing was restored")
        copies = {name: directory / f"{name}.partial" for name in present}
        try:
            _require_space(folder, present, directory)
            _copy_checked(folder, present, copies, _OLDER)
            for name in there:
                _require_unused(directory / name)
            for name in there:
                kept.mkdir(exist_ok=True)
                for path in (directory / f"{name}{end}" for end in _BESIDE):
                    with suppress(FileNotFoundError):
                        path.rename(kept / path.name)
            for name, copy in copies.items():
                sync_path(copy)
                copy.rename(directory / name)
            sync_path(directory)
        except OSError as error:
            raise write_error(directory, error) from None
        finally:
            for copy in copies.values():
                copy.unlink(missing_ok=True)
    aside = f"; what was there is kept in {kept}" if there else ""
    return f"{len(present)} files restored and checked: {says}{aside}"


def _others(folder: Path) -> str:
    """The copies that a folder of copies holds, for whoever has named that."""
    found = sorted(str(path.parent) for path in folder.glob(f"*/{spool.FILE}"))
    return f"; the newest of those below is {found[-1]}" if found else ""


def _describe(path: Path, archive: str) -> str:
    """What is in a spool.

    Raises:
        UsageError: it is another archive's.
    """
    with closing(db.connect_readonly(path, schema.VERSION, _OLDER)) as connection:
        row = connection.execute("SELECT record FROM stories LIMIT 1").fetchone()
        if row and (found := Story.from_json(row["record"]).archive) != archive:
            raise UsageError(f"it is a backup of {found}, not of {archive}: name that archive")
        counted = spool.Spool(connection).counters()
    return f"{counted.get('stories', 0):,} stories, {counted.get('pairs.accepted', 0):,} pairs"


def _require_unused(path: Path) -> None:
    """Nobody has the file open; what its `-wal` held is in it now.

    Raises:
        Busy: somebody has.
    """
    try:
        with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.Error as error:
        # One that is damaged is kept as it is, and its `-wal` beside it.
        if isinstance(told := failures.error_of(error, f"move {path.name} aside"), Busy):
            raise Busy(
                f"another program has {path} open (the studio, a review, a reader): end it first"
            ) from told


def _require_space(directory: Path, names: Sequence[str], target: Path) -> None:
    wanted = SPACE_FACTOR * sum(
        path.stat().st_size for name in names for path in directory.glob(name + "*")
    )
    free = shutil.disk_usage(target).free
    if free < wanted:
        raise DiskFull(
            f"the copies take {format_bytes(wanted)} and {format_bytes(free)} are "
            f"free in {target.parent}"
        )


def _copy_checked(
    directory: Path, names: Sequence[str], targets: dict[str, Path], cure: str
) -> None:
    """Copy files as they are now, and have SQLite check the copies.

    Args:
        cure: what to do about one that is damaged.

    Raises:
        UserError: one is damaged, empty, or of a newer kkoracle; or the disk is full.
    """
    with ExitStack() as stack:
        sources = {name: _open_snapshot(stack, directory / name, cure) for name in names}
        for name, source in sources.items():
            targets[name].unlink(missing_ok=True)
            try:
                _copy_database(source, targets[name], name)
            except sqlite3.Error as error:
                raise failures.error_of(error, f"copy {directory / name}", cure) from None
    for name in names:
        with closing(db.connect_readonly(targets[name], FILES[name], cure)) as connection:
            failures.require_whole(connection, directory / name, cure)


def _open_snapshot(stack: ExitStack, path: Path, cure: str) -> sqlite3.Connection:
    """A connection that goes on seeing the file as it is now, whatever is written later.

    Without that an online backup begins anew whenever somebody else writes, and never ends.
    """
    connection = db.connect_readonly(path, FILES[path.name], cure)
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
