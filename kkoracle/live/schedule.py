"""When a morning begins: what is new, what is open, how long nothing has come, which hour it is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from exchange.errors import NotFound
from exchange.store.spool import Spool, open_tasks
from kkoracle.settings import LiveSettings
from workers.settings import is_quiet

FLOOD = 100  # times as many pairs as begin a morning: then it does not wait for the rest
DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SpoolState:
    """What the spool says of how far reading and generating are."""

    stories: int = 0
    pairs: int = 0  # accepted
    open: int = 0  # tasks

    @classmethod
    def read(cls, archive_dir: Path) -> SpoolState:
        """As it is now; nothing while there is no spool."""
        try:
            spool = Spool.read(archive_dir)
        except NotFound:
            return cls()
        try:
            counters = spool.counters()
        finally:
            spool.close()
        return cls(
            counters.get("stories", 0), counters.get("pairs.accepted", 0), open_tasks(counters)
        )


def why_now(
    settings: LiveSettings,
    new: int,
    open_: int,
    still_s: float,
    since: float,
    now: dt.datetime,
) -> str:
    """Why a morning begins at this moment; "" while none does.

    Args:
        new: pairs since the last one began.
        open_: tasks that are open.
        still_s: seconds since the last change.
        since: epoch seconds of the last moment at which nothing waited for a morning: one began,
            or nothing was new.
        now: local time.

    An hour that passed meanwhile counts, if it was yesterday's: the machine slept, or quiet hours
    held the morning back. Hours are compared as a clock on the wall shows them, so that a day on
    which it is set for summer or winter has one morning; a moment further ahead than a day was
    noted by a clock that was wrong, and holds back none.
    """
    if new <= 0 or is_quiet(settings.quiet, now.time()):
        return ""
    if settings.at:
        idle, wall = dt.datetime.fromtimestamp(since), now.replace(tzinfo=None)
        due = dt.datetime.combine(wall.date(), dt.time.fromisoformat(settings.at))
        if due > wall:
            due -= DAY
        if idle < due or idle > wall + DAY:
            return f"it is {settings.at}, and {new:,} pairs are new"
    if settings.pairs and new >= settings.pairs:
        if not open_ and still_s >= settings.settle:
            return f"{new:,} pairs are new, and nothing more comes"
        if new >= FLOOD * settings.pairs:
            return f"{new:,} pairs are new, and more come"
    return ""


def what_begins(settings: LiveSettings) -> str:
    """What the next morning waits for, for people: "with 500 new pairs or at 05:00"."""
    when = [f"with {settings.pairs:,} new pairs"] if settings.pairs else []
    when += [f"at {settings.at}"] if settings.at else []
    return " or ".join(when) + (f", not in {settings.quiet}" if settings.quiet else "")
