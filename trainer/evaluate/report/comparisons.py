"""Two systems on one metric: the difference, its interval, and what may be said of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from trainer.evaluate.records import Better, Evaluation, MetricInfo, SystemInfo
from trainer.statistics import (
    FEW_CLUSTERS,
    ClusteredEstimate,
    PairedDifference,
    holm_adjust,
    paired_difference,
    questions_needed,
    with_least_error,
)

ComparisonOutcome = Literal[
    "better",
    "worse",
    "same",
    "clear-of-band",  # by its own interval, but not significant after Holm
    "clear-of-zero",  # the same, and what does not matter is not ruled out either
    "unclear",
    "higher",
    "lower",
]
LEVEL = 0.05
MIN_DIFFERENCE = (
    0.05  # the smallest difference that would change what one does: 5 points of a share
)
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
SECONDARY = (("tuned+rag", "tuned"), ("few-shot", "base"), ("oracle", "base"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemComparison:
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
    worth: int  # how many stories of equal size would tell as much
    wins: int  # questions at which `one` has the better value (the higher, where neither is)
    ties: int
    losses: int
    says: ComparisonOutcome
    matters: float  # the smallest difference that counts, in the metric's unit
    needed: int  # questions in all to see a difference of `matters` four times in five
    few: bool  # fewer stories than an interval can be trusted with

    @property
    def clear(self) -> bool:
        """`one` is better, and it would be still if it were one of several claims."""
        return self.says == "better"


def declared_comparisons(
    evaluation: Evaluation, split: str, matters: float = MIN_DIFFERENCE
) -> list[SystemComparison]:
    """The primary set: on the metrics that are primary, every pair that the verdict may need.

    Which comparisons these are is decided by the kinds of the systems alone, before any figure is
    seen; Holm's correction runs over all of them.
    """
    measured = [
        (metric, one, other, paired)
        for metric in evaluation.metrics
        if metric.primary
        for one, other in system_pairs(evaluation.systems, DECLARED)
        if (paired := paired_difference(*evaluation.paired(metric.name, one, other, split)))
    ]
    adjusted = holm_adjust([paired.gain.p for *_, paired in measured])
    return [
        _comparison(metric, split, one, other, paired, matters, p, LEVEL / len(measured))
        for (metric, one, other, paired), p in zip(measured, adjusted, strict=True)
    ]


def system_pairs(
    systems: Sequence[SystemInfo], kinds: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """The names of the systems that belong to pairs of kinds, in that order."""
    return [
        (one.name, other.name)
        for first, second in kinds
        for one in systems
        if one.kind == first
        for other in systems
        if other.kind == second
    ]


def compare_systems(
    evaluation: Evaluation,
    metric: MetricInfo,
    split: str,
    one: str,
    other: str,
    matters: float = MIN_DIFFERENCE,
) -> SystemComparison | None:
    """Compare two systems outside the declared set; None where they share under two stories."""
    paired = paired_difference(*evaluation.paired(metric.name, one, other, split))
    return _comparison(metric, split, one, other, paired, matters) if paired else None


def margin(metric: MetricInfo, mean: float, matters: float) -> float:
    """`matters` in the metric's unit: points of a share, else a part of the mean held against."""
    return matters if metric.unit == "share" else matters * abs(mean)


def _comparison(
    metric: MetricInfo,
    split: str,
    one: str,
    other: str,
    paired: PairedDifference,
    matters: float,
    adjusted: float | None = None,
    alpha: float = LEVEL,
) -> SystemComparison:
    gain = with_least_error(paired.gain) if metric.unit == "share" else paired.gain
    limit = margin(metric, paired.other, matters)
    wins, losses = paired.wins, paired.losses
    if metric.better == "lower":
        wins, losses = losses, wins
    needed = questions_needed(gain, paired.questions, limit, alpha=alpha) if limit else 0
    return SystemComparison(
        metric=metric.name,
        unit=metric.unit,
        better=metric.better,
        split=split,
        one=one,
        other=other,
        gain=gain.mean,
        low=gain.low,
        high=gain.high,
        error=gain.error,
        p=paired.gain.p,
        adjusted=adjusted,
        flips_p=paired.flips_p,
        mean_one=paired.one,
        mean_other=paired.other,
        questions=paired.questions,
        stories=paired.clusters,
        wins=wins,
        ties=paired.ties,
        losses=losses,
        says=_outcome(gain, metric, limit, adjusted),
        matters=limit,
        needed=needed,
        worth=paired.worth,
        few=paired.worth < FEW_CLUSTERS,
    )


def _outcome(
    gain: ClusteredEstimate, metric: MetricInfo, limit: float, adjusted: float | None
) -> ComparisonOutcome:
    low, high = gain.low, gain.high
    if metric.better == "lower":
        low, high = -high, -low
    real = low > 0 or high < 0
    if metric.better == "neither":
        return ("higher" if low > 0 else "lower") if real else "same"
    if real and (adjusted is None or adjusted < LEVEL):
        return "better" if low > 0 else "worse"
    if -limit < low and high < limit:
        return "same"
    if real:
        return "clear-of-band" if low > limit or high < -limit else "clear-of-zero"
    return "unclear"


# Where the difference comes from: the main comparison within sections, years, kinds of name.
#
# Many slices are looked at, so one that stands out may do so by chance: they say where to look, and
# claim nothing.

MIN_SLICE_QUESTIONS = 20  # questions of a slice; fewer say nothing
MAX_SLICES = 8  # slices of one name, the largest first


@dataclass(frozen=True, slots=True)
class SliceComparison:
    """One part of the questions."""

    name: str  # section, year, entity, rarity, kind
    value: str
    comparison: SystemComparison


def compare_slices(
    evaluation: Evaluation, metric: MetricInfo, split: str, one: str, other: str
) -> list[SliceComparison]:
    """Every slice with enough questions, by name, the largest first; years in order."""
    counts: dict[str, Counter[str]] = {}
    for item in evaluation.items.values():
        if item.split == split:
            for name, value in {**item.slices, "kind": item.kind}.items():
                if value:
                    counts.setdefault(name, Counter())[value] += 1
    found = []
    for name, values in counts.items():
        chosen = [
            value for value, count in values.most_common(MAX_SLICES) if count >= MIN_SLICE_QUESTIONS
        ]
        if len(chosen) < 2 and len(values) < 2:
            continue  # a slice that holds everything is the whole
        for value in sorted(chosen) if name == "year" else chosen:
            part = replace(
                evaluation,
                items={
                    key: item
                    for key, item in evaluation.items.items()
                    if {**item.slices, "kind": item.kind}.get(name) == value
                },
            )
            compared = compare_systems(part, metric, split, one, other)
            if compared:
                found.append(SliceComparison(name, value, compared))
    return found


# The sets of questions, in the order in which a reader wants them.

MAIN_SPLIT, UNSEEN_SPLIT = "test_recall", "test_unseen"
_SPLIT_ORDER = (MAIN_SPLIT, UNSEEN_SPLIT, "test_general", "absent", "disturbed")


def splits_of(evaluation: Evaluation) -> list[str]:
    """Those that were asked; unknown ones come last."""
    found = {item.split for item in evaluation.items.values()}
    return [name for name in _SPLIT_ORDER if name in found] + sorted(found.difference(_SPLIT_ORDER))


def main_split(evaluation: Evaluation) -> str:
    """The one that the verdict is about: facts that were taught, asked in other words."""
    return next(iter(splits_of(evaluation)), "")
