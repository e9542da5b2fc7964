"""Intervals of figures that are no mean: F1, agreement, calibration error, medians of sums.

Whole clusters are drawn again with replacement. The plain percentile interval is too narrow for
few clusters; the *expanded* one takes wider percentiles, so that for a symmetric figure it agrees
with Student's t (Hesterberg 2015, The American Statistician 69:371, arXiv 1411.5279).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

from exchange.errors import MissingExtra
from trainer.statistics.clustered import LEVEL, t_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Totals = NDArray[np.float64]

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
) -> BootstrapInterval:
    """The interval of any figure that is made of totals over clusters.

    Args:
        sums: one row a cluster, one column a sum, shape (G, k).
        figure: from totals of shape (n, k) to n figures.
        expanded: false gives the plain percentile interval, to compare with.

    Raises:
        ValueError: fewer than two clusters.
        UserError: numpy is not installed.
    """
    try:
        import numpy as np
    except ImportError:
        raise MissingExtra(
            "bootstrap intervals need numpy: pip install 'kkoracle[report]'"
        ) from None

    each = np.asarray(sums, dtype=np.float64)
    count = len(each)
    if count < 2:
        raise ValueError(f"{count} clusters: at least 2 are needed")
    drawn = figure(_draw_counts(count, draws, seed) @ each)
    tail = (1 - LEVEL) / 2
    if expanded:
        tail = NormalDist().cdf(-sqrt(count / (count - 1)) * t_quantile(1 - tail, count - 1))
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
