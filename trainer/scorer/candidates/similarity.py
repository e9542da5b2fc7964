"""What can be counted of an answer beside its guide and its question: shared words, length, denial.

No model and no weights: a second's work for a class. Words are compared by their first letters, in
any language; how much one says is known from the taught texts (rarer says more).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

from exchange.text.fold import fold, words
from exchange.text.language import every
from trainer.scorer.items import ScoreItem

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

STEM = 5  # letters that name a word's forms
VOCABULARY = 2000  # commonest stems that are features of their own
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_NEGATORS = every().words("negators")
_EMPTY = (
    frozenset(
        fold(word)
        for name in ("question_stop_words", "stop_words", "small_words")
        for word in every().words(name)
    )
    | frozenset().union(*every().function_words.values())
) - _NEGATORS


def stems(text: str) -> list[str]:
    """The beginnings of its words, in order; pairs of signs where words have no blanks."""
    found = []
    for word in words(text):
        if _UNSPACED.search(word):
            found += [word[at : at + 2] for at in range(max(1, len(word) - 1))]
        else:
            found.append(word[:STEM])
    return found


@dataclass(slots=True)
class TextCounts:
    """In how many of the taught texts each stem stands, and each run of three letters."""

    texts: int = 0
    stems: Counter[str] = field(default_factory=Counter)
    trigrams: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, items: Iterable[ScoreItem]) -> TextCounts:
        """Every text counts once, however many rows it stands in."""
        found = cls()
        for text in dict.fromkeys(
            part for item in items for part in (item.question, item.guide, item.answer)
        ):
            found.texts += 1
            found.stems.update(set(stems(text)))
            found.trigrams.update(set(_trigrams(text)))
        return found

    def weight(self, stem: str) -> float:
        """The logarithm of how rare it is, at least 0.1."""
        return math.log((self.texts + 1) / (self.stems[stem] + 1)) + 0.1

    def trigram_weight(self, run: str) -> float:
        """The same of a run of letters."""
        return math.log((self.texts + 1) / (self.trigrams[run] + 1)) + 0.1


class SimilarityView:
    """Numbers about answer, guide and question; nothing of them depends on a label."""

    kind: ClassVar[str] = "similarity"
    penalty: ClassVar[float] = 30.0
    weight: ClassVar[float] = 1.0

    def __init__(self, counts: TextCounts) -> None:
        self.counts = counts
        self._read: dict[str, _ReadText] = {}

    def features(self, items: Sequence[ScoreItem]) -> tuple[Array, Array]:
        """(items, 18), not scaled; no vectors."""
        import numpy as np

        found = np.array([self._numbers(item) for item in items], np.float64)
        return found.reshape(len(items), -1), np.zeros((len(items), 0))

    def _text(self, text: str) -> _ReadText:
        found = self._read.get(text)
        if found is None:
            found = self._read[text] = _ReadText.of(text, self.counts)
        return found

    def _numbers(self, item: ScoreItem) -> list[float]:
        answer = _ReadText.of(item.answer, self.counts)
        guide, question = self._text(item.guide), self._text(item.question)
        weigh = self.counts.weight

        def share(some: Iterable[str], whole: frozenset[str], otherwise: float = 0.0) -> float:
            total = sum(map(weigh, whole))
            return sum(map(weigh, some)) / total if total else otherwise

        said, wanted, asked = answer.content, guide.content, question.content
        met = said & wanted
        new, own = wanted - asked, said - asked  # what the question did not say already
        recall = share(met, wanted)
        lengths = math.log1p(len(answer.stems)), math.log1p(len(guide.stems))
        given, known = answer.numbers, guide.numbers
        return [
            recall,
            share(met, said),
            share(said & new, new, recall),
            share(own & new, own),
            len(met) / max(1, len(wanted)),
            len(said & new) / len(new) if new else len(met) / max(1, len(wanted)),
            share(said & asked, asked),
            len(own) / max(1, len(said)),
            answer.cosine(guide),
            len(answer.pairs & guide.pairs) / max(1, len(guide.pairs)),
            answer.spelled(guide),
            lengths[0],
            lengths[0] - lengths[1],
            math.log1p(len(own)),
            float(answer.denies != guide.denies),
            float(answer.denies and not guide.denies),
            len(given & known) / len(known) if known else 0.0,
            float(bool(given - known)),
        ]


@dataclass(frozen=True, slots=True)
class _ReadText:
    """One text, taken apart."""

    stems: list[str]
    content: frozenset[str]  # stems of the words that say something by themselves
    pairs: frozenset[tuple[str, str]]
    weights: dict[str, float]  # of a vector of length 1, by stem
    trigrams: dict[str, float]  # the same
    denies: bool
    numbers: frozenset[str]

    @classmethod
    def of(cls, text: str, counts: TextCounts) -> _ReadText:
        found = stems(text)
        spoken = words(text)
        empty = {word[:STEM] for word in spoken if word in _EMPTY}
        return cls(
            found,
            frozenset(found) - empty,
            frozenset(pairwise(found)),
            _unit({stem: n * counts.weight(stem) for stem, n in Counter(found).items()}),
            _unit(
                {
                    run: (1 + math.log(n)) * counts.trigram_weight(run)
                    for run, n in Counter(_trigrams(text)).items()
                }
            ),
            not _NEGATORS.isdisjoint(spoken),
            frozenset(number.replace(",", ".") for number in _NUMBER.findall(text)),
        )

    def cosine(self, other: _ReadText) -> float:
        return _dot(self.weights, other.weights)

    def spelled(self, other: _ReadText) -> float:
        """The cosine of their runs of letters: forms and misspellings of a word are alike."""
        return _dot(self.trigrams, other.trigrams)


class WordsView:
    """Which words stand in answer and guide, and which in both: a bag of words of the pair.

    It learns what wins points whatever the guide says, which is worth something where questions of
    one subject come again, and nothing elsewhere.
    """

    kind: ClassVar[str] = "words"
    penalty: ClassVar[float] = 1.0
    weight: ClassVar[float] = 1.0

    def __init__(self, counts: TextCounts) -> None:
        self.counts = counts
        common = sorted(counts.stems.items(), key=lambda pair: (-pair[1], pair[0]))[:VOCABULARY]
        self._column = {stem: number for number, (stem, _) in enumerate(common)}

    def features(self, items: Sequence[ScoreItem]) -> tuple[Array, Array]:
        """No numbers; (items, four times the vocabulary and one).

        The columns are those of the answer, the guide, their difference, their product; last the
        cosine.
        """
        import numpy as np

        answer = self._matrix([item.answer for item in items])
        guide = self._matrix([item.guide for item in items])
        both = answer * guide
        vectors = [answer, guide, np.abs(answer - guide), both, both.sum(axis=1, keepdims=True)]
        return np.zeros((len(items), 0)), np.hstack(vectors)

    def _matrix(self, texts: Sequence[str]) -> Array:
        import numpy as np

        found = np.zeros((len(texts), len(self._column)), np.float32)
        for row, text in zip(found, texts, strict=True):
            for stem, count in Counter(stems(text)).items():
                if stem in self._column:
                    row[self._column[stem]] = (1 + math.log(count)) * self.counts.weight(stem)
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        unit: Array = found / np.maximum(lengths, 1e-9)
        return unit


def _trigrams(text: str) -> list[str]:
    folded = f" {fold(text)} "
    return [folded[at : at + 3] for at in range(len(folded) - 2)]


def _unit(weights: dict[str, float]) -> dict[str, float]:
    length = math.sqrt(sum(value * value for value in weights.values())) or 1.0
    return {name: value / length for name, value in weights.items()}


def _dot(one: dict[str, float], other: dict[str, float]) -> float:
    small, large = sorted((one, other), key=len)
    return sum(value * large.get(name, 0.0) for name, value in small.items())
