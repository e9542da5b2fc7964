"""What the checks may look at: the chunk, its header and its sentences, read once per task."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from exchange.records import Task
from workers.checks.reading import STEM, Reading, Word, wordset

# Endings of Greek names and nouns, folded: two words that agree up to these are cases of one.
_ENDINGS = wordset(
    """
    α ασ αν ε εσ εα η ησ ην ι ια ιασ ιο ιον ιοσ ιου ιων ιουσ ιοι ο ον οσ ου ουσ οι οσι οντα
    οντοσ ω ωσ ων εωσ εων εισ εασ αδα αδασ αδοσ αδεσ αδων εδεσ εδων ιδα ιδασ ιδοσ ισ ιδεσ ιδων
    μα ματα ματοσ ματων υ υσ υν σ ν
    """
) | {""}
_SENTENCE_END = re.compile(r"(?<=[.!;…»])\s+(?=[Α-ΩΆ-ΏA-Z«\d])|\n+")
MASCULINE, FEMININE, NEUTER = 1, 2, 4
ARTICLES = {
    "ο": MASCULINE, "τον": MASCULINE, "στον": MASCULINE, "η": FEMININE, "την": FEMININE,
    "τη": FEMININE, "τησ": FEMININE, "στη": FEMININE, "στην": FEMININE, "το": NEUTER,
    "στο": NEUTER | MASCULINE, "του": MASCULINE | NEUTER,
}  # fmt: skip
_GENITIVES = ("του", "τησ")
_APART = 6  # words between an article and the name it belongs to: «η δασκάλα του χωριού Ελένη»
ADJACENT = 8  # bit beside the genders: an article stands directly before the name


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of the chunk: its words, their stems, its full dates."""

    words: tuple[Word, ...]
    stops: frozenset[int]
    stems: frozenset[str]
    names: frozenset[str]  # stems of its names
    dates: frozenset[str]


@dataclass(frozen=True, slots=True)
class Context:
    """What one task asked about, as the checks see it."""

    task: Task
    numbers: frozenset[str]
    stems: frozenset[str]
    words: dict[str, tuple[str, ...]]  # every folded word, by its first letters
    initials: frozenset[str]  # of neighbouring capitalised words: «Ευρωπαϊκή Ένωση» is ΕΕ too
    months: frozenset[int]  # named, or in the header's date
    dates: frozenset[str]  # full dates, as ISO
    header_stems: frozenset[str]
    header_dates: frozenset[str]
    sentences: tuple[Sentence, ...]

    def names(self, folded: str) -> bool:
        """True when a word of the chunk is this name, in whatever case it stands.

        Greek cases change the ending only. Four letters alone would let a model that garbles a
        name's end pass, and a fixed number of them one that doubles a part of it.
        """
        return folded in self.initials or any(
            word == folded or same_word(word, folded) for word in self.words.get(folded[:STEM], ())
        )

    def gender(self, folded: str) -> int:
        """Which articles stand before this name in the chunk, as bits; 0 when none does."""
        found = 0
        for sentence in self.sentences:
            for index, word in enumerate(sentence.words):
                if word.capital and (word.folded == folded or same_word(word.folded, folded)):
                    found |= _article_before(sentence, index)
        return found

    @classmethod
    def of(cls, task: Task) -> Context:
        header = Reading.of(task.header)
        parts = [Reading.of(part) for part in _SENTENCE_END.split(task.text) if part.strip()]
        every = [header, *parts]
        words: dict[str, list[str]] = {}
        for folded in {word.folded for part in every for word in part.words}:
            words.setdefault(folded[:STEM], []).append(folded)
        return cls(
            task=task,
            numbers=frozenset().union(*(part.numbers for part in every)),
            stems=frozenset().union(*(part.stems for part in every)),
            words={key: tuple(found) for key, found in words.items()},
            initials=frozenset(_initials(every)),
            months=frozenset().union(*(part.months for part in every)),
            dates=frozenset().union(*(part.dates for part in every)),
            header_stems=header.stems,
            header_dates=header.dates,
            sentences=tuple(_sentence(part) for part in parts),
        )


def _sentence(part: Reading) -> Sentence:
    names = frozenset(word.stem for word in part.names if not word.month and word.stem)
    return Sentence(part.words, part.stops, part.stems, names, part.dates)


def _initials(readings: Iterable[Reading]) -> Iterator[str]:
    for reading in readings:
        run = ""
        for word in reading.words:
            if word.capital == 1:
                run += word.folded[0]
                for length in range(2, len(run) + 1):
                    yield run[-length:]
            else:
                run = ""


def _article_before(sentence: Sentence, index: int) -> int:
    """The gender that an article gives to the name at `index`.

    «Η πρόεδρος του συλλόγου Χρυσάνθη»: a genitive in between belongs to something else, and so
    does one before a comma («η κόρη του, Ανθή»).
    """
    before = sentence.words[index - 1].folded if index else ""
    if before in ARTICLES and not (before in _GENITIVES and index in sentence.stops):
        return ARTICLES[before] | ADJACENT
    for word in reversed(sentence.words[max(0, index - _APART) : max(0, index - 1)]):
        if word.folded in ARTICLES and word.folded not in _GENITIVES:
            return ARTICLES[word.folded]
    return 0


def same_word(one: str, other: str) -> bool:
    """Cases of one word: a common beginning of at least three letters, then only endings."""
    shared = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        shared += 1
    # Short words are mostly ending: «Άννα» and «Άννας», but not «Άννα» and «Άννης» with two left.
    least = min(STEM - 1, len(one), len(other))
    for at in range(shared, least - 1, -1):
        if one[at:] in _ENDINGS and other[at:] in _ENDINGS:
            return True
    return False
