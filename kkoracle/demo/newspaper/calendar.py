"""Which days the newspaper came out, and which of them were weekend issues or had two editions."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass

from kkoracle.demo.newspaper.inflect import long_date
from kkoracle.demo.newspaper.storylines import STRIKE_WEEKS, STRIKES
from kkoracle.demo.newspaper.vocabulary import NEWSPAPER, side

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
