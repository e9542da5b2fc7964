"""How a language spells dates: its month names, their order with day and year, what joins them.

The names are those of our language files, then Unicode's (CLDR, by babel) of the language and of
English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, NamedTuple

from exchange.text.fold import fold
from exchange.text.language import every

CENTURY = 70  # two digits from here on are of the twentieth century
_MONTHS = every().months


class DateParts(NamedTuple):
    """A date as a text writes it."""

    year: str
    month: str
    day: str
    start: int  # where it stands
    end: int


class _FlatTable(dict[int, str]):
    """Each character in lower case and bare, always one for one, so that places stay."""

    def __missing__(self, code: int) -> str:
        bare = fold(chr(code))
        self[code] = found = bare if len(bare) == 1 else chr(code)
        return found


FLAT = _FlatTable()


@dataclass(frozen=True)
class DateSpelling:
    """How one language writes worded dates."""

    months: Mapping[str, int]
    beginnings: Mapping[str, int]  # words that begin so are months where day and year are beside
    capital: bool  # are names of months written with a capital?
    month_first: bool
    full: tuple[re.Pattern[str], ...]  # with groups y, m and d

    def number(self, flat: str) -> int:
        """The month that a word names, 0 for none."""
        if flat in self.months:
            return self.months[flat]
        return next((n for start, n in self.beginnings.items() if flat.startswith(start)), 0)

    def worded(self, flat: str) -> Iterator[DateParts]:
        """Dates with day, named month and year."""
        for pattern in self.full:
            for match in pattern.finditer(flat):
                if number := self.number(match["m"]):
                    year = full_year(match["y"].lstrip("'’"))
                    yield DateParts(year, str(number), match["d"], match.start(), match.end())


@lru_cache(maxsize=64)
def load_spelling(language: str, extra: tuple[tuple[str, int], ...]) -> DateSpelling:
    locales = [found for tag in (language, "en") if language and (found := load_locale(tag))]
    own_locale = load_locale(language) if language else None
    months = {fold(word): number for word, number in extra}
    joiners = {"of", "de", "del", *(every().pattern("of").split("|"))}
    for locale in locales:
        for width in ("wide", "abbreviated"):
            for use in ("format", "stand-alone"):
                for number, name in locale.months[use][width].items():
                    bare = name.translate(FLAT).rstrip(".")
                    if not bare[:1].isdigit() and len(bare) > 1:
                        months.setdefault(bare, number)
        joiners |= {t.strip(" .").translate(FLAT) for t in re.findall(r"'([^']+)'", _long(locale))}
    names = [re.escape(name) for name in sorted(months, key=len, reverse=True)]
    begin = [re.escape(start) + r"[^\W\d_]*" for start in sorted(_MONTHS, key=len, reverse=True)]
    return DateSpelling(
        months,
        _MONTHS,
        not locales or next(iter(locales[0].months["format"]["wide"].values()))[0].isupper(),
        own_locale is not None and _short(own_locale).lstrip("'")[:1] == "M",
        tuple(_full_patterns("|".join([*names, *begin]), joiners, locales)),
    )


def full_year(year: str) -> str:
    """Four digits of a year that may have two."""
    if len(year) > 2:
        return year
    return str(int(year) + (1900 if int(year) >= CENTURY else 2000))


_ORDINAL = r"(?:[.º°ª]|-?[^\W\d_]{1,3})?"  # 3rd, 3ης, 3-го, 1er, 3.
_CLOCK = r"(?:\d\d?:\d\d(?::\d\d)?(?:\s+[a-z]{2,5})?\s+)?"  # Mon May  3 10:00:00 EEST 2004
_Y = r"(?P<y>\d{4}|['’]\d\d|(?<=-)\d\d)(?![\d:])"
_D = rf"(?<!\d)(?P<d>\d{{1,2}}){_ORDINAL}"
_GAP = r"[\s.,/-]*"


def _joined(joiners: set[str]) -> str:
    words = "|".join(re.escape(word) for word in sorted(joiners, key=len, reverse=True) if word)
    return rf"{_GAP}(?:(?:{words})\.?\s+)?"


def _full_patterns(names: str, joiners: set[str], locales: list[Any]) -> Iterator[re.Pattern[str]]:
    month, join = rf"(?P<m>(?<![^\W\d_])(?:{names}))(?![^\W\d_])", _joined(joiners)
    yield re.compile(rf"{_D}{join}{month}{join}{_Y}")
    if not locales:
        return
    yield re.compile(rf"{month}\.?\s*{_D},?\s+{_CLOCK}{_Y}")
    if any(_long(locale).startswith("y") for locale in locales):
        yield re.compile(rf"(?<!\d)(?P<y>\d{{4}}){join}{month}{_GAP}{_D}(?!\d)")


@cache
def load_locale(language: str) -> Any | None:
    """Unicode's data on a language; of "en-ZZ" those of "en", of an unknown language None."""
    from babel import Locale, UnknownLocaleError

    tag = language.replace("_", "-")
    for known in (tag, tag.partition("-")[0]):
        try:
            return Locale.parse(known, sep="-")
        except (UnknownLocaleError, ValueError, TypeError):
            continue
    return None


def _long(locale: Any) -> str:
    return str(locale.date_formats["long"].pattern)


def _short(locale: Any) -> str:
    return str(locale.date_formats["short"].pattern)
