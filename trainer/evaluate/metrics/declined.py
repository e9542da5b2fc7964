"""The price of abstention: questions that have an answer, and were declined."""

from __future__ import annotations

from trainer.evaluate.metrics.declining import declines
from trainer.evaluate.metrics.metric import FACTS, Seen
from trainer.evaluate.records import Item, Metric

METRIC = Metric(
    "declined",
    "declined|by phrase|v:1",
    "It says that it does not know although the archive does.",
    "share",
    "lower",
    FACTS,
)


def looks_at(item: Item) -> bool:
    return not declines(item.reference)


def value(seen: Seen) -> float | None:
    return float(declines(seen.text))
