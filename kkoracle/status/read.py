"""One look at an archive: counters, their history, the daemon's own word, Redis, the machine."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from sqlite3 import OperationalError

from crawler.settings import CrawlSettings
from crawler.status import report
from exchange import machine
from exchange.errors import NotFound
from exchange.lock import daemon_lock
from exchange.project import Project
from exchange.store import history
from exchange.store.history import CounterSample
from exchange.store.spool import FILE, Spool
from kkoracle.status import queue, stages
from kkoracle.status.problems import find_problems
from kkoracle.status.records import DaemonState, MachineStatus, Status
from kkoracle.status.training import newest_run

STALE_S = 5.0  # what the daemon wrote before its lock was taken is of an earlier one


def read_status(project: Project, archive: str, now: float | None = None) -> Status:
    """Read where things stand; nothing is started, nothing is written.

    Args:
        now: seconds since the epoch; default: the clock's.

    Raises:
        UserError: nothing was crawled yet.
    """
    now = time.time() if now is None else now
    directory = project.archive_dir(archive)
    if not (directory / FILE).exists():
        raise NotFound(f"nothing of {archive} yet: `kkoracle crawl {archive}` begins")
    counters, spool_past = _read_spool(directory)
    pages, pages_past = report.read_counters(directory), report.read_history(directory)
    daemon, since = _read_daemon(directory, now)
    ways = stages.stage_progress(pages, pages_past, counters, spool_past, now)
    found = Status(
        archive=archive,
        daemon=daemon,
        counters=counters,
        pages=pages,
        crawl=_daemon_state(directory, now, since) if daemon else DaemonState(),
        stages=ways,
        pairs=stages.pair_progress(counters, spool_past, now),
        queue=queue.read_queue(project),
        machine=_machine_status(project, directory),
        training=newest_run(directory, now),
    )
    return replace(found, problems=find_problems(found))


def _read_spool(directory: Path) -> tuple[dict[str, int], list[CounterSample]]:
    spool = Spool.read(directory)
    try:
        return spool.counters(), history.read_samples(spool.db)
    except OperationalError:  # the file is being created this very moment
        return {}, []
    finally:
        spool.close()


def _read_daemon(directory: Path, now: float) -> tuple[bool, float]:
    """Whether a daemon holds its lock, and for how many seconds it has."""
    lock = daemon_lock(directory)
    return not lock.is_free(shared=True), max(0.0, now - lock.path.stat().st_mtime)


def _daemon_state(directory: Path, now: float, running_s: float) -> DaemonState:
    said = report.read_heartbeat(directory)
    if said is None or now - said.at > running_s + STALE_S:
        return DaemonState(silent_s=running_s, running_s=running_s)
    return DaemonState(
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


def _machine_status(project: Project, directory: Path) -> MachineStatus:
    taken = sum(path.stat().st_size for path in directory.glob("*.sqlite*"))
    least = project.config.table("crawl", CrawlSettings).min_free_mb
    free = shutil.disk_usage(directory).free
    return MachineStatus(taken // 10**6, free // 2**20, least, machine.usable_memory() // 10**6)
