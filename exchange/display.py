"""How durations, sizes, counts, times of day and progress are shown.

Every screen, log line and message uses these, so that the same figure reads the same everywhere.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

RANGE_RATIO = 1.15  # a range of less than 15 % is written as one time
DAY_S, YEAR_S = 86_400.0, 365 * 86_400.0
MIB = 2**20  # bytes; the settings and records named *_mb of Redis and of free disk count these
PROGRESS_LINE_S = 5.0  # between two lines of progress where there is no terminal
SecondsRange = tuple[float, float]  # the least and the most


def format_duration(seconds: float) -> str:
    """Seconds as "3.1 s", "48 s", "12 min", "3.5 h", "4.6 days"."""
    if seconds < 9.95:
        return f"{seconds:.2g} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / DAY_S:.1f} days"


def format_range(left: SecondsRange | None) -> str:
    """A range of seconds as "12 min" or "4.6 to 6.1 days"; "unknown" for None."""
    if left is None:
        return "unknown"
    least, most = left
    one, other = format_duration(least), format_duration(most)
    if most <= least * RANGE_RATIO or one == other:
        return other
    same = one.split()[1] == other.split()[1]
    return f"{one.split()[0] if same else one} to {other}"


def format_moment(at: float, now: float | None = None, ahead: float | None = None) -> str:
    """A moment to come: "14:05" within a day, "3 Dec" within a year, else with the year.

    Args:
        at: epoch seconds.
        now: epoch seconds; default: the clock's.
        ahead: how far the last of several moments lies ahead, which are then written alike.
    """
    ahead = at - (time.time() if now is None else now) if ahead is None else ahead
    how = "%H:%M" if ahead < DAY_S else "%d %b" if ahead < YEAR_S else "%d %b %Y"
    return time.strftime(how, time.localtime(at))


def format_moments(first: float, last: float, now: float | None = None) -> str:
    """Between which times of a day, or which days: "about 14:05", "3 Dec to 5 Dec"."""
    ahead = last - (time.time() if now is None else now)
    one, other = (format_moment(at, now, ahead) for at in (first, last))
    return f"about {one}" if one == other else f"{one} to {other}"


def format_bytes(count: float) -> str:
    """Bytes in decimal units and three digits: "12.3 GB", "740 MB"."""
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= 0.9995 * unit:
            return f"{count / unit:.3g} {name}"
    return f"{count:.0f} B"


def format_count(value: float) -> str:
    """A count that is only known roughly: "12M", "340k", "4,321", "0.5"."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if value >= 10 * unit:
            return f"{value / unit:,.0f}{letter}"
    return f"{value:,.0f}" if value >= 10 or not value else f"{value:.2g}"


LEVEL_VARIABLE = "KKORACLE_LOG_LEVEL"  # [log] level; children inherit it


def is_quiet() -> bool:
    """Whether progress is unwanted: `kkoracle -q`."""
    return os.environ.get(LEVEL_VARIABLE) == "error"


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with rate and time left on a terminal, else a line now and then."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    if is_quiet():
        yield lambda done, total: None
        return
    if not console.is_terminal:
        yield _plain_progress(what)
        return
    bar = Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
    with bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _plain_progress(what: str) -> Callable[[int, int], None]:
    started = shown = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if done and now - shown >= PROGRESS_LINE_S:
            left = (now - started) / done * (total - done)
            line = f"{done:,} of {total:,} {what}, {format_duration(left)} left"
            print(line, file=sys.stderr)  # noqa: T201
            shown = now

    return show
