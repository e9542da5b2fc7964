"""Names of the reference in whatever case the answer puts them."""

from __future__ import annotations

from trainer.evaluate.metrics import claims
from trainer.evaluate.metrics.metric import FACTS, Seen
from trainer.evaluate.records import Item, Metric

METRIC = Metric(
    "names",
    "names|capitalised words, folded, in any case|those of the question left out"
    "|all must stand in the answer|v:1",
    "Every name that the reference adds to the question stands in the answer.",
    "share",
    "higher",
    FACTS,
)


def looks_at(item: Item) -> bool:
    return bool(claims.asked_for(item, "names"))


def value(seen: Seen) -> float | None:
    return float(claims.holds(seen.text, claims.asked_for(seen.item, "names")))
