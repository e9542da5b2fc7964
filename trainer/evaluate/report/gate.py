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

from trainer.evaluate.records import Evaluation, Metric
from trainer.evaluate.report.comparisons import Comparison, make, pairs
from trainer.evaluate.statistics import Estimate, questions_needed

GUARDED = ("forgetting", "groundedness")  # metrics by name
ALLOWED = 0.1  # part of the base's value that may be lost
FLOOR = 0.02  # of a share: a base near zero has no tenth to lose
Outcome = Literal["passed", "worse", "too wide", "not measured"]


@dataclass(frozen=True, slots=True)
class Check:
    """One metric of the gate."""

    metric: str
    outcome: Outcome
    allowed: float  # how far behind the base the tuned model may be, in the metric's unit
    comparison: Comparison | None
    more: int = 0  # questions still needed to see so small a loss

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"


def check(evaluation: Evaluation) -> list[Check]:
    """Every guarded metric, in order; `passed` only if all of them are."""
    metrics = {metric.name: metric for metric in evaluation.metrics}
    tuned = pairs(evaluation.systems, [("tuned", "base")])
    return [_check(evaluation, metrics.get(name), name, tuned) for name in GUARDED]


def _check(
    evaluation: Evaluation, metric: Metric | None, name: str, tuned: Sequence[tuple[str, str]]
) -> Check:
    found = metric and tuned and make(evaluation, metric, "", *tuned[0])
    if not metric or not found:
        return Check(name, "not measured", 0.0, None)
    allowed = max(ALLOWED * abs(found.mean_other), FLOOR if metric.unit == "share" else 0.0)
    worst = -found.high if metric.better == "lower" else found.low
    if worst >= -allowed:
        return Check(name, "passed", allowed, found)
    if found.says == "worse":
        return Check(name, "worse", allowed, found)
    seen = Estimate(found.gain, found.error, found.stories - 1)
    needed = questions_needed(seen, found.questions, allowed) if allowed else found.questions
    return Check(name, "too wide", allowed, found, max(1, needed - found.questions))
