"""Where in the chunk a pair has its answer from, and whether another value stands nearer.

A text is a line of words on which the end of a clause counts as some words and the end of a
sentence as more. What a question asks about pulls at each value by how rare it is and by how near
it stands (proximity as in passage retrieval: Clarke, Cormack, Tudhope 2000). The answer's value
must not be outdone by another value of its sort: of "365 churches ... 55 towers" a question for
towers pulls at 55.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from exchange.text.language import every
from exchange.text.numbers import Quantity
from exchange.text.tokens import TokenizedPair, TokenizedText, lazy_attribute

COMMA, CLAUSE, SENTENCE = 1, 3, 12  # words that a mark, a contrast, a full stop count for
REACH = 5.0  # words over which the pull of a term falls to a third
FURTHER_UP = 3  # sentences within which a person is still known by part of the name
BESIDE = 2  # words between a name and its title, a comma counting as one
FAR = 60  # words from which a term pulls no more
_FALL = [*(math.exp(-distance / REACH) for distance in range(FAR)), 0.0]
NEAR = 4  # words between a number and the noun that it counts
_CONTRAST = every().words("contrast")


class PlacedValue(NamedTuple):
    """A number or a name of the text, and where it stands."""

    key: str
    unit: str
    start: int  # on the line of words
    end: int
    sentence: int
    words: tuple[str, ...] = ()  # of a name
    quantity: Quantity | None = None


class Evidence:
    """The words of a chunk's sentences, on one line.

    Attributes:
        places: where each stem stands on the line.
        holders: the numbers of the sentences that hold a stem.
        weights: of each stem, by how few sentences hold it; 1 where a single one does.
    """

    def __init__(self, sentences: Sequence[TokenizedText]) -> None:
        self.sentences = sentences
        self.places = places = defaultdict[str, list[int]](list)
        self.holders = holders = defaultdict[str, set[int]](set)
        self._starts: list[list[int]] = []
        place = 0
        for number, sentence in enumerate(sentences):
            starts: list[int] = []
            breaks = sentence.breaks
            for index, word in enumerate(sentence.words):
                place += 1
                if word.folded in _CONTRAST:
                    place += CLAUSE
                elif index in breaks:
                    place += COMMA
                starts.append(place)
                stem = word.stem
                if stem:
                    places[stem].append(place)
                    holders[stem].add(number)
            self._starts.append(starts)
            place += SENTENCE
        most = len(sentences)
        by_count = [0.0, *(math.log(1 + most / n, 1 + most) for n in range(1, most + 1))]
        self.weights = {stem: by_count[len(held)] for stem, held in self.holders.items()}
        self._before: dict[int, frozenset[str]] = {}
        self._best: tuple[tuple[str, str], int] = (("", ""), -1)
        self._near: dict[int, frozenset[str]] = {}

    @lazy_attribute
    def quantities(self) -> list[PlacedValue]:
        """The numbers of the text."""
        found: list[PlacedValue] = []
        for number, (sentence, starts) in enumerate(zip(self.sentences, self._starts, strict=True)):
            for q in sentence.quantities:
                counted = (  # "55 towers"
                    q.end < len(starts)
                    and q.end not in sentence.breaks
                    and sentence.words[q.end].stem
                    and not is_year(q.value, q.unit)
                )
                end = starts[q.end if counted else q.end - 1]
                found.append(PlacedValue(q.value, q.unit, starts[q.start], end, number, (), q))
        return found

    @lazy_attribute
    def names(self) -> list[PlacedValue]:
        """The runs of capitalised words."""
        found: list[PlacedValue] = []
        for number, (sentence, starts) in enumerate(zip(self.sentences, self._starts, strict=True)):
            for first, last in name_runs(sentence):
                words = tuple([word.folded for word in sentence.words[first : last + 1]])
                place = starts[first]
                found.append(PlacedValue(" ".join(words), "", place, starts[last], number, words))
        return found

    @lazy_attribute
    def names_in(self) -> dict[int, list[PlacedValue]]:
        """The same by their sentences."""
        found = defaultdict[int, list[PlacedValue]](list)
        for name in self.names:
            found[name.sentence].append(name)
        return found

    @lazy_attribute
    def years(self) -> list[PlacedValue]:
        """The numbers that are years."""
        return [value for value in self.quantities if is_year(value.key, value.unit)]

    @lazy_attribute
    def counts(self) -> list[PlacedValue]:
        """The other numbers."""
        return [value for value in self.quantities if not is_year(value.key, value.unit)]

    def best(self, claim: TokenizedPair) -> int:
        """The number of the sentence that a pair is from; -1 where none holds any of it.

        It is the one that holds most of what the answer adds to the question, by weight, and of
        these the one that holds most of the question.
        """
        key = (claim.question.text, claim.answer.text)
        if key == self._best[0]:
            return self._best[1]
        asked = self._shares(claim.question.stems)
        told = self._shares(claim.answer.stems - claim.question.stems)
        found = -1
        for number in sorted({*asked, *told}):
            here = (told.get(number, 0.0), asked.get(number, 0.0))
            if found < 0 or here > (told.get(found, 0.0), asked.get(found, 0.0)):
                found = number
        self._best = (key, found)
        return found

    def _shares(self, stems: frozenset[str]) -> dict[int, float]:
        """By sentence, the weight of the stems that it holds."""
        found: dict[int, float] = {}
        for stem in sorted(stems & self.holders.keys()):
            for number in self.holders[stem]:
                found[number] = found.get(number, 0.0) + self.weights[stem]
        return found

    def holding(self, stems: Iterable[str]) -> set[int]:
        """The sentences that hold any of these stems, all of them the text's."""
        return set().union(*[self.holders[stem] for stem in stems])

    def near(self, index: int) -> frozenset[str]:
        """The stems of a sentence and its two neighbours."""
        found = self._near.get(index)
        if found is None:
            around = self.sentences[max(0, index - 1) : index + 2]
            found = self._near[index] = frozenset().union(*[one.stems for one in around])
        return found

    def before(self, index: int) -> frozenset[str]:
        """The stems of the few sentences before a sentence."""
        found = self._before.get(index)
        if found is None:
            around = self.sentences[max(0, index - FURTHER_UP) : index]
            found = self._before[index] = frozenset().union(*[one.stems for one in around])
        return found

    def pull(self, value: PlacedValue, terms: Iterable[tuple[str, float]]) -> float:
        """How strongly the terms of a question, all of them the text's, stand with a value."""
        pulled = 0.0
        start, end = value.start, value.end
        for stem, weight in terms:
            nearest = FAR
            for place in self.places[stem]:
                distance = start - place if place < start else place - end
                if distance < nearest:
                    nearest = distance
            pulled += weight * _FALL[max(nearest, 0)]
        return pulled

    def stands_with(self, noun: str, value: PlacedValue) -> bool:
        """Whether a number counts a noun, or a name bears a title: it stands near it.

        Near a number is in its clause, before or behind; near a name is beside it.
        """
        if value.quantity is None:
            places = self.places.get(noun, ())
            return any(-BESIDE <= place - value.end <= BESIDE for place in places) or any(
                0 < value.start - place <= BESIDE for place in places
            )
        sentence = self.sentences[value.sentence]
        words, breaks = sentence.words, sentence.breaks
        for index in range(value.quantity.end, min(value.quantity.end + NEAR, len(words))):
            if index in breaks or words[index].digits:
                break
            if words[index].stem == noun:
                return True
        first = value.quantity.start
        for index in range(first - 1, max(-1, first - 1 - NEAR), -1):
            if index + 1 in breaks or words[index].digits:
                break
            if words[index].stem == noun:
                return True
        return False


def is_year(key: str, unit: str) -> bool:
    """A number of four digits that measures nothing."""
    return not unit and len(key) == 4 and key[:2] in ("18", "19", "20", "21")


def name_runs(text: TokenizedText) -> list[tuple[int, int]]:
    """First and last word of each run of capitalised words, a sentence's first word included."""
    runs: list[tuple[int, int]] = []
    for index in text.named:
        if text.words[index].month:
            continue
        if runs and runs[-1][1] == index - 1 and index not in text.breaks:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs
