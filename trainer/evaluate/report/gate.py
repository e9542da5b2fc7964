"""The promotion gate: a tuned model that forgets or invents is not to be used.

A gate must not pass what it cannot see. The tuned model passes if even the worst end of the
interval is no further behind the base than a tenth of the base's own value (or two points of a
share, where that is more); it fails if it is worse, if the interval is too wide to say, and if
nothing was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trainer.evaluate.records import Evaluation, MetricInfo
from trainer.evaluate.report.comparisons import SystemComparison, compare_systems, system_pairs
from trainer.evaluate.statistics import ClusteredEstimate, questions_needed

GUARDED = ("forgetting", "groundedness")  # metrics by name
ALLOWED = 0.1  # part of the base's value that may be lost
FLOOR = 0.02  # of a share: a base near zero has no tenth to lose
GateOutcome = Literal["passed", "worse", "too wide", "not measured"]


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One metric of the gate."""

    metric: str
    outcome: GateOutcome
    allowed: float  # how far behind the base the tuned model may be, in the metric's unit
    comparison: SystemComparison | None
    more: int = 0  # questions still needed to see so small a loss

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"


def check_gate(evaluation: Evaluation) -> list[GateCheck]:
    """Every guarded metric, in order; `passed` only if all of them are."""
    metrics = {metric.name: metric for metric in evaluation.metrics}
    tuned = system_pairs(evaluation.systems, [("tuned", "base")])
    return [_check_metric(evaluation, metrics.get(name), name, tuned) for name in GUARDED]


def _check_metric(
    evaluation: Evaluation, metric: MetricInfo | None, name: str, tuned: Sequence[tuple[str, str]]
) -> GateCheck:
    found = metric and tuned and compare_systems(evaluation, metric, "", *tuned[0])
    if not metric or not found:
        return GateCheck(name, "not measured", 0.0, None)
    allowed = max(ALLOWED * abs(found.mean_other), FLOOR if metric.unit == "share" else 0.0)
    worst = -found.high if metric.better == "lower" else found.low
    if worst >= -allowed:
        return GateCheck(name, "passed", allowed, found)
    if found.says == "worse":
        return GateCheck(name, "worse", allowed, found)
    seen = ClusteredEstimate(found.gain, found.error, found.stories - 1)
    needed = questions_needed(seen, found.questions, allowed) if allowed else found.questions
    return GateCheck(name, "too wide", allowed, found, max(1, needed - found.questions))
