"""What the operator sees of a running daemon: counters, rates, disk and time left, put together."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.frontier.frontier import Frontier
from crawler.status import progress
from exchange.store.spool import Spool

if TYPE_CHECKING:
    from crawler.fetch.loop import FetchLoop

SLOW_FIGURES_S = 2.0  # what costs a query or a reading of the disk is not asked for each time


class SnapshotMaker:
    """Makes snapshots; belongs to the daemon's own thread."""

    def __init__(self, archive: str, directory: Path, frontier: Frontier, spool: Spool) -> None:
        self._archive = archive
        self._directory = directory
        self._frontier = frontier
        self._spool = spool
        self._pages = progress.ProgressRate()
        self._tasks = progress.ProgressRate()
        self._slow_due_at = 0.0
        self._slow_values = (0, 0, 0)

    def take(self, crawling: FetchLoop | None, fetching: bool) -> progress.CrawlSnapshot:
        """One moment of the daemon."""
        now = progress.snapshot(
            self._archive,
            self._frontier.counters(),
            self._spool.counters(),
            fetching=fetching and crawling is not None,
        )
        indexes, taken, free = self._slow_figures()
        now = replace(now, indexes_waiting=indexes, disk_mb=taken, free_mb=free)
        if crawling is not None and fetching:
            throttles = crawling.throttles.in_use()
            now = replace(
                now,
                hold=crawling.hold_reason,
                rate=sum(throttle.rate() for throttle in throttles),
                allowed=sum(1 / throttle.delay for throttle in throttles if throttle.delay),
                pause_s=max((throttle.pause_left() for throttle in throttles), default=0.0),
            )
        return replace(self._left(now, crawling), next_look=_next_look(now, crawling))

    def _slow_figures(self) -> tuple[int, int, int]:
        """Indexes that wait, and megabytes taken and free."""
        if time.monotonic() >= self._slow_due_at:
            self._slow_due_at = time.monotonic() + SLOW_FIGURES_S
            self._slow_values = (
                self._frontier.indexes_waiting(),
                _bytes_on_disk(self._directory) // 10**6,
                shutil.disk_usage(self._directory).free // 10**6,
            )
        return self._slow_values

    def _left(
        self, now: progress.CrawlSnapshot, crawling: FetchLoop | None
    ) -> progress.CrawlSnapshot:
        unseen = round(now.indexes_waiting * crawling.links_per_index) if crawling else 0
        return replace(
            now,
            tasks_left=self._tasks.left(now.tasks_done, now.tasks_open),
            pages_left=self._pages.left(
                now.pages_done, now.pages_open, unseen, fastest=now.allowed
            ),
        )


def _next_look(now: progress.CrawlSnapshot, crawling: FetchLoop | None) -> float:
    """Said only when there is nothing else to ask for."""
    if crawling is None or crawling.schedule is None or now.pages_open:
        return 0.0
    return crawling.schedule.next_at


def _bytes_on_disk(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.glob("*.sqlite*"))
