"""A text as checks and metrics read it: cut into words once, each looked at once and remembered.

An archive's words recur, so what a word is (its folded form, its stem, its month) is worked out
at its first occurrence; that is what makes the whole chain cost a fraction of a millisecond.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar, overload

from exchange.text import dates
from exchange.text.fold import fold, is_greek
from exchange.text.language import every
from exchange.text.stems import STEM

_TOKEN = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)*|[«»“”,.!?;…:·]")
_QUOTES = {"«": 1, "“": 1, "»": -1, "”": -1}
_MARKS = frozenset("«»“”,.!?;…:·")
_JOINERS = every().words("date_joiners")  # «3 του Μάη», «της 1ης Μάη»
_BEFORE_YEAR = every().words("before_year")
_NUMERIC_MONTH = re.compile(r"\b\d{1,2}/(\d{1,2})/\d{4}\b")
_NUMERIC_DATE = re.compile(r"\d\s?[/.-]\s?\d{1,2}\s?[/.-]\s?\d")
_MONTH = re.compile(every().pattern("months"))
_GLUED_WORDS = re.compile(r"[α-ωά-ώϊϋΐΰ]{2}[Α-ΩΆ-Ώ][α-ωά-ώϊϋΐΰ]")  # «τηςΕλλάδας»
_TRIPLE_LETTER = re.compile(r"([α-ω])\1\1")
_ACCENTED = re.compile(r"[άέήίόύώΐΰΆΈΉΊΌΎΏ]")  # two at most: «το αυτοκίνητό του»
_CONSONANTS = re.compile(r"[βγδζθκλμνξπρστφχψ]{5,}")
_IMPOSSIBLE_ENDS = tuple(every().words("impossible_ends"))
_STOP_WORDS = frozenset(map(fold, every().words("stop_words")))


class WordToken(NamedTuple):
    """One word or number, wherever it stands."""

    folded: str
    stem: str  # its first letters; a number in one spelling; "" for a word that says nothing
    month: int  # 0 for none
    digits: bool
    greek: int  # letters of the Greek alphabet
    capital: int  # 0 none, 1 the first letter, 2 all of two and more
    odd: bool  # spelt as no Greek word is


@lru_cache(maxsize=1 << 17)
def analyze_word(word: str) -> WordToken:
    """What a word of a text is."""
    if word[0].isdigit():
        return WordToken(word, normalize_number(word), 0, True, 0, 0, False)
    folded = fold(word)
    stem = folded[:STEM] if len(folded) >= STEM and folded not in _STOP_WORDS else ""
    month = dates.month_number(folded) if _MONTH.fullmatch(folded) else 0
    greek = sum(map(is_greek, word))
    odd = greek == len(word) and _is_misspelt(word, folded)
    capital = 2 if len(word) > 1 and word.isupper() else int(word[0].isupper())
    return WordToken(folded, stem, month, False, greek, capital, odd)


def _is_misspelt(word: str, folded: str) -> bool:
    """Glued, stammered, with too many accents, without a vowel, or ended like no Greek word."""
    if len(folded) < STEM:
        return False
    if (
        _GLUED_WORDS.search(word)
        or _TRIPLE_LETTER.search(folded)
        or len(_ACCENTED.findall(word)) > 2
    ):
        return True
    if word.isupper():  # an abbreviation is not spelt like a word
        return False
    return bool(_CONSONANTS.search(folded)) or folded.endswith(_IMPOSSIBLE_ENDS)


def normalize_number(token: str) -> str:
    """One spelling of a number: 1.200, 1,200 and 1200 are the same digits."""
    return token.replace(".", "").replace(",", "").lstrip("0") or "0"


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
        names: words with a capital, and not only because a sentence begins there.
        spoken: the words outside quotation marks: what the text itself says.
        stops: which words directly follow a comma.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        words: list[WordToken] = []
        names: list[WordToken] = []
        stops: list[int] = []
        quoted: list[int] = []
        depth = 0
        dated = False
        start = True  # a capital here is a name only if another one follows
        opening: WordToken | None = None
        for token in _TOKEN.findall(text):
            if token in _MARKS:
                if token == ",":
                    stops.append(len(words))
                elif token in _QUOTES:
                    depth = max(0, depth + _QUOTES[token])
                else:
                    start = True
                continue
            word = analyze_word(token)
            if depth:
                quoted.append(len(words))
            words.append(word)
            if word.month:
                dated = True
            if word.capital:
                if word.capital > 1:
                    names.append(word)  # an abbreviation is one anywhere
                elif start:
                    opening = word if word.stem else None
                    start = False
                    continue
                elif len(token) > 2:
                    if opening is not None:
                        names.append(opening)
                    names.append(word)
            opening = None
            start = False
        self.words = tuple(words)
        self.names = tuple(names)
        self.stops = frozenset(stops)
        self._quoted = frozenset(quoted)
        self._dated = dated

    @lazy_attribute
    def spoken(self) -> tuple[WordToken, ...]:
        if not self._quoted:
            return self.words
        return tuple(w for index, w in enumerate(self.words) if index not in self._quoted)

    @lazy_attribute
    def stems(self) -> frozenset[str]:
        """Prefixes of the words that carry meaning; numbers stay whole."""
        return frozenset([word.stem for word in self.words]) - _NOTHING

    @lazy_attribute
    def numbers(self) -> frozenset[str]:
        """All numbers in one spelling."""
        return frozenset([word.stem for word in self.words if word.digits])

    @lazy_attribute
    def dates(self) -> frozenset[str]:
        """Full dates as YYYY-MM-DD, worded or in digits."""
        found = set()
        words = self.words
        for index, word in enumerate(words) if self._dated else ():
            if word.month and 0 < index < len(words) - 1:
                day = words[index - 1]
                if not day.digits and day.folded in _JOINERS and index > 1:
                    day = words[index - 2]
                year = words[index + 1]
                if not year.digits and year.folded in _BEFORE_YEAR and index + 2 < len(words):
                    year = words[index + 2]
                if day.digits and len(day.folded) < 3 and year.digits and len(year.folded) == 4:
                    found.add(f"{year.folded}-{word.month:02}-{int(day.folded):02}")
        if _NUMERIC_DATE.search(self.text):
            found |= dates.find_dates(self.text)
        return frozenset(found)

    @lazy_attribute
    def months(self) -> frozenset[int]:
        """The months, whether named or the middle of D/M/YYYY."""
        named = {word.month for word in self.words if word.month}
        if "/" in self.text:
            named |= {int(found) for found in _NUMERIC_MONTH.findall(self.text)}
        return frozenset(named)

    @lazy_attribute
    def line(self) -> str:
        """The folded words with single blanks, for patterns: punctuation does not hide a phrase."""
        return " ".join([word.folded for word in self.words])

    @lazy_attribute
    def said(self) -> str:
        """The same without what stands in quotation marks."""
        return " ".join([word.folded for word in self.spoken])


_NOTHING = frozenset([""])


@dataclass(frozen=True, slots=True)
class TokenizedPair:
    """A pair on trial."""

    question: TokenizedText
    answer: TokenizedText
    chopped: bool = False

    @classmethod
    def of(cls, question: str, answer: str, chopped: bool = False) -> TokenizedPair:
        return cls(TokenizedText(question), TokenizedText(answer), chopped)
