"""Numbers by their value: one home for what checks and metrics compare.

11.25 % is not 1125 %, and 1.5 is not 15: a mark between digits is read by the language's decimal
mark (1.200 is a thousand in Greek and 1.2 in English). Number words are numbers («δεκαπέντε»,
"three hundred"), and so is what stands before a multiplier ("26 million", «26 εκατομμύρια»).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import NamedTuple, Protocol

from exchange.text.date_spelling import load_locale
from exchange.text.language import every, load_language

_GROUP = 3  # digits between two marks of thousands
_PARTS = re.compile(r"[.,]")
LONGEST_NUMBER = 60  # characters; Python itself refuses to read some thousand digits as a number
_LARGEST = Decimal(10) ** LONGEST_NUMBER
NUMBER_WORDS = every().number_words
MULTIPLIERS = every().multipliers
ORDINALS = every().ordinals
UNITS = every().units
_ARTICLES = every().words("indefinite_articles")  # "a million", but not "twenty a day"
_JOINERS = every().words("number_joiners")  # "a hundred and five"
_PER_CENT = frozenset(every().list_of("per_cent"))
_PER = frozenset(words.partition(" ")[0] for words in _PER_CENT)
ONE = "1"  # an article in most languages, so that its word claims nothing
HUNDRED, _TWENTY = 100, 20
_NONE: Mapping[int, str] = MappingProxyType({})


class Quantity(NamedTuple):
    """A number of a text.

    Attributes:
        value: in one spelling, 26000000 for "26 million".
        start: its first word, of the text's words.
        end: one behind its last word, a multiplier's included.
        worded: no digit stands in it.
        unit: what it measures, where a known unit or sign stands with it; else "".
    """

    value: str
    start: int
    end: int
    worded: bool
    unit: str


class NumberToken(Protocol):
    """What is asked of a word."""

    @property
    def folded(self) -> str: ...
    @property
    def stem(self) -> str: ...
    @property
    def digits(self) -> bool: ...


def normalize_number(token: str, mark: str = "") -> str:
    """One spelling of a number's value.

    Args:
        mark: the language's decimal mark; without one, a mark before exactly three digits is
            taken for one of thousands.

    >>> normalize_number("1.200", ","), normalize_number("1.200", "."), normalize_number("16,70")
    ('1200', '1.2', '16.7')
    """
    if len(token) > LONGEST_NUMBER:
        return token
    if token.isdecimal():
        return str(int(token))
    groups = _PARTS.split(token)
    marks = [char for char in token if char in ".,"]
    last = marks[-1]
    if len(set(marks)) > 1:
        if marks.count(last) == 1 and _in_thousands(groups[:-1]):
            return _decimal("".join(groups[:-1]), groups[-1])
        return token
    if _in_thousands(groups) and (len(marks) > 1 or last != mark):
        return str(int("".join(groups)))
    return _decimal(*groups) if len(groups) == 2 else token


@cache
def decimal_mark(language: str) -> str:
    """What a language writes before a fraction: our own file's, else Unicode's; "" for unknown."""
    return load_language(language).decimal_mark or _symbol(language, "decimal")


@cache
def spaces_thousands(language: str) -> bool:
    """Whether a language writes 10 000 with a blank."""
    return not load_language(language).decimal_mark and _symbol(language, "group").isspace()


def _symbol(language: str, name: str) -> str:
    locale = load_locale(language)
    symbols = locale.number_symbols if locale else {}
    return str(symbols.get("latn", symbols).get(name, ""))


def _in_thousands(groups: Sequence[str]) -> bool:
    first = groups[0]
    return len(first) <= _GROUP and first[0] != "0" and all(len(g) == _GROUP for g in groups[1:])


def _decimal(whole: str, fraction: str) -> str:
    return f"{int(whole)}.{fraction}".rstrip("0").rstrip(".")


def read_quantities(
    words: Sequence[NumberToken],
    starts: Sequence[int],
    signs: Mapping[int, str] = _NONE,
    breaks: Set[int] = frozenset(),
) -> list[Quantity]:
    """The numbers of a text's words, in order.

    Args:
        starts: the words that are digits or number words, in order.
        signs: of a number's word, the sign that stands with it: %, €.
        breaks: words behind a comma or a full stop.
    """
    found: list[Quantity] = []
    end = 0
    for start in starts:
        if start >= end:
            found.append(_read(words, start, signs, breaks))
            end = found[-1].end
    return found


def _read(
    words: Sequence[NumberToken], start: int, signs: Mapping[int, str], breaks: Set[int]
) -> Quantity:
    """The number that begins at a word, as far as it goes."""
    worded = not words[start].digits
    value = str(NUMBER_WORDS[words[start].folded]) if worded else words[start].stem
    end = start + 1
    if end < len(words) and (words[end].folded in MULTIPLIERS or worded):
        value, end = _composed(words, start, worded, value, breaks)
    unit = UNITS.get(signs[start], "") if start in signs else ""
    if end not in breaks and end < len(words):
        behind = words[end].folded
        two = behind in _PER and " ".join([word.folded for word in words[end : end + 2]])
        if two in _PER_CENT:
            return Quantity(value, start, end + 2, worded, "percent")
        unit = unit or UNITS.get(behind, "")
    return Quantity(value, start, end, worded, unit)


def _composed(
    words: Sequence[NumberToken], start: int, worded: bool, value: str, breaks: Set[int]
) -> tuple[str, int]:
    """The value of several words, and where they end: "two million three hundred thousand"."""
    try:
        group = Decimal(str(NUMBER_WORDS[words[start].folded]) if worded else value)
    except ArithmeticError:  # digits with marks that make no number
        return value, start + 1
    total, lowest, end = Decimal(0), _lowest(group), start + 1
    while end < len(words) and end not in breaks:
        joined = end + 1 < len(words) and words[end].folded in _JOINERS and lowest >= HUNDRED
        folded = words[end + joined].folded
        if folded in MULTIPLIERS and not joined and group < _LARGEST:
            group *= MULTIPLIERS[folded]
            lowest = MULTIPLIERS[folded]
        elif worded and 0 < NUMBER_WORDS.get(folded, 0) < lowest and folded not in _ARTICLES:
            if lowest > HUNDRED and group >= lowest:  # what is multiplied next is this part alone
                total, group = total + group, Decimal(0)
            group += Decimal(NUMBER_WORDS[folded])
            lowest = _lowest(Decimal(NUMBER_WORDS[folded]))
        else:
            break
        end += 1 + joined
    if end == start + 1:
        return value, end
    text = f"{total + group:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text, end


def _lowest(value: Decimal) -> int:
    """What goes on with the same number is smaller than this: nine behind twenty."""
    if value < _TWENTY or value != int(value):
        return 0
    digits = str(int(value))
    return int(10 ** (len(digits) - len(digits.rstrip("0"))))
