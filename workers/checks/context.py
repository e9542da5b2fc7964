"""What the checks look at: the chunk, its header and sentences, and what a question asks for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache

from exchange.records import PairKind, Task
from exchange.text.fold import fold
from exchange.text.instructions import COMMAND_WORDS, commanded
from exchange.text.language import every
from exchange.text.sentences import split_sentences
from exchange.text.stems import STEM, is_same_word
from exchange.text.tokens import TokenizedPair, TokenizedText, lazy_attribute
from workers.checks.calendar import Calendar, printed_day
from workers.checks.evidence import Evidence

MASCULINE, FEMININE, NEUTER = 1, 2, 4
ARTICLES = every().genders
GENITIVES = every().words("genitive_articles")
_ABBREVIATED = re.compile(r"\b([^\W\d_a-zα-ω][^\W\d_A-ZΑ-Ω]{2,4})\.(?=\s*[^\W\d_])")
CAPITAL_NOUNS = every().words("capital_nouns")  # languages where a capital makes no name
_FEW = 12
_APART = 6  # words between an article and the name it belongs to: «η δασκάλα του χωριού Ελένη»
ADJACENT = 8  # bit beside the genders: an article stands directly before the name
_OPENING_KINDS: tuple[PairKind, ...] = ("time", "place", "quantity", "cause", "person")
_OPENINGS = tuple((kind, every().list_of(f"asks_{kind}")) for kind in _OPENING_KINDS)
_LARGER_KINDS: tuple[PairKind, ...] = ("timeline", "cause")
_LARGER = tuple((kind, every().list_of(f"asks_{kind}_of_all")) for kind in _LARGER_KINDS)


class CheckContext:
    """What one task asked about, as the checks see it.

    Attributes:
        sentences: of the text, in order.
        folded: every folded word of header and text.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.header = _header(task.header, task.language)
        self.sentences = tuple(
            TokenizedText(sentence, task.language)
            for line in task.text.splitlines()
            for sentence in split_sentences(line, task.language)
        )
        self._every = (self.header, *self.sentences)
        self.folded = frozenset([word.folded for part in self._every for word in part.words])
        self._genders: dict[str, int] = {}

    @classmethod
    def of(cls, task: Task) -> CheckContext:
        """Read what a task asks about."""
        return cls(task)

    @lazy_attribute
    def commanded(self) -> frozenset[int]:
        """The numbers of the sentences that tell a model what to do, hardly ever any."""
        if COMMAND_WORDS.isdisjoint(self.folded):
            return frozenset()
        found: set[int] = set()
        number = 0
        for line in self.task.text.splitlines():
            sentences = split_sentences(line, self.task.language)
            found.update(number + index for index in commanded(sentences))
            number += len(sentences)
        return frozenset(found)

    @lazy_attribute
    def commanded_stems(self) -> frozenset[str]:
        """What only those sentences say; of words that say nothing, the words."""
        theirs: set[str] = set()
        others = set(self.header.stems | self.header.folded)
        if commanded([self.header.text]):
            others.clear()
        for number, sentence in enumerate(self.sentences):
            (theirs if number in self.commanded else others).update(sentence.stems, sentence.folded)
        return frozenset(theirs - others)

    @lazy_attribute
    def stems(self) -> frozenset[str]:
        return self.header.stems.union(self.evidence.holders)

    @lazy_attribute
    def _forms(self) -> dict[str, list[str]]:
        """The folded words by their first letters."""
        found = defaultdict[str, list[str]](list)
        for folded in self.folded:
            found[folded[:STEM]].append(folded)
        return found

    @lazy_attribute
    def numbers(self) -> frozenset[str]:
        """Every number of header and text."""
        return frozenset().union(*[part.numbers_held for part in self._every])

    def speaks_of(self, month: int) -> bool:
        """Whether a month is one of the chunk's, written or the newspaper's."""
        return month in self.told_months or month in self.calendar.named

    def dates_hold(self, iso: str) -> bool:
        """Whether a date, as far as it is told, is one of the chunk's, written or meant."""
        return iso in self.told_dates or self.calendar.holds(iso)

    def derives(self, value: str, said: frozenset[str]) -> bool:
        """Whether a number is the sum or the difference of two that stand near to each other.

        Args:
            said: numbers of the pair; one of the two must be among them, since many sums are
                possible ("at 86 minutes, five after the other goal").
        """
        wanted = _decimal(value)
        if wanted is None or wanted <= _FEW:  # "3-1" is the sum of many
            return False
        held = [[q.value for q in part.quantities] for part in self.sentences]
        for index, here in enumerate(held):
            near = here + (held[index + 1] if index + 1 < len(held) else [])
            for one in here:
                for other in near:
                    if one != other and (one in said or other in said):
                        a, b = _decimal(one), _decimal(other)
                        if a is not None and b is not None and wanted in (a + b, abs(a - b)):
                            return True
        return False

    @lazy_attribute
    def units(self) -> dict[str, frozenset[str]]:
        """What each number measures where it stands; "" where that is not known."""
        found: dict[str, set[str]] = {}
        for part in self._every:
            for quantity in part.quantities:
                found.setdefault(quantity.value, set()).add(quantity.unit)
        return {value: frozenset(units) for value, units in found.items()}

    @lazy_attribute
    def evidence(self) -> Evidence:
        """The text as a line of words."""
        return Evidence(self.sentences)

    @lazy_attribute
    def printed(self) -> str:
        """The newspaper's day, "" where the header has none."""
        return printed_day(self.header.text, self.header.language)

    @lazy_attribute
    def told_dates(self) -> frozenset[str]:
        """The dates as they are written."""
        return frozenset().union(*[part.calendar for part in self.sentences])

    @lazy_attribute
    def told_months(self) -> frozenset[int]:
        """The months as they are written."""
        return frozenset().union(*[part.months for part in self.sentences])

    @lazy_attribute
    def calendar(self) -> Calendar:
        """The days, months and years that the chunk speaks of."""
        return Calendar(self.header, self.sentences)

    @lazy_attribute
    def initials(self) -> frozenset[str]:
        """Of neighbouring capitalised words: «Ευρωπαϊκή Ένωση» is ΕΕ too."""
        return frozenset(_initials(self._every))

    @lazy_attribute
    def _capitals(self) -> dict[str, list[tuple[TokenizedText, int]]]:
        """Where capitalised words stand, by their first letters."""
        found: dict[str, list[tuple[TokenizedText, int]]] = {}
        for sentence in self.sentences:
            for index in sentence.capitals:
                stem = sentence.words[index].folded[:STEM]
                found.setdefault(stem, []).append((sentence, index))
        return found

    def best_sentence(self, claim: TokenizedPair) -> TokenizedText | None:
        """The sentence that the pair is most likely from, None where none holds any of it."""
        index = self.evidence.best(claim)
        return None if index < 0 else self.sentences[index]

    def names(self, folded: str) -> bool:
        """True when a word of the chunk is this name, in whatever case it stands.

        Greek cases change the ending only. Four letters alone would let a model that garbles a
        name's end pass, and a fixed number of them one that doubles a part of it.
        """
        if folded in self.folded:
            return True
        if any(is_same_word(form, folded) for form in self._forms.get(folded[:STEM], ())):
            return True
        return folded in self.initials or any(map(folded.startswith, self.abbreviated))

    @lazy_attribute
    def abbreviated(self) -> frozenset[str]:
        """Beginnings of words that stand for them: "Wis.", "Gov."."""
        return frozenset(fold(found) for found in _ABBREVIATED.findall(self.task.text))

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


@lru_cache(maxsize=1 << 10)  # a story's chunks have one header
def _header(text: str, language: str) -> TokenizedText:
    return TokenizedText(text, language)


def _decimal(value: str) -> Decimal | None:
    try:
        return Decimal(value)
    except ArithmeticError:  # 3.5.2004
        return None


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


def opens_with(line: str, openings: tuple[str, ...]) -> bool:
    """Whether a folded question begins so, a preposition apart ("since when", "in how many")."""
    return line.startswith(openings) or line.partition(" ")[2].startswith(openings)


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
