"""The reference word for word, accents, case and punctuation aside: rewards its wording too."""

from __future__ import annotations

from exchange.text.fold import words
from trainer.evaluate.metrics.metric import FACTS, Seen
from trainer.evaluate.records import Item, Metric

METRIC = Metric(
    "exact",
    "exact|folded words equal, in order|v:1",
    "The answer has the reference's words.",
    "share",
    "higher",
    FACTS,
)


def looks_at(item: Item) -> bool:
    return True


def value(seen: Seen) -> float | None:
    return float(words(seen.text) == words(seen.item.reference))
