"""Quadratic weighted kappa: agreement beyond chance, where far misses cost their square.

1 - (mean squared difference of the pairs) / (mean squared difference of all pairs of a true and
a read level), Cohen 1968. The denominator follows from means and variances, so nothing is
counted in a table, and items of several scales can stand together.
"""

from __future__ import annotations

from collections.abc import Sequence

from trainer.scorer.metrics import Outcome

NAME = "qwk"
SIGNATURE = "qwk|weights:quadratic|levels:rounded-expected|scale:share-of-top|v:1"


def value(outcomes: Sequence[Outcome]) -> float:
    """From -1 to 1; 0 is chance. 1 where both are one and the same constant."""
    true = [outcome.level / outcome.scale.top for outcome in outcomes]
    read = [outcome.reading.level / outcome.scale.top for outcome in outcomes]
    return kappa(true, read)


def kappa(true: Sequence[float], read: Sequence[float]) -> float:
    """The same of any two equally long rows of numbers."""
    count = len(true)
    mean_true, mean_read = sum(true) / count, sum(read) / count
    spread = (
        sum((a - mean_true) ** 2 for a in true) + sum((b - mean_read) ** 2 for b in read)
    ) / count + (mean_true - mean_read) ** 2
    missed = sum((a - b) ** 2 for a, b in zip(true, read, strict=True)) / count
    return 1 - missed / spread if spread else 1.0
