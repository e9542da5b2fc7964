"""Expected calibration error: how far confidence and the share that is right lie apart.

Items are put into bins of equal numbers by confidence (equal widths would leave most bins of a
sure scorer empty); the gaps of the bins, weighted by their items, are summed (Naeini et al. 2015,
with Nguyen and O'Connor's 2015 bins).
"""

from __future__ import annotations

from collections.abc import Sequence

from trainer.scorer.metrics import Outcome

NAME = "ece"
BINS = 15
SIGNATURE = f"ece|bins:{BINS}, equal-mass|confidence:probability-of-level|v:1"


def value(outcomes: Sequence[Outcome]) -> float:
    """From 0 to 1; lower is better."""
    ranked = sorted(outcomes, key=lambda outcome: outcome.reading.confidence)
    gaps = 0.0
    for number in range(BINS):
        first = number * len(ranked) // BINS
        last = (number + 1) * len(ranked) // BINS
        some = ranked[first:last]
        right = sum(outcome.reading.level == outcome.level for outcome in some)
        gaps += abs(sum(outcome.reading.confidence for outcome in some) - right)
    return gaps / len(ranked)
