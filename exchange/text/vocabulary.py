"""The words of a language: what each is, looked at once and remembered.

An archive's words recur, so what a word is (its folded form, its stem, its month, its number) is
worked out at its first occurrence; that is what makes a chain of rules cost a fraction of a
millisecond.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from exchange.text.date_spelling import load_spelling
from exchange.text.fold import fold, is_greek
from exchange.text.language import every
from exchange.text.numbers import (
    LONGEST_NUMBER,
    NUMBER_WORDS,
    ORDINALS,
    decimal_mark,
    normalize_number,
)
from exchange.text.stems import STEM

MOST_WORDS = 1 << 17  # that are remembered
SIGNS = frozenset("%€$£¥")
_TOKEN = re.compile(
    r"[^\W\d_]{2,}|(?:[^\W\d_]\.){2,}(?![^\W\d_])|[^\W\d_]"  # words, U.S. being one
    r"|\d{1,3}(?:[\u00a0\u202f]\d{3})+\b|\d+(?:[.,]\d+)*"
    r"|[«»“”,.!?;…:·—–()%€$£¥]"
)
_NO_BREAK = re.compile(r"[\u00a0\u202f]")  # between thousands
_MONTH = re.compile(every().pattern("months"))
_GLUED_WORDS = re.compile(r"[α-ωά-ώϊϋΐΰ]{2}[Α-ΩΆ-Ώ][α-ωά-ώϊϋΐΰ]")  # «τηςΕλλάδας»
_TRIPLE_LETTER = re.compile(r"([α-ω])\1\1")
_ACCENTED = re.compile(r"[άέήίόύώΐΰΆΈΉΊΌΎΏ]")  # two at most: «το αυτοκίνητό του»
_CONSONANTS = re.compile(r"[βγδζθκλμνξπρστφχψ]{5,}")
_IMPOSSIBLE_ENDS = tuple(every().words("impossible_ends"))
_STOP_WORDS = frozenset(map(fold, every().words("stop_words")))


@dataclass(frozen=True, slots=True)
class WordToken:
    """One word or number, wherever it stands."""

    folded: str
    stem: str  # its first letters; a number in one spelling; "" for a word that says nothing
    month: int  # 0 for none
    digits: bool
    greek: int  # letters of the Greek alphabet
    capital: int  # 0 none, 1 the first letter, 2 all of two and more
    odd: bool  # spelt as no Greek word is
    number: float = 0  # what a number word means, 0 for none
    ordinal: int = 0  # what "third" means
    plain: bool = False  # no number, month or capital


class Vocabulary(dict[str, tuple[tuple[str, WordToken | None], ...]]):
    """What stands between two blanks, as it was met: its tokens, each with its word.

    A mark has None. Texts of one language repeat themselves, and no token holds a blank.
    """

    def __init__(self, language: str) -> None:
        self._language = language

    def __missing__(self, between: str) -> tuple[tuple[str, WordToken | None], ...]:
        if len(self) > MOST_WORDS:
            self.clear()
        self[between] = found = tuple(
            (token, analyze_word(token, self._language) if token[0].isalnum() else None)
            for token in _TOKEN.findall(between)
        )
        return found


load_vocabulary = cache(Vocabulary)


@lru_cache(maxsize=MOST_WORDS)
def analyze_word(word: str, language: str) -> WordToken:
    """What a word of a text is."""
    if word[0].isdecimal() and len(word) <= LONGEST_NUMBER:  # a raised 2 is none
        value = normalize_number(_NO_BREAK.sub("", word), decimal_mark(language))
        return WordToken(word, value, 0, True, 0, 0, False)
    if "." in word:  # U.S. is US
        word = word.replace(".", "")
    folded = fold(word)
    number = NUMBER_WORDS.get(folded, 0)
    if number > 1:
        stem = str(number)  # "twelve" meets 12
    else:
        stem = folded[:STEM] if len(folded) >= STEM and folded not in _STOP_WORDS else ""
    greek = sum(map(is_greek, word))
    odd = greek == len(word) and _is_misspelt(word, folded)
    capital = 2 if len(word) > 1 and word.isupper() else int(word[0].isupper())
    month = _month(folded, language, capital or greek)
    ordinal = ORDINALS.get(folded, 0)
    plain = not (number or ordinal or month or capital)
    return WordToken(folded, stem, month, False, greek, capital, odd, number, ordinal, plain)


def _month(folded: str, language: str, capital: int) -> int:
    """The month that is this word whole: by its beginning alone «Μαρία» would be a March."""
    spelling = load_spelling(language, ())
    if spelling.capital and not capital:
        return 0  # "may" is a verb
    known = folded in spelling.months or _MONTH.fullmatch(folded)
    return spelling.number(folded) if known else 0


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
