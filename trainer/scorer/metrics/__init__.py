"""What a scorer's figures are: one file each, each with a signature of how it was made.

All look at pairs of a true level and what was read; those that need points rather than levels
put each on its own scale first, so that items of several maxima stand in one figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from trainer.scorer.calibration import Reading
from trainer.scorer.items import Scale


@dataclass(frozen=True, slots=True)
class Outcome:
    """One item: its scale, the true level, and what the scorer read."""

    scale: Scale
    level: int
    reading: Reading


class Metric(Protocol):
    """What a metric's module holds."""

    NAME: str
    SIGNATURE: str

    def value(self, outcomes: Sequence[Outcome]) -> float:
        """The figure of at least one outcome."""


def measure(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """All figures by name; none of an empty set."""
    if not outcomes:
        return {}
    return {metric.NAME: round(metric.value(outcomes), 4) for metric in _all()}


def signatures() -> dict[str, str]:
    """How each figure is made."""
    return {metric.NAME: metric.SIGNATURE for metric in _all()}


def _all() -> tuple[Metric, ...]:
    from trainer.scorer.metrics import accuracy, ece, macro_f1, mae, qwk

    return qwk, accuracy, macro_f1, mae, ece
