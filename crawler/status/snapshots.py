"""Where a crawl stands, as one record: counters, rates, disk and time left. No terminal here."""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.display import SecondsRange
from exchange.store.spool import open_tasks

if TYPE_CHECKING:
    from crawler.fetch.loop import FetchLoop
    from crawler.frontier.frontier import Frontier
    from exchange.store.spool import Spool


PACE_WINDOW_S = 120.0  # how fast it goes now


@dataclass(frozen=True, slots=True)
class CrawlSnapshot:
    """One moment of the daemon."""

    archive: str
    fetching: bool
    pages: Mapping[str, int]  # by state: waiting, leased, done, failed, left_out
    text_waiting: int
    stories: int
    chunks: int
    tasks_done: int
    tasks_open: int
    tasks_failed: int
    rate: float = 0.0  # requests a second, over the last half minute
    allowed: float = 0.0  # requests a second; 0 while unknown
    pause_s: float = 0.0
    hold: str = ""
    indexes_waiting: int = 0  # each leads to pages that nobody has counted yet
    disk_mb: int = 0  # what this archive takes
    free_mb: int = 0
    next_look: float = 0.0  # when new issues are looked for again, epoch seconds; 0: never
    pages_left: SecondsRange | None = None  # until all pages are fetched; None while unknown
    tasks_left: SecondsRange | None = None  # until no task is open; None while unknown

    @property
    def pages_known(self) -> int:
        return sum(self.pages.values())

    @property
    def pages_open(self) -> int:
        return self.pages.get("waiting", 0) + self.pages.get("leased", 0)

    @property
    def pages_done(self) -> int:
        """Pages with an outcome of any kind."""
        return self.pages_known - self.pages_open

    @property
    def pages_failed(self) -> int:
        return self.pages.get("failed", 0)


def snapshot(
    archive: str,
    pages: Mapping[str, int],
    spool: Mapping[str, int],
    *,
    fetching: bool = False,
) -> CrawlSnapshot:
    """Put the counters of both files together; how fast it goes is added by who knows."""
    by_state = {
        name.removeprefix("pages."): count
        for name, count in pages.items()
        if name.startswith("pages.")
    }
    return CrawlSnapshot(
        archive,
        fetching,
        by_state,
        pages.get("text.waiting", 0),
        spool.get("stories", 0),
        spool.get("chunks.live", 0),
        spool.get("tasks.done", 0),
        open_tasks(spool),
        spool.get("tasks.failed", 0),
    )


class ProgressRate:
    """How fast a count grows, to say how long the rest will take."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()
        self._first: tuple[float, int] | None = None

    def left(
        self,
        done: int,
        remaining: int,
        unseen: int = 0,
        *,
        fastest: float = 0.0,
        now: float | None = None,
    ) -> SecondsRange | None:
        """What the rest needs, at the pace of the last two minutes and of the whole run.

        Args:
            unseen: how much more may turn up; only the most counts it.
            fastest: a pace that cannot be beaten, such as the rate a site allows; 0: none.

        Returns:
            The least and the most; None while the pace is unknown.
        """
        now = time.monotonic() if now is None else now
        self._seen.append((now, done))
        self._first = self._first or (now, done)
        while now - self._seen[0][0] > PACE_WINDOW_S:
            self._seen.popleft()
        if not remaining + unseen:
            return 0.0, 0.0
        paces = [
            pace for since in (self._seen[0], self._first) if (pace := _pace(since, (now, done)))
        ]
        if not paces:
            return None
        most = min(paces)
        least = min(max(paces), fastest) if fastest else max(paces)
        return remaining / max(least, most), (remaining + unseen) / most


def _pace(since: tuple[float, int], now: tuple[float, int]) -> float:
    seconds, count = now[0] - since[0], now[1] - since[1]
    return count / seconds if seconds > 0 and count > 0 else 0.0


SLOW_FIGURES_S = 2.0  # what costs a query or a reading of the disk is not asked for each time


class SnapshotMaker:
    """Makes snapshots; belongs to the daemon's own thread."""

    def __init__(self, archive: str, directory: Path, frontier: Frontier, spool: Spool) -> None:
        self._archive = archive
        self._directory = directory
        self._frontier = frontier
        self._spool = spool
        self._pages = ProgressRate()
        self._tasks = ProgressRate()
        self._slow_due_at = 0.0
        self._slow_values = (0, 0, 0)

    def take(self, crawling: FetchLoop | None, fetching: bool) -> CrawlSnapshot:
        """One moment of the daemon."""
        now = snapshot(
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

    def _left(self, now: CrawlSnapshot, crawling: FetchLoop | None) -> CrawlSnapshot:
        unseen = round(now.indexes_waiting * crawling.links_per_index) if crawling else 0
        return replace(
            now,
            tasks_left=self._tasks.left(now.tasks_done, now.tasks_open),
            pages_left=self._pages.left(
                now.pages_done, now.pages_open, unseen, fastest=now.allowed
            ),
        )


def _next_look(now: CrawlSnapshot, crawling: FetchLoop | None) -> float:
    """Said only when there is nothing else to ask for."""
    if crawling is None or crawling.schedule is None or now.pages_open:
        return 0.0
    return crawling.schedule.next_at


def _bytes_on_disk(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.glob("*.sqlite*"))
