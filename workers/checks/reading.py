"""A text as the checks read it: cut into words once, each word looked at once and remembered.

An archive's words recur, so what a word is (its folded form, its stem, its month) is worked out
at its first occurrence; that is what makes the whole chain cost a fraction of a millisecond.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from exchange.text import dates
from exchange.text.fold import fold, is_greek

STEM = 4  # folded letters that name two forms of one Greek word
_TOKEN = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)*|[«»“”]")
_QUOTES = {"«": 1, "“": 1, "»": -1, "”": -1}
_START = re.compile(r"(?:\A|[.!?;…:·]\s)[\s«“\"'(–—-]*\Z")
_NUMERIC_MONTH = re.compile(r"\b\d{1,2}/(\d{1,2})/\d{4}\b")
_YEAR = re.compile(r"\d{4}")
# Whole words: by its beginning alone «Μαρία» would be a March, «γενικός» a January.
_MONTH = re.compile(
    r"(?:ιανουαρι|φεβρουαρι|μαρτι|απριλι|μαι|ιουνι|ιουλι|αυγουστ|σεπτεμβρι|οκτωβρι|οχτωβρι|νοεμβρι"
    r"|δεκεμβρι)(?:οσ|ου|ο|ον)"
    r"|(?:γεναρ|φλεβαρ|μαρτ|απριλ|μα|ιουν|ιουλ|σεπτεμβρ|οκτωβρ|οχτωβρ|νοεμβρ|δεκεμβρ|δεχεμβρ)ησ?"
)
_GLUED = re.compile(r"[α-ωά-ώϊϋΐΰ]{2}[Α-ΩΆ-Ώ][α-ωά-ώϊϋΐΰ]")  # «τηςΕλλάδας»
_TRIPLED = re.compile(r"([α-ω])\1\1")
_ACCENTED = re.compile(r"[άέήίόύώΐΰΆΈΉΊΌΎΏ]")  # two at most: «το αυτοκίνητό του»
_CONSONANTS = re.compile(r"[βγδζθκλμνξπρστφχψ]{5,}")
_NO_ENDS = tuple("βγδζθχ")  # letters that not even a loanword («γκολ», «ρεκόρ») ends with
_STOP = """
ποιος ποια ποιο ποιοι ποιες ποιους ποιον πότε πού πώς πόσα πόσες πόσο πόσους γιατί ήταν είναι έχει
είχε στην στον στους στις των τους του την τον και από για σε ότι θα να τι μεταξύ μετά πριν κατά
κάθε είχαν έγινε υπήρξε οποία οποίο αυτό αυτή αυτός λόγο λόγος
what which when where whom whose with from that this were have been than into over their there
"""
_FOLDED_STOP = frozenset(fold(word) for word in _STOP.split())


def wordset(text: str) -> frozenset[str]:
    """A set of words that is easier read as a line."""
    return frozenset(text.split())


class Word(NamedTuple):
    """One word or number, wherever it stands."""

    folded: str
    stem: str  # its first letters; a number in one spelling; "" for a word that says nothing
    month: int  # 0 for none
    digits: bool
    greek: int  # letters of the Greek alphabet
    capital: int  # 0 none, 1 the first letter, 2 all of two and more
    odd: bool  # spelt as no Greek word is


@lru_cache(maxsize=1 << 17)
def look(word: str) -> Word:
    """What a word of a text is."""
    if word[0].isdigit():
        return Word(word, number(word), 0, True, 0, 0, False)
    folded = fold(word)
    stem = folded[:STEM] if len(folded) >= STEM and folded not in _FOLDED_STOP else ""
    month = dates.month(folded) if _MONTH.fullmatch(folded) else 0
    greek = sum(map(is_greek, word))
    odd = greek == len(word) and _odd(word, folded)
    capital = 2 if len(word) > 1 and word.isupper() else int(word[0].isupper())
    return Word(folded, stem, month, False, greek, capital, odd)


def _odd(word: str, folded: str) -> bool:
    """Glued, stammered, with too many accents, without a vowel, or ended like no Greek word."""
    if len(folded) < STEM:
        return False
    if _GLUED.search(word) or _TRIPLED.search(folded) or len(_ACCENTED.findall(word)) > 2:
        return True
    if word.isupper():  # an abbreviation is not spelt like a word
        return False
    return bool(_CONSONANTS.search(folded)) or folded.endswith(_NO_ENDS)


def number(token: str) -> str:
    """One spelling of a number: 1.200, 1,200 and 1200 are the same digits."""
    return token.replace(".", "").replace(",", "").lstrip("0") or "0"


@dataclass(frozen=True)
class Reading:
    """A text with its words. What only some rules need is worked out when asked for."""

    text: str
    words: tuple[Word, ...]
    names: tuple[Word, ...]  # capitalised, and not only because a sentence begins there
    spoken: tuple[Word, ...]  # the words outside quotation marks: what the text itself says
    stops: frozenset[int]  # which words directly follow a comma

    @classmethod
    def of(cls, text: str) -> Reading:
        found: list[Word] = []
        names: list[Word] = []
        spoken: list[Word] = []
        stops: list[int] = []
        depth = 0
        opening = None  # a capital at a sentence's start: a name only if another one follows
        for match in _TOKEN.finditer(text):
            token = match[0]
            if token in _QUOTES:
                depth = max(0, depth + _QUOTES[token])
                continue
            word = look(token)
            start = match.start()
            if start > 1 and text[start - 2] == ",":
                stops.append(len(found))
            found.append(word)
            if not depth:
                spoken.append(word)
            if not word.capital:
                opening = None
                continue
            if word.capital > 1:
                names.append(word)  # an abbreviation is one anywhere
            elif len(token) < 3:
                pass
            elif start == 0 or (
                not text[start - 2 : start - 1].isalnum()
                and _START.search(text, max(0, start - 6), start)
            ):
                opening = word if word.stem else None
                continue
            else:
                if opening is not None:
                    names.append(opening)
                names.append(word)
            opening = None
        return cls(text, tuple(found), tuple(names), tuple(spoken), frozenset(stops))

    @cached_property
    def stems(self) -> frozenset[str]:
        """Prefixes of the words that carry meaning; numbers stay whole."""
        return frozenset(word.stem for word in self.words if word.stem)

    @cached_property
    def numbers(self) -> frozenset[str]:
        """All numbers in one spelling."""
        return frozenset(word.stem for word in self.words if word.digits)

    @cached_property
    def dates(self) -> frozenset[str]:
        """Full dates as YYYY-MM-DD."""
        return frozenset(dates.every(self.text)) if _YEAR.search(self.text) else frozenset()

    @cached_property
    def months(self) -> frozenset[int]:
        """The months, whether named or the middle of D/M/YYYY."""
        named = {word.month for word in self.words if word.month}
        if "/" in self.text:
            named |= {int(found) for found in _NUMERIC_MONTH.findall(self.text)}
        return frozenset(named)

    @cached_property
    def line(self) -> str:
        """The folded words with single blanks, for patterns: punctuation does not hide a phrase."""
        return " ".join(word.folded for word in self.words)

    @cached_property
    def said(self) -> str:
        """The same without what stands in quotation marks."""
        return " ".join(word.folded for word in self.spoken)


@dataclass(frozen=True, slots=True)
class Claim:
    """A pair on trial."""

    question: Reading
    answer: Reading
    chopped: bool = False

    @classmethod
    def of(cls, question: str, answer: str, chopped: bool = False) -> Claim:
        return cls(Reading.of(question), Reading.of(answer), chopped)
