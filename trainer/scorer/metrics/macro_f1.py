"""F1 of each level, averaged: a scorer that never gives the rare levels is seen here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from trainer.scorer.metrics import Outcome

NAME = "macro_f1"
SIGNATURE = "macro_f1|classes:top+level, those that occur|levels:rounded-expected|v:1"


def value(outcomes: Sequence[Outcome]) -> float:
    """From 0 to 1; levels of different scales are different classes."""
    true = Counter((o.scale.top, o.level) for o in outcomes)
    read = Counter((o.scale.top, o.reading.level) for o in outcomes)
    both = Counter((o.scale.top, o.level) for o in outcomes if o.level == o.reading.level)
    classes = true.keys() | read.keys()
    return sum(2 * both[c] / (true[c] + read[c]) for c in classes) / len(classes)
