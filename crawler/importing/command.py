"""The import itself: files into the raw store, then their text into the spool."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from crawler import profiles
from crawler.daemon import SnapshotCallback, run_daemon
from crawler.frontier.frontier import Frontier
from crawler.importing.files import ImportDocument, read_documents, walk_files
from crawler.importing.store import BATCH, DocumentStore, ImportTally
from crawler.profile import Profile
from crawler.scope import CrawlScope
from crawler.settings import CrawlSettings
from exchange.errors import UsageError
from exchange.lock import take_daemon_lock
from exchange.project import Project

ImportProgressCallback = Callable[
    [ImportTally, int, int], None
]  # what it came to, bytes read, bytes in all


@dataclass(frozen=True, slots=True)
class ImportResult:
    """How an import ended: exit code, and what it came to."""

    code: int
    tally: ImportTally


def import_files(
    project: Project,
    archive: str,
    settings: CrawlSettings,
    path: Path,
    *,
    date: re.Pattern[str] | None,
    tell: ImportProgressCallback,
    watch: SnapshotCallback,
) -> ImportResult:
    """Import a file or a folder. Asks the newspaper for nothing; the same call again goes on.

    Raises:
        UsageError: there is nothing at `path`, or a package that it needs is missing.
        UserError: a daemon runs on this archive, or the disk is full.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    profile = profiles.load(settings, archive, imported=True)
    files = _DocumentSource(path, project.data)
    tally = asyncio.run(_store(project.archive_dir(archive), profile, files, date, tell))
    code = asyncio.run(
        run_daemon(project, archive, settings, fetch=False, generate=False, watch=watch)
    )
    return ImportResult(code, tally)


async def _store(
    directory: Path,
    profile: Profile,
    files: _DocumentSource,
    date: re.Pattern[str] | None,
    tell: ImportProgressCallback,
) -> ImportTally:
    total = files.size()
    with ExitStack() as stack:
        await take_daemon_lock(stack, directory)
        frontier = Frontier.open(directory)
        stack.callback(frontier.close)
        store = DocumentStore(frontier, CrawlScope(profile), date)
        everything = iter(files)
        while batch := list(islice(everything, BATCH)):
            store.put(batch)
            tell(store.tally, files.read, total)
            await asyncio.sleep(0)  # a Ctrl-C between two batches finds everything written
    return store.tally


class _DocumentSource:
    """All items under a path, what we keep ourselves left out; counts the bytes read."""

    def __init__(self, path: Path, ours: Path) -> None:
        self.read = 0
        self._path = path
        self._ours = ours

    def __iter__(self) -> Iterator[ImportDocument]:
        for found, name in walk_files(self._path, self._ours):
            yield from read_documents(found, name, self._tell)

    def size(self) -> int:
        """Bytes of all files, for the time left."""
        total = 0
        for found, _ in walk_files(self._path, self._ours):
            with contextlib.suppress(OSError):
                total += found.lstat().st_size
        return total

    def _tell(self, count: int) -> None:
        self.read += count
