"""Bars on a console that live as long as a context, and lines that are said above them."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.markup import escape
from rich.progress import Progress


class Bars:
    """The part that all screens share; who inherits it makes the bars."""

    _bars: Progress

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

    def note(self, text: str) -> None:
        """See `Watcher`."""
        self._bars.console.print(f"[dim]{escape(text)}[/dim]")
