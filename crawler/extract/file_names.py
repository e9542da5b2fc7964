"""What a file's name says: its date and its title. Pure functions."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import PurePosixPath

from exchange.errors import UsageError

_FIELDS = {
    "yyyy": r"(?P<y>\d{4})",
    "yy": r"(?P<yy>\d{2})",
    "mm": r"(?P<m>\d{2})",
    "m": r"(?P<m>\d{1,2})",
    "dd": r"(?P<d>\d{2})",
    "d": r"(?P<d>\d{1,2})",
}
_FIELD = re.compile(r"\\\{(\w+)\\\}")
_CENTURY = 70  # two digits from here on are of the twentieth century
_YEAR = r"(?P<y>(?:1[89]|2[01])\d\d)"
_COMMON = (
    re.compile(rf"(?<!\d){_YEAR}[-_./ ]?(?P<m>[01]\d)[-_./ ]?(?P<d>[0-3]\d)(?!\d)"),
    re.compile(rf"(?<!\d)(?P<d>[0-3]?\d)[-_. ](?P<m>[01]?\d)[-_. ]{_YEAR}(?!\d)"),
)


def compile_date_pattern(template: str) -> re.Pattern[str]:
    """A pattern like "{yyyy}/{mm}/{dd}" as a regular expression; `*` stands for anything.

    Raises:
        UsageError: an unknown field, one twice, or one that is missing.
    """
    told: list[str] = []

    def field(match: re.Match[str]) -> str:
        if match[1] not in _FIELDS:
            raise UsageError(
                f"--date-pattern: unknown {{{match[1]}}}; known: {{yyyy}} {{yy}} {{mm}} {{m}} "
                "{dd} {d}, and * for anything"
            )
        told.append(match[1][0])
        return _FIELDS[match[1]]

    expression = _FIELD.sub(field, re.escape(template).replace(r"\*", ".*?"))
    if sorted(told) != ["d", "m", "y"]:
        raise UsageError(
            f"--date-pattern {template!r} needs a year, a month and a day, each once: such as "
            "'{yyyy}/{mm}/{dd}'"
        )
    return re.compile(rf"(?<!\d){expression}(?!\d)")


def date_by_pattern(wanted: re.Pattern[str], name: str) -> str:
    """The ISO date that a pattern finds in a file's path, "" when it finds none."""
    for match in wanted.finditer(name):
        if iso := _iso(match):
            return iso
    return ""


def date_in(name: str) -> str:
    """The date that a path seems to hold: 2001-05-03, 20010503, 2001/05/03, 3-5-2001."""
    return next((iso for known in _COMMON if (iso := date_by_pattern(known, name))), "")


def title_in(name: str) -> str:
    """A file's name as a title: no folder, no suffix, no date, blanks for dashes."""
    for known in _COMMON:
        name = known.sub(" ", name)
    stem = PurePosixPath(name).name.partition("#")[0]
    stem = stem.rsplit(".", 1)[0] if "." in stem else stem
    return " ".join(re.sub(r"[_\-.]+", " ", stem).split())


def _iso(match: re.Match[str]) -> str:
    told = match.groupdict()
    year = int(told.get("y") or 0)
    if not year:
        short = int(told["yy"])
        year = short + (1900 if short >= _CENTURY else 2000)
    try:
        return dt.date(year, int(told["m"]), int(told["d"])).isoformat()
    except ValueError:
        return ""
