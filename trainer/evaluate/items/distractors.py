"""Wrong completions that are hard to tell from the right one: answers to the likest questions.

They belong to other stories, and to rows that were taught just as the item's own was, so that
having been taught is no hint. No two are alike.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from exchange.records import digest
from exchange.text.fold import words
from trainer.dataset import DatasetRow
from trainer.evaluate.rag import Document, SearchIndex
from trainer.evaluate.rag.index import question_terms

COUNT = 3  # a guess is right in one of four
CANDIDATES = 60  # nearest questions among which three distinct answers must be
NOT_FACTS = ("text", "replay", "refusal", "correction")  # kinds whose answers would stand out


class DistractorIndex:
    """Rows to be found by their questions; a document's head is the question, its text the answer.

    Args:
        rows: those whose answers may be taken.
    """

    def __init__(self, rows: Iterable[DatasetRow]) -> None:
        self._rows = {row.id: row for row in rows if row.kind not in NOT_FACTS}
        self._ids = sorted(self._rows)
        self.index = SearchIndex.build(
            (
                Document(row.id, row.question, row.answer, row.cluster)
                for row in self._rows.values()
            ),
            key=digest(*self._ids),
        )

    def distractors(self, row: DatasetRow) -> tuple[str, ...]:
        """Answers of the likest questions of other clusters, those of the row's own kind first.

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
