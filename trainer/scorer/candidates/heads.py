"""From numbers about an answer to one number, and from that to how probable each mark is.

The first step is ridge regression of the share of the maximum. The second is the proportional odds
model (McCullagh 1980, JRSS B 42:109): P(mark <= m) = sigmoid(cut_m - slope * number), fitted to
numbers that were predicted for answers left out, so that it knows how far they can be trusted. It
has no limit of marks, and a mark that nobody ever gave is never given.

The mark shown is not the mean of these probabilities: means of a doubtful scorer all lie close
together. Marks are shown as often as they were given, the highest numbers getting the highest
marks: equipercentile equating (Kolen and Brennan 2014, Test Equating, Scaling, and Linking), with
which scores of automated scoring are put on the readers' scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from exchange.errors import MissingExtra
from exchange.machine import install_command
from trainer.scorer.calibration import LevelPrediction
from trainer.scorer.items import ScoreItem

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

STEEPEST = 20.0  # slope per standard deviation: beyond, a few rows that happen to be apart
_LEAST = 1e-9  # of a spread, below which there is none


@dataclass(frozen=True, slots=True)
class RidgeHead:
    """A linear function of features, each taken off its mean."""

    centre: Array  # (features,)
    weights: Array  # (features,)
    offset: float

    def __call__(self, features: Array) -> Array:
        """One number a row, about the share of the maximum."""
        found: Array = (features - self.centre) @ self.weights + self.offset
        return found

    @classmethod
    def fit(cls, features: Array, shares: Array, penalty: float) -> Self:
        """By whichever of the two forms is smaller, of the features or of the rows."""
        import numpy as np

        centre, offset = features.mean(axis=0), float(shares.mean())
        inside, wanted = features - centre, shares - offset
        rows, size = inside.shape
        if rows < size:
            between = inside @ inside.T + penalty * np.eye(rows)
            weights = inside.T @ np.linalg.solve(between, wanted)
        else:
            between = inside.T @ inside + penalty * np.eye(size)
            weights = np.linalg.solve(between, inside.T @ wanted)
        return cls(centre, weights, offset)


@dataclass(frozen=True, slots=True)
class MarkCurve:
    """From one number an answer to the probabilities of the marks that were given."""

    shares: tuple[float, ...]  # the marks, as shares of their maximum, from low to high
    cuts: tuple[float, ...]  # one fewer
    slope: float
    shown: tuple[float, ...]  # numbers from which on the next mark is shown; one fewer than marks

    @classmethod
    def fit(cls, numbers: Array, items: Sequence[ScoreItem]) -> Self:
        """By maximum likelihood.

        Args:
            numbers: one an item, predicted without having seen it.

        Raises:
            MissingExtra: scipy is not installed.
        """
        import numpy as np

        given = np.array([item.level / item.scale.top for item in items])
        shares, place = np.unique(given.round(9), return_inverse=True)
        cuts, slope = _fit_odds(np.asarray(numbers, np.float64), place, len(shares))
        order = np.sort(np.asarray(numbers, np.float64))
        if slope > 0:
            last = np.cumsum(np.bincount(place))[:-1]  # of each mark but the highest, in order
            shown = (order[last - 1] + order[last]) / 2
        else:  # nothing is known of any answer: all get the middle mark
            middle = int(np.median(place))
            shown = np.where(np.arange(len(shares) - 1) < middle, -np.inf, np.inf)
        return cls(tuple(shares.tolist()), tuple(cuts.tolist()), slope, tuple(shown.tolist()))

    def read(self, numbers: Array, items: Sequence[ScoreItem]) -> list[LevelPrediction]:
        """Each item's marks, on its own scale."""
        import numpy as np

        shares = np.array(self.shares)
        probable = _probabilities(numbers, np.array(self.cuts), self.slope)
        shown = np.searchsorted(np.array(self.shown), numbers, side="right")
        found = []
        for item, row, place in zip(items, probable, shown, strict=True):
            top = item.scale.top
            levels = np.floor(shares * top + 0.5).astype(int)
            on_scale = np.bincount(levels, row, top + 1)
            level = int(levels[place])
            found.append(
                LevelPrediction(
                    level,
                    float(row @ shares) * top,
                    float(on_scale[level]),
                    tuple(on_scale.tolist()),
                )
            )
        return found


def _fit_odds(numbers: Array, place: Array, marks: int) -> tuple[Array, float]:
    """The cuts and the slope of the highest likelihood; the slope is never negative."""
    import numpy as np

    if marks < 2:
        return np.zeros(0), 0.0
    try:
        from scipy.optimize import minimize
    except ImportError:
        raise MissingExtra(f"a scorer needs scipy: {install_command('report')}") from None
    middle, spread = float(numbers.mean()), max(float(numbers.std()), _LEAST)
    standard = (numbers - middle) / spread
    below = np.cumsum(np.bincount(place, minlength=marks))[:-1] / len(place)
    cuts = np.log(below / (1 - below))
    first = np.concatenate([cuts[:1], np.log(np.maximum(np.diff(cuts), 1e-3)), [1.0]])
    rows = np.arange(len(place))

    def loss(parameters: Array) -> tuple[float, Array]:
        gaps = np.exp(parameters[1:-1])
        cuts = parameters[0] + np.concatenate([[0.0], np.cumsum(gaps)])
        at = np.concatenate([[-np.inf], cuts, [np.inf]]) - 0.0
        under = _sigmoid(at[None, :] - parameters[-1] * standard[:, None])
        upper, lower = under[rows, place + 1], under[rows, place]
        likely = np.maximum(upper - lower, 1e-12)
        rising, falling = upper * (1 - upper) / likely, lower * (1 - lower) / likely
        # How the loss changes with each cut, then with their gaps, then with the slope.
        by_cut = np.zeros(len(cuts) + 2)
        np.subtract.at(by_cut, place + 1, rising)
        np.add.at(by_cut, place, falling)
        by_cut = by_cut[1:-1]
        by_gap = np.cumsum(by_cut[::-1])[::-1][1:] * gaps
        by_slope = float((standard * (rising - falling)).sum())
        gradient = np.concatenate([[by_cut.sum()], by_gap, [by_slope]])
        return -float(np.log(likely).sum()) / len(place), gradient / len(place)

    bounds = [(-30.0, 30.0)] + [(-8.0, 4.0)] * (marks - 2) + [(0.0, STEEPEST)]
    found = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds).x
    fitted = found[0] + np.concatenate([[0.0], np.cumsum(np.exp(found[1:-1]))])
    slope = float(found[-1]) / spread
    return fitted + slope * middle, slope


def _probabilities(numbers: Array, cuts: Array, slope: float) -> Array:
    """(numbers, marks)."""
    import numpy as np

    under = _sigmoid(cuts[None, :] - slope * np.asarray(numbers)[:, None])
    ends = np.zeros((len(under), 1)), np.ones((len(under), 1))
    return np.diff(np.hstack([ends[0], under, ends[1]]), axis=1)


def _sigmoid(values: Array) -> Array:
    import numpy as np

    return 0.5 * (1 + np.tanh(0.5 * values))
