"""From answers and likelihoods to the values of all metrics: a pure function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from exchange.engine import Likelihood
from trainer.evaluate.metrics import ALL, Seen
from trainer.evaluate.records import Answer, Item

Answers = Mapping[str, Mapping[str, Answer]]  # by system, then item
Weighed = dict[str, list[Likelihood]]  # by item: of the reference, then of each distractor
Scores = dict[str, dict[str, dict[str, float | None]]]  # by metric, system, item
Confidences = dict[str, dict[str, dict[str, float]]]


def measure(
    items: Iterable[Item], answers: Answers, weights: Mapping[str, Weighed]
) -> tuple[Scores, Confidences]:
    """Every metric at every item that it looks at and a system was asked."""
    scores: Scores = {}
    confidences: Confidences = {}
    kept = list(items)
    for metric in ALL:
        name = metric.METRIC.name
        looked_at = [
            item for item in kept if item.split in metric.METRIC.splits and metric.looks_at(item)
        ]
        confidence = getattr(metric, "confidence", None)
        by_system = scores.setdefault(name, {})
        for system, said in answers.items():
            values = by_system.setdefault(system, {})
            for item in looked_at:
                if item.id not in said:
                    continue
                seen = Seen(item, said[item.id], weights.get(system, {}).get(item.id, ()))
                values[item.id] = metric.value(seen)
                sure = confidence(seen) if confidence else None
                if sure is not None:
                    confidences.setdefault(name, {}).setdefault(system, {})[item.id] = sure
    return scores, confidences
