"""Overlap of character n-grams with the reference, on folded text: shows drift, never the verdict.

A negated answer has more of it than a right paraphrase. Popović, "chrF: character n-gram F-score
for automatic MT evaluation" (2015), with n up to 6 and recall counted twice.
"""

from __future__ import annotations

from collections import Counter

from exchange.text.fold import fold
from trainer.evaluate.metrics.metric import FACTS, Seen
from trainer.evaluate.records import Item, Metric

ORDER, BETA = 6, 2
METRIC = Metric(
    "chrf",
    f"chrF{BETA}|nc:{ORDER}|nw:0|space:no|folded:yes|v:1",
    "Characters in common with the reference: how far the wording drifts.",
    "0-100",
    "neither",
    FACTS,
)


def looks_at(item: Item) -> bool:
    return bool(item.reference)


def value(seen: Seen) -> float | None:
    return score(seen.text, seen.item.reference)


def score(text: str, reference: str) -> float:
    """0 to 100. Orders that neither text is long enough for are left out."""
    said, told = fold(text).replace(" ", ""), fold(reference).replace(" ", "")
    precision, recall, orders = 0.0, 0.0, 0
    for n in range(1, ORDER + 1):
        mine, theirs = _grams(said, n), _grams(told, n)
        if not mine and not theirs:
            continue
        common = (mine & theirs).total()
        orders += 1
        precision += common / mine.total() if mine else 0.0
        recall += common / theirs.total() if theirs else 0.0
    if not precision or not recall:
        return 0.0
    weight = BETA**2
    return 100 * (1 + weight) * precision * recall / (weight * precision + recall) / orders


def _grams(text: str, n: int) -> Counter[str]:
    return Counter(text[at : at + n] for at in range(len(text) - n + 1))
