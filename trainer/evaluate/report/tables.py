"""The tables: all means with their intervals, what it takes, and what the judge preferred.

What it takes is the hours and the energy of the training, and the tokens and seconds of an answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from trainer.evaluate.records import AFTER, BEFORE, FACT_SPLITS, Evaluation, MetricInfo
from trainer.evaluate.report import comparisons
from trainer.statistics import clustered_mean, wilson_interval, with_least_error
from trainer.training.runs import RunSummary

WATTS = 60.0  # of a Mac mini with an M4 Pro while its GPU works; the energy is no measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricCell:
    """One system on one metric and one split; no mean where nothing could be measured."""

    metric: str
    split: str
    system: str
    mean: float | None
    low: float | None  # of the clustered 95 % interval; None with fewer than two stories
    high: float | None
    questions: int  # with a value
    missing: int  # without one


def metric_table(evaluation: Evaluation) -> list[MetricCell]:
    """Every cell that has at least one question, by metric, split and system."""
    return list(_cells(evaluation))


def _cells(evaluation: Evaluation) -> Iterator[MetricCell]:
    for metric in evaluation.metrics:
        for split in comparisons.splits_of(evaluation):
            for system in evaluation.systems:
                scores = evaluation.scores.get(metric.name, {}).get(system.name, {})
                known, clusters, missing = [], [], 0
                for item, value in scores.items():
                    if item not in evaluation.items or evaluation.items[item].split != split:
                        continue
                    if value is None:
                        missing += 1
                    else:
                        known.append(value)
                        clusters.append(evaluation.items[item].cluster)
                if len(set(clusters)) > 1:
                    mean = clustered_mean(known, clusters)
                    mean = with_least_error(mean) if metric.unit == "share" else mean
                    yield MetricCell(
                        metric=metric.name,
                        split=split,
                        system=system.name,
                        mean=mean.mean,
                        low=mean.low,
                        high=mean.high,
                        questions=len(known),
                        missing=missing,
                    )
                elif known or missing:
                    yield MetricCell(
                        metric=metric.name,
                        split=split,
                        system=system.name,
                        mean=sum(known) / len(known) if known else None,
                        low=None,
                        high=None,
                        questions=len(known),
                        missing=missing,
                    )


@dataclass(frozen=True, slots=True)
class PeriodFigures:
    """What was said of the time up to the day as of which was taught, or of the time since."""

    split: str
    period: str
    questions: int
    stories: int
    cells: list[MetricCell]
    gain: comparisons.SystemComparison | None  # tuned over base, on the main metric


def period_figures(
    evaluation: Evaluation, main: MetricInfo, pair: tuple[str, str] | None, matters: float
) -> list[PeriodFigures]:
    """Taught, never taught, and printed since; empty where nothing was taught as of a day.

    Args:
        pair: the systems whose difference is shown for each.
    """
    found = []
    for split in FACT_SPLITS:
        for period in (BEFORE, AFTER):
            part = replace(
                evaluation,
                items={
                    name: item
                    for name, item in evaluation.items.items()
                    if (item.split, item.slices.get("period")) == (split, period)
                },
            )
            if part.items:
                found.append(
                    PeriodFigures(
                        split,
                        period,
                        len(part.items),
                        len({item.cluster for item in part.items.values()}),
                        metric_table(part),
                        comparisons.compare_systems(part, main, split, *pair, matters)
                        if pair
                        else None,
                    )
                )
    return found


@dataclass(frozen=True, slots=True)
class TrainingCost:
    """One run, once."""

    hours: float
    kwh: float
    watts: float  # that `kwh` was computed with
    tokens: int
    steps: int
    peak_gb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCost:
    """One system's answers; means over all of them."""

    system: str
    answers: int
    tokens_in: float
    tokens_out: float
    seconds: float  # an answer, its share of the batch it was computed in
    kwh: float  # a thousand answers
    cut: int  # ended by the limit of tokens
    failed: int


def training_cost(summary: RunSummary | None, watts: float) -> TrainingCost | None:
    """The run's costs; None for a run that has not ended."""
    if summary is None:
        return None
    hours = summary.seconds / 3600
    return TrainingCost(
        hours, hours * watts / 1000, watts, summary.tokens, summary.steps, summary.peak_bytes / 1e9
    )


def answer_costs(evaluation: Evaluation, watts: float) -> list[AnswerCost]:
    """One line a system that answered anything."""
    found = []
    for system in evaluation.systems:
        answers = list(evaluation.answers.get(system.name, {}).values())
        if not answers:
            continue
        count = len(answers)
        seconds = sum(answer.seconds for answer in answers) / count
        found.append(
            AnswerCost(
                system=system.name,
                answers=count,
                tokens_in=sum(answer.tokens_in for answer in answers) / count,
                tokens_out=sum(answer.tokens_out for answer in answers) / count,
                seconds=seconds,
                kwh=seconds * 1000 / 3600 * watts / 1000,
                cut=sum(answer.finish_reason == "length" for answer in answers),
                failed=sum(answer.finish_reason == "error" for answer in answers),
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class JudgePreference:
    """`one` against `other` in the judge's eyes: 1 always better, 0 always worse, 0.5 even."""

    one: str
    other: str
    share: float
    low: float
    high: float
    questions: int


@dataclass(frozen=True, slots=True)
class FaultDetection:
    """How often the judge preferred a right answer to the same with a fault planted in it."""

    fault: str
    asked: int
    share: float
    low: float
    high: float


def judge_preferences(evaluation: Evaluation) -> list[JudgePreference]:
    """By pair of systems; empty without a judge that may be believed."""
    if evaluation.audit is None or not evaluation.audit.passed:
        return []
    by_pair: dict[tuple[str, str], tuple[list[float], list[str]]] = {}
    for said in evaluation.preferences:
        item = evaluation.items.get(said.item)
        if item:
            values, clusters = by_pair.setdefault((said.one, said.other), ([], []))
            values.append(said.value)
            clusters.append(item.cluster)
    found = []
    for (one, other), (values, clusters) in by_pair.items():
        if len(set(clusters)) > 1:
            mean = clustered_mean(values, clusters)
            found.append(JudgePreference(one, other, mean.mean, mean.low, mean.high, len(values)))
    return found


def fault_detection(evaluation: Evaluation) -> list[FaultDetection]:
    """The audit's faults with Wilson's intervals."""
    found = []
    for fault in evaluation.audit.faults if evaluation.audit else []:
        asked, right = int(fault["asked"]), int(fault["caught"])
        low, high = wilson_interval(right, asked)
        found.append(
            FaultDetection(str(fault["name"]), asked, right / asked if asked else 0.0, low, high)
        )
    return found
