"""What a host asked of us, kept across restarts: pauses, and the curve of its refusals.

The decisions are pure functions over one record; `HostTable` is where it is stored. Archives of
one host share its pace (`HostPace`), whichever processes crawl them.
"""

from __future__ import annotations

import math
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

from crawler.frontier import pages
from crawler.frontier.clock import LONGEST_WAIT_S, passing_time, steady_time
from crawler.frontier.frontier import Frontier
from exchange.files import write_atomic
from exchange.lock import FileLock
from exchange.records import digest
from exchange.store import db

FIRST_PAUSE_S = 60.0
FORGIVEN_AFTER_S = 1800.0  # this long without a refusal, the curve starts anew


@dataclass(frozen=True, slots=True)
class HostState:
    """One host's memory; times are seconds since the epoch."""

    origin: str
    paused_until: float = 0.0
    backoff: float = 0.0
    refused_at: float = 0.0
    robots: str | None = None  # None: never read
    robots_at: float = 0.0


def after_refusal(host: HostState, now: float, asked: float | None, started: float) -> HostState:
    """The host after a 429 or 503.

    Args:
        asked: what Retry-After said, believed up to a day; without it the pause doubles from a
            minute to a day.
        started: when the refused request began. Requests that were under way together are
            refused together, and count as one refusal.
    """
    if asked is not None:
        pause = min(asked, LONGEST_WAIT_S)
        backoff = host.backoff
    elif started <= host.refused_at:
        pause = backoff = max(host.backoff, FIRST_PAUSE_S)
    else:
        quiet = now - max(host.refused_at, host.paused_until)
        grown = 0.0 if quiet > FORGIVEN_AFTER_S else host.backoff * 2
        pause = backoff = min(max(grown, FIRST_PAUSE_S), LONGEST_WAIT_S)
    until = max(host.paused_until, now + pause)
    return replace(host, paused_until=until, backoff=backoff, refused_at=now)


def believable(host: HostState, now: float) -> HostState:
    """The host without what only a wrong clock can have written.

    A pause ends within a day from now, and what has happened did not happen in the future.
    """
    return replace(
        host,
        paused_until=min(host.paused_until, now + LONGEST_WAIT_S),
        refused_at=min(host.refused_at, now),
        robots_at=host.robots_at if host.robots_at <= now else 0.0,
    )


class HostPace:
    """When a host may be asked, for all archives of a data folder that it has a part in.

    A small file for each host, changed under a kernel's lock. Times are `passing_time`'s; one
    that lies ahead was written before this machine began anew, and holds nobody up.
    """

    FOLDER = ".hosts"  # no archive can have such a name

    def __init__(self, data: Path) -> None:
        self._folder = data / self.FOLDER
        self._paths: dict[str, Path] = {}

    def take_slot(self, origin: str, delay: float) -> float:
        """Take the slot that is now, for a request that begins at once.

        Args:
            delay: seconds until the next may be taken, by whichever archive.

        Returns:
            0.0; or the seconds after which to ask again, as another archive has taken one.
        """
        path = self._path(origin)
        with FileLock(path.with_suffix(".lock")).waiting():
            now = passing_time()
            taken_at, gap, paused_until = self._read(origin)
            left = taken_at + gap - now if taken_at <= now else 0.0
            if left > 0:
                return left
            self._write(origin, now, delay, paused_until)
        return 0.0

    def pause(self, origin: str, seconds: float) -> None:
        """The host asked us to wait, or could not be reached: so do all others."""
        with FileLock(self._path(origin).with_suffix(".lock")).waiting():
            taken_at, gap, paused_until = self._read(origin)
            until = passing_time() + seconds
            self._write(origin, taken_at, gap, max(until, paused_until))

    def pause_left(self, origin: str) -> float:
        """Seconds left of a pause that any archive was asked for."""
        left = self._read(origin)[2] - passing_time()
        return left if left <= LONGEST_WAIT_S else 0.0

    def _read(self, origin: str) -> tuple[float, float, float]:
        """When the last slot was taken, the gap after it, and until when the host is paused."""
        try:
            taken_at, gap, paused_until, *_ = self._path(origin).read_bytes().split()
            found = float(taken_at), float(gap), float(paused_until)
        except (OSError, ValueError):  # there is none yet
            return 0.0, 0.0, 0.0
        return found if all(map(math.isfinite, found)) else (0.0, 0.0, 0.0)

    def _write(self, origin: str, *times: float) -> None:
        said = " ".join(map(repr, times))
        write_atomic(self._path(origin), f"{said} {origin}\n", sync=False)

    def _path(self, origin: str) -> Path:
        if origin not in self._paths:  # asked for before each request
            self._paths[origin] = self._folder / digest(origin, size=8)
        return self._paths[origin]


class HostTable:
    """The `hosts` table; each call is one short transaction.

    Args:
        pace: what other archives know of a host; None for a table of its own.
    """

    def __init__(self, connection: sqlite3.Connection, pace: HostPace | None = None) -> None:
        self.db = connection
        self.pace = pace

    @classmethod
    def of(cls, frontier: Frontier) -> HostTable:
        """That of an archive, whose pace is shared with all archives of its data folder."""
        directory = frontier.directory
        return cls(frontier.db, HostPace(directory.parent) if directory else None)

    def load(self, origin: str) -> HostState:
        """What is known of a host, as far as it can be true."""
        row = self.db.execute(
            "SELECT origin, paused_until, backoff, refused_at, robots, robots_at "
            "FROM hosts WHERE origin=?",
            (origin,),
        ).fetchone()
        if not row:
            return HostState(origin)
        stored = HostState(*row)
        host = believable(stored, steady_time())
        if host != stored:
            self.save(host)  # else every start would begin the pause anew
        return host

    def save(self, host: HostState, counting: str = "") -> None:
        """Written at once: a pause must survive whatever happens next.

        Args:
            counting: a counter that goes up by one with it.
        """
        with db.transaction(self.db):
            if counting:
                pages.count(self.db, counting)
            self.db.execute(
                "INSERT OR REPLACE INTO hosts VALUES (?,?,?,?,?,?)",
                (
                    host.origin,
                    host.paused_until,
                    host.backoff,
                    host.refused_at,
                    host.robots,
                    host.robots_at,
                ),
            )
