"""Two systems on one metric: the difference, its interval, and what may be said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trainer.evaluate.records import Better, Evaluation, Metric, System
from trainer.evaluate.statistics import (
    FEW_CLUSTERS,
    Estimate,
    Paired,
    compare,
    doubted,
    holm,
    questions_needed,
)

Says = Literal["better", "worse", "same", "unclear", "higher", "lower"]
LEVEL = 0.05
MATTERS = 0.05  # the smallest difference that would change what one does: 5 points of a share
# Whom each kind is held against; the first of a pair costs more to make.
DECLARED = (
    ("tuned", "base"),
    ("tuned", "few-shot"),
    ("tuned", "rag"),
    ("rag", "base"),
    ("rag", "few-shot"),
    ("tuned+rag", "base"),
    ("tuned+rag", "few-shot"),
    ("tuned+rag", "rag"),
)
BESIDE = (("tuned+rag", "tuned"), ("few-shot", "base"), ("oracle", "base"))


@dataclass(frozen=True, slots=True)
class Comparison:
    """`one` minus `other` on one metric, over the questions of one split that both answered."""

    metric: str
    unit: str
    better: Better
    split: str
    one: str
    other: str
    gain: float
    low: float  # of the clustered 95 % interval
    high: float
    error: float
    p: float
    adjusted: float | None  # by Holm over the declared set; None outside of it
    flips_p: float  # McNemar's exact, as if questions were independent
    mean_one: float
    mean_other: float
    questions: int
    stories: int
    wins: int  # questions at which `one` has the better value (the higher, where neither is)
    ties: int
    losses: int
    says: Says
    matters: float  # the smallest difference that counts, in the metric's unit
    needed: int  # questions in all to see a difference of `matters` four times in five
    few: bool  # fewer stories than an interval can be trusted with

    @property
    def clear(self) -> bool:
        """`one` is better, and it would be still if it were one of several claims."""
        return self.says == "better"


def declared(evaluation: Evaluation, split: str, matters: float = MATTERS) -> list[Comparison]:
    """The primary set: on the metrics that are primary, every pair that the verdict may need.

    Which comparisons these are is decided by the kinds of the systems alone, before any figure is
    seen; Holm's correction runs over all of them.
    """
    measured = [
        (metric, one, other, paired)
        for metric in evaluation.metrics
        if metric.primary
        for one, other in pairs(evaluation.systems, DECLARED)
        if (paired := compare(*evaluation.paired(metric.name, one, other, split)))
    ]
    adjusted = holm([paired.gain.p for *_, paired in measured])
    return [
        _of(metric, split, one, other, paired, matters, p, LEVEL / len(measured))
        for (metric, one, other, paired), p in zip(measured, adjusted, strict=True)
    ]


def pairs(systems: Sequence[System], kinds: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The names of the systems that belong to pairs of kinds, in that order."""
    return [
        (one.name, other.name)
        for first, second in kinds
        for one in systems
        if one.kind == first
        for other in systems
        if other.kind == second
    ]


def make(
    evaluation: Evaluation,
    metric: Metric,
    split: str,
    one: str,
    other: str,
    matters: float = MATTERS,
) -> Comparison | None:
    """Compare two systems outside the declared set; None where they share under two stories."""
    paired = compare(*evaluation.paired(metric.name, one, other, split))
    return _of(metric, split, one, other, paired, matters) if paired else None


def margin(metric: Metric, mean: float, matters: float) -> float:
    """`matters` in the metric's unit: points of a share, else a part of the mean held against."""
    return matters if metric.unit == "share" else matters * abs(mean)


def _of(
    metric: Metric,
    split: str,
    one: str,
    other: str,
    paired: Paired,
    matters: float,
    adjusted: float | None = None,
    alpha: float = LEVEL,
) -> Comparison:
    gain = doubted(paired.gain) if metric.unit == "share" else paired.gain
    limit = margin(metric, paired.other, matters)
    wins, losses = paired.wins, paired.losses
    if metric.better == "lower":
        wins, losses = losses, wins
    needed = questions_needed(gain, paired.questions, limit, alpha=alpha) if limit else 0
    return Comparison(
        metric.name,
        metric.unit,
        metric.better,
        split,
        one,
        other,
        gain.mean,
        gain.low,
        gain.high,
        gain.error,
        paired.gain.p,
        adjusted,
        paired.flips_p,
        paired.one,
        paired.other,
        paired.questions,
        paired.clusters,
        wins,
        paired.ties,
        losses,
        _says(gain, metric, limit, adjusted),
        limit,
        needed,
        paired.clusters < FEW_CLUSTERS,
    )


def _says(gain: Estimate, metric: Metric, limit: float, adjusted: float | None) -> Says:
    low, high = gain.low, gain.high
    if metric.better == "lower":
        low, high = -high, -low
    real = low > 0 or high < 0
    if metric.better == "neither":
        return ("higher" if low > 0 else "lower") if real else "same"
    if real and (adjusted is None or adjusted < LEVEL):
        return "better" if low > 0 else "worse"
    return "same" if -limit < low and high < limit else "unclear"
