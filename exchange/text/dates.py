"""Dates as Greek newspapers write them. The address and the index are believed first.

General date libraries read demotic months (Γενάρη, Οχτώβρη) silently wrong, so the months are
folded beginnings of each language, which a profile may extend.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping

from exchange.text.fold import fold
from exchange.text.language import every

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FIRST_YEAR, LAST_YEAR = 1800, 2199
_MONTHS = every().months
_ISO = re.compile(r"\b(\d{4})[-/](\d{1,2})[-/](\d{1,2})")  # addresses have slashes
_NUMERIC = re.compile(r"\b(\d{1,2})\s*[/.-]\s*(\d{1,2})\s*[/.-]\s*(\d{4})\b")
_BEFORE_DASH = re.compile(r"\b(\d{1,2})\s+([^\W\d_]+)\s*[-–]\s*(?:[^\W\d_]+\s+)?$")
_OF = rf"(?:(?:{every().pattern('of')})\s+)?"
_WORDED = re.compile(
    rf"\b(\d{{1,2}})(?:{every().pattern('day_ends')})?\s+{_OF}([^\W\d_]+)\.?,?\s+{_OF}(\d{{4}})\b"
)


def parse_date(text: str, months: Mapping[str, int] | None = None) -> str:
    """The first date in a text as ISO, day before month; "" when there is none.

    Of a weekend issue's two dates ("8 Απρίλη - Κυριακή 9 Απρίλη 2017") it is the first.

    >>> parse_date("Παρασκευή 3 του Γενάρη 1998")
    '1998-01-03'
    """
    folded = fold(text)
    found: list[tuple[int, str]] = []
    for match in _ISO.finditer(folded):
        found.append((match.start(), _iso(*match.groups())))
    for match in _NUMERIC.finditer(folded):
        found.append((match.start(), _iso(*reversed(match.groups()))))
    for match in _WORDED.finditer(folded):
        number = month_number(match[2], months)
        if number:
            found.append((match.start(), _iso(match[3], str(number), match[1])))
            found.append(_first_of_two(folded[: match.start()], int(match[3]), number, months))
    return min((item for item in found if item[1]), default=(0, ""))[1]


def find_dates(text: str) -> set[str]:
    """All full dates of a text as YYYY-MM-DD, also those that no calendar has (30 February)."""
    # Unfolded, since this is asked of every pair; only «του» would differ, and has no accent.
    parts = [match.groups() for match in _ISO.finditer(text)]
    parts += [match.groups()[::-1] for match in _NUMERIC.finditer(text)]
    parts += [
        (m[3], str(month_number(m[2])), m[1]) for m in _WORDED.finditer(text) if month_number(m[2])
    ]
    return {f"{int(year):04}-{int(number):02}-{int(day):02}" for year, number, day in parts}


def _first_of_two(
    before: str, year: int, second: int, months: Mapping[str, int] | None
) -> tuple[int, str]:
    """The date without a year that stands before the dash, if there is one."""
    match = _BEFORE_DASH.search(before)
    number = month_number(match[2], months) if match else 0
    if match is None or not number:
        return 0, ""
    return match.start(), _iso(str(year - (number > second)), str(number), match[1])


def month_number(word: str, extra: Mapping[str, int] | None = None) -> int:
    """The month a word means, 0 for none; a profile's own words come first."""
    folded = fold(word)
    for known, number in (extra or {}).items():
        if folded == fold(known):
            return number
    for beginning, number in _MONTHS.items():
        if folded.startswith(beginning):
            return number
    return 0


def _iso(year: str, month_: str, day: str) -> str:
    try:
        date = dt.date(int(year), int(month_), int(day))
    except ValueError:
        return ""
    return date.isoformat() if FIRST_YEAR <= date.year <= LAST_YEAR else ""


def format_date(iso: str) -> str:
    """An ISO date as a reader of the newspaper writes it: 2/1/1998."""
    year, month_, day = iso.split("-")
    return f"{int(day)}/{int(month_)}/{year}"


def date_fields(date: dt.date) -> dict[str, str]:
    """What an address template may ask of a date."""
    return {
        "d": str(date.day),
        "dd": f"{date.day:02}",
        "m": str(date.month),
        "mm": f"{date.month:02}",
        "yyyy": str(date.year),
    }


def days_between(since: dt.date, until: dt.date, weekdays: frozenset[int]) -> Iterator[dt.date]:
    """Every day of a range, both ends included, that falls on one of the weekdays (Monday 0)."""
    for ordinal in range(since.toordinal(), until.toordinal() + 1):
        date = dt.date.fromordinal(ordinal)
        if date.weekday() in weekdays:
            yield date
