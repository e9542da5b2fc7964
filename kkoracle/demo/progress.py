"""Show a crawl and its generation while they run, from the counters that the daemon keeps."""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.status.report import read_counters
from exchange.store.spool import FILE, Spool, open_tasks
from kkoracle.demo.children import ChildProcesses

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

POLL_S, PLAIN_S = 0.5, 5.0


def watch_generation(children: ChildProcesses, directory: Path) -> None:
    """Return when the daemon of the archive in `directory` has ended well.

    Raises:
        UserError: a child ended that should not have.
    """
    progress = _make_progress()
    bars = {name: progress.add_task(name, total=None, note="") for name in ("pages", "tasks")}
    next_plain = time.monotonic() + PLAIN_S
    with progress:
        while children.exit_code("daemon") is None:
            for name in ("newspaper", "worker"):
                if children.exit_code(name) is not None:
                    raise children.failure(name)
            line = _update_progress(progress, bars, directory)
            if not sys.stderr.isatty() and time.monotonic() >= next_plain:
                progress.console.print(line, highlight=False)
                next_plain = time.monotonic() + PLAIN_S
            time.sleep(POLL_S)
        _update_progress(progress, bars, directory)
    if children.exit_code("daemon") != 0:
        raise children.failure("daemon")


def spool_counters(directory: Path) -> dict[str, int]:
    """The spool's counters; {} while there is no spool."""
    if not (directory / FILE).exists():
        return {}
    try:
        spool = Spool.read(directory)
    except sqlite3.OperationalError:
        return {}
    try:
        return spool.counters()
    except sqlite3.OperationalError:  # it is being created this very moment
        return {}
    finally:
        spool.close()


def _make_progress() -> Progress:
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
    return Progress(
        TextColumn("{task.description:7}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
    )


def _update_progress(progress: Progress, bars: dict[str, TaskID], directory: Path) -> str:
    pages, counters = read_counters(directory), spool_counters(directory)
    asked = sum(pages.get(f"pages.{state}", 0) for state in ("done", "failed", "left_out"))
    known = sum(count for name, count in pages.items() if name.startswith("pages."))
    closed = counters.get("tasks.done", 0) + counters.get("tasks.failed", 0)
    tasks = closed + open_tasks(counters)
    stories, kept = counters.get("stories", 0), counters.get("pairs.accepted", 0)
    progress.update(bars["pages"], completed=asked, total=known, note=f"{stories} stories")
    progress.update(bars["tasks"], completed=closed, total=tasks or None, note=f"{kept} pairs kept")
    return f"pages {asked}/{known}, stories {stories}, tasks {closed}/{tasks}, pairs kept {kept}"
