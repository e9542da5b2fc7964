"""What the judge preferred; nothing of it is computed unless the judge has passed its audit."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.evaluate.records import Evaluation
from trainer.evaluate.statistics import clustered_mean, wilson_interval


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
