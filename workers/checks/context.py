"""What the checks may look at: the chunk, its header and its sentences, folded once per task."""

from __future__ import annotations

import re
from dataclasses import dataclass

from exchange.records import Task
from exchange.text import dates
from exchange.text.dates import month
from exchange.text.fold import fold

ENDING = 2  # letters that may differ between two cases of one name: -ος, -ου, -ων, -ης
STEM = 4  # folded letters that name two forms of one Greek word
_SENTENCE_END = re.compile(r"(?<=[.!;…»])\s+(?=[Α-ΩΆ-ΏA-Z«\d])")
_TOKEN = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)*")
_NUMERIC_MONTH = re.compile(r"\b\d{1,2}/(\d{1,2})/\d{4}\b")
_STOP = """
ποιος ποια ποιο ποιοι ποιες ποιους ποιον πότε πού πώς πόσα πόσες πόσο πόσους γιατί ήταν είναι έχει
είχε στην στον στους στις των τους του την τον και από για σε ότι θα να τι μεταξύ μετά πριν κατά
κάθε είχαν έγινε υπήρξε οποία οποίο αυτό αυτή αυτός λόγο λόγος
"""


def tokens(text: str) -> list[str]:
    """Folded words and numbers, punctuation dropped."""
    return _TOKEN.findall(fold(text))


def stems(text: str) -> set[str]:
    """Prefixes of the words that carry meaning; numbers stay whole."""
    found = set()
    for token in tokens(text):
        if token[0].isdigit():
            found.add(number(token))
        elif len(token) >= STEM and token not in _FOLDED_STOP:
            found.add(token[:STEM])
    return found


def number(token: str) -> str:
    """One spelling of a number: 1.200, 1,200 and 1200 are the same digits."""
    return token.replace(".", "").replace(",", "").lstrip("0") or "0"


def numbers(text: str) -> set[str]:
    """All numbers of a text in one spelling."""
    return {number(token) for token in tokens(text) if token[0].isdigit()}


def _shared(word: str, other: str) -> int:
    """How many letters two words begin with in common."""
    pairs = zip(word, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(word), len(other)))


def _by_opening(words: list[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for word in dict.fromkeys(words):
        found[word[:STEM]] = (*found.get(word[:STEM], ()), word)
    return found


def months(text: str) -> set[int]:
    """The months of a text, whether named or the middle of D/M/YYYY."""
    named = {month(token) for token in tokens(text)} - {0}
    return named | {int(found) for found in _NUMERIC_MONTH.findall(text)}


_FOLDED_STOP = frozenset(fold(word) for word in _STOP.split())


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of the chunk: its stems and its full dates."""

    stems: frozenset[str]
    dates: frozenset[str]


@dataclass(frozen=True, slots=True)
class Context:
    """One chunk as the checks see it."""

    text: str  # header and chunk
    folded: str
    numbers: frozenset[str]
    stems: frozenset[str]
    words: dict[str, tuple[str, ...]]  # every folded word, by its first letters
    months: frozenset[int]  # named, or in the header's date
    dates: frozenset[str]  # full dates, as ISO
    header_stems: frozenset[str]
    header_dates: frozenset[str]
    sentences: tuple[Sentence, ...]

    def names(self, name: str) -> bool:
        """True when a word of the chunk is this name, in whatever case it stands.

        Greek cases change the last letters only: all but `ENDING` of the shorter form must be
        the same. Four letters alone would let a model that garbles a name's end pass.
        """
        folded = fold(name)
        return any(
            word == folded
            or _shared(word, folded)
            >= max(min(STEM, len(folded)), min(len(word), len(folded)) - ENDING)
            for word in self.words.get(folded[:STEM], ())
        )

    @classmethod
    def of(cls, task: Task) -> Context:
        whole = f"{task.header}\n{task.text}"
        return cls(
            text=whole,
            folded=fold(whole),
            numbers=frozenset(numbers(whole)),
            stems=frozenset(stems(whole)),
            words=_by_opening(tokens(whole)),
            months=frozenset(months(whole)),
            dates=frozenset(dates.every(whole)),
            header_stems=frozenset(stems(task.header)),
            header_dates=frozenset(dates.every(task.header)),
            sentences=tuple(
                Sentence(frozenset(stems(part)), frozenset(dates.every(part)))
                for part in _SENTENCE_END.split(task.text)
                if part.strip()
            ),
        )
