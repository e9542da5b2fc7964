"""What is measured of answers, each metric with a signature of how its values come about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from exchange.inference.engine import Likelihood
from trainer.evaluate.metrics.base import EvalMetric, MetricInput
from trainer.evaluate.metrics.facts import DATES, FACTS, GROUNDEDNESS, NAMES, NUMBERS, ROBUSTNESS
from trainer.evaluate.metrics.likelihood import BITS, CHOICE
from trainer.evaluate.metrics.wording import (
    ABSTENTION,
    CHRF,
    DECLINED,
    EXACT,
    FORGETTING,
    LENGTH,
    STYLE,
)
from trainer.evaluate.records import EvalAnswer, EvalItem

__all__ = ["ALL_METRICS", "EvalMetric", "Likelihoods", "MetricInput", "is_right", "measure"]

Answers = Mapping[str, Mapping[str, EvalAnswer]]  # by system, then item
Likelihoods = dict[str, list[Likelihood]]  # by item: of the reference, then of each distractor
Scores = dict[str, dict[str, dict[str, float | None]]]  # by metric, system, item
Confidences = dict[str, dict[str, dict[str, float]]]

# In the order in which they are stored and shown; the first is the main one.
ALL_METRICS: tuple[EvalMetric, ...] = (
    CHOICE,
    FACTS,
    GROUNDEDNESS,
    DATES,
    NUMBERS,
    NAMES,
    EXACT,
    BITS,
    ABSTENTION,
    DECLINED,
    ROBUSTNESS,
    FORGETTING,
    LENGTH,
    STYLE,
    CHRF,
)


def is_right(seen: MetricInput) -> float | None:
    """Whether an answer is right: its facts are, or its words, where the reference has no facts."""
    return (FACTS if FACTS.applies(seen.item) else EXACT).value(seen)


def measure(
    items: Iterable[EvalItem], answers: Answers, weights: Mapping[str, Likelihoods]
) -> tuple[Scores, Confidences]:
    """Every metric at every item that it looks at and a system was asked."""
    scores: Scores = {}
    confidences: Confidences = {}
    kept = list(items)
    for metric in ALL_METRICS:
        name = metric.info.name
        looked_at = [
            item for item in kept if item.split in metric.info.splits and metric.applies(item)
        ]
        by_system = scores.setdefault(name, {})
        for system, said in answers.items():
            values = by_system.setdefault(system, {})
            for item in looked_at:
                if item.id not in said:
                    continue
                seen = MetricInput(item, said[item.id], weights.get(system, {}).get(item.id, ()))
                values[item.id] = metric.value(seen)
                sure = metric.confidence(seen) if metric.confidence else None
                if sure is not None:
                    confidences.setdefault(name, {}).setdefault(system, {})[item.id] = sure
    return scores, confidences
