"""Words of the answer for each word of the reference: a tuned model often grows terse."""

from __future__ import annotations

from exchange.text.fold import words
from trainer.evaluate.metrics.metric import FACTS, Seen
from trainer.evaluate.records import Item, Metric

METRIC = Metric(
    "length",
    "length|words of the answer / words of the reference|v:1",
    "How long the answer is beside the reference; 1 is as long.",
    "ratio",
    "neither",
    FACTS,
)


def looks_at(item: Item) -> bool:
    return bool(words(item.reference))


def value(seen: Seen) -> float | None:
    return len(words(seen.text)) / len(words(seen.item.reference))
