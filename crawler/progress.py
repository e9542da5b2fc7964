"""Where a crawl stands, as one record, and the line that says it. No terminal here."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from exchange.spool import open_tasks

PACE_WINDOW_S = 120.0  # what the time left is judged by


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of the daemon."""

    archive: str
    fetching: bool
    pages_done: int  # with an outcome of any kind
    pages_known: int
    pages_failed: int
    rate: float  # requests a second, over the last half minute
    allowed: float  # requests a second; 0 while unknown
    pause_s: float
    hold: str
    text_waiting: int
    stories: int
    chunks: int
    tasks_done: int
    tasks_open: int
    tasks_failed: int
    eta_s: float | None = None


def snapshot(
    archive: str, fetching: bool, pages: Mapping[str, int], spool: Mapping[str, int], *,
    rate: float, allowed: float, pause_s: float, hold: str, eta_s: float | None,
) -> Snapshot:  # fmt: skip
    """Put the counters of both files together."""
    open_pages = pages.get("pages.waiting", 0) + pages.get("pages.leased", 0)
    ended = sum(pages.get(f"pages.{state}", 0) for state in ("done", "failed", "left_out"))
    return Snapshot(
        archive, fetching, ended, ended + open_pages, pages.get("pages.failed", 0), rate, allowed,
        pause_s, hold, pages.get("text.waiting", 0), spool.get("stories", 0),
        spool.get("chunks.live", 0), spool.get("tasks.done", 0), open_tasks(spool),
        spool.get("tasks.failed", 0), eta_s,
    )  # fmt: skip


class Pace:
    """How fast a count grows, to say how long the rest will take."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def left(self, done: int, remaining: int, now: float | None = None) -> float | None:
        """Seconds that the rest needs at the pace of the last two minutes; None if unknown."""
        now = time.monotonic() if now is None else now
        self._seen.append((now, done))
        while now - self._seen[0][0] > PACE_WINDOW_S:
            self._seen.popleft()
        since, then = self._seen[0]
        if not remaining:
            return 0.0
        if done <= then or now <= since:
            return None
        return remaining * (now - since) / (done - then)


def line(now: Snapshot) -> str:
    """The one line that people without a terminal get."""
    parts = [f"{now.archive}: pages {now.pages_done}/{now.pages_known}"]
    if now.pages_failed:
        parts.append(f"{now.pages_failed} failed")
    if now.fetching:
        parts.append(rate(now))
    parts.append(f"stories {now.stories}, chunks {now.chunks}")
    parts.append(f"tasks {now.tasks_done} done, {now.tasks_open} open")
    if now.tasks_failed:
        parts.append(f"{now.tasks_failed} failed")
    parts.append(f"time left {duration(now.eta_s)}")
    return "; ".join(parts)


def rate(now: Snapshot) -> str:
    """Rate used against rate allowed, or why nothing is asked for."""
    if now.hold:
        return f"holding: {now.hold}"
    if now.pause_s > 0:
        return f"pausing {duration(now.pause_s)}, as the site asks or until it can be reached"
    if not now.allowed:
        return f"{now.rate:.2f} requests/s"
    return f"{now.rate:.2f} of {now.allowed:.2f} requests/s"


def duration(seconds: float | None) -> str:
    """Seconds as people say them: "48 s", "12 min", "3.5 h", "4.6 days"."""
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.1f} days"
