"""Dates in any language: the one place that reads and writes them.

Month names are those of our own language files first (general libraries read demotic Greek
months, Γενάρη, Οχτώβρη, silently wrong), then Unicode's (CLDR, by babel) of the language and of
English; what these do not read is asked of dateparser, which is slow and so is imported late.

    parse_date(field, language="de")   the one date of a field: ISO, or ""
    format_date("2004-05-03", "de")    3. Mai 2004

A language is an ISO 639 code or a tag with its region ("en-GB"), which decides whether 3/5/2004
is in May or in March. Without a language the day comes first and the months are those of our
files, which needs no library: that is what is asked of every link and pair.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from exchange.text.date_spelling import (
    FLAT,
    DateParts,
    DateSpelling,
    full_year,
    load_locale,
    load_spelling,
)
from exchange.text.fold import fold

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FIRST_YEAR, LAST_YEAR = 1800, 2199
BUDDHIST = 543  # years that Thailand counts more
_BEFORE_CHARS = 80  # before a date in which the first of two may stand
_LONGEST_FIELD = 100  # characters that dateparser is asked about: more is no field
_ISO = re.compile(r"(?<!\d)(\d{4})([-/.])[ ]?(\d{1,2})\2[ ]?(\d{1,2})(?!\d)")  # addresses: slashes
_HAN = re.compile(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일号]")
_NUMERIC = re.compile(r"\b(\d{1,2})\s*[/.-]\s*(\d{1,2})\s*[/.-]\s*(\d{4})\b")
_SHORT = re.compile(r"(?<![\d/.-])(\d{1,2})([/.-])(\d{1,2})\2(\d{2})(?![\d/.:-])")
_COMPACT = re.compile(r"(?<!\d)((?:1[89]|2[01])\d\d)([01]\d)([0-3]\d)(?=\D|\d{6}(?!\d)|$)")
_PARTIAL = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?", re.ASCII)
_LETTER = re.compile(r"[^\W\d_]")
_ACCENTS = re.compile("[\u0300-\u036f]")
_BEFORE_DASH = re.compile(r"\b(\d{1,2})[.]?\s+([^\W\d_]+)\s*[-–]\s*(?:[^\W\d_]+,?\s+)?$")


def parse_date(text: str, months: Mapping[str, int] | None = None, language: str = "") -> str:
    """The first date of a field as ISO; "" when there is none.

    Reads ISO 8601, numbers in the language's order, worded dates, RFC 822, 20040503, and seconds
    or milliseconds since 1970. Of a weekend issue's two dates ("8 Απρίλη - Κυριακή 9 Απρίλη
    2017") it is the first.

    >>> parse_date("Παρασκευή 3 του Γενάρη 1998")
    '1998-01-03'
    """
    if not text:
        return ""
    spelling = load_spelling(language, tuple((months or {}).items()))
    found: list[tuple[int, str]] = []
    for year, month, day, start, _ in _in_numbers(text, spelling.month_first):
        found.append((start, _iso(year, month, day)))
    if not any(iso for _, iso in found):
        found += [(m.start(), _iso(*m.groups())) for m in _COMPACT.finditer(text)]
        found += [
            (m.start(), _iso(full_year(m[4]), *_ordered(m[1], m[3], spelling.month_first)))
            for m in _SHORT.finditer(text)
        ]
    # Uppercase ΜΑΪ́ΟΥ holds an accent that no composed letter has.
    flat = _ACCENTS.sub("", text.translate(FLAT)) if _LETTER.search(text) else ""
    for year, number, day, start, _ in spelling.worded(flat):
        found.append((start, _iso(year, number, day)))
        near = max(0, start - _BEFORE_CHARS)
        at, iso = _first_of_two(flat[near:start], int(year), int(number), spelling)
        found.append((near + at, iso))
    first = min((item for item in found if item[1]), default=(0, ""))[1]
    if first or not language:
        return first
    return epoch_date(text) or _by_library(text, language)


def epoch_date(text: str) -> str:
    """The day (UTC) of a number of seconds or milliseconds since 1970; "" for anything else.

    Over 1e10 it counts milliseconds: as seconds that would be the year 2286.
    """
    try:
        number = float(text)
    except ValueError:
        return ""
    seconds = number / 1000 if abs(number) > 1e10 else number
    if not 1e8 < abs(seconds) < 1e10:  # 20040503 is a day as it is written
        return ""
    return (dt.datetime(1970, 1, 1) + dt.timedelta(seconds=seconds)).date().isoformat()


def is_partial(date: str) -> bool:
    """Whether it is a year, a month or a day, as a list is asked for: 2014, 2014-03, 2014-03-25."""
    return _PARTIAL.fullmatch(date) is not None


def find_dates(text: str) -> set[str]:
    """All full dates of a Greek text as YYYY-MM-DD, also those that no calendar has."""
    found = [date[:3] for date in _in_numbers(text, month_first=False)]
    found += [date[:3] for date in load_spelling("", ()).worded(text.translate(FLAT))]
    return {f"{int(year):04}-{int(number):02}-{int(day):02}" for year, number, day in found}


def numeric_dates(text: str, language: str) -> set[str]:
    """All full dates in digits as YYYY-MM-DD, also those that no calendar has."""
    found = _in_numbers(text, load_spelling(language, ()).month_first)
    return {f"{int(d.year):04}-{int(d.month):02}-{int(d.day):02}" for d in found}


@lru_cache(maxsize=1 << 12)
def format_date(iso: str, language: str = "") -> str:
    """An ISO date in the long form of a language; without one as 2/1/1998.

    >>> format_date("1998-01-02", "el")
    '2 Ιανουαρίου 1998'
    """
    year, month, day = iso.split("-")
    locale = load_locale(language) if language else None
    if locale is None:
        return f"{int(day)}/{int(month)}/{year}"
    from babel.dates import format_date as by_babel

    return " ".join(by_babel(dt.date.fromisoformat(iso), "long", locale=locale).split())


def month_number(word: str) -> int:
    """The month that a word of our own languages means, 0 for none."""
    return load_spelling("", ()).number(fold(word))


def _in_numbers(text: str, month_first: bool) -> Iterator[DateParts]:
    for match in _ISO.finditer(text):
        yield DateParts(match[1], match[3], match[4], match.start(), match.end())
    for match in _HAN.finditer(text):
        yield DateParts(match[1], match[2], match[3], match.start(), match.end())
    for match in _NUMERIC.finditer(text):
        month, day = _ordered(match[1], match[2], month_first)
        yield DateParts(match[3], month, day, match.start(), match.end())


def _ordered(first: str, second: str, month_first: bool) -> tuple[str, str]:
    """Month and day of two numbers. What can be no month is the day, whatever the order."""
    if month_first:
        return (first, second) if int(first) <= 12 else (second, first)
    return (second, first) if int(second) <= 12 else (first, second)


def _by_library(text: str, language: str) -> str:
    """What dateparser reads: complete dates alone, in the language or in English."""
    field = " ".join(text.split())
    if not 6 <= len(field) <= _LONGEST_FIELD or not any(map(str.isdigit, field)):
        return ""
    from dateparser import parse

    month_first = load_spelling(language, ()).month_first
    settings = {
        "DATE_ORDER": "MDY" if month_first else "DMY",
        "STRICT_PARSING": True,
        "PARSERS": ["absolute-time"],
    }
    for code in dict.fromkeys((language.replace("_", "-").partition("-")[0], "en")):
        try:
            read = parse(field, languages=[code], settings=settings)
        except (ValueError, OverflowError, re.error):  # no such language, no such year
            continue
        if read is not None:
            return _iso(str(read.year), str(read.month), str(read.day))
    return ""


def _first_of_two(before: str, year: int, second: int, spelling: DateSpelling) -> tuple[int, str]:
    """The date without a year that stands before the dash, if there is one."""
    match = _BEFORE_DASH.search(before)
    number = spelling.number(match[2]) if match else 0
    if match is None or not number:
        return 0, ""
    return match.start(), _iso(str(year - (number > second)), str(number), match[1])


def _iso(year: str, month: str, day: str) -> str:
    number = int(year) - (BUDDHIST if int(year) > LAST_YEAR else 0)
    try:
        date = dt.date(number, int(month), int(day))
    except ValueError:
        return ""
    return date.isoformat() if FIRST_YEAR <= date.year <= LAST_YEAR else ""


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
