"""The import itself: files into the raw store, then their text into the spool."""

from __future__ import annotations

import asyncio
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
    house: House, archive: str, settings: Crawl, path: Path, *, date: re.Pattern[str] | None,
    tell: Tell, watch: Watch,
) -> Imported:  # fmt: skip
    """Import a file or a folder. Asks the newspaper for nothing; the same call again goes on.

    Raises:
        UsageError: there is nothing at `path`, or a package that it needs is missing.
        UserError: a daemon runs on this archive, or the disk is full.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    profile = profiles.load(settings, archive, imported=True)
    tally = asyncio.run(_store(house.archive_dir(archive), profile, path, date, tell))
    code = asyncio.run(run(house, archive, settings, fetch=False, generate=False, watch=watch))
    return Imported(code, tally)


async def _store(
    directory: Path, profile: Profile, path: Path, date: re.Pattern[str] | None, tell: Tell
) -> Tally:
    total = sum(_size(found) for found, _ in items.walk(path))
    with ExitStack() as stack:
        await take_lock(stack, directory)
        frontier = Frontier.open(directory)
        stack.callback(frontier.close)
        store = Store(frontier, Site(profile), date)
        reading = _Reading(path)
        everything = iter(reading)
        while batch := list(islice(everything, BATCH)):
            store.put(batch)
            tell(store.tally, reading.bytes, total)
            await asyncio.sleep(0)  # a Ctrl-C between two batches finds everything written
    return store.tally


class _Reading:
    """All items under a path; counts the bytes read."""

    def __init__(self, path: Path) -> None:
        self.bytes = 0
        self._path = path

    def __iter__(self) -> Iterator[Item]:
        for found, name in items.walk(self._path):
            yield from items.read(found, name, self._tell)

    def _tell(self, count: int) -> None:
        self.bytes += count


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
