"""What is measured: one file a metric, each with a signature of how its values come about.

A metric's module holds `METRIC`, `looks_at(item)` and `value(seen)`; one that knows how sure a
system was holds `confidence(seen)` too. Values are means over items, so they are all numbers of
one item. The first metric is the main one.
"""

from __future__ import annotations

from trainer.evaluate.metrics import (
    abstention,
    bits,
    choice,
    chrf,
    dates,
    declined,
    exact,
    facts,
    forgetting,
    groundedness,
    length,
    names,
    numbers,
    robustness,
    style,
)
from trainer.evaluate.metrics.metric import Measure, Seen

ALL: tuple[Measure, ...] = (
    choice,
    facts,
    groundedness,
    dates,
    numbers,
    names,
    exact,
    bits,
    abstention,
    declined,
    robustness,
    forgetting,
    length,
    style,
    chrf,
)

__all__ = ["ALL", "Measure", "Seen"]
