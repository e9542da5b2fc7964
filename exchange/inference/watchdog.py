"""End a process whose engine is stuck: a GPU that hangs raises nothing, it only never answers."""

from __future__ import annotations

import logging
import os
import threading
from types import TracebackType
from typing import Self

log = logging.getLogger(__name__)

STUCK_EXIT_CODE = 70  # exit code of a process that ended itself; its supervisor starts it again
WATCH_INTERVAL_S = 1.0  # at most this long between two looks


class Watchdog:
    """Around each step of an engine; one that takes longer than `limit_s` ends the process.

    Nothing is given back on the way out: the leases of the jobs in flight expire, and other
    workers, or this one started again, take them.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._step = 0  # odd while a step is under way
        self._closed = threading.Event()
        if limit_s:
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()

    def __enter__(self) -> Self:
        self._step += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._step += 1

    def _watch(self) -> None:
        pause = min(WATCH_INTERVAL_S, self._limit_s / 4)
        seen, waited = 0, 0.0
        # Looks are counted, not the clock: a process that was frozen itself is not stuck.
        while not self._closed.wait(pause):
            step = self._step
            waited = waited + pause if step == seen and step % 2 else 0.0
            seen = step
            if waited > self._limit_s:
                log.error(
                    "no token for %g s: the engine is stuck, so this worker ends and its tasks "
                    "go back; if it happens again, lower [work] width",
                    self._limit_s,
                )
                os._exit(STUCK_EXIT_CODE)
