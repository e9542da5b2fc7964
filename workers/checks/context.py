"""What the checks look at: the chunk, its header and sentences, and what a question asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from exchange.records import PairKind, Task
from exchange.text.language import every
from exchange.text.stems import STEM, is_same_word
from exchange.text.tokens import TokenizedText, lazy_attribute

_SENTENCE_END = re.compile(r"(?<=[.!;…»])\s+(?=[Α-ΩΆ-ΏA-Z«\d])|\n+")
MASCULINE, FEMININE, NEUTER = 1, 2, 4
ARTICLES = every().genders
GENITIVES = every().words("genitive_articles")
_APART = 6  # words between an article and the name it belongs to: «η δασκάλα του χωριού Ελένη»
ADJACENT = 8  # bit beside the genders: an article stands directly before the name
_OPENING_KINDS: tuple[PairKind, ...] = ("time", "place", "quantity", "cause", "person")
_OPENINGS = tuple((kind, every().list_of(f"asks_{kind}")) for kind in _OPENING_KINDS)
_LARGER_KINDS: tuple[PairKind, ...] = ("timeline", "cause")
_LARGER = tuple((kind, every().list_of(f"asks_{kind}_of_all")) for kind in _LARGER_KINDS)


class CheckContext:
    """What one task asked about, as the checks see it.

    Attributes:
        words: every folded word of header and text, by its first letters.
        months: named, or in the header's date.
        dates: full dates, as ISO.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.header = TokenizedText(task.header)
        self.sentences = tuple(
            TokenizedText(part) for part in _SENTENCE_END.split(task.text) if part.strip()
        )
        self._every = (self.header, *self.sentences)
        words: dict[str, list[str]] = {}
        everything = {word.folded for part in self._every for word in part.words}
        for folded in everything:
            words.setdefault(folded[:STEM], []).append(folded)
        self.words = words
        self.stems = frozenset().union(*[part.stems for part in self._every])
        self._genders: dict[str, int] = {}

    @classmethod
    def of(cls, task: Task) -> CheckContext:
        """Read what a task asks about."""
        return cls(task)

    @lazy_attribute
    def numbers(self) -> frozenset[str]:
        return frozenset().union(*[part.numbers for part in self._every])

    @lazy_attribute
    def months(self) -> frozenset[int]:
        return frozenset().union(*[part.months for part in self._every])

    @lazy_attribute
    def dates(self) -> frozenset[str]:
        return frozenset().union(*[part.dates for part in self._every])

    @lazy_attribute
    def initials(self) -> frozenset[str]:
        """Of neighbouring capitalised words: «Ευρωπαϊκή Ένωση» is ΕΕ too."""
        return frozenset(_initials(self._every))

    @lazy_attribute
    def _capitals(self) -> dict[str, list[tuple[TokenizedText, int]]]:
        """Where capitalised words stand, by their first letters."""
        found: dict[str, list[tuple[TokenizedText, int]]] = {}
        for sentence in self.sentences:
            for index, word in enumerate(sentence.words):
                if word.capital:
                    found.setdefault(word.folded[:STEM], []).append((sentence, index))
        return found

    def names(self, folded: str) -> bool:
        """True when a word of the chunk is this name, in whatever case it stands.

        Greek cases change the ending only. Four letters alone would let a model that garbles a
        name's end pass, and a fixed number of them one that doubles a part of it.
        """
        near = self.words.get(folded[:STEM], ())
        if folded in near or any(is_same_word(word, folded) for word in near):
            return True
        return folded in self.initials

    def gender(self, folded: str) -> int:
        """Which articles stand before this name in the chunk, as bits; 0 when none does."""
        found = self._genders.get(folded)
        if found is None:
            found = 0
            for sentence, index in self._capitals.get(folded[:STEM], ()):
                if is_same_word(sentence.words[index].folded, folded):
                    found |= _article_before(sentence, index)
            self._genders[folded] = found
        return found


def _initials(readings: Iterable[TokenizedText]) -> Iterator[str]:
    for reading in readings:
        run = ""
        for word in reading.words:
            if word.capital == 1:
                run += word.folded[0]
                for length in range(2, len(run) + 1):
                    yield run[-length:]
            else:
                run = ""


def _article_before(sentence: TokenizedText, index: int) -> int:
    """The gender that an article gives to the name at `index`.

    «Η πρόεδρος του συλλόγου Χρυσάνθη»: a genitive in between belongs to something else, and so
    does one before a comma («η κόρη του, Ανθή»).
    """
    before = sentence.words[index - 1].folded if index else ""
    if before in ARTICLES and not (before in GENITIVES and index in sentence.stops):
        return ARTICLES[before] | ADJACENT
    for word in reversed(sentence.words[max(0, index - _APART) : max(0, index - 1)]):
        if word.folded in ARTICLES and word.folded not in GENITIVES:
            return ARTICLES[word.folded]
    return 0


def kind_of(question: TokenizedText) -> PairKind:
    """The kind of a question about one fact."""
    opening = question.line + " "
    for kind, starts in _OPENINGS:
        if opening.startswith(starts):
            return kind
    return "fact"


def larger_kind_of(question: TokenizedText) -> PairKind:
    """The kind of a question about a whole chunk: its order, its consequences, or all of it."""
    for kind, marks in _LARGER:
        if any(mark in question.line for mark in marks):
            return kind
    return "summary"
