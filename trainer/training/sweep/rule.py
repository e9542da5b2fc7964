"""From tries on growing parts of the rows to a rate for all of them. Pure.

A short run likes a larger rate than a long one: with a warm-up and a cosine to nothing it has
fewer steps to get anywhere. Two things keep that small here. Every try goes through its whole
schedule, and it sees its rows as often as the run will see all of them, so what is remembered of
each is the same. What is left of the drift is measured, between the rounds, and carried on to the
length of the run; a drift upwards is noise and is not believed, and neither is a steep one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from trainer.training.sweep.trials import Trial

# The exponent of the best rate over the length of training, in pretraining where every step sees
# new text, is about -0.3 (Bjorck et al. 2024, arXiv 2409.19913): no drift here is believed beyond.
STEEPEST = -0.3


@dataclass(frozen=True, slots=True)
class RoundBest:
    """Where one round has its lowest loss."""

    steps: int
    rate: float
    tried: float  # the best of the rates that were really tried


def best_of(tries: Sequence[Trial]) -> RoundBest | None:
    """The lowest point of a parabola through the best try and its neighbours, in log rate.

    At an end of the grid, or beside a rate that diverged, the best try itself. None when all
    diverged.
    """
    ordered = sorted(tries, key=lambda one: one.rate)
    sound = [one for one in ordered if math.isfinite(one.loss)]
    if not sound:
        return None
    best = min(sound, key=lambda one: one.loss)
    at = ordered.index(best)
    rate = best.rate
    if 0 < at < len(ordered) - 1:
        left, right = ordered[at - 1], ordered[at + 1]
        if math.isfinite(right.loss) and math.isfinite(left.loss):
            rate = math.exp(_vertex(left, best, right))
    return RoundBest(best.steps, rate, best.rate)


def _vertex(left: Trial, middle: Trial, right: Trial) -> float:
    """The log rate of a parabola's lowest point, which is between the middles of the two sides.

    Losses are compared by their logarithms: beside the best one may be ten times as high, and a
    parabola through such losses would say only that.
    """
    (x0, y0), (x1, y1), (x2, y2) = (
        (math.log(one.rate), math.log(max(one.loss, 1e-9))) for one in (left, middle, right)
    )
    one, other = (x1 - x0) * (y1 - y2), (x1 - x2) * (y1 - y0)
    if one == other:  # all three alike
        return x1
    return x1 - 0.5 * ((x1 - x0) * one - (x1 - x2) * other) / (one - other)


def drift(found: Sequence[RoundBest]) -> float:
    """How the best rate falls with the length of training: an exponent from STEEPEST to 0."""
    moved = [
        math.log(later.rate / earlier.rate) / math.log(later.steps / earlier.steps)
        for earlier, later in pairwise(found)
        if later.steps > earlier.steps
    ]
    # The rounds see few rows, and none of them is sure: half of what they say is believed.
    return max(STEEPEST, min(0.0, fmean(moved) / 2)) if moved else 0.0


def choose_rate(found: Sequence[RoundBest], full_steps: int) -> float:
    """The rate for a run of `full_steps`, from the best of each round."""
    last = found[-1]
    rate = last.rate * (full_steps / last.steps) ** drift(found)
    return float(f"{rate:.1e}")


def neighbouring_rates(
    rates: Sequence[float], best: float, count: int, ratio: float
) -> list[float]:
    """The rates of the next round: the best so far and those beside it, beyond the grid if need be.

    Args:
        ratio: of two neighbouring rates.
    """
    ordered = sorted(rates)
    at = ordered.index(best)
    chosen = [best]
    lower, upper = ordered[:at][::-1], ordered[at + 1 :]
    while len(chosen) < count:
        above = len(chosen) % 2 == 1
        side = upper if above else lower
        if side:
            chosen.append(side.pop(0))
        else:
            edge = max(chosen) * ratio if above else min(chosen) / ratio
            chosen.append(float(f"{min(edge, 1.0):.1e}"))
    return sorted(set(chosen))
