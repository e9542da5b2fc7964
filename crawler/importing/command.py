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
from crawler.daemon import Watch, run, take_lock
from crawler.frontier import Frontier
from crawler.importing import items
from crawler.importing.items import Item
from crawler.importing.store import BATCH, Store, Tally
from crawler.links import Site
from crawler.profile import Profile
from crawler.settings import Crawl
from exchange.errors import UsageError
from exchange.house import House

Tell = Callable[[Tally, int, int], None]  # what it came to, bytes read, bytes in all


@dataclass(frozen=True, slots=True)
class Imported:
    """How an import ended: exit code, and what it came to."""

    code: int
    tally: Tally


def bring_in(
    house: House,
    archive: str,
    settings: Crawl,
    path: Path,
    *,
    date: re.Pattern[str] | None,
    tell: Tell,
    watch: Watch,
) -> Imported:
    """Import a file or a folder. Asks the newspaper for nothing; the same call again goes on.

    Raises:
        UsageError: there is nothing at `path`, or a package that it needs is missing.
        UserError: a daemon runs on this archive, or the disk is full.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    profile = profiles.load(settings, archive, imported=True)
    files = _Files(path, house.data)
    tally = asyncio.run(_store(house.archive_dir(archive), profile, files, date, tell))
    code = asyncio.run(run(house, archive, settings, fetch=False, generate=False, watch=watch))
    return Imported(code, tally)


async def _store(
    directory: Path, profile: Profile, files: _Files, date: re.Pattern[str] | None, tell: Tell
) -> Tally:
    total = files.size()
    with ExitStack() as stack:
        await take_lock(stack, directory)
        frontier = Frontier.open(directory)
        stack.callback(frontier.close)
        store = Store(frontier, Site(profile), date)
        everything = iter(files)
        while batch := list(islice(everything, BATCH)):
            store.put(batch)
            tell(store.tally, files.read, total)
            await asyncio.sleep(0)  # a Ctrl-C between two batches finds everything written
    return store.tally


class _Files:
    """All items under a path, what we keep ourselves left out; counts the bytes read."""

    def __init__(self, path: Path, ours: Path) -> None:
        self.read = 0
        self._path = path
        self._ours = ours

    def __iter__(self) -> Iterator[Item]:
        for found, name in items.walk(self._path, self._ours):
            yield from items.read(found, name, self._tell)

    def size(self) -> int:
        """Bytes of all files, for the time left."""
        total = 0
        for found, _ in items.walk(self._path, self._ours):
            with contextlib.suppress(OSError):
                total += found.lstat().st_size
        return total

    def _tell(self, count: int) -> None:
        self.read += count
