"""Which days the newspaper came out, and the long stories of the town that run through them.

A storyline is a list of events, each with the earliest day it may be printed, a frame and the
slots that are fixed; the first issue on or after that day prints it.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, field

from kkoracle.demo.newspaper.inflect import Phrase, long_date
from kkoracle.demo.newspaper.slots import TownCast
from kkoracle.demo.newspaper.vocabulary import NEWSPAPER, side

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


FIRST_YEAR, LAST_YEAR = 2008, 2024
# Stories of an ordinary issue; the plan spreads `stories` over issues of about this size.
_PER_ISSUE = 4


@dataclass(frozen=True, slots=True)
class NewspaperIssue:
    """One issue. A `weekend` issue is dated Saturday and carries Sunday's date as well."""

    day: dt.date
    weekend: bool
    stories: int
    second_edition: bool


def shape_of(day: dt.date) -> str:
    """The page shape of an era."""
    if day.year <= 2011:
        return "tables"
    if day.year <= 2016:
        return "storybody"
    if day.year <= 2019:
        return "several"
    return "modern"


def _free_day(
    rng: random.Random, first: dt.date, last: dt.date, taken: set[dt.date]
) -> dt.date | None:
    """A free day of the newspaper's side of the hash split, Saturdays preferred."""
    span = [first + dt.timedelta(days=i) for i in range((last - first).days + 1)]
    free = [
        day
        for day in span
        if day.weekday() != 6
        and day.day > 1
        and day not in taken
        and side(long_date(day)) == NEWSPAPER
    ]
    saturdays = [day for day in free if day.weekday() == 5]
    if saturdays and rng.random() < 0.5:
        return rng.choice(saturdays)
    return rng.choice(free) if free else None


def plan_issues(rng: random.Random, stories: int) -> list[NewspaperIssue]:
    """The issues of all years, by day, holding exactly `stories` stories.

    Raises ValueError under 60 stories: some year or shape would go without.
    """
    if stories < 60:
        raise ValueError(f"the newspaper needs at least 60 stories, not {stories}")
    years = LAST_YEAR - FIRST_YEAR + 1
    count = max(years, stories // _PER_ISSUE)
    taken: set[dt.date] = set()
    if stories >= 200:
        for first in STRIKES:
            for week in range(STRIKE_WEEKS):
                start = first + dt.timedelta(days=7 * week)
                day = _free_day(rng, start, start + dt.timedelta(days=6), taken)
                if day is not None:
                    taken.add(day)
    turn = 0
    while len(taken) < count:
        # One part of each year in turn, so that the issues spread over every year.
        year = FIRST_YEAR + turn % years
        month = 1 + (turn // years * 5 + turn) % 12
        first = dt.date(year, month, 1)
        day = _free_day(rng, first, first + dt.timedelta(days=27), taken)
        if day is not None:
            taken.add(day)
        turn += 1
    days = sorted(taken)
    base, rest = divmod(stories, len(days))
    return [
        NewspaperIssue(
            day,
            day.weekday() == 5,
            base + (1 if index < rest else 0),
            # Every ninth weekend-free issue had a late edition.
            day.weekday() != 5 and index % 9 == 4,
        )
        for index, day in enumerate(days)
    ]
