"""What a crawl tells other commands: its counters, and the heartbeat of a running daemon.

Counters say how far it is; how fast it asks, what it may ask and why it waits only the daemon
knows, which writes them into a small file beside its lock. A reader believes that file only while
the lock is held, and sees by its time whether the daemon still runs.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import orjson

from crawler.frontier import pages
from crawler.status.snapshots import CrawlSnapshot
from exchange.errors import CannotWrite, NotFound
from exchange.files import write_atomic
from exchange.store import history

FILE = "daemon.json"
EVERY_S = 3.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DaemonHeartbeat:
    """What a running daemon last wrote of itself. Rates are requests a second."""

    pid: int
    at: float  # seconds since the epoch
    fetching: bool
    rate: float
    allowed: float  # 0 while unknown
    pause_s: float
    hold: str
    next_look: float


class HeartbeatWriter:
    """Call it with snapshots; it writes one now and then. A full disk stops nothing."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._next = 0.0

    def __call__(self, now: CrawlSnapshot) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_S
        heartbeat = DaemonHeartbeat(
            os.getpid(),
            time.time(),
            now.fetching,
            round(now.rate, 3),
            round(now.allowed, 3),
            round(now.pause_s, 1),
            now.hold,
            now.next_look,
        )
        with contextlib.suppress(CannotWrite):
            write_atomic(self._path, orjson.dumps(asdict(heartbeat)), sync=False)


def read_heartbeat(directory: Path) -> DaemonHeartbeat | None:
    """The heartbeat of the last daemon, None when there is none that can be read."""
    try:
        return DaemonHeartbeat(**orjson.loads((directory / FILE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def read_counters(directory: Path) -> dict[str, int]:
    """The crawl's counters of one archive; {} when nothing was crawled yet.

    `pages.<state>` (waiting, leased, done, failed, left_out), `reason.<code>` for pages given up
    or left out, `retry.<code>`, `text.<outcome>` (done, waiting, or why there is no story),
    `requests` and `bytes`.
    """
    return _read(directory, pages.counters, {})


def read_history(directory: Path) -> list[history.CounterSample]:
    """What those counters were, minute by minute; [] when nothing was crawled yet."""
    return _read(directory, history.read_samples, [])


def _read(directory: Path, what: Callable[[sqlite3.Connection], T], nothing: T) -> T:
    try:
        connection = pages.connect_readonly(directory)
    except NotFound:
        return nothing
    try:
        return what(connection)
    finally:
        connection.close()
