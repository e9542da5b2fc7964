"""Two systems asked the same questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.evaluate.statistics.clustered import Estimate, clustered
from trainer.evaluate.statistics.flips import mcnemar

FEW_CLUSTERS = 50  # below, a clustered interval may be too narrow (Cameron and Miller 2015)
TIE = 1e-9  # values closer than this are equal


@dataclass(frozen=True, slots=True)
class Paired:
    """One system's values minus another's, over the questions that both have."""

    gain: Estimate
    one: float  # mean of the first
    other: float  # mean of the second
    questions: int
    clusters: int
    wins: int  # questions at which the first is higher
    ties: int
    losses: int

    @property
    def flips_p(self) -> float:
        """McNemar's, of wins against losses."""
        return mcnemar(self.wins, self.losses)

    @property
    def warning(self) -> str:
        """What a reader must know before believing the interval, "" when nothing."""
        if self.clusters < FEW_CLUSTERS:
            return f"only {self.clusters} stories: the interval may be too narrow"
        return ""


def compare(one: Sequence[float], other: Sequence[float], clusters: Sequence[str]) -> Paired | None:
    """Paired and clustered; None where fewer than two stories were asked."""
    if len(set(clusters)) < 2:
        return None
    gains = [mine - theirs for mine, theirs in zip(one, other, strict=True)]
    count = len(gains)
    wins, losses = sum(gain > TIE for gain in gains), sum(gain < -TIE for gain in gains)
    return Paired(
        clustered(gains, clusters),
        sum(one) / count,
        sum(other) / count,
        count,
        len(set(clusters)),
        wins,
        count - wins - losses,
        losses,
    )
