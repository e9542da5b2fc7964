"""How a long piece of work says where it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

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
