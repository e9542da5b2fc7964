"""The facts again, asked as people type: without accents, in capitals, with slips."""

from __future__ import annotations

from trainer.evaluate.metrics import claims
from trainer.evaluate.metrics.metric import Seen
from trainer.evaluate.records import Item, Metric

METRIC = Metric(
    "robustness",
    "robustness|ways:bare, capitals, typos (2 swaps)|all facts of the reference in the answer|v:1",
    "The same facts stand in the answer when the question is typed carelessly.",
    "share",
    "higher",
    ("disturbed",),
)


def looks_at(item: Item) -> bool:
    return bool(claims.asked_for(item))


def value(seen: Seen) -> float | None:
    return float(claims.holds(seen.text, claims.asked_for(seen.item)))
