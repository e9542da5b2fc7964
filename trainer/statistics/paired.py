"""Two systems asked the same questions: the paired difference, its tests, and their power."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

from exchange.errors import MissingExtra
from exchange.machine import install_command
from trainer.statistics.clustered import (
    LEVEL,
    TIE,
    ClusteredEstimate,
    clustered_mean,
    effective_freedom,
    scipy_special,
    t_quantile,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Totals = NDArray[np.float64]


FEW_CLUSTERS = 50  # below, a clustered interval may be too narrow (Cameron and Miller 2015)
POWER = 0.8  # the chance to see a difference that is asked for
_ROUNDS = 3  # until the number of clusters changes no more
_NORMAL = 1000  # degrees of freedom; beyond, Student's t is the normal distribution


def mcnemar_p(won: int, lost: int) -> float:
    """Exact two-sided p that flips go both ways equally often (McNemar 1947, Psychometrika 12:153).

    It takes the questions as independent, so where stories have several it says too little doubt:
    shown beside the clustered interval, which decides.
    """
    if won == lost:
        return 1.0
    return min(1.0, 2 * float(scipy_special().bdtr(min(won, lost), won + lost, 0.5)))


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """One system's values minus another's, over the questions that both have."""

    gain: ClusteredEstimate
    one: float  # mean of the first
    other: float  # mean of the second
    questions: int
    clusters: int
    wins: int  # questions at which the first is higher
    ties: int
    losses: int

    @property
    def flips_p(self) -> float:
        """McNemar's, of wins against losses."""
        return mcnemar_p(self.wins, self.losses)

    @property
    def warning(self) -> str:
        """What a reader must know before believing the interval, "" when nothing."""
        if self.worth >= FEW_CLUSTERS:
            return ""
        uneven = "" if self.worth == self.clusters else f" (unequal: they count as {self.worth})"
        return f"only {self.clusters} stories{uneven}: the interval may be too narrow"

    @property
    def worth(self) -> int:
        """How many stories of equal size would tell as much."""
        return round(self.gain.freedom) + 1


def paired_difference(
    one: Sequence[float], other: Sequence[float], clusters: Sequence[str]
) -> PairedDifference | None:
    """Paired and clustered; None where fewer than two stories were asked."""
    if len(set(clusters)) < 2:
        return None
    gains = [mine - theirs for mine, theirs in zip(one, other, strict=True)]
    count = len(gains)
    wins, losses = sum(gain > TIE for gain in gains), sum(gain < -TIE for gain in gains)
    return PairedDifference(
        clustered_mean(gains, clusters),
        sum(one) / count,
        sum(other) / count,
        count,
        len(set(clusters)),
        wins,
        count - wins - losses,
        losses,
    )


def holm_adjust(values: Sequence[float]) -> list[float]:
    """p values adjusted for being one of several (Holm 1979, Scandinavian J. of Statistics 6:65).

    With those under 0.05 called real, the chance that even one of them is not stays under 5 %,
    whatever depends on what.
    """
    order = sorted(range(len(values)), key=values.__getitem__)
    adjusted, highest = [0.0] * len(values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = highest
    return adjusted


def questions_needed(
    seen: ClusteredEstimate, questions: int, matters: float, *, alpha: float = 1 - LEVEL
) -> int:
    """Questions in all, in as many more stories, to see a difference of `matters` with power 0.8.

    The standard error shrinks with the root of the number of clusters: G' = G * ((t_alpha/2 +
    t_power) * SE / matters)^2 (Miller 2024, section 5, with the clustered SE and Student's t).
    `matters` is the smallest difference that would change what one does, never the one that was
    seen: that would only say its p value again (Hoenig and Heisey 2001, The American Statistician
    55:19).

    Args:
        questions: how many `seen` was made of.
        alpha: level of the test; under Holm's correction the level divided by the set's size.
    """
    clusters = wanted = seen.freedom + 1
    for _ in range(_ROUNDS):  # the quantiles depend on the clusters that are sought
        freedom = min(_NORMAL, max(1, round(wanted) - 1))
        steps = t_quantile(1 - alpha / 2, freedom) + t_quantile(POWER, freedom)
        wanted = max(2.0, clusters * (steps * seen.error / matters) ** 2)
    return math.ceil(wanted * questions / clusters)


# Intervals of figures that are no mean: F1, agreement, calibration error, medians of sums.
#
# Whole clusters are drawn again with replacement. The plain percentile interval is too narrow for
# few clusters; the *expanded* one takes wider percentiles, so that for a symmetric figure it agrees
# with Student's t (Hesterberg 2015, The American Statistician 69:371, arXiv 1411.5279).

DRAWS = 2000
SEED = 7


@dataclass(frozen=True, slots=True)
class BootstrapInterval:
    """A figure and both ends of its 95 % interval."""

    value: float
    low: float
    high: float


def bootstrap_interval(
    sums: Sequence[Sequence[float]],
    figure: Callable[[Totals], Totals],
    *,
    draws: int = DRAWS,
    seed: int = SEED,
    expanded: bool = True,
    sizes: Sequence[float] | None = None,
) -> BootstrapInterval:
    """The interval of any figure that is made of totals over clusters.

    Args:
        sums: one row a cluster, one column a sum, shape (G, k).
        figure: from totals of shape (n, k) to n figures.
        expanded: false gives the plain percentile interval, to compare with.
        sizes: of the clusters, such as how many questions each has; default: equal. Where they are
            not, the interval is expanded by the degrees of freedom that they leave.

    Raises:
        ValueError: fewer than two clusters.
        UserError: numpy is not installed.
    """
    try:
        import numpy as np
    except ImportError:
        raise MissingExtra(f"bootstrap intervals need numpy: {install_command('report')}") from None

    each = np.asarray(sums, dtype=np.float64)
    count = len(each)
    if count < 2:
        raise ValueError(f"{count} clusters: at least 2 are needed")
    drawn = figure(_draw_counts(count, draws, seed) @ each)
    tail = (1 - LEVEL) / 2
    if expanded:
        freedom = count - 1 if sizes is None else effective_freedom(sizes)
        tail = NormalDist().cdf(-sqrt((freedom + 1) / freedom) * t_quantile(1 - tail, freedom))
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return BootstrapInterval(
        float(figure(each.sum(axis=0, keepdims=True))[0]), float(low), float(high)
    )


@lru_cache(maxsize=1)  # figures of one evaluation share their clusters; 16 kB a cluster
def _draw_counts(count: int, draws: int, seed: int) -> Totals:
    """How often each of `count` clusters is in each draw, shape (draws, count)."""
    import numpy as np

    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), draws)
    return times.astype(np.float64)
