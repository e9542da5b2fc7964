"""One look at an archive: counters, their history, the daemon's own word, Redis, the machine."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from sqlite3 import OperationalError

from crawler import report
from crawler.settings import Crawl as CrawlSettings
from exchange import history, memory
from exchange.errors import UserError
from exchange.history import Sample
from exchange.house import House
from exchange.lock import FileLock
from exchange.spool import FILE, Spool
from kkoracle.status import queue, stages
from kkoracle.status.problems import find
from kkoracle.status.records import Crawl, Machine, Status
from kkoracle.status.training import newest

STALE_S = 5.0  # what the daemon wrote before its lock was taken is of an earlier one


def look(house: House, archive: str, now: float | None = None) -> Status:
    """Read where things stand; nothing is started, nothing is written.

    Args:
        now: seconds since the epoch; default: the clock's.

    Raises:
        UserError: nothing was crawled yet.
    """
    now = time.time() if now is None else now
    directory = house.archive_dir(archive)
    if not (directory / FILE).exists():
        raise UserError(f"nothing of {archive} yet: `kkoracle crawl {archive}` begins")
    counters, spool_past = _spool(directory)
    pages, pages_past = report.read_counters(directory), report.read_history(directory)
    daemon, since = _daemon(directory, now)
    ways = stages.all_of(pages, pages_past, counters, spool_past, now)
    found = Status(
        archive=archive,
        daemon=daemon,
        counters=counters,
        pages=pages,
        crawl=_crawl(directory, now, since) if daemon else Crawl(),
        stages=ways,
        pairs=stages.pairs(counters, spool_past, now),
        queue=queue.ask(house),
        machine=_machine(house, directory),
        training=newest(directory, now),
    )
    return replace(found, problems=find(found))


def _spool(directory: Path) -> tuple[dict[str, int], list[Sample]]:
    spool = Spool.read(directory)
    try:
        return spool.counters(), history.read(spool.db)
    except OperationalError:  # the file is being created this very moment
        return {}, []
    finally:
        spool.close()


def _daemon(directory: Path, now: float) -> tuple[bool, float]:
    """Whether a daemon holds its lock, and for how many seconds it has."""
    lock = FileLock(directory / "daemon.lock")
    free = lock.acquire(shared=True)  # shared: it writes nothing into the file
    lock.release()
    return not free, max(0.0, now - lock.path.stat().st_mtime)


def _crawl(directory: Path, now: float, running_s: float) -> Crawl:
    said = report.read_beacon(directory)
    if said is None or now - said.at > running_s + STALE_S:
        return Crawl(silent_s=running_s, running_s=running_s)
    return Crawl(
        pid=said.pid,
        silent_s=max(0.0, now - said.at),
        running_s=running_s,
        rate=said.rate,
        allowed=said.allowed,
        pause_s=max(0.0, said.pause_s),
        hold=said.hold,
        fetching=said.fetching,
        next_look=said.next_look,
    )


def _machine(house: House, directory: Path) -> Machine:
    taken = sum(path.stat().st_size for path in directory.glob("*.sqlite*"))
    least = house.config.table("crawl", CrawlSettings).min_free_mb
    free = shutil.disk_usage(directory).free
    return Machine(taken // 10**6, free // 2**20, least, memory.usable() // 10**6)
