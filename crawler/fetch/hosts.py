"""What a host asked of us, kept across restarts: pauses, and the curve of its refusals.

The decisions are pure functions over one record; `HostTable` is where it is stored.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace

from crawler.frontier import pages
from crawler.frontier.clock import LONGEST_WAIT_S, steady_time
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


class HostTable:
    """The `hosts` table; each call is one short transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.db = connection

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
