"""The share of items whose level is exactly right."""

from __future__ import annotations

from collections.abc import Sequence

from trainer.scorer.metrics import Outcome

NAME = "accuracy"
SIGNATURE = "accuracy|levels:rounded-expected|v:1"


def value(outcomes: Sequence[Outcome]) -> float:
    """From 0 to 1."""
    return sum(outcome.reading.level == outcome.level for outcome in outcomes) / len(outcomes)
