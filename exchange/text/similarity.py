"""Tell a question asked twice from two questions that only look alike.

Similarity of words alone takes a quarter of *different* dated questions for duplicates ("... in
2012", "... in 2013"). So questions are first put into buckets by what must not differ, the guard:
digits, names, number words, negations, the kind of question. Only inside a bucket are words
compared, by the exact Jaccard index of their stems.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from exchange.text.fold import WORD, fold
from exchange.text.language import every
from exchange.text.stems import stem

SIMILAR = 0.8  # Jaccard index from which two questions of one bucket are the same question
_ROUNDING = 1e-9  # what a product of floats may be off by
_FEW = 16  # questions of one bucket that are compared one by one
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


def prefix(stems: frozenset[str], least: float = SIMILAR) -> list[str]:
    """Keys of a question, of which two questions alike have one in common: pairs of rarer stems.

    Of two sets whose Jaccard index is `least` or more, each ordered the same way, the first
    n - ceil(least * n) + k members have k in common (the prefix filter; Chaudhuri et al. 2006).
    Long stems come first, since they are rarer. Two of them stand together in few questions,
    however many there are; a single one, in a share of all. [""] for a question without any.
    """
    # Two stems in common are certain where no set of one stem is like a larger one.
    common = min(2 if least > 2 / 3 else 1, len(stems))
    ordered = sorted(stems, key=lambda stem: (-len(stem), stem))
    count = len(ordered) - math.ceil(least * len(ordered) - _ROUNDING) + common
    return [" ".join(some) for some in combinations(ordered[:count], common)]


class SignatureIndex:
    """Questions by name; finds the nearest in the same bucket.

    Most buckets hold few: names and dates tell questions apart. Those without any are many in one,
    and to look through all of them for each takes the square of their number; so there only such
    as share a key of the `prefix` are compared, which loses none.

    Args:
        least: the Jaccard index from which one is near.
    """

    def __init__(self, least: float = SIMILAR) -> None:
        self._least = least
        self._buckets: defaultdict[str, list[tuple[str, frozenset[str]]]] = defaultdict(list)
        self._by_key: dict[str, defaultdict[str, list[int]]] = {}  # of the large ones

    def add(self, name: str, question: QuestionSignature) -> None:
        bucket = self._buckets[question.key]
        bucket.append((name, question.stems))
        if len(bucket) <= _FEW:
            return
        fresh = question.key not in self._by_key
        by_key = self._by_key.setdefault(question.key, defaultdict(list))
        for number in range(0 if fresh else len(bucket) - 1, len(bucket)):
            for rare in prefix(bucket[number][1], self._least):
                by_key[rare].append(number)

    def nearest(self, question: QuestionSignature, beside: str = "") -> tuple[str, float]:
        """Name and similarity of the nearest, the first of several; never the one named `beside`.
        ("", 0.0) where none is near.
        """
        found, best = "", 0.0
        bucket = self._buckets.get(question.key, [])
        for number in self._candidates(question, len(bucket)):
            name, stems = bucket[number]
            value = jaccard(question.stems, stems)
            if value >= self._least and value > best and name != beside:
                found, best = name, value
        return found, best

    def _candidates(self, question: QuestionSignature, count: int) -> Iterable[int]:
        by_key = self._by_key.get(question.key)
        if by_key is None:
            return range(count)
        known = (by_key.get(one, ()) for one in prefix(question.stems, self._least))
        return sorted({number for numbers in known for number in numbers})
