"""What the operator sees of a running daemon: counters, rates, disk and time left, put together."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crawler import progress
from crawler.frontier import Frontier
from exchange.spool import Spool

if TYPE_CHECKING:
    from crawler.crawling import Crawling

SELDOM_S = 2.0  # what costs a query or a look at the disk is not asked for at every glance


class Watching:
    """Makes snapshots; belongs to the daemon's own thread."""

    def __init__(self, archive: str, directory: Path, frontier: Frontier, spool: Spool) -> None:
        self._archive = archive
        self._directory = directory
        self._frontier = frontier
        self._spool = spool
        self._pages = progress.Pace()
        self._tasks = progress.Pace()
        self._seldom_at = 0.0
        self._seldom = (0, 0, 0)

    def look(self, crawling: Crawling | None, fetching: bool) -> progress.Snapshot:
        """One moment of the daemon."""
        now = progress.snapshot(
            self._archive,
            self._frontier.counters(),
            self._spool.counters(),
            fetching=fetching and crawling is not None,
        )
        indexes, taken, free = self._now_and_then()
        now = replace(now, indexes_waiting=indexes, disk_mb=taken, free_mb=free)
        if crawling is not None and fetching:
            gates = crawling.doorbell.known()
            now = replace(
                now,
                hold=crawling.hold,
                rate=sum(gate.rate() for gate in gates),
                allowed=sum(1 / gate.delay for gate in gates if gate.delay),
                pause_s=max((gate.paused_for() for gate in gates), default=0.0),
            )
        return replace(self._left(now, crawling), next_look=_next_look(now, crawling))

    def _now_and_then(self) -> tuple[int, int, int]:
        """Indexes that wait, and megabytes taken and free."""
        if time.monotonic() >= self._seldom_at:
            self._seldom_at = time.monotonic() + SELDOM_S
            self._seldom = (
                self._frontier.indexes_waiting(),
                _taken(self._directory) // 10**6,
                shutil.disk_usage(self._directory).free // 10**6,
            )
        return self._seldom

    def _left(self, now: progress.Snapshot, crawling: Crawling | None) -> progress.Snapshot:
        unseen = round(now.indexes_waiting * crawling.links_per_index) if crawling else 0
        return replace(
            now,
            tasks_left=self._tasks.left(now.tasks_done, now.tasks_open),
            pages_left=self._pages.left(
                now.pages_done, now.pages_open, unseen, fastest=now.allowed
            ),
        )


def _next_look(now: progress.Snapshot, crawling: Crawling | None) -> float:
    """Said only when there is nothing else to ask for."""
    if crawling is None or crawling.follow is None or now.pages_open:
        return 0.0
    return crawling.follow.next_at


def _taken(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.glob("*.sqlite*"))
