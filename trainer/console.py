"""Bars and lines on a console, for every command of the trainer; plain lines without a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from exchange.display import is_quiet
from exchange.text import controls

# How a long piece of work says where it is, without knowing who listens.

StageProgress = Callable[[str, int, int], None]  # what is done, how much of it, and of how much


class ProgressCallback:
    """Hears how far some work is; every method does nothing until it is overridden."""

    def log(self, text: str) -> None:
        """A line worth reading: something takes a while, or is done otherwise than usual."""

    def on_progress(self, what: str, done: int, total: int) -> None:
        """Work that can be counted; `total` is 0 where nobody knows it."""

    def progress(self, what: str) -> Callable[[int, int], None]:
        """`on_progress` of one work, for a function that counts and knows no callback."""
        return partial(self.on_progress, what)


PLAIN_EVERY_S = 10.0  # seconds between two lines where nobody watches a bar


class ProgressScreen(ProgressCallback):
    """Shows how far some work is, with its lines above the bars; use it as a context."""

    def __init__(self, console: Console, *columns: ProgressColumn) -> None:
        """Nothing is shown before the context begins.

        Args:
            columns: what stands between bar and clock; default: the counts.
        """
        self.console = console
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            *(columns or (MofNCompleteColumn(), TextColumn("{task.fields[detail]}"))),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=is_quiet() or not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._last_line_at = 0.0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def log(self, text: str) -> None:
        """See `ProgressCallback`."""
        if not is_quiet():
            self._bars.console.print(f"[dim]{escape(text)}[/dim]")

    def on_progress(self, what: str, done: int, total: int) -> None:
        """See `ProgressCallback`."""
        self.show_progress(what, done, total)
        if done >= total and what in self._tasks:
            self._bars.remove_task(self._tasks.pop(what))

    def show_progress(
        self, what: str, done: int, total: int, detail: str = "", left: str = ""
    ) -> None:
        """Move a bar; without a terminal print a line, at most every `PLAIN_EVERY_S` seconds.

        Args:
            detail: shown beside the counts; with it the last line is always printed.
            left: the time still needed, for plain lines alone.
        """
        if is_quiet():
            return
        if self.console.is_terminal:
            if what not in self._tasks:
                self._tasks[what] = self._bars.add_task(what, total=total, detail="")
            self._bars.update(self._tasks[what], completed=done, total=total, detail=detail)
        elif time.monotonic() - self._last_line_at >= PLAIN_EVERY_S or (done == total and detail):
            self._last_line_at = time.monotonic()
            self.console.print(f"{what} {done}/{total} {detail}{left}")


def one_line(text: str, longest: int = 160) -> str:
    """One line that is safe to print: no control characters, no markup."""
    return escape(controls.one_line(text, longest))
