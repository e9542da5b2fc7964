"""What single answers show: which of them flipped, and whether a system knows what it knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.evaluate.records import EvalItem, Evaluation, MetricInfo
from trainer.statistics import bootstrap_interval, equal_width_bin, error_if_calibrated
from trainer.statistics.paired import TIE

SHOWN = 8  # of either direction; the file beside the page has all
LONGEST = 1500  # characters of a text that is shown
BINS = 10  # of confidence, of equal width


@dataclass(frozen=True, slots=True)
class ConfidenceBin:
    """Answers of about the same confidence."""

    confidence: float  # their mean
    right: float
    count: int


@dataclass(frozen=True, slots=True)
class CalibrationCurve:
    """One system on one metric. `error` is the expected calibration error: the mean distance
    between confidence and share of right answers, over bins of equal width. `if_calibrated` is
    what a perfectly calibrated system would get of as many answers, by chance alone."""

    metric: str
    system: str
    error: float
    low: float
    high: float
    if_calibrated: float
    bins: list[ConfidenceBin]


def calibration_curve(
    evaluation: Evaluation, metric: MetricInfo, system: str, split: str
) -> CalibrationCurve | None:
    """None where the metric says nothing of confidence, or of fewer than two stories."""
    values = evaluation.scores.get(metric.name, {}).get(system, {})
    sure = evaluation.confidences.get(metric.name, {}).get(system, {})
    sums: dict[str, list[float]] = {}  # by cluster: per bin count, confidence, right
    every: list[tuple[float, int]] = []  # confidence and bin
    for key, value in values.items():
        item, how_sure = evaluation.items.get(key), sure.get(key)
        if item is None or item.split != split or how_sure is None or value is None:
            continue
        number = equal_width_bin(how_sure, BINS)
        every.append((how_sure, number))
        at = 3 * number
        row = sums.setdefault(item.cluster, [0.0] * 3 * BINS)
        row[at] += 1
        row[at + 1] += how_sure
        row[at + 2] += value
    if len(sums) < 2:
        return None
    counts = [sum(row[0::3]) for row in sums.values()]
    found = bootstrap_interval(list(sums.values()), _error, sizes=counts)
    totals = [sum(column) for column in zip(*sums.values(), strict=True)]
    bins = [
        ConfidenceBin(totals[at + 1] / totals[at], totals[at + 2] / totals[at], int(totals[at]))
        for at in range(0, 3 * BINS, 3)
        if totals[at]
    ]
    by_chance = error_if_calibrated(*zip(*every, strict=True))
    return CalibrationCurve(
        metric.name, system, found.value, found.low, found.high, by_chance, bins
    )


def _error(totals):  # type: ignore[no-untyped-def]  # numpy arrays, imported by the caller
    """Shape (n, 3 * BINS) to (n,): sum over bins of |confidence - right| / count of all."""
    counts, confidence, right = totals[:, 0::3], totals[:, 1::3], totals[:, 2::3]
    return abs(confidence - right).sum(axis=1) / counts.sum(axis=1)


@dataclass(frozen=True, slots=True)
class FlippedAnswer:
    """One question with what both said."""

    item: str
    question: str
    reference: str
    gold: str
    header: str
    url: str
    one: str
    other: str
    value_one: float
    value_other: float


@dataclass(frozen=True, slots=True)
class FlippedAnswers:
    """Wins and losses of `system` against `against`; the first ones by id, not the best ones."""

    metric: str
    system: str
    against: str
    won: list[FlippedAnswer]
    lost: list[FlippedAnswer]
    all_won: int
    all_lost: int


def find_flips(
    evaluation: Evaluation, metric: MetricInfo, split: str, one: str, other: str
) -> FlippedAnswers:
    """What became right and what became wrong.

    Ids are hashes, so the first ones come from all over the archive.
    """
    sign = -1 if metric.better == "lower" else 1
    scores = evaluation.scores.get(metric.name, {})
    mine, theirs = scores.get(one, {}), scores.get(other, {})
    won: list[FlippedAnswer] = []
    lost: list[FlippedAnswer] = []
    for key in sorted(evaluation.items):
        item, a, b = evaluation.items[key], mine.get(key), theirs.get(key)
        if item.split != split or a is None or b is None or abs(a - b) <= TIE:
            continue
        (won if sign * (a - b) > 0 else lost).append(_flip(evaluation, item, one, other, a, b))
    return FlippedAnswers(metric.name, one, other, _first(won), _first(lost), len(won), len(lost))


def _first(found: Sequence[FlippedAnswer]) -> list[FlippedAnswer]:
    return list(found[:SHOWN])


def _flip(
    evaluation: Evaluation, item: EvalItem, one: str, other: str, a: float, b: float
) -> FlippedAnswer:
    said = [_answer_text(evaluation, system, item.id) for system in (one, other)]
    return FlippedAnswer(
        item.id,
        item.question,
        item.reference,
        _cut(item.gold),
        item.header,
        item.url,
        said[0],
        said[1],
        a,
        b,
    )


def _answer_text(evaluation: Evaluation, system: str, item: str) -> str:
    answer = evaluation.answers.get(system, {}).get(item)
    return _cut(answer.text) if answer else ""


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
