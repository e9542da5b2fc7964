"""Where the difference comes from: the main comparison within sections, years, kinds of name.

Many slices are looked at, so one that stands out may do so by chance: they say where to look, and
claim nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from trainer.evaluate.records import Evaluation, Metric
from trainer.evaluate.report.comparisons import Comparison, make

LEAST = 20  # questions of a slice; fewer say nothing
MOST = 8  # slices of one name, the largest first


@dataclass(frozen=True, slots=True)
class Slice:
    """One part of the questions."""

    name: str  # section, year, entity, rarity, kind
    value: str
    comparison: Comparison


def slices(evaluation: Evaluation, metric: Metric, split: str, one: str, other: str) -> list[Slice]:
    """Every slice with enough questions, by name, the largest first; years in order."""
    counts: dict[str, Counter[str]] = {}
    for item in evaluation.items.values():
        if item.split == split:
            for name, value in {**item.slices, "kind": item.kind}.items():
                if value:
                    counts.setdefault(name, Counter())[value] += 1
    found = []
    for name, values in counts.items():
        chosen = [value for value, count in values.most_common(MOST) if count >= LEAST]
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
            compared = make(part, metric, split, one, other)
            if compared:
                found.append(Slice(name, value, compared))
    return found
