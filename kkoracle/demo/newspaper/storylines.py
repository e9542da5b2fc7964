"""The long stories of the town: two strikes, two bridges, five careers.

A thread is a list of events, each with the earliest day it may be printed, a frame and the slots
that are fixed; `stories` prints an event in the first issue on or after that day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from kkoracle.demo.newspaper.inflect import Phrase, long_date
from kkoracle.demo.newspaper.slots import TownCast

# First days of the two strikes; the newspaper comes out every week while they last.
STRIKES = (dt.date(2010, 10, 4), dt.date(2018, 4, 16))
STRIKE_WEEKS = 9


@dataclass(frozen=True, slots=True)
class StoryEvent:
    """A fact that must be printed from `day` on. `started` makes a strike's day count."""

    day: dt.date
    frame: str
    slots: dict[str, object] = field(default_factory=dict)
    started: dt.date | None = None


def strike_events(cast: TownCast, first: dt.date) -> list[StoryEvent]:
    """A strike at one company: demand, counted days, a rally, dismissals, the end."""
    fixed = {"c": cast.slot("c"), "m": cast.slot("m")}
    frames = (
        "strike_demand",
        "layoffs",
        "strike_day",
        "rally",
        "strike_day",
        "fined",
        "strike_day",
        "strike_end",
    )
    return [
        StoryEvent(first + dt.timedelta(days=3 + 8 * index), frame, dict(fixed), first)
        for index, frame in enumerate(frames)
    ]


def bridge_events(cast: TownCast, year: int, years: int) -> list[StoryEvent]:
    """A bridge from the study to the opening, with the share that is built growing."""
    fixed = {"v": cast.slot("v")}
    events = [StoryEvent(dt.date(year, 2, 1), "bridge_length", dict(fixed))]
    for index in range(1, years):
        slots = dict(fixed, k=Phrase(str(12 + 76 * index // years)))
        events.append(StoryEvent(dt.date(year + index, 3, 1), "bridge_progress", slots))
        if index % 2:
            events.append(StoryEvent(dt.date(year + index, 9, 1), "bridge_workers", dict(fixed)))
    return [*events, StoryEvent(dt.date(year + years, 5, 1), "bridge_opening", dict(fixed))]


def career_events(cast: TownCast, year: int) -> list[StoryEvent]:
    """A person's public life at one association, in order, an event about every two years."""
    fixed = {"p": cast.slot("p"), "o": cast.slot("o")}
    frames = (
        "birthplace",
        "elected_votes",
        "head_of",
        "book_place",
        "donation",
        "resigned",
        "obituary",
    )
    return [
        StoryEvent(dt.date(min(year + 2 * index, 2024), 1 + index, 5), frame, dict(fixed))
        for index, frame in enumerate(frames)
    ]


def all_events(cast: TownCast) -> list[StoryEvent]:
    """Every event of every thread, by day."""
    found = [event for first in STRIKES for event in strike_events(cast, first)]
    found += bridge_events(cast, 2008, 6) + bridge_events(cast, 2014, 9)
    for year in (2008, 2009, 2010, 2011, 2012):
        found += career_events(cast, year)
    return sorted(found, key=lambda event: (event.day, event.frame))


def event_slots(event: StoryEvent, near: dt.date, cast: TownCast) -> dict[str, object]:
    """The slots of an event printed on `near`; a counted day agrees with its date."""
    slots = dict(event.slots)
    if event.started is not None and event.frame == "strike_day":
        day = cast.date(near, -5, 0)
        slots["d"] = Phrase(long_date(day))
        slots["k"] = Phrase(str((day - event.started).days + 1))
    return slots
