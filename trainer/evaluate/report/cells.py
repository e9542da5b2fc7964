"""The table of all systems and all metrics: each mean with its interval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trainer.evaluate.records import Evaluation
from trainer.evaluate.report import splits
from trainer.evaluate.statistics import clustered, doubted


@dataclass(frozen=True, slots=True)
class Cell:
    """One system on one metric and one split; no mean where nothing could be measured."""

    metric: str
    split: str
    system: str
    mean: float | None
    low: float | None  # of the clustered 95 % interval; None with fewer than two stories
    high: float | None
    questions: int  # with a value
    missing: int  # without one


def table(evaluation: Evaluation) -> list[Cell]:
    """Every cell that has at least one question, by metric, split and system."""
    return list(_cells(evaluation))


def _cells(evaluation: Evaluation) -> Iterator[Cell]:
    for metric in evaluation.metrics:
        for split in splits.of(evaluation):
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
                    mean = clustered(known, clusters)
                    mean = doubted(mean) if metric.unit == "share" else mean
                    yield Cell(
                        metric.name,
                        split,
                        system.name,
                        mean.mean,
                        mean.low,
                        mean.high,
                        len(known),
                        missing,
                    )
                elif known or missing:
                    yield Cell(
                        metric.name,
                        split,
                        system.name,
                        sum(known) / len(known) if known else None,
                        None,
                        None,
                        len(known),
                        missing,
                    )
