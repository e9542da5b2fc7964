"""What items are made of beside the rows: wrong answers, careless spellings, and coined names.

Three wrong completions answer the most similar questions of other stories, and of rows that were
taught just as the item's own was, so that having been taught is no hint. No two are alike.
Careless spellings and questions with a name that nobody bears are made by rule; what is random
follows from the question itself.
"""

from __future__ import annotations

import random
import re
import unicodedata
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from exchange.records import digest
from exchange.text.fold import fold, words
from exchange.text.language import every
from exchange.text.similarity import question_signature
from trainer.dataset import DatasetRow
from trainer.evaluate.rag import Document, SearchIndex
from trainer.evaluate.rag.index import question_terms

COUNT = 3  # a guess is right in one of four
CANDIDATES = 60  # nearest questions among which three distinct answers must be


class DistractorIndex:
    """Rows to be found by their questions; a document's head is the question, its text the answer.

    Args:
        rows: those whose answers may be taken; one that states no fact would stand out.
    """

    def __init__(self, rows: Iterable[DatasetRow]) -> None:
        self._rows = {row.id: row for row in rows if row.is_fact}
        self._ids = sorted(self._rows)
        self.index = SearchIndex.build(
            (
                Document(row.id, row.question, row.answer, row.cluster)
                for row in self._rows.values()
            ),
            key=digest(*self._ids),
        )

    def distractors(self, row: DatasetRow) -> tuple[str, ...]:
        """Answers of the most similar questions of other clusters, those of its own kind first.

        A rephrasing shares few words with what was taught, so it looks for neighbours of the
        question that it asks in other words. Where too few are near, any of its kind will do.

        Returns:
            `COUNT` answers, or none when there are not so many distinct ones.
        """
        source = self._rows.get(row.rephrase_of, row)
        near = self.index.search(question_terms(source.question), CANDIDATES, beside=row.cluster)
        found = [self._rows[one.document.id] for one in near]
        found.sort(key=lambda one: one.kind != row.kind)  # stable: best first
        return pick_distractors(row.answer, (one.answer for one in chain(found, self._any(row))))

    def _any(self, row: DatasetRow) -> Iterator[DatasetRow]:
        """Rows of other clusters and the same kind; ids are hashes, so from anywhere."""
        at = bisect(self._ids, row.id)
        for name in chain(self._ids[at:], self._ids[:at]):
            other = self._rows[name]
            if other.cluster != row.cluster and other.kind == row.kind:
                yield other


def pick_distractors(answer: str, ranked: Iterable[str]) -> tuple[str, ...]:
    """The first `COUNT` answers that differ from the true one and from each other, or none."""
    found = tuple(islice(_distinct(answer, ranked), COUNT))
    return found if len(found) == COUNT else ()


def _distinct(answer: str, ranked: Iterable[str]) -> Iterator[str]:
    told = {tuple(words(answer))}
    for other in ranked:
        said = tuple(words(other))
        if said and said not in told:
            told.add(said)
            yield other


SLIPS = 2  # in a question
_WORD = re.compile(r"[^\W\d_]{5,}")  # a slip in a shorter word can make another word of it


def strip_accents(question: str) -> str:
    """Without tonos and dialytika."""
    marks = unicodedata.normalize("NFD", question)
    return unicodedata.normalize("NFC", "".join(c for c in marks if not unicodedata.combining(c)))


def to_capitals(question: str) -> str:
    """In capitals, which have no accents in Greek."""
    return strip_accents(question).upper()


def add_typos(question: str) -> str:
    """Two neighbouring letters changed places in two of the longer words; always the same ones."""
    rng = random.Random(question)
    words = list(_WORD.finditer(question))
    for match in rng.sample(words, min(SLIPS, len(words))):
        at = rng.randrange(match.start() + 1, match.end() - 2)
        question = f"{question[:at]}{question[at + 1]}{question[at]}{question[at + 2 :]}"
    return question


PERTURBATIONS: dict[str, Callable[[str], str]] = {
    "bare": strip_accents,
    "capitals": to_capitals,
    "typos": add_typos,
}


# Questions that the archive cannot answer: a real question with a coined name in it.
#
# The coined name stands in no chunk, so the right answer is that one does not know.

_ONSETS, _MIDDLES, _VOWELS = map(every().list_of, ("onsets", "middles", "vowels"))
_TRIES = 50


def with_coined_name(question: str, known: Callable[[str], bool], seed: str) -> str:
    """The question with its last name replaced; "" when it has none, or no new one is found.

    Args:
        known: whether a folded word stands anywhere in the archive.
        seed: the same gives the same name.
    """
    names = question_signature(question).spelled
    if not names:
        return ""
    _, name = names[-1]
    rng = random.Random(seed)
    for _ in range(_TRIES):
        made = _coin_name(rng, name)
        if not known(fold(made)):
            return question.replace(name, made)
    return ""


def _coin_name(rng: random.Random, like: str) -> str:
    """A word that could be Greek, with the ending of another, so that the grammar still fits."""
    middle = "".join(rng.choice(_VOWELS) + rng.choice(_MIDDLES) for _ in range(2))
    return rng.choice(_ONSETS) + middle + like[-2:]
