"""Whether a system knows what it knows: how sure it was, against how often it was right.

Only of values that are 1 or 0 and come with a confidence, such as the choice among four answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from trainer.evaluate.records import Evaluation, MetricInfo
from trainer.evaluate.statistics import bootstrap_interval

BINS = 10


@dataclass(frozen=True, slots=True)
class ConfidenceBin:
    """Answers of about the same confidence."""

    confidence: float  # their mean
    right: float
    count: int


@dataclass(frozen=True, slots=True)
class CalibrationCurve:
    """One system on one metric. `error` is the expected calibration error: the mean distance
    between confidence and share of right answers, over bins of equal width."""

    metric: str
    system: str
    error: float
    low: float
    high: float
    bins: list[ConfidenceBin]


def calibration_curve(
    evaluation: Evaluation, metric: MetricInfo, system: str, split: str
) -> CalibrationCurve | None:
    """None where the metric says nothing of confidence, or of fewer than two stories."""
    values = evaluation.scores.get(metric.name, {}).get(system, {})
    sure = evaluation.confidences.get(metric.name, {}).get(system, {})
    sums: dict[str, list[float]] = {}  # by cluster: per bin count, confidence, right
    for key, value in values.items():
        item, how_sure = evaluation.items.get(key), sure.get(key)
        if item is None or item.split != split or how_sure is None or value is None:
            continue
        at = 3 * min(BINS - 1, int(how_sure * BINS))
        row = sums.setdefault(item.cluster, [0.0] * 3 * BINS)
        row[at] += 1
        row[at + 1] += how_sure
        row[at + 2] += value
    if len(sums) < 2:
        return None
    found = bootstrap_interval(list(sums.values()), _error)
    totals = [sum(column) for column in zip(*sums.values(), strict=True)]
    bins = [
        ConfidenceBin(totals[at + 1] / totals[at], totals[at + 2] / totals[at], int(totals[at]))
        for at in range(0, 3 * BINS, 3)
        if totals[at]
    ]
    return CalibrationCurve(metric.name, system, found.value, found.low, found.high, bins)


def _error(totals):  # type: ignore[no-untyped-def]  # numpy arrays, imported by the caller
    """Shape (n, 3 * BINS) to (n,): sum over bins of |confidence - right| / count of all."""
    counts, confidence, right = totals[:, 0::3], totals[:, 1::3], totals[:, 2::3]
    return abs(confidence - right).sum(axis=1) / counts.sum(axis=1)
