"""What a score can be held against: the nearest taught answers, and what of the guide is met.

Told by shared words and numbers alone. It says where a reader has to look, not why the scorer
decided: no candidate can say that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from exchange.text.fold import words
from exchange.text.language import every
from exchange.text.scripts import letter_pairs, writes_without_blanks
from exchange.text.sentences import split_sentences
from exchange.text.similarity import is_stop_word, jaccard
from exchange.text.stems import STEM
from trainer.scorer.items import ScoreItem, ScoreScale, comparable

NEAREST = 2  # taught answers that are named
MET = 0.5  # share of a sentence's words that say something, which an answer needs
_EMPTY = every().words("stop_words")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_LEVEL = re.compile(r"\s*[-+]?\d+(?:[.,]\d+)?\s*[:)\-–]\s*|\s*[-•*·]\s+")  # before a rubric's line


@dataclass(frozen=True, slots=True)
class NearAnswer:
    """A taught answer to the same question."""

    answer: str
    score: float
    likeness: float  # 0 to 1: the share of words in common


@dataclass(frozen=True, slots=True)
class ScoreContext:
    """What stands beside one score."""

    nearest: tuple[NearAnswer, ...]
    met: tuple[str, ...]  # sentences of the guide
    missed: tuple[str, ...]


class TaughtAnswers:
    """What a scorer was taught, by question.

    Args:
        items: the answers that it was taught.
        tested: others of its set, of whose questions guide and scale are known too.
    """

    def __init__(self, items: Sequence[ScoreItem], tested: Sequence[ScoreItem] = ()) -> None:
        self._asked: dict[str, list[ScoreItem]] = {}
        for item in (*items, *tested):
            self._asked.setdefault(item.group, []).append(item)
        self._by_question: dict[str, list[tuple[ScoreItem, frozenset[str]]]] = {}
        for item in items:
            said = content_words(item.answer)
            self._by_question.setdefault(item.group, []).append((item, said))

    def completed(self, item: ScoreItem, otherwise: ScoreScale) -> ScoreItem:
        """What an item leaves out, guide and scale, as its question had them.

        Args:
            otherwise: the scale where its question is new.
        """
        known = self._asked.get(item.group, ())
        guide = item.guide or next((one.guide for one in known if one.guide), "")
        scale = item.scale
        if not scale.maximum:
            scale = known[0].scale if known else otherwise
        return replace(item, guide=guide, scale=scale)

    def context(self, item: ScoreItem) -> ScoreContext:
        """What can be said about one answer."""
        met, missed = self._sentences(item)
        return ScoreContext(self._nearest(item), met, missed)

    def _nearest(self, item: ScoreItem) -> tuple[NearAnswer, ...]:
        said = content_words(item.answer)
        seen: dict[str, NearAnswer] = {}
        for other, its in self._by_question.get(item.group, ()):
            same = comparable(other.answer) == comparable(item.answer)
            likeness = 1.0 if same else jaccard(said, its) if said else 0.0
            if likeness > 0 and other.score is not None:
                near = NearAnswer(other.answer, other.score, round(likeness, 3))
                seen.setdefault(comparable(other.answer), near)
        ranked = sorted(seen.values(), key=lambda near: -near.likeness)
        return tuple(ranked[:NEAREST])

    def _sentences(self, item: ScoreItem) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Those of the guide that the answer meets, and the others."""
        said = content_words(item.answer)
        asked = content_words(item.question)
        numbers = numbers_in(item.answer)
        met: list[str] = []
        missed: list[str] = []
        for sentence in guide_sentences(item.guide, item.language):
            wanted = content_words(sentence)
            wanted = wanted - asked or wanted  # the question's own words prove nothing
            share = len(wanted & said) / len(wanted) if wanted else 0.0
            named = numbers_in(sentence) <= numbers
            (met if share >= MET and named else missed).append(sentence)
        return tuple(met), tuple(missed)


def content_words(text: str) -> frozenset[str]:
    """The beginnings of the words that say something; of all where none does."""
    if writes_without_blanks(text):
        return letter_pairs(text)
    found = words(text)
    kept = [word for word in found if not is_stop_word(word) and word not in _EMPTY]
    return frozenset(word[:STEM] for word in kept or found)


def numbers_in(text: str) -> set[str]:
    """The numbers in digits, as they are written."""
    return set(_NUMBER.findall(text))


def guide_sentences(guide: str, language: str) -> list[str]:
    """A guide's points: its sentences, without the level or the bullet before them."""
    found = []
    for line in guide.splitlines():
        bare = _LEVEL.sub("", line, count=1) if _LEVEL.match(line) else line
        found += [one.strip() for one in split_sentences(bare, language) if one.strip()]
    return list(dict.fromkeys(found))
