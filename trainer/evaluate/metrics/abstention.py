"""Questions that the archive cannot answer: the right answer is that one does not know."""

from __future__ import annotations

from trainer.evaluate.metrics.declining import declines
from trainer.evaluate.metrics.metric import Seen
from trainer.evaluate.records import Item, Metric

METRIC = Metric(
    "abstention",
    "abstention|questions with a coined name, and refusals of the test split|by phrase|v:1",
    "Asked about what is not in the archive, it says that it does not know.",
    "share",
    "higher",
    ("absent",),
)


def looks_at(item: Item) -> bool:
    return True


def value(seen: Seen) -> float | None:
    return float(declines(seen.text))
