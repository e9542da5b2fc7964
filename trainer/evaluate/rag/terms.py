"""From text to what is searched: folded words without their endings, and dates as one word each."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from re import compile as pattern

from exchange.text import dates
from exchange.text.fold import WORD, fold
from exchange.text.similarity import question_signature
from exchange.text.stems import stem

VERSION = 1  # of these rules; an index made by others is made anew
_DATED = pattern(r"\d\s?[/.-]\s?\d{1,2}\s?[/.-]\s?\d|\d{4}")  # no other text can hold a full date


@lru_cache(maxsize=1 << 18)  # an archive's words recur: this is most of the cost of an index
def _term(word: str) -> str:
    return stem(fold(word))


def text_terms(text: str) -> list[str]:
    """The terms of a text in its order, as often as they stand in it."""
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    return [_term(word) for word in WORD.findall(text)] + _dates(text)


def question_terms(question: str) -> list[str]:
    """The terms that a question can be found by: no asking word, no small word, none twice."""
    question = unicodedata.normalize("NFC", question)
    return sorted(question_signature(question).stems) + _dates(question)


def _dates(text: str) -> list[str]:
    """«12 Μαρτίου 2014» and 12/3/2014 as one term, rarer than day, month and year are."""
    if not _DATED.search(text):
        return []
    return sorted("d" + date.replace("-", "") for date in dates.find_dates(text))
