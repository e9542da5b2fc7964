"""Tell a question asked twice from two questions that only look alike.

Similarity of words alone takes a quarter of *different* dated questions for duplicates ("... in
2012", "... in 2013"). So questions are first put into buckets by what must not differ, the guard:
digits, names, number words, negations, the kind of question. Only inside a bucket are words
compared, by the exact Jaccard index of their stems.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from exchange.text.fold import WORD, fold
from exchange.text.language import every
from exchange.text.stems import stem

SIMILAR = 0.8  # Jaccard index from which two questions of one bucket are the same question
_SENTENCE_START = re.compile(r"(?:\A|[.!?;:·»\u037e])\W*$")
_DISTINGUISHING = (*every().list_of("distinguishing"), *every().months)
_QUESTION_WORDS = every().list_of("question_words")
_STOP_WORDS = every().words("question_stop_words")


@dataclass(frozen=True, slots=True)
class QuestionSignature:
    """A question as it is compared: `key` must be equal, `stems` alike."""

    key: str
    stems: frozenset[str]
    spelled: tuple[tuple[str, str], ...]  # names: stem and word, in order

    @property
    def names(self) -> frozenset[str]:
        """Stems of the words written with a capital."""
        return frozenset(stem for stem, _word in self.spelled)


class _WordRole(NamedTuple):
    """What one word is, wherever it stands; words recur, so this is worth remembering."""

    asks: str
    root: str  # "" for a word that says nothing
    turns: bool


@lru_cache(maxsize=1 << 16)
def _role_of(word: str) -> _WordRole:
    folded = fold(word)
    asks = next((start for start in _QUESTION_WORDS if folded.startswith(start)), "")
    if folded in _STOP_WORDS:
        return _WordRole(asks, "", False)
    return _WordRole(asks, stem(folded), not folded.isalpha() or folded.startswith(_DISTINGUISHING))


def question_signature(question: str) -> QuestionSignature:
    """The guard and the stems of a question, any accents, capitals and punctuation."""
    shouted = question.isupper()
    turning: set[str] = set()
    names: dict[str, str] = {}
    stems: set[str] = set()
    asked = ""
    for match in WORD.finditer(question):
        word = match[0]
        seen = _role_of(word)
        if seen.asks and not asked:
            asked = seen.asks
            continue
        if not seen.root:
            continue
        stems.add(seen.root)
        if seen.turns:
            turning.add(seen.root)
        elif (
            word[0].isupper()
            and not shouted
            # Any word has a capital at the start of a sentence.
            and not _SENTENCE_START.search(question, max(0, match.start() - 3), match.start())
        ):
            names[seen.root] = word
    key = f"{asked}|{' '.join(sorted(turning | names.keys()))}"
    return QuestionSignature(key, frozenset(stems), tuple(names.items()))


def is_stop_word(word: str) -> bool:
    """Whether a word of any case says nothing by itself: articles, prepositions, auxiliaries."""
    return not _role_of(word).root


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """The Jaccard index of two sets of stems; two empty ones are equal."""
    union = len(one | other)
    return len(one & other) / union if union else 1.0


class SignatureIndex:
    """Questions by name; finds the nearest in the same bucket."""

    def __init__(self) -> None:
        self._buckets: defaultdict[str, list[tuple[str, frozenset[str]]]] = defaultdict(list)

    def add(self, name: str, question: QuestionSignature) -> None:
        self._buckets[question.key].append((name, question.stems))

    def nearest(self, question: QuestionSignature, beside: str = "") -> tuple[str, float]:
        """Name and similarity of the nearest, ("", 0.0) for none; never the one named `beside`."""
        found, best = "", 0.0
        for name, stems in self._buckets.get(question.key, ()):
            value = jaccard(question.stems, stems)
            if value > best and name != beside:
                found, best = name, value
        return found, best
