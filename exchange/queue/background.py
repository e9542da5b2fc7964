"""A part of the daemon that works in a thread of its own until it is stopped."""

from __future__ import annotations

import abc
import threading


class BackgroundThread(abc.ABC):
    """Subclasses do their work in `work`, looking at `stopping` between two steps.

    What ends the work early (a full disk, a damaged file) is kept in `error` for the daemon to
    find; nothing is raised in a thread that nobody watches.
    """

    def __init__(self, name: str) -> None:
        self.error: BaseException | None = None
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._guarded, name=name, daemon=True)

    @abc.abstractmethod
    def work(self) -> None:
        """Work until `stopping` is set. Runs once, in the thread."""

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the step in hand and end. Harmless when it never started."""
        self.stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _guarded(self) -> None:
        try:
            self.work()
        except BaseException as error:
            self.error = error
