"""What a metric is, and what it may look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from exchange.engine import Likelihood
from trainer.evaluate.records import Answer, Item, Metric

FACTS = ("test_recall", "test_unseen")  # the splits that ask about the newspaper


@dataclass(frozen=True, slots=True)
class Seen:
    """One system on one item."""

    item: Item
    answer: Answer
    likelihoods: Sequence[Likelihood] = field(default=())  # reference, then distractors; or none

    @property
    def text(self) -> str:
        """What was said; "" when nothing was, or the system failed."""
        return self.answer.text


class Measure(Protocol):
    """A metric's module."""

    METRIC: Metric

    def looks_at(self, item: Item) -> bool:
        """Whether the metric can say anything of an item, whoever answers it."""

    def value(self, seen: Seen) -> float | None:
        """The value; None is "n/a": this system gives nothing to measure."""
