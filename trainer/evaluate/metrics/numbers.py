"""Numbers of the reference in any spelling: 1.200 is 1200."""

from __future__ import annotations

from trainer.evaluate.metrics import claims
from trainer.evaluate.metrics.metric import FACTS, Seen
from trainer.evaluate.records import Item, Metric

METRIC = Metric(
    "numbers",
    "numbers|digits in one spelling|those of the question left out"
    "|all must stand in the answer|v:1",
    "Every number that the reference adds to the question stands in the answer.",
    "share",
    "higher",
    FACTS,
)


def looks_at(item: Item) -> bool:
    return bool(claims.asked_for(item, "numbers"))


def value(seen: Seen) -> float | None:
    return float(claims.holds(seen.text, claims.asked_for(seen.item, "numbers")))
