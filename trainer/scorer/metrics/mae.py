"""How far the expected score lies from the true one, as a share of the maximum."""

from __future__ import annotations

from collections.abc import Sequence

from trainer.scorer.metrics import Outcome

NAME = "mae"
SIGNATURE = "mae|read:expected|unit:share-of-maximum|v:1"


def value(outcomes: Sequence[Outcome]) -> float:
    """From 0 to 1; lower is better."""
    return sum(abs(o.reading.expected - o.level) / o.scale.top for o in outcomes) / len(outcomes)
