"""The crawl's live display: Rich in a terminal, one plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

from crawler.status.snapshots import CrawlSnapshot, ProgressRate
from exchange.display import format_bytes, format_duration, format_moment, format_range, is_quiet

PLAIN_EVERY_S = 5.0


class CrawlConsole:
    """Call it with snapshots, inside `with`. Nothing is drawn before the first."""

    def __init__(self) -> None:
        self._plain = not sys.stdout.isatty()
        self._printed_at = 0.0
        self._last: CrawlSnapshot | None = None
        self._progress: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
        elif self._last is not None:
            self._print_line(self._last)

    def __call__(self, now: CrawlSnapshot) -> None:
        if is_quiet():
            return
        self._last = now
        if self._plain:
            if time.monotonic() - self._printed_at >= PLAIN_EVERY_S:
                self._printed_at = time.monotonic()
                self._print_line(now)
            return
        if self._progress is None:
            self._start()
        failed = f", {now.tasks_failed} failed" if now.tasks_failed else ""
        busy = now.fetching and not now.next_look
        self._bar(
            self._pages,
            now.pages_done,
            now.pages_open,
            f"{rate(now) if busy else 'fetched'}{states(now)}",
        )
        self._bar(
            self._tasks,
            now.tasks_done,
            now.tasks_open,
            f"{now.tasks_open} open{failed}; {now.stories} stories, {now.chunks} chunks; "
            f"{times(now)}",
        )
        self._bar(self._disk, now.disk_mb, now.free_mb, disk(now).removeprefix("disk "), "")

    def _bar(self, task: Any, done: int, left: int, say: str, count: str | None = None) -> None:
        count = f"{done}/{done + left} " if count is None else count
        self._progress.update(task, completed=done, total=done + left, say=count + say)

    def _start(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        self._progress = Progress(
            TextColumn("{task.description:>6}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[say]}"),
        )
        self._pages, self._tasks, self._disk = (
            self._progress.add_task(name, total=0, say="") for name in ("pages", "tasks", "disk")
        )
        self._progress.start()

    def summary(self, behind: str = "") -> str:
        """What a finished crawl has come to.

        Args:
            behind: see `Project.archive_words`.
        """
        now = self._last
        if now is None:
            return "nothing to do"
        hints = []
        if now.pages_failed:
            hints.append(
                f"{now.pages_failed} pages failed (`kkoracle archive review "
                f"{now.archive}` lists them)"
            )
        if now.tasks_failed:
            hints.append(f"{now.tasks_failed} tasks failed (`kkoracle status{behind}` says why)")
        hint = "; " + ", ".join(hints) if hints else ""
        then = f"; next: `kkoracle dataset build{behind}`" if now.tasks_done else ""
        done = f"all done: {now.stories} stories in {now.chunks} chunks, no task open"
        return f"{done}{hint}{then}"

    def stories(self) -> str:
        """What is in the spool."""
        now = self._last
        return "no story" if now is None else f"{now.stories} stories in {now.chunks} chunks"

    def _print_line(self, now: CrawlSnapshot) -> None:
        sys.stdout.write(progress_line(now) + "\n")
        sys.stdout.flush()


class StepProgressBar:
    """Progress of one long step with rate and time left; call it with how much is done."""

    def __init__(self, what: str, unit: str = "", every: float = PLAIN_EVERY_S) -> None:
        self._what = what
        self._unit = unit
        self._every = every
        self._pace = ProgressRate()
        self._printed_at = time.monotonic()  # a step that takes no longer says nothing

    def __call__(self, done: int, total: int, detail: str = "") -> None:
        if is_quiet():
            return
        left = self._pace.left(done, max(total - done, 0))
        now = time.monotonic()
        tty = sys.stderr.isatty()
        if now - self._printed_at < (self._every / 10 if tty else self._every):
            return
        self._printed_at = now
        share = f"{done:,} of {total:,}{self._unit}"
        share += f", {detail}" if detail else ""
        text = f"{self._what}: {share}; time left {format_range(left)}"
        sys.stderr.write(f"\r\x1b[2K{text}" if tty else f"{text}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Leave a clean line."""
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


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
    counts = [
        (now.pages.get("waiting", 0), "waiting"),
        (now.pages.get("leased", 0), "in hand"),
        (now.pages.get("failed", 0), "failed"),
        (now.pages.get("left_out", 0), "left out"),
    ]
    shown = ", ".join(f"{count} {name}" for count, name in counts if count)
    return f" ({shown})" if shown else ""


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
    """How long it will take yet, or when the next check is."""
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
