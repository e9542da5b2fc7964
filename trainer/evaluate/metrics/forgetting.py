"""General knowledge that tuning must not cost: what of the reference's words is still said."""

from __future__ import annotations

from exchange.text.guard import guarded
from trainer.evaluate.metrics.metric import Seen
from trainer.evaluate.records import Item, Metric

METRIC = Metric(
    "forgetting",
    "forgetting|test_general|share of the reference's stems in the answer|v:1",
    "Of the words that a general question is answered with, how many the answer has.",
    "share",
    "higher",
    ("test_general",),
)


def looks_at(item: Item) -> bool:
    return bool(_stems(item.reference))


def value(seen: Seen) -> float | None:
    wanted = _stems(seen.item.reference)
    return len(wanted & _stems(seen.text)) / len(wanted)


def _stems(text: str) -> frozenset[str]:
    """Stems without small words; of an answer of small words alone, such as «Ναι», nothing."""
    return guarded(text).stems
