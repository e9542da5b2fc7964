"""What the workers' commands print."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from exchange.display import format_duration
from exchange.store.verdicts import VerdictChange

PLAIN_LINE_S = 5.0  # between two lines where there is no terminal


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
    started = said = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal said
        now = time.monotonic()
        if done and now - said >= PLAIN_LINE_S:
            left = (now - started) / done * (total - done)
            line = f"{done:,} of {total:,} {what}, {format_duration(left)} left"
            print(line, file=sys.stderr)  # noqa: T201
            said = now

    return show


def print_changes(found: Sequence[VerdictChange], count: int, rules: str) -> None:
    """Pairs gained and lost by rule."""
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True, highlight=False)
    gained, lost = (sum(getattr(change, side) for change in found) for side in ("gained", "lost"))
    console.print(f"{count:,} pairs judged by rule set {rules}: {gained:,} gained, {lost:,} lost")
    if not found:
        return
    table = Table("rule", "gained", "lost", box=None, pad_edge=False)
    for change in found:
        table.add_row(change.reason or "(new pairs)", f"{change.gained:,}", f"{change.lost:,}")
    console.print(table)
