"""The days that a chunk speaks of: its dates, and what they are beside its newspaper's day.

A report says "on Monday", "in December", "Oct. 13"; the header tells when it was printed. A pair
that stands alone has to say 13 October 2023, which then stands in the chunk though no letter of
it does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache

from exchange.text.dates import parse_date
from exchange.text.language import every
from exchange.text.tokens import TokenizedText

AHEAD = dt.timedelta(days=183)  # a day without a year is the last one, or one so near to come
_WEEK = 7
_MONTHS = frozenset(range(1, 13))
_WEEKDAYS = {name: int(day) for day, names in every().days.items() for name in names.split()}
_RELATIVE: dict[str, list[tuple[str, str, int]]] = {}  # by their first word
for _words, _kind in every().relative.items():
    _unit, _count = _kind.split()
    _RELATIVE.setdefault(_words.split()[0], []).append((_words, _unit, int(_count)))


@lru_cache(maxsize=1 << 10)  # a story's chunks have one header
def printed_day(header: str, language: str) -> str:
    """The day of a header, written by us: day first in any language, or with its month's name."""
    return parse_date(header) or parse_date(header, language=language)


class Calendar:
    """The days, months and years of a chunk.

    Attributes:
        days: as ISO.
        months: as 2004-05.
        years: as 2004.
        printed: the newspaper's day, None where the header has none.
        named: numbers of the months that are named, with or without a year.
    """

    def __init__(self, header: TokenizedText, sentences: Sequence[TokenizedText]) -> None:
        self.days: set[str] = set()
        self.months: set[str] = set()
        self.years: set[str] = set()
        self.named: set[int] = set()
        told = printed_day(header.text, header.language)
        self.printed = dt.date.fromisoformat(told) if told else None
        if self.printed:
            self._keep(told)
            self.named.add(self.printed.month)
        for sentence in sentences:
            self._add(sentence)
            if self.printed:
                self._resolve(sentence, self.printed)

    def holds(self, iso: str) -> bool:
        """Whether a date, as far as it is told, is one of the chunk's."""
        if iso.startswith("--"):
            return any(day.endswith(iso[1:]) for day in self.days)
        return iso in (
            self.days if len(iso) == 10 else self.months if len(iso) == 7 else self.years
        )

    def _add(self, part: TokenizedText) -> None:
        self.named |= part.months
        for iso in part.calendar:
            self._keep(iso)

    def _keep(self, iso: str) -> None:
        if iso.startswith("--"):
            self.days.add(iso)  # a day of every year, until a year is found for it
            return
        self.years.add(iso[:4])
        if len(iso) > 4:
            self.months.add(iso[:7])
        if len(iso) > 7:
            self.days.add(iso)

    def _resolve(self, part: TokenizedText, printed: dt.date) -> None:
        for iso in part.calendar:
            if iso.startswith("--"):
                self._near(int(iso[2:4]), int(iso[5:7]), printed)
        for month in part.months & _MONTHS:  # digits may spell any
            for year in (printed.year - 1, printed.year, printed.year + 1):
                if printed - dt.timedelta(days=365) <= dt.date(year, month, 1) <= printed + AHEAD:
                    self._keep(f"{year}-{month:02}")
        for quantity in part.quantities:
            if quantity.unit == "year" and quantity.value.isdecimal():
                self.years.add(str(printed.year - int(quantity.value)))
        for name in part.folded & _WEEKDAYS.keys():
            back = (printed.weekday() - _WEEKDAYS[name]) % _WEEK
            for days in (-back, _WEEK - back, -back - _WEEK):
                self._keep((printed + dt.timedelta(days=days)).isoformat())
        for first in part.folded & _RELATIVE.keys():
            for words, unit, count in _RELATIVE[first]:
                if words == first or f" {words} " in f" {part.line} ":
                    self._shift(unit, count, printed)

    def _shift(self, unit: str, count: int, printed: dt.date) -> None:
        if unit == "day":
            self._keep((printed + dt.timedelta(days=count)).isoformat())
        elif unit == "month":
            months = printed.year * 12 + printed.month - 1 + count
            self._keep(f"{months // 12}-{months % 12 + 1:02}")
        else:
            self._keep(str(printed.year + count))

    def _near(self, month: int, day: int, printed: dt.date) -> None:
        """A day without a year is the last one before the paper was printed, or the next."""
        for year in (printed.year - 1, printed.year, printed.year + 1):
            try:
                date = dt.date(year, month, day)
            except ValueError:  # 29 February
                continue
            if printed - dt.timedelta(days=365) <= date <= printed + AHEAD:
                self._keep(date.isoformat())
