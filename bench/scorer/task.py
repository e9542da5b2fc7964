"""A made-up examination: guides of five concepts, answers that state, paraphrase, deny, mislead.

A concept is two words, such as "red boat"; each word has one synonym. An answer has seven
statements. It credits a concept when it says both words, or their synonyms, together and does not
deny them. The other statements speak of something else, some of it nearly a concept of the guide,
and two statements are denied, of the guide's concepts while there are any that earn nothing; then
words of padding. So neither length nor the number of denials follows from the score.

Half of the rows that are taught are plain: in the guide's own words, denied or not as it comes.
No test has such rows. They make the task learnable from nothing: what a synonym is can be found
out once it is known that words are to be compared at all.

The concepts of unseen questions stand in no guide that is taught. Their words do, in other
concepts: nobody could know the synonym of a word he never met.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from trainer.scorer.items import ScoreItem, ScoreScale
from trainer.scorer.split import ScorerSplit

CONCEPTS = 5
SCALE = ScoreScale(CONCEPTS, CONCEPTS)
WORDS = 16  # first words, and as many second ones
FILLERS = 16
HELD_OUT = 0.2  # share of concepts
NOISE = 0.1  # share of labels that are off by one
STATEMENTS = 7
NEAR = 0.15  # of what is not of the guide shares one word with one of its concepts
DENIALS = 2  # in every answer; of guide concepts where some earn nothing, else of others
SYNONYM = 0.6  # share of the words that are not as in the guide
PLAIN = 0.5  # of the taught rows say all in the words of the guide, and deny as they like
DENIED = 0.15  # of the statements of such an answer that earn nothing
PADDING = 3  # words that say nothing, at most
NOT = "not"
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"

Concept = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ExaminationSizes:
    """How many of what."""

    train: int
    questions: int  # taught
    tested: int  # answers of each test, and of valid


class Examination:
    """The words of one seed, and rows made of them."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        names = [
            a + v + b for a in _CONSONANTS for v in _VOWELS for b in _CONSONANTS if a + v + b != NOT
        ]
        self.rng.shuffle(names)
        spelled = iter(names)
        self.words = [[[next(spelled), next(spelled)] for _ in range(WORDS)] for _ in range(2)]
        self.fillers = [next(spelled) for _ in range(FILLERS)]
        self.topics = [next(spelled) for _ in range(FILLERS)]
        concepts = [(a, b) for a in range(WORDS) for b in range(WORDS)]
        self.rng.shuffle(concepts)
        held = int(HELD_OUT * len(concepts))
        self.held, self.taught = concepts[:held], concepts[held:]

    def split(self, sizes: ExaminationSizes) -> tuple[ScorerSplit, dict[str, int]]:
        """All parts, and the true level of every item by its id."""
        questions = [self._question(self.taught) for _ in range(sizes.questions)]
        new = [self._question(self.held) for _ in range(max(1, sizes.tested // 5))]
        self.true: dict[str, int] = {}
        return ScorerSplit(
            self._items("train", questions, sizes.train),
            self._items("valid", questions, sizes.tested),
            self._items("answers", questions, sizes.tested),
            self._items("questions", new, sizes.tested),
        ), self.true

    def _question(self, concepts: Sequence[Concept]) -> tuple[str, list[Concept]]:
        """A topic, which tells nothing, and five concepts that share no word."""
        asked = self.rng.choice(self.topics)
        guide: list[Concept] = []
        while len(guide) < CONCEPTS:
            a, b = self.rng.choice(concepts)
            if all(a != other[0] and b != other[1] for other in guide):
                guide.append((a, b))
        return asked, guide

    def _items(
        self, part: str, questions: Sequence[tuple[str, list[Concept]]], count: int
    ) -> list[ScoreItem]:
        found = []
        for number in range(count):
            plain = part == "train" and self.rng.random() < PLAIN
            asked, guide = questions[number % len(questions)]
            found.append(self._item(f"{part}-{number}", asked, guide, plain=plain))
        return found

    def _item(self, name: str, asked: str, guide: list[Concept], *, plain: bool) -> ScoreItem:
        level = label = self.rng.randint(0, CONCEPTS)
        if self.rng.random() < NOISE:
            label += self.rng.choice((-1, 1))
            label = {-1: 1, CONCEPTS + 1: CONCEPTS - 1}.get(label, label)
        self.true[name] = level
        spelled = " ".join(
            " ".join(self.words[kind][word][0] for kind, word in enumerate(concept))
            for concept in guide
        )
        return ScoreItem(
            name, asked, spelled, self._answer(guide, level, plain=plain), SCALE, float(label), "en"
        )

    def _answer(self, guide: list[Concept], level: int, *, plain: bool) -> str:
        order = self.rng.sample(guide, CONCEPTS)
        right, wrong = order[:level], order[level:]
        free = STATEMENTS - level
        denials = sum(self.rng.random() < DENIED for _ in range(free)) if plain else DENIALS
        denied = [wrong.pop() if wrong else self._other(guide) for _ in range(denials)]
        others = [self._other(guide) for _ in range(free - denials)]
        said = [self._spelled(concept, plain=plain) for concept in right + others]
        said += [f"{NOT} {self._spelled(concept, plain=plain)}" for concept in denied]
        said += self.rng.choices(self.fillers, k=self.rng.randint(0, PADDING))
        self.rng.shuffle(said)
        return " ".join(said)

    def _other(self, guide: list[Concept]) -> Concept:
        """Something else; some of it shares a word with a concept of the guide."""
        used = [{concept[kind] for concept in guide} for kind in range(2)]
        near = self.rng.random() < NEAR
        while True:
            found = self.rng.randrange(WORDS), self.rng.randrange(WORDS)
            shared = (found[0] in used[0]) + (found[1] in used[1])
            if shared == int(near):
                return found

    def _spelled(self, concept: Concept, *, plain: bool) -> str:
        """Each word as in the guide, or by its synonym."""
        return " ".join(
            self.words[kind][word][int(not plain and self.rng.random() < SYNONYM)]
            for kind, word in enumerate(concept)
        )
