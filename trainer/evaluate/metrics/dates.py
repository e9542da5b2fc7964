"""Full dates of the reference, worded or in digits: «3 Μάη 2012» is 3/5/2012."""

from __future__ import annotations

from trainer.evaluate.metrics import claims
from trainer.evaluate.metrics.metric import FACTS, Seen
from trainer.evaluate.records import Item, Metric

METRIC = Metric(
    "dates",
    "dates|full dates as ISO, worded or in digits|those of the question left out"
    "|all must stand in the answer|v:1",
    "Every date that the reference adds to the question stands in the answer.",
    "share",
    "higher",
    FACTS,
)


def looks_at(item: Item) -> bool:
    return bool(claims.asked_for(item, "dates"))


def value(seen: Seen) -> float | None:
    return float(claims.holds(seen.text, claims.asked_for(seen.item, "dates")))
