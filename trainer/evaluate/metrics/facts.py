"""Every date, number and name of the reference, at once: right answers as a reader counts them."""

from __future__ import annotations

from trainer.evaluate.metrics import claims
from trainer.evaluate.metrics.metric import FACTS, Seen
from trainer.evaluate.records import Item, Metric

METRIC = Metric(
    "facts",
    "facts|dates, numbers and names|those of the question left out|all must stand in the answer"
    "|v:1",
    "Every date, number and name that the reference adds to the question stands in the answer.",
    "share",
    "higher",
    FACTS,
    primary=True,
)


def looks_at(item: Item) -> bool:
    return bool(claims.asked_for(item))


def value(seen: Seen) -> float | None:
    return float(claims.holds(seen.text, claims.asked_for(seen.item)))
