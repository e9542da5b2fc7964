"""The crawl's live display: Rich in a terminal, one plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

from crawler.progress import Snapshot, duration, line, rate

PLAIN_EVERY_S = 5.0


class Show:
    """Call it with snapshots, inside `with`."""

    def __init__(self) -> None:
        self._plain = not sys.stdout.isatty()
        self._said = 0.0
        self._last: Snapshot | None = None
        self._progress: Any = None

    def __enter__(self) -> Self:
        if not self._plain:
            from rich.progress import BarColumn, Progress, TextColumn

            self._progress = Progress(
                TextColumn("{task.description:>6}"),
                BarColumn(bar_width=28),
                TextColumn("{task.completed:.0f}/{task.total:.0f}"),
                TextColumn("{task.fields[say]}"),
            )
            self._pages = self._progress.add_task("pages", total=0, say="")
            self._tasks = self._progress.add_task("tasks", total=0, say="")
            self._progress.start()
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
            self._say(self._last)

    def __call__(self, now: Snapshot) -> None:
        self._last = now
        if self._progress is None:
            if time.monotonic() - self._said >= PLAIN_EVERY_S:
                self._said = time.monotonic()
                self._say(now)
            return
        failed = f", {now.pages_failed} failed" if now.pages_failed else ""
        self._progress.update(
            self._pages, completed=now.pages_done, total=now.pages_known,
            say=f"{rate(now) if now.fetching else 'fetched'}{failed}; {now.stories} stories, "
            f"{now.chunks} chunks",
        )  # fmt: skip
        self._progress.update(
            self._tasks, completed=now.tasks_done, total=now.tasks_done + now.tasks_open,
            say=f"{now.tasks_open} open; time left {duration(now.eta_s)}",
        )  # fmt: skip

    def summary(self) -> str:
        """What a finished crawl has come to."""
        now = self._last
        if now is None:
            return "nothing to do"
        failed = [
            f"{count} {what} failed"
            for count, what in ((now.pages_failed, "pages"), (now.tasks_failed, "tasks"))
            if count
        ]
        hint = f"; {' and '.join(failed)} (`kkoracle status` says why)" if failed else ""
        return f"all done: {now.stories} stories in {now.chunks} chunks, no task open{hint}"

    def _say(self, now: Snapshot) -> None:
        sys.stdout.write(line(now) + "\n")
        sys.stdout.flush()
