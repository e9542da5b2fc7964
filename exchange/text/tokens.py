"""A text as checks and metrics read it: cut into words once (`vocabulary` knows what each is)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, TypeVar, overload

from exchange.text import dates
from exchange.text.language import every
from exchange.text.numbers import ONE, Quantity, read_quantities, spaces_thousands
from exchange.text.vocabulary import SIGNS, WordToken, load_vocabulary

_DOTTED = re.compile(r"\d+(?:\.\d+){2,}")  # 3.5.2004
_JOINERS = every().words("date_joiners")  # «3 του Μάη», «της 1ης Μάη», "3rd of May"
_CENTURIES = frozenset(map(str, range(10, 22)))
_SPACED = re.compile(r"(?<=\d) (?=\d{3}\b)")
_QUOTES = {"«": 1, "“": 1, "»": -1, "”": -1}
_NUMERIC_DATE = re.compile(r"[/.-]\s?\d{1,2}\s?[/.-]\s?\d|[年년]")  # what one must hold
DEFAULT = "el"  # language of a text that nobody says it of


def _day(word: WordToken) -> int:
    number = int(word.folded) if word.digits and len(word.folded) < 3 else 0
    return number if number <= 31 else 0


T = TypeVar("T")


class lazy_attribute(Generic[T]):  # read as an attribute
    """Worked out at the first look and then kept; `functools.cached_property` takes a lock."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> lazy_attribute[T]: ...
    @overload
    def __get__(self, owner: object, kind: type) -> T: ...
    def __get__(self, owner: object | None, kind: type) -> lazy_attribute[T] | T:
        if owner is None:
            return self
        value = owner.__dict__[self._name] = self._compute(owner)
        return value


class TokenizedText:
    """A text with its words. What only some rules need is worked out when asked for.

    Attributes:
        capitals: which words have a capital.
        named: which have one, and not only because a sentence begins there.
        spoken: the words outside quotation marks: what the text itself says.
        stops: which words directly follow a comma.
        breaks: which words directly follow any mark.
    """

    def __init__(self, text: str, language: str = DEFAULT) -> None:
        self.text = text
        self.language = language
        words: list[WordToken] = []
        named: list[int] = []
        capitals: list[int] = []
        stops: set[int] = set()
        quoted: list[int] = []
        signs: dict[int, str] = {}
        breaks: set[int] = set()
        sign = ""
        depth = 0
        months: list[int] = []
        counted: list[int] = []
        ordinals: list[str] = []
        start = True  # a capital here is a name only if another one follows
        opening: WordToken | None = None
        if spaces_thousands(language):
            text = _SPACED.sub("\u00a0", text)
        vocabulary = load_vocabulary(language)
        for token, word in chain.from_iterable(map(vocabulary.__getitem__, text.split(" "))):
            if word is None:
                if token in _QUOTES:
                    depth = max(0, depth + _QUOTES[token])
                elif token not in SIGNS:
                    breaks.add(len(words))
                    if token == ",":
                        stops.add(len(words))
                    elif token not in "—–()":
                        start = True
                elif words and words[-1].digits and (token == "%" or not sign):
                    signs.setdefault(len(words) - 1, token)
                    sign = token
                else:
                    sign = token
                continue
            if depth:
                quoted.append(len(words))
            if word.plain:
                words.append(word)
                sign, opening, start = "", None, False
                continue
            if word.digits or word.number:
                counted.append(len(words))
                if sign:
                    signs[len(words)] = sign
            sign = ""
            if word.month:
                months.append(len(words))
            if word.ordinal:
                ordinals.append(str(word.ordinal))
            words.append(word)
            if word.capital:
                capitals.append(len(words) - 1)
                if word.capital > 1:
                    named.append(len(words) - 1)  # an abbreviation is one anywhere
                elif start:
                    opening = word if word.stem else None
                    start = False
                    continue
                elif len(token) > 2:
                    if opening is not None:
                        named.append(len(words) - 2)
                    named.append(len(words) - 1)
            opening = None
            start = False
        self.words = tuple(words)
        self.named = named
        self.capitals = capitals
        self.stops = stops
        self.breaks = breaks
        self._quoted = quoted
        self._signs = signs
        self._months = months
        self._counted = counted
        self._ordinals = ordinals

    @lazy_attribute
    def names(self) -> tuple[WordToken, ...]:
        """The words of `named`."""
        return tuple([self.words[index] for index in self.named])

    @lazy_attribute
    def spoken(self) -> tuple[WordToken, ...]:
        if not self._quoted:
            return self.words
        quoted = set(self._quoted)
        return tuple([w for index, w in enumerate(self.words) if index not in quoted])

    @lazy_attribute
    def folded(self) -> frozenset[str]:
        """The folded words."""
        return frozenset([word.folded for word in self.words])

    @lazy_attribute
    def stems(self) -> frozenset[str]:
        """Prefixes of the words that carry meaning; numbers stay whole."""
        return frozenset([word.stem for word in self.words]) - _NOTHING

    @lazy_attribute
    def quantities(self) -> list[Quantity]:
        """The numbers, of digits and of words, with their units."""
        if not self._counted:
            return []
        return read_quantities(self.words, self._counted, self._signs, self.breaks)

    @lazy_attribute
    def numbers(self) -> frozenset[str]:
        """The numbers that it claims, by value; of a whole date its year alone.

        A number word of one ("a", «μία») claims no number.
        """
        if not self._counted:
            return _NONE
        found = {q.value for q in self.quantities if not q.worded or q.value != ONE}
        for iso in self.dates:
            year, month, day = iso.split("-")
            found -= {month.lstrip("0"), day.lstrip("0"), *_DOTTED.findall(self.text)}
            found.add(year)
        return frozenset(found)

    @lazy_attribute
    def numbers_held(self) -> frozenset[str]:
        """Every number that stands in it, as a word, in a date or as "third" too."""
        if not self._counted:
            return frozenset(self._ordinals)
        values = [q.value for q in self.quantities]
        return frozenset([*self._ordinals, *values, *(iso[:4] for iso in self.dates)])

    @lazy_attribute
    def calendar(self) -> frozenset[str]:
        """Dates as far as they are told: 2004-05-03, 2004-05, 2004, --05-03."""
        if not self._counted and not self._months:
            return _NONE
        found = {
            value
            for value, _, _, worded, unit in self.quantities
            if len(value) == 4 and not worded and not unit and value[:2] in _CENTURIES
        }
        found.update(map(self._date_at, self._months))
        if self._counted and _NUMERIC_DATE.search(self.text):
            found.update(dates.numeric_dates(self.text, self.language))
        found.discard("")
        return frozenset(found)

    def _date_at(self, index: int) -> str:
        """The date around a month's name, as much of it as the words tell."""
        words, month = self.words, self.words[index].month
        before = index - 1
        while before > index - 3 and before >= 0 and words[before].folded in _JOINERS:
            before -= 1
        day = _day(words[before]) if before >= 0 else 0
        after = index + 1
        if not day and after < len(words) and (day := _day(words[after])):
            after += 1
        while after < min(index + 4, len(words)) and words[after].folded in _JOINERS:
            after += 1
        year = words[after].folded if after < len(words) and words[after].digits else ""
        if len(year) != 4 or year[:2] not in _CENTURIES:
            return f"--{month:02}-{day:02}" if day else ""
        return f"{year}-{month:02}-{day:02}" if day else f"{year}-{month:02}"

    @lazy_attribute
    def dates(self) -> frozenset[str]:
        """Full dates as YYYY-MM-DD, worded or in digits."""
        if not self.calendar:
            return _NONE
        return frozenset([iso for iso in self.calendar if len(iso) == 10]) or _NONE

    @lazy_attribute
    def months(self) -> frozenset[int]:
        """The months, whether named or in digits."""
        if not self._months and not self.calendar:
            return frozenset()
        named = [self.words[index].month for index in self._months]
        return frozenset([*named, *(int(iso[5:7]) for iso in self.dates)])

    @lazy_attribute
    def line(self) -> str:
        """The folded words with single blanks, for patterns: punctuation does not hide a phrase."""
        return " ".join([word.folded for word in self.words])

    @lazy_attribute
    def said(self) -> str:
        """The same without what stands in quotation marks."""
        return " ".join([word.folded for word in self.spoken]) if self._quoted else self.line


_NOTHING = frozenset([""])
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TokenizedPair:
    """A pair on trial."""

    question: TokenizedText
    answer: TokenizedText
    chopped: bool = False

    @classmethod
    def of(
        cls, question: str, answer: str, chopped: bool = False, language: str = DEFAULT
    ) -> TokenizedPair:
        return cls(TokenizedText(question, language), TokenizedText(answer, language), chopped)
