"""What the running daemon says of itself, in a small file beside its lock.

Counters say how far it is; how fast it asks, what it may ask and why it waits only the daemon
knows. A reader believes the file only while the lock is held, and sees by its time whether the
daemon still breathes.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from crawler.progress import Snapshot

FILE = "daemon.json"
EVERY_S = 3.0


@dataclass(frozen=True, slots=True)
class Said:
    """The daemon's own word. Rates are requests a second."""

    pid: int
    at: float  # seconds since the epoch
    fetching: bool
    rate: float
    allowed: float  # 0 while unknown
    pause_s: float
    hold: str
    next_look: float


class Beacon:
    """Call it with snapshots; it writes one now and then. A disk that is full is not its matter."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._next = 0.0

    def __call__(self, now: Snapshot) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_S
        said = Said(
            os.getpid(),
            time.time(),
            now.fetching,
            round(now.rate, 3),
            round(now.allowed, 3),
            round(now.pause_s, 1),
            now.hold,
            now.next_look,
        )
        partial = self._path.with_suffix(".partial")
        with contextlib.suppress(OSError):
            partial.write_bytes(orjson.dumps(asdict(said)))
            partial.replace(self._path)


def read(directory: Path) -> Said | None:
    """The last word of the last daemon, None when there is none that can be read."""
    try:
        return Said(**orjson.loads((directory / FILE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
