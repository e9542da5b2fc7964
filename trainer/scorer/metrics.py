"""What a scorer's figures are: one table, each with a signature of how it is made.

All compare a true level with a predicted one; those that need points rather than levels put each
on its own scale first, so that items of several maxima stand in one figure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainer import statistics
from trainer.scorer.calibration import LevelPrediction
from trainer.scorer.items import ScoreItem, ScoreScale

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class LabelledPrediction:
    """One item: its scale, the true level, and what the scorer read."""

    scale: ScoreScale
    level: int
    reading: LevelPrediction


def label(
    items: Iterable[ScoreItem], readings: Iterable[LevelPrediction]
) -> list[LabelledPrediction]:
    """Scored items beside what is read of them, in order."""
    return [
        LabelledPrediction(item.scale, item.level, reading)
        for item, reading in zip(items, readings, strict=True)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerMetric:
    """A figure of at least one outcome, and how it is made."""

    name: str
    signature: str
    value: Callable[[Sequence[LabelledPrediction]], float]


def measure(outcomes: Sequence[LabelledPrediction]) -> dict[str, float]:
    """All figures by name; none of an empty set."""
    if not outcomes:
        return {}
    return {metric.name: round(metric.value(outcomes), 4) for metric in METRICS}


def signatures() -> dict[str, str]:
    """How each figure is made."""
    return {metric.name: metric.signature for metric in METRICS}


NO_ERROR = 1e-9  # of rounding
BINS = 15  # of equal numbers of items


def qwk_score(outcomes: Sequence[LabelledPrediction]) -> float:
    """Quadratic weighted kappa (Cohen 1968): agreement beyond chance, far misses cost their square.

    From -1 to 1; 0 is chance. 1 where both are one and the same constant.
    """
    true = [outcome.level / outcome.scale.top for outcome in outcomes]
    read = [outcome.reading.level / outcome.scale.top for outcome in outcomes]
    return quadratic_kappa(true, read)


def quadratic_kappa(true: Sequence[float], read: Sequence[float]) -> float:
    """The kappa of any two equally long rows of numbers.

    1 - (mean squared difference of the pairs) / (mean squared difference of all pairs of a true
    and a predicted number). The denominator follows from means and variances, so nothing is
    counted in a table, and items of several scales can stand together.
    """
    count = len(true)
    mean_true, mean_read = sum(true) / count, sum(read) / count
    spread = (
        sum((a - mean_true) ** 2 for a in true) + sum((b - mean_read) ** 2 for b in read)
    ) / count + (mean_true - mean_read) ** 2
    missed = sum((a - b) ** 2 for a, b in zip(true, read, strict=True)) / count
    return 1 - missed / spread if spread else 1.0


def accuracy_score(outcomes: Sequence[LabelledPrediction]) -> float:
    """The share of items whose level is exactly right."""
    return sum(outcome.reading.level == outcome.level for outcome in outcomes) / len(outcomes)


def macro_f1_score(outcomes: Sequence[LabelledPrediction]) -> float:
    """F1 of each level, averaged: a scorer that never gives the rare levels is seen here.

    From 0 to 1; levels of different scales are different classes.
    """
    true = Counter((o.scale.top, o.level) for o in outcomes)
    read = Counter((o.scale.top, o.reading.level) for o in outcomes)
    both = Counter((o.scale.top, o.level) for o in outcomes if o.level == o.reading.level)
    classes = true.keys() | read.keys()
    return sum(2 * both[c] / (true[c] + read[c]) for c in classes) / len(classes)


def mean_absolute_error(outcomes: Sequence[LabelledPrediction]) -> float:
    """How far the expected score lies from the true one, as a share of the maximum: 0 to 1."""
    return sum(abs(o.reading.expected - o.level) / o.scale.top for o in outcomes) / len(outcomes)


def expected_calibration_error(outcomes: Sequence[LabelledPrediction]) -> float:
    """How far confidence and the share that is right lie apart: 0 to 1, lower is better.

    Items go into bins of equal numbers by confidence: equal widths would leave most bins of a sure
    scorer empty.
    """
    sure = [outcome.reading.confidence for outcome in outcomes]
    right = [float(outcome.reading.level == outcome.level) for outcome in outcomes]
    return statistics.calibration_error(sure, right, statistics.equal_size_bins(sure, BINS))


def error_if_calibrated(outcomes: Sequence[LabelledPrediction]) -> float:
    """The calibration error to expect of as many items if the confidence were exactly true."""
    sure = [outcome.reading.confidence for outcome in outcomes]
    return statistics.error_if_calibrated(sure, statistics.equal_size_bins(sure, BINS))


@dataclass(frozen=True, slots=True)
class FigureInterval:
    """A figure, the ends of its 95 % interval, and the chance of it were the truth no more than 0.

    `p_above` is one-sided, by Student's t with the bootstrap's standard error.
    """

    value: float
    low: float
    high: float
    error: float = 0.0  # standard
    p_above: float = 1.0


def measure_with_doubt(
    outcomes: Sequence[LabelledPrediction], clusters: Sequence[str]
) -> dict[str, FigureInterval]:
    """Kappa, accuracy and error, each with its interval by bootstrap over the clusters.

    Args:
        clusters: to which cluster each outcome belongs, as answers to their question.

    Raises:
        MissingExtra: numpy or scipy is not installed.
    """
    each = _sums(outcomes, clusters)
    return {
        "qwk": _interval(each, _kappa),
        "accuracy": _interval(each, lambda sums: sums[:, 6] / sums[:, 0]),
        "mae": _interval(each, lambda sums: sums[:, 7] / sums[:, 0]),
    }


def compare(
    one: Sequence[LabelledPrediction], other: Sequence[LabelledPrediction], clusters: Sequence[str]
) -> FigureInterval:
    """The kappa of one system minus another's on the same items."""
    import numpy as np

    both = np.hstack([_sums(one, clusters), _sums(other, clusters)])
    return _interval(both, lambda sums: _kappa(sums[:, :8]) - _kappa(sums[:, 8:]))


def _sums(outcomes: Sequence[LabelledPrediction], clusters: Sequence[str]) -> Array:
    """All that the figures are made of, one row a cluster."""
    import numpy as np

    found: dict[str, Array] = {}
    for outcome, cluster in zip(outcomes, clusters, strict=True):
        top, read = outcome.scale.top, outcome.reading.level
        a, b = outcome.level / top, read / top
        row = np.array([1, a, b, a * a, b * b, (a - b) ** 2, read == outcome.level, abs(a - b)])
        found[cluster] = found.get(cluster, 0) + row
    return np.array(list(found.values()))


def _kappa(sums: Array) -> Array:
    """As `quadratic_kappa`, of totals."""
    import numpy as np

    count, true, read = sums[:, 0], sums[:, 1] / sums[:, 0], sums[:, 2] / sums[:, 0]
    spread = (sums[:, 3] + sums[:, 4]) / count - true**2 - read**2 + (true - read) ** 2
    found: Array = 1 - sums[:, 5] / count / np.where(spread > 1e-12, spread, np.inf)
    return found


def _interval(sums: Array, figure: Callable[[Array], Array]) -> FigureInterval:
    if len(sums) < 2:
        value = float(figure(sums)[0])
        return FigureInterval(value, -1.0, 1.0)
    found = statistics.bootstrap_interval(sums.tolist(), figure)
    freedom = len(sums) - 1
    error = (found.high - found.low) / (2 * statistics.t_quantile(0.975, freedom))
    if error <= NO_ERROR:  # every draw gives the same: as of a scorer that is always right
        sure = found.value > NO_ERROR
        return FigureInterval(found.value, found.low, found.high, 0.0, 0.0 if sure else 1.0)
    p = statistics.t_two_sided_p(found.value / error, freedom) / 2
    return FigureInterval(
        round(found.value, 4),
        round(found.low, 4),
        round(found.high, 4),
        error,
        p if found.value > 0 else 1 - p,
    )


METRICS = (
    ScorerMetric(
        name="qwk",
        signature="qwk|weights:quadratic|levels:rounded-expected|scale:share-of-top|v:1",
        value=qwk_score,
    ),
    ScorerMetric(
        name="accuracy", signature="accuracy|levels:rounded-expected|v:1", value=accuracy_score
    ),
    ScorerMetric(
        name="macro_f1",
        signature="macro_f1|classes:top+level, those that occur|levels:rounded-expected|v:1",
        value=macro_f1_score,
    ),
    ScorerMetric(
        name="mae",
        signature="mae|read:expected|unit:share-of-maximum|v:1",
        value=mean_absolute_error,
    ),
    ScorerMetric(
        name="ece",
        signature=f"ece|bins:{BINS}, equal-mass, ties in one|confidence:probability-of-level|v:2",
        value=expected_calibration_error,
    ),
    ScorerMetric(
        name="ece_if_calibrated",
        signature=f"ece|bins:{BINS}, equal-mass, ties in one|right as often as sure, drawn|v:1",
        value=error_if_calibrated,
    ),
)
