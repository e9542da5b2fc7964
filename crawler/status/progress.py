"""Where a crawl stands, as one record, and the line that says it. No terminal here."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from exchange.display import (
    SecondsRange,
    format_bytes,
    format_duration,
    format_moment,
    format_range,
)
from exchange.store.spool import open_tasks

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


def progress_line(now: CrawlSnapshot) -> str:
    """The one line that people without a terminal get."""
    parts = [f"{now.archive}: pages {now.pages_done}/{now.pages_known}{states(now)}"]
    if now.fetching and not now.next_look:
        parts.append(rate(now))
    parts.append(f"stories {now.stories}, chunks {now.chunks}")
    parts.append(f"tasks {now.tasks_done} done, {now.tasks_open} open")
    if now.tasks_failed:
        parts.append(f"{now.tasks_failed} failed")
    if now.disk_mb:
        parts.append(disk(now))
    parts.append(times(now))
    return "; ".join(parts)


def states(now: CrawlSnapshot) -> str:
    """The pages by state, those that are simply done left out."""
    told = [
        (now.pages.get("waiting", 0), "waiting"),
        (now.pages.get("leased", 0), "in hand"),
        (now.pages.get("failed", 0), "failed"),
        (now.pages.get("left_out", 0), "left out"),
    ]
    said = ", ".join(f"{count} {name}" for count, name in told if count)
    return f" ({said})" if said else ""


def rate(now: CrawlSnapshot) -> str:
    """Rate used against rate allowed, or why nothing is asked for."""
    if now.hold:
        return f"holding: {now.hold}"
    if now.pause_s > 0:
        return (
            f"pausing {format_duration(now.pause_s)}, as the site asks or until it can be reached"
        )
    if not now.allowed:
        return f"{now.rate:.2f} requests/s"
    return f"{now.rate:.2f} of {now.allowed:.2f} requests/s"


def disk(now: CrawlSnapshot) -> str:
    """What the archive takes, and what is left."""
    return f"disk {format_bytes(now.disk_mb * 10**6)}, {format_bytes(now.free_mb * 10**6)} free"


def times(now: CrawlSnapshot) -> str:
    """How long it will take yet, or when the next look is."""
    if now.next_look:
        return next_check(now)
    if not now.fetching:
        return f"time left {format_range(now.tasks_left)}"
    if not now.tasks_open:
        return f"time left {format_range(now.pages_left)}"
    return f"time left: pages {format_range(now.pages_left)}, tasks {format_range(now.tasks_left)}"


def next_check(now: CrawlSnapshot) -> str:
    """When new issues are looked for again."""
    at = format_moment(now.next_look)
    return f"looks again at {at}, in {format_duration(max(0.0, now.next_look - time.time()))}"
