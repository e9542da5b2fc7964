"""Whether an answer keeps to the chunk that its question was made from, or invents.

The rules of the checks that accept pairs: every number, date and name of the answer stands in the
chunk, its header or the question, and of its other words at least 40 % do.
"""

from __future__ import annotations

from trainer.evaluate.metrics import claims, declining
from trainer.evaluate.metrics.metric import FACTS, Seen
from trainer.evaluate.records import Item, Metric

OVERLAP = 0.40  # share of the answer's stems of four letters; the checks' own threshold
METRIC = Metric(
    "groundedness",
    f"groundedness|claims in chunk, header or question|stems of 4 letters >= {OVERLAP}"
    "|declining is grounded|v:1",
    "The answer claims nothing that its chunk does not say.",
    "share",
    "higher",
    FACTS,
)


def looks_at(item: Item) -> bool:
    return bool(item.gold)


def value(seen: Seen) -> float | None:
    if not seen.text:
        return None
    if declining.declines(seen.text):
        return 1.0
    item = seen.item
    source = f"{item.header}\n{item.gold}\n{item.question}"
    if not claims.holds(source, claims.of(seen.text)):
        return 0.0
    said = claims.read(seen.text).stems
    return float(not said or len(said & claims.read(source).stems) / len(said) >= OVERLAP)
