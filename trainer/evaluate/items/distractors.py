"""Wrong completions that are hard to tell from the right one: answers to the likest questions.

They belong to other stories, and to rows that were taught just as the item's own was, so that
having been taught is no hint. No two are alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from exchange.records import digest
from exchange.text.fold import words
from trainer.dataset import Row
from trainer.evaluate.rag import Document, Index
from trainer.evaluate.rag.terms import of_question

COUNT = 3  # a guess is right in one of four
LOOKED_AT = 60  # nearest questions among which three distinct answers must be
NOT_FACTS = ("text", "replay", "refusal", "correction")  # kinds whose answers would stand out


class Neighbours:
    """Rows to be found by their questions; a document's head is the question, its text the answer.

    Args:
        rows: those whose answers may be taken.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        facts = [row for row in rows if row.kind not in NOT_FACTS]
        self._kinds = {row.id: row.kind for row in facts}
        self.index = Index.build(
            (Document(row.id, row.question, row.answer, row.cluster) for row in facts),
            key=digest(*(row.id for row in facts)),
        )

    def distractors(self, row: Row) -> tuple[str, ...]:
        """Answers of the likest questions of other clusters, those of the row's own kind first.

        Returns:
            `COUNT` answers, or none when so many distinct ones are not near.
        """
        found = [
            one.document
            for one in self.index.search(of_question(row.question), LOOKED_AT, beside=row.cluster)
        ]
        found.sort(key=lambda one: self._kinds[one.id] != row.kind)  # stable: best first
        return choose(row.answer, (one.text for one in found))


def choose(answer: str, ranked: Iterable[str]) -> tuple[str, ...]:
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
