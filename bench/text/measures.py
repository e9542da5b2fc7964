"""How much of what was printed is found, and how much else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class WordTally:
    """Sums over pages. Blanks do not count: both texts are compared word by word."""

    printed: int = 0
    found: int = 0
    words: int = 0
    more: int = 0

    def add(self, printed: Iterable[str], text: str) -> None:
        """One page: its paragraphs as printed, and the text that was extracted from it.

        A paragraph is found when all of it stands in the text, in one piece. Words beyond those
        that were printed, counted with their repetitions, are too many.
        """
        paragraphs = [" ".join(paragraph.split()) for paragraph in printed]
        whole = " ".join(text.split())
        self.printed += len(paragraphs)
        self.found += sum(paragraph in whole for paragraph in paragraphs)
        right = Counter(word for paragraph in paragraphs for word in paragraph.split())
        self.words += right.total()
        self.more += (Counter(whole.split()) - right).total()

    @property
    def recall(self) -> float:
        """Share of the printed paragraphs that were found."""
        return self.found / self.printed if self.printed else 0.0

    @property
    def extra(self) -> float:
        """Words too many, over the words printed."""
        return self.more / self.words if self.words else 0.0


def worst(tallies: Iterable[WordTally]) -> tuple[float, float]:
    """The lowest recall and the highest share of extra words; they may be of two shapes."""
    held = list(tallies)
    return min(t.recall for t in held), max(t.extra for t in held)
